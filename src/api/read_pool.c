#include "api/read_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"

enum { WATCH_INTERVAL_MS = 50 };

struct reader {
    struct read_pool *pool;
    pthread_t thread;
    struct read_thread tools;
    uint64_t started_us; /* under the pool's lock; 0: idle */
};

struct read_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;  /* a job waits, or stopping */
    pthread_cond_t watch; /* a reader has begun while the watchdog rests, or stopping */
    struct read_job *first;
    struct read_job **last;
    size_t waiting;
    size_t active;
    bool stopping;
    bool watchdog_rests; /* it need not be woken for every job */
    uint64_t timeout_us;
    struct reader *readers;
    unsigned readers_len;
    pthread_t watchdog;
};

static void deliver(struct mail *mail)
{
    struct read_job *job = (struct read_job *)((char *)mail - offsetof(struct read_job, mail));

    struct mailbox *box = job->box;

    job->finish(job);
    mailbox_arrived(box);
}

/* Called and returns with the lock held. */
static struct read_job *take_job(struct read_pool *pool)
{
    struct read_job *job;

    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
    job = pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->waiting--;
    }
    return job;
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    struct read_pool *pool = r->pool;
    struct read_job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = take_job(pool))) {
        uint64_t started_us = clock_monotonic_us();

        r->started_us = started_us;
        pool->active++;
        if (pool->watchdog_rests)
            pthread_cond_signal(&pool->watch);
        pthread_mutex_unlock(&pool->lock);

        job->work(job, &r->tools);
        metrics_observe(METRIC_READ_US, clock_monotonic_us() - started_us);
        job->mail.deliver = deliver;
        mailbox_post(job->box, &job->mail);

        pthread_mutex_lock(&pool->lock);
        r->started_us = 0;
        pool->active--;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Cancels what has run too long. Under the lock, so that a cancel cannot hit the next job. */
static void cancel_late(struct read_pool *pool)
{
    uint64_t now = clock_monotonic_us();

    for (unsigned i = 0; i < pool->readers_len; i++) {
        struct reader *r = &pool->readers[i];

        if (r->started_us && now - r->started_us > pool->timeout_us)
            store_reader_cancel(r->tools.reader);
    }
}

static void *watchdog_main(void *arg)
{
    struct read_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        uint64_t until_us;

        if (pool->active == 0) {
            pool->watchdog_rests = true;
            pthread_cond_wait(&pool->watch, &pool->lock);
            pool->watchdog_rests = false;
            continue;
        }
        until_us = clock_monotonic_us() + (uint64_t)WATCH_INTERVAL_MS * 1000;
        while (!pool->stopping && monotonic_cond_wait(&pool->watch, &pool->lock, until_us))
            continue; /* woken for nothing: the interval goes on */
        cancel_late(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void init_conditions(struct read_pool *pool)
{
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    monotonic_cond_init(&pool->watch);
}

static int start_reader(struct read_pool *pool, const struct read_pool_options *options,
                        struct errbuf *err)
{
    struct reader *r = &pool->readers[pool->readers_len];

    r->pool = pool;
    r->tools.reader = store_reader_new(options->store, err);
    if (!r->tools.reader)
        return LM_EUNAVAILABLE;
    r->tools.cache = cache_client_new(options->cache, err);
    if (pthread_create(&r->thread, NULL, reader_main, r)) {
        cache_client_free(r->tools.cache);
        store_reader_free(r->tools.reader);
        return errbuf_fail(err, LM_ENOMEM, "cannot start a reader thread");
    }
    pool->readers_len++;
    return 0;
}

static void stop_readers(struct read_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_cond_signal(&pool->watch);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->readers_len; i++) {
        pthread_join(pool->readers[i].thread, NULL);
        cache_client_free(pool->readers[i].tools.cache);
        store_reader_free(pool->readers[i].tools.reader);
    }
}

static void release(struct read_pool *pool)
{
    pthread_cond_destroy(&pool->watch);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->readers);
    free(pool);
}

struct read_pool *read_pool_new(const struct read_pool_options *options, struct errbuf *err)
{
    struct read_pool *pool = xcalloc(1, sizeof(*pool));

    init_conditions(pool);
    pool->last = &pool->first;
    pool->timeout_us = (uint64_t)options->timeout_ms * 1000;
    pool->readers = xcalloc(options->threads, sizeof(*pool->readers));
    for (unsigned i = 0; i < options->threads; i++)
        if (start_reader(pool, options, err))
            goto fail;
    if (pthread_create(&pool->watchdog, NULL, watchdog_main, pool)) {
        errbuf_set(err, "cannot start the readers' watchdog thread");
        goto fail;
    }
    return pool;
fail:
    stop_readers(pool);
    release(pool);
    return NULL;
}

void read_pool_free(struct read_pool *pool)
{
    if (!pool)
        return;
    stop_readers(pool);
    pthread_join(pool->watchdog, NULL);
    release(pool);
}

void read_pool_hurry(struct read_pool *pool, unsigned timeout_ms)
{
    uint64_t timeout_us = (uint64_t)timeout_ms * 1000;

    pthread_mutex_lock(&pool->lock);
    if (timeout_us < pool->timeout_us)
        pool->timeout_us = timeout_us;
    pthread_mutex_unlock(&pool->lock);
}

int read_pool_submit(struct read_pool *pool, struct read_job *job)
{
    int error = 0;

    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->waiting >= READ_POOL_WAITING_MAX) {
        error = LM_EBUSY;
    } else {
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!error)
        mailbox_expect(job->box);
    return error;
}
