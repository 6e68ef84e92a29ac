#include <netinet/in.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "cache/redis/resolve.h"

enum { PATIENCE_MS = 20000, SHORT_MS = 50, SLACK_MS = 4000, MS = 1000 };

static int lookup(const char *host, unsigned patience_ms, struct redis_resolve_address *addresses,
                  size_t *n, struct errbuf *err)
{
    struct redis_resolve *r = redis_resolve_new(host, 6379);
    int error = redis_resolve_lookup(r, clock_monotonic_us() + patience_ms * MS, addresses, n, err);

    redis_resolve_free(r);
    return error;
}

static void names_and_addresses_are_found(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX];
    struct errbuf err = ERRBUF_INIT;
    size_t n;

    for (size_t i = 0; i < 2; i++) {
        const struct sockaddr_in *first = (const struct sockaddr_in *)&addresses[0].address;

        if (lookup(hosts[i], PATIENCE_MS, addresses, &n, &err))
            fail_msg("%s", err.text);
        assert_in_range(n, 1, REDIS_RESOLVE_ADDRESSES_MAX);
        if (first->sin_family == AF_INET)
            assert_int_equal(ntohs(first->sin_port), 6379);
    }
    assert_int_equal(lookup("::1", 0, addresses, &n, &err), 0);
    assert_int_equal(addresses[0].address.ss_family, AF_INET6);
}

/* Whether the name server answers, refuses or is away. */
static void a_name_that_is_not_found_holds_nobody_for_longer_than_he_waits(void **state)
{
    struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX];
    struct errbuf err = ERRBUF_INIT;
    uint64_t started = clock_monotonic_us();
    size_t n;

    assert_int_not_equal(lookup("no-such-host.invalid", SHORT_MS, addresses, &n, &err), 0);
    assert_true(clock_monotonic_us() - started < (SHORT_MS + SLACK_MS) * MS);
    assert_string_not_equal(err.text, "");
}

/* A lookup that nobody waits for any more goes on to the end of the program, with what it holds. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:__res_context_send\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_addresses_are_found),
        cmocka_unit_test(a_name_that_is_not_found_holds_nobody_for_longer_than_he_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
