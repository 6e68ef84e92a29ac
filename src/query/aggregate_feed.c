/* From batches to groups; merging. */
#include "query/aggregate.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "query/aggregate_table.h"
#include "query/number.h"

enum {
    CACHE_MIN = 1024,      /* cells that are found by codes alone … */
    CACHE_ROWS_FACTOR = 4, /* … or so many for each row */
    CANONICAL_MAX = 1 << 30,
};

/* ---- Life ---- */

static unsigned asked_by(enum aggregate_op op, enum log_field_kind kind)
{
    if (kind == LOG_FIELD_TIMESTAMP)
        return MEASURE_TIMES;
    if (op == AGGREGATE_QUANTILE)
        return MEASURE_QUANTILES;
    if (op == AGGREGATE_DISTINCT)
        return MEASURE_DISTINCT;
    if (op == AGGREGATE_LEVELS)
        return MEASURE_LEVELS;
    if (op == AGGREGATE_EXAMPLE)
        return MEASURE_EXAMPLE;
    return op == AGGREGATE_COUNT ? 0 : MEASURE_NUMBERS;
}

static void plan_measures(struct aggregate *a)
{
    bool needs_times = false;

    for (size_t i = 0; i < a->spec.values_len; i++) {
        const struct aggregate_value *v = &a->spec.values[i];
        struct measured_field *m;
        size_t k;

        if (v->field == AGGREGATE_NO_FIELD)
            continue;
        k = aggregate_measure_of(a, i);
        if (k == a->measured_len)
            a->measured[a->measured_len++] = (struct measured_field){.field = v->field};
        m = &a->measured[k];
        m->asked |= asked_by(v->op, a->spec.fields.items[v->field].kind);
        needs_times |= m->asked == MEASURE_TIMES;
    }
    a->spec.fields.bucket_us = needs_times ? 0 : a->spec.bucket_us;
    a->spec.fields.bucket_from_us = a->spec.bucket_from_us;
    a->spec.fields.any_time = !needs_times && !a->spec.bucket_us;
}

static void copy_paths(struct aggregate *a)
{
    size_t len = 0;

    for (size_t i = 0; i < a->spec.fields.len; i++)
        len += a->spec.fields.items[i].path.len;
    a->paths = xmalloc(len + 1);
    len = 0;
    for (size_t i = 0; i < a->spec.fields.len; i++) {
        struct slice *path = &a->spec.fields.items[i].path;

        if (path->len)
            memcpy(a->paths + len, path->data, path->len);
        path->data = a->paths + len;
        len += path->len;
    }
}

struct aggregate *aggregate_new(const struct aggregate_spec *spec, struct account *account)
{
    struct aggregate *a = xcalloc(1, sizeof(*a));

    a->spec = *spec;
    a->account = account;
    a->groups_max = AGGREGATE_GROUPS_MAX;
    a->bytes_max = AGGREGATE_BYTES_MAX;
    dictionary_init(&a->values);
    buffer_init(&a->canonical, CANONICAL_MAX);
    copy_paths(a);
    plan_measures(a);
    if (aggregate_make_other(a)) {
        aggregate_free(a);
        return NULL;
    }
    return a;
}

void aggregate_free(struct aggregate *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->cells_len; i++) {
        for (size_t k = 0; k < a->measured_len; k++)
            measure_release(&a->cells[i]->measures[k]);
        free(a->cells[i]);
    }
    free(a->cells);
    free(a->cell_slots);
    free(a->groups);
    free(a->group_slots);
    dictionary_release(&a->values);
    buffer_release(&a->canonical);
    free(a->paths);
    if (a->charged)
        account_give(a->account, a->charged);
    free(a);
}

const struct log_fields *aggregate_fields(const struct aggregate *a)
{
    return &a->spec.fields;
}

uint64_t aggregate_total(const struct aggregate *a)
{
    return a->total;
}

uint64_t aggregate_bound(const struct aggregate *a)
{
    return a->bound;
}

size_t aggregate_measure_of(const struct aggregate *a, size_t i)
{
    size_t k = 0;

    while (k < a->measured_len && a->measured[k].field != a->spec.values[i].field)
        k++;
    return k;
}

/* ---- Values ---- */

int aggregate_canonical(struct aggregate *a, enum log_field_kind kind, struct log_value *value)
{
    struct number n;

    if (kind != LOG_FIELD_LEVEL && value->type != LOG_VALUE_NUMBER)
        return 0;
    buffer_clear(&a->canonical);
    if (kind == LOG_FIELD_LEVEL)
        text_append_lower(&a->canonical, value->text);
    else if (number_parse(value->text, &n))
        number_append(&a->canonical, &n);
    else
        return 0;
    value->text = buffer_slice(&a->canonical);
    return buffer_error(&a->canonical) ? LM_ENOMEM : 0;
}

void aggregate_begin_with(struct aggregate *a, struct slice prefix)
{
    a->prefix = prefix;
}

static bool begins_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* The number of a value of the field spec.by[i]. */
static int intern(struct aggregate *a, size_t i, struct log_value value, uint32_t *number)
{
    int error = aggregate_canonical(a, a->spec.fields.items[a->spec.by[i]].kind, &value);

    if (error)
        return error;
    if (i == 0 && !begins_with(value.text, a->prefix)) {
        *number = GROUP_VALUE_LEFT_OUT;
        return 0;
    }
    return dictionary_add(&a->values, utf8_cut(value.text, AGGREGATE_TEXT_MAX), 0, number);
}

/* ---- A batch ---- */

/* A measured value, once it has been asked for. */
struct lazy {
    bool is_made;
    struct measured value;
};

/* What one field of a row has. */
struct row_values {
    size_t len;
    uint32_t values[AGGREGATE_COMBINATIONS_MAX];
};

#define KEY_NONE UINT32_MAX

/* Rows that have the same codes in all that is asked for. */
struct alike {
    uint32_t row; /* the first of them */
    uint32_t len;
    int64_t low_us, high_us; /* of their times, if these are measured */
};

enum { SETTLE_BYTES = 1 << 20 }; /* by which cells may grow before they are settled */

struct feeding {
    struct aggregate *a;
    const struct log_batch *batch;
    uint32_t *numbers[AGGREGATE_BY_MAX];         /* of each code; GROUP_VALUE_UNSET: not yet */
    struct lazy *measured[AGGREGATE_VALUES_MAX]; /* of each code */
    struct cell **cache;                         /* by the codes of a row */
    size_t cache_len;
    uint32_t *keys;          /* of each row, its place there; KEY_NONE: it has several values */
    uint32_t *alikes;        /* the same by all codes, those that are measured, too */
    uint32_t *slots;         /* by these: a place in `met`, and 1; zeroes between two runs */
    struct alike *met;       /* of a run; NULL: rows are added one by one */
    const struct alike *now; /* that is being added; NULL: a single row */
    unsigned evictions;
    uint32_t elements_max; /* of an array, for each of the groups of a row */
    size_t settled_bytes;  /* of cells, when it was settled last */
    struct row_values row[AGGREGATE_BY_MAX];
    uint64_t order[AGGREGATE_COMBINATIONS_MAX];
};

static const struct log_column *column_by(const struct feeding *f, size_t i)
{
    return &f->batch->columns[f->a->spec.by[i]];
}

static const struct log_column *column_measured(const struct feeding *f, size_t i)
{
    return &f->batch->columns[f->a->measured[i].field];
}

static bool has_integer(const struct log_column *c, size_t row)
{
    return !c->has || (c->has[row / 64] >> (row % 64) & 1);
}

static struct log_value integer_at(const struct log_column *c, size_t row,
                                   char room[MEASURED_INTEGER_ROOM])
{
    return (struct log_value){measured_integer(c->integers[row], c->decimals, room), c->type};
}

/* Whatever is remembered has other numbers, or is gone. */
static void forget(struct feeding *f)
{
    for (size_t i = 0; i < f->a->spec.by_len; i++)
        for (uint32_t k = 0; f->numbers[i] && k < column_by(f, i)->values_len; k++)
            f->numbers[i][k] = GROUP_VALUE_UNSET;
    if (f->cache)
        memset((void *)f->cache, 0, f->cache_len * sizeof(struct cell *));
    f->evictions = f->a->evictions;
}

/* How many combinations of codes of a column, and of `n` others, there are; 0: too many. */
static size_t multiply(const struct feeding *f, size_t n, const struct log_column *c)
{
    size_t most = f->batch->rows * CACHE_ROWS_FACTOR + CACHE_MIN;

    if (n == 0 || c->integers)
        return 0;
    n *= (size_t)c->values_len + 1;
    return n <= most ? n : 0;
}

/* Those of what is grouped by, if cells are found by them; else 0. */
static size_t count_combinations(const struct feeding *f)
{
    size_t n = 1;

    for (size_t i = 0; i < f->a->spec.by_len; i++)
        n = multiply(f, n, column_by(f, i));
    return n;
}

static bool is_of_times(const struct feeding *f, size_t i)
{
    return f->a->measured[i].asked == MEASURE_TIMES;
}

/* The same with what is measured, if rows that are alike can be added at once. */
static size_t count_alikes(const struct feeding *f)
{
    size_t n = f->batch->counts ? 0 : f->cache_len;

    for (size_t i = 0; i < f->a->measured_len; i++)
        if (!is_of_times(f, i))
            n = multiply(f, n, column_measured(f, i));
    return n;
}

/* Makes keys by one column more. */
static void extend_keys(const struct feeding *f, uint32_t *keys, const struct log_column *c)
{
    uint32_t len = c->values_len;

    for (size_t row = 0; row < f->batch->rows; row++) {
        uint32_t code = c->codes[row] == LOG_CODE_NONE ? len : c->codes[row];

        keys[row] = code <= len && keys[row] != KEY_NONE ? keys[row] * (len + 1) + code : KEY_NONE;
    }
}

static int begin_alikes(struct feeding *f)
{
    size_t rows = f->batch->rows, n = count_alikes(f);

    if (n == 0)
        return 0;
    f->met = try_malloc((rows + 1) * sizeof(*f->met));
    f->alikes = try_malloc((rows + 1) * sizeof(*f->alikes));
    f->slots = try_malloc(n * sizeof(*f->slots));
    if (!f->met || !f->alikes || !f->slots)
        return LM_ENOMEM;
    memset(f->slots, 0, n * sizeof(*f->slots));
    memcpy(f->alikes, f->keys, rows * sizeof(*f->keys));
    for (size_t i = 0; i < f->a->measured_len; i++)
        if (!is_of_times(f, i))
            extend_keys(f, f->alikes, column_measured(f, i));
    return 0;
}

static int begin_cache(struct feeding *f)
{
    size_t rows = f->batch->rows;

    f->cache_len = count_combinations(f);
    if (!f->cache_len)
        return 0;
    f->cache = try_malloc(f->cache_len * sizeof(struct cell *));
    f->keys = try_malloc((rows + 1) * sizeof(*f->keys));
    if (!f->cache || !f->keys)
        return LM_ENOMEM;
    memset(f->keys, 0, rows * sizeof(*f->keys));
    for (size_t i = 0; i < f->a->spec.by_len; i++)
        extend_keys(f, f->keys, column_by(f, i));
    return begin_alikes(f);
}

static int begin(struct feeding *f)
{
    int error = begin_cache(f);

    if (error)
        return error;
    for (size_t i = 0; i < f->a->spec.by_len; i++) {
        f->numbers[i] = try_malloc((column_by(f, i)->values_len + (size_t)1) * sizeof(uint32_t));
        if (!f->numbers[i])
            return LM_ENOMEM;
    }
    for (size_t i = 0; i < f->a->measured_len; i++) {
        size_t bytes;

        if (f->a->measured[i].asked == MEASURE_TIMES)
            continue;
        bytes = (column_measured(f, i)->values_len + (size_t)1) * sizeof(struct lazy);
        f->measured[i] = try_malloc(bytes);
        if (!f->measured[i])
            return LM_ENOMEM;
        memset(f->measured[i], 0, bytes);
    }
    forget(f);
    return 0;
}

static void end(struct feeding *f)
{
    for (size_t i = 0; i < AGGREGATE_BY_MAX; i++)
        free(f->numbers[i]);
    for (size_t i = 0; i < AGGREGATE_VALUES_MAX; i++)
        free(f->measured[i]);
    free((void *)f->cache);
    free(f->keys);
    free(f->alikes);
    free(f->slots);
    free(f->met);
    free(f);
}

/* ---- Measures of a row ---- */

static int measure_code(struct feeding *f, size_t i, struct measure *m, uint32_t code,
                        uint64_t count)
{
    const struct measured_field *field = &f->a->measured[i];
    struct lazy *lazy = &f->measured[i][code];

    if (!lazy->is_made) {
        struct log_value value = column_measured(f, i)->values[code];
        int error = aggregate_canonical(f->a, f->a->spec.fields.items[field->field].kind, &value);

        if (error)
            return error;
        measured_init(&lazy->value, &value, field->asked);
        lazy->value.example = column_measured(f, i)->examples
                                  ? column_measured(f, i)->examples[code]
                                  : slice_of(NULL, 0);
        lazy->is_made = true;
    }
    return measure_add(m, &lazy->value, count, field->asked);
}

/* By its text, which stands for it exactly. */
static int measure_integer_text(struct feeding *f, size_t i, struct measure *m, size_t row,
                                uint64_t count)
{
    char room[MEASURED_INTEGER_ROOM];
    struct log_value value = integer_at(column_measured(f, i), row, room);
    struct measured measured;
    int error = aggregate_canonical(f->a, LOG_FIELD_ATTRIBUTE, &value);

    if (error)
        return error;
    measured_init(&measured, &value, f->a->measured[i].asked);
    return measure_add(m, &measured, count, f->a->measured[i].asked);
}

static int measure_integer(struct feeding *f, size_t i, struct measure *m, size_t row,
                           uint64_t count)
{
    const struct log_column *c = column_measured(f, i);
    bool done;
    int error = measure_add_integer(m, c->integers[row], c->decimals, count,
                                    f->a->measured[i].asked, &done);

    return error || done ? error : measure_integer_text(f, i, m, row, count);
}

static int measure_row(struct feeding *f, size_t i, struct measure *m, size_t row, uint64_t count)
{
    const struct log_column *c = column_measured(f, i);
    int error = 0;

    if (is_of_times(f, i)) {
        measure_add_time(m, f->now ? f->now->low_us : f->batch->times_us[row], count);
        if (f->now)
            measure_add_time(m, f->now->high_us, 0);
        return 0;
    }
    if (c->integers ? !has_integer(c, row) : c->codes[row] == LOG_CODE_NONE)
        return 0;
    m->logs += count;
    if (c->integers)
        return measure_integer(f, i, m, row, count);
    if (!(c->codes[row] & LOG_CODE_LIST))
        return measure_code(f, i, m, c->codes[row], count);

    const uint32_t *list = c->lists + (c->codes[row] & ~LOG_CODE_LIST);

    if (list[0] > f->elements_max)
        f->a->truncated |= 1U << i;
    for (uint32_t k = 1; !error && k <= list[0] && k <= f->elements_max; k++)
        error = measure_code(f, i, m, list[k], count);
    return error;
}

static int add_to_cell(struct feeding *f, struct cell *cell, size_t row, uint64_t count)
{
    struct aggregate *a = f->a;
    int error = 0;

    cell->count += count;
    a->groups[cell->group].count += count;
    for (size_t i = 0; !error && i < a->measured_len; i++) {
        struct measure *m = &cell->measures[i];
        bool grows = (a->measured[i].asked & ~(unsigned)(MEASURE_NUMBERS | MEASURE_TIMES)) != 0;
        size_t before = grows ? measure_memory(m) : 0;

        error = measure_row(f, i, m, row, count);
        if (grows)
            a->cells_bytes += measure_memory(m) - before;
    }
    return error;
}

/* ---- The groups of a row ---- */

static int number_of_code(struct feeding *f, size_t i, uint32_t code, uint32_t *number)
{
    uint32_t *known = &f->numbers[i][code];
    int error = 0;

    if (*known == GROUP_VALUE_UNSET)
        error = intern(f->a, i, column_by(f, i)->values[code], known);
    *number = *known;
    return error;
}

static int ascending(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return (a > b) - (a < b);
}

/* Leaves out what is there twice, and keeps the order. */
static void make_unique(struct feeding *f, struct row_values *v)
{
    size_t len = 0;

    for (size_t i = 0; i < v->len; i++)
        f->order[i] = (uint64_t)v->values[i] << 32 | i;
    qsort(f->order, v->len, sizeof(*f->order), ascending);
    for (size_t i = 0; i < v->len; i++)
        if (i == 0 || f->order[i] >> 32 != f->order[i - 1] >> 32)
            v->values[len++] = (uint32_t)i;
    for (size_t i = 0; i < len; i++) {
        uint64_t o = f->order[v->values[i]];

        f->order[i] = o << 32 | o >> 32;
    }
    qsort(f->order, len, sizeof(*f->order), ascending);
    for (size_t i = 0; i < len; i++)
        v->values[i] = (uint32_t)f->order[i];
    v->len = len;
}

static int read_list(struct feeding *f, size_t i, const uint32_t *list)
{
    struct row_values *v = &f->row[i];
    int error = 0;

    v->len = list[0] < AGGREGATE_COMBINATIONS_MAX ? list[0] : AGGREGATE_COMBINATIONS_MAX;
    for (size_t k = 0; !error && k < v->len; k++)
        error = number_of_code(f, i, list[k + 1], &v->values[k]);
    if (!error)
        make_unique(f, v);
    return error;
}

static int read_values(struct feeding *f, size_t i, size_t row)
{
    const struct log_column *c = column_by(f, i);
    struct row_values *v = &f->row[i];
    char room[MEASURED_INTEGER_ROOM];

    v->len = 1;
    v->values[0] = i == 0 && f->a->prefix.len > 0 ? GROUP_VALUE_LEFT_OUT : GROUP_VALUE_NONE;
    if (c->integers)
        return has_integer(c, row) ? intern(f->a, i, integer_at(c, row, room), &v->values[0]) : 0;
    if (c->codes[row] == LOG_CODE_NONE)
        return 0;
    if (c->codes[row] & LOG_CODE_LIST)
        return read_list(f, i, c->lists + (c->codes[row] & ~LOG_CODE_LIST));
    return number_of_code(f, i, c->codes[row], &v->values[0]);
}

/* The next combination: the last field's values change first. False: there is no other. */
static bool next_combination(const struct feeding *f, size_t at[AGGREGATE_BY_MAX])
{
    for (size_t i = f->a->spec.by_len; i-- > 0;) {
        if (++at[i] < f->row[i].len)
            return true;
        at[i] = 0;
    }
    return false;
}

static int find_cell(struct feeding *f, const size_t at[AGGREGATE_BY_MAX], int64_t bucket,
                     struct cell **cell)
{
    uint32_t values[AGGREGATE_BY_MAX], group = GROUP_OTHER;
    int error = 0;

    for (size_t i = 0; i < AGGREGATE_BY_MAX; i++)
        values[i] = i < f->a->spec.by_len ? f->row[i].values[at[i]] : GROUP_VALUE_NONE;
    if (values[0] != GROUP_VALUE_LEFT_OUT)
        error = aggregate_group(f->a, values, &group);
    return error ? error : aggregate_cell(f->a, group, bucket, cell);
}

static uint32_t combinations_of_row(const struct feeding *f)
{
    uint32_t n = 1;

    for (size_t i = 0; i < f->a->spec.by_len && n < AGGREGATE_COMBINATIONS_MAX; i++)
        n *= (uint32_t)f->row[i].len;
    return n < AGGREGATE_COMBINATIONS_MAX ? n : AGGREGATE_COMBINATIONS_MAX;
}

/* Leaves groups out before the row is done: then its values have other numbers. */
static int settle_within(struct feeding *f, size_t row, struct cell **cell)
{
    int error = aggregate_settle(f->a);

    f->settled_bytes = f->a->cells_bytes;
    if (error || f->a->evictions == f->evictions)
        return error;
    forget(f);
    *cell = NULL;
    for (size_t i = 0; !error && i < f->a->spec.by_len; i++)
        error = read_values(f, i, row);
    return error;
}

static int add_combinations(struct feeding *f, size_t row, int64_t bucket, uint64_t count,
                            struct cell **cached)
{
    size_t at[AGGREGATE_BY_MAX] = {0};
    struct cell *cell = NULL;
    int error = 0;

    for (size_t i = 0; !error && i < f->a->spec.by_len; i++)
        error = read_values(f, i, row);
    f->elements_max = error ? 0 : AGGREGATE_ELEMENTS_MAX / combinations_of_row(f);
    for (size_t n = 0; !error && n < AGGREGATE_COMBINATIONS_MAX; n++) {
        error = find_cell(f, at, bucket, &cell);
        if (!error)
            error = add_to_cell(f, cell, row, count);
        if (!error && f->a->cells_bytes > 2 * f->a->bytes_max)
            error = settle_within(f, row, &cell);
        if (!next_combination(f, at))
            break;
    }
    if (cached)
        *cached = cell;
    return error;
}

static struct cell **place_in_cache(const struct feeding *f, size_t row)
{
    return f->cache && f->keys[row] != KEY_NONE ? &f->cache[f->keys[row]] : NULL;
}

/* `count` logs that are like `row`. */
static int add_row(struct feeding *f, size_t row, int64_t bucket, uint64_t count)
{
    struct aggregate *a = f->a;
    struct cell **cached = place_in_cache(f, row);
    size_t cells = a->cells_len;
    int error;

    a->total += count;
    f->elements_max = AGGREGATE_ELEMENTS_MAX;
    if (cached && *cached && (*cached)->bucket == bucket)
        error = add_to_cell(f, *cached, row, count);
    else
        error = add_combinations(f, row, bucket, count, cached);
    if (!error && (a->cells_len > cells || a->cells_bytes > f->settled_bytes + SETTLE_BYTES)) {
        error = aggregate_settle(a);
        f->settled_bytes = a->cells_bytes;
    }
    if (!error && a->evictions != f->evictions)
        forget(f);
    return error;
}

/* Notes a row that can be added with others. */
static void meet(struct feeding *f, size_t row, size_t *met)
{
    uint32_t *slot = &f->slots[f->alikes[row]];
    int64_t time_us = f->batch->times_us ? f->batch->times_us[row] : 0;
    struct alike *a;

    if (*slot == 0) {
        f->met[*met] = (struct alike){.row = (uint32_t)row, .low_us = time_us, .high_us = time_us};
        *slot = (uint32_t)++*met;
    }
    a = &f->met[*slot - 1];
    a->len++;
    a->low_us = time_us < a->low_us ? time_us : a->low_us;
    a->high_us = time_us > a->high_us ? time_us : a->high_us;
}

/* Rows that are alike are added at once. */
static int add_alikes(struct feeding *f, size_t from, size_t to, int64_t bucket)
{
    size_t met = 0;
    int error = 0;

    for (size_t row = from; !error && row < to; row++) {
        if (f->alikes[row] == KEY_NONE)
            error = add_row(f, row, bucket, 1);
        else
            meet(f, row, &met);
    }
    for (size_t i = 0; i < met; i++) {
        f->slots[f->alikes[f->met[i].row]] = 0;
        f->now = &f->met[i];
        if (!error)
            error = add_row(f, f->now->row, bucket, f->now->len);
    }
    f->now = NULL;
    return error;
}

static int add_run(struct feeding *f, size_t from, size_t to, int64_t bucket)
{
    const uint64_t *counts = f->batch->counts;
    int error = 0;

    if (f->met)
        return add_alikes(f, from, to, bucket);
    for (size_t row = from; !error && row < to; row++)
        error = add_row(f, row, bucket, counts ? counts[row] : 1);
    return error;
}

static int64_t bucket_of(const struct feeding *f, size_t row)
{
    const struct aggregate_spec *spec = &f->a->spec;
    int64_t since_us = f->batch->times_us[row] - spec->bucket_from_us;

    return since_us / spec->bucket_us - (since_us % spec->bucket_us < 0);
}

/* How many rows from `from` on are in the bucket. */
static size_t run_of(const struct feeding *f, size_t from, int64_t bucket)
{
    const struct aggregate_spec *spec = &f->a->spec;
    int64_t low_us = spec->bucket_from_us + bucket * spec->bucket_us;
    size_t to = from + 1;

    while (to < f->batch->rows && f->batch->times_us[to] >= low_us &&
           f->batch->times_us[to] - low_us < spec->bucket_us)
        to++;
    return to - from;
}

int aggregate_add(struct aggregate *a, const struct log_batch *batch)
{
    struct feeding *f = xcalloc(1, sizeof(*f));
    size_t run;
    int error;

    f->a = a;
    f->batch = batch;
    f->settled_bytes = a->cells_bytes;
    error = begin(f);
    for (size_t row = 0; !error && row < batch->rows; row += run) {
        int64_t bucket = a->spec.bucket_us ? bucket_of(f, row) : 0;

        run = a->spec.bucket_us ? run_of(f, row, bucket) : batch->rows;
        error = add_run(f, row, row + run, bucket);
    }
    end(f);
    return error ? error : aggregate_settle(a);
}

/* ---- Merging ---- */

/* The group of a's that is `g` of `other`'s. */
static int group_like(struct aggregate *a, const struct aggregate *other, const struct group *g,
                      uint32_t *number)
{
    uint32_t values[AGGREGATE_BY_MAX];

    for (size_t i = 0; i < AGGREGATE_BY_MAX; i++) {
        values[i] = GROUP_VALUE_NONE;
        if (i < a->spec.by_len && g->values[i] != GROUP_VALUE_NONE &&
            dictionary_add(&a->values, dictionary_text(&other->values, g->values[i]), 0,
                           &values[i]))
            return LM_ENOMEM;
    }
    return aggregate_group(a, values, number);
}

/* numbers[i]: what other's group i is here. */
static int merge_groups(struct aggregate *a, const struct aggregate *other, uint32_t *numbers)
{
    size_t before = a->groups_len;
    int error = 0;

    /* What has no group there may have had so many logs. */
    for (size_t i = 1; i < before; i++)
        a->groups[i].lacks += other->bound;
    for (uint32_t i = 1; !error && i < other->groups_len; i++) {
        const struct group *g = &other->groups[i];

        error = group_like(a, other, g, &numbers[i]);
        if (error)
            break;

        struct group *mine = &a->groups[numbers[i]];

        mine->count += g->count;
        mine->lacks += g->lacks - (numbers[i] < before ? other->bound : 0);
    }
    a->groups[GROUP_OTHER].count += other->groups[GROUP_OTHER].count;
    numbers[GROUP_OTHER] = GROUP_OTHER;
    a->bound += other->bound;
    return error;
}

int aggregate_merge(struct aggregate *a, const struct aggregate *other)
{
    uint32_t *numbers = try_malloc(other->groups_len * sizeof(*numbers));
    int error = numbers ? merge_groups(a, other, numbers) : LM_ENOMEM;

    a->total += other->total;
    a->truncated |= other->truncated;
    for (size_t i = 0; !error && i < other->cells_len; i++) {
        struct cell *cell;

        error = aggregate_cell(a, numbers[other->cells[i]->group], other->cells[i]->bucket, &cell);
        if (!error)
            error = aggregate_merge_cell(a, cell, other->cells[i]);
    }
    free(numbers);
    return error ? error : aggregate_settle(a);
}
