/* Rows, or places in a column, as a set: bit i % 64 of word i / 64. Internal to block/. */
#ifndef LOGMILL_BLOCK_ROW_SET_H
#define LOGMILL_BLOCK_ROW_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "block/block.h"

enum { ROW_SET_WORDS_MAX = (BLOCK_ROWS_MAX + 63) / 64 };

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

#endif
