#include "ingest/ingest.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "message/writer.h"
#include "metrics/metrics.h"

enum {
    MESSAGE_BYTES_TARGET = 256 << 10, /* a message this large takes no further log */
    SEND_BYTES_MAX = 4 << 20,         /* a send of several messages is closed past this size */
    ERROR_BODY_BYTES_MAX = 64 << 20,  /* ceiling of one list of validation errors */
    SAY_FAILURE_S = 10,               /* between two diagnostics about sends that fail */
    SPARE_MESSAGE_BYTES = 256 << 10,  /* a batch that grew past this is not kept for reuse */
};

/* A point in the batches of a send, to which it can be cut back. */
struct send_mark {
    size_t batches;         /* those that hold something */
    struct batch_mark last; /* in the last of them */
};

/* A request that waits for its send to come back. */
struct waiter {
    struct http_request *req;
    struct send_mark begin; /* of its records; they go on to where the next one's begin */
    struct uuid id;         /* of its one log, where is_batch is false */
    size_t logs;
    bool is_batch;
};

struct send {
    struct queue_send base;
    struct mail mail;
    struct ingest *in;
    struct send *next; /* in ingest.ready or ingest.spare */

    struct batch *batches; /* batches_used of them hold records, the others are memory for reuse */
    size_t batches_used;
    size_t batches_len;
    struct slice *messages; /* batches_len of them */
    struct waiter *waiters;
    size_t waiters_used;
    size_t waiters_len;

    size_t logs;
    size_t bytes; /* of all batches: what is charged to the account */
    uint64_t handed_over_us;
    int error;
};

struct ingest {
    struct queue *queue;
    struct queue_limits limits;
    struct account *account;
    struct mailbox *box;
    struct hold *hold;
    struct record_parser *parser;
    struct buffer errors;

    struct send *open;  /* never NULL */
    struct send *ready; /* closed ones that wait for a slot, oldest first */
    struct send **ready_last;
    struct send *spare; /* for reuse */
    unsigned in_flight;

    /* While a request is parsed into the open send: */
    struct uuid last_id;
    bool too_large; /* it does not fit */
};

/* ---- Sends ---- */

static void on_durable(struct queue_send *base, int error, const char *detail);
static void take_back(struct mail *mail);

static struct send *send_new(struct ingest *in)
{
    struct send *s = in->spare;

    if (s) {
        in->spare = s->next;
        s->next = NULL;
        return s;
    }
    s = xcalloc(1, sizeof(*s));
    s->base.done = on_durable;
    s->base.ctx = s;
    s->mail.deliver = take_back;
    s->in = in;
    return s;
}

static void send_free(struct send *s)
{
    for (size_t i = 0; i < s->batches_len; i++)
        batch_release(&s->batches[i]);
    free(s->batches);
    free(s->messages);
    free(s->waiters);
    free(s);
}

/* Empties `s` and keeps it for reuse, but not the memory that only a burst needed. */
static void send_recycle(struct send *s)
{
    for (size_t i = 0; i < s->batches_len; i++) {
        if (i > 0 || s->batches[i].text.capacity > SPARE_MESSAGE_BYTES)
            batch_release(&s->batches[i]);
        else
            batch_clear(&s->batches[i]);
    }
    s->batches_used = 0;
    s->waiters_used = 0;
    s->logs = 0;
    s->bytes = 0;
    s->next = s->in->spare;
    s->in->spare = s;
}

/* The next empty batch of `s`. */
static struct batch *send_add_batch(struct send *s)
{
    if (s->batches_used == s->batches_len) {
        size_t len = s->batches_len ? s->batches_len * 2 : 1;

        s->batches = xrealloc(s->batches, len * sizeof(*s->batches));
        s->messages = xrealloc(s->messages, len * sizeof(*s->messages));
        for (size_t i = s->batches_len; i < len; i++)
            batch_init(&s->batches[i], s->in->limits.max_message_bytes);
        s->batches_len = len;
    }
    batch_clear(&s->batches[s->batches_used]);
    return &s->batches[s->batches_used++];
}

/* The batch that takes the next record. */
static struct batch *open_batch(struct send *s)
{
    struct batch *b = s->batches_used ? &s->batches[s->batches_used - 1] : NULL;

    if (!b || (s->in->limits.atomic_send && b->text.len >= MESSAGE_BYTES_TARGET))
        b = send_add_batch(s);
    return b;
}

static void send_add_waiter(struct send *s, const struct waiter *waiter)
{
    if (s->waiters_used == s->waiters_len) {
        s->waiters_len = s->waiters_len ? s->waiters_len * 2 : 64;
        s->waiters = xrealloc(s->waiters, s->waiters_len * sizeof(*s->waiters));
    }
    s->waiters[s->waiters_used++] = *waiter;
}

static struct send_mark send_end(const struct send *s)
{
    struct send_mark mark = {.batches = s->batches_used};

    if (s->batches_used)
        mark.last = batch_mark(&s->batches[s->batches_used - 1]);
    return mark;
}

static size_t send_text_bytes(const struct send *s)
{
    size_t bytes = 0;

    for (size_t i = 0; i < s->batches_used; i++)
        bytes += s->batches[i].text.len;
    return bytes;
}

/* ---- Answers ---- */

static void answer_unavailable(struct http_request *req, const char *detail)
{
    static const struct http_header retry = {"Retry-After", {"1", 1}};
    char body[160];
    int n = snprintf(body, sizeof(body), "{\"detail\":\"%s\"}", detail);

    http_respond(req, &(struct http_response){
                          .status = 503,
                          .body = slice_of(body, (size_t)n),
                          .headers = &retry,
                          .headers_len = 1,
                      });
}

static void answer_queued(const struct waiter *w)
{
    static const char one[] = "{\"status\":\"queued\",\"id\":\"";
    char body[96];
    size_t n;

    if (w->is_batch) {
        n = (size_t)snprintf(body, sizeof(body), "{\"status\":\"queued\",\"accepted\":%zu}",
                             w->logs);
    } else {
        n = sizeof(one) - 1;
        memcpy(body, one, n);
        uuid_format(&w->id, body + n);
        n += UUID_TEXT_LEN;
        memcpy(body + n, "\"}", 2);
        n += 2;
    }
    http_respond(w->req, &(struct http_response){.status = 201, .body = slice_of(body, n)});
}

/* Says why sends fail: at once, and then now and then as long as they go on failing. */
static void say_failure(int error, const char *detail)
{
    static _Atomic uint64_t due_us;
    const char *what = error == LM_EDATA
                           ? "the queue refuses a log for what is in it; its client is answered 400"
                           : "the queue takes no logs now; clients are answered 503";
    uint64_t now = clock_monotonic_us();
    uint64_t due = atomic_load(&due_us);

    if (now >= due &&
        atomic_compare_exchange_strong(&due_us, &due, now + (uint64_t)SAY_FAILURE_S * 1000000))
        diag(DIAG_WARN, what, DIAG_STR("reason", detail));
}

/* On the queue's thread. */
static void on_durable(struct queue_send *base, int error, const char *detail)
{
    struct send *s = base->ctx;

    s->error = error;
    if (error && error != LM_ESTOPPED)
        say_failure(error, detail);
    mailbox_post(s->in->box, &s->mail);
}

/* What clients are told. A service that was not heard of in time may have the logs all the same. */
static const char *failure_text(int error)
{
    switch (error) {
    case LM_EFULL:
        return "the queue has no space left: not accepted, try again later";
    case LM_EBUSY:
        return "the queue holds as much as QUEUE_MAX_BYTES allows: not accepted, try again later";
    case LM_ETIMEOUT:
    case LM_EUNAVAILABLE:
    case LM_ESTOPPED:
        return "not confirmed by the queue in time: it may be there all the same, try again later";
    default:
        return "the queue cannot be written to: not accepted, try again later";
    }
}

static void answer_failed(struct http_request *req, int error)
{
    if (error == LM_EDATA)
        http_respond_error(req, 400,
                           "refused by the queue for what is in it: not accepted, and the same "
                           "again would not be");
    else
        answer_unavailable(req, failure_text(error));
}

static void answer_all(struct send *s)
{
    struct ingest *in = s->in;

    for (size_t i = 0; i < s->waiters_used; i++) {
        if (s->error)
            answer_failed(s->waiters[i].req, s->error);
        else
            answer_queued(&s->waiters[i]);
    }
    if (s->error)
        metrics_add(METRIC_LOGS_REFUSED_QUEUE, s->waiters_used);
    account_give(in->account, s->bytes);
    hold_answered(in->hold, s->waiters_used, in->open->waiters_used);
    send_recycle(s);
}

/* ---- Sends that the queue refuses for what is in them ---- */

/* Appends to `to` what lies between two marks of `from`. Returns 0 or LM_ENOMEM. */
static int copy_records(struct send *to, const struct send *from, struct send_mark begin,
                        struct send_mark end)
{
    size_t first = begin.batches ? begin.batches - 1 : 0;
    int error = 0;

    for (size_t i = first; !error && i < end.batches; i++) {
        const struct batch *b = &from->batches[i];
        struct batch_mark since = i == first ? begin.last : (struct batch_mark){0};
        struct batch_mark until = i == end.batches - 1 ? end.last : batch_mark(b);

        error = batch_append_part(open_batch(to), b, since, until);
        if (error == LM_ETOOBIG)
            error = batch_append_part(send_add_batch(to), b, since, until);
    }
    return error;
}

/*
 * Moves the requests waiters[from..to) of `s`, with `bytes` of what it has taken from the account,
 * to a send of their own, and puts that among the ready ones.
 */
static void move_requests(struct send *s, size_t from, size_t to, size_t bytes)
{
    struct ingest *in = s->in;
    struct send *part = send_new(in);

    part->error = 0;
    part->bytes = bytes;
    for (size_t i = from; i < to; i++) {
        struct waiter w = s->waiters[i];
        struct send_mark begin = w.begin;
        struct send_mark end = i + 1 < s->waiters_used ? s->waiters[i + 1].begin : send_end(s);

        w.begin = send_end(part);
        part->logs += w.logs;
        send_add_waiter(part, &w);
        if (!part->error)
            part->error = copy_records(part, s, begin, end);
    }
    if (part->error) {
        answer_all(part);
        return;
    }
    *in->ready_last = part;
    in->ready_last = &part->next;
}

/*
 * One request is to blame, and the others are not to be refused with it: they are sent again in
 * two halves, and so on, until it stands alone.
 */
static void send_halves(struct send *s)
{
    size_t half = s->waiters_used / 2;
    size_t bytes = s->bytes / 2;

    move_requests(s, 0, half, bytes);
    move_requests(s, half, s->waiters_used, s->bytes - bytes);
    send_recycle(s);
}

/* The send has come back: on the loop's thread. */
static void take_back(struct mail *mail)
{
    struct send *s = (struct send *)((char *)mail - offsetof(struct send, mail));

    metrics_observe(METRIC_SEND_US, clock_monotonic_us() - s->handed_over_us);
    if (s->error) {
        metrics_add(METRIC_SEND_FAILURES, 1);
    } else {
        metrics_add(METRIC_LOGS_ACCEPTED, s->logs);
        metrics_add(METRIC_MESSAGES_SENT, s->batches_used);
    }
    s->in->in_flight--;
    if (s->error == LM_EDATA && s->waiters_used > 1)
        send_halves(s);
    else
        answer_all(s);
}

/* ---- Taking requests ---- */

/*
 * Where the queue cannot make several messages durable together, a send is one message, and so is
 * every request: one that was refused must not be there by half.
 */
static int append_record(const struct record *r, void *ctx)
{
    struct ingest *in = ctx;
    struct send *s = in->open;
    struct batch *b = open_batch(s);
    int error = batch_append(b, r);

    if (error == LM_ETOOBIG && in->limits.atomic_send && b->count > 0)
        error = batch_append(send_add_batch(s), r);
    in->too_large = error == LM_ETOOBIG;
    in->last_id = r->key.id;
    return error;
}

static void rewind_open(struct ingest *in, struct send_mark mark)
{
    in->open->batches_used = mark.batches;
    if (mark.batches)
        batch_rewind(&in->open->batches[mark.batches - 1], mark.last);
}

static void answer_refused(struct ingest *in, struct http_request *req, int error,
                           struct validation *errors)
{
    if (error == LM_EINVAL && validation_finish(errors) == 0) {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        http_respond(req, &(struct http_response){.status = 422, .body_buffer = &in->errors});
    } else if (error == LM_EDATA) {
        char detail[128];

        metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
        snprintf(detail, sizeof(detail), "a log is too large: one has at most %d bytes",
                 RECORD_BYTES_MAX);
        http_respond_error(req, 413, detail);
    } else if (error == LM_ETOOBIG && in->too_large) {
        char detail[128];

        metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
        snprintf(detail, sizeof(detail),
                 "the log%s too large: the queue takes at most %zu bytes at once, ids included",
                 in->limits.atomic_send ? " is" : "s of this request together are",
                 in->limits.max_message_bytes);
        http_respond_error(req, 413, detail);
    } else {
        metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
        answer_unavailable(req, "too much is in flight: not accepted, try again later");
    }
}

/* Moves the open send to the ready ones and opens another. */
static void close_open(struct ingest *in)
{
    *in->ready_last = in->open;
    in->ready_last = &in->open->next;
    in->open = send_new(in);
}

static bool is_full(const struct ingest *in)
{
    return in->open->bytes >= SEND_BYTES_MAX;
}

/* Parses the body of `req` into the open send, or into the next one where it does not fit there. */
static int parse_into_open(struct ingest *in, struct http_request *req, enum record_body kind,
                           struct send_mark *mark, struct record_parse_counts *counts,
                           struct validation *errors)
{
    for (;;) {
        int error;

        *mark = send_end(in->open);
        in->too_large = false;
        validation_init(errors, &in->errors);
        error = record_parse_body(in->parser, kind, http_request_body(req), append_record, in,
                                  counts, errors);
        if (error != LM_ETOOBIG || !in->too_large || in->open->waiters_used == 0 ||
            in->limits.atomic_send)
            return error;
        rewind_open(in, *mark);
        close_open(in);
    }
}

void ingest_request(struct ingest *in, struct http_request *req, enum record_body kind)
{
    struct send_mark mark;
    struct record_parse_counts counts = {0};
    struct validation errors;
    size_t bytes = 0;
    int error = parse_into_open(in, req, kind, &mark, &counts, &errors);

    if (error)
        goto refuse;
    /* What is durable must not be answered 503 for want of memory: room for the 201 comes first. */
    if (!http_reserve_answer(req)) {
        error = LM_ENOMEM;
        goto refuse;
    }
    bytes = send_text_bytes(in->open) - in->open->bytes;
    if (!account_take(in->account, bytes)) {
        error = LM_EBUSY;
        goto refuse;
    }
    if (counts.records == 0) { /* an empty array: nothing to make durable */
        answer_queued(&(struct waiter){.req = req, .is_batch = true});
        return;
    }
    in->open->bytes += bytes;
    in->open->logs += counts.records;
    if (counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, counts.nul_characters);
    send_add_waiter(in->open, &(struct waiter){.req = req,
                                               .begin = mark,
                                               .id = in->last_id,
                                               .logs = counts.records,
                                               .is_batch = kind != RECORD_BODY_ONE});
    if (is_full(in))
        close_open(in);
    return;
refuse:
    rewind_open(in, mark);
    answer_refused(in, req, error, &errors);
    buffer_release(&in->errors); /* what is charged is not kept for reuse */
}

static void hand_over(struct ingest *in, struct send *s)
{
    for (size_t i = 0; i < s->batches_used; i++)
        s->messages[i] = batch_finish(&s->batches[i]);
    s->base.messages = s->messages;
    s->base.messages_len = s->batches_used;
    s->handed_over_us = clock_monotonic_us();
    in->in_flight++;
    metrics_observe(METRIC_SEND_LOGS, s->logs);
    if (queue_send(in->queue, &s->base))
        on_durable(&s->base, LM_ESTOPPED, "stopping");
}

void ingest_flush(struct ingest *in)
{
    while (in->in_flight < in->limits.send_slots) {
        struct send *s = in->ready;

        if (!s && (in->open->waiters_used == 0 || hold_applies(in->hold, in->open->waiters_used)))
            return;
        if (!s) {
            close_open(in);
            s = in->ready;
            assert(s);
        }
        in->ready = s->next;
        if (!in->ready)
            in->ready_last = &in->ready;
        s->next = NULL;
        hand_over(in, s);
    }
}

/* ---- Life ---- */

struct ingest *ingest_new(struct queue *queue, struct account *account, struct mailbox *box,
                          struct hold *hold)
{
    struct ingest *in = xcalloc(1, sizeof(*in));

    in->queue = queue;
    in->limits = queue_limits(queue);
    in->account = account;
    in->box = box;
    in->hold = hold;
    in->parser = record_parser_new();
    record_parser_charge(in->parser, account);
    buffer_init(&in->errors, ERROR_BODY_BYTES_MAX);
    in->errors.account = account;
    in->ready_last = &in->ready;
    in->open = send_new(in);
    return in;
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    send_free(in->open);
    while (in->spare) {
        struct send *next = in->spare->next;

        send_free(in->spare);
        in->spare = next;
    }
    record_parser_free(in->parser);
    buffer_release(&in->errors);
    free(in);
}
