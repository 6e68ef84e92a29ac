/*
 * First everything is read that may be damaged, and gathered; then it is added. Each column of
 * attributes has the values of one path, in which each row has one at most. All rows with anything
 * else go to the others: with arrays, with empty objects, with paths that lie in two columns, that
 * are long, or are spelled with escapes, and what is not taken apart.
 */
#include "block/survey.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/arena.h"
#include "block/internal.h"
#include "block/row_set.h"
#include "block/spelling.h"
#include "query/dictionary.h"
#include "query/number.h"
#include "query/path.h"

enum {
    NUMBERS_NEAR = 1 << 15, /* numbers that are so near to each other are counted by a table */
    PLAIN_INTEGER = 16,     /* shorter ones have one text */
    TEXT_BYTES_MAX = SIZE_MAX / 4, /* a ceiling because every buffer has one */
};

/* A column with values of a field. */
struct part {
    uint32_t number;
    struct slice path;
    const uint64_t *rows;
    const struct survey_value *values; /* of rows that are not the others' */
    size_t len;
};

struct block_surveyor {
    struct arena arena; /* of the last block */
    struct buffer text;
    struct dictionary texts; /* of a column: each different value, by its type … */
    struct buffer counts;    /* … uint32_t: how many rows have it */
};

struct surveying {
    struct block_surveyor *b;
    struct block_reader *r;
    size_t words;
    uint64_t *others;
    uint64_t *rows; /* that are asked for, and are not the others' */
    struct part *parts;
    size_t parts_len;
    struct errbuf *err;
};

/* ---- Life ---- */

struct block_surveyor *block_surveyor_new(void)
{
    struct block_surveyor *b = xcalloc(1, sizeof(*b));

    buffer_init(&b->text, TEXT_BYTES_MAX);
    buffer_init(&b->counts, TEXT_BYTES_MAX);
    dictionary_init(&b->texts);
    return b;
}

void block_surveyor_free(struct block_surveyor *b)
{
    if (!b)
        return;
    buffer_release(&b->text);
    buffer_release(&b->counts);
    dictionary_release(&b->texts);
    arena_release(&b->arena);
    free(b);
}

static int no_memory(struct surveying *g)
{
    errbuf_set(g->err, "no memory for the fields of a block");
    return LM_ENOMEM;
}

static void *take(struct surveying *g, size_t n, size_t size)
{
    return arena_take(&g->b->arena, n * size + 1);
}

static uint64_t *new_set(struct surveying *g, size_t places)
{
    size_t bytes = (ROW_SET_WORDS(places) + 1) * sizeof(uint64_t);
    uint64_t *set = take(g, bytes, 1);

    if (set)
        memset(set, 0, bytes);
    return set;
}

/* ---- Which columns ---- */

/* Whether survey_add goes to the end of any such path, and the column's path is it. */
static bool is_plain_path(struct slice spelled)
{
    size_t dots = 0;

    for (size_t i = 0; i < spelled.len; i++)
        dots += spelled.data[i] == '.';
    return dots + 1 < PATH_NAMES_MAX && spelled.len <= SURVEY_PATH_MAX &&
           !(spelled.len && memchr(spelled.data, '\\', spelled.len));
}

static int spell_path(struct surveying *g, uint32_t number, struct slice *path)
{
    struct buffer *b = &g->b->text;
    char *made;

    buffer_clear(b);
    block_spell_path(g->r, number, b);
    made = buffer_error(b) ? NULL : take(g, b->len, 1);
    if (!made)
        return no_memory(g);
    if (b->len)
        memcpy(made, b->data, b->len);
    *path = slice_of(made, b->len);
    return 0;
}

static int add_scalars(struct surveying *g, uint32_t number)
{
    struct part *part = &g->parts[g->parts_len];
    bool is_single;
    uint64_t *rows;
    int error = block_is_single(g->r, number, &is_single, g->err);

    *part = (struct part){.number = number};
    if (!error)
        error = spell_path(g, number, &part->path);
    if (error)
        return error;
    if (!is_single || !is_plain_path(part->path))
        return block_lift(g->r, number, NULL, g->others, g->err);
    rows = new_set(g, block_rows(g->r));
    part->rows = rows;
    g->parts_len++;
    return rows ? block_lift(g->r, number, NULL, rows, g->err) : no_memory(g);
}

static int add_column(struct surveying *g, uint32_t number)
{
    if (block_values_len(g->r, number) == 0)
        return 0;
    switch (block_share(g->r, number, NULL)) {
    case BLOCK_SCALARS:
        return add_scalars(g, number);
    case BLOCK_APART: /* containers */
        return block_is_array(g->r, number) ? block_lift(g->r, number, NULL, g->others, g->err)
                                            : block_lift_empty(g->r, number, g->others, g->err);
    case BLOCK_CONTAINERS:
    case BLOCK_LONG_ARRAYS:
    case BLOCK_HIDDEN:
        break;
    }
    return block_lift(g->r, number, NULL, g->others, g->err);
}

/* Rows with values of one path in two columns. */
static void find_doubles(struct surveying *g)
{
    for (size_t i = 0; i < g->parts_len; i++)
        for (size_t k = i + 1; k < g->parts_len; k++)
            for (size_t word = 0;
                 word < g->words && slice_equal(g->parts[i].path, g->parts[k].path); word++)
                g->others[word] |= g->parts[i].rows[word] & g->parts[k].rows[word];
}

/* The columns, and which rows they tell of. */
static int divide(struct surveying *g, const uint64_t *rows, uint32_t from, uint32_t to)
{
    uint32_t columns = block_columns_len(g->r);
    int error = block_strange_rows(g->r, g->others, g->err);

    g->parts = take(g, columns, sizeof(*g->parts));
    if (!g->parts)
        return no_memory(g);
    for (uint32_t i = 1; !error && i < columns; i++)
        error = add_column(g, i);
    if (error)
        return error;
    find_doubles(g);
    for (size_t word = 0; word < g->words; word++) {
        uint64_t asked = rows[word];

        if (word < from / 64 || word * 64 >= to)
            asked = 0;
        else if (word == from / 64)
            asked &= UINT64_MAX << from % 64;
        if (asked && to - word * 64 < 64)
            asked &= (UINT64_C(1) << to % 64) - 1;
        g->others[word] &= asked;
        g->rows[word] = asked & ~g->others[word];
    }
    return 0;
}

/* ---- Values of a column ---- */

static int add_text(struct surveying *g, struct slice text, enum log_value_type type, uint32_t logs)
{
    struct block_surveyor *b = g->b;
    size_t len = dictionary_len(&b->texts);
    uint32_t number;
    void *counts;

    if (dictionary_add(&b->texts, text, type, &number))
        return no_memory(g);
    if (number == len) {
        buffer_append(&b->counts, &logs, sizeof(logs));
        return buffer_error(&b->counts) ? no_memory(g) : 0;
    }
    counts = b->counts.data;
    ((uint32_t *)counts)[number] += logs;
    return 0;
}

/* The text at a place as a survey has it: numbers by value, strings by their characters. */
static int add_value(struct surveying *g, const struct block_values *v, struct slice text,
                     uint32_t logs)
{
    struct buffer *b = &g->b->text;
    struct number n;
    char *to;

    switch (v->json) {
    case BLOCK_JSON_NUMBER:
        if ((v->column->kind == COLUMN_INTEGER && text.len < PLAIN_INTEGER) ||
            !number_parse(text, &n))
            return add_text(g, text, LOG_VALUE_NUMBER, logs);
        buffer_clear(b);
        number_append(b, &n);
        return buffer_error(b) ? no_memory(g)
                               : add_text(g, buffer_slice(b), LOG_VALUE_NUMBER, logs);
    case BLOCK_JSON_LITERAL:
        return add_text(g, text,
                        text.len > 0 && text.data[0] == 'n' ? LOG_VALUE_NULL : LOG_VALUE_BOOLEAN,
                        logs);
    case BLOCK_JSON_STRING:
    case BLOCK_JSON_NONE:
        break;
    }
    if (text.len == 0 || !memchr(text.data, '\\', text.len))
        return add_text(g, text, LOG_VALUE_STRING, logs);
    to = take(g, text.len, 1);
    if (!to)
        return no_memory(g);
    return add_text(g, slice_of(to, block_string_read(text, to)), LOG_VALUE_STRING, logs);
}

static int add_place(struct surveying *g, const struct block_values *v, size_t place, uint32_t logs)
{
    char room[COLUMN_ROOM];

    if (v->column->kind == COLUMN_TEMPLATES) {
        /* Built where add_value has no text of its own: strings are not numbers. */
        struct buffer built;
        int error;

        buffer_init(&built, TEXT_BYTES_MAX);
        error = block_column_text(g->r, v->column, place, &built, g->err);
        if (!error)
            error = add_value(g, v, buffer_slice(&built), logs);
        buffer_release(&built);
        return error;
    }
    return add_value(g, v, column_text(v->column, place, room), logs);
}

/* What stands for equal values of a column: a number from 0 to before `*len`; 0: nothing does. */
static size_t sorts_of(const struct column *c)
{
    if (c->kind == COLUMN_CONSTANT)
        return 1;
    if (c->kind == COLUMN_DICTIONARY)
        return c->entries_len;
    if ((c->kind == COLUMN_INTEGER || c->kind == COLUMN_DECIMAL) && c->min <= c->max &&
        (uint64_t)c->max - (uint64_t)c->min < NUMBERS_NEAR)
        return (size_t)((uint64_t)c->max - (uint64_t)c->min) + 1;
    return 0;
}

/* How many of `places` are of each sort, and the last of them. */
struct sorts {
    uint32_t *counts;
    uint32_t *places;
    size_t len;
};

static int count_sorts(struct surveying *g, const struct column *c, const uint64_t *places,
                       struct sorts *s)
{
    const uint64_t base = c->kind == COLUMN_DICTIONARY ? 0 : (uint64_t)c->min;
    const struct numbers numbers = c->numbers; /* which the compiler may keep in registers */

    s->counts = take(g, s->len, sizeof(*s->counts));
    s->places = take(g, s->len, sizeof(*s->places));
    if (!s->counts || !s->places)
        return no_memory(g);
    memset(s->counts, 0, s->len * sizeof(*s->counts));
    for (size_t word = 0; word < ROW_SET_WORDS(c->len); word++) {
        for (uint64_t left = places[word]; left; left &= left - 1) {
            size_t place = word * 64 + (size_t)__builtin_ctzll(left);
            uint64_t sort = c->kind == COLUMN_CONSTANT ? 0 : numbers_get(&numbers, place) - base;

            if (sort >= s->len)
                return errbuf_fail(g->err, LM_EIO, "its numbers are not those of its directory");
            s->counts[sort]++;
            s->places[sort] = (uint32_t)place;
        }
    }
    return 0;
}

static int gather_sorts(struct surveying *g, const struct block_values *v, const uint64_t *places)
{
    struct sorts s = {.len = sorts_of(v->column)};
    int error = count_sorts(g, v->column, places, &s);

    for (size_t i = 0; !error && i < s.len; i++)
        if (s.counts[i] > 0)
            error = add_place(g, v, s.places[i], s.counts[i]);
    return error;
}

static int gather_each(struct surveying *g, const struct block_values *v, const uint64_t *places)
{
    int error = 0;

    for (size_t word = 0; word < ROW_SET_WORDS(v->column->len); word++)
        for (uint64_t left = places[word]; !error && left; left &= left - 1)
            error = add_place(g, v, word * 64 + (size_t)__builtin_ctzll(left), 1);
    return error;
}

/* Copies what was gathered. */
static int keep_values(struct surveying *g, const struct survey_value **kept, size_t *len)
{
    const struct dictionary *d = &g->b->texts;
    const size_t n = dictionary_len(d), bytes = d->texts.len;
    struct survey_value *values = take(g, n, sizeof(*values));
    char *texts = take(g, bytes, 1);
    const void *counts = g->b->counts.data;
    size_t at = 0;

    if (!values || !texts)
        return no_memory(g);
    if (bytes)
        memcpy(texts, d->texts.data, bytes); /* one behind the other, by their numbers */
    for (uint32_t i = 0; i < n; i++) {
        size_t text_len = dictionary_text(d, i).len;

        values[i] = (struct survey_value){.text = slice_of(texts + at, text_len),
                                          .type = (enum log_value_type)dictionary_tag(d, i),
                                          .logs = ((const uint32_t *)counts)[i]};
        at += text_len;
    }
    *kept = values;
    *len = n;
    return 0;
}

static void begin_values(struct surveying *g)
{
    dictionary_clear(&g->b->texts);
    buffer_clear(&g->b->counts);
}

static int gather(struct surveying *g, struct part *part)
{
    struct block_values v;
    uint64_t *places;
    int error = block_scalars(g->r, part->number, &v, g->err);

    if (error)
        return error;
    places = new_set(g, v.column->len);
    if (!places)
        return no_memory(g);
    error = block_lower(g->r, part->number, g->rows, places, g->err);
    begin_values(g);
    if (!error)
        error = sorts_of(v.column) ? gather_sorts(g, &v, places) : gather_each(g, &v, places);
    return error ? error : keep_values(g, &part->values, &part->len);
}

static int gather_levels(struct surveying *g, struct part *part)
{
    const uint16_t *codes;
    const struct slice *levels;
    uint32_t *counts;
    size_t n;
    int error = block_levels(g->r, &codes, &levels, &n, g->err);

    if (error)
        return error;
    counts = take(g, n, sizeof(*counts));
    if (!counts)
        return no_memory(g);
    memset(counts, 0, n * sizeof(*counts));
    for (size_t word = 0; word < g->words; word++)
        for (uint64_t left = g->rows[word]; left; left &= left - 1)
            counts[codes[word * 64 + (size_t)__builtin_ctzll(left)]]++;
    begin_values(g);
    for (size_t i = 0; !error && i < n; i++) {
        if (counts[i] == 0)
            continue;
        buffer_clear(&g->b->text);
        text_append_lower(&g->b->text, levels[i]);
        error = buffer_error(&g->b->text)
                    ? no_memory(g)
                    : add_text(g, buffer_slice(&g->b->text), LOG_VALUE_STRING, counts[i]);
    }
    return error ? error : keep_values(g, &part->values, &part->len);
}

/* ---- The whole ---- */

static int add_all(const struct surveying *g, const struct part *levels, struct survey *s)
{
    uint64_t rows = 0;
    int error;

    for (size_t word = 0; word < g->words; word++)
        rows += (uint64_t)__builtin_popcountll(g->rows[word]);
    survey_add_logs(s, rows);
    error = survey_add_levels(s, levels->values, levels->len);
    for (size_t i = 0; !error && i < g->parts_len; i++)
        error = survey_add_values(s, g->parts[i].path, g->parts[i].values, g->parts[i].len);
    return error;
}

int block_survey(struct block_surveyor *b, struct block_reader *r, const uint64_t *rows,
                 uint32_t from, uint32_t to, struct survey *s, const uint64_t **others,
                 int *survey_error, struct errbuf *err)
{
    struct surveying g = {.b = b, .r = r, .words = BLOCK_ROW_WORDS(block_rows(r)), .err = err};
    struct part levels = {.number = 0};
    int error;

    *survey_error = 0;
    arena_clear(&b->arena);
    g.others = new_set(&g, block_rows(r));
    g.rows = new_set(&g, block_rows(r));
    *others = g.others;
    if (!g.others || !g.rows)
        return no_memory(&g);
    error = divide(&g, rows, from, to);
    if (!error)
        error = gather_levels(&g, &levels);
    for (size_t i = 0; !error && i < g.parts_len; i++)
        error = gather(&g, &g.parts[i]);
    if (!error)
        *survey_error = error = add_all(&g, &levels, s);
    return error;
}
