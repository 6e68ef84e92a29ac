/*
 * Numbers, one after the other, each at its place without reading those before it: all the same, in
 * so many bits each, or their bytes each in a stream of its own, whichever is shortest. Internal to
 * block/.
 */
#ifndef LOGMILL_BLOCK_NUMBERS_H
#define LOGMILL_BLOCK_NUMBERS_H

#include <stdint.h>
#include <string.h>

#include "base/byte_order.h"

enum numbers_form {
    NUMBERS_CONSTANT, /* all are `base` */
    NUMBERS_BITS,     /* base + `width` bits each, lowest bit first */
    NUMBERS_BYTES,    /* base + `width` bytes each, of which planes[k] holds the k-th lowest */
    NUMBERS_WHOLE,    /* they were sums, and are now in `values` */
};

struct numbers {
    enum numbers_form form;
    unsigned width; /* bits up to 56, or bytes up to 8 */
    size_t len;     /* how many */
    uint64_t base;
    union {
        const char *bits; /* with NUMBERS_SPARE bytes behind them */
        const unsigned char *planes[8];
        const uint64_t *values;
    };
};

enum { NUMBERS_BITS_MAX = 56, NUMBERS_SPARE = 8 };

/* The number at `i`, which is less than n->len. */
static inline uint64_t numbers_get(const struct numbers *n, size_t i)
{
    uint64_t value = 0;

    switch (n->form) {
    case NUMBERS_CONSTANT:
        break;
    case NUMBERS_BITS:
        memcpy(&value, n->bits + i * n->width / 8, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        value = __builtin_bswap64(value);
#endif
        value = value >> i * n->width % 8 & ((UINT64_C(1) << n->width) - 1);
        break;
    case NUMBERS_BYTES:
        for (unsigned k = 0; k < n->width; k++)
            value |= (uint64_t)n->planes[k][i] << 8 * k;
        break;
    case NUMBERS_WHOLE:
        return n->values[i];
    }
    return n->base + value;
}

#endif
