/* Elasticsearch's _bulk (formats/bulk.h). */
#include "formats/bulk.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/uuid7.h"
#include "format_run.h"
#include "record/key.h"

static struct format_run run;

static int begin(void **state)
{
    format_run_begin(&run, &bulk_format);
    return 0;
}

static int end(void **state)
{
    format_run_end(&run);
    return 0;
}

/* `want` is the answer, in which @ stands for the id of the first log that was taken. */
static void assert_told(const char *want)
{
    const char *at = strchr(want, '@');
    char text[2048], id[UUID_TEXT_LEN];

    uuid_format(&run.kept.records[0].key.id, id);
    snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(at - want), want, UUID_TEXT_LEN, id, at + 1);
    buffer_append_char(&run.told, '\0');
    assert_string_equal(run.told.data, text);
}

static void each_log_is_told_of_in_order(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"create\":{\"_index\":\"s\\\"\"}}\n"
                                                    "{\"message\":\"a\",\"level\":\"warn\"}\n"
                                                    "{\"index\":{\"_index\":\"s\",\"_id\":\"7\"}}\n"
                                                    "{\"message\":\"b\"}")),
                     0);
    format_run_expect(&run, 0, "warn", "a", NULL, "{\"_index\":\"s\\\"\"}");
    format_run_expect(&run, 1, "info", "b", NULL, "{\"_index\":\"s\"}");
    assert_told("{\"took\":0,\"errors\":false,\"items\":["
                "{\"create\":{\"_index\":\"s\\\"\",\"_id\":\"@\",\"result\":\"created\","
                "\"status\":201}},"
                "{\"index\":{\"_index\":\"s\",\"_id\":\"7\",\"result\":\"created\","
                "\"status\":201}}]}");
}

static void what_can_be_no_log_is_refused_item_by_item(void **state)
{
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"index\":{}}\n[1]\n"
                                                    "{\"delete\":{\"_id\":\"7\"}}\n"
                                                    "{\"update\":{}}\n{\"doc\":{}}\n"
                                                    "{\"index\":{}}\n{broken\n"
                                                    "{\"index\":{}}\n{\"message\":\"a\"}\n")),
                     0);
    assert_int_equal(run.kept.records_len, 1);
    assert_int_equal(run.counts.refused, 4);
    format_run_expect(&run, 0, "info", "a", NULL, "");
    assert_told(
        "{\"took\":0,\"errors\":true, \"items\":["
        "{\"index\":{\"_index\":\"\",\"_id\":null,\"status\":400,\"error\":{\"type\":"
        "\"document_parsing_exception\",\"reason\":\"the document is no JSON object\"}}},"
        "{\"delete\":{\"_index\":\"\",\"_id\":\"7\",\"status\":400,\"error\":{\"type\":"
        "\"illegal_argument_exception\",\"reason\":\"logs are not changed: create or index\"}}},"
        "{\"update\":{\"_index\":\"\",\"_id\":null,\"status\":400,\"error\":{\"type\":"
        "\"illegal_argument_exception\",\"reason\":\"logs are not changed: create or index\"}}},"
        "{\"index\":{\"_index\":\"\",\"_id\":null,\"status\":400,\"error\":{\"type\":"
        "\"document_parsing_exception\",\"reason\":\"the document is no JSON object\"}}},"
        "{\"index\":{\"_index\":\"\",\"_id\":\"@\",\"result\":\"created\",\"status\":201}}]}");
}

static void assert_refused(const char *body, const char *reason)
{
    char text[512];

    assert_int_equal(format_run(&run, slice_of_string(body)), LM_EINVAL);
    snprintf(text, sizeof(text),
             "{\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"%s\"},"
             "\"status\":400}",
             reason);
    buffer_append_char(&run.wrong, '\0');
    assert_string_equal(run.wrong.data, text);
}

static void lines_that_cannot_be_told_apart_refuse_the_body(void **state)
{
    assert_refused("", "line 0: request body is required");
    assert_refused("\n \n", "line 2: request body is required");
    assert_refused("{\"message\":\"a\"}\n", "line 1: expected an action: create or index");
    assert_refused("{\"index\":{}}\n{}\n\nno\n", "line 4: expected an action: create or index");
    assert_refused("{\"index\":{}}\n\n", "line 2: an action without its document");
    assert_refused("{\"index\":5}\n{}\n", "line 1: expected an action: create or index");
}

static void the_index_of_the_path_is_that_of_items_without_one(void **state)
{
    run.path = SLICE_LITERAL("/shop\xff/_bulk");
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"index\":{}}\n{}\n"
                                                    "{\"index\":{\"_index\":\"own\"}}\n{}\n")),
                     0);
    format_run_expect(&run, 0, "info", "", NULL, "{\"_index\":\"shop\xef\xbf\xbd\"}");
    format_run_expect(&run, 1, "info", "", NULL, "{\"_index\":\"own\"}");
    run.path = SLICE_LITERAL("/_bulk");
    assert_int_equal(format_run(&run, SLICE_LITERAL("{\"index\":{}}\n{}\n")), 0);
    format_run_expect(&run, 0, "info", "", NULL, "");
}

static void names_that_would_swell_the_answer_are_refused(void **state)
{
    char body[2048], name[BULK_ID_MAX + 2];

    memset(name, 'x', sizeof(name));
    snprintf(body, sizeof(body), "{\"index\":{\"_index\":\"%.*s\"}}\n{}\n", BULK_INDEX_MAX, name);
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.counts.records, 1);
    snprintf(body, sizeof(body), "{\"index\":{\"_index\":\"%.*s\"}}\n{}\n", BULK_INDEX_MAX + 1,
             name);
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.counts.refused, 1);
    assert_true(run.told.len < BULK_INDEX_MAX);
    snprintf(body, sizeof(body), "{\"index\":{\"_id\":\"%.*s\"}}\n{}\n", BULK_ID_MAX, name);
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.counts.records, 1);
    snprintf(body, sizeof(body), "{\"index\":{\"_id\":\"%.*s\"}}\n{}\n", BULK_ID_MAX + 1, name);
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    assert_int_equal(run.counts.refused, 1);
    assert_true(run.told.len < BULK_ID_MAX);
}

static struct log_key key_of(const char *body)
{
    assert_int_equal(format_run(&run, slice_of_string(body)), 0);
    return run.kept.records[0].key;
}

static void an_id_makes_a_document_the_same_log_again(void **state)
{
#define OF(index, id)                                                                              \
    "{\"create\":{\"_index\":\"" index "\",\"_id\":\"" id                                          \
    "\"},\"attempts\":1}\n{\"@timestamp\":\"2026-11-28T01:00:00Z\"}\n"
    struct log_key first = key_of(OF("s", "7"));
    struct log_key again = key_of(OF("s", "7"));
    struct log_key other_id = key_of(OF("s", "8"));
    struct log_key other_index = key_of(OF("t", "7"));

    assert_int_equal(log_key_compare(&first, &again), 0);
    assert_true(log_key_compare(&first, &other_id) != 0);
    assert_true(log_key_compare(&first, &other_index) != 0);
    assert_int_equal(uuid7_ms(&first.id), uuid7_ms_of_timestamp(first.timestamp_us));
}

static void a_request_that_comes_again_is_known(void **state)
{
#define MS "{\"index\":{}}\n{\"@timestamp\":\"2026-11-28T01:00:00.123Z\"}\n"
#define US "{\"index\":{}}\n{\"@timestamp\":\"2026-11-28T01:00:00.123456Z\"}\n\n"
#define LATER "{\"index\":{}}\n{\"@timestamp\":\"2026-11-28T01:00:00.123567Z\"}\n"
    assert_true(format_run_is_known(&run, US LATER));
    assert_true(log_key_compare(&run.kept.records[0].key, &run.kept.records[1].key) < 0);
    assert_false(format_run_is_known(&run, US US)); /* as may one whose clock is coarse */
    assert_false(format_run_is_known(&run, US));
    assert_false(format_run_is_known(&run, MS MS)); /* a loop may write them once more */
    assert_false(format_run_is_known(&run, "{\"index\":{}}\n{}\n{\"index\":{}}\n{}\n"));

#define S "{\"index\":{}}\n{\"@timestamp\":\"2026-11-28T01:00:00Z\"}\n"
    assert_false(format_run_is_known(&run, S S)); /* two copies of a program may write them */

    struct log_key first = key_of(US LATER);
    run.path = SLICE_LITERAL("/other/_bulk");
    struct log_key other = key_of(US LATER);
    assert_true(log_key_compare(&first, &other) != 0);
#undef MS
#undef US
#undef S
}

static void a_busy_house_breaks_the_connection(void **state)
{
    struct buffer body;
    char room[FORMAT_ANSWER_BYTES];

    buffer_init_over(&body, room, sizeof(room));
    assert_int_equal(bulk_format.refuse(FORMAT_REFUSED_BUSY, SLICE_LITERAL("full"), &body).status,
                     0);
    assert_int_equal(
        bulk_format.refuse(FORMAT_REFUSED_TOO_LARGE, SLICE_LITERAL("a \"b\""), &body).status, 413);
    buffer_append_char(&body, '\0');
    assert_string_equal(room, "{\"error\":{\"type\":\"circuit_breaking_exception\","
                              "\"reason\":\"a \\\"b\\\"\"},\"status\":413}");
}

/* ---- What clients send ---- */

#define CAPTURE(name, ...) FORMAT_RUN_CAPTURE(&run, name, __VA_ARGS__)

static void what_clients_send_is_taken(void **state)
{
    CAPTURE("es-js-helper-9.4.3.txt",
            {"info", "order 1 placed ✓", "2026-11-28T00:52:10.465000Z",
             "{\"_index\":\"shop\",\"n\":1}"},
            {"error", "failed", "2026-11-28T00:52:10.465000Z", "{\"_index\":\"shop\"}"},
            {"warn", "line one\nline two", "2026-11-28T00:52:10.465000Z", "{\"_index\":\"shop\"}"});
    CAPTURE(
        "es-js-bulk-9.4.3.txt",
        {"info", "order 1 placed ✓", "2026-11-28T00:52:47.063000Z",
         "{\"_index\":\"logs-shop-default\",\"n\":1}"},
        {"error", "failed", "2026-11-28T00:52:47.063000Z", "{\"_index\":\"logs-shop-default\"}"},
        {"warn", "line one\nline two", "2026-11-28T00:52:47.063000Z",
         "{\"_index\":\"logs-shop-default\"}"});
    CAPTURE("es-py-bulk-9.5.1.txt",
            {"info", "order 1 placed ✓", "2026-11-28T00:00:00.000000Z", "{\"_index\":\"shop\"}"},
            {"info", "failed", "2026-11-28T00:00:00.000000Z", "{\"_index\":\"shop\"}"},
            {"info", "line one\nline two", "2026-11-28T00:00:00.000000Z", "{\"_index\":\"shop\"}"});
    CAPTURE("winston-es-0.19.0.txt", {"info", "order 1 placed ✓", "2026-11-28T01:01:52.684000Z",
                                      "{\"_index\":\"logs-2026.11.28\",\"fields\":{\"n\":1}}"});
    CAPTURE("winston-es-datastream-0.19.0.txt",
            {"info", "order 1 placed ✓", "2026-11-28T01:02:36.789000Z",
             "{\"_index\":\"logs-app-default\",\"fields\":{\"n\":1}}"});
#define DAY "{\"_index\":\"logs-2026.11.28\",\"fields\":"
    CAPTURE("winston-es-resent-0.19.0.txt", /* each action has another number of attempts */
            {"info", "later record", "2026-11-28T01:03:03.082000Z", DAY "{}}"},
            {"info", "order 1 placed ✓", "2026-11-28T01:02:59.081000Z", DAY "{\"n\":1}}"},
            {"warn", "line one\nline two", "2026-11-28T01:02:59.085000Z", DAY "{}}"},
            {"error", "failed", "2026-11-28T01:02:59.084000Z", DAY "{\"err\":\"boom\"}}"});
    CAPTURE("rsyslog-es-bulk-8.2302.0.txt",
            {"info", " order 1 placed ✓", "2026-11-28T00:59:39.503383Z",
             "{\"_index\":\"shop\",\"host\":\"web-1\",\"tag\":\"shop:\"}"});
    CAPTURE("rsyslog-es-bulk-create-8.2302.0.txt",
            {"info", " order 1 placed ✓", "2026-11-28T01:00:55.132399Z",
             "{\"_index\":\"shop\",\"host\":\"web-1\",\"tag\":\"shop:\"}"});
#define SYSLOG_NG "{\"_index\":\"shop\",\"PROGRAM\":\"shop\","
#define AT_132 "\"ISODATE\":\"2026-11-28T01:01:32+00:00\",\"HOST\":\"vm\",\"FACILITY\":\"user\"}"
#define AT_203 "\"ISODATE\":\"2026-11-28T01:02:03+00:00\",\"HOST\":\"vm\",\"FACILITY\":\"user\"}"
    CAPTURE(
        "syslogng-es-3.38.1.txt",
        {"info", "order 1 placed ✓", "2026-11-28T01:01:32.000000Z", SYSLOG_NG AT_132},
        {"err", "failed", "2026-11-28T01:01:32.000000Z", SYSLOG_NG "\"PID\":\"4711\"," AT_132},
        {"warning", "line one\nline two\ttab", "2026-11-28T01:02:03.000000Z", SYSLOG_NG AT_203});
}

static void what_pino_sends_keeps_its_error(void **state)
{
    struct slice body = format_capture("pino-es-9.0.0.txt");
    static const char *const begin_of = "{\"_index\":\"shop\",\"pid\":5452,\"hostname\":\"vm\","
                                        "\"err\":{\"type\":\"Error\",\"message\":\"boom\",";

    assert_int_equal(format_run(&run, body), 0);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 0, "info", "order 1 placed ✓", "2026-11-28T00:55:18.853000Z",
                      "{\"_index\":\"shop\",\"pid\":5452,\"hostname\":\"vm\",\"n\":1}");
    format_run_expect(&run, 1, "error", "failed", "2026-11-28T00:55:18.862000Z",
                      run.kept.records[1].attributes.data);
    assert_memory_equal(run.kept.records[1].attributes.data, begin_of, strlen(begin_of));
    format_run_expect(&run, 2, "warning", "line one\nline two", "2026-11-28T00:55:18.863000Z",
                      "{\"_index\":\"shop\",\"pid\":5452,\"hostname\":\"vm\"}");
    free((char *)body.data);
}

/* Copies of one record, which a client makes of an answer that it does not read: without an _id
 * nothing tells them from others. */
static void a_body_that_has_grown_is_taken_as_it_is(void **state)
{
    struct slice body = format_capture("rsyslog-es-bulk-grown-8.2302.0.txt");

    assert_int_equal(format_run(&run, body), 0);
    assert_int_equal(run.kept.records_len, 3);
    free((char *)body.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(each_log_is_told_of_in_order),
        TEST(what_can_be_no_log_is_refused_item_by_item),
        TEST(lines_that_cannot_be_told_apart_refuse_the_body),
        TEST(the_index_of_the_path_is_that_of_items_without_one),
        TEST(names_that_would_swell_the_answer_are_refused),
        TEST(an_id_makes_a_document_the_same_log_again),
        TEST(a_request_that_comes_again_is_known),
        TEST(a_busy_house_breaks_the_connection),
        TEST(what_clients_send_is_taken),
        TEST(what_pino_sends_keeps_its_error),
        TEST(a_body_that_has_grown_is_taken_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
