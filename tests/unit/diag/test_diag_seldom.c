/* Lines that clients can cause. */
#include "../cmocka_all.h"
#include "diag/diag.h"

static void lines_of_a_kind_are_few_and_none_is_forgotten(void **state)
{
    struct diag_seldom s = {.said = 0};
    uint64_t now_us = 1;
    int64_t unsaid;

    for (int i = 0; i < DIAG_SELDOM_MAX; i++) {
        assert_true(diag_may_say(&s, now_us, &unsaid));
        assert_int_equal(unsaid, 0);
    }
    for (int i = 0; i < 5; i++)
        assert_false(diag_may_say(&s, now_us + DIAG_SELDOM_US - 1, &unsaid));
    assert_true(diag_may_say(&s, now_us + DIAG_SELDOM_US, &unsaid));
    assert_int_equal(unsaid, 5);
    assert_true(diag_may_say(&s, now_us + DIAG_SELDOM_US, &unsaid));
    assert_int_equal(unsaid, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_kind_are_few_and_none_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
