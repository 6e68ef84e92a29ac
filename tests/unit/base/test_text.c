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

static void parts_are_found_without_case(void **state)
{
    assert_true(text_contains_nocase(s(""), s("")));
    assert_true(text_contains_nocase(s("abc"), s("")));
    assert_false(text_contains_nocase(s(""), s("a")));
    assert_true(text_contains_nocase(s("abc"), s("ABC")));
    assert_true(text_contains_nocase(s("The Connection was RESET"), s("connection WAS")));
    assert_true(text_contains_nocase(s("xxAbAbC"), s("ababc")));
    assert_true(text_contains_nocase(s("aab"), s("ab")));
    assert_false(text_contains_nocase(s("ab"), s("abc")));
    assert_false(text_contains_nocase(s("abd abd abd"), s("abc")));
    assert_true(text_contains_nocase(s("Straße in KÖLN"), s("köln")));
    assert_true(text_contains_nocase(s("STRAẞE"), s("straße")));
    assert_true(text_contains_nocase(s("日本語ログ"), s("語ロ")));
    assert_false(text_contains_nocase(s("日本語"), s("本日")));
    assert_true(text_contains_nocase(s("10 \xe2\x84\xaa cold"), s("10 k")));
    assert_true(text_contains_nocase(s("\xc4\xb0stanbul"), s("ISTAN")));
    assert_false(text_contains_nocase(s("é"), s("\xa9"))); /* not from the middle of a character */
}

/* The obvious way, to compare with. */
static bool contains_slowly(struct slice haystack, struct slice needle)
{
    struct buffer a;
    struct buffer b;

    buffer_init(&a, 4096);
    buffer_init(&b, 4096);
    text_append_lower(&a, haystack);
    text_append_lower(&b, needle);
    bool found = needle.len == 0 || (a.len > 0 && memmem(a.data, a.len, b.data, b.len));
    buffer_release(&a);
    buffer_release(&b);
    return found;
}

static struct slice random_text(unsigned *seed, char *out, size_t max_characters)
{
    static const char *const letters[] = {"a",        "A", "b", "B", "k", "K",
                                          "i",        "I", " ", "é", "É", "\xe2\x84\xaa",
                                          "\xc4\xb0", "ß", "ẞ"};
    size_t n = (size_t)rand_r(seed) % (max_characters + 1);
    size_t ascii = (size_t)rand_r(seed) % 2; /* half of the texts are ASCII only */
    size_t choice = ascii ? 9 : sizeof(letters) / sizeof(*letters);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        const char *letter = letters[(size_t)rand_r(seed) % choice];
        memcpy(out + len, letter, strlen(letter));
        len += strlen(letter);
    }
    return slice_of(out, len);
}

static void every_way_of_searching_agrees(void **state)
{
    unsigned seed = 1;
    char a[64 * 3];
    char b[4 * 3];

    for (int i = 0; i < 50000; i++) {
        struct slice haystack = random_text(&seed, a, 30);
        struct slice needle = random_text(&seed, b, 4);
        assert_int_equal(text_contains_nocase(haystack, needle), contains_slowly(haystack, needle));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_case_is_unicodes_simple_mapping),
        cmocka_unit_test(texts_are_equal_without_case),
        cmocka_unit_test(parts_are_found_without_case),
        cmocka_unit_test(every_way_of_searching_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
