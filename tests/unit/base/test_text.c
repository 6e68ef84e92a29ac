#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"

static struct slice s(const char *text)
{
    return slice_of_string(text);
}

static void assert_lower(const char *text, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 1024);
    text_append_lower(&b, s(text));
    assert_true(slice_equal(buffer_slice(&b), s(expected)));
    buffer_release(&b);
}

static void lower_case_is_unicodes_simple_mapping(void **state)
{
    assert_lower("", "");
    assert_lower("ABC xyz 123 [\\]^_`{|}", "abc xyz 123 [\\]^_`{|}");
    assert_lower("ÄÖÜ ÉÈ ŸŽ", "äöü éè ÿž");
    assert_lower("ΑΒΓΣ ПРИВЕТ", "αβγσ привет");
    assert_lower("ẞ\xe2\x84\xaa\xc4\xb0", "ßki");         /* sharp S, kelvin, I with a dot */
    assert_lower("\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"); /* Deseret, beyond the first plane */
    assert_lower("日本語 😀 ß", "日本語 😀 ß");
    assert_lower("a\xff\xc3Z", "a\xff\xc3z"); /* not UTF-8: kept */
}

static void texts_are_equal_without_case(void **state)
{
    assert_true(text_equal_nocase(s(""), s("")));
    assert_true(text_equal_nocase(s("INFO"), s("info")));
    assert_true(text_equal_nocase(s("Größe"), s("gRÖßE")));
    assert_true(text_equal_nocase(s("ẞ"), s("ß"))); /* of 3 and 2 bytes */
    assert_true(text_equal_nocase(s("\xe2\x84\xaa"), s("k")));
    assert_true(text_equal_nocase(s("k1"), s("\xe2\x84\xaa"
                                             "1")));
    assert_false(text_equal_nocase(s("info"), s("inf")));
    assert_false(text_equal_nocase(s("inf"), s("info")));
    assert_false(text_equal_nocase(s("a"), s("")));
    assert_false(text_equal_nocase(s("@"), s("`"))); /* 0x20 apart, but no letters */
    assert_false(text_equal_nocase(s("["), s("{")));
    assert_false(text_equal_nocase(s("ß"), s("ss")));
    assert_false(text_equal_nocase(s("é"), s("e")));
    assert_false(text_equal_nocase(s("aé"), s("aé!")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_case_is_unicodes_simple_mapping),
        cmocka_unit_test(texts_are_equal_without_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
