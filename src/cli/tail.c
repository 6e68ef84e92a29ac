/*
 * logmill tail: follows GET /logs/tail. The stream begins first; then the logs that are stored
 * already are shown, and what the stream brings of them again is left out, so that nothing falls
 * between the two.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/query.h"
#include "cli/sse.h"
#include "cli/terminal.h"
#include "json/writer.h"

enum { ID_LEN = 36, SHOWN_IDS_MAX = 1000 };

struct tail {
    const struct flags *flags;
    struct show show;
    struct sse sse;
    struct buffer out;
    uint64_t first; /* logs to show first that were not shown yet */
    char shown[SHOWN_IDS_MAX][ID_LEN];
    size_t shown_len;
    bool is_away; /* has been said */
    struct errbuf *err;
};

static void remember(yyjson_val *log, void *ctx)
{
    struct tail *t = ctx;
    struct slice id = json_text(yyjson_obj_get(log, "id"));

    if (id.len == ID_LEN && t->shown_len < SHOWN_IDS_MAX)
        memcpy(t->shown[t->shown_len++], id.data, ID_LEN);
}

static bool was_shown(const struct tail *t, struct slice id)
{
    for (size_t i = 0; i < t->shown_len; i++)
        if (id.len == ID_LEN && memcmp(t->shown[i], id.data, ID_LEN) == 0)
            return true;
    return false;
}

static int show_log(struct tail *t, struct slice text)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *log = yyjson_doc_get_root(doc);
    int error = 0;

    buffer_clear(&t->out);
    if (yyjson_is_obj(log) && !was_shown(t, json_text(yyjson_obj_get(log, "id"))))
        show_append(&t->show, &t->out, log);
    if (t->out.len > 0)
        error = show_write(buffer_slice(&t->out), t->err);
    yyjson_doc_free(doc);
    return error;
}

static void say_missed(struct slice data)
{
    yyjson_doc *doc = yyjson_read(data.data, data.len, 0);

    terminal_say(
        "tail", "%llu logs were missed: this reader was too slow",
        (unsigned long long)yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), "missed")));
    yyjson_doc_free(doc);
}

static int take_event(struct slice name, struct slice data, void *ctx)
{
    if (name.len == 0)
        return show_log(ctx, data);
    if (slice_equal(name, SLICE_LITERAL("missed")))
        say_missed(data);
    else if (slice_equal(name, SLICE_LITERAL("lost")))
        terminal_say("tail", "logs before this are too long ago to be followed; `logmill query` "
                             "has them");
    return 0;
}

/* The stream has begun: what is stored is shown first. */
static int show_stored(struct tail *t)
{
    struct query q = {
        .client = http_client_new(t->flags, t->err), .flags = t->flags, .limit = t->first};
    int error = LM_EINVAL;

    t->shown_len = 0;
    if (q.client)
        error = query_show_last(&q, &t->show, remember, t, t->err);
    if (!error)
        t->first = 0;
    http_client_free(q.client);
    return error;
}

static int take_bytes(struct slice bytes, void *ctx)
{
    struct tail *t = ctx;
    int error = t->first > 0 ? show_stored(t) : 0;

    if (t->is_away)
        terminal_say("tail", "follows again");
    t->is_away = false;
    return error ? error : sse_feed(&t->sse, bytes);
}

static bool reader_has_gone(void *ctx)
{
    return terminal_wait(0);
}

/* One stream, until it breaks off. */
static int follow(struct tail *t, struct http_client *client, const char *path)
{
    struct http_client_request request = {
        .path = path, .take = take_bytes, .is_over = reader_has_gone, .ctx = t};
    struct buffer header;

    buffer_init_small(&header);
    buffer_append_string(&header, "Last-Event-ID: ");
    buffer_append_slice(&header, buffer_slice(&t->sse.id));
    buffer_append_char(&header, '\0');
    request.header = t->sse.id.len > 0 ? header.data : NULL;
    sse_begin(&t->sse);
    int error = http_client_run(client, &request, t->err);
    buffer_release(&header);
    return error;
}

/* Comes back whenever a stream has broken off. LM_ESTOPPED if nobody reads any more. */
static int follow_for_ever(struct tail *t, struct http_client *client, const char *path)
{
    unsigned tries = 0;
    int error;

    for (;;) {
        bool was_away = t->is_away;

        error = follow(t, client, path);
        if (error && error != LM_EUNAVAILABLE)
            return error;
        tries = was_away && t->is_away ? tries + 1 : 1;
        if (error && !t->is_away) {
            terminal_say("tail", "%s; trying again", t->err->text);
            t->is_away = true;
        }
        t->err->text[0] = '\0';
        if (terminal_wait(http_client_backoff_ms(client, tries)))
            return LM_ESTOPPED;
    }
}

int client_tail(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct tail t = {.flags = flags, .first = flags_number(flags, "lines"), .err = &err};
    struct http_client *client = http_client_new(flags, &err);
    bool is_wrong = !client || filters_check(flags, &err);
    struct buffer path;
    int error = is_wrong ? LM_EINVAL : 0;

    show_init(&t.show, flags);
    sse_init(&t.sse, take_event, &t);
    buffer_init(&t.out, SSE_EVENT_MAX);
    buffer_init_small(&path);
    buffer_append_string(&path, "/logs/tail");
    if (!error)
        error = filters_append(&path, flags, &err);
    buffer_append_char(&path, '\0');
    if (!error)
        error = follow_for_ever(&t, client, path.data);
    if (err.text[0])
        terminal_say("tail", "%s", err.text);
    if (error == LM_ESTOPPED) /* whoever read it has had enough */
        error = 0;
    buffer_release(&path);
    buffer_release(&t.out);
    sse_release(&t.sse);
    http_client_free(client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
