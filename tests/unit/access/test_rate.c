#include "access/rate.h"

#include <pthread.h>

#include "../cmocka_all.h"

static const int64_t S = 1000000000;

static void one_second_may_come_at_once_and_then_as_much_a_second(void **state)
{
    struct allowance a = {.logs = {.per_s = 10}};
    int64_t now = 1000 * S;
    uint64_t wait;

    assert_int_equal(allowance_take(&a, 10, 999, now, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_take(&a, 1, 0, now, &wait), ALLOWANCE_LOGS);
    assert_int_equal(wait, 1);
    assert_int_equal(allowance_take(&a, 1, 0, now + S / 10, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_take(&a, 1, 0, now + S / 10, &wait), ALLOWANCE_LOGS);
    /* Who has waited for long may still send no more than one second's worth. */
    assert_int_equal(allowance_take(&a, 10, 0, now + 100 * S, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_take(&a, 1, 0, now + 100 * S, &wait), ALLOWANCE_LOGS);
}

static void a_request_of_more_than_a_second_is_taken_once_and_paid_off(void **state)
{
    struct allowance a = {.logs = {.per_s = 10}};
    int64_t now = 1000 * S;
    uint64_t wait;

    assert_int_equal(allowance_take(&a, 1, 0, now, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_take(&a, 50, 0, now, &wait), ALLOWANCE_LOGS);
    assert_int_equal(wait, 1); /* when it is full */
    now += S;
    assert_int_equal(allowance_take(&a, 50, 0, now, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_look(&a, 1, 0, now, &wait), ALLOWANCE_LOGS);
    assert_int_equal(wait, 5); /* 4.1 */
    assert_int_equal(allowance_look(&a, 1, 0, now + 4 * S, &wait), ALLOWANCE_LOGS);
    assert_int_equal(allowance_look(&a, 1, 0, now + 4 * S + S / 10, &wait), ALLOWANCE_ENOUGH);
}

static void what_is_refused_for_one_takes_nothing_of_the_other(void **state)
{
    struct allowance a = {.logs = {.per_s = 10}, .bytes = {.per_s = 100}};
    int64_t now = 1000 * S;
    uint64_t wait;

    assert_int_equal(allowance_take(&a, 1, 100, now, &wait), ALLOWANCE_ENOUGH);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(allowance_take(&a, 1, 50, now, &wait), ALLOWANCE_BYTES);
        assert_int_equal(wait, 1);
    }
    assert_int_equal(allowance_take(&a, 9, 0, now, &wait), ALLOWANCE_ENOUGH);
    for (int i = 0; i < 20; i++)
        assert_int_equal(allowance_take(&a, 1, 50, now + S / 20, &wait), ALLOWANCE_BYTES);
    assert_int_equal(allowance_take(&a, 1, 50, now + S / 2, &wait), ALLOWANCE_ENOUGH);
}

static void what_is_charged_makes_a_debt_that_has_an_end(void **state)
{
    struct allowance a = {.bytes = {.per_s = 1}};
    int64_t now = 1000 * S;
    uint64_t wait;

    allowance_charge(&a, 0, UINT64_MAX, now);
    allowance_charge(&a, 0, UINT64_MAX, now);
    assert_int_equal(allowance_look(&a, 1, 1, now, &wait), ALLOWANCE_BYTES);
    assert_int_equal(wait, RATE_DEBT_MAX_S);
    assert_int_equal(allowance_look(&a, 1, 1, now + RATE_DEBT_MAX_S * S, &wait), ALLOWANCE_ENOUGH);
}

static void without_a_rate_any_number_may_come(void **state)
{
    struct allowance a = {0};
    struct allowance most = {.logs = {.per_s = RATE_MAX}, .bytes = {.per_s = RATE_MAX}};
    uint64_t wait;

    for (int i = 0; i < 10; i++)
        assert_int_equal(allowance_take(&a, UINT64_MAX, UINT64_MAX, S, &wait), ALLOWANCE_ENOUGH);
    assert_int_equal(allowance_take(&most, UINT64_MAX, UINT64_MAX, S, &wait), ALLOWANCE_ENOUGH);
}

/* ---- Threads ---- */

static struct allowance shared = {.logs = {.per_s = 1000}, .bytes = {.per_s = 1000000}};
static atomic_uint taken;

static void *take_all(void *ctx)
{
    uint64_t wait;

    for (int i = 0; i < 2000; i++)
        if (allowance_take(&shared, 1, 1, 1000 * S, &wait) == ALLOWANCE_ENOUGH)
            atomic_fetch_add(&taken, 1);
    return ctx;
}

static void threads_together_take_no_more_than_there_is(void **state)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(taken, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_second_may_come_at_once_and_then_as_much_a_second),
        cmocka_unit_test(a_request_of_more_than_a_second_is_taken_once_and_paid_off),
        cmocka_unit_test(what_is_refused_for_one_takes_nothing_of_the_other),
        cmocka_unit_test(what_is_charged_makes_a_debt_that_has_an_end),
        cmocka_unit_test(without_a_rate_any_number_may_come),
        cmocka_unit_test(threads_together_take_no_more_than_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
