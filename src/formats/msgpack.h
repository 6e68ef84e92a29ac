/*
 * MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), value by value, within the
 * bounds of bytes that somebody else owns. Nothing is allocated, nothing recursive.
 *
 * Whether values have come whole is asked of a walk, which goes on where it stood when more bytes
 * have come, so that each byte is looked at once however many pieces they came in:
 *
 *   struct msgpack_walk w = {.left = 1};
 *   …as bytes come:  msgpack_walk(&w, bytes) == MSGPACK_WHOLE  ──► bytes[0 … w.at] is a value
 *
 * Then they are read:
 *
 *   struct msgpack p = msgpack_of(bytes);
 *   while (msgpack_next(&p, &v))
 *       …the values within an array or a map are those that come next: v.count of them…
 *
 * What is wrong: the byte c1, which begins nothing; and, when read, a value that goes on behind the
 * end.
 */
#ifndef LOGMILL_FORMATS_MSGPACK_H
#define LOGMILL_FORMATS_MSGPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum msgpack_type {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_UNSIGNED,
    MSGPACK_INTEGER, /* of the signed forms, in which what is not negative may be written, too */
    MSGPACK_DOUBLE,
    MSGPACK_TEXT, /* any bytes: writers older than "bin" have no other */
    MSGPACK_BYTES,
    MSGPACK_EXTENSION,
    MSGPACK_ARRAY,
    MSGPACK_MAP,
};

struct msgpack_value {
    enum msgpack_type type;
    int8_t extension; /* of MSGPACK_EXTENSION: what its bytes are */
    union {
        bool truth;
        uint64_t whole;     /* MSGPACK_UNSIGNED */
        int64_t integer;    /* MSGPACK_INTEGER */
        double number;      /* MSGPACK_DOUBLE */
        struct slice bytes; /* of texts, bytes and extensions: a view */
        uint64_t count;     /* values of an array; of a map, keys and values together */
    };
};

/* ---- Whether all is there ---- */

struct msgpack_walk {
    uint64_t at;   /* where the next value begins; it may be behind what has come */
    uint64_t left; /* values that are still to come: those of what was begun, too */
};

enum msgpack_walked { MSGPACK_WHOLE, MSGPACK_MORE, MSGPACK_WRONG };

/*
 * Walks on. MSGPACK_WHOLE: no value is left, and all their bytes are in `bytes`, up to w->at.
 * MSGPACK_MORE: at least w->at + w->left bytes are needed. MSGPACK_WRONG: at w->at is no value.
 */
enum msgpack_walked msgpack_walk(struct msgpack_walk *w, struct slice bytes);

/* ---- Reading ---- */

struct msgpack {
    const unsigned char *at, *end;
};

static inline struct msgpack msgpack_of(struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)(bytes.len ? bytes.data : "");

    return (struct msgpack){at, at + bytes.len};
}

/* The next value; false at the end, and if what comes is none: then p->at stays. */
bool msgpack_next(struct msgpack *p, struct msgpack_value *v);

/* Passes what is within `v`, an array or a map that was just read; of other values nothing is. */
bool msgpack_pass(struct msgpack *p, const struct msgpack_value *v);

static inline bool msgpack_is_text(const struct msgpack_value *v)
{
    return v->type == MSGPACK_TEXT || v->type == MSGPACK_BYTES;
}

/* ---- Writing ---- */

/* `count` values, or pairs, are to follow; at most 15. */
void msgpack_append_array(struct buffer *b, unsigned count);
void msgpack_append_map(struct buffer *b, unsigned count);

void msgpack_append_bool(struct buffer *b, bool value);
void msgpack_append_text(struct buffer *b, struct slice text);
void msgpack_append_bytes(struct buffer *b, struct slice bytes);

#endif
