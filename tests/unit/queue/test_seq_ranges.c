#include "../cmocka_all.h"
#include "queue/sqlite/seq_ranges.h"

/* What seq_ranges.h says is always true. */
static void check_invariants(const struct seq_ranges *r)
{
    uint64_t count = 0;

    assert_true(r->len <= r->capacity);
    for (size_t i = 0; i < r->len; i++) {
        assert_true(r->items[i].first <= r->items[i].last);
        count += (uint64_t)(r->items[i].last - r->items[i].first) + 1;
    }
    assert_int_equal(count, r->count);
}

static void numbers_in_a_row_are_one_range(void **state)
{
    struct seq_ranges r = {0};

    for (int64_t i = 1; i <= 1000; i++)
        seq_ranges_add(&r, i);
    check_invariants(&r);
    assert_int_equal(r.len, 1);
    assert_int_equal(r.count, 1000);
    seq_ranges_release(&r);
}

static void a_gap_starts_a_range(void **state)
{
    struct seq_ranges r = {0};

    for (int64_t i = 1; i <= 100; i++)
        seq_ranges_add(&r, 2 * i);
    check_invariants(&r);
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
    check_invariants(&a);
    check_invariants(&b);
    assert_int_equal(a.len, 2);
    assert_int_equal(a.items[0].last, 3);
    assert_int_equal(a.count, 4);
    assert_int_equal(b.count, 0);
    seq_ranges_release(&a);
    seq_ranges_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_in_a_row_are_one_range),
        cmocka_unit_test(a_gap_starts_a_range),
        cmocka_unit_test(taking_joins_what_follows_and_empties_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
