/*
 * What is at the path of an attribute may lie in several columns, one for each kind of value, and
 * each has a *part* of the rows: those that have a value in it, which is one at most, in the order
 * of the rows. Rows with values in two parts, or with several in one, are the others'.
 */
#include "block/batch.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "block/arena.h"
#include "block/internal.h"
#include "block/row_set.h"
#include "block/spelling.h"
#include "query/path.h"
#include "query/pattern.h"
#include "json/writer.h"

enum {
    TEXT_BYTES_MAX = SIZE_MAX / 4, /* a ceiling because every buffer has one */
    FEW_NUMBERS = 1024,            /* a column whose numbers are so near to each other has codes */
    JSON_QUOTES = 2,
};

static const int64_t TENS[LOG_DECIMALS_MAX + 1] = {
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

/* A column of attributes that has values of a field. */
struct part {
    bool is_object; /* objects, of which there is nothing to be told but that; else: */
    struct block_values values;
    const uint64_t *rows;
    bool is_each; /* all rows have one */
};

struct parts {
    struct part *items;
    size_t len;
};

struct block_batcher {
    struct log_fields fields;
    struct block_path paths[LOG_FIELDS_MAX];
    bool is_odd[LOG_FIELDS_MAX]; /* its path may be spelled in another way, too */
    struct buffer spelled;       /* which the paths point into */
    bool asks_attributes;
    struct arena arena; /* of the last batch, as are: */
    struct buffer text;
    struct parts parts[LOG_FIELDS_MAX];
    struct log_column columns[LOG_FIELDS_MAX];
};

/* ---- Life ---- */

static bool holds(struct slice s, const char *part)
{
    return memmem(s.data, s.len, part, strlen(part));
}

static bool is_odd(struct slice spelled)
{
    return holds(spelled, "\\u007f") || holds(spelled, "\\ufffe") || holds(spelled, "\\uffff");
}

/* A path with so many dots is a name. */
static bool is_name(struct slice path)
{
    size_t dots = 0;

    for (size_t i = 0; i < path.len; i++)
        dots += path.data[i] == '.';
    return dots >= PATH_NAMES_MAX;
}

static int spell_paths(struct block_batcher *b)
{
    size_t ends[LOG_FIELDS_MAX] = {0}, start = 0;

    for (size_t i = 0; i < b->fields.len; i++) {
        if (b->fields.items[i].kind == LOG_FIELD_ATTRIBUTE)
            json_append_string(&b->spelled, b->fields.items[i].path);
        ends[i] = b->spelled.len;
    }
    if (buffer_error(&b->spelled))
        return LM_ENOMEM;
    for (size_t i = 0; i < b->fields.len; start = ends[i++]) {
        if (b->fields.items[i].kind != LOG_FIELD_ATTRIBUTE)
            continue;
        b->paths[i].spelled = slice_of(b->spelled.data + start + 1, ends[i] - start - JSON_QUOTES);
        b->paths[i].is_name = is_name(b->fields.items[i].path);
        b->is_odd[i] = is_odd(b->paths[i].spelled);
        b->asks_attributes = true;
    }
    return 0;
}

struct block_batcher *block_batcher_new(const struct log_fields *fields)
{
    struct block_batcher *b = xcalloc(1, sizeof(*b));

    b->fields = *fields;
    buffer_init(&b->spelled, TEXT_BYTES_MAX);
    buffer_init(&b->text, TEXT_BYTES_MAX);
    if (spell_paths(b)) {
        block_batcher_free(b);
        return NULL;
    }
    return b;
}

void block_batcher_free(struct block_batcher *b)
{
    if (!b)
        return;
    buffer_release(&b->spelled);
    buffer_release(&b->text);
    arena_release(&b->arena);
    free(b);
}

size_t block_batcher_memory(const struct block_batcher *b)
{
    return b->arena.memory + b->text.capacity;
}

/* ---- A block ---- */

/* What is asked about it. */
struct batching {
    struct block_batcher *b;
    struct block_reader *r;
    size_t words;     /* of a set of its rows */
    uint64_t *others; /* block_batched.others */
    uint32_t *rows;   /* those of the batch, the last one first */
    size_t n;
    struct errbuf *err;
};

static void *take(struct batching *g, size_t n, size_t size)
{
    return arena_take(&g->b->arena, n * size + 1);
}

static uint64_t *new_set(struct batching *g)
{
    uint64_t *set = take(g, g->words + 1, sizeof(*set));

    if (set)
        memset(set, 0, (g->words + 1) * sizeof(*set));
    return set;
}

static int no_memory(struct batching *g)
{
    errbuf_set(g->err, "no memory for the fields of a block");
    return LM_ENOMEM;
}

/* ---- Which parts there are ---- */

static int add_to_others(struct batching *g, uint32_t number)
{
    return block_lift(g->r, number, NULL, g->others, g->err);
}

/* The rows of a column, which go to the others if they have several values of it. */
static int add_part(struct batching *g, struct parts *parts, uint32_t number, bool is_object)
{
    struct part *part = &parts->items[parts->len];
    uint64_t *rows;
    bool is_single;
    int error = block_is_single(g->r, number, &is_single, g->err);

    if (error || !is_single)
        return error ? error : add_to_others(g, number);
    rows = new_set(g);
    if (!rows)
        return no_memory(g);
    error = block_lift(g->r, number, NULL, rows, g->err);
    if (!error && !is_object)
        error = block_scalars(g->r, number, &part->values, g->err);
    if (error)
        return error;
    part->is_object = is_object;
    part->rows = rows;
    part->is_each = block_values_len(g->r, number) == block_rows(g->r);
    parts->len++;
    return 0;
}

static int add_column(struct batching *g, struct parts *parts, uint32_t number,
                      enum block_share share)
{
    switch (share) {
    case BLOCK_APART:
        return 0;
    case BLOCK_SCALARS:
        return add_part(g, parts, number, false);
    case BLOCK_CONTAINERS:
        /* What is in arrays has columns of its own; only of an empty one there is something. */
        return block_is_array(g->r, number) ? block_lift_empty(g->r, number, g->others, g->err)
                                            : add_part(g, parts, number, true);
    case BLOCK_LONG_ARRAYS:
    case BLOCK_HIDDEN:
        break;
    }
    return add_to_others(g, number);
}

/* Rows with a value in more than one part. */
static void find_doubles(struct batching *g, const struct parts *parts)
{
    for (size_t word = 0; word < g->words; word++) {
        uint64_t met = 0;

        for (size_t i = 0; i < parts->len; i++) {
            g->others[word] |= met & parts->items[i].rows[word];
            met |= parts->items[i].rows[word];
        }
    }
}

static int find_parts(struct batching *g, size_t field)
{
    struct parts *parts = &g->b->parts[field];
    uint32_t columns = block_columns_len(g->r);
    size_t n = 0;
    int error = 0;

    for (uint32_t i = 0; i < columns; i++)
        n += block_share(g->r, i, &g->b->paths[field]) != BLOCK_APART;
    *parts = (struct parts){.items = take(g, n, sizeof(struct part))};
    if (!parts->items)
        return no_memory(g);
    for (uint32_t i = 0; !error && n > 0 && i < columns; i++)
        error = add_column(g, parts, i, block_share(g->r, i, &g->b->paths[field]));
    if (parts->len > 1)
        find_doubles(g, parts);
    return error;
}

/* The parts of all fields, and the rows that are the others'. */
static int divide(struct batching *g)
{
    struct block_batcher *b = g->b;
    int error = b->asks_attributes ? block_strange_rows(g->r, g->others, g->err) : 0;

    for (size_t i = 0; !error && i < b->fields.len; i++) {
        if (b->is_odd[i])
            row_set_fill(g->others, block_rows(g->r));
        else if (b->fields.items[i].kind == LOG_FIELD_ATTRIBUTE)
            error = find_parts(g, i);
    }
    return error;
}

/* The rows of the batch; of the others those that are asked for. */
static int take_rows(struct batching *g, const uint64_t *rows, uint32_t from, uint32_t to,
                     bool *any_others)
{
    uint64_t any = 0;

    g->rows = take(g, to - from, sizeof(*g->rows));
    if (!g->rows)
        return no_memory(g);
    for (size_t word = g->words; word-- > 0;) {
        uint64_t asked = rows[word];

        if (word < from / 64 || word * 64 >= to)
            asked = 0;
        else if (word == from / 64)
            asked &= UINT64_MAX << from % 64;
        if (asked && to - word * 64 < 64)
            asked &= (UINT64_C(1) << to % 64) - 1;
        g->others[word] &= asked;
        any |= g->others[word];
        for (uint64_t left = asked & ~g->others[word]; left;) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(left);

            g->rows[g->n++] = (uint32_t)(word * 64 + bit);
            left ^= UINT64_C(1) << bit;
        }
    }
    *any_others = any != 0;
    return 0;
}

/* ---- Places ---- */

/* Calls `put` for each row of the batch that has a value of the part: its place among the rows of
 * the batch, and that of its value in the column. */
typedef int put_fn(struct batching *g, size_t at, size_t place, void *ctx);

static int for_each_value(struct batching *g, const struct part *part, put_fn *put, void *ctx)
{
    size_t word = 0, before = 0; /* values in the words before */
    int error = 0;

    for (size_t at = g->n; !error && at-- > 0;) {
        size_t row = g->rows[at];

        if (part->is_each) {
            error = put(g, at, row, ctx);
            continue;
        }
        for (; word < row / 64; word++)
            before += (size_t)__builtin_popcountll(part->rows[word]);
        uint64_t below = (UINT64_C(1) << row % 64) - 1;
        if (row_set_has(part->rows, row))
            error =
                put(g, at, before + (size_t)__builtin_popcountll(part->rows[word] & below), ctx);
    }
    return error;
}

/* ---- Columns of codes ---- */

struct coding {
    struct log_value *values;
    uint32_t values_len, values_capacity;
    uint32_t *codes;
    const struct block_values *from;
    const struct column *column;
    uint32_t base; /* codes of the part begin here */
};

static int begin_codes(struct batching *g, struct coding *c)
{
    c->codes = take(g, g->n, sizeof(*c->codes));
    if (!c->codes)
        return no_memory(g);
    memset(c->codes, 0xff, g->n * sizeof(*c->codes));
    return 0;
}

static int reserve_values(struct batching *g, struct coding *c, size_t more)
{
    size_t capacity = c->values_len + more;
    struct log_value *values;

    if (c->values && capacity <= c->values_capacity)
        return 0;
    values = take(g, capacity, sizeof(*values));
    if (!values || capacity >= LOG_CODE_LIST)
        return no_memory(g);
    if (c->values && c->values_len)
        memcpy(values, c->values, c->values_len * sizeof(*values));
    c->values = values;
    c->values_capacity = (uint32_t)capacity;
    return 0;
}

static void end_codes(const struct coding *c, struct log_column *column)
{
    *column =
        (struct log_column){.values = c->values, .values_len = c->values_len, .codes = c->codes};
}

static int copy(struct batching *g, struct slice *text)
{
    char *made = take(g, text->len, 1);

    if (!made)
        return no_memory(g);
    if (text->len)
        memcpy(made, text->data, text->len);
    *text = slice_of(made, text->len);
    return 0;
}

/* The characters of a JSON string without its quotes. */
static int undo_escapes(struct batching *g, struct slice *text)
{
    char *made;

    if (!memchr(text->data, '\\', text->len))
        return 0;
    made = take(g, text->len, 1);
    if (!made)
        return no_memory(g);
    *text = slice_of(made, block_string_read(*text, made));
    return 0;
}

/* `text`, which is in `v`, becomes the next value; it is a view of `room` or of the block. */
static int add_value(struct batching *g, struct coding *c, struct slice text, const char *room)
{
    struct log_value *value = &c->values[c->values_len];
    int error = 0;

    value->type = !c->from                              ? LOG_VALUE_STRING
                  : c->from->json == BLOCK_JSON_NUMBER  ? LOG_VALUE_NUMBER
                  : c->from->json == BLOCK_JSON_LITERAL ? LOG_VALUE_BOOLEAN
                                                        : LOG_VALUE_STRING;
    if (value->type == LOG_VALUE_BOOLEAN && text.len > 0 && text.data[0] == 'n')
        value->type = LOG_VALUE_NULL;
    if (room && text.data >= room && text.data < room + COLUMN_ROOM)
        error = copy(g, &text);
    if (!error && c->from && c->from->json == BLOCK_JSON_STRING && text.len > 0)
        error = undo_escapes(g, &text);
    value->text = text;
    c->values_len++;
    return error;
}

/* Of a dictionary or a constant the entries are the values. */
static int add_entries(struct batching *g, struct coding *c)
{
    int error = reserve_values(g, c, c->column->entries_len);

    c->base = c->values_len;
    for (uint32_t i = 0; !error && i < c->column->entries_len; i++)
        error = add_value(g, c, c->column->entries[i], NULL);
    return error;
}

static int put_entry(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct coding *c = ctx;

    (void)g;
    c->codes[at] = c->base + (c->column->kind == COLUMN_CONSTANT
                                  ? 0
                                  : (uint32_t)numbers_get(&c->column->numbers, place));
    return 0;
}

/* The same of all rows that are asked for, if they are most of the block's. */
static int put_all_entries(struct batching *g, struct coding *c)
{
    uint64_t *numbers = take(g, block_rows(g->r), sizeof(*numbers));

    if (!numbers)
        return no_memory(g);
    numbers_copy(&c->column->numbers, numbers);
    for (size_t at = 0; at < g->n; at++)
        c->codes[at] = c->base + (uint32_t)numbers[g->rows[at]];
    return 0;
}

/* Numbers that are near to each other: each has a code once it is met. */
struct near {
    struct coding *coding;
    uint32_t *codes; /* of each number from column->min on; LOG_CODE_NONE: not met */
};

static int put_near(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct near *n = ctx;
    struct coding *c = n->coding;
    int64_t number = (int64_t)numbers_get(&c->column->numbers, place);
    uint64_t nth = (uint64_t)number - (uint64_t)c->column->min;
    char room[COLUMN_ROOM];
    int error = 0;

    if (nth > FEW_NUMBERS)
        return errbuf_fail(g->err, LM_EIO, "its numbers are not those of its directory");
    if (n->codes[nth] == LOG_CODE_NONE) {
        n->codes[nth] = c->values_len;
        error = add_value(g, c, column_text(c->column, place, room), room);
    }
    c->codes[at] = n->codes[nth];
    return error;
}

static int put_text(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct coding *c = ctx;
    char room[COLUMN_ROOM];

    c->codes[at] = c->values_len;
    return add_value(g, c, column_text(c->column, place, room), room);
}

static bool has_numbers(const struct column *c)
{
    return c->kind == COLUMN_INTEGER || c->kind == COLUMN_DECIMAL;
}

static bool are_near(const struct column *c)
{
    return has_numbers(c) && (uint64_t)c->max - (uint64_t)c->min <= FEW_NUMBERS;
}

static int put_near_numbers(struct batching *g, const struct part *part, struct coding *c)
{
    struct near n = {.coding = c};
    int error = reserve_values(g, c, FEW_NUMBERS + 1);

    n.codes = take(g, FEW_NUMBERS + 1, sizeof(*n.codes));
    if (error || !n.codes)
        return no_memory(g);
    memset(n.codes, 0xff, (FEW_NUMBERS + 1) * sizeof(*n.codes));
    return for_each_value(g, part, put_near, &n);
}

/* ---- Columns of templates ---- */

/* The text at a place of a column of templates. */
static int build_text(struct batching *g, const struct column *column, size_t place,
                      struct slice *text)
{
    int error = block_column_text(g->r, column, place, &g->b->text, g->err);

    *text = buffer_slice(&g->b->text);
    return error ? error : copy(g, text);
}

static int put_built(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct coding *c = ctx;
    struct slice text;
    int error = build_text(g, c->column, place, &text);

    c->codes[at] = c->values_len;
    return error ? error : add_value(g, c, text, NULL);
}

/* ---- One part ---- */

static int put_object(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct coding *c = ctx;

    (void)g;
    (void)place;
    c->codes[at] = c->base;
    return 0;
}

static int put_objects(struct batching *g, const struct part *part, struct coding *c)
{
    int error = reserve_values(g, c, 1);

    if (error)
        return error;
    c->base = c->values_len;
    c->values[c->values_len++] =
        (struct log_value){.text = SLICE_LITERAL("{…}"), .type = LOG_VALUE_OBJECT};
    return for_each_value(g, part, put_object, c);
}

static int put_column(struct batching *g, const struct part *part, struct coding *c)
{
    int error;

    if (c->column->kind == COLUMN_CONSTANT || c->column->kind == COLUMN_DICTIONARY) {
        bool is_most = part->is_each && g->n > block_rows(g->r) / 2;

        error = add_entries(g, c);
        if (error)
            return error;
        return is_most && c->column->kind == COLUMN_DICTIONARY
                   ? put_all_entries(g, c)
                   : for_each_value(g, part, put_entry, c);
    }
    if (are_near(c->column))
        return put_near_numbers(g, part, c);
    error = reserve_values(g, c, g->n);
    if (!error)
        error =
            for_each_value(g, part, c->column->kind == COLUMN_TEMPLATES ? put_built : put_text, c);
    return error;
}

static int put_part(struct batching *g, const struct part *part, struct coding *c)
{
    if (part->is_object)
        return put_objects(g, part, c);
    c->from = &part->values;
    c->column = part->values.column;
    return put_column(g, part, c);
}

/* ---- Numbers without texts ---- */

/*
 * Whether the field is to be handed out as integers: all of it is numbers, of which many are
 * different. What they would be as texts has to be what integers stand for: numbers count by their
 * value, strings by their characters.
 */
static bool are_integers(const struct parts *parts, unsigned *decimals)
{
    *decimals = 0;
    for (size_t i = 0; i < parts->len; i++) {
        const struct part *p = &parts->items[i];
        const struct column *c = p->values.column;

        if (p->is_object || !has_numbers(c) || p->values.json == BLOCK_JSON_LITERAL ||
            (parts->len == 1 && are_near(c)))
            return false;
        if (p->values.json == BLOCK_JSON_STRING &&
            (parts->len > 1 || c->digits > 0 || (c->kind == COLUMN_DECIMAL && c->least < c->scale)))
            return false;
        if (c->kind == COLUMN_DECIMAL && c->scale > *decimals)
            *decimals = c->scale;
    }
    return parts->len > 0 && *decimals <= LOG_DECIMALS_MAX;
}

/* Whether all of a column can be multiplied so. */
static bool fits(const struct column *c, int64_t factor)
{
    return c->max <= INT64_MAX / factor && c->min >= INT64_MIN / factor;
}

struct numbering {
    int64_t *integers;
    uint64_t *has;
    const struct numbers *numbers;
    uint64_t factor;
};

static int put_number(struct batching *g, size_t at, size_t place, void *ctx)
{
    struct numbering *n = ctx;

    (void)g;
    n->integers[at] = (int64_t)(numbers_get(n->numbers, place) * n->factor);
    row_set_add(n->has, at);
    return 0;
}

/* `*done`: it could be. */
static int put_integers(struct batching *g, const struct parts *parts, struct log_column *column,
                        bool *done)
{
    struct numbering n = {.integers = NULL};
    unsigned decimals;
    int error = 0;

    *done = are_integers(parts, &decimals);
    for (size_t i = 0; *done && i < parts->len; i++) {
        const struct column *c = parts->items[i].values.column;
        unsigned scale = c->kind == COLUMN_DECIMAL ? c->scale : 0;

        *done = fits(c, TENS[decimals - scale]);
    }
    if (!*done)
        return 0;
    n.integers = take(g, g->n, sizeof(*n.integers));
    n.has = take(g, g->n / 64 + 1, sizeof(*n.has));
    if (!n.integers || !n.has)
        return no_memory(g);
    memset(n.integers, 0, g->n * sizeof(*n.integers));
    memset(n.has, 0, (g->n / 64 + 1) * sizeof(*n.has));
    for (size_t i = 0; !error && i < parts->len; i++) {
        const struct column *c = parts->items[i].values.column;
        unsigned scale = c->kind == COLUMN_DECIMAL ? c->scale : 0;

        n.numbers = &c->numbers;
        n.factor = (uint64_t)TENS[decimals - scale];
        error = for_each_value(g, &parts->items[i], put_number, &n);
    }
    *column = (struct log_column){
        .integers = n.integers,
        .has = n.has,
        .decimals = decimals,
        .type =
            parts->items[0].values.json == BLOCK_JSON_STRING ? LOG_VALUE_STRING : LOG_VALUE_NUMBER,
    };
    return error;
}

/* ---- Fields ---- */

static int put_attribute(struct batching *g, size_t field)
{
    const struct parts *parts = &g->b->parts[field];
    struct coding c = {.values = NULL};
    bool done;
    int error = put_integers(g, parts, &g->b->columns[field], &done);

    if (error || done)
        return error;
    error = begin_codes(g, &c);
    for (size_t i = 0; !error && i < parts->len; i++)
        error = put_part(g, &parts->items[i], &c);
    end_codes(&c, &g->b->columns[field]);
    return error;
}

static int put_level(struct batching *g, size_t field)
{
    struct coding c = {.values = NULL};
    const uint16_t *codes;
    const struct slice *levels;
    size_t n;
    int error = block_levels(g->r, &codes, &levels, &n, g->err);

    if (!error)
        error = begin_codes(g, &c);
    if (!error)
        error = reserve_values(g, &c, n);
    for (size_t i = 0; !error && i < n; i++)
        error = add_value(g, &c, levels[i], NULL);
    for (size_t at = 0; !error && at < g->n; at++)
        c.codes[at] = codes[g->rows[at]];
    end_codes(&c, &g->b->columns[field]);
    return error;
}

static int put_message(struct batching *g, size_t field)
{
    struct coding c = {.values = NULL};
    struct part part = {.is_each = true};
    int error = block_messages(g->r, &c.column, g->err);

    if (!error)
        error = begin_codes(g, &c);
    if (!error)
        error = put_column(g, &part, &c);
    end_codes(&c, &g->b->columns[field]);
    return error;
}

/* ---- Patterns ---- */

/* A message's pattern becomes the next value, and the message its example. */
static int add_pattern(struct batching *g, struct coding *c, struct slice *examples,
                       struct slice message)
{
    struct buffer *b = &g->b->text;
    struct slice pattern;
    int error;

    buffer_clear(b);
    pattern_append(b, message);
    pattern = buffer_slice(b);
    error = buffer_error(b) ? no_memory(g) : copy(g, &pattern);
    examples[c->values_len] = utf8_cut(message, LOG_EXAMPLE_BYTES_MAX);
    return error ? error : add_value(g, c, pattern, NULL);
}

/* What stands for a pattern in a column: a template, an entry, or a row of its own. */
static uint32_t find_sort(const struct column *c, size_t row, uint32_t sorts)
{
    const struct templates *t = c->templates;

    if (c->kind == COLUMN_DICTIONARY)
        return (uint32_t)numbers_get(&c->numbers, row);
    if (c->kind == COLUMN_CONSTANT)
        return 0;
    if (c->kind != COLUMN_TEMPLATES)
        return sorts;

    const struct template *of = &t->templates[t->codes[row]];
    bool is_any = of->slots == 1 && of->pieces[0].len == 0 && of->pieces[1].len == 0;

    return is_any ? sorts : t->codes[row];
}

static uint32_t count_sorts(const struct column *c)
{
    return c->kind == COLUMN_TEMPLATES    ? c->templates->templates_len
           : c->kind == COLUMN_DICTIONARY ? c->entries_len
           : c->kind == COLUMN_CONSTANT   ? 1
                                          : 0;
}

static int pattern_of_row(struct batching *g, struct coding *c, struct slice *examples, size_t row)
{
    char room[COLUMN_ROOM];
    struct slice message;
    int error = 0;

    if (c->column->kind == COLUMN_TEMPLATES) {
        error = build_text(g, c->column, row, &message);
    } else {
        message = column_text(c->column, row, room);
        error = copy(g, &message);
    }
    return error ? error : add_pattern(g, c, examples, message);
}

static int put_patterns(struct batching *g, size_t field)
{
    struct coding c = {.values = NULL};
    struct slice *examples = take(g, g->n, sizeof(*examples));
    uint32_t sorts = 0, *met = NULL;
    int error = block_messages(g->r, &c.column, g->err);

    if (!error && c.column->kind == COLUMN_TEMPLATES)
        error = block_codes(g->r, c.column->templates, g->err);
    if (!error)
        error = begin_codes(g, &c);
    if (!error)
        error = reserve_values(g, &c, g->n);
    if (!error) {
        sorts = count_sorts(c.column);
        met = take(g, sorts, sizeof(*met));
    }
    if (!error && (!met || !examples))
        error = no_memory(g);
    if (error)
        return error;
    memset(met, 0xff, sorts * sizeof(*met));
    for (size_t at = 0; !error && at < g->n; at++) {
        uint32_t sort = find_sort(c.column, g->rows[at], sorts);

        if (sort < sorts && met[sort] != LOG_CODE_NONE) {
            c.codes[at] = met[sort];
            continue;
        }
        c.codes[at] = c.values_len;
        if (sort < sorts)
            met[sort] = c.values_len;
        error = pattern_of_row(g, &c, examples, g->rows[at]);
    }
    end_codes(&c, &g->b->columns[field]);
    g->b->columns[field].examples = examples;
    return error;
}

/* ---- All fields ---- */

static int put_field(struct batching *g, size_t i)
{
    struct coding c = {.values = NULL};
    int error;

    switch (g->b->fields.items[i].kind) {
    case LOG_FIELD_MESSAGE:
        return put_message(g, i);
    case LOG_FIELD_PATTERN:
        return put_patterns(g, i);
    case LOG_FIELD_LEVEL:
        return put_level(g, i);
    case LOG_FIELD_ATTRIBUTE:
        return put_attribute(g, i);
    case LOG_FIELD_TIMESTAMP:
        break;
    }
    error = begin_codes(g, &c);
    end_codes(&c, &g->b->columns[i]);
    return error;
}

static int64_t bucket_of(const struct log_fields *f, int64_t time_us)
{
    int64_t us = time_us - f->bucket_from_us;

    return us / f->bucket_us - (us % f->bucket_us < 0);
}

static int put_times(struct batching *g, const struct log_fields *f, struct log_batch *batch)
{
    const struct block_head *head = block_head_of(g->r);
    const int64_t *times = NULL;
    int64_t *made;
    int error = 0;

    if (f->any_time)
        return 0;
    made = take(g, g->n, sizeof(*made));
    if (!made)
        return no_memory(g);
    if (!f->bucket_us ||
        bucket_of(f, head->first.timestamp_us) != bucket_of(f, head->last.timestamp_us))
        error = block_times(g->r, &times, g->err);
    for (size_t at = 0; !error && at < g->n; at++)
        made[at] = times ? times[g->rows[at]] : head->first.timestamp_us;
    batch->times_us = made;
    return error;
}

int block_batch(struct block_batcher *b, struct block_reader *r, const uint64_t *rows,
                uint32_t from, uint32_t to, struct block_batched *batched, struct errbuf *err)
{
    struct batching g = {.b = b, .r = r, .words = BLOCK_ROW_WORDS(block_rows(r)), .err = err};
    int error;

    arena_clear(&b->arena);
    *batched = (struct block_batched){.others = NULL};
    g.others = new_set(&g);
    if (!g.others)
        return no_memory(&g);
    error = divide(&g);
    if (!error)
        error = take_rows(&g, rows, from, to, &batched->any_others);
    for (size_t i = 0; !error && g.n > 0 && i < b->fields.len; i++)
        error = put_field(&g, i);
    if (!error && g.n > 0)
        error = put_times(&g, &b->fields, &batched->batch);
    batched->batch.rows = g.n;
    batched->batch.columns = b->columns;
    batched->others = g.others;
    return error;
}
