/* A message of syslog (formats/syslog.h). */
#include "formats/syslog.h"

#include <stdlib.h>
#include <time.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"
#include "format_run.h"

static const char ARRIVAL[] = "2026-11-28T12:00:00.000000Z";
static const int64_t ARRIVAL_US = INT64_C(1795867200) * 1000000;

static struct syslog reader;
static struct record_draft draft;
static struct format_run run; /* its kept logs alone */
static bool was_syslog;

static void set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
    reader.zone = (struct syslog_zone){.is_known = false};
}

static int begin(void **state)
{
    syslog_init(&reader);
    record_draft_init(&draft);
    run = (struct format_run){.kept = {.fail_at = -1}};
    set_zone("UTC");
    return 0;
}

static int end(void **state)
{
    syslog_release(&reader);
    record_draft_release(&draft);
    kept_forget(&run.kept);
    return 0;
}

static int read_at(struct slice message, struct syslog_source source)
{
    struct errbuf why = ERRBUF_INIT;
    struct record record;
    char *exact = malloc(message.len ? message.len : 1);

    assert_non_null(exact);
    if (message.len)
        memcpy(exact, message.data, message.len);
    kept_forget(&run.kept);
    if (!source.has_draft) {
        reader.origin.len = 0;
        record_draft_begin(&draft);
    }
    was_syslog = syslog_put(&reader, slice_of(exact, message.len), &source, &draft);
    int error = record_draft_finish(&draft, source.arrival_us, &record, &why);
    if (!error)
        assert_int_equal(kept_sink(&record, &run.kept), 0);
    free(exact);
    return error;
}

/* `time` NULL: that of arrival. */
static void assert_bytes(struct slice message, const char *level, const char *text,
                         const char *time, const char *attributes)
{
    assert_int_equal(read_at(message, (struct syslog_source){.arrival_us = ARRIVAL_US}), 0);
    format_run_expect(&run, 0, level, text, time ? time : ARRIVAL, attributes);
}

static void assert_log(const char *message, const char *level, const char *text, const char *time,
                       const char *attributes)
{
    assert_bytes(slice_of_string(message), level, text, time, attributes);
}

/* ---- RFC 5424 ---- */

static void the_examples_of_rfc_5424_are_read(void **state)
{
    assert_log("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su "
               "root' failed for lonvick on /dev/pts/8",
               "critical", "'su root' failed for lonvick on /dev/pts/8",
               "2003-10-11T22:14:15.003000Z",
               "{\"facility\":\"auth\",\"host\":\"mymachine.example.com\",\"app\":\"su\","
               "\"msgid\":\"ID47\"}");
    assert_log("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to "
               "make the do-nuts.",
               "notice", "%% It's time to make the do-nuts.", "2003-08-24T12:14:15.000003Z",
               "{\"facility\":\"local4\",\"host\":\"192.0.2.1\",\"app\":\"myproc\","
               "\"procid\":\"8710\"}");
    assert_log("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
               "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
               "\xef\xbb\xbf"
               "An application event log entry...",
               "notice", "An application event log entry...", "2003-10-11T22:14:15.003000Z",
               "{\"facility\":\"local4\",\"host\":\"mymachine.example.com\",\"app\":\"evntslog\","
               "\"msgid\":\"ID47\",\"sd\":{\"exampleSDID@32473\":{\"iut\":\"3\","
               "\"eventSource\":\"Application\",\"eventID\":\"1011\"}}}");
    assert_log("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
               "[exampleSDID@32473 iut=\"3\"][examplePriority@32473 class=\"high\"]",
               "notice", "", "2003-10-11T22:14:15.003000Z",
               "{\"facility\":\"local4\",\"host\":\"mymachine.example.com\",\"app\":\"evntslog\","
               "\"msgid\":\"ID47\",\"sd\":{\"exampleSDID@32473\":{\"iut\":\"3\"},"
               "\"examplePriority@32473\":{\"class\":\"high\"}}}");
}

static void what_says_nothing_is_left_out(void **state)
{
    assert_log("<13>1 - - shop - - - hello", "notice", "hello", NULL,
               "{\"facility\":\"user\",\"app\":\"shop\"}");
    assert_log("<13>1 - - - - - -", "notice", "", NULL, "{\"facility\":\"user\"}");
    assert_log("<13>1 - - - - -", "notice", "", NULL, "{\"facility\":\"user\"}");
}

static void each_severity_is_a_level_and_each_facility_has_a_name(void **state)
{
    static const char *const levels[] = {"emergency", "alert",  "critical", "error",
                                         "warning",   "notice", "info",     "debug"};
    char message[16];

    for (unsigned i = 0; i < 8; i++) {
        snprintf(message, sizeof(message), "<%u>a", 8 + i);
        assert_log(message, levels[i], "a", NULL, "{\"facility\":\"user\"}");
    }
    assert_log("<0>a", "emergency", "a", NULL, "{\"facility\":\"kern\"}");
    assert_log("<191>a", "debug", "a", NULL, "{\"facility\":\"local7\"}");
    assert_log("<86>a", "info", "a", NULL, "{\"facility\":\"authpriv\"}");
}

static void times_keep_what_they_say(void **state)
{
    assert_log("<13>1 2026-11-28T01:02:03.123456789+01:00 - - - - - a", "notice", "a",
               "2026-11-28T00:02:03.123456Z", "{\"facility\":\"user\",\"nanoseconds\":789}");
    assert_log("<13>1 2026-11-28T01:02:03Z - - - - - a", "notice", "a",
               "2026-11-28T01:02:03.000000Z", "{\"facility\":\"user\"}");
    assert_log("<13>1 yesterday - - - - - a", "notice", "1 yesterday - - - - - a", NULL,
               "{\"facility\":\"user\"}");
}

static void values_of_structured_data_lose_their_escapes(void **state)
{
    assert_log("<13>1 - - - - - [a b=\"\\\"\\\\\\]\\n c]\" d=\"\"][e] m", "notice", "m", NULL,
               "{\"facility\":\"user\",\"sd\":{\"a\":{\"b\":\"\\\"\\\\]\\\\n c]\",\"d\":\"\"},"
               "\"e\":{}}}");
    assert_log("<13>1 - - - - - [a b=\"x\ny\"] m", "notice", "m", NULL,
               "{\"facility\":\"user\",\"sd\":{\"a\":{\"b\":\"x\\ny\"}}}");
}

static void parameters_of_one_name_are_an_array(void **state)
{
    assert_log("<13>1 - - - - - [origin ip=\"192.0.2.1\" x=\"y\" ip=\"192.0.2.129\"] m", "notice",
               "m", NULL,
               "{\"facility\":\"user\",\"sd\":{\"origin\":{\"ip\":[\"192.0.2.1\",\"192.0.2.129\"],"
               "\"x\":\"y\"}}}");
}

/* Senders leave structured data out, or write what is none: then it is the message. */
static void what_is_no_structured_data_is_the_message(void **state)
{
    static const char *const texts[] = {
        "State changed",   "[a", "[a b=c] m", "[a b=\"c\"x] m", "-x",
        "[a b=\"c\\\"] m", "[]", "[a b=\"c\""};
    char message[64];

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        snprintf(message, sizeof(message), "<13>1 - - - - - %s", texts[i]);
        assert_log(message, "notice", texts[i], NULL, "{\"facility\":\"user\"}");
    }
}

static void one_more_space_before_the_message_is_rsyslogs(void **state)
{
    assert_log("<13>1 - - - - - -  a", "notice", "a", NULL, "{\"facility\":\"user\"}");
    assert_log("<13>1 - - - - - -   a", "notice", " a", NULL, "{\"facility\":\"user\"}");
}

/* ---- RFC 3164 and what is written like it ---- */

static void the_examples_of_rfc_3164_are_read(void **state)
{
    assert_log("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
               "critical", "'su root' failed for lonvick on /dev/pts/8",
               "2026-10-11T22:14:15.000000Z",
               "{\"facility\":\"auth\",\"host\":\"mymachine\",\"app\":\"su\"}");
    assert_log("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "notice", "Use the BFG!",
               "2026-02-05T17:32:18.000000Z", "{\"facility\":\"user\",\"host\":\"10.0.0.99\"}");
    /* And those that no relay can read. */
    assert_log("Use the BFG!", "info", "Use the BFG!", NULL, "");
    assert_log("<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's "
               "All Folks!",
               "emergency", "scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
               "1990-10-22T10:52:01.000000Z", "{\"facility\":\"kern\",\"host\":\"TZ-6\"}");
}

static void a_tag_is_the_app_and_its_process(void **state)
{
    assert_log("<13>Nov 28 01:02:03 h a[7]: m", "notice", "m", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\",\"procid\":\"7\"}");
    assert_log("<13>Nov 28 01:02:03 h postfix/smtpd[7]:m", "notice", "m",
               "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"postfix/smtpd\","
               "\"procid\":\"7\"}");
    /* Docker and others send no host. */
    assert_log("<13>Nov 28 01:02:03 a[7]: m", "notice", "m", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"app\":\"a\",\"procid\":\"7\"}");
    assert_log("<13>Nov 28 01:02:03 a:   m", "notice", "  m", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"app\":\"a\"}");
    /* No tags. */
    assert_log("<13>Nov 28 01:02:03 h a b: c", "notice", "a b: c", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"host\":\"h\"}");
    assert_log("<13>Nov 28 01:02:03 h {\"a\": 1}", "notice", "{\"a\": 1}",
               "2026-11-28T01:02:03.000000Z", "{\"facility\":\"user\",\"host\":\"h\"}");
    assert_log("<13>Nov 28 01:02:03 {\"a\": 1}", "notice", "{\"a\": 1}",
               "2026-11-28T01:02:03.000000Z", "{\"facility\":\"user\"}");
    assert_log("<13>Nov 28 01:02:03 http://x is down", "notice", "http://x is down",
               "2026-11-28T01:02:03.000000Z", "{\"facility\":\"user\"}");
    assert_log("<13>Nov 28 01:02:03 alone", "notice", "alone", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\"}");
    assert_log("<13>Nov 28 01:02:03", "notice", "", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\"}");
}

static void other_times_stand_in_the_same_place(void **state)
{
    static const char *const times[][2] = {
        {"2026-11-28T00:58:14.012965+01:00", "2026-11-27T23:58:14.012965Z"},
        {"Nov 28 00:58:14.012", "2026-11-28T00:58:14.012000Z"},
        {"Nov 28 2025 00:58:14", "2025-11-28T00:58:14.000000Z"},
        {"2025 Nov 28 00:58:14", "2025-11-28T00:58:14.000000Z"},
        {"Nov 28 00:58:14 2025", "2025-11-28T00:58:14.000000Z"},
        {"Nov  8 00:58:14", "2026-11-08T00:58:14.000000Z"},
        {"Nov 8 00:58:14", "2026-11-08T00:58:14.000000Z"},
        {"Nov 08 00:58:14", "2026-11-08T00:58:14.000000Z"},
    };
    char message[80];

    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        snprintf(message, sizeof(message), "<13>%s h a: m", times[i][0]);
        assert_log(message, "notice", "m", times[i][1],
                   "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\"}");
    }
    assert_log("<13>Nov 28 00:58:14.012345678 h a: m", "notice", "m", "2026-11-28T00:58:14.012345Z",
               "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\",\"nanoseconds\":678}");
}

static void what_is_no_time_is_the_message(void **state)
{
    static const char *const texts[] = {
        "Nov 31 00:58:14 h a: m",
        "Nov 28 24:58:14 h a: m",
        "Nov 28 00:58 h a: m",
        "nov 28 00:58:14 h a: m",
        "Feb 29 00:58:14 h a: m",
        "Nov 28 00:58:14x h a: m",
        "2026-11-28 01:00:00,123 INFO a b",
        "2026-11-28T01:00:60:00 h a: m",
        "123: no time",
        "12: 13: 14: 15: Nov 28 00:58:14 a",
        "order: 2026-11-28T01:00:00Z a",
        "1 2 3",
    };
    char message[80];

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        snprintf(message, sizeof(message), "<13>%s", texts[i]);
        assert_log(message, "notice", texts[i], NULL, "{\"facility\":\"user\"}");
    }
}

static int64_t us_of(const char *text)
{
    struct timestamp_error error;
    int64_t us;

    assert_int_equal(timestamp_parse_text(slice_of_string(text), &us, &error), 0);
    return us;
}

static void assert_time(const char *message, const char *arrival, const char *time)
{
    struct syslog_source source = {.arrival_us = us_of(arrival)};
    char got[TIMESTAMP_TEXT_LEN + 1] = "";

    assert_int_equal(read_at(slice_of_string(message), source), 0);
    timestamp_format(run.kept.records[0].key.timestamp_us, got);
    assert_string_equal(got, time);
}

static void the_year_is_the_last_that_is_not_far_ahead(void **state)
{
    assert_time("<13>Dec 31 23:59:59 h a: m", "2027-01-01T00:00:01Z",
                "2026-12-31T23:59:59.000000Z");
    assert_time("<13>Jan  1 00:00:01 h a: m", "2026-12-31T23:59:59Z",
                "2027-01-01T00:00:01.000000Z");
    assert_time("<13>Nov 28 00:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-11-28T00:00:00.000000Z");
    assert_time("<13>May 20 00:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-05-20T00:00:00.000000Z");
    assert_time("<13>Dec 29 00:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-12-29T00:00:00.000000Z");
    assert_time("<13>Dec 29 00:00:01 h a: m", "2026-11-28T00:00:00Z",
                "2025-12-29T00:00:01.000000Z");
    assert_time("<13>Feb 29 12:00:00 h a: m", "2029-01-01T00:00:00Z",
                "2028-02-29T12:00:00.000000Z");
}

static void a_time_without_a_zone_is_local(void **state)
{
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_time("<13>Nov 28 01:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-11-28T00:00:00.000000Z");
    assert_time("<13>Jul  1 01:00:00 h a: m", "2026-07-01T00:00:00Z",
                "2026-06-30T23:00:00.000000Z");
    assert_time("<13>Jan  1 00:30:00 h a: m", "2026-12-31T23:30:00Z",
                "2026-12-31T23:30:00.000000Z");
    /* The hour that comes twice is always the same one, whatever was read before. */
    assert_time("<13>Oct 25 02:30:00 h a: m", "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00.000000Z");
    assert_time("<13>Oct 25 01:30:00 h a: m", "2026-10-25T00:30:00Z",
                "2026-10-24T23:30:00.000000Z");
    assert_time("<13>Oct 25 02:30:00 h a: m", "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00.000000Z");
    assert_time("<13>Oct 25 03:30:00 h a: m", "2026-10-25T00:30:00Z",
                "2026-10-25T02:30:00.000000Z");
    /* What has a zone, or is ISO, is not. */
    assert_time("<13>2026-11-28T01:00:00Z h a: m", "2026-11-28T00:00:00Z",
                "2026-11-28T01:00:00.000000Z");
    assert_time("<189>Nov 28 01:00:00 UTC: %SYS-5-CONFIG_I: m", "2026-11-28T00:00:00Z",
                "2026-11-28T01:00:00.000000Z");
    assert_time("<189>Nov 28 01:00:00 CET: %SYS-5-CONFIG_I: m", "2026-11-28T00:00:00Z",
                "2026-11-28T00:00:00.000000Z");
}

static int64_t ahead_s(int64_t us)
{
    return us < us_of("2026-11-28T00:00:00Z") ? -3600 : -7200;
}

static void the_zone_may_be_anothers(void **state)
{
    reader.zone.ahead_s = ahead_s;
    assert_time("<13>Nov 27 12:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-11-27T13:00:00.000000Z");
    assert_time("<13>Nov 28 12:00:00 h a: m", "2026-11-28T00:00:00Z",
                "2026-11-28T14:00:00.000000Z");
}

static void cisco_is_read(void **state)
{
    assert_log("<189>123: r1: *Mar  1 00:00:00.000: %SYS-5-CONFIG_I: Configured from console",
               "notice", "%SYS-5-CONFIG_I: Configured from console", NULL,
               "{\"facility\":\"local7\",\"host\":\"r1\",\"sequence\":\"123\","
               "\"device_time\":\"Mar  1 00:00:00.000\"}");
    assert_log("<189>123: Nov 28 00:58:14.012: %SYS-5-CONFIG_I: a", "notice", "%SYS-5-CONFIG_I: a",
               "2026-11-28T00:58:14.012000Z", "{\"facility\":\"local7\",\"sequence\":\"123\"}");
    assert_log("<189>123: r1: 000456: .Nov 28 00:58:14.012 UTC: %SYS-5-CONFIG_I: a", "notice",
               "%SYS-5-CONFIG_I: a", "2026-11-28T00:58:14.012000Z",
               "{\"facility\":\"local7\",\"host\":\"r1\",\"sequence\":\"000456\"}");
    assert_log("<189>: 2026 Nov 28 00:58:14 CET: %ETHPORT-5-IF_UP: a", "notice",
               "%ETHPORT-5-IF_UP: a", "2026-11-28T00:58:14.000000Z", "{\"facility\":\"local7\"}");
    assert_log("<166>Nov 28 2026 00:58:14 fw : %ASA-6-302014: Teardown", "info",
               "%ASA-6-302014: Teardown", "2026-11-28T00:58:14.000000Z",
               "{\"facility\":\"local4\",\"host\":\"fw\"}");
    assert_log("<166>Nov 28 2026 00:58:14: %ASA-6-302014: Teardown", "info",
               "%ASA-6-302014: Teardown", "2026-11-28T00:58:14.000000Z",
               "{\"facility\":\"local4\"}");
    assert_log("<166>%ASA-6-302014: Teardown", "info", "%ASA-6-302014: Teardown", NULL,
               "{\"facility\":\"local4\"}");
}

/* ---- No head ---- */

static void without_a_head_all_is_the_message(void **state)
{
    assert_log("<12>line one\nline two", "warning", "line one\nline two", NULL,
               "{\"facility\":\"user\"}");
    assert_log("no syslog at all", "info", "no syslog at all", NULL, "");
    assert_log("<192>a", "info", "<192>a", NULL, "");
    assert_log("<>a", "info", "<>a", NULL, "");
    assert_log("<1234>a", "info", "<1234>a", NULL, "");
    assert_log("<12", "info", "<12", NULL, "");
    assert_log("<12>", "warning", "", NULL, "{\"facility\":\"user\"}");
    assert_log("", "info", "", NULL, "");
    assert_bytes(SLICE_LITERAL("<12>a\0b\xff\r\n\0"), "warning",
                 "a\xef\xbf\xbd"
                 "b\xef\xbf\xbd",
                 NULL, "{\"facility\":\"user\"}");
    assert_int_equal(draft.nul_characters, 1);
}

static void json_without_pri_is_that_of_a_logger(void **state)
{
    assert_log("{\"@timestamp\":\"2026-11-28T01:00:54.590+0000\",\"level\":\"WARN\",\"message\":"
               "\"a\",\"n\":1}\n",
               "WARN", "a", "2026-11-28T01:00:54.590000Z", "{\"n\":1}");
    assert_log("{\"message\":\"a\"", "info", "{\"message\":\"a\"", NULL, "");
    assert_log("[1]", "info", "[1]", NULL, "");
}

/* Behind a head the message is what it is; but "@cee:" says that it has members. */
static void json_with_a_head_is_kept_as_it_is(void **state)
{
    assert_log("<13>Nov 28 01:02:03 h a: {\"level\":\"error\",\"message\":\"m\"}", "notice",
               "{\"level\":\"error\",\"message\":\"m\"}", "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\"}");
    assert_log("<13>Nov 28 01:02:03 h a: @cee: {\"msg\":\"m\",\"n\":{\"o\":1}}", "notice", "m",
               "2026-11-28T01:02:03.000000Z",
               "{\"n\":{\"o\":1},\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\"}");
    assert_log(
        "<13>Nov 28 01:02:03 h a: @cee:{\"n\":1,\"level\":\"debug\",\"host\":\"i\"}", "debug",
        "{\"n\":1,\"level\":\"debug\",\"host\":\"i\"}", "2026-11-28T01:02:03.000000Z",
        "{\"n\":1,\"host\":\"i\",\"facility\":\"user\",\"syslog.host\":\"h\",\"app\":\"a\"}");
    assert_log(
        "<13>1 2026-11-28T01:02:03Z h a - - [x y=\"z\"] @cee:{\"time\":\"2026-11-28T01:02:02.5Z\","
        "\"sd\":1}",
        "notice", "{\"time\":\"2026-11-28T01:02:02.5Z\",\"sd\":1}", "2026-11-28T01:02:02.500000Z",
        "{\"sd\":1,\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\","
        "\"syslog.sd\":{\"x\":{\"y\":\"z\"}}}");
    assert_log("<13>Nov 28 01:02:03 h a: @cee: {", "notice", "@cee: {",
               "2026-11-28T01:02:03.000000Z",
               "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\"}");
}

static void a_line_of_a_file_has_no_pri(void **state)
{
    struct syslog_source file = {.arrival_us = ARRIVAL_US, .is_file = true};

    assert_int_equal(read_at(SLICE_LITERAL("Nov 28 01:02:03 h a[7]: m"), file), 0);
    format_run_expect(&run, 0, "info", "m", "2026-11-28T01:02:03.000000Z",
                      "{\"host\":\"h\",\"app\":\"a\",\"procid\":\"7\"}");
    assert_int_equal(read_at(SLICE_LITERAL("2026-11-28T01:02:03.5+01:00 h a: m"), file), 0);
    format_run_expect(&run, 0, "info", "m", "2026-11-28T00:02:03.500000Z",
                      "{\"host\":\"h\",\"app\":\"a\"}");
    assert_true(was_syslog);
    assert_int_equal(read_at(SLICE_LITERAL("no head"), file), 0);
    assert_false(was_syslog);
    assert_log("Nov 28 01:02:03 h a[7]: m", "info", "Nov 28 01:02:03 h a[7]: m", NULL, "");
    assert_false(was_syslog);
}

/* Whatever came before it, a message is what it is: what the reader has kept of that is of no
 * account. */
static void what_repeats_is_read_as_if_it_did_not(void **state)
{
    static const char *const messages[] = {
        "<13>1 2026-11-28T00:00:00Z h a 7 i - m",
        "<14>1 2026-11-28T00:00:01.5Z h a 7 i [b c=\"d\"] m",
        "<29>1 - h a 7 i - m",
        "<13>1 - h a 7 i",
        "<13>1 - h a 7 ii - m",
        "<13>1 bad h a 7 i - m",
        "<13>Nov 28 01:02:03 h a[7]: m",
        "<15>Nov 28 01:02:03 h a[7]: m",
        "<13>Nov 28 01:02:03 h a[7]:m",
        "<13>Nov 28 01:02:03 UTC: %A-1-B: m",
        "<13>Nov 28 01:02:03 2025 h a[7]: m",
        "<13>5: Nov 28 01:02:03 h a[7]: m",
        "<13>5: r: Nov 28 01:02:03 h a[7]: m",
        "<13>*Nov 28 01:02:03 h a[7]: m",
        "<13>Nov 28 01:02:04 h m",
        "<13>Nov 28 01:02:04 a: m",
        "<13>Nov 28 01:02:04 a:  m",
        "<13>Nov 28 01:02:04 - a: @cee: {\"host\":\"i\",\"level\":\"warn\"}",
        "<13>m",
        "m",
        "{\"message\":\"m\",\"n\":1}",
        "",
    };
    enum { MESSAGES = sizeof(messages) / sizeof(*messages) };

    for (size_t i = 0; i < MESSAGES * MESSAGES; i++) {
        struct slice second = slice_of_string(messages[i % MESSAGES]);
        struct syslog_source source = {.arrival_us = ARRIVAL_US};
        struct kept want;

        assert_int_equal(read_at(second, source), 0);
        want = run.kept;
        run.kept = (struct kept){.fail_at = -1};
        source.has_draft = true;
        assert_int_equal(read_at(slice_of_string(messages[i / MESSAGES]), source), 0);
        assert_int_equal(read_at(second, source), 0);
        const struct record *r = &want.records[0];
        char time[TIMESTAMP_TEXT_LEN + 1] = "";
        timestamp_format(r->key.timestamp_us, time);
        format_run_expect(&run, 0, r->level.data, r->message.data, time, r->attributes.data);
        kept_forget(&want);
    }
}

static void the_limits_of_a_log_hold(void **state)
{
    struct buffer message;

    buffer_init(&message, 1 << 20);
    buffer_append_string(&message, "<13>1 - - - - - [a ");
    for (size_t i = 0; i < RECORD_NAME_MAX + 1; i++)
        buffer_append_char(&message, 'x');
    buffer_append_string(&message, "=\"\"] m");
    assert_int_equal(
        read_at(buffer_slice(&message), (struct syslog_source){.arrival_us = ARRIVAL_US}),
        LM_EINVAL);
    buffer_release(&message);
}

/* Each beginning of a message is a log. */
static void whatever_comes_is_a_log(void **state)
{
    static const char *const messages[] = {
        "<34>1 2003-10-11T22:14:15.003Z h su 7 ID47 [a b=\"c\\\"\" b=\"\"][d] m",
        "<189>123: r1: 000456: *Nov 28 00:58:14.012 UTC: %SYS-5-CONFIG_I: a",
        "<34>Oct 11 22:14:15.123 2026 mymachine su[7]: @cee: {\"a\":1}",
    };

    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
        for (size_t len = 0; len <= strlen(messages[i]); len++)
            assert_int_equal(read_at(slice_of(messages[i], len),
                                     (struct syslog_source){.arrival_us = ARRIVAL_US}),
                             0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_examples_of_rfc_5424_are_read),
        TEST(what_says_nothing_is_left_out),
        TEST(each_severity_is_a_level_and_each_facility_has_a_name),
        TEST(times_keep_what_they_say),
        TEST(values_of_structured_data_lose_their_escapes),
        TEST(parameters_of_one_name_are_an_array),
        TEST(what_is_no_structured_data_is_the_message),
        TEST(one_more_space_before_the_message_is_rsyslogs),
        TEST(the_examples_of_rfc_3164_are_read),
        TEST(a_tag_is_the_app_and_its_process),
        TEST(other_times_stand_in_the_same_place),
        TEST(what_is_no_time_is_the_message),
        TEST(the_year_is_the_last_that_is_not_far_ahead),
        TEST(a_time_without_a_zone_is_local),
        TEST(the_zone_may_be_anothers),
        TEST(cisco_is_read),
        TEST(without_a_head_all_is_the_message),
        TEST(json_without_pri_is_that_of_a_logger),
        TEST(json_with_a_head_is_kept_as_it_is),
        TEST(a_line_of_a_file_has_no_pri),
        TEST(what_repeats_is_read_as_if_it_did_not),
        TEST(the_limits_of_a_log_hold),
        TEST(whatever_comes_is_a_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
