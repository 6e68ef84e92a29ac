#include "queue_test_support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/array.h"
#include "base/clock.h"

enum {
    ID_BYTES = 64,
    LOOK_MS = 5000,         /* a queue may look less long than it is told */
    GIVE_UP_US = 240000000, /* in which all comes that is there, however slow the machine is */
};

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool done;
    int error;
};

static void on_done(struct queue_send *send, int error, const char *detail)
{
    struct waiter *w = send->ctx;

    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->error = error;
    pthread_cond_signal(&w->finished);
    pthread_mutex_unlock(&w->lock);
}

int queue_test_send(struct queue *q, const struct slice *messages, size_t n)
{
    struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};
    struct queue_send send = {.messages = messages, .messages_len = n, .done = on_done, .ctx = &w};

    assert_int_equal(queue_send(q, &send), 0);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.finished, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return w.error;
}

int queue_test_send_text(struct queue *q, const char *text)
{
    struct slice message = slice_of_string(text);

    return queue_test_send(q, &message, 1);
}

struct queue_consumer *queue_test_consumer(struct queue *q)
{
    struct errbuf err = ERRBUF_INIT;
    struct queue_consumer *c = queue_consumer_new(q, &err);

    if (!c)
        fail_msg("no consumer: %s", err.text);
    return c;
}

static void receive_once(struct queue_consumer *c, unsigned wait_ms, struct queue_delivery *d)
{
    struct errbuf err = ERRBUF_INIT;

    if (queue_receive(c, wait_ms, d, &err))
        fail_msg("cannot receive: %s", err.text);
}

/* Until something comes; false if nothing does. */
static bool receive_expected(struct queue_consumer *c, struct queue_delivery *d)
{
    uint64_t end_us = clock_monotonic_us() + GIVE_UP_US;

    do
        receive_once(c, LOOK_MS, d);
    while (d->count == 0 && clock_monotonic_us() < end_us);
    return d->count > 0;
}

void queue_test_receive(struct queue_consumer *c, struct queue_delivery *d)
{
    if (!receive_expected(c, d))
        fail_msg("no message came");
}

void queue_test_settle(struct queue_consumer *c, struct queue_delivery *d,
                       enum queue_outcome outcome)
{
    struct errbuf err = ERRBUF_INIT;

    for (size_t i = 0; i < d->count; i++) {
        d->messages[i].outcome = outcome;
        d->messages[i].reason = "a test says so";
    }
    if (queue_settle(c, d, &err))
        fail_msg("cannot settle: %s", err.text);
}

bool queue_test_may_repeat;

struct seen {
    char (*ids)[ID_BYTES];
    size_t len;
    size_t capacity;
};

/* Whether it is the first of its id; notes the id. */
static bool is_first(struct seen *s, struct slice id)
{
    char text[ID_BYTES] = {0};

    assert_true(id.len < sizeof(text));
    memcpy(text, id.data, id.len);
    for (size_t i = 0; i < s->len; i++) {
        if (strcmp(s->ids[i], text) == 0)
            return false;
    }
    s->ids = array_reserve(s->ids, &s->capacity, s->len + 1, sizeof(*s->ids));
    memcpy(s->ids[s->len++], text, sizeof(text));
    return true;
}

size_t queue_test_drain(struct queue_consumer *c, size_t n, unsigned quiet_ms,
                        void (*fn)(struct slice body, void *ctx), void *ctx)
{
    struct queue_delivery d;
    struct seen seen = {0};
    size_t total = 0;

    while (total < n || quiet_ms > 0) {
        if (total < n)
            receive_expected(c, &d);
        else
            receive_once(c, quiet_ms, &d);
        if (d.count == 0)
            break;
        for (size_t i = 0; i < d.count; i++) {
            if (queue_test_may_repeat && !is_first(&seen, d.messages[i].id))
                continue;
            if (fn)
                fn(d.messages[i].body, ctx);
            total++;
        }
        queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    }
    free(seen.ids);
    return total;
}

uint32_t queue_test_number(struct slice body)
{
    uint32_t number = 0;

    for (size_t i = 0; i < body.len; i++) {
        assert_in_range(body.data[i], '0', '9');
        number = number * 10 + (uint32_t)(body.data[i] - '0');
    }
    return number;
}

struct queue_stats queue_test_stats(struct queue *q)
{
    struct queue_stats stats;
    struct errbuf err = ERRBUF_INIT;

    if (queue_stats(q, &stats, &err))
        fail_msg("cannot count: %s", err.text);
    return stats;
}
