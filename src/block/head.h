/*
 * What is known of a block without opening it. Heads are kept apart from their blocks, many in one
 * piece, so that counts by level and time open few blocks. All of it follows from the block.
 */
#ifndef LOGMILL_BLOCK_HEAD_H
#define LOGMILL_BLOCK_HEAD_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "block/block.h"

struct block_level_count {
    struct slice level; /* as sent */
    uint32_t rows;
};

struct block_head {
    int64_t number;          /* the container's own name for the block */
    struct log_key first;    /* lowest and … */
    struct log_key last;     /* … highest key in it */
    uint32_t rows;           /* at least 1 */
    uint32_t bytes;          /* of the block */
    uint64_t raw_bytes;      /* of all its levels, messages and attributes */
    uint64_t first_sequence; /* lowest and highest number in the order of storing; 0: not kept */
    uint64_t last_sequence;
    int64_t
        stored_us; /* when the last of them was stored: the container's, wall clock; 0: unknown */
    /* Each level and how many logs have it, if there are at most BLOCK_HEAD_LEVELS_MAX, none longer
     * than BLOCK_HEAD_LEVEL_BYTES_MAX; levels_len 0 otherwise. */
    struct block_level_count levels[BLOCK_HEAD_LEVELS_MAX];
    unsigned levels_len;
};

/* Heads in one piece, with a version and a checksum. */
void block_heads_append(struct buffer *b, const struct block_head *heads, size_t n);

/*
 * Reads what block_heads_append has written. `*heads` is one allocation that the caller frees with
 * free(), levels included; it does not need `bytes` afterwards. LM_EIO if they are damaged,
 * LM_ENOMEM.
 */
int block_heads_read(struct slice bytes, struct block_head **heads, size_t *n,
                     struct errbuf *err) LM_MUST_CHECK;

#endif
