#include "record/limits.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/buffer.h"

static enum record_number judge(const char *number)
{
    size_t huge_digits = 0;

    return record_number_judge(slice_of_string(number), &huge_digits);
}

/* What PostgreSQL 15 said of each: SELECT '…'::jsonb. */
static void a_number_fits_exactly_where_jsonb_takes_it(void **state)
{
    static const struct {
        const char *number;
        enum record_number verdict;
    } cases[] = {
        {"0", RECORD_NUMBER_FITS},
        {"-0.0", RECORD_NUMBER_FITS},
        {"12345678901234567890.123456789", RECORD_NUMBER_FITS},
        {"1.7976931348623157e308", RECORD_NUMBER_FITS},
        {"1e131071", RECORD_NUMBER_FITS},
        {"-1E+131071", RECORD_NUMBER_FITS},
        {"1e0000000000000000000000000131071", RECORD_NUMBER_FITS},
        {"1e131072", RECORD_NUMBER_WHOLE},
        {"1e200000", RECORD_NUMBER_WHOLE},
        {"1e99999999999999999999999", RECORD_NUMBER_WHOLE},
        {"12e131070", RECORD_NUMBER_FITS},
        {"12e131071", RECORD_NUMBER_WHOLE},
        {"1.5e131071", RECORD_NUMBER_FITS},
        {"0.1e131072", RECORD_NUMBER_FITS},
        {"0.01e131073", RECORD_NUMBER_FITS},
        {"0.001e131075", RECORD_NUMBER_WHOLE},
        {"0.00001e131076", RECORD_NUMBER_FITS},
        {"0.00001e131077", RECORD_NUMBER_WHOLE},
        {"1e-16383", RECORD_NUMBER_FITS},
        {"1e-16384", RECORD_NUMBER_FRACTION},
        {"1e-20000", RECORD_NUMBER_FRACTION},
        {"1e-99999999999999999999999", RECORD_NUMBER_FRACTION},
        {"1.5e-16382", RECORD_NUMBER_FITS},
        {"1.5e-16383", RECORD_NUMBER_FRACTION},
        {"0e200000", RECORD_NUMBER_FITS},
        {"0e999999999", RECORD_NUMBER_FITS},
        {"0e1000000000", RECORD_NUMBER_WHOLE}, /* jsonb: from half of 2^31 on */
        {"0e-16383", RECORD_NUMBER_FITS},
        {"0e-16384", RECORD_NUMBER_FRACTION},
        {"0.0e-16383", RECORD_NUMBER_FRACTION},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (judge(cases[i].number) != cases[i].verdict)
            fail_msg("%s: %d", cases[i].number, judge(cases[i].number));
}

/* `before`, `n` times `digit`, `after`. */
static enum record_number judge_long(const char *before, size_t n, char digit, const char *after)
{
    struct buffer b;
    size_t huge_digits = 0;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, before);
    for (size_t i = 0; i < n; i++)
        buffer_append_char(&b, digit);
    buffer_append_string(&b, after);

    enum record_number verdict = record_number_judge(buffer_slice(&b), &huge_digits);
    assert_true(record_number_is_odd(buffer_slice(&b)) || verdict == RECORD_NUMBER_FITS);
    buffer_release(&b);
    return verdict;
}

static void digits_that_are_written_out_count_alike(void **state)
{
    assert_int_equal(judge_long("-", 131072, '9', ""), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("-", 131073, '9', ""), RECORD_NUMBER_WHOLE);
    assert_int_equal(judge_long("-", 131073, '9', "e-1"), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("0.", 16383, '1', ""), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("0.", 16384, '1', ""), RECORD_NUMBER_FRACTION);
    assert_int_equal(judge_long("0.", 16384, '1', "e1"), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("1.", 20000, '0', ""), RECORD_NUMBER_FRACTION);
    assert_int_equal(judge_long("1.", 20000, '0', "e4000"), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("1", 20000, '0', "e-16383"), RECORD_NUMBER_FITS);
    assert_int_equal(judge_long("1", 20000, '0', "e-16384"), RECORD_NUMBER_FRACTION);
    assert_int_equal(judge_long("1.", 16382, '1', "e-2"), RECORD_NUMBER_FRACTION);
}

static void numbers_past_a_double_share_the_digits_of_a_log(void **state)
{
    size_t huge_digits = 0;

    for (int i = 0; i < 2; i++)
        assert_int_equal(record_number_judge(SLICE_LITERAL("1e131071"), &huge_digits),
                         RECORD_NUMBER_FITS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(record_number_judge(SLICE_LITERAL("1e308"), &huge_digits),
                         RECORD_NUMBER_FITS);
    assert_int_equal(record_number_judge(SLICE_LITERAL("1e309"), &huge_digits), RECORD_NUMBER_HUGE);
}

static void a_number_that_is_not_odd_fits(void **state)
{
    static const char *const usual[] = {"0",     "-1",     "12345678901234567890",  "1.5e10",
                                        "1e-99", "-1E+99", "123456789.123456789e12"};
    static const char *const odd[] = {"1e100", "1E+100", "1.25e-3000", "12345678e999"};

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        assert_false(record_number_is_odd(slice_of_string(usual[i])));
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        assert_true(record_number_is_odd(slice_of_string(odd[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_fits_exactly_where_jsonb_takes_it),
        cmocka_unit_test(digits_that_are_written_out_count_alike),
        cmocka_unit_test(numbers_past_a_double_share_the_digits_of_a_log),
        cmocka_unit_test(a_number_that_is_not_odd_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
