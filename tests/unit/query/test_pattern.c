#include "query/pattern.h"

#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/utf8.h"
#include "query/split.h"

static void assert_pattern(const char *message, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    pattern_append(&b, slice_of_string(message));
    buffer_append(&b, "", 1);
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static void numbers_and_ids_are_taken_out(void **state)
{
    (void)state;
    assert_pattern("", "");
    assert_pattern("nothing varies", "nothing varies");
    assert_pattern("took 12 ms", "took <*> ms");
    assert_pattern("took 12.5ms of 2026-01-01T10:00:00.123Z", "took <*>ms of <*>Z");
    assert_pattern("user 0196e1a2-7e1a-7000-8000-0123456789ab of 10.0.0.1:8080 left",
                   "user <*> of <*> left");
    assert_pattern("v2 of api, 3 items", "v2 of api, <*> items");
    assert_pattern("größe 4 €", "größe <*> €");
}

static void long_messages_are_cut_between_characters(void **state)
{
    char message[4000];
    struct buffer b;

    (void)state;
    for (size_t shift = 0; shift < 5; shift++) {
        memset(message, 'x', sizeof(message));
        for (size_t i = shift; i + 3 < sizeof(message); i += 3)
            memcpy(message + i, "€", 3);
        buffer_init(&b, 1 << 20);
        pattern_append(&b, slice_of(message, sizeof(message) - 3));
        assert_true(b.len <= LOG_PATTERN_BYTES_MAX + 3 && b.len > LOG_PATTERN_BYTES_MAX - 3);
        assert_true(utf8_valid(buffer_slice(&b)));
        assert_memory_equal(b.data + b.len - 3, "…", 3);
        buffer_release(&b);
    }
}

/* Digits without end: the skeleton is cut, not the text. */
static void many_numbers_end_it(void **state)
{
    char message[4000];
    struct buffer b;

    (void)state;
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = i % 2 ? ' ' : '7';
    buffer_init(&b, 1 << 20);
    pattern_append(&b, slice_of(message, sizeof(message)));
    assert_true(b.len < 600);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_ids_are_taken_out),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(many_numbers_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
