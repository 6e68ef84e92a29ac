/*
 * An aggregate as a text:
 *
 *     {"version":1,"of":"level;avg(ms)@300000000+0","total":…,"bound":…,"truncated":…,
 *      "values":["info",…],"groups":[[count,lacks,values],…],"cells":[[group,bucket,count,measures],…]}
 *
 * The first group is that of all others, whose values are []; a value is a place in "values", or
 * -1 for none. A measure is
 * [logs,numbers,sum,compensation,min,max,first,last,quantiles,distinct,levels,example], quantiles
 * are values, or {"places":[…],"counts":[…]}; distinct is {"hashes":"…"}, of eight bytes each, or
 * {"registers":"…"}, in base64. null: nothing.
 */
#include <stdlib.h>

#include <yyjson.h>

#include "base/timestamp.h"
#include "base/xalloc.h"
#include "query/aggregate_table.h"
#include "query/distinct_state.h"
#include "json/writer.h"

enum {
    VERSION = 1,
    CELLS_FACTOR = 4, /* bytes of cells that are read, of those that an aggregate may have */
};

static const uint64_t COUNT_MAX = UINT64_C(1) << 53; /* what every reader of JSON can hold */

/* ---- Writing ---- */

static void append_spec(struct buffer *b, const struct aggregate_spec *spec)
{
    for (size_t i = 0; i < spec->by_len; i++) {
        aggregate_append_field(b, &spec->fields.items[spec->by[i]]);
        buffer_append_char(b, ',');
    }
    buffer_append_char(b, ';');
    for (size_t i = 0; i < spec->values_len; i++) {
        aggregate_append_value(b, spec, i);
        buffer_append_char(b, ',');
    }
    if (spec->bucket_us)
        buffer_appendf(b, "@%lld%+lld", (long long)spec->bucket_us,
                       (long long)spec->bucket_from_us);
}

static void append_text_of(struct buffer *b, const struct measure_number *n)
{
    if (n->len)
        json_append_string(b, slice_of(n->text, n->len));
    else
        buffer_append_string(b, "null");
}

static void append_quantiles(struct buffer *b, const struct quantiles *q)
{
    const char *comma = "";

    if (!q->is_binned) {
        buffer_append_char(b, '[');
        for (uint32_t i = 0; i < q->len; i++, comma = ",") {
            buffer_append_string(b, comma);
            json_append_double(b, q->values[i]);
        }
        buffer_append_char(b, ']');
        return;
    }
    buffer_append_string(b, "{\"places\":[");
    for (uint32_t i = 0; i < q->len; i++, comma = ",")
        buffer_appendf(b, "%s%ld", comma, (long)q->bins[i].place);
    buffer_append_string(b, "],\"counts\":[");
    comma = "";
    for (uint32_t i = 0; i < q->len; i++, comma = ",") {
        buffer_append_string(b, comma);
        buffer_append_u64(b, q->bins[i].count);
    }
    buffer_append_string(b, "]}");
}

static void append_levels(struct buffer *b, const struct measure *m)
{
    if (!m->levels) {
        buffer_append_string(b, ",null,");
        return;
    }
    for (unsigned i = 0; i < MEASURE_LEVELS_LEN; i++)
        buffer_appendf(b, "%s%llu", i ? "," : ",[", (unsigned long long)m->levels[i]);
    buffer_append_string(b, "],");
}

static void append_measure(struct buffer *b, const struct measure *m, unsigned asked)
{
    buffer_appendf(b, "[%llu,%llu,", (unsigned long long)m->logs, (unsigned long long)m->numbers);
    json_append_double(b, m->sum);
    buffer_append_char(b, ',');
    json_append_double(b, m->compensation);
    buffer_append_char(b, ',');
    append_text_of(b, &m->min);
    buffer_append_char(b, ',');
    append_text_of(b, &m->max);
    buffer_appendf(b, ",%lld,%lld,", (long long)m->first_us, (long long)m->last_us);
    if (asked & MEASURE_QUANTILES)
        append_quantiles(b, &m->quantiles);
    else
        buffer_append_string(b, "null");
    buffer_append_char(b, ',');
    if (asked & MEASURE_DISTINCT)
        distinct_append_state(&m->distinct, b);
    else
        buffer_append_string(b, "null");
    append_levels(b, m);
    if (m->example)
        json_append_string(b, slice_of(m->example, m->example_len));
    else
        buffer_append_string(b, "null");
    buffer_append_char(b, ']');
}

static void append_groups(struct buffer *b, const struct aggregate *a)
{
    buffer_append_string(b, "],\"groups\":[");
    for (size_t i = 0; i < a->groups_len; i++) {
        const struct group *g = &a->groups[i];

        buffer_appendf(b, "%s[%llu,%llu,[", i ? "," : "", (unsigned long long)g->count,
                       (unsigned long long)g->lacks);
        for (size_t k = 0; k < a->spec.by_len && i != GROUP_OTHER; k++)
            buffer_appendf(b, "%s%lld", k ? "," : "",
                           g->values[k] == GROUP_VALUE_NONE ? -1LL : (long long)g->values[k]);
        buffer_append_string(b, "]]");
    }
}

void aggregate_append_state(const struct aggregate *a, struct buffer *b)
{
    struct buffer spec;

    buffer_init(&spec, AGGREGATE_STATE_BYTES_MAX);
    append_spec(&spec, &a->spec);
    buffer_appendf(b, "{\"version\":%d,\"of\":", VERSION);
    json_append_string(b, buffer_slice(&spec));
    buffer_release(&spec);
    buffer_appendf(b, ",\"total\":%llu,\"bound\":%llu,\"truncated\":%u,\"values\":[",
                   (unsigned long long)a->total, (unsigned long long)a->bound, a->truncated);
    for (uint32_t i = 0; i < dictionary_len(&a->values); i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        json_append_string(b, dictionary_text(&a->values, i));
    }
    append_groups(b, a);
    buffer_append_string(b, "],\"cells\":[");
    for (size_t i = 0; i < a->cells_len; i++) {
        const struct cell *c = a->cells[i];

        buffer_appendf(b, "%s[%u,%lld,%llu,[", i ? "," : "", c->group, (long long)c->bucket,
                       (unsigned long long)c->count);
        for (size_t k = 0; k < a->measured_len; k++) {
            if (k > 0)
                buffer_append_char(b, ',');
            append_measure(b, &c->measures[k], a->measured[k].asked);
        }
        buffer_append_string(b, "]]");
    }
    buffer_append_string(b, "]}");
}

/* ---- Reading: what is wrong is LM_EINVAL, and in `err` ---- */

struct reading {
    struct aggregate *to; /* nobody else's: of no use after an error */
    struct errbuf *err;
    uint32_t *numbers; /* of its groups, by their places */
    size_t groups;
    size_t groups_max;
};

static int wrong(const struct reading *r, const char *what)
{
    return errbuf_fail(r->err, LM_EINVAL, "the state of counts is not as it should be: %s", what);
}

static bool read_count(yyjson_val *value, uint64_t *n)
{
    *n = yyjson_get_uint(value);
    return yyjson_is_uint(value) && *n <= COUNT_MAX;
}

static bool read_integer(yyjson_val *value, int64_t *n)
{
    *n = yyjson_get_sint(value);
    return yyjson_is_int(value) && (!yyjson_is_uint(value) || yyjson_get_uint(value) <= INT64_MAX);
}

static bool read_double(yyjson_val *value, double *d)
{
    *d = yyjson_get_num(value);
    return yyjson_is_num(value);
}

/* The arrays are short: their members by place. */
static bool read_extreme(yyjson_val *value, struct measure_number *n)
{
    struct measured m;
    struct log_value text = {json_text(value), LOG_VALUE_NUMBER};

    if (yyjson_is_null(value))
        return true;
    measured_init(&m, &text, yyjson_is_str(value) ? MEASURE_NUMBERS : 0);
    *n = m.number;
    return m.is_number;
}

static int read_values_of_quantiles(const struct reading *r, yyjson_val *value, struct quantiles *q)
{
    yyjson_arr_iter iter;
    yyjson_val *item;

    if (yyjson_arr_size(value) > QUANTILES_EXACT_MAX)
        return wrong(r, "too many values");
    yyjson_arr_iter_init(value, &iter);
    while ((item = yyjson_arr_iter_next(&iter))) {
        double d;

        if (!read_double(item, &d))
            return wrong(r, "a value is no number");
        if (quantiles_add(q, d, quantiles_place(d), 1))
            return LM_ENOMEM;
    }
    return 0;
}

static int read_bins(const struct reading *r, yyjson_val *value, struct quantiles *q)
{
    yyjson_val *places = yyjson_obj_get(value, "places");
    yyjson_val *counts = yyjson_obj_get(value, "counts");
    yyjson_arr_iter p, c;
    yyjson_val *item;
    int64_t place, before = -QUANTILES_PLACE_MAX - 1;
    uint64_t count;

    if (!yyjson_is_arr(places) || !yyjson_is_arr(counts) ||
        yyjson_arr_size(places) > QUANTILES_BINS_MAX ||
        yyjson_arr_size(places) != yyjson_arr_size(counts))
        return wrong(r, "the bins of a percentile");
    q->is_binned = true;
    yyjson_arr_iter_init(places, &p);
    yyjson_arr_iter_init(counts, &c);
    while ((item = yyjson_arr_iter_next(&p))) {
        if (!read_integer(item, &place) || place <= before || place > QUANTILES_PLACE_MAX ||
            !read_count(yyjson_arr_iter_next(&c), &count) || count == 0)
            return wrong(r, "a bin of a percentile");
        before = place;
        if (quantiles_add(q, 0, (int32_t)place, count))
            return LM_ENOMEM;
    }
    return 0;
}

static int read_sketches(struct reading *r, yyjson_val *quantiles, yyjson_val *distinct,
                         struct measure *m)
{
    int error = 0;

    if (yyjson_is_arr(quantiles))
        error = read_values_of_quantiles(r, quantiles, &m->quantiles);
    else if (!yyjson_is_null(quantiles))
        error = read_bins(r, quantiles, &m->quantiles);
    if (error || yyjson_is_null(distinct))
        return error;
    return distinct_read_state(&m->distinct, distinct, r->err);
}

static bool is_time(int64_t us)
{
    return us >= TIMESTAMP_MIN_US && us <= TIMESTAMP_MAX_US;
}

static int read_levels(const struct reading *r, yyjson_val *value, struct measure *m)
{
    uint64_t logs;

    if (yyjson_is_null(value))
        return 0;
    if (yyjson_arr_size(value) != MEASURE_LEVELS_LEN)
        return wrong(r, "counts of levels");
    for (unsigned i = 0; i < MEASURE_LEVELS_LEN; i++) {
        if (!read_count(yyjson_arr_get(value, i), &logs))
            return wrong(r, "a count of a level");
        if (measure_add_level(m, i, logs))
            return LM_ENOMEM;
    }
    return 0;
}

static int read_example(const struct reading *r, yyjson_val *value, struct measure *m)
{
    if (yyjson_is_null(value))
        return 0;
    if (!yyjson_is_str(value) || yyjson_get_len(value) > LOG_EXAMPLE_BYTES_MAX)
        return wrong(r, "an example");
    return measure_set_example(m, json_text(value));
}

enum { MEASURE_MEMBERS = 12 };

static int read_measure(struct reading *r, yyjson_val *value, struct measure *m)
{
    yyjson_val *of[MEASURE_MEMBERS];

    if (yyjson_arr_size(value) != MEASURE_MEMBERS)
        return wrong(r, "a measure");
    for (size_t i = 0; i < MEASURE_MEMBERS; i++)
        of[i] = yyjson_arr_get(value, i);
    if (!read_count(of[0], &m->logs) || !read_count(of[1], &m->numbers) ||
        !read_double(of[2], &m->sum) || !read_double(of[3], &m->compensation) ||
        !read_extreme(of[4], &m->min) || !read_extreme(of[5], &m->max) ||
        !read_integer(of[6], &m->first_us) || !read_integer(of[7], &m->last_us) ||
        !is_time(m->first_us) || !is_time(m->last_us))
        return wrong(r, "the numbers of a measure");

    int error = read_sketches(r, of[8], of[9], m);

    if (!error)
        error = read_levels(r, of[10], m);
    return error ? error : read_example(r, of[11], m);
}

static bool is_bucket(const struct aggregate_spec *spec, int64_t bucket)
{
    int64_t us;

    if (!spec->bucket_us)
        return bucket == 0;
    return !__builtin_mul_overflow(bucket, spec->bucket_us, &us) &&
           !__builtin_add_overflow(us, spec->bucket_from_us, &us) && is_time(us);
}

static int merge_measures(struct reading *r, yyjson_val *measures, struct cell *cell)
{
    struct aggregate *to = r->to;
    int error = 0;

    if (yyjson_arr_size(measures) != to->measured_len)
        return wrong(r, "how many measures there are");
    for (size_t i = 0; !error && i < to->measured_len; i++) {
        struct measure *mine = &cell->measures[i], m = {.logs = 0};
        size_t before = measure_memory(mine);

        error = read_measure(r, yyjson_arr_get(measures, i), &m);
        if (!error)
            error = measure_merge(mine, &m, to->measured[i].asked);
        to->cells_bytes += measure_memory(mine) - before;
        measure_release(&m);
    }
    return error;
}

static int read_cell(struct reading *r, yyjson_val *value)
{
    uint64_t group, count;
    int64_t bucket;
    struct cell *cell;
    int error;

    if (!read_count(yyjson_arr_get(value, 0), &group) || group >= r->groups ||
        !read_integer(yyjson_arr_get(value, 1), &bucket) || !is_bucket(&r->to->spec, bucket) ||
        !read_count(yyjson_arr_get(value, 2), &count))
        return wrong(r, "a cell");
    if (r->to->cells_bytes > CELLS_FACTOR * r->to->bytes_max)
        return wrong(r, "there are too many cells");
    error = aggregate_cell(r->to, r->numbers[group], bucket, &cell);
    if (error)
        return error;
    cell->count += count;
    return merge_measures(r, yyjson_arr_get(value, 3), cell);
}

static int read_group(struct reading *r, yyjson_val *value)
{
    struct aggregate *to = r->to;
    bool is_other = r->groups == GROUP_OTHER;
    yyjson_val *places = yyjson_arr_get(value, 2);
    uint32_t values[AGGREGATE_BY_MAX], number = GROUP_OTHER;
    uint64_t count, lacks;
    int error;

    if (r->groups == r->groups_max || !read_count(yyjson_arr_get(value, 0), &count) ||
        !read_count(yyjson_arr_get(value, 1), &lacks) ||
        yyjson_arr_size(places) != (is_other ? 0 : to->spec.by_len))
        return wrong(r, "a group");
    for (size_t i = 0; i < AGGREGATE_BY_MAX; i++) {
        int64_t place = -1;

        if (i < yyjson_arr_size(places) &&
            (!read_integer(yyjson_arr_get(places, i), &place) || place < -1 ||
             place >= (int64_t)dictionary_len(&to->values)))
            return wrong(r, "a value of a group");
        values[i] = place < 0 ? GROUP_VALUE_NONE : (uint32_t)place;
    }
    error = is_other ? 0 : aggregate_group(to, values, &number);
    if (error)
        return error;
    to->groups[number].count += count;
    to->groups[number].lacks += lacks;
    r->numbers[r->groups++] = number;
    return 0;
}

static int read_text(struct reading *r, yyjson_val *value)
{
    uint32_t number;

    if (!yyjson_is_str(value) || yyjson_get_len(value) > AGGREGATE_TEXT_MAX)
        return wrong(r, "a value");

    size_t place = dictionary_len(&r->to->values);

    if (dictionary_add(&r->to->values, json_text(value), 0, &number))
        return LM_ENOMEM;
    return number == place ? 0 : wrong(r, "a value is there twice");
}

typedef int read_item_fn(struct reading *r, yyjson_val *item);

static int read_array(struct reading *r, yyjson_val *root, const char *name,
                      read_item_fn *read_item)
{
    yyjson_val *array = yyjson_obj_get(root, name), *item;
    yyjson_arr_iter iter;
    int error = 0;

    if (!yyjson_is_arr(array))
        return wrong(r, name);
    yyjson_arr_iter_init(array, &iter);
    while (!error && (item = yyjson_arr_iter_next(&iter)))
        error = read_item(r, item);
    return error;
}

static int check_spec(const struct reading *r, yyjson_val *root)
{
    struct buffer spec;
    bool same;

    buffer_init(&spec, AGGREGATE_STATE_BYTES_MAX);
    append_spec(&spec, &r->to->spec);
    same = slice_equal(json_text(yyjson_obj_get(root, "of")), buffer_slice(&spec));
    buffer_release(&spec);
    if (yyjson_get_uint(yyjson_obj_get(root, "version")) != VERSION)
        return wrong(r, "another version");
    return same ? 0 : wrong(r, "something else is counted");
}

static int read_state(struct reading *r, yyjson_val *root)
{
    uint64_t total = 0, bound = 0, truncated = 0;
    int error = check_spec(r, root);

    if (!error && (!read_count(yyjson_obj_get(root, "total"), &total) ||
                   !read_count(yyjson_obj_get(root, "bound"), &bound) ||
                   !read_count(yyjson_obj_get(root, "truncated"), &truncated) ||
                   truncated >> r->to->measured_len))
        error = wrong(r, "the total");
    if (!error)
        error = read_array(r, root, "values", read_text);
    if (!error)
        error = read_array(r, root, "groups", read_group);
    if (!error)
        error = read_array(r, root, "cells", read_cell);
    if (error)
        return error;
    r->to->total = total;
    r->to->bound = bound;
    r->to->truncated = (unsigned)truncated;
    return 0;
}

static int parse(struct reading *r, struct slice json)
{
    yyjson_read_err failure;
    yyjson_doc *doc;
    int error;

    if (json.len > AGGREGATE_STATE_BYTES_MAX)
        return errbuf_fail(r->err, LM_EINVAL,
                           "the state of counts has %zu bytes, of which at most %d can be merged "
                           "(AGGREGATE_STATE_BYTES_MAX): ask for fewer groups or values",
                           json.len, AGGREGATE_STATE_BYTES_MAX);
    if (json.len == 0)
        return wrong(r, "it is empty");
    /* Without YYJSON_READ_INSITU the text is not changed: the cast is safe. */
    doc = yyjson_read_opts((char *)json.data, json.len, 0, json_alc(), &failure);
    if (!doc)
        return failure.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? LM_ENOMEM
                                                                   : wrong(r, "it is no JSON");
    error = read_state(r, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return error;
}

int aggregate_merge_state(struct aggregate *a, struct slice json, struct errbuf *err)
{
    struct reading r = {
        .to = aggregate_new(&a->spec, NULL), .err = err, .groups_max = a->groups_max + 1};
    int error = LM_ENOMEM;

    if (r.to) {
        r.to->bytes_max = a->bytes_max;
        r.numbers = xcalloc(r.groups_max, sizeof(*r.numbers));
        error = parse(&r, json);
    }
    if (!error)
        error = aggregate_merge(a, r.to);
    free(r.numbers);
    aggregate_free(r.to);
    return error;
}
