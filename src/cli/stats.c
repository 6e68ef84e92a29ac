/* logmill stats: GET /logs/stats. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/parts.h"
#include "cli/terminal.h"
#include "query/aggregate.h"
#include "json/writer.h"

struct stats {
    const struct flags *flags;
    struct aggregate_spec spec;  /* views of the flags */
    uint64_t bucket_s;           /* 0: none */
    struct aggregate *aggregate; /* NULL: it came in one part */
};

/* ---- Asking ---- */

static int check(void *ctx, struct errbuf *err)
{
    struct stats *s = ctx;
    const char *value = flags_text(s->flags, "value");
    const char *bucket = flags_text(s->flags, "bucket");

    if (bucket && filters_read_seconds(bucket, &s->bucket_s))
        return errbuf_fail(err, LM_EINVAL,
                           "--bucket: \"%s\" is no length of time; allowed: seconds, or 5m, 1h, 1d",
                           bucket);
    return aggregate_spec_parse(slice_of_string(flags_text(s->flags, "by")),
                                slice_of_string(value ? value : ""), &s->spec, err);
}

static void append_path(void *ctx, struct buffer *path)
{
    struct stats *s = ctx;
    const char *value = flags_text(s->flags, "value");
    char seconds[24];

    buffer_append_string(path, "/logs/stats");
    filters_append_param(path, "by", slice_of_string(flags_text(s->flags, "by")));
    if (value)
        filters_append_param(path, "value", slice_of_string(value));
    if (s->bucket_s) {
        snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)s->bucket_s);
        filters_append_param(path, "bucket", slice_of_string(seconds));
    }
    filters_append_param(path, "top", slice_of_string(flags_text(s->flags, "top")));
}

/* Where the first bucket begins is known to the server alone: it stands at the end of what a state
 * is of. */
static void take_buckets(struct stats *s, struct slice state)
{
    yyjson_doc *doc = yyjson_read(state.data, state.len, 0);
    const char *of = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "of"));
    const char *at = of ? strrchr(of, '@') : NULL;
    char *end = NULL;

    s->spec.bucket_us = at ? strtoll(at + 1, &end, 10) : 0;
    s->spec.bucket_from_us = end ? strtoll(end, NULL, 10) : 0;
    yyjson_doc_free(doc);
}

static int merge(void *ctx, struct slice state, struct errbuf *err)
{
    struct stats *s = ctx;

    if (!s->aggregate && s->bucket_s)
        take_buckets(s, state);
    if (!s->aggregate)
        s->aggregate = aggregate_new(&s->spec, NULL);
    return s->aggregate ? aggregate_merge_state(s->aggregate, state, err) : LM_ENOMEM;
}

static uint64_t total(void *ctx)
{
    return aggregate_total(((struct stats *)ctx)->aggregate);
}

static int append_answer(void *ctx, struct buffer *b)
{
    struct stats *s = ctx;

    return aggregate_append_answer(s->aggregate, b, flags_number(s->flags, "top"));
}

/* ---- Showing ---- */

/* The values of a group: its count, and what was asked for; `names`: the columns have these. */
static void add_numbers(struct sheet *t, const struct stats *s, yyjson_val *group, bool names)
{
    struct buffer name;

    sheet_add(t, names ? SLICE_LITERAL("count") : json_text(yyjson_obj_get(group, "count")));
    buffer_init(&name, PARTS_ANSWER_BYTES_MAX);
    for (size_t i = 0; i < s->spec.values_len; i++) {
        buffer_clear(&name);
        aggregate_append_value(&name, &s->spec, i);
        if (s->spec.values[i].field == AGGREGATE_NO_FIELD)
            continue; /* the count, which is there already */
        sheet_add(t, names ? buffer_slice(&name)
                           : json_text(yyjson_obj_getn(yyjson_obj_get(group, "values"), name.data,
                                                       name.len)));
    }
    buffer_release(&name);
}

static void add_head(struct sheet *t, const struct stats *s, yyjson_val *root)
{
    yyjson_val *field;
    size_t i, max;

    if (s->bucket_s)
        sheet_add(t, SLICE_LITERAL("timestamp"));
    yyjson_arr_foreach(yyjson_obj_get(root, "by"), i, max, field)
    {
        sheet_add(t, json_text(field));
    }
    add_numbers(t, s, NULL, true);
}

/* The values that a group is of. */
static void add_values_of(struct sheet *t, yyjson_val *root, yyjson_val *group, struct slice none)
{
    yyjson_val *field;
    size_t i, max;

    yyjson_arr_foreach(yyjson_obj_get(root, "by"), i, max, field)
    {
        struct slice name = json_text(field);

        sheet_add(
            t, parts_text(yyjson_obj_getn(yyjson_obj_get(group, "by"), name.data, name.len), none));
    }
}

static void add_rest(struct sheet *t, const struct stats *s, yyjson_val *other, size_t columns)
{
    if (!yyjson_is_obj(other))
        return;
    for (size_t i = 0; i < columns; i++)
        sheet_add(t, i == 0 ? SLICE_LITERAL("(all others)") : SLICE_LITERAL(""));
    add_numbers(t, s, other, false);
}

static void add_groups(struct sheet *t, const struct stats *s, yyjson_val *root, bool is_table)
{
    yyjson_val *group;
    size_t i, max;

    yyjson_arr_foreach(yyjson_obj_get(root, "groups"), i, max, group)
    {
        add_values_of(t, root, group, is_table ? SLICE_LITERAL("(none)") : SLICE_LITERAL(""));
        add_numbers(t, s, group, false);
        sheet_set_amount(t, parts_number(yyjson_obj_get(group, "count")));
    }
    if (is_table)
        add_rest(t, s, yyjson_obj_get(root, "other"), s->spec.by_len);
}

/* A row for each group of a bucket. */
static void add_bucket(struct sheet *t, const struct stats *s, yyjson_val *root, yyjson_val *bucket,
                       bool is_table)
{
    struct slice time = json_text(yyjson_obj_get(bucket, "timestamp"));
    yyjson_val *groups = yyjson_obj_get(root, "groups"), *cell;
    yyjson_val *other = yyjson_obj_get(bucket, "other");
    size_t i, max;

    yyjson_arr_foreach(yyjson_obj_get(bucket, "groups"), i, max, cell)
    {
        size_t place = parts_number(yyjson_obj_get(cell, "group"));

        sheet_add(t, time);
        add_values_of(t, root, yyjson_arr_get(groups, place),
                      is_table ? SLICE_LITERAL("(none)") : SLICE_LITERAL(""));
        add_numbers(t, s, cell, false);
        sheet_set_amount(t, parts_number(yyjson_obj_get(cell, "count")));
    }
    if (!yyjson_is_obj(other) || !is_table)
        return;
    sheet_add(t, time);
    add_rest(t, s, other, s->spec.by_len);
}

/* What is not shown, or not exact. */
static void say_rest(yyjson_val *root, bool is_table)
{
    struct slice other = json_text(yyjson_obj_get(yyjson_obj_get(root, "other"), "count"));

    if (!is_table && other.len > 0)
        terminal_say("stats", "%.*s logs are in other groups: --top", SLICE_ARG(other));
    parts_say_approximate("stats", root);
}

static size_t numbers_of(const struct aggregate_spec *spec)
{
    size_t n = 1;

    for (size_t i = 0; i < spec->values_len; i++)
        n += spec->values[i].field != AGGREGATE_NO_FIELD;
    return n;
}

static void append_rows(void *ctx, yyjson_val *root, struct buffer *out, bool is_table)
{
    const struct stats *s = ctx;
    size_t texts = s->spec.by_len + (s->bucket_s > 0), i, max;
    yyjson_val *bucket;
    struct sheet t;

    sheet_init(&t, texts + numbers_of(&s->spec), texts);
    add_head(&t, s, root);
    if (s->bucket_s) {
        yyjson_arr_foreach(yyjson_obj_get(root, "buckets"), i, max, bucket)
        {
            add_bucket(&t, s, root, bucket, is_table);
        }
    } else {
        add_groups(&t, s, root, is_table);
    }
    parts_append_sheet(&t, out, is_table);
    say_rest(root, is_table);
    sheet_release(&t);
}

/* ---- The command ---- */

int client_stats(const struct flags *flags)
{
    static const struct parts_kind kind = {
        .list = "groups",
        .check = check,
        .append_path = append_path,
        .merge = merge,
        .total = total,
        .append_answer = append_answer,
        .append_rows = append_rows,
    };
    struct stats s = {.flags = flags};
    int status = parts_run(flags, &kind, &s);

    aggregate_free(s.aggregate);
    return status;
}
