/*
 * Numbers, one after the other, each at its place without reading those before it: all the same, in
 * so many bits each, or their bytes each in a stream of its own, whichever is shortest. Streams of
 * bytes and of a few bits are compressed by their frequencies. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_NUMBERS_H
#define LOGMILL_BLOCK_NUMBERS_H

#include "block/stream.h"

enum numbers_form {
    NUMBERS_CONSTANT, /* all are `base` */
    NUMBERS_BITS,     /* base + `width` bits each, lowest bit first */
    NUMBERS_BYTES,    /* base + `width` bytes each, of which planes[k] holds the k-th lowest */
    NUMBERS_WHOLE,    /* they were sums, and are now in `values` */
    NUMBERS_PACKED,   /* as NUMBERS_BITS, 1, 2 or 4 of them; compressed, with several in a byte */
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

enum { NUMBERS_BITS_MAX = 56, NUMBERS_SPARE = SECTION_SPARE };

/* The number at `i`, which is less than n->len. */
static inline uint64_t numbers_get(const struct numbers *n, size_t i)
{
    uint64_t value = 0;

    switch (n->form) {
    case NUMBERS_CONSTANT:
        break;
    case NUMBERS_BITS:
    case NUMBERS_PACKED:
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

/* ---- Writing ---- */

/*
 * Appends values[0..n), which are int64_t for what is small in them, to the directory and as
 * streams. `may_sum`: that each is the one before and a little more is looked for, too; then all
 * are decoded before the first is read.
 */
struct numbers_writer {
    struct stream_writer *streams;
    uint64_t *steps;
    size_t steps_capacity;
    struct buffer bytes;
    bool no_memory;
};

void numbers_writer_init(struct numbers_writer *w, struct stream_writer *streams);
void numbers_writer_release(struct numbers_writer *w);
void numbers_write(struct numbers_writer *w, const uint64_t *values, size_t n, bool may_sum);

/* Bits that each of them would take in the form that takes the same for each. */
unsigned numbers_bits(const uint64_t *values, size_t n);

/* ---- Reading ---- */

/* Numbers in the directory. */
struct numbers_stored {
    enum numbers_form form; /* of the numbers; of sums, of the steps */
    unsigned width;
    size_t len;
    uint64_t base;
    bool are_sums;
    uint64_t first;       /* of sums */
    struct stream stream; /* of the bits or the lowest bytes, behind which lie those above */
};

/* Takes `n` numbers off the directory; false: damaged. */
bool numbers_take(struct stream_reader *r, size_t n, struct numbers_stored *stored);

/* Makes them ready. */
int numbers_load(struct stream_reader *r, const struct numbers_stored *stored, struct numbers *n,
                 struct errbuf *err) LM_MUST_CHECK;

/* Writes all of them to values[0..n->len). */
void numbers_copy(const struct numbers *n, uint64_t *values);

/* Whether all are below `limit`. */
bool numbers_below(const struct numbers *n, uint64_t limit);

size_t numbers_bytes(const struct stream_reader *r, const struct numbers_stored *stored);

#endif
