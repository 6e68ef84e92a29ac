/* logmill query: logs that are stored, by pages of GET /logs. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/near.h"
#include "cli/query.h"
#include "cli/terminal.h"
#include "json/writer.h"

enum { PAGE_LOGS = 1000 };
#define SLICE_SECONDS "1" /* after which an answer is wanted, so that there is progress to tell */
#define SHOWN_MAX ((size_t)1 << 30) /* bytes held to be shown in reverse */

static int read_page(const struct query *q, struct slice cursor, uint64_t limit, struct errbuf *err)
{
    struct buffer path;
    char number[24];

    snprintf(number, sizeof(number), "%llu", (unsigned long long)limit);
    buffer_init_small(&path);
    buffer_append_string(&path, "/logs");
    filters_append_param(&path, "limit", slice_of_string(number));
    filters_append_param(&path, "slice", SLICE_LITERAL(SLICE_SECONDS));
    if (q->oldest)
        filters_append_param(&path, "order", SLICE_LITERAL("oldest"));
    if (q->fields)
        filters_append_param(&path, "fields", slice_of_string(q->fields));
    int error = filters_append(&path, q->flags, err);
    if (cursor.len > 0)
        filters_append_param(&path, "cursor", cursor);
    buffer_append_char(&path, '\0');
    if (!error)
        error = http_client_run(q->client, &(struct http_client_request){.path = path.data}, err);
    buffer_release(&path);
    return error;
}

/* A page that ended because its time was over says how far it has got. */
static void say_place(const struct query *q, yyjson_val *answer)
{
    struct slice place =
        json_text(yyjson_obj_get(answer, q->oldest ? "searched_until" : "searched_to"));

    if (place.len > 0)
        terminal_status("searched %s %.*s; %llu logs so far", q->oldest ? "up to" : "back to",
                        SLICE_ARG(place), (unsigned long long)q->found);
}

int query_run(struct query *q, int (*take)(yyjson_val *log, void *ctx), void *ctx,
              struct errbuf *err)
{
    uint64_t left = q->limit;
    struct buffer cursor;
    int error = 0;

    buffer_init(&cursor, 1 << 16);
    do {
        uint64_t wanted = q->limit && left < PAGE_LOGS ? left : PAGE_LOGS;
        struct slice answer;
        yyjson_val *root, *log;
        yyjson_doc *doc;
        size_t i, max;

        error = read_page(q, buffer_slice(&cursor), wanted, err);
        if (error)
            break;
        answer = http_client_answer(q->client);
        doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW);
        root = yyjson_doc_get_root(doc);
        if (!yyjson_is_arr(yyjson_obj_get(root, "logs")))
            error = errbuf_fail(err, LM_EINVAL, "%s is no logmill server: its answer has no logs",
                                http_client_url(q->client));
        yyjson_arr_foreach(yyjson_obj_get(root, "logs"), i, max, log)
        {
            if (!error)
                error = take(log, ctx);
            left -= q->limit > 0;
            q->found++;
        }
        buffer_clear(&cursor);
        buffer_append_slice(&cursor, json_text(yyjson_obj_get(root, "next")));
        if (cursor.len > 0)
            say_place(q, root);
        yyjson_doc_free(doc);
    } while (!error && cursor.len > 0 && (!q->limit || left > 0));
    buffer_release(&cursor);
    return error;
}

/* Logs as they come. */
struct stream {
    const struct show *show;
    struct buffer out;
    struct errbuf *err;
};

static int show_one(yyjson_val *log, void *ctx)
{
    struct stream *stream = ctx;

    buffer_clear(&stream->out);
    show_append(stream->show, &stream->out, log);
    if (buffer_error(&stream->out))
        return buffer_error(&stream->out);
    return show_write(buffer_slice(&stream->out), stream->err);
}

/* Logs in reverse: texts one after the other, and where each ends. */
struct pile {
    const struct show *show;
    void (*seen)(yyjson_val *log, void *ctx);
    void *ctx;
    struct buffer texts;
    size_t *ends;
    size_t len;
    size_t capacity;
};

static int pile_one(yyjson_val *log, void *ctx)
{
    struct pile *pile = ctx;

    if (pile->seen)
        pile->seen(log, pile->ctx);
    show_append(pile->show, &pile->texts, log);
    if (buffer_error(&pile->texts))
        return buffer_error(&pile->texts);
    pile->ends = array_reserve(pile->ends, &pile->capacity, pile->len + 1, sizeof(*pile->ends));
    pile->ends[pile->len++] = pile->texts.len;
    return 0;
}

int query_show_last(struct query *q, const struct show *show,
                    void (*seen)(yyjson_val *log, void *ctx), void *ctx, struct errbuf *err)
{
    struct pile pile = {.show = show, .seen = seen, .ctx = ctx};

    buffer_init(&pile.texts, SHOWN_MAX);
    int error = query_run(q, pile_one, &pile, err);
    if (error == LM_ETOOBIG)
        errbuf_set(err, "more than 1 GiB to be put in order: use --reverse");
    for (size_t i = pile.len; i-- > 0 && !error;) {
        size_t begin = i > 0 ? pile.ends[i - 1] : 0;

        error = show_write(slice_of(pile.texts.data + begin, pile.ends[i] - begin), err);
    }
    free(pile.ends);
    buffer_release(&pile.texts);
    return error;
}

/* Whether what is asked for goes together. */
static int check(const struct flags *flags, struct errbuf *err)
{
    static const char *const of_around[] = {"before", "after", "same", NULL};
    static const char *const beside_around[] = {"limit", "all", "oldest", NULL};
    bool around = flags_has(flags, "around");

    if (flags_has(flags, "oldest") && flags_has(flags, "reverse"))
        return errbuf_fail(err, LM_EINVAL, "--reverse does not go with --oldest");

    for (const char *const *name = around ? beside_around : of_around; *name; name++)
        if (flags_has(flags, *name))
            return errbuf_fail(err, LM_EINVAL,
                               around ? "--%s does not go with --around: --before and --after do"
                                      : "--%s goes with --around alone",
                               *name);
    return filters_check(flags, err);
}

int client_query(const struct flags *flags)
{
    bool all = flags_has(flags, "all");
    struct errbuf err = ERRBUF_INIT;
    struct query q = {.client = http_client_new(flags, &err),
                      .flags = flags,
                      .fields = flags_text(flags, "fields"),
                      .oldest = flags_has(flags, "oldest"),
                      .limit = all ? 0 : flags_number(flags, "limit")};
    struct show show;
    struct stream stream = {.show = &show, .err = &err};
    bool as_they_come = all || q.oldest || flags_has(flags, "reverse");
    bool is_wrong = !q.client || check(flags, &err);
    int error = is_wrong ? LM_EINVAL : 0;

    show_init(&show, flags);
    buffer_init(&stream.out, SHOWN_MAX);
    show_append_head(&show, &stream.out);
    if (!error && stream.out.len > 0)
        error = show_write(buffer_slice(&stream.out), &err);
    if (!error && flags_has(flags, "around"))
        error = near_show(q.client, flags, &show, &q.found, &err);
    else if (!error)
        error = as_they_come ? query_run(&q, show_one, &stream, &err)
                             : query_show_last(&q, &show, NULL, NULL, &err);
    terminal_clear_status();
    if (err.text[0])
        terminal_say("query", "%s", err.text);
    else if (!error && q.found == 0 && isatty(STDERR_FILENO))
        terminal_say("query", "no log matches");
    buffer_release(&stream.out);
    http_client_free(q.client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
