#include "access/places.h"

#include <pthread.h>

#include "../cmocka_all.h"

static void as_many_are_taken_as_there_are(void **state)
{
    struct places p = {0};

    assert_true(places_take(&p, 2));
    assert_true(places_take(&p, 2));
    assert_false(places_take(&p, 2));
    places_give(&p);
    assert_true(places_take(&p, 2));
    assert_false(places_take(&p, 2));
    p.max = 3; /* its own goes before */
    assert_int_equal(places_max(&p, 2), 3);
    assert_true(places_take(&p, 2));
    assert_false(places_take(&p, 2));
    p.max = 1; /* fewer than are taken */
    places_give(&p);
    places_give(&p);
    assert_false(places_take(&p, 2));
    places_give(&p);
    assert_true(places_take(&p, 2));
}

enum { THREADS = 4, ROUNDS = 20000, PLACES = 3 };

static struct places shared = {.max = PLACES};
static atomic_uint inside;
static atomic_bool too_many;

static void *come_and_go(void *ctx)
{
    for (int i = 0; i < ROUNDS; i++)
        if (places_take(&shared, 1)) {
            if (atomic_fetch_add(&inside, 1) >= PLACES)
                atomic_store(&too_many, true);
            atomic_fetch_sub(&inside, 1);
            places_give(&shared);
        }
    return ctx;
}

static void threads_that_come_at_once_have_no_more(void **state)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&too_many));
    assert_int_equal(atomic_load(&shared.taken), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_are_taken_as_there_are),
        cmocka_unit_test(threads_that_come_at_once_have_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
