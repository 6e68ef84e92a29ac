#include "base/hex.h"

#include <string.h>

#include "../cmocka_all.h"

static void digits_of_both_cases_have_a_value_and_nothing_else_has(void **state)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";

    for (int c = -128; c < 128; c++) {
        const char *digit = c ? strchr(digits, c) : NULL;
        int value = -1;

        if (digit)
            value = (int)(digit - digits) % 16;
        assert_int_equal(hex_value((char)c), value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_of_both_cases_have_a_value_and_nothing_else_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
