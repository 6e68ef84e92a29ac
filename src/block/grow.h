/*
 * Arrays as large as an input: as base/array.h, but that memory may run out. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_GROW_H
#define LOGMILL_BLOCK_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/xalloc.h"

/* `items`: where the pointer to them is. False, and nothing has changed: no memory. */
static inline bool grow_reserve(void *items, size_t *capacity, size_t n, size_t item_size)
{
    size_t wanted = 2 * *capacity > n ? 2 * *capacity : n;
    void *old, *grown;

    if (n <= *capacity)
        return true;
    memcpy(&old, items, sizeof(old));
    grown = try_realloc(old, wanted * item_size);
    if (!grown)
        return false;
    memcpy(items, &grown, sizeof(grown));
    *capacity = wanted;
    return true;
}

/* Room for `n` items in the array `items`, a lvalue, of which `capacity` are allocated. */
#define GROW(items, capacity, n) grow_reserve((void *)&(items), &(capacity), (n), sizeof(*(items)))

#endif
