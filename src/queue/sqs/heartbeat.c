/*
 * While a delivery is worked on, its messages' visibility timeout is set anew several times before
 * it runs out, so that SQS does not deliver them to somebody else however long the work takes. Each
 * consumer has a thread for that, so that none waits for another's answers.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "queue/sqs/internal.h"

static const state_moves moves[QUEUE_SQS_HEARTBEAT_STATES] = {
    [QUEUE_SQS_HEARTBEAT_RESTS] =
        STATE(QUEUE_SQS_HEARTBEAT_WAITS) | STATE(QUEUE_SQS_HEARTBEAT_STOPPED),
    [QUEUE_SQS_HEARTBEAT_WAITS] =
        STATE(QUEUE_SQS_HEARTBEAT_BEATS) | STATE(QUEUE_SQS_HEARTBEAT_RESTS),
    [QUEUE_SQS_HEARTBEAT_BEATS] =
        STATE(QUEUE_SQS_HEARTBEAT_WAITS) | STATE(QUEUE_SQS_HEARTBEAT_ENDS),
    [QUEUE_SQS_HEARTBEAT_ENDS] = STATE(QUEUE_SQS_HEARTBEAT_RESTS),
};

/* Lock held. */
static void move(struct queue_sqs_heartbeat *h, enum queue_sqs_heartbeat_state to)
{
    CHECK(state_may_move(moves, h->state, to));
    h->state = to;
}

static uint64_t interval_us(const struct queue_sqs *q)
{
    return (uint64_t)q->visibility_s * 1000000 / QUEUE_SQS_BEATS;
}

/*
 * What one may take: half of the time until the next, so that one that hangs is followed by others
 * before the messages are visible; and, however long that is, no more than any call, since who is
 * done with its delivery waits for it.
 */
static unsigned beat_ms(const struct queue_sqs *q)
{
    uint64_t half_ms = interval_us(q) / 2000;

    return half_ms < q->timeout_ms ? (unsigned)half_ms : q->timeout_ms;
}

/* Lock held, but for the call. One that failed is made again after half of the interval. */
static void beat(struct queue_sqs_consumer *c)
{
    struct queue_sqs_heartbeat *h = &c->heartbeat;
    struct queue_sqs *q = c->q;
    struct queue_sqs_entry *entries = xcalloc(c->count, sizeof(*entries));
    struct errbuf err = ERRBUF_INIT;
    uint64_t began_us = clock_monotonic_us();
    size_t n = c->count;

    for (size_t i = 0; i < n; i++)
        entries[i] = (struct queue_sqs_entry){.handle = c->receipts[i].handle,
                                              .delay_s = (int)q->visibility_s};
    move(h, QUEUE_SQS_HEARTBEAT_BEATS);
    pthread_mutex_unlock(&h->lock);
    int error = queue_sqs_batch_run(q, q->url, entries, n, beat_ms(q), &err);
    free(entries);
    if (error)
        diag(DIAG_WARN, "messages being worked on may be delivered again: a heartbeat failed",
             DIAG_STR("reason", err.text));
    pthread_mutex_lock(&h->lock);
    h->due_us = began_us + (error ? interval_us(q) / 2 : interval_us(q));
    move(h, h->state == QUEUE_SQS_HEARTBEAT_BEATS ? QUEUE_SQS_HEARTBEAT_WAITS
                                                  : QUEUE_SQS_HEARTBEAT_RESTS);
    pthread_cond_broadcast(&h->news);
}

static void *run(void *arg)
{
    struct queue_sqs_consumer *c = arg;
    struct queue_sqs_heartbeat *h = &c->heartbeat;

    pthread_mutex_lock(&h->lock);
    while (h->state != QUEUE_SQS_HEARTBEAT_STOPPED) {
        if (h->state == QUEUE_SQS_HEARTBEAT_RESTS)
            pthread_cond_wait(&h->news, &h->lock);
        else if (h->due_us > clock_monotonic_us())
            monotonic_cond_wait(&h->news, &h->lock, h->due_us);
        else
            beat(c);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

void queue_sqs_heartbeat_begin(struct queue_sqs_consumer *c, uint64_t since_us)
{
    struct queue_sqs_heartbeat *h = &c->heartbeat;

    pthread_mutex_lock(&h->lock);
    move(h, QUEUE_SQS_HEARTBEAT_WAITS);
    h->due_us = since_us + interval_us(c->q);
    pthread_cond_broadcast(&h->news);
    pthread_mutex_unlock(&h->lock);
}

void queue_sqs_heartbeat_end(struct queue_sqs_consumer *c)
{
    struct queue_sqs_heartbeat *h = &c->heartbeat;

    pthread_mutex_lock(&h->lock);
    move(h, h->state == QUEUE_SQS_HEARTBEAT_BEATS ? QUEUE_SQS_HEARTBEAT_ENDS
                                                  : QUEUE_SQS_HEARTBEAT_RESTS);
    while (h->state == QUEUE_SQS_HEARTBEAT_ENDS)
        pthread_cond_wait(&h->news, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

int queue_sqs_heartbeat_start(struct queue_sqs_consumer *c, struct errbuf *err)
{
    struct queue_sqs_heartbeat *h = &c->heartbeat;

    pthread_mutex_init(&h->lock, NULL);
    monotonic_cond_init(&h->news);
    if (!pthread_create(&h->thread, NULL, run, c))
        return 0;
    pthread_cond_destroy(&h->news);
    pthread_mutex_destroy(&h->lock);
    return errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread");
}

void queue_sqs_heartbeat_stop(struct queue_sqs_consumer *c)
{
    struct queue_sqs_heartbeat *h = &c->heartbeat;

    pthread_mutex_lock(&h->lock);
    move(h, QUEUE_SQS_HEARTBEAT_STOPPED);
    pthread_cond_broadcast(&h->news);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->news);
    pthread_mutex_destroy(&h->lock);
}
