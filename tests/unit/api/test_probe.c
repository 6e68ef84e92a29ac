#include "api/probe.h"

#include <stdatomic.h>
#include <unistd.h>

#include "../cmocka_all.h"

static uv_loop_t loop;
static struct mailbox box;
static struct probe *probe;

/* The question: its number is its answer, and it lasts until the door is open or it is given up. */
static atomic_int asked;
static atomic_bool door_is_open;
static atomic_int given_up;

static void ask(void *ctx, struct probe_answer *answer)
{
    int number = atomic_fetch_add(&asked, 1) + 1;

    while (!atomic_load(&door_is_open) && atomic_load(&given_up) < number)
        usleep(500);
    answer->stats.depth = (uint64_t)number;
}

static void give_up(void *ctx)
{
    atomic_store(&given_up, atomic_load(&asked));
}

struct waiter {
    struct probe_wait wait;
    bool answered;
};

static void on_answer(struct probe_wait *wait)
{
    ((struct waiter *)wait)->answered = true;
}

static void begin(struct waiter *w)
{
    *w = (struct waiter){.wait = {.answered = on_answer, .box = &box}};
    probe_ask(probe, &w->wait);
}

static void await(const struct waiter *w)
{
    while (!w->answered)
        uv_run(&loop, UV_RUN_ONCE);
}

static void await_question(int number)
{
    while (atomic_load(&asked) < number)
        usleep(500);
}

static int set_up(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    atomic_store(&asked, 0);
    atomic_store(&given_up, 0);
    atomic_store(&door_is_open, false);
    if (uv_loop_init(&loop) || mailbox_init(&box, &loop, &err))
        return -1;
    probe = probe_new(&(struct probe_options){.ask = ask, .give_up = give_up}, &err);
    return probe ? 0 : -1;
}

static void on_closed(struct mailbox *b)
{
}

static int tear_down(void **state)
{
    probe_free(probe);
    mailbox_close(&box, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void who_asks_gets_an_answer(void **state)
{
    struct waiter w;

    atomic_store(&door_is_open, true);
    begin(&w);
    await(&w);
    assert_int_equal(w.wait.answer.error, 0);
    assert_int_equal(w.wait.answer.stats.depth, 1);
}

static void an_answer_is_looked_for_after_it_was_asked_for(void **state)
{
    struct waiter first, second, third;

    begin(&first);
    await_question(1);
    begin(&second);
    begin(&third);
    atomic_store(&door_is_open, true);
    await(&second);
    await(&third);
    assert_true(first.answered);
    assert_int_equal(first.wait.answer.stats.depth, 1);
    assert_int_equal(second.wait.answer.stats.depth, 2);
    assert_int_equal(third.wait.answer.stats.depth, 2); /* they share the question */
}

static void who_stops_waiting_is_not_answered(void **state)
{
    struct waiter first, second;

    begin(&first);
    await_question(1);
    begin(&second);
    assert_true(probe_withdraw(probe, &second.wait));
    assert_int_equal(atomic_load(&given_up), 0); /* somebody still waits for the one under way */
    atomic_store(&door_is_open, true);
    await(&first);
    assert_false(second.answered);
    assert_int_equal(atomic_load(&asked), 1);
    assert_false(probe_withdraw(probe, &first.wait));
}

static void a_question_that_nobody_waits_for_is_given_up(void **state)
{
    struct waiter w;

    begin(&w);
    await_question(1);
    assert_true(probe_withdraw(probe, &w.wait));
    assert_int_equal(atomic_load(&given_up), 1);
}

static void it_tells_how_long_it_has_been_silent(void **state)
{
    struct waiter w;

    assert_false(probe_is_silent(probe, 0));
    begin(&w);
    await_question(1);
    assert_false(probe_is_silent(probe, 3600 * UINT64_C(1000000)));
    usleep(2000);
    assert_true(probe_is_silent(probe, 1000));
    atomic_store(&door_is_open, true);
    await(&w);
    assert_false(probe_is_silent(probe, 0));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_asks_gets_an_answer),
        TEST(an_answer_is_looked_for_after_it_was_asked_for),
        TEST(who_stops_waiting_is_not_answered),
        TEST(a_question_that_nobody_waits_for_is_given_up),
        TEST(it_tells_how_long_it_has_been_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
