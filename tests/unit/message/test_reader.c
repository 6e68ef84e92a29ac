#include "message/reader.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../record/deep_log.h"
#include "../record/kept_records.h"
#include "message/packed.h"
#include "message/writer.h"
#include "record/limits.h"

#define ID "01934567-89ab-7cde-8f01-23456789abcd"
static const int64_t ID_US = INT64_C(0x0193456789ab) * 1000;

static struct message_reader *reader;
static struct kept kept = {.fail_at = -1};

static int set_up(void **state)
{
    reader = message_reader_new();
    return 0;
}

static int tear_down(void **state)
{
    message_reader_free(reader);
    kept_forget(&kept);
    return 0;
}

static struct errbuf reason;

/* Parses a message, the first of a new round, into `kept`. */
static int parse_message(struct slice body)
{
    struct message_source message = {body, SLICE_LITERAL("message-1"), 1700000000123456, true};

    kept_forget(&kept);
    reason.text[0] = '\0';
    message_reader_reset(reader);
    return message_reader_read(reader, &message, kept_sink, kept_reject, &kept, &reason);
}

static void assert_message(const char *body, size_t records, size_t rejects)
{
    assert_int_equal(parse_message(slice_of_string(body)), 0);
    assert_int_equal(kept.records_len, records);
    assert_int_equal(kept.rejects_len, rejects);
}

static void gives_back_the_records_it_was_made_of(enum message_version version)
{
    struct batch b;
    struct kept sent;

    assert_message("[{\"message\":\"1\",\"level\":\"a\",\"x\":{\"y\":[1.50]},\"attributes\":7},"
                   "{\"message\":\"\\\"\\\\\\n\x7f\xef\xbf\xbf\",\"level\":\"\",\"id\":\"" ID "\"},"
                   "{\"message\":\"é\",\"level\":\"b\",\"timestamp\":\"0001-01-01\"},"
                   "{\"message\":\"\",\"level\":\"b\",\"timestamp\":\"9999-12-31T23:59:59.999999\","
                   "\"attributes\":{\"attributes\":{\"message\":1}}}]",
                   4, 0);
    batch_init(&b, version, 1 << 20);
    for (size_t i = 0; i < kept.records_len; i++)
        assert_int_equal(batch_append(&b, &kept.records[i]), 0);
    sent = kept;
    kept = (struct kept){.fail_at = -1};

    assert_int_equal(parse_message(batch_finish(&b)), 0);
    assert_int_equal(kept.rejects_len, 0);
    assert_int_equal(kept.records_len, sent.records_len);
    for (size_t i = 0; i < sent.records_len; i++) {
        assert_int_equal(log_key_compare(&kept.records[i].key, &sent.records[i].key), 0);
        assert_true(slice_equal(kept.records[i].level, sent.records[i].level));
        assert_true(slice_equal(kept.records[i].message, sent.records[i].message));
        assert_true(slice_equal(kept.records[i].attributes, sent.records[i].attributes));
    }
    kept_forget(&sent);
    batch_release(&b);
}

static void a_batch_gives_back_the_records_it_was_made_of(void **state)
{
    gives_back_the_records_it_was_made_of(MESSAGE_V1);
    gives_back_the_records_it_was_made_of(MESSAGE_V2);
}

static void a_message_may_be_a_bare_record_or_an_array(void **state)
{
    assert_message("{\"message\":\"m\",\"level\":\"l\",\"v\":2,\"logs\":[]}", 1, 0);
    assert_string_equal(kept.records[0].attributes.data, "{\"v\":2,\"logs\":[]}");
    assert_message("\xef\xbb\xbf [{\"message\":\"m\",\"level\":\"l\"}, "
                   "{\"message\":\"n\",\"level\":\"l\"}]",
                   2, 0);
    assert_message("[]", 0, 0);
    assert_message("{\"v\":1,\"logs\":[]}", 0, 0);
}

static void a_redelivery_gives_the_same_records(void **state)
{
    static const char body[] = "[{\"message\":\"m\",\"level\":\"l\"},"
                               "{\"message\":\"m\",\"level\":\"l\"},"
                               "{\"message\":\"m\",\"level\":\"l\",\"timestamp\":1},"
                               "{\"message\":\"m\",\"level\":\"l\",\"id\":\"" ID "\"}]";
    struct log_key first[4];

    assert_message(body, 4, 0);
    for (size_t i = 0; i < 4; i++)
        first[i] = kept.records[i].key;
    assert_message(body, 4, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(log_key_compare(&kept.records[i].key, &first[i]), 0);
        assert_true(uuid_is_v7(&first[i].id));
        assert_int_equal(uuid7_ms(&first[i].id), uuid7_ms_of_timestamp(first[i].timestamp_us));
    }
    assert_int_equal(first[0].timestamp_us, 1700000000123456);
    assert_int_equal(first[2].timestamp_us, 1000000);
    assert_int_equal(first[3].timestamp_us, ID_US);
    assert_true(log_key_compare(&first[0], &first[1]) != 0);
}

static void bad_items_are_rejected_and_their_neighbours_kept(void **state)
{
    assert_message(
        "{\"v\":1,\"logs\":[{\"message\":\"1\",\"level\":\"l\"},{\"level\":5,\"x\":1.0},7,"
        "{\"message\":\"2\",\"level\":\"l\"},"
        "{\"message\":\"3\",\"level\":\"l\",\"timestamp\":0,\"id\":\"" ID "\"}]}",
        2, 3);
    assert_string_equal(kept.rejects[0], "{\"level\":5,\"x\":1.0}: message: Field required; "
                                         "level: Input should be a valid string");
    assert_string_equal(kept.rejects[1], "7: Input should be a valid dictionary or object to "
                                         "extract fields from");
    assert_non_null(
        strstr(kept.rejects[2], ": id: Input should carry the timestamp's millisecond"));
    assert_string_equal(kept.records[1].message.data, "2");
    assert_message("{\"message\":\"bare\"}", 0, 1);
}

static void assert_not_understood(const char *body, const char *why)
{
    assert_int_equal(parse_message(slice_of_string(body)), LM_EINVAL);
    assert_int_equal(kept.records_len, 0);
    assert_int_equal(kept.rejects_len, 0);
    assert_string_equal(reason.text, why);
}

static void a_message_that_cannot_be_understood_says_why(void **state)
{
    assert_not_understood("{\"v\":2,\"logs\":[]}",
                          "unknown batch version 2, as JSON this logmill reads 1");
    assert_not_understood("{\"v\":1.0,\"x\":1}",
                          "unknown batch version 1.0, as JSON this logmill reads 1");
    assert_not_understood("{\"v\":\"1\",\"logs\":[]}", "the batch version is not a number");
    assert_not_understood("{\"v\":1,\"logs\":{}}", "the batch has no array \"logs\"");
    assert_not_understood("{\"v\":1}", "the batch has no array \"logs\"");
    assert_not_understood("5", "neither a batch, a log nor an array of logs");
    assert_not_understood("", "not JSON: Expecting value at character 0");
    assert_not_understood("[{\"message\":\"m\",\"level\":\"l\"},]",
                          "not JSON: Expecting value at character 29");
}

#define V1_TEXT                                                                                    \
    "{\"v\":1,\"logs\":[{\"id\":\"" ID "\",\"timestamp\":\"2024-11-19T17:10:33.643456Z\","         \
    "\"level\":\"info\",\"message\":\"a \\\"b\\\"\",\"attributes\":{\"n\":1.50}},{\"id\":\"" ID    \
    "\",\"timestamp\":\"2024-11-19T17:10:33.643456Z\",\"level\":\"\",\"message\":\"\","            \
    "\"attributes\":{}}]}"
#define V2_KEY "AAYnRxxxxcABk0Vniat83o8BI0VniavN"
#define V2_LOGS V2_KEY " 4 5 10\ninfoa \"b\"{\"n\":1.50}\n" V2_KEY " 0 0 0\n\n"
#define V2_TEXT "v2 42f4c2f4814b3479\n" V2_LOGS

/* One text of each version, as it was written: they are never changed. */
static void messages_of_every_version_are_read(void **state)
{
    static const char *const texts[] = {V1_TEXT, V2_TEXT};

    for (size_t i = 0; i < 2; i++) {
        char id[UUID_TEXT_LEN + 1] = "";

        assert_message(texts[i], 2, 0);
        assert_int_equal(kept.records[0].key.timestamp_us, ID_US + 456);
        uuid_format(&kept.records[0].key.id, id);
        assert_string_equal(id, ID);
        assert_string_equal(kept.records[0].level.data, "info");
        assert_string_equal(kept.records[0].message.data, "a \"b\"");
        assert_string_equal(kept.records[0].attributes.data, "{\"n\":1.50}");
        assert_string_equal(kept.records[1].attributes.data, "");
    }
}

/* Whatever bit of it is another one than was written, and wherever it ends. */
static void nothing_is_taken_of_a_batch_that_is_damaged(void **state)
{
    static const char whole[] = V2_TEXT;
    char damaged[sizeof(whole)];
    size_t len = sizeof(whole) - 1;

    for (size_t bit = 0; bit < 8 * len; bit++) {
        if (bit / 8 > 2 && bit / 8 < 19 && (bit & 7) == 5 && whole[bit / 8] > '9')
            continue; /* digits of the checksum may be capitals */
        memcpy(damaged, whole, sizeof(whole));
        damaged[bit / 8] ^= (char)(1 << (bit & 7));
        assert_int_equal(parse_message(slice_of(damaged, len)), LM_EINVAL);
        assert_int_equal(kept.records_len, 0);
        assert_true(strlen(reason.text) > 0);
    }
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(parse_message(slice_of(whole, n)), LM_EINVAL);
        assert_int_equal(kept.records_len + kept.rejects_len, 0);
    }
    assert_not_understood("v2 0123456789abcdef\n",
                          "the batch is damaged: its checksum is not that of its text");
}

/* On SQS anybody may send, and what is in a packed message is not judged. */
static void version_2_is_believed_of_our_own_queue_alone(void **state)
{
    struct message_source message = {.body = SLICE_LITERAL(V2_TEXT), .id = SLICE_LITERAL("m")};

    kept_forget(&kept);
    assert_int_equal(message_reader_read(reader, &message, kept_sink, kept_reject, &kept, &reason),
                     LM_EINVAL);
    assert_int_equal(kept.records_len, 0);
    assert_non_null(strstr(reason.text, "not JSON"));
}

/* Reads `logs` with the head and the checksum of a batch of version 2. */
static int parse_packed(const char *logs)
{
    struct buffer b;

    buffer_init(&b, 4096);
    packed_begin(&b);
    buffer_append_string(&b, logs);
    packed_seal(b.data, b.len);
    int error = parse_message(buffer_slice(&b));
    buffer_release(&b);
    return error;
}

/* Its checksum is right: whoever wrote it has made a mistake. */
static void nothing_is_taken_of_a_batch_that_is_written_wrong(void **state)
{
    static const char *const logs[] = {
        "\n",
        V2_KEY,
        V2_KEY " 1 1 1\nab",
        V2_KEY " 1 1 1\nab{",
        V2_KEY " 1 1 9\nab{}\n",
        V2_KEY " 1 1 18446744073709551615\nab{}\n",
        V2_KEY " 1 1 9999999999\nab{}\n",
        V2_KEY "  1 1 0\nab\n",
        V2_KEY " 1 1 \nab\n",
        V2_KEY " 1 1\nab\n",
        V2_KEY " 1 1 0 \nab\n",
        V2_KEY " -1 1 0\nb\n",
        "AAYnRfaJ8AABk0Vniat83o8BI0VniavN 0 0 0\n\n", /* whose id has another time */
        "!" V2_KEY " 0 0 0\n\n",
    };

    assert_int_equal(parse_packed(""), 0);
    assert_int_equal(parse_packed(V2_LOGS V2_LOGS), 0);
    assert_int_equal(kept.records_len, 4);
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        char text[512];

        snprintf(text, sizeof(text), "%s%s", V2_LOGS, logs[i]);
        assert_int_equal(parse_packed(text), LM_EINVAL);
        assert_int_equal(kept.records_len + kept.rejects_len, 0);
        assert_string_equal(reason.text, "log 2 of the batch cannot be understood");
    }
}

/* What was acknowledged before a limit existed, or comes from others, is stored. */
static void a_message_may_pass_every_limit_of_the_entrance(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "{\"v\":1,\"logs\":[{\"message\":\"m\",\"a\":1e999999,\"level\":\"");
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&b, 'x');
    buffer_append_string(&b, "\",\"");
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&b, 'y');
    buffer_append_string(&b, "\":[1e-99999]}]}");
    assert_int_equal(parse_message(buffer_slice(&b)), 0);
    assert_int_equal(kept.records_len, 1);
    assert_int_equal(kept.records[0].level.len, 5000);
    assert_non_null(strstr(kept.records[0].attributes.data, "1e999999"));
    buffer_release(&b);
}

static void a_message_takes_the_deepest_log_and_rejects_a_deeper_one(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    assert_int_equal(parse_message(deep_log(&b, "{\"v\":1,\"logs\":[", RECORD_STORED_DEPTH_MAX,
                                            ",{\"message\":\"n\",\"level\":\"l\"}]}")),
                     0);
    assert_int_equal(kept.records_len, 2);
    assert_int_equal(parse_message(deep_log(&b, "{\"v\":1,\"logs\":[", RECORD_STORED_DEPTH_MAX + 1,
                                            ",{\"message\":\"n\",\"level\":\"l\"}]}")),
                     0);
    assert_int_equal(kept.records_len, 1);
    assert_int_equal(kept.rejects_len, 1);
    assert_non_null(strstr(kept.rejects[0], ": nested more than 500 levels deep"));
    assert_int_equal(parse_message(deep_log(&b, "[", 100000, "]")), 0);
    assert_int_equal(kept.rejects_len, 1);
    buffer_release(&b);
}

/* Such a text needs more memory to read than any that is JSON: still it is wrong, not too much. */
static void brackets_alone_are_not_understood(void **state)
{
    static const char *const texts[] = {"[", "[{\"\":"};
    struct buffer b;

    buffer_init(&b, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        for (size_t size = 1; size < (1 << 20) - 10; size *= 4) {
            buffer_clear(&b);
            while (b.len < size)
                buffer_append_string(&b, texts[i]);
            assert_int_equal(parse_message(buffer_slice(&b)), LM_EINVAL);
        }
    }
    buffer_release(&b);
}

/* Takes records as they are, their slices being views of the parser's memory. */
static int keep_views(const struct record *r, void *ctx)
{
    struct kept *k = ctx;

    assert_true(k->records_len < KEPT_MAX);
    k->records[k->records_len++] = *r;
    return 0;
}

/* A batch of `n` logs; the attributes of number i are 2400 * i bytes long when written anew. */
static void make_long_batch(struct buffer *b, int n)
{
    buffer_clear(b);
    buffer_append_string(b, "{\"v\":1,\"logs\":[");
    for (int i = 0; i < n; i++) {
        buffer_appendf(b, "%s{\"message\":\"m%d\",\"level\":\"l%d\",\"attributes\":{\"a%d\":\"",
                       i ? "," : "", i, i, i);
        for (int j = 0; j < 400 * i; j++)
            buffer_append_char(b, '\x7f');
        buffer_append_string(b, "\"}}");
    }
    buffer_append_string(b, "]}");
}

/* Nothing may move while messages are parsed: what the sink got first must still be there. */
static void what_the_sink_gets_lives_until_the_reset(void **state)
{
    enum { LOGS = 5, MESSAGES = 20 };
    static struct kept views;
    struct buffer b;

    buffer_init(&b, 8 << 20);
    for (int round = 0; round < 3; round++) {
        message_reader_reset(reader);
        views.records_len = 0;
        for (int m = 0; m < MESSAGES; m++) {
            struct message_source message = {{NULL, 0}, SLICE_LITERAL("x"), 0, true};
            make_long_batch(&b, LOGS);
            message.body = buffer_slice(&b);
            assert_int_equal(
                message_reader_read(reader, &message, keep_views, kept_reject, &views, &reason), 0);
            memset(b.data, 'x', b.len);
        }
        assert_int_equal(views.records_len, LOGS * MESSAGES);
        for (int i = 0; i < LOGS * MESSAGES; i++) {
            char text[32];
            const struct record *r = &views.records[i];
            snprintf(text, sizeof(text), "m%d", i % LOGS);
            assert_true(slice_equal(r->message, slice_of_string(text)));
            snprintf(text, sizeof(text), "l%d", i % LOGS);
            assert_true(slice_equal(r->level, slice_of_string(text)));
            int n = snprintf(text, sizeof(text), "{\"a%d\":\"", i % LOGS);
            assert_int_equal(r->attributes.len, (size_t)(n + 2400 * (i % LOGS) + 2));
            assert_memory_equal(r->attributes.data, text, (size_t)n);
        }
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_every_version_are_read),
        cmocka_unit_test(nothing_is_taken_of_a_batch_that_is_damaged),
        cmocka_unit_test(version_2_is_believed_of_our_own_queue_alone),
        cmocka_unit_test(nothing_is_taken_of_a_batch_that_is_written_wrong),
        cmocka_unit_test(a_message_may_pass_every_limit_of_the_entrance),
        cmocka_unit_test(a_batch_gives_back_the_records_it_was_made_of),
        cmocka_unit_test(a_message_may_be_a_bare_record_or_an_array),
        cmocka_unit_test(a_redelivery_gives_the_same_records),
        cmocka_unit_test(bad_items_are_rejected_and_their_neighbours_kept),
        cmocka_unit_test(a_message_that_cannot_be_understood_says_why),
        cmocka_unit_test(a_message_takes_the_deepest_log_and_rejects_a_deeper_one),
        cmocka_unit_test(what_the_sink_gets_lives_until_the_reset),
        cmocka_unit_test(brackets_alone_are_not_understood),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
