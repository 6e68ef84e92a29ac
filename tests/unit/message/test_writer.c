#include "message/writer.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"

#define EMPTY "{\"v\":1,\"logs\":[]}"

static const enum message_version versions[] = {MESSAGE_V1, MESSAGE_V2};

static struct record record_of(const char *message)
{
    return (struct record){.level = SLICE_LITERAL("info"), .message = slice_of_string(message)};
}

/* The text that a record adds to a batch. */
static struct slice text_of(const struct record *r, struct buffer *b)
{
    buffer_clear(b);
    record_append_json(b, r);
    return buffer_slice(b);
}

static void assert_text(struct batch *b, const char *expected)
{
    struct slice text = batch_finish(b);

    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static void check_a_part_of_a_batch_is_what_its_records_alone_make(enum message_version version)
{
    const char *const messages[] = {"one", "two", "three", "four"};
    struct batch_mark marks[5];
    struct batch whole;
    struct batch part;
    struct batch alone;

    batch_init(&whole, version, 4096);
    batch_init(&part, version, 4096);
    batch_init(&alone, version, 4096);
    marks[0] = batch_mark(&whole);
    for (size_t i = 0; i < 4; i++) {
        struct record r = record_of(messages[i]);

        assert_int_equal(batch_append(&whole, &r), 0);
        marks[i + 1] = batch_mark(&whole);
    }
    for (size_t from = 0; from <= 4; from++) {
        for (size_t to = from; to <= 4; to++) {
            batch_clear(&part);
            batch_clear(&alone);
            for (size_t i = from; i < to; i++) {
                struct record r = record_of(messages[i]);

                assert_int_equal(batch_append(&alone, &r), 0);
            }
            assert_int_equal(batch_append_part(&part, &whole, marks[from], marks[(from + to) / 2]),
                             0);
            assert_int_equal(batch_append_part(&part, &whole, marks[(from + to) / 2], marks[to]),
                             0);
            assert_int_equal(part.count, to - from);
            assert_true(slice_equal(batch_finish(&part), batch_finish(&alone)));
        }
    }
    batch_release(&alone);
    batch_init(&alone, version, 40);
    assert_int_equal(batch_append_part(&alone, &whole, marks[0], marks[2]), LM_ETOOBIG);
    assert_int_equal(alone.count, 0);
    batch_release(&whole);
    batch_release(&part);
    batch_release(&alone);
}

static void a_part_of_a_batch_is_what_its_records_alone_make(void **state)
{
    for (size_t i = 0; i < 2; i++)
        check_a_part_of_a_batch_is_what_its_records_alone_make(versions[i]);
}

static void a_finished_batch_is_the_text_of_a_message(void **state)
{
    struct record one = record_of("one");
    struct record two = record_of("two");
    struct buffer text;
    struct batch b;
    char expected[1024];
    char first[512];

    buffer_init(&text, 4096);
    batch_init(&b, MESSAGE_V1, 4096);
    assert_text(&b, EMPTY);
    assert_int_equal(batch_append(&b, &one), 0);
    snprintf(first, sizeof(first), "%.*s", SLICE_ARG(text_of(&one, &text)));
    snprintf(expected, sizeof(expected), "{\"v\":1,\"logs\":[%s]}", first);
    assert_text(&b, expected);
    /* A finished batch can grow on. */
    assert_int_equal(batch_append(&b, &two), 0);
    snprintf(expected, sizeof(expected), "{\"v\":1,\"logs\":[%s,%.*s]}", first,
             SLICE_ARG(text_of(&two, &text)));
    assert_text(&b, expected);
    assert_int_equal(b.count, 2);

    batch_clear(&b);
    assert_int_equal(b.count, 0);
    assert_text(&b, EMPTY);
    batch_release(&b);
    buffer_release(&text);
}

/* For every ceiling: what fits is taken, what does not changes nothing, and the end is whole. */
static void check_a_batch_never_passes_its_size(enum message_version version)
{
    struct record small = record_of("m");
    struct record large = record_of("a message that is longer than the other by some bytes\n\n\n");

    for (size_t max = 0; max < 1200; max++) {
        struct batch b;
        size_t count = 0;
        int error = 0;
        batch_init(&b, version, max);
        for (int i = 0; i < 8 && !error; i++) {
            error = batch_append(&b, &large);
            count += !error;
        }
        if (error)
            assert_int_equal(error, LM_ETOOBIG);
        assert_int_equal(b.count, count);
        struct slice text = batch_finish(&b);
        if (count > 0)
            assert_true(text.len <= max);
        if (version == MESSAGE_V1 || count == 0)
            assert_memory_equal(text.data + text.len - 2, "]}", 2);
        else
            assert_int_equal(text.data[text.len - 1], '\n');
        /* Another that is small enough may still find room. */
        if (batch_append(&b, &small) == 0)
            count++;
        assert_int_equal(b.count, count);
        if (count > 0)
            assert_true(batch_finish(&b).len <= max);
        batch_release(&b);
    }
}

static void a_batch_never_passes_its_size(void **state)
{
    for (size_t i = 0; i < 2; i++)
        check_a_batch_never_passes_its_size(versions[i]);
}

static void check_the_largest_batch_is_exactly_its_size(enum message_version version)
{
    struct record r = record_of("m");
    struct batch b;

    batch_init(&b, version, 4096);
    assert_int_equal(batch_append(&b, &r), 0);
    size_t size = batch_finish(&b).len;
    batch_release(&b);
    batch_init(&b, version, size);
    assert_int_equal(batch_append(&b, &r), 0);
    assert_int_equal(batch_finish(&b).len, size);
    batch_release(&b);
    batch_init(&b, version, size - 1);
    assert_int_equal(batch_append(&b, &r), LM_ETOOBIG);
    assert_text(&b, EMPTY);
    batch_release(&b);
}

static void the_largest_batch_is_exactly_its_size(void **state)
{
    for (size_t i = 0; i < 2; i++)
        check_the_largest_batch_is_exactly_its_size(versions[i]);
}

static void check_a_rewound_batch_is_as_before(enum message_version version)
{
    struct record r = record_of("m");
    struct batch b;
    char before[512];

    batch_init(&b, version, 4096);
    struct batch_mark start = batch_mark(&b);
    assert_int_equal(batch_append(&b, &r), 0);
    struct batch_mark mark = batch_mark(&b);
    snprintf(before, sizeof(before), "%.*s", SLICE_ARG(batch_finish(&b)));
    assert_int_equal(batch_append(&b, &r), 0);
    batch_rewind(&b, mark);
    assert_int_equal(b.count, 1);
    assert_text(&b, before);
    batch_rewind(&b, start);
    assert_text(&b, EMPTY);
    assert_int_equal(batch_append(&b, &r), 0);
    assert_text(&b, before);
    batch_release(&b);
}

static void a_rewound_batch_is_as_before(void **state)
{
    for (size_t i = 0; i < 2; i++)
        check_a_rewound_batch_is_as_before(versions[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_finished_batch_is_the_text_of_a_message),
        cmocka_unit_test(a_part_of_a_batch_is_what_its_records_alone_make),
        cmocka_unit_test(a_batch_never_passes_its_size),
        cmocka_unit_test(the_largest_batch_is_exactly_its_size),
        cmocka_unit_test(a_rewound_batch_is_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
