#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../cmocka_all.h"

static uint64_t client_at(const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return client_of_address((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return client_of_address((struct sockaddr *)&v6);
}

static uint64_t named(const char *chain)
{
    struct errbuf err = ERRBUF_INIT;
    struct ranges trusted;

    assert_int_equal(ranges_parse(&trusted, "10.0.0.0/8, ::1", &err), 0);
    return client_of_chain(slice_of_string(chain), &trusted);
}

static void the_last_address_that_is_no_proxy_is_the_client(void **state)
{
    assert_true(named("192.0.2.1") == client_at("192.0.2.1"));
    assert_true(named("192.0.2.1, 10.0.0.1") == client_at("192.0.2.1"));
    assert_true(named("192.0.2.1 ,10.0.0.1,::1") == client_at("192.0.2.1"));
    assert_true(named("2001:db8:0:1::9") == client_at("2001:db8:0:1::1"));
}

/* A client may send the header itself: what it says stands before what the proxy adds. */
static void what_a_stranger_says_of_itself_does_not_count(void **state)
{
    assert_true(named("198.51.100.7, 192.0.2.1") == client_at("192.0.2.1"));
    assert_true(named("nonsense, 192.0.2.1, 10.0.0.1") == client_at("192.0.2.1"));
}

static void where_all_are_proxies_the_first_is_the_client(void **state)
{
    assert_true(named("10.1.1.1, 10.0.0.1") == client_at("10.1.1.1"));
}

static void a_port_is_left_out(void **state)
{
    assert_true(named("192.0.2.1:4711") == client_at("192.0.2.1"));
    assert_true(named("[2001:db8::1]:4711") == client_at("2001:db8::1"));
    assert_true(named("[2001:db8::1]") == client_at("2001:db8::1"));
}

static void what_names_nobody_is_told_so(void **state)
{
    static const char *const nobody[] = {
        "",        " ",          ",",
        "unknown", "192.0.2.1,", "192.0.2.1, _hidden",
        "192.0.2", "[",          "]",
        "[]:1",    ":",          "::ffff:192.0.2.1.192.0.2.1.192.0.2.1.192.0.2.1.192.0.2.1"};

    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
        assert_true(named(nobody[i]) == CLIENT_UNKNOWN);
    assert_true(client_of_chain(slice_of(NULL, 0), &(struct ranges){0}) == CLIENT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_address_that_is_no_proxy_is_the_client),
        cmocka_unit_test(what_a_stranger_says_of_itself_does_not_count),
        cmocka_unit_test(where_all_are_proxies_the_first_is_the_client),
        cmocka_unit_test(a_port_is_left_out),
        cmocka_unit_test(what_names_nobody_is_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
