/* Helpers with parts that wait at a gate: who works at them when, and that nobody has two. */
#include "store/helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../cmocka_all.h"

enum { PARTS = 6 };

static struct store_reader *fake_reader_new(struct store *s, struct errbuf *err)
{
    struct store_reader *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->ops = s->ops;
    return r;
}

static struct store_reader *no_reader(struct store *s, struct errbuf *err)
{
    return NULL;
}

static void fake_reader_free(struct store_reader *r)
{
    free(r);
}

static const struct store_ops fake_ops = {.reader_new = fake_reader_new,
                                          .reader_free = fake_reader_free};
static const struct store_ops poor_ops = {.reader_new = no_reader};
static struct store fake_store = {&fake_ops};
static struct store poor_store = {&poor_ops};

static struct store_helpers *helpers;
static struct store_part parts[PARTS];
static int done[PARTS]; /* how often */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_is_open;
static int in_gate;

static void work(struct store_part *part, struct store_reader *reader)
{
    assert_non_null(reader);
    done[part - parts]++;
    pthread_mutex_lock(&lock);
    in_gate++;
    pthread_cond_broadcast(&changed);
    while (!gate_is_open)
        pthread_cond_wait(&changed, &lock);
    in_gate--;
    pthread_mutex_unlock(&lock);
}

static void await_in_gate(int n)
{
    pthread_mutex_lock(&lock);
    while (in_gate < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    gate_is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void start(struct store *s, unsigned n)
{
    gate_is_open = false;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = (struct store_part){.work = work};
        done[i] = 0;
    }
    helpers = store_helpers_new(s, n);
}

static void each_part_is_done_once(void **state)
{
    start(&fake_store, 3);
    open_gate();
    for (int i = 0; i < PARTS; i++)
        store_part_offer(helpers, &parts[i]);
    for (int i = 0; i < PARTS; i++)
        if (store_part_take_back(helpers, &parts[i]))
            work(&parts[i], &(struct store_reader){NULL});
        else
            store_part_await(helpers, &parts[i]);
    assert_true(store_helpers_done(helpers) <= PARTS);
    store_helpers_free(helpers);
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(done[i], 1);
}

static void what_is_under_way_is_not_taken_back_and_the_rest_is(void **state)
{
    start(&fake_store, 2);
    for (int i = 0; i < PARTS; i++)
        store_part_offer(helpers, &parts[i]);
    await_in_gate(2);
    assert_false(store_part_take_back(helpers, &parts[0]));
    assert_false(store_part_take_back(helpers, &parts[1]));
    assert_false(store_part_is_done(helpers, &parts[0]));
    for (int i = PARTS; i-- > 2;) /* from the end, from the middle, and the first */
        assert_true(store_part_take_back(helpers, &parts[i]));
    store_part_offer(helpers, &parts[2]);
    open_gate();
    for (int i = 0; i < 3; i++) {
        store_part_await(helpers, &parts[i]);
        assert_true(store_part_is_done(helpers, &parts[i]));
        assert_int_equal(done[i], 1);
    }
    for (int i = 3; i < PARTS; i++)
        assert_int_equal(done[i], 0);
    store_helpers_free(helpers);
}

static void no_more_work_than_may(void **state)
{
    start(&fake_store, 3);
    assert_int_equal(store_helpers_allowed(helpers), 3);
    store_helpers_allow(helpers, 1);
    assert_int_equal(store_helpers_allowed(helpers), 1);
    for (int i = 0; i < PARTS; i++)
        store_part_offer(helpers, &parts[i]);
    await_in_gate(1);
    for (int i = PARTS; i-- > 3;) /* so the others had every chance to begin one */
        assert_true(store_part_take_back(helpers, &parts[i]));
    assert_true(store_part_take_back(helpers, &parts[1]));
    store_part_offer(helpers, &parts[1]);
    store_helpers_allow(helpers, 2); /* one more begins, though nothing is offered any more */
    await_in_gate(2);
    store_helpers_allow(helpers, 0);
    open_gate();
    store_part_await(helpers, &parts[0]);
    store_helpers_allow(helpers, 100);
    assert_int_equal(store_helpers_allowed(helpers), 3); /* there are no more */
    store_part_await(helpers, &parts[1]);
    store_part_await(helpers, &parts[2]);
    store_helpers_free(helpers);
}

static void nobody_may_means_that_the_caller_has_it_back(void **state)
{
    start(&fake_store, 3);
    store_helpers_allow(helpers, 0);
    for (int i = 0; i < PARTS; i++)
        store_part_offer(helpers, &parts[i]);
    for (int i = 0; i < PARTS; i++)
        assert_true(store_part_take_back(helpers, &parts[i]));
    store_helpers_free(helpers);
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(done[i], 0);
}

static void helpers_without_a_reader_leave_all_to_the_caller(void **state)
{
    start(&poor_store, 2);
    for (int i = 0; i < PARTS; i++)
        store_part_offer(helpers, &parts[i]);
    for (int i = 0; i < PARTS; i++)
        assert_true(store_part_take_back(helpers, &parts[i]));
    store_helpers_free(helpers);
}

static void nobody_is_no_helper(void **state)
{
    assert_int_equal(store_helpers_allowed(NULL), 0);
    store_helpers_free(NULL);
    store_helpers_free(store_helpers_new(&fake_store, 2)); /* who were never asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_done_once),
        cmocka_unit_test(what_is_under_way_is_not_taken_back_and_the_rest_is),
        cmocka_unit_test(no_more_work_than_may),
        cmocka_unit_test(nobody_may_means_that_the_caller_has_it_back),
        cmocka_unit_test(helpers_without_a_reader_leave_all_to_the_caller),
        cmocka_unit_test(nobody_is_no_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
