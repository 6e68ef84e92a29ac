/* No jump of a clock deletes anything before the clock has run a day. */
#include "worker/retention_clock.h"

#include "../cmocka_all.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)
#define T0 INT64_C(1767225600000000)

/* The clock shows `wall` after `passed` more of running. */
static enum retention_clock_news show(struct retention_clock *c, int64_t wall, int64_t passed)
{
    return retention_clock_advance(c, wall, c->advanced_us + (uint64_t)passed);
}

static struct retention_clock begun(void)
{
    struct retention_clock c = {0};

    assert_int_equal(retention_clock_advance(&c, T0, 1), RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(c.time_us, T0);
    return c;
}

static void a_clock_that_runs_is_followed(void **state)
{
    struct retention_clock c = begun();

    for (int i = 1; i <= 1000; i++)
        assert_int_equal(show(&c, T0 + i * HOUR, HOUR), RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(c.time_us, T0 + 1000 * HOUR);
    assert_int_equal(show(&c, T0 + 1000 * HOUR + DAY, 0), RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(c.time_us, T0 + 1000 * HOUR + DAY);
}

static void a_jump_ahead_is_believed_after_a_day_of_running(void **state)
{
    struct retention_clock c = begun();

    assert_int_equal(show(&c, T0 + YEAR, 10 * SECOND), RETENTION_CLOCK_DOUBTS);
    assert_int_equal(c.time_us, T0 + 10 * SECOND);
    for (int i = 1; i < 24; i++) {
        assert_int_equal(show(&c, T0 + YEAR + i * HOUR, HOUR), RETENTION_CLOCK_AS_BEFORE);
        assert_int_equal(c.time_us, T0 + 10 * SECOND + i * HOUR); /* time goes on */
    }
    assert_int_equal(show(&c, T0 + YEAR + DAY, HOUR), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(c.time_us, T0 + YEAR + DAY);
    assert_int_equal(show(&c, T0 + YEAR + DAY + HOUR, HOUR), RETENTION_CLOCK_AS_BEFORE);
}

static void a_clock_that_was_ahead_for_a_while_leaves_no_trace(void **state)
{
    struct retention_clock c = begun();

    show(&c, T0 + YEAR, 10 * SECOND);
    assert_int_equal(show(&c, T0 + 23 * HOUR, 23 * HOUR), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(c.time_us, T0 + 23 * HOUR);
    assert_int_equal(show(&c, T0 + YEAR, SECOND), RETENTION_CLOCK_DOUBTS);
    assert_int_equal(show(&c, T0 + YEAR, 23 * HOUR), RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(c.time_us, T0 + 46 * HOUR + SECOND);
}

static void what_is_doubted_goes_on_where_a_process_ended(void **state)
{
    struct retention_clock c = begun();

    show(&c, T0 + YEAR, 0);
    show(&c, T0 + YEAR, 20 * HOUR);
    c = (struct retention_clock){.kept = c.kept};
    assert_int_equal(retention_clock_advance(&c, T0 + YEAR + 20 * HOUR, 7),
                     RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(c.time_us, T0 + 20 * HOUR);
    assert_int_equal(show(&c, T0 + YEAR + DAY, 4 * HOUR), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(c.time_us, T0 + YEAR + DAY);
}

static void a_jump_while_nothing_ran_is_doubted(void **state)
{
    struct retention_clock c = {.kept = {.believed_us = T0}};

    assert_int_equal(retention_clock_advance(&c, T0 + YEAR, 1), RETENTION_CLOCK_DOUBTS);
    assert_int_equal(c.time_us, T0);
}

static void a_second_jump_is_not_believed_with_the_first(void **state)
{
    struct retention_clock c = begun();

    show(&c, T0 + 3 * DAY, 0);
    show(&c, T0 + 3 * DAY + 23 * HOUR, 23 * HOUR);
    assert_int_equal(show(&c, T0 + YEAR, SECOND), RETENTION_CLOCK_AS_BEFORE);
    assert_int_equal(show(&c, T0 + YEAR, HOUR), RETENTION_CLOCK_DOUBTS);
    assert_in_range(c.time_us - T0, 3 * DAY + DAY, 3 * DAY + DAY + HOUR);
    assert_int_equal(show(&c, T0 + YEAR, DAY), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(c.time_us, T0 + YEAR);
}

static void a_step_back_deletes_less_at_once_and_its_return_is_no_jump(void **state)
{
    struct retention_clock c = begun();

    assert_int_equal(show(&c, SECOND, SECOND), RETENTION_CLOCK_DOUBTS);
    assert_int_equal(c.time_us, SECOND);
    assert_int_equal(show(&c, T0 + HOUR, HOUR), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(c.time_us, T0 + HOUR);
    show(&c, SECOND, SECOND);
    assert_int_equal(show(&c, SECOND + DAY, DAY), RETENTION_CLOCK_BELIEVES);
    assert_int_equal(show(&c, T0 + 2 * DAY, SECOND), RETENTION_CLOCK_DOUBTS);
    assert_int_equal(c.time_us, 2 * SECOND + DAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_runs_is_followed),
        cmocka_unit_test(a_jump_ahead_is_believed_after_a_day_of_running),
        cmocka_unit_test(a_clock_that_was_ahead_for_a_while_leaves_no_trace),
        cmocka_unit_test(what_is_doubted_goes_on_where_a_process_ended),
        cmocka_unit_test(a_jump_while_nothing_ran_is_doubted),
        cmocka_unit_test(a_second_jump_is_not_believed_with_the_first),
        cmocka_unit_test(a_step_back_deletes_less_at_once_and_its_return_is_no_jump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
