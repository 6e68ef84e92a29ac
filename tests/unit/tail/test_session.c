/* The states of tails, and the lists and lines of their hub. */
#include <stdlib.h>

#include "../aborts.h"
#include "../cmocka_all.h"
#include "tail/session.h"

/* In place of the hub's own, which ask a feed. */
static unsigned fills, empties;

void tail_hub_fill(struct tail_hub *hub)
{
    fills++;
}

void tail_hub_empty(struct tail_hub *hub)
{
    empties++;
    hub->has_position = false;
}

/* ---- Moves ---- */

/* How a tail comes to each state. */
static const enum tail_state WAYS[TAIL_STATES][TAIL_STATES] = {
    [TAIL_STARTING] = {TAIL_STARTING},
    [TAIL_STARTING_WAITS] = {TAIL_STARTING, TAIL_STARTING_WAITS},
    [TAIL_STARTING_READS] = {TAIL_STARTING, TAIL_STARTING_WAITS, TAIL_STARTING_READS},
    [TAIL_CATCHING_UP] = {TAIL_STARTING, TAIL_CATCHING_UP},
    [TAIL_CATCHING_UP_WAITS] = {TAIL_STARTING, TAIL_CATCHING_UP, TAIL_CATCHING_UP_WAITS},
    [TAIL_CATCHING_UP_READS] = {TAIL_STARTING, TAIL_CATCHING_UP, TAIL_CATCHING_UP_WAITS,
                                TAIL_CATCHING_UP_READS},
    [TAIL_LIVE] = {TAIL_STARTING, TAIL_CATCHING_UP, TAIL_LIVE},
    [TAIL_GONE] = {TAIL_STARTING, TAIL_CATCHING_UP, TAIL_CATCHING_UP_WAITS, TAIL_CATCHING_UP_READS,
                   TAIL_GONE},
    [TAIL_OVER] = {TAIL_STARTING, TAIL_OVER},
};

static void go(struct tail *t, enum tail_state state)
{
    const enum tail_state *way = WAYS[state];

    for (size_t i = t->state == TAIL_STARTING; way[i] != TAIL_NEW; i++)
        tail_move(t, way[i]);
    assert_int_equal(t->state, state);
}

static struct tail *tail_at(struct tail_hub *hub, enum tail_state state)
{
    struct tail *t = tail_new(hub, NULL);

    if (state != TAIL_STARTING)
        go(t, state);
    return t;
}

#ifdef LOGMILL_CHECKS

struct move {
    enum tail_state from, to;
};

static void try_move(void *arg)
{
    const struct move *m = arg;
    struct tail_hub hub = {.has_position = true};
    struct tail *t = tail_at(&hub, m->from);

    tail_move(t, m->to);
    tail_check_all(&hub);
}

static bool is_allowed(enum tail_state from, enum tail_state to)
{
    return aborts(try_move, &(struct move){from, to}) == 0;
}

static void a_move_is_in_the_table_or_ends_a_test(void **state)
{
    for (enum tail_state from = TAIL_STARTING; from < TAIL_STATES; from++)
        for (enum tail_state to = TAIL_NEW; to < TAIL_STATES; to++)
            assert_int_equal(is_allowed(from, to), state_may_move(tail_moves, from, to));
}

static void what_a_tail_may_not_do(void **state)
{
    /* An answer is there before a stream, and a job is waited for. */
    assert_false(is_allowed(TAIL_STARTING_WAITS, TAIL_CATCHING_UP));
    assert_false(is_allowed(TAIL_STARTING, TAIL_LIVE));
    assert_false(is_allowed(TAIL_STARTING, TAIL_STARTING_READS));
    assert_false(is_allowed(TAIL_CATCHING_UP, TAIL_CATCHING_UP_READS));
    /* Whose job runs is neither freed nor live. */
    assert_false(is_allowed(TAIL_STARTING_READS, TAIL_OVER));
    assert_false(is_allowed(TAIL_CATCHING_UP_READS, TAIL_OVER));
    assert_false(is_allowed(TAIL_CATCHING_UP_READS, TAIL_LIVE));
    /* Who is live has no job, and who has gone does not come back. */
    assert_false(is_allowed(TAIL_LIVE, TAIL_CATCHING_UP_WAITS));
    assert_false(is_allowed(TAIL_GONE, TAIL_CATCHING_UP));
    assert_false(is_allowed(TAIL_OVER, TAIL_STARTING));
}

#endif

/* ---- Lists ---- */

static void end(struct tail *t)
{
    tail_move(t, TAIL_OVER);
    free(t);
}

static void the_first_tail_fills_its_hub_and_the_last_empties_it(void **state)
{
    struct tail_hub hub = {0};

    fills = empties = 0;
    struct tail *one = tail_new(&hub, NULL);
    struct tail *two = tail_new(&hub, NULL);
    struct tail *three = tail_new(&hub, NULL);

    tail_check_all(&hub);
    assert_int_equal(fills, 1);
    end(two);
    tail_check_all(&hub);
    end(three);
    assert_int_equal(empties, 0);
    assert_ptr_equal(hub.tails, one);
    end(one);
    assert_int_equal(fills, 1);
    assert_int_equal(empties, 1);
    tail_check_all(&hub);
}

static void a_line_keeps_its_order_whoever_leaves_it(void **state)
{
    struct tail_hub hub = {.has_position = true};
    struct tail_line *line = &hub.lines[TAIL_LINE];
    struct tail *t[4];

    for (size_t i = 0; i < 4; i++)
        t[i] = tail_at(&hub, TAIL_CATCHING_UP_WAITS);
    tail_check_all(&hub);
    tail_move(t[1], TAIL_LIVE); /* from the middle */
    tail_check_all(&hub);
    assert_ptr_equal(line->first, t[0]);
    tail_move(t[0], TAIL_CATCHING_UP_READS);
    tail_check_all(&hub);
    assert_ptr_equal(line->served, t[0]);
    assert_ptr_equal(line->first, t[2]);
    tail_move(t[3], TAIL_CATCHING_UP); /* from the end */
    assert_ptr_equal(line->last, t[2]);
    tail_move(t[0], TAIL_GONE);
    tail_check_all(&hub);
    assert_ptr_equal(line->served, t[0]); /* until its job is done */
    end(t[0]);
    assert_null(line->served);
    for (size_t i = 1; i < 4; i++) {
        tail_check_all(&hub);
        end(t[i]);
    }
    assert_null(line->first);
    assert_null(line->last);
}

static void who_is_expensive_stands_in_a_line_of_its_own(void **state)
{
    struct tail_hub hub = {0};
    struct tail_filter filter = {.cost = TAIL_COST_EXPENSIVE + 1};
    struct tail *cheap = tail_at(&hub, TAIL_CATCHING_UP_WAITS);
    struct tail *expensive = tail_new(&hub, NULL);

    expensive->filter = &filter;
    go(expensive, TAIL_CATCHING_UP_WAITS);
    filter.cost = 0; /* it stays where it is */
    tail_move(expensive, TAIL_CATCHING_UP_READS);
    tail_move(cheap, TAIL_CATCHING_UP_READS); /* each line serves one */
    tail_check_all(&hub);
    assert_ptr_equal(hub.lines[TAIL_LINE_EXPENSIVE].served, expensive);
    assert_ptr_equal(hub.lines[TAIL_LINE].served, cheap);
    tail_move(cheap, TAIL_GONE);
    tail_move(expensive, TAIL_GONE);
    end(cheap);
    end(expensive);
}

#ifdef LOGMILL_CHECKS

/* ---- Invariants ---- */

static void check_hub(void *hub)
{
    tail_check_all(hub);
}

static void what_is_broken_does_not_go_unseen(void **state)
{
    struct tail_hub hub = {.has_position = true};
    struct tail_line *line = &hub.lines[TAIL_LINE];
    struct tail *reads = tail_at(&hub, TAIL_CATCHING_UP_READS);
    struct tail *first = tail_at(&hub, TAIL_CATCHING_UP_WAITS);
    struct tail *last = tail_at(&hub, TAIL_CATCHING_UP_WAITS);
    struct tail *live = tail_at(&hub, TAIL_LIVE);

    assert_false(aborts(check_hub, &hub));

    line->served = NULL; /* nobody is served, but one reads */
    assert_true(aborts(check_hub, &hub));
    line->served = reads;

    first->next_in_line = NULL; /* the line ends before its end */
    assert_true(aborts(check_hub, &hub));
    first->next_in_line = last;

    line->first = last; /* one that waits is in no line */
    assert_true(aborts(check_hub, &hub));
    line->first = first;

    first->state = TAIL_LIVE; /* one that waits no more is in a line */
    assert_true(aborts(check_hub, &hub));
    first->state = TAIL_CATCHING_UP_WAITS;

    hub.position.sequence = 1; /* a live tail is behind */
    assert_true(aborts(check_hub, &hub));
    live->place.position.sequence = 1;
    assert_false(aborts(check_hub, &hub));

    live->place.part = 1; /* … or in the middle of an event */
    assert_true(aborts(check_hub, &hub));
    live->place.part = 0;

    hub.recent.bytes = 1; /* of no batch */
    assert_true(aborts(check_hub, &hub));
    hub.recent.bytes = 0;

    hub.tails->next->prev = NULL;
    assert_true(aborts(check_hub, &hub));
    hub.tails->next->prev = hub.tails;

    assert_false(aborts(check_hub, &hub));
    tail_move(reads, TAIL_GONE);
    end(reads);
    end(first);
    end(last);
    end(live);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(a_move_is_in_the_table_or_ends_a_test),
        cmocka_unit_test(what_a_tail_may_not_do),
        cmocka_unit_test(what_is_broken_does_not_go_unseen),
#endif
        cmocka_unit_test(the_first_tail_fills_its_hub_and_the_last_empties_it),
        cmocka_unit_test(a_line_keeps_its_order_whoever_leaves_it),
        cmocka_unit_test(who_is_expensive_stands_in_a_line_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
