/*
 * The list of what is wrong with a request, in the form and the words of FastAPI with pydantic v2:
 * {"detail":[{"type":"missing","loc":["body","message"],"msg":"Field required","input":{…}}, …]}.
 * For formats/fastapi, and for the parameters of reads (read/params), which are refused alike.
 */
#ifndef LOGMILL_FORMATS_VALIDATION_H
#define LOGMILL_FORMATS_VALIDATION_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * More errors than this, and those for which `out` has no room, are counted, not listed: the list
 * then ends with one "too_many_errors" entry.
 */
enum { VALIDATION_ERRORS_MAX = 1000 };

/* One step of a `loc`. */
struct validation_step {
    struct slice name; /* a field's name; used if data is not NULL */
    size_t index;      /* an array index or a position otherwise */
};

struct validation {
    struct buffer *out; /* the caller's: the finished "detail" array is written here */
    size_t count;       /* errors so far, listed or not */
    size_t listed;      /* of them, those written to `out` */
};

/* Starts an empty list that is written to `out`, which must outlive it and is cleared. */
void validation_init(struct validation *v, struct buffer *out);

/* One error; slices are copied at once. */
struct validation_entry {
    const char *type;                  /* "string_type" */
    const struct validation_step *loc; /* "body", 3, "message" */
    size_t loc_len;
    struct slice msg;   /* plain text; it is escaped here */
    struct slice input; /* JSON text; empty: null */
    struct slice ctx;   /* JSON text of an object; empty: no ctx member */
};

void validation_add(struct validation *v, const struct validation_entry *entry);

/* How far the list is, and back to there: what was added since is forgotten. */
struct validation_mark {
    size_t count;
    size_t listed;
    size_t len;
};

struct validation_mark validation_mark(const struct validation *v);
void validation_rewind(struct validation *v, struct validation_mark mark);

/*
 * Ends the list: `out` then holds the whole body {"detail":[…]}. Returns 0, or the buffer's error
 * (LM_ETOOBIG, LM_ENOMEM, LM_EBUSY).
 */
int validation_finish(struct validation *v) LM_MUST_CHECK;

#endif
