#include "cache_test_support.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/xalloc.h"
#include "store/sqlite/adapter.h"

static void open_cache(struct cache_test *t, struct cache *cache)
{
    struct errbuf err = ERRBUF_INIT;

    t->cache = cache;
    t->worker = cache_client_new(cache, &err);
    t->client = cache_client_new(cache, &err);
    assert_non_null(t->worker);
    assert_non_null(t->client);
}

static void close_cache(struct cache_test *t)
{
    cache_client_free(t->worker);
    cache_client_free(t->client);
    cache_free(t->cache);
}

void cache_test_init(struct cache_test *t, struct cache *cache)
{
    struct errbuf err = ERRBUF_INIT;

    assert_non_null(cache);
    *t = (struct cache_test){.directory = temp_directory_new()};
    t->store = store_sqlite_new(t->directory, &err);
    assert_non_null(t->store);
    t->writer = store_test_writer(t->store);
    t->reader = store_test_reader(t->store);
    open_cache(t, cache);
}

void cache_test_reopen(struct cache_test *t, struct cache *cache)
{
    assert_non_null(cache);
    close_cache(t);
    open_cache(t, cache);
}

void cache_test_release(struct cache_test *t)
{
    close_cache(t);
    store_test_rows_release(&t->stored);
    store_test_rows_release(&t->cached);
    store_reader_free(t->reader);
    store_writer_free(t->writer);
    store_free(t->store);
    temp_directory_free(t->directory);
}

struct record cache_test_record(unsigned number)
{
    static const char *const levels[] = {"info", "ERROR", "warn", "Info"};
    static const char *const messages[] = {"started", "a longer message", "\xc3\x84rger", ""};
    static const char *const attributes[] = {NULL, "{\"user\":\"ann\",\"n\":1}", "{\"n\":2}"};

    return store_test_record(CACHE_TEST_T0 + number * INT64_C(1000), number, levels[number % 4],
                             messages[number / 3 % 4], attributes[number / 5 % 3]);
}

void cache_test_append(struct cache_test *t, unsigned first, unsigned n, bool fill)
{
    struct record *records = xcalloc(n, sizeof(*records));

    for (unsigned i = 0; i < n; i++)
        records[i] = cache_test_record(first + i);
    store_test_append(t->writer, records, n);
    if (fill)
        cache_fill(t->worker, records, n);
    free(records);
}

enum cache_result cache_test_query(struct cache_test *t, const struct log_query *q)
{
    enum cache_result result;

    store_test_rows_release(&t->cached);
    result = cache_query(t->client, q, 0, store_test_collect, &t->cached);
    if (result != CACHE_HIT) {
        assert_int_equal(t->cached.len, 0);
        return result;
    }
    store_test_run(t->reader, q, &t->stored);
    assert_int_equal(t->cached.len, t->stored.len);
    for (size_t i = 0; i < t->stored.len; i++)
        store_test_assert_equal(&t->cached.items[i], &t->stored.items[i]);
    return result;
}

enum cache_result cache_test_last(struct cache_test *t, unsigned limit)
{
    struct log_query q = store_test_query(limit);

    return cache_test_query(t, &q);
}
