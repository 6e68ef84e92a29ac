#include "block/spelling.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/utf8.h"
#include "json/writer.h"

static void what_we_write_is_plain(void **state)
{
    char memory[64];
    struct buffer b;

    for (uint32_t code = 0; code < 0x11000; code++) {
        char text[UTF8_LEN_MAX];

        if (code >= 0xd800 && code < 0xe000)
            continue;
        buffer_init_over(&b, memory, sizeof(memory));
        json_append_string(&b, slice_of(text, utf8_write(code, text)));
        assert_int_equal(buffer_error(&b), 0);
        assert_true(block_string_is_plain(slice_of(b.data + 1, b.len - 2)));
    }
    assert_true(block_string_is_plain(slice_of(NULL, 0)));
    assert_true(block_string_is_plain(SLICE_LITERAL("C:\\\\users\\\"x\\n\\u001b[0m")));
}

static void other_spellings_are_not(void **state)
{
    static const char *const others[] = {
        "\\/",     "\\u0061", "\\u001B",   "\\u000a",        "\\u0022", "\\u005c", "\\u00e9",
        "\\ufffd", "\\uFFFE", "a\\\\\\/b", "\\ud83d\\ude00", "\\",      "\\u00",   "\\u001"};

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(block_string_is_plain(slice_of_string(others[i])));
    assert_false(block_string_is_plain(slice_of("\\\0", 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_write_is_plain),
        cmocka_unit_test(other_spellings_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
