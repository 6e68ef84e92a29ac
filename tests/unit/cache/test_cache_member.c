#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../store/store_test_support.h"
#include "base/timestamp.h"
#include "cache/redis/member.h"

static void a_member_gives_back_the_record(void **state)
{
    const struct record cases[] = {
        store_test_record(TIMESTAMP_MIN_US, 1, "info", "m", "{\"a\":1}"),
        store_test_record(TIMESTAMP_MAX_US, UINT32_MAX, "", "", NULL),
        store_test_record(0, 7, "warn", "\xc3\xa4", NULL),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer b;
        struct record r;

        buffer_init(&b, 1000);
        cache_member_append(&b, &cases[i]);
        assert_int_equal(b.len, cache_member_len(&cases[i]));
        assert_int_equal(cache_member_decode(buffer_slice(&b), &r), 0);
        store_test_assert_equal(&r, &cases[i]);
        buffer_release(&b);
    }
}

static void the_bytes_of_keys_order_as_the_keys_do(void **state)
{
    static const int64_t times[] = {
        INT64_MIN,        TIMESTAMP_MIN_US, -256,     -1, 0, 1, 255, 256,
        INT64_C(1) << 53, TIMESTAMP_MAX_US, INT64_MAX};
    enum { N = sizeof(times) / sizeof(times[0]) * 2 };

    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            struct log_key a = {.timestamp_us = times[i / 2], .id.bytes = {[15] = i % 2}};
            struct log_key b = {.timestamp_us = times[j / 2], .id.bytes = {[15] = j % 2}};
            char a_key[LOG_KEY_BYTES], b_key[LOG_KEY_BYTES];
            int order;

            log_key_pack_ordered(&a, a_key);
            log_key_pack_ordered(&b, b_key);
            order = memcmp(a_key, b_key, sizeof(a_key));
            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
    }
}

/* Each cut is in memory of its own size, so that a sanitizer sees a read past it. */
static void what_is_no_member_is_refused(void **state)
{
    struct record record = store_test_record(1, 1, "info", "message", "{}");
    size_t texts = record.level.len + record.message.len;
    struct buffer b;
    struct record r;

    buffer_init(&b, 1000);
    cache_member_append(&b, &record);
    for (size_t len = 0; len < CACHE_MEMBER_HEAD_LEN + texts; len++) {
        char *cut = malloc(len ? len : 1);

        assert_non_null(cut);
        memcpy(cut, b.data, len);
        assert_int_equal(cache_member_decode(slice_of(cut, len), &r), LM_EINVAL);
        free(cut);
    }
    memset(b.data + LOG_KEY_BYTES, 0xff, 8);
    assert_int_equal(cache_member_decode(buffer_slice(&b), &r), LM_EINVAL);
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_gives_back_the_record),
        cmocka_unit_test(the_bytes_of_keys_order_as_the_keys_do),
        cmocka_unit_test(what_is_no_member_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
