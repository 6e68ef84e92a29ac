#include "ingest/hold.h"

#include "../cmocka_all.h"
#include "base/clock.h"

static uv_loop_t loop;
static struct hold h;

static int set_up(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    return uv_loop_init(&loop) || hold_init(&h, &loop, &err);
}

static void on_closed(struct hold *closed)
{
    assert_ptr_equal(closed, &h);
}

static int tear_down(void **state)
{
    hold_close(&h, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void a_lone_request_is_never_held(void **state)
{
    assert_false(hold_applies(&h, 1));
    hold_answered(&h, 1, 0);
    assert_false(hold_applies(&h, 1));
}

static void what_waits_is_held_until_those_answered_are_back(void **state)
{
    hold_answered(&h, 3, 2);
    assert_true(hold_applies(&h, 2));
    assert_true(hold_applies(&h, 4));
    assert_false(hold_applies(&h, 5));
    assert_false(hold_applies(&h, 1)); /* and what comes after is not */
}

static void time_ends_the_holding(void **state)
{
    hold_answered(&h, 3, 2);
    assert_true(hold_applies(&h, 2));
    uv_run(&loop, UV_RUN_ONCE); /* would not return without the timer */
    assert_false(hold_applies(&h, 2));
}

/* How many of `sends` sends would be held while nobody ever comes back. */
static int count_held(int sends)
{
    int held = 0;

    for (int i = 0; i < sends; i++) {
        hold_answered(&h, 2, 1);
        if (!hold_applies(&h, 1))
            continue;
        held++;
        uv_run(&loop, UV_RUN_ONCE);
    }
    return held;
}

static void fewer_and_fewer_are_held_when_nobody_comes_back(void **state)
{
    assert_in_range(count_held(1000), 5, 15); /* 1, 2, 4 … 256 are skipped between */
}

static void clients_that_come_back_are_trusted_again(void **state)
{
    count_held(100);
    while (!hold_applies(&h, 1)) /* the skips run out */
        hold_answered(&h, 2, 1);
    assert_false(hold_applies(&h, 3));
    assert_in_range(count_held(10), 3, 4); /* 1, 2, 4 are skipped between */
}

/* Several ask for it, and none of them is to be woken too late. */
static void the_loop_is_woken_at_the_soonest_moment_asked_for(void **state)
{
    static const uint64_t never_us = 3600000000;
    uint64_t now_us = clock_monotonic_us();

    assert_true(hold_wake(&h, now_us + never_us, now_us));
    assert_true(hold_wake(&h, now_us + 1000, now_us));
    assert_true(hold_wake(&h, now_us + never_us, now_us));
    uv_run(&loop, UV_RUN_ONCE); /* would not return before an hour is over */
    assert_true(hold_wake(&h, now_us + never_us, now_us));
    assert_true(hold_wake(&h, now_us, now_us)); /* a moment that is over */
    uv_run(&loop, UV_RUN_ONCE);
    assert_true(clock_monotonic_us() < now_us + never_us);
}

static void holding_keeps_its_own_time(void **state)
{
    uint64_t now_us = clock_monotonic_us();

    hold_answered(&h, 3, 2);
    assert_true(hold_wake(&h, now_us + 3600000000, now_us));
    uv_run(&loop, UV_RUN_ONCE);
    assert_false(hold_applies(&h, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lone_request_is_never_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_held_until_those_answered_are_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(time_ends_the_holding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_is_woken_at_the_soonest_moment_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(holding_keeps_its_own_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fewer_and_fewer_are_held_when_nobody_comes_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(clients_that_come_back_are_trusted_again, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
