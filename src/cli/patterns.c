/* logmill patterns: GET /logs/patterns. */
#include "base/timestamp.h"
#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/parts.h"
#include "cli/terminal.h"
#include "query/aggregate.h"
#include "json/writer.h"

struct patterns {
    const struct flags *flags;
    int64_t new_since_us; /* INT64_MIN: all */
    struct aggregate *aggregate;
};

static int check(void *ctx, struct errbuf *err)
{
    struct patterns *p = ctx;
    const char *text = flags_text(p->flags, "new-since");

    return text ? filters_read_time("new-since", text, &p->new_since_us, err) : 0;
}

static void append_path(void *ctx, struct buffer *path)
{
    const struct patterns *p = ctx;
    char time[TIMESTAMP_TEXT_LEN];

    buffer_append_string(path, "/logs/patterns");
    filters_append_param(path, "top", slice_of_string(flags_text(p->flags, "top")));
    if (p->new_since_us == INT64_MIN)
        return;
    timestamp_format(p->new_since_us, time);
    filters_append_param(path, "new_since", slice_of(time, sizeof(time)));
}

/* The spec is that of the server. */
static int make(struct patterns *p, struct errbuf *err)
{
    struct aggregate_spec spec;
    int error = aggregate_spec_parse(SLICE_LITERAL("pattern"),
                                     SLICE_LITERAL("levels(level),min(timestamp),max(timestamp),"
                                                   "example(pattern)"),
                                     &spec, err);

    if (!error)
        p->aggregate = aggregate_new(&spec, NULL);
    return error ? error : p->aggregate ? 0 : LM_ENOMEM;
}

static int merge(void *ctx, struct slice state, struct errbuf *err)
{
    struct patterns *p = ctx;
    int error = p->aggregate ? 0 : make(p, err);

    return error ? error : aggregate_merge_state(p->aggregate, state, err);
}

static uint64_t total(void *ctx)
{
    return aggregate_total(((struct patterns *)ctx)->aggregate);
}

static bool is_new(struct slice value, int64_t first_us, void *ctx)
{
    (void)value;
    return first_us >= ((struct patterns *)ctx)->new_since_us;
}

static int append_answer(void *ctx, struct buffer *b)
{
    static const struct aggregate_words words = {
        .list = "patterns",
        .value = "pattern",
        .values = {"levels", "first_seen", "last_seen", "example"},
    };
    struct patterns *p = ctx;
    int error = 0;

    if (p->new_since_us != INT64_MIN)
        error = aggregate_keep(p->aggregate, is_new, p);
    return error ? error
                 : aggregate_append_list(p->aggregate, b, flags_number(p->flags, "top"), &words);
}

/* "error 3, info 5" */
static void append_levels(struct buffer *b, yyjson_val *levels)
{
    yyjson_val *name, *count;
    size_t i, max;

    yyjson_obj_foreach(levels, i, max, name, count)
    {
        buffer_appendf(b, "%s%.*s %.*s", i > 0 ? ", " : "", SLICE_ARG(json_text(name)),
                       SLICE_ARG(json_text(count)));
    }
}

static void add_row(struct sheet *t, yyjson_val *pattern, bool is_table)
{
    struct buffer levels;

    buffer_init(&levels, PARTS_ANSWER_BYTES_MAX);
    append_levels(&levels, yyjson_obj_get(pattern, "levels"));
    sheet_add(t, json_text(yyjson_obj_get(pattern, "pattern")));
    sheet_add(t, buffer_slice(&levels));
    sheet_add(t, json_text(yyjson_obj_get(pattern, "first_seen")));
    sheet_add(t, json_text(yyjson_obj_get(pattern, "last_seen")));
    if (!is_table)
        sheet_add(t, json_text(yyjson_obj_get(pattern, "example")));
    sheet_add(t, json_text(yyjson_obj_get(pattern, "count")));
    sheet_set_amount(t, parts_number(yyjson_obj_get(pattern, "count")));
    buffer_release(&levels);
}

static void append_rows(void *ctx, yyjson_val *root, struct buffer *out, bool is_table)
{
    static const struct slice names[] = {SLICE_LITERAL("pattern"), SLICE_LITERAL("levels"),
                                         SLICE_LITERAL("first_seen"), SLICE_LITERAL("last_seen")};
    struct slice other = json_text(yyjson_obj_get(yyjson_obj_get(root, "other"), "count"));
    size_t texts = is_table ? 4 : 5, i, max;
    yyjson_val *pattern;
    struct sheet t;

    (void)ctx;
    sheet_init(&t, texts + 1, texts);
    for (i = 0; i < 4; i++)
        sheet_add(&t, names[i]);
    if (!is_table)
        sheet_add(&t, SLICE_LITERAL("example"));
    sheet_add(&t, SLICE_LITERAL("count"));
    yyjson_arr_foreach(yyjson_obj_get(root, "patterns"), i, max, pattern)
    {
        add_row(&t, pattern, is_table);
    }
    parts_append_sheet(&t, out, is_table);
    if (other.len > 0)
        terminal_say("patterns", "%.*s logs have other patterns: --top", SLICE_ARG(other));
    parts_say_approximate("patterns", root);
    sheet_release(&t);
}

int client_patterns(const struct flags *flags)
{
    static const struct parts_kind kind = {
        .list = "patterns",
        .check = check,
        .append_path = append_path,
        .merge = merge,
        .total = total,
        .append_answer = append_answer,
        .append_rows = append_rows,
    };
    struct patterns p = {.flags = flags, .new_since_us = INT64_MIN};
    int status = parts_run(flags, &kind, &p);

    aggregate_free(p.aggregate);
    return status;
}
