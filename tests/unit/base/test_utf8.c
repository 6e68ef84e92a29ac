/* Characters of UTF-8, and what is none. */
#include "base/utf8.h"

#include <string.h>

#include "../cmocka_all.h"

static void each_character_is_read_as_it_was_written(void **state)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char text[UTF8_LEN_MAX];
        size_t len = utf8_write(code, text);
        uint32_t read;

        assert_int_equal(len, code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
        size_t n = utf8_read(slice_of(text, len), &read);
        if (code >= 0xd800 && code <= 0xdfff) { /* surrogates are none */
            assert_int_equal(n, 1);
            assert_int_equal(read, UTF8_NONE);
        } else {
            assert_int_equal(n, len);
            assert_int_equal(read, code);
        }
        if (len > 1) { /* without its end it is none, and all of what is there stands for one */
            n = utf8_read(slice_of(text, len - 1), &read);
            assert_int_equal(read, UTF8_NONE);
            assert_int_equal(n, code >= 0xd800 && code <= 0xdfff ? 1 : len - 1);
        }
    }
}

static void is_none(const char *text, size_t len)
{
    uint32_t code;

    assert_int_equal(utf8_read(slice_of_string(text), &code), len);
    assert_int_equal(code, UTF8_NONE);
    assert_false(utf8_valid(slice_of_string(text)));
}

static void what_could_not_go_on_ends_at_once(void **state)
{
    is_none("\x80", 1);
    is_none("\xc0\x80", 1); /* two bytes for what has one */
    is_none("\xc1\xbf", 1);
    is_none("\xe0\x9f\xbf", 1); /* three for what has two */
    is_none("\xed\xa0\x80", 1); /* a surrogate */
    is_none("\xf0\x8f\xbf\xbf", 1);
    is_none("\xf4\x90\x80\x80", 1); /* past U+10FFFF */
    is_none("\xf5\x80\x80\x80", 1);
    is_none("\xff", 1);
    is_none("\xe2\x82x", 2);
    is_none("\xf0\x9f\x98x", 3);
}

static void repaired(struct slice text, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 4096);
    utf8_append_repaired(&b, text);
    assert_true(slice_equal(buffer_slice(&b), slice_of_string(expected)));
    buffer_release(&b);
}

static void what_is_not_utf8_becomes_a_sign_for_each_part(void **state)
{
    repaired(slice_of_string("as it is: ä €"), "as it is: ä €");
    repaired(slice_of_string("\xe2\x82x\xed\xa0\x80"), "�x���");
    repaired(slice_of_string("twelve bytes\xf0\x9f\x98"), "twelve bytes�");
    assert_int_equal(utf8_valid_prefix(slice_of_string("twelve bytes\xff")), 12);
    assert_int_equal(utf8_valid_prefix(slice_of_string("")), 0);
}

static void what_is_valid_ends_at_the_byte_that_is_not(void **state)
{
    char text[100];

    for (size_t at = 0; at < sizeof(text); at++) {
        memset(text, 'x', sizeof(text));
        assert_true(utf8_valid(slice_of(text, at)));
        text[at] = '\xff';
        assert_int_equal(utf8_valid_prefix(slice_of(text, sizeof(text))), at);
        if (at + 2 > sizeof(text))
            continue;
        memcpy(text + at, "\xc3\xa4", 2);
        assert_true(utf8_valid(slice_of(text, sizeof(text))));
        assert_int_equal(utf8_valid_prefix(slice_of(text, at + 1)), at);
    }
}

static void a_cut_is_between_characters(void **state)
{
    const struct slice text = SLICE_LITERAL("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98");
    static const size_t lens[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

    (void)state;
    for (size_t max = 0; max < sizeof(lens) / sizeof(lens[0]); max++)
        assert_int_equal(utf8_cut(text, max).len, lens[max]);
    assert_int_equal(utf8_cut(SLICE_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80"), 6).len, 2);
}

static void characters_are_counted_and_begin_where_they_do(void **state)
{
    const struct slice text = SLICE_LITERAL("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98");
    static const size_t begins[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

    (void)state;
    assert_int_equal(utf8_count(text), 4);
    assert_int_equal(utf8_count(SLICE_LITERAL("")), 0);
    for (size_t i = 0; i <= text.len; i++)
        assert_int_equal(utf8_begin(text, i), begins[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_character_is_read_as_it_was_written),
        cmocka_unit_test(what_could_not_go_on_ends_at_once),
        cmocka_unit_test(what_is_not_utf8_becomes_a_sign_for_each_part),
        cmocka_unit_test(what_is_valid_ends_at_the_byte_that_is_not),
        cmocka_unit_test(a_cut_is_between_characters),
        cmocka_unit_test(characters_are_counted_and_begin_where_they_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
