/*
 * Reads: in one round trip, MULTI … EXEC gives the clock, the state and a run of members as they
 * are at one moment; what they are worth is decided here. Not a script, since Lua would copy each
 * member twice more.
 *
 * With predicates the members come in runs, and each is matched here. A run that is full reaches
 * from the last member before it down to its own last member without a gap, whatever has been
 * trimmed in the meantime, because the mark only ever stands below the lowest member; so runs can
 * be strung together, each being trusted by itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "cache/redis/internal.h"
#include "cache/redis/member.h"
#include "query/matcher.h"

enum {
    MS = 1000,          /* in us */
    RUN_MEMBERS = 1000, /* members fetched at once to be matched */
    RUNS_MAX = CACHE_REDIS_LOGS_MAX / RUN_MEMBERS + 1,
    BOUND_MAX = LOG_KEY_BYTES + 1,
    REPLIES = 6, /* OK, four times QUEUED, and what EXEC gives */
    OFFSET_MAX = CACHE_REDIS_LOGS_MAX,
};

/* A bound of ZREVRANGEBYLEX. */
struct bound {
    char text[BOUND_MAX];
    size_t len;
};

/* What was fetched. The members live as long as the reply. */
struct run {
    redisReply *reply;
    redisReply **members;
    size_t len;
    bool trusted;
    bool covers_since; /* complete down to the query's lower bound */
};

static struct bound bound_of_key(char kind, const struct log_key *key)
{
    struct bound b = {.text = {kind}, .len = BOUND_MAX};

    log_key_pack_ordered(key, b.text + 1);
    return b;
}

static struct bound upper_bound(const struct log_query *q)
{
    if (q->has_cursor && q->cursor.timestamp_us < q->filter.until_us)
        return bound_of_key('(', &q->cursor);
    if (q->filter.until_us == INT64_MAX)
        return (struct bound){.text = "+", .len = 1};
    return bound_of_key('(', &(struct log_key){.timestamp_us = q->filter.until_us});
}

/* The first possible key at `since`. */
static struct bound lower_bound(const struct log_query *q)
{
    return bound_of_key('[', &(struct log_key){.timestamp_us = q->filter.since_us});
}

static void append_simple(struct buffer *b, struct slice name, const char *key)
{
    redis_command_begin(b, 2);
    redis_command_add(b, name);
    redis_command_add(b, slice_of_string(key));
}

static void append_fetch(struct cache_redis_client *c, const struct bound *upper,
                         const struct bound *lower, uint64_t offset, uint64_t limit)
{
    struct buffer *b = &c->command;

    buffer_clear(b);
    buffer_append_string(b, "*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nTIME\r\n");
    redis_command_begin(b, 6);
    redis_command_add(b, SLICE_LITERAL("HMGET"));
    redis_command_add(b, slice_of_string(c->cache->state));
    redis_command_add(b, SLICE_LITERAL("run"));
    redis_command_add(b, SLICE_LITERAL("read"));
    redis_command_add(b, SLICE_LITERAL("mark"));
    redis_command_add(b, SLICE_LITERAL("count"));
    append_simple(b, SLICE_LITERAL("ZCARD"), c->cache->set);
    redis_command_begin(b, 7);
    redis_command_add(b, SLICE_LITERAL("ZREVRANGEBYLEX"));
    redis_command_add(b, slice_of_string(c->cache->set));
    redis_command_add(b, slice_of(upper->text, upper->len));
    redis_command_add(b, slice_of(lower->text, lower->len));
    redis_command_add(b, SLICE_LITERAL("LIMIT"));
    redis_command_add_u64(b, offset);
    redis_command_add_u64(b, limit);
    buffer_append_string(b, "*1\r\n$4\r\nEXEC\r\n");
}

static bool is_array(const redisReply *reply, size_t elements)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;
}

/* A reply's decimal number; -1 if it is none. */
static int64_t number_of(const redisReply *reply)
{
    char *end;

    if (reply->type == REDIS_REPLY_INTEGER)
        return reply->integer;
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0)
        return -1;
    long long value = strtoll(reply->str, &end, 10);
    return *end == '\0' && value >= 0 ? value : -1;
}

/* True if the state is of this run of the server, the set whole, and its last read fresh. */
static bool is_trusted(const struct cache_redis_client *c, redisReply **answer)
{
    const redisReply *run = answer[1]->element[0];
    int64_t now = number_of(answer[0]->element[0]) * MS + number_of(answer[0]->element[1]) / MS;
    int64_t read = number_of(answer[1]->element[1]);
    int64_t count = number_of(answer[1]->element[3]);

    return run->type == REDIS_REPLY_STRING &&
           slice_equal(slice_of(run->str, (size_t)run->len),
                       slice_of_string(c->connection.run_id)) &&
           read >= 0 && now >= read && now - read <= c->cache->rebuild_ms && count >= 0 &&
           count == number_of(answer[2]);
}

/* True if all logs from `lower` up stand above the mark. */
static bool covers(const redisReply *mark, const struct bound *lower)
{
    if (mark->type != REDIS_REPLY_STRING)
        return false;
    return mark->len == 0 || ((size_t)mark->len == LOG_KEY_BYTES &&
                              memcmp(lower->text + 1, mark->str, LOG_KEY_BYTES) > 0);
}

/* Fills `run` from the reply to EXEC, which it takes over. */
static void read_run(const struct cache_redis_client *c, redisReply *reply,
                     const struct bound *lower, struct run *run)
{
    redisReply **answer = reply->element;

    *run = (struct run){.reply = reply};
    if (!is_array(reply, 4) || !is_array(answer[0], 2) || !is_array(answer[1], 4) ||
        answer[3]->type != REDIS_REPLY_ARRAY)
        return;
    run->members = answer[3]->element;
    run->len = answer[3]->elements;
    run->trusted = is_trusted(c, answer);
    run->covers_since = covers(answer[1]->element[2], lower);
}

/* Commands that are not allowed, or keys that hold something else, would never be noticed. */
static void tell_refusals(struct cache_redis *r, redisReply **replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (replies[i]->type == REDIS_REPLY_ERROR) {
            cache_redis_link_refused(r, replies[i]->str);
            return;
        }
        if (replies[i]->type == REDIS_REPLY_ARRAY)
            tell_refusals(r, replies[i]->element,
                          replies[i]->elements < 8 ? replies[i]->elements : 0);
    }
}

/* Fetches a run; an error if there is none. `run->reply` is to be freed. */
static int fetch(struct cache_redis_client *c, const struct bound *upper, const struct bound *lower,
                 uint64_t offset, uint64_t limit, uint64_t deadline_us, struct run *run)
{
    redisReply *replies[REPLIES];

    append_fetch(c, upper, lower, offset, limit);
    int error = buffer_error(&c->command);
    if (!error)
        error = cache_redis_link_exchange(c, buffer_slice(&c->command), slice_of(NULL, 0), replies,
                                          REPLIES, deadline_us);
    if (error)
        return error;
    tell_refusals(c->cache, replies, REPLIES);
    for (size_t i = 0; i < REPLIES - 1; i++)
        freeReplyObject(replies[i]);
    read_run(c, replies[REPLIES - 1], lower, run);
    return 0;
}

static int decode(const redisReply *member, struct record *r)
{
    if (member->type != REDIS_REPLY_STRING)
        return LM_EINVAL;
    return cache_member_decode(slice_of(member->str, (size_t)member->len), r);
}

/* ---- Without predicates ---- */

/* Hands over a run whose members have been looked at. */
static void hand_over(const struct run *run, store_row_fn *fn, void *ctx)
{
    struct record record;

    for (size_t i = 0; i < run->len; i++)
        if (decode(run->members[i], &record) || fn(&record, ctx))
            return; /* the callback has had enough: its business */
}

static bool can_be_decoded(const struct run *run)
{
    struct record record;

    for (size_t i = 0; i < run->len; i++)
        if (decode(run->members[i], &record))
            return false;
    return true;
}

static enum cache_result query_page(struct cache_redis_client *c, const struct log_query *q,
                                    store_row_fn *fn, void *ctx)
{
    uint64_t deadline_us = clock_monotonic_us() + CACHE_REDIS_QUERY_MS * MS;
    struct bound upper = upper_bound(q), lower = lower_bound(q);
    uint64_t offset = q->offset < OFFSET_MAX ? q->offset : OFFSET_MAX;
    enum cache_result result = CACHE_MISS;
    struct run run;

    if (fetch(c, &upper, &lower, offset, q->limit, deadline_us, &run))
        return CACHE_BYPASS;
    if (!run.trusted || !can_be_decoded(&run)) {
        result = CACHE_BYPASS;
    } else if (run.len == q->limit || run.covers_since) {
        hand_over(&run, fn, ctx);
        result = CACHE_HIT;
    }
    freeReplyObject(run.reply);
    return result;
}

/* ---- With predicates ---- */

struct scan {
    struct cache_redis_client *client;
    const struct log_query *query;
    struct log_matcher *matcher;
    struct bound upper; /* of the next run */
    struct bound lower;
    uint64_t until_us; /* of matching; 0: no end */
    uint64_t to_skip;
    size_t matches;
    redisReply *replies[RUNS_MAX]; /* what the matches point into */
    size_t replies_len;
};

static bool is_over(const struct scan *s)
{
    return s->until_us && clock_monotonic_us() >= s->until_us;
}

/*
 * Keeps the members of `run` that match; LM_ETIMEOUT if the time is over first, another error
 * if one cannot be read, or for no memory.
 */
static int match_run(struct scan *s, const struct run *run)
{
    struct record record = {0};

    for (size_t i = 0; i < run->len && s->matches < s->query->limit; i++) {
        bool matches;

        if (is_over(s)) /* each time: a member may be large */
            return LM_ETIMEOUT;
        if (decode(run->members[i], &record))
            return LM_EINVAL;
        if (log_matcher_match(s->matcher, &record, &matches, NULL))
            return LM_ENOMEM;
        if (!matches)
            continue;
        if (s->to_skip > 0)
            s->to_skip--;
        else
            s->client->matches[s->matches++] = record;
    }
    s->upper = bound_of_key('(', &record.key);
    return 0;
}

/*
 * Goes down from the upper bound until there are enough matches, or the lower bound is reached.
 * If the set does not reach down to the lower bound only the first run is looked at: should it
 * not do, the store is likely to be needed anyway.
 *
 * `deadline_us` is of the exchanges, and later than the end of matching: to break one off costs the
 * connection, and has the server left alone for a while.
 */
static enum cache_result scan(struct scan *s, uint64_t deadline_us)
{
    struct run run;
    int error;

    while (s->replies_len < RUNS_MAX) {
        if (fetch(s->client, &s->upper, &s->lower, 0, RUN_MEMBERS, deadline_us, &run))
            return CACHE_BYPASS;
        s->replies[s->replies_len++] = run.reply;
        if (!run.trusted)
            return CACHE_BYPASS;
        error = match_run(s, &run);
        if (error)
            return error == LM_ETIMEOUT ? CACHE_MISS : CACHE_BYPASS;
        if (s->matches == s->query->limit)
            return CACHE_HIT;
        if (!run.covers_since)
            return CACHE_MISS;
        if (run.len < RUN_MEMBERS)
            return CACHE_HIT;
        if (is_over(s))
            return CACHE_MISS;
    }
    return CACHE_MISS;
}

static enum cache_result query_matching(struct cache_redis_client *c, const struct log_query *q,
                                        uint64_t until_us, store_row_fn *fn, void *ctx)
{
    struct scan s = {
        .client = c,
        .query = q,
        .matcher = log_matcher_new(&q->filter),
        .upper = upper_bound(q),
        .lower = lower_bound(q),
        .until_us = until_us,
        .to_skip = q->offset,
    };

    if (!s.matcher)
        return CACHE_BYPASS;

    c->matches = array_reserve(c->matches, &c->matches_capacity, q->limit, sizeof(*c->matches));
    enum cache_result result = scan(&s, clock_monotonic_us() + CACHE_REDIS_QUERY_MS * MS);
    for (size_t i = 0; result == CACHE_HIT && i < s.matches; i++)
        if (fn(&c->matches[i], ctx))
            break;
    while (s.replies_len > 0)
        freeReplyObject(s.replies[--s.replies_len]);
    log_matcher_unref(s.matcher);
    return result;
}

enum cache_result cache_redis_query(struct cache_client *base, const struct log_query *query,
                                    uint64_t until_us, store_row_fn *fn, void *ctx)
{
    struct cache_redis_client *c = (struct cache_redis_client *)base;

    /* A fill of our own process failed, and Redis has not been told: the set may lack logs. */
    if (atomic_load(&c->cache->lost) || !cache_redis_link_may_try(c->cache))
        return CACHE_BYPASS;
    if (log_filter_has_predicates(&query->filter))
        return query_matching(c, query, until_us, fn, ctx);
    return query_page(c, query, fn, ctx);
}
