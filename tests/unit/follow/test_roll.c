#include <stdbool.h>
#include <stddef.h>

#include "cmocka_all.h"
#include "follow/roll.h"

/* The nodes of `all` whose index is in `text`, in this order, and no others. */
static void assert_roll(const struct roll *r, const struct roll_node *all, const char *text)
{
    const struct roll_node *before = NULL, *n = r->first;

    for (; *text; text++, before = n, n = n->behind) {
        assert_ptr_equal(n, &all[*text - '0']);
        assert_ptr_equal(n->before, before);
    }
    assert_null(n);
    assert_ptr_equal(r->last, before);
}

static void keeps_the_order(void **state)
{
    struct roll_node all[5];
    struct roll r = {.first = NULL};

    (void)state;
    for (int i = 1; i < 4; i++)
        roll_append(&r, &all[i]);
    roll_prepend(&r, &all[0]);
    roll_append(&r, &all[4]);
    assert_roll(&r, all, "01234");
    roll_remove(&r, &all[2]);
    assert_roll(&r, all, "0134");
    roll_remove(&r, &all[4]);
    roll_remove(&r, &all[0]);
    assert_roll(&r, all, "13");
    assert_ptr_equal(roll_take(&r), &all[1]);
    struct roll taken = roll_take_all(&r);
    assert_roll(&taken, all, "3");
    assert_roll(&r, all, "");
    assert_null(roll_take(&r));
    roll_prepend(&r, &all[2]);
    assert_roll(&r, all, "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_the_order)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
