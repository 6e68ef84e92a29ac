/*
 * The text of one queue message while it grows (version.h).
 *
 * Always true (batch_check): count is the number of records in it; the text is empty if count is 0,
 * else complete but for its end (version 1: "]}", for which there is room) and its checksum (2).
 */
#ifndef LOGMILL_MESSAGE_WRITER_H
#define LOGMILL_MESSAGE_WRITER_H

#include "base/buffer.h"
#include "message/version.h"
#include "record/record.h"

struct batch {
    struct buffer text;
    size_t count;     /* records */
    size_t max_bytes; /* of the finished text */
    enum message_version version;
};

/* A point in a batch to which it can be cut back. */
struct batch_mark {
    size_t len;
    size_t count;
};

/* Aborts if what is always true is not (base/check.h). */
void batch_check(const struct batch *b);

/* An empty batch whose finished text is at most `max_bytes`. */
void batch_init(struct batch *b, enum message_version version, size_t max_bytes);
void batch_release(struct batch *b);

/* Empties `b`, keeping its memory. */
void batch_clear(struct batch *b);

/*
 * Adds `r`. Returns 0, LM_ETOOBIG if the finished text would pass max_bytes, or LM_ENOMEM; on
 * an error `b` is unchanged.
 */
int batch_append(struct batch *b, const struct record *r) LM_MUST_CHECK;

/* Where `b` stands now, and back to there: what was appended since is gone. */
struct batch_mark batch_mark(const struct batch *b);
void batch_rewind(struct batch *b, struct batch_mark mark);

/*
 * Adds those of the records of `from`, of the same version, that lie between two marks of it.
 * Returns 0, LM_ETOOBIG or LM_ENOMEM, as batch_append does.
 */
int batch_append_part(struct batch *b, const struct batch *from, struct batch_mark begin,
                      struct batch_mark end) LM_MUST_CHECK;

/* Closes the text and returns it; a view that lives until `b` is next changed. */
struct slice batch_finish(struct batch *b);

#endif
