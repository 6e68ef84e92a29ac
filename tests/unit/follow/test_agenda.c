#include <stdint.h>

#include "cmocka_all.h"
#include "follow/agenda.h"

enum { ITEMS = 500 };

static uint64_t random_state = 7;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (random_state >> 33) % n;
}

/* The one that agenda_take has to give next, of those that are `there`; NULL: none. */
static struct agenda_item *first_of(struct agenda_item *items, const bool *there)
{
    struct agenda_item *first = NULL;

    for (int i = 0; i < ITEMS; i++)
        if (there[i] && (!first || items[i].us < first->us ||
                         (items[i].us == first->us && items[i].turn < first->turn)))
            first = &items[i];
    return first;
}

static void gives_the_earliest_first(void **state)
{
    struct agenda_item items[ITEMS] = {0};
    bool there[ITEMS] = {false};
    struct agenda a = {.len = 0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t at = random_below(ITEMS), us = random_below(100);

        switch (random_below(3)) {
        case 0:
            if (!there[at] || us < items[at].us) {
                agenda_put(&a, &items[at], us);
                assert_int_equal(items[at].us, us);
            } else {
                agenda_put(&a, &items[at], items[at].us + us); /* the earlier one counts */
            }
            there[at] = true;
            break;
        case 1:
            agenda_remove(&a, &items[at]);
            there[at] = false;
            break;
        default: {
            struct agenda_item *first = first_of(items, there);

            assert_int_equal(agenda_next_us(&a), first ? first->us : UINT64_MAX);
            if (first && first->us > 0)
                assert_null(agenda_take(&a, first->us - 1));
            assert_ptr_equal(agenda_take(&a, UINT64_MAX), first);
            if (first)
                there[first - items] = false;
        }
        }
    }
    agenda_release(&a);
}

static void gives_what_is_at_one_time_in_its_order(void **state)
{
    struct agenda_item items[ITEMS] = {0};
    struct agenda a = {.len = 0};

    (void)state;
    for (int i = 0; i < ITEMS; i++)
        agenda_put(&a, &items[i], 5);
    for (int i = 0; i < ITEMS; i++)
        assert_ptr_equal(agenda_take(&a, 5), &items[i]);
    agenda_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_earliest_first),
        cmocka_unit_test(gives_what_is_at_one_time_in_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
