#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "block/attributes.h"
#include "block/grow.h"
#include "block/spelling.h"

enum {
    NONE = UINT32_MAX, /* no column: what is parsed is not recorded */
    ELEMENTS_MAX = 64, /* of an array; a longer one is not taken apart */
    MEMBERS_MAX = 512, /* of an object; the attributes of a log with a larger one are a text */
    LAYOUTS_MIN = 16,  /* that an object may always have before its order is kept apart */
    PLACES = 4 * ATTRIBUTES_COLUMNS_MAX,
};

struct column_draft {
    uint32_t parent;
    enum attributes_kind kind;
    struct slice name;
    uint64_t hash;      /* of all of these */
    uint64_t name_hash; /* of the name */
    uint32_t len;       /* values */
    uint32_t first;     /* of them, in the order by column */
    uint32_t number;    /* as it is written; NONE: it has no values */
    uint32_t layouts;   /* of an object or array: how many it has */
    uint32_t latest;    /* the layout that was met last, or NONE */
};

/* Which members an object or array has, in their order. */
struct layout_draft {
    uint32_t column;
    size_t members; /* where their numbers begin */
    uint32_t members_len;
    uint64_t hash;
    uint32_t len;    /* values that have it; none, if all were undone */
    uint32_t number; /* among those of its column that have */
};

/* A value, in the order in which they are met. */
struct value {
    uint32_t column;
    uint32_t layout;   /* of an object or array */
    struct slice text; /* of all others */
};

struct attributes_writer {
    struct column_writer *columns_out;
    struct template_writer *templates;
    bool no_memory;
    struct column_draft *columns;
    size_t columns_len, columns_capacity, named_len;
    uint32_t places[PLACES]; /* hash table: number of a column and 1 */
    struct layout_draft *layouts;
    size_t layouts_len, layouts_capacity;
    uint32_t *layout_places; /* hash table: number of a layout and 1 */
    size_t layout_mask, layout_places_capacity;
    uint32_t *members; /* of all layouts */
    size_t members_len, members_capacity;
    uint32_t *stack; /* members of the objects that are being parsed */
    size_t stack_len, stack_capacity;
    struct value *values;
    size_t values_len, values_capacity;
    uint64_t *rows;
    size_t rows_capacity;
    struct slice *texts; /* of the logs that are texts; then of a column */
    size_t texts_len, texts_capacity;
    struct value *ordered; /* values by column */
    size_t ordered_capacity;
    uint64_t *codes;
    size_t codes_capacity;
    struct buffer meta, order, path;
    const char *end; /* of the text that is being parsed */
};

struct attributes_writer *attributes_writer_new(struct column_writer *columns,
                                                struct template_writer *templates)
{
    struct attributes_writer *w = xcalloc(1, sizeof(*w));

    w->columns_out = columns;
    w->templates = templates;
    buffer_init(&w->meta, SIZE_MAX / 2);
    buffer_init(&w->order, SIZE_MAX / 2);
    buffer_init(&w->path, SIZE_MAX / 2);
    return w;
}

void attributes_writer_free(struct attributes_writer *w)
{
    if (!w)
        return;
    free(w->columns);
    free(w->layouts);
    free(w->layout_places);
    free(w->members);
    free(w->stack);
    free(w->values);
    free(w->rows);
    free(w->texts);
    free(w->ordered);
    free(w->codes);
    buffer_release(&w->meta);
    buffer_release(&w->order);
    buffer_release(&w->path);
    free(w);
}

/* ---- Columns ---- */

static bool is_named(const struct attributes_writer *w, uint32_t parent, enum attributes_kind kind)
{
    return kind != ATTRIBUTES_MEMBER && w->columns[parent].kind == ATTRIBUTES_OBJECT;
}

static uint32_t add_column(struct attributes_writer *w, uint32_t parent, enum attributes_kind kind,
                           struct slice name, uint64_t name_hash, uint64_t hash)
{
    if (w->columns_len == ATTRIBUTES_COLUMNS_MAX)
        return NONE;
    if (!GROW(w->columns, w->columns_capacity, w->columns_len + 1)) {
        w->no_memory = true;
        return NONE;
    }
    w->columns[w->columns_len] = (struct column_draft){.parent = parent,
                                                       .kind = kind,
                                                       .name = name,
                                                       .name_hash = name_hash,
                                                       .hash = hash,
                                                       .latest = NONE};
    return (uint32_t)w->columns_len++;
}

/* The column of a parent's member; NONE: there are too many. */
static uint32_t find_column(struct attributes_writer *w, uint32_t parent, enum attributes_kind kind,
                            struct slice name)
{
    uint64_t name_hash = bytes_hash(name);
    uint64_t hash = hash_mix(name_hash + (uint64_t)parent * ATTRIBUTES_KINDS + kind);
    size_t at = hash % PLACES;
    bool named = is_named(w, parent, kind);

    for (; w->places[at]; at = (at + 1) % PLACES) {
        const struct column_draft *c = &w->columns[w->places[at] - 1];

        if (c->hash == hash && c->parent == parent && c->kind == kind && slice_equal(c->name, name))
            return w->places[at] - 1;
    }
    if (named && w->named_len == BLOCK_COLUMNS_MAX)
        return NONE;
    uint32_t number = add_column(w, parent, kind, name, name_hash, hash);
    if (number == NONE)
        return NONE;
    w->named_len += named;
    w->places[at] = number + 1;
    return number;
}

/* The column of the next member of an object whose last layout is known: mostly that is it. */
static uint32_t guess_column(const struct attributes_writer *w, uint32_t parent, size_t nth,
                             enum attributes_kind kind, struct slice name)
{
    uint32_t latest = w->columns[parent].latest;

    if (latest == NONE || nth >= w->layouts[latest].members_len)
        return NONE;
    uint32_t number = w->members[w->layouts[latest].members + nth];
    const struct column_draft *c = &w->columns[number];
    return c->kind == kind && slice_equal(c->name, name) ? number : NONE;
}

/* ---- Layouts ---- */

static bool grow_layouts(struct attributes_writer *w)
{
    size_t len = 2 * (w->layout_mask + 1);

    if (!GROW(w->layout_places, w->layout_places_capacity, len))
        return false;
    memset(w->layout_places, 0, len * sizeof(*w->layout_places));
    w->layout_mask = len - 1;
    for (size_t i = 0; i < w->layouts_len; i++) {
        size_t at = w->layouts[i].hash & w->layout_mask;

        while (w->layout_places[at])
            at = (at + 1) & w->layout_mask;
        w->layout_places[at] = (uint32_t)i + 1;
    }
    return true;
}

static bool is_layout(const struct attributes_writer *w, uint32_t layout, uint32_t column,
                      const uint32_t *members, size_t n)
{
    const struct layout_draft *l = &w->layouts[layout];

    return l->column == column && l->members_len == n &&
           (n == 0 || memcmp(w->members + l->members, members, n * sizeof(*members)) == 0);
}

/* Whether a name is there twice, or too many are to tell: hashes that are equal will do. */
static bool has_twin(const struct attributes_writer *w, const uint32_t *members, size_t n)
{
    if (n > MEMBERS_MAX)
        return true;
    for (size_t i = 1; i < n; i++) {
        const struct column_draft *c = &w->columns[members[i]];

        for (size_t k = 0; k < i && c->kind != ATTRIBUTES_MEMBER; k++)
            if (w->columns[members[k]].name_hash == c->name_hash &&
                w->columns[members[k]].kind != ATTRIBUTES_MEMBER)
                return true;
    }
    return false;
}

/* The layout of members[0..n) of a column; NONE: no memory, or it has a member twice. */
static uint32_t find_layout(struct attributes_writer *w, uint32_t column, const uint32_t *members,
                            size_t n)
{
    uint64_t hash =
        hash_mix(column + bytes_hash(slice_of((const char *)members, n * sizeof(*members))));
    size_t at = hash & w->layout_mask;

    for (; w->layout_places[at]; at = (at + 1) & w->layout_mask)
        if (w->layouts[w->layout_places[at] - 1].hash == hash &&
            is_layout(w, w->layout_places[at] - 1, column, members, n))
            return w->layout_places[at] - 1;
    if (w->columns[column].kind == ATTRIBUTES_OBJECT && has_twin(w, members, n))
        return NONE;
    if (!GROW(w->layouts, w->layouts_capacity, w->layouts_len + 1) ||
        !GROW(w->members, w->members_capacity, w->members_len + n)) {
        w->no_memory = true;
        return NONE;
    }
    w->layouts[w->layouts_len] = (struct layout_draft){
        .column = column, .members = w->members_len, .members_len = (uint32_t)n, .hash = hash};
    if (n)
        memcpy(w->members + w->members_len, members, n * sizeof(*members));
    w->members_len += n;
    w->layout_places[at] = (uint32_t)++w->layouts_len;
    uint32_t found = (uint32_t)w->layouts_len - 1;
    if (2 * w->layouts_len > w->layout_mask && !grow_layouts(w))
        w->no_memory = true;
    return w->no_memory ? NONE : found;
}

/* ---- Parsing: each goes on at `p` and returns where it ends, or NULL: it is not our JSON ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && is_digit(*p))
        p++;
    return p > start ? p : NULL;
}

static const char *parse_number(const char *p, const char *end)
{
    const char *start;

    p += p < end && *p == '-';
    start = p;
    p = skip_digits(p, end);
    if (!p || (*start == '0' && p - start > 1))
        return NULL;
    if (p < end && *p == '.')
        p = skip_digits(p + 1, end);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        p = skip_digits(p, end);
    }
    return p;
}

static const char *parse_literal(const char *p, const char *end)
{
    static const struct slice literals[] = {{"true", 4}, {"false", 5}, {"null", 4}};

    for (size_t i = 0; i < sizeof(literals) / sizeof(*literals); i++)
        if ((size_t)(end - p) >= literals[i].len &&
            memcmp(p, literals[i].data, literals[i].len) == 0)
            return p + literals[i].len;
    return NULL;
}

/* A string, `p` behind its first quote: `*text` is what is between the quotes. */
static const char *parse_string(const char *p, const char *end, struct slice *text)
{
    const char *start = p;
    unsigned seen = 0;
    bool escapes = false;

    for (; p < end && *p != '"'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x20)
            return NULL;
        if (c == '\\') {
            escapes = true;
            if (++p == end)
                return NULL;
        }
        seen |= c;
    }
    if (p == end)
        return NULL;
    *text = slice_of(start, (size_t)(p - start));
    if ((escapes && !block_string_is_plain(*text)) || (seen >= 0x80 && !utf8_valid(*text)))
        return NULL;
    return p + 1;
}

/* Names are compared as they are spelled: what we escape is escaped. */
static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == 0x7f ||
            (i + 2 < name.len && ((unsigned char)name.data[i + 2] & 0xfe) == 0xbe &&
             memcmp(name.data + i, "\xef\xbf", 2) == 0))
            return false;
    return true;
}

static enum attributes_kind kind_at(const char *p, const char *end)
{
    switch (*p) {
    case '"':
        return ATTRIBUTES_STRING;
    case '{':
        return ATTRIBUTES_OBJECT;
    case '[':
        return ATTRIBUTES_ARRAY;
    case 't':
    case 'f':
    case 'n':
        return ATTRIBUTES_LITERAL;
    default:
        for (p++; p < end && is_digit(*p);)
            p++;
        return p < end && *p == '.' ? ATTRIBUTES_DECIMAL : ATTRIBUTES_NUMBER;
    }
}

static void add_value(struct attributes_writer *w, uint32_t column, uint32_t layout,
                      struct slice text)
{
    if (column == NONE)
        return;
    if (!GROW(w->values, w->values_capacity, w->values_len + 1)) {
        w->no_memory = true;
        return;
    }
    w->values[w->values_len++] = (struct value){column, layout, text};
}

static void push_member(struct attributes_writer *w, uint32_t column)
{
    if (!GROW(w->stack, w->stack_capacity, w->stack_len + 1))
        w->no_memory = true;
    else
        w->stack[w->stack_len++] = column;
}

static const char *parse_value(struct attributes_writer *w, const char *p, uint32_t column,
                               enum attributes_kind kind, unsigned depth);

/* Of an object or array that has ended: its members are those on the stack from `base` on. */
static bool end_container(struct attributes_writer *w, uint32_t column, size_t base)
{
    size_t n = w->stack_len - base;
    const uint32_t *members = n > 0 ? w->stack + base : NULL;
    uint32_t latest = w->columns[column].latest;

    w->stack_len = base;
    if (latest == NONE || !is_layout(w, latest, column, members, n)) {
        latest = find_layout(w, column, members, n);
        if (latest == NONE)
            return false;
        w->columns[column].latest = latest;
    }
    add_value(w, column, latest, SLICE_LITERAL(""));
    return true;
}

/* What is recorded when something is begun, to be undone. */
struct mark {
    size_t values_len, stack_len;
};

static struct mark mark(const struct attributes_writer *w)
{
    return (struct mark){w->values_len, w->stack_len};
}

static void undo(struct attributes_writer *w, struct mark m)
{
    w->values_len = m.values_len;
    w->stack_len = m.stack_len;
}

/* A member for whose name there is no column: it is kept as text, with its name. */
static const char *parse_rest(struct attributes_writer *w, const char *start, const char *p,
                              uint32_t object, enum attributes_kind kind, unsigned depth)
{
    uint32_t column = find_column(w, object, ATTRIBUTES_MEMBER, SLICE_LITERAL(""));

    if (column == NONE)
        return NULL;
    p = parse_value(w, p, NONE, kind, depth);
    if (!p)
        return NULL;
    push_member(w, column);
    add_value(w, column, NONE, slice_of(start, (size_t)(p - start)));
    return p;
}

static const char *parse_member(struct attributes_writer *w, const char *p, uint32_t object,
                                size_t base, unsigned depth)
{
    const char *start = p;
    struct slice name;

    if (p == w->end || *p != '"')
        return NULL;
    p = parse_string(p + 1, w->end, &name);
    if (!p || w->end - p < 2 || *p != ':' || !is_name(name))
        return NULL;
    enum attributes_kind kind = kind_at(++p, w->end);
    if (object == NONE)
        return parse_value(w, p, NONE, kind, depth);
    size_t nth = w->stack_len - base;
    uint32_t column = guess_column(w, object, nth, kind, name);
    if (column == NONE) {
        column = find_column(w, object, kind, name);
        if (column == NONE)
            return parse_rest(w, start, p, object, kind, depth);
    }
    push_member(w, column);
    return w->no_memory ? NULL : parse_value(w, p, column, kind, depth);
}

/* `p` is behind the brace. */
static const char *parse_object(struct attributes_writer *w, const char *p, uint32_t column,
                                unsigned depth)
{
    size_t base = w->stack_len;

    if (p < w->end && *p == '}') {
        p++;
    } else {
        do {
            p = parse_member(w, p, column, base, depth + 1);
            if (!p || p == w->end || (*p != ',' && *p != '}'))
                return NULL;
        } while (*p++ == ',');
    }
    return column == NONE || end_container(w, column, base) ? p : NULL;
}

/* Elements, recorded as those of `column`; `*fits` is set if they are few enough. */
static const char *parse_elements(struct attributes_writer *w, const char *p, uint32_t column,
                                  unsigned depth, bool *fits)
{
    size_t n = 0;

    do {
        if (p == w->end)
            return NULL;
        enum attributes_kind kind = kind_at(p, w->end);
        uint32_t element = NONE;
        if (column != NONE && n < ELEMENTS_MAX) {
            element = find_column(w, column, kind, SLICE_LITERAL(""));
            if (element != NONE)
                push_member(w, element);
        }
        *fits &= element != NONE;
        n++;
        p = parse_value(w, p, element, kind, depth);
        if (!p || p == w->end || (*p != ',' && *p != ']'))
            return NULL;
    } while (*p++ == ',');
    return p;
}

/* `p` is behind the bracket. */
static const char *parse_array(struct attributes_writer *w, const char *p, uint32_t column,
                               unsigned depth)
{
    struct mark before = mark(w);
    const char *start = p - 1;
    bool fits = true;

    if (p < w->end && *p == ']')
        p++;
    else
        p = parse_elements(w, p, column, depth + 1, &fits);
    if (!p || column == NONE)
        return p;
    if (fits)
        return end_container(w, column, before.stack_len) ? p : NULL;
    /* As text, in the place of the member that was pushed for it as an array. */
    uint32_t raw =
        find_column(w, w->columns[column].parent, ATTRIBUTES_RAW, w->columns[column].name);
    undo(w, before);
    if (raw == NONE)
        return NULL;
    w->stack[w->stack_len - 1] = raw;
    add_value(w, raw, NONE, slice_of(start, (size_t)(p - start)));
    return p;
}

static const char *parse_value(struct attributes_writer *w, const char *p, uint32_t column,
                               enum attributes_kind kind, unsigned depth)
{
    struct slice text;
    const char *start = p;

    if (depth == ATTRIBUTES_DEPTH_MAX)
        return NULL;
    switch (kind) {
    case ATTRIBUTES_OBJECT:
        return parse_object(w, p + 1, column, depth);
    case ATTRIBUTES_ARRAY:
        return parse_array(w, p + 1, column, depth);
    case ATTRIBUTES_STRING:
        p = parse_string(p + 1, w->end, &text);
        if (p)
            add_value(w, column, NONE, text);
        return p;
    case ATTRIBUTES_LITERAL:
        p = parse_literal(p, w->end);
        break;
    default:
        p = parse_number(p, w->end);
    }
    if (p)
        add_value(w, column, NONE, slice_of(start, (size_t)(p - start)));
    return p;
}

/* Takes a log's attributes apart; false: they are a text. */
static bool parse(struct attributes_writer *w, struct slice text)
{
    struct mark before = mark(w);
    const char *p;

    w->end = text.data + text.len;
    if (text.data[0] == '{') {
        p = parse_object(w, text.data + 1, 0, 0);
        if (p == w->end)
            return true;
    }
    undo(w, before);
    return false;
}

/* ---- Gathering ---- */

static bool begin(struct attributes_writer *w, size_t n)
{
    memset(w->places, 0, sizeof(w->places));
    w->columns_len = w->named_len = w->layouts_len = w->members_len = 0;
    w->stack_len = w->values_len = w->texts_len = 0;
    w->layout_mask = 511;
    w->no_memory = !GROW(w->layout_places, w->layout_places_capacity, w->layout_mask + 1) ||
                   !GROW(w->rows, w->rows_capacity, n) || !GROW(w->texts, w->texts_capacity, n);
    if (w->no_memory)
        return false;
    memset(w->layout_places, 0, (w->layout_mask + 1) * sizeof(*w->layout_places));
    add_column(w, NONE, ATTRIBUTES_OBJECT, SLICE_LITERAL(""), 0, 0);
    return !w->no_memory;
}

/* Counts each column's values, and orders them by it. */
static bool order_values(struct attributes_writer *w)
{
    uint32_t at = 0;

    if (!GROW(w->ordered, w->ordered_capacity, w->values_len))
        return false;
    for (size_t i = 0; i < w->values_len; i++) {
        const struct value *v = &w->values[i];

        w->columns[v->column].len++;
        if (v->layout != NONE && w->layouts[v->layout].len++ == 0)
            w->layouts[v->layout].number = w->columns[v->column].layouts++;
    }
    for (size_t c = 0; c < w->columns_len; c++) {
        w->columns[c].first = at;
        at += w->columns[c].len;
    }
    for (size_t i = 0; i < w->values_len; i++)
        w->ordered[w->columns[w->values[i].column].first++] = w->values[i];
    for (size_t c = 0; c < w->columns_len; c++)
        w->columns[c].first -= w->columns[c].len;
    return true;
}

/* ---- Layouts, written ---- */

/* Whether there are so many orders of members that they are kept apart from which there are. */
static bool is_permuted(const struct attributes_writer *w, const struct column_draft *c,
                        const uint32_t *list)
{
    if (c->kind != ATTRIBUTES_OBJECT || c->layouts <= LAYOUTS_MIN + c->len / 8)
        return false;
    for (uint32_t i = 0; i < c->layouts; i++) {
        const struct layout_draft *l = &w->layouts[list[i]];

        if (l->members_len > ATTRIBUTES_PERMUTED_MAX)
            return false;
        /* A column that is there twice (of members as text) has no order of its own. */
        for (uint32_t k = 0; k < l->members_len; k++)
            if (w->columns[w->members[l->members + k]].kind == ATTRIBUTES_MEMBER)
                return false;
    }
    return true;
}

static void append_layout(struct attributes_writer *w, const struct layout_draft *l)
{
    bytes_append_varint(&w->meta, l->members_len);
    for (uint32_t k = 0; k < l->members_len; k++)
        bytes_append_varint(&w->meta, w->columns[w->members[l->members + k]].number);
}

static uint64_t hash_of_set(const struct attributes_writer *w, const struct layout_draft *l)
{
    uint64_t hash = l->members_len;

    for (uint32_t k = 0; k < l->members_len; k++)
        hash += hash_mix(w->members[l->members + k] + UINT64_C(1));
    return hash_mix(hash);
}

/* The place of a member in a layout; members_len: it is not in it. */
static uint32_t place_in(const struct attributes_writer *w, const struct layout_draft *l,
                         uint32_t member)
{
    uint32_t k = 0;

    while (k < l->members_len && w->members[l->members + k] != member)
        k++;
    return k;
}

static bool is_same_set(const struct attributes_writer *w, const struct layout_draft *a,
                        const struct layout_draft *b)
{
    if (a->members_len != b->members_len)
        return false;
    for (uint32_t k = 0; k < a->members_len; k++)
        if (place_in(w, b, w->members[a->members + k]) == b->members_len)
            return false;
    return true;
}

/*
 * The order of the members of `l`, as those of `set` have another: of each but the last, how many
 * of those that are left are passed from the one before on, around the end.
 */
static void append_order(struct attributes_writer *w, const struct layout_draft *l,
                         const struct layout_draft *set)
{
    uint32_t left[ATTRIBUTES_PERMUTED_MAX] = {0};
    uint32_t n = set->members_len;
    uint32_t at = 0;

    for (uint32_t k = 0; k < n; k++)
        left[k] = w->members[set->members + k];
    CHECK(n == l->members_len && n <= ATTRIBUTES_PERMUTED_MAX);
    for (uint32_t k = 0; n > 1; k++, n--) {
        uint32_t place = 0;

        while (place < n - 1 && left[place] != w->members[l->members + k])
            place++;
        buffer_append_char(&w->order, (char)((place + n - at) % n));
        memmove(left + place, left + place + 1, (n - place - 1) * sizeof(*left));
        at = place % (n - 1);
    }
}

/*
 * Of each layout of a column the first that has the same members, in sets[]; numbers these and
 * appends them. Returns how many there are; 0: no memory.
 */
static uint32_t find_sets(struct attributes_writer *w, const uint32_t *list, uint32_t n,
                          uint32_t *sets, uint32_t *numbers)
{
    size_t mask = 15;
    uint32_t len = 0;

    while (mask < 2 * (size_t)n)
        mask = 2 * mask + 1;
    uint32_t *places = try_malloc((mask + 1) * sizeof(*places));
    if (!places)
        return 0;
    memset(places, 0, (mask + 1) * sizeof(*places));
    for (uint32_t i = 0; i < n; i++) {
        const struct layout_draft *l = &w->layouts[list[i]];
        size_t at = hash_of_set(w, l) & mask;

        while (places[at] && !is_same_set(w, l, &w->layouts[list[places[at] - 1]]))
            at = (at + 1) & mask;
        if (!places[at]) {
            places[at] = i + 1;
            numbers[i] = len++;
            append_layout(w, l);
        }
        sets[i] = places[at] - 1;
    }
    free(places);
    return len;
}

static void put_layouts(struct attributes_writer *w, uint32_t len, bool permuted)
{
    struct stream_writer *streams = w->columns_out->streams;

    if (buffer_error(&w->meta) || buffer_error(&w->order))
        w->no_memory = true;
    bytes_append_varint(&streams->directory, (uint64_t)len << 1 | permuted);
    stream_put(streams, buffer_slice(&w->meta), SECTION_TEXT);
}

static void write_permuted(struct attributes_writer *w, const struct column_draft *c,
                           const uint32_t *list)
{
    uint32_t *sets = try_malloc(2 * c->layouts * sizeof(*sets));
    uint32_t *numbers = sets ? sets + c->layouts : NULL;
    uint32_t len = sets ? find_sets(w, list, c->layouts, sets, numbers) : 0;

    if (len == 0) {
        w->no_memory = true;
        free(sets);
        return;
    }
    for (uint32_t i = 0; i < c->len; i++) {
        const struct layout_draft *l = &w->layouts[w->ordered[c->first + i].layout];
        uint32_t set = sets[l->number];

        w->codes[i] = numbers[set];
        append_order(w, l, &w->layouts[list[set]]);
    }
    put_layouts(w, len, true);
    numbers_write(&w->columns_out->numbers, w->codes, c->len, false);
    stream_put(w->columns_out->streams, buffer_slice(&w->order), SECTION_NUMBERS);
    free(sets);
}

static void write_container(struct attributes_writer *w, const struct column_draft *c,
                            const uint32_t *list)
{
    buffer_clear(&w->meta);
    buffer_clear(&w->order);
    if (!GROW(w->codes, w->codes_capacity, c->len)) {
        w->no_memory = true;
        return;
    }
    if (is_permuted(w, c, list)) {
        write_permuted(w, c, list);
        return;
    }
    for (uint32_t i = 0; i < c->layouts; i++)
        append_layout(w, &w->layouts[list[i]]);
    for (uint32_t i = 0; i < c->len; i++)
        w->codes[i] = w->layouts[w->ordered[c->first + i].layout].number;
    put_layouts(w, c->layouts, false);
    numbers_write(&w->columns_out->numbers, w->codes, c->len, false);
}

/* ---- Writing ---- */

/* Makes w->path that of a column, its names as JSON spells them. */
static void put_path(struct attributes_writer *w, const struct column_draft *c)
{
    size_t from[ATTRIBUTES_DEPTH_MAX + 1];
    size_t len = 0;

    for (size_t i = (size_t)(c - w->columns); i > 0 && len <= ATTRIBUTES_DEPTH_MAX;
         i = w->columns[i].parent)
        if (w->columns[w->columns[i].parent].kind == ATTRIBUTES_OBJECT)
            from[len++] = i;
    buffer_clear(&w->path);
    while (len-- > 0) {
        buffer_append_slice(&w->path, w->columns[from[len]].name);
        if (len > 0)
            buffer_append_char(&w->path, '.');
    }
    if (buffer_error(&w->path))
        w->no_memory = true;
}

/* Members of an object with their names: texts that are no column of their own. */
static void add_member_hashes(struct attributes_writer *w, const struct column_draft *c,
                              struct slice text, struct block_hashes *hashes)
{
    if (c->parent != 0) {
        block_hashes_leave_out(hashes);
        return;
    }
    buffer_clear(&w->meta);
    buffer_append_char(&w->meta, '{');
    buffer_append_slice(&w->meta, text);
    buffer_append_char(&w->meta, '}');
    if (buffer_error(&w->meta))
        w->no_memory = true;
    else
        block_hashes_add_object(hashes, buffer_slice(&w->meta));
}

/* The values of an attribute that are in w->texts and were written last. */
static void add_hashes(struct attributes_writer *w, const struct column_draft *c,
                       struct block_hashes *hashes)
{
    const struct column_writer *out = w->columns_out;
    bool is_dictionary = out->kind == COLUMN_DICTIONARY && !template_wrote(w->templates);
    bool is_constant = out->kind == COLUMN_CONSTANT && !template_wrote(w->templates);
    const struct slice *texts = is_dictionary ? out->entries : w->texts;
    size_t n = is_dictionary ? out->entries_len : is_constant ? 1 : c->len;

    if (c->kind == ATTRIBUTES_RAW) {
        block_hashes_leave_out(hashes);
        return;
    }
    put_path(w, c);
    for (size_t i = 0; i < n && !w->no_memory; i++) {
        if (c->kind == ATTRIBUTES_MEMBER)
            add_member_hashes(w, c, texts[i], hashes);
        else
            block_hashes_add_value(hashes, buffer_slice(&w->path), texts[i],
                                   c->kind == ATTRIBUTES_STRING);
    }
}

static void write_texts(struct attributes_writer *w, const struct column_draft *c,
                        struct block_hashes *hashes)
{
    if (!GROW(w->texts, w->texts_capacity, c->len)) {
        w->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < c->len; i++)
        w->texts[i] = w->ordered[c->first + i].text;
    template_write(w->templates, w->texts, c->len);
    if (hashes)
        add_hashes(w, c, hashes);
}

/* Layouts of each column, one column after the other; starts[c] is where those of c begin. */
static bool list_layouts(struct attributes_writer *w, uint32_t **list, uint32_t **starts)
{
    uint32_t at = 0;

    *list = try_malloc((w->layouts_len + 1) * sizeof(**list));
    *starts = try_malloc(w->columns_len * sizeof(**starts));
    if (!*list || !*starts)
        return false;
    memset(*list, 0, (w->layouts_len + 1) * sizeof(**list));
    for (size_t c = 0; c < w->columns_len; c++) {
        (*starts)[c] = at;
        at += w->columns[c].layouts;
    }
    for (size_t i = 0; i < w->layouts_len; i++)
        if (w->layouts[i].len > 0)
            (*list)[(*starts)[w->layouts[i].column] + w->layouts[i].number] = (uint32_t)i;
    return true;
}

/* Columns without values, of what was undone, are left out; but the first is always there. */
static void write_names(struct attributes_writer *w)
{
    struct buffer *d = &w->columns_out->streams->directory;
    uint32_t len = 0;

    for (size_t c = 0; c < w->columns_len; c++)
        w->columns[c].number = w->columns[c].len > 0 || c == 0 ? len++ : (uint32_t)NONE;
    bytes_append_varint(d, len);
    for (size_t i = 0; i < w->columns_len; i++) {
        const struct column_draft *c = &w->columns[i];

        if (c->number == NONE)
            continue;
        bytes_append_varint(d, i == 0 ? 0 : w->columns[c->parent].number);
        bytes_append_varint(d, c->kind);
        bytes_append_text(d, c->name);
        bytes_append_varint(d, c->len);
    }
}

static void write_columns(struct attributes_writer *w, struct block_hashes *hashes)
{
    uint32_t *list = NULL, *starts = NULL;
    size_t len = w->columns_len;

    if (list_layouts(w, &list, &starts)) {
        write_names(w);
        for (size_t i = 0; i < len; i++) {
            const struct column_draft *c = &w->columns[i];

            if (c->number == NONE)
                continue;
            if (c->kind == ATTRIBUTES_OBJECT || c->kind == ATTRIBUTES_ARRAY)
                write_container(w, c, list + starts[i]);
            else
                write_texts(w, c, hashes);
        }
    } else {
        w->no_memory = true;
    }
    free(list);
    free(starts);
}

int attributes_writer_write(struct attributes_writer *w, const struct slice *texts, size_t n,
                            struct block_hashes *hashes)
{
    if (!begin(w, n))
        return LM_ENOMEM;
    for (size_t i = 0; i < n && !w->no_memory; i++) {
        if (texts[i].len == 0) {
            w->rows[i] = ATTRIBUTES_NONE;
        } else if (parse(w, texts[i])) {
            w->rows[i] = ATTRIBUTES_TREE;
        } else {
            w->rows[i] = ATTRIBUTES_TEXT;
            if (hashes)
                block_hashes_add_object(hashes, texts[i]);
            w->texts[w->texts_len++] = texts[i];
        }
    }
    if (w->no_memory || !order_values(w))
        return LM_ENOMEM;
    numbers_write(&w->columns_out->numbers, w->rows, n, false);
    bytes_append_varint(&w->columns_out->streams->directory, w->texts_len);
    template_write(w->templates, w->texts, w->texts_len);
    write_columns(w, hashes);
    return w->no_memory ? LM_ENOMEM : 0;
}
