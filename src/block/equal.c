#include "block/equal.h"

#include "block/row_set.h"

/* ---- Numbers ---- */

/* The places of `number`, if its text is `text`: the same number always is the same text. */
static enum equal_found find_number(const struct column *c, uint64_t number, struct slice text,
                                    uint64_t *places)
{
    bool is_known = false;
    enum equal_found found = EQUAL_NONE;
    char room[COLUMN_ROOM];

    for (size_t i = 0; i < c->len; i++) {
        if (numbers_get(&c->numbers, i) != number)
            continue;
        if (!is_known && !slice_equal(column_text(c, i, room), text))
            return EQUAL_NONE;
        is_known = true;
        row_set_add(places, i);
        found = EQUAL_SOME;
    }
    return found;
}

/*
 * Reads decimal digits with a sign, and with a point, as number * 10^scale. False if it is no such
 * number, or none that a column can hold.
 */
static bool read_decimal(struct slice text, unsigned scale, int64_t *number)
{
    bool is_negative = text.len > 0 && text.data[0] == '-';
    bool has_point = false;
    unsigned behind = 0; /* digits behind the point */
    int64_t value = 0;   /* negative, since there is one more of these */

    if (text.len == (size_t)is_negative)
        return false;
    for (size_t i = is_negative; i < text.len; i++) {
        char c = text.data[i];

        if (c == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, c - '0', &value))
            return false;
        behind += has_point;
    }
    for (; behind < scale; behind++)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    if (behind > scale || (!is_negative && value == INT64_MIN))
        return false;
    *number = is_negative ? value : -value;
    return true;
}

static enum equal_found find_decimal(const struct column *c, struct slice text, uint64_t *places)
{
    unsigned scale = c->kind == COLUMN_DECIMAL ? c->scale : 0;
    int64_t number;

    if (!read_decimal(text, scale, &number) || number < c->min || number > c->max)
        return EQUAL_NONE;
    return find_number(c, (uint64_t)number, text, places);
}

/* ---- Bytes ---- */

enum { PACKED_MAX = 128 }; /* a column has at most 255 digits */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Packs the hexadecimal digits of `text`; `-` is left out. Returns how many, or 0: it is other. */
static size_t pack(struct slice text, unsigned char packed[PACKED_MAX])
{
    size_t n = 0;

    memset(packed, 0, PACKED_MAX);
    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.data[i]);

        if (text.data[i] == '-')
            continue;
        if (value < 0 || n == 2 * (size_t)PACKED_MAX)
            return 0;
        packed[n / 2] |= (unsigned char)(n % 2 ? value : value << 4);
        n++;
    }
    return n;
}

/* The first of the values from place `i` on, of `size` bytes each, that is `packed`; `len`: none.
 */
static size_t next_bytes(const char *bytes, size_t size, const unsigned char *packed, size_t i,
                         size_t len)
{
    enum { TRACE = 16, SPAN = 8 }; /* for which comparing is one instruction or two */

    if (size == TRACE)
        while (i < len && memcmp(bytes + i * TRACE, packed, TRACE) != 0)
            i++;
    else if (size == SPAN)
        while (i < len && memcmp(bytes + i * SPAN, packed, SPAN) != 0)
            i++;
    else
        while (i < len && memcmp(bytes + i * size, packed, size) != 0)
            i++;
    return i;
}

/* Equal bytes are equal texts, but `text` may be spelled in another way than all of the column. */
static enum equal_found find_bytes(const struct column *c, struct slice text, uint64_t *places)
{
    unsigned digits = c->kind == COLUMN_UUID ? 32 : c->digits;
    size_t size = (digits + 1) / 2;
    unsigned char packed[PACKED_MAX];
    enum equal_found found = EQUAL_NONE;
    char room[COLUMN_ROOM];

    if (pack(text, packed) != digits)
        return EQUAL_NONE;
    for (size_t i = 0; (i = next_bytes(c->bytes, size, packed, i, c->len)) < c->len; i++) {
        if (found == EQUAL_NONE && !slice_equal(column_text(c, i, room), text))
            return EQUAL_NONE;
        row_set_add(places, i);
        found = EQUAL_SOME;
    }
    return found;
}

/* ---- Texts ---- */

static enum equal_found find_entry(const struct column *c, struct slice text, uint64_t *places)
{
    enum equal_found found = EQUAL_NONE;
    uint32_t code = 0;

    while (code < c->entries_len && !slice_equal(c->entries[code], text))
        code++;
    if (code == c->entries_len)
        return EQUAL_NONE;
    for (size_t i = 0; i < c->len; i++) {
        if (numbers_get(&c->numbers, i) == code) {
            row_set_add(places, i);
            found = EQUAL_SOME;
        }
    }
    return found;
}

static enum equal_found find_text(const struct column *c, struct slice text, uint64_t *places)
{
    enum equal_found found = EQUAL_NONE;

    for (size_t i = 0; i < c->len; i++) {
        if (slice_equal(c->entries[i], text)) {
            row_set_add(places, i);
            found = EQUAL_SOME;
        }
    }
    return found;
}

/* ---- Templates ---- */

static bool starts_with(struct slice s, struct slice start)
{
    return s.len >= start.len && (start.len == 0 || memcmp(s.data, start.data, start.len) == 0);
}

static struct slice without_start(struct slice s, size_t len)
{
    return slice_of(s.data + len, s.len - len);
}

/* False if no text of the template is `text`. */
static bool template_may_be(const struct template *t, struct slice text)
{
    struct slice first = t->pieces[0];
    struct slice last = t->pieces[t->slots];

    if (t->slots == 0)
        return slice_equal(first, text);
    return starts_with(text, first) && text.len - first.len >= last.len &&
           starts_with(without_start(text, text.len - last.len), last);
}

/* Whether the text whose slots are at `place` of the pool is `text`. */
static bool slots_are(const struct template *t, const struct template_pool *pool, size_t place,
                      struct slice text)
{
    char room[COLUMN_ROOM];

    for (uint32_t k = 0; k < t->slots; k++) {
        if (!starts_with(text, t->pieces[k]))
            return false;
        text = without_start(text, t->pieces[k].len);
        struct slice slot = column_text(&pool->columns[k], place, room);
        if (!starts_with(text, slot))
            return false;
        text = without_start(text, slot.len);
    }
    return slice_equal(t->pieces[t->slots], text);
}

/* Adds the places of texts of template `code` that are `text`. */
static int find_in_template(struct block_reader *r, const struct column *c, uint32_t code,
                            struct slice text, uint64_t *places, enum equal_found *found,
                            struct errbuf *err)
{
    const struct templates *all = c->templates;
    const struct template *t = &all->templates[code];
    const struct template_pool *pool = &all->pools[t->pool];
    int error = all->codes ? 0 : block_codes(r, all, err);

    if (!error && t->slots && !pool->columns)
        error = block_pool(r, all, t->pool, err);
    if (error || !all->codes)
        return error;
    for (size_t i = 0; i < c->len; i++) {
        if (all->codes[i] != code || (t->slots && !slots_are(t, pool, all->places[i], text)))
            continue;
        row_set_add(places, i);
        *found = EQUAL_SOME;
    }
    return 0;
}

static int find_in_templates(struct block_reader *r, const struct column *c, struct slice text,
                             uint64_t *places, enum equal_found *found, struct errbuf *err)
{
    const struct templates *all = c->templates;
    int error = 0;

    for (uint32_t code = 0; code < all->templates_len && !error; code++)
        if (template_may_be(&all->templates[code], text))
            error = find_in_template(r, c, code, text, places, found, err);
    return error;
}

/* ---- The whole ---- */

int equal_column(struct block_reader *r, const struct column *c, struct slice text,
                 uint64_t *places, enum equal_found *found, struct errbuf *err)
{
    *found = EQUAL_NONE;
    switch (c->kind) {
    case COLUMN_CONSTANT:
        *found = slice_equal(c->entries[0], text) ? EQUAL_ALL : EQUAL_NONE;
        break;
    case COLUMN_DICTIONARY:
        *found = find_entry(c, text, places);
        break;
    case COLUMN_INTEGER:
    case COLUMN_DECIMAL:
        *found = find_decimal(c, text, places);
        break;
    case COLUMN_HEX:
    case COLUMN_UUID:
        *found = find_bytes(c, text, places);
        break;
    case COLUMN_TEXT:
        *found = find_text(c, text, places);
        break;
    case COLUMN_TEMPLATES:
        return find_in_templates(r, c, text, places, found, err);
    }
    return 0;
}
