/*
 * The HTTP API of logmill: routes over a queue (writes) and a store and a cache (reads).
 */
#ifndef LOGMILL_API_API_H
#define LOGMILL_API_API_H

#include <stdbool.h>

#include "access/places.h"
#include "cache/cache.h"
#include "http/http.h"
#include "queue/queue.h"
#include "store/store.h"
#include "tail/feed.h"

struct api;

struct api_options {
    struct queue *queue;
    struct store *store;
    struct cache *cache;    /* NULL: none */
    struct tail_feed *feed; /* NULL if ops_only */
    /* Called after DELETE /logs, on a thread of its own: what may be left of the logs elsewhere is
     * to go. Returns 0 or an error with `err`. NULL: there is nothing. */
    int (*scrub)(void *ctx, struct errbuf *err);
    void *scrub_ctx;
    struct http_server_options http; /* routes, hooks and what follows the time-outs are set here */
    struct ledger *ledger;           /* of what is held for clients */
    const char *allowed_hosts;   /* see access.h; NULL: "*" if http.host is no loopback address */
    const char *cors_origins;    /* see access.h; NULL: none */
    const char *trusted_proxies; /* see net/ranges.h */
    struct keys *keys;           /* NULL: none; must outlive it */
    unsigned anonymous;          /* see access.h, as … */
    unsigned ops;                /* … an enum access_need */
    uint64_t anonymous_rate, anonymous_bytes; /* likewise */
    uint64_t session_max_age_s;               /* likewise */
    const char *links;                        /* see api/links.h; NULL: none but those … */
    char *const *environment;                 /* … of these variables; NULL: none */
    unsigned anonymous_places[PLACE_KINDS];
    unsigned max_tails;
    bool ops_only; /* only /health, /ready and /metrics */
    unsigned read_threads;
    unsigned read_helpers;
    unsigned max_reads;        /* at once, waiting and under way; one more is answered 503 */
    unsigned max_client_reads; /* of them, one client's */
    unsigned query_timeout_ms; /* the longest that one answer may take */
    unsigned ready_timeout_ms; /* within which /ready answers */
};

/* Starts serving. queue, store, cache, feed and ledger must outlive it. NULL with `err` filled on
 * failure. */
struct api *api_new(const struct api_options *options, struct errbuf *err);

/* The port that is listened on. */
unsigned api_port(const struct api *api);

/* That of its second place, http.also; if there is one. */
unsigned api_also_port(const struct api *api);

/*
 * What another process can go on with is added to `to` as `name` (http_server_hand_over); the rest
 * is answered, for up to `grace_ms`. Before api_free.
 */
void api_hand_over(struct api *api, unsigned grace_ms, struct given *to, const char *name,
                   size_t max);

/* Takes in the connections of that name. */
void api_adopt(struct api *api, struct given *from, const char *name);

/* Answers what is in flight for up to `grace_ms`, stops and frees. NULL does nothing. */
void api_free(struct api *api, unsigned grace_ms);

#endif
