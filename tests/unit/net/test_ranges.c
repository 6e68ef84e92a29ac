#include "net/ranges.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../cmocka_all.h"

static bool has(const char *list, const char *address)
{
    struct errbuf err = ERRBUF_INIT;
    struct ranges r;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    assert_int_equal(ranges_parse(&r, list, &err), 0);
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return ranges_have(&r, (struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return ranges_have(&r, (struct sockaddr *)&v6);
}

static void addresses_and_ranges_have_what_they_say(void **state)
{
    assert_true(has("127.0.0.0/8, ::1", "127.9.9.9"));
    assert_true(has("127.0.0.0/8, ::1", "::1"));
    assert_false(has("127.0.0.0/8, ::1", "128.0.0.1"));
    assert_false(has("127.0.0.0/8, ::1", "::2"));
    assert_true(has("10.1.2.3", "10.1.2.3"));
    assert_false(has("10.1.2.3", "10.1.2.2"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("0.0.0.0/0", "8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "8.8.8.8"));
}

/* A socket that takes both kinds sees IPv4 clients so. */
static void mapped_addresses_are_the_ipv4_ones(void **state)
{
    assert_true(has("127.0.0.0/8", "::ffff:127.0.0.1"));
    assert_false(has("127.0.0.0/8", "::ffff:10.0.0.1"));
}

static void an_empty_list_has_nothing(void **state)
{
    assert_false(has("", "127.0.0.1"));
    assert_false(has(" , ", "127.0.0.1"));
    assert_false(has("none", "127.0.0.1"));
}

static void what_is_no_address_is_named(void **state)
{
    static const char *const wrong[] = {"proxy.example", "10.0.0", "10.0.0.0/33", "10.0.0.0/",
                                        "10.0.0.0/x",    "::/129", "10.0.0.0/-1", "127.0.0.1:80"};
    struct errbuf err = ERRBUF_INIT;
    struct ranges r;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ranges_parse(&r, wrong[i], &err), LM_EINVAL);
        assert_non_null(strstr(err.text, wrong[i]));
    }
    assert_int_equal(ranges_parse(&r, "none, 10.0.0.1", &err), LM_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_ranges_have_what_they_say),
        cmocka_unit_test(mapped_addresses_are_the_ipv4_ones),
        cmocka_unit_test(an_empty_list_has_nothing),
        cmocka_unit_test(what_is_no_address_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
