#include "record/key.h"

#include <string.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"

static struct log_key key(int64_t timestamp_us, uint8_t first, uint8_t last)
{
    struct log_key k = {.timestamp_us = timestamp_us};

    k.id.bytes[0] = first;
    k.id.bytes[15] = last;
    return k;
}

static void assert_ascending(struct log_key a, struct log_key b)
{
    char a_bytes[LOG_KEY_BYTES], b_bytes[LOG_KEY_BYTES];

    assert_true(log_key_compare(&a, &b) < 0);
    assert_true(log_key_compare(&b, &a) > 0);
    assert_int_equal(log_key_compare(&a, &a), 0);
    log_key_pack_ordered(&a, a_bytes);
    log_key_pack_ordered(&b, b_bytes);
    assert_true(memcmp(a_bytes, b_bytes, LOG_KEY_BYTES) < 0);
}

static void keys_are_ordered_by_time_then_by_id(void **state)
{
    assert_ascending(key(1, 9, 9), key(2, 0, 0));
    assert_ascending(key(-2, 0, 0), key(-1, 0, 0));
    assert_ascending(key(-1, 9, 9), key(0, 0, 0));
    assert_ascending(key(INT64_MIN, 0, 0), key(INT64_MAX, 0, 0));
    assert_ascending(key(1, 0, 1), key(1, 0, 2));
    assert_ascending(key(1, 0x7f, 9), key(1, 0x80, 0)); /* bytes are unsigned */
}

/* Logs of which files, caches and clients hold the keys. */
static const struct {
    struct log_key key;
    const char *bytes;
    const char *ordered_bytes;
    const char *cursor;
} kept[] = {
    {{INT64_C(1700000000123456),
      {"\x01\x8b\xcf\xe5\x68\x7b\x7a\xbc\x81\x23\x45\x67\x89\xab\xcd\xef"}},
     "\x00\x06\x0a\x24\x18\x20\x22\x40\x01\x8b\xcf\xe5\x68\x7b\x7a\xbc\x81\x23\x45\x67\x89\xab\xcd"
     "\xef",
     "\x80\x06\x0a\x24\x18\x20\x22\x40\x01\x8b\xcf\xe5\x68\x7b\x7a\xbc\x81\x23\x45\x67\x89\xab\xcd"
     "\xef",
     "AAYKJBggIkABi8_laHt6vIEjRWeJq83v"},
    {{-1, {"\0\0\0\0\0\0\x70\0\x80\0\0\0\0\0\0\0"}},
     "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x70\0\x80\0\0\0\0\0\0\0",
     "\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x70\0\x80\0\0\0\0\0\0\0",
     "__________8AAAAAAABwAIAAAAAAAAAA"},
};

static void assert_same(const struct log_key *a, const struct log_key *b)
{
    assert_int_equal(log_key_compare(a, b), 0);
}

static void the_forms_of_a_key_never_change(void **state)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        char bytes[LOG_KEY_BYTES];
        char cursor[LOG_KEY_CURSOR_LEN];
        struct log_key again;

        log_key_pack(&kept[i].key, bytes);
        assert_memory_equal(bytes, kept[i].bytes, sizeof(bytes));
        log_key_unpack(bytes, &again);
        assert_same(&again, &kept[i].key);

        log_key_pack_ordered(&kept[i].key, bytes);
        assert_memory_equal(bytes, kept[i].ordered_bytes, sizeof(bytes));
        log_key_unpack_ordered(bytes, &again);
        assert_same(&again, &kept[i].key);

        log_key_format_cursor(&kept[i].key, cursor);
        assert_memory_equal(cursor, kept[i].cursor, sizeof(cursor));
        assert_int_equal(log_key_parse_cursor(slice_of(cursor, sizeof(cursor)), &again), 0);
        assert_same(&again, &kept[i].key);
    }
}

static void no_log_of_a_time_comes_before_its_lowest_key(void **state)
{
    static const int64_t times[] = {TIMESTAMP_MIN_US, -1, 0, INT64_C(1700000000123456),
                                    TIMESTAMP_MAX_US};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct log_key lowest = log_key_lowest(times[i]);
        struct log_key any = {times[i], uuid7_new(times[i])};
        char cursor[LOG_KEY_CURSOR_LEN];
        struct log_key again;

        assert_true(log_key_compare(&lowest, &any) < 0);
        log_key_format_cursor(&lowest, cursor); /* it could be a log's */
        assert_int_equal(log_key_parse_cursor(slice_of(cursor, sizeof(cursor)), &again), 0);
        for (size_t k = 0; k < 6; k++)
            assert_int_equal(lowest.id.bytes[k], any.id.bytes[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_ordered_by_time_then_by_id),
        cmocka_unit_test(the_forms_of_a_key_never_change),
        cmocka_unit_test(no_log_of_a_time_comes_before_its_lowest_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
