/*
 * What live tails are fed from (see tail.h): one thread that follows the store while anybody
 * follows, and rests otherwise. It looks when it is told that logs were stored, by this process
 * (tail_feed_wake) or another (through the cache), and in any case from time to time.
 */
#ifndef LOGMILL_TAIL_FEED_H
#define LOGMILL_TAIL_FEED_H

#include "cache/cache.h"
#include "net/mailbox.h"
#include "query/filter.h"
#include "store/store.h"
#include "tail/batch.h"

struct tail_feed;

enum {
    TAIL_POLL_MS = 500,       /* between two looks if nobody tells */
    TAIL_POLL_TOLD_MS = 2000, /* … and if somebody does: in case that something is missed */

    TAIL_ERASURES_MS = 500, /* between two looks whether logs were erased, at least */

    TAIL_MATCH_STEPS = 30000000,     /* to match a batch against all filters: 60 ms at most, … */
    TAIL_MATCH_STEPS_BUSY = 5000000, /* … or 10 ms, if the next logs wait already */

    TAIL_UNSENT_MAX = 64 * 1024, /* bytes of one tail that its socket has not taken, … */
    TAIL_UNSENT_MIN = 1024,      /* … or its share of tail_feed_options.unsent_bytes */

    TAIL_SUBSCRIPTION_BATCHES = 8, /* that wait for one HTTP thread; then the feed waits */
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

/* ---- For who is fed: one of each HTTP thread ---- */

/* Embedded; `box` and `mail.deliver` are set, all else is the feed's, under its lock. */
struct tail_subscription {
    struct mailbox *box;
    struct mail mail; /* that there are batches to be taken, all of them */
    bool posted;      /* it is on its way */
    struct tail_subscription *next;
    struct tail_batch *batches[TAIL_SUBSCRIPTION_BATCHES]; /* a ring */
    unsigned first, len;
};

/*
 * The feed's batches from now on, and no more of them. Returns true if the feed has a place: the
 * first batch follows on `*position`. If not, its first batch is empty and says where it is.
 */
bool tail_feed_subscribe(struct tail_feed *feed, struct tail_subscription *s,
                         struct store_position *position);
void tail_feed_unsubscribe(struct tail_feed *feed, struct tail_subscription *s);

/* The batch that has waited longest, to be unref'd, or NULL. */
struct tail_batch *tail_feed_take(struct tail_feed *feed, struct tail_subscription *s);

/* Counts one more tail; false if there are max_tails. And one less. */
bool tail_feed_admit(struct tail_feed *feed);
void tail_feed_dismiss(struct tail_feed *feed);
unsigned tail_feed_max_tails(const struct tail_feed *feed);

/*
 * The filter for a tail that asks for `f`, until tail_feed_drop_filter: `*filter` is NULL if all
 * logs match. Returns 0 or LM_ENOMEM. From any thread.
 */
int tail_feed_use_filter(struct tail_feed *feed, const struct log_filter *f,
                         struct tail_filter **filter) LM_MUST_CHECK;
void tail_feed_drop_filter(struct tail_feed *feed, struct tail_filter *filter); /* may be NULL */

/* Bytes that one tail may have unsent before it has to wait. From any thread. */
size_t tail_feed_unsent_max(const struct tail_feed *feed);

#endif
