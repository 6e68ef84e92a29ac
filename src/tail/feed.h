/*
 * What live tails are fed from (see tail.h): one thread that follows the store while anybody
 * follows, and rests otherwise. It looks when it is told that logs were stored, by this process
 * (tail_feed_wake) or another (through the cache), and in any case from time to time.
 */
#ifndef LOGMILL_TAIL_FEED_H
#define LOGMILL_TAIL_FEED_H

#include "cache/cache.h"
#include "store/store.h"

struct tail_feed;

enum {
    TAIL_POLL_MS = 500,       /* between two looks where nobody tells */
    TAIL_POLL_TOLD_MS = 2000, /* … and where somebody does: in case that something is missed */
};

struct tail_feed_options {
    struct store *store;
    struct cache *cache; /* NULL: none */
    bool is_told;        /* tail_feed_wake will be called whenever logs are stored */
    unsigned max_tails;  /* in all; more are answered 503 */
    size_t unsent_bytes; /* of all tails together that their sockets have not taken, about */
};

/* store and cache must outlive it. NULL with `err` filled on failure. */
struct tail_feed *tail_feed_new(const struct tail_feed_options *options, struct errbuf *err);

/*
 * Logs may have been stored: `feed` is a struct tail_feed (void, so that it can be a callback).
 * From any thread, never blocking for long.
 */
void tail_feed_wake(void *feed);

/* When all that uses it is gone. NULL does nothing. */
void tail_feed_free(struct tail_feed *feed);

#endif
