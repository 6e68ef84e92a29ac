/*
 * One exchange with the server, and what becomes of it when the server does not answer.
 *
 *   well ──a failure──► left alone until retry_at ──time is up──► one caller tries, the others
 *    ▲                      ▲                                     still leave it alone
 *    │                      └──────────it failed: twice as long────────────┤
 *    └──────────────────────────────it answered────────────────────────────┘
 */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "cache/redis/internal.h"
#include "diag/diag.h"

enum {
    MS = 1000, /* in us */
    REFUSAL_TOLD_EVERY_MS = 60 * 1000,
    /* How long the one caller that tries keeps the others from trying: longer than it can take. */
    TRIAL_MS = CACHE_REDIS_CONNECT_MS + CACHE_REDIS_REBUILD_STEP_MS,
    COMMON_KEYS = 6,
    COMMON_ARGUMENTS = 5,
    LIFE_IN_REBUILDS = 3, /* how long the keys outlive the last worker, in rebuild intervals */
};

/* ---- Health ---- */

bool cache_redis_link_may_try(struct cache_redis *r)
{
    uint64_t retry_at = atomic_load(&r->retry_at_us);

    if (retry_at == 0)
        return true;
    uint64_t now = clock_monotonic_us();
    return now >= retry_at &&
           atomic_compare_exchange_strong(&r->retry_at_us, &retry_at, now + TRIAL_MS * MS);
}

static void note_failure(struct cache_redis *r, const struct errbuf *err)
{
    pthread_mutex_lock(&r->lock_health);
    bool was_well = atomic_load(&r->retry_at_us) == 0;
    r->backoff_ms = was_well ? CACHE_REDIS_BACKOFF_FIRST_MS : r->backoff_ms * 2;
    if (r->backoff_ms > CACHE_REDIS_BACKOFF_MAX_MS)
        r->backoff_ms = CACHE_REDIS_BACKOFF_MAX_MS;
    atomic_store(&r->retry_at_us, clock_monotonic_us() + (uint64_t)r->backoff_ms * MS);
    pthread_mutex_unlock(&r->lock_health);
    if (was_well)
        diag(DIAG_WARN, "the cache cannot be used now; reads go to the store",
             DIAG_STR("reason", err->text));
}

static void note_success(struct cache_redis *r)
{
    if (atomic_load(&r->retry_at_us) == 0)
        return;
    pthread_mutex_lock(&r->lock_health);
    bool was_well = atomic_exchange(&r->retry_at_us, 0) == 0;
    pthread_mutex_unlock(&r->lock_health);
    if (!was_well)
        diag(DIAG_INFO, "the cache answers again", DIAG_STR("server", r->server.url.name));
}

void cache_redis_link_refused(struct cache_redis *r, const char *reason)
{
    uint64_t now = clock_monotonic_us();

    pthread_mutex_lock(&r->lock_health);
    bool tell = r->refusal_told_us == 0 || now - r->refusal_told_us >= REFUSAL_TOLD_EVERY_MS * MS;
    if (tell)
        r->refusal_told_us = now;
    pthread_mutex_unlock(&r->lock_health);
    if (tell)
        diag(DIAG_WARN, "the cache is of no use as it is; reads go to the store",
             DIAG_STR("reason", reason));
}

/* ---- Exchanges ---- */

static int connect_now(struct cache_redis_client *c, struct errbuf *err)
{
    return redis_connection_open(&c->connection, clock_monotonic_us() + CACHE_REDIS_CONNECT_MS * MS,
                                 err);
}

int cache_redis_link_connect(struct cache_redis_client *c)
{
    struct errbuf err = ERRBUF_INIT;
    int error = redis_connection_is_open(&c->connection) ? 0 : connect_now(c, &err);

    if (error)
        note_failure(c->cache, &err);
    return error;
}

static int exchange(struct cache_redis_client *c, struct slice command, struct slice more,
                    redisReply **replies, size_t n, uint64_t deadline_us, struct errbuf *err)
{
    size_t got = 0;

    CHECK(c->connection.owed == 0); /* else an answer would be taken for another's */
    int error = redis_connection_send(&c->connection, command, n, deadline_us, err);
    if (!error)
        error = redis_connection_send(&c->connection, more, 0, deadline_us, err);
    while (!error && got < n) {
        error = redis_connection_receive(&c->connection, &replies[got], deadline_us, err);
        got += !error;
    }
    while (error && got > 0)
        freeReplyObject(replies[--got]);
    return error;
}

int cache_redis_link_exchange(struct cache_redis_client *c, struct slice command, struct slice more,
                              redisReply **replies, size_t n, uint64_t deadline_us)
{
    struct errbuf err = ERRBUF_INIT;
    bool was_open = redis_connection_is_open(&c->connection);
    int error = was_open ? 0 : connect_now(c, &err);

    if (!error)
        error = exchange(c, command, more, replies, n, deadline_us, &err);
    if (error == LM_EIO && was_open) {
        error = connect_now(c, &err);
        if (!error)
            error = exchange(c, command, more, replies, n, deadline_us, &err);
    }
    if (error)
        note_failure(c->cache, &err);
    else
        note_success(c->cache);
    return error;
}

/* ---- Scripts ---- */

/* Tells the server the script's text and keeps its name for it. */
static int load_script(struct cache_redis_client *c, enum cache_redis_script script,
                       uint64_t deadline_us)
{
    redisReply *reply;

    buffer_clear(&c->command);
    redis_command_begin(&c->command, 3);
    redis_command_add(&c->command, SLICE_LITERAL("SCRIPT"));
    redis_command_add(&c->command, SLICE_LITERAL("LOAD"));
    redis_command_add(&c->command, slice_of_string(cache_redis_scripts_text(script)));
    int error = cache_redis_link_exchange(c, buffer_slice(&c->command), slice_of(NULL, 0), &reply,
                                          1, deadline_us);
    if (error)
        return error;
    if (reply->type == REDIS_REPLY_STRING && reply->len == CACHE_REDIS_SHA_LEN) {
        memcpy(c->sha[script], reply->str, CACHE_REDIS_SHA_LEN + 1);
    } else {
        cache_redis_link_refused(
            c->cache, reply->type == REDIS_REPLY_ERROR ? reply->str : "SCRIPT LOAD gave no name");
        error = LM_EINVAL;
    }
    freeReplyObject(reply);
    return error;
}

/* Writes the call into c->command, all but the members. */
static void append_call(struct cache_redis_client *c, const struct cache_redis_script_call *call,
                        bool lost)
{
    struct cache_redis *r = c->cache;
    struct buffer *b = &c->command;
    const char *keys[COMMON_KEYS] = {
        r->state, r->set, r->lock, r->fills, call->staged ? call->staged : r->staged, r->erased};

    buffer_clear(b);
    redis_command_begin(b, 3 + COMMON_KEYS + COMMON_ARGUMENTS + call->arguments_len +
                               (call->with_members ? c->members_len : 0));
    redis_command_add(b, SLICE_LITERAL("EVALSHA"));
    redis_command_add(b, slice_of_string(c->sha[call->script]));
    redis_command_add_u64(b, COMMON_KEYS);
    for (size_t i = 0; i < COMMON_KEYS; i++)
        redis_command_add(b, slice_of_string(keys[i]));
    redis_command_add(b, slice_of_string(c->connection.run_id));
    redis_command_add(b, lost ? SLICE_LITERAL("1") : SLICE_LITERAL("0"));
    redis_command_add_u64(b, r->max_logs);
    redis_command_add_u64(b, r->max_bytes);
    redis_command_add_u64(b, (uint64_t)r->rebuild_ms * LIFE_IN_REBUILDS);
    for (size_t i = 0; i < call->arguments_len; i++)
        redis_command_add(b, call->arguments[i]);
}

static bool is_noscript(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

/*
 * Once: LM_EBUSY if the connection is a new one, or the script is not known there, so that the
 * call must be written again.
 */
static int run_once(struct cache_redis_client *c, const struct cache_redis_script_call *call,
                    bool lost, redisReply **reply)
{
    char run_id[sizeof(c->connection.run_id)];
    int error = cache_redis_link_connect(c);

    if (!error && !c->sha[call->script][0])
        error = load_script(c, call->script, call->deadline_us);
    if (error)
        return error;
    memcpy(run_id, c->connection.run_id, sizeof(run_id));
    append_call(c, call, lost);
    if (buffer_error(&c->command))
        return buffer_error(&c->command);
    error = cache_redis_link_exchange(c, buffer_slice(&c->command),
                                      call->with_members ? buffer_slice(&c->members)
                                                         : slice_of(NULL, 0),
                                      reply, 1, call->deadline_us);
    if (error)
        return error;
    if (is_noscript(*reply))
        c->sha[call->script][0] = '\0';
    else if (strcmp(run_id, c->connection.run_id) == 0)
        return 0;
    freeReplyObject(*reply);
    return LM_EBUSY;
}

int cache_redis_link_run(struct cache_redis_client *c, const struct cache_redis_script_call *call,
                         redisReply **reply)
{
    bool lost = atomic_exchange(&c->cache->lost, false);
    int error = LM_EBUSY;

    for (int tries = 0; error == LM_EBUSY && tries < 3; tries++)
        error = run_once(c, call, lost, reply);
    if (!error && (*reply)->type == REDIS_REPLY_ERROR) {
        cache_redis_link_refused(c->cache, (*reply)->str);
        freeReplyObject(*reply);
        error = LM_EINVAL;
    }
    if (error && lost)
        atomic_store(&c->cache->lost, true);
    return error;
}
