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

static void a_pattern_is_told_from_others(void **state)
{
    static const struct slice pattern = SLICE_LITERAL("took <*> ms of <*>");

    (void)state;
    assert_true(pattern_is_of(pattern, SLICE_LITERAL("took 12 ms of 10.0.0.1:80")));
    assert_false(pattern_is_of(pattern, SLICE_LITERAL("took 12 ms of v2")));
    assert_false(pattern_is_of(pattern, SLICE_LITERAL("took 12 ms of 5 s")));
    assert_false(pattern_is_of(pattern, SLICE_LITERAL("Took 12 ms of 5")));
    assert_true(pattern_is_of(SLICE_LITERAL(""), SLICE_LITERAL("")));
    assert_false(pattern_is_of(SLICE_LITERAL(""), SLICE_LITERAL("a")));
}

static void the_longest_pieces_are_in_each_message_of_it(void **state)
{
    struct slice pieces[PATTERN_PIECES_MAX];

    (void)state;
    assert_int_equal(pattern_pieces(SLICE_LITERAL("<*>a<*>bbb<*>cc<*>ddddd<*>eeee…"), pieces), 4);
    assert_true(slice_equal(pieces[0], SLICE_LITERAL("ddddd")));
    assert_true(slice_equal(pieces[1], SLICE_LITERAL("eeee")));
    assert_true(slice_equal(pieces[2], SLICE_LITERAL("bbb")));
    assert_true(slice_equal(pieces[3], SLICE_LITERAL("cc")));
    assert_int_equal(pattern_pieces(SLICE_LITERAL("<*><*>"), pieces), 0);
    assert_int_equal(pattern_pieces(SLICE_LITERAL(""), pieces), 0);
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
        cmocka_unit_test(a_pattern_is_told_from_others),
        cmocka_unit_test(the_longest_pieces_are_in_each_message_of_it),
        cmocka_unit_test(long_messages_are_cut_between_characters),
        cmocka_unit_test(many_numbers_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
