#include <stdio.h>

#include "block/attributes_columns.h"

static const char *const WHAT = "its attributes";

/* ---- The directory ---- */

static bool take_u32(struct stream_reader *r, uint64_t max, uint32_t *value)
{
    uint64_t v;

    if (!bytes_take_varint(&r->directory, &v) || v > max)
        return false;
    *value = (uint32_t)v;
    return true;
}

/* Each value is a byte of JSON at least: `values_left` bounds what all columns together take. */
static bool take_name(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                      uint64_t *values_left)
{
    struct attribute_column *c = &a->columns[number];
    uint32_t kind;

    if (!take_u32(r, number == 0 ? 0 : number - 1, &c->parent) ||
        !take_u32(r, ATTRIBUTES_KINDS - 1, &kind) || !bytes_take_text(&r->directory, &c->name) ||
        !take_u32(r, UINT32_MAX, &c->len) || c->len > *values_left)
        return false;
    *values_left -= c->len;
    c->kind = (enum attributes_kind)kind;
    return number == 0 ? c->kind == ATTRIBUTES_OBJECT
                       : attributes_is_container(a->columns[c->parent].kind);
}

static bool take_container(struct stream_reader *r, struct attribute_column *c)
{
    uint32_t layouts;

    if (!take_u32(r, UINT32_MAX, &layouts))
        return false;
    c->is_permuted = layouts & 1;
    c->layouts_len = layouts >> 1;
    return c->layouts_len <= c->len && stream_take(r, SECTION_TEXT, &c->meta) &&
           numbers_take(r, c->len, &c->stored_codes) &&
           (!c->is_permuted || stream_take(r, SECTION_NUMBERS, &c->order));
}

static int take_columns(struct stream_reader *r, struct attributes_reader *a, struct errbuf *err)
{
    if (!take_u32(r, ATTRIBUTES_COLUMNS_MAX, &a->columns_len) || a->columns_len == 0)
        return stream_damaged(r, "the attributes of its directory", err);
    a->columns = stream_memory(r, a->columns_len, sizeof(*a->columns));
    if (!a->columns)
        return LM_ENOMEM;
    memset(a->columns, 0, a->columns_len * sizeof(*a->columns));
    uint64_t values_left = r->raw_bytes;
    for (uint32_t i = 0; i < a->columns_len; i++)
        if (!take_name(r, a, i, &values_left))
            return stream_damaged(r, "an attribute of its directory", err);
    for (uint32_t i = 0; i < a->columns_len; i++) {
        struct attribute_column *c = &a->columns[i];
        int error = 0;

        if (!attributes_is_container(c->kind))
            error = template_take(r, c->len, &c->texts, err);
        else if (!take_container(r, c))
            error = stream_damaged(r, "an attribute of its directory", err);
        if (error)
            return error;
    }
    return 0;
}

int attributes_reader_take(struct stream_reader *r, uint32_t rows, struct attributes_reader **out,
                           struct errbuf *err)
{
    struct attributes_reader *a = stream_memory(r, 1, sizeof(*a));

    if (!a)
        return LM_ENOMEM;
    *a = (struct attributes_reader){.rows = rows};
    *out = a;
    if (!numbers_take(r, rows, &a->stored_kinds) || !take_u32(r, rows, &a->texts_len))
        return stream_damaged(r, "the attributes of its directory", err);
    int error = template_take(r, a->texts_len, &a->texts, err);
    return error ? error : take_columns(r, a, err);
}

/* ---- Rows ---- */

/* Places where all rows are of one kind, as nearly always. */
static void count_up(uint32_t *places, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++)
        places[i] = i;
}

int attributes_reader_load_rows(struct stream_reader *r, struct attributes_reader *a,
                                struct errbuf *err)
{
    uint32_t lens[ATTRIBUTES_TEXT + 1] = {0};
    uint32_t *places;
    int error;

    if (a->places)
        return 0;
    places = stream_memory(r, a->rows, sizeof(*places));
    if (!places)
        return LM_ENOMEM;
    error = numbers_load(r, &a->stored_kinds, &a->kinds, err);
    if (error)
        return error;
    bool is_one_kind = a->kinds.form == NUMBERS_CONSTANT && a->kinds.base <= ATTRIBUTES_TEXT;
    if (is_one_kind) {
        count_up(places, a->rows);
        lens[a->kinds.base] = a->rows;
    }
    for (uint32_t i = 0; !is_one_kind && i < a->rows; i++) {
        uint64_t kind = numbers_get(&a->kinds, i);

        if (kind > ATTRIBUTES_TEXT)
            return stream_damaged(r, WHAT, err);
        places[i] = lens[kind]++;
    }
    if (lens[ATTRIBUTES_TREE] != a->columns[0].len || lens[ATTRIBUTES_TEXT] != a->texts_len)
        return stream_damaged(r, WHAT, err);
    a->places = places;
    return 0;
}

/* ---- Objects and arrays ---- */

/*
 * The members of a layout, and how often each is there before itself; seen[] of each column is 0
 * before and after.
 */
static bool take_members(struct attributes_reader *a, uint32_t number, struct slice *meta,
                         struct layout *l, uint32_t *members, uint32_t *nths, uint32_t *seen)
{
    uint64_t n, member;

    if (!bytes_take_varint(meta, &n) || n > meta->len)
        return false;
    *l = (struct layout){.members = members, .nths = nths, .len = (uint32_t)n};
    for (uint32_t k = 0; k < l->len; k++) {
        if (!bytes_take_varint(meta, &member) || member >= a->columns_len || member == 0 ||
            a->columns[member].parent != number)
            return false;
        members[k] = (uint32_t)member;
        nths[k] = seen[member]++;
    }
    for (uint32_t k = 0; k < l->len; k++)
        seen[members[k]] = 0;
    return true;
}

static int load_layouts(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                        struct errbuf *err)
{
    struct attribute_column *c = &a->columns[number];
    struct slice meta;
    int error = stream_bytes(r, &c->meta, &meta, err);

    if (!error)
        error = numbers_load(r, &c->stored_codes, &c->codes, err);
    if (error)
        return error;
    struct layout *layouts = stream_memory(r, c->layouts_len, sizeof(*layouts));
    uint32_t *members = stream_memory(r, meta.len, sizeof(*members));
    uint32_t *nths = stream_memory(r, meta.len, sizeof(*nths));
    uint32_t *seen = stream_memory(r, a->columns_len, sizeof(*seen));
    if (!layouts || !members || !nths || !seen)
        return LM_ENOMEM;
    memset(seen, 0, a->columns_len * sizeof(*seen));
    for (uint32_t i = 0; i < c->layouts_len; i++) {
        if (!take_members(a, number, &meta, &layouts[i], members, nths, seen) ||
            (c->is_permuted && layouts[i].len > ATTRIBUTES_PERMUTED_MAX))
            return stream_damaged(r, WHAT, err);
        members += layouts[i].len;
        nths += layouts[i].len;
    }
    c->layouts = layouts;
    return meta.len > 0 || !numbers_below(&c->codes, c->layouts_len) ? stream_damaged(r, WHAT, err)
                                                                     : 0;
}

static const struct layout *layout_of(const struct attribute_column *c, uint32_t value)
{
    return &c->layouts[numbers_get(&c->codes, value)];
}

/* Says which values of a child go to the first value of its parent, the second, and so on. */
static int fill_ranks(struct attribute_column *c, const struct attribute_column *parent,
                      const uint32_t *shares, uint64_t *bits, uint32_t *before)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < parent->len && sum <= c->len; i++) {
        uint32_t share = shares[numbers_get(&parent->codes, i)];

        if (!bits) {
            before[i] = (uint32_t)sum;
        } else {
            if (i % 64 == 0)
                before[i / 64] = (uint32_t)sum;
            bits[i / 64] |= (uint64_t)share << i % 64;
        }
        sum += share;
    }
    if (!bits)
        before[parent->len] = (uint32_t)sum;
    c->ranks = (struct ranks){.bits = bits, .before = before};
    return sum == c->len ? 0 : LM_EIO;
}

/* Makes the ranks of a child, whose parent is ready; there are as many values as it says. */
static int load_ranks(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                      struct errbuf *err)
{
    struct attribute_column *c = &a->columns[number];
    const struct attribute_column *parent = &a->columns[c->parent];
    uint32_t *shares = stream_memory(r, parent->layouts_len, sizeof(*shares));
    uint32_t most = 0;
    bool is_each = true;

    if (!shares)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < parent->layouts_len; i++) {
        shares[i] = 0;
        for (uint32_t k = 0; k < parent->layouts[i].len; k++)
            shares[i] += parent->layouts[i].members[k] == number;
        most = shares[i] > most ? shares[i] : most;
        is_each = is_each && shares[i] == 1;
    }
    if (is_each) {
        c->ranks = (struct ranks){.is_each = true};
        return parent->len == c->len ? 0 : stream_damaged(r, WHAT, err);
    }
    size_t words = parent->len / 64 + 1;
    uint64_t *bits = NULL;
    uint32_t *before =
        stream_memory(r, most <= 1 ? words : (size_t)parent->len + 1, sizeof(*before));
    if (most <= 1)
        bits = stream_memory(r, words, sizeof(*bits));
    if (!before || (most <= 1 && !bits))
        return LM_ENOMEM;
    if (bits)
        memset(bits, 0, words * sizeof(*bits));
    int error = fill_ranks(c, parent, shares, bits, before);
    return error ? stream_damaged(r, WHAT, err) : 0;
}

static int load_order(struct stream_reader *r, struct attribute_column *c, struct errbuf *err)
{
    struct slice order;
    uint32_t at = 0;
    int error = stream_bytes(r, &c->order, &order, err);

    if (error)
        return error;
    uint32_t *starts = stream_memory(r, c->len, sizeof(*starts));
    if (!starts)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < c->len; i++) {
        uint32_t len = layout_of(c, i)->len;

        starts[i] = at;
        at += len > 0 ? len - 1 : 0;
    }
    if (at != order.len)
        return stream_damaged(r, WHAT, err);
    c->orders = (const unsigned char *)order.data;
    c->order_starts = starts;
    return 0;
}

/* `,"name":` and a quote, if it is a string's. */
static int make_lead(struct stream_reader *r, const struct attributes_reader *a,
                     struct attribute_column *c)
{
    bool has_name = c != a->columns && a->columns[c->parent].kind == ATTRIBUTES_OBJECT &&
                    c->kind != ATTRIBUTES_MEMBER;
    char *lead = stream_memory(r, c->name.len + 5, 1);
    char *p = lead;

    if (!lead)
        return LM_ENOMEM;
    *p++ = ',';
    if (has_name) {
        *p++ = '"';
        if (c->name.len)
            memcpy(p, c->name.data, c->name.len);
        p += c->name.len;
        *p++ = '"';
        *p++ = ':';
    }
    if (c->kind == ATTRIBUTES_STRING)
        *p++ = '"';
    c->lead = slice_of(lead, (size_t)(p - lead));
    return 0;
}

int attributes_reader_load_column(struct stream_reader *r, struct attributes_reader *a,
                                  uint32_t number, struct errbuf *err)
{
    struct attribute_column *c = &a->columns[number];
    const struct column *column;
    int error;

    if (c->is_loaded)
        return 0;
    error = make_lead(r, a, c);
    if (!error && number > 0)
        error = load_ranks(r, a, number, err);
    if (!error && attributes_is_container(c->kind)) {
        error = load_layouts(r, a, number, err);
        if (!error && c->is_permuted)
            error = load_order(r, c, err);
    } else if (!error) {
        error = template_load(r, c->texts, WHAT, &column, err);
    }
    c->is_loaded = !error;
    return error;
}

/* ---- Putting together ---- */

/* The place in a child's column of what belongs to a value of its parent; of several the first. */
static uint32_t place_of(const struct ranks *ranks, uint32_t value)
{
    if (ranks->is_each)
        return value;
    if (!ranks->bits)
        return ranks->before[value];
    uint64_t below = ranks->bits[value / 64] & ((UINT64_C(1) << value % 64) - 1);
    return ranks->before[value / 64] + (uint32_t)__builtin_popcountll(below);
}

/* Which member of its layout comes at each place of a value: order[k]; false: damaged. */
static bool read_order(const struct attribute_column *c, uint32_t value, uint32_t len,
                       unsigned char order[ATTRIBUTES_PERMUTED_MAX])
{
    const unsigned char *codes = c->orders + c->order_starts[value];
    unsigned char left[ATTRIBUTES_PERMUTED_MAX];
    uint32_t n = len;
    uint32_t at = 0;

    for (uint32_t k = 0; k < len; k++)
        left[k] = (unsigned char)k;
    for (uint32_t k = 0; k < len; k++, n--) {
        uint32_t code = k + 1 < len ? codes[k] : 0;

        if (code >= n)
            return false;
        at = (at + code) % n;
        order[k] = left[at];
        memmove(left + at, left + at + 1, n - at - 1);
        at = n > 1 ? at % (n - 1) : 0;
    }
    return true;
}

static int append_value(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                        uint32_t value, struct buffer *b, struct errbuf *err);

static int append_member(struct stream_reader *r, struct attributes_reader *a,
                         const struct layout *layout, uint32_t k, uint32_t value, bool is_first,
                         struct buffer *b, struct errbuf *err)
{
    uint32_t member = layout->members[k];
    const struct attribute_column *child = &a->columns[member];
    int error = attributes_reader_load_column(r, a, member, err);

    if (error)
        return error;
    buffer_append(b, child->lead.data + is_first, child->lead.len - is_first);
    return append_value(r, a, member, place_of(&child->ranks, value) + layout->nths[k], b, err);
}

static int append_container(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                            uint32_t value, struct buffer *b, struct errbuf *err)
{
    const struct attribute_column *c = &a->columns[number];
    const struct layout *layout = layout_of(c, value);
    unsigned char order[ATTRIBUTES_PERMUTED_MAX] = {0};
    int error = 0;

    if (c->is_permuted && !read_order(c, value, layout->len, order))
        return stream_damaged(r, WHAT, err);
    buffer_append_char(b, c->kind == ATTRIBUTES_OBJECT ? '{' : '[');
    for (uint32_t k = 0; k < layout->len && !error; k++)
        error = append_member(r, a, layout, c->is_permuted ? order[k] : k, value, k == 0, b, err);
    buffer_append_char(b, c->kind == ATTRIBUTES_OBJECT ? '}' : ']');
    return error;
}

/* The column is ready. Recursive, as deep as columns have parents. */
static int append_value(struct stream_reader *r, struct attributes_reader *a, uint32_t number,
                        uint32_t value, struct buffer *b, struct errbuf *err)
{
    const struct attribute_column *c = &a->columns[number];

    if (attributes_is_container(c->kind))
        return append_container(r, a, number, value, b, err);
    int error = template_append(r, c->texts, value, WHAT, b, err);
    if (c->kind == ATTRIBUTES_STRING)
        buffer_append_char(b, '"');
    return error;
}

int attributes_reader_append(struct stream_reader *r, struct attributes_reader *a, size_t row,
                             struct buffer *b, struct errbuf *err)
{
    const struct column *column;
    int error = attributes_reader_load_rows(r, a, err);

    if (error)
        return error;
    switch ((enum attributes_row)numbers_get(&a->kinds, row)) {
    case ATTRIBUTES_NONE:
        break;
    case ATTRIBUTES_TREE:
        error = attributes_reader_load_column(r, a, 0, err);
        return error ? error : append_value(r, a, 0, a->places[row], b, err);
    case ATTRIBUTES_TEXT:
        error = template_load(r, a->texts, WHAT, &column, err);
        return error ? error : template_append(r, a->texts, a->places[row], WHAT, b, err);
    }
    return 0;
}

/* ---- Where the bytes go ---- */

/* "attributes.a.b", "attributes.list[]" */
static void append_path(const struct attributes_reader *a, uint32_t number, struct buffer *b)
{
    const struct attribute_column *c = &a->columns[number];

    if (number == 0) {
        buffer_append_string(b, "attributes");
        return;
    }
    append_path(a, c->parent, b);
    if (a->columns[c->parent].kind == ATTRIBUTES_ARRAY) {
        buffer_append_string(b, "[]");
    } else {
        buffer_append_char(b, '.');
        buffer_append_slice(b, c->kind == ATTRIBUTES_MEMBER ? SLICE_LITERAL("*") : c->name);
    }
}

static size_t bytes_of(const struct stream_reader *r, const struct attribute_column *c)
{
    if (!attributes_is_container(c->kind))
        return template_bytes(r, c->texts);
    return stream_stored(r, &c->meta) + numbers_bytes(r, &c->stored_codes) +
           (c->is_permuted ? stream_stored(r, &c->order) : 0);
}

static int tell_column(struct stream_reader *r, const struct attributes_reader *a, uint32_t number,
                       struct buffer *path, const struct block_telling *t, struct errbuf *err)
{
    const struct attribute_column *c = &a->columns[number];
    const char *kind = c->kind == ATTRIBUTES_OBJECT  ? "object"
                       : c->kind == ATTRIBUTES_ARRAY ? "array"
                                                     : column_kind_name(template_kind(c->texts));
    uint64_t raw_bytes = 0;
    int error = 0;

    if (t->measures && !attributes_is_container(c->kind))
        error = template_measure(r, c->texts, WHAT, &raw_bytes, err);
    buffer_clear(path);
    append_path(a, number, path);
    if (!error)
        error = buffer_error(path);
    if (!error)
        t->fn(&(struct block_column_info){buffer_slice(path), slice_of_string(kind), bytes_of(r, c),
                                          (size_t)raw_bytes},
              t->ctx);
    return error;
}

int attributes_reader_tell(struct stream_reader *r, struct attributes_reader *a,
                           const struct block_telling *t, struct errbuf *err)
{
    struct buffer path;
    int error = 0;

    buffer_init(&path, SIZE_MAX / 2);
    t->fn(&(struct block_column_info){SLICE_LITERAL("attributes"), SLICE_LITERAL("which"),
                                      numbers_bytes(r, &a->stored_kinds) +
                                          template_bytes(r, a->texts),
                                      0},
          t->ctx);
    for (uint32_t i = 0; i < a->columns_len && !error; i++)
        error = tell_column(r, a, i, &path, t, err);
    buffer_release(&path);
    return error;
}
