#include "metrics/senders.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"

static struct buffer text;

static bool says(const char *line)
{
    buffer_clear(&text);
    senders_append(&text);
    buffer_append_char(&text, '\0');
    return strstr(text.data, line);
}

static void each_name_has_its_rows_and_who_has_no_key_too(void **state)
{
    unsigned shop = senders_find("shop");

    assert_int_equal(senders_find("shop"), shop);
    assert_true(says("# TYPE logmill_key_logs_total counter\n"));
    assert_false(says("shop"));
    senders_receive(shop, PROTOCOL_OTLP, METRIC_TAKEN, 3);
    senders_receive(shop, PROTOCOL_OTLP, METRIC_TAKEN, 4);
    senders_bytes(shop, PROTOCOL_OTLP, 100);
    senders_receive(shop, PROTOCOL_HEC, METRIC_REFUSED_RATE, 1);
    senders_receive(shop, PROTOCOL_HEC, METRIC_LEFT_OUT, 2);
    senders_receive(senders_find(NULL), PROTOCOL_LOKI, METRIC_TAKEN, 5);
    assert_true(says("logmill_key_logs_total{key=\"shop\",protocol=\"otlp\"} 7\n"));
    assert_true(says("logmill_key_bytes_total{key=\"shop\",protocol=\"otlp\"} 100\n"));
    assert_true(
        says("logmill_key_refused_total{key=\"shop\",protocol=\"hec\",reason=\"rate\"} 1\n"));
    assert_true(says("logmill_key_left_out_total{key=\"shop\",protocol=\"hec\"} 2\n"));
    assert_true(says("logmill_key_logs_total{key=\"(none)\",protocol=\"loki\"} 5\n"));
}

static void past_so_many_names_all_are_one(void **state)
{
    unsigned last = 0;

    for (int i = 0; i < SENDERS_MAX + 10; i++) {
        char name[16];

        snprintf(name, sizeof(name), "agent-%d", i);
        last = senders_find(name);
        senders_receive(last, PROTOCOL_GELF, METRIC_TAKEN, 1);
    }
    assert_int_equal(senders_find("another"), last);
    assert_true(says("logmill_key_logs_total{key=\"(other)\",protocol=\"gelf\"} 11\n"));
    assert_true(says("{key=\"agent-62\",protocol=\"gelf\"} 1\n")); /* beside shop */
    assert_false(says("agent-63"));
}

static int set_up(void **state)
{
    buffer_init(&text, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    buffer_release(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_its_rows_and_who_has_no_key_too),
        cmocka_unit_test(past_so_many_names_all_are_one),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
