/* The last batches of a hub. */
#include "../aborts.h"
#include "../cmocka_all.h"
#include "tail/recent.h"

/* Holds what was stored from number `begin`, which is not in it, to `end`. */
static struct tail_batch *batch(uint64_t begin, uint64_t end)
{
    struct tail_batch *b = tail_batch_new();

    b->begin = (struct store_position){1, begin, 0};
    for (uint64_t i = begin + 1; i <= end; i++) {
        struct record r = {.level = SLICE_LITERAL("info"), .message = SLICE_LITERAL("m")};

        assert_int_equal(tail_batch_add(&r, &(struct store_position){1, i, 0}, b), 0);
    }
    b->end = (struct store_position){1, end, 0};
    tail_batch_seal(b);
    return b;
}

static size_t find(const struct tail_recent *r, uint64_t place)
{
    return tail_recent_find(r, &(struct store_position){1, place, 0});
}

static void the_batch_that_goes_on_after_a_place_is_found(void **state)
{
    struct tail_recent r = {0};

    assert_int_equal(find(&r, 5), 0); /* there is none */
    tail_recent_keep(&r, batch(10, 12));
    tail_recent_keep(&r, batch(12, 15));
    assert_int_equal(find(&r, 9), r.len); /* they begin later */
    assert_int_equal(find(&r, 10), 0);
    assert_int_equal(find(&r, 11), 0);
    assert_int_equal(find(&r, 12), 1);
    assert_int_equal(find(&r, 14), 1);
    assert_int_equal(find(&r, 15), r.len); /* there is no more */
    tail_recent_forget(&r);
    assert_int_equal(r.bytes, 0);
}

static void the_oldest_are_forgotten(void **state)
{
    struct tail_recent r = {0};

    for (uint64_t i = 0; i < TAIL_RECENT_BATCHES + 2; i++)
        tail_recent_keep(&r, batch(i, i + 1));
    assert_int_equal(r.len, TAIL_RECENT_BATCHES);
    assert_int_equal(r.batches[0]->begin.sequence, 2);
    tail_recent_check(&r);
    tail_recent_forget(&r);
}

/* Whose job still ran when its hub's tails were ended for a gap kept the hub from being emptied. */
static void no_tail_goes_on_over_a_gap(void **state)
{
    struct tail_recent r = {0};

    tail_recent_keep(&r, batch(1, 2));
    tail_recent_keep(&r, batch(7, 9));
    assert_int_equal(r.len, 1);
    assert_int_equal(find(&r, 1), r.len); /* it has to ask the store, which tells what is lost */
    assert_int_equal(find(&r, 7), 0);
    tail_recent_check(&r);
    tail_recent_forget(&r);
}

#ifdef LOGMILL_CHECKS

static void check(void *r)
{
    tail_recent_check(r);
}

static void what_is_broken_does_not_go_unseen(void **state)
{
    struct tail_recent r = {0};

    tail_recent_keep(&r, batch(1, 2));
    tail_recent_keep(&r, batch(2, 3));
    assert_false(aborts(check, &r));
    r.bytes++;
    assert_true(aborts(check, &r));
    r.bytes--;
    r.batches[1]->begin.sequence++; /* a gap */
    assert_true(aborts(check, &r));
    r.batches[1]->begin.sequence--;
    r.batches[0]->lost = true;
    assert_true(aborts(check, &r));
    r.batches[0]->lost = false;
    assert_false(aborts(check, &r));
    tail_recent_forget(&r);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_batch_that_goes_on_after_a_place_is_found),
        cmocka_unit_test(the_oldest_are_forgotten),
        cmocka_unit_test(no_tail_goes_on_over_a_gap),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(what_is_broken_does_not_go_unseen),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
