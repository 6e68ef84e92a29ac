/*
 * What the files of the cache in Redis share; nobody else includes it.
 *
 *   adapter.c  the design; life
 *   link.c     one exchange with the server: connecting, time-outs, leaving alone
 *   scripts.c  the Lua scripts
 *   fill.c     fill and rebuild
 *   query.c    reads
 *   listen.c   announcements of fills
 */
#ifndef LOGMILL_CACHE_REDIS_INTERNAL_H
#define LOGMILL_CACHE_REDIS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/cache.h"
#include "cache/redis/connection.h"
#include "cache/redis/limits.h"
#include "cache/redis/scripts.h"

enum {
    CACHE_REDIS_SHA_LEN = 40,
    CACHE_REDIS_ERASED_MAX = 64,              /* bytes of the key `erased`, which lives … */
    CACHE_REDIS_ERASED_MS = 24 * 3600 * 1000, /* … longer than any fill is under way */
    CACHE_REDIS_COMMAND_MAX = 1 << 30,        /* bytes: no command can reach this */
};

struct cache_redis {
    struct cache base;
    struct redis_server server;
    unsigned max_logs;
    size_t max_bytes;
    unsigned rebuild_ms;
    /* The keys, sharing one {tag}: a cluster keeps them together. */
    char *state;
    char *set;
    char *lock;
    char *fills;
    char *staged; /* prefix of "…:TOKEN" */
    char *erased;
    char *channel; /* on which fills are announced */

    /* Some fill failed since we could last say so; every client of this process may say it. */
    atomic_bool lost;

    /* Monotonic us until which the server is left alone; 0: it is well. */
    _Atomic uint64_t retry_at_us;
    pthread_mutex_t lock_health; /* over what follows */
    unsigned backoff_ms;
    uint64_t refusal_told_us; /* when a refusal was last written to the diagnostics; 0: never */
};

struct cache_redis_client {
    struct cache_client base;
    struct cache_redis *cache;
    struct redis_connection connection;
    char sha[CACHE_REDIS_SCRIPTS_LEN][CACHE_REDIS_SHA_LEN + 1]; /* empty: not loaded yet */
    struct buffer command;
    struct buffer members; /* arguments that follow a script's fixed ones, as the wire has them */
    size_t members_len;
    char erased[CACHE_REDIS_ERASED_MAX + 1]; /* as the last fill has found it; at first empty */
    uint64_t maintain_at_us;                 /* monotonic: nothing is due before, */
    uint64_t say_lost_at_us;                 /* … nor can what was lost be said before */
    struct record *matches;                  /* of a read, up to its limit */
    size_t matches_capacity;
};

/* ---- link.c ---- */

/* False while the server is to be left alone; if true, the caller goes on to talk to it. */
bool cache_redis_link_may_try(struct cache_redis *r);

/*
 * Sends `command` and then, if any, `more`, and receives `n` replies into `replies`, to be freed
 * with freeReplyObject; connects first if need be, and once again if the server had closed an
 * idle connection. What is sent must be harmless when done twice. On an error no reply is left, the
 * connection is closed, the server is left alone for a while, and the diagnostics say so.
 */
int cache_redis_link_exchange(struct cache_redis_client *c, struct slice command, struct slice more,
                              redisReply **replies, size_t n, uint64_t deadline_us);

/* Connects if we are not, so that connection.run_id is known. Errors as above. */
int cache_redis_link_connect(struct cache_redis_client *c);

/*
 * Runs a script with the common arguments, `arguments`, and then c->members if `with_members`.
 * Returns 0 with `*reply` to be freed; LM_EINVAL if the server refused (told in the
 * diagnostics); or another error as above.
 */
struct cache_redis_script_call {
    enum cache_redis_script script;
    const char *staged; /* the key; NULL: none */
    const struct slice *arguments;
    size_t arguments_len;
    bool with_members;
    uint64_t deadline_us;
};
int cache_redis_link_run(struct cache_redis_client *c, const struct cache_redis_script_call *call,
                         redisReply **reply);

/* Writes why the server or the store would not do as asked, at most once a minute. */
void cache_redis_link_refused(struct cache_redis *r, const char *reason);

/* ---- fill.c ---- */

void cache_redis_fill(struct cache_client *c, const struct record *records, size_t n);
int cache_redis_fill_forget(struct cache_client *c, struct errbuf *err);
void cache_redis_fill_maintain(struct cache_client *c, struct store_reader *store);

/* ---- listen.c ---- */

/* Tells all who listen that something was filled. */
void cache_redis_listen_announce(struct cache_redis_client *c, uint64_t deadline_us);

struct cache_listener *cache_redis_listen_new(struct cache *c);
void cache_redis_listen_free(struct cache_listener *l);
int cache_redis_listen_wait(struct cache_listener *l, unsigned timeout_ms);

/* ---- query.c ---- */

enum cache_result cache_redis_query(struct cache_client *c, const struct log_query *query,
                                    uint64_t until_us, store_row_fn *fn, void *ctx);

#endif
