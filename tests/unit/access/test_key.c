#include "access/key.h"

#include <ctype.h>
#include <string.h>

#include "../cmocka_all.h"

static struct errbuf err;

static void a_key_is_known_by_its_form(void **state)
{
    char text[KEY_TEXT_SIZE];

    assert_int_equal(key_make(text, &err), 0);
    assert_int_equal(strlen(text), KEY_TEXT_LEN);
    assert_memory_equal(text, "lm_", 3);
    for (const char *c = text + 3; *c; c++)
        assert_true(isalnum((unsigned char)*c));
    assert_true(key_is_meant(slice_of_string(text)));
    assert_true(key_is_whole(slice_of_string(text)));
}

static void no_two_keys_are_alike(void **state)
{
    char texts[64][KEY_TEXT_SIZE];

    for (int i = 0; i < 64; i++) {
        assert_int_equal(key_make(texts[i], &err), 0);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(texts[i] + 3, texts[k] + 3, 12);
    }
}

static void every_sign_is_drawn(void **state)
{
    char text[KEY_TEXT_SIZE];
    bool drawn[256] = {false};
    int different = 0;

    for (int i = 0; i < 200; i++) {
        assert_int_equal(key_make(text, &err), 0);
        for (int k = 3; k < 3 + KEY_RANDOM_LEN; k++)
            drawn[(unsigned char)text[k]] = true;
    }
    for (int i = 0; i < 256; i++)
        different += drawn[i];
    assert_int_equal(different, 62);
}

static void a_mistyped_key_is_told_by_its_checksum(void **state)
{
    char text[KEY_TEXT_SIZE];

    assert_int_equal(key_make(text, &err), 0);
    for (int i = 3; i < KEY_TEXT_LEN; i++) {
        char was = text[i];

        text[i] = was == 'a' ? 'b' : 'a';
        assert_false(key_is_whole(slice_of_string(text)));
        text[i] = was;
    }
    assert_false(key_is_whole(slice_of(text, KEY_TEXT_LEN - 1)));
    assert_false(key_is_whole(slice_of(text, 0)));
    assert_true(key_is_whole(slice_of_string(text)));
}

static void signs_of_no_key_are_refused(void **state)
{
    char text[KEY_TEXT_SIZE];

    assert_int_equal(key_make(text, &err), 0);
    text[10] = '-';
    assert_false(key_is_whole(slice_of_string(text)));
    assert_true(key_is_meant(slice_of_string(text)));
    assert_false(key_is_meant(SLICE_LITERAL("lm_")));
    assert_false(key_is_meant(SLICE_LITERAL("token")));
}

static void the_digest_is_sha256(void **state)
{
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
    uint8_t digest[KEY_DIGEST_BYTES];

    assert_true(key_digest(SLICE_LITERAL("abc"), digest));
    assert_memory_equal(digest, abc, sizeof(abc));
    assert_true(key_digest(slice_of(NULL, 0), digest));
    assert_int_equal(digest[0], 0xe3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_known_by_its_form),
        cmocka_unit_test(no_two_keys_are_alike),
        cmocka_unit_test(every_sign_is_drawn),
        cmocka_unit_test(a_mistyped_key_is_told_by_its_checksum),
        cmocka_unit_test(signs_of_no_key_are_refused),
        cmocka_unit_test(the_digest_is_sha256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
