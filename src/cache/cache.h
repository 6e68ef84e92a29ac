/*
 * The cache port: the newest logs, near. Adapters: none (a NULL cache: the file is near already),
 * redis/ (Redis or Valkey). Whatever the cache does or fails to do, reads and writes go on
 * without it.
 *
 * Threads: a client serves one thread at a time. May block for a bounded, short time.
 */
#ifndef LOGMILL_CACHE_CACHE_H
#define LOGMILL_CACHE_CACHE_H

#include <stddef.h>

#include "base/errbuf.h"
#include "query/filter.h"
#include "record/record.h"
#include "store/store.h"

struct cache;        /* NULL everywhere: no cache */
struct cache_client; /* a connection; NULL if there is no cache */

/* What a read got: the names are those of the X-Cache header. */
enum cache_result {
    CACHE_HIT,    /* the whole answer was handed to the callback */
    CACHE_MISS,   /* not wholly covered, or not in time: ask the store; no call of the callback */
    CACHE_BYPASS, /* no cache, or it is in doubt or cannot be reached: ask the store */
};

struct cache_client *cache_client_new(struct cache *c, struct errbuf *err);
void cache_client_free(struct cache_client *c);

/* After the store has committed `records`: adds them. Failing is the cache's own business. */
void cache_fill(struct cache_client *c, const struct record *records, size_t n);

/*
 * After logs were erased from the store (store_erase): nothing is answered from the cache until it
 * has been rebuilt, and a rebuild that is under way is given up. A fill of an erased log that was
 * stored before, and is still on its way, adds nothing, however late it comes.
 * Returns 0, or an error with `err` filled: others may show erased logs until its next rebuild, and
 * this process does not use it before.
 */
int cache_forget(struct cache_client *c, struct errbuf *err) LM_MUST_CHECK;

/* From time to time by a worker: rebuilds from the store if that is due. */
void cache_maintain(struct cache_client *c, struct store_reader *store);

/*
 * Tries to answer `query` from the cache, in the order of store_query. `until_us` (monotonic; 0: no
 * end) is when looking for what matches predicates is over: what is not whole by then is a miss.
 * The first exchange with the cache is not cut short by it, so that a query without predicates can
 * be answered however little time there is.
 */
enum cache_result cache_query(struct cache_client *c, const struct log_query *query,
                              uint64_t until_us, store_row_fn *fn, void *ctx);

/*
 * Listens for fills: every fill, by whatever process, is announced to all who listen.
 * Belongs to one thread. NULL if there is no cache; not connected yet.
 */
struct cache_listener; /* NULL if there is no cache */
struct cache_listener *cache_listener_new(struct cache *c);
void cache_listener_free(struct cache_listener *l);

/*
 * Waits until something is announced: 0, also for the first time after connecting, since nobody
 * knows what was announced before. LM_ETIMEOUT after `timeout_ms`; another error if it cannot
 * listen now: the next call tries again.
 */
int cache_listener_wait(struct cache_listener *l, unsigned timeout_ms) LM_MUST_CHECK;

void cache_free(struct cache *c);

/* ---- For adapters ---- */

struct cache_ops {
    struct cache_client *(*client_new)(struct cache *c, struct errbuf *err);
    void (*client_free)(struct cache_client *c);
    void (*fill)(struct cache_client *c, const struct record *records, size_t n);
    int (*forget)(struct cache_client *c, struct errbuf *err);
    void (*maintain)(struct cache_client *c, struct store_reader *store);
    enum cache_result (*query)(struct cache_client *c, const struct log_query *query,
                               uint64_t until_us, store_row_fn *fn, void *ctx);
    struct cache_listener *(*listener_new)(struct cache *c);
    void (*listener_free)(struct cache_listener *l);
    int (*listener_wait)(struct cache_listener *l, unsigned timeout_ms);
    void (*free)(struct cache *c);
};

/* The first member of every adapter's cache, client and listener. */
struct cache {
    const struct cache_ops *ops;
};
struct cache_client {
    const struct cache_ops *ops;
};
struct cache_listener {
    const struct cache_ops *ops;
};

#endif
