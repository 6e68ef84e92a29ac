/*
 * While a delivery is worked on, its messages' visibility timeout is set anew several times before
 * it runs out, so that SQS does not deliver them to somebody else however long the work takes. One
 * thread does it for all consumers.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "queue/queue_sqs_parts.h"

static uint64_t interval_us(const struct queue_sqs *q)
{
    return (uint64_t)q->visibility_s * 1000000 / QUEUE_SQS_BEATS;
}

/* Lock held, but for the call. */
static void beat(struct queue_sqs *q, struct queue_sqs_consumer *c)
{
    struct queue_sqs_entry *entries = xcalloc(c->count, sizeof(*entries));
    struct errbuf err = ERRBUF_INIT;
    size_t n = c->count;
    int error;

    for (size_t i = 0; i < n; i++)
        entries[i] = (struct queue_sqs_entry){.handle = c->receipts[i].handle,
                                              .delay_s = (int)q->visibility_s};
    c->beating = true;
    c->beat_due_us = clock_monotonic_us() + interval_us(q);
    pthread_mutex_unlock(&q->lock);
    error = queue_sqs_batch_run(q, q->url, entries, n, (unsigned)(interval_us(q) / 1000), &err);
    free(entries);
    if (error != 0)
        diag(DIAG_WARN, "messages being worked on may be delivered again: a heartbeat failed",
             DIAG_STR("reason", err.text));
    pthread_mutex_lock(&q->lock);
    c->beating = false;
    pthread_cond_broadcast(&q->rested);
}

/* The consumer whose heartbeat is due first; NULL where none works. Lock held. */
static struct queue_sqs_consumer *first_due(struct queue_sqs *q)
{
    struct queue_sqs_consumer *first = NULL;

    for (struct queue_sqs_consumer *c = q->consumers; c != NULL; c = c->next) {
        if (c->working && (first == NULL || c->beat_due_us < first->beat_due_us))
            first = c;
    }
    return first;
}

static void *run(void *arg)
{
    struct queue_sqs *q = arg;

    pthread_mutex_lock(&q->lock);
    while (!q->stopping) {
        struct queue_sqs_consumer *c = first_due(q);
        uint64_t now = clock_monotonic_us();

        if (c == NULL) {
            pthread_cond_wait(&q->beat, &q->lock);
        } else if (c->beat_due_us > now) {
            monotonic_cond_wait(&q->beat, &q->lock, c->beat_due_us);
        } else {
            beat(q, c);
        }
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

void queue_sqs_heartbeat_begin(struct queue_sqs_consumer *c, uint64_t since_us)
{
    struct queue_sqs *q = c->q;

    pthread_mutex_lock(&q->lock);
    c->working = true;
    c->beat_due_us = since_us + interval_us(q);
    pthread_cond_signal(&q->beat);
    pthread_mutex_unlock(&q->lock);
}

void queue_sqs_heartbeat_end(struct queue_sqs_consumer *c)
{
    struct queue_sqs *q = c->q;

    pthread_mutex_lock(&q->lock);
    c->working = false;
    while (c->beating)
        pthread_cond_wait(&q->rested, &q->lock);
    pthread_mutex_unlock(&q->lock);
}

int queue_sqs_heartbeat_start(struct queue_sqs *q, struct errbuf *err)
{
    if (pthread_create(&q->heartbeat, NULL, run, q) != 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread");
    q->heartbeat_runs = true;
    return 0;
}

void queue_sqs_heartbeat_stop(struct queue_sqs *q)
{
    if (!q->heartbeat_runs)
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_signal(&q->beat);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->heartbeat, NULL);
}
