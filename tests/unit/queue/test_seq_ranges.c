#include "../aborts.h"
#include "../cmocka_all.h"
#include "queue/sqlite/seq_ranges.h"

static void numbers_in_a_row_are_one_range(void **state)
{
    struct seq_ranges r = {0};

    for (int64_t i = 1; i <= 1000; i++)
        seq_ranges_add(&r, i);
    seq_ranges_check(&r);
    assert_int_equal(r.len, 1);
    assert_int_equal(r.count, 1000);
    seq_ranges_release(&r);
}

static void a_gap_starts_a_range(void **state)
{
    struct seq_ranges r = {0};

    for (int64_t i = 1; i <= 100; i++)
        seq_ranges_add(&r, 2 * i);
    seq_ranges_check(&r);
    assert_int_equal(r.len, 100);
    assert_int_equal(r.count, 100);
    seq_ranges_release(&r);
}

static void taking_joins_what_follows_and_empties_the_other(void **state)
{
    struct seq_ranges a = {0};
    struct seq_ranges b = {0};

    seq_ranges_add(&a, 1);
    seq_ranges_add(&b, 2);
    seq_ranges_add(&b, 3);
    seq_ranges_add(&b, 7);
    seq_ranges_take(&a, &b);
    seq_ranges_check(&a);
    seq_ranges_check(&b);
    assert_int_equal(a.len, 2);
    assert_int_equal(a.items[0].last, 3);
    assert_int_equal(a.count, 4);
    assert_int_equal(b.count, 0);
    seq_ranges_release(&a);
    seq_ranges_release(&b);
}

#ifdef LOGMILL_CHECKS

/* Does `act` on ranges of 7 and 1 to 3 end the process, as a check that fails does? */
static bool aborts_on_ranges(void (*act)(void *ranges))
{
    struct seq_ranges r = {0};

    seq_ranges_add(&r, 7);
    for (int64_t i = 1; i <= 3; i++)
        seq_ranges_add(&r, i);
    bool did = aborts(act, &r);
    seq_ranges_release(&r);
    return did;
}

static void add_one_again(void *ranges)
{
    struct seq_ranges *r = ranges;

    seq_ranges_add(r, 2);
}

static void just_clear(void *ranges)
{
    seq_ranges_clear(ranges);
}

static void miscount(void *ranges)
{
    struct seq_ranges *r = ranges;

    r->count++;
    seq_ranges_clear(r);
}

static void overlap(void *ranges)
{
    struct seq_ranges *r = ranges;

    r->items[1].last = 7;
    r->count += 4;
    seq_ranges_clear(r);
}

static void turn_around(void *ranges)
{
    struct seq_ranges *r = ranges;

    r->items[1] = (struct seq_range){3, 1};
    seq_ranges_clear(r);
}

static void what_breaks_them_is_seen(void **state)
{
    assert_true(aborts_on_ranges(add_one_again));
    assert_true(aborts_on_ranges(miscount));
    assert_true(aborts_on_ranges(overlap));
    assert_true(aborts_on_ranges(turn_around));
    assert_false(aborts_on_ranges(just_clear));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_a_row_are_one_range),
        cmocka_unit_test(a_gap_starts_a_range),
        cmocka_unit_test(taking_joins_what_follows_and_empties_the_other),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(what_breaks_them_is_seen),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
