#include "cli/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/line_check.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "json/writer.h"

int dispatch_init(struct dispatch *d, const struct flags *flags, struct errbuf *err)
{
    *d = (struct dispatch){.command = flags->command->name,
                           .timeout_ms = flags_number(flags, "timeout") * 1000,
                           .client = http_client_new(flags, err)};
    return d->client ? 0 : LM_EINVAL;
}

void dispatch_release(struct dispatch *d)
{
    http_client_free(d->client);
}

void dispatch_refuse(struct dispatch *d, const char *source, uint64_t number, const char *reason)
{
    d->refused++;
    terminal_say(d->command, "%s %llu %s: %s", source, (unsigned long long)number,
                 d->is_strict ? "cannot be a log" : "is left out", reason);
}

/* True if a signal has come, and the time that it leaves is over. */
static bool is_over(void *ctx)
{
    struct dispatch *d = ctx;
    uint64_t now = clock_monotonic_us();

    if (stop_is_asked() && !d->stopped_us)
        d->stopped_us = now;
    return d->stopped_us && now - d->stopped_us >= (uint64_t)DELIVERY_STOP_MS * 1000;
}

/* True if another try is to be made, after a while; false if it is time to give up. */
static bool wait_for_next(struct dispatch *d, unsigned tries, uint64_t begin,
                          const struct errbuf *err)
{
    if (is_over(d) || (d->timeout_ms && clock_monotonic_us() - begin >= d->timeout_ms * 1000))
        return false;
    if (tries == 1)
        terminal_say(d->command, "%s; trying again until it takes the logs", err->text);
    stop_wait(http_client_backoff_ms(d->client, tries));
    return true;
}

/* Whether a 422 is a logmill's, which says which log is wrong and why. */
static bool is_about_logs(const struct dispatch *d)
{
    struct slice answer = http_client_answer(d->client);
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    bool is = yyjson_is_arr(yyjson_obj_get(yyjson_arr_get_first(detail), "loc"));

    yyjson_doc_free(doc);
    return is;
}

/* Sends `body` until the server has taken or refused it. */
static int post(struct dispatch *d, struct slice body, size_t logs, struct errbuf *err)
{
    struct http_client_request request = {.path = "/logs",
                                          .content_type = "application/x-ndjson",
                                          .body = body,
                                          .wanted = 201,
                                          .is_over = is_over,
                                          .ctx = d};
    uint64_t begin = clock_monotonic_us();

    for (unsigned tries = 1;; tries++) {
        struct errbuf why = ERRBUF_INIT;
        int error = http_client_run(d->client, &request, &why);

        if (error != LM_ESTOPPED || tries == 1)
            *err = why;
        if (d->is_patient && (error == LM_EINVAL || (error == LM_EDATA && !is_about_logs(d))))
            error = LM_EUNAVAILABLE;
        if (error != LM_EUNAVAILABLE && error != LM_ESTOPPED) {
            if (!error && tries > 1)
                terminal_say(d->command, "%s takes logs again", http_client_url(d->client));
            return error;
        }
        if (error == LM_ESTOPPED || !wait_for_next(d, tries, begin, err)) {
            terminal_say(d->command, "gave up, %zu logs are not sent: %s", logs,
                         err->text[0] ? err->text : "the server does not answer");
            return LM_EUNAVAILABLE;
        }
    }
}

/*
 * Marks, by a length of 0, and tells those of `items` that the answer's "detail" names by their
 * index, the second part of "loc". Returns how many they are.
 */
static size_t leave_out_named(struct dispatch *d, const struct parcel *p, struct parcel_item *items,
                              size_t len)
{
    struct slice answer = http_client_answer(d->client);
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail"), *error;
    size_t named = 0, i, max;

    yyjson_arr_foreach(detail, i, max, error)
    {
        yyjson_val *place = yyjson_obj_get(error, "loc");
        yyjson_val *index = yyjson_arr_get(place, 1);
        const char *type = yyjson_get_str(yyjson_obj_get(error, "type"));
        uint64_t at = yyjson_get_uint(index);
        struct errbuf reason;

        if (!yyjson_is_uint(index) || at >= len || items[at].begin == items[at].end || !type ||
            strcmp(type, "json_invalid") == 0)
            continue;
        line_check_explain(&reason, error);
        dispatch_refuse(d, parcel_source_of(p, &items[at]), items[at].number, reason.text);
        items[at].begin = items[at].end;
        named++;
    }
    yyjson_doc_free(doc);
    return named;
}

/* Moves the items that are not left out to the front; returns how many they are. */
static size_t keep(struct parcel_item *items, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len; i++)
        if (items[i].begin < items[i].end)
            items[kept++] = items[i];
    return kept;
}

static int post_items(struct dispatch *d, const struct parcel *p, const struct parcel_item *items,
                      size_t len, struct errbuf *err)
{
    struct slice body = {p->body.data + items[0].begin, 0};
    struct buffer rest;
    int error;

    buffer_init(&rest, SIZE_MAX / 2);
    for (size_t i = 0; i < len; i++)
        body.len += items[i].end - items[i].begin;
    if (body.len != items[len - 1].end - items[0].begin) { /* some between them are left out */
        for (size_t i = 0; i < len; i++)
            buffer_append(&rest, p->body.data + items[i].begin, items[i].end - items[i].begin);
        body = buffer_slice(&rest);
    }
    error = buffer_error(&rest) ? buffer_error(&rest) : post(d, body, len, err);
    if (!error) {
        d->sent += len;
        d->sent_bytes += body.len;
    }
    buffer_release(&rest);
    return error;
}

/* Calls itself with halves: as deep as a batch can be halved. */
static int send_items(struct dispatch *d, const struct parcel *p, struct parcel_item *items,
                      size_t len)
{
    struct errbuf err = ERRBUF_INIT;
    int error;

    do {
        error = post_items(d, p, items, len, &err);
        if (error != LM_EDATA || leave_out_named(d, p, items, len) == 0)
            break;
        error = 0;
        len = keep(items, len);
    } while (len > 0);
    if (error != LM_EDATA && error != LM_ETOOBIG) {
        if (error && error != LM_EUNAVAILABLE)
            terminal_say(d->command, "%s", err.text);
        return error;
    }
    if (len > 1) { /* one of them is too much, or they all are together: the halves will tell */
        error = send_items(d, p, items, len / 2);
        return error ? error : send_items(d, p, items + len / 2, len - len / 2);
    }
    dispatch_refuse(d, parcel_source_of(p, &items[0]), items[0].number, err.text);
    return 0;
}

int dispatch_send(struct dispatch *d, struct parcel *p)
{
    return p->len > 0 ? send_items(d, p, p->items, p->len) : 0;
}

void dispatch_say_sum(const struct dispatch *d, uint64_t begun_us)
{
    double seconds = (double)(clock_monotonic_us() - begun_us) / 1e6;
    char sent[TERMINAL_NUMBER_LEN], refused[TERMINAL_NUMBER_LEN], left_out[64] = "";

    terminal_number(d->refused, refused);
    if (d->refused > 0 && !d->is_strict)
        snprintf(left_out, sizeof(left_out), "; %s left out", refused);
    terminal_number(d->sent, sent);
    terminal_say(d->command, "%s log%s in %.1f s%s", sent, d->sent == 1 ? "" : "s", seconds,
                 left_out);
}
