/*
 * A growable run of bytes that never grows past its ceiling.
 *
 * Always true (buffer_check): len <= capacity <= ceiling; data is NULL exactly when capacity is 0;
 * `account` holds at least `capacity` bytes.
 *
 * Appends that would pass the ceiling, or for which there is no memory (LM_ENOMEM), or no room in
 * the ledger (LM_EBUSY, see buffer_charge), change nothing but set
 * `error`, and so does every append after that: a writer may append many pieces and look once, at
 * the end, at buffer_error(). buffer_clear() lifts the error.
 */
#ifndef LOGMILL_BASE_BUFFER_H
#define LOGMILL_BASE_BUFFER_H

#include <stdarg.h>
#include <stdint.h>

#include "base/error.h"
#include "base/ledger.h"
#include "base/slice.h"

struct buffer {
    char *data;
    size_t len;
    size_t capacity;
    size_t ceiling;
    int error;               /* 0, LM_ETOOBIG, LM_ENOMEM or LM_EBUSY */
    size_t wanted;           /* the capacity for which there was no room: LM_EBUSY */
    struct account *account; /* that its capacity is charged to, or NULL */
    bool is_small;           /* like xmalloc: that there is no memory ends the process */
};

/* CHECKs what is always true. */
void buffer_check(const struct buffer *b);

/* An empty buffer that will hold up to `ceiling` bytes; allocates nothing. */
void buffer_init(struct buffer *b, size_t ceiling);

/*
 * The same without a ceiling, for texts that are small since they come from the command line, the
 * environment or our own code: nobody looks at their error, and so memory that is not there ends
 * the process, as with xmalloc, rather than that a filter, an attribute or half a path is missing.
 */
void buffer_init_small(struct buffer *b);

/*
 * The same, charged to `account` (or NULL), of whose bytes it never takes more than half: what can
 * never be held is too much (LM_ETOOBIG), rather than to be tried again for ever (LM_EBUSY).
 */
void buffer_init_within(struct buffer *b, size_t ceiling, struct account *account);

/* The same over `size` bytes at `memory`, the caller's: needs no other. Not to be released. */
void buffer_init_over(struct buffer *b, char *memory, size_t size);

/*
 * Charges what `b` holds and will hold to `account` (NULL: to none), no longer to the one before.
 * False if there is no room for it; then nothing has changed.
 */
bool buffer_charge(struct buffer *b, struct account *account) LM_MUST_CHECK;

/* Frees the bytes; `b` is then as before it grew, with the same ceiling and account. */
void buffer_release(struct buffer *b);

/* Empties `b` and lifts its error; keeps the memory for reuse. */
void buffer_clear(struct buffer *b);

/* Cuts `b` back to its first `len` bytes (len <= b->len) and lifts its error. */
void buffer_truncate(struct buffer *b, size_t len);

/*
 * Room for `extra` more bytes at data + len, which the caller fills and then adds to len.
 * Returns a pointer to it, or NULL (error set).
 */
char *buffer_reserve(struct buffer *b, size_t extra);

void buffer_append(struct buffer *b, const void *data, size_t len);
void buffer_append_slice(struct buffer *b, struct slice s);
void buffer_append_string(struct buffer *b, const char *text);
void buffer_append_char(struct buffer *b, char c);
void buffer_append_i64(struct buffer *b, int64_t value);
void buffer_append_u64(struct buffer *b, uint64_t value);
void buffer_appendf(struct buffer *b, const char *format, ...) LM_PRINTF(2, 3);

/* Drops the first `n` bytes (n <= len), moving the rest to the front. */
void buffer_consume(struct buffer *b, size_t n);

static inline int buffer_error(const struct buffer *b)
{
    return b->error;
}

/* The capacity that `b` has, or, after LM_EBUSY, wanted to have. */
static inline size_t buffer_wanted(const struct buffer *b)
{
    return b->error == LM_EBUSY ? b->wanted : b->capacity;
}

static inline struct slice buffer_slice(const struct buffer *b)
{
    return (struct slice){b->data, b->len};
}

#endif
