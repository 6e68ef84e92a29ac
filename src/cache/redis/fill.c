/* What workers do: fills after each commit, and the rebuild. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "cache/redis/internal.h"
#include "cache/redis/member.h"

enum {
    MS = 1000, /* in us */
    /* One command carries up to so many members, or bytes and one member more. */
    COMMAND_MEMBERS = 1000,
    COMMAND_BYTES = 512 * 1024,
    RETRY_MS = 500,     /* after a rebuild that failed */
    LOOK_SOON_MS = 100, /* if something is known to be wrong */
    /* Another client may die at its rebuild, and the server may be started anew. */
    LOOK_AT_LEAST_EVERY_MS = 1000,
};

static void clear_members(struct cache_redis_client *c)
{
    buffer_clear(&c->members);
    c->members_len = 0;
}

static int add_member(struct cache_redis_client *c, const struct record *r)
{
    struct buffer *b = &c->members;

    buffer_append_char(b, '$');
    buffer_append_u64(b, cache_member_len(r));
    buffer_append_slice(b, SLICE_LITERAL("\r\n"));
    cache_member_append(b, r);
    buffer_append_slice(b, SLICE_LITERAL("\r\n"));
    c->members_len++;
    return buffer_error(b);
}

static bool members_are_enough(const struct cache_redis_client *c)
{
    return c->members_len >= COMMAND_MEMBERS || c->members.len >= COMMAND_BYTES;
}

/* Upkeep is not to wait for its time. */
static void look_soon(struct cache_redis_client *c)
{
    uint64_t soon = clock_monotonic_us() + LOOK_SOON_MS * MS;

    if (c->maintain_at_us > soon)
        c->maintain_at_us = soon;
}

/* ---- Fill ---- */

/* What a fill was told of `erased`: empty if that cannot be. */
static void take_erased(const redisReply *reply, char erased[CACHE_REDIS_ERASED_MAX + 1])
{
    erased[0] = '\0';
    if (reply->type == REDIS_REPLY_STRING && reply->len <= CACHE_REDIS_ERASED_MAX)
        memcpy(erased, reply->str, reply->len + 1);
}

/* c->erased stays as it was before these logs were stored; *erased: what it is now. */
static int send_fill(struct cache_redis_client *c, uint64_t deadline_us,
                     char erased[CACHE_REDIS_ERASED_MAX + 1])
{
    const struct slice known = slice_of_string(c->erased);
    redisReply *reply;
    int error = cache_redis_link_run(c,
                                     &(struct cache_redis_script_call){.script = CACHE_REDIS_FILL,
                                                                       .arguments = &known,
                                                                       .arguments_len = 1,
                                                                       .with_members = true,
                                                                       .deadline_us = deadline_us},
                                     &reply);

    clear_members(c);
    if (error)
        return error;
    bool is_pair = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2;
    if (is_pair)
        take_erased(reply->element[1], erased);
    if (!is_pair || reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->integer != 1)
        look_soon(c); /* there is no set: perhaps the server has been started anew */
    freeReplyObject(reply);
    return 0;
}

void cache_redis_fill(struct cache_client *base, const struct record *records, size_t n)
{
    struct cache_redis_client *c = (struct cache_redis_client *)base;
    uint64_t deadline_us = clock_monotonic_us() + CACHE_REDIS_FILL_MS * MS;
    int error = n > 0 && !cache_redis_link_may_try(c->cache) ? LM_EUNAVAILABLE : 0;
    char erased[sizeof(c->erased)];

    memcpy(erased, c->erased, sizeof(erased));
    clear_members(c);
    for (size_t i = 0; !error && i < n; i++) {
        error = add_member(c, &records[i]);
        if (!error && (members_are_enough(c) || i + 1 == n))
            error = send_fill(c, deadline_us, erased);
    }
    memcpy(c->erased, erased, sizeof(erased)); /* not before all of them have been sent */
    if (error)
        atomic_store(&c->cache->lost, true);
    else if (n > 0)
        cache_redis_listen_announce(c, deadline_us);
}

/* ---- Forgetting ---- */

int cache_redis_fill_forget(struct cache_client *base, struct errbuf *err)
{
    struct cache_redis_client *c = (struct cache_redis_client *)base;
    uint64_t deadline_us = clock_monotonic_us() + CACHE_REDIS_FILL_MS * MS;
    char token[UUID_TEXT_LEN], life_ms[12];
    struct uuid id = uuid7_new(clock_wall_us());
    redisReply *reply;

    uuid_format(&id, token);
    int life_len = snprintf(life_ms, sizeof(life_ms), "%d", CACHE_REDIS_ERASED_MS);
    const struct slice arguments[] = {slice_of(token, sizeof(token)),
                                      slice_of(life_ms, (size_t)life_len)};
    clear_members(c);
    int error = cache_redis_link_run(c,
                                     &(struct cache_redis_script_call){
                                         .script = CACHE_REDIS_FORGET,
                                         .arguments = arguments,
                                         .arguments_len = 2,
                                         .deadline_us = deadline_us,
                                     },
                                     &reply);
    if (error) {
        atomic_store(&c->cache->lost, true);
        return errbuf_fail(err, error, "Redis: %s", lm_error_text(error));
    }
    freeReplyObject(reply);
    cache_redis_listen_announce(c, deadline_us);
    return 0;
}

/* ---- Rebuild ---- */

struct rebuild {
    struct cache_redis_client *client;
    struct slice token;
    char *staged;         /* the key */
    uint64_t deadline_us; /* after which it would be of no use */
    unsigned count;       /* members staged, or about to be */
    size_t bytes;
    char mark[LOG_KEY_BYTES];
    size_t mark_len; /* 0: there are no older logs */
    int error;       /* of the cache, which ended the store's query */
};

static uint64_t step_deadline(void)
{
    return clock_monotonic_us() + CACHE_REDIS_REBUILD_STEP_MS * MS;
}

/* Runs a step and gives its integer reply; LM_ESTOPPED if the lock is no longer ours. */
static int run_step(struct rebuild *b, enum cache_redis_script script,
                    const struct slice *arguments, size_t n, bool with_members)
{
    redisReply *reply;
    int error = cache_redis_link_run(b->client,
                                     &(struct cache_redis_script_call){
                                         .script = script,
                                         .staged = b->staged,
                                         .arguments = arguments,
                                         .arguments_len = n,
                                         .with_members = with_members,
                                         .deadline_us = step_deadline(),
                                     },
                                     &reply);

    if (error)
        return error;
    error = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1 ? 0 : LM_ESTOPPED;
    freeReplyObject(reply);
    return error;
}

static int stage(struct rebuild *b)
{
    char lock_ms[12];
    int len = snprintf(lock_ms, sizeof(lock_ms), "%u", b->client->cache->rebuild_ms);
    const struct slice arguments[] = {b->token, slice_of(lock_ms, (size_t)len)};
    int error = b->client->members_len > 0 ? run_step(b, CACHE_REDIS_STAGE, arguments, 2, true) : 0;

    clear_members(b->client);
    return error;
}

/* A log of the store, newest first; the first one that finds no room is the mark. */
static int take_row(const struct record *record, void *ctx)
{
    struct rebuild *b = ctx;
    struct cache_redis *r = b->client->cache;
    size_t len = cache_member_len(record);

    if (b->count == r->max_logs || len > r->max_bytes - b->bytes) {
        log_key_pack_ordered(&record->key, b->mark);
        b->mark_len = sizeof(b->mark);
        return LM_ESTOPPED;
    }
    b->count++;
    b->bytes += len;
    b->error = clock_monotonic_us() < b->deadline_us ? add_member(b->client, record) : LM_ETIMEOUT;
    if (!b->error && members_are_enough(b->client))
        b->error = stage(b);
    return b->error;
}

static int finish(struct rebuild *b)
{
    char count[24], bytes[24];
    int count_len = snprintf(count, sizeof(count), "%u", b->count);
    int bytes_len = snprintf(bytes, sizeof(bytes), "%zu", b->bytes);
    const struct slice arguments[] = {
        b->token,
        slice_of(b->mark, b->mark_len),
        slice_of(count, (size_t)count_len),
        slice_of(bytes, (size_t)bytes_len),
    };

    return run_step(b, CACHE_REDIS_FINISH, arguments, 4, false);
}

/* Lets another rebuild begin: a count that cannot be right makes the script drop it all. */
static void abandon(struct rebuild *b)
{
    const struct slice arguments[] = {b->token, slice_of(NULL, 0), SLICE_LITERAL("-1"),
                                      SLICE_LITERAL("0")};

    clear_members(b->client);
    if (redis_connection_is_open(&b->client->connection))
        (void)!run_step(b, CACHE_REDIS_FINISH, arguments, 4, false);
}

/* Reads the newest logs of the store into a new set, and makes it the set. */
static int rebuild(struct cache_redis_client *c, struct store_reader *store, struct slice token)
{
    size_t staged_size = strlen(c->cache->staged) + token.len + 1;
    struct rebuild b = {
        .client = c,
        .token = token,
        .staged = xmalloc(staged_size),
        .deadline_us = clock_monotonic_us() + (uint64_t)c->cache->rebuild_ms * MS,
    };
    struct log_query newest = {.limit = c->cache->max_logs + 1};
    struct errbuf err = ERRBUF_INIT;

    snprintf(b.staged, staged_size, "%s%.*s", c->cache->staged, SLICE_ARG(token));
    log_filter_init(&newest.filter);
    clear_members(c);
    int error = store_query(store, &newest, take_row, &b, &err);
    if (error == LM_ESTOPPED && !b.error)
        error = 0;
    else if (error && !b.error)
        cache_redis_link_refused(c->cache, err.text[0] ? err.text : lm_error_text(error));
    if (!error)
        error = stage(&b);
    if (!error)
        error = finish(&b);
    if (error)
        abandon(&b);
    free(b.staged);
    return error;
}

/*
 * Asks whether a rebuild is due, and begins one if so: LM_EBUSY with `*wait_ms` if it is not, or
 * another client is at it.
 */
static int begin(struct cache_redis_client *c, struct slice token, uint64_t *wait_ms)
{
    char due_ms[12], lock_ms[12];
    int due_len = snprintf(due_ms, sizeof(due_ms), "%u", c->cache->rebuild_ms / 2);
    int lock_len = snprintf(lock_ms, sizeof(lock_ms), "%u", c->cache->rebuild_ms);
    const struct slice arguments[] = {token, slice_of(due_ms, (size_t)due_len),
                                      slice_of(lock_ms, (size_t)lock_len)};
    redisReply *reply;
    int error = cache_redis_link_run(c,
                                     &(struct cache_redis_script_call){
                                         .script = CACHE_REDIS_BEGIN,
                                         .arguments = arguments,
                                         .arguments_len = 3,
                                         .deadline_us = step_deadline(),
                                     },
                                     &reply);

    if (error)
        return error;
    error = LM_EINVAL;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_INTEGER &&
        reply->element[1]->type == REDIS_REPLY_INTEGER) {
        error = reply->element[0]->integer == 1 ? 0 : LM_EBUSY;
        *wait_ms = reply->element[1]->integer > 0 ? (uint64_t)reply->element[1]->integer : 0;
    }
    freeReplyObject(reply);
    return error;
}

static bool is_time(const struct cache_redis_client *c)
{
    uint64_t now = clock_monotonic_us();

    /* What was lost is said soon: readers are to bypass the set from then on. */
    return now >= c->maintain_at_us || (now >= c->say_lost_at_us && atomic_load(&c->cache->lost));
}

void cache_redis_fill_maintain(struct cache_client *base, struct store_reader *store)
{
    struct cache_redis_client *c = (struct cache_redis_client *)base;
    uint64_t wait_ms = RETRY_MS;
    char token[UUID_TEXT_LEN];

    if (!is_time(c) || !cache_redis_link_may_try(c->cache))
        return;
    struct uuid id = uuid7_new(clock_wall_us());
    uuid_format(&id, token);
    int error = begin(c, slice_of(token, sizeof(token)), &wait_ms);
    if (!error) {
        error = rebuild(c, store, slice_of(token, sizeof(token)));
        wait_ms = error ? RETRY_MS : c->cache->rebuild_ms / 2;
    }
    if (wait_ms > LOOK_AT_LEAST_EVERY_MS)
        wait_ms = LOOK_AT_LEAST_EVERY_MS;
    c->maintain_at_us = clock_monotonic_us() + wait_ms * MS;
    c->say_lost_at_us = clock_monotonic_us() + LOOK_SOON_MS * MS;
}
