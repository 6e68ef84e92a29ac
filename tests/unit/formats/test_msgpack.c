#include "formats/msgpack.h"

#include <stdlib.h>

#include "../cmocka_all.h"

/* A copy of exactly its size, so that a read behind its end is found: free data. */
static struct slice exact(struct slice bytes)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);

    assert_non_null(copy);
    if (bytes.len)
        memcpy(copy, bytes.data, bytes.len);
    return slice_of(copy, bytes.len);
}

/* The one value of `bytes`: and of less of them it is none, and a walk says that more must come. */
static struct msgpack_value read_one(struct slice bytes)
{
    struct msgpack_value v = {.type = MSGPACK_NIL};

    for (size_t len = 0; len <= bytes.len; len++) {
        struct slice part = exact(slice_of(bytes.data, len));
        struct msgpack p = msgpack_of(part);
        struct msgpack_walk w = {.left = 1};
        bool whole = len == bytes.len;

        assert_int_equal(msgpack_walk(&w, part), whole ? MSGPACK_WHOLE : MSGPACK_MORE);
        assert_true(!whole || w.at == len);
        assert_int_equal(msgpack_next(&p, &v) && msgpack_pass(&p, &v), whole);
        assert_true(!whole || !msgpack_next(&p, &v));
        free((char *)part.data);
    }
    struct msgpack p = msgpack_of(bytes);
    assert_true(msgpack_next(&p, &v)); /* views of the caller's bytes */
    return v;
}

static void assert_unsigned(struct slice bytes, uint64_t want)
{
    struct msgpack_value v = read_one(bytes);

    assert_int_equal(v.type, MSGPACK_UNSIGNED);
    assert_true(v.whole == want);
}

static void assert_integer(struct slice bytes, int64_t want)
{
    struct msgpack_value v = read_one(bytes);

    assert_int_equal(v.type, MSGPACK_INTEGER);
    assert_true(v.integer == want);
}

static void numbers_are_exact(void **state)
{
    assert_unsigned(SLICE_LITERAL("\x00"), 0);
    assert_unsigned(SLICE_LITERAL("\x7f"), 127);
    assert_unsigned(SLICE_LITERAL("\xcc\xff"), 255);
    assert_unsigned(SLICE_LITERAL("\xcd\xff\xfe"), 65534);
    assert_unsigned(SLICE_LITERAL("\xce\xff\xff\xff\xfe"), 4294967294);
    assert_unsigned(SLICE_LITERAL("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), UINT64_MAX);
    assert_integer(SLICE_LITERAL("\xe0"), -32);
    assert_integer(SLICE_LITERAL("\xff"), -1);
    assert_integer(SLICE_LITERAL("\xd0\x80"), -128);
    assert_integer(SLICE_LITERAL("\xd0\x05"), 5);
    assert_integer(SLICE_LITERAL("\xd1\x80\x00"), -32768);
    assert_integer(SLICE_LITERAL("\xd2\x80\x00\x00\x00"), INT32_MIN);
    assert_integer(SLICE_LITERAL("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN);
    assert_integer(SLICE_LITERAL("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
    assert_true(read_one(SLICE_LITERAL("\xca\x3f\xc0\x00\x00")).number == 1.5);
    assert_true(read_one(SLICE_LITERAL("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00")).number == 1.5);
    assert_int_equal(read_one(SLICE_LITERAL("\xc0")).type, MSGPACK_NIL);
    assert_int_equal(read_one(SLICE_LITERAL("\xc2")).truth, false);
    assert_int_equal(read_one(SLICE_LITERAL("\xc3")).truth, true);
}

static void assert_bytes(struct slice bytes, enum msgpack_type type, int8_t extension,
                         struct slice want)
{
    struct msgpack_value v = read_one(bytes);

    assert_int_equal(v.type, type);
    if (type == MSGPACK_EXTENSION)
        assert_int_equal(v.extension, extension);
    assert_true(slice_equal(v.bytes, want));
}

static void texts_bytes_and_extensions_are_views(void **state)
{
    struct slice abc = SLICE_LITERAL("abc");

    assert_bytes(SLICE_LITERAL("\xa0"), MSGPACK_TEXT, 0, (struct slice){NULL, 0});
    assert_bytes(SLICE_LITERAL("\xa3"
                               "abc"),
                 MSGPACK_TEXT, 0, abc);
    assert_bytes(SLICE_LITERAL("\xd9\x03"
                               "abc"),
                 MSGPACK_TEXT, 0, abc);
    assert_bytes(SLICE_LITERAL("\xda\x00\x03"
                               "abc"),
                 MSGPACK_TEXT, 0, abc);
    assert_bytes(SLICE_LITERAL("\xdb\x00\x00\x00\x03"
                               "abc"),
                 MSGPACK_TEXT, 0, abc);
    assert_bytes(SLICE_LITERAL("\xc4\x03"
                               "abc"),
                 MSGPACK_BYTES, 0, abc);
    assert_bytes(SLICE_LITERAL("\xc5\x00\x03"
                               "abc"),
                 MSGPACK_BYTES, 0, abc);
    assert_bytes(SLICE_LITERAL("\xc6\x00\x00\x00\x03"
                               "abc"),
                 MSGPACK_BYTES, 0, abc);
    assert_bytes(SLICE_LITERAL("\xd4\x01x"), MSGPACK_EXTENSION, 1, SLICE_LITERAL("x"));
    assert_bytes(SLICE_LITERAL("\xd5\xffxy"), MSGPACK_EXTENSION, -1, SLICE_LITERAL("xy"));
    assert_bytes(SLICE_LITERAL("\xd6\x01"
                               "1234"),
                 MSGPACK_EXTENSION, 1, SLICE_LITERAL("1234"));
    assert_bytes(SLICE_LITERAL("\xd7\x00"
                               "12345678"),
                 MSGPACK_EXTENSION, 0, SLICE_LITERAL("12345678"));
    assert_bytes(SLICE_LITERAL("\xd8\x01"
                               "1234567812345678"),
                 MSGPACK_EXTENSION, 1, SLICE_LITERAL("1234567812345678"));
    assert_bytes(SLICE_LITERAL("\xc7\x03\x02"
                               "abc"),
                 MSGPACK_EXTENSION, 2, abc);
    assert_bytes(SLICE_LITERAL("\xc8\x00\x03\x02"
                               "abc"),
                 MSGPACK_EXTENSION, 2, abc);
    assert_bytes(SLICE_LITERAL("\xc9\x00\x00\x00\x03\x02"
                               "abc"),
                 MSGPACK_EXTENSION, 2, abc);
}

static void assert_count(struct slice bytes, enum msgpack_type type, uint64_t count)
{
    struct msgpack_value v = read_one(bytes);

    assert_int_equal(v.type, type);
    assert_int_equal(v.count, count);
}

static void arrays_and_maps_say_how_many_values_follow(void **state)
{
    assert_count(SLICE_LITERAL("\x90"), MSGPACK_ARRAY, 0);
    assert_count(SLICE_LITERAL("\x92\x01\x91\x02"), MSGPACK_ARRAY, 2);
    assert_count(SLICE_LITERAL("\xdc\x00\x02\x01\xc0"), MSGPACK_ARRAY, 2);
    assert_count(SLICE_LITERAL("\xdd\x00\x00\x00\x01\x01"), MSGPACK_ARRAY, 1);
    assert_count(SLICE_LITERAL("\x80"), MSGPACK_MAP, 0);
    assert_count(SLICE_LITERAL("\x81\xa1k\xa1v"), MSGPACK_MAP, 2);
    assert_count(SLICE_LITERAL("\xde\x00\x01\xa1k\x81\x01\x02"), MSGPACK_MAP, 2);
    assert_count(SLICE_LITERAL("\xdf\x00\x00\x00\x01\xa1k\xa1v"), MSGPACK_MAP, 2);
}

static void what_is_none_is_wrong(void **state)
{
    struct msgpack_walk w = {.left = 1};
    struct msgpack p = msgpack_of(SLICE_LITERAL("\xc1"));
    struct msgpack_value v;

    assert_int_equal(msgpack_walk(&w, SLICE_LITERAL("\xc1")), MSGPACK_WRONG);
    assert_false(msgpack_next(&p, &v));
    w = (struct msgpack_walk){.left = 1};
    assert_int_equal(msgpack_walk(&w, SLICE_LITERAL("\x92\x01\xc1")), MSGPACK_WRONG);
    p = msgpack_of(SLICE_LITERAL("\x92\x01\xc1"));
    assert_true(msgpack_next(&p, &v));
    assert_false(msgpack_pass(&p, &v));
}

/* What says that it has four billion values, of which each may say so again, costs nothing. */
static void what_is_promised_is_not_believed(void **state)
{
    char bytes[5 * 100];
    struct msgpack_walk w = {.left = 1};
    struct msgpack_value v;

    for (size_t i = 0; i < sizeof(bytes); i += 5)
        memcpy(bytes + i, "\xdf\xff\xff\xff\xff", 5);
    struct slice all = slice_of(bytes, sizeof(bytes));
    assert_int_equal(msgpack_walk(&w, all), MSGPACK_MORE);
    assert_true(w.at == sizeof(bytes) && w.left > UINT64_C(100) * UINT32_MAX);
    struct msgpack p = msgpack_of(all);
    assert_true(msgpack_next(&p, &v));
    assert_false(msgpack_pass(&p, &v));
    p = msgpack_of(SLICE_LITERAL("\xdb\xff\xff\xff\xff"
                                 "abc"));
    assert_false(msgpack_next(&p, &v));
    w = (struct msgpack_walk){.left = 1};
    assert_int_equal(msgpack_walk(&w, SLICE_LITERAL("\xdb\xff\xff\xff\xff"
                                                    "abc")),
                     MSGPACK_MORE);
    assert_true(w.at == 5 + (uint64_t)UINT32_MAX);
}

static void a_walk_goes_on_where_it_stood(void **state)
{
    struct slice bytes = SLICE_LITERAL("\x93\xa3"
                                       "abc\x82\x01\x02\x03\x92\xc0\xc4\x02xy\xd7\x00"
                                       "12345678\x05");
    struct msgpack_walk w = {.left = 1};

    for (size_t len = 0; len + 1 < bytes.len; len++)
        assert_int_equal(msgpack_walk(&w, slice_of(bytes.data, len)), MSGPACK_MORE);
    assert_int_equal(msgpack_walk(&w, bytes), MSGPACK_WHOLE);
    assert_int_equal(w.at, bytes.len - 1);
    w.left = 1;
    assert_int_equal(msgpack_walk(&w, bytes), MSGPACK_WHOLE);
    assert_int_equal(w.at, bytes.len);
}

/* Texts and bytes of `len`, written and read. */
static void assert_written(size_t len)
{
    char *text = malloc(len + 1);
    struct buffer b;
    struct msgpack_value v;

    assert_non_null(text);
    memset(text, 'x', len);
    buffer_init(&b, 4 * (len + 100));
    msgpack_append_array(&b, 3);
    msgpack_append_text(&b, slice_of(text, len));
    msgpack_append_bytes(&b, slice_of(text, len));
    msgpack_append_map(&b, 1);
    msgpack_append_bool(&b, true);
    msgpack_append_bool(&b, false);
    assert_int_equal(buffer_error(&b), 0);

    struct msgpack p = msgpack_of(buffer_slice(&b));
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_ARRAY && v.count == 3);
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_TEXT);
    assert_true(slice_equal(v.bytes, slice_of(text, len)));
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_BYTES);
    assert_true(slice_equal(v.bytes, slice_of(text, len)));
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_MAP && v.count == 2);
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_BOOL && v.truth);
    assert_true(msgpack_next(&p, &v) && v.type == MSGPACK_BOOL && !v.truth);
    assert_false(msgpack_next(&p, &v));
    buffer_release(&b);
    free(text);
}

static void what_is_written_is_read(void **state)
{
    static const size_t lens[] = {0, 31, 32, 255, 256, 65535, 65536};

    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
        assert_written(lens[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(texts_bytes_and_extensions_are_views),
        cmocka_unit_test(arrays_and_maps_say_how_many_values_follow),
        cmocka_unit_test(what_is_none_is_wrong),
        cmocka_unit_test(what_is_promised_is_not_believed),
        cmocka_unit_test(a_walk_goes_on_where_it_stood),
        cmocka_unit_test(what_is_written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
