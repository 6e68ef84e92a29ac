#include "base/base64.h"

#include "../cmocka_all.h"

static struct buffer b;

/* The test vectors of RFC 4648, section 10, and all values of a digit. */
static const char *const PAIRS[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\x14\xfb\x9c\x03\xd9\x7e", "FPucA9l+"},
    {"\xff\xff\xfe", "///+"},
};

static void bytes_become_text_and_bytes_again(void **state)
{
    buffer_init(&b, 64);
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(*PAIRS); i++) {
        struct slice bytes = slice_of_string(PAIRS[i][0]), text = slice_of_string(PAIRS[i][1]);

        buffer_clear(&b);
        base64_append(&b, bytes);
        assert_true(slice_equal(buffer_slice(&b), text));
        buffer_clear(&b);
        assert_int_equal(base64_append_decoded(&b, text), 0);
        assert_true(slice_equal(buffer_slice(&b), bytes));
    }
    buffer_release(&b);
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {
        "Z", "Zg=", "Zg", "Z===", "====", "Zg==Zg==", "Zm9-", "Z g="};

    buffer_init(&b, 64);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_int_equal(base64_append_decoded(&b, slice_of_string(texts[i])), LM_EINVAL);
    assert_int_equal(base64_append_decoded(&b, SLICE_LITERAL("Zm9\0")), LM_EINVAL);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_text_and_bytes_again),
        cmocka_unit_test(other_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
