#include "api/web_routes.h"

#include "../cmocka_all.h"

static const struct slice absent = {NULL, 0};

static void gzip_is_sent_only_to_who_names_it(void **state)
{
    (void)state;
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("gzip")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("GZip")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("deflate, gzip, br, zstd")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("br;q=1.0, gzip ; q=0.8, *;q=0.1")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("x-gzip")));

    assert_false(web_routes_accepts_gzip(absent));
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("")));
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("identity")));
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("br, zstd")));
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("gzipped")));
}

static void a_weight_of_zero_refuses_gzip(void **state)
{
    (void)state;
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("gzip;q=0")));
    assert_false(web_routes_accepts_gzip(SLICE_LITERAL("br, gzip; Q = 0.000")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("gzip;q=0.001")));
    assert_true(web_routes_accepts_gzip(SLICE_LITERAL("gzip;q=")));
}

static void an_etag_is_compared_weakly_and_in_lists(void **state)
{
    (void)state;
    const char *etag = "W/\"abc\"";

    assert_true(web_routes_etag_matches(SLICE_LITERAL("W/\"abc\""), etag));
    assert_true(web_routes_etag_matches(SLICE_LITERAL("\"abc\""), etag));
    assert_true(web_routes_etag_matches(SLICE_LITERAL("\"x\", W/\"abc\" , \"y\""), etag));
    assert_true(web_routes_etag_matches(SLICE_LITERAL("*"), etag));

    assert_false(web_routes_etag_matches(absent, etag));
    assert_false(web_routes_etag_matches(SLICE_LITERAL(""), etag));
    assert_false(web_routes_etag_matches(SLICE_LITERAL("abc"), etag));
    assert_false(web_routes_etag_matches(SLICE_LITERAL("\"abcd\", \"ab\""), etag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_is_sent_only_to_who_names_it),
        cmocka_unit_test(a_weight_of_zero_refuses_gzip),
        cmocka_unit_test(an_etag_is_compared_weakly_and_in_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
