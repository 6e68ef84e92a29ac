#include "record/record.h"

#include <string.h>

#include "../cmocka_all.h"

static void assert_json(const struct record *r, const char *expected)
{
    struct buffer b;

    buffer_init(&b, 4096);
    record_append_json(&b, r);
    buffer_append_char(&b, '\0');
    assert_int_equal(buffer_error(&b), 0);
    assert_string_equal(b.data, expected);
    buffer_release(&b);
}

static void a_record_is_written_with_all_its_fields(void **state)
{
    struct record r = {
        .key.timestamp_us = 1700000000123456,
        .key.id = {{0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x7b, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0xff}},
        .level = SLICE_LITERAL("War\"n"),
        .message = SLICE_LITERAL("line 1\nline 2"),
        .attributes = SLICE_LITERAL("{\"a\":1}"),
    };

    assert_json(&r, "{\"id\":\"018bcfe5-687b-7000-8000-0000000000ff\","
                    "\"timestamp\":\"2023-11-14T22:13:20.123456Z\",\"level\":\"War\\\"n\","
                    "\"message\":\"line 1\\nline 2\",\"attributes\":{\"a\":1}}");
}

static void no_attributes_are_an_empty_object(void **state)
{
    struct record r = {.key.timestamp_us = -1};

    assert_json(&r, "{\"id\":\"00000000-0000-0000-0000-000000000000\","
                    "\"timestamp\":\"1969-12-31T23:59:59.999999Z\",\"level\":\"\","
                    "\"message\":\"\",\"attributes\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_written_with_all_its_fields),
        cmocka_unit_test(no_attributes_are_an_empty_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
