#include "base/visible.h"

#include "../cmocka_all.h"

static void shows(struct slice text, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 4096);
    visible_append(&b, text);
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static void what_controls_a_terminal_becomes_a_sign(void **state)
{
    shows(SLICE_LITERAL("\x1b]0;title\x07 \x1b[31mred"), "␛]0;title␇ ␛[31mred");
    shows(SLICE_LITERAL("one\r\ntwo\x7f\0three"), "one␍␊two␡␀three");
    shows(SLICE_LITERAL("c1 \xc2\x9b"
                        "31m"),
          "c1 ‹U+009B›31m");
}

static void what_turns_or_hides_text_becomes_a_sign(void **state)
{
    shows(slice_of_string("\u202Egnp.exe"), "‹U+202E›gnp.exe");
    shows(slice_of_string("a\u200Bb\uFEFF"), "a‹U+200B›b‹U+FEFF›");
}

static void other_text_stays(void **state)
{
    shows(slice_of_string("tab\tumlaut ä, €, 😀"), "tab\tumlaut ä, €, 😀");
}

static void bytes_that_are_not_utf8_are_replaced_one_by_one(void **state)
{
    shows(SLICE_LITERAL("\xff"
                        "a\xc3"),
          "�a�");
    shows(SLICE_LITERAL("\xe2\x82"
                        "x\xed\xa0\x80"),
          "��x���");
}

static void lines_stay_and_are_indented(void **state)
{
    struct buffer b;

    buffer_init(&b, 4096);
    visible_append_lines(&b,
                         SLICE_LITERAL("one\r\ntwo\t\x1b[31m\x7f\n\xc2\x9b"
                                       "31m \xe2\x82x ä"),
                         "  ");
    visible_append_lines(&b, slice_of_string("\u202Egnp \u200B"), "");
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, "one␍\n  two\t␛[31m␡\n  \\u009b31m �x ä"
                                "\\u202egnp \u200B");
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_controls_a_terminal_becomes_a_sign),
        cmocka_unit_test(what_turns_or_hides_text_becomes_a_sign),
        cmocka_unit_test(other_text_stays),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_one_by_one),
        cmocka_unit_test(lines_stay_and_are_indented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
