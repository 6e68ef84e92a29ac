#include "block/raw.h"

#include "../cmocka_all.h"
#include "block_support.h"

static void test_logs_come_back_one_after_the_other(void **state)
{
    struct test_rows t = {0};
    struct buffer b;
    struct block_row row;
    struct errbuf err = ERRBUF_INIT;
    uint64_t random = 1;

    buffer_init(&b, 1 << 24);
    for (size_t i = 0; i < 200; i++) {
        test_rows_add_random(&t, &random);
        t.rows[i].sequence = i % 3 ? i : UINT64_MAX - i;
        block_raw_append(&b, &t.rows[i]);
    }
    struct slice rest = buffer_slice(&b);
    for (size_t i = 0; i < 200; i++) {
        const struct record *want = &t.rows[i].record;

        assert_int_equal(block_raw_next(&rest, &row, &err), 0);
        assert_int_equal(log_key_compare(&row.record.key, &want->key), 0);
        assert_int_equal(row.sequence, t.rows[i].sequence);
        assert_true(slice_equal(row.record.level, want->level));
        assert_true(slice_equal(row.record.message, want->message));
        assert_true(slice_equal(row.record.attributes, want->attributes));
    }
    assert_int_equal(block_raw_next(&rest, &row, &err), LM_ENOTFOUND);
    buffer_release(&b);
    test_rows_release(&t);
}

static void test_damage_of_any_byte_is_found(void **state)
{
    struct test_rows t = {0};
    struct buffer b;
    struct block_row row;
    struct errbuf err = ERRBUF_INIT;

    buffer_init(&b, 1 << 24);
    test_rows_add(&t, SLICE_LITERAL("info"), SLICE_LITERAL("hello"), SLICE_LITERAL("{\"a\":1}"));
    block_raw_append(&b, &t.rows[0]);
    for (size_t i = 0; i < b.len; i++) {
        struct slice rest = buffer_slice(&b);

        b.data[i] ^= 1;
        assert_int_equal(block_raw_next(&rest, &row, &err), LM_EIO);
        b.data[i] ^= 1;
        rest.len = i;
        assert_int_equal(block_raw_next(&rest, &row, &err), i == 0 ? LM_ENOTFOUND : LM_EIO);
    }
    buffer_release(&b);
    test_rows_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_come_back_one_after_the_other),
        cmocka_unit_test(test_damage_of_any_byte_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
