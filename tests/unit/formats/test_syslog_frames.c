/* Syslog over sockets (formats/syslog_frames.h): all that real senders were seen to send, whole and
 * in pieces. */
#include "formats/syslog_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "format_run.h"

static const int64_t ARRIVAL_US = INT64_C(1795867200) * 1000000; /* 2026-11-28T12:00:00Z */
static const char ARRIVAL[] = "2026-11-28T12:00:00.000000Z";

static void *memory;
static char session[STREAM_SESSION_BYTES];
static struct format_run run; /* its kept logs alone */
static struct stream_output out;
static struct errbuf why;
static size_t records; /* of the connection, so far */

static void begin_connection(void)
{
    memset(session, 0, sizeof(session));
    kept_forget(&run.kept);
    why = (struct errbuf)ERRBUF_INIT;
    records = 0;
}

static int begin(void **state)
{
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    run = (struct format_run){.kept = {.fail_at = -1}};
    memory = syslog_stream.memory_new(&(struct stream_setup){.hostname = "logs"}, NULL);
    begin_connection();
    return 0;
}

static int end(void **state)
{
    syslog_stream.memory_free(memory);
    kept_forget(&run.kept);
    return 0;
}

static void read_input(const struct stream_format *format, struct stream_input in)
{
    char *exact = malloc(in.bytes.len ? in.bytes.len : 1);

    assert_non_null(exact);
    if (in.bytes.len)
        memcpy(exact, in.bytes.data, in.bytes.len);
    in.bytes.data = exact;
    in.arrival_us = ARRIVAL_US;
    in.bits[0] = 1;
    in.bits[1] = 2;
    in.number = records;
    out = (struct stream_output){.why = &why};
    assert_int_equal(format->read(memory, session, &in, kept_sink, &run.kept, &out), 0);
    assert_true(out.used <= in.bytes.len);
    records += out.counts.records;
    free(exact);
}

/* What has come; the bytes that were not used are cut off *bytes. */
static void come(struct slice *bytes, bool has_waited, bool is_over)
{
    read_input(&syslog_stream, (struct stream_input){
                                   .bytes = *bytes, .has_waited = has_waited, .is_over = is_over});
    *bytes = slice_of(bytes->data + out.used, bytes->len - out.used);
}

/* The bytes of a connection, which come in two pieces, and then it ends. */
static void come_in_two(struct slice all, size_t cut)
{
    struct slice first = slice_of(all.data, cut);

    begin_connection();
    come(&first, false, false);
    size_t used = cut - first.len;
    struct slice rest = slice_of(all.data + used, all.len - used);
    come(&rest, false, true);
    assert_int_equal(rest.len, 0);
}

static void come_byte_by_byte(struct slice all)
{
    size_t used = 0;

    begin_connection();
    for (size_t len = 1; len <= all.len; len++) {
        struct slice bytes = slice_of(all.data + used, len - used);

        come(&bytes, false, len == all.len);
        used = len - bytes.len;
    }
    assert_int_equal(used, all.len);
}

static void expect_logs(const struct format_run_log *logs, size_t n)
{
    assert_int_equal(run.kept.records_len, n);
    for (size_t i = 0; i < n; i++)
        format_run_expect(&run, i, logs[i].level, logs[i].message,
                          logs[i].time ? logs[i].time : ARRIVAL, logs[i].attributes);
}

/* These bytes are these logs, however they are cut. */
static void assert_stream(struct slice all, const struct format_run_log *logs, size_t n)
{
    for (size_t cut = 0; cut <= all.len; cut++) {
        if (cut > 500 && cut + 500 < all.len)
            cut = all.len - 500; /* within long lines there is nothing to find */
        come_in_two(all, cut);
        expect_logs(logs, n);
    }
    if (all.len < 2000)
        come_byte_by_byte(all);
    expect_logs(logs, n);
}

#define LOGS(...)                                                                                  \
    (const struct format_run_log[]){__VA_ARGS__},                                                  \
        sizeof((const struct format_run_log[]){__VA_ARGS__}) / sizeof(struct format_run_log)

static void assert_stream_capture(const char *name, const struct format_run_log *logs, size_t n)
{
    struct slice all = format_capture(name);

    assert_stream(all, logs, n);
    free((char *)all.data);
}

static void assert_datagrams(const char *name, const struct format_run_log *logs, size_t n)
{
    begin_connection();
    for (size_t i = 0; i < n; i++) {
        char file[128];

        snprintf(file, sizeof(file), "%s.%zu.bin", name, i + 1);
        struct slice bytes = format_capture(file);
        read_input(&syslog_datagram, (struct stream_input){.bytes = bytes, .is_over = true});
        assert_int_equal(out.used, bytes.len);
        free((char *)bytes.data);
    }
    expect_logs(logs, n);
}

/* ---- What was seen ---- */

#define SHOP "{\"facility\":\"user\",\"host\":\"web-1\",\"app\":\"shop\"}"
#define SHOP_4711 "{\"facility\":\"user\",\"host\":\"web-1\",\"app\":\"shop\",\"procid\":\"4711\"}"
#define DAY "2026-11-28T"

static void rsyslogs_are_read(void **state)
{
    assert_stream_capture(
        "rsyslog-tcp-8.2302.0.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:02.000000Z", SHOP},
             {"error", "failed", DAY "00:58:02.000000Z", SHOP_4711},
             {"warning", "line one#012line two#011tab", DAY "00:58:03.000000Z", SHOP},
             {"notice", "later record", DAY "00:58:07.000000Z", SHOP},
             {"notice", "record after a while 1", DAY "00:58:08.000000Z", SHOP},
             {"notice", "record after a while 2", DAY "00:58:10.000000Z", SHOP}));
    assert_stream_capture(
        "rsyslog-tcp23-8.2302.0.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:02.479419Z", SHOP},
             {"error", "failed", DAY "00:58:02.481208Z", SHOP_4711},
             {"warning", "line one#012line two#011tab", DAY "00:58:03.108587Z", SHOP},
             {"notice", "later record", DAY "00:58:07.234594Z", SHOP},
             {"notice", "record after a while 1", DAY "00:58:08.239656Z", SHOP},
             {"notice", "record after a while 2", DAY "00:58:10.251147Z", SHOP}));
    assert_stream_capture(
        "rsyslog-octet-8.2302.0.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:02.000000Z", SHOP},
             {"error", "failed", DAY "00:58:02.000000Z", SHOP_4711},
             {"warning", "line one#012line two#011tab", DAY "00:58:02.000000Z", SHOP},
             {"notice", "later record", DAY "00:58:07.000000Z", SHOP},
             {"notice", "record after a while 1", DAY "00:58:08.000000Z", SHOP},
             {"notice", "record after a while 2", DAY "00:58:10.000000Z", SHOP}));
    assert_stream_capture(
        "rsyslog-octet23-8.2302.0.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:13.915753Z", SHOP},
             {"error", "failed", DAY "00:58:13.920051Z", SHOP_4711},
             {"warning", "line one#012line two#011tab", DAY "00:58:14.048905Z", SHOP},
             {"notice", "later record", DAY "00:58:18.073323Z", SHOP},
             {"notice", "record after a while 1", DAY "00:58:19.083036Z", SHOP},
             {"notice", "record after a while 2", DAY "00:58:21.087205Z", SHOP}));
    assert_stream_capture(
        "rsyslog-fwdfmt-8.2302.0.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:14.012965Z", SHOP},
             {"error", "failed", DAY "00:58:14.016297Z", SHOP_4711},
             {"warning", "line one#012line two#011tab", DAY "00:58:14.121991Z", SHOP},
             {"notice", "later record", DAY "00:58:18.147989Z", SHOP},
             {"notice", "record after a while 1", DAY "00:58:19.160506Z", SHOP},
             {"notice", "record after a while 2", DAY "00:58:21.165504Z", SHOP}));
    assert_datagrams("rsyslog-udp-8.2302.0",
                     LOGS({"info", "order 1 placed ✓", DAY "00:58:02.000000Z", SHOP},
                          {"error", "failed", DAY "00:58:02.000000Z", SHOP_4711},
                          {"warning", "line one#012line two#011tab", DAY "00:58:03.000000Z", SHOP},
                          {"notice", "later record", DAY "00:58:07.000000Z", SHOP}));
}

#define NG(procid, n)                                                                              \
    "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\"" procid                               \
    ",\"sd\":{\"meta\":{\"sequenceId\":\"" n "\"}}}"
#define VM "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\"}"
#define VM_4711 "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\",\"procid\":\"4711\"}"

static void syslog_ngs_are_read(void **state)
{
    assert_stream_capture(
        "syslogng-syslog-3.38.1.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:59:25.000000Z", NG("", "1")},
             {"error", "failed", DAY "00:59:26.000000Z", NG(",\"procid\":\"4711\"", "2")},
             {"warning", "line one\nline two\ttab", DAY "01:02:03.000000Z", NG("", "3")},
             {"notice", "later record", DAY "00:59:30.000000Z", NG("", "4")},
             {"notice", "record after a while", DAY "00:59:31.000000Z", NG("", "5")}));
    assert_stream_capture(
        "syslogng-network5424-3.38.1.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:59:36.000000Z", NG("", "1")},
             {"error", "failed", DAY "00:59:36.000000Z", NG(",\"procid\":\"4711\"", "2")},
             {"warning", "line one\nline two\ttab", DAY "01:02:03.000000Z", NG("", "3")},
             {"notice", "later record", DAY "00:59:40.000000Z", NG("", "4")},
             {"notice", "record after a while", DAY "00:59:41.000000Z", NG("", "5")}));
    assert_stream_capture("syslogng-network-3.38.1.bin",
                          LOGS({"info", "order 1 placed ✓", DAY "00:59:25.000000Z", VM},
                               {"error", "failed", DAY "00:59:25.000000Z", VM_4711},
                               {"warning", "line one\nline two\ttab", DAY "01:02:03.000000Z", VM},
                               {"notice", "later record", DAY "00:59:30.000000Z", VM},
                               {"notice", "record after a while", DAY "00:59:31.000000Z", VM}));
    assert_datagrams(
        "syslogng-syslogudp-3.38.1",
        LOGS({"info", "order 1 placed ✓", DAY "00:59:25.000000Z", NG("", "1")},
             {"error", "failed", DAY "00:59:25.000000Z", NG(",\"procid\":\"4711\"", "2")},
             {"warning", "line one\nline two\ttab", DAY "01:02:03.000000Z", NG("", "3")},
             {"notice", "later record", DAY "00:59:30.000000Z", NG("", "4")}));
}

#define QUALITY "\"timeQuality\":{\"tzKnown\":\"1\",\"isSynced\":\"0\"}"
#define LOGGER "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\",\"sd\":{" QUALITY "}}"
#define LOGGER_ORDER                                                                               \
    "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\",\"procid\":\"77\",\"msgid\":"         \
    "\"ORDER\",\"sd\":{" QUALITY ",\"zoo@123\":{\"tiger\":\"hungry\"}}}"
#define LOGGER_LOCAL0                                                                              \
    "{\"facility\":\"local0\",\"host\":\"vm\",\"app\":\"shop\",\"sd\":{" QUALITY "}}"
#define LOGGER_3164 "{\"facility\":\"user\",\"host\":\"vm\",\"app\":\"shop\",\"procid\":\"16522\"}"

static void loggers_are_read(void **state)
{
    assert_stream_capture("logger-tcp-2.38.1.bin",
                          LOGS({"notice", "order 1 placed ✓", DAY "00:58:37.219561Z", LOGGER},
                               {"notice", "failed", DAY "00:58:37.219637Z", LOGGER}));
    assert_stream_capture("logger-3164-2.38.1.bin",
                          LOGS({"notice", "order 1 placed ✓", DAY "00:58:37.000000Z", LOGGER_3164},
                               {"notice", "failed", DAY "00:58:37.000000Z", LOGGER_3164}));
    assert_stream_capture("logger-octet-2.38.1.bin",
                          LOGS({"notice", "order 1 placed ✓", DAY "00:58:38.458628Z", LOGGER_ORDER},
                               {"notice", "failed", DAY "00:58:38.458749Z", LOGGER_ORDER}));
    assert_stream_capture("logger-multiline-2.38.1.bin",
                          LOGS({"notice", "line one\nline two", DAY "00:58:38.602626Z", LOGGER}));
    assert_datagrams("logger-udp-2.38.1",
                     LOGS({"error", "order 1 placed ✓", DAY "00:58:37.362348Z", LOGGER_LOCAL0},
                          {"error", "failed", DAY "00:58:37.362429Z", LOGGER_LOCAL0}));
    assert_datagrams("logger-notime-2.38.1",
                     LOGS({"notice", "hello", NULL, "{\"facility\":\"user\",\"app\":\"shop\"}"}));
}

#define TRACEBACK(line)                                                                            \
    "failed" line "Traceback (most recent call last):" line                                        \
    "  File \"/srv/app/example/shop-v1/py/syslog_.py\", line 13, in <module>" line                 \
    "    try: 1 / 0" line "         ~~^~~" line "ZeroDivisionError: division by zero"
#define USER "{\"facility\":\"user\"}"
#define META(procid)                                                                               \
    "{\"facility\":\"user\",\"host\":\"web-1\",\"app\":\"shop\",\"procid\":\"" procid              \
    "\",\"sd\":{\"meta\":{\"env\":\"te\\\"st]\"}}}"

static void pythons_are_read(void **state)
{
    assert_stream_capture("python-sysloghandler-tcp-3.11.bin",
                          LOGS({"info", "order 1 placed ✓", NULL, USER},
                               {"warning", "line one\nline two", NULL, USER},
                               {"error", TRACEBACK("\n"), NULL, USER},
                               {"critical", "last", NULL, USER}));
    assert_datagrams("python-sysloghandler-udp-3.11",
                     LOGS({"info", "order 1 placed ✓", NULL, USER},
                          {"warning", "line one\nline two", NULL, USER},
                          {"error", TRACEBACK("\n"), NULL, USER},
                          {"critical", "last", NULL, USER}));
    assert_stream_capture(
        "rfc5424-logging-handler-tcp-1.4.3.bin",
        LOGS({"info", "order 1 placed ✓", DAY "00:58:42.668527Z", META("16664")},
             {"warning", "line one\\nline two", DAY "00:58:42.797106Z", META("16664")},
             {"error", TRACEBACK("\\n"), DAY "00:58:42.797229Z", META("16664")},
             {"critical", "last", DAY "00:58:43.802574Z", META("16664")}));
    assert_datagrams("rfc5424-logging-handler-udp-1.4.3",
                     LOGS({"info", "order 1 placed ✓", DAY "00:58:42.019677Z", META("16611")},
                          {"warning", "line one\nline two", DAY "00:58:42.054001Z", META("16611")},
                          {"error", TRACEBACK("\n"), DAY "00:58:42.054118Z", META("16611")},
                          {"critical", "last", DAY "00:58:43.059302Z", META("16611")}));
}

#define WINSTON(procid)                                                                            \
    "{\"facility\":\"local0\",\"host\":\"web-1\",\"app\":\"shop\",\"procid\":\"" procid "\"}"
#define LOG4J                                                                                      \
    "{\"facility\":\"local0\",\"host\":\"localhost\",\"app\":\"shop\",\"procid\":\"21070\","       \
    "\"sd\":{\"mdc@18060\":{\"user\":\"u1\"}}}"
#define ORDER_JSON "{\"level\":\"info\",\"message\":\"order 1 placed ✓\",\"n\":1}"
#define FAILED_JSON "{\"level\":\"error\",\"message\":\"failed\"}"
#define LINES_JSON "{\"level\":\"warning\",\"message\":\"line one\\nline two\"}"
#define LATER_JSON "{\"level\":\"info\",\"message\":\"later record\"}"

static void what_has_no_framing_is_read(void **state)
{
    assert_stream_capture("winston-syslog-tcp-2.7.1.bin",
                          LOGS({"info", ORDER_JSON, DAY "01:00:06.000000Z", WINSTON("19567")},
                               {"error", FAILED_JSON, DAY "01:00:06.000000Z", WINSTON("19567")},
                               {"warning", LINES_JSON, DAY "01:00:06.000000Z", WINSTON("19567")},
                               {"info", LATER_JSON, DAY "01:00:09.000000Z", WINSTON("19567")}));
    assert_stream_capture("winston-syslog-5424-2.7.1.bin",
                          LOGS({"info", ORDER_JSON, DAY "01:00:06.104000Z", WINSTON("19565")},
                               {"error", FAILED_JSON, DAY "01:00:06.131000Z", WINSTON("19565")},
                               {"warning", LINES_JSON, DAY "01:00:06.131000Z", WINSTON("19565")},
                               {"info", LATER_JSON, DAY "01:00:09.134000Z", WINSTON("19565")}));
    assert_stream_capture("log4j-syslog-2.26.1.bin",
                          LOGS({"info", "order 1 placed ✓", DAY "01:00:55.538000Z", LOG4J},
                               {"error", "failed", DAY "01:00:55.583000Z", LOG4J},
                               {"info", "line one\nline two", DAY "01:00:55.584000Z", LOG4J},
                               {"info", "later record", DAY "01:00:59.584000Z", LOG4J}));
    assert_datagrams("winston-syslog-udp-2.7.1",
                     LOGS({"info", ORDER_JSON, DAY "01:00:06.000000Z", WINSTON("19564")},
                          {"error", FAILED_JSON, DAY "01:00:06.000000Z", WINSTON("19564")},
                          {"warning", LINES_JSON, DAY "01:00:06.000000Z", WINSTON("19564")},
                          {"info", LATER_JSON, DAY "01:00:09.000000Z", WINSTON("19564")}));
}

#define CONTAINER(procid) "{\"facility\":\"daemon\",\"app\":\"" procid "\",\"procid\":\"3119\"}"

static void dockers_are_read(void **state)
{
    static const char tag[] = CONTAINER("9a06e6a952a3");
    static const char long_tag[] =
        "{\"facility\":\"daemon\",\"host\":\"vm\",\"app\":\"09dd500ad63e\","
        "\"procid\":\"3119\",\"msgid\":\"09dd500ad63e\"}";
    enum { DOCKER_LINE = 16384, DOCKER_REST = 616 }; /* it cuts lines, and does not say so */
    char line[DOCKER_LINE + 1], rest[DOCKER_REST + 1];

    memset(line, 'x', DOCKER_LINE);
    line[DOCKER_LINE] = '\0';
    memset(rest, 'x', DOCKER_REST);
    rest[DOCKER_REST] = '\0';
    assert_stream_capture(
        "docker-syslog-tcp-20.10.24.bin",
        LOGS({"error", "failed", DAY "01:10:52.000000Z", tag},
             {"info", "order 1 placed ✓", DAY "01:10:52.000000Z", tag},
             {"info", "{\"msg\":\"json line\",\"level\":\"info\"}", DAY "01:10:53.000000Z", tag},
             {"info", "part", DAY "01:10:53.000000Z", tag},
             {"info", line, DAY "01:10:53.000000Z", tag},
             {"info", rest, DAY "01:10:53.000000Z", tag},
             {"info", "later record", DAY "01:10:59.000000Z", tag},
             {"info", "last", DAY "01:11:07.000000Z", tag}));
    assert_stream_capture("docker-syslog-5424-20.10.24.bin",
                          LOGS({"info", "order 1 placed ✓", DAY "01:11:10.593767Z", long_tag},
                               {"error", "failed", DAY "01:11:10.595008Z", long_tag},
                               {"info", "{\"msg\":\"json line\",\"level\":\"info\"}",
                                DAY "01:11:11.594327Z", long_tag},
                               {"info", "part", DAY "01:11:11.594408Z", long_tag},
                               {"info", line, DAY "01:11:11.594464Z", long_tag},
                               {"info", rest, DAY "01:11:11.594502Z", long_tag},
                               {"info", "later record", DAY "01:11:17.594395Z", long_tag},
                               {"info", "last", DAY "01:11:25.594753Z", long_tag}));
    assert_datagrams(
        "docker-syslog-udp-20.10.24",
        LOGS({"error", "failed", DAY "01:10:52.000000Z", CONTAINER("c6bc59040109")},
             {"info", "order 1 placed ✓", DAY "01:10:52.000000Z", CONTAINER("c6bc59040109")},
             {"info", "{\"msg\":\"json line\",\"level\":\"info\"}", DAY "01:10:53.000000Z",
              CONTAINER("c6bc59040109")},
             {"info", "part", DAY "01:10:53.000000Z", CONTAINER("c6bc59040109")}));
}

#define LOGBACK(level, more, ns)                                                                   \
    "{\"@version\":\"1\",\"logger_name\":\"shop.orders\",\"thread_name\":\"main\","                \
    "\"level_value\":" level more ",\"nanoseconds\":" ns "}"
#define LOGBACK_TRACE                                                                              \
    ",\"stack_trace\":\"java.lang.IllegalStateException: boom\\n\\tat SlfApp.main(SlfApp.java:7)"  \
    "\\n\",\"user\":\"u1\""
#define USER_U1 ",\"user\":\"u1\""
#define LOG4J_JSON(exception)                                                                      \
    "{\"mdc\":{\"user\":\"u1\"}" exception                                                         \
    ",\"@version\":1,\"source_host\":\"vm\",\"thread_name\":\"main\",\"logger_name\":"             \
    "\"shop.orders\"}"
#define LOG4J_EXCEPTION                                                                            \
    ",\"exception\":{\"exception_class\":\"java.lang.IllegalStateException\","                     \
    "\"exception_message\":\"boom\",\"stacktrace\":\"java.lang.IllegalStateException: boom\\n"     \
    "\\tat L4jApp.main(L4jApp.java:6)\\n\"}"

/* JSON lines, which the same address takes; empty ones keep the connection. */
static void javas_json_is_read(void **state)
{
    assert_stream_capture(
        "logstash-logback-tcp-9.0.bin",
        LOGS({"INFO", "order 1 placed ✓", DAY "01:00:40.702310Z", LOGBACK("20000", USER_U1, "686")},
             {"ERROR", "failed", DAY "01:00:40.714211Z", LOGBACK("40000", LOGBACK_TRACE, "112")},
             {"WARN", "line one\nline two", DAY "01:00:40.719833Z",
              LOGBACK("30000", USER_U1 ",\"tags\":[\"PAY\"]", "263")},
             {"INFO", "later record", DAY "01:00:44.720066Z", LOGBACK("20000", USER_U1, "66")},
             {"INFO", "last record", DAY "01:00:49.722886Z", LOGBACK("20000", USER_U1, "361")}));
    assert_stream_capture(
        "log4j-socket-logstash-2.26.1.bin",
        LOGS({"INFO", "order 1 placed ✓", DAY "01:00:54.590000Z", LOG4J_JSON("")},
             {"ERROR", "failed", DAY "01:00:54.595000Z", LOG4J_JSON(LOG4J_EXCEPTION)},
             {"INFO", "line one\nline two", DAY "01:00:54.596000Z", LOG4J_JSON("")},
             {"INFO", "later record", DAY "01:00:58.596000Z", LOG4J_JSON("")}));
    assert_datagrams("logstash-logback-udp-9.0",
                     LOGS({"INFO", "order 1 placed ✓", DAY "01:00:40.958098Z",
                           LOGBACK("20000", USER_U1, "928")}));
}

/* ---- What else may come ---- */

#define TEXT(literal) SLICE_LITERAL(literal)
#define ASSERT_STREAM(literal, ...) assert_stream(SLICE_LITERAL(literal), LOGS(__VA_ARGS__))

static void the_first_message_decides_how_the_others_end(void **state)
{
    /* A zero byte behind it: line feeds and counts are text. */
    ASSERT_STREAM("<12>a\nb\0<12>c\n<12>d\n\0<12>5 <1>\0", {"warning", "a\nb", NULL, USER},
                  {"warning", "c\n<12>d", NULL, USER}, {"warning", "5 <1>", NULL, USER});
    ASSERT_STREAM("<12>a\n\0<12>b\nc\0", {"warning", "a", NULL, USER},
                  {"warning", "b\nc", NULL, USER});
    /* A line feed behind it. */
    ASSERT_STREAM("<12>a\r\n<12>b\r\n", {"warning", "a", NULL, USER}, {"warning", "b", NULL, USER});
    ASSERT_STREAM("<12>a <12>Nov 28 00:58:02 h b: c\n<12>d\n",
                  {"warning", "a <12>Nov 28 00:58:02 h b: c", NULL, USER},
                  {"warning", "d", NULL, USER});
    /* A count before it. */
    ASSERT_STREAM("7 <12>a\nb5 <12>c\n11 <12>d\n<13>e", {"warning", "a\nb", NULL, USER},
                  {"warning", "c", NULL, USER}, {"warning", "d\n<13>e", NULL, USER});
}

static void a_line_without_pri_belongs_to_the_one_before(void **state)
{
    ASSERT_STREAM("<12>a\n  b\n\n<c>\n<1\n<1234>\n7 <12>x\n<13>d\n",
                  {"warning", "a\n  b\n\n<c>\n<1\n<1234>\n7 <12>x", NULL, USER},
                  {"notice", "d", NULL, USER});
    /* But lines that have none are no messages in parts. */
    ASSERT_STREAM("a\nb\n404 not found\n2026-11-28\n", {"info", "a", NULL, ""},
                  {"info", "b", NULL, ""}, {"info", "404 not found", NULL, ""},
                  {"info", "2026-11-28", NULL, ""});
}

static void empty_messages_are_none(void **state)
{
    ASSERT_STREAM("\n\n<12>a\n", {"warning", "a", NULL, USER});
    ASSERT_STREAM("\0<12>a\0\0", {"warning", "a", NULL, USER});
    assert_stream(TEXT("\r\n\n\0"), NULL, 0);
    begin_connection();
    read_input(&syslog_datagram, (struct stream_input){.bytes = TEXT("\n\0")});
    assert_int_equal(out.used, 2);
    assert_int_equal(run.kept.records_len, 0);
}

/* What is whole if nothing comes is taken then, and not before. */
static void what_has_waited_is_whole(void **state)
{
    struct slice bytes = TEXT("<12>a\nb\n");

    come(&bytes, false, false);
    assert_int_equal(out.used, 0);
    assert_true(out.may_be_whole);
    come(&bytes, true, false);
    assert_int_equal(bytes.len, 0);
    expect_logs(LOGS({"warning", "a\nb", NULL, USER}));

    bytes = TEXT("<12>c\n<13>d\n<1"); /* the beginning of the next one stays */
    kept_forget(&run.kept);
    come(&bytes, false, false);
    expect_logs(LOGS({"warning", "c", NULL, USER}));
    assert_true(out.may_be_whole);
    come(&bytes, true, false);
    assert_int_equal(bytes.len, 2);
    assert_false(out.may_be_whole);
    expect_logs(LOGS({"warning", "c", NULL, USER}, {"notice", "d", NULL, USER}));
    come(&bytes, true, false);
    assert_int_equal(bytes.len, 2);
}

/* There are clients that have line feeds between messages alone. */
static void a_last_line_has_waited_too_if_none_has_ended_with_a_line_feed(void **state)
{
    struct slice bytes = TEXT("<12>a\n<12>b");

    come(&bytes, false, false);
    expect_logs(LOGS({"warning", "a", NULL, USER}));
    assert_true(out.may_be_whole);
    come(&bytes, true, false);
    assert_int_equal(bytes.len, 0);
    expect_logs(LOGS({"warning", "a", NULL, USER}, {"warning", "b", NULL, USER}));
}

/* Half a line, or half a counted message, is not made whole by waiting. */
static void what_has_an_end_to_come_goes_on_waiting(void **state)
{
    static const struct {
        struct slice first, half;
    } cases[] = {
        {TEXT("<12>a\n<12>a\n"), TEXT("<12>hal")},
        {TEXT("<12>a\0<12>a\0"), TEXT("<12>hal")},
        {TEXT("5 <12>a5 <12>a"), TEXT("9 <12>hal")},
        {TEXT("5 <12>a5 <12>a"), TEXT("12")},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice first = cases[i].first, half = cases[i].half;

        begin_connection();
        come(&first, true, false);
        come(&half, true, false);
        assert_int_equal(half.len, cases[i].half.len);
        assert_false(out.may_be_whole);
    }
    struct slice first = TEXT("<12>a\n"), bytes = TEXT("<12>a\n<12>b\nhalf a line of");
    begin_connection();
    come(&first, false, false);
    come(&bytes, false, false);
    come(&bytes, true, false);
    assert_true(slice_equal(bytes, TEXT("<12>b\nhalf a line of")));
    assert_false(out.may_be_whole);
}

static void without_framing_what_has_waited_is_all_there_is(void **state)
{
    struct slice bytes = TEXT("<12>1 - - - - - - a<13>Nov 28 00:58:02 h b: c");

    come(&bytes, false, false);
    assert_int_equal(out.used, 0);
    assert_true(out.may_be_whole);
    come(&bytes, true, false);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(run.kept.records_len, 2);
    /* From then on the next message ends the one before it. */
    bytes = TEXT("<12>1 - - - - - - d <1<12>1 - - - - - - e");
    come(&bytes, false, false);
    assert_int_equal(run.kept.records_len, 3);
    format_run_expect(&run, 2, "warning", "d <1", ARRIVAL, USER);
    assert_true(out.may_be_whole);
    come(&bytes, false, true);
    assert_int_equal(run.kept.records_len, 4);
}

/* `n` bytes of text between two others: free data. */
static struct slice long_text(const char *before, char c, size_t n, const char *after)
{
    size_t before_len = strlen(before), after_len = strlen(after);
    char *data = malloc(before_len + n + after_len);

    assert_non_null(data);
    memcpy(data, before, before_len);
    memset(data + before_len, c, n);
    memcpy(data + before_len + n, after, after_len);
    return slice_of(data, before_len + n + after_len);
}

static void assert_pieces(struct slice all, size_t pieces, size_t text_len)
{
    for (int way = 0; way < 4; way++) {
        size_t len = 0;

        if (way < 3)
            come_in_two(all, (size_t[]){0, SYSLOG_MESSAGE_MAX, SYSLOG_MESSAGE_MAX + 40}[way]);
        else
            come_in_two(all, all.len);
        assert_int_equal(run.kept.records_len, pieces + 1);
        for (size_t i = 0; i < pieces; i++) {
            const struct record *r = &run.kept.records[i];
            char part[64];

            snprintf(part, sizeof(part), "{\"facility\":\"user\",\"part\":%zu}", i + 1);
            assert_true(slice_equal(r->level, TEXT("warning")));
            assert_true(slice_equal(r->attributes, slice_of_string(part)));
            assert_true(r->message.len <= SYSLOG_MESSAGE_MAX);
            len += r->message.len;
        }
        assert_int_equal(len, text_len);
        format_run_expect(&run, pieces, "notice", "next", ARRIVAL, USER);
    }
}

/* Nothing is lost of it, and the stream stays in step. */
static void a_message_that_is_too_long_is_taken_in_pieces(void **state)
{
    enum { LEN = 3 * SYSLOG_MESSAGE_MAX - 100 };
    char count[32];

    struct slice all = long_text("<12>", 'x', LEN, "\n<13>next\n");
    assert_pieces(all, 3, LEN);
    free((char *)all.data);
    all = long_text("<12>", 'x', LEN, " <13>next ");
    ((char *)all.data)[LEN + 4] = ((char *)all.data)[all.len - 1] = '\0';
    assert_pieces(all, 3, LEN);
    free((char *)all.data);
    snprintf(count, sizeof(count), "%d <12>", LEN + 4);
    all = long_text(count, 'x', LEN, "8 <13>next");
    assert_pieces(all, 3, LEN);
    free((char *)all.data);
    all = long_text("<12>", 'x', LEN, "<13>1 - - - - - - next");
    assert_pieces(all, 3, LEN);
    free((char *)all.data);
}

static void a_message_of_the_most_bytes_is_whole(void **state)
{
    struct slice all = long_text("<12>", 'x', SYSLOG_MESSAGE_MAX - 4, "\n<13>next\n");

    come_in_two(all, SYSLOG_MESSAGE_MAX);
    assert_int_equal(run.kept.records_len, 2);
    assert_true(slice_equal(run.kept.records[0].attributes, TEXT(USER)));
    free((char *)all.data);
}

static void pieces_end_with_whole_characters(void **state)
{
    struct slice all = long_text("<12>", 'x', SYSLOG_MESSAGE_MAX - 6, "€\n<13>next\n");

    come_in_two(all, SYSLOG_MESSAGE_MAX);
    assert_int_equal(run.kept.records_len, 3);
    assert_int_equal(run.kept.records[0].message.len, SYSLOG_MESSAGE_MAX - 6);
    format_run_expect(&run, 1, "warning", "€", ARRIVAL, "{\"facility\":\"user\",\"part\":2}");
    free((char *)all.data);
}

/* More bytes than may be kept are no sign that the last message among them has ended. */
static void a_full_buffer_ends_no_message(void **state)
{
    static const char last[] = "<13>1 - - - - - - the next one, of which more must come";
    char after[sizeof(last) + 1];

    snprintf(after, sizeof(after), "\n%s", last);
    struct slice all = long_text("<12>", 'x', SYSLOG_MESSAGE_MAX - 4, after);
    struct slice first = TEXT("<12>1 - - - - - - a"), bytes = all;
    come(&first, true, false); /* there is no framing */
    come(&bytes, true, false);
    assert_int_equal(run.kept.records_len, 2);
    assert_true(slice_equal(bytes, slice_of_string(last)));
    assert_true(out.may_be_whole);
    free((char *)all.data);
}

static void what_a_connection_ends_within_is_kept(void **state)
{
    ASSERT_STREAM("5 <12>a20 <13>hal", {"warning", "a", NULL, USER},
                  {"notice", "hal", NULL, "{\"facility\":\"user\",\"part\":1}"});
    ASSERT_STREAM("<12>a\n<13>hal", {"warning", "a", NULL, USER}, {"notice", "hal", NULL, USER});
    ASSERT_STREAM("<12>a\0<13>hal", {"warning", "a", NULL, USER}, {"notice", "hal", NULL, USER});
    ASSERT_STREAM("5 <12>a12", {"warning", "a", NULL, USER}, {"info", "12", NULL, ""});
    ASSERT_STREAM("x", {"info", "x", NULL, ""});
}

static void a_count_that_is_none_is_text(void **state)
{
    ASSERT_STREAM("0 <12>a\n", {"info", "0 <12>a", NULL, ""});
    ASSERT_STREAM("1234567890 <12>a\n", {"info", "1234567890 <12>a", NULL, ""});
    ASSERT_STREAM("5 <12>a<13>b\n5 <12>c", {"warning", "a", NULL, USER},
                  {"notice", "b", NULL, USER}, {"warning", "c", NULL, USER});
}

static void assert_closed(struct slice bytes, const char *reason)
{
    begin_connection();
    come(&bytes, false, false);
    assert_true(out.ends);
    assert_int_equal(bytes.len, 0);
    assert_string_equal(why.text, reason);
    assert_int_equal(run.kept.records_len, 0);
}

static void what_cannot_be_read_is_closed_with_its_reason(void **state)
{
    static const char compressed[] =
        "it is compressed (rsyslog's compression.mode): to be sent without";
    struct slice zip = format_capture("rsyslog-zip-8.2302.0.bin");

    assert_closed(zip, compressed);
    free((char *)zip.data);
    assert_closed(TEXT("\x1f\x8b\x08"), compressed);
    assert_closed(TEXT("\x16\x03\x01\x02"), "it is TLS, and this address takes none");
}

/* The same bytes, session, arrival and number are the same logs: when they could not be stored. */
static void what_is_read_again_has_the_same_ids(void **state)
{
    struct slice bytes = TEXT("<12>a\n<12>b\n<12>c");

    come(&(struct slice){bytes.data, bytes.len}, false, false);
    assert_int_equal(run.kept.records_len, 2);
    struct log_key first = run.kept.records[0].key, second = run.kept.records[1].key;
    assert_true(log_key_compare(&first, &second) != 0);
    begin_connection();
    come(&bytes, false, false);
    assert_int_equal(log_key_compare(&run.kept.records[0].key, &first), 0);
    assert_int_equal(log_key_compare(&run.kept.records[1].key, &second), 0);
    come(&bytes, false, true);
    assert_int_equal(run.kept.records_len, 3);
    assert_true(log_key_compare(&run.kept.records[2].key, &second) != 0);
}

static void a_log_that_passes_a_limit_is_left_out_and_counted(void **state)
{
    struct slice all = long_text("<12>1 - - - - - [", 'x', 2000, "] m\n<13>next\n<13>");
    struct slice bytes = all;

    come(&bytes, false, false);
    free((char *)all.data);
    assert_int_equal(out.counts.refused, 1);
    expect_logs(LOGS({"notice", "next", NULL, USER}));
}

static void the_error_of_the_sink_ends_it(void **state)
{
    struct stream_input in = {.bytes = TEXT("<12>a\n<12>b\n<12>c")};

    run.kept.fail_at = 1;
    out = (struct stream_output){.why = &why};
    assert_int_equal(syslog_stream.read(memory, session, &in, kept_sink, &run.kept, &out),
                     LM_EFULL);
}

#ifdef LOGMILL_FAULTS

/* Each allocation as large as an input fails in turn, and then all from it on: what comes again is
 * read as if nothing had been. */
static void what_there_is_no_memory_for_is_read_again(void **state)
{
    static const struct fault_plan none = {.first = 0};
    struct stream_input in = {
        .bytes = TEXT("{\"message\":\"m\",\"n\":[1]}\n"
                      "<12>1 - h a - - [x y=\"\\\"\"] \xff\n"
                      "<13>@cee:{\"msg\":\"\\u0000\"}\n"),
        .is_over = true,
        .arrival_us = ARRIVAL_US,
    };

    for (unsigned i = 0, failed = 1; failed > 0; i++) {
        struct fault_plan plan = {FAULT_INPUT, i / 2 + 1, i % 2 == 1, FAULT_EIO};

        syslog_stream.memory_free(memory);
        memory = syslog_stream.memory_new(&(struct stream_setup){.hostname = "logs"}, NULL);
        begin_connection();
        out = (struct stream_output){.why = &why};
        fault_plan(&plan);
        int error = syslog_stream.read(memory, session, &in, kept_sink, &run.kept, &out);
        failed = fault_count();
        fault_plan(&none);
        assert_true(!error || error == LM_ENOMEM);
        if (error) {
            begin_connection();
            out = (struct stream_output){.why = &why};
            error = syslog_stream.read(memory, session, &in, kept_sink, &run.kept, &out);
            assert_int_equal(error, 0);
        }
        expect_logs(LOGS({"info", "m", NULL, "{\"n\":[1]}"},
                         {"warning", "\xef\xbf\xbd", NULL,
                          "{\"facility\":\"user\",\"host\":\"h\",\"app\":\"a\","
                          "\"sd\":{\"x\":{\"y\":\"\\\"\"}}}"},
                         {"notice", "\xef\xbf\xbd", NULL, USER}));
    }
}

#endif

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(rsyslogs_are_read),
        TEST(syslog_ngs_are_read),
        TEST(loggers_are_read),
        TEST(pythons_are_read),
        TEST(what_has_no_framing_is_read),
        TEST(dockers_are_read),
        TEST(javas_json_is_read),
        TEST(the_first_message_decides_how_the_others_end),
        TEST(a_line_without_pri_belongs_to_the_one_before),
        TEST(empty_messages_are_none),
        TEST(what_has_waited_is_whole),
        TEST(a_last_line_has_waited_too_if_none_has_ended_with_a_line_feed),
        TEST(what_has_an_end_to_come_goes_on_waiting),
        TEST(without_framing_what_has_waited_is_all_there_is),
        TEST(a_message_that_is_too_long_is_taken_in_pieces),
        TEST(a_message_of_the_most_bytes_is_whole),
        TEST(pieces_end_with_whole_characters),
        TEST(a_full_buffer_ends_no_message),
        TEST(what_a_connection_ends_within_is_kept),
        TEST(a_count_that_is_none_is_text),
        TEST(what_cannot_be_read_is_closed_with_its_reason),
        TEST(what_is_read_again_has_the_same_ids),
        TEST(a_log_that_passes_a_limit_is_left_out_and_counted),
        TEST(the_error_of_the_sink_ends_it),
#ifdef LOGMILL_FAULTS
        TEST(what_there_is_no_memory_for_is_read_again),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
