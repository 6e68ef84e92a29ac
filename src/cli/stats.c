/*
 * logmill stats: GET /logs/stats, part by part if it takes long, which are merged by the code that
 * made them (query/aggregate.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/http_client.h"
#include "cli/sheet.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "query/aggregate.h"
#include "json/writer.h"

#define SLICE_SECONDS "1" /* after which an answer is wanted, so that there is progress to tell */

enum { ANSWER_BYTES_MAX = 256 << 20 };

struct stats {
    const struct flags *flags;
    struct http_client *client;
    struct aggregate_spec spec;  /* views of the flags */
    struct aggregate *aggregate; /* NULL: it came in one part */
    struct buffer cursor;        /* of the next part */
    struct buffer range;         /* the parameters since and until, as the first part had them */
    struct buffer answer;        /* the whole, JSON */
    struct errbuf *err;
};

/* ---- Asking ---- */

static int ask(struct stats *s)
{
    const char *value = flags_text(s->flags, "value");
    struct buffer path;

    buffer_init(&path, SIZE_MAX / 2);
    buffer_append_string(&path, "/logs/stats");
    filters_append_param(&path, "by", slice_of_string(flags_text(s->flags, "by")));
    if (value)
        filters_append_param(&path, "value", slice_of_string(value));
    filters_append_param(&path, "top", slice_of_string(flags_text(s->flags, "top")));
    filters_append_param(&path, "slice", SLICE_LITERAL(SLICE_SECONDS));

    int error = filters_append(&path, s->flags, s->err);

    buffer_append_slice(&path, buffer_slice(&s->range)); /* of one given twice the last counts */
    if (s->cursor.len > 0)
        filters_append_param(&path, "cursor", buffer_slice(&s->cursor));
    buffer_append_char(&path, '\0');
    if (!error)
        error = buffer_error(&path);
    if (!error)
        error =
            http_client_run(s->client, &(struct http_client_request){.path = path.data}, s->err);
    buffer_release(&path);
    return error;
}

static void append_bound(struct buffer *b, const char *name, yyjson_val *root)
{
    buffer_appendf(b, "&%s=%.*s", name, SLICE_ARG(json_text(yyjson_obj_get(root, name))));
}

/* Adds the state of a part to what there is. */
static int merge(struct stats *s, yyjson_val *root)
{
    yyjson_val *state = yyjson_obj_get(root, "state");
    size_t len = 0;

    if (!s->aggregate)
        s->aggregate = aggregate_new(&s->spec, NULL);
    if (!s->aggregate)
        return LM_ENOMEM;
    if (!state)
        return errbuf_fail(s->err, LM_EINVAL, "the server's answer is a part, but has no state");

    char *json = yyjson_val_write(state, 0, &len);
    int error = json ? aggregate_merge_state(s->aggregate, slice_of(json, len), s->err) : LM_ENOMEM;

    free(json);
    return error;
}

/* Takes an answer, which is the whole or a part. */
static int take(struct stats *s, struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct slice next = json_text(yyjson_obj_get(root, "next"));
    int error = 0;

    if (!yyjson_is_arr(yyjson_obj_get(root, "groups")) ||
        yyjson_arr_size(yyjson_obj_get(root, "by")) != s->spec.by_len)
        error = errbuf_fail(s->err, LM_EINVAL, "%s is no logmill server that groups logs",
                            http_client_url(s->client));
    if (!error && s->range.len == 0) {
        append_bound(&s->range, "since", root);
        append_bound(&s->range, "until", root);
    }
    if (!error && (next.len > 0 || s->aggregate))
        error = merge(s, root);
    else if (!error)
        buffer_append_slice(&s->answer, answer);
    buffer_clear(&s->cursor);
    buffer_append_slice(&s->cursor, next);
    if (!error && next.len > 0)
        terminal_status("counted back to %.*s; %llu logs so far",
                        SLICE_ARG(json_text(yyjson_obj_get(root, "searched_to"))),
                        (unsigned long long)aggregate_total(s->aggregate));
    yyjson_doc_free(doc);
    return error;
}

static int count(struct stats *s)
{
    int error = 0;

    do {
        error = ask(s);
        if (!error)
            error = take(s, http_client_answer(s->client));
    } while (!error && s->cursor.len > 0);
    if (error || !s->aggregate)
        return error ? error : buffer_error(&s->answer);
    buffer_append_char(&s->answer, '{');
    error = aggregate_append_answer(s->aggregate, &s->answer, flags_number(s->flags, "top"));
    buffer_append_char(&s->answer, '}');
    return error ? error : buffer_error(&s->answer);
}

/* ---- Showing ---- */

/* The values of a group: its count, and what was asked for; `names`: the columns have these. */
static void add_numbers(struct sheet *t, const struct stats *s, yyjson_val *group, bool names)
{
    struct buffer name;

    sheet_add(t, names ? SLICE_LITERAL("count") : json_text(yyjson_obj_get(group, "count")));
    buffer_init(&name, ANSWER_BYTES_MAX);
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

    yyjson_arr_foreach(yyjson_obj_get(root, "by"), i, max, field)
    {
        sheet_add(t, json_text(field));
    }
    add_numbers(t, s, NULL, true);
}

static void add_group(struct sheet *t, const struct stats *s, yyjson_val *root, yyjson_val *group,
                      struct slice none)
{
    yyjson_val *field;
    size_t i, max;

    yyjson_arr_foreach(yyjson_obj_get(root, "by"), i, max, field)
    {
        struct slice name = json_text(field);
        yyjson_val *value = yyjson_obj_getn(yyjson_obj_get(group, "by"), name.data, name.len);

        sheet_add(t, yyjson_is_null(value) ? none : json_text(value));
    }
    add_numbers(t, s, group, false);
    const char *count = yyjson_get_raw(yyjson_obj_get(group, "count"));
    sheet_set_amount(t, count ? strtoull(count, NULL, 10) : 0);
}

static void add_rest(struct sheet *t, const struct stats *s, yyjson_val *root)
{
    yyjson_val *other = yyjson_obj_get(root, "other");

    if (!yyjson_is_obj(other))
        return;
    for (size_t i = 0; i < t->texts; i++)
        sheet_add(t, i == 0 ? SLICE_LITERAL("(all others)") : SLICE_LITERAL(""));
    add_numbers(t, s, other, false);
}

/* What is not shown, or not exact. */
static void say_rest(yyjson_val *root, bool is_table)
{
    yyjson_val *approximate = yyjson_obj_get(root, "approximate");
    struct slice other = json_text(yyjson_obj_get(yyjson_obj_get(root, "other"), "count"));

    if (!is_table && other.len > 0)
        terminal_say("stats", "%.*s logs are in other groups: --top", SLICE_ARG(other));
    if (yyjson_is_obj(approximate))
        terminal_say("stats",
                     "approximate: a count may be %.*s too low, and some values are "
                     "estimates (docs/api.md)",
                     SLICE_ARG(json_text(yyjson_obj_get(approximate, "count_error"))));
}

static size_t numbers_of(const struct aggregate_spec *spec)
{
    size_t n = 1;

    for (size_t i = 0; i < spec->values_len; i++)
        n += spec->values[i].field != AGGREGATE_NO_FIELD;
    return n;
}

static void append_rows(const struct stats *s, struct buffer *out, bool is_table)
{
    yyjson_doc *doc = yyjson_read(s->answer.data, s->answer.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc), *group;
    size_t texts = s->spec.by_len;
    struct sheet t;
    size_t i, max;

    sheet_init(&t, texts + numbers_of(&s->spec), texts);
    add_head(&t, s, root);
    yyjson_arr_foreach(yyjson_obj_get(root, "groups"), i, max, group)
    {
        add_group(&t, s, root, group, is_table ? SLICE_LITERAL("(none)") : SLICE_LITERAL(""));
    }
    if (is_table)
        add_rest(&t, s, root);
    if (is_table)
        sheet_append_columns(&t, out);
    else
        sheet_append_csv(&t, out);
    terminal_clear_status();
    say_rest(root, is_table);
    sheet_release(&t);
    yyjson_doc_free(doc);
}

static int show(struct stats *s)
{
    const char *form = flags_text(s->flags, "output");
    struct buffer out;

    if (!form)
        form = isatty(STDOUT_FILENO) ? "pretty" : "json";
    buffer_init(&out, ANSWER_BYTES_MAX);
    if (strcmp(form, "json") == 0) {
        buffer_append_slice(&out, buffer_slice(&s->answer));
        buffer_append_char(&out, '\n');
    } else {
        append_rows(s, &out, strcmp(form, "pretty") == 0);
    }
    terminal_clear_status();

    int error = buffer_error(&out);

    if (!error)
        error = show_write(buffer_slice(&out), s->err);
    buffer_release(&out);
    return error;
}

/* ---- The command ---- */

static int check(struct stats *s)
{
    const char *value = flags_text(s->flags, "value");

    if (aggregate_spec_parse(slice_of_string(flags_text(s->flags, "by")),
                             slice_of_string(value ? value : ""), &s->spec, s->err))
        return LM_EINVAL;
    return filters_check(s->flags, s->err);
}

int client_stats(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct stats s = {.flags = flags, .client = http_client_new(flags, &err), .err = &err};
    bool is_wrong = !s.client || check(&s);
    int error = is_wrong ? LM_EINVAL : 0;

    buffer_init(&s.cursor, 1 << 16);
    buffer_init(&s.range, 1 << 16);
    buffer_init(&s.answer, ANSWER_BYTES_MAX);
    if (!error)
        error = count(&s);
    if (!error)
        error = show(&s);
    terminal_clear_status();
    if (err.text[0])
        terminal_say("stats", "%s", err.text);
    else if (error && error != LM_ESTOPPED)
        terminal_say("stats", "%s", lm_error_text(error));
    aggregate_free(s.aggregate);
    buffer_release(&s.cursor);
    buffer_release(&s.range);
    buffer_release(&s.answer);
    http_client_free(s.client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
