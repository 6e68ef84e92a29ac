/* Records to a block. A writer keeps its memory from one block to the next; one thread at a time.
 */
#ifndef LOGMILL_BLOCK_WRITER_H
#define LOGMILL_BLOCK_WRITER_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "block/head.h"

enum {
    BLOCK_LEVEL_HOT = 5,  /* of zstd: when logs are stored: compaction keeps whole blocks … */
    BLOCK_LEVEL_COLD = 9, /* … and makes others anew */
};

struct block_writer;

/* What a block should be like. Zero: hot, without numbers in the order of storing. */
struct block_options {
    int zstd_level;      /* 0: BLOCK_LEVEL_HOT */
    bool keeps_sequence; /* the numbers in the order of storing are kept */
    bool hashes;         /* block_writer_hashes will be asked */
};

struct block_writer *block_writer_new(void);
void block_writer_free(struct block_writer *w); /* NULL does nothing */

/*
 * Appends rows[0..n) as one block to `out`. They ascend by key, no key twice; n is 1 to
 * BLOCK_ROWS_MAX. `*head` is filled but for number and stored_us; its levels are views of `rows`.
 * Returns 0 or LM_ENOMEM; then `out` is as before.
 */
int block_write(struct block_writer *w, const struct block_row *rows, size_t n,
                const struct block_options *options, struct buffer *out, struct block_head *head,
                struct errbuf *err) LM_MUST_CHECK;

/*
 * Of the block written last: hashes of all words and values by which it may be searched
 * (block/words.h), each once, in no order; none if options->hashes was not set. A view until the
 * next write.
 */
void block_writer_hashes(const struct block_writer *w, const uint64_t **hashes, size_t *n);

/* Whether all scalars of attributes are among them: then what is asked for by path has its hash. */
bool block_writer_hashed_all(const struct block_writer *w);

/* How many of rows[0..n) a block takes: at most BLOCK_ROWS, BLOCK_RAW_BYTES; at least 1. */
size_t block_fill(const struct block_row *rows, size_t n);

#endif
