#include "../cmocka_all.h"
#include "cache/cache.h"

static int never(const struct record *record, void *ctx)
{
    fail_msg("there is nothing to hand over");
    return 0;
}

static void no_cache_is_a_cache_that_is_always_bypassed(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct cache_client *c = cache_client_new(NULL, &err);
    struct record record = {0};
    struct log_query query = {.limit = 1};

    assert_null(c);
    assert_string_equal(err.text, "");
    log_filter_init(&query.filter);
    cache_fill(c, &record, 1);
    cache_maintain(c, NULL);
    assert_int_equal(cache_query(c, &query, 0, never, NULL), CACHE_BYPASS);
    cache_client_free(c);
    cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cache_is_a_cache_that_is_always_bypassed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
