/*
 * The cache in Redis 7 or Valkey 8 (or what speaks as they do): one sorted set of the newest logs,
 * filled by the workers after each commit and rebuilt from the store by one of them all the time.
 * How, and why no answer is ever wrong for longer than the rebuild interval, is told in adapter.c.
 *
 * All workers and readers of one store share one server, database and prefix, and should agree on
 * the options. The user needs the commands of @read, @write, @scripting, @transaction and
 * @connection, TIME, and INFO if it may be, on the keys PREFIX*:
 *
 *     ACL SETUSER logmill on >PASSWORD ~logmill:* +@all -@dangerous +info
 *
 * Time: if the server does not answer, no call takes longer than the bounds below; after that
 * the server is left alone for a while, so that a dead one costs next to nothing. The first failure
 * of an outage, and its end, are written to the diagnostics; a refusal by the server at most once a
 * minute. No password ever is.
 */
#ifndef LOGMILL_CACHE_REDIS_ADAPTER_H
#define LOGMILL_CACHE_REDIS_ADAPTER_H

#include "cache/cache.h"
#include "cache/redis/limits.h"

struct cache_redis_options {
    const char *url;     /* as in url.h */
    const char *ca_file; /* for rediss://: PEM, who vouches for the server; NULL: as the system */
    const char *prefix;  /* of all keys; NULL: "logmill:" */
    unsigned max_logs;   /* 0: CACHE_REDIS_LOGS_DEFAULT */
    size_t max_bytes;    /* of all logs in the set; 0: CACHE_REDIS_BYTES_DEFAULT */
    unsigned rebuild_ms; /* no answer is wrong for longer; 0: CACHE_REDIS_REBUILD_MS_DEFAULT */
};

/*
 * Connects to nothing yet: a server that is away is no error. NULL with `err` filled (and no secret
 * in it) if the URL, the certificates or a number cannot be used.
 */
struct cache *cache_redis_new(const struct cache_redis_options *options, struct errbuf *err);

#endif
