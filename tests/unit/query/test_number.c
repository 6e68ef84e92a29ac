#include "query/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"

static struct number number_of(const char *text)
{
    struct number n;

    assert_true(number_parse(slice_of_string(text), &n));
    return n;
}

static int sign_of(int order)
{
    return (order > 0) - (order < 0);
}

static void assert_order(const char *a, const char *b, int order)
{
    struct number x = number_of(a);
    struct number y = number_of(b);

    if (sign_of(number_compare(&x, &y)) != order || sign_of(number_compare(&y, &x)) != -order)
        fail_msg("%s and %s compare as %d, not %d", a, b, number_compare(&x, &y), order);
}

static void all_json_numbers_are_numbers(void **state)
{
    static const char *const numbers[] = {"0",      "-0",    "1",     "-17",
                                          "10.50",  "0.001", "1e5",   "1E+5",
                                          "2.5e-3", "0e99",  "1e005", "0e9999999999999999999"};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        (void)number_of(numbers[i]);
}

static void what_is_no_json_number_is_none(void **state)
{
    static const char *const texts[] = {"",    "-",     "+1",  "01",  "-01",   ".5",      "5.",
                                        "1e",  "1e+",   "1 ",  " 1",  "1x",    "1.e5",    "0x10",
                                        "NaN", "1_000", "1,5", "--1", "1.2.3", "Infinity"};
    struct number n;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (number_parse(slice_of_string(texts[i]), &n))
            fail_msg("'%s' is taken for a number", texts[i]);
    assert_false(number_parse(slice_of(NULL, 0), &n));
    assert_false(number_parse(SLICE_LITERAL("1e1000000000000000000"), &n));
}

static void a_string_is_a_number_within_limits(void **state)
{
    char digits[NUMBER_STRING_MAX + 2];
    struct number n;

    memset(digits, '1', sizeof(digits));
    assert_true(number_parse_string(slice_of(digits, NUMBER_STRING_MAX), &n));
    assert_false(number_parse_string(slice_of(digits, NUMBER_STRING_MAX + 1), &n));
    assert_true(number_parse_string(SLICE_LITERAL("1e400"), &n));
    assert_true(number_parse_string(SLICE_LITERAL("1e-400"), &n));
    assert_false(number_parse_string(SLICE_LITERAL("1e401"), &n));
    assert_false(number_parse_string(SLICE_LITERAL("1e-401"), &n));
    assert_false(number_parse_string(SLICE_LITERAL("0e401"), &n));
    assert_false(number_parse_string(SLICE_LITERAL("0e9999999999999999999"), &n));
    assert_false(number_parse_string(SLICE_LITERAL("500 "), &n));
}

static void numbers_are_equal_by_value_however_they_are_written(void **state)
{
    static const char *const same[][2] = {
        {"1", "1.0"},    {"1", "1e0"},       {"1", "10e-1"},       {"100", "1e2"},
        {"0", "-0"},     {"0", "0.000"},     {"0", "0e17"},        {"0.001", "1e-3"},
        {"-5", "-5.00"}, {"1200", "1.2E+3"}, {"0.0120", "120e-4"}, {"1000000.5", "10000005e-1"},
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
        assert_order(same[i][0], same[i][1], 0);
}

static void numbers_are_ordered_by_value(void **state)
{
    static const char *const ascending[] = {
        "-1e400", "-10",    "-9.99",  "-9",  "-1",   "-0.1", "-0.09", "-1e-400",
        "0",      "1e-400", "0.0999", "0.1", "0.11", "1",    "1.01",  "1.1",
        "9",      "10",     "99.5",   "100", "1e3",  "1001", "1e400"};
    enum { LEN = sizeof(ascending) / sizeof(*ascending) };

    for (size_t i = 0; i < LEN; i++)
        for (size_t k = i; k < LEN; k++)
            assert_order(ascending[i], ascending[k], i == k ? 0 : -1);
}

static void what_doubles_cannot_tell_apart_differs(void **state)
{
    assert_order("9007199254740992", "9007199254740993", -1);
    assert_order("0.1", "0.1000000000000000055511151231257827", -1);
    assert_order("123456789012345678901234567890.1", "123456789012345678901234567890.2", -1);
}

/* What printf writes of a double is read as that double, from all sides of a point. */
static void a_number_becomes_the_nearest_double(void **state)
{
    unsigned short seed[3] = {1, 2, 3};

    for (int i = 0; i < 2000; i++) {
        uint64_t bits =
            (uint64_t)nrand48(seed) << 33 ^ (uint64_t)nrand48(seed) << 11 ^ (uint64_t)nrand48(seed);
        double d;
        char text[1200];

        memcpy(&d, &bits, sizeof(d));
        if (!isfinite(d))
            continue;
        snprintf(text, sizeof(text), i % 2 ? "%.17g" : "%.1074f", d);
        struct number n = number_of(text);
        assert_true(number_double(&n) == d);
    }
}

static void doubles_at_the_edges(void **state)
{
    char beyond[1000];
    struct number n = number_of("9007199254740993"); /* halfway between two: to the even one */

    assert_true(number_double(&n) == 9007199254740992.0);
    /* … but for a digit very far behind. */
    snprintf(beyond, sizeof(beyond), "9007199254740993.%0900d1", 0);
    n = number_of(beyond);
    assert_true(number_double(&n) == 9007199254740994.0);

    n = number_of("1e99999999");
    assert_true(number_double(&n) == HUGE_VAL);
    n = number_of("-1e99999999");
    assert_true(number_double(&n) == -HUGE_VAL);
    n = number_of("1e-99999999");
    assert_true(number_double(&n) == 0);
    n = number_of("0");
    assert_true(number_double(&n) == 0);
    n = number_of("-12.5");
    assert_true(number_double(&n) == -12.5);
}

/* One text for one value, whatever it was written as. */
static void a_value_has_one_text(void **state)
{
    static const char *const cases[][2] = {
        {"1", "1"},
        {"1.0", "1"},
        {"1e0", "1"},
        {"-0.0", "0"},
        {"1.50", "1.5"},
        {"15e-1", "1.5"},
        {"-12.340", "-12.34"},
        {"1e3", "1000"},
        {"0.001", "0.001"},
        {"0.0000001", "1e-7"},
        {"1.25e-9", "1.25e-9"},
        {"1e21", "1e21"},
        {"123456789012345678901", "123456789012345678901"},
        {"1234567890123456789012", "1.234567890123456789012e21"},
        {"10.05e1", "100.5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct number n;
        struct buffer b;

        buffer_init(&b, 1000);
        assert_true(number_parse(slice_of_string(cases[i][0]), &n));
        number_append(&b, &n);
        buffer_append(&b, "", 1);
        assert_string_equal(b.data, cases[i][1]);
        buffer_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_json_numbers_are_numbers),
        cmocka_unit_test(what_is_no_json_number_is_none),
        cmocka_unit_test(a_string_is_a_number_within_limits),
        cmocka_unit_test(numbers_are_equal_by_value_however_they_are_written),
        cmocka_unit_test(numbers_are_ordered_by_value),
        cmocka_unit_test(what_doubles_cannot_tell_apart_differs),
        cmocka_unit_test(a_number_becomes_the_nearest_double),
        cmocka_unit_test(doubles_at_the_edges),
        cmocka_unit_test(a_value_has_one_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
