/* The cache in a real Redis or Valkey: what every cache promises, and rebuilds step by step. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "cache/redis/adapter.h"
#include "cache_conformance.h"
#include "cache_test_support.h"
#include "diag/diag.h"
#include "redis_place.h"

enum { MS = 1000 }; /* in us */

/* ---- Bounds and life of the set ---- */

static void the_set_is_bounded_in_bytes_too(void **state)
{
    struct redis_place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    char *text = xcalloc(1, 1001);
    struct record r;

    cache_test_reopen(
        &p->t, cache_redis_new(&(struct cache_redis_options){.url = p->server->url,
                                                             .max_logs = REDIS_PLACE_LOGS,
                                                             .rebuild_ms = REDIS_PLACE_LONG_MS,
                                                             .max_bytes = 20000},
                               &err));
    memset(text, 'x', 1000);
    for (unsigned i = 200; i < 250; i++) {
        r = cache_test_record(i);
        r.message = slice_of(text, 1000);
        store_test_append(p->t.writer, &r, 1);
        cache_fill(p->t.worker, &r, 1);
        assert_int_equal(cache_test_last(&p->t, 15), CACHE_HIT);
    }
    assert_int_equal(cache_test_last(&p->t, 20), CACHE_MISS);
    redis_test_server_do(p->server, "FLUSHALL");
    cache_test_reopen(
        &p->t, cache_redis_new(&(struct cache_redis_options){.url = p->server->url,
                                                             .max_logs = REDIS_PLACE_LOGS,
                                                             .rebuild_ms = REDIS_PLACE_LONG_MS,
                                                             .max_bytes = 20000},
                               &err));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, 15), CACHE_HIT);
    assert_int_equal(cache_test_last(&p->t, 20), CACHE_MISS);
    free(text);
}

/* More members than one round trip brings. */
static void filters_look_through_a_large_set(void **state)
{
    struct redis_place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    struct log_query q = store_test_query(1000);

    redis_test_server_do(p->server, "FLUSHALL");
    cache_test_reopen(
        &p->t, cache_redis_new(&(struct cache_redis_options){.url = p->server->url,
                                                             .max_logs = 3000,
                                                             .rebuild_ms = REDIS_PLACE_LONG_MS},
                               &err));
    cache_test_append(&p->t, 150, 3350, false);
    redis_place_maintain(p); /* 500 to 3499 */
    q.filter.since_us = cache_test_record(500).key.timestamp_us;
    q.filter.levels[q.filter.levels_len++] = SLICE_LITERAL("error");
    q.filter.attributes[q.filter.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("user"), SLICE_LITERAL("ann"), false};
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_HIT);
    assert_int_equal(p->t.cached.len, 250);
    q.offset = 240;
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_HIT);
    assert_int_equal(p->t.cached.len, 10);
    q.filter.since_us--;
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_HIT); /* nothing is between them */
    q.filter.since_us = cache_test_record(499).key.timestamp_us;
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_MISS);
}

static void a_clock_that_jumped_back_is_not_trusted(void **state)
{
    struct redis_place *p = *state;
    char command[100];

    snprintf(command, sizeof(command), "HSET logmill:{cache}:state read %lld",
             (long long)clock_wall_us() / MS + 5000);
    redis_test_server_do(p->server, command);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    cache_test_reopen(&p->t, redis_place_open(p->server->url, REDIS_PLACE_LONG_MS));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
}

static void with_no_worker_alive_it_is_bypassed_and_then_gone(void **state)
{
    struct redis_place *p = *state;

    usleep((REDIS_PLACE_SHORT_MS + REDIS_PLACE_SLACK_MS) * MS);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    usleep((2 * REDIS_PLACE_SHORT_MS + REDIS_PLACE_SLACK_MS) * MS);
    assert_int_equal(redis_test_server_do(p->server, "DBSIZE"), 0);
}

static void upkeep_keeps_it_alive_and_fresh(void **state)
{
    struct redis_place *p = *state;
    uint64_t end = clock_monotonic_us() + 4 * REDIS_PLACE_SHORT_MS * MS;

    while (clock_monotonic_us() < end) {
        redis_place_maintain(p);
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
        usleep(10 * MS);
    }
}

static void a_log_that_was_never_filled_is_there_after_the_interval(void **state)
{
    struct redis_place *p = *state;
    uint64_t end = clock_monotonic_us() + (REDIS_PLACE_SHORT_MS + REDIS_PLACE_SLACK_MS) * MS;

    cache_test_append(&p->t, 150, 1, false); /* a worker died between commit and fill */
    while (clock_monotonic_us() < end) {
        redis_place_maintain(p);
        usleep(10 * MS);
    }
    redis_place_maintain_until_hit(p); /* compared with the store */
}

static void deleted_logs_are_gone_after_the_interval(void **state)
{
    struct redis_place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    uint64_t end = clock_monotonic_us() + (REDIS_PLACE_SHORT_MS + REDIS_PLACE_SLACK_MS) * MS;
    size_t deleted;

    assert_int_equal(store_expire(p->t.writer, cache_test_record(100).key.timestamp_us, 1000,
                                  &deleted, &(bool){false}, &err),
                     0);
    while (clock_monotonic_us() < end) {
        redis_place_maintain(p);
        usleep(10 * MS);
    }
    redis_place_maintain_until_hit(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    assert_int_equal(p->t.cached.len, 50);
}

/* ---- Rebuilds, step by step ---- */

/* A store's reader that does something when it has read. */
struct hooked_reader {
    struct store_reader base;
    struct store_reader *real;
    void (*hook)(struct redis_place *p);
    struct redis_place *place;
};

static int hooked_scan(struct store_reader *base, struct store_scan *scan,
                       const struct store_slice *slice, store_row_fn *fn, void *ctx,
                       struct errbuf *err)
{
    struct hooked_reader *r = (struct hooked_reader *)base;
    int error = store_scan_next(r->real, scan, slice, fn, ctx, err);

    r->hook(r->place);
    return error;
}

static const struct store_ops hooked_ops = {.scan_next = hooked_scan};

/* A rebuild during which, when the store has been read, `hook` runs. */
static void rebuild_with(struct redis_place *p, void (*hook)(struct redis_place *p))
{
    struct hooked_reader reader = {
        .base.ops = &hooked_ops, .real = p->t.reader, .hook = hook, .place = p};

    redis_test_server_do(p->server, "DEL logmill:{cache}:state"); /* one is due */
    cache_test_reopen(&p->t, redis_place_open(p->server->url, p->rebuild_ms));
    cache_maintain(p->t.worker, &reader.base);
}

static struct cache_client *other_client(struct redis_place *p)
{
    struct errbuf err = ERRBUF_INIT;

    return cache_client_new(p->t.cache, &err);
}

static void fill_more(struct redis_place *p)
{
    struct cache_client *other = other_client(p);
    struct cache_client *worker = p->t.worker;

    p->t.worker = other;
    cache_test_append(&p->t, 150, 20, true);
    p->t.worker = worker;
    cache_client_free(other);
}

static void fill_more_than_there_is_room_for(struct redis_place *p)
{
    struct cache_client *other = other_client(p);
    struct cache_client *worker = p->t.worker;

    p->t.worker = other;
    for (unsigned i = 0; i < 5; i++)
        cache_test_append(&p->t, 150 + 50 * i, 50, true);
    p->t.worker = worker;
    cache_client_free(other);
}

static void a_log_filled_after_the_store_was_read_is_in_the_new_set(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, fill_more);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS + 1), CACHE_MISS);
}

static void more_fills_during_a_rebuild_than_there_is_room_for(void **state)
{
    struct redis_place *p = *state;
    struct log_query q = store_test_query(1000);

    rebuild_with(p, fill_more_than_there_is_room_for);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS + 1), CACHE_MISS);
    q.filter.since_us = cache_test_record(200).key.timestamp_us; /* neither read nor kept */
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_MISS);
    q.filter.since_us = cache_test_record(300).key.timestamp_us;
    assert_int_equal(cache_test_query(&p->t, &q), CACHE_HIT);
}

static void end_the_lock(struct redis_place *p)
{
    redis_test_server_do(p->server, "DEL logmill:{cache}:lock");
}

static void a_rebuild_that_lost_its_lock_changes_nothing(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, end_the_lock);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    assert_int_equal(redis_test_server_do(p->server, "EXISTS logmill:{cache}:state"), 0);
    redis_place_maintain_until_hit(p);
}

static void take_the_lock(struct redis_place *p)
{
    redis_test_server_do(p->server, "HSET logmill:{cache}:lock token another");
}

static void a_rebuild_whose_lock_another_has_changes_nothing(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, take_the_lock);
    assert_int_equal(redis_test_server_do(p->server, "EXISTS logmill:{cache}:state"), 0);
    assert_int_equal(redis_test_server_do(p->server, "EXISTS logmill:{cache}:lock"), 1);
    assert_int_equal(redis_test_server_do(p->server, "DBSIZE"), 2); /* set and lock */
}

static void another_rebuild(struct redis_place *p)
{
    struct cache_client *other = other_client(p);

    end_the_lock(p);
    cache_test_append(&p->t, 150, 20, false);
    cache_maintain(other, p->t.reader);
    cache_client_free(other);
}

static void a_slow_rebuild_does_not_bring_old_data_over_newer(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, another_rebuild);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT); /* of the other */
}

static void commit_unseen_and_dawdle(struct redis_place *p)
{
    cache_test_append(&p->t, 150, 1, false);
    usleep(REDIS_PLACE_SHORT_MS / 2 * MS);
}

static void a_slow_rebuild_is_as_old_as_what_it_read(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, commit_unseen_and_dawdle);
    usleep(REDIS_PLACE_SHORT_MS * 6 / 10 * MS);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
}

/* Erases those from `first` on, as another process does that has only its settings. */
static void erase_since(struct redis_place *p, unsigned first, size_t expected)
{
    const struct store_slice slice = {.rows = 1000};
    struct cache_client *other = other_client(p);
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;
    size_t erased;

    log_filter_init(&filter);
    filter.since_us = cache_test_record(first).key.timestamp_us;
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    assert_int_equal(store_erase(p->t.writer, &scan, &slice, true, &erased, &err), 0);
    assert_int_equal(erased, expected);
    assert_int_equal(cache_forget(other, &err), 0);
    log_matcher_unref(matcher);
    cache_client_free(other);
}

/* The newest ten. */
static void erase_and_forget(struct redis_place *p)
{
    erase_since(p, 140, 10);
}

static void what_was_erased_is_in_no_answer_of_the_cache(void **state)
{
    struct redis_place *p = *state;

    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
    erase_and_forget(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    assert_int_equal(redis_test_server_do(p->server, "DBSIZE"), 1); /* that it was */
    redis_place_maintain_until_hit(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT); /* compared with the store */
}

/* Its worker stood still between commit and fill, and all was erased and rebuilt meanwhile. */
static void a_fill_of_what_was_erased_comes_too_late_whenever_it_comes(void **state)
{
    struct redis_place *p = *state;
    struct cache_client *slow = other_client(p);
    struct record erased[10], later = cache_test_record(200);

    for (unsigned i = 0; i < 10; i++)
        erased[i] = cache_test_record(140 + i);
    erase_and_forget(p);
    redis_place_maintain_until_hit(p);
    cache_fill(slow, erased, 10);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_maintain_until_hit(p); /* compared with the store */
    cache_test_append(&p->t, 200, 1, false);
    cache_fill(slow, &later, 1); /* it has been told, and of this one there is no doubt */
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
    erase_since(p, 200, 1);
    redis_place_maintain_until_hit(p);
    cache_fill(slow, &later, 1);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_maintain_until_hit(p);
    cache_client_free(slow);
}

static void a_rebuild_that_read_what_is_erased_changes_nothing(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, erase_and_forget);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    assert_int_equal(redis_test_server_do(p->server, "EXISTS logmill:{cache}:state"), 0);
    redis_place_maintain_until_hit(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
}

static void lose_a_fill(struct redis_place *p)
{
    struct cache_client *other = other_client(p);
    struct record r = cache_test_record(150);

    store_test_append(p->t.writer, &r, 1);
    redis_test_server_do(p->server, "ACL SETUSER default -evalsha");
    cache_fill(other, &r, 1);
    redis_test_server_do(p->server, "ACL SETUSER default +evalsha");
    cache_client_free(other);
}

static void a_rebuild_that_may_have_missed_a_lost_fill_is_not_trusted(void **state)
{
    struct redis_place *p = *state;

    rebuild_with(p, lose_a_fill);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_maintain_until_hit(p);
}

static void after_a_lost_fill_readers_bypass_until_the_next_rebuild(void **state)
{
    struct redis_place *p = *state;
    struct record r = cache_test_record(151);

    lose_a_fill(p);
    /* The next fill says so; it was fine itself. */
    store_test_append(p->t.writer, &r, 1);
    cache_fill(p->t.worker, &r, 1);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_maintain_until_hit(p);
}

static void upkeep_says_at_once_that_a_fill_was_lost(void **state)
{
    struct redis_place *p = *state;

    lose_a_fill(p);
    usleep(150 * MS); /* nothing else is due for a long time */
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT); /* rebuilt: compared with the store */
}

static void a_store_that_cannot_be_read_ends_the_rebuild(void **state)
{
    struct redis_place *p = *state;

    redis_test_server_do(p->server, "DEL logmill:{cache}:state");
    cache_test_reopen(&p->t, redis_place_open(p->server->url, REDIS_PLACE_LONG_MS));
    redis_place_take_notes(p);
    store_reader_cancel(p->t.reader); /* of no effect: nothing is under way */
    redis_place_maintain_until_hit(p);
    assert_string_equal(redis_place_read_notes(p), "");
}

/* ---- What every cache promises ---- */

static struct redis_test_server *shared;

static void *create(void)
{
    if (!shared)
        shared = redis_test_server_new(NULL);
    redis_test_server_do(shared, "FLUSHALL");
    return shared;
}

static void destroy(void *place)
{
}

static struct cache *open_place(void *place, unsigned max_logs, unsigned rebuild_ms)
{
    struct errbuf err = ERRBUF_INIT;

    return cache_redis_new(
        &(struct cache_redis_options){.url = ((struct redis_test_server *)place)->url,
                                      .max_logs = max_logs,
                                      .rebuild_ms = rebuild_ms},
        &err);
}

int main(void)
{
    const struct cache_conformance adapter = {
        .name = "Redis", .create = create, .destroy = destroy, .open = open_place};
#define CASE(test) cmocka_unit_test_setup_teardown(test, redis_place_set_up, redis_place_tear_down)
#define CASE_SHORT(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, redis_place_set_up_short, redis_place_tear_down)
    const struct CMUnitTest cases[] = {
        CASE(the_set_is_bounded_in_bytes_too),
        CASE(filters_look_through_a_large_set),
        CASE(a_clock_that_jumped_back_is_not_trusted),
        CASE_SHORT(with_no_worker_alive_it_is_bypassed_and_then_gone),
        CASE_SHORT(upkeep_keeps_it_alive_and_fresh),
        CASE_SHORT(a_log_that_was_never_filled_is_there_after_the_interval),
        CASE_SHORT(deleted_logs_are_gone_after_the_interval),
        CASE(a_log_filled_after_the_store_was_read_is_in_the_new_set),
        CASE(more_fills_during_a_rebuild_than_there_is_room_for),
        CASE(a_rebuild_that_lost_its_lock_changes_nothing),
        CASE(a_rebuild_whose_lock_another_has_changes_nothing),
        CASE(a_slow_rebuild_does_not_bring_old_data_over_newer),
        CASE_SHORT(a_slow_rebuild_is_as_old_as_what_it_read),
        CASE(a_fill_of_what_was_erased_comes_too_late_whenever_it_comes),
        CASE(what_was_erased_is_in_no_answer_of_the_cache),
        CASE(a_rebuild_that_read_what_is_erased_changes_nothing),
        CASE(a_rebuild_that_may_have_missed_a_lost_fill_is_not_trusted),
        CASE(after_a_lost_fill_readers_bypass_until_the_next_rebuild),
        CASE(upkeep_says_at_once_that_a_fill_was_lost),
        CASE(a_store_that_cannot_be_read_ends_the_rebuild),
    };
    int failed;

    signal(SIGPIPE, SIG_IGN);
    diag_set_json(1);
    failed = cache_conformance_run(&adapter);
    redis_test_server_free(shared);
    return failed + cmocka_run_group_tests_name("the cache in Redis", cases, NULL, NULL);
}
