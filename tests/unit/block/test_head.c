#include "block/head.h"

#include <stdlib.h>

#include "../cmocka_all.h"

static struct block_head example(int64_t i)
{
    return (struct block_head){
        .number = i - 1,
        .first = {-i, uuid7_lowest(0)},
        .last = {i * 1000000, uuid7_new(i)},
        .rows = (uint32_t)(1 + i % BLOCK_ROWS_MAX),
        .bytes = UINT32_MAX - (uint32_t)i,
        .raw_bytes = UINT64_MAX - (uint64_t)i,
        .first_sequence = (uint64_t)i,
        .last_sequence = (uint64_t)i + 5,
        .stored_us = i ? 1764288000000000 : 0,
        .levels = {{SLICE_LITERAL("info"), 1}, {SLICE_LITERAL(""), 0}},
        .levels_len = (unsigned)(i % 3),
    };
}

static void heads_equal(const struct block_head *a, const struct block_head *b)
{
    assert_int_equal(a->number, b->number);
    assert_int_equal(log_key_compare(&a->first, &b->first), 0);
    assert_int_equal(log_key_compare(&a->last, &b->last), 0);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->raw_bytes, b->raw_bytes);
    assert_int_equal(a->first_sequence, b->first_sequence);
    assert_int_equal(a->last_sequence, b->last_sequence);
    assert_int_equal(a->stored_us, b->stored_us);
    assert_int_equal(a->levels_len, b->levels_len);
    for (unsigned i = 0; i < a->levels_len; i++) {
        assert_true(slice_equal(a->levels[i].level, b->levels[i].level));
        assert_int_equal(a->levels[i].rows, b->levels[i].rows);
    }
}

static void test_heads_come_back(void **state)
{
    struct block_head heads[64], *read;
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;
    size_t n;

    buffer_init(&b, 1 << 20);
    for (int64_t i = 0; i < 64; i++)
        heads[i] = example(i);
    for (size_t len = 0; len <= 64; len += 32) {
        buffer_clear(&b);
        block_heads_append(&b, heads, len);
        assert_int_equal(block_heads_read(buffer_slice(&b), &read, &n, &err), 0);
        assert_int_equal(n, len);
        for (size_t i = 0; i < n; i++)
            heads_equal(&read[i], &heads[i]);
        free(read);
    }
    buffer_release(&b);
}

static void test_damage_of_any_byte_is_found(void **state)
{
    struct block_head heads[3] = {example(0), example(1), example(2)}, *read;
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;
    size_t n;

    buffer_init(&b, 1 << 20);
    block_heads_append(&b, heads, 3);
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 4;
        assert_int_equal(block_heads_read(buffer_slice(&b), &read, &n, &err), LM_EIO);
        b.data[i] ^= 4;
        assert_int_equal(block_heads_read(slice_of(b.data, i), &read, &n, &err), LM_EIO);
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_come_back),
        cmocka_unit_test(test_damage_of_any_byte_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
