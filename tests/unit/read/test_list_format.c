#include "read/list_format.h"

#include "../cmocka_all.h"

static enum list_format format_of(const char *accept, const char *query)
{
    struct query_string params = {0};
    enum list_format format;

    assert_int_equal(query_string_parse(&params, slice_of_string(query)), 0);
    format = list_format(accept ? slice_of_string(accept) : slice_of(NULL, 0), &params);
    query_string_release(&params);
    return format;
}

static void json_is_for_who_does_not_ask_for_a_download(void **state)
{
    static const char *const accepts[] = {
        NULL,
        "",
        "*/*",
        "application/*",
        "application/json",
        "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
        "application/json, text/csv",
        "text/csv;q=0",
        "text/csv;q=0.5, application/json;q=0.6",
        "text/csv;q=0.5, */*",
        "text/csvx, application/x-ndjsonx, text",
        ",;q=1,;,",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++)
        assert_int_equal(format_of(accepts[i], ""), LIST_JSON);
}

static void what_the_client_likes_best_is_sent(void **state)
{
    (void)state;
    assert_int_equal(format_of("text/csv", ""), LIST_CSV);
    assert_int_equal(format_of(" Text/CSV ; charset=utf-8", ""), LIST_CSV);
    assert_int_equal(format_of("application/x-ndjson", ""), LIST_NDJSON);
    assert_int_equal(format_of("application/ndjson", ""), LIST_NDJSON);
    assert_int_equal(format_of("application/jsonl", ""), LIST_NDJSON);
    assert_int_equal(format_of("application/json;q=0.5, text/csv; Q=0.501", ""), LIST_CSV);
    assert_int_equal(format_of("text/csv;q=0.1, application/x-ndjson;q=0.2", ""), LIST_NDJSON);
    assert_int_equal(format_of("text/csv, */*;q=0.1", ""), LIST_CSV);
    assert_int_equal(format_of("text/html, text/csv;q=0.001", ""), LIST_CSV);
    /* what is named counts by its own weight, not by that of a wildcard */
    assert_int_equal(format_of("application/json;q=0.1, text/csv;q=0.5, */*", ""), LIST_CSV);
}

static void the_parameter_decides_over_the_header(void **state)
{
    (void)state;
    assert_int_equal(format_of(NULL, "format=csv"), LIST_CSV);
    assert_int_equal(format_of("text/csv", "format=ndjson"), LIST_NDJSON);
    assert_int_equal(format_of("text/csv", "q=a&format=json"), LIST_JSON);
    assert_int_equal(format_of("text/csv", "format=xml"), LIST_CSV); /* refused later */
    assert_int_equal(format_of(NULL, "format=xml"), LIST_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_for_who_does_not_ask_for_a_download),
        cmocka_unit_test(what_the_client_likes_best_is_sent),
        cmocka_unit_test(the_parameter_decides_over_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
