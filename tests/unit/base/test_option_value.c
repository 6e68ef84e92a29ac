#include "base/option_value.h"

#include "../cmocka_all.h"

static void a_choice_is_one_whole_name(void **state)
{
    assert_true(option_value_is_choice("auto|plain|json", "auto"));
    assert_true(option_value_is_choice("auto|plain|json", "json"));
    assert_false(option_value_is_choice("auto|plain|json", "plai"));
    assert_false(option_value_is_choice("auto|plain|json", "plain|json"));
    assert_false(option_value_is_choice("auto|plain|json", ""));
}

static void a_number_is_of_digits_alone(void **state)
{
    static const char *const bad[] = {"",   "-1", "+1",   " 1",
                                      "1 ", "1k", "0x10", "18446744073709551616"};
    uint64_t number = 0;

    assert_true(option_value_parse_number("18446744073709551615", &number));
    assert_true(number == UINT64_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(option_value_parse_number(bad[i], &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_choice_is_one_whole_name),
        cmocka_unit_test(a_number_is_of_digits_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
