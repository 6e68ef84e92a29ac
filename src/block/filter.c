#include "block/filter.h"

#include "base/byte_order.h"

/*
 * A hash's upper half says the bucket. Its lower half, times eight odd numbers, says one bit in
 * each of the bucket's eight words (a "split block" Bloom filter: Putze, Sanders, Singler, "Cache-,
 * Hash- and Space-Efficient Bloom Filters", 2007). Stored, so these never change.
 */
enum { WORDS = 8 };

static const uint32_t multipliers[WORDS] = {0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f,
                                            0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09};

static uint32_t bit_of(uint64_t hash, unsigned word)
{
    return UINT32_C(1) << ((uint32_t)hash * multipliers[word] >> 27);
}

/* To a number of five significant bits. */
static uint32_t round_up(uint32_t n)
{
    unsigned shift = 0;

    while (n >> shift >= 32)
        shift++;
    uint64_t rounded = ((uint64_t)n + (UINT32_C(1) << shift) - 1) >> shift << shift;
    return rounded <= UINT32_MAX ? (uint32_t)rounded : UINT32_MAX;
}

uint32_t block_filter_buckets(size_t hashes)
{
    const size_t bits = (size_t)BLOCK_FILTER_BUCKET_BYTES * 8;
    const size_t most = UINT32_MAX / BLOCK_FILTER_BITS;
    size_t n = hashes < most ? hashes : most;

    return n == 0 ? 1 : round_up((uint32_t)((n * BLOCK_FILTER_BITS + bits - 1) / bits));
}

uint32_t block_filter_bucket(uint64_t hash, uint32_t buckets)
{
    return (uint32_t)((hash >> 32) * buckets >> 32);
}

void block_filter_add(char *bytes, uint32_t buckets, uint32_t blocks, uint32_t block,
                      const uint64_t *hashes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t place = (size_t)block_filter_bucket(hashes[i], buckets) * blocks + block;
        char *bucket = bytes + place * BLOCK_FILTER_BUCKET_BYTES;

        for (unsigned k = 0; k < WORDS; k++) {
            char *word = bucket + 4 * (size_t)k;
            byte_order_put32(word, byte_order_get32(word) | bit_of(hashes[i], k));
        }
    }
}

bool block_filter_may_hold(const char *row, uint32_t block, uint64_t hash)
{
    const char *bucket = row + (size_t)block * BLOCK_FILTER_BUCKET_BYTES;

    for (unsigned k = 0; k < WORDS; k++)
        if (!(byte_order_get32(bucket + 4 * (size_t)k) & bit_of(hash, k)))
            return false;
    return true;
}
