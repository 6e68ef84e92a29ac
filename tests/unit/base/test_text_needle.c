#include "base/text_needle.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/text.h"

static struct slice s(const char *text)
{
    return slice_of_string(text);
}

/* Folds into memory of its own, exactly as large as it may be: ASan sees a byte too many. */
static struct slice fold(struct slice text)
{
    char *out = malloc(TEXT_FOLD_GROWTH * text.len + (text.len == 0));
    size_t len = text_fold(text, out);

    assert_true(len <= TEXT_FOLD_GROWTH * text.len);
    char *exact = malloc(len + (len == 0));
    memcpy(exact, out, len);
    free(out);
    return slice_of(exact, len);
}

static void drop(struct slice folded)
{
    free((char *)folded.data);
}

static bool contains_in_steps(struct slice text, struct slice needle, uint64_t *steps)
{
    struct slice folded = fold(text);
    struct slice folded_needle = fold(needle);
    struct text_needle n;

    text_needle_init(&n, folded_needle);
    bool found = text_needle_is_in(&n, folded, steps);
    drop(folded_needle);
    drop(folded);
    return found;
}

static bool contains(struct slice text, struct slice needle)
{
    uint64_t steps = 0;

    return contains_in_steps(text, needle, &steps);
}

static void parts_are_found_without_case(void **state)
{
    assert_true(contains(s(""), s("")));
    assert_true(contains(s("abc"), s("")));
    assert_false(contains(s(""), s("a")));
    assert_true(contains(s("abc"), s("ABC")));
    assert_true(contains(s("The Connection was RESET"), s("connection WAS")));
    assert_true(contains(s("xxAbAbC"), s("ababc")));
    assert_false(contains(s("ab"), s("abc")));
    assert_true(contains(s("Straße in KÖLN"), s("köln")));
    assert_true(contains(s("STRAẞE"), s("straße")));
    assert_false(contains(s("STRAẞE"), s("strasse")));
    assert_true(contains(s("日本語ログ"), s("語ロ")));
    assert_false(contains(s("日本語"), s("本日")));
    assert_true(contains(s("10 \xe2\x84\xaa cold"), s("10 k")));
    assert_true(contains(s("\xc4\xb0stanbul"), s("ISTAN")));
    assert_true(contains(s("a zero \0 byte"), s("A ZERO")));
}

static void bytes_that_are_not_utf8_equal_only_themselves(void **state)
{
    assert_false(contains(s("é"), s("\xa9"))); /* not from the middle of a character */
    assert_false(contains(s("é"), s("\xc3"))); /* nor its beginning */
    assert_true(contains(s("a\xc3"), s("A\xc3")));
    assert_true(contains(s("\xff\xfe"), s("\xfe")));
    assert_false(contains(s("\xff"), s("\xfe")));
    assert_false(contains(s("\xe9"), s("\xc9")));  /* no Latin-1 */
    assert_false(contains(s("\xc1\x81"), s("A"))); /* a long form of it */
    assert_false(contains(s("\xe0\x81\x81"), s("A")));
    assert_true(contains(s("x\xed\xa0\x80"), s("\xed\xa0\x80"))); /* a surrogate: three bytes */
    assert_true(contains(s("x\xed\xa0\x80"), s("\xa0")));
    assert_false(contains(s("\xf8\x80"), s("\xfc\x80"))); /* as folding writes such bytes */
}

/* ---- The obvious way, to compare with ---- */

/* Whether `text` begins with all of `needle`: by every character's own folded form. */
static bool begins_with(struct slice text, const size_t *ends, size_t from, struct slice needle,
                        const size_t *needle_ends, size_t needle_len)
{
    for (size_t i = 0; i < needle_len; i++) {
        size_t start = from + i ? ends[from + i - 1] : 0;
        size_t needle_start = i ? needle_ends[i - 1] : 0;
        if (!text_equal_nocase(slice_of(text.data + start, ends[from + i] - start),
                               slice_of(needle.data + needle_start, needle_ends[i] - needle_start)))
            return false;
    }
    return true;
}

struct text {
    char bytes[512];
    size_t ends[128]; /* of its characters */
    size_t characters;
    size_t len;
};

static bool contains_slowly(const struct text *text, const struct text *needle)
{
    for (size_t from = 0; from + needle->characters <= text->characters; from++)
        if (begins_with(slice_of(text->bytes, text->len), text->ends, from,
                        slice_of(needle->bytes, needle->len), needle->ends, needle->characters))
            return true;
    return false;
}

/* Few letters, so that much is found; half of the texts are ASCII only, some with broken bytes. */
static void make_text(unsigned *seed, struct text *text, size_t max_characters)
{
    static const char *const letters[] = {"a",        "A", "b", "B",    "k",    "K", "i",
                                          "I",        "é", "É", "\xff", "\xfc", "ß", "\xe2\x84\xaa",
                                          "\xc4\xb0", "ẞ"};
    static const size_t choices[] = {2, 4, 8, 16};
    size_t n = (size_t)rand_r(seed) % (max_characters + 1);
    size_t choice = choices[rand_r(seed) % 4];

    text->len = 0;
    text->characters = n;
    for (size_t i = 0; i < n; i++) {
        const char *letter = letters[(size_t)rand_r(seed) % choice];
        memcpy(text->bytes + text->len, letter, strlen(letter));
        text->len += strlen(letter);
        text->ends[i] = text->len;
    }
}

static void every_text_is_found_where_the_obvious_way_finds_it(void **state)
{
    unsigned seed = 1;
    unsigned found = 0;

    for (int i = 0; i < 200000; i++) {
        struct text text, needle;

        make_text(&seed, &text, i % 3 ? 30 : 120);
        make_text(&seed, &needle, i % 5 ? 4 : 20);
        bool expected = contains_slowly(&text, &needle);
        found += expected;
        assert_int_equal(
            contains(slice_of(text.bytes, text.len), slice_of(needle.bytes, needle.len)), expected);
    }
    assert_true(found > 20000 && found < 180000);
}

/* Words over two letters, each in each: all ways in which a text can overlap with itself. */
static void every_short_word_is_found_in_every_other(void **state)
{
    char word[16];
    char in[16];

    for (unsigned m = 1; m <= 7; m++)
        for (unsigned bits = 0; bits < 1u << m; bits++) {
            struct text_needle n;
            for (unsigned i = 0; i < m; i++)
                word[i] = bits >> i & 1 ? 'b' : 'a';
            text_needle_init(&n, slice_of(word, m));
            for (unsigned text = 0; text < 1u << 12; text += 1 + text % 3) {
                uint64_t steps = 0;
                for (unsigned i = 0; i < 12; i++)
                    in[i] = text >> i & 1 ? 'b' : 'a';
                assert_int_equal(text_needle_is_in(&n, slice_of(in, 12), &steps),
                                 memmem(in, 12, word, m) ? 1 : 0);
            }
        }
}

/* ---- Cost ---- */

static struct slice repeat(const char *piece, size_t len)
{
    char *text = malloc(len);
    size_t n = strlen(piece);

    for (size_t i = 0; i < len; i++)
        text[i] = piece[i % n];
    return slice_of(text, len);
}

/* The steps that it takes to find `needle` in `len` bytes of `piece` again and again. */
static uint64_t cost(const char *piece, size_t len, struct slice needle, bool expected)
{
    struct slice text = repeat(piece, len);
    uint64_t steps = 0;

    assert_int_equal(contains_in_steps(text, needle, &steps), expected);
    drop(text);
    return steps;
}

/* A needle of `len` bytes of `piece` between `first` and `last`. */
static struct slice needle_of(const char *first, const char *piece, size_t len, const char *last)
{
    struct slice body = repeat(piece, len);
    size_t first_len = strlen(first);
    char *text = malloc(first_len + len + strlen(last));

    memcpy(text, first, first_len);
    memcpy(text + first_len, body.data, len);
    memcpy(text + first_len + len, last, strlen(last));
    drop(body);
    return slice_of(text, first_len + len + strlen(last));
}

static void assert_linear(const char *piece, struct slice needle)
{
    for (size_t len = 6000; len <= 600000; len *= 10) {
        struct slice text = repeat(piece, len);
        struct slice folded = fold(text);
        uint64_t steps = 0;

        contains_in_steps(text, needle, &steps);
        assert_true(steps <= 6 * folded.len + 64);
        drop(folded);
        drop(text);
    }
}

static void a_search_costs_six_steps_a_byte_at_most(void **state)
{
    static const struct {
        const char *text, *needle, *odd; /* the needle: this again and again, odd at one end */
    } attacks[] = {
        {"a", "a", "b"},        {"a", "a", "z"},        {"ab", "ab", "b"},
        {"ab", "ab", "c"},      {"é", "é", "e"},        {"É", "é", "z"},
        {"aab", "aab", "a"},    {"aaab", "aaa", "c"},   {"abaab", "abaab", "q"},
        {"日本", "日本", "語"}, {"zzzzzzzy", "z", "x"}, {"qa", "aq", "aa"},
    };

    for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
        for (size_t len = 12; len <= 1800; len *= 5) {
            struct slice odd_last = needle_of("", attacks[i].needle, len, attacks[i].odd);
            struct slice odd_first = needle_of(attacks[i].odd, attacks[i].needle, len, "");

            assert_linear(attacks[i].text, odd_last);
            assert_linear(attacks[i].text, odd_first);
            drop(odd_last);
            drop(odd_first);
        }
}

static void the_length_of_a_needle_does_not_multiply_the_cost(void **state)
{
    struct slice short_needle = needle_of("", "é", 20, "x");
    struct slice long_needle = needle_of("", "é", 1800, "x"); /* 900 letters */
    uint64_t few = cost("é", 10000, short_needle, false);
    uint64_t many = cost("é", 10000, long_needle, false);

    assert_true(few > 0 && many <= 2 * few);
    drop(short_needle);
    drop(long_needle);
}

static void an_ordinary_search_costs_a_step_for_some_bytes(void **state)
{
    uint64_t steps = cost("GET /api/users/4711 took 15 ms; ", 10000, s("timeout"), false);

    assert_true(steps < 10000 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_without_case),
        cmocka_unit_test(bytes_that_are_not_utf8_equal_only_themselves),
        cmocka_unit_test(every_text_is_found_where_the_obvious_way_finds_it),
        cmocka_unit_test(every_short_word_is_found_in_every_other),
        cmocka_unit_test(a_search_costs_six_steps_a_byte_at_most),
        cmocka_unit_test(the_length_of_a_needle_does_not_multiply_the_cost),
        cmocka_unit_test(an_ordinary_search_costs_a_step_for_some_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
