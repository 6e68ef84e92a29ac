#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/router.h"

static void a(struct http_request *req, void *thread)
{
}

static void b(struct http_request *req, void *thread)
{
}

static const struct http_route routes[] = {
    {"GET", "/logs/{id}", a, .flags = 0}, {"GET", "/logs/stats", b, .flags = 0},
    {"POST", "/logs", a, .flags = 0},     {"GET", "/logs", b, .flags = 0},
    {"GET", "/{x}/y", a, .flags = 0},     {"GET", "/z/{x}", b, .flags = 0},
    {"GET", "/{p}/q/{r}", a, .flags = 0}, {"POST", "/{x}/stats", b, .flags = 0},
    {"PUT", "/{x}/y", b, .flags = 0},     {0},
};

static struct slice params[HTTP_PATH_PARAMS_MAX];
static size_t params_len;

static const struct router_path *find(struct router *r, const char *path)
{
    return router_find(r, slice_of_string(path), SLICE_LITERAL("GET"), params, &params_len);
}

static int set_up(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    *state = router_new(routes, &err);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    router_free(*state);
    return 0;
}

static void test_a_fixed_path_wins_over_a_pattern(void **state)
{
    assert_string_equal(find(*state, "/logs/stats")->pattern.data, "/logs/stats");
    assert_int_equal(params_len, 0);
    assert_string_equal(find(*state, "/z/y")->pattern.data, "/z/{x}");
}

static void test_a_parameter_takes_one_whole_segment(void **state)
{
    assert_string_equal(find(*state, "/logs/17")->pattern.data, "/logs/{id}");
    assert_int_equal(params_len, 1);
    assert_true(slice_equal(params[0], SLICE_LITERAL("17")));
    assert_non_null(find(*state, "/one/q/two"));
    assert_int_equal(params_len, 2);
    assert_true(slice_equal(params[0], SLICE_LITERAL("one")));
    assert_true(slice_equal(params[1], SLICE_LITERAL("two")));
}

static void test_what_is_no_route_is_not_found(void **state)
{
    static const char *const others[] = {"/",         "",      "/log",  "/logs/", "/logs/1/",
                                         "/logs/1/2", "//y",   "/LOGS", "logs",   "/logs/stats/",
                                         "/logs//",   "/a/q/", "*"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_null(find(*state, others[i]));
}

static const char *pattern_of(struct router *r, const char *method, const char *path)
{
    return router_find(r, slice_of_string(path), slice_of_string(method), params, &params_len)
        ->pattern.data;
}

static void test_a_path_that_lacks_the_method_leaves_it_to_the_next(void **state)
{
    assert_string_equal(pattern_of(*state, "PUT", "/z/y"), "/{x}/y");
    assert_int_equal(params_len, 1);
    assert_true(slice_equal(params[0], SLICE_LITERAL("z")));
    assert_string_equal(pattern_of(*state, "HEAD", "/z/y"), "/z/{x}");
    assert_string_equal(pattern_of(*state, "POST", "/logs/stats"), "/{x}/stats");
    assert_int_equal(params_len, 1);
    assert_true(slice_equal(params[0], SLICE_LITERAL("logs")));

    /* Nobody has it: the first that matches, with its own parameters. */
    assert_string_equal(pattern_of(*state, "DELETE", "/z/y"), "/z/{x}");
    assert_int_equal(params_len, 1);
    assert_true(slice_equal(params[0], SLICE_LITERAL("y")));
}

static void test_allow_has_the_methods_of_all_that_match(void **state)
{
    char allow[ROUTER_ALLOW_SIZE];

    router_allow(*state, SLICE_LITERAL("/z/y"), allow);
    assert_string_equal(allow, "GET, HEAD, PUT");
    router_allow(*state, SLICE_LITERAL("/logs/stats"), allow);
    assert_string_equal(allow, "GET, HEAD, POST");
    router_allow(*state, SLICE_LITERAL("/logs"), allow);
    assert_string_equal(allow, "POST, GET, HEAD");
    router_allow(*state, SLICE_LITERAL("/nowhere"), allow);
    assert_string_equal(allow, "");
}

static void test_methods_of_a_path(void **state)
{
    const struct router_path *logs = find(*state, "/logs");

    assert_ptr_equal(router_path_route(logs, SLICE_LITERAL("POST"))->handler, a);
    assert_ptr_equal(router_path_route(logs, SLICE_LITERAL("GET"))->handler, b);
    assert_ptr_equal(router_path_route(logs, SLICE_LITERAL("HEAD"))->handler, b);
    assert_null(router_path_route(logs, SLICE_LITERAL("PUT")));
    assert_string_equal(router_allow_any(*state), "GET, HEAD, POST, PUT");
}

static void test_a_table_past_the_limits_is_refused(void **state)
{
    static const struct http_route too_many[] = {{"GET", "/{a}/{b}/{c}/{d}/{e}", a, .flags = 0},
                                                 {0}};
    static const struct http_route no_slash[] = {{"GET", "logs", a, .flags = 0}, {0}};
    struct errbuf err = ERRBUF_INIT;

    assert_null(router_new(too_many, &err));
    assert_string_equal(err.text, "route /{a}/{b}/{c}/{d}/{e} has more than 4 parameters");
    assert_null(router_new(no_slash, &err));
    assert_string_equal(err.text, "route \"logs\" does not begin with a slash");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fixed_path_wins_over_a_pattern),
        cmocka_unit_test(test_a_parameter_takes_one_whole_segment),
        cmocka_unit_test(test_what_is_no_route_is_not_found),
        cmocka_unit_test(test_a_path_that_lacks_the_method_leaves_it_to_the_next),
        cmocka_unit_test(test_allow_has_the_methods_of_all_that_match),
        cmocka_unit_test(test_methods_of_a_path),
        cmocka_unit_test(test_a_table_past_the_limits_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
