/* Datadog's intake of logs (formats/datadog.h). */
#include "formats/datadog.h"

#include <stdio.h>

#include "../cmocka_all.h"
#include "format_run.h"
#include "record/key.h"

static struct format_run run;

static int begin(void **state)
{
    format_run_begin(&run, &datadog_logs);
    return 0;
}

static int end(void **state)
{
    format_run_end(&run);
    return 0;
}

static void objects_and_arrays_of_them_are_taken(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("[{\"message\":\"a\",\"status\":\"warn\","
                                                    "\"service\":\"s\",\"timestamp\":"
                                                    "1795827118500},{\"message\":\"b\"}]\n"
                                                    "{\"message\":\"c\",\"n\":1}")),
                     0);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 0, "warn", "a", "2026-11-28T00:51:58.500000Z", "{\"service\":\"s\"}");
    format_run_expect(&run, 1, "info", "b", NULL, "");
    format_run_expect(&run, 2, "info", "c", NULL, "{\"n\":1}");
}

static void parameters_are_attributes_of_logs_without_such_a_member(void **state)
{
    static const char *const parameters[] = {"service",  "shop",  "ddsource", "nodejs",
                                             "hostname", "web-1", "ddtags",   "env:test,team:a",
                                             "other",    "x",     NULL};

    run.parameters = parameters;
    assert_int_equal(format_run(&run, SLICE_LITERAL("[{\"n\":1},{\"service\":\"own\"}]")), 0);
    format_run_expect(&run, 0, "info", "", NULL,
                      "{\"service\":\"shop\",\"ddsource\":\"nodejs\",\"ddtags\":"
                      "\"env:test,team:a\",\"hostname\":\"web-1\",\"n\":1}");
    format_run_expect(&run, 1, "info", "", NULL,
                      "{\"ddsource\":\"nodejs\",\"ddtags\":\"env:test,team:a\","
                      "\"hostname\":\"web-1\",\"service\":\"own\"}");
    FORMAT_RUN_CAPTURE(&run, "datadog-winston-1.6.0.txt",
                       {"info", "order 1 placed ✓", NULL,
                        "{\"service\":\"shop\",\"ddsource\":\"nodejs\",\"ddtags\":"
                        "\"env:test,team:a\",\"hostname\":\"web-1\",\"n\":1}"});
}

static void an_empty_object_is_a_check(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("{}")), 0);
    assert_int_equal(run.kept.records_len, 0);
    assert_int_equal(format_run(&run, SLICE_LITERAL("[]")), 0);
    assert_int_equal(run.kept.records_len, 0);
}

static void a_request_that_comes_again_is_known(void **state)
{
#define MS "{\"timestamp\":1795827118500}"
    static const char *const parameters[] = {"hostname", "web-1", NULL};

#define US "{\"timestamp\":1795827118500.25}"
#define LATER "{\"timestamp\":1795827118500.5}"
    assert_true(format_run_is_known(&run, "[" US "," LATER "]"));
    struct log_key first = run.kept.records[0].key;
    assert_true(log_key_compare(&first, &run.kept.records[1].key) < 0);
    assert_true(format_run_is_known(&run, US LATER));
    assert_false(format_run_is_known(&run, US US)); /* as may one whose clock is coarse */
    assert_false(format_run_is_known(&run, US));
    assert_false(format_run_is_known(&run, MS MS)); /* a loop may write them once more */
    assert_false(format_run_is_known(&run, "[" MS "]"));
    assert_false(format_run_is_known(&run, "[{\"a\":1},{\"a\":1}]"));
    assert_false(format_run_is_known(&run, "[{\"timestamp\":1795827118000},"
                                           "{\"timestamp\":1795827118000}]"));
    run.parameters = parameters;
    assert_true(format_run_is_known(&run, "[" US "," LATER "]"));
    assert_true(log_key_compare(&first, &run.kept.records[0].key) != 0);
}

static void assert_refused(const char *body, const char *detail)
{
    char want[256];

    assert_int_equal(format_run(&run, slice_of_string(body)), LM_EINVAL);
    buffer_append_char(&run.wrong, '\0');
    (void)snprintf(want, sizeof(want),
                   "{\"errors\":[{\"status\":\"400\",\"title\":\"Bad Request\","
                   "\"detail\":\"%s\"}]}",
                   detail);
    assert_string_equal(run.wrong.data, want);
}

static void what_is_no_log_refuses_all(void **state)
{
    assert_refused("", "log 0: no JSON");
    assert_refused("plain text", "log 0: no JSON");
    assert_refused("[{\"a\":1},5]", "log 1: no object");
    assert_refused("{\"a\":1}\n\"b\"", "log 1: no object");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(objects_and_arrays_of_them_are_taken),
        TEST(parameters_are_attributes_of_logs_without_such_a_member),
        TEST(a_request_that_comes_again_is_known),
        TEST(an_empty_object_is_a_check),
        TEST(what_is_no_log_refuses_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
