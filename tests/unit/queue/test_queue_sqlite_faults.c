/*
 * Whatever allocation, write or sync fails, and wherever the power is lost: what the queue has
 * confirmed is there, once, and what it has refused is not.
 */
#include <string.h>

#include "../cmocka_all.h"
#include "../fault_walk.h"
#include "queue/sqlite/adapter.h"
#include "queue_test_support.h"

enum {
    FIRST_SENDS = 4, /* received and acknowledged */
    SENDS = 8,
    LARGE_BYTES = 200 * 1024, /* more than is held back of a log, and many pages */
    LIBRARY_STRIDE = 29,
};

static struct queue *open_in(const char *directory)
{
    struct errbuf err = ERRBUF_INIT;

    return queue_sqlite_new(&(struct queue_sqlite_options){.directory = directory}, &err);
}

/* Number `n`, and spaces if it is large. */
static void send_number(struct queue *q, struct fault_walk_state *state, int n)
{
    static char text[LARGE_BYTES];
    bool is_large = n == 1 || n == SENDS - 2;

    memset(text, ' ', sizeof(text));
    text[0] = (char)('0' + n / 10);
    text[1] = (char)('0' + n % 10);
    int error = queue_test_send(q, &(struct slice){text, is_large ? sizeof(text) : 2}, 1);
    state->fates[n] = error ? FAULT_WALK_REFUSED : FAULT_WALK_TAKEN;
}

static int number_of(struct slice body)
{
    assert_true(body.len >= 2);
    return (body.data[0] - '0') * 10 + body.data[1] - '0';
}

/* Takes what is there: one is returned, one rejected, the others are acknowledged. */
static void consume(struct queue *q, struct fault_walk_state *state)
{
    struct queue_delivery d = {0};
    struct errbuf err = ERRBUF_INIT;
    struct queue_consumer *c = queue_consumer_new(q, &err);

    if (!c)
        return;
    if (!queue_receive(c, 0, &d, &err) && d.count > 0) {
        for (size_t i = 0; i < d.count; i++) {
            int n = number_of(d.messages[i].body);

            d.messages[i].reason = "a test says so";
            d.messages[i].outcome = n == 2   ? QUEUE_RETURN
                                    : n == 3 ? QUEUE_REJECT
                                             : QUEUE_ACKNOWLEDGE;
            if (n != 2)
                state->fates[n] = FAULT_WALK_GONE;
        }
        (void)!queue_settle(c, &d, &err);
    }
    queue_consumer_free(c);
}

static void work(const char *directory, struct fault_walk_state *state)
{
    struct queue *q = open_in(directory);

    if (!q)
        return;
    for (int n = 0; n < FIRST_SENDS; n++)
        send_number(q, state, n);
    consume(q, state);
    for (int n = FIRST_SENDS; n < SENDS; n++)
        send_number(q, state, n);
    queue_free(q);
}

static void count(struct slice body, void *counts)
{
    ((int *)counts)[number_of(body)]++;
}

static void check(const char *directory, const struct fault_walk_state *state)
{
    struct queue *q = open_in(directory);
    int counts[100] = {0};

    assert_non_null(q);
    struct queue_consumer *c = queue_test_consumer(q);
    queue_test_drain(c, 0, 1, count, counts);
    for (int n = 0; n < SENDS; n++) {
        if (state->fates[n] == FAULT_WALK_TAKEN)
            assert_int_equal(counts[n], 1);
        else if (state->fates[n] == FAULT_WALK_REFUSED)
            assert_int_equal(counts[n], 0);
        else
            assert_in_range(counts[n], 0, 1); /* not answered, or its acknowledgement may be lost */
    }
    queue_consumer_free(c);
    queue_free(q);
}

static void an_allocation_that_fails_refuses_cleanly(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_INPUT}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY}, LIBRARY_STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY, .onwards = true}, LIBRARY_STRIDE, work,
               check);
}

static void a_write_that_fails_refuses_cleanly(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_WRITE}, 2, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_ENOSPC, .onwards = true}, 2,
               work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_SHORT}, 2, work, check);
}

static void a_sync_that_fails_refuses_for_good(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_SYNC}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .onwards = true}, 1, work, check);
}

static void what_is_confirmed_outlives_a_power_loss(void **state)
{
    fault_walk_power_loss(work, check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_refuses_cleanly),
        cmocka_unit_test(a_write_that_fails_refuses_cleanly),
        cmocka_unit_test(a_sync_that_fails_refuses_for_good),
        cmocka_unit_test(what_is_confirmed_outlives_a_power_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
