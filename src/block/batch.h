/*
 * Rows of a block → a batch (query/batch.h): the fields that are asked for, from their columns, so
 * that no log is built. Says of each log what query/extract.h says. One thread at a time.
 */
#ifndef LOGMILL_BLOCK_BATCH_H
#define LOGMILL_BLOCK_BATCH_H

#include "block/reader.h"
#include "query/batch.h"

struct block_batcher;

/* `fields` is copied; its paths outlive it. NULL: no memory. */
struct block_batcher *block_batcher_new(const struct log_fields *fields);
void block_batcher_free(struct block_batcher *b); /* NULL does nothing */

/* What came of a block, until its reader opens another one or the batcher is asked again. */
struct block_batched {
    struct log_batch batch; /* of those of which columns tell; may have no rows */
    /* The others, as a set: block_record tells what they have. Those are logs with several values
     * of a field, and what is not taken apart into columns. */
    const uint64_t *others;
    bool any_others;
};

/* What it holds, in bytes, until another batch or its end. */
size_t block_batcher_memory(const struct block_batcher *b);

/* The fields of the rows from `from` to before `to` whose bits are set, the last one first. LM_EIO
 * (damaged), LM_ENOMEM. */
int block_batch(struct block_batcher *b, struct block_reader *r, const uint64_t *rows,
                uint32_t from, uint32_t to, struct block_batched *batched,
                struct errbuf *err) LM_MUST_CHECK;

#endif
