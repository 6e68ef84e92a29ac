/*
 * The cache in Redis: what is kept there, and why it is right.
 *
 * KEYS, all named PREFIX{cache}:… (the {tag} keeps them on one node of a cluster)
 *
 *   set     sorted set of logs, all of score 0, so that Redis orders them by their bytes, which
 *           begin with (timestamp, id), see member.h
 *   state   hash: run, the server's run_id when the set was made; read, the server's time (ms)
 *           when the last rebuild began to read the store; mark, count, bytes
 *   lock    hash, while a rebuild is under way: token, run, began; and of `fills`, as in state,
 *           mark, count, bytes
 *   fills   sorted set: what has been filled since that rebuild began
 *   staged:TOKEN   sorted set: what that rebuild has read so far
 *   erased  another text whenever logs have been erased from the store on purpose; none: never
 *
 * and the channel `filled`, on which each fill is announced to live tails.
 *
 * The timestamp is not the score, because a score is a double: past 2^53 us (the year 2255)
 * neighbours would fall together, and the bounds of a read would be blurred. By bytes every log
 * of the years 1 to 9999 stands exactly where it belongs, and equal messages stay two.
 *
 * INVARIANTS, true before and after each script (scripts.c)
 *
 *   1. Every member's key is above `mark`, the low-water mark; an empty one is below every key.
 *   2. `set` has `count` members of `bytes` bytes, at most max_logs and max_bytes.
 *   3. `set` has every log above `mark` that was committed to the store before the time `read`,
 *      and every one whose fill has come since.
 *
 * SCRIPTS
 *
 *   fill    Adds the members above the mark whose key is not there (as in the store the first one
 *           under a key stays), drops the oldest of what is then too much, and raises the mark to
 *           the last one dropped: one step, no reader sees them apart. A log below the mark is not
 *           added. Without a state nothing is: only a rebuild makes a set. While a rebuild is under
 *           way `fills` takes the same members by the same rules, with a mark of its own.
 *           It is given what `erased` was when the last fill of its client ended, and so before
 *           its logs were committed. If it is another now, some of them may have been erased
 *           since: nothing is added, and the set and a rebuild under way are given up.
 *   begin   A rebuild is due when `read` is half a rebuild interval old, or the state is missing,
 *           not whole, or of another run. Sets the lock, which ends by itself after one interval,
 *           with the server's time as `began`.
 *   stage   Adds members to staged:TOKEN, if the lock holds that token.
 *   finish  If the lock still holds the token: the new set is what was staged and, if a key is
 *           not among that, what was filled; the mark is the higher of both; then it is trimmed.
 *           `read` becomes `began`.
 *   forget  After logs were erased from the store: the set and a rebuild under way are given up,
 *           and `erased` becomes another.
 *
 * READS (query.c) take clock, state, size and members in one MULTI … EXEC. They are
 * served only if `run` is the run_id of the reader's own connection, `count` is the size of the
 * set, and `read` is at most one rebuild interval ago. The members are then complete above the
 * mark: an answer with as many logs as were asked for, or whose lower bound is above the mark, is
 * whole.
 *
 * WHY NO ANSWER IS WRONG FOR LONGER THAN THE REBUILD INTERVAL
 *
 * By `read` and invariant 3 alone. At time t an answer comes from a set whose `read` is
 * t - interval or later, and the store was read after that: so it has every log that was committed
 * before t - interval. Nothing else need be trusted for it: not that a fill arrived, not that the
 * worker whose fill failed lives and can reach Redis, nor how many workers there are. All that
 * follows makes it better than that: in the common case an answer is as fresh as the last fill.
 *
 * RACES AND FAULTS
 *
 * - A fill during a rebuild. A log committed after the store was read is filled after `began`, so
 *   it is in `fills`; one committed before is in what was read. If `fills` overflowed, its mark
 *   says from where up it is whole.
 * - Two rebuilds. The one whose lock is gone ends at its next step, and what it staged dies: old
 *   data never becomes the set.
 * - A slow rebuild. `read` is when it began, so what it brings is never taken for newer than it is.
 * - A step executed late, when the worker has given up waiting. To fill twice is to fill once;
 *   stage and finish need the lock with their token.
 * - A fill that failed. The process remembers (`lost`): its readers bypass, and the next of its
 *   clients that reaches Redis, by a fill or by upkeep, says so: every script then begins with
 *   deleting state and lock. Now all readers bypass until the next rebuild, which is due at once;
 *   one that was under way, and may have read the store before that log's commit, is ended. While
 *   the process cannot reach Redis, readers elsewhere are bounded by the interval.
 * - A worker dies between commit and fill. Its logs are missing until the next rebuild, or until
 *   the queue delivers them again.
 * - Redis starts empty. There is no state: readers bypass, fills add nothing, a rebuild is due.
 * - Redis starts with old data, or a replica takes over that has not got the last fills. The run_id
 *   is another than `run`: as if empty. (A server that hides its run_id: bounded by the interval.)
 * - Keys are evicted or deleted. `count` is not the size: as if empty.
 * - The server's clock jumps. Back: `read` is in the future, and not trusted. Forth: not fresh.
 * - No worker is alive. After one interval readers bypass, after three the keys are gone: their
 *   life is renewed by fill and by begin.
 * - Logs are too old, and deleted from the store. They are gone with the next rebuild.
 * - Logs are erased on purpose. `forget` comes after that: what was filled or read before is
 *   dropped, what is read later does not have them, and a fill of theirs that comes later, by
 *   however slow a worker, finds another `erased` than the one from before its commit.
 *
 * WHICH PROMISE IS KEPT BY WHAT
 *
 *   never wrong for longer than the rebuild interval   `read`, looked at by every reader
 *   what the set does not wholly cover: the store      mark, looked at by every reader
 *   fill, trim and mark change together                the fill script
 *   a rebuild racing a fill brings no old data back    lock with token, `fills`, `began`
 *   a fill that failed makes readers bypass            `lost`, the scripts' first line
 *   equal messages stay two                            the id in the member's key
 *   order by (timestamp, id), whatever the time        the key's bytes, score 0
 *   a dead Redis costs next to nothing                 time-outs, back-off: link.c
 */
#include "cache/redis/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cache/redis/internal.h"

static const struct cache_ops ops;

/* PREFIX{cache}:NAME */
static char *key_of(const char *prefix, const char *name)
{
    static const char tag[] = "{cache}:";
    size_t prefix_len = strlen(prefix), name_len = strlen(name);
    char *key = xmalloc(prefix_len + sizeof(tag) + name_len);

    memcpy(key, prefix, prefix_len);
    memcpy(key + prefix_len, tag, sizeof(tag) - 1);
    memcpy(key + prefix_len + sizeof(tag) - 1, name, name_len + 1);
    return key;
}

static void free_cache(struct cache *base)
{
    struct cache_redis *r = (struct cache_redis *)base;

    redis_server_release(&r->server);
    pthread_mutex_destroy(&r->lock_health);
    free(r->state);
    free(r->set);
    free(r->lock);
    free(r->fills);
    free(r->staged);
    free(r->erased);
    free(r->channel);
    free(r);
}

struct cache *cache_redis_new(const struct cache_redis_options *options, struct errbuf *err)
{
    const char *prefix = options->prefix ? options->prefix : "logmill:";
    struct cache_redis *r;

    if (options->max_logs > CACHE_REDIS_LOGS_MAX) {
        errbuf_set(err, "the cache holds at most %d logs", CACHE_REDIS_LOGS_MAX);
        return NULL;
    }
    r = xcalloc(1, sizeof(*r));
    r->base.ops = &ops;
    if (redis_server_init(&r->server, options->url, options->ca_file, err)) {
        free(r);
        return NULL;
    }
    r->max_logs = options->max_logs ? options->max_logs : CACHE_REDIS_LOGS_DEFAULT;
    r->max_bytes = options->max_bytes ? options->max_bytes : CACHE_REDIS_BYTES_DEFAULT;
    r->rebuild_ms = options->rebuild_ms ? options->rebuild_ms : CACHE_REDIS_REBUILD_MS_DEFAULT;
    r->state = key_of(prefix, "state");
    r->set = key_of(prefix, "set");
    r->lock = key_of(prefix, "lock");
    r->fills = key_of(prefix, "fills");
    r->staged = key_of(prefix, "staged:");
    r->erased = key_of(prefix, "erased");
    r->channel = key_of(prefix, "filled");
    pthread_mutex_init(&r->lock_health, NULL);
    return &r->base;
}

static struct cache_client *client_new(struct cache *base, struct errbuf *err)
{
    struct cache_redis_client *c = xcalloc(1, sizeof(*c));

    c->base.ops = &ops;
    c->cache = (struct cache_redis *)base;
    redis_connection_init(&c->connection, &c->cache->server);
    buffer_init(&c->command, CACHE_REDIS_COMMAND_MAX);
    buffer_init(&c->members, CACHE_REDIS_COMMAND_MAX);
    return &c->base;
}

static void client_free(struct cache_client *base)
{
    struct cache_redis_client *c = (struct cache_redis_client *)base;

    redis_connection_release(&c->connection);
    buffer_release(&c->command);
    buffer_release(&c->members);
    free(c->matches);
    free(c);
}

static const struct cache_ops ops = {
    .client_new = client_new,
    .client_free = client_free,
    .fill = cache_redis_fill,
    .forget = cache_redis_fill_forget,
    .maintain = cache_redis_fill_maintain,
    .query = cache_redis_query,
    .listener_new = cache_redis_listen_new,
    .listener_free = cache_redis_listen_free,
    .listener_wait = cache_redis_listen_wait,
    .free = free_cache,
};
