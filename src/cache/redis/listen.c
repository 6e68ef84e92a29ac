/*
 * Fills are announced by PUBLISH (https://redis.io/docs/latest/develop/interact/pubsub/), which is
 * no more than a hint: it is lost if nobody listens, and says nothing of what was filled.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cache/redis/internal.h"

enum { MS = 1000 /* in us */ };

void cache_redis_listen_announce(struct cache_redis_client *c, uint64_t deadline_us)
{
    redisReply *reply;

    buffer_clear(&c->command);
    redis_command_begin(&c->command, 3);
    redis_command_add(&c->command, SLICE_LITERAL("PUBLISH"));
    redis_command_add(&c->command, slice_of_string(c->cache->channel));
    redis_command_add(&c->command, SLICE_LITERAL(""));
    if (cache_redis_link_exchange(c, buffer_slice(&c->command), slice_of(NULL, 0), &reply, 1,
                                  deadline_us))
        return;
    if (reply->type == REDIS_REPLY_ERROR)
        cache_redis_link_refused(c->cache, reply->str);
    freeReplyObject(reply);
}

struct listener {
    struct cache_listener base;
    struct cache_redis *cache;
    struct redis_connection connection; /* closed or listening */
};

struct cache_listener *cache_redis_listen_new(struct cache *base)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->base.ops = base->ops;
    l->cache = (struct cache_redis *)base;
    redis_connection_init(&l->connection, &l->cache->server);
    return &l->base;
}

void cache_redis_listen_free(struct cache_listener *base)
{
    struct listener *l = (struct listener *)base;

    redis_connection_release(&l->connection);
    free(l);
}

/* Takes one reply, of whatever content. An error that the server answers closes the connection. */
static int take(struct listener *l, uint64_t deadline_us, struct errbuf *err)
{
    redisReply *reply;
    int error = redis_connection_receive(&l->connection, &reply, deadline_us, err);

    if (error)
        return error;
    if (reply->type == REDIS_REPLY_ERROR) {
        cache_redis_link_refused(l->cache, reply->str);
        redis_connection_close(&l->connection);
        error = LM_EINVAL;
    }
    freeReplyObject(reply);
    return error;
}

static int subscribe(struct listener *l, struct errbuf *err)
{
    uint64_t deadline_us = clock_monotonic_us() + CACHE_REDIS_CONNECT_MS * MS;
    struct buffer command;
    int error = redis_connection_open(&l->connection, deadline_us, err);

    if (error)
        return error;
    buffer_init(&command, CACHE_REDIS_COMMAND_MAX);
    redis_command_begin(&command, 2);
    redis_command_add(&command, SLICE_LITERAL("SUBSCRIBE"));
    redis_command_add(&command, slice_of_string(l->cache->channel));
    error = redis_connection_send(&l->connection, buffer_slice(&command), 1, deadline_us, err);
    buffer_release(&command);
    if (!error)
        error = take(l, deadline_us, err);
    if (!error)
        redis_connection_listen(&l->connection);
    return error;
}

int cache_redis_listen_wait(struct cache_listener *base, unsigned timeout_ms)
{
    struct listener *l = (struct listener *)base;
    struct errbuf err = ERRBUF_INIT;
    uint64_t now_us = clock_monotonic_us();

    if (!redis_connection_is_open(&l->connection))
        return subscribe(l, &err);
    int error = redis_connection_wait(&l->connection, now_us + timeout_ms * (uint64_t)MS);
    /* Only the first of what has come: the rest was announced before this returns, too. */
    return error ? error : take(l, clock_monotonic_us() + CACHE_REDIS_FILL_MS * MS, &err);
}
