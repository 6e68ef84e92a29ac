#include "cache_conformance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "cache_test_support.h"

enum {
    LOGS = 100,         /* that the cache holds */
    REBUILD_MS = 60000, /* so that no rebuild comes by itself */
    RANDOM_QUERIES = 3000,
};

static const struct cache_conformance *adapter;

struct place {
    void *adapter_place;
    struct cache_test t;
};

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->adapter_place = adapter->create();
    cache_test_init(&p->t, adapter->open(p->adapter_place, LOGS, REBUILD_MS));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    cache_test_release(&p->t);
    adapter->destroy(p->adapter_place);
    free(p);
    return 0;
}

static void maintain(struct cache_test *t)
{
    cache_maintain(t->worker, t->reader);
}

static void a_cache_that_was_never_built_is_bypassed(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;

    cache_test_append(t, 0, 10, true);
    assert_int_equal(cache_test_last(t, 5), CACHE_BYPASS);
}

static void the_last_logs_are_served_by_limit_and_offset(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(20);

    cache_test_append(t, 0, 300, false);
    maintain(t);
    assert_int_equal(cache_test_last(t, 1), CACHE_HIT);
    assert_int_equal(cache_test_last(t, LOGS), CACHE_HIT);
    assert_int_equal(cache_test_last(t, LOGS + 1), CACHE_MISS);
    q.offset = LOGS - 20;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.offset++;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.offset = UINT64_MAX;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
}

static void a_store_that_is_wholly_cached_needs_no_other(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(1000);

    maintain(t);
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT); /* there is nothing */
    cache_test_append(t, 0, LOGS, true);
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    assert_int_equal(t->cached.len, LOGS);
    q.offset = UINT64_MAX;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.offset = 0;
    cache_test_append(t, LOGS, 1, true);
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
}

static void what_was_filled_is_seen_at_once_and_the_oldest_makes_room(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;

    cache_test_append(t, 0, 150, false);
    maintain(t);
    for (unsigned i = 150; i < 400; i += 25) {
        cache_test_append(t, i, 25, true);
        assert_int_equal(cache_test_last(t, LOGS), CACHE_HIT);
        assert_int_equal(cache_test_last(t, LOGS + 1), CACHE_MISS);
    }
    cache_test_append(t, 400, 5 * LOGS, true); /* more at once than there is room for */
    assert_int_equal(cache_test_last(t, LOGS), CACHE_HIT);
}

static void cursors_page_down_to_the_end_of_what_is_cached(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(30);

    cache_test_append(t, 0, 300, false);
    maintain(t);
    for (int page = 0; page < 3; page++) {
        assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
        q.has_cursor = true;
        q.cursor = t->cached.items[29].key;
    }
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.limit = 10;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
}

static void windows_above_the_mark_are_whole_and_others_a_miss(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(1000);

    cache_test_append(t, 0, 300, false);
    maintain(t); /* 200 to 299 are cached, 199 is the mark */
    q.filter.since_us = cache_test_record(200).key.timestamp_us;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.filter.until_us = cache_test_record(250).key.timestamp_us;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    assert_int_equal(t->cached.len, 50);
    q.filter.until_us = q.filter.since_us - 1000;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT); /* nobody needs to look */
    q.filter.until_us = INT64_MAX;
    q.filter.since_us = cache_test_record(199).key.timestamp_us + 1;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.filter.since_us--;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.limit = 50; /* enough of it is there */
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.filter.until_us = cache_test_record(220).key.timestamp_us;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
}

static void filters_are_applied_where_the_answer_is_surely_whole(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(10);

    cache_test_append(t, 0, 300, false);
    maintain(t);
    q.filter.levels[q.filter.levels_len++] = SLICE_LITERAL("INFO");
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.offset = 40;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.offset = 41; /* there are 50 of them in the cache */
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.filter.since_us = cache_test_record(200).key.timestamp_us;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    assert_int_equal(t->cached.len, 9);
    q = store_test_query(10);
    q.filter.text = SLICE_LITERAL("\xc3\xa4RGER");
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    assert_int_equal(t->cached.len, 10);
    q.filter.attributes[q.filter.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("user"), SLICE_LITERAL("ann"), false};
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.limit = 5;
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.filter.text = SLICE_LITERAL("nowhere");
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
}

static void equal_messages_stay_two(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct record twins[2] = {
        store_test_record(CACHE_TEST_T0, 1, "info", "the same", NULL),
        store_test_record(CACHE_TEST_T0, 2, "info", "the same", NULL),
    };

    maintain(t);
    store_test_append(t->writer, twins, 2);
    cache_fill(t->worker, twins, 2);
    cache_fill(t->worker, twins, 2); /* delivered again */
    assert_int_equal(cache_test_last(t, 10), CACHE_HIT);
    assert_int_equal(t->cached.len, 2);
}

static void the_first_record_under_a_key_stays(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct record first = store_test_record(CACHE_TEST_T0, 1, "info", "first", NULL);
    struct record second = store_test_record(CACHE_TEST_T0, 1, "warn", "second", "{\"a\":1}");
    struct record both[2] = {
        store_test_record(CACHE_TEST_T0, 2, "info", "a", NULL),
        store_test_record(CACHE_TEST_T0, 2, "info", "b", NULL),
    };

    maintain(t);
    store_test_append(t->writer, &first, 1);
    cache_fill(t->worker, &first, 1);
    store_test_append(t->writer, &second, 1);
    cache_fill(t->worker, &second, 1);
    store_test_append(t->writer, both, 2);
    cache_fill(t->worker, both, 2);
    assert_int_equal(cache_test_last(t, 10), CACHE_HIT);
    assert_int_equal(t->cached.len, 2);
}

static void logs_older_than_the_mark_are_not_added(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(LOGS);

    cache_test_append(t, 100, 200, false);
    maintain(t);
    cache_test_append(t, 0, 100, true);
    assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
    q.limit++;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q.filter.until_us = cache_test_record(100).key.timestamp_us;
    q.limit = 1;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
    q = store_test_query(1000); /* nor do they lower the mark */
    q.filter.since_us = cache_test_record(120).key.timestamp_us;
    assert_int_equal(cache_test_query(t, &q), CACHE_MISS);
}

static void late_logs_above_the_mark_stand_where_they_belong(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;

    for (unsigned i = 0; i < 50; i++)
        cache_test_append(t, 2 * i, 1, false);
    maintain(t);
    for (unsigned i = 50; i-- > 0;)
        cache_test_append(t, 2 * i + 1, 1, true);
    assert_int_equal(cache_test_last(t, LOGS), CACHE_HIT);
    assert_int_equal(t->cached.len, LOGS);
}

static void times_from_year_1_to_9999_are_in_order(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    static const int64_t times[] = {
        TIMESTAMP_MIN_US,
        TIMESTAMP_MIN_US + 1,
        -1,
        0,
        1,
        (INT64_C(1) << 53) - 1,
        INT64_C(1) << 53,
        (INT64_C(1) << 53) + 1,
        TIMESTAMP_MAX_US - 1,
        TIMESTAMP_MAX_US,
    };
    enum { N = sizeof(times) / sizeof(times[0]) };
    struct log_query q = store_test_query(N + 1);

    maintain(t);
    for (size_t i = 0; i < N; i++) {
        struct record r = store_test_record(times[i], (uint32_t)(N - i), "info", "m", NULL);

        store_test_append(t->writer, &r, 1);
        cache_fill(t->worker, &r, 1);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            q.filter.since_us = times[i];
            q.filter.until_us = times[j];
            assert_int_equal(cache_test_query(t, &q), CACHE_HIT);
        }
    }
    assert_int_equal(cache_test_last(t, N + 1), CACHE_HIT);
    assert_int_equal(t->cached.len, N);
}

static int stop_at_three(const struct record *record, void *ctx)
{
    return ++*(int *)ctx == 3 ? LM_ESTOPPED : 0;
}

static void a_callback_that_has_had_enough_is_called_no_more(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    struct log_query q = store_test_query(50);
    int calls = 0;

    cache_test_append(t, 0, LOGS, false);
    maintain(t);
    assert_int_equal(cache_query(t->client, &q, 0, stop_at_three, &calls), CACHE_HIT);
    assert_int_equal(calls, 3);
    calls = 0;
    q.filter.levels[q.filter.levels_len++] = SLICE_LITERAL("info");
    assert_int_equal(cache_query(t->client, &q, 0, stop_at_three, &calls), CACHE_HIT);
    assert_int_equal(calls, 3);
}

static void a_search_past_its_time_is_a_miss_and_a_page_is_not(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    uint64_t far_us = clock_monotonic_us() + UINT64_C(60000000);
    struct log_query q = store_test_query(10);

    cache_test_append(t, 0, 300, false);
    maintain(t);
    assert_int_equal(cache_query(t->client, &q, 1, store_test_collect, &t->cached), CACHE_HIT);
    assert_int_equal(t->cached.len, 10);
    store_test_rows_release(&t->cached);
    q.filter.levels[q.filter.levels_len++] = SLICE_LITERAL("info");
    assert_int_equal(cache_query(t->client, &q, 1, store_test_collect, &t->cached), CACHE_MISS);
    assert_int_equal(t->cached.len, 0);
    assert_int_equal(cache_query(t->client, &q, far_us, store_test_collect, &t->cached), CACHE_HIT);
    assert_int_equal(t->cached.len, 10);
}

static struct log_query random_query(unsigned *seed, unsigned logs)
{
    struct log_query q = store_test_query(1 + (unsigned)rand_r(seed) % 60);

    if (rand_r(seed) % 2)
        q.offset = (unsigned)rand_r(seed) % 70;
    if (rand_r(seed) % 3 == 0)
        q.filter.since_us = CACHE_TEST_T0 + rand_r(seed) % (int)(logs * 1000);
    if (rand_r(seed) % 3 == 0)
        q.filter.until_us = CACHE_TEST_T0 + rand_r(seed) % (int)(logs * 1000);
    if (rand_r(seed) % 3 == 0) {
        q.has_cursor = true;
        q.cursor = cache_test_record((unsigned)rand_r(seed) % logs).key;
    }
    if (rand_r(seed) % 4 == 0)
        q.filter.levels[q.filter.levels_len++] = SLICE_LITERAL("error");
    if (rand_r(seed) % 4 == 0)
        q.filter.text = SLICE_LITERAL("LONGER");
    if (rand_r(seed) % 4 == 0)
        q.filter.attributes[q.filter.attributes_len++] =
            (struct log_attribute_filter){SLICE_LITERAL("n"), SLICE_LITERAL("2"), false};
    return q;
}

static void whatever_is_asked_a_hit_is_the_stores_answer(void **state)
{
    struct cache_test *t = &((struct place *)*state)->t;
    unsigned seed = 7, logs = 150, hits = 0;

    cache_test_append(t, 0, logs, false);
    maintain(t);
    for (unsigned i = 0; i < RANDOM_QUERIES; i++) {
        struct log_query q = random_query(&seed, logs);
        enum cache_result result = cache_test_query(t, &q);

        assert_int_not_equal(result, CACHE_BYPASS);
        hits += result == CACHE_HIT;
        if (i % 20 == 0) {
            cache_test_append(t, logs, 1 + i % 7, true);
            logs += 1 + i % 7;
        }
    }
    print_message("%u of %u random reads were hits\n", hits, RANDOM_QUERIES);
    assert_true(hits > RANDOM_QUERIES / 20);
}

/* ---- Writers, rebuilds and reads at once ---- */

enum {
    RACE_MS = 4000,
    RACE_REBUILD_MS = 200, /* so that rebuilds come all the time */
    RACE_WRITERS = 2,
    RACE_LOGS_MAX = 200000,
    RACE_BATCH_MAX = 20,
    RACE_PAUSE_US = 4000,
    RACE_SPREAD = 40,   /* logs come up to so many places out of order */
    RACE_RECENT = 4000, /* whatever can be in the cache is among so many last commits */
};

struct race {
    struct cache_test *t;
    uint64_t end_us;
    pthread_mutex_t lock; /* over the store's writer and what follows */
    struct log_key *keys; /* committed, in the order of commits */
    bool *filled;
    unsigned committed;
    unsigned next;
    atomic_uint fills;
    atomic_uint hits;
};

/* Called with the lock held. */
static unsigned first_recent(const struct race *r)
{
    return r->committed > RACE_RECENT ? r->committed - RACE_RECENT : 0;
}

static bool is_over(const struct race *r)
{
    return clock_monotonic_us() >= r->end_us;
}

/* Commits a few logs and returns where they stand among the keys. */
static unsigned commit(struct race *r, unsigned *seed, struct record *records, unsigned n)
{
    unsigned first;

    pthread_mutex_lock(&r->lock);
    first = r->committed;
    assert_true(first + n <= RACE_LOGS_MAX);
    for (unsigned i = 0; i < n; i++) {
        unsigned number = r->next++;
        unsigned back = (unsigned)rand_r(seed) % RACE_SPREAD;

        records[i] = cache_test_record(number);
        records[i].key.timestamp_us -= back * INT64_C(1000);
        r->keys[first + i] = records[i].key;
    }
    store_test_append(r->t->writer, records, n);
    r->committed += n;
    pthread_mutex_unlock(&r->lock);
    return first;
}

static void *write_logs(void *arg)
{
    struct race *r = arg;
    struct errbuf err = ERRBUF_INIT;
    struct cache_client *client = cache_client_new(r->t->cache, &err);
    struct record records[RACE_BATCH_MAX];
    unsigned seed = (unsigned)(uintptr_t)&err;

    while (!is_over(r)) {
        unsigned n = 1 + (unsigned)rand_r(&seed) % RACE_BATCH_MAX;
        unsigned first = commit(r, &seed, records, n);

        usleep((unsigned)rand_r(&seed) % RACE_PAUSE_US);
        cache_fill(client, records, n);
        pthread_mutex_lock(&r->lock);
        for (unsigned i = 0; i < n; i++)
            r->filled[first + i] = true;
        pthread_mutex_unlock(&r->lock);
        atomic_fetch_add(&r->fills, n);
    }
    cache_client_free(client);
    return NULL;
}

static void *rebuild_always(void *arg)
{
    struct race *r = arg;
    struct errbuf err = ERRBUF_INIT;
    struct cache_client *client = cache_client_new(r->t->cache, &err);
    struct store_reader *reader = store_test_reader(r->t->store);

    while (!is_over(r)) {
        cache_maintain(client, reader);
        usleep(1000);
    }
    store_reader_free(reader);
    cache_client_free(client);
    return NULL;
}

static int descending(const void *a, const void *b)
{
    return log_key_compare(b, a);
}

/*
 * The newest filled logs before the read: each must be in the answer unless the answer has as many
 * as were asked for and ends above it. Nothing else is to be seen but what is committed by now.
 */
static void check_answer(struct race *r, const struct log_key *must, unsigned must_len,
                         unsigned limit)
{
    const struct store_test_rows *got = &r->t->cached;
    struct log_key *all = xcalloc(RACE_RECENT, sizeof(*all));
    unsigned all_len;
    size_t at = 0;

    for (unsigned i = 0; i < must_len; i++) {
        while (at < got->len && log_key_compare(&got->items[at].key, &must[i]) > 0)
            at++;
        if (at == got->len && got->len == limit)
            break;
        if (at == got->len || log_key_compare(&got->items[at].key, &must[i]) != 0)
            fail_msg("a log that was filled is missing");
    }
    pthread_mutex_lock(&r->lock);
    all_len = r->committed - first_recent(r);
    memcpy(all, r->keys + first_recent(r), all_len * sizeof(*all));
    pthread_mutex_unlock(&r->lock);
    qsort(all, all_len, sizeof(*all), descending);
    for (size_t i = 0; i < got->len; i++) {
        assert_true(i == 0 || log_key_compare(&got->items[i - 1].key, &got->items[i].key) > 0);
        assert_non_null(bsearch(&got->items[i].key, all, all_len, sizeof(*all), descending));
    }
    free(all);
}

static void read_once(struct race *r, unsigned *seed)
{
    struct log_query q = store_test_query(1 + (unsigned)rand_r(seed) % LOGS);
    struct log_key *must = xcalloc(RACE_RECENT, sizeof(*must));
    unsigned must_len = 0;

    pthread_mutex_lock(&r->lock);
    for (unsigned i = first_recent(r); i < r->committed; i++)
        if (r->filled[i])
            must[must_len++] = r->keys[i];
    pthread_mutex_unlock(&r->lock);
    qsort(must, must_len, sizeof(*must), descending);
    if (rand_r(seed) % 3 == 0 && must_len > LOGS) {
        q.filter.since_us = must[(unsigned)rand_r(seed) % (2 * LOGS) % must_len].timestamp_us;
        while (must_len > 0 && must[must_len - 1].timestamp_us < q.filter.since_us)
            must_len--;
    }
    store_test_rows_release(&r->t->cached);
    if (cache_query(r->t->client, &q, 0, store_test_collect, &r->t->cached) == CACHE_HIT) {
        atomic_fetch_add(&r->hits, 1);
        check_answer(r, must, must_len, q.limit);
    }
    free(must);
}

static void a_rebuild_that_races_fills_loses_nothing_and_brings_nothing_back(void **state)
{
    struct place *p = *state;
    struct race r = {.t = &p->t, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t writers[RACE_WRITERS], rebuilders[2];
    unsigned seed = 11, reads = 0;

    cache_test_reopen(&p->t, adapter->open(p->adapter_place, LOGS, RACE_REBUILD_MS));
    r.keys = xcalloc(RACE_LOGS_MAX, sizeof(*r.keys));
    r.filled = xcalloc(RACE_LOGS_MAX, sizeof(*r.filled));
    r.end_us = clock_monotonic_us() + RACE_MS * UINT64_C(1000);
    for (int i = 0; i < RACE_WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_logs, &r), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&rebuilders[i], NULL, rebuild_always, &r), 0);
    for (; !is_over(&r); reads++)
        read_once(&r, &seed);
    for (int i = 0; i < RACE_WRITERS; i++)
        pthread_join(writers[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(rebuilders[i], NULL);
    print_message("%u reads, %u hits, %u logs filled\n", reads, r.hits, r.fills);
    assert_true(r.hits > reads / 4);
    free(r.keys);
    free(r.filled);
}

int cache_conformance_run(const struct cache_conformance *a)
{
    char name[64];
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest cases[] = {
        CASE(a_cache_that_was_never_built_is_bypassed),
        CASE(the_last_logs_are_served_by_limit_and_offset),
        CASE(a_store_that_is_wholly_cached_needs_no_other),
        CASE(what_was_filled_is_seen_at_once_and_the_oldest_makes_room),
        CASE(cursors_page_down_to_the_end_of_what_is_cached),
        CASE(windows_above_the_mark_are_whole_and_others_a_miss),
        CASE(filters_are_applied_where_the_answer_is_surely_whole),
        CASE(equal_messages_stay_two),
        CASE(the_first_record_under_a_key_stays),
        CASE(logs_older_than_the_mark_are_not_added),
        CASE(late_logs_above_the_mark_stand_where_they_belong),
        CASE(times_from_year_1_to_9999_are_in_order),
        CASE(a_callback_that_has_had_enough_is_called_no_more),
        CASE(a_search_past_its_time_is_a_miss_and_a_page_is_not),
        CASE(whatever_is_asked_a_hit_is_the_stores_answer),
        CASE(a_rebuild_that_races_fills_loses_nothing_and_brings_nothing_back),
    };
#undef CASE

    adapter = a;
    snprintf(name, sizeof(name), "cache conformance: %s", a->name);
    return _cmocka_run_group_tests(name, cases, sizeof(cases) / sizeof(cases[0]), NULL, NULL);
}
