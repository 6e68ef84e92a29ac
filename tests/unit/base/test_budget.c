#include "base/budget.h"

#include <pthread.h>
#include <stdint.h>

#include "../cmocka_all.h"

static void the_limit_is_never_passed(void **state)
{
    struct budget b;

    budget_init(&b, 100);
    assert_true(budget_take(&b, 60));
    assert_false(budget_take(&b, 41));
    assert_true(budget_take(&b, 40));
    assert_false(budget_take(&b, 1));
    assert_int_equal(budget_used(&b), 100);
    budget_give(&b, 60);
    assert_true(budget_take(&b, 60));
    budget_give(&b, 100);
    assert_int_equal(budget_used(&b), 0);
    assert_false(budget_take(&b, 101));
    assert_false(budget_take(&b, SIZE_MAX));
}

static void *take_and_give(void *arg)
{
    struct budget *b = arg;

    for (int i = 0; i < 100000; i++)
        if (budget_take(b, 3))
            budget_give(b, 3);
    return NULL;
}

static void threads_leave_nothing_behind(void **state)
{
    pthread_t threads[4];
    struct budget b;

    budget_init(&b, 7);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &b), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(budget_used(&b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_is_never_passed),
        cmocka_unit_test(threads_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
