#include "base/array.h"

#include "base/xalloc.h"

enum { CAPACITY_MIN = 8 };

void *array_reserve(void *items, size_t *capacity, size_t n, size_t item_size)
{
    size_t grown = *capacity > CAPACITY_MIN / 2 ? 2 * *capacity : CAPACITY_MIN;

    if (n <= *capacity)
        return items;
    *capacity = n > grown ? n : grown;
    return xrealloc(items, *capacity * item_size);
}
