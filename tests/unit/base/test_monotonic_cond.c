#include "base/monotonic_cond.h"

#include "../cmocka_all.h"
#include "base/clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;

static void a_wait_ends_when_its_time_is_over_and_not_before(void **state)
{
    uint64_t until_us = clock_monotonic_us() + 20000;

    pthread_mutex_lock(&lock);
    while (monotonic_cond_wait(&cond, &lock, until_us))
        continue; /* woken for nothing */
    pthread_mutex_unlock(&lock);
    assert_true(clock_monotonic_us() >= until_us);
}

static void a_time_that_has_passed_is_not_waited_for(void **state)
{
    pthread_mutex_lock(&lock);
    assert_false(monotonic_cond_wait(&cond, &lock, 0));
    assert_false(monotonic_cond_wait(&cond, &lock, clock_monotonic_us()));
    pthread_mutex_unlock(&lock);
}

static void *wake(void *arg)
{
    bool *woken = arg;

    pthread_mutex_lock(&lock);
    *woken = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void a_signal_ends_a_wait_before_its_time(void **state)
{
    uint64_t until_us = clock_monotonic_us() + UINT64_C(3600) * 1000000;
    bool woken = false;
    bool in_time = true;
    pthread_t thread;

    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&thread, NULL, wake, &woken), 0);
    while (!woken && in_time)
        in_time = monotonic_cond_wait(&cond, &lock, until_us);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    assert_true(in_time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_ends_when_its_time_is_over_and_not_before),
        cmocka_unit_test(a_time_that_has_passed_is_not_waited_for),
        cmocka_unit_test(a_signal_ends_a_wait_before_its_time),
    };

    monotonic_cond_init(&cond);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
