#include "cli/delivery.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "cli/terminal.h"
#include "json/writer.h"

volatile sig_atomic_t delivery_stop;

int delivery_init(struct delivery *d, const struct flags *flags, struct errbuf *err)
{
    *d = (struct delivery){.command = flags->command->name,
                           .source = "line",
                           .timeout_ms = flags_number(flags, "timeout") * 1000,
                           .begun_us = clock_monotonic_us()};
    buffer_init(&d->body, SIZE_MAX / 2);
    if (line_reader_init(&d->lines, flags, err))
        return LM_EINVAL;
    d->client = http_client_new(flags, err);
    return d->client ? 0 : LM_EINVAL;
}

void delivery_release(struct delivery *d)
{
    http_client_free(d->client);
    line_reader_release(&d->lines);
    buffer_release(&d->body);
    free(d->items);
}

static void on_signal(int number)
{
    delivery_stop = 1;
}

void delivery_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Gathering ---- */

static void refuse(struct delivery *d, uint64_t number, const char *reason)
{
    d->refused++;
    terminal_say(d->command, "%s %llu %s: %s", d->source, (unsigned long long)number,
                 d->is_strict ? "cannot be a log" : "is left out", reason);
}

static void added(void *ctx)
{
    struct delivery *d = ctx;

    d->items = array_reserve(d->items, &d->capacity, d->len + 1, sizeof(*d->items));
    d->items[d->len] = (struct delivery_item){.begin = d->len ? d->items[d->len - 1].end : 0,
                                              .end = d->body.len,
                                              .number = d->lines.log_number};
    d->len++;
}

/* Something of the input's was added, or could not be. */
static void look(struct delivery *d, int error, const struct errbuf *err, uint64_t repaired_before)
{
    uint64_t number = d->lines.log_number;

    if (error)
        refuse(d, number, err->text[0] ? err->text : lm_error_text(error));
    if (repaired_before == 0 && d->lines.repaired > 0)
        terminal_say(d->command,
                     "%s %llu is not UTF-8: U+FFFD stands for what is not, there and in others "
                     "like it",
                     d->source, (unsigned long long)number);
}

static void add_part(struct delivery *d, struct slice text, uint64_t number, bool is_first,
                     bool is_last)
{
    struct line_part part = {
        .text = text, .is_first = is_first, .is_last = is_last, .number = number};
    uint64_t repaired = d->lines.repaired;
    struct errbuf err = ERRBUF_INIT;
    int error = line_append(&d->body, &d->lines, &part, added, d, &err);

    look(d, error, &err, repaired);
}

void delivery_flush(struct delivery *d)
{
    uint64_t repaired = d->lines.repaired;
    struct errbuf err = ERRBUF_INIT;
    int error = line_flush(&d->body, &d->lines, added, d, &err);

    look(d, error, &err, repaired);
}

void delivery_add(struct delivery *d, struct slice line, uint64_t number)
{
    add_part(d, line, number, true, true);
}

/* Adds `text`, more of a line: all that is left if `is_last`. */
static void add_more(struct delivery *d, struct delivery_lines *lines, struct slice text,
                     bool is_last)
{
    bool is_first = !lines->is_inside;

    lines->number += is_first;
    if (!lines->is_too_long)
        add_part(d, text, lines->number, is_first, is_last);
    lines->is_inside = !is_last;
    lines->is_too_long = lines->is_too_long && !is_last;
    lines->scanned = 0;
}

/* A line that is not whole yet, but long: returns how many bytes of it were dealt with. */
static size_t add_long(struct delivery *d, struct delivery_lines *lines, struct slice text)
{
    if (lines->is_too_long)
        return text.len;
    if (!lines->is_inside && line_may_be_json(&d->lines, text)) {
        if (text.len <= LINE_JSON_MAX)
            return 0;
        lines->number++;
        lines->is_inside = lines->is_too_long = true;
        refuse(d, lines->number, "longer than 256 MiB, the most that MAX_BODY_BYTES may be");
        return text.len;
    }
    if (text.len < 2 * LINE_PIECE_MAX)
        return 0;
    text.len = line_piece_len(text);
    add_more(d, lines, text, false);
    return text.len;
}

void delivery_add_lines(struct delivery *d, struct buffer *bytes, struct delivery_lines *lines,
                        bool is_over)
{
    size_t begin = 0, added_len = 1;

    while (begin < bytes->len && added_len > 0 && !delivery_is_full(d) && !delivery_is_over(d)) {
        struct slice line = {bytes->data + begin, bytes->len - begin};
        const char *end = memchr(line.data + lines->scanned, '\n', line.len - lines->scanned);

        if (end || is_over) {
            line.len = end ? (size_t)(end - line.data) : line.len;
            add_more(d, lines, line, true);
            added_len = line.len + (end ? 1 : 0);
        } else {
            added_len = add_long(d, lines, line);
            lines->scanned = added_len > 0 ? 0 : line.len;
        }
        begin += added_len;
    }
    buffer_consume(bytes, begin);
    if (is_over && bytes->len == 0 && !delivery_is_full(d) && !delivery_is_over(d))
        delivery_flush(d);
}

bool delivery_is_over(const struct delivery *d)
{
    return d->is_strict && d->refused > 0;
}

bool delivery_is_full(const struct delivery *d)
{
    return d->len >= DELIVERY_BATCH_LOGS || d->body.len >= DELIVERY_BATCH_BYTES;
}

/* ---- Sending ---- */

/* True if another try is to be made, after a while; false if it is time to give up. */
static bool wait_for_next(struct delivery *d, unsigned tries, uint64_t begin,
                          const struct errbuf *err)
{
    unsigned wait_ms = http_client_backoff_ms(d->client, tries);
    uint64_t now = clock_monotonic_us();

    if (delivery_stop && !d->stopped_us)
        d->stopped_us = now;
    if ((d->timeout_ms && now - begin >= d->timeout_ms * 1000) ||
        (d->stopped_us && now - d->stopped_us >= (uint64_t)DELIVERY_STOP_MS * 1000)) {
        terminal_say(d->command, "gave up, %zu logs are not sent: %s", d->len, err->text);
        return false;
    }
    if (tries == 1)
        terminal_say(d->command, "%s; trying again until it takes the logs", err->text);
    if (poll(NULL, 0, (int)wait_ms) && errno != EINTR)
        return false;
    return true;
}

/* Sends `body` until the server has taken or refused it. */
static int post(struct delivery *d, struct slice body, struct errbuf *err)
{
    struct http_client_request request = {
        .path = "/logs", .content_type = "application/x-ndjson", .body = body};
    uint64_t begin = clock_monotonic_us();
    int error;

    for (unsigned tries = 1;; tries++) {
        error = http_client_run(d->client, &request, err);
        if (error != LM_EUNAVAILABLE) {
            if (!error && tries > 1)
                terminal_say(d->command, "%s takes logs again", http_client_url(d->client));
            return error;
        }
        if (!wait_for_next(d, tries, begin, err))
            return LM_EUNAVAILABLE;
    }
}

/*
 * Marks, by a length of 0, and tells those of `items` that the answer's "detail" names by their
 * index, the second part of "loc". Returns how many they are.
 */
static size_t leave_out_named(struct delivery *d, struct delivery_item *items, size_t len)
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
        line_explain(&reason, error);
        refuse(d, items[at].number, reason.text);
        items[at].begin = items[at].end;
        named++;
    }
    yyjson_doc_free(doc);
    return named;
}

static int send_items(struct delivery *d, struct delivery_item *items, size_t len)
{
    size_t kept = 0;
    struct errbuf err = ERRBUF_INIT;
    struct buffer body;

    buffer_init(&body, SIZE_MAX / 2);
    for (size_t i = 0; i < len; i++)
        buffer_append(&body, d->body.data + items[i].begin, items[i].end - items[i].begin);
    int error = buffer_error(&body) ? buffer_error(&body) : post(d, buffer_slice(&body), &err);
    if (!error) {
        d->sent += len;
        d->sent_bytes += body.len;
    }
    buffer_release(&body);
    if (error == LM_EDATA && leave_out_named(d, items, len) > 0) {
        for (size_t i = 0; i < len; i++)
            if (items[i].begin < items[i].end)
                items[kept++] = items[i];
        return kept > 0 ? send_items(d, items, kept) : 0;
    }
    if (error != LM_EDATA && error != LM_ETOOBIG) {
        if (error && error != LM_EUNAVAILABLE)
            terminal_say(d->command, "%s", err.text);
        return error;
    }
    if (len > 1) { /* one of them is too much, or they all are together: the halves will tell */
        error = send_items(d, items, len / 2);
        return error ? error : send_items(d, items + len / 2, len - len / 2);
    }
    refuse(d, items[0].number, err.text);
    return 0;
}

int delivery_send(struct delivery *d)
{
    int error = d->len > 0 ? send_items(d, d->items, d->len) : 0;

    if (error)
        return error;
    d->len = 0;
    buffer_clear(&d->body);
    return 0;
}

void delivery_say_unfit(const struct delivery *d)
{
    char unfit[TERMINAL_NUMBER_LEN];

    if (d->lines.forms.unfit == 0)
        return;
    terminal_number(d->lines.forms.unfit, unfit);
    terminal_say(d->command, "%s %llu%s not of the form %s: kept as text%s%s%s", d->source,
                 (unsigned long long)d->lines.forms.first_unfit,
                 d->lines.forms.unfit == 1 ? " is" : " and others are", d->lines.forms.name,
                 d->lines.forms.unfit == 1 ? "" : ", ", d->lines.forms.unfit == 1 ? "" : unfit,
                 d->lines.forms.unfit == 1 ? "" : " in all");
}

void delivery_say_sum(struct delivery *d)
{
    double seconds = (double)(clock_monotonic_us() - d->begun_us) / 1e6;
    char sent[TERMINAL_NUMBER_LEN], refused[TERMINAL_NUMBER_LEN], left_out[64] = "";

    terminal_number(d->refused, refused);
    if (d->refused > 0 && !d->is_strict)
        snprintf(left_out, sizeof(left_out), "; %s left out", refused);
    terminal_number(d->sent, sent);
    terminal_say(d->command, "%s log%s in %.1f s%s", sent, d->sent == 1 ? "" : "s", seconds,
                 left_out);
}
