/* Loki's push, in protobuf and in both forms of JSON. */
#include "formats/loki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "format_run.h"
#include "formats/loki_labels.h"
#include "formats/protobuf.h"
#include "record/limits.h"

static struct format_run pb, json;

static int set_up(void **state)
{
    format_run_begin(&pb, &loki_protobuf);
    format_run_begin(&json, &loki_json);
    return 0;
}

static int tear_down(void **state)
{
    format_run_end(&pb);
    format_run_end(&json);
    return 0;
}

/* ---- What clients were seen to send ---- */

static void winston_loki_in_both_encodings(void **state)
{
    FORMAT_RUN_CAPTURE(
        &pb, "winston-loki-6.1.7.bin",
        {"info",
         "{\"labels\":{\"job\":\"x\"},\"level\":\"info\",\"message\":\"order 1 placed ✓\",\"n\":1}",
         "2026-11-28T00:51:40.875000Z", "{\"app\":\"shop\",\"job\":\"x\"}"},
        {"error", "{\"err\":\"boom\",\"level\":\"error\",\"message\":\"failed\"}",
         "2026-11-28T00:51:40.876000Z", "{\"app\":\"shop\"}"},
        {"warn", "{\"level\":\"warn\",\"message\":\"line one\\nline two\"}",
         "2026-11-28T00:51:40.876000Z", "{\"app\":\"shop\"}"});
    FORMAT_RUN_CAPTURE(
        &json, "winston-loki-json-6.1.7.txt",
        {"info",
         "{\"labels\":{\"job\":\"x\"},\"level\":\"info\",\"message\":\"order 1 placed ✓\",\"n\":1}",
         "2026-11-28T00:52:50.159000Z", "{\"app\":\"shop\",\"job\":\"x\",\"n\":\"1\"}"},
        {"error", "{\"err\":\"boom\",\"level\":\"error\",\"message\":\"failed\"}",
         "2026-11-28T00:52:50.160000Z", "{\"app\":\"shop\",\"err\":\"boom\"}"},
        {"warn", "{\"level\":\"warn\",\"message\":\"line one\\nline two\"}",
         "2026-11-28T00:52:50.160000Z", "{\"app\":\"shop\"}"});
}

#define LOGGER "\"thread\":\"main\",\"logger\":\"shop.orders\""
#define FAILED                                                                                     \
    "[main] shop.orders - failed\njava.lang.IllegalStateException: boom\n"                         \
    "\tat SlfApp.main(SlfApp.java:7)"

/* Its lines end with a line feed, its streams do not come by their times. */
static void loki4j_in_both_encodings(void **state)
{
    FORMAT_RUN_CAPTURE(
        &pb, "loki4j-proto-2.1.0.bin",
        {"ERROR", FAILED, "2026-11-28T01:16:17.991914Z",
         "{\"app\":\"shop\",\"host\":\"web-1\"," LOGGER ",\"nanoseconds\":232}"},
        {"INFO", "[main] shop.orders - order 1 placed ✓", "2026-11-28T01:16:17.990109Z",
         "{\"app\":\"shop\",\"host\":\"web-1\"," LOGGER ",\"nanoseconds\":217}"},
        {"WARN", "[main] shop.orders - line one\nline two", "2026-11-28T01:16:17.993575Z",
         "{\"app\":\"shop\",\"host\":\"web-1\"," LOGGER ",\"nanoseconds\":883}"});
#define STREAM "\"agent\":\"loki4j\",\"app\":\"default\",\"host\":\"vm\"," LOGGER ",\"user\":\"u1\""
    FORMAT_RUN_CAPTURE(
        &json, "loki4j-2.1.0.txt",
        {"INFO", "[main] shop.orders - order 1 placed ✓", "2026-11-28T01:01:18.332909Z",
         "{" STREAM ",\"nanoseconds\":893}"},
        {"ERROR", FAILED, "2026-11-28T01:01:18.335311Z", "{" STREAM ",\"nanoseconds\":522}"},
        {"WARN", "[main] shop.orders - line one\nline two", "2026-11-28T01:01:18.337340Z",
         "{" STREAM ",\"nanoseconds\":283}"});
}

#define PYTHON "{\"app\":\"shop\",\"logger\":\"orders\""

static void python_logging_loki_in_its_two_versions(void **state)
{
    FORMAT_RUN_CAPTURE(&json, "python-logging-loki-0.3.1.txt",
                       {"info", "order 1 placed ✓", "2026-11-28T00:52:58.166682Z",
                        PYTHON ",\"nanoseconds\":624}"});
    FORMAT_RUN_CAPTURE(&json, "python-logging-loki-v0-0.3.1.txt",
                       {"info", "order 1 placed ✓", "2026-11-28T00:53:45.877376Z", PYTHON "}"});
}

/* The time, level and attributes of the first log of a capture, and how many there are. */
static void expect_first(const char *name, size_t n, const char *level, const char *time,
                         const char *attributes)
{
    struct slice body = format_capture(name);

    assert_int_equal(format_run(&json, body), 0);
    assert_int_equal(json.kept.records_len, n);
    struct slice message = json.kept.records[0].message;
    assert_int_equal(message.data[0], '{');
    assert_int_equal(message.data[message.len - 1], '}');
    char *text = strndup(message.data, message.len);
    format_run_expect(&json, 0, level, text, time, attributes);
    free(text);
    free((char *)body.data);
}

static void pino_loki_and_loki_logger_handler(void **state)
{
    expect_first("pino-loki-3.0.0.txt", 3, "info", "2026-11-28T00:51:00.626000Z",
                 "{\"hostname\":\"vm\",\"app\":\"shop\"}");
    expect_first("loki-logger-handler-meta-1.1.2.decoded.bin", 3, "info",
                 "2026-11-28T00:54:38.316304Z",
                 "{\"app\":\"shop\",\"m\":\"v\",\"nanoseconds\":384}");
}

/* ---- Levels ---- */

/* A push of one entry: `stream` and `metadata` are the members of objects. */
static int run_entry(const char *stream, const char *metadata)
{
    char body[4096];
    int n = snprintf(body, sizeof(body),
                     "{\"streams\":[{\"stream\":{%s},\"values\":[[\"1000\",\"m\",{%s}]]}]}", stream,
                     metadata);

    assert_in_range(n, 1, sizeof(body) - 1);
    return format_run(&json, slice_of(body, (size_t)n));
}

static void expect_entry(const char *stream, const char *metadata, const char *level,
                         const char *attributes)
{
    assert_int_equal(run_entry(stream, metadata), 0);
    assert_int_equal(json.kept.records_len, 1);
    format_run_expect(&json, 0, level, "m", "1970-01-01T00:00:00.000001Z", attributes);
}

static void the_level_is_one_of_three_names_of_metadata_or_labels(void **state)
{
    expect_entry("", "", "info", "");
    expect_entry("\"a\":\"b\"", "", "info", "{\"a\":\"b\"}");
    expect_entry("\"level\":\"warn\"", "", "warn", "");
    expect_entry("\"severity\":\"warn\"", "", "warn", "");
    expect_entry("\"detected_level\":\"warn\"", "", "warn", "");
    expect_entry("\"detected_level\":\"warn\",\"level\":\"error\"", "", "error",
                 "{\"detected_level\":\"warn\"}");
    expect_entry("\"level\":\"warn\"", "\"level\":\"error\"", "error", "");
    expect_entry("\"level\":\"warn\"", "\"severity\":\"error\"", "warn",
                 "{\"severity\":\"error\"}");
    expect_entry("\"severity\":\"\"", "\"level\":\"\"", "info", "");
}

static void other_values_than_texts_keep_their_types(void **state)
{
    expect_entry("\"n\":1,\"level\":30", "\"list\":[true]", "30", "{\"n\":1,\"list\":[true]}");
}

/* ---- Labels in one text ---- */

static void append_label(struct slice name, struct slice value, void *ctx)
{
    struct buffer *b = ctx;

    buffer_append_slice(b, name);
    buffer_append_char(b, '=');
    buffer_append_slice(b, value);
    buffer_append_char(b, ';');
}

static void labels_are_read_as_go_quotes_them(void **state)
{
    static const struct {
        const char *text, *labels; /* NULL: refused */
    } cases[] = {
        {"{}", ""},
        {" { } ", ""},
        {"{a=\"b\"}", "a=b;"},
        {"{a=\"b\", c = \"d\" ,}", "a=b;c=d;"},
        {"{a=\"\"}", "a=;"},
        {"{a=\"x\\\"y\\\\\\n\\t}\"}", "a=x\"y\\\n\t};"},
        {"{a=\"\\u2713\\U0001F600\\xe2\\x9c\\x93\"}", "a=✓😀✓;"},
        {"", NULL},
        {"a=\"b\"", NULL},
        {"{a=\"b\"", NULL},
        {"{a=\"b}", NULL},
        {"{a=b}", NULL},
        {"{=\"b\"}", NULL},
        {"{a=\"b\" c=\"d\"}", NULL},
        {"{a=\"b\"}x", NULL},
        {"{a=\"\\", NULL},
        {"{a=\"\\x4\"}", NULL},
        {"{a=\"\\ud800\"}", NULL},
        {"{a=\"\\U00110000\"}", NULL},
        {"{a=\"\\q\"}", NULL},
        {"{,}", NULL},
    };
    struct buffer room, got;

    buffer_init(&room, 64);
    buffer_init(&got, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice text = slice_of_string(cases[i].text);
        char *exact = malloc(text.len ? text.len : 1);

        assert_non_null(exact);
        memcpy(exact, text.data, text.len);
        buffer_clear(&got);
        int error = loki_labels_read(slice_of(exact, text.len), &room, append_label, &got);
        assert_int_equal(error, cases[i].labels ? 0 : LM_EINVAL);
        if (!error)
            assert_true(slice_equal(buffer_slice(&got), slice_of_string(cases[i].labels)));
        free(exact);
    }
    buffer_release(&room);
    buffer_release(&got);
}

static void labels_that_cannot_be_read_are_kept_as_they_are(void **state)
{
    static const char body[] = "{\"streams\":[{\"labels\":\"{a=\\\"b\\\",c}\",\"entries\":["
                               "{\"ts\":\"1970-01-01T00:00:01Z\",\"line\":\"m\"}]}]}";

    assert_int_equal(format_run(&json, SLICE_LITERAL(body)), 0);
    assert_int_equal(json.kept.records_len, 1);
    format_run_expect(&json, 0, "info", "m", "1970-01-01T00:00:01.000000Z",
                      "{\"labels\":\"{a=\\\"b\\\",c}\"}");
}

/* ---- What can never be a log ---- */

static void an_entry_that_can_never_be_is_left_out_and_counted(void **state)
{
    static const char body[] =
        "{\"streams\":[5,{\"values\":7},{\"stream\":{\"a\":\"b\"},\"values\":["
        "[\"1000\",\"first\"],"
        "[\"yesterday\",\"m\"],[\"\",\"m\"],[\"-\",\"m\"],[\"99999999999999999999\",\"m\"],"
        "[\"1000\",5],[\"1000\"],\"m\",null,"
        "[\"2000\",\"last\"]]},"
        "{\"labels\":\"{}\",\"entries\":[{\"ts\":5,\"line\":5},{\"ts\":\"never\",\"line\":\"m\"},{}"
        ",1]}"
        "]}";

    assert_int_equal(format_run(&json, SLICE_LITERAL(body)), 0);
    assert_int_equal(json.kept.records_len, 2);
    format_run_expect(&json, 0, "info", "first", "1970-01-01T00:00:00.000001Z", "{\"a\":\"b\"}");
    format_run_expect(&json, 1, "info", "last", "1970-01-01T00:00:00.000002Z", "{\"a\":\"b\"}");
    assert_int_equal(json.counts.refused, 2 + 8 + 4);
}

static void labels_past_a_limit_leave_out_their_stream_alone(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "{\"streams\":[{\"stream\":{\"");
    for (size_t i = 0; i <= RECORD_NAME_MAX; i++)
        buffer_append_char(&b, 'x');
    buffer_append_string(&b, "\":\"v\"},\"values\":[[\"1\",\"m\"],[\"1\",\"m\"]]},"
                             "{\"stream\":{\"a\":\"b\"},\"values\":[[\"1000\",\"m\"]]}]}");
    assert_int_equal(format_run(&json, buffer_slice(&b)), 0);
    assert_int_equal(json.kept.records_len, 1);
    assert_int_equal(json.counts.refused, 2);
    format_run_expect(&json, 0, "info", "m", "1970-01-01T00:00:00.000001Z", "{\"a\":\"b\"}");
    buffer_release(&b);
}

/* A block of literals of up to 60 bytes. */
static void append_block(struct buffer *b, struct slice original)
{
    size_t len = original.len;

    for (; len >= 0x80; len >>= 7)
        buffer_append_char(b, (char)(len | 0x80));
    buffer_append_char(b, (char)len);
    while (original.len) {
        size_t n = original.len < 60 ? original.len : 60;

        buffer_append_char(b, (char)((n - 1) << 2));
        buffer_append(b, original.data, n);
        original = slice_of(original.data + n, original.len - n);
    }
}

/* Runs a push of one stream, whose bytes are in `stream`. */
static int run_stream(const struct buffer *stream)
{
    struct buffer push, block;

    buffer_init(&push, 1 << 20);
    buffer_init(&block, 1 << 20);
    protobuf_append_bytes(&push, 1, buffer_slice(stream));
    append_block(&block, buffer_slice(&push));
    int error = format_run(&pb, buffer_slice(&block));
    buffer_release(&push);
    buffer_release(&block);
    return error;
}

static void append_entry(struct buffer *stream, uint64_t seconds, uint64_t nanos, bool has_time)
{
    struct buffer time, entry;

    buffer_init(&time, 64);
    buffer_init(&entry, 256);
    protobuf_append_varint(&time, 1, seconds);
    protobuf_append_varint(&time, 2, nanos);
    protobuf_append_bytes(&entry, 2, SLICE_LITERAL("m"));
    if (has_time)
        protobuf_append_bytes(&entry, 1, buffer_slice(&time));
    protobuf_append_bytes(stream, 2, buffer_slice(&entry));
    buffer_release(&time);
    buffer_release(&entry);
}

static void fields_of_protobuf_come_in_any_order(void **state)
{
    struct buffer stream;

    buffer_init(&stream, 1 << 10);
    append_entry(&stream, 1, 2003, true);
    append_entry(&stream, 0, 0, false);
    append_entry(&stream, 1, 1000000000, true);
    append_entry(&stream, UINT64_MAX, UINT64_MAX, true);
    append_entry(&stream, UINT64_C(1) << 60, 0, true);
    append_entry(&stream, UINT64_MAX, 0, true);
    protobuf_append_bytes(&stream, 1, SLICE_LITERAL("{a=\"b\"}"));
    assert_int_equal(run_stream(&stream), 0);
    assert_int_equal(pb.kept.records_len, 3);
    assert_int_equal(pb.counts.refused, 3);
    format_run_expect(&pb, 0, "info", "m", "1970-01-01T00:00:01.000002Z",
                      "{\"a\":\"b\",\"nanoseconds\":3}");
    format_run_expect(&pb, 1, "info", "m", NULL, "{\"a\":\"b\"}");
    format_run_expect(&pb, 2, "info", "m", "1969-12-31T23:59:59.000000Z", "{\"a\":\"b\"}");
    buffer_release(&stream);
}

static void what_is_no_push_is_refused_in_words(void **state)
{
    static const struct {
        struct format_run *run;
        struct slice body;
        const char *words;
    } cases[] = {
        {&pb, SLICE_LITERAL("{\"streams\":[]}"), "not protobuf in a block of snappy\n"},
        {&pb, SLICE_LITERAL("\x02\x04\x0a\x05"),
         "not Loki's protobuf: a text or message goes on behind the end\n"},
        {&json, SLICE_LITERAL("{}"), "there is no array \"streams\"\n"},
        {&json, SLICE_LITERAL("[1"), "not JSON: Expecting ',' delimiter (character 2)\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(format_run(cases[i].run, cases[i].body), LM_EINVAL);
        assert_true(
            slice_equal(buffer_slice(&cases[i].run->wrong), slice_of_string(cases[i].words)));
    }
    assert_int_equal(format_run(&json, SLICE_LITERAL("{\"streams\":[]}")), 0);
}

/* ---- Answers ---- */

static void the_answer_is_empty_and_a_refusal_is_a_line(void **state)
{
    static const unsigned statuses[] = {503, 413, 400};
    struct format_taken taken = {.records = 5};
    struct buffer b;

    buffer_init(&b, FORMAT_ANSWER_BYTES);
    assert_int_equal(loki_json.answer(&taken, &b).status, 204);
    assert_int_equal(b.len, 0);
    for (size_t i = 0; i < 3; i++) {
        buffer_clear(&b);
        struct format_answer answer =
            loki_protobuf.refuse((enum format_refusal)i, SLICE_LITERAL("no room"), &b);
        assert_int_equal(answer.status, statuses[i]);
        assert_string_equal(answer.content_type, "text/plain; charset=utf-8");
        assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("no room\n")));
    }
    buffer_release(&b);
}

/* ---- A push that comes again ---- */

/* Whether the logs of a push of two entries, `nanos` apart, are the same if it comes again. */
static bool protobuf_is_known(uint64_t nanos)
{
    struct log_key before[2];
    struct buffer stream;

    buffer_init(&stream, 1 << 20);
    protobuf_append_bytes(&stream, 1, SLICE_LITERAL("{a=\"b\"}"));
    append_entry(&stream, 1, 123456, true);
    append_entry(&stream, 1, 123456 + nanos, true);
    assert_int_equal(run_stream(&stream), 0);
    for (size_t i = 0; i < 2; i++)
        before[i] = pb.kept.records[i].key;
    assert_int_equal(run_stream(&stream), 0);
    buffer_release(&stream);
    return log_key_compare(&before[0], &pb.kept.records[0].key) == 0 &&
           log_key_compare(&before[1], &pb.kept.records[1].key) == 0;
}

static void a_push_that_comes_again_gives_the_same_logs(void **state)
{
#define AT(first, second)                                                                          \
    "{\"streams\":[{\"stream\":{},\"values\":[[\"" first "\",\"m\"],[\"" second "\",\"m\"]]}]}"
#define OLD(first, second)                                                                         \
    "{\"streams\":[{\"labels\":\"{}\",\"entries\":[{\"ts\":\"" first "\",\"line\":\"m\"},"         \
    "{\"ts\":\"" second "\",\"line\":\"m\"}]}]}"
    assert_true(protobuf_is_known(20000));
    assert_false(protobuf_is_known(0));
    assert_false(protobuf_is_known(4000000)); /* a clock that ticks every 4 ms, perhaps */
    assert_true(format_run_is_known(&json, AT("1000123456", "1000143456")));
    assert_false(format_run_is_known(&json, AT("1000123456", "1000123456")));
    assert_true(format_run_is_known(
        &json, OLD("2026-11-28T01:00:00.123456Z", "2026-11-28T01:00:00.123476Z")));
    assert_false(format_run_is_known(
        &json, OLD("2026-11-28T01:00:00.123456Z", "2026-11-28T01:00:00.123456Z")));
}

static void a_packed_push_tells_how_large_it_was(void **state)
{
    struct slice body = format_capture("loki4j-proto-2.1.0.bin");

    assert_int_equal(format_run(&pb, body), 0);
    assert_true(pb.counts.unpacked > body.len); /* its memory may be freed by that */
    free((char *)body.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winston_loki_in_both_encodings),
        cmocka_unit_test(loki4j_in_both_encodings),
        cmocka_unit_test(python_logging_loki_in_its_two_versions),
        cmocka_unit_test(pino_loki_and_loki_logger_handler),
        cmocka_unit_test(the_level_is_one_of_three_names_of_metadata_or_labels),
        cmocka_unit_test(other_values_than_texts_keep_their_types),
        cmocka_unit_test(labels_are_read_as_go_quotes_them),
        cmocka_unit_test(labels_that_cannot_be_read_are_kept_as_they_are),
        cmocka_unit_test(an_entry_that_can_never_be_is_left_out_and_counted),
        cmocka_unit_test(labels_past_a_limit_leave_out_their_stream_alone),
        cmocka_unit_test(fields_of_protobuf_come_in_any_order),
        cmocka_unit_test(what_is_no_push_is_refused_in_words),
        cmocka_unit_test(the_answer_is_empty_and_a_refusal_is_a_line),
        cmocka_unit_test(a_push_that_comes_again_gives_the_same_logs),
        cmocka_unit_test(a_packed_push_tells_how_large_it_was),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
