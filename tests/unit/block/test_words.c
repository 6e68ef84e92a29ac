#include "block/words.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/buffer.h"
#include "base/text.h"

static void append_word(uint64_t hash, struct slice word, void *ctx)
{
    buffer_append_slice(ctx, word);
    buffer_append_char(ctx, '|');
}

/* The words of `text` once folded, with "|" behind each; valid until the next call. */
static const char *words_of(const char *text)
{
    static char folded[1024];
    static char memory[1024];
    struct buffer words;

    buffer_init_over(&words, memory, sizeof(memory));
    block_words(slice_of(folded, text_fold(slice_of_string(text), folded)), append_word, &words);
    buffer_append_char(&words, '\0');
    assert_int_equal(buffer_error(&words), 0);
    return memory;
}

static void words_are_runs_of_letters_digits_and_underlines(void **state)
{
    assert_string_equal(words_of(""), "");
    assert_string_equal(words_of("...  --"), "");
    assert_string_equal(words_of("Connection to db_1:5432 LOST"), "connection|to|db_1|5432|lost|");
    assert_string_equal(words_of("(ab)cd-ef"), "ab|cd|ef|");
    assert_string_equal(words_of("käse ßß 日本"), "käse|ßß|日本|");
    assert_string_equal(words_of("KELVIN \xe2\x84\xaa"
                                 "ELVIN \xc4\xb0i"),
                        "kelvin|kelvin|ii|");
}

static void what_is_in_nearly_every_block_has_no_hash(void **state)
{
    assert_string_equal(words_of("a 1 12 123 1234 12a b2 _"), "1234|b2|");
}

static void measures_have_no_hash(void **state)
{
    assert_string_equal(words_of("33784b 120ms 7_ 12345ab"), "");
    assert_string_equal(words_of("12abc 1a2 123456ab b33 0x1f"), "12abc|1a2|123456ab|b33|0x1f|");
}

static void remember_hash(uint64_t hash, struct slice word, void *ctx)
{
    *(uint64_t *)ctx = hash;
}

static uint64_t word_hash(const char *word)
{
    uint64_t hash = 0;

    block_words(slice_of_string(word), remember_hash, &hash);
    return hash;
}

static uint64_t value_hash(const char *name, const char *value)
{
    return block_value_hash(slice_of_string(name), slice_of_string(value));
}

static void hashes_differ_by_every_byte(void **state)
{
    static const char text[] = "a_rather_long_word_of_several_steps";

    for (size_t len = 2; len < sizeof(text); len++) {
        char one[sizeof(text)];
        char other[sizeof(text)];

        memcpy(one, text, len);
        one[len] = '\0';
        for (size_t i = 0; i < len; i++) {
            memcpy(other, one, sizeof(one));
            other[i] = 'z';
            assert_int_not_equal(word_hash(one), word_hash(other));
        }
        memcpy(other, one, len);
        other[len - 1] = '\0';
        assert_int_not_equal(word_hash(one), word_hash(other));
    }
}

static void values_are_of_their_attribute(void **state)
{
    assert_int_equal(value_hash("host", "web-1"), value_hash("host", "web-1"));
    assert_int_not_equal(value_hash("host", "web-1"), value_hash("hose", "web-1"));
    assert_int_not_equal(value_hash("host", "web-1"), value_hash("host", "web-2"));
    assert_int_not_equal(value_hash("ab", "c"), value_hash("a", "bc"));
    assert_int_not_equal(value_hash("", "host"), value_hash("host", ""));
    assert_int_not_equal(value_hash("", "host"), word_hash("host"));
}

/* They are in filters that are stored: who changes this changes the format. */
static void hashes_stay_what_they_are(void **state)
{
    assert_int_equal(word_hash("connection"), UINT64_C(0xbfa354bd2515d20));
    assert_int_equal(value_hash("trace_id", "0af7651916cd43dd8448eb211c80319c"),
                     UINT64_C(0x6f0b89412955ee51));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_runs_of_letters_digits_and_underlines),
        cmocka_unit_test(what_is_in_nearly_every_block_has_no_hash),
        cmocka_unit_test(measures_have_no_hash),
        cmocka_unit_test(hashes_differ_by_every_byte),
        cmocka_unit_test(values_are_of_their_attribute),
        cmocka_unit_test(hashes_stay_what_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
