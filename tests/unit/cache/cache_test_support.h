/* A cache with the store beside it, and comparing what both answer: for the tests of caches. */
#ifndef LOGMILL_TESTS_CACHE_TEST_SUPPORT_H
#define LOGMILL_TESTS_CACHE_TEST_SUPPORT_H

#include "../store/store_test_support.h"
#include "cache/cache.h"
#include "store/store.h"

/* 2026-01-01T00:00:00Z */
#define CACHE_TEST_T0 INT64_C(1767225600000000)

struct cache_test {
    char *directory; /* of the store */
    struct store *store;
    struct store_writer *writer;
    struct store_reader *reader;
    struct cache *cache;
    struct cache_client *worker; /* fills and maintains */
    struct cache_client *client; /* reads */
    struct store_test_rows stored;
    struct store_test_rows cached;
};

/* Takes `cache` over. */
void cache_test_init(struct cache_test *t, struct cache *cache);
void cache_test_release(struct cache_test *t);

/* Opens another cache in place of the one before: as if all processes had been started anew. */
void cache_test_reopen(struct cache_test *t, struct cache *cache);

/* Commits logs first..first+n, one ms apart from CACHE_TEST_T0, and fills the cache if `fill`. */
void cache_test_append(struct cache_test *t, unsigned first, unsigned n, bool fill);

/* The log of that number. */
struct record cache_test_record(unsigned number);

/* Runs `q` on the cache; where it is a hit, fails the test unless the store's answer is the same.
 */
enum cache_result cache_test_query(struct cache_test *t, const struct log_query *q);

/* The same for the newest `limit` logs. */
enum cache_result cache_test_last(struct cache_test *t, unsigned limit);

#endif
