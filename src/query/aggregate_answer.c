/* The answer: groups, what is left, and both for each bucket. */
#include <stdlib.h>

#include "base/timestamp.h"
#include "base/xalloc.h"
#include "query/aggregate_table.h"
#include "json/writer.h"

struct answer {
    struct aggregate *a;
    struct buffer *b;
    uint32_t *ranks;                     /* of each group; that of GROUP_OTHER is the highest */
    struct cell **cells;                 /* in some order */
    struct buffer name;                  /* of one value */
    bool any_values;                     /* besides the count */
    unsigned estimated;                  /* bits: values of which some were estimated */
    uint64_t lacks;                      /* most of those of groups that were shown */
    const struct aggregate_words *words; /* NULL: the long ones */
};

/* ---- Values ---- */

static void append_number(struct buffer *b, const struct measure_number *n)
{
    if (n->len)
        buffer_append(b, n->text, n->len);
    else
        buffer_append_string(b, "null");
}

static void append_time(struct buffer *b, const struct measure *m, bool first)
{
    if (!m->logs) {
        buffer_append_string(b, "null");
        return;
    }
    buffer_append_char(b, '"');
    timestamp_append(b, first ? m->first_us : m->last_us);
    buffer_append_char(b, '"');
}

static double within(double value, const struct measure *m)
{
    return value < m->min.number ? m->min.number : value > m->max.number ? m->max.number : value;
}

static void append_quantile(struct answer *w, size_t i, struct measure *m)
{
    double share = w->a->spec.values[i].permille / 1000.0;

    if (!m->quantiles.count) {
        buffer_append_string(w->b, "null");
        return;
    }
    if (m->quantiles.is_binned)
        w->estimated |= 1U << i;
    json_append_double(w->b, within(quantiles_value(&m->quantiles, share), m));
}

static void append_extreme(struct answer *w, size_t i, const struct measure *m, bool least)
{
    size_t field = w->a->spec.values[i].field;

    if (w->a->spec.fields.items[field].kind == LOG_FIELD_TIMESTAMP)
        append_time(w->b, m, least);
    else
        append_number(w->b, least ? &m->min : &m->max);
}

/* {"error":3,…}: those that there are, the most severe first. */
static void append_levels(struct buffer *b, const struct measure *m)
{
    bool any = false;

    buffer_append_char(b, '{');
    for (unsigned i = 0; m->levels && i < MEASURE_LEVELS_LEN; i++) {
        /* OTHER is behind all, and last. */
        unsigned level = i == MEASURE_OTHER_LEVEL ? i : LEVEL_SEVERITIES - 1 - i;
        struct slice names[2] = {SLICE_LITERAL("other")};

        if (!m->levels[level])
            continue;
        if (level != MEASURE_OTHER_LEVEL)
            (void)level_names((int)level, names);
        buffer_append_string(b, any ? "," : "");
        any = true;
        json_append_string(b, names[0]);
        buffer_append_char(b, ':');
        buffer_append_u64(b, m->levels[level]);
    }
    buffer_append_char(b, '}');
}

static void append_value(struct answer *w, size_t i, struct measure *m)
{
    switch (w->a->spec.values[i].op) {
    case AGGREGATE_COUNT:
        buffer_append_u64(w->b, m->logs);
        break;
    case AGGREGATE_SUM:
        json_append_double(w->b, measure_sum(m));
        break;
    case AGGREGATE_AVG:
        if (m->numbers)
            json_append_double(w->b, measure_sum(m) / (double)m->numbers);
        else
            buffer_append_string(w->b, "null");
        break;
    case AGGREGATE_MIN:
        append_extreme(w, i, m, true);
        break;
    case AGGREGATE_MAX:
        append_extreme(w, i, m, false);
        break;
    case AGGREGATE_QUANTILE:
        append_quantile(w, i, m);
        break;
    case AGGREGATE_DISTINCT:
        if (m->distinct.registers)
            w->estimated |= 1U << i;
        buffer_append_u64(w->b, distinct_count(&m->distinct));
        break;
    case AGGREGATE_LEVELS:
        append_levels(w->b, m);
        break;
    case AGGREGATE_EXAMPLE:
        if (m->example)
            json_append_string(w->b, slice_of(m->example, m->example_len));
        else
            buffer_append_string(w->b, "null");
        break;
    }
}

static struct slice name_of_value(struct answer *w, size_t i)
{
    buffer_clear(&w->name);
    aggregate_append_value(&w->name, &w->a->spec, i);
    return buffer_slice(&w->name);
}

/* `"count":…,"values":{…}` */
static void append_cell(struct answer *w, struct cell *cell)
{
    const struct aggregate_spec *spec = &w->a->spec;
    bool any = false;

    buffer_append_string(w->b, "\"count\":");
    buffer_append_u64(w->b, cell->count);
    if (!w->any_values)
        return;
    buffer_append_string(w->b, ",\"values\":{");
    for (size_t i = 0; i < spec->values_len; i++) {
        if (spec->values[i].field == AGGREGATE_NO_FIELD)
            continue;
        if (any)
            buffer_append_char(w->b, ',');
        any = true;
        json_append_string(w->b, name_of_value(w, i));
        buffer_append_char(w->b, ':');
        append_value(w, i, &cell->measures[aggregate_measure_of(w->a, i)]);
    }
    buffer_append_char(w->b, '}');
}

/* ---- Groups ---- */

static void append_field_name(struct answer *w, size_t by)
{
    buffer_clear(&w->name);
    aggregate_append_field(&w->name, &w->a->spec.fields.items[w->a->spec.by[by]]);
    json_append_string(w->b, buffer_slice(&w->name));
}

static void append_values_of_group(struct answer *w, const struct group *g)
{
    buffer_append_string(w->b, "\"by\":{");
    for (size_t i = 0; i < w->a->spec.by_len; i++) {
        if (i > 0)
            buffer_append_char(w->b, ',');
        append_field_name(w, i);
        buffer_append_char(w->b, ':');
        if (g->values[i] == GROUP_VALUE_NONE)
            buffer_append_string(w->b, "null");
        else
            json_append_string(w->b, dictionary_text(&w->a->values, g->values[i]));
    }
    buffer_append_string(w->b, "},");
}

/* Adds up cells[*at] and those behind it that are of the same group; moves *at past them. */
static int add_up(const struct answer *w, size_t *at, struct cell *sum)
{
    struct aggregate *a = w->a;
    int error = 0;

    sum->group = w->cells[*at]->group;
    for (; !error && *at < a->cells_len && w->cells[*at]->group == sum->group; ++*at)
        error = aggregate_merge_cell(a, sum, w->cells[*at]);
    return error;
}

static void clear_cell(struct aggregate *a, struct cell *cell)
{
    for (size_t i = 0; i < a->measured_len; i++) {
        a->cells_bytes -= measure_memory(&cell->measures[i]);
        measure_release(&cell->measures[i]);
        cell->measures[i] = (struct measure){.logs = 0};
    }
    cell->count = 0;
}

/* The cells are in the order of their groups' ranks. */
static int append_groups(struct answer *w, struct cell *sum)
{
    struct aggregate *a = w->a;
    bool any = false, has_other = false;
    int error = 0;

    buffer_append_string(w->b, ",\"groups\":[");
    for (size_t at = 0; !error && at < a->cells_len; clear_cell(a, sum)) {
        error = add_up(w, &at, sum);
        if (sum->group == GROUP_OTHER) {
            buffer_append_string(w->b, "],\"other\":{");
            has_other = true;
        } else {
            buffer_append_string(w->b, any ? ",{" : "{");
            any = true;
            append_values_of_group(w, &a->groups[sum->group]);
            if (a->groups[sum->group].lacks > w->lacks)
                w->lacks = a->groups[sum->group].lacks;
        }
        append_cell(w, sum);
        buffer_append_char(w->b, '}');
    }
    if (!has_other)
        buffer_append_string(w->b, "],\"other\":null");
    return error;
}

/* ---- Buckets ---- */

static void append_bucket(struct answer *w, size_t from, size_t to)
{
    const struct aggregate_spec *spec = &w->a->spec;
    struct cell *const *cells = w->cells;
    size_t at = from;

    buffer_append_string(w->b, "{\"timestamp\":\"");
    timestamp_append(w->b, spec->bucket_from_us + cells[from]->bucket * spec->bucket_us);
    buffer_append_string(w->b, "\",\"groups\":[");
    for (; at < to && cells[at]->group != GROUP_OTHER; at++) {
        buffer_appendf(w->b, "%s{\"group\":%u,", at > from ? "," : "", w->ranks[cells[at]->group]);
        append_cell(w, cells[at]);
        buffer_append_char(w->b, '}');
    }
    buffer_append_string(w->b, at < to ? "],\"other\":{" : "],\"other\":null");
    if (at < to) {
        append_cell(w, cells[at]);
        buffer_append_char(w->b, '}');
    }
    buffer_append_char(w->b, '}');
}

/* The cells are in the order of buckets, and in each of the groups' ranks. */
static void append_buckets(struct answer *w)
{
    size_t to;

    buffer_append_string(w->b, ",\"buckets\":[");
    for (size_t from = 0; from < w->a->cells_len; from = to) {
        to = from + 1;
        while (to < w->a->cells_len && w->cells[to]->bucket == w->cells[from]->bucket)
            to++;
        if (from > 0)
            buffer_append_char(w->b, ',');
        append_bucket(w, from, to);
    }
    buffer_append_char(w->b, ']');
}

/* ---- All of it ---- */

static int compare_ranks(const struct answer *w, const struct cell *c, const struct cell *d)
{
    return (w->ranks[c->group] > w->ranks[d->group]) - (w->ranks[c->group] < w->ranks[d->group]);
}

static int compare_buckets(const struct cell *c, const struct cell *d)
{
    return (c->bucket > d->bucket) - (c->bucket < d->bucket);
}

static int by_rank(const void *x, const void *y, void *ctx)
{
    const struct cell *c = *(struct cell *const *)x, *d = *(struct cell *const *)y;
    int order = compare_ranks(ctx, c, d);

    return order ? order : compare_buckets(c, d);
}

static int by_bucket(const void *x, const void *y, void *ctx)
{
    const struct cell *c = *(struct cell *const *)x, *d = *(struct cell *const *)y;
    int order = compare_buckets(c, d);

    return order ? order : compare_ranks(ctx, c, d);
}

static int prepare(struct answer *w)
{
    struct aggregate *a = w->a;
    uint32_t *ranking = aggregate_ranking(a);

    w->ranks = try_malloc(a->groups_len * sizeof(*w->ranks));
    w->cells = try_malloc((a->cells_len + 1) * sizeof(struct cell *));
    if (ranking && w->ranks && w->cells) {
        for (uint32_t i = 0; i + 1 < a->groups_len; i++)
            w->ranks[ranking[i]] = i;
        w->ranks[GROUP_OTHER] = (uint32_t)a->groups_len;
        for (size_t i = 0; i < a->cells_len; i++)
            w->cells[i] = a->cells[i];
    }
    free(ranking);
    return ranking && w->ranks && w->cells ? 0 : LM_ENOMEM;
}

/* What was not measured to the end is no less an estimate than a sketch. */
static void mark_truncated(struct answer *w)
{
    const struct aggregate_spec *spec = &w->a->spec;

    for (size_t i = 0; i < spec->values_len; i++)
        if (spec->values[i].field != AGGREGATE_NO_FIELD && spec->values[i].op != AGGREGATE_COUNT &&
            (w->a->truncated >> aggregate_measure_of(w->a, i) & 1))
            w->estimated |= 1U << i;
}

static void append_head(struct answer *w)
{
    buffer_append_string(w->b, "\"total\":");
    buffer_append_u64(w->b, w->a->total);
    buffer_append_string(w->b, ",\"by\":[");
    for (size_t i = 0; i < w->a->spec.by_len; i++) {
        if (i > 0)
            buffer_append_char(w->b, ',');
        append_field_name(w, i);
    }
    buffer_append_char(w->b, ']');
}

/* `bound`: before groups were left out that are not to be shown. */
static void append_approximate(struct answer *w, uint64_t bound)
{
    bool any = false;

    if (bound == 0 && !w->estimated) {
        buffer_append_string(w->b, ",\"approximate\":null");
        return;
    }
    buffer_append_string(w->b, ",\"approximate\":{\"count_error\":");
    buffer_append_u64(w->b, w->lacks);
    buffer_append_string(w->b, ",\"unseen_count\":");
    buffer_append_u64(w->b, bound);
    buffer_append_string(w->b, ",\"values\":[");
    for (size_t i = 0; i < w->a->spec.values_len; i++) {
        if (!(w->estimated >> i & 1))
            continue;
        if (any)
            buffer_append_char(w->b, ',');
        any = true;
        json_append_string(w->b, name_of_value(w, i));
    }
    buffer_append_string(w->b, "]}");
}

/* ---- In shorter words ---- */

static void append_words(struct answer *w, struct cell *cell)
{
    size_t at = 0;

    buffer_append_string(w->b, "\"count\":");
    buffer_append_u64(w->b, cell->count);
    for (size_t i = 0; i < w->a->spec.values_len; i++) {
        if (w->a->spec.values[i].field == AGGREGATE_NO_FIELD)
            continue;
        buffer_appendf(w->b, ",\"%s\":", w->words->values[at++]);
        append_value(w, i, &cell->measures[aggregate_measure_of(w->a, i)]);
    }
}

/* One cell is one group: there are no buckets. */
static void append_items(struct answer *w)
{
    struct aggregate *a = w->a;
    const char *comma = "";
    struct cell *other = NULL;

    buffer_appendf(w->b, "\"total\":%llu,\"%s\":[", (unsigned long long)a->total, w->words->list);
    for (size_t i = 0; i < a->cells_len; i++) {
        struct cell *cell = w->cells[i];
        const struct group *g = &a->groups[cell->group];

        if (cell->group == GROUP_OTHER) {
            other = cell;
            continue;
        }
        buffer_appendf(w->b, "%s{\"%s\":", comma, w->words->value);
        comma = ",";
        if (g->lacks > w->lacks)
            w->lacks = g->lacks;
        if (g->values[0] == GROUP_VALUE_NONE)
            buffer_append_string(w->b, "null");
        else
            json_append_string(w->b, dictionary_text(&a->values, g->values[0]));
        buffer_append_char(w->b, ',');
        append_words(w, cell);
        buffer_append_char(w->b, '}');
    }
    if (other)
        buffer_appendf(w->b, "],\"other\":{\"count\":%llu}", (unsigned long long)other->count);
    else
        buffer_append_string(w->b, "],\"other\":null");
}

static int append_all(struct answer *w, uint64_t bound)
{
    struct aggregate *a = w->a;
    size_t bytes = sizeof(struct cell) + a->measured_len * sizeof(struct measure);
    struct cell *sum = try_malloc(bytes);
    int error = 0;

    if (!sum)
        return LM_ENOMEM;
    memset(sum, 0, bytes);
    qsort_r((void *)w->cells, a->cells_len, sizeof(struct cell *), by_rank, w);
    if (w->words) {
        append_items(w);
    } else {
        append_head(w);
        error = append_groups(w, sum);
    }
    if (a->spec.bucket_us) {
        qsort_r((void *)w->cells, a->cells_len, sizeof(struct cell *), by_bucket, w);
        append_buckets(w);
    }
    mark_truncated(w);
    append_approximate(w, bound);
    free(sum);
    return error;
}

static int append_answer(struct answer *w, size_t top)
{
    struct aggregate *a = w->a;
    uint64_t bound = a->bound;
    int error = aggregate_evict(a, top);

    for (size_t i = 0; i < a->spec.values_len; i++)
        w->any_values |= a->spec.values[i].field != AGGREGATE_NO_FIELD;
    buffer_init(&w->name, AGGREGATE_STATE_BYTES_MAX);
    if (!error)
        error = prepare(w);
    if (!error)
        error = append_all(w, bound);
    if (!error)
        error = buffer_error(&w->name) ? LM_ENOMEM : buffer_error(w->b);
    buffer_release(&w->name);
    free(w->ranks);
    free((void *)w->cells);
    return error;
}

int aggregate_append_list(struct aggregate *a, struct buffer *b, size_t top,
                          const struct aggregate_words *words)
{
    return append_answer(&(struct answer){.a = a, .b = b, .words = words}, top);
}

int aggregate_append_answer(struct aggregate *a, struct buffer *b, size_t top)
{
    return append_answer(&(struct answer){.a = a, .b = b}, top);
}
