#include "listen/leaving.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"

static const struct stream_left left = {
    .has_waited = true,
    .bits = {UINT64_C(0x0123456789abcdef), 7},
    .number = UINT64_C(1) << 40,
    .arrival_us = -5,
    .session = {.data = "sess", .len = 4},
    .bytes = {.data = "<14>half a mess\0age", .len = 19},
};

static void a_connection_is_read_as_it_was_written(void **state)
{
    struct stream_left got;
    struct buffer text;

    buffer_init(&text, 1024);
    stream_left_write(&left, &text);
    assert_int_equal(buffer_error(&text), 0);
    assert_true(stream_left_read(&got, buffer_slice(&text), 4));
    assert_true(got.has_waited);
    assert_memory_equal(got.bits, left.bits, sizeof(got.bits));
    assert_int_equal(got.number, left.number);
    assert_int_equal(got.arrival_us, left.arrival_us);
    assert_int_equal(got.session.len, 4);
    assert_memory_equal(got.session.data, "sess", 4);
    assert_int_equal(got.bytes.len, 19);
    assert_memory_equal(got.bytes.data, left.bytes.data, 19);
    buffer_release(&text);
}

static void another_format_version_or_a_cut_is_none(void **state)
{
    struct stream_left got;
    struct buffer text;

    buffer_init(&text, 1024);
    stream_left_write(&left, &text);
    for (size_t session = 0; session < 300; session++)
        assert_int_equal(stream_left_read(&got, buffer_slice(&text), session), session == 4);
    for (size_t len = 0; len < text.len; len++) { /* in memory of its own, for sanitizers to see */
        char *part = malloc(len + 1);

        memcpy(part, text.data, len);
        assert_int_equal(stream_left_read(&got, slice_of(part, len), 4), len >= text.len - 19);
        free(part);
    }
    text.data[0]++;
    assert_false(stream_left_read(&got, buffer_slice(&text), 4));
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_read_as_it_was_written),
        cmocka_unit_test(another_format_version_or_a_cut_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
