/*
 * logmill fields: GET /logs/fields, and GET /logs/fields/PATH where the first word is the name of a
 * field alone.
 */
#include <string.h>

#include "base/url_escape.h"
#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/parts.h"
#include "cli/terminal.h"
#include "query/aggregate.h"
#include "query/survey.h"
#include "json/writer.h"

/* ---- Which fields there are ---- */

struct fields {
    const struct flags *flags;
    struct survey *survey;
};

static size_t top_of(const struct flags *flags, size_t most)
{
    size_t top = flags_number(flags, "top");

    return top < most ? top : most;
}

static int check(void *ctx, struct errbuf *err)
{
    const struct fields *f = ctx;

    if (flags_number(f->flags, "top") > SURVEY_TOP_MAX)
        return errbuf_fail(err, LM_EINVAL, "--top: at most %d values of each field",
                           SURVEY_TOP_MAX);
    if (flags_text(f->flags, "prefix"))
        return errbuf_fail(err, LM_EINVAL, "--prefix: of which field? `logmill fields PATH`");
    return 0;
}

static void append_path(void *ctx, struct buffer *path)
{
    const struct fields *f = ctx;

    buffer_append_string(path, "/logs/fields");
    filters_append_param(path, "top", slice_of_string(flags_text(f->flags, "top")));
}

static int merge(void *ctx, struct slice state, struct errbuf *err)
{
    struct fields *f = ctx;

    if (!f->survey)
        f->survey = survey_new(NULL);
    return f->survey ? survey_merge_state(f->survey, state, err) : LM_ENOMEM;
}

static uint64_t total(void *ctx)
{
    return survey_total(((struct fields *)ctx)->survey);
}

static int append_answer(void *ctx, struct buffer *b)
{
    const struct fields *f = ctx;

    return survey_append_answer(f->survey, b, top_of(f->flags, SURVEY_TOP_MAX));
}

/* "number 3, string 5" */
static void append_types(struct buffer *b, yyjson_val *types)
{
    yyjson_val *name, *logs;
    size_t i, max;

    yyjson_obj_foreach(types, i, max, name, logs)
    {
        buffer_appendf(b, "%s%.*s", i > 0 ? ", " : "", SLICE_ARG(json_text(name)));
        if (max > 1)
            buffer_appendf(b, " %.*s", SLICE_ARG(json_text(logs)));
    }
}

/* "pay 12, cart 3" */
static void append_values(struct buffer *b, yyjson_val *values)
{
    yyjson_val *value;
    size_t i, max;

    yyjson_arr_foreach(values, i, max, value)
    {
        buffer_appendf(b, "%s%.*s %.*s", i > 0 ? ", " : "",
                       SLICE_ARG(json_text(yyjson_obj_get(value, "value"))),
                       SLICE_ARG(json_text(yyjson_obj_get(value, "count"))));
    }
}

static void add_field(struct sheet *t, yyjson_val *field)
{
    yyjson_val *approximate = yyjson_obj_get(field, "approximate");
    bool is_estimate = yyjson_get_bool(yyjson_obj_get(approximate, "distinct"));
    struct buffer room;

    buffer_init(&room, PARTS_ANSWER_BYTES_MAX);
    sheet_add(t, json_text(yyjson_obj_get(field, "path")));
    append_types(&room, yyjson_obj_get(field, "types"));
    sheet_add(t, buffer_slice(&room));
    buffer_clear(&room);
    append_values(&room, yyjson_obj_get(field, "values"));
    sheet_add(t, buffer_slice(&room));
    buffer_clear(&room);
    buffer_appendf(&room, "%s%.*s", is_estimate ? "~" : "",
                   SLICE_ARG(json_text(yyjson_obj_get(field, "distinct"))));
    sheet_add(t, buffer_slice(&room));
    sheet_add(t, json_text(yyjson_obj_get(field, "logs")));
    sheet_set_amount(t, parts_number(yyjson_obj_get(field, "logs")));
    buffer_release(&room);
}

static void append_rows(void *ctx, yyjson_val *root, struct buffer *out, bool is_table)
{
    static const char *const names[] = {"path", "types", "values", "distinct", "logs"};
    yyjson_val *approximate = yyjson_obj_get(root, "approximate"), *field;
    struct sheet t;
    size_t i, max;

    (void)ctx;
    sheet_init(&t, 5, 3);
    for (i = 0; i < 5; i++)
        sheet_add(&t, slice_of_string(names[i]));
    yyjson_arr_foreach(yyjson_obj_get(root, "fields"), i, max, field)
    {
        add_field(&t, field);
    }
    parts_append_sheet(&t, out, is_table);
    if (yyjson_is_obj(approximate))
        terminal_say("fields", "there are more fields, in up to %llu logs each",
                     (unsigned long long)parts_number(yyjson_obj_get(approximate, "unseen_count")));
    sheet_release(&t);
}

/* ---- The values of one ---- */

struct values {
    const struct flags *flags;
    const char *path;
    struct aggregate *aggregate;
};

static int check_values(void *ctx, struct errbuf *err)
{
    const struct values *v = ctx;

    if (aggregate_field_of(slice_of_string(v->path)).kind == LOG_FIELD_TIMESTAMP)
        return errbuf_fail(err, LM_EINVAL, "times are counted by `logmill stats --bucket`");
    return 0;
}

static void append_path_of_values(void *ctx, struct buffer *path)
{
    const struct values *v = ctx;
    const char *prefix = flags_text(v->flags, "prefix");

    buffer_append_string(path, "/logs/fields/");
    url_escape_append(path, slice_of_string(v->path));
    filters_append_param(path, "top", slice_of_string(flags_text(v->flags, "top")));
    if (prefix)
        filters_append_param(path, "prefix", slice_of_string(prefix));
}

static int merge_values(void *ctx, struct slice state, struct errbuf *err)
{
    struct values *v = ctx;
    struct aggregate_spec spec = {.by_len = 1};

    spec.fields.items[0] = aggregate_field_of(slice_of_string(v->path));
    spec.fields.len = 1;
    if (!v->aggregate)
        v->aggregate = aggregate_new(&spec, NULL);
    return v->aggregate ? aggregate_merge_state(v->aggregate, state, err) : LM_ENOMEM;
}

static uint64_t total_of_values(void *ctx)
{
    return aggregate_total(((struct values *)ctx)->aggregate);
}

static int append_answer_of_values(void *ctx, struct buffer *b)
{
    static const struct aggregate_words words = {.list = "values", .value = "value"};
    const struct values *v = ctx;

    return aggregate_append_list(v->aggregate, b, flags_number(v->flags, "top"), &words);
}

static void append_rows_of_values(void *ctx, yyjson_val *root, struct buffer *out, bool is_table)
{
    struct slice other = json_text(yyjson_obj_get(yyjson_obj_get(root, "other"), "count"));
    yyjson_val *value;
    struct sheet t;
    size_t i, max;

    sheet_init(&t, 2, 1);
    sheet_add(&t, slice_of_string(((const struct values *)ctx)->path));
    sheet_add(&t, SLICE_LITERAL("count"));
    yyjson_arr_foreach(yyjson_obj_get(root, "values"), i, max, value)
    {
        sheet_add(&t, parts_text(yyjson_obj_get(value, "value"),
                                 is_table ? SLICE_LITERAL("(none)") : SLICE_LITERAL("")));
        sheet_add(&t, json_text(yyjson_obj_get(value, "count")));
        sheet_set_amount(&t, parts_number(yyjson_obj_get(value, "count")));
    }
    if (is_table && other.len > 0) {
        sheet_add(&t, SLICE_LITERAL("(all others)"));
        sheet_add(&t, other);
    }
    parts_append_sheet(&t, out, is_table);
    parts_say_approximate("fields", root);
    sheet_release(&t);
}

/* ---- The command ---- */

/* A name, and nothing that the query language would take for more. */
static bool is_path(const char *word)
{
    return word[0] && word[0] != '-' && word[0] != '/' && !strpbrk(word, " \t\n:\"()*[]{}<>=|&");
}

int client_fields(const struct flags *flags)
{
    static const struct parts_kind all = {
        .list = "fields",
        .check = check,
        .append_path = append_path,
        .merge = merge,
        .total = total,
        .append_answer = append_answer,
        .append_rows = append_rows,
    };
    static const struct parts_kind one = {
        .list = "values",
        .check = check_values,
        .append_path = append_path_of_values,
        .merge = merge_values,
        .total = total_of_values,
        .append_answer = append_answer_of_values,
        .append_rows = append_rows_of_values,
    };
    struct flags rest = *flags;
    struct fields f = {.flags = flags};
    int status;

    if (flags->args_len > 0 && is_path(flags->args[0])) {
        struct values v = {.flags = flags, .path = flags->args[0]};

        rest.args++;
        rest.args_len--;
        status = parts_run(&rest, &one, &v);
        aggregate_free(v.aggregate);
        return status;
    }
    status = parts_run(flags, &all, &f);
    survey_free(f.survey);
    return status;
}
