/* Fluent's forward protocol (formats/fluent.h). */
#include "formats/fluent.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <zlib.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "format_run.h"
#include "formats/msgpack.h"
#include "stream_run.h"

static struct stream_run run;

static int begin(void **state)
{
    stream_run_begin(&run, &fluent_forward, NULL);
    return 0;
}

static int end(void **state)
{
    stream_run_end(&run);
    return 0;
}

/* ---- Captures ---- */

#define ORDER_ATTRIBUTES "{\"tag\":\"shop.orders\",\"n\":1,\"f\":1.5,\"ok\":true,\"nul\":null}"
#define SHOP "{\"tag\":\"shop.orders\"}"
#define PYTHON_ORDER                                                                               \
    "{\"tag\":\"shop.app\",\"host\":\"vm\",\"where\":\"fluent_.<module>\",\"n\":1,\"f\":1.5,"      \
    "\"nul\":null"
#define PYTHON "{\"tag\":\"shop.app\",\"host\":\"vm\",\"where\":\"fluent_.<module>\""
#define OLD_NS "{\"tag\":\"shop.orders\",\"nanoseconds\":789}"

struct capture {
    const char *name;
    size_t acks;
    struct format_run_log logs[8]; /* the first without a message ends them */
};

static const struct capture captures[] = {
    {"fluent-logger-js-3.4.1.bin",
     0,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:13.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2023-11-14T22:13:20.123456Z", OLD_NS},
      {"info", "line one\nline two", "2026-11-28T01:00:13.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:16.000000Z", SHOP}}},
    {"fluent-logger-js-ack-3.4.1.bin",
     4,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:14.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2023-11-14T22:13:20.123456Z", OLD_NS},
      {"info", "line one\nline two", "2026-11-28T01:00:14.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:17.000000Z", SHOP}}},
    {"fluent-logger-js-packed-3.4.1.bin",
     2,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:22.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2023-11-14T22:13:20.123456Z", OLD_NS},
      {"info", "line one\nline two", "2026-11-28T01:00:22.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:25.000000Z", SHOP}}},
    {"fluent-logger-js-gzip-3.4.1.bin",
     2,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:22.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2023-11-14T22:13:20.123456Z", OLD_NS},
      {"info", "line one\nline two", "2026-11-28T01:00:22.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:25.000000Z", SHOP}}},
    {"fluent-org-logger-1.0.10.bin",
     0,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:24.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2026-11-28T01:00:24.000000Z", SHOP},
      {"info", "line one\nline two", "2026-11-28T01:00:24.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:27.000000Z", SHOP}}},
    {"fluent-org-logger-ack-1.0.10.bin",
     2,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:29.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2026-11-28T01:00:29.000000Z", SHOP},
      {"info", "line one\nline two", "2026-11-28T01:00:29.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:32.000000Z", SHOP}}},
    {"fluent-org-logger-forward-1.0.10.bin",
     0,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:30.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2026-11-28T01:00:30.000000Z", SHOP},
      {"info", "line one\nline two", "2026-11-28T01:00:30.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:33.000000Z", SHOP}}},
    {"fluent-org-logger-gzip-1.0.10.bin",
     0,
     {{"info", "order 1 placed ✓", "2026-11-28T01:00:38.000000Z", ORDER_ATTRIBUTES},
      {"info", "failed", "2026-11-28T01:00:38.000000Z", SHOP},
      {"info", "line one\nline two", "2026-11-28T01:00:38.000000Z", SHOP},
      {"info", "later record", "2026-11-28T01:00:41.000000Z", SHOP}}},
    {"fluent-logger-py-0.11.1.bin",
     0,
     {{"INFO", "order 1 placed ✓", "2026-11-28T00:58:47.000000Z", PYTHON_ORDER "}"},
      {"ERROR", "failed", "2026-11-28T00:58:47.000000Z", PYTHON "}"},
      {"INFO", "line one\nline two", "2026-11-28T00:58:47.000000Z", PYTHON "}"},
      {"INFO", "later record", "2026-11-28T00:58:48.000000Z", PYTHON "}"}}},
    {"fluent-logger-py-ns-0.11.1.bin",
     0,
     {{"INFO", "order 1 placed ✓", "2026-11-28T00:58:48.110379Z",
       PYTHON_ORDER ",\"nanoseconds\":695}"},
      {"ERROR", "failed", "2026-11-28T00:58:48.111113Z", PYTHON ",\"nanoseconds\":309}"},
      {"INFO", "line one\nline two", "2026-11-28T00:58:48.111339Z", PYTHON ",\"nanoseconds\":807}"},
      {"INFO", "later record", "2026-11-28T00:58:49.111587Z", PYTHON ",\"nanoseconds\":47}"}}},
};

enum { CAPTURES = sizeof(captures) / sizeof(*captures) };

static size_t logs_of(const struct capture *c)
{
    size_t n = 0;

    while (n < 8 && c->logs[n].message)
        n++;
    return n;
}

/* Answers to as many chunks, and nothing else. */
static size_t count_acks(struct slice reply)
{
    struct msgpack p = msgpack_of(reply);
    struct msgpack_value v;
    size_t acks = 0;

    while (p.at < p.end) {
        assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_MAP && v.count == 2);
        assert_true(msgpack_next(&p, &v) && slice_equal(v.bytes, SLICE_LITERAL("ack")));
        assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_TEXT && v.bytes.len == 24);
        acks++;
    }
    return acks;
}

static void assert_capture(const struct capture *c)
{
    assert_int_equal(run.kept.records_len, logs_of(c));
    assert_int_equal(run.counts.refused, 0);
    assert_false(run.out.ends);
    assert_int_equal(run.unused.len, 0);
    assert_int_equal(count_acks(buffer_slice(&run.reply)), c->acks);
    for (size_t i = 0; i < run.kept.records_len; i++)
        stream_run_expect(&run, i, c->logs[i].level, c->logs[i].message, c->logs[i].time,
                          c->logs[i].attributes);
}

static void what_clients_send_is_taken(void **state)
{
    for (size_t i = 0; i < CAPTURES; i++) {
        struct slice bytes = format_capture(captures[i].name);

        stream_run_again(&run);
        stream_run_feed(&run, bytes);
        assert_capture(&captures[i]);
        free((char *)bytes.data);
    }
}

static void streams_are_cut_anywhere(void **state)
{
    for (size_t i = 0; i < CAPTURES; i++) {
        struct slice bytes = format_capture(captures[i].name);

        for (size_t cut = 0; cut <= bytes.len; cut++) {
            stream_run_again(&run);
            stream_run_feed(&run, slice_of(bytes.data, cut));
            stream_run_wait(&run);
            stream_run_feed(&run, slice_of(bytes.data + cut, bytes.len - cut));
            assert_capture(&captures[i]);
        }
        stream_run_again(&run);
        for (size_t at = 0; at < bytes.len; at++)
            stream_run_feed(&run, slice_of(bytes.data + at, 1));
        assert_capture(&captures[i]);
        free((char *)bytes.data);
    }
}

static void logs_have_the_same_ids_however_they_are_cut(void **state)
{
    struct slice bytes = format_capture("fluent-org-logger-1.0.10.bin");
    struct log_key keys[4];

    stream_run_feed(&run, bytes);
    for (size_t i = 0; i < 4; i++)
        keys[i] = run.kept.records[i].key;
    stream_run_again(&run);
    for (size_t at = 0; at < bytes.len; at++)
        stream_run_feed(&run, slice_of(bytes.data + at, 1));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(log_key_compare(&keys[i], &run.kept.records[i].key), 0);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(log_key_compare(&keys[i], &keys[j]), 0);
    }
    free((char *)bytes.data);
}

/* ---- Docker ---- */

#define DOCKER(id, name, source)                                                                   \
    "{\"tag\":\"" id "\",\"container_id\":\"" id name "\",\"source\":\"" source "\"}"

static const char *member(size_t i, const char *name, char room[128])
{
    const struct slice attributes = run.kept.records[i].attributes;
    const char *at = strstr(attributes.data, name);

    assert_non_null(at);
    at += strlen(name) + 1;
    size_t len = strcspn(at, ",}");
    assert_true(len < 128);
    memcpy(room, at, len);
    room[len] = '\0';
    return room;
}

static void assert_docker(size_t i, const char *message, const char *source)
{
    char room[128];

    assert_true(i < run.kept.records_len);
    assert_string_equal(run.kept.records[i].message.data, message);
    assert_string_equal(run.kept.records[i].level.data, "info");
    assert_string_equal(member(i, "\"source\"", room), source);
    assert_non_null(strstr(member(i, "\"container_name\"", room), "/t"));
    assert_int_equal(strlen(member(i, "\"container_id\"", room)), 66);
    assert_int_equal(strlen(member(i, "\"tag\"", room)), 14);
}

/* 17,000 characters, 16,384 of them in the first part. */
static void assert_long_line(size_t i)
{
    struct slice message = run.kept.records[i].message;

    assert_int_equal(message.len, 17000);
    assert_int_equal(strspn(message.data, "x"), 17000);
    assert_null(strstr(run.kept.records[i].attributes.data, "partial"));
}

static void assert_docker_capture(void)
{
    assert_int_equal(run.kept.records_len, 7);
    assert_docker(0, "failed", "\"stderr\"");
    assert_docker(1, "order 1 placed ✓", "\"stdout\"");
    assert_docker(2, "{\"msg\":\"json line\",\"level\":\"info\"}", "\"stdout\"");
    assert_docker(3, "part", "\"stdout\"");
    assert_long_line(4);
    assert_docker(5, "later record", "\"stdout\"");
    assert_docker(6, "last", "\"stdout\"");
    assert_int_equal(run.reply.len, 0);
    assert_int_equal(run.counts.refused, 0);
}

static void dockers_long_lines_are_put_together(void **state)
{
    struct slice bytes = format_capture("docker-fluentd-20.10.24.bin");

    stream_run_feed(&run, bytes);
    assert_docker_capture();
    for (size_t cut = 0; cut < bytes.len; cut += cut > 1000 && cut < 17000 ? 997 : 1) {
        stream_run_again(&run);
        stream_run_feed(&run, slice_of(bytes.data, cut));
        stream_run_feed(&run, slice_of(bytes.data + cut, bytes.len - cut));
        assert_docker_capture();
    }
    free((char *)bytes.data);
}

static void parts_that_are_acknowledged_are_logs_of_their_own(void **state)
{
    struct slice bytes = format_capture("docker-fluentd-ack-20.10.24.bin");
    char room[128];

    stream_run_feed(&run, bytes);
    assert_int_equal(run.kept.records_len, 8);
    assert_int_equal(count_acks(buffer_slice(&run.reply)), 8);
    assert_docker(0, "failed", "\"stderr\"");
    assert_int_equal(run.kept.records[4].message.len, 16384);
    assert_string_equal(member(4, "\"partial_ordinal\"", room), "\"1\"");
    assert_string_equal(member(4, "\"partial_last\"", room), "\"false\"");
    assert_int_equal(run.kept.records[5].message.len, 616);
    assert_string_equal(member(5, "\"partial_ordinal\"", room), "\"2\"");
    assert_string_equal(member(5, "\"partial_message\"", room), "\"true\"");
    /* they are of one time: their order is kept */
    assert_true(log_key_compare(&run.kept.records[4].key, &run.kept.records[5].key) != 0);
    free((char *)bytes.data);
}

/* ---- Messages made here ---- */

static struct buffer made;

static int begin_made(void **state)
{
    buffer_init(&made, 64 << 20);
    return begin(state);
}

static int end_made(void **state)
{
    buffer_release(&made);
    return end(state);
}

static struct slice text(const char *s)
{
    return slice_of_string(s);
}

static void put_texts(size_t pairs, const char *const *texts)
{
    msgpack_append_map(&made, (unsigned)pairs);
    for (size_t i = 0; i < 2 * pairs; i++)
        msgpack_append_text(&made, text(texts[i]));
}

#define TIME_1 "\xd7\x00\x6b\x0a\x27\xa8\x00\x00\x03\xe9" /* 01:00:24.000001001 */

/* [tag, time, {"log": …, …}, {"chunk": …}?] */
static void put_message(const char *chunk, size_t pairs, const char *const *texts)
{
    msgpack_append_array(&made, chunk ? 4 : 3);
    msgpack_append_text(&made, text("app"));
    buffer_append(&made, TIME_1, sizeof(TIME_1) - 1);
    put_texts(pairs, texts);
    if (chunk)
        put_texts(1, (const char *[]){"chunk", chunk});
}

static void put_part(const char *id, const char *ordinal, const char *last, const char *log)
{
    put_message(NULL, 5,
                (const char *[]){"partial_message", "true", "partial_id", id, "partial_ordinal",
                                 ordinal, "partial_last", last, "log", log});
}

static void put_log(const char *log)
{
    put_message(NULL, 1, (const char *[]){"log", log});
}

static void feed_made(void)
{
    stream_run_feed(&run, buffer_slice(&made));
    buffer_clear(&made);
}

static void assert_message(size_t i, const char *want)
{
    assert_true(i < run.kept.records_len);
    assert_string_equal(run.kept.records[i].message.data, want);
}

static void parts_wait_for_each_other(void **state)
{
    put_log("before");
    put_part("a", "1", "false", "one ");
    feed_made();
    assert_int_equal(run.kept.records_len, 1);
    assert_true(run.out.may_be_whole);
    put_log("between");
    put_part("b", "1", "false", "three ");
    feed_made();
    put_part("a", "2", "true", "two");
    feed_made();
    assert_int_equal(run.kept.records_len, 1);
    put_part("b", "2", "true", "four");
    put_log("behind");
    feed_made();
    assert_int_equal(run.kept.records_len, 5);
    assert_message(1, "between");
    assert_message(2, "one two");
    assert_message(3, "three four");
    assert_message(4, "behind");
    assert_false(run.out.may_be_whole);
    assert_int_equal(run.unused.len, 0);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(run.kept.records[i].attributes.data,
                            "{\"tag\":\"app\",\"nanoseconds\":1}");
}

static void parts_that_do_not_come_are_not_waited_for(void **state)
{
    put_part("a", "1", "false", "one ");
    put_part("a", "2", "false", "two ");
    feed_made();
    assert_int_equal(run.kept.records_len, 0);
    stream_run_wait(&run);
    assert_int_equal(run.kept.records_len, 1);
    assert_message(0, "one two ");
    assert_string_equal(run.kept.records[0].attributes.data,
                        "{\"tag\":\"app\",\"partial_message\":\"true\",\"partial_id\":\"a\","
                        "\"partial_ordinal\":\"1\",\"partial_last\":\"false\",\"nanoseconds\":1}");
    /* the rest of that line says that it has no beginning */
    put_part("a", "3", "true", "three");
    feed_made();
    assert_message(1, "three");
    assert_non_null(strstr(run.kept.records[1].attributes.data, "\"partial_ordinal\":\"3\""));
    put_part("b", "1", "false", "x");
    put_log("y");
    feed_made();
    assert_int_equal(run.kept.records_len, 2);
    stream_run_over(&run);
    assert_int_equal(run.kept.records_len, 4);
    assert_int_equal(run.unused.len, 0);
}

static void lines_in_parts_are_few(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d", "e"};

    for (size_t i = 0; i < FLUENT_PARTED_MAX; i++)
        put_part(ids[i], "1", "false", ids[i]);
    feed_made();
    assert_int_equal(run.kept.records_len, 0);
    put_part(ids[FLUENT_PARTED_MAX], "1", "false", "e");
    feed_made();
    assert_int_equal(run.kept.records_len, FLUENT_PARTED_MAX + 1);
    assert_int_equal(run.unused.len, 0);
}

/* The connection's bytes are those that may be kept. */
static void a_line_in_parts_is_bounded(void **state)
{
    enum { PART = 1 << 20, PARTS = FLUENT_MESSAGE_MAX / PART };
    char *log = malloc(PART + 1);

    assert_non_null(log);
    memset(log, 'x', PART);
    log[PART] = '\0';
    for (int i = 0; i < PARTS; i++) {
        assert_int_equal(run.kept.records_len, 0);
        put_part("a", i ? "2" : "1", "false", log);
        feed_made();
    }
    assert_int_equal(run.kept.records_len, 1);
    assert_int_equal(run.kept.records[0].message.len, PART * PARTS);
    assert_int_equal(run.unused.len, 0);
    free(log);
}

static int refuse_first(const struct record *r, void *calls)
{
    return ++*(int *)calls == 1 ? LM_ETOOBIG : 0;
}

static void a_line_in_parts_that_is_to_come_again_is_not_left_out(void **state)
{
    struct stream_output out = {.reply = &run.reply, .why = &run.why};
    struct stream_input in = {.arrival_us = STREAM_RUN_ARRIVAL_US};
    int calls = 0;

    put_part("a", "1", "false", "one ");
    put_part("a", "2", "true", "two");
    put_log("behind");
    in.bytes = buffer_slice(&made);
    assert_int_equal(fluent_forward.read(run.memory, run.session, &in, refuse_first, &calls, &out),
                     LM_ETOOBIG);
    assert_int_equal(calls, 1);
}

static void a_chunk_does_not_wait_behind_parts(void **state)
{
    put_part("a", "1", "false", "one ");
    put_message("c", 1, (const char *[]){"log", "asked"});
    feed_made();
    assert_int_equal(run.kept.records_len, 2);
    assert_message(0, "one ");
    assert_message(1, "asked");
    assert_int_equal(run.reply.len, 7);
}

static void parts_before_nonsense_are_not_lost(void **state)
{
    put_part("a", "1", "false", "one ");
    buffer_append_char(&made, '\x01');
    feed_made();
    assert_true(run.out.ends);
    assert_int_equal(run.kept.records_len, 1);
}

/* ---- Times and values ---- */

/* ["t", TIME, {"message": "m"}] */
static void assert_time(struct slice time, const char *want, const char *attributes)
{
    stream_run_again(&run);
    buffer_clear(&made);
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    buffer_append_slice(&made, time);
    put_texts(1, (const char *[]){"message", "m"});
    feed_made();
    assert_int_equal(run.counts.records, want ? 1 : 0);
    assert_int_equal(run.counts.refused, want ? 0 : 1);
    if (want)
        stream_run_expect(&run, 0, "info", "m", want, attributes ? attributes : "{\"tag\":\"t\"}");
}

#define ARRIVAL "2026-11-28T12:00:00.000000Z"

static void times_are_read(void **state)
{
    assert_time(SLICE_LITERAL("\xce\x6b\x0a\x27\xa8"), "2026-11-28T01:00:24.000000Z", NULL);
    assert_time(SLICE_LITERAL("\xd2\x6b\x0a\x27\xa8"), "2026-11-28T01:00:24.000000Z", NULL);
    assert_time(SLICE_LITERAL("\xff"), "1969-12-31T23:59:59.000000Z", NULL);
    assert_time(SLICE_LITERAL("\xd7\x00\x6b\x0a\x27\xa8\x00\x00\x03\xe8"),
                "2026-11-28T01:00:24.000001Z", NULL);
    assert_time(SLICE_LITERAL("\xc7\x08\x00\x6b\x0a\x27\xa8\x3b\x9a\xc9\xff"),
                "2026-11-28T01:00:24.999999Z", "{\"tag\":\"t\",\"nanoseconds\":999}");
    /* 1795827624.25 */
    assert_time(SLICE_LITERAL("\xcb\x41\xda\xc2\x89\xea\x10\x00\x00"),
                "2026-11-28T01:00:24.250000Z", NULL);
    /* milliseconds: 1795827624250 */
    assert_time(SLICE_LITERAL("\xcf\x00\x00\x01\xa2\x1f\xaa\xe9\x3a"),
                "2026-11-28T01:00:24.250000Z", NULL);
}

static void what_has_no_time_gets_that_of_its_arrival(void **state)
{
    assert_time(SLICE_LITERAL("\xc0"), ARRIVAL, NULL);
    assert_time(SLICE_LITERAL("\x00"), ARRIVAL, NULL);
    assert_time(SLICE_LITERAL("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"), ARRIVAL, NULL);
    assert_time(SLICE_LITERAL("\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x00"), ARRIVAL, NULL);
}

static void what_is_no_time_is_left_out(void **state)
{
    assert_time(SLICE_LITERAL("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xd7\x00\x6b\x0a\x27\xa8\x3b\x9a\xca\x00"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xd7\x01\x6b\x0a\x27\xa8\x00\x00\x00\x00"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xd6\x00\x6b\x0a\x27\xa8"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), NULL, NULL);
    assert_time(SLICE_LITERAL("\xc3"), NULL, NULL);
}

/* ["t", 1, RECORD] */
static void feed_record(struct slice record)
{
    stream_run_again(&run);
    buffer_clear(&made);
    buffer_append(&made, "\x93\xa1t\x01", 4);
    buffer_append_slice(&made, record);
    feed_made();
}

static void assert_record(struct slice record, const char *level, const char *message,
                          const char *attributes)
{
    feed_record(record);
    stream_run_expect(&run, 0, level, message, "1970-01-01T00:00:01.000000Z", attributes);
}

static void values_keep_their_types(void **state)
{
    assert_record(SLICE_LITERAL("\x86\xa1"
                                "a\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1"
                                "b\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xa1"
                                "c\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xa1"
                                "d\xca\x3f\xc0\x00\x00\xa1"
                                "e\xc0\xa1"
                                "f\xc2"),
                  "info", "",
                  "{\"tag\":\"t\",\"a\":18446744073709551615,\"b\":-9223372036854775808,"
                  "\"c\":\"NaN\",\"d\":1.5,\"e\":null,\"f\":false}");
    assert_record(SLICE_LITERAL("\x84\xa1"
                                "a\x82\xa1"
                                "b\x92\x01\xa1x\xa1"
                                "c\x80\xa1"
                                "d\xc4\x02ok\xa1"
                                "e\xc4\x02\xff\xfe\xa1"
                                "f\xd6\x05\x01\x02\x03\x04"),
                  "info", "",
                  "{\"tag\":\"t\",\"a\":{\"b\":[1,\"x\"],\"c\":{}},\"d\":\"ok\",\"e\":\"//4=\","
                  "\"f\":\"AQIDBA==\"}");
    assert_record(SLICE_LITERAL("\x85\x01\x02\xff\x03\xc3\x04\xc0\x05\xc4\x01"
                                "b\x06"),
                  "info", "", "{\"tag\":\"t\",\"1\":2,\"-1\":3,\"true\":4,\"null\":5,\"b\":6}");
    assert_record(SLICE_LITERAL("\x81\xa1"
                                "a\xa2\xffz"),
                  "info", "", "{\"tag\":\"t\",\"a\":\"\xef\xbf\xbdz\"}");
}

static void members_are_known_by_their_names(void **state)
{
    assert_record(SLICE_LITERAL("\x83\xa3log\xa2m\n\xa8severity\xa3"
                                "ERR\xa4time\xa1x"),
                  "ERR", "m", "{\"tag\":\"t\",\"time\":\"x\"}");
    assert_record(SLICE_LITERAL("\x83\xa3log\xa1l\xa7message\xa2m\n\xa5level\x32"), "error", "m\n",
                  "{\"tag\":\"t\",\"log\":\"l\"}");
    assert_record(SLICE_LITERAL("\x82\xa3msg\xc4\x01m\xa6status\xa3"
                                "200"),
                  "info", "m", "{\"tag\":\"t\",\"status\":\"200\"}");
    assert_record(SLICE_LITERAL("\x81\xa3log\x82\xa3msg\xa1m\xa1n\x01"), "info", "m",
                  "{\"tag\":\"t\",\"log\":{\"msg\":\"m\",\"n\":1}}");
    assert_record(SLICE_LITERAL("\x81\xa3log\x81\xa5level\xa4warn"), "warn", "",
                  "{\"tag\":\"t\",\"log\":{\"level\":\"warn\"}}");
    assert_record(SLICE_LITERAL("\x82\xa3tag\xa1x\xa3msg\xa1m"), "info", "m",
                  "{\"tag\":\"x\",\"fluent.tag\":\"t\"}");
    assert_record(SLICE_LITERAL("\x82\xa3tag\xa1x\xaa"
                                "fluent.tag\xa1y"),
                  "info", "", "{\"tag\":\"x\",\"fluent.tag\":\"y\",\"fluent.tag.2\":\"t\"}");
    assert_record(SLICE_LITERAL("\x80"), "info", "", "{\"tag\":\"t\"}");
}

static void fluent_bits_metadata_is_kept(void **state)
{
    feed_record(SLICE_LITERAL("\xc0"));
    stream_run_again(&run);
    /* ["t", [[[1, {"k": 2}], {"log": "a"}], [[2, {}], {"log": "b"}]]] */
    stream_run_feed(&run, SLICE_LITERAL("\x92\xa1t\x92\x92\x92\x01\x81\xa1k\x02\x81\xa3log\xa1"
                                        "a\x92\x92\x02\x80\x81\xa3log\xa1"
                                        "b"));
    assert_int_equal(run.kept.records_len, 2);
    stream_run_expect(&run, 0, "info", "a", "1970-01-01T00:00:01.000000Z",
                      "{\"tag\":\"t\",\"fluent.metadata\":{\"k\":2}}");
    stream_run_expect(&run, 1, "info", "b", "1970-01-01T00:00:02.000000Z", "{\"tag\":\"t\"}");
}

static void nesting_has_an_end(void **state)
{
    enum { DEEP = 100000 };
    char *deep = malloc(DEEP + 1);

    assert_non_null(deep);
    memset(deep, '\x91', DEEP);
    deep[DEEP] = '\x01';
    buffer_append(&made, "\x92\xa1t\x92\x92\x01\x81\xa1k", 9);
    buffer_append(&made, deep, DEEP + 1);
    buffer_append(&made, "\x92\x01\x80", 3);
    feed_made();
    assert_int_equal(run.counts.refused, 1);
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.unused.len, 0);
    free(deep);
}

/* ---- What is no event, and no message ---- */

static void what_is_no_event_keeps_no_other_out(void **state)
{
    /* ["t", [[1, {}], [1, 2], [1], 7, ["x", {}], [1, {[]: 1}], [1, {}]]] */
    stream_run_feed(&run, SLICE_LITERAL("\x92\xa1t\x97\x92\x01\x80\x92\x01\x02\x91\x01\x07\x92\xa1"
                                        "x\x80\x92\x01\x81\x90\x01\x92\x01\x80"));
    assert_int_equal(run.counts.records, 2);
    assert_int_equal(run.counts.refused, 5);
    assert_false(run.out.ends);
    stream_run_feed(&run, SLICE_LITERAL("\x93\xa1t\x01\xc0\x93\xa1t\x01\x80"));
    assert_int_equal(run.counts.records, 3);
    assert_int_equal(run.counts.refused, 6);
    /* packed, of which the third is broken, and one that is cut */
    stream_run_feed(&run, SLICE_LITERAL("\x92\xa1t\xc4\x08\x92\x01\x80\x92\x02\x80\xc1\x92\xc0"));
    assert_int_equal(run.counts.records, 5);
    assert_int_equal(run.counts.refused, 7);
    stream_run_feed(&run, SLICE_LITERAL("\x92\xa1t\xa4\x92\x01\x80\x92"));
    assert_int_equal(run.counts.records, 6);
    assert_int_equal(run.counts.refused, 8);
    assert_int_equal(run.unused.len, 0);
}

static void assert_ends(struct slice bytes, const char *why)
{
    stream_run_again(&run);
    stream_run_feed(&run, SLICE_LITERAL("\x93\xa1t\x01\x80"));
    stream_run_feed(&run, bytes);
    assert_true(run.out.ends);
    assert_string_equal(run.why.text, why);
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.counts.refused, 1);
}

static void what_is_no_message_ends_the_connection(void **state)
{
    static const char *const none = "a message that is none of Fluent's forward protocol";

    assert_ends(SLICE_LITERAL("GET / HTTP/1.1\r\n"),
                "bytes that are none of Fluent's forward protocol");
    assert_ends(SLICE_LITERAL("\x81\xa1t\x01"), "bytes that are none of Fluent's forward protocol");
    assert_ends(SLICE_LITERAL("\x92\xa1t\xc1"), "bytes that are no MessagePack");
    assert_ends(SLICE_LITERAL("\x90"), none);
    assert_ends(SLICE_LITERAL("\x91\xa1t"), none);
    assert_ends(SLICE_LITERAL("\x93\x01\x01\x80"), none);
    assert_ends(SLICE_LITERAL("\x92\xa1t\x01"), none);
}

static void signs_of_life_are_passed(void **state)
{
    stream_run_feed(&run, SLICE_LITERAL("\xc0\xc0\x93\xa1t\x01\x80\xc0"));
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.unused.len, 0);
    assert_int_equal(run.reply.len, 0);
}

static void a_message_that_was_cut_off_is_counted(void **state)
{
    stream_run_feed(&run, SLICE_LITERAL("\x93\xa1t\x01\x80\x93\xa1t"));
    stream_run_over(&run);
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.counts.refused, 1);
    assert_int_equal(run.unused.len, 0);
}

static void messages_are_bounded_before_they_come(void **state)
{
    static const char *const large = "a message is larger than FLUENT_MESSAGE_MAX";

    assert_ends(SLICE_LITERAL("\x92\xa1t\xc6\x01\x00\x00\x00"), large);
    assert_ends(SLICE_LITERAL("\x92\xa1t\xdd\x01\x00\x00\x00"), large);
    assert_ends(SLICE_LITERAL("\x92\xa1t\xdf\xff\xff\xff\xff"), large);
    stream_run_again(&run);
    stream_run_feed(&run, SLICE_LITERAL("\x92\xa1t\xc6\x00\xff\xff\xf0"));
    assert_false(run.out.ends);
}

/* ---- Chunks ---- */

static struct log_key key_of(const char *chunk, const char *log)
{
    stream_run_again(&run);
    buffer_clear(&made);
    put_message(chunk, 1, (const char *[]){"log", log});
    feed_made();
    assert_int_equal(run.kept.records_len, 1);
    return run.kept.records[0].key;
}

static void a_chunk_that_comes_again_is_the_same_logs(void **state)
{
    struct log_key first = key_of("c1", "a"), again = key_of("c1", "a");
    struct log_key another = key_of("c2", "a"), reused = key_of("c1", "b");

    assert_int_equal(log_key_compare(&first, &again), 0);
    assert_int_not_equal(log_key_compare(&first, &another), 0);
    /* nor is what a client calls by a name that it used before lost */
    assert_int_not_equal(log_key_compare(&first, &reused), 0);
    stream_run_again(&run);
    stream_run_feed(&run, SLICE_LITERAL("\x93\xa1t\x91\x92\x01\x80\x81\xa5"
                                        "chunk\xa1"
                                        "c\x93\xa1u\x91\x92\x01\x80\x81\xa5"
                                        "chunk\xa1"
                                        "c"));
    assert_int_equal(run.kept.records_len, 2); /* of two tags */
    assert_int_not_equal(log_key_compare(&run.kept.records[0].key, &run.kept.records[1].key), 0);
}

static void logs_of_a_chunk_keep_their_order(void **state)
{
    put_texts(0, NULL);
    buffer_clear(&made);
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_array(&made, 9);
    for (size_t i = 0; i < 9; i++)
        buffer_append(&made, "\x92\x01\x80", 3);
    put_texts(1, (const char *[]){"chunk", "c"});
    feed_made();
    for (size_t i = 1; i < 9; i++)
        assert_true(log_key_compare(&run.kept.records[i - 1].key, &run.kept.records[i].key) < 0);
}

static void a_chunk_is_answered_behind_its_logs(void **state)
{
    put_message("c1", 1, (const char *[]){"log", "a"});
    put_log("b");
    /* nothing of it can be a log, and coming again would not mend it */
    msgpack_append_array(&made, 4);
    msgpack_append_text(&made, text("t"));
    buffer_append(&made, "\x01\x02", 2);
    put_texts(1, (const char *[]){"chunk", "c2"});
    feed_made();
    assert_true(slice_equal(buffer_slice(&run.reply), SLICE_LITERAL("\x81\xa3"
                                                                    "ack\xa2"
                                                                    "c1\x81\xa3"
                                                                    "ack\xa2"
                                                                    "c2")));
    assert_int_equal(run.counts.refused, 1);
}

static void what_cannot_be_answered_is_not_taken(void **state)
{
    run.reply.ceiling = FLUENT_CHUNK_MAX + 20;
    put_message("c1", 1, (const char *[]){"log", "a"});
    put_message("c2", 1, (const char *[]){"log", "b"});
    feed_made();
    assert_int_equal(run.kept.records_len, 1);
    assert_true(run.unused.len > 0);
    assert_true(run.out.may_be_whole);
    assert_int_equal(buffer_error(&run.reply), 0);
    run.reply.ceiling = 1 << 20;
    stream_run_feed(&run, SLICE_LITERAL(""));
    assert_int_equal(run.kept.records_len, 2);
    assert_int_equal(run.unused.len, 0);
    assert_int_equal(run.reply.len, 16);
}

static void names_of_chunks_are_short(void **state)
{
    char chunk[FLUENT_CHUNK_MAX + 2];

    memset(chunk, 'c', sizeof(chunk));
    chunk[FLUENT_CHUNK_MAX] = '\0';
    key_of(chunk, "a");
    assert_int_equal(run.reply.len, FLUENT_CHUNK_MAX + 8);
    chunk[FLUENT_CHUNK_MAX] = 'c';
    chunk[FLUENT_CHUNK_MAX + 1] = '\0';
    put_message(chunk, 1, (const char *[]){"log", "a"});
    feed_made();
    assert_true(run.out.ends);
}

/* ---- Compressed ---- */

static void deflate_into(struct buffer *b, struct slice bytes)
{
    z_stream z = {.next_in = (unsigned char *)bytes.data, .avail_in = (unsigned)bytes.len};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, bytes.len);
    z.next_out = (unsigned char *)buffer_reserve(b, room);
    assert_non_null(z.next_out);
    z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len += room - z.avail_out;
    deflateEnd(&z);
}

/* ["t", packed, {"compressed": how}] */
static void feed_packed(struct slice packed, const char *how)
{
    stream_run_again(&run);
    buffer_clear(&made);
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_bytes(&made, packed);
    put_texts(1, (const char *[]){"compressed", how});
    feed_made();
    assert_int_equal(run.unused.len, 0);
}

static void gzip_may_have_members(void **state)
{
    struct buffer packed;

    buffer_init(&packed, 1 << 20);
    deflate_into(&packed, SLICE_LITERAL("\x92\x01\x80\x92\x02"));
    deflate_into(&packed, SLICE_LITERAL("\x80\x92\x03\x80"));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.records, 3);
    assert_int_equal(run.counts.refused, 0);
    assert_int_equal(run.counts.unpacked, 9);
    buffer_release(&packed);
}

static void what_cannot_be_unpacked_is_left_out(void **state)
{
    struct buffer packed;

    buffer_init(&packed, 1 << 20);
    deflate_into(&packed, SLICE_LITERAL("\x92\x01\x80\x92\x02\x80"));
    feed_packed(slice_of(packed.data, packed.len - 9), "gzip");
    assert_int_equal(run.counts.refused, 1);
    feed_packed(SLICE_LITERAL("\x92\x01\x80"), "gzip");
    assert_int_equal(run.counts.refused, 1);
    feed_packed(SLICE_LITERAL(""), "gzip");
    assert_int_equal(run.counts.refused, 1);
    buffer_clear(&packed);
    deflate_into(&packed, SLICE_LITERAL("\x92\x01\x80\xc1\x92\x02\x80"));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.refused, 1);
    assert_int_equal(run.counts.records, 1);
    buffer_clear(&packed);
    deflate_into(&packed, SLICE_LITERAL("\x92\x01\x80\x92\x02"));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.refused, 1);
    assert_int_equal(run.counts.records, 1);
    buffer_release(&packed);
}

static void another_way_of_packing_is_not_acknowledged(void **state)
{
    put_message(NULL, 0, NULL);
    buffer_clear(&made);
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_bytes(&made, SLICE_LITERAL("\x28\xb5\x2f\xfd"));
    put_texts(2, (const char *[]){"compressed", "zstd", "chunk", "c"});
    feed_made();
    assert_true(run.out.ends);
    assert_int_equal(run.reply.len, 0);
    assert_string_equal(run.why.text, "events are compressed in another way than gzip");
}

/* [1, {}], [1, {"a": a text of `len`}], [1, {}] */
static void put_large(struct buffer *b, size_t len)
{
    buffer_append(b,
                  "\x92\x01\x80\x92\x01\x81\xa1"
                  "a\xdb",
                  9);
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_char(b, (char)(len >> shift));
    memset(buffer_reserve(b, len), 'x', len);
    b->len += len;
    buffer_append(b, "\x92\x01\x80", 3);
}

static void large_events_are_passed_in_a_window(void **state)
{
    struct buffer packed, large;

    buffer_init(&packed, 100 << 20);
    buffer_init(&large, 80 << 20);
    put_large(&large, 1 << 20);
    deflate_into(&packed, buffer_slice(&large));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.records, 3);
    assert_int_equal(run.kept.records[1].attributes.len, (1 << 20) + 18);

    buffer_clear(&large);
    put_large(&large, FLUENT_MESSAGE_MAX + 200000);
    put_large(&large, 10);
    buffer_clear(&packed);
    deflate_into(&packed, buffer_slice(&large));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.records, 5);
    assert_int_equal(run.counts.refused, 1);
    assert_int_equal(run.counts.unpacked, large.len);

    /* nonsense in one that is passed: nothing behind it can be told */
    buffer_clear(&large);
    buffer_append(&large, "\x92\x01\x80\x92\x01\x93", 6);
    buffer_append(&large, "\xc6\x01\x10\x00\x00", 5);
    memset(buffer_reserve(&large, 0x1100000), 'x', 0x1100000);
    large.len += 0x1100000;
    buffer_append_char(&large, '\xc1');
    memset(buffer_reserve(&large, 0x1200000), '\x01', 0x1200000);
    large.len += 0x1200000;
    buffer_clear(&packed);
    deflate_into(&packed, buffer_slice(&large));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.counts.refused, 1);
    buffer_release(&large);
    buffer_release(&packed);
}

static void a_bomb_goes_off_in_a_small_room(void **state)
{
    struct buffer packed, large;

    buffer_init(&packed, 100 << 20);
    buffer_init(&large, 100 << 20);
    put_large(&large, FLUENT_UNPACKED_MAX + 200000);
    deflate_into(&packed, buffer_slice(&large));
    feed_packed(buffer_slice(&packed), "gzip");
    assert_int_equal(run.counts.records, 1);
    assert_int_equal(run.counts.refused, 1);
    assert_in_range(run.counts.unpacked, FLUENT_UNPACKED_MAX, FLUENT_UNPACKED_MAX + (64 << 10));
    buffer_release(&large);
    buffer_release(&packed);
}

static void what_is_too_much_of_a_chunk_is_not_acknowledged(void **state)
{
    static const char *const chunks[] = {"c", NULL};
    struct buffer packed, large;

    buffer_init(&packed, 100 << 20);
    buffer_init(&large, 100 << 20);
    put_large(&large, FLUENT_UNPACKED_MAX + 200000);
    deflate_into(&packed, buffer_slice(&large));
    for (size_t i = 0; i < 2; i++) {
        stream_run_again(&run);
        msgpack_append_array(&made, 3);
        msgpack_append_text(&made, text("t"));
        msgpack_append_bytes(&made, buffer_slice(&packed));
        put_texts(chunks[i] ? 2 : 1, (const char *[]){"compressed", "gzip", "chunk", chunks[i]});
        feed_made();
        assert_int_equal(run.counts.records, 1);
        assert_int_equal(run.counts.refused, 1);
        assert_int_equal(run.reply.len, 0);
        assert_int_equal(run.out.ends, i == 0);
    }
    buffer_release(&large);
    buffer_release(&packed);
}

static void an_event_that_memory_can_never_hold_keeps_no_other_out(void **state)
{
    static const struct stream_setup setup = {.hostname = "here"};
    struct stream_output out = {.reply = &run.reply, .why = &run.why};
    struct stream_input in = {.arrival_us = STREAM_RUN_ARRIVAL_US};
    char session[STREAM_SESSION_BYTES] = {0};
    struct buffer packed, large;
    struct ledger ledger;

    ledger_init(&ledger, 1 << 20);
    void *memory = fluent_forward.memory_new(&setup, ledger_account(&ledger, LEDGER_INTAKE));
    buffer_init(&packed, 4 << 20);
    buffer_init(&large, 4 << 20);
    put_large(&large, 1 << 20);
    deflate_into(&packed, buffer_slice(&large));
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_bytes(&made, buffer_slice(&packed));
    put_texts(2, (const char *[]){"compressed", "gzip", "chunk", "c"});
    in.bytes = buffer_slice(&made);
    assert_int_equal(fluent_forward.read(memory, session, &in, kept_sink, &run.kept, &out), 0);
    assert_int_equal(run.kept.records_len, 2);
    assert_int_equal(out.counts.refused, 1);
    assert_int_equal(out.used, in.bytes.len);
    fluent_forward.memory_free(memory);
    assert_int_equal(ledger_used(&ledger), 0);
    buffer_release(&large);
    buffer_release(&packed);
}

static int count_record(const struct record *r, void *n)
{
    ++*(size_t *)n;
    return 0;
}

static void events_of_a_message_are_bounded(void **state)
{
    struct stream_output out = {.reply = &run.reply, .why = &run.why};
    struct stream_input in = {.arrival_us = STREAM_RUN_ARRIVAL_US};
    struct buffer events, packed;
    size_t n = 0;

    buffer_init(&events, 16 << 20);
    buffer_init(&packed, 16 << 20);
    for (size_t i = 0; i < FLUENT_EVENTS_MAX + 1000; i++)
        buffer_append(&events, "\x92\x01\x80", 3);
    deflate_into(&packed, buffer_slice(&events));
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_bytes(&made, buffer_slice(&packed));
    put_texts(2, (const char *[]){"compressed", "gzip", "chunk", "c"});
    in.bytes = buffer_slice(&made);
    assert_int_equal(fluent_forward.read(run.memory, run.session, &in, count_record, &n, &out), 0);
    assert_int_equal(n, FLUENT_EVENTS_MAX);
    assert_true(out.ends);
    assert_int_equal(run.reply.len, 0);
    buffer_release(&events);
    buffer_release(&packed);
}

/* ---- Without memory ---- */

#ifdef LOGMILL_FAULTS

/* Reads `bytes` with memory that is new, of which an allocation fails. *used: of them. */
static int read_with(const struct fault_plan *plan, struct slice bytes, struct buffer *reply,
                     size_t *used)
{
    static const struct fault_plan none = {.first = 0};
    static const struct stream_setup setup = {.hostname = "here"};
    void *memory = fluent_forward.memory_new(&setup, NULL);
    char session[STREAM_SESSION_BYTES] = {0};
    struct stream_input in = {.bytes = bytes, .is_over = true, .arrival_us = 1};
    struct stream_output out = {.reply = reply, .why = &run.why};

    kept_forget(&run.kept);
    fault_plan(plan);
    int error = fluent_forward.read(memory, session, &in, kept_sink, &run.kept, &out);
    fault_plan(&none);
    fluent_forward.memory_free(memory);
    *used = out.used;
    return error;
}

/* A line in parts, a packed event of bytes that are base64, and an answer. */
static struct slice put_all_kinds(struct buffer *packed)
{
    deflate_into(packed, SLICE_LITERAL("\x92\x01\x81\xa1"
                                       "a\xc4\x01\xff"));
    put_part("a", "1", "false", "one ");
    put_part("a", "2", "true", "two");
    msgpack_append_array(&made, 3);
    msgpack_append_text(&made, text("t"));
    msgpack_append_bytes(&made, buffer_slice(packed));
    put_texts(2, (const char *[]){"compressed", "gzip", "chunk", "c"});
    return buffer_slice(&made);
}

static void without_memory_nothing_is_half_taken(void **state)
{
    struct buffer packed, reply;
    unsigned failed = 0;

    buffer_init(&packed, 1 << 20);
    struct slice bytes = put_all_kinds(&packed);
    for (unsigned point = 1;; point++) {
        const struct fault_plan plan = {FAULT_INPUT, point, false, FAULT_EIO};

        buffer_init(&reply, 1 << 20);
        size_t used;
        int error = read_with(&plan, bytes, &reply, &used);
        bool is_all = !error && used == bytes.len;
        assert_true(!error || error == LM_ENOMEM);
        if (!error) {
            /* no room for an answer: what it is of comes again */
            assert_int_equal(run.kept.records_len, is_all ? 2 : 1);
            assert_int_equal(reply.len, is_all ? 7 : 0);
        }
        buffer_release(&reply);
        if (is_all)
            break;
        failed++;
    }
    assert_true(failed >= 4);
    buffer_release(&packed);
}

#endif

/* ---- The handshake ---- */

static struct stream_run secured;

static int begin_secured(void **state)
{
    static const struct stream_setup setup = {.shared_key = "secret", .hostname = "logs"};

    buffer_init(&made, 1 << 20);
    stream_run_begin(&secured, &fluent_forward, &setup);
    return 0;
}

static int end_secured(void **state)
{
    buffer_release(&made);
    stream_run_end(&secured);
    return 0;
}

static void digest(const char *salt, const char *hostname, struct slice nonce, const char *key,
                   char hex[129])
{
    unsigned char bytes[64];
    char input[256];
    size_t len = (size_t)snprintf(input, sizeof(input), "%s%s", salt, hostname);

    memcpy(input + len, nonce.data, nonce.len);
    len += nonce.len;
    memcpy(input + len, key, strlen(key));
    len += strlen(key);
    assert_int_equal(EVP_Digest(input, len, bytes, NULL, EVP_sha512(), NULL), 1);
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* The nonce of the HELO that a new connection is told. */
static struct slice nonce_of_hello(void)
{
    static char nonce[16];
    struct slice hello = buffer_slice(&secured.reply);

    assert_int_equal(hello.len, 1 + 5 + 1 + 6 + 18 + 5 + 1 + 10 + 1);
    assert_memory_equal(hello.data, "\x92\xa4HELO\x83\xa5nonce\xc4\x10", 15);
    assert_memory_equal(hello.data + 31,
                        "\xa4"
                        "auth\xa0\xa9keepalive\xc3",
                        17);
    memcpy(nonce, hello.data + 15, sizeof(nonce));
    buffer_clear(&secured.reply);
    return slice_of(nonce, sizeof(nonce));
}

static void feed_ping(const char *hostname, struct slice nonce, const char *key)
{
    char hex[129];

    digest("salt", hostname, nonce, key, hex);
    buffer_clear(&made);
    msgpack_append_array(&made, 6);
    msgpack_append_text(&made, text("PING"));
    msgpack_append_text(&made, text(hostname));
    msgpack_append_bytes(&made, text("salt"));
    msgpack_append_text(&made, text(hex));
    msgpack_append_text(&made, text(""));
    msgpack_append_text(&made, text(""));
    buffer_append(&made, "\x93\xa1t\x01\x80", 5);
    stream_run_feed(&secured, buffer_slice(&made));
}

static void assert_pong(const char *hostname, struct slice nonce)
{
    char hex[129];

    digest("salt", hostname, nonce, "secret", hex);
    buffer_clear(&made);
    msgpack_append_array(&made, 5);
    msgpack_append_text(&made, text("PONG"));
    msgpack_append_bool(&made, true);
    msgpack_append_text(&made, text(""));
    msgpack_append_text(&made, text(hostname));
    msgpack_append_text(&made, text(hex));
    assert_true(slice_equal(buffer_slice(&secured.reply), buffer_slice(&made)));
}

static void who_knows_the_key_is_let_in(void **state)
{
    struct slice nonce = nonce_of_hello();

    stream_run_feed(&secured, SLICE_LITERAL("\xc0"));
    feed_ping("client", nonce, "secret");
    assert_pong("logs", nonce);
    assert_false(secured.out.ends);
    assert_int_equal(secured.counts.records, 1);
    stream_run_again(&secured);
    struct slice before = nonce;
    char copy[16];
    memcpy(copy, before.data, sizeof(copy));
    nonce = nonce_of_hello();
    assert_memory_not_equal(copy, nonce.data, sizeof(copy));
    /* fluentd takes its own name for a mistake */
    feed_ping("logs", nonce, "secret");
    assert_pong("logmill", nonce);
}

static void assert_shut_out(const char *why)
{
    assert_true(secured.out.ends);
    assert_int_equal(secured.counts.records, 0);
    assert_string_equal(secured.why.text, why);
    buffer_clear(&made);
    msgpack_append_array(&made, 5);
    msgpack_append_text(&made, text("PONG"));
    msgpack_append_bool(&made, false);
    msgpack_append_text(&made, text(why));
    msgpack_append_text(&made, text(""));
    msgpack_append_text(&made, text(""));
    assert_true(slice_equal(buffer_slice(&secured.reply), buffer_slice(&made)));
}

static void who_does_not_know_the_key_is_told_so(void **state)
{
    struct slice nonce = nonce_of_hello();

    feed_ping("client", nonce, "secre");
    assert_shut_out("the shared key is another one (FLUENT_SHARED_KEY)");
    stream_run_again(&secured);
    buffer_clear(&secured.reply);
    feed_ping("client", nonce, "secret"); /* the nonce of another connection */
    assert_shut_out("the shared key is another one (FLUENT_SHARED_KEY)");
}

static void a_digest_has_all_of_its_digits(void **state)
{
    static const struct slice pings[] = {
        SLICE_LITERAL("\x94\xa4PING\xa1h\xa1s\xa0"),
        SLICE_LITERAL("\x96\xa4PING\xa1h\xa1s\xa1"
                      "0\xa0\xa0"),
    };

    for (size_t i = 0; i < sizeof(pings) / sizeof(*pings); i++) {
        stream_run_again(&secured);
        buffer_clear(&secured.reply);
        stream_run_feed(&secured, pings[i]);
        assert_shut_out("the shared key is another one (FLUENT_SHARED_KEY)");
    }
}

static void events_before_the_handshake_are_not_taken(void **state)
{
    static const char *const why =
        "a shared key is asked for (FLUENT_SHARED_KEY): PING comes first";
    static const struct slice messages[] = {
        SLICE_LITERAL("\x93\xa1t\x01\x80"),
        SLICE_LITERAL("\x91\xa1t"),
        SLICE_LITERAL("\x96\xa4PING\xa1h\xa1s\x01\xa0\xa0"),
        SLICE_LITERAL("\x92\xa4PING\x90"),
        SLICE_LITERAL("\x92\xa1t\xc6\x00\x01\x00\x00"), /* and 64 KiB, not waited for */
    };

    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        stream_run_again(&secured);
        buffer_clear(&secured.reply);
        stream_run_feed(&secured, messages[i]);
        assert_shut_out(why);
    }
}

#define MADE(test) cmocka_unit_test_setup_teardown(test, begin_made, end_made)
#define SECURED(test) cmocka_unit_test_setup_teardown(test, begin_secured, end_secured)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_clients_send_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(streams_are_cut_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(logs_have_the_same_ids_however_they_are_cut, begin, end),
        cmocka_unit_test_setup_teardown(dockers_long_lines_are_put_together, begin, end),
        cmocka_unit_test_setup_teardown(parts_that_are_acknowledged_are_logs_of_their_own, begin,
                                        end),
        MADE(parts_wait_for_each_other),
        MADE(parts_that_do_not_come_are_not_waited_for),
        MADE(lines_in_parts_are_few),
        MADE(a_line_in_parts_is_bounded),
        MADE(a_line_in_parts_that_is_to_come_again_is_not_left_out),
        MADE(a_chunk_does_not_wait_behind_parts),
        MADE(parts_before_nonsense_are_not_lost),
        MADE(times_are_read),
        MADE(what_has_no_time_gets_that_of_its_arrival),
        MADE(what_is_no_time_is_left_out),
        MADE(values_keep_their_types),
        MADE(members_are_known_by_their_names),
        MADE(fluent_bits_metadata_is_kept),
        MADE(nesting_has_an_end),
        MADE(what_is_no_event_keeps_no_other_out),
        MADE(what_is_no_message_ends_the_connection),
        MADE(signs_of_life_are_passed),
        MADE(a_message_that_was_cut_off_is_counted),
        MADE(messages_are_bounded_before_they_come),
        MADE(a_chunk_that_comes_again_is_the_same_logs),
        MADE(logs_of_a_chunk_keep_their_order),
        MADE(a_chunk_is_answered_behind_its_logs),
        MADE(what_cannot_be_answered_is_not_taken),
        MADE(names_of_chunks_are_short),
        MADE(gzip_may_have_members),
        MADE(what_cannot_be_unpacked_is_left_out),
        MADE(another_way_of_packing_is_not_acknowledged),
        MADE(large_events_are_passed_in_a_window),
        MADE(a_bomb_goes_off_in_a_small_room),
        MADE(what_is_too_much_of_a_chunk_is_not_acknowledged),
        MADE(an_event_that_memory_can_never_hold_keeps_no_other_out),
        MADE(events_of_a_message_are_bounded),
#ifdef LOGMILL_FAULTS
        MADE(without_memory_nothing_is_half_taken),
#endif
        SECURED(who_knows_the_key_is_let_in),
        SECURED(who_does_not_know_the_key_is_told_so),
        SECURED(a_digest_has_all_of_its_digits),
        SECURED(events_before_the_handshake_are_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
