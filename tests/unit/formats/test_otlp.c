/* Logs of OpenTelemetry, in protobuf and in JSON: one mapping. */
#include "formats/otlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "format_run.h"
#include "formats/protobuf.h"
#include "record/limits.h"

static struct format_run pb, json;

static int set_up(void **state)
{
    format_run_begin(&pb, &otlp_protobuf);
    format_run_begin(&json, &otlp_json);
    return 0;
}

static int tear_down(void **state)
{
    format_run_end(&pb);
    format_run_end(&json);
    return 0;
}

/* ---- What SDKs and the Collector were seen to send ---- */

#define SHOP "\"service.name\":\"shop\",\"service.version\":\"1.2.3\""
#define SCOPE "\"otel.scope.name\":\"orders\",\"otel.scope.version\":\"0.1\""
#define VALUES                                                                                     \
    "\"n\":42,\"big\":9007199254740991,\"f\":1.5,\"whole\":2,\"neg\":-7,\"ok\":true,"              \
    "\"list\":[\"a\",1,true],\"map\":{\"x\":1,\"y\":{\"z\":\"deep\"}},\"nul\":null,"               \
    "\"bytes\":\"AQL/\""
#define IDS "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"span_id\":\"b7ad6b7169203331\""
#define OWN "\"event_name\":\"order.placed\",\"trace_flags\":1"
#define BODY "{\"text\":\"structured body\",\"code\":7}"

static void the_sdk_for_javascript_in_both_encodings(void **state)
{
    FORMAT_RUN_CAPTURE(
        &pb, "otel-js-proto-0.301.0.bin",
        {"INFO", "order 1 placed ✓", "2026-11-28T00:52:31.771000Z",
         "{" SHOP "," SCOPE "," VALUES "," IDS "," OWN "}"},
        {"ERROR", BODY, "2026-11-28T00:52:31.790000Z", "{" SHOP "," SCOPE ",\"body\":" BODY "}"},
        {"info", "line one\nline two", "2026-11-28T00:52:31.790000Z", "{" SHOP "," SCOPE "}"});
    FORMAT_RUN_CAPTURE(
        &json, "otel-js-json-0.301.0.txt",
        {"INFO", "order 1 placed ✓", "2026-11-28T00:50:02.453000Z",
         "{" SHOP "," SCOPE "," VALUES "," IDS "," OWN "}"},
        {"ERROR", BODY, "2026-11-28T00:50:02.460000Z", "{" SHOP "," SCOPE ",\"body\":" BODY "}"},
        {"info", "line one\nline two", "2026-11-28T00:50:02.460000Z", "{" SHOP "," SCOPE "}"});
}

#define PYTHON                                                                                     \
    "\"telemetry.sdk.language\":\"python\",\"telemetry.sdk.name\":\"opentelemetry\","              \
    "\"telemetry.sdk.version\":\"1.45.0\","                                                        \
    "\"service.instance.id\":\"4e17b0e4-2c56-463d-8fa4-4d6f6aa6e744\",\"service.name\":\"shop\","  \
    "\"otel.scope.name\":\"orders\""
#define CODE(line)                                                                                 \
    "\"code.file.path\":\"/srv/reports/clients-src/py/otel.py\","                                  \
    "\"code.function.name\":\"<module>\",\"code.line.number\":" line

static void the_sdk_for_python(void **state)
{
    FORMAT_RUN_CAPTURE(
        &pb, "otel-py-1.45.0.bin",
        {"INFO", "order 1 placed ✓", "2026-11-28T00:51:01.067919Z",
         "{" PYTHON ",\"n\":42,\"big\":1152921504606846976,\"f\":1.5,\"lst\":[\"a\",\"b\"],"
         "\"mp\":{\"x\":1}," CODE("22") ",\"nanoseconds\":872}"},
        {"ERROR", "failed", "2026-11-28T00:51:01.068180Z",
         "{" PYTHON
         "," CODE("24") ",\"exception.type\":\"ZeroDivisionError\","
                        "\"exception.message\":\"division by zero\",\"exception.stacktrace\":"
                        "\"Traceback (most recent call last):\\n  File "
                        "\\\"/srv/reports/clients-src/py/otel.py\\\","
                        " line 23, in <module>\\n    try: 1 / 0\\n         ~~^~~\\n"
                        "ZeroDivisionError: division by zero\\n\",\"nanoseconds\":224}"},
        {"WARN", "line one\nline two", "2026-11-28T00:51:01.068798Z",
         "{" PYTHON "," CODE("25") ",\"nanoseconds\":464}"});
}

#define JAVA                                                                                       \
    "\"service.name\":\"shop\",\"telemetry.sdk.language\":\"java\","                               \
    "\"telemetry.sdk.name\":\"opentelemetry\",\"telemetry.sdk.version\":\"1.68.0\","               \
    "\"otel.scope.name\":\"orders\""

/* Two of its logs have no time but that at which they were seen. */
static void the_sdk_for_java(void **state)
{
    FORMAT_RUN_CAPTURE(
        &pb, "otel-java-1.68.0.bin",
        {"INFO", "order 1 placed ✓", "2026-11-28T00:59:26.122792Z",
         "{" JAVA ",\"big\":9223372036854775807,\"f\":1.5,\"lst\":[\"a\",\"b\"],"
         "\"n\":42,\"nanoseconds\":841}"},
        {"error", "failed", "2026-11-28T00:59:26.201594Z", "{" JAVA ",\"nanoseconds\":319}"},
        {"info", "line one\nline two", "2026-11-28T00:59:26.201625Z",
         "{" JAVA ",\"nanoseconds\":356}"});
}

/* It writes the scopes before their resource, and a value before its key. */
static void the_collector_in_both_encodings(void **state)
{
    FORMAT_RUN_CAPTURE(&pb, "otelcol-0.165.0.decoded.bin",
                       {"INFO", "order 1 placed", "2026-11-28T00:50:02.453000Z",
                        "{\"service.name\":\"shop\",\"otel.scope.name\":\"orders\","
                        "\"n\":42," IDS "}"});
    FORMAT_RUN_CAPTURE(&json, "otelcol-json-0.165.0.decoded.bin",
                       {"INFO", "order 1 placed", "2026-11-28T00:50:02.453000Z",
                        "{\"service.name\":\"shop\",\"otel.scope.name\":\"orders\",\"n\":42," IDS
                        "}"});
}

/* ---- JSON, member by member ---- */

/* A request of one log with these members. */
static int run_log(const char *members)
{
    char body[4096];
    int n = snprintf(body, sizeof(body),
                     "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{%s}]}]}]}", members);

    assert_in_range(n, 1, sizeof(body) - 1);
    return format_run(&json, slice_of(body, (size_t)n));
}

static void expect_log(const char *members, const char *level, const char *message,
                       const char *time, const char *attributes)
{
    assert_int_equal(run_log(members), 0);
    assert_int_equal(json.kept.records_len, 1);
    format_run_expect(&json, 0, level, message, time, attributes);
}

static void expect_refused(const char *members, const char *message)
{
    char want[512];

    assert_int_equal(run_log(members), LM_EINVAL);
    snprintf(want, sizeof(want), "{\"code\":3,\"message\":\"%s\"}", message);
    assert_int_equal(json.wrong.len, strlen(want));
    assert_memory_equal(json.wrong.data, want, strlen(want));
}

#define ANY(key) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"theirs\"}}"

/* What we call an attribute, an application may have called one of its own. */
static void no_attribute_of_the_sender_gives_way_to_one_of_ours(void **state)
{
    expect_log(
        "\"attributes\":[" ANY("body") "," ANY("event_name") "," ANY("trace_flags") "," ANY(
            "trace_id") "," ANY("span_id") "," ANY("nanoseconds") "," ANY("otel.event_name") "],"
                                                                                             "\"bod"
                                                                                             "y\":{"
                                                                                             "\"int"
                                                                                             "Value"
                                                                                             "\":7}"
                                                                                             ",\"ev"
                                                                                             "entNa"
                                                                                             "me\":"
                                                                                             "\"e\""
                                                                                             ",\"fl"
                                                                                             "ags\""
                                                                                             ":1,"
                                                                                             "\"tra"
                                                                                             "ceId"
                                                                                             "\":"
                                                                                             "\"0af"
                                                                                             "76519"
                                                                                             "16cd4"
                                                                                             "3dd84"
                                                                                             "48eb2"
                                                                                             "11c80"
                                                                                             "319c"
                                                                                             "\","
                                                                                             "\"spa"
                                                                                             "nId\""
                                                                                             ":\"b7"
                                                                                             "ad6b7"
                                                                                             "16920"
                                                                                             "3331"
                                                                                             "\","
                                                                                             "\"tim"
                                                                                             "eUnix"
                                                                                             "Nano"
                                                                                             "\":"
                                                                                             "\"100"
                                                                                             "00000"
                                                                                             "01\"",
        "info", "7", "1970-01-01T00:00:01.000000Z",
        "{\"body\":\"theirs\",\"event_name\":\"theirs\",\"trace_flags\":\"theirs\","
        "\"trace_id\":\"theirs\",\"span_id\":\"theirs\",\"nanoseconds\":\"theirs\","
        "\"otel.event_name\":\"theirs\","
        "\"otel.trace_id\":\"0af7651916cd43dd8448eb211c80319c\","
        "\"otel.span_id\":\"b7ad6b7169203331\",\"otel.body\":7,"
        "\"otel.event_name.2\":\"e\",\"otel.trace_flags\":1,\"time.nanoseconds\":1}");
}

static void a_level_is_a_text_or_a_number(void **state)
{
    expect_log("", "info", "", NULL, "");
    expect_log("\"severityText\":\"Warn\",\"severityNumber\":5", "Warn", "", NULL, "");
    expect_log("\"severityText\":\"\",\"severityNumber\":5", "debug", "", NULL, "");
    expect_log("\"severityNumber\":1", "trace", "", NULL, "");
    expect_log("\"severityNumber\":24", "critical", "", NULL, "");
    expect_log("\"severityNumber\":25", "info", "", NULL, "");
    expect_log("\"severityNumber\":\"x\"", "info", "", NULL, "");
}

static void a_time_is_a_number_or_its_text(void **state)
{
    expect_log("\"timeUnixNano\":\"1000000000\"", "info", "", "1970-01-01T00:00:01.000000Z", "");
    expect_log("\"timeUnixNano\":1000001002", "info", "", "1970-01-01T00:00:01.000001Z",
               "{\"nanoseconds\":2}");
    expect_log("\"timeUnixNano\":\"0\",\"observedTimeUnixNano\":\"2000000000\"", "info", "",
               "1970-01-01T00:00:02.000000Z", "");
    expect_log("\"timeUnixNano\":1000000000,\"observedTimeUnixNano\":2000000000", "info", "",
               "1970-01-01T00:00:01.000000Z", "");
    expect_log("\"timeUnixNano\":\"18446744073709551615\"", "info", "",
               "2554-07-21T23:34:33.709551Z", "{\"nanoseconds\":615}");
    expect_refused("\"timeUnixNano\":\"18446744073709551616\"",
                   "timeUnixNano is no number from 0 on");
    expect_refused("\"timeUnixNano\":-1", "timeUnixNano is no number from 0 on");
    expect_refused("\"timeUnixNano\":\"\"", "timeUnixNano is no number from 0 on");
    expect_refused("\"timeUnixNano\":true", "timeUnixNano is no number from 0 on");
}

static void ids_are_hexadecimal_or_base64(void **state)
{
    expect_log("\"traceId\":\"0AF7651916CD43DD8448EB211C80319C\","
               "\"spanId\":\"B7AD6B7169203331\"",
               "info", "", NULL, "{" IDS "}");
    expect_log("\"traceId\":\"CvdlGRbNQ92ESOshHIAxnA==\",\"spanId\":\"t61rcWkgMzE=\"", "info", "",
               NULL, "{" IDS "}");
    expect_log("\"traceId\":\"\",\"spanId\":\"0000000000000000\"", "info", "", NULL, "");
    expect_refused("\"traceId\":\"0af7\"", "traceId is no 32 hexadecimal digits");
    expect_refused("\"spanId\":\"b7ad6b716920333x\"", "spanId is no 16 hexadecimal digits");
    expect_refused("\"spanId\":7", "spanId is no text");
}

static void a_body_that_is_no_text_is_kept_and_shown(void **state)
{
    expect_log("\"body\":{\"intValue\":\"5\"}", "info", "5", NULL, "{\"body\":5}");
    expect_log("\"body\":{\"doubleValue\":2.5}", "info", "2.5", NULL, "{\"body\":2.5}");
    expect_log("\"body\":{\"boolValue\":false}", "info", "false", NULL, "{\"body\":false}");
    expect_log("\"body\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{}]}},"
               "\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\":\"}}]",
               "info", "[1,null]", NULL, "{\"a\":\":\",\"body\":[1,null]}");
    expect_log("\"body\":{\"kvlistValue\":{\"values\":["
               "{\"key\":\"n\",\"value\":{\"intValue\":1}},"
               "{\"key\":\"msg\",\"value\":{\"intValue\":2}},"
               "{\"key\":\"MESSAGE\",\"value\":{\"stringValue\":\"paid\"}}]}}",
               "info", "paid", NULL, "{\"body\":{\"n\":1,\"msg\":2,\"MESSAGE\":\"paid\"}}");
    expect_log("\"body\":{\"kvlistValue\":{}}", "info", "{}", NULL, "{\"body\":{}}");
    expect_log("\"body\":{}", "info", "", NULL, "");
    expect_log("\"body\":null", "info", "", NULL, "");
    expect_refused("\"body\":\"text\"",
                   "a value is no object like {\\\"stringValue\\\":\\\"…\\\"}");
}

/* The same in protobuf, the value before its key. */
static void a_message_within_a_body_is_shown(void **state)
{
    static const char body[] =
        "\x0a\x1f\x12\x1d\x12\x1b\x2a\x19\x32\x17" /* down to a kvlist of two members */
        "\x0a\x0f\x12\x06\x0a\x04paid\x0a\x05"
        "errno" /* none of its names */
        "\x0a\x04\x0a\x02no";
    static const char shown[] = "\x0a\x1b\x12\x19\x12\x17\x2a\x15\x32\x13"
                                "\x0a\x11\x12\x06\x0a\x04paid\x0a\x07message";

    assert_int_equal(format_run(&pb, SLICE_LITERAL(body)), 0);
    format_run_expect(&pb, 0, "info", "{\"errno\":\"paid\",\"no\":null}", NULL,
                      "{\"body\":{\"errno\":\"paid\",\"no\":null}}");
    assert_int_equal(format_run(&pb, SLICE_LITERAL(shown)), 0);
    format_run_expect(&pb, 0, "info", "paid", NULL, "{\"body\":{\"message\":\"paid\"}}");
}

static void a_value_is_what_it_says(void **state)
{
    expect_log("\"attributes\":["
               "{\"key\":\"nan\",\"value\":{\"doubleValue\":\"NaN\"}},"
               "{\"key\":\"inf\",\"value\":{\"doubleValue\":\"-Infinity\"}},"
               "{\"key\":\"text\",\"value\":{\"doubleValue\":\"0.25\"}},"
               "{\"key\":\"none\"},"
               "{\"key\":\"min\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
               "{\"value\":{\"intValue\":1},\"key\":\"unknown\",\"more\":[1]}]",
               "info", "", NULL,
               "{\"nan\":\"NaN\",\"inf\":\"-Infinity\",\"text\":0.25,\"none\":null,"
               "\"min\":-9223372036854775808,\"unknown\":1}");
    expect_refused("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"1.5\"}}]",
                   "intValue is no whole number");
    expect_refused("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":\"01\"}}]",
                   "intValue is no whole number");
    expect_refused("\"attributes\":[{\"key\":\"a\",\"value\":{\"boolValue\":\"yes\"}}]",
                   "boolValue is no true or false");
    expect_refused("\"attributes\":[{\"key\":1}]", "key is no text");
    expect_refused("\"attributes\":[1]", "an attribute is no object of key and value");
    expect_refused("\"attributes\":{}", "attributes is no array");
}

static void numbers_beside_a_log_are_kept_unless_they_are_0(void **state)
{
    expect_log("\"flags\":0,\"droppedAttributesCount\":0", "info", "", NULL, "");
    expect_log("\"flags\":1,\"droppedAttributesCount\":3", "info", "", NULL,
               "{\"trace_flags\":1,\"dropped_attributes_count\":3}");
}

static void a_log_has_its_own_resource_and_scope(void **state)
{
    static const char body[] =
        "{\"resourceLogs\":["
        "{\"resource\":{\"attributes\":[{\"key\":\"r\",\"value\":{\"intValue\":1}}]},"
        "\"scopeLogs\":["
        "{\"scope\":{\"name\":\"s\",\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":2}}]},"
        "\"logRecords\":[{\"attributes\":[{\"key\":\"r\",\"value\":{\"intValue\":3}}]},{}]},"
        "{\"logRecords\":[{}]}]},"
        "{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}";

    assert_int_equal(format_run(&json, SLICE_LITERAL(body)), 0);
    assert_int_equal(json.kept.records_len, 4);
    format_run_expect(&json, 0, "info", "", NULL, "{\"a\":2,\"otel.scope.name\":\"s\",\"r\":3}");
    format_run_expect(&json, 1, "info", "", NULL, "{\"r\":1,\"a\":2,\"otel.scope.name\":\"s\"}");
    format_run_expect(&json, 2, "info", "", NULL, "{\"r\":1}");
    format_run_expect(&json, 3, "info", "", NULL, "");
}

static void a_request_without_logs_is_good(void **state)
{
    static const char *const bodies[] = {"{}", "{\"resourceLogs\":null}", "{\"resourceLogs\":[{}]}",
                                         "{\"resourceLogs\":[{\"scopeLogs\":[{}]}],\"x\":1}"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        assert_int_equal(format_run(&json, slice_of_string(bodies[i])), 0);
        assert_int_equal(json.kept.records_len, 0);
    }
    assert_int_equal(format_run(&pb, (struct slice){NULL, 0}), 0);
    assert_int_equal(format_run(&pb, SLICE_LITERAL("\x0a\x00")), 0);
    assert_int_equal(pb.kept.records_len, 0);
}

/* ---- What is wrong ---- */

static void what_is_wrong_is_a_status_in_the_type_of_the_request(void **state)
{
    static const char want[] = "\x08\x03\x12\x3dnot OTLP's protobuf: "
                               "a text or message goes on behind the end";

    assert_int_equal(format_run(&pb, SLICE_LITERAL("\x0a\x05")), LM_EINVAL);
    assert_int_equal(pb.wrong.len, sizeof(want) - 1);
    assert_memory_equal(pb.wrong.data, want, sizeof(want) - 1);
    assert_int_equal(format_run(&json, SLICE_LITERAL("{\"resourceLogs\":")), LM_EINVAL);
    assert_non_null(
        memmem(json.wrong.data, json.wrong.len, "{\"code\":3,\"message\":\"not JSON: ", 31));
    assert_int_equal(format_run(&json, SLICE_LITERAL("[]")), LM_EINVAL);
}

static void a_refusal_is_one_that_clients_try_again_if_that_helps(void **state)
{
    static const struct {
        enum format_refusal why;
        unsigned status;
        const char *json, *protobuf;
    } cases[] = {
        {FORMAT_REFUSED_BUSY, 503, "{\"code\":14,\"message\":\"no \\\"room\\\"\"}",
         "\x08\x0e\x12\x09no \"room\""},
        {FORMAT_REFUSED_TOO_LARGE, 413, "{\"code\":8,\"message\":\"no \\\"room\\\"\"}",
         "\x08\x08\x12\x09no \"room\""},
        {FORMAT_REFUSED_CONTENT, 400, "{\"code\":3,\"message\":\"no \\\"room\\\"\"}",
         "\x08\x03\x12\x09no \"room\""},
    };
    struct slice text = SLICE_LITERAL("no \"room\"");
    struct buffer b;

    buffer_init(&b, FORMAT_ANSWER_BYTES);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        buffer_clear(&b);
        assert_int_equal(otlp_json.refuse(cases[i].why, text, &b).status, cases[i].status);
        assert_true(slice_equal(buffer_slice(&b), slice_of_string(cases[i].json)));
        buffer_clear(&b);
        struct format_answer answer = otlp_protobuf.refuse(cases[i].why, text, &b);
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(answer.content_type, "application/x-protobuf");
        assert_true(slice_equal(buffer_slice(&b), slice_of_string(cases[i].protobuf)));
    }
    buffer_release(&b);
    assert_int_equal(otlp_json.retry_after_s, 3);
    assert_int_equal(otlp_protobuf.retry_after_s, 3);
}

static void the_answer_says_nothing_in_the_type_of_the_request(void **state)
{
    struct format_taken taken = {.records = 5};
    struct buffer b;

    buffer_init(&b, FORMAT_ANSWER_BYTES);
    assert_int_equal(otlp_protobuf.answer(&taken, &b).status, 200);
    assert_string_equal(otlp_protobuf.answer(&taken, &b).content_type, "application/x-protobuf");
    assert_int_equal(b.len, 0);
    assert_int_equal(otlp_json.answer(&taken, &b).status, 200);
    assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("{\"partialSuccess\":{}}")));
    buffer_release(&b);
}

/* ---- Hostile requests ---- */

/* {"kvlistValue":{"values":[{"value":…, or its protobuf, so many times. */
static void append_nested(struct buffer *b, size_t depth, bool is_json)
{
    struct buffer inner;

    if (is_json) {
        buffer_append_string(b, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
        for (size_t i = 0; i < depth; i++)
            buffer_append_string(b, "{\"arrayValue\":{\"values\":[");
        for (size_t i = 0; i < depth; i++)
            buffer_append_string(b, "]}}");
        buffer_append_string(b, "}]}]}]}");
        return;
    }
    buffer_init(&inner, 1 << 20);
    for (size_t i = 0; i < 2 * depth + 4; i++) {
        /* array_value and its values by turns; then body, log_records, scope_logs, resource_logs */
        static const uint32_t around[] = {5, 2, 2, 1};
        uint32_t number = i < 2 * depth ? (i % 2 ? 1 : 5) : around[i - 2 * depth];

        if (i == 2 * depth - 1)
            continue; /* the outermost array is the body itself */
        buffer_clear(b);
        protobuf_append_bytes(b, number, buffer_slice(&inner));
        buffer_clear(&inner);
        buffer_append_slice(&inner, buffer_slice(b));
    }
    buffer_release(&inner);
}

static void values_are_nested_up_to_the_limit_of_a_log(void **state)
{
    struct format_run *runs[] = {&pb, &json};
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        buffer_clear(&b);
        append_nested(&b, RECORD_DEPTH_MAX - 1, i == 1);
        assert_int_equal(format_run(runs[i], buffer_slice(&b)), 0);
        assert_int_equal(runs[i]->kept.records_len, 1);
        assert_int_equal(runs[i]->kept.records[0].message.len, 2 * (RECORD_DEPTH_MAX - 1));
        for (size_t depth = RECORD_DEPTH_MAX; depth < 10000; depth *= 4) {
            buffer_clear(&b);
            append_nested(&b, depth, i == 1);
            assert_int_equal(format_run(runs[i], buffer_slice(&b)), LM_EINVAL);
        }
    }
    buffer_release(&b);
}

/* What all logs of a resource have in common is looked at once: it must not be forgotten there. */
static void a_resource_past_a_limit_refuses_the_request(void **state)
{
    static char name[RECORD_NAME_MAX + 2];
    struct buffer b;

    memset(name, 'x', RECORD_NAME_MAX + 1);
    buffer_init(&b, 1 << 20);
    buffer_appendf(&b,
                   "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"m\",\"value\":"
                   "{\"kvlistValue\":{\"values\":[{\"key\":\"%s\"}]}}}]},"
                   "\"scopeLogs\":[{\"logRecords\":[{}]}]}]}",
                   name);
    assert_int_equal(format_run(&json, buffer_slice(&b)), LM_EINVAL);
    buffer_clear(&b);
    buffer_appendf(&b,
                   "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{\"attributes\":[{\"key\":\"%s\"}"
                   "]},\"logRecords\":[{}]}]}]}",
                   name);
    assert_int_equal(format_run(&json, buffer_slice(&b)), LM_EINVAL);
    buffer_release(&b);
}

#ifdef LOGMILL_FAULTS
/* Each allocation fails in turn: what is taken then has all its values. */
static void no_log_is_taken_of_which_a_value_found_no_memory(void **state)
{
    static const char *const captures[] = {"otel-js-proto-0.301.0.bin", "otel-js-json-0.301.0.txt"};
    static const char *const attributes[] = {
        "{" SHOP "," SCOPE "," VALUES "," IDS "," OWN "}",
        "{" SHOP "," SCOPE ",\"body\":" BODY "}",
        "{" SHOP "," SCOPE "}",
    };
    static const struct fault_plan none = {.first = 0};

    for (size_t i = 0; i < 2; i++) {
        struct slice body = format_capture(captures[i]);

        for (unsigned point = 1, failed = 1; failed > 0; point++) {
            struct fault_plan plan = {.kind = FAULT_INPUT, .first = point};
            struct format_run run;

            fault_plan(&plan);
            format_run_begin(&run, i == 0 ? &otlp_protobuf : &otlp_json);
            int error = format_run(&run, body);
            failed = fault_count();
            fault_plan(&none);
            assert_true(!error || error == LM_ENOMEM);
            assert_true(error || run.kept.records_len == 3);
            for (size_t n = 0; n < 3 && n < run.kept.records_len; n++)
                assert_string_equal(run.kept.records[n].attributes.data, attributes[n]);
            format_run_end(&run);
        }
        free((char *)body.data);
    }
}
#endif

/* ---- A request that comes again ---- */

static bool same_keys(struct format_run *run, struct slice body)
{
    struct log_key before[KEPT_MAX];
    size_t n;

    assert_int_equal(format_run(run, body), 0);
    n = run->kept.records_len;
    for (size_t i = 0; i < n; i++)
        before[i] = run->kept.records[i].key;
    assert_int_equal(format_run(run, body), 0);
    assert_int_equal(run->kept.records_len, n);
    for (size_t i = 0; i < n; i++)
        if (log_key_compare(&before[i], &run->kept.records[i].key) != 0)
            return false;
    return true;
}

#define LOGS(logs) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" logs "]}]}]}"

static void a_request_that_comes_again_gives_the_same_logs(void **state)
{
    struct slice python = format_capture("otel-py-1.45.0.bin");

    assert_true(same_keys(&pb, python));
    free((char *)python.data);
    assert_true(same_keys(&json, SLICE_LITERAL(LOGS("{\"timeUnixNano\":1000},"
                                                    "{\"timeUnixNano\":2000}"))));
    assert_false(log_key_compare(&json.kept.records[0].key, &json.kept.records[1].key) == 0);
}

/* Of these nobody knows whether they are the same: none is lost. */
static void a_log_without_a_time_or_with_milliseconds_is_another_each_time(void **state)
{
    assert_false(same_keys(&json, SLICE_LITERAL(LOGS("{},{}"))));
    assert_false(same_keys(&json, SLICE_LITERAL(LOGS("{\"timeUnixNano\":1000}"))));
    assert_false(same_keys(&json, SLICE_LITERAL(LOGS("{\"timeUnixNano\":1000},"
                                                     "{\"timeUnixNano\":1000}"))));
    assert_false(same_keys(&json, SLICE_LITERAL(LOGS("{\"timeUnixNano\":1000000},"
                                                     "{\"timeUnixNano\":2000000}"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sdk_for_javascript_in_both_encodings),
        cmocka_unit_test(the_sdk_for_python),
        cmocka_unit_test(the_sdk_for_java),
        cmocka_unit_test(the_collector_in_both_encodings),
        cmocka_unit_test(no_attribute_of_the_sender_gives_way_to_one_of_ours),
        cmocka_unit_test(a_level_is_a_text_or_a_number),
        cmocka_unit_test(a_time_is_a_number_or_its_text),
        cmocka_unit_test(ids_are_hexadecimal_or_base64),
        cmocka_unit_test(a_body_that_is_no_text_is_kept_and_shown),
        cmocka_unit_test(a_message_within_a_body_is_shown),
        cmocka_unit_test(a_value_is_what_it_says),
        cmocka_unit_test(numbers_beside_a_log_are_kept_unless_they_are_0),
        cmocka_unit_test(a_log_has_its_own_resource_and_scope),
        cmocka_unit_test(a_request_without_logs_is_good),
        cmocka_unit_test(what_is_wrong_is_a_status_in_the_type_of_the_request),
        cmocka_unit_test(a_refusal_is_one_that_clients_try_again_if_that_helps),
        cmocka_unit_test(the_answer_says_nothing_in_the_type_of_the_request),
        cmocka_unit_test(values_are_nested_up_to_the_limit_of_a_log),
        cmocka_unit_test(a_resource_past_a_limit_refuses_the_request),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test(no_log_is_taken_of_which_a_value_found_no_memory),
#endif
        cmocka_unit_test(a_request_that_comes_again_gives_the_same_logs),
        cmocka_unit_test(a_log_without_a_time_or_with_milliseconds_is_another_each_time),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
