#include "base/nearest.h"

#include "../cmocka_all.h"

static const char *nearest(const char *text)
{
    static const char *const names[] = {"since", "until", "level", "q", "not.level", "limit"};

    const char *found = nearest_name(slice_of_string(text), names, sizeof(names) / sizeof(*names));
    return found ? found : "none";
}

static void a_name_with_a_few_mistakes_is_known(void **state)
{
    assert_string_equal(nearest("levle"), "level");
    assert_string_equal(nearest("levels"), "level");
    assert_string_equal(nearest("LEVEL"), "level");
    assert_string_equal(nearest("leve"), "level");
    assert_string_equal(nearest("lebel"), "level");
    assert_string_equal(nearest("not-level"), "not.level");
    assert_string_equal(nearest("notlevel"), "not.level");
    assert_string_equal(nearest("sicne"), "since");
    assert_string_equal(nearest("Q"), "q");
}

static void a_name_that_is_far_from_all_is_near_to_none(void **state)
{
    assert_string_equal(nearest(""), "none");
    assert_string_equal(nearest("x"), "none"); /* all of q would be changed */
    assert_string_equal(nearest("service"), "none");
    assert_string_equal(nearest("sc"), "none");
    assert_string_equal(nearest("a name of more than thirty-two bytes, which is compared to none"),
                        "none");
}

static void of_several_the_nearest_counts(void **state)
{
    static const char *const names[] = {"cursors", "cursor", "curses"};

    assert_string_equal(nearest_name(SLICE_LITERAL("curso"), names, 3), "cursor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_with_a_few_mistakes_is_known),
        cmocka_unit_test(a_name_that_is_far_from_all_is_near_to_none),
        cmocka_unit_test(of_several_the_nearest_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
