/* Logs in JSON of somebody's own (formats/members.h, formats/jsonline.h). */
#include "formats/jsonline.h"

#include <stdlib.h>

#include "../cmocka_all.h"
#include "format_run.h"
#include "record/key.h"

/* A line that a logger has written, and the log that it is. */
static const struct {
    const char *line, *level, *message, *time, *attributes;
} LOGGERS[] = {
    /* pino */
    {"{\"level\":30,\"time\":1795827118853,\"pid\":5,\"hostname\":\"vm\",\"msg\":\"paid\"}", "info",
     "paid", "2026-11-28T00:51:58.853000Z", "{\"pid\":5,\"hostname\":\"vm\"}"},
    /* bunyan */
    {"{\"name\":\"shop\",\"pid\":5,\"level\":50,\"msg\":\"paid\","
     "\"time\":\"2026-11-28T00:51:58.853Z\",\"v\":0}",
     "error", "paid", "2026-11-28T00:51:58.853000Z", "{\"name\":\"shop\",\"pid\":5,\"v\":0}"},
    /* winston */
    {"{\"level\":\"warn\",\"message\":\"paid\",\"timestamp\":\"2026-11-28T00:51:58.853Z\"}", "warn",
     "paid", "2026-11-28T00:51:58.853000Z", ""},
    /* zap */
    {"{\"level\":\"info\",\"ts\":1795827118.853123,\"caller\":\"a.go:5\",\"msg\":\"paid\"}", "info",
     "paid", "2026-11-28T00:51:58.853123Z", "{\"caller\":\"a.go:5\"}"},
    /* slog */
    {"{\"time\":\"2026-11-28T01:51:58.853123456+01:00\",\"level\":\"INFO\",\"msg\":\"paid\"}",
     "INFO", "paid", "2026-11-28T00:51:58.853123Z", "{\"nanoseconds\":456}"},
    /* logrus */
    {"{\"level\":\"error\",\"msg\":\"paid\",\"time\":\"2026-11-28T01:51:58+01:00\"}", "error",
     "paid", "2026-11-28T00:51:58.000000Z", ""},
    /* zerolog */
    {"{\"level\":\"debug\",\"time\":1795827118,\"message\":\"paid\",\"error\":\"no\"}", "debug",
     "paid", "2026-11-28T00:51:58.000000Z", "{\"error\":\"no\"}"},
    /* structlog */
    {"{\"event\":\"paid\",\"level\":\"info\",\"timestamp\":\"2026-11-28T00:51:58.853123Z\"}",
     "info", "paid", "2026-11-28T00:51:58.853123Z", ""},
    /* python-json-logger */
    {"{\"message\":\"paid\",\"asctime\":\"2026-11-28 00:51:58,853\",\"levelname\":\"WARNING\"}",
     "WARNING", "paid", "2026-11-28T00:51:58.853000Z", ""},
    /* Serilog: CLEF with and without the rendered message, and its JsonFormatter */
    {"{\"@t\":\"2026-11-28T00:51:58.8531234Z\",\"@mt\":\"{n} paid\",\"n\":1}", "info", "{n} paid",
     "2026-11-28T00:51:58.853123Z", "{\"n\":1,\"nanoseconds\":400}"},
    {"{\"@t\":\"2026-11-28T00:51:58Z\",\"@m\":\"1 paid\",\"@mt\":\"{n} paid\",\"@l\":\"Error\"}",
     "Error", "1 paid", "2026-11-28T00:51:58.000000Z", "{\"@mt\":\"{n} paid\"}"},
    {"{\"Timestamp\":\"2026-11-28T00:51:58Z\",\"Level\":\"Warning\",\"MessageTemplate\":\"t\","
     "\"RenderedMessage\":\"paid\"}",
     "Warning", "paid", "2026-11-28T00:51:58.000000Z", "{\"MessageTemplate\":\"t\"}"},
    /* logstash-logback-encoder, log4j2 */
    {"{\"@timestamp\":\"2026-11-28T00:51:58.853123456Z\",\"@version\":\"1\",\"message\":\"paid\","
     "\"level\":\"INFO\",\"level_value\":20000}",
     "INFO", "paid", "2026-11-28T00:51:58.853123Z",
     "{\"@version\":\"1\",\"level_value\":20000,\"nanoseconds\":456}"},
    {"{\"@version\":1,\"@timestamp\":\"2026-11-28T00:51:58.853+0000\",\"message\":\"paid\","
     "\"level\":\"WARN\"}",
     "WARN", "paid", "2026-11-28T00:51:58.853000Z", "{\"@version\":1}"},
    /* ECS, dotted and not */
    {"{\"@timestamp\":\"2026-11-28T00:51:58Z\",\"log.level\":\"WARN\",\"message\":\"paid\"}",
     "WARN", "paid", "2026-11-28T00:51:58.000000Z", ""},
    {"{\"log\":{\"level\":\"WARN\"},\"message\":\"paid\"}", "WARN", "paid", NULL,
     "{\"log\":{\"level\":\"WARN\"}}"},
    /* journald, syslog-ng */
    {"{\"MESSAGE\":\"paid\",\"PRIORITY\":\"3\",\"__REALTIME_TIMESTAMP\":\"1795827118853123\"}",
     "error", "paid", "2026-11-28T00:51:58.853123Z", ""},
    {"{\"PROGRAM\":\"shop\",\"PRIORITY\":\"err\",\"MESSAGE\":\"paid\"}", "err", "paid", NULL,
     "{\"PROGRAM\":\"shop\"}"},
    /* VictoriaLogs */
    {"{\"_time\":\"2026-11-28T01:00:00.123Z\",\"_msg\":\"paid\",\"message\":\"other\"}", "info",
     "paid", "2026-11-28T01:00:00.123000Z", "{\"message\":\"other\"}"},
};

static void known_loggers_are_understood(void **state)
{
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_auto);
    for (size_t i = 0; i < sizeof(LOGGERS) / sizeof(*LOGGERS); i++) {
        assert_int_equal(format_run(&run, slice_of_string(LOGGERS[i].line)), 0);
        assert_int_equal(run.kept.records_len, 1);
        format_run_expect(&run, 0, LOGGERS[i].level, LOGGERS[i].message, LOGGERS[i].time,
                          LOGGERS[i].attributes);
    }
    format_run_end(&run);
}

static void levels_of_monolog_are_hundreds(void **state)
{
    static const struct {
        const char *level, *line;
    } cases[] = {
        {"debug", "{\"level\":100}"},
        {"info", "{\"level\":200}"},
        {"notice", "{\"level\":250}"},
        {"warning", "{\"level\":300}"},
        {"error", "{\"level\":\"400\"}"},
        {"critical", "{\"level\":500}"},
        {"alert", "{\"level\":550}"},
        {"emergency", "{\"level\":600}"},
        {"ERROR", "{\"level_name\":\"ERROR\"}"},
    };
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_auto);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(format_run(&run, slice_of_string(cases[i].line)), 0);
        format_run_expect(&run, 0, cases[i].level, "", NULL, "");
    }
    assert_int_equal(
        format_run(&run, SLICE_LITERAL("{\"message\":\"paid\",\"context\":{},\"level\":400,"
                                       "\"level_name\":\"ERROR\",\"channel\":\"shop\","
                                       "\"datetime\":\"2026-11-28T00:51:58.853123+00:00\"}")),
        0);
    format_run_expect(&run, 0, "error", "paid", "2026-11-28T00:51:58.853123Z",
                      "{\"context\":{},\"level_name\":\"ERROR\",\"channel\":\"shop\"}");
    format_run_end(&run);
}

static const char *const *const NONE = NULL;

static void assert_log(const struct format *format, const char *const *parameters, const char *line,
                       const char *level, const char *message, const char *attributes)
{
    struct format_run run;

    format_run_begin(&run, format);
    run.parameters = parameters;
    assert_int_equal(format_run(&run, slice_of_string(line)), 0);
    assert_int_equal(run.kept.records_len, 1);
    format_run_expect(&run, 0, level, message, NULL, attributes);
    format_run_end(&run);
}

static void what_is_of_no_use_as_its_name_says_stays_an_attribute(void **state)
{
    const struct format *f = &jsonline_auto;

    (void)state;
    assert_log(f, NONE, "{\"msg\":\"m\",\"status\":200}", "info", "m", "{\"status\":200}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"status\":0}", "info", "m", "{\"status\":0}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"status\":\"done\"}", "info", "m",
               "{\"status\":\"done\"}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"status\":\"Error\"}", "Error", "m", "");
    assert_log(f, NONE, "{\"msg\":\"m\",\"level\":null,\"severity\":4}", "warning", "m",
               "{\"level\":null}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"level\":8}", "info", "m", "{\"level\":8}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"level\":150}", "info", "m", "{\"level\":150}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"time\":12.5}", "info", "m", "{\"time\":12.5}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"time\":150000000}", "info", "m", "{\"time\":150000000}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"date\":\"2027-12-31\"}", "info", "m",
               "{\"date\":\"2027-12-31\"}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"date\":\"2026-11-28\",\"time\":\"10:11:12\"}", "info",
               "m", "{\"date\":\"2026-11-28\",\"time\":\"10:11:12\"}");
    assert_log(f, NONE, "{\"msg\":\"m\",\"time\":\"noon\",\"ts\":[]}", "info", "m",
               "{\"time\":\"noon\",\"ts\":[]}");
    assert_log(f, NONE, "{\"line\":39,\"message\":7,\"event\":{\"n\":1}}", "info", "",
               "{\"line\":39,\"message\":7,\"event\":{\"n\":1}}");
    assert_log(f, NONE, "{\"message\":{\"event\":\"m\",\"n\":1}}", "info", "m",
               "{\"message\":{\"event\":\"m\",\"n\":1}}");
    assert_log(f, NONE, "{\"message\":\"\",\"event\":\"m\"}", "info", "m", "{\"message\":\"\"}");
    assert_log(f, NONE, "{\"message\":\"\",\"n\":1}", "info", "", "{\"n\":1}");
    assert_log(f, NONE, "{\"id\":\"x\",\"attributes\":{\"a\":1.50}}", "info", "",
               "{\"id\":\"x\",\"attributes\":{\"a\":1.50}}");
}

static void fields_that_the_request_names_come_first(void **state)
{
    static const char *const parameters[] = {"_msg_field", "text, note", "_time_field", "at", NULL};
    struct format_run run;

    (void)state;
    assert_log(&jsonline_insert, parameters, "{\"msg\":\"other\",\"note\":\"m\"}", "info", "m",
               "{\"msg\":\"other\"}");
    /* A head has room for thousands, and each member of each log is compared. */
    static const char *const many[] = {"_msg_field", "a,b,c,d,e,f,g,h,i", NULL};
    assert_log(&jsonline_insert, many, "{\"h\":\"m\"}", "info", "m", "");
    assert_log(&jsonline_insert, many, "{\"i\":\"m\"}", "info", "", "{\"i\":\"m\"}");
    format_run_begin(&run, &jsonline_auto);
    run.parameters = parameters;
    assert_int_equal(
        format_run(&run, SLICE_LITERAL("{\"at\":1795827118853,\"time\":1795827119853}")), 0);
    format_run_expect(&run, 0, "info", "", "2026-11-28T00:51:58.853000Z",
                      "{\"time\":1795827119853}");
    format_run_end(&run);
}

static void a_line_that_is_no_object_is_a_message_of_auto(void **state)
{
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_auto);
    assert_int_equal(format_run(&run, SLICE_LITERAL("started\r\n\n{\"msg\":\"a\"}\n{broken\n"
                                                    "[2026] b\xff\n\"c\"")),
                     0);
    assert_int_equal(run.kept.records_len, 5);
    format_run_expect(&run, 0, "info", "started", NULL, "");
    format_run_expect(&run, 1, "info", "a", NULL, "");
    format_run_expect(&run, 2, "info", "{broken", NULL, "");
    format_run_expect(&run, 3, "info", "[2026] b\xef\xbf\xbd", NULL, "");
    format_run_expect(&run, 4, "info", "\"c\"", NULL, "");
    format_run_end(&run);
}

static void arrays_and_objects_over_many_lines_are_taken_by_auto(void **state)
{
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_auto);
    assert_int_equal(format_run(&run, SLICE_LITERAL("[{\"msg\":\"a\\u0000\"},\n\"b\"]\n")), 0);
    assert_int_equal(run.kept.records_len, 2);
    format_run_expect(&run, 0, "info", "a\xef\xbf\xbd", NULL, "");
    format_run_expect(&run, 1, "info", "b", NULL, "");
    assert_int_equal(run.counts.nul_characters, 1);
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\n  \"msg\": \"a\"\n}\n")), 0);
    assert_int_equal(run.kept.records_len, 1);
    format_run_expect(&run, 0, "info", "a", NULL, "");
    assert_int_equal(format_run(&run, SLICE_LITERAL("[{\"msg\":\"a\"},5]")), LM_EINVAL);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data,
                        "{\"detail\":[{\"type\":\"log_refused\",\"loc\":[\"body\",1],"
                        "\"msg\":\"neither an object nor a text\",\"input\":null}]}");
    format_run_end(&run);
}

static void a_line_that_is_no_log_keeps_no_other_out_of_insert(void **state)
{
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_insert);
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"_msg\":\"a\"}\nno\n[1]\n{\"_msg\":\"b\"}")),
                     0);
    assert_int_equal(run.kept.records_len, 2);
    assert_int_equal(run.counts.refused, 2);
    assert_int_equal(format_run(&run, SLICE_LITERAL("no\n{\"\n")), LM_EINVAL);
    assert_int_equal(run.counts.refused, 2);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data, "line 1: no JSON object\n");
    format_run_end(&run);
}

static void a_request_says_what_is_added_and_what_left_out(void **state)
{
    static const char *const parameters[] = {"extra_fields", "env=prod, zone=a=b,=x,n=1",
                                             "ignore_fields", "secret, tmp*,message", NULL};
    static const struct format *const formats[] = {&jsonline_insert, &jsonline_auto};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct format_run run;

        format_run_begin(&run, formats[i]);
        run.parameters = parameters;
        assert_int_equal(
            format_run(&run, SLICE_LITERAL("{\"msg\":\"m\",\"message\":\"not this\",\"secret\":1,"
                                           "\"tmp\":2,\"tmp.a\":3,\"n\":4,\"o\":{\"secret\":5}}")),
            0);
        format_run_expect(&run, 0, "info", "m", NULL,
                          "{\"o\":{\"secret\":5},\"env\":\"prod\",\"zone\":\"a=b\",\"n\":\"1\"}");
        format_run_end(&run);
    }
}

static void an_array_is_taken_as_its_items(void **state)
{
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_insert);
    assert_int_equal(format_run(&run, SLICE_LITERAL("[{\"message\":\"a\"},7,{\"message\":\"b\"}]")),
                     0);
    format_run_expect(&run, 0, "info", "a", NULL, "");
    format_run_expect(&run, 1, "info", "b", NULL, "");
    assert_int_equal(run.counts.refused, 1);
    format_run_end(&run);
}

static void a_body_that_comes_again_is_known(void **state)
{
#define MS "{\"time\":\"2026-11-28T01:00:00.123Z\"}"
#define US "{\"time\":\"2026-11-28T01:00:00.123456Z\"}"
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_auto);
#define LATER "{\"time\":\"2026-11-28T01:00:00.123567Z\"}"
    assert_true(format_run_is_known(&run, US "\n" LATER));
    assert_true(log_key_compare(&run.kept.records[0].key, &run.kept.records[1].key) < 0);
    assert_true(format_run_is_known(&run, "[" US "," LATER "]"));
    assert_false(format_run_is_known(&run, US "\n"));
    assert_false(format_run_is_known(&run, US "\n" US));
    /* These may be two logs of a loop; and these have arrived twice. */
    assert_false(format_run_is_known(&run, MS "\n" MS));
    assert_false(format_run_is_known(&run, "[" MS "]"));
    assert_false(format_run_is_known(&run, "{\n\"time\":\"2026-11-28T01:00:00Z\"\n}"));
    assert_false(format_run_is_known(&run, "{}\n{}"));
    /* Two copies of a program write the same lines in a second. */
    assert_false(format_run_is_known(&run, "{\"ts\":1795827118}\n{\"ts\":1795827118}"));
    assert_false(format_run_is_known(&run, "a\nb"));
    format_run_end(&run);
}

/* A file that is sent once more, since its message was not found, is other logs. */
static void a_body_that_is_read_in_another_way_is_another(void **state)
{
    static const char *const parameters[][3] = {
        {"_msg_field", "text"}, {"ignore_fields", "n"}, {"extra_fields", "a=b"}};
    static const struct slice body =
        SLICE_LITERAL(US "\n{\"time\":\"2026-11-28T01:00:00.123567Z\",\"text\":\"t\",\"n\":1}");
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_insert);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
        struct log_key key;

        run.parameters = NULL;
        assert_int_equal(format_run(&run, body), 0);
        key = run.kept.records[1].key;
        run.parameters = parameters[i];
        assert_int_equal(format_run(&run, body), 0);
        assert_int_not_equal(log_key_compare(&run.kept.records[1].key, &key), 0);
    }
    format_run_end(&run);
}

static void what_vlagent_sends_is_taken(void **state)
{
    struct slice body = format_capture("vlagent-jsonline-1.52.1.decoded.bin");
    struct format_run run;

    (void)state;
    format_run_begin(&run, &jsonline_insert);
    assert_int_equal(format_run(&run, body), 0);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 0, "info", "order 1 placed ✓", "2026-11-28T01:00:00.123000Z",
                      "{\"n\":\"42\",\"nested.a\":\"1\"}");
    format_run_expect(&run, 1, "error", "failed", "2026-11-28T01:00:01.000000Z", "");
    format_run_expect(&run, 2, "info", "line one\nline two", "2026-11-28T01:00:02.000000Z", "");
    format_run_end(&run);
    free((char *)body.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_loggers_are_understood),
        cmocka_unit_test(levels_of_monolog_are_hundreds),
        cmocka_unit_test(what_is_of_no_use_as_its_name_says_stays_an_attribute),
        cmocka_unit_test(fields_that_the_request_names_come_first),
        cmocka_unit_test(a_line_that_is_no_object_is_a_message_of_auto),
        cmocka_unit_test(arrays_and_objects_over_many_lines_are_taken_by_auto),
        cmocka_unit_test(a_line_that_is_no_log_keeps_no_other_out_of_insert),
        cmocka_unit_test(a_request_says_what_is_added_and_what_left_out),
        cmocka_unit_test(an_array_is_taken_as_its_items),
        cmocka_unit_test(a_body_that_comes_again_is_known),
        cmocka_unit_test(a_body_that_is_read_in_another_way_is_another),
        cmocka_unit_test(what_vlagent_sends_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
