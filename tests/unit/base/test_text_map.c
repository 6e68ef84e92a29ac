#include "base/text_map.h"

#include <stdio.h>

#include "../cmocka_all.h"

enum { MANY = 2000 };

static char texts[MANY][16];

static struct slice text(uint32_t i)
{
    snprintf(texts[i], sizeof(texts[i]), "text %u", i);
    return slice_of_string(texts[i]);
}

static void an_empty_one_has_nothing(void **state)
{
    struct text_map m = {0};

    assert_int_equal(text_map_find(&m, SLICE_LITERAL("x")), TEXT_MAP_NONE);
    text_map_remove(&m, SLICE_LITERAL("x"));
    assert_int_equal(m.len, 0);
    text_map_release(&m);
}

static void each_text_has_the_number_put_last(void **state)
{
    struct text_map m = {0};

    for (uint32_t i = 0; i < MANY; i++)
        text_map_put(&m, text(i), i);
    for (uint32_t i = 0; i < MANY; i += 2)
        text_map_put(&m, text(i), i + 1);
    assert_int_equal(m.len, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(text_map_find(&m, text(i)), i | 1);
    text_map_release(&m);
}

static void what_is_removed_is_gone_and_nothing_else_is(void **state)
{
    struct text_map m = {0};

    for (uint32_t i = 0; i < MANY; i++)
        text_map_put(&m, text(i), i);
    for (uint32_t i = 0; i < MANY; i += 3)
        text_map_remove(&m, text(i));
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(text_map_find(&m, text(i)), i % 3 == 0 ? TEXT_MAP_NONE : i);
    text_map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_nothing),
        cmocka_unit_test(each_text_has_the_number_put_last),
        cmocka_unit_test(what_is_removed_is_gone_and_nothing_else_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
