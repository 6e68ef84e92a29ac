/*
 * Receiving. A consumer keeps one long poll (20 s) under way from one queue_receive to the next,
 * however short these wait, so that a message that comes is there at once and an idle worker costs
 * three requests a minute. When a poll comes back full, more messages wait: then several short
 * polls at once gather them into the same delivery, as long as they keep coming and the delivery
 * has room, so that the store gets few large transactions.
 *
 * No poll is under way while a delivery is worked on, or its messages would wait unseen.
 *
 *     idle ──► polling ──► gathering ──► worked on ──► settling ──► idle
 *       ▲         │
 *       └─────────┘  nothing came, or a failure; what came is stale
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum { REQUEST_BYTES_MAX = 8 << 10 };

#define FOREVER UINT64_MAX

/* ---- States ---- */

static const state_moves consumer_moves[QUEUE_SQS_CONSUMER_STATES] = {
    [QUEUE_SQS_CONSUMER_IDLE] = STATE(QUEUE_SQS_CONSUMER_POLLING),
    [QUEUE_SQS_CONSUMER_POLLING] =
        STATE(QUEUE_SQS_CONSUMER_IDLE) | STATE(QUEUE_SQS_CONSUMER_GATHERING),
    [QUEUE_SQS_CONSUMER_GATHERING] = STATE(QUEUE_SQS_CONSUMER_WORKED_ON),
    [QUEUE_SQS_CONSUMER_WORKED_ON] = STATE(QUEUE_SQS_CONSUMER_SETTLING),
    [QUEUE_SQS_CONSUMER_SETTLING] = STATE(QUEUE_SQS_CONSUMER_IDLE),
};

static const state_moves poll_moves[QUEUE_SQS_POLL_STATES] = {
    [QUEUE_SQS_POLL_IDLE] = STATE(QUEUE_SQS_POLL_UNDER_WAY),
    [QUEUE_SQS_POLL_UNDER_WAY] = STATE(QUEUE_SQS_POLL_FINISHED),
    [QUEUE_SQS_POLL_FINISHED] = STATE(QUEUE_SQS_POLL_IDLE),
};

static const state_moves with_messages = STATE(QUEUE_SQS_CONSUMER_GATHERING) |
                                         STATE(QUEUE_SQS_CONSUMER_WORKED_ON) |
                                         STATE(QUEUE_SQS_CONSUMER_SETTLING);

void queue_sqs_consumer_check(struct queue_sqs_consumer *c)
{
    size_t bytes = 0;

    for (size_t i = 0; i < c->count; i++)
        bytes += c->messages[i].body.len;
    CHECK(c->bytes == bytes);
    CHECK((c->count > 0) == state_in(c->state, with_messages));
    CHECK((c->docs_len > 0) == (c->count > 0));
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < QUEUE_SQS_POLLS; i++)
        CHECK((c->polls[i].state != QUEUE_SQS_POLL_IDLE) ==
              (i == 0 && c->state == QUEUE_SQS_CONSUMER_POLLING));
    pthread_mutex_unlock(&c->lock);
}

static void consumer_move(struct queue_sqs_consumer *c, enum queue_sqs_consumer_state to)
{
    enum queue_sqs_consumer_state from = c->state;

    CHECK(state_may_move(consumer_moves, from, to));
    c->state = to;
    if (to == QUEUE_SQS_CONSUMER_WORKED_ON)
        queue_sqs_heartbeat_begin(c, c->received_us);
    if (from == QUEUE_SQS_CONSUMER_WORKED_ON)
        queue_sqs_heartbeat_end(c);
}

/* Lock held. */
static void poll_move(struct queue_sqs_poll *p, enum queue_sqs_poll_state to)
{
    CHECK(state_may_move(poll_moves, p->state, to));
    p->state = to;
}

/* ---- Polls ---- */

static void poll_done(struct aws_call *call)
{
    struct queue_sqs_poll *p = call->ctx;
    struct queue_sqs_consumer *c = p->consumer;

    pthread_mutex_lock(&c->lock);
    poll_move(p, QUEUE_SQS_POLL_FINISHED);
    p->finished_us = clock_monotonic_us();
    pthread_cond_signal(&c->news);
    pthread_mutex_unlock(&c->lock);
}

static void start_poll(struct queue_sqs_consumer *c, struct queue_sqs_poll *p, bool is_long)
{
    unsigned wait_ms = is_long ? c->q->poll_wait_s * 1000 : 0;

    pthread_mutex_lock(&c->lock);
    poll_move(p, QUEUE_SQS_POLL_UNDER_WAY);
    pthread_mutex_unlock(&c->lock);
    p->call = (struct aws_call){
        .action = "ReceiveMessage",
        .body = slice_of_string(is_long ? c->long_poll : c->short_poll),
        .timeout_ms = wait_ms + QUEUE_SQS_POLL_GRACE_MS,
        .quiet_ms = wait_ms + QUEUE_SQS_POLL_GRACE_MS / 2,
        .attempts = 3, /* then the worker is told, and waits */
        .done = poll_done,
        .ctx = p,
    };
    aws_client_start(c->q->client, &p->call);
}

/* Of a poll that has finished. What its answer held is no longer there. */
static void release_poll(struct queue_sqs_consumer *c, struct queue_sqs_poll *p)
{
    aws_call_release(&p->call);
    pthread_mutex_lock(&c->lock);
    poll_move(p, QUEUE_SQS_POLL_IDLE);
    pthread_mutex_unlock(&c->lock);
}

/*
 * Waits until `p` has finished, at most until `until_us` (monotonic; FOREVER: as long as it takes),
 * and not after an interrupt if `heed_interrupt` is set. Returns whether it has finished.
 */
static bool await_poll(struct queue_sqs_consumer *c, struct queue_sqs_poll *p, uint64_t until_us,
                       bool heed_interrupt)
{
    pthread_mutex_lock(&c->lock);
    while (p->state != QUEUE_SQS_POLL_FINISHED && !(heed_interrupt && c->interrupted)) {
        if (until_us == FOREVER)
            pthread_cond_wait(&c->news, &c->lock);
        else if (clock_monotonic_us() < until_us)
            monotonic_cond_wait(&c->news, &c->lock, until_us);
        else
            break;
    }
    bool finished = p->state == QUEUE_SQS_POLL_FINISHED;
    pthread_mutex_unlock(&c->lock);
    return finished;
}

static bool is_interrupted(struct queue_sqs_consumer *c)
{
    pthread_mutex_lock(&c->lock);
    bool interrupted = c->interrupted;
    pthread_mutex_unlock(&c->lock);
    return interrupted;
}

void queue_sqs_consumer_interrupt(struct queue_sqs_consumer *c)
{
    pthread_mutex_lock(&c->lock);
    c->interrupted = true;
    pthread_cond_signal(&c->news);
    pthread_mutex_unlock(&c->lock);
}

/* Ends a long poll that nobody waits for any longer. */
static void cancel_poll(struct queue_sqs_consumer *c, struct queue_sqs_poll *p)
{
    aws_client_cancel(c->q->client, &p->call);
    await_poll(c, p, FOREVER, false);
    release_poll(c, p);
}

/* ---- Taking what came ---- */

/*
 * Adds `value` to the delivery. What is no message is passed over; so is what came damaged: it is
 * there again when its visibility timeout is over, and in the end for people, by the redrive
 * policy.
 */
static void take_message(struct queue_sqs_consumer *c, yyjson_val *value)
{
    struct slice body = json_text(yyjson_obj_get(value, "Body"));
    struct slice id = json_text(yyjson_obj_get(value, "MessageId"));
    const char *handle = yyjson_get_str(yyjson_obj_get(value, "ReceiptHandle"));
    yyjson_val *attributes = yyjson_obj_get(value, "Attributes");
    struct queue_sqs_receipt *r = &c->receipts[c->count];

    if (!body.data || id.len == 0 || id.len >= sizeof(r->id) || !handle ||
        c->count == QUEUE_SQS_DELIVERY_MESSAGES || !queue_sqs_came_whole(value))
        return;
    r->handle = handle;
    r->receives = (unsigned)queue_sqs_number(yyjson_obj_get(attributes, "ApproximateReceiveCount"));
    memcpy(r->id, id.data, id.len);
    r->id[id.len] = '\0';
    c->messages[c->count] = (struct queue_message){
        .body = body,
        .id = slice_of(r->id, id.len),
        .sent_us = (int64_t)queue_sqs_number(yyjson_obj_get(attributes, "SentTimestamp")) * 1000,
        .redelivered = r->receives > 1,
        .outcome = QUEUE_RETURN,
        .receipt = c->count,
    };
    c->count++;
    c->bytes += body.len;
}

/*
 * Takes the messages of a finished poll; `*n` is their number. The answer is parsed in place, and
 * kept until the delivery is settled.
 */
static int take_poll(struct queue_sqs_consumer *c, struct queue_sqs_poll *p, size_t *n,
                     struct errbuf *err)
{
    size_t before = c->count;
    yyjson_arr_iter iter;
    yyjson_doc *doc;
    int error = p->call.error;

    *n = 0;
    if (!error && !buffer_reserve(&p->call.answer, YYJSON_PADDING_SIZE))
        error = errbuf_fail(&p->call.detail, LM_ENOMEM, "no memory for messages");
    if (!error) {
        memset(p->call.answer.data + p->call.answer.len, 0, YYJSON_PADDING_SIZE);
        doc = yyjson_read_opts(p->call.answer.data, p->call.answer.len, YYJSON_READ_INSITU, NULL,
                               NULL);
        if (!doc)
            error = errbuf_fail(&p->call.detail, LM_EUNAVAILABLE,
                                "SQS ReceiveMessage: the answer is no JSON");
    }
    if (error) {
        errbuf_set(err, "%s", p->call.detail.text);
        release_poll(c, p);
        return error;
    }
    if (yyjson_arr_iter_init(yyjson_obj_get(yyjson_doc_get_root(doc), "Messages"), &iter)) {
        for (yyjson_val *value; (value = yyjson_arr_iter_next(&iter));)
            take_message(c, value);
    }
    *n = c->count - before;
    if (*n == 0) {
        yyjson_doc_free(doc);
        release_poll(c, p);
        return 0;
    }
    c->docs[c->docs_len] = doc;
    c->answers[c->docs_len++] = p->call.answer;
    p->call.answer = (struct buffer){0};
    release_poll(c, p);
    return 0;
}

static void clear_delivery(struct queue_sqs_consumer *c)
{
    for (size_t i = 0; i < c->docs_len; i++) {
        yyjson_doc_free(c->docs[i]);
        buffer_release(&c->answers[i]);
    }
    c->docs_len = 0;
    c->count = 0;
    c->bytes = 0;
}

/* How many more polls may be made for this delivery now. */
static size_t room_for_polls(const struct queue_sqs_consumer *c)
{
    size_t by_number = (QUEUE_SQS_DELIVERY_MESSAGES - c->count) / QUEUE_SQS_BATCH;
    size_t poll_bytes = (c->bytes / (c->count > 0 ? c->count : 1) + 1) * QUEUE_SQS_BATCH;
    size_t by_bytes = c->bytes < QUEUE_SQS_DELIVERY_BYTES
                          ? (QUEUE_SQS_DELIVERY_BYTES - c->bytes) / poll_bytes
                          : 0;
    size_t polls = by_number < by_bytes ? by_number : by_bytes;

    return polls < QUEUE_SQS_POLLS ? polls : QUEUE_SQS_POLLS;
}

/*
 * Adds what else is there. An error here is not told: there is something to work on, and the next
 * receive will meet it.
 */
static void gather(struct queue_sqs_consumer *c)
{
    /* The first messages' visibility timeout runs on meanwhile. */
    uint64_t end_us =
        clock_monotonic_us() + (uint64_t)c->q->visibility_s * 1000000 / QUEUE_SQS_BEATS;
    size_t polls = room_for_polls(c);

    while (polls > 0 && clock_monotonic_us() < end_us) {
        struct errbuf ignored = ERRBUF_INIT;
        size_t came = 0;
        size_t n;

        for (size_t i = 0; i < polls; i++)
            start_poll(c, &c->polls[i], false);
        for (size_t i = 0; i < polls; i++) {
            await_poll(c, &c->polls[i], FOREVER, false);
            if (!take_poll(c, &c->polls[i], &n, &ignored))
                came += n;
        }
        if (came < polls * QUEUE_SQS_BATCH / 2)
            break;
        polls = room_for_polls(c);
    }
}

/* ---- The port ---- */

/*
 * Messages that came while nobody looked may have been delivered to others by now, or will be
 * soon. They are let go: they come again by themselves.
 */
static bool is_stale(const struct queue_sqs_consumer *c, const struct queue_sqs_poll *p)
{
    uint64_t age_us = clock_monotonic_us() - p->finished_us;

    return age_us > (uint64_t)c->q->visibility_s * 1000000 / 2;
}

/* The poll to look at, started if need be. */
static struct queue_sqs_poll *ready_poll(struct queue_sqs_consumer *c, bool may_wait)
{
    struct queue_sqs_poll *p = &c->polls[0];

    if (c->state == QUEUE_SQS_CONSUMER_POLLING && await_poll(c, p, 0, false) && !p->call.error &&
        is_stale(c, p)) {
        release_poll(c, p);
        consumer_move(c, QUEUE_SQS_CONSUMER_IDLE);
    }
    if (c->state == QUEUE_SQS_CONSUMER_IDLE) {
        start_poll(c, p, may_wait);
        consumer_move(c, QUEUE_SQS_CONSUMER_POLLING);
    }
    return p;
}

/*
 * After an interrupt there is still the answer to a short poll to wait for, and a moment if a
 * long one is under way: what is there, SQS gives to that one. It is not cut off, since what SQS
 * sent to it by then would stay hidden until its visibility timeout is over.
 */
static bool await_last(struct queue_sqs_consumer *c, struct queue_sqs_poll *p)
{
    uint64_t moment_us = clock_monotonic_us() + (uint64_t)QUEUE_SQS_LAST_MOMENT_MS * 1000;

    return await_poll(c, p, p->call.body.data == c->long_poll ? moment_us : FOREVER, false);
}

int queue_sqs_consumer_receive(struct queue_consumer *base, unsigned wait_ms,
                               struct queue_delivery *delivery, struct errbuf *err)
{
    struct queue_sqs_consumer *c = (struct queue_sqs_consumer *)base;
    uint64_t until_us = clock_monotonic_us() + (uint64_t)wait_ms * 1000;
    size_t n = 0;

    CHECKED(queue_sqs_consumer_check(c));
    assert(c->count == 0); /* the delivery before must have been settled */
    delivery->messages = c->messages;
    delivery->count = 0;
    bool may_wait = wait_ms > 0 && !is_interrupted(c);
    struct queue_sqs_poll *p = ready_poll(c, may_wait);
    if (may_wait ? !await_poll(c, p, until_us, true) : !await_last(c, p))
        return 0;
    c->received_us = p->finished_us;
    int error = take_poll(c, p, &n, err);
    if (n == 0) {
        consumer_move(c, QUEUE_SQS_CONSUMER_IDLE);
        return error;
    }
    consumer_move(c, QUEUE_SQS_CONSUMER_GATHERING);
    if (n == QUEUE_SQS_BATCH)
        gather(c);
    consumer_move(c, QUEUE_SQS_CONSUMER_WORKED_ON);
    delivery->count = c->count;
    return 0;
}

/* Doubles with each delivery, so that what fails for long does not spin. */
static int growing_delay(unsigned receives, int max_s)
{
    int delay_s = QUEUE_SQS_RETURN_DELAY_S;

    while (receives-- > 1 && delay_s < max_s)
        delay_s *= 2;
    return delay_s < max_s ? delay_s : max_s;
}

int queue_sqs_consumer_settle(struct queue_consumer *base, struct queue_delivery *delivery,
                              struct errbuf *err)
{
    struct queue_sqs_consumer *c = (struct queue_sqs_consumer *)base;
    struct queue_sqs_entry *entries;

    CHECKED(queue_sqs_consumer_check(c));
    if (delivery->count == 0)
        return 0;
    consumer_move(c, QUEUE_SQS_CONSUMER_SETTLING);
    entries = xcalloc(delivery->count, sizeof(*entries));
    for (size_t i = 0; i < delivery->count; i++) {
        const struct queue_message *m = &delivery->messages[i];
        const struct queue_sqs_receipt *r = &c->receipts[m->receipt];

        entries[i].handle = r->handle;
        switch (m->outcome) {
        case QUEUE_ACKNOWLEDGE:
            entries[i].delay_s = -1;
            break;
        case QUEUE_REJECT: /* the redrive policy counts, and takes it away in the end */
            entries[i].delay_s = growing_delay(r->receives, QUEUE_SQS_REJECT_DELAY_MAX_S);
            break;
        case QUEUE_RETURN:
            entries[i].delay_s = growing_delay(r->receives, QUEUE_SQS_RETURN_DELAY_MAX_S);
            break;
        }
    }
    int error =
        queue_sqs_batch_run(c->q, c->q->url, entries, delivery->count, c->q->timeout_ms, err);
    free(entries);
    clear_delivery(c);
    consumer_move(c, QUEUE_SQS_CONSUMER_IDLE);
    delivery->count = 0;
    return error;
}

/* ---- Life ---- */

static char *make_request(const struct queue_sqs *q, unsigned wait_s)
{
    struct buffer b;

    buffer_init(&b, REQUEST_BYTES_MAX);
    queue_sqs_body(&b, q->url);
    buffer_appendf(
        &b,
        ",\"MaxNumberOfMessages\":%d,\"WaitTimeSeconds\":%u,\"VisibilityTimeout\":%u,"
        "\"MessageSystemAttributeNames\":[\"SentTimestamp\",\"ApproximateReceiveCount\"]}",
        QUEUE_SQS_BATCH, wait_s, q->visibility_s);
    buffer_append_char(&b, '\0');
    char *text = xstrdup(buffer_error(&b) ? "" : b.data);
    buffer_release(&b);
    return text;
}

struct queue_consumer *queue_sqs_consumer_new(struct queue *base, struct errbuf *err)
{
    struct queue_sqs *q = (struct queue_sqs *)base;
    struct queue_sqs_consumer *c;

    pthread_mutex_lock(&q->lock);
    bool free_place = q->consumers_len < QUEUE_SQS_MAX_CONSUMERS;
    q->consumers_len += free_place;
    pthread_mutex_unlock(&q->lock);
    if (!free_place) {
        errbuf_set(err, "there are %d consumers already", QUEUE_SQS_MAX_CONSUMERS);
        return NULL;
    }

    c = xcalloc(1, sizeof(*c));
    c->base.ops = q->base.ops;
    c->q = q;
    if (queue_sqs_heartbeat_start(c, err)) {
        free(c);
        pthread_mutex_lock(&q->lock);
        q->consumers_len--;
        pthread_mutex_unlock(&q->lock);
        return NULL;
    }
    c->long_poll = make_request(q, q->poll_wait_s);
    c->short_poll = make_request(q, 0);
    for (size_t i = 0; i < QUEUE_SQS_POLLS; i++)
        c->polls[i].consumer = c;
    pthread_mutex_init(&c->lock, NULL);
    monotonic_cond_init(&c->news);
    pthread_mutex_lock(&q->lock);
    c->interrupted = q->interrupted;
    c->next = q->consumers;
    q->consumers = c;
    pthread_mutex_unlock(&q->lock);
    return &c->base;
}

void queue_sqs_consumer_free(struct queue_consumer *base)
{
    struct queue_sqs_consumer *c = (struct queue_sqs_consumer *)base;
    struct queue_sqs *q = c->q;
    struct queue_sqs_consumer **at;

    CHECKED(queue_sqs_consumer_check(c));
    if (c->state == QUEUE_SQS_CONSUMER_WORKED_ON) /* what it has not settled comes again */
        consumer_move(c, QUEUE_SQS_CONSUMER_SETTLING);
    queue_sqs_heartbeat_stop(c);
    if (c->state == QUEUE_SQS_CONSUMER_POLLING)
        cancel_poll(c, &c->polls[0]);
    pthread_mutex_lock(&q->lock);
    for (at = &q->consumers; *at != c; at = &(*at)->next)
        continue;
    *at = c->next;
    q->consumers_len--;
    pthread_mutex_unlock(&q->lock);
    clear_delivery(c);
    pthread_cond_destroy(&c->news);
    pthread_mutex_destroy(&c->lock);
    free(c->long_poll);
    free(c->short_poll);
    free(c);
}
