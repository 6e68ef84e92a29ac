/*
 * A survey as a text:
 *
 *     {"version":1,"total":…,"bound":…,"fields":[["http.status",kind,logs,lacks,[logs of each
 * type], bound,{"hashes":"…"} or {"registers":"…"},["200",…],[logs,lacks,…]],…]}
 */
#include <stdlib.h>

#include <yyjson.h>

#include "query/distinct_state.h"
#include "query/survey_table.h"
#include "json/writer.h"

enum { VERSION = 1 };

static const uint64_t COUNT_MAX = UINT64_C(1) << 53; /* what every reader of JSON can hold */

/* ---- Writing ---- */

static void append_count(struct buffer *b, const char *before, uint64_t count)
{
    buffer_append_string(b, before);
    buffer_append_u64(b, count);
}

static void append_field(const struct survey *s, struct buffer *b, uint32_t number)
{
    const struct survey_field *f = survey_field_at(s, number);
    uint32_t n = (uint32_t)dictionary_len(&f->values);

    buffer_append_char(b, '[');
    json_append_string(b, dictionary_text(&s->paths, number));
    append_count(b, ",", dictionary_tag(&s->paths, number));
    append_count(b, ",", f->in.logs);
    append_count(b, ",", f->in.lacks);
    for (size_t i = 0; i < LOG_VALUE_TYPES; i++)
        append_count(b, i ? "," : ",[", f->types[i].logs);
    append_count(b, "],", f->bound);
    buffer_append_char(b, ',');
    distinct_append_state(&f->distinct, b);
    buffer_append_string(b, ",[");
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        json_append_string(b, dictionary_text(&f->values, i));
    }
    buffer_append_string(b, "],[");
    for (uint32_t i = 0; i < n; i++) {
        append_count(b, i ? "," : "", survey_count_at(f, i)->logs);
        append_count(b, ",", survey_count_at(f, i)->lacks);
    }
    buffer_append_string(b, "]]");
}

void survey_append_state(const struct survey *s, struct buffer *b)
{
    buffer_appendf(b, "{\"version\":%d,\"total\":%llu,\"bound\":%llu,\"fields\":[", VERSION,
                   (unsigned long long)s->total, (unsigned long long)s->bound);
    for (uint32_t i = 0; i < dictionary_len(&s->paths); i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        append_field(s, b, i);
    }
    buffer_append_string(b, "]}");
}

/* ---- Reading: what is wrong is LM_EINVAL, and in `err` ---- */

struct reading {
    struct survey *to; /* nobody else's: of no use after an error */
    struct errbuf *err;
};

static int wrong(const struct reading *r, const char *what)
{
    return errbuf_fail(r->err, LM_EINVAL, "the state of fields is not as it should be: %s", what);
}

static bool read_count(yyjson_val *value, uint64_t *n)
{
    *n = yyjson_get_uint(value);
    return yyjson_is_uint(value) && *n <= COUNT_MAX;
}

static int read_types(const struct reading *r, yyjson_val *types, struct survey_field *f)
{
    if (yyjson_arr_size(types) != LOG_VALUE_TYPES)
        return wrong(r, "types");
    for (size_t i = 0; i < LOG_VALUE_TYPES; i++)
        if (!read_count(yyjson_arr_get(types, i), &f->types[i].logs))
            return wrong(r, "a type");
    return 0;
}

static int read_values(const struct reading *r, yyjson_val *values, yyjson_val *counts,
                       struct survey_field *f)
{
    yyjson_arr_iter v, c;
    yyjson_val *value;

    if (!yyjson_is_arr(values) || yyjson_arr_size(values) > 2 * r->to->values_max ||
        yyjson_arr_size(counts) != 2 * yyjson_arr_size(values))
        return wrong(r, "how many values there are");
    yyjson_arr_iter_init(values, &v);
    yyjson_arr_iter_init(counts, &c);
    while ((value = yyjson_arr_iter_next(&v))) {
        size_t before = dictionary_len(&f->values);
        struct survey_count *count;

        if (!yyjson_is_str(value) || yyjson_get_len(value) > SURVEY_TEXT_MAX)
            return wrong(r, "a value");
        count = survey_value_of(r->to, f, json_text(value));
        if (!count)
            return LM_ENOMEM;
        if (dictionary_len(&f->values) == before)
            return wrong(r, "a value is there twice");
        if (!read_count(yyjson_arr_iter_next(&c), &count->logs) ||
            !read_count(yyjson_arr_iter_next(&c), &count->lacks))
            return wrong(r, "a count of a value");
    }
    return 0;
}

enum { FIELD_MEMBERS = 9 };

static int read_field(const struct reading *r, yyjson_val *value)
{
    yyjson_val *of[FIELD_MEMBERS];
    size_t before = dictionary_len(&r->to->paths);
    struct survey_field *f;
    uint64_t kind;
    int error;

    if (yyjson_arr_size(value) != FIELD_MEMBERS)
        return wrong(r, "a field");
    for (size_t i = 0; i < FIELD_MEMBERS; i++)
        of[i] = yyjson_arr_get(value, i);
    if (!yyjson_is_str(of[0]) || yyjson_get_len(of[0]) > 2 * SURVEY_PATH_MAX ||
        !read_count(of[1], &kind) || kind > SURVEY_LEVEL)
        return wrong(r, "a path");
    f = survey_field_of(r->to, json_text(of[0]), (uint32_t)kind);
    if (!f)
        return LM_ENOMEM;
    if (dictionary_len(&r->to->paths) == before)
        return wrong(r, "a field is there twice");
    if (!read_count(of[2], &f->in.logs) || !read_count(of[3], &f->in.lacks))
        return wrong(r, "the numbers of a field");
    error = read_types(r, of[4], f);
    if (!error)
        error = distinct_read_state(&f->distinct, of[6], r->err);
    if (!error)
        error = read_values(r, of[7], of[8], f);
    if (!error && !read_count(of[5], &f->bound))
        error = wrong(r, "the numbers of a field");
    return error;
}

static int read_state(const struct reading *r, yyjson_val *root)
{
    yyjson_val *fields = yyjson_obj_get(root, "fields"), *field;
    yyjson_arr_iter iter;
    uint64_t total, bound;
    int error = 0;

    if (yyjson_get_uint(yyjson_obj_get(root, "version")) != VERSION)
        return wrong(r, "another version");
    if (!read_count(yyjson_obj_get(root, "total"), &total) ||
        !read_count(yyjson_obj_get(root, "bound"), &bound))
        return wrong(r, "the total");
    if (!yyjson_is_arr(fields) || yyjson_arr_size(fields) > 2 * r->to->fields_max)
        return wrong(r, "how many fields there are");
    yyjson_arr_iter_init(fields, &iter);
    while (!error && (field = yyjson_arr_iter_next(&iter)))
        error = read_field(r, field);
    r->to->total = total;
    r->to->bound = bound;
    return error;
}

int survey_merge_state(struct survey *s, struct slice json, struct errbuf *err)
{
    struct reading r = {.to = survey_new(NULL), .err = err};
    yyjson_read_err failure = {0};
    yyjson_doc *doc = NULL;
    int error = r.to ? 0 : LM_ENOMEM;

    if (!error && json.len > SURVEY_STATE_BYTES_MAX)
        error = errbuf_fail(err, LM_EINVAL,
                            "the state of fields has %zu bytes, of which at most %d can be merged "
                            "(SURVEY_STATE_BYTES_MAX)",
                            json.len, SURVEY_STATE_BYTES_MAX);
    if (!error && json.len == 0)
        error = wrong(&r, "it is empty");
    /* Without YYJSON_READ_INSITU the text is not changed: the cast is safe. */
    if (!error) {
        doc = yyjson_read_opts((char *)json.data, json.len, 0, json_alc(), &failure);
        if (!doc)
            error = failure.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                        ? LM_ENOMEM
                        : wrong(&r, "it is no JSON");
    }
    if (!error)
        error = read_state(&r, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (!error)
        error = survey_merge(s, r.to);
    survey_free(r.to);
    return error;
}
