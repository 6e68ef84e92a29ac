#include "ingest/gathering.h"

#include "../cmocka_all.h"

enum {
    LONGEST_US = 24000,
    LATENCY_US = 14000, /* of a send */
    LOG_BYTES = 300,
    CLIENTS_MAX = 64,
    SECOND = 1000000,
};

/* ---- A queue, clients, and a clock that moves when they say so ---- */

static struct gathering g;
static uint64_t now_us;
static size_t about;                      /* tickets that are open */
static size_t waiting;                    /* of those, in the open send */
static uint64_t came_us[CLIENTS_MAX * 8]; /* when each of the latter came */

/* What a second of it came to. */
static struct {
    size_t logs;
    size_t sends;
    uint64_t longest_us; /* that a log waited for its send */
} seen;

/* Sends under way, the oldest first. */
static struct flight {
    uint64_t back_us;
    size_t tickets;
} flights[CLIENTS_MAX * 8];
static size_t flights_len;

static int set_up(void **state)
{
    gathering_init(&g, &(struct queue_limits){.max_message_bytes = 256 << 10,
                                              .gather_us = LONGEST_US,
                                              .gather_bytes = 64 << 10});
    now_us = SECOND;
    about = waiting = flights_len = 0;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static void come(void)
{
    came_us[waiting] = now_us;
    about++;
    waiting++;
    gathering_came(&g, now_us, waiting, about);
}

static uint64_t left_us(void)
{
    return gathering_left_us(&g, now_us, (struct gathering_open){waiting, waiting * LOG_BYTES});
}

static void go(void)
{
    for (size_t i = 0; i < waiting; i++) {
        uint64_t waited_us = now_us - came_us[i];

        seen.longest_us = waited_us > seen.longest_us ? waited_us : seen.longest_us;
    }
    seen.logs += waiting;
    seen.sends++;
    flights[flights_len++] = (struct flight){now_us + LATENCY_US, waiting};
    gathering_went(&g, about);
    waiting = 0;
}

static void go_if_due(void)
{
    if (waiting > 0 && left_us() == 0)
        go();
}

/* The oldest send comes back: how many are answered. */
static size_t answer(void)
{
    size_t n = flights[0].tickets;

    memmove(flights, flights + 1, --flights_len * sizeof(*flights));
    about -= n;
    return n;
}

/* Moves the clock on to `until_us`, through all that comes back and all that is due meanwhile. */
static void pass(uint64_t until_us, bool clients_come_back)
{
    for (;;) {
        uint64_t back_us = flights_len > 0 ? flights[0].back_us : UINT64_MAX;
        uint64_t due_us = waiting > 0 ? now_us + left_us() : UINT64_MAX;

        if (back_us > until_us && due_us > until_us)
            break;
        now_us = back_us < due_us ? back_us : due_us;
        if (back_us == now_us)
            for (size_t n = answer(); n > 0 && clients_come_back; n--)
                come();
        go_if_due();
    }
    now_us = until_us;
}

/* For a second, a log each `step_us`, whether the others were answered or not. */
static void logs_come(uint64_t step_us)
{
    uint64_t end_us = now_us + SECOND;

    memset(&seen, 0, sizeof(seen));
    for (uint64_t at_us = now_us; at_us < end_us; at_us += step_us) {
        pass(at_us, false);
        come();
        go_if_due();
    }
    pass(now_us + SECOND, false);
    assert_int_equal(about, 0);
}

/* For a second, `n` clients, each of which sends its next log when the last was answered. */
static void clients_come(size_t n)
{
    memset(&seen, 0, sizeof(seen));
    for (size_t i = 0; i < n; i++) {
        pass(now_us + 100, true);
        come();
        go_if_due();
    }
    pass(now_us + SECOND, true);
    while (flights_len > 0)
        answer();
    about = waiting = 0;
}

/* ---- Tests ---- */

static void a_lone_client_waits_for_nobody(void **state)
{
    clients_come(1);
    assert_int_equal(seen.longest_us, 0);
    assert_in_range(seen.logs, SECOND / LATENCY_US, SECOND / LATENCY_US + 2);
}

/* Nothing is gained by more of a wait than until the last of them has come. */
static void clients_that_wait_for_their_answers_go_together(void **state)
{
    clients_come(10);
    memset(&seen, 0, sizeof(seen));
    clients_come(10);
    assert_true(seen.logs >= 10 * (size_t)(SECOND / LATENCY_US - 3));
    assert_true(seen.logs >= 9 * seen.sends);
}

static void logs_that_come_seldom_wait_for_nobody(void **state)
{
    logs_come(LONGEST_US + 1000);
    assert_int_equal(seen.longest_us, 0);
    assert_int_equal(seen.logs, seen.sends);
}

/* Each second one finds the first under way; who comes next would be too late for it. */
static void pairs_that_come_seldom_wait_for_nobody(void **state)
{
    for (int i = 0; i < 40; i++) {
        if (i == 20)
            memset(&seen, 0, sizeof(seen));
        come();
        go_if_due();
        pass(now_us + 5000, false);
        come();
        go_if_due();
        pass(now_us + SECOND / 5, false);
    }
    assert_int_equal(seen.longest_us, 0);
    assert_int_equal(seen.logs, 40);
}

static void many_logs_share_a_send_and_none_waits_longer_than_allowed(void **state)
{
    static const struct {
        uint64_t step_us;
        size_t least;
    } cases[] = {{10000, 2}, {3333, 7}, {2000, 12}, {1000, 23}, {500, 40}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_up(state);
        logs_come(cases[i].step_us);
        assert_true(seen.logs >= cases[i].least * (seen.sends - 4));
        assert_in_range(seen.longest_us, 1, LONGEST_US);
    }
}

static void a_client_that_is_left_alone_soon_waits_no_longer(void **state)
{
    logs_come(500);
    clients_come(1);
    memset(&seen, 0, sizeof(seen));
    clients_come(1);
    assert_int_equal(seen.longest_us, 0);
}

static void those_who_have_gone_are_waited_for_in_two_sends_at_most(void **state)
{
    size_t waits = 0;

    clients_come(20);
    for (int i = 0; i < 10; i++) {
        come();
        if (left_us() > 0)
            waits++;
        now_us += left_us();
        go();
        now_us += LATENCY_US;
        answer();
    }
    assert_in_range(waits, 1, 2);
}

/* Where sends come back soon, few are about beside those that wait. */
static void one_send_of_few_does_not_make_the_next_one_small(void **state)
{
    clients_come(20);
    for (int i = 0; i < 3; i++)
        come();
    go();
    answer();
    for (int i = 0; i < 4; i++)
        come();
    assert_true(left_us() > 0);
}

/* Two that cost one request each are not made one that costs two. */
static void what_would_cost_more_does_not_wait(void **state)
{
    for (int i = 0; i < 10; i++) {
        now_us += 100;
        come();
    }
    gathering_went(&g, about);
    waiting = 0;
    come();
    come();
    assert_true(gathering_left_us(&g, now_us, (struct gathering_open){2, 43000}) > 0);
    assert_int_equal(gathering_left_us(&g, now_us, (struct gathering_open){2, 44000}), 0);
}

static void a_queue_that_takes_less_in_a_message_counts_by_that(void **state)
{
    gathering_init(&g, &(struct queue_limits){.max_message_bytes = 4000,
                                              .gather_us = LONGEST_US,
                                              .gather_bytes = 64 << 10});
    for (int i = 0; i < 10; i++) {
        now_us += 100;
        come();
    }
    gathering_went(&g, about);
    waiting = 0;
    come();
    come();
    assert_true(gathering_left_us(&g, now_us, (struct gathering_open){2, 2600}) > 0);
    assert_int_equal(gathering_left_us(&g, now_us, (struct gathering_open){2, 2700}), 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        TEST(a_lone_client_waits_for_nobody),
        TEST(clients_that_wait_for_their_answers_go_together),
        TEST(logs_that_come_seldom_wait_for_nobody),
        TEST(pairs_that_come_seldom_wait_for_nobody),
        TEST(many_logs_share_a_send_and_none_waits_longer_than_allowed),
        TEST(a_client_that_is_left_alone_soon_waits_no_longer),
        TEST(those_who_have_gone_are_waited_for_in_two_sends_at_most),
        TEST(one_send_of_few_does_not_make_the_next_one_small),
        TEST(what_would_cost_more_does_not_wait),
        TEST(a_queue_that_takes_less_in_a_message_counts_by_that),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
