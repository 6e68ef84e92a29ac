/* Splunk's HTTP Event Collector (formats/hec.h). */
#include "formats/hec.h"

#include "../cmocka_all.h"
#include "format_run.h"
#include "record/key.h"

static struct format_run run;

static int begin(void **state)
{
    format_run_begin(&run, &hec_events);
    return 0;
}

static int begin_raw(void **state)
{
    format_run_begin(&run, &hec_raw);
    return 0;
}

static int end(void **state)
{
    format_run_end(&run);
    return 0;
}

static void assert_refused(const char *body, const char *want)
{
    assert_int_equal(format_run(&run, slice_of_string(body)), LM_EINVAL);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data, want);
}

#define AT "\"time\":1795827118.5,"

static void assert_log(const char *body, const char *level, const char *message,
                       const char *attributes)
{
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.kept.records_len, 1);
    format_run_expect(&run, 0, level, message, "2026-11-28T00:51:58.500000Z", attributes);
}

static void an_event_is_a_text_an_object_or_anything(void **state)
{
    assert_log("{" AT "\"event\":\"a\"}", "info", "a", "");
    assert_log("{" AT "\"event\":{\"message\":\"a\",\"severity\":\"warn\",\"n\":1}}", "warn", "a",
               "{\"n\":1}");
    assert_log("{" AT "\"event\":[1,{\"b\":2.50}]}", "info", "[1,{\"b\":2.50}]", "");
    assert_log("{" AT "\"event\":7}", "info", "7", "");
    assert_log("{" AT "\"event\":{\"line\":{\"msg\":\"a\",\"n\":1},\"tag\":\"t\"}}", "info", "a",
               "{\"line\":{\"msg\":\"a\",\"n\":1},\"tag\":\"t\"}");
    /* Its own time is one more attribute, beside that of the envelope. */
    assert_log("{" AT "\"event\":{\"msg\":\"a\",\"ts\":1795827119}}", "info", "a",
               "{\"ts\":1795827119}");
}

static void what_stands_beside_an_event_is_kept(void **state)
{
    assert_log("{" AT "\"event\":\"a\",\"host\":\"h\",\"source\":\"s\",\"sourcetype\":\"t\","
               "\"index\":\"i\",\"fields\":{\"k\":[\"v\"]}}",
               "info", "a",
               "{\"host\":\"h\",\"source\":\"s\",\"sourcetype\":\"t\",\"index\":\"i\","
               "\"k\":[\"v\"]}");
    assert_log("{" AT "\"event\":{\"source\":\"stdout\"},\"source\":\"s\",\"host\":null}", "info",
               "", "{\"hec.source\":\"s\",\"source\":\"stdout\"}");
    assert_log("{" AT "\"event\":\"a\",\"host\":\"h\",\"fields\":{\"host\":1}}", "info", "a",
               "{\"hec.host\":\"h\",\"host\":1}");
    assert_log("{" AT "\"event\":\"a\",\"fields\":{\"severity\":\"error\"}}", "error", "a",
               "{\"severity\":\"error\"}");
    assert_log("{" AT "\"event\":{\"level\":\"warn\"},\"fields\":{\"level\":\"error\"}}", "warn",
               "", "{\"level\":\"error\"}");
}

static void a_time_is_a_number_or_a_text(void **state)
{
    assert_log("{\"event\":\"a\",\"time\":\"1795827118.500\"}", "info", "a", "");
    assert_log("{\"event\":\"a\",\"time\":1795827118500}", "info", "a", "");
    assert_log("{\"event\":{\"ts\":1795827118.5}}", "info", "", "");
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"event\":\"a\",\"time\":\"\"}")), 0);
    format_run_expect(&run, 0, "info", "a", NULL, "");
    assert_refused("{\"event\":\"a\",\"time\":\"noon\"}",
                   "{\"text\":\"Invalid data format: time\",\"code\":6,"
                   "\"invalid-event-number\":0}");
}

static void events_stand_one_behind_the_other(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"event\":\"}{\"}{\"event\":\"b\"}\r\n\n "
                                                    "{\"event\":\"c\"}\n")),
                     0);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 0, "info", "}{", NULL, "");
    format_run_expect(&run, 1, "info", "b", NULL, "");
    format_run_expect(&run, 2, "info", "c", NULL, "");
}

static void one_bad_event_refuses_all_with_its_code(void **state)
{
    assert_refused("", "{\"text\":\"No data\",\"code\":5}");
    assert_refused(" \n", "{\"text\":\"No data\",\"code\":5}");
    assert_refused("{\"event\":\"a\"}{\"event\":", "{\"text\":\"Invalid data format\",\"code\":6,"
                                                   "\"invalid-event-number\":1}");
    assert_refused("{\"event\":\"a\"} no", "{\"text\":\"Invalid data format\",\"code\":6,"
                                           "\"invalid-event-number\":1}");
    assert_refused("[{\"event\":\"a\"}]", "{\"text\":\"Invalid data format\",\"code\":6,"
                                          "\"invalid-event-number\":0}");
    assert_refused("{\"event\":\"a\"}{}", "{\"text\":\"Event field is required\",\"code\":12,"
                                          "\"invalid-event-number\":1}");
    assert_refused("{\"event\":\"\"}", "{\"text\":\"Event field cannot be blank\",\"code\":13,"
                                       "\"invalid-event-number\":0}");
    assert_refused("{\"event\":null}", "{\"text\":\"Event field cannot be blank\",\"code\":13,"
                                       "\"invalid-event-number\":0}");
    assert_refused("{\"event\":\"a\",\"fields\":[]}",
                   "{\"text\":\"Error in handling indexed fields\",\"code\":15,"
                   "\"invalid-event-number\":0}");
}

static void a_request_that_comes_again_is_known(void **state)
{
#define US "{\"time\":1795827118.500001,\"event\":\"a\"}"
    assert_true(format_run_is_known(&run, US "{\"event\":{\"ts\":1795827118.500011}}"));
    assert_true(log_key_compare(&run.kept.records[0].key, &run.kept.records[1].key) < 0);
    assert_true(format_run_is_known(&run, "{\"event\":{\"ts\":1795827118.500011}}" US));
    assert_false(format_run_is_known(&run, US US)); /* a clock may be coarse */
    assert_false(format_run_is_known(&run, US "\n"));
#undef US
    assert_false(format_run_is_known(&run, "{" AT "\"event\":\"a\"}\n")); /* a loop may write it */
    assert_false(format_run_is_known(&run, "{" AT "\"event\":\"a\"}{" AT "\"event\":\"a\"}"));
    assert_false(format_run_is_known(&run, "{\"event\":\"a\"}{\"event\":\"a\"}"));
    /* Two copies of a program write the same lines in a second. */
    assert_false(format_run_is_known(&run, "{\"time\":1795827118,\"event\":\"a\"}"
                                           "{\"time\":1795827118,\"event\":\"a\"}"));
}

static void every_refusal_has_a_text_and_a_code(void **state)
{
    static const struct {
        enum format_refusal why;
        unsigned status;
        const char *body;
    } cases[] = {
        {FORMAT_REFUSED_BUSY, 503, "{\"text\":\"Server is busy\",\"code\":9}"},
        {FORMAT_REFUSED_TOO_LARGE, 413, "{\"text\":\"much \\\"too\\\"\",\"code\":27}"},
        {FORMAT_REFUSED_CONTENT, 400, "{\"text\":\"much \\\"too\\\"\",\"code\":6}"},
    };

    for (size_t i = 0; i < 3; i++) {
        char room[FORMAT_ANSWER_BYTES];
        struct buffer body;

        buffer_init_over(&body, room, sizeof(room));
        assert_int_equal(
            hec_events.refuse(cases[i].why, SLICE_LITERAL("much \"too\""), &body).status,
            cases[i].status);
        buffer_append_char(&body, '\0');
        assert_string_equal(room, cases[i].body);
    }
}

static void a_raw_body_is_a_log_a_line(void **state)
{
    static const char *const parameters[] = {"host", "web-1", "sourcetype", "t", NULL};

    run.parameters = parameters;
    assert_int_equal(format_run(&run, SLICE_LITERAL("  a\r\n\n{\"event\":1}\nc\xff")), 0);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 0, "info", "  a", NULL, "{\"host\":\"web-1\",\"sourcetype\":\"t\"}");
    format_run_expect(&run, 1, "info", "{\"event\":1}", NULL,
                      "{\"host\":\"web-1\",\"sourcetype\":\"t\"}");
    format_run_expect(&run, 2, "info", "c\xef\xbf\xbd", NULL,
                      "{\"host\":\"web-1\",\"sourcetype\":\"t\"}");
    assert_refused("\n\r\n", "{\"text\":\"No data\",\"code\":5}");
}

static void what_clients_send_is_taken(void **state)
{
#define PY                                                                                         \
    "{\"host\":\"vm\",\"source\":\"/srv/app/example/shop-v1/py/loki_http.py\","                    \
    "\"sourcetype\":\"text\",\"index\":\"main\"}"
    FORMAT_RUN_CAPTURE(
        &run, "splunk-handler-3.0.0.txt",
        {"info", "order 1 placed ✓", "2026-11-28T00:53:05.410482Z", PY},
        {"info",
         "failed\nTraceback (most recent call last):\n"
         "  File \"/srv/app/example/shop-v1/py/loki_http.py\", line 43, in <module>\n"
         "    try: 1 / 0\n         ~~^~~\nZeroDivisionError: division by zero",
         "2026-11-28T00:53:05.410584Z",
         "{\"host\":\"vm\",\"source\":\"/srv/app/example/shop-v1/py/loki_http.py\","
         "\"sourcetype\":\"text\",\"index\":\"main\",\"nanoseconds\":200}"},
        {"info", "line one\nline two", "2026-11-28T00:53:05.413020Z",
         "{\"host\":\"vm\",\"source\":\"/srv/app/example/shop-v1/py/loki_http.py\","
         "\"sourcetype\":\"text\",\"index\":\"main\",\"nanoseconds\":400}"});
    FORMAT_RUN_CAPTURE(&run, "splunk-hec-handler-1.2.0.txt",
                       {"INFO", "order 1 placed ✓", "2026-11-28T00:54:51.871347Z",
                        "{\"host\":\"vm\",\"nanoseconds\":200}"});
#define JS "{\"host\":\"web-1\",\"source\":\"shop\",\"sourcetype\":\"_json\",\"index\":\"main\""
#define JS_OBJECT JS ",\"message\":{\"event\":\"order 1 placed ✓\",\"n\":1}}"
    FORMAT_RUN_CAPTURE(&run, "splunk-js-0.11.1.txt",
                       {"info", "order 1 placed ✓", "2026-11-28T00:57:23.512000Z", JS_OBJECT});
    FORMAT_RUN_CAPTURE(&run, "splunk-js-batch-0.11.1.txt",
                       {"info", "order 1 placed ✓", "2026-11-28T00:57:51.208000Z", JS_OBJECT},
                       {"info", "failed", "2026-11-28T00:57:51.208000Z", JS "}"},
                       {"info", "line one\nline two", "2026-11-28T00:57:51.208000Z", JS "}"});
#define DOCKER "{\"host\":\"vm\",\"source\":\"stdout\",\"tag\":\"7fe3497ddde3\"}"
    FORMAT_RUN_CAPTURE(&run, "docker-splunk-20.10.24.txt",
                       {"info", "later record", "2026-11-28T01:13:07.565958Z", DOCKER},
                       {"info", "last", "2026-11-28T01:13:15.566032Z", DOCKER});
    FORMAT_RUN_CAPTURE(&run, "docker-splunk-gzip-20.10.24.decoded.bin",
                       {"info", "later record", "2026-11-28T01:13:36.358911Z",
                        "{\"host\":\"vm\",\"source\":\"stdout\",\"tag\":\"t22499/25f2996ac6df\","
                        "\"attrs\":{\"FOO\":\"bar\",\"a\":\"b\"}}"});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_a_text_an_object_or_anything),
        TEST(what_stands_beside_an_event_is_kept),
        TEST(a_time_is_a_number_or_a_text),
        TEST(events_stand_one_behind_the_other),
        TEST(one_bad_event_refuses_all_with_its_code),
        TEST(a_request_that_comes_again_is_known),
        TEST(every_refusal_has_a_text_and_a_code),
        cmocka_unit_test_setup_teardown(a_raw_body_is_a_log_a_line, begin_raw, end),
        TEST(what_clients_send_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
