/*
 * A reader of protobuf's wire format, of one message and field by field:
 *
 *   protobuf_begin(&p, message);
 *   while (protobuf_next(&p, &f))
 *       switch (f.key) {
 *       case PROTOBUF_KEY(1, PROTOBUF_BYTES): …f.bytes…
 *       }
 *   if (p.error)
 *       …p.error says why, p.at where…
 *
 * A field whose number or type is none that the reader asks for is left out, as unknown fields are
 * by all. Fields come in the order of the bytes, which says nothing: senders write any. Nothing is
 * allocated; what a message within this one is, is for who reads it with a reader of its own.
 *
 * What is wrong, and ends the message: a length or a number that goes on behind the end, a number
 * of more than 64 bits, field number 0, and groups, which no protocol here has.
 */
#ifndef LOGMILL_FORMATS_PROTOBUF_H
#define LOGMILL_FORMATS_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum protobuf_type {
    PROTOBUF_VARINT = 0,
    PROTOBUF_FIXED64 = 1,
    PROTOBUF_BYTES = 2, /* texts and messages too */
    PROTOBUF_FIXED32 = 5,
};

#define PROTOBUF_KEY(number, type) ((uint32_t)(number) << 3 | (uint32_t)(type))

struct protobuf {
    const unsigned char *at, *end;
    const char *error; /* static, of a few words; NULL: nothing is wrong as yet */
};

struct protobuf_field {
    uint32_t key;
    uint64_t value;     /* of all types but PROTOBUF_BYTES */
    struct slice bytes; /* of PROTOBUF_BYTES: a view of the message */
};

static inline void protobuf_begin(struct protobuf *p, struct slice message)
{
    *p = (struct protobuf){.at = (const unsigned char *)(message.len ? message.data : "")};
    p->end = p->at + message.len;
}

/* The next field; false at the end, and where something is wrong. */
bool protobuf_next(struct protobuf *p, struct protobuf_field *f);

/* The number of a `double` field. */
double protobuf_double(uint64_t value);

/*
 * Calls `see` for the fields of the last of `keys`, in messages of the one before it, and so on up
 * to those of keys[0] in `message`, until it returns true, as this then does; 0 ends the keys.
 * Recursive, once for each of them. Of a message of which something is wrong, those before that.
 */
bool protobuf_each(struct slice message, const uint32_t *keys,
                   bool see(void *ctx, struct slice bytes), void *ctx);

/* Append a field; a value of 0 and an empty text too, which senders leave out. */
void protobuf_append_varint(struct buffer *b, uint32_t number, uint64_t value);
void protobuf_append_bytes(struct buffer *b, uint32_t number, struct slice bytes);

#endif
