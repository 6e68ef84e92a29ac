/*
 * Arrays that grow. By convention `len` items are used and `capacity` are allocated. For what stays
 * small (xalloc.h): memory that runs out ends the process.
 */
#ifndef LOGMILL_BASE_ARRAY_H
#define LOGMILL_BASE_ARRAY_H

#include <stddef.h>

/*
 * `items` reallocated, if need be, so that `n` items of `item_size` bytes fit; `*capacity` grows at
 * least twofold then.
 */
void *array_reserve(void *items, size_t *capacity, size_t n, size_t item_size);

#endif
