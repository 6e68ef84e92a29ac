/* Texts of JSON one behind the other (json/reader.h). */
#include "json/reader.h"

#include "../cmocka_all.h"

static void assert_cuts(const char *text, const char *const *want)
{
    struct slice rest = slice_of_string(text);

    for (; *want; want++) {
        struct slice cut = json_cut(&rest);

        assert_int_equal(cut.len, strlen(*want));
        assert_memory_equal(cut.data, *want, cut.len);
    }
    assert_int_equal(json_cut(&rest).len, 0);
    assert_int_equal(rest.len, 0);
}

#define CUTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void texts_are_cut_by_brackets_and_quotes(void **state)
{
    (void)state;
    assert_cuts("", CUTS(""));
    assert_cuts(" \r\n\t", CUTS(""));
    assert_cuts("{\"a\":1}{\"b\":[{}]}\n [1] {}", CUTS("{\"a\":1}", "{\"b\":[{}]}", "[1]", "{}"));
    assert_cuts("{\"}\\\"\\\\\":\"{[\"}{}", CUTS("{\"}\\\"\\\\\":\"{[\"}", "{}"));
    assert_cuts("{]{}", CUTS("{]", "{}"));
    assert_cuts("{} x {}", CUTS("{}", "x {}"));
    assert_cuts("{}{\"a", CUTS("{}", "{\"a"));
    assert_cuts("{\"a\\", CUTS("{\"a\\"));
    assert_cuts("{{}", CUTS("{{}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_by_brackets_and_quotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
