/* Logs that are put together value by value (record/draft.h). */
#include "record/draft.h"

#include <math.h>
#include <stdio.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "base/uuid7.h"

static void assert_slice_equal(struct slice s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.data, want, s.len);
}

static const int64_t ARRIVAL_US = INT64_C(1790000000000123);

static struct record finished(struct record_draft *d)
{
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    assert_int_equal(record_draft_finish(d, ARRIVAL_US, &r, &why), 0);
    return r;
}

static void assert_attributes(struct record_draft *d, const char *want)
{
    struct record r = finished(d);

    assert_slice_equal(r.attributes, want);
}

/* Of the sender's values none is lost, and a name is compared, not its hash. */
static void an_attribute_of_ours_gives_way(void **state)
{
    const struct slice nanoseconds = SLICE_LITERAL("nanoseconds");
    struct record_draft d;

    record_draft_init(&d);
    record_draft_below_us(&d, 7);
    record_draft_text(&d, nanoseconds, SLICE_LITERAL("theirs"));
    assert_attributes(&d, "{\"nanoseconds\":\"theirs\",\"time.nanoseconds\":7}");

    record_draft_begin(&d);
    record_draft_below_us(&d, 7);
    record_draft_text(&d, SLICE_LITERAL("b66aic8"), nanoseconds); /* of the same hash */
    record_draft_text(&d, SLICE_LITERAL("a\"\\"), SLICE_LITERAL("\",\"nanoseconds\":1"));
    record_draft_open(&d, SLICE_LITERAL("o"), RECORD_DRAFT_OBJECT);
    record_draft_bool(&d, nanoseconds, true);
    record_draft_close(&d);
    assert_attributes(&d, "{\"b66aic8\":\"nanoseconds\","
                          "\"a\\\"\\\\\":\"\\\",\\\"nanoseconds\\\":1\","
                          "\"o\":{\"nanoseconds\":true},\"nanoseconds\":7}");

    record_draft_begin(&d);
    record_draft_null(&d, nanoseconds);
    record_draft_null(&d, SLICE_LITERAL("time.nanoseconds"));
    assert_attributes(&d, "{\"nanoseconds\":null,\"time.nanoseconds\":null}");
    record_draft_begin(&d);
    record_draft_null(&d, nanoseconds);
    record_draft_null(&d, SLICE_LITERAL("time.nanoseconds"));
    record_draft_below_us(&d, 7);
    assert_attributes(&d, "{\"nanoseconds\":null,\"time.nanoseconds\":null,"
                          "\"time.nanoseconds.2\":7}");

    char name[32];
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    record_draft_begin(&d);
    record_draft_null(&d, nanoseconds);
    for (int n = 1; n <= RECORD_DRAFT_OWN_NAMES; n++) {
        snprintf(name, sizeof(name), n > 1 ? "time.nanoseconds.%d" : "time.nanoseconds", n);
        record_draft_null(&d, slice_of_string(name));
    }
    record_draft_below_us(&d, 7);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_EINVAL);
    assert_non_null(strstr(why.text, "nanoseconds"));
    record_draft_release(&d);
}

static void a_log_is_put_together_value_by_value(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_message(&d, SLICE_LITERAL("paid"));
    record_draft_level(&d, SLICE_LITERAL("warning"));
    record_draft_time(&d, 1000001);
    record_draft_text(&d, SLICE_LITERAL("ho\"st"), SLICE_LITERAL("web\n1"));
    record_draft_open(&d, SLICE_LITERAL("http"), RECORD_DRAFT_OBJECT);
    record_draft_integer(&d, SLICE_LITERAL("status"), -500);
    record_draft_open(&d, SLICE_LITERAL("of"), RECORD_DRAFT_ARRAY);
    record_draft_bool(&d, SLICE_LITERAL(""), true);
    record_draft_null(&d, SLICE_LITERAL(""));
    record_draft_close(&d);
    record_draft_close(&d);
    record_draft_unsigned(&d, SLICE_LITERAL(""), UINT64_MAX);
    record_draft_number(&d, SLICE_LITERAL("n"), SLICE_LITERAL("1.50"));

    struct record r = finished(&d);

    assert_slice_equal(r.message, "paid");
    assert_slice_equal(r.level, "warning");
    assert_int_equal(r.key.timestamp_us, 1000001);
    assert_int_equal(uuid7_ms(&r.key.id), 1000);
    assert_true(uuid_is_v7(&r.key.id));
    assert_slice_equal(r.attributes, "{\"ho\\\"st\":\"web\\n1\",\"http\":{\"status\":-500,"
                                     "\"of\":[true,null]},\"\":18446744073709551615,\"n\":1.50}");
    record_draft_release(&d);
}

static void what_is_not_given_is_made_up(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    struct record r = finished(&d);
    assert_slice_equal(r.level, "info");
    assert_int_equal(r.message.len, 0);
    assert_int_equal(r.attributes.len, 0);
    assert_int_equal(r.key.timestamp_us, ARRIVAL_US);
    record_draft_release(&d);
}

static void doubles_have_the_shortest_digits(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_open(&d, SLICE_LITERAL("a"), RECORD_DRAFT_ARRAY);
    static const double values[] = {0.1, 1e300, -2.5, 1.0 / 3, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        record_draft_double(&d, SLICE_LITERAL(""), values[i]);
    record_draft_close(&d);
    assert_attributes(&d, "{\"a\":[0.1,1e+300,-2.5,0.3333333333333333,\"NaN\",\"Infinity\","
                          "\"-Infinity\"]}");
    record_draft_release(&d);
}

static void what_is_no_utf8_is_replaced(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_message(&d, slice_of("a\0b\xff", 4));
    record_draft_text(&d, slice_of("n\xc3", 2), slice_of("\0", 1));
    struct record r = finished(&d);
    assert_slice_equal(r.message, "a\xef\xbf\xbd\x62\xef\xbf\xbd");
    assert_slice_equal(r.attributes, "{\"n\xef\xbf\xbd\":\"\xef\xbf\xbd\"}");
    assert_int_equal(d.nul_characters, 2);
    record_draft_release(&d);
}

static void of_members_of_one_name_the_last_counts(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_integer(&d, SLICE_LITERAL("a"), 1);
    record_draft_open(&d, SLICE_LITERAL("o"), RECORD_DRAFT_OBJECT);
    record_draft_integer(&d, SLICE_LITERAL("a"), 2);
    record_draft_close(&d);
    assert_attributes(&d, "{\"a\":1,\"o\":{\"a\":2}}");

    record_draft_begin(&d);
    record_draft_integer(&d, SLICE_LITERAL("a"), 1);
    record_draft_integer(&d, SLICE_LITERAL("b"), 2);
    record_draft_integer(&d, SLICE_LITERAL("a"), 3);
    assert_attributes(&d, "{\"b\":2,\"a\":3}");

    record_draft_begin(&d);
    for (int64_t i = 0; i < 200; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "n%d", (int)(i % 100));
        record_draft_integer(&d, slice_of_string(name), i);
    }
    struct record r = finished(&d);
    assert_int_equal(strncmp(r.attributes.data, "{\"n0\":100,\"n1\":101,", 19), 0);
    record_draft_release(&d);
}

static void common_attributes_are_written_once(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_text(&d, SLICE_LITERAL("service"), SLICE_LITERAL("pay"));
    struct record_draft_mark mark = record_draft_mark(&d);
    for (int64_t i = 0; i < 3; i++) {
        char want[64];

        record_draft_again(&d, &mark);
        record_draft_integer(&d, SLICE_LITERAL("i"), i);
        (void)snprintf(want, sizeof(want), "{\"service\":\"pay\",\"i\":%d}", (int)i);
        assert_attributes(&d, want);
    }
    record_draft_again(&d, &mark);
    assert_attributes(&d, "{\"service\":\"pay\"}");
    record_draft_again(&d, &mark);
    record_draft_text(&d, SLICE_LITERAL("service"), SLICE_LITERAL("cart"));
    assert_attributes(&d, "{\"service\":\"cart\"}");
    record_draft_release(&d);
}

static void a_seed_gives_the_same_id_again(void **state)
{
    struct record_draft d;

    (void)state;
    record_draft_init(&d);
    record_draft_seed(&d, SLICE_LITERAL("chunk 1"));
    record_draft_time(&d, 5000);
    struct record first = finished(&d);
    record_draft_begin(&d);
    record_draft_time(&d, 5000);
    record_draft_seed(&d, SLICE_LITERAL("chunk 1"));
    struct record second = finished(&d);
    assert_memory_equal(&first.key, &second.key, sizeof(first.key));
    struct uuid derived = uuid7_derived(5000, SLICE_LITERAL("chunk 1"));
    assert_memory_equal(&first.key.id, &derived, sizeof(derived));
    record_draft_release(&d);
}

static void refused(struct record_draft *d, const char *want)
{
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    assert_int_equal(record_draft_finish(d, ARRIVAL_US, &r, &why), LM_EINVAL);
    assert_string_equal(why.text, want);
    record_draft_begin(d);
    (void)finished(d); /* the next one is not harmed */
    record_draft_begin(d);
}

static void a_log_past_a_limit_is_refused_and_the_next_is_not(void **state)
{
    static char text[RECORD_LEVEL_MAX + 2];
    struct record_draft d;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    record_draft_init(&d);
    record_draft_level(&d, slice_of(text, RECORD_LEVEL_MAX));
    record_draft_integer(&d, slice_of(text, RECORD_NAME_MAX), 1);
    (void)finished(&d);

    record_draft_begin(&d);
    record_draft_level(&d, slice_of(text, RECORD_LEVEL_MAX + 1));
    refused(&d, "bytes of the level: at most 1024");

    for (int i = 0; i < RECORD_DEPTH_MAX; i++)
        record_draft_open(&d, SLICE_LITERAL("o"), RECORD_DRAFT_OBJECT);
    refused(&d, "objects and arrays within each other of attribute \"o\": at most 128");

    for (int i = 0; i < RECORD_DEPTH_MAX - 1; i++)
        record_draft_open(&d, SLICE_LITERAL("o"), RECORD_DRAFT_ARRAY);
    for (int i = 0; i < RECORD_DEPTH_MAX - 1; i++)
        record_draft_close(&d);
    (void)finished(&d);
    record_draft_begin(&d);

    record_draft_time(&d, INT64_MAX);
    refused(&d, "the time is not in the years 1 to 9999");

    record_draft_open(&d, SLICE_LITERAL("a"), RECORD_DRAFT_ARRAY);
    for (int i = 0; i < RECORD_VALUES_MAX; i++)
        record_draft_null(&d, SLICE_LITERAL(""));
    refused(&d, "values in a log: at most 1048568");

    record_draft_number(&d, SLICE_LITERAL("n"), SLICE_LITERAL("1e131072"));
    refused(&d, "digits of a number of attribute \"n\": at most 131072");

    memset(text, 'x', 63); /* what is told is whole characters */
    memcpy(text + 63, "\xc3\xa4", 2);
    record_draft_number(&d, slice_of(text, 65), SLICE_LITERAL("1e131072"));
    char want[128];
    (void)snprintf(want, sizeof(want), "digits of a number of attribute \"%.63s\": at most 131072",
                   text);
    refused(&d, want);
    record_draft_release(&d);
}

static void what_is_past_help_may_be_asked_for_names_of_ours(void **state)
{
    struct record_draft d;
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    (void)state;
    record_draft_init(&d);
    for (int i = 0; i < RECORD_DEPTH_MAX; i++)
        record_draft_open(&d, SLICE_LITERAL("deep"), RECORD_DRAFT_OBJECT);
    record_draft_text(&d,
                      record_draft_own_name(&d, SLICE_LITERAL("ours"), SLICE_LITERAL("other.ours")),
                      SLICE_LITERAL("x"));
    record_draft_below_us(&d, 1);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_EINVAL);
    record_draft_release(&d);
}

static void a_log_that_is_too_large_is_told_apart(void **state)
{
    struct record_draft d;
    struct record r;
    char *text = test_malloc(RECORD_BYTES_MAX);

    (void)state;
    memset(text, 'x', RECORD_BYTES_MAX);
    record_draft_init(&d);
    record_draft_message(&d, slice_of(text, RECORD_BYTES_MAX));
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, NULL), LM_EDATA);
    record_draft_begin(&d);
    record_draft_text(&d, SLICE_LITERAL("a"), slice_of(text, RECORD_BYTES_MAX));
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, NULL), LM_EDATA);
    record_draft_begin(&d);
    (void)finished(&d);
    record_draft_release(&d);
    test_free(text);
}

static void what_found_no_memory_is_no_log(void **state)
{
    struct record_draft d;
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    (void)state;
    record_draft_init(&d);
    record_draft_fail(&d, 0);
    (void)finished(&d);
    record_draft_begin(&d);
    record_draft_fail(&d, LM_ENOMEM);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_ENOMEM);
    record_draft_begin(&d);
    record_draft_fail(&d, LM_ETOOBIG);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_EDATA);
    record_draft_begin(&d);
    (void)finished(&d);
    record_draft_release(&d);
}

#ifdef LOGMILL_FAULTS

/* Where there is no memory for the first byte of a log, nothing of the one before is left in it. */
static void a_log_without_memory_is_none_and_not_the_last_one(void **state)
{
    static const struct fault_plan none = {.first = 0};
    static const struct fault_plan first = {FAULT_INPUT, 1, false, FAULT_EIO};
    struct record_draft d;
    struct record r;
    struct errbuf why = ERRBUF_INIT;

    (void)state;
    fault_plan(&first);
    record_draft_init(&d);
    fault_plan(&none);
    record_draft_check(&d);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_ENOMEM);

    record_draft_begin(&d);
    record_draft_time(&d, 1000001);
    record_draft_message(&d, SLICE_LITERAL("before"));
    record_draft_open(&d, SLICE_LITERAL("open"), RECORD_DRAFT_OBJECT);
    record_draft_open(&d, SLICE_LITERAL("too"), RECORD_DRAFT_OBJECT);
    record_draft_integer(&d, SLICE_LITERAL("n"), 1);
    buffer_release(&d.attributes);
    fault_plan(&first);
    record_draft_begin(&d);
    fault_plan(&none);
    record_draft_check(&d);
    assert_int_equal(d.depth, 1);
    assert_int_equal(d.members_len, 0);
    assert_int_equal(d.values, 0);
    assert_false(d.has_time);
    record_draft_integer(&d, SLICE_LITERAL("n"), 1);
    assert_int_equal(record_draft_finish(&d, ARRIVAL_US, &r, &why), LM_ENOMEM);

    record_draft_begin(&d);
    record_draft_integer(&d, SLICE_LITERAL("n"), 2);
    assert_attributes(&d, "{\"n\":2}");
    record_draft_release(&d);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attribute_of_ours_gives_way),
        cmocka_unit_test(a_log_is_put_together_value_by_value),
        cmocka_unit_test(what_is_not_given_is_made_up),
        cmocka_unit_test(doubles_have_the_shortest_digits),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(of_members_of_one_name_the_last_counts),
        cmocka_unit_test(common_attributes_are_written_once),
        cmocka_unit_test(a_seed_gives_the_same_id_again),
        cmocka_unit_test(a_log_past_a_limit_is_refused_and_the_next_is_not),
        cmocka_unit_test(what_is_past_help_may_be_asked_for_names_of_ours),
        cmocka_unit_test(a_log_that_is_too_large_is_told_apart),
        cmocka_unit_test(what_found_no_memory_is_no_log),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test(a_log_without_memory_is_none_and_not_the_last_one),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
