#include "block/words.h"

#include "base/buffer.h"
#include "base/byte_order.h"
#include "base/hash.h"
#include "query/number.h"

/* ---- Hashes: they are in stored filters, so they never change (block.h: BLOCK_VERSION) ---- */

static const uint64_t WORD_SEED = UINT64_C(0x9e3779b97f4a7c15);
static const uint64_t VALUE_SEED = UINT64_C(0xc2b2ae3d27d4eb4f);

/* A text is hashed eight bytes a step, and last what is left and how long it was. */
static uint64_t hash_step(uint64_t hash, uint64_t eight_bytes)
{
    return hash_mix(hash ^ eight_bytes) + WORD_SEED;
}

static uint64_t hash_end(uint64_t hash, uint64_t left, size_t len)
{
    return hash_mix(hash ^ left ^ (uint64_t)len << 56);
}

static uint64_t hash_text(uint64_t hash, struct slice text)
{
    const char *p = text.data;
    size_t n = text.len;
    uint64_t left = 0;

    for (; n >= 8; p += 8, n -= 8)
        hash = hash_step(hash, byte_order_get64(p));
    for (size_t i = 0; i < n; i++)
        left = left << 8 | (unsigned char)p[i];
    return hash_end(hash, left, text.len);
}

uint64_t block_value_hash(struct slice path, struct slice value)
{
    return hash_text(hash_text(VALUE_SEED, path), value);
}

/* ---- Numbers: so are these ---- */

enum { WHOLE_MAX = 20, ZEROES_MAX = 6 }; /* digits before the point; zeroes behind it, at first */

/* Digits alone, or with a sign: most numbers. */
static bool is_integer(struct slice s)
{
    size_t at = s.len > 0 && s.data[0] == '-';

    if (s.len == at || s.len > WHOLE_MAX || (s.data[at] == '0' && s.len > 1))
        return false;
    while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
        at++;
    return at == s.len;
}

/* Its digits, from the `from`-th on; those beyond its end are zeroes. */
static void append_digits(struct buffer *b, const struct number *n, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (i < n->whole.len)
            buffer_append_char(b, n->whole.data[i]);
        else if (i - n->whole.len < n->fraction.len)
            buffer_append_char(b, n->fraction.data[i - n->whole.len]);
        else
            buffer_append_char(b, '0');
    }
}

struct slice block_number_text(struct slice text, char room[BLOCK_NUMBER_ROOM])
{
    struct number n;
    struct buffer b;

    if (is_integer(text))
        return text;
    if (!number_parse(text, &n))
        return (struct slice){0};
    buffer_init_over(&b, room, BLOCK_NUMBER_ROOM);
    size_t len = n.whole.len + n.fraction.len;
    if (n.negative)
        buffer_append_char(&b, '-');
    if (len == 0) {
        buffer_append_char(&b, '0');
    } else if (n.exponent > 0 && n.exponent <= WHOLE_MAX) {
        size_t whole = (size_t)n.exponent;

        append_digits(&b, &n, 0, whole);
        if (len > whole) {
            buffer_append_char(&b, '.');
            append_digits(&b, &n, whole, len);
        }
    } else if (n.exponent <= 0 && n.exponent >= -ZEROES_MAX) {
        buffer_append_string(&b, "0.");
        for (int64_t i = n.exponent; i < 0; i++)
            buffer_append_char(&b, '0');
        append_digits(&b, &n, 0, len);
    } else {
        append_digits(&b, &n, 0, len);
        buffer_append_char(&b, 'e');
        buffer_append_i64(&b, n.exponent);
    }
    return buffer_error(&b) ? (struct slice){0} : buffer_slice(&b);
}

/* ---- Words ---- */

/* Of a byte of a folded text, which has no capitals of ASCII. */
enum { NO_WORD, DIGIT, LETTER };

static const unsigned char kinds[256] = {
    ['0' ... '9'] = DIGIT,
    ['_'] = LETTER,
    ['a' ... 'z'] = LETTER,
    [0x80 ... 0xff] = LETTER,
};

/* "33784b", "120ms": a measure, which says little of where a log is, and of which there are many.
 */
static bool is_measure(const unsigned char *word, size_t len)
{
    size_t digits = 0;

    if (len >= BLOCK_MEASURE_LEN)
        return false;
    while (digits < len && kinds[word[digits]] == DIGIT)
        digits++;
    if (digits == 0 || len - digits > BLOCK_UNIT_MAX)
        return false;
    for (size_t i = digits; i < len; i++)
        if (kinds[word[i]] == DIGIT)
            return false;
    return digits < len;
}

/* Every log goes through here: a byte is looked at once, and hashed while it is. */
void block_words(struct slice folded, block_word_fn *fn, void *ctx)
{
    const unsigned char *start = (const unsigned char *)folded.data;
    const unsigned char *end = start + folded.len;

    while (start < end) {
        const unsigned char *p = start;
        uint64_t hash = WORD_SEED;
        uint64_t left = 0;
        unsigned found = 0;

        for (; p < end && kinds[*p] != NO_WORD; p++) {
            found |= kinds[*p];
            left = left << 8 | *p;
            if ((p - start) % 8 == 7) {
                hash = hash_step(hash, left);
                left = 0;
            }
        }
        size_t len = (size_t)(p - start);
        if (len >= (found == DIGIT ? BLOCK_NUMBER_MIN : BLOCK_WORD_MIN) &&
            !(found == (DIGIT | LETTER) && is_measure(start, len)))
            fn(hash_end(hash, left, len), slice_of((const char *)start, len), ctx);
        start = p + (p == start);
    }
}
