#include "cli/parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/http_client.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "json/writer.h"

#define SLICE_SECONDS "1" /* after which an answer is wanted, so that there is progress to tell */

struct parts {
    const struct flags *flags;
    const struct parts_kind *kind;
    void *ctx;
    struct http_client *client;
    bool is_merged;       /* it came in several */
    struct buffer cursor; /* of the next part */
    struct buffer range;  /* the parameters since and until, as the first part had them */
    struct buffer answer; /* the whole, JSON */
    struct errbuf *err;
};

/* ---- Asking ---- */

static int ask(struct parts *p)
{
    struct buffer path;

    buffer_init_small(&path);
    p->kind->append_path(p->ctx, &path);
    filters_append_param(&path, "slice", SLICE_LITERAL(SLICE_SECONDS));

    int error = filters_append(&path, p->flags, p->err);

    buffer_append_slice(&path, buffer_slice(&p->range)); /* of one given twice the last counts */
    if (p->cursor.len > 0)
        filters_append_param(&path, "cursor", buffer_slice(&p->cursor));
    buffer_append_char(&path, '\0');
    if (!error)
        error = buffer_error(&path);
    if (!error)
        error =
            http_client_run(p->client, &(struct http_client_request){.path = path.data}, p->err);
    buffer_release(&path);
    return error;
}

static void append_bound(struct buffer *b, const char *name, yyjson_val *root)
{
    buffer_appendf(b, "&%s=%.*s", name, SLICE_ARG(json_text(yyjson_obj_get(root, name))));
}

static int merge(struct parts *p, yyjson_val *root)
{
    yyjson_val *state = yyjson_obj_get(root, "state");
    size_t len = 0;

    if (!state)
        return errbuf_fail(p->err, LM_EINVAL, "the server's answer is a part, but has no state");

    char *json = yyjson_val_write(state, 0, &len);
    int error = json ? p->kind->merge(p->ctx, slice_of(json, len), p->err) : LM_ENOMEM;

    free(json);
    p->is_merged = true;
    return error;
}

/* Takes an answer, which is the whole or a part. */
static int take(struct parts *p, struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct slice next = json_text(yyjson_obj_get(root, "next"));
    int error = 0;

    if (!yyjson_is_arr(yyjson_obj_get(root, p->kind->list)))
        error = errbuf_fail(p->err, LM_EINVAL, "%s is no logmill server that has %s",
                            http_client_url(p->client), p->kind->list);
    if (!error && p->range.len == 0) {
        append_bound(&p->range, "since", root);
        append_bound(&p->range, "until", root);
    }
    if (!error && (next.len > 0 || p->is_merged))
        error = merge(p, root);
    else if (!error)
        buffer_append_slice(&p->answer, answer);
    buffer_clear(&p->cursor);
    buffer_append_slice(&p->cursor, next);
    if (!error && next.len > 0)
        terminal_status("counted back to %.*s; %llu logs so far",
                        SLICE_ARG(json_text(yyjson_obj_get(root, "searched_to"))),
                        (unsigned long long)p->kind->total(p->ctx));
    yyjson_doc_free(doc);
    return error;
}

static int gather(struct parts *p)
{
    int error = 0;

    do {
        error = ask(p);
        if (!error)
            error = take(p, http_client_answer(p->client));
    } while (!error && p->cursor.len > 0);
    if (error || !p->is_merged)
        return error ? error : buffer_error(&p->answer);
    buffer_append_char(&p->answer, '{');
    error = p->kind->append_answer(p->ctx, &p->answer);
    buffer_append_char(&p->answer, '}');
    return error ? error : buffer_error(&p->answer);
}

/* ---- Showing ---- */

struct slice parts_text(yyjson_val *value, struct slice none)
{
    return yyjson_is_null(value) ? none : json_text(value);
}

uint64_t parts_number(yyjson_val *value)
{
    const char *digits = yyjson_get_raw(value);

    return digits ? strtoull(digits, NULL, 10) : 0;
}

void parts_append_sheet(const struct sheet *t, struct buffer *out, bool is_table)
{
    if (is_table)
        sheet_append_columns(t, out);
    else
        sheet_append_csv(t, out);
}

void parts_say_approximate(const char *command, yyjson_val *root)
{
    yyjson_val *approximate = yyjson_obj_get(root, "approximate");

    if (yyjson_is_obj(approximate))
        terminal_say(command,
                     "approximate: a count may be %llu too low, and some values are estimates "
                     "(docs/api.md)",
                     (unsigned long long)parts_number(yyjson_obj_get(approximate, "count_error")));
}

static int show(struct parts *p)
{
    const char *form = flags_text(p->flags, "output");
    struct buffer out;

    if (!form)
        form = isatty(STDOUT_FILENO) ? "pretty" : "json";
    buffer_init(&out, PARTS_ANSWER_BYTES_MAX);
    terminal_clear_status();
    if (strcmp(form, "json") == 0) {
        buffer_append_slice(&out, buffer_slice(&p->answer));
        buffer_append_char(&out, '\n');
    } else {
        yyjson_doc *doc = yyjson_read(p->answer.data, p->answer.len, YYJSON_READ_NUMBER_AS_RAW);

        p->kind->append_rows(p->ctx, yyjson_doc_get_root(doc), &out, strcmp(form, "pretty") == 0);
        yyjson_doc_free(doc);
    }

    int error = buffer_error(&out);

    if (!error)
        error = show_write(buffer_slice(&out), p->err);
    buffer_release(&out);
    return error;
}

/* ---- The command ---- */

int parts_run(const struct flags *flags, const struct parts_kind *kind, void *ctx)
{
    const char *command = flags->command->name;
    struct errbuf err = ERRBUF_INIT;
    struct parts p = {.flags = flags,
                      .kind = kind,
                      .ctx = ctx,
                      .client = http_client_new(flags, &err),
                      .err = &err};
    bool is_wrong = !p.client || kind->check(ctx, &err) || filters_check(flags, &err);
    int error = is_wrong ? LM_EINVAL : 0;

    buffer_init(&p.cursor, 1 << 16);
    buffer_init(&p.range, 1 << 16);
    buffer_init(&p.answer, PARTS_ANSWER_BYTES_MAX);
    if (!error)
        error = gather(&p);
    if (!error)
        error = show(&p);
    terminal_clear_status();
    if (err.text[0])
        terminal_say(command, "%s", err.text);
    else if (error && error != LM_ESTOPPED)
        terminal_say(command, "%s", lm_error_text(error));
    buffer_release(&p.cursor);
    buffer_release(&p.range);
    buffer_release(&p.answer);
    http_client_free(p.client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
