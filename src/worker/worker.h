/*
 * The worker: takes messages from the queue, stores their logs, fills the cache, and only then
 * acknowledges. A crash between any two steps only repeats work that is idempotent.
 */
#ifndef LOGMILL_WORKER_WORKER_H
#define LOGMILL_WORKER_WORKER_H

#include <stdbool.h>

#include "cache/cache.h"
#include "queue/queue.h"
#include "store/store.h"
#include "worker/expiry.h"

struct worker;

struct worker_options {
    struct queue *queue;
    struct store *store;
    struct cache *cache; /* NULL: none */
    unsigned threads;    /* 0: WORKER_THREADS_DEFAULT; fewer if the queue or one_writer wants it */
    bool one_writer;     /* the store is not written to by two threads at a time */
    unsigned retention_days;  /* 0: logs are kept for ever */
    uint64_t retention_bytes; /* of the store; 0: no limit */
    struct level_rules retention_levels;
    struct expiry_letters dead_letters;
    void (*stored)(void *ctx); /* after each commit, on a worker's thread; NULL: none */
    void *stored_ctx;
};

enum { WORKER_THREADS_DEFAULT = 4 };

/* Starts the threads. queue, store and cache must outlive it. NULL with `err` filled on failure. */
struct worker *worker_new(const struct worker_options *options, struct errbuf *err);

/*
 * Stores what the queue still holds for up to `drain_ms`, stops and frees; what is left stays in
 * the queue. The queue is interrupted by this. NULL does nothing.
 */
void worker_free(struct worker *w, unsigned drain_ms);

#endif
