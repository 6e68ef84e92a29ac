#include "metrics/metrics.h"

#include <string.h>

#include "../cmocka_all.h"

static char *text(struct buffer *b)
{
    buffer_init(b, 1 << 20);
    metrics_append(b);
    buffer_append_char(b, '\0');
    assert_int_equal(buffer_error(b), 0);
    return b->data;
}

static void counters_are_shown_with_their_labels(void **state)
{
    struct buffer b;

    metrics_add(METRIC_LOGS_REFUSED_QUEUE, 3);
    metrics_add(METRIC_LOGS_REFUSED_QUEUE, 4);
    assert_non_null(strstr(text(&b), "logmill_logs_refused_total{reason=\"queue\"} 7\n"));
    buffer_release(&b);
}

static void what_came_is_counted_by_protocol(void **state)
{
    struct buffer b;
    const char *t;

    metrics_receive(PROTOCOL_OTLP, METRIC_TAKEN, 3);
    metrics_receive(PROTOCOL_OTLP, METRIC_TAKEN, 2);
    metrics_receive(PROTOCOL_HEC, METRIC_REFUSED_TOO_LARGE, 1);
    t = text(&b);
    assert_non_null(strstr(t, "logmill_received_logs_total{protocol=\"otlp\"} 5\n"));
    assert_non_null(strstr(t, "logmill_received_logs_total{protocol=\"loki\"} 0\n"));
    assert_non_null(
        strstr(t, "logmill_received_refused_total{protocol=\"hec\",reason=\"too_large\"} 1\n"));
    assert_ptr_equal(strstr(t, "# TYPE logmill_received_refused_total counter\n"),
                     strstr(t, "# TYPE logmill_received_refused_total"));
    buffer_release(&b);
}

static void a_name_has_one_head_before_its_samples(void **state)
{
    struct buffer b;
    const char *head = strstr(text(&b), "# TYPE logmill_logs_refused_total counter\n");

    assert_non_null(head);
    assert_null(strstr(head + 1, "# TYPE logmill_logs_refused_total"));
    buffer_release(&b);
}

static void a_value_is_counted_in_every_bucket_from_its_own_on(void **state)
{
    struct buffer b;
    char *t;

    metrics_observe(METRIC_STORE_LOGS, 0);
    metrics_observe(METRIC_STORE_LOGS, 4);
    metrics_observe(METRIC_STORE_LOGS, 5);
    metrics_observe(METRIC_STORE_LOGS, UINT64_C(1) << 40);
    t = text(&b);
    assert_non_null(strstr(t, "logmill_store_batch_logs_bucket{le=\"2\"} 1\n"));
    assert_non_null(strstr(t, "logmill_store_batch_logs_bucket{le=\"4\"} 2\n"));
    assert_non_null(strstr(t, "logmill_store_batch_logs_bucket{le=\"8\"} 3\n"));
    assert_non_null(strstr(t, "logmill_store_batch_logs_bucket{le=\"1073741824\"} 3\n"));
    assert_non_null(strstr(t, "logmill_store_batch_logs_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(t, "logmill_store_batch_logs_count 4\n"));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_shown_with_their_labels),
        cmocka_unit_test(what_came_is_counted_by_protocol),
        cmocka_unit_test(a_name_has_one_head_before_its_samples),
        cmocka_unit_test(a_value_is_counted_in_every_bucket_from_its_own_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
