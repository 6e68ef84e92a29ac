/*
 * A few threads that read the store (and the cache), so that no event loop ever waits for a disk or
 * a database. A job is made on a loop's thread, worked on by one of the pool's, and finished on the
 * loop's thread again.
 */
#ifndef LOGMILL_API_READ_POOL_H
#define LOGMILL_API_READ_POOL_H

#include "api/mailbox.h"
#include "cache/cache.h"
#include "store/store.h"

struct read_pool;

enum { READ_POOL_WAITING_MAX = 1024 }; /* jobs that wait for a thread; one more is refused */

/* What a job finds on its thread. */
struct read_thread {
    struct store_reader *reader;
    struct cache_client *cache; /* NULL where there is no cache */
};

/* Embedded in the caller's own struct, which lives until `finish` has run. */
struct read_job {
    /* On a thread of the pool; may block. Ended early by a cancel when it takes too long. */
    void (*work)(struct read_job *job, struct read_thread *thread);
    /* Afterwards, on the loop's thread. */
    void (*finish)(struct read_job *job);
    struct mailbox *box; /* of the loop */

    struct mail mail; /* the pool's */
    struct read_job *next;
};

struct read_pool_options {
    struct store *store;
    struct cache *cache;
    unsigned threads;
    unsigned timeout_ms; /* after which a job's store call is cancelled */
};

/* NULL with `err` filled on failure. */
struct read_pool *read_pool_new(const struct read_pool_options *options, struct errbuf *err);

/* When no job is waiting or being worked on. */
void read_pool_free(struct read_pool *pool);

/* Before a stop: from now on a job's store call is cancelled after `timeout_ms`, if that is less.
 */
void read_pool_hurry(struct read_pool *pool, unsigned timeout_ms);

/* Returns 0, or LM_EBUSY where too many wait; then the job is not taken. On the job's loop's
 * thread.
 */
int read_pool_submit(struct read_pool *pool, struct read_job *job) LM_MUST_CHECK;

#endif
