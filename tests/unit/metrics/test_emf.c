#include "metrics/emf.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yyjson.h>

#include "../cmocka_all.h"
#include "metrics/metrics.h"

enum { HOUR = 3600, DIMENSIONS_MAX = 30, METRICS_MAX = 100 };

/* ---- What the specification of the format asks for ---- */

static void verify_directive(yyjson_val *root, yyjson_val *directive)
{
    yyjson_val *dimensions = yyjson_obj_get(directive, "Dimensions");
    yyjson_val *metrics = yyjson_obj_get(directive, "Metrics");
    yyjson_val *entry;
    size_t i, max;

    assert_int_equal(yyjson_obj_size(directive), 3);
    assert_true(yyjson_get_len(yyjson_obj_get(directive, "Namespace")) > 0);
    assert_true(yyjson_arr_size(dimensions) > 0);
    yyjson_arr_foreach(dimensions, i, max, entry)
    {
        assert_true(yyjson_is_arr(entry));
        assert_true(yyjson_arr_size(entry) <= DIMENSIONS_MAX);
    }
    assert_in_range(yyjson_arr_size(metrics), 1, METRICS_MAX);
    yyjson_arr_foreach(metrics, i, max, entry)
    {
        assert_int_equal(yyjson_obj_size(entry), 2);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(entry, "Unit")), "Count");
        assert_true(
            yyjson_is_num(yyjson_obj_get(root, yyjson_get_str(yyjson_obj_get(entry, "Name")))));
    }
}

/* The line as JSON; the caller frees it. */
static yyjson_doc *verified(const char *line, size_t len)
{
    yyjson_doc *doc;
    yyjson_val *root, *aws, *directives;

    assert_true(len > 0 && line[len - 1] == '\n');
    assert_null(memchr(line, '\n', len - 1));
    doc = yyjson_read(line, len, 0);
    assert_non_null(doc);
    root = yyjson_doc_get_root(doc);
    aws = yyjson_obj_get(root, "_aws");
    directives = yyjson_obj_get(aws, "CloudWatchMetrics");
    assert_int_equal(yyjson_obj_size(aws), 2);
    assert_true(yyjson_is_uint(yyjson_obj_get(aws, "Timestamp")));
    assert_int_equal(yyjson_arr_size(directives), 1);
    verify_directive(root, yyjson_arr_get_first(directives));
    return doc;
}

static void a_line_is_as_the_specification_asks(void **state)
{
    const uint64_t counts[EMF_METRICS_LEN] = {1, 2, 3, 4, 5};
    struct buffer b;
    yyjson_doc *doc;

    buffer_init(&b, PIPE_BUF);
    emf_append_line(&b, "Shop/logmill", 1764043200123, counts);
    assert_int_equal(buffer_error(&b), 0);
    doc = verified(b.data, b.len);
    buffer_append_char(&b, '\0');
    assert_string_equal(
        b.data,
        "{\"_aws\":{\"Timestamp\":1764043200123,\"CloudWatchMetrics\":[{\"Namespace\":"
        "\"Shop/logmill\",\"Dimensions\":[[]],\"Metrics\":[{\"Name\":\"LogsAccepted\",\"Unit\":"
        "\"Count\"},{\"Name\":\"LogsStored\",\"Unit\":\"Count\"},{\"Name\":\"LogsDeadLettered\","
        "\"Unit\":\"Count\"},{\"Name\":\"RequestsFailed\",\"Unit\":\"Count\"},{\"Name\":"
        "\"StoreFailures\",\"Unit\":\"Count\"}]}]},\"LogsAccepted\":1,\"LogsStored\":2,"
        "\"LogsDeadLettered\":3,\"RequestsFailed\":4,\"StoreFailures\":5}\n");
    yyjson_doc_free(doc);
    buffer_release(&b);
}

static void the_longest_line_is_one_that_a_pipe_takes_whole(void **state)
{
    uint64_t counts[EMF_METRICS_LEN];
    char name[256];
    struct buffer b;

    memset(counts, 0xff, sizeof(counts));
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    buffer_init(&b, PIPE_BUF);
    emf_append_line(&b, name, INT64_MAX, counts);
    assert_int_equal(buffer_error(&b), 0);
    buffer_release(&b);
}

/* ---- Lines that are written ---- */

struct place {
    int reader, writer;
};

/* Keeps the bounds of writes: each is one packet. */
static struct place packets(void)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    return (struct place){fds[0], fds[1]};
}

static void start(int fd)
{
    struct errbuf err = ERRBUF_INIT;
    const struct emf_options options = {.fd = fd, .interval = HOUR, .name = "logmill"};

    if (emf_start(&options, &err))
        fail_msg("%s", err.text);
}

static uint64_t value(yyjson_doc *doc, const char *name)
{
    return yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(doc), name));
}

/* Reads one line and returns its count of accepted logs, or -1 if there is none. */
static int64_t accepted_of_next(struct place p)
{
    char line[PIPE_BUF];
    ssize_t len = recv(p.reader, line, sizeof(line), MSG_DONTWAIT);
    int64_t accepted = -1;

    if (len > 0) {
        yyjson_doc *doc = verified(line, (size_t)len);

        accepted = (int64_t)value(doc, "LogsAccepted");
        yyjson_doc_free(doc);
    }
    return accepted;
}

static void close_place(struct place p)
{
    close(p.reader);
    close(p.writer);
}

static void a_line_holds_what_was_counted_since_the_line_before(void **state)
{
    struct place p = packets();

    metrics_add(METRIC_LOGS_ACCEPTED, 3);
    start(p.writer);
    emf_write();
    assert_int_equal(accepted_of_next(p), 3);
    metrics_add(METRIC_LOGS_ACCEPTED, 4);
    metrics_add(METRIC_LOGS_ACCEPTED, 5);
    emf_write();
    emf_write();
    assert_int_equal(accepted_of_next(p), 9);
    assert_int_equal(accepted_of_next(p), 0);
    metrics_add(METRIC_LOGS_ACCEPTED, 6);
    emf_stop();
    assert_int_equal(accepted_of_next(p), 6);
    emf_stop();
    emf_write();
    assert_int_equal(accepted_of_next(p), -1);
    close_place(p);
}

static void each_counter_is_told_under_its_name(void **state)
{
    struct place p = packets();
    char line[PIPE_BUF];
    yyjson_doc *doc;

    start(p.writer);
    metrics_add(METRIC_LOGS_ACCEPTED, 1);
    metrics_add(METRIC_LOGS_STORED, 2);
    metrics_add(METRIC_LOGS_DEAD, 3);
    metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 40);
    metrics_add(METRIC_LOGS_REFUSED_QUEUE, 4);
    metrics_add(METRIC_LOGS_REFUSED_INVALID, 1000);
    metrics_add(METRIC_STORE_FAILURES, 5);
    emf_stop();
    doc = verified(line, (size_t)recv(p.reader, line, sizeof(line), 0));
    assert_int_equal(value(doc, "LogsAccepted"), 1);
    assert_int_equal(value(doc, "LogsStored"), 2);
    assert_int_equal(value(doc, "LogsDeadLettered"), 3);
    assert_int_equal(value(doc, "RequestsFailed"), 44);
    assert_int_equal(value(doc, "StoreFailures"), 5);
    yyjson_doc_free(doc);
    close_place(p);
}

static void a_full_pipe_keeps_nobody_waiting_and_loses_no_count(void **state)
{
    char bytes[PIPE_BUF] = {0};
    struct place p = packets();
    int fds[2];
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    do {
        n = write(fds[1], bytes, sizeof(bytes));
    } while (n > 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);

    start(fds[1]);
    metrics_add(METRIC_LOGS_ACCEPTED, 7);
    emf_write(); /* would hang here */
    emf_stop();
    close(fds[0]);
    close(fds[1]);

    start(p.writer);
    emf_stop();
    assert_int_equal(accepted_of_next(p), 7);
    close_place(p);
}

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As a full disk does it. */
static void a_failed_write_loses_no_count_and_a_line_that_was_cut_is_ended_first(void **state)
{
    FILE *file = tmpfile();
    char text[4 * PIPE_BUF];
    char *end;
    yyjson_doc *doc;
    size_t len;

    assert_non_null(file);
    start(fileno(file));
    metrics_add(METRIC_LOGS_ACCEPTED, 8);
    limit_file_size(0);
    emf_write(); /* an error */
    limit_file_size(100);
    emf_write(); /* 100 bytes of a line */
    metrics_add(METRIC_LOGS_ACCEPTED, 9);
    emf_write(); /* nothing */
    limit_file_size(RLIM_INFINITY);
    emf_stop();

    rewind(file);
    len = fread(text, 1, sizeof(text), file);
    end = memchr(text, '\n', len);
    assert_non_null(end);
    doc = verified(text, (size_t)(end + 1 - text));
    assert_int_equal(value(doc, "LogsAccepted"), 8);
    yyjson_doc_free(doc);
    doc = verified(end + 1, len - (size_t)(end + 1 - text));
    assert_int_equal(value(doc, "LogsAccepted"), 9);
    yyjson_doc_free(doc);
    fclose(file);
}

static void a_name_that_cloudwatch_does_not_take_is_refused(void **state)
{
    static const char *const bad[] = {"", ":logs", "AWS/logs", "a\"b", "a\nb", "logs\xc3\xa9", " "};
    static const char *const good[] = {"logmill", "Shop/logs-1_2.3#4:5 6", "AWSlogs"};
    struct errbuf err = ERRBUF_INIT;
    char name[257];

    memset(name, 'n', 256);
    name[256] = '\0';
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        const char *text = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : name;
        const struct emf_options options = {.fd = -1, .interval = HOUR, .name = text};

        assert_int_equal(emf_start(&options, &err), LM_EINVAL);
        assert_non_null(strstr(err.text, "EMF_NAMESPACE: "));
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct place p = packets();
        const struct emf_options options = {.fd = p.writer, .interval = HOUR, .name = good[i]};

        assert_int_equal(emf_start(&options, &err), 0);
        emf_stop();
        close_place(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_as_the_specification_asks),
        cmocka_unit_test(the_longest_line_is_one_that_a_pipe_takes_whole),
        cmocka_unit_test(a_line_holds_what_was_counted_since_the_line_before),
        cmocka_unit_test(each_counter_is_told_under_its_name),
        cmocka_unit_test(a_full_pipe_keeps_nobody_waiting_and_loses_no_count),
        cmocka_unit_test(a_failed_write_loses_no_count_and_a_line_that_was_cut_is_ended_first),
        cmocka_unit_test(a_name_that_cloudwatch_does_not_take_is_refused),
    };

    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
