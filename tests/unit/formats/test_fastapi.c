#include "formats/fastapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "../cmocka_all.h"
#include "../record/deep_log.h"
#include "../record/kept_records.h"
#include "../vectors.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "record/limits.h"
#include "json/writer.h"

#define ID "01934567-89ab-7cde-8f01-23456789abcd"
static const int64_t ID_US = INT64_C(0x0193456789ab) * 1000;

/* One memory for all tests, as a thread has one for all its requests. */
static void *memory;
static struct buffer errors;
static struct kept kept = {.fail_at = -1};
static struct format_counts counts;

static int set_up(void **state)
{
    memory = fastapi_log.memory_new(NULL);
    buffer_init(&errors, 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    fastapi_log.memory_free(memory);
    buffer_release(&errors);
    kept_forget(&kept);
    return 0;
}

/* Parses `body` into `kept`, `counts` and `errors`, which is then terminated. */
static int parse(const struct format *format, struct slice body)
{
    int fail_at = kept.fail_at;

    kept_forget(&kept);
    kept.fail_at = fail_at;
    /* In memory of its own size, so that a look beyond its end is found out. */
    struct slice exact = {malloc(body.len ? body.len : 1), body.len};
    assert_non_null(exact.data);
    if (body.len)
        memcpy((char *)exact.data, body.data, body.len);
    int error = format->parse(exact, &(struct format_options){.memory = memory, .wrong = &errors},
                              kept_sink, &kept, &counts);
    free((char *)exact.data);
    buffer_append_char(&errors, '\0');
    assert_int_equal(counts.records, kept.records_len);
    return error;
}

static int parse_text(const struct format *format, const char *body)
{
    return parse(format, slice_of_string(body));
}

static void assert_one(const char *body, const char *level, const char *message,
                       const char *attributes)
{
    assert_int_equal(parse_text(&fastapi_log, body), 0);
    assert_int_equal(kept.records_len, 1);
    assert_string_equal(kept.records[0].level.data, level);
    assert_string_equal(kept.records[0].message.data, message);
    assert_string_equal(kept.records[0].attributes.data, attributes);
}

static void assert_attributes(const char *members, const char *attributes)
{
    char body[1024];

    snprintf(body, sizeof(body), "{\"message\":\"m\",\"level\":\"l\"%s}", members);
    assert_one(body, "l", "m", attributes);
}

static void assert_refused(const struct format *format, const char *body, const char *expected)
{
    assert_int_equal(parse_text(format, body), LM_EINVAL);
    assert_string_equal(errors.data, expected);
}

/* The same as the original. */

static const char *text_at(yyjson_val *object, const char *name)
{
    return yyjson_get_str(yyjson_obj_get(object, name));
}

static void assert_same_log(const char *name, yyjson_val *expected, const struct record *r)
{
    yyjson_val *timestamp = yyjson_obj_get(expected, "timestamp");
    const char *id = text_at(expected, "id");
    char got[UUID_TEXT_LEN + 1] = "";

    uuid_format(&r->key.id, got);
    if (!slice_equal(json_text(yyjson_obj_get(expected, "message")), r->message) ||
        !slice_equal(json_text(yyjson_obj_get(expected, "level")), r->level))
        fail_msg("%s: another message or level", name);
    if (yyjson_is_int(timestamp) && yyjson_get_sint(timestamp) != r->key.timestamp_us)
        fail_msg("%s: timestamp is %lld", name, (long long)r->key.timestamp_us);
    if (id && strcmp(id, got) != 0)
        fail_msg("%s: id is %s", name, got);
}

static void assert_same_answer(const char *name, yyjson_val *vector, int error)
{
    yyjson_val *expected = yyjson_obj_get(vector, "response");

    if (yyjson_get_int(yyjson_obj_get(vector, "status")) == 422) {
        yyjson_doc *doc = yyjson_read(errors.data, strlen(errors.data), YYJSON_READ_BIGNUM_AS_RAW);
        if (error != LM_EINVAL || !yyjson_equals(yyjson_doc_get_root(doc), expected))
            fail_msg("%s: %s", name, errors.data);
        yyjson_doc_free(doc);
        return;
    }
    yyjson_val *logs = yyjson_obj_get(vector, "logs");
    if (error || kept.records_len != yyjson_arr_size(logs))
        fail_msg("%s: refused: %s", name, errors.data);
    for (size_t i = 0; i < kept.records_len; i++)
        assert_same_log(name, yyjson_arr_get(logs, i), &kept.records[i]);
}

/*
 * True where the original takes a time that the years 1 to 9999 UTC do not hold: one whose zone
 * leads out of them, or that of an id. Here such a log is refused.
 */
static bool is_beyond_time(yyjson_val *vector, struct slice body)
{
    yyjson_val *log = yyjson_arr_get_first(yyjson_obj_get(vector, "logs"));
    yyjson_val *timestamp = yyjson_obj_get(log, "timestamp");

    if (yyjson_is_int(timestamp))
        return yyjson_get_sint(timestamp) < TIMESTAMP_MIN_US ||
               yyjson_get_sint(timestamp) > TIMESTAMP_MAX_US;
    return memmem(body.data, body.len, "ffffffff-ffff-7fff", 18);
}

static void every_answer_is_that_of_the_original(void **state)
{
    yyjson_doc *doc = vectors_read("fastapi.json");
    yyjson_arr_iter iter = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    size_t compared = 0;

    for (yyjson_val *vector; (vector = yyjson_arr_iter_next(&iter));) {
        const char *path = text_at(vector, "path");
        const char *type = text_at(yyjson_obj_get(vector, "headers"), "content-type");
        struct slice body = json_text(yyjson_obj_get(vector, "body"));
        bool one = strcmp(path, "/log") == 0;
        if (strcmp(text_at(vector, "method"), "POST") != 0 || !type ||
            strcmp(type, "application/json") != 0 || (!one && strcmp(path, "/logs") != 0) ||
            yyjson_obj_get(vector, "differs"))
            continue;
        int error = parse(one ? &fastapi_log : &fastapi_logs, body);
        if (is_beyond_time(vector, body))
            assert_int_equal(error, LM_EINVAL);
        else
            assert_same_answer(text_at(vector, "name"), vector, error);
        compared++;
    }
    yyjson_doc_free(doc);
    assert_true(compared > 400);
}

/* Fields. */

static void what_a_log_does_not_give_is_its_arrival(void **state)
{
    int64_t before = clock_wall_us();

    assert_one("{\"message\":\"m\",\"level\":\"Info\"}", "Info", "m", "");
    struct log_key key = kept.records[0].key;
    assert_in_range(key.timestamp_us, before - 1000000, clock_wall_us());
    assert_true(uuid_is_v7(&key.id));
    assert_int_equal(uuid7_ms(&key.id), key.timestamp_us / 1000);

    assert_one("{\"message\":\"m\",\"level\":\"l\",\"timestamp\":\"1950-01-01\",\"id\":null}", "l",
               "m", "");
    assert_int_equal(kept.records[0].key.timestamp_us, INT64_C(-631152000000000));
    assert_int_equal(uuid7_ms(&kept.records[0].key.id), 0);
}

static void logs_of_one_body_ascend_in_their_order(void **state)
{
    assert_int_equal(parse_text(&fastapi_logs, "[{\"message\":\"1\",\"level\":\"l\"},"
                                               "{\"message\":\"2\",\"level\":\"l\"},"
                                               "{\"message\":\"3\",\"level\":\"l\"}]"),
                     0);
    assert_int_equal(kept.records_len, 3);
    for (size_t i = 1; i < 3; i++)
        assert_true(log_key_compare(&kept.records[i - 1].key, &kept.records[i].key) < 0);
}

static void an_id_alone_is_the_timestamp_too(void **state)
{
    char text[UUID_TEXT_LEN + 1] = "";

    assert_attributes(",\"id\":\"" ID "\"", "");
    assert_int_equal(kept.records[0].key.timestamp_us, ID_US);
    uuid_format(&kept.records[0].key.id, text);
    assert_string_equal(text, ID);
    /* The last millisecond that a timestamp can tell, and the first it cannot. */
    assert_attributes(",\"id\":\"e677d21f-dbff-7000-8000-000000000000\"", "");
    assert_int_equal(kept.records[0].key.timestamp_us, TIMESTAMP_MAX_US - 999);
    assert_refused(
        &fastapi_log,
        "{\"message\":\"m\",\"level\":\"l\",\"id\":\"e677d21f-dc00-7000-8000-000000000000\"}",
        "{\"detail\":[{\"type\":\"id_timestamp_range\",\"loc\":[\"body\",\"id\"],"
        "\"msg\":\"The time in the id is after the year 9999\","
        "\"input\":\"e677d21f-dc00-7000-8000-000000000000\"}]}");
}

static void an_infinite_time_is_refused(void **state)
{
    assert_int_equal(
        parse_text(&fastapi_log, "{\"message\":\"m\",\"level\":\"l\",\"timestamp\":1e400}"),
        LM_EINVAL);
    assert_non_null(strstr(errors.data, "\"type\":\"datetime_parsing\""));
    assert_non_null(strstr(errors.data, "\"input\":1e400"));
}

static void other_members_are_attributes(void **state)
{
    assert_attributes("", "");
    assert_attributes(", \"a\" : 1.50 , \"b\" : [ { \"c\" : null } ] , \"\" : \"\\u00e9\"",
                      "{\"a\":1.50,\"b\":[{\"c\":null}],\"\":\"é\"}");
    assert_attributes(",\"Message\":1,\"ids\":2,\"time_stamp\":3,\"lever\":4",
                      "{\"Message\":1,\"ids\":2,\"time_stamp\":3,\"lever\":4}");
    assert_attributes(",\"n\":123456789012345678901234567890e-5",
                      "{\"n\":123456789012345678901234567890e-5}");
}

static void the_last_member_of_a_name_counts(void **state)
{
    assert_one("{\"message\":5,\"\\u006dessage\":\"m\",\"level\":\"a\",\"level\":\"b\"}", "b", "m",
               "");
    assert_attributes(",\"a\":1,\"b\":2,\"a\":{\"x\":1,\"x\":2}", "{\"b\":2,\"a\":{\"x\":2}}");
}

static void what_we_answer_can_be_sent_again(void **state)
{
    assert_attributes(",\"attributes\":{}", "");
    assert_attributes(",\"attributes\":{\"a\":1},\"b\":2", "{\"b\":2,\"a\":1}");
    assert_attributes(",\"attributes\":{\"message\":1,\"attributes\":{\"x\":1}}",
                      "{\"message\":1,\"attributes\":{\"x\":1}}");
    assert_attributes(",\"attributes\":[1]", "{\"attributes\":[1]}");
    assert_attributes(",\"attributes\":{\"a\":1},\"attributes\":{\"b\":2}", "{\"b\":2}");
    assert_attributes(",\"a\":1,\"attributes\":{\"a\":2}", "{\"a\":2}");
}

/* Characters. */

static void nul_is_replaced_and_counted(void **state)
{
    assert_one("{\"message\":\"a\\u0000b\\u0000\",\"level\":\"\\u0000\",\"x\\u0000\":[\"\\u0000\"],"
               "\"y\":\"\\\\u0000 \\\\\\u0000\"}",
               "\xef\xbf\xbd",
               "a\xef\xbf\xbd"
               "b\xef\xbf\xbd",
               "{\"x\xef\xbf\xbd\":[\"\xef\xbf\xbd\"],"
               "\"y\":\"\\\\u0000 \\\\\xef\xbf\xbd\"}");
    assert_int_equal(counts.nul_characters, 6);
    assert_one("{\"message\":\"m\",\"level\":\"l\"}", "l", "m", "");
    assert_int_equal(counts.nul_characters, 0);
}

static void an_error_shows_nul_as_it_was_sent(void **state)
{
    assert_refused(&fastapi_log, "{\"message\":[\"\\u0000\"],\"level\":\"l\"}",
                   "{\"detail\":[{\"type\":\"string_type\",\"loc\":[\"body\",\"message\"],"
                   "\"msg\":\"Input should be a valid string\",\"input\":[\"\\u0000\"]}]}");
    /* Each error once, and the items after it are looked at all the same. */
    assert_int_equal(parse_text(&fastapi_lines,
                                "{\"message\":\"\\u0000\"}\n[\"\\u0000\"]\n5\n{\"level\":\"l\"}"),
                     LM_EINVAL);
    assert_int_equal(kept.records_len, 0);
    assert_string_equal(
        errors.data,
        "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",0,\"level\"],\"msg\":\"Field "
        "required\",\"input\":{\"message\":\"\\u0000\"}},"
        "{\"type\":\"model_attributes_type\",\"loc\":[\"body\",1],\"msg\":\"Input should be a "
        "valid "
        "dictionary or object to extract fields from\",\"input\":[\"\\u0000\"]},"
        "{\"type\":\"model_attributes_type\",\"loc\":[\"body\",2],\"msg\":\"Input should be a "
        "valid "
        "dictionary or object to extract fields from\",\"input\":5},"
        "{\"type\":\"missing\",\"loc\":[\"body\",3,\"message\"],\"msg\":\"Field "
        "required\",\"input\":{\"level\":\"l\"}}]}");
}

static void what_is_no_unicode_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "\xff",
        "\xc0\x80",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xe2\x82",
        "\x80",
        "\xf8\x88\x80\x80",
        "\\ud800",
        "\\udc00\\ud800",
        "\\udfff",
        "\\ud800\\n",
        "\\ud800\\u0041",
        "\\u12",
        "\n",
        "\x1f",
    };
    static const char *const places[] = {
        "{\"message\":\"%s\",\"level\":\"l\"}",
        "{\"message\":\"m\",\"level\":\"%s\"}",
        "{\"message\":\"m\",\"level\":\"l\",\"%s\":1}",
        "{\"message\":\"m\",\"level\":\"l\",\"x\":[{\"y\":\"z%s\"}]}",
    };
    char body[256];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        for (size_t j = 0; j < sizeof(places) / sizeof(*places); j++) {
            const char *hole = strstr(places[j], "%s");
            snprintf(body, sizeof(body), "%.*s%s%s", (int)(hole - places[j]), places[j], bad[i],
                     hole + 2);
            assert_int_equal(parse_text(&fastapi_log, body), LM_EINVAL);
            assert_non_null(strstr(errors.data, "\"type\":\"json_invalid\""));
            assert_int_equal(kept.records_len, 0);
        }
    }
}

static void a_byte_order_mark_is_skipped(void **state)
{
    assert_one("\xef\xbb\xbf{\"message\":\"m\",\"level\":\"l\"}", "l", "m", "");
    assert_int_equal(
        parse_text(&fastapi_lines, "\xef\xbb\xbf{\"message\":\"m\",\"level\":\"l\"}\n"), 0);
}

/* Bodies of many logs. */

static void nothing_but_errors_comes_from_an_array_with_errors(void **state)
{
    kept.fail_at = 1; /* once an item is wrong, the sink gets no more */
    assert_refused(
        &fastapi_logs,
        "[{\"message\":\"m\",\"level\":\"l\"},{\"level\":1},7,{\"message\":\"m\",\"level\":\"l\"}]",
        "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",1,\"message\"],\"msg\":\"Field "
        "required\",\"input\":{\"level\":1}},"
        "{\"type\":\"string_type\",\"loc\":[\"body\",1,\"level\"],\"msg\":\"Input should be a "
        "valid "
        "string\",\"input\":1},"
        "{\"type\":\"model_attributes_type\",\"loc\":[\"body\",2],\"msg\":\"Input should be a "
        "valid "
        "dictionary or object to extract fields from\",\"input\":7}]}");
    kept.fail_at = -1;
}

static void the_error_of_the_sink_ends_the_parse(void **state)
{
    kept.fail_at = 1;
    assert_int_equal(parse_text(&fastapi_lines, "{\"message\":\"1\",\"level\":\"l\"}\n"
                                                "{\"message\":\"2\",\"level\":\"l\"}\nx"),
                     LM_EFULL);
    assert_int_equal(parse_text(&fastapi_logs, "[{\"message\":\"1\",\"level\":\"l\"},"
                                               "{\"message\":\"2\",\"level\":\"l\"},x]"),
                     LM_EINVAL);
    assert_int_equal(parse_text(&fastapi_logs, "[{\"message\":\"1\",\"level\":\"l\"},"
                                               "{\"message\":\"2\",\"level\":\"l\"},1]"),
                     LM_EFULL);
    kept.fail_at = -1;
}

static void lines_are_logs_and_blank_lines_are_skipped(void **state)
{
    assert_int_equal(parse_text(&fastapi_lines, "\n \t\r\n{\"message\":\"1\",\"level\":\"l\"}\r\n"
                                                "\n  {\"message\":\"2\",\"level\":\"l\"}  "),
                     0);
    assert_int_equal(kept.records_len, 2);
    assert_string_equal(kept.records[1].message.data, "2");
    assert_int_equal(parse_text(&fastapi_lines, "\n"), 0);
    assert_int_equal(parse_text(&fastapi_logs, " [ ] "), 0);
    assert_int_equal(kept.records_len, 0);
    assert_refused(&fastapi_lines, "",
                   "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field "
                   "required\",\"input\":null}]}");
}

static void an_error_in_a_line_tells_the_line_and_the_place_in_it(void **state)
{
    assert_refused(
        &fastapi_lines, "{\"message\":\"m\",\"level\":\"l\"}\n\n{\"a\" 1}\n{\"message\":\"é\"]\n",
        "{\"detail\":[{\"type\":\"json_invalid\",\"loc\":[\"body\",1,5],\"msg\":\"JSON "
        "decode error\",\"input\":{},\"ctx\":{\"error\":\"Expecting ':' delimiter\"}},"
        "{\"type\":\"json_invalid\",\"loc\":[\"body\",2,14],\"msg\":\"JSON "
        "decode error\",\"input\":{},\"ctx\":{\"error\":\"Expecting ',' delimiter\"}}]}");
}

static void a_log_may_be_so_deep_wherever_it_stands(void **state)
{
    static const struct {
        const struct format *format;
        const char *before;
        const char *after;
    } places[] = {
        {&fastapi_log, "", ""},
        {&fastapi_logs, "[", "]"},
        {&fastapi_lines, "\n", "\n"},
    };
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        assert_int_equal(parse(places[i].format,
                               deep_log(&b, places[i].before, RECORD_DEPTH_MAX, places[i].after)),
                         0);
        assert_int_equal(kept.records_len, 1);
        assert_int_equal(parse(places[i].format, deep_log(&b, places[i].before,
                                                          RECORD_DEPTH_MAX + 1, places[i].after)),
                         LM_EINVAL);
        assert_non_null(strstr(errors.data, "json_invalid"));
        assert_int_equal(
            parse(places[i].format, deep_log(&b, places[i].before, 100000, places[i].after)),
            LM_EINVAL);
    }
    buffer_release(&b);
}

static void a_large_body_is_parsed_as_a_small_one(void **state)
{
    struct buffer b;

    for (size_t size = 1; size <= 4 << 20; size *= 4) {
        buffer_init(&b, 16 << 20);
        buffer_append_string(&b, "{\"level\":\"l\",\"a\":{\"b\":\"");
        for (size_t i = 0; i < size; i++)
            buffer_append_char(&b, i % 50 ? 'x' : '\x7f');
        buffer_append_string(&b, "\"},\"message\":\"");
        for (size_t i = 0; i < size; i++)
            buffer_append_char(&b, 'y');
        buffer_append_string(&b, "\"}");
        assert_int_equal(parse(&fastapi_log, buffer_slice(&b)), 0);
        assert_int_equal(kept.records[0].message.len, size);
        buffer_release(&b);
    }
}

static void objects_of_very_many_members_take_no_long_time(void **state)
{
    struct buffer b;

    buffer_init(&b, 16 << 20);
    buffer_append_string(&b, "{\"message\":\"m\",\"level\":\"l\"");
    for (int i = 0; i < 300000; i++)
        buffer_appendf(&b, ",\"%x\":0", i % 200000);
    buffer_append_string(&b, "}");
    uint64_t start = clock_monotonic_us();
    assert_int_equal(parse(&fastapi_log, buffer_slice(&b)), 0);
    assert_true(clock_monotonic_us() - start < 10000000);
    buffer_release(&b);
}

/* {"message":"m","level":"l","NAME":VALUE} */
static const char *log_with(const char *name, const char *value)
{
    static struct buffer b = {.ceiling = 1 << 20};

    buffer_clear(&b);
    buffer_append_string(&b, "{\"message\":\"m\",\"level\":\"l\",\"");
    buffer_append_string(&b, name);
    buffer_append_string(&b, "\":");
    buffer_append_string(&b, value);
    buffer_append(&b, "}", 2);
    return b.data;
}

/* Attributes are as deep in an answer of ours as in what a client sends. */
static void the_deepest_log_can_be_sent_again_as_it_is_read(void **state)
{
    struct buffer b;
    struct buffer answer;

    buffer_init(&b, 1 << 20);
    buffer_init(&answer, 1 << 20);
    for (int more = 0; more < 2; more++) {
        size_t depth = RECORD_DEPTH_MAX + (size_t)more;

        deep_log(&b, "", depth, "");
        buffer_clear(&answer);
        buffer_append_string(&answer, "[{\"message\":\"m\",\"level\":\"l\",\"attributes\":");
        buffer_append_slice(&answer, buffer_slice(&b));
        buffer_append_string(&answer, "}]");
        assert_int_equal(parse(&fastapi_logs, buffer_slice(&answer)), more ? LM_EINVAL : 0);
        if (more)
            assert_non_null(strstr(errors.data, "Nested too deeply"));
    }
    buffer_release(&answer);
    buffer_release(&b);
}

static void what_is_nested_too_deeply_is_all_that_is_told_of_it(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t depth = RECORD_DEPTH_MAX + 1; depth <= 1000; depth += 871) {
        deep_log(&b, "[{\"level\":1},{\"message\":[],\"x\":", depth, "}]");
        assert_int_equal(parse(&fastapi_logs, buffer_slice(&b)), LM_EINVAL);
        assert_non_null(strstr(errors.data, "{\"detail\":[{\"type\":\"json_invalid\""));
        assert_null(strstr(errors.data, "\"string_type\""));
    }
    buffer_release(&b);
}

static void a_number_that_not_every_store_takes_is_refused_at_its_place(void **state)
{
    assert_refused(
        &fastapi_log, log_with("a", "{\"b\":[0,1e131071,{\"c\":1e131072}]}"),
        "{\"detail\":[{\"type\":\"decimal_whole_digits\",\"loc\":[\"body\",\"a\",\"b\",2,\"c\"],"
        "\"msg\":\"Decimal input should have no more than 131072 digits before the decimal point\","
        "\"input\":1e131072,\"ctx\":{\"whole_digits\":131072}}]}");
    assert_refused(
        &fastapi_log, log_with("attributes", "{\"a\":1e-16384}"),
        "{\"detail\":[{\"type\":\"decimal_max_places\",\"loc\":[\"body\",\"attributes\",\"a\"],"
        "\"msg\":\"Decimal input should have no more than 16383 decimal places\","
        "\"input\":1e-16384,\"ctx\":{\"decimal_places\":16383}}]}");
    assert_refused(&fastapi_log, log_with("a", "[1e131071,1e131071,1e309]"),
                   "{\"detail\":[{\"type\":\"decimal_max_digits\",\"loc\":[\"body\",\"a\",2],"
                   "\"msg\":\"Decimal input should have no more than 262144 digits in total\","
                   "\"input\":1e309,\"ctx\":{\"max_digits\":262144}}]}");
    assert_int_equal(parse_text(&fastapi_log, log_with("a", "[1e131071,1e-16383]")), 0);
    assert_string_equal(kept.records[0].attributes.data, "{\"a\":[1e131071,1e-16383]}");
    /* As everywhere, the last of one name counts. */
    assert_int_equal(parse_text(&fastapi_log, log_with("a", "1e999999,\"a\":1")), 0);
}

static void a_log_of_very_many_values_is_refused(void **state)
{
    struct buffer b;
    const int others = 6 + 1; /* names and values; "a" and its array are two of them */

    buffer_init(&b, 16 << 20);
    for (int more = 0; more < 2; more++) {
        buffer_clear(&b);
        buffer_append_string(&b, "{\"message\":\"m\",\"level\":\"l\",\"a\":[0");
        for (int i = 0; i < RECORD_VALUES_MAX - others + more; i++)
            buffer_append_string(&b, ",0");
        buffer_append_string(&b, "]}");
        assert_int_equal(parse(&fastapi_log, buffer_slice(&b)), more ? LM_EINVAL : 0);
        if (more)
            assert_non_null(strstr(errors.data, "\"type\":\"too_long\",\"loc\":[\"body\"]"));
    }
    buffer_release(&b);
}

static void a_log_of_very_many_bytes_is_told_apart(void **state)
{
    struct buffer b;

    buffer_init(&b, SIZE_MAX / 2);
    buffer_append_string(&b, "{\"level\":\"l\",\"message\":\"");
    char *room = buffer_reserve(&b, RECORD_BYTES_MAX);
    assert_non_null(room);
    memset(room, 'm', RECORD_BYTES_MAX);
    b.len += RECORD_BYTES_MAX;
    buffer_append_string(&b, "\"}");
    assert_int_equal(parse(&fastapi_log, buffer_slice(&b)), LM_EDATA);
    buffer_release(&b);
}

/* The errors of a body are built within the ledger; where they find no room, that is told. */
static void errors_that_find_no_room_are_no_refusal(void **state)
{
    static struct ledger ledger;
    struct account *account;
    struct buffer body;
    struct buffer out;

    ledger_init(&ledger, 1 << 20);
    account = ledger_account(&ledger, LEDGER_INTAKE);
    void *charged = fastapi_log.memory_new(account);
    buffer_init(&body, 1 << 20);
    buffer_init(&out, 64 << 20);
    out.account = account;
    for (int large = 0; large < 2; large++) {
        struct format_counts counted;

        buffer_clear(&body);
        buffer_append_string(&body, "[{\"message\":\"m\",\"level\":\"");
        for (int i = 0; i < (large ? 200000 : 2000); i++)
            buffer_append_char(&body, '\x7f'); /* \u007f, where it is shown */
        buffer_append_string(&body, "\"}]");
        int error = fastapi_logs.parse(buffer_slice(&body),
                                       &(struct format_options){.memory = charged, .wrong = &out},
                                       kept_sink, &kept, &counted);
        assert_int_equal(error, large ? LM_EBUSY : LM_EINVAL);
        assert_true(large || account_used(account) > 0);
        buffer_release(&out);
        assert_int_equal(account_used(account), 0);
    }
    buffer_release(&body);
    fastapi_log.memory_free(charged);
}

/* Such a text needs more memory to read than any that is JSON: still it is wrong, not too much. */
static void brackets_alone_are_refused_whatever_their_number(void **state)
{
    static const struct format *const kinds[] = {&fastapi_log, &fastapi_logs, &fastapi_lines};
    static const char *const texts[] = {"[", "[{\"\":"};
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 1; size < (1 << 20) - 10; size *= 4) {
            buffer_clear(&b);
            while (b.len < size)
                buffer_append_string(&b, texts[i]);
            for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
                assert_int_equal(parse(kinds[k], buffer_slice(&b)), LM_EINVAL);
        }
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_that_of_the_original),
        cmocka_unit_test(what_a_log_does_not_give_is_its_arrival),
        cmocka_unit_test(logs_of_one_body_ascend_in_their_order),
        cmocka_unit_test(an_id_alone_is_the_timestamp_too),
        cmocka_unit_test(an_infinite_time_is_refused),
        cmocka_unit_test(other_members_are_attributes),
        cmocka_unit_test(the_last_member_of_a_name_counts),
        cmocka_unit_test(what_we_answer_can_be_sent_again),
        cmocka_unit_test(nul_is_replaced_and_counted),
        cmocka_unit_test(an_error_shows_nul_as_it_was_sent),
        cmocka_unit_test(what_is_no_unicode_text_is_refused),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(nothing_but_errors_comes_from_an_array_with_errors),
        cmocka_unit_test(the_error_of_the_sink_ends_the_parse),
        cmocka_unit_test(lines_are_logs_and_blank_lines_are_skipped),
        cmocka_unit_test(an_error_in_a_line_tells_the_line_and_the_place_in_it),
        cmocka_unit_test(a_log_may_be_so_deep_wherever_it_stands),
        cmocka_unit_test(the_deepest_log_can_be_sent_again_as_it_is_read),
        cmocka_unit_test(what_is_nested_too_deeply_is_all_that_is_told_of_it),
        cmocka_unit_test(a_number_that_not_every_store_takes_is_refused_at_its_place),
        cmocka_unit_test(a_log_of_very_many_values_is_refused),
        cmocka_unit_test(a_log_of_very_many_bytes_is_told_apart),
        cmocka_unit_test(errors_that_find_no_room_are_no_refusal),
        cmocka_unit_test(brackets_alone_are_refused_whatever_their_number),
        cmocka_unit_test(a_large_body_is_parsed_as_a_small_one),
        cmocka_unit_test(objects_of_very_many_members_take_no_long_time),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
