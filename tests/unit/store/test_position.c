#include "store/position.h"

#include "../cmocka_all.h"

enum { TEXT_MAX = 100 };

static void assert_text(struct store_position p, const char *text)
{
    struct store_position again = {9, 9, 9};
    struct buffer b;

    buffer_init(&b, TEXT_MAX);
    store_position_append(&b, &p);
    assert_true(slice_equal(buffer_slice(&b), slice_of_string(text)));
    assert_int_equal(store_position_parse(buffer_slice(&b), &again), 0);
    assert_int_equal(store_position_compare(&again, &p), 0);
    buffer_release(&b);
}

static void the_text_of_a_place_never_changes_and_comes_back(void **state)
{
    assert_text((struct store_position){0, 0, 0}, "0-0-0");
    assert_text((struct store_position){0, 1234567890123, 0}, "0-1234567890123-0");
    assert_text((struct store_position){741, 3, UINT32_MAX}, "741-3-4294967295");
    assert_text((struct store_position){999999999999999999, 999999999999999999, 1},
                "999999999999999999-999999999999999999-1");
}

static void what_is_no_place_is_refused(void **state)
{
    static const char *const texts[] = {
        "",        "1",       "1-2",    "1-2-",  "-1-2",           "1--2",
        "1-2-3-4", "1-2-3 ",  " 1-2-3", "1-2-x", "1-2-4294967296", "1000000000000000000-0-0",
        "+1-2-3",  "0x1-2-3",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct store_position p;

        assert_int_equal(store_position_parse(slice_of_string(texts[i]), &p), LM_EINVAL);
    }
}

static void places_are_ordered_by_transaction_then_sequence_then_index(void **state)
{
    static const struct store_position ascending[] = {
        {0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, UINT64_MAX, 5}, {1, 0, 0}, {UINT64_MAX, 0, 0},
    };
    enum { N = sizeof(ascending) / sizeof(ascending[0]) };

    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            int order = store_position_compare(&ascending[i], &ascending[j]);

            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_of_a_place_never_changes_and_comes_back),
        cmocka_unit_test(what_is_no_place_is_refused),
        cmocka_unit_test(places_are_ordered_by_transaction_then_sequence_then_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
