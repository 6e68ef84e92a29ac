#include "block/column.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/uuid7.h"
#include "block/grow.h"

/*
 * In the directory: varint kind, then
 *   CONSTANT    the text
 *   DICTIONARY  varint entries, lengths (numbers), bytes (stream), codes (numbers)
 *   INTEGER     varint digits, numbers
 *   DECIMAL     varint scale, varint least, numbers
 *   HEX         varint 2 * digits + upper, bytes (stream)
 *   UUID        varint upper, bytes (stream)
 *   TEXT        lengths (numbers), bytes (stream)
 */
enum {
    DIGITS_MAX = 18, /* of a number that is kept as int64_t */
    ENTRIES_MAX = 65535,
    DICTIONARY_MIN = 8, /* texts: fewer are not worth a dictionary */
    UUID_BYTES = 16,
    CONSTANT_MAX = 64 * 1024, /* bytes in the directory */
};

const char *column_kind_name(enum column_kind kind)
{
    static const char *const names[] = {"constant", "dictionary", "integer", "decimal",
                                        "hex",      "uuid",       "text",    "template"};

    return names[kind];
}

void column_writer_init(struct column_writer *w, struct stream_writer *streams)
{
    *w = (struct column_writer){.streams = streams};
    numbers_writer_init(&w->numbers, streams);
    buffer_init(&w->bytes, SIZE_MAX / 2);
}

void column_writer_release(struct column_writer *w)
{
    numbers_writer_release(&w->numbers);
    buffer_release(&w->bytes);
    free(w->values);
    free(w->places);
    free(w->entries);
    free(w->counts);
}

int column_writer_error(struct column_writer *w)
{
    bool failed = w->no_memory || w->numbers.no_memory;

    w->no_memory = w->numbers.no_memory = false;
    return failed ? LM_ENOMEM : 0;
}

/* ---- Kinds ---- */

static bool are_equal(const struct slice *texts, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (!slice_equal(texts[0], texts[i]))
            return false;
    return true;
}

/* Digits alone, 1 to DIGITS_MAX of them. */
static bool parse_digits(struct slice s, uint64_t *value)
{
    uint64_t v = 0;

    if (s.len == 0 || s.len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.data[i] - (unsigned)'0';

        if (digit > 9)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

/* A number as it is written from an int64_t. */
static bool parse_integer(struct slice s, uint64_t *value)
{
    bool negative = s.len > 1 && s.data[0] == '-';

    if (negative)
        s = slice_of(s.data + 1, s.len - 1);
    if (!parse_digits(s, value) || (s.data[0] == '0' && (s.len > 1 || negative)))
        return false;
    if (negative)
        *value = -*value;
    return true;
}

static bool parse_integers(const struct slice *texts, size_t n, uint64_t *values, unsigned *digits)
{
    size_t i = 0;

    *digits = 0;
    while (i < n && parse_integer(texts[i], &values[i]))
        i++;
    if (i == n)
        return true;
    *digits = (unsigned)(texts[0].len <= DIGITS_MAX ? texts[0].len : 0);
    for (i = 0; i < n && texts[i].len == *digits && parse_digits(texts[i], &values[i]);)
        i++;
    return i == n;
}

/* A decimal: digits with or without a point; sets how many are behind it. */
static bool parse_decimal(struct slice s, uint64_t *value, unsigned *behind)
{
    bool negative = s.len > 1 && s.data[0] == '-';
    uint64_t v = 0;
    size_t at = negative;
    size_t point = 0;

    if (s.len - at > DIGITS_MAX || s.len == at)
        return false;
    for (size_t i = at; i < s.len; i++) {
        unsigned digit = (unsigned char)s.data[i] - (unsigned)'0';

        if (s.data[i] == '.' && i > at && point == 0)
            point = i;
        else if (digit > 9)
            return false;
        else
            v = v * 10 + digit;
    }
    size_t whole = (point ? point : s.len) - at;
    *behind = point ? (unsigned)(s.len - point - 1) : 0;
    if ((whole > 1 && s.data[at] == '0') || (point && *behind == 0) || (negative && v == 0))
        return false;
    *value = negative ? -v : v;
    return true;
}

struct decimals {
    unsigned scale, least;
};

static const uint64_t TENS[DIGITS_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

/* Digits behind the point: at least `least`, and beyond those no zero at the end. */
static bool parse_decimals(const struct slice *texts, size_t n, uint64_t *values,
                           struct decimals *d)
{
    unsigned behind, whole_max = 0;

    *d = (struct decimals){.least = DIGITS_MAX};
    for (size_t i = 0; i < n; i++) {
        if (!parse_decimal(texts[i], &values[i], &behind))
            return false;
        d->scale = behind > d->scale ? behind : d->scale;
        d->least = behind < d->least ? behind : d->least;
        unsigned whole = (unsigned)texts[i].len - behind;
        whole_max = whole > whole_max ? whole : whole_max;
    }
    if (d->scale == 0 || d->scale + whole_max > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!parse_decimal(texts[i], &values[i], &behind) ||
            (behind > d->least && texts[i].data[texts[i].len - 1] == '0'))
            return false;
        values[i] *= TENS[d->scale - behind];
    }
    return true;
}

/* Exactly `digits` of them, all of lower case or all of upper; sets which. */
static bool are_hex(const struct slice *texts, size_t n, size_t digits, bool *is_upper)
{
    bool lower = false, upper = false;

    for (size_t i = 0; i < n; i++) {
        if (texts[i].len != digits)
            return false;
        for (size_t k = 0; k < digits; k++) {
            char c = texts[i].data[k];

            if (hex_value(c) < 0)
                return false;
            lower |= c >= 'a';
            upper |= c >= 'A' && c <= 'F';
        }
        if (lower && upper)
            return false;
    }
    *is_upper = upper;
    return true;
}

static bool is_hyphen_of_uuid(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

/* Of lower case or of upper; sets which. */
static bool are_uuids(const struct slice *texts, size_t n, bool *is_upper)
{
    bool lower = false, upper = false;

    for (size_t i = 0; i < n; i++) {
        if (texts[i].len != UUID_TEXT_LEN)
            return false;
        for (size_t k = 0; k < UUID_TEXT_LEN; k++) {
            char c = texts[i].data[k];

            if (is_hyphen_of_uuid(k) ? c != '-' : hex_value(c) < 0)
                return false;
            lower |= c >= 'a';
            upper |= c >= 'A' && c <= 'F';
        }
        if (lower && upper)
            return false;
    }
    *is_upper = upper;
    return true;
}

/* ---- Writing ---- */

static void put_kind(struct column_writer *w, enum column_kind kind)
{
    w->kind = kind;
    bytes_append_varint(&w->streams->directory, kind);
}

static void put_constant(struct column_writer *w, struct slice text)
{
    put_kind(w, COLUMN_CONSTANT);
    bytes_append_text(&w->streams->directory, text);
}

/* The texts one after the other, and their lengths. */
static void put_texts(struct column_writer *w, const struct slice *texts, size_t n)
{
    size_t len = 0;

    if (!GROW(w->values, w->values_capacity, n)) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        w->values[i] = texts[i].len;
        len += texts[i].len;
    }
    numbers_write(&w->numbers, w->values, n, false);
    buffer_clear(&w->bytes);
    char *to = buffer_reserve(&w->bytes, len);
    if (!to) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (texts[i].len)
            memcpy(to, texts[i].data, texts[i].len);
        to += texts[i].len;
    }
    stream_put(w->streams, slice_of(w->bytes.data, len), SECTION_TEXT);
}

void column_write_text(struct column_writer *w, const struct slice *texts, size_t n)
{
    put_kind(w, COLUMN_TEXT);
    put_texts(w, texts, n);
}

/* Whether so many different texts among so many are too many for a dictionary. */
static bool are_too_many(size_t different, size_t among)
{
    return among < 64 ? different > 40 : different > among / 3 + 8;
}

/*
 * The different texts, in w->entries, and of each text its number, in w->values; 0 if there are
 * too many (not if it `must` be).
 */
static size_t gather_entries(struct column_writer *w, const struct slice *texts, size_t n,
                             bool must)
{
    size_t limit = must || n / 2 < ENTRIES_MAX ? (must ? n : n / 2) : ENTRIES_MAX;
    size_t mask = 15;
    size_t len = 0;

    limit = limit > ENTRIES_MAX + 1 ? ENTRIES_MAX + 1 : limit;
    while (mask < 2 * limit)
        mask = 2 * mask + 1;
    if (!GROW(w->places, w->places_capacity, mask + 1) ||
        !GROW(w->values, w->values_capacity, n + limit) ||
        !GROW(w->entries, w->entries_capacity, limit + 1) ||
        !GROW(w->counts, w->counts_capacity, limit + 1)) {
        w->no_memory = true;
        return 0;
    }
    memset(w->places, 0, (mask + 1) * sizeof(*w->places));
    for (size_t i = 0; i < n; i++) {
        size_t at = bytes_hash(texts[i]) & mask;

        while (w->places[at] && !slice_equal(w->entries[w->places[at] - 1], texts[i]))
            at = (at + 1) & mask;
        if (!w->places[at]) {
            if (len == limit || (!must && are_too_many(len + 1, i + 1)))
                return 0;
            w->entries[len] = texts[i];
            w->counts[len++] = 0;
            w->places[at] = (uint32_t)len;
        }
        w->values[i] = w->places[at] - 1;
        w->counts[w->values[i]]++;
    }
    return len;
}

/* Numbers the entries by how often they are there, so that the upper bytes of codes are few. */
static bool order_entries(struct column_writer *w, size_t n, size_t len)
{
    size_t most = 0;

    for (size_t i = 0; i < len; i++)
        most = w->counts[i] > most ? w->counts[i] : most;
    /* Counting sort: starts of each count, descending; then the entries' new numbers. */
    size_t room = most + 2 + len;
    if (!GROW(w->places, w->places_capacity, room) ||
        !GROW(w->entries, w->entries_capacity, 2 * len))
        return false;
    uint32_t *starts = w->places;
    uint32_t *numbers = w->places + most + 2;
    memset(starts, 0, (most + 2) * sizeof(*starts));
    for (size_t i = 0; i < len; i++)
        starts[most - w->counts[i] + 1]++;
    for (size_t i = 1; i < most + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < len; i++) {
        numbers[i] = starts[most - w->counts[i]]++;
        w->entries[len + numbers[i]] = w->entries[i];
    }
    memcpy(w->entries, w->entries + len, len * sizeof(*w->entries));
    for (size_t i = 0; i < n; i++)
        w->values[i] = numbers[w->values[i]];
    return true;
}

static void put_dictionary(struct column_writer *w, size_t n, size_t len)
{
    struct buffer *d = &w->streams->directory;

    if (len > 256 && !order_entries(w, n, len)) {
        w->no_memory = true;
        return;
    }
    put_kind(w, COLUMN_DICTIONARY);
    w->entries_len = len;
    bytes_append_varint(d, len);
    numbers_write(&w->numbers, w->values, n, false);
    put_texts(w, w->entries, len);
}

void column_write_dictionary(struct column_writer *w, const struct slice *texts, size_t n)
{
    size_t len;

    if (are_equal(texts, n)) {
        put_constant(w, texts[0]);
        return;
    }
    len = gather_entries(w, texts, n, true);
    if (len > 0)
        put_dictionary(w, n, len);
}

/* Whether a dictionary of `entries` is shorter than numbers of so many bits. */
static bool is_dictionary_shorter(size_t n, size_t entries, size_t entry_len, unsigned bits)
{
    unsigned code = entries > 1 ? 32 - (unsigned)__builtin_clz((uint32_t)entries - 1) : 1;

    return (uint64_t)n * code + 8 * entries * (entry_len + 1) < (uint64_t)n * bits * 7 / 8;
}

static void put_hex(struct column_writer *w, const struct slice *texts, size_t n, size_t digits)
{
    buffer_clear(&w->bytes);
    char *to = buffer_reserve(&w->bytes, n * ((digits + 1) / 2));

    if (!to) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *s = texts[i].data;
        size_t k = 0;

        for (; k + 1 < digits; k += 2)
            *to++ = (char)(hex_value(s[k]) << 4 | hex_value(s[k + 1]));
        if (k < digits)
            *to++ = (char)(hex_value(s[k]) << 4);
    }
    stream_put(w->streams, slice_of(w->bytes.data, n * ((digits + 1) / 2)), SECTION_TEXT);
}

static void put_uuids(struct column_writer *w, const struct slice *texts, size_t n)
{
    buffer_clear(&w->bytes);
    char *to = buffer_reserve(&w->bytes, n * UUID_BYTES);

    if (!to) {
        w->no_memory = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *s = texts[i].data;

        for (size_t k = 0; k < UUID_TEXT_LEN; k += 2) {
            k += is_hyphen_of_uuid(k);
            *to++ = (char)(hex_value(s[k]) << 4 | hex_value(s[k + 1]));
        }
    }
    stream_put(w->streams, slice_of(w->bytes.data, n * UUID_BYTES), SECTION_TEXT);
}

/* Numbers are in w->values; true: they were written. */
static bool try_numbers(struct column_writer *w, const struct slice *texts, size_t n)
{
    struct buffer *directory = &w->streams->directory;
    struct decimals d;
    unsigned digits;

    if (!GROW(w->values, w->values_capacity, n)) {
        w->no_memory = true;
        return true;
    }
    if (parse_integers(texts, n, w->values, &digits)) {
        put_kind(w, COLUMN_INTEGER);
        bytes_append_varint(directory, digits);
        numbers_write(&w->numbers, w->values, n, true);
        return true;
    }
    if (parse_decimals(texts, n, w->values, &d)) {
        put_kind(w, COLUMN_DECIMAL);
        bytes_append_varint(directory, d.scale);
        bytes_append_varint(directory, d.least);
        numbers_write(&w->numbers, w->values, n, true);
        return true;
    }
    return false;
}

static bool try_digits(struct column_writer *w, const struct slice *texts, size_t n)
{
    size_t digits = texts[0].len;
    bool is_upper;

    if (digits == UUID_TEXT_LEN && are_uuids(texts, n, &is_upper)) {
        put_kind(w, COLUMN_UUID);
        bytes_append_varint(&w->streams->directory, is_upper);
        put_uuids(w, texts, n);
        return true;
    }
    if (digits > 0 && digits <= COLUMN_ROOM && are_hex(texts, n, digits, &is_upper)) {
        put_kind(w, COLUMN_HEX);
        bytes_append_varint(&w->streams->directory, digits << 1 | is_upper);
        put_hex(w, texts, n, digits);
        return true;
    }
    return false;
}

/* Bits of a text as a number or as hexadecimal digits; 0: it is neither. `values` is used. */
static unsigned bits_of_kind(const struct slice *texts, size_t n, uint64_t *values)
{
    struct decimals d;
    unsigned digits;
    bool is_upper;

    if (parse_integers(texts, n, values, &digits) || parse_decimals(texts, n, values, &d))
        return numbers_bits(values, n);
    if (texts[0].len <= COLUMN_ROOM && are_hex(texts, n, texts[0].len, &is_upper))
        return (unsigned)texts[0].len * 4;
    return 0;
}

/* A dictionary, where it is the shortest. */
static bool try_dictionary(struct column_writer *w, const struct slice *texts, size_t n)
{
    size_t len, bytes = 0;
    unsigned bits;

    len = n < DICTIONARY_MIN ? 0 : gather_entries(w, texts, n, false);
    if (len == 0)
        return w->no_memory;
    for (size_t i = 0; i < len; i++)
        bytes += w->entries[i].len;
    /* Of the entries, which are few, it is seen what all are. */
    bits = bits_of_kind(w->entries, len, w->values + n);
    if (bits > 0 && !is_dictionary_shorter(n, len, bytes / len, bits))
        return false;
    put_dictionary(w, n, len);
    return true;
}

bool column_try(struct column_writer *w, const struct slice *texts, size_t n)
{
    if (n == 0) {
        put_constant(w, SLICE_LITERAL(""));
        return true;
    }
    if (texts[0].len <= CONSTANT_MAX && are_equal(texts, n)) {
        put_constant(w, texts[0]);
        return true;
    }
    return try_dictionary(w, texts, n) || try_numbers(w, texts, n) || try_digits(w, texts, n);
}

/* ---- Reading ---- */

static bool take_u8(struct stream_reader *r, unsigned max, uint8_t *value)
{
    uint64_t v;

    if (!bytes_take_varint(&r->directory, &v) || v > max)
        return false;
    *value = (uint8_t)v;
    return true;
}

static bool take_dictionary(struct stream_reader *r, struct column_stored *s)
{
    uint64_t entries;

    if (!bytes_take_varint(&r->directory, &entries) || entries == 0 || entries > s->len ||
        entries > ENTRIES_MAX + 1)
        return false;
    s->entries_len = (uint32_t)entries;
    return numbers_take(r, s->len, &s->numbers) && numbers_take(r, s->entries_len, &s->lengths) &&
           stream_take(r, SECTION_TEXT, &s->bytes);
}

static bool take_hex(struct stream_reader *r, struct column_stored *s)
{
    if (!take_u8(r, 2 * COLUMN_ROOM + 1, &s->digits))
        return false;
    s->is_upper = s->digits & 1;
    s->digits >>= 1;
    return s->digits > 0 && stream_take(r, SECTION_TEXT, &s->bytes) &&
           s->bytes.len == (size_t)s->len * ((s->digits + 1) / 2);
}

static bool take_decimal(struct stream_reader *r, struct column_stored *s)
{
    return take_u8(r, DIGITS_MAX, &s->scale) && take_u8(r, s->scale, &s->least) &&
           numbers_take(r, s->len, &s->numbers);
}

bool column_take(struct stream_reader *r, uint32_t len, struct column_stored *s)
{
    uint64_t kind;
    uint8_t upper;

    if (!bytes_take_varint(&r->directory, &kind) || kind > COLUMN_TEMPLATES)
        return false;
    *s = (struct column_stored){.kind = (enum column_kind)kind, .len = len};
    switch (s->kind) {
    case COLUMN_CONSTANT:
        return bytes_take_text(&r->directory, &s->constant);
    case COLUMN_DICTIONARY:
        return take_dictionary(r, s);
    case COLUMN_INTEGER:
        return take_u8(r, DIGITS_MAX, &s->digits) && numbers_take(r, len, &s->numbers);
    case COLUMN_DECIMAL:
        return take_decimal(r, s);
    case COLUMN_HEX:
        return take_hex(r, s);
    case COLUMN_UUID:
        if (!take_u8(r, 1, &upper))
            return false;
        s->is_upper = upper;
        return stream_take(r, SECTION_TEXT, &s->bytes) && s->bytes.len == (size_t)len * UUID_BYTES;
    case COLUMN_TEXT:
        return numbers_take(r, len, &s->lengths) && stream_take(r, SECTION_TEXT, &s->bytes);
    case COLUMN_TEMPLATES:
        return true;
    }
    return false;
}

/* Cuts the bytes into texts. */
static int load_texts(struct stream_reader *r, const struct column_stored *s, size_t n,
                      const char *what, struct column *c, struct errbuf *err)
{
    struct numbers lengths;
    struct slice bytes;
    size_t at = 0;
    int error = stream_bytes(r, &s->bytes, &bytes, err);

    if (!error)
        error = numbers_load(r, &s->lengths, &lengths, err);
    if (error)
        return error;
    struct slice *texts = stream_memory(r, n, sizeof(*texts));
    if (!texts)
        return LM_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint64_t len = numbers_get(&lengths, i);

        if (len > bytes.len - at)
            return stream_damaged(r, what, err);
        texts[i] = slice_of(bytes.data + at, (size_t)len);
        at += (size_t)len;
    }
    if (at != bytes.len)
        return stream_damaged(r, what, err);
    c->entries = texts;
    c->entries_len = (uint32_t)n;
    return 0;
}

static int load_constant(struct stream_reader *r, const struct column_stored *s, struct column *c)
{
    struct slice *text = stream_memory(r, 1, sizeof(*text));

    if (!text)
        return LM_ENOMEM;
    *text = s->constant;
    c->entries = text;
    c->entries_len = 1;
    return 0;
}

static int load_dictionary(struct stream_reader *r, const struct column_stored *s, const char *what,
                           struct column *c, struct errbuf *err)
{
    int error = load_texts(r, s, s->entries_len, what, c, err);

    if (!error)
        error = numbers_load(r, &s->numbers, &c->numbers, err);
    if (!error && !numbers_below(&c->numbers, s->entries_len))
        error = stream_damaged(r, what, err);
    return error;
}

/* Digits before the point and behind it are DIGITS_MAX together, so that a text has its room. */
static int load_numbers(struct stream_reader *r, const struct column_stored *s, const char *what,
                        struct column *c, struct errbuf *err)
{
    const struct numbers_stored *n = &s->numbers;
    int error = numbers_load(r, n, &c->numbers, err);

    c->digits = s->digits;
    c->scale = s->scale;
    c->least = s->least;
    c->min = INT64_MIN;
    c->max = INT64_MAX;
    if (n->are_sums || n->width * (n->form == NUMBERS_BYTES ? 8 : 1) > NUMBERS_BITS_MAX ||
        (int64_t)n->base > INT64_MAX / 2)
        return error;
    c->min = (int64_t)n->base;
    c->max = c->min + (int64_t)((UINT64_C(1) << n->width * (n->form == NUMBERS_BYTES ? 8 : 1)) - 1);
    return error;
}

int column_load(struct stream_reader *r, const struct column_stored *s, const char *what,
                struct column *c, struct errbuf *err)
{
    struct slice bytes;
    int error;

    *c = (struct column){.kind = s->kind, .len = s->len};
    switch (s->kind) {
    case COLUMN_CONSTANT:
        return load_constant(r, s, c);
    case COLUMN_DICTIONARY:
        return load_dictionary(r, s, what, c, err);
    case COLUMN_INTEGER:
    case COLUMN_DECIMAL:
        return load_numbers(r, s, what, c, err);
    case COLUMN_HEX:
    case COLUMN_UUID:
        error = stream_bytes(r, &s->bytes, &bytes, err);
        c->digits = s->digits;
        c->is_upper = s->is_upper;
        c->bytes = bytes.data;
        return error;
    case COLUMN_TEXT:
        return load_texts(r, s, s->len, what, c, err);
    case COLUMN_TEMPLATES:
        break;
    }
    return 0;
}

size_t column_bytes(const struct stream_reader *r, const struct column_stored *s)
{
    switch (s->kind) {
    case COLUMN_DICTIONARY:
        return numbers_bytes(r, &s->numbers) + numbers_bytes(r, &s->lengths) +
               stream_stored(r, &s->bytes);
    case COLUMN_INTEGER:
    case COLUMN_DECIMAL:
        return numbers_bytes(r, &s->numbers);
    case COLUMN_TEXT:
        return numbers_bytes(r, &s->lengths) + stream_stored(r, &s->bytes);
    case COLUMN_HEX:
    case COLUMN_UUID:
        return stream_stored(r, &s->bytes);
    default:
        return 0;
    }
}

/* ---- One text ---- */

/* Writes the digits of `value`, at least `least`, so that they end at `end`; returns their start.
 */
static char *put_digits(char *end, uint64_t value, unsigned least)
{
    char *p = end;

    for (; value > 0 || least > 0; value /= 10, least -= least > 0)
        *--p = (char)('0' + value % 10);
    return p;
}

static struct slice integer_text(const struct column *c, int64_t value, char *room)
{
    char *end = room + COLUMN_ROOM;
    uint64_t absolute = value < 0 ? -(uint64_t)value : (uint64_t)value;
    char *p = put_digits(end, absolute, c->digits ? c->digits : 1);

    if (value < 0)
        *--p = '-';
    return slice_of(p, (size_t)(end - p));
}

static struct slice decimal_text(const struct column *c, int64_t value, char *room)
{
    char *end = room + COLUMN_ROOM;
    uint64_t absolute = value < 0 ? -(uint64_t)value : (uint64_t)value;
    uint64_t behind = absolute % TENS[c->scale];
    unsigned digits = c->scale;
    char *p = end;

    for (; digits > c->least && behind % 10 == 0; digits--)
        behind /= 10;
    if (digits > 0) {
        p = put_digits(p, behind, digits);
        *--p = '.';
    }
    p = put_digits(p, absolute / TENS[c->scale], 1);
    if (value < 0)
        *--p = '-';
    return slice_of(p, (size_t)(end - p));
}

static char *put_hex_byte(char *to, char byte, const char *alphabet)
{
    to[0] = alphabet[(unsigned char)byte >> 4];
    to[1] = alphabet[(unsigned char)byte & 15];
    return to + 2;
}

static const char *alphabet_of(const struct column *c)
{
    return c->is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
}

static struct slice hex_text(const struct column *c, size_t i, char *room)
{
    const char *alphabet = alphabet_of(c);
    size_t len = ((size_t)c->digits + 1) / 2;
    char *to = room;

    for (size_t k = 0; k < len; k++)
        to = put_hex_byte(to, c->bytes[i * len + k], alphabet);
    return slice_of(room, c->digits);
}

static struct slice uuid_text(const struct column *c, size_t i, char *room)
{
    const char *alphabet = alphabet_of(c);
    char *to = room;

    for (size_t k = 0; k < UUID_BYTES; k++) {
        if (is_hyphen_of_uuid((size_t)(to - room)))
            *to++ = '-';
        to = put_hex_byte(to, c->bytes[i * UUID_BYTES + k], alphabet);
    }
    return slice_of(room, UUID_TEXT_LEN);
}

struct slice column_text(const struct column *c, size_t i, char room[COLUMN_ROOM])
{
    switch (c->kind) {
    case COLUMN_CONSTANT:
        return c->entries[0];
    case COLUMN_DICTIONARY:
        return c->entries[numbers_get(&c->numbers, i)];
    case COLUMN_INTEGER:
        return integer_text(c, (int64_t)numbers_get(&c->numbers, i), room);
    case COLUMN_DECIMAL:
        return decimal_text(c, (int64_t)numbers_get(&c->numbers, i), room);
    case COLUMN_HEX:
        return hex_text(c, i, room);
    case COLUMN_UUID:
        return uuid_text(c, i, room);
    case COLUMN_TEXT:
        return c->entries[i];
    case COLUMN_TEMPLATES:
        break;
    }
    return SLICE_LITERAL("");
}
