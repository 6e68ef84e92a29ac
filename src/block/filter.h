/*
 * Filters: which blocks of a segment may hold a word or value. A split-block Bloom filter a block
 * (each hash sets eight bits of one bucket of 32 bytes), laid out bucket by bucket over all blocks
 * of the segment, so that a question reads one short piece: a bucket's row is blocks * 32 bytes.
 */
#ifndef LOGMILL_BLOCK_FILTER_H
#define LOGMILL_BLOCK_FILTER_H

#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    BLOCK_FILTER_BUCKET_BYTES = 32,
    BLOCK_FILTER_BITS = 8, /* of a filter for each hash, about: 3 in 100 blocks are read in vain */
    BLOCK_FILTER_BLOCKS_MAX = 512,
};

/*
 * How many buckets serve `hashes` hashes of the fullest block: 1 or more. Only few numbers are
 * used, a sixteenth or less apart, so that blocks with about as many hashes have filters of one
 * size, whose columns can go from one segment to another.
 */
uint32_t block_filter_buckets(size_t hashes);

/*
 * `bytes`, zeroes at first, is the filter of a segment: buckets * blocks * 32 bytes. Adds the
 * hashes of the block in place `block`.
 */
void block_filter_add(char *bytes, uint32_t buckets, uint32_t blocks, uint32_t block,
                      const uint64_t *hashes, size_t n);

/* The bucket of `hash`: its row begins at bucket * blocks * 32. */
uint32_t block_filter_bucket(uint64_t hash, uint32_t buckets);

/* Whether the block in place `block` may hold `hash`, by the row of its bucket. */
bool block_filter_may_hold(const char *row, uint32_t block, uint64_t hash);

#endif
