#include "block/numbers.h"

#include <stdlib.h>

#include "block/grow.h"

/*
 * In the directory: varint form, with 8 added for sums; of sums, zigzag of the first; zigzag base;
 * unless constant, varint width and the streams.
 */
enum {
    FORM_SUMS = 8,
    PACKED_BITS_MAX = 4,
    SAMPLE = 1024,       /* numbers that are looked at to choose */
    SUMS_MIN = 16,       /* fewer are not worth it */
    BYTES_MIN = 64,      /* fewer are never split into their bytes */
    RUN_BITS = 24,       /* about what the end of a run costs */
    STREAM_OVERHEAD = 96 /* bits that a stream costs beside its bytes */
};

/* ---- How long they would be ---- */

/* log2 of a number up to 2^20 in 1/1024. */
static uint32_t log2_1024(uint32_t n)
{
    uint32_t whole = 31 - (uint32_t)__builtin_clz(n);
    uint32_t f = (uint32_t)(((uint64_t)n << 10 >> whole) - 1024); /* 0 to 1023 */

    return whole * 1024 + f + (f * (1024 - f) * 355 >> 20); /* 355: 0.3465 */
}

/* Bits that n bytes take by their frequencies, of which `sample` were counted. */
static uint64_t bits_of_counts(const uint32_t counts[256], size_t sample, size_t n)
{
    uint64_t sum = 0;
    uint32_t different = 0;
    uint32_t most = 0;

    for (size_t i = 0; i < 256; i++)
        if (counts[i]) {
            sum += (uint64_t)counts[i] * log2_1024(counts[i]);
            different++;
            most = counts[i] > most ? counts[i] : most;
        }
    if (different == 1)
        return 0;
    uint64_t bits = ((uint64_t)sample * log2_1024((uint32_t)sample) - sum) / 1024;
    bits += different * 46 / 64; /* what a sample misses (Miller) */
    /* A bit is the least that a byte takes; but for runs of the same, each of which takes some. */
    uint64_t least = (sample - most) * RUN_BITS < sample ? (sample - most) * RUN_BITS : sample;
    bits = bits < least ? least : bits;
    return bits * n / sample + STREAM_OVERHEAD + different * 4;
}

struct measure {
    uint64_t base;
    uint64_t range;
    unsigned bits;
    uint64_t cost; /* in bits, of the form */
    enum numbers_form form;
};

static unsigned bits_of(uint64_t value)
{
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

static void measure_range(const uint64_t *values, size_t n, struct measure *m)
{
    int64_t min = (int64_t)values[0];
    int64_t max = min;

    for (size_t i = 1; i < n; i++) {
        int64_t v = (int64_t)values[i];

        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    *m = (struct measure){.base = (uint64_t)min, .range = (uint64_t)max - (uint64_t)min};
    m->bits = bits_of(m->range);
    m->cost = (uint64_t)m->bits * n;
}

/* What the bytes of the numbers take, each by itself. */
static uint64_t cost_of_bytes(const uint64_t *values, size_t n, const struct measure *m)
{
    size_t step = n > SAMPLE ? n / SAMPLE : 1;
    uint64_t cost = 0;

    for (unsigned k = 0; k < (m->bits + 7) / 8; k++) {
        uint32_t counts[256] = {0};
        size_t sample = 0;

        for (size_t i = 0; i < n; i += step, sample++)
            counts[(values[i] - m->base) >> 8 * k & 0xff]++;
        cost += bits_of_counts(counts, sample, n);
        if (cost >= m->cost && m->bits <= NUMBERS_BITS_MAX)
            break;
    }
    return cost;
}

/* What a few bits each take, with several in a byte: nearly what their frequencies say. */
static uint64_t cost_of_packed(const uint64_t *values, size_t n, const struct measure *m)
{
    size_t step = n > SAMPLE ? n / SAMPLE : 1;
    uint32_t counts[256] = {0};
    uint64_t bits = 0;
    size_t sample = 0;

    for (size_t i = 0; i < n; i += step, sample++)
        counts[values[i] - m->base]++;
    for (size_t i = 0; i < 1 << PACKED_BITS_MAX; i++)
        if (counts[i])
            bits += (uint64_t)counts[i] * (log2_1024((uint32_t)sample) - log2_1024(counts[i]));
    return bits / 1024 * n / sample + 4 * (uint64_t)STREAM_OVERHEAD;
}

static struct measure measure(const uint64_t *values, size_t n)
{
    struct measure m;
    uint64_t cost;

    measure_range(values, n, &m);
    m.form = m.range == 0                ? NUMBERS_CONSTANT
             : m.bits > NUMBERS_BITS_MAX ? NUMBERS_BYTES
                                         : NUMBERS_BITS;
    if (n < BYTES_MIN || m.range == 0)
        return m;
    bool is_packed = m.bits <= PACKED_BITS_MAX;
    cost = is_packed ? cost_of_packed(values, n, &m) : cost_of_bytes(values, n, &m);
    if (m.form == NUMBERS_BYTES || cost + cost / 64 < m.cost) {
        m.form = is_packed ? NUMBERS_PACKED : NUMBERS_BYTES;
        m.cost = cost;
    }
    return m;
}

unsigned numbers_bits(const uint64_t *values, size_t n)
{
    struct measure m;

    measure_range(values, n, &m);
    return m.bits;
}

/* ---- Writing ---- */

void numbers_writer_init(struct numbers_writer *w, struct stream_writer *streams)
{
    *w = (struct numbers_writer){.streams = streams};
    buffer_init(&w->bytes, SIZE_MAX / 2);
}

void numbers_writer_release(struct numbers_writer *w)
{
    buffer_release(&w->bytes);
    free(w->steps);
}

static void put_bits(struct numbers_writer *w, const uint64_t *values, size_t n,
                     const struct measure *m, unsigned width, enum section_kind kind)
{
    size_t len = (n * width + 7) / 8;
    uint64_t pending = 0;
    unsigned bits = 0;

    buffer_clear(&w->bytes);
    unsigned char *to = (unsigned char *)buffer_reserve(&w->bytes, len + 1);
    if (!to) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        pending |= (values[i] - m->base) << bits;
        bits += width;
        for (; bits >= 8; bits -= 8, pending >>= 8)
            *to++ = (unsigned char)pending;
    }
    if (bits > 0)
        *to = (unsigned char)pending;
    stream_put(w->streams, slice_of(w->bytes.data, len), kind);
}

static void put_bytes(struct numbers_writer *w, const uint64_t *values, size_t n,
                      const struct measure *m)
{
    buffer_clear(&w->bytes);
    char *to = buffer_reserve(&w->bytes, n);

    if (!to) {
        w->no_memory = true;
        return;
    }
    for (unsigned k = 0; k < (m->bits + 7) / 8; k++) {
        for (size_t i = 0; i < n; i++)
            to[i] = (char)((values[i] - m->base) >> 8 * k);
        stream_put(w->streams, slice_of(to, n), SECTION_NUMBERS);
    }
}

static void put(struct numbers_writer *w, const uint64_t *values, size_t n, const struct measure *m,
                unsigned sums, uint64_t first)
{
    struct buffer *d = &w->streams->directory;
    unsigned width = m->form == NUMBERS_BYTES                    ? (m->bits + 7) / 8
                     : m->form == NUMBERS_PACKED && m->bits == 3 ? 4
                                                                 : m->bits;

    bytes_append_varint(d, m->form + sums);
    if (sums)
        bytes_append_varint(d, bytes_zigzag((int64_t)first));
    bytes_append_varint(d, bytes_zigzag((int64_t)m->base));
    if (m->form == NUMBERS_CONSTANT)
        return;
    bytes_append_varint(d, width);
    if (m->form == NUMBERS_BYTES)
        put_bytes(w, values, n, m);
    else
        put_bits(w, values, n, m, width,
                 m->form == NUMBERS_PACKED ? SECTION_NUMBERS : SECTION_BITS);
}

void numbers_write(struct numbers_writer *w, const uint64_t *values, size_t n, bool may_sum)
{
    struct measure m = {0};

    if (n > 0)
        m = measure(values, n);
    if (may_sum && n >= SUMS_MIN && m.range > 0) {
        if (!GROW(w->steps, w->steps_capacity, n)) {
            w->no_memory = true;
            return;
        }
        for (size_t i = 1; i < n; i++)
            w->steps[i - 1] = values[i] - values[i - 1];
        struct measure steps = measure(w->steps, n - 1);
        if (steps.cost + 64 < m.cost) {
            put(w, w->steps, n - 1, &steps, FORM_SUMS, values[0]);
            return;
        }
    }
    put(w, values, n, &m, 0, 0);
}

/* ---- Reading ---- */

/* How many streams there are. */
static size_t count_streams(const struct numbers_stored *s)
{
    return s->form == NUMBERS_BYTES ? s->width : s->form != NUMBERS_CONSTANT;
}

bool numbers_take(struct stream_reader *r, size_t n, struct numbers_stored *s)
{
    uint64_t form, value, width = 0;
    size_t streams;

    if (!bytes_take_varint(&r->directory, &form) || form >= 2 * FORM_SUMS ||
        form % FORM_SUMS > NUMBERS_PACKED || form % FORM_SUMS == NUMBERS_WHOLE)
        return false;
    *s = (struct numbers_stored){
        .form = (enum numbers_form)(form % FORM_SUMS), .len = n, .are_sums = form >= FORM_SUMS};
    if (s->are_sums) {
        if (n == 0 || !bytes_take_varint(&r->directory, &value))
            return false;
        s->first = (uint64_t)bytes_unzigzag(value);
    }
    if (!bytes_take_varint(&r->directory, &value))
        return false;
    s->base = (uint64_t)bytes_unzigzag(value);
    if (s->form == NUMBERS_CONSTANT)
        return true;
    if (!bytes_take_varint(&r->directory, &width) || width == 0 ||
        width > (s->form == NUMBERS_BYTES ? 8 : NUMBERS_BITS_MAX))
        return false;
    s->width = (unsigned)width;
    streams = count_streams(s);
    for (size_t i = 0; i < streams; i++) {
        size_t len = n - s->are_sums;
        struct stream stream;

        if (!stream_take(r, s->form == NUMBERS_BITS ? SECTION_BITS : SECTION_NUMBERS, &stream) ||
            stream.len != (s->form == NUMBERS_BYTES ? len : (len * s->width + 7) / 8))
            return false;
        if (i == 0)
            s->stream = stream;
    }
    return true;
}

/* They are of the same length, so that all are sections or all share one. */
static struct stream nth_stream(const struct numbers_stored *s, size_t i)
{
    struct stream stream = s->stream;

    if (stream.is_own)
        stream.section += (uint32_t)i;
    else
        stream.offset += i * stream.len;
    return stream;
}

/* The sums of steps. */
static int load_sums(struct stream_reader *r, uint64_t first, struct numbers *n)
{
    uint64_t *values = stream_memory(r, n->len + 1, sizeof(*values));

    if (!values)
        return LM_ENOMEM;
    values[0] = first;
    numbers_copy(n, values + 1);
    for (size_t i = 1; i <= n->len; i++)
        values[i] += values[i - 1];
    *n = (struct numbers){.form = NUMBERS_WHOLE, .len = n->len + 1, .values = values};
    return 0;
}

int numbers_load(struct stream_reader *r, const struct numbers_stored *s, struct numbers *n,
                 struct errbuf *err)
{
    struct slice bytes;

    *n = (struct numbers){
        .form = s->form, .width = s->width, .len = s->len - s->are_sums, .base = s->base};
    for (size_t i = 0; i < count_streams(s); i++) {
        struct stream stream = nth_stream(s, i);
        int error = stream_bytes(r, &stream, &bytes, err);

        if (error)
            return error;
        if (s->form == NUMBERS_BYTES)
            n->planes[i] = (const unsigned char *)bytes.data;
        else
            n->bits = bytes.data;
    }
    return s->are_sums ? load_sums(r, s->first, n) : 0;
}

static void copy_bits(const struct numbers *n, uint64_t *values)
{
    const struct numbers bits = *n; /* which the compiler may keep in registers */

    for (size_t i = 0; i < bits.len; i++)
        values[i] = numbers_get(&bits, i);
}

static void copy_bytes(const struct numbers *n, uint64_t *values)
{
    const uint64_t base = n->base;
    const size_t len = n->len;

    for (size_t i = 0; i < len; i++)
        values[i] = base + n->planes[0][i];
    for (unsigned k = 1; k < n->width; k++) {
        const unsigned char *plane = n->planes[k];

        for (size_t i = 0; i < len; i++)
            values[i] += (uint64_t)plane[i] << 8 * k;
    }
}

void numbers_copy(const struct numbers *n, uint64_t *values)
{
    switch (n->form) {
    case NUMBERS_CONSTANT:
        for (size_t i = 0; i < n->len; i++)
            values[i] = n->base;
        break;
    case NUMBERS_BITS:
    case NUMBERS_PACKED:
        copy_bits(n, values);
        break;
    case NUMBERS_BYTES:
        copy_bytes(n, values);
        break;
    case NUMBERS_WHOLE:
        if (n->len > 0)
            memcpy(values, n->values, n->len * sizeof(*values));
        break;
    }
}

/* Whether none can reach `limit`, by their width alone. */
static bool are_narrow(const struct numbers *n, uint64_t limit)
{
    bool is_bits = n->form == NUMBERS_BITS || n->form == NUMBERS_PACKED;
    uint64_t most = is_bits ? (UINT64_C(1) << n->width) - 1 : 0;

    return (is_bits || n->form == NUMBERS_CONSTANT) && most < limit && n->base < limit - most;
}

/* The highest of the bytes. */
static unsigned highest(const unsigned char *bytes, size_t len)
{
    unsigned char most = 0;

    for (size_t i = 0; i < len; i++)
        most = bytes[i] > most ? bytes[i] : most;
    return most;
}

bool numbers_below(const struct numbers *n, uint64_t limit)
{
    const struct numbers all = *n;
    uint64_t most = 0;

    if (are_narrow(n, limit))
        return true;
    if (n->form == NUMBERS_BYTES && n->width == 1 && n->base == 0)
        return n->len == 0 || highest(n->planes[0], n->len) < limit;
    for (size_t i = 0; i < all.len; i++) {
        uint64_t value = numbers_get(&all, i);

        most = value > most ? value : most;
    }
    return all.len == 0 || most < limit;
}

size_t numbers_bytes(const struct stream_reader *r, const struct numbers_stored *s)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count_streams(s); i++) {
        struct stream stream = nth_stream(s, i);

        bytes += stream_stored(r, &stream);
    }
    return bytes;
}
