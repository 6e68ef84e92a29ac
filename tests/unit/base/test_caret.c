#include "base/caret.h"

#include "../cmocka_all.h"

static void shows(struct slice text, size_t offset, size_t len, size_t max, const char *expected)
{
    struct buffer b;

    buffer_init_small(&b);
    buffer_append_string(&b, "  ");
    caret_append(&b, text, offset, len, max);
    buffer_append_char(&b, '\0');
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static void a_caret_is_below_what_is_meant(void **state)
{
    (void)state;
    shows(SLICE_LITERAL("status:>=x50"), 7, 5, 72, "  status:>=x50\n         ^~~~~");
    shows(SLICE_LITERAL("a"), 0, 1, 72, "  a\n  ^");
    shows(SLICE_LITERAL("(a"), 2, 0, 72, "  (a\n    ^");
}

static void characters_are_counted_and_no_bytes(void **state)
{
    (void)state;
    shows(slice_of_string("größe:€€"), 8, 6, 72, "  größe:€€\n        ^~");
    shows(SLICE_LITERAL("a\nb c"), 4, 1, 72, "  a␊b c\n      ^");
}

static void of_a_long_text_what_is_around_is_shown_in_whole_characters(void **state)
{
    (void)state;
    shows(SLICE_LITERAL("0123456789abcdefghij"), 10, 20, 8, "  6789abcd\n      ^~~~");
    shows(slice_of_string("ääääxääää"), 8, 1, 6, "  ääx\n    ^");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caret_is_below_what_is_meant),
        cmocka_unit_test(characters_are_counted_and_no_bytes),
        cmocka_unit_test(of_a_long_text_what_is_around_is_shown_in_whole_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
