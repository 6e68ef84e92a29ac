/* Lines of other programs' logs, as their documentation shows them (formats/line_format.h). */
#include "formats/line_format.h"

#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"
#include "formats/text_head.h"

static const char NO_TIME[] = "-";

/* The rest of a case whose line is not of the form. */
#define NO_LINE NULL, NULL, NULL, NULL

struct made {
    struct line_memory memory;
    struct record_draft draft;
};

static void begin(struct made *m)
{
    struct timestamp_error why;

    line_memory_init(&m->memory);
    record_draft_init(&m->draft);
    assert_int_equal(
        timestamp_parse_text(SLICE_LITERAL("2026-11-28T12:00:00Z"), &m->memory.now_us, &why), 0);
}

static void end(struct made *m)
{
    line_memory_release(&m->memory);
    record_draft_release(&m->draft);
}

/* What a line becomes; NULL where it is not of the form. */
struct line_case {
    const char *line, *time, *level, *message, *attributes;
};

static void assert_text(struct slice got, const char *want, const char *line)
{
    if (!slice_equal(got, slice_of_string(want)))
        fail_msg("%s: \"%.*s\", not \"%s\"", line, SLICE_ARG(got), want);
}

static void assert_draft(struct record_draft *d, const struct line_case *c)
{
    struct errbuf why = ERRBUF_INIT;
    struct slice level = d->record.level;
    bool has_time = d->has_time;
    char time[TIMESTAMP_TEXT_LEN];
    struct record r;

    assert_int_equal(record_draft_finish(d, 0, &r, &why), 0);
    timestamp_format(r.key.timestamp_us, time);
    assert_text(has_time ? slice_of(time, sizeof(time)) : slice_of_string(NO_TIME), c->time,
                c->line);
    assert_text(level, c->level, c->line);
    assert_text(r.message, c->message ? c->message : c->line, c->line);
    assert_text(r.attributes, c->attributes, c->line);
}

/* A message of NULL in a case: the line itself. A time of NULL: the line is not of the form. */
static void check(const struct line_format *format, const struct line_case *cases, size_t len)
{
    struct made m;

    begin(&m);
    for (size_t i = 0; i < len; i++) {
        /* A copy of just its length, so that a reader past it is seen. */
        size_t line_len = strlen(cases[i].line);
        char *line = malloc(line_len + !line_len);

        memcpy(line, cases[i].line, line_len);
        record_draft_begin(&m.draft);
        bool fits = format->read(&m.memory, slice_of(line, line_len), &m.draft);
        if (fits != !!cases[i].time)
            fail_msg("%s: %s", cases[i].line, fits ? "is taken" : "is not taken");
        if (fits)
            assert_draft(&m.draft, &cases[i]);
        free(line);
    }
    end(&m);
}

#define CHECK_LINES(format, cases) check(format, cases, sizeof(cases) / sizeof(*(cases)))

static void access_logs_have_their_fields_and_a_level_of_the_status(void **state)
{
    static const struct line_case cases[] = {
        {"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326",
         "2000-10-10T20:55:36.000000Z", "info", NULL,
         "{\"client\":\"127.0.0.1\",\"user\":\"frank\",\"method\":\"GET\",\"path\":\"/"
         "apache_pb.gif\",\"protocol\":\"HTTP/1.0\",\"status\":200,\"bytes\":2326}"},
        {"2001:db8::7 - - [28/Nov/2026:12:00:01 +0000] \"POST /a?b=c%20d HTTP/2.0\" 502 0 "
         "\"https://example.org/\" \"curl/8.5 \\\"x\\\" \\x22y\\x22\" rt=0.002",
         "2026-11-28T12:00:01.000000Z", "error", NULL,
         "{\"client\":\"2001:db8::7\",\"method\":\"POST\",\"path\":\"/a?b=c%20d\",\"protocol\":"
         "\"HTTP/2.0\",\"status\":502,\"bytes\":0,\"referrer\":\"https://example.org/"
         "\",\"user_agent\":\"curl/8.5 \\\"x\\\" \\\"y\\\"\"}"},
        {"www.example.org:80 10.0.0.9 - - [28/Nov/2026:12:00:01 +0100] \"-\" 408 - \"-\" \"-\"",
         "2026-11-28T11:00:01.000000Z", "warning", NULL,
         "{\"vhost\":\"www.example.org:80\",\"client\":\"10.0.0.9\",\"status\":408}"},
        {"10.0.0.9 - - [28/Nov/2026:12:00:01 +0100] \"\\x16\\x03\\x01\" 400 150 \"-\" \"-\"",
         "2026-11-28T11:00:01.000000Z", "warning", NULL,
         "{\"client\":\"10.0.0.9\",\"request\":\"\\u0016\\u0003\\u0001\",\"status\":400,"
         "\"bytes\":150}"},
        {"10.0.0.9 - - [28/Nov/2026:12:00:01 +0100] \"GET / HTTP/1.1\" 200", NO_LINE},
        {"10.0.0.9 - - [28/Nov/2026:12:00:01 +0100] \"GET / HTTP/1.1", NO_LINE},
        {"10.0.0.9 - - [99/Nov/2026:12:00:01 +0100] \"GET / HTTP/1.1\" 200 1", NO_LINE},
        {"10.0.0.9 - [28/Nov/2026:12:00:01 +0100] \"GET / HTTP/1.1\" 200 1", NO_LINE},
        {"", NO_LINE},
        {"plain text", NO_LINE},
    };

    CHECK_LINES(&line_access, cases);
}

static void error_logs_of_web_servers_have_level_and_context(void **state)
{
    static const struct line_case cases[] = {
        {"2026/11/28 12:00:01 [error] 31#32: *1 open() \"/x, y\" failed (2: No such file or "
         "directory), client: 172.17.0.1, server: localhost, request: \"GET /x HTTP/1.1\", host: "
         "\"localhost:8080\"",
         "2026-11-28T12:00:01.000000Z", "error", NULL,
         "{\"pid\":31,\"tid\":32,\"connection\":1,\"client\":\"172.17.0.1\",\"server\":"
         "\"localhost\",\"request\":\"GET /x HTTP/1.1\",\"host\":\"localhost:8080\"}"},
        {"2026/11/28 12:00:01 [notice] 1#1: using the \"epoll\" event method",
         "2026-11-28T12:00:01.000000Z", "notice", NULL, "{\"pid\":1,\"tid\":1}"},
        {"[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client "
         "72.15.99.187] File does not exist: /usr/local/apache2/htdocs/favicon.ico",
         "2011-09-09T10:42:29.902022Z", "error", NULL,
         "{\"module\":\"core\",\"pid\":35708,\"tid\":4328636416,\"client\":\"72.15.99.187\"}"},
        {"[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] client denied by server "
         "configuration: /export/home/live/ap/htdocs/test",
         "2000-10-11T14:32:52.000000Z", "error", NULL, "{\"client\":\"127.0.0.1\"}"},
        {"2026/11/28 12:00:01 [error] no pid", NO_LINE},
        {"[Fri Foo 09 10:42:29 2011] [core:error] x", NO_LINE},
        {"[x", NO_LINE},
    };

    CHECK_LINES(&line_access, cases);
}

static void logfmt_has_names_types_and_escapes(void **state)
{
    static const struct line_case cases[] = {
        {"time=2026-11-28T12:00:01.5+01:00 level=warn msg=\"disk \\\"sda\\\"\\tis\\u00e9\" "
         "free=0.5 n=-12 ok=true empty= zip=01234 quoted=\"7\" d=1m3s",
         "2026-11-28T11:00:01.500000Z", "warn", "disk \"sda\"\tis\xc3\xa9",
         "{\"free\":0.5,\"n\":-12,\"ok\":true,\"empty\":\"\",\"zip\":\"01234\",\"quoted\":\"7\","
         "\"d\":\"1m3s\"}"},
        {"ts=1700000000.25 caller=main.go:7 level=info message=plain",
         "2023-11-14T22:13:20.250000Z", "info", "plain", "{\"caller\":\"main.go:7\"}"},
        {"t=12ms at=info method=GET", NO_TIME, "", NULL,
         "{\"t\":\"12ms\",\"at\":\"info\",\"method\":\"GET\"}"},
        {"level=info level=debug msg=a msg=b", NO_TIME, "info", "a",
         "{\"level\":\"debug\",\"msg\":\"b\"}"},
        {"level=info msg=hello world", NO_LINE},
        {"level=info msg=\"hello", NO_LINE},
        {"level=info msg=\"a\"b", NO_LINE},
        {"=a", NO_LINE},
        {"text", NO_LINE},
        {"   ", NO_LINE},
    };

    CHECK_LINES(&line_logfmt, cases);
}

static void logfmt_is_guessed_by_two_known_names_alone(void **state)
{
    assert_true(logfmt_is_sure(SLICE_LITERAL("level=info msg=x")));
    assert_true(logfmt_is_sure(SLICE_LITERAL("time=2026-11-28T12:00:01Z a=b msg=\"x y\"")));
    assert_false(logfmt_is_sure(SLICE_LITERAL("a=b c=d")));
    assert_false(logfmt_is_sure(SLICE_LITERAL("msg=x")));
    assert_false(logfmt_is_sure(SLICE_LITERAL("level=info msg=x and more")));
    assert_false(logfmt_is_sure(SLICE_LITERAL("")));
}

static void json_of_loggers_is_read_by_its_members(void **state)
{
    static const struct line_case cases[] = {
        {"{\"level\":30,\"time\":1700000000123,\"pid\":7,\"msg\":\"hi\"}",
         "2023-11-14T22:13:20.123000Z", "info", "hi", "{\"pid\":7}"},
        {" {\"@t\":\"2026-11-28T12:00:01.0000001Z\",\"@mt\":\"Hello {A}\",\"@l\":\"Warning\","
         "\"A\":1}",
         "2026-11-28T12:00:01.000000Z", "Warning", "Hello {A}", "{\"A\":1,\"nanoseconds\":100}"},
        {"{\"a\":1}", NO_LINE},
        {"{\"msg\":\"x\"", NO_LINE},
        {"[1]", NO_LINE},
    };

    CHECK_LINES(&line_json, cases);
}

static void entries_of_journalctl_are_those_of_the_journal(void **state)
{
    static const struct line_case cases[] = {
        {"{\"__CURSOR\":\"s=1;i=2\",\"__REALTIME_TIMESTAMP\":\"1700000000123456\",\"__MONOTONIC_"
         "TIMESTAMP\":\"5\",\"PRIORITY\":\"3\",\"MESSAGE\":\"no space\",\"_PID\":\"7\",\"BIG\":"
         "null,\"TWICE\":[\"a\",\"b\"]}",
         "2023-11-14T22:13:20.123456Z", "error", "no space",
         "{\"_PID\":\"7\",\"BIG\":null,\"TWICE\":\"b\"}"},
        {"{\"__REALTIME_TIMESTAMP\":\"1700000000123456\",\"MESSAGE\":[104,105,10,195,164]}",
         "2023-11-14T22:13:20.123456Z", "", "hi\n\xc3\xa4", ""},
        {"{\"MESSAGE\":\"no time\"}", NO_LINE},
        {"text", NO_LINE},
    };

    CHECK_LINES(&line_journal, cases);
}

static void syslog_is_read_with_its_head_and_without_pri(void **state)
{
    static const struct line_case cases[] = {
        {"2026-11-28T12:00:01.5+01:00 web-1 shop[7]: hi", "2026-11-28T11:00:01.500000Z", "", "hi",
         "{\"host\":\"web-1\",\"app\":\"shop\",\"procid\":\"7\"}"},
        {"<12>1 2026-11-28T11:00:01Z web-1 - - - - hi", "2026-11-28T11:00:01.000000Z", "warning",
         "hi", "{\"facility\":\"user\",\"host\":\"web-1\"}"},
        {"text", NO_LINE},
        {"{\"message\":\"x\"}", NO_LINE},
    };

    CHECK_LINES(&line_syslog, cases);
}

static void heads_of_texts_have_time_and_level(void **state)
{
#define TIME "2026-11-28T12:00:01.123000Z"
    static const struct line_case cases[] = {
        {"2026-11-28 12:00:01,123 ERROR no way", TIME, "ERROR", NULL, ""},
        {"2026-11-28 12:00:01,123 - app.db - WARNING - slow", TIME, "WARNING", NULL, ""},
        {"[2026-11-28T12:00:01.123Z] info: up", TIME, "info", NULL, ""},
        {"[2026-11-28T12:00:01.123Z INFO  app] up", TIME, "INFO", NULL, ""},
        {"2026-11-28T13:00:01.123+01:00  WARN 7 --- [main] c.e.App : x", TIME, "WARN", NULL, ""},
        {"2026-11-28T13:00:01.123+0100 [main] DEBUG c.e.App - x", TIME, "DEBUG", NULL, ""},
        {"2026-11-28 12:00:01.123 UTC [77] app@db ERROR:  relation", TIME, "ERROR", NULL, ""},
        {"2026-11-28 13:00:01.123 +0100 [77] x", TIME, "", NULL, ""},
        {"2026-11-28T12:00:01.123000Z 0 [Warning] [MY-010068] [Server] CA", TIME, "Warning", NULL,
         ""},
        {"2026/11/28 12:00:01.123000 main.go:7: up", TIME, "", NULL, ""},
        {"INFO  [2026-11-28 12:00:01,123] org.App: up", TIME, "INFO", NULL, ""},
        {"E1128 12:00:01.123000    7 main.go:7] bad", TIME, "error", NULL, ""},
        {"W20261128 12:00:01.123000 7 main.cc:7] hm", TIME, "warning", NULL, ""},
        {"I0101 12:00:01.123000 7 x.go:7] so long ago", "2026-01-01T12:00:01.123000Z", "info", NULL,
         ""},
        {"I1228 12:00:01.123000 7 x.go:7] a clock ahead", "2026-12-28T12:00:01.123000Z", "info",
         NULL, ""},
        {"ERROR:root:no way", NO_TIME, "ERROR", NULL, ""},
        {"[warn] hm", NO_TIME, "warn", NULL, ""},
        {"debug: x", NO_TIME, "debug", NULL, ""},
        {"12:00:01.123 [main] ERROR c.e.App - x", NO_TIME, "ERROR", NULL, ""},
        {"2026-11-28 12:00:01.123456789 x", "2026-11-28T12:00:01.123456Z", "", NULL,
         "{\"nanoseconds\":789}"},
        /* What might be something else is not taken. */
        {"Error: Cannot find module 'x'", NO_TIME, "", NULL, ""},
        {"ERROR in module x", NO_TIME, "", NULL, ""},
        {"error something", NO_TIME, "", NULL, ""},
        {"2026-11-28 is a day", NO_TIME, "", NULL, ""},
        {"2026-11-28 12:00:01x", NO_TIME, "", NULL, ""},
        {"2026-13-28 12:00:01 x", NO_TIME, "", NULL, ""},
        {"2026-11-28T12:00:01.123Z the debug word of a sentence", TIME, "", NULL, ""},
        {"I1128 text", NO_TIME, "", NULL, ""},
        {"Information: x", NO_TIME, "", NULL, ""},
        {"", NO_TIME, "", NULL, ""},
        {"[", NO_TIME, "", NULL, ""},
    };
#undef TIME

    CHECK_LINES(&line_text, cases);
}

static int64_t two_hours(int64_t us)
{
    return 7200;
}

static void a_time_without_a_zone_is_in_that_of_the_memory(void **state)
{
    static const struct line_case bare = {"2026-11-28 12:00:01 x", "2026-11-28T10:00:01.000000Z",
                                          "", NULL, ""};
    static const struct line_case zoned = {"2026-11-28 12:00:01Z x", "2026-11-28T12:00:01.000000Z",
                                           "", NULL, ""};
    struct made m;

    begin(&m);
    m.memory.ahead_s = two_hours;
    record_draft_begin(&m.draft);
    assert_true(line_text.read(&m.memory, slice_of_string(bare.line), &m.draft));
    assert_draft(&m.draft, &bare);
    record_draft_begin(&m.draft);
    assert_true(line_text.read(&m.memory, slice_of_string(zoned.line), &m.draft));
    assert_draft(&m.draft, &zoned);
    end(&m);
}

/* What a line around a text says of it, and what both become. */
static void check_wrapped(const struct line_format *format, const struct line_case *c,
                          const char *text, const char *stream, bool is_part)
{
    struct line_inner inner;
    struct made m;

    begin(&m);
    record_draft_begin(&m.draft);
    assert_true(format->unwrap(&m.memory, slice_of_string(c->line), &inner));
    assert_text(inner.text, text, c->line);
    assert_text(inner.stream, stream, c->line);
    assert_int_equal(inner.is_part, is_part);
    char *copy = strndup(text, strlen(text));
    assert_true(line_contained.read(&m.memory, slice_of_string(copy), &m.draft));
    format->wrap(&m.memory, slice_of_string(c->line), &m.draft);
    assert_draft(&m.draft, c);
    free(copy);
    end(&m);
}

static void cri_lines_have_stream_time_and_parts(void **state)
{
    check_wrapped(&line_cri,
                  &(struct line_case){"2016-10-06T00:17:09.669794202Z stdout F log content 1",
                                      "2016-10-06T00:17:09.669794Z", "", "log content 1",
                                      "{\"stream\":\"stdout\",\"nanoseconds\":202}"},
                  "log content 1", "stdout", false);
    check_wrapped(&line_cri,
                  &(struct line_case){"2016-10-06T02:17:09.5+02:00 stderr P [error] half",
                                      "2016-10-06T00:17:09.500000Z", "error", "[error] half",
                                      "{\"stream\":\"stderr\"}"},
                  "[error] half", "stderr", true);
    check_wrapped(
        &line_cri,
        &(struct line_case){"2016-10-06T00:17:09Z stdout F {\"msg\":\"x\",\"level\":\"warn\","
                            "\"time\":\"2016-10-05T00:00:00Z\",\"n\":1}",
                            "2016-10-05T00:00:00.000000Z", "warn", "x",
                            "{\"n\":1,\"stream\":\"stdout\"}"},
        "{\"msg\":\"x\",\"level\":\"warn\",\"time\":\"2016-10-05T00:00:00Z\",\"n\":1}", "stdout",
        false);
    check_wrapped(&line_cri,
                  &(struct line_case){"2016-10-06T00:17:09Z stdout F level=info msg=\"a b\" n=1",
                                      "2016-10-06T00:17:09.000000Z", "info", "a b",
                                      "{\"n\":1,\"stream\":\"stdout\"}"},
                  "level=info msg=\"a b\" n=1", "stdout", false);
    check_wrapped(&line_cri,
                  &(struct line_case){"2016-10-06T00:17:09Z stdout F 2016-10-06 05:00:00 ERROR x",
                                      "2016-10-06T00:17:09.000000Z", "ERROR",
                                      "2016-10-06 05:00:00 ERROR x", "{\"stream\":\"stdout\"}"},
                  "2016-10-06 05:00:00 ERROR x", "stdout", false);
}

static void docker_lines_have_stream_time_attrs_and_parts(void **state)
{
    check_wrapped(
        &line_docker,
        &(struct line_case){"{\"log\":\"Log line is here\\n\",\"stream\":\"stdout\",\"time\":"
                            "\"2019-01-01T11:11:11.111111111Z\"}",
                            "2019-01-01T11:11:11.111111Z", "", "Log line is here",
                            "{\"stream\":\"stdout\",\"nanoseconds\":111}"},
        "Log line is here", "stdout", false);
    check_wrapped(
        &line_docker,
        &(struct line_case){"{\"log\":\"half\",\"stream\":\"stderr\",\"attrs\":{\"tag\":\"web\"},"
                            "\"time\":\"2019-01-01T11:11:11Z\"}",
                            "2019-01-01T11:11:11.000000Z", "", "half",
                            "{\"stream\":\"stderr\",\"attrs\":{\"tag\":\"web\"}}"},
        "half", "stderr", true);
}

static void what_is_no_line_of_a_container_is_not_unwrapped(void **state)
{
    static const char *const lines[] = {
        "",
        "2016-10-06T00:17:09Z",
        "2016-10-06T00:17:09Z stdout",
        "2016-10-06T00:17:09Z both F x",
        "2016-10-06T00:17:09Z stdout X x",
        "2016-10-06 00:17:09Z stdout F x",
        "x stdout F x",
        "{\"log\":\"a\\n\",\"time\":\"2019-01-01T11:11:11Z\",\"more\":1}",
        "{\"log\":7,\"time\":\"2019-01-01T11:11:11Z\"}",
        "{\"log\":\"a\\n\"}",
        "{\"log\":\"a",
    };
    struct line_inner inner;
    struct made m;

    begin(&m);
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        if (line_cri.unwrap(&m.memory, slice_of_string(lines[i]), &inner) ||
            line_docker.unwrap(&m.memory, slice_of_string(lines[i]), &inner))
            fail_msg("%s: is taken", lines[i]);
    }
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_logs_have_their_fields_and_a_level_of_the_status),
        cmocka_unit_test(error_logs_of_web_servers_have_level_and_context),
        cmocka_unit_test(logfmt_has_names_types_and_escapes),
        cmocka_unit_test(logfmt_is_guessed_by_two_known_names_alone),
        cmocka_unit_test(json_of_loggers_is_read_by_its_members),
        cmocka_unit_test(entries_of_journalctl_are_those_of_the_journal),
        cmocka_unit_test(syslog_is_read_with_its_head_and_without_pri),
        cmocka_unit_test(heads_of_texts_have_time_and_level),
        cmocka_unit_test(a_time_without_a_zone_is_in_that_of_the_memory),
        cmocka_unit_test(cri_lines_have_stream_time_and_parts),
        cmocka_unit_test(docker_lines_have_stream_time_attrs_and_parts),
        cmocka_unit_test(what_is_no_line_of_a_container_is_not_unwrapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
