/* Rows, or places in a column, as a set: bit i % 64 of word i / 64. Internal to block/. */
#ifndef LOGMILL_BLOCK_ROW_SET_H
#define LOGMILL_BLOCK_ROW_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "block/block.h"

enum { ROW_SET_WORDS_MAX = (BLOCK_ROWS_MAX + 63) / 64 };

/* Words of a set of so many places, which a column of arrays' elements may have more of than rows.
 */
#define ROW_SET_WORDS(places) (((size_t)(places) + 63) / 64)

static inline bool row_set_has(const uint64_t *set, size_t i)
{
    return set[i / 64] >> i % 64 & 1;
}

static inline void row_set_add(uint64_t *set, size_t i)
{
    set[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void row_set_remove(uint64_t *set, size_t i)
{
    set[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static inline bool row_set_is_empty(const uint64_t *set, size_t words)
{
    uint64_t any = 0;

    for (size_t i = 0; i < words; i++)
        any |= set[i];
    return any == 0;
}

/* All places below `len`, and none beyond them. */
static inline void row_set_fill(uint64_t *set, size_t len)
{
    memset(set, 0xff, ROW_SET_WORDS(len) * sizeof(*set));
    if (len % 64)
        set[len / 64] = (UINT64_C(1) << len % 64) - 1;
}

/* The lowest bits of `bits`, one after the other, to the places of the bits of `set`. */
static inline uint64_t row_set_spread(uint64_t set, uint64_t bits)
{
    uint64_t places = 0;

    for (; set && bits; set &= set - 1, bits >>= 1)
        if (bits & 1)
            places |= set & -set;
    return places;
}

/* 64 bits of `set` from place `at` on, which is in one of its `words` words or at their end. */
static inline uint64_t row_set_bits_from(const uint64_t *set, size_t words, size_t at)
{
    size_t word = at / 64;
    uint64_t bits = word < words ? set[word] >> at % 64 : 0;

    if (at % 64 && word + 1 < words)
        bits |= set[word + 1] << (64 - at % 64);
    return bits;
}

#endif
