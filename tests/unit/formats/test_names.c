/* What programs call levels and times (formats/names.h). */
#include "formats/names.h"

#include "../cmocka_all.h"
#include "base/timestamp.h"

static void assert_level(struct slice level, const char *want)
{
    assert_int_equal(level.len, strlen(want));
    assert_memory_equal(level.data, want, level.len);
}

static void levels_of_numbers(void **state)
{
    (void)state;
    assert_level(level_of_syslog(0), "emergency");
    assert_level(level_of_syslog(7), "debug");
    assert_level(level_of_syslog(8), "info");
    assert_level(level_of_syslog(-1), "info");
    assert_int_equal(level_of_otlp(0).len, 0);
    assert_level(level_of_otlp(1), "trace");
    assert_level(level_of_otlp(9), "info");
    assert_level(level_of_otlp(16), "warning");
    assert_level(level_of_otlp(24), "critical");
    assert_int_equal(level_of_otlp(25).len, 0);
    assert_level(level_of_number(3), "error");
    assert_level(level_of_number(10), "trace");
    assert_level(level_of_number(35), "info");
    assert_level(level_of_number(50), "error");
    assert_level(level_of_number(INT64_MAX), "critical");
}

struct time_case {
    const char *text;
    int64_t us; /* or NONE */
    unsigned below_us;
};

#define NONE INT64_MIN

static void assert_times(const struct time_case *cases, size_t n,
                         int read(struct slice, int64_t *, unsigned *))
{
    for (size_t i = 0; i < n; i++) {
        int64_t us = 0;
        unsigned below_us = 0;
        int error = read(slice_of_string(cases[i].text), &us, &below_us);

        assert_int_equal(error, cases[i].us == NONE ? LM_EINVAL : 0);
        if (!error) {
            assert_int_equal(us, cases[i].us);
            assert_int_equal(below_us, cases[i].below_us);
        }
    }
}

static void a_number_is_of_the_unit_that_its_size_tells(void **state)
{
    static const struct time_case cases[] = {
        {"1732800000", INT64_C(1732800000000000), 0},
        {"1732800000.123456789", INT64_C(1732800000123456), 789},
        {"1732800000.5", INT64_C(1732800000500000), 0},
        {"1732800000123", INT64_C(1732800000123000), 0},
        {"1732800000123.25", INT64_C(1732800000123250), 0},
        {"1732800000123456", INT64_C(1732800000123456), 0},
        {"1732800000123456789", INT64_C(1732800000123456), 789},
        {"1.7328e9", INT64_C(1732800000000000), 0},
        {"0", 0, 0},
        {"-1", -1000000, 0},
        {"-1.5", -1500000, 0},
        {"-0.0000001", -1, 900},
        {"99999999999999999999", NONE, 0},
        {"9223372036854775807", INT64_C(9223372036854775), 807},
        {"", NONE, 0},
        {"-", NONE, 0},
        {"1 ", NONE, 0},
        {"0x10", NONE, 0},
        {"1e400", NONE, 0},
        {"nan", NONE, 0},
        {"99999999999", INT64_C(99999999999000000), 0},
    };

    (void)state;
    assert_times(cases, sizeof(cases) / sizeof(cases[0]), time_of_number);
}

static void a_text_is_a_time_or_a_number(void **state)
{
    static const struct time_case cases[] = {
        {"1970-01-01T00:00:01Z", 1000000, 0},
        {"1970-01-01T00:00:01.000002345Z", 1000002, 345},
        {"1970-01-01 01:00:01,5+0100", 1500000, 0},
        {"1970-01-01T00:00:01.00000201-00:00", 1000002, 10},
        {"1700000000", INT64_C(1700000000000000), 0},
        {"yesterday", NONE, 0},
        {"1970-13-01T00:00:01Z", NONE, 0},
    };

    (void)state;
    assert_times(cases, sizeof(cases) / sizeof(cases[0]), time_of_text);
}

static void nanoseconds_are_rounded_down(void **state)
{
    unsigned below_us;

    (void)state;
    assert_int_equal(time_of_ns(1999, &below_us), 1);
    assert_int_equal(below_us, 999);
    assert_int_equal(time_of_ns(-1, &below_us), -1);
    assert_int_equal(below_us, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_of_numbers),
        cmocka_unit_test(a_number_is_of_the_unit_that_its_size_tells),
        cmocka_unit_test(a_text_is_a_time_or_a_number),
        cmocka_unit_test(nanoseconds_are_rounded_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
