#include "formats/protobuf.h"

#include <stdlib.h>

#include "../cmocka_all.h"

/* Reads all fields of a copy of `bytes` of exactly its size; the last is in *f. */
static size_t read_all(struct slice bytes, struct protobuf_field *f, const char **error)
{
    char *exact = malloc(bytes.len ? bytes.len : 1);
    struct protobuf p;
    size_t n = 0;

    assert_non_null(exact);
    if (bytes.len)
        memcpy(exact, bytes.data, bytes.len);
    protobuf_begin(&p, slice_of(exact, bytes.len));
    while (protobuf_next(&p, f))
        n++;
    assert_false(protobuf_next(&p, f)); /* nor does it go on */
    *error = p.error;
    free(exact);
    return n;
}

static void assert_number(struct slice bytes, uint32_t key, uint64_t value)
{
    struct protobuf_field f;
    const char *error;

    assert_int_equal(read_all(bytes, &f, &error), 1);
    assert_null(error);
    assert_int_equal(f.key, key);
    assert_true(f.value == value);
}

static void numbers_are_read(void **state)
{
    assert_number(SLICE_LITERAL("\x08\x00"), PROTOBUF_KEY(1, PROTOBUF_VARINT), 0);
    assert_number(SLICE_LITERAL("\x08\x96\x01"), PROTOBUF_KEY(1, PROTOBUF_VARINT), 150);
    assert_number(SLICE_LITERAL("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                  PROTOBUF_KEY(1, PROTOBUF_VARINT), UINT64_MAX);
    assert_number(SLICE_LITERAL("\x08\x80\x80\x00"), PROTOBUF_KEY(1, PROTOBUF_VARINT), 0);
    assert_number(SLICE_LITERAL("\x09\x01\x02\x03\x04\x05\x06\x07\x08"),
                  PROTOBUF_KEY(1, PROTOBUF_FIXED64), UINT64_C(0x0807060504030201));
    assert_number(SLICE_LITERAL("\x0d\x01\x02\x03\xff"), PROTOBUF_KEY(1, PROTOBUF_FIXED32),
                  0xff030201);
    assert_number(SLICE_LITERAL("\xc0\x3e\x05"), PROTOBUF_KEY(1000, PROTOBUF_VARINT), 5);
    assert_true(protobuf_double(UINT64_C(0x3ff8000000000000)) == 1.5);
}

static void what_is_written_is_read(void **state)
{
    struct buffer b;
    struct protobuf p;
    struct protobuf_field f;

    buffer_init(&b, 64);
    protobuf_append_varint(&b, 3, 300);
    protobuf_append_bytes(&b, 200, SLICE_LITERAL("text"));
    protobuf_append_bytes(&b, 2, (struct slice){NULL, 0});
    protobuf_begin(&p, buffer_slice(&b));
    assert_true(protobuf_next(&p, &f));
    assert_int_equal(f.key, PROTOBUF_KEY(3, PROTOBUF_VARINT));
    assert_int_equal(f.value, 300);
    assert_true(protobuf_next(&p, &f));
    assert_int_equal(f.key, PROTOBUF_KEY(200, PROTOBUF_BYTES));
    assert_true(slice_equal(f.bytes, SLICE_LITERAL("text")));
    assert_true(protobuf_next(&p, &f));
    assert_int_equal(f.bytes.len, 0);
    assert_false(protobuf_next(&p, &f));
    assert_null(p.error);
    buffer_release(&b);
}

static void hostile_bytes_are_an_error(void **state)
{
    static const struct slice cases[] = {
        SLICE_LITERAL("\x08"),                                             /* no number */
        SLICE_LITERAL("\x08\xff"),                                         /* half of one */
        SLICE_LITERAL("\x80"),                                             /* half of a key */
        SLICE_LITERAL("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* 65 bits */
        SLICE_LITERAL("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* 77 */
        SLICE_LITERAL("\x09\x01\x02\x03\x04\x05\x06\x07"), /* seven bytes of eight */
        SLICE_LITERAL("\x0d\x01\x02\x03"),
        SLICE_LITERAL("\x0a\x02x"),                                     /* a byte short */
        SLICE_LITERAL("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), /* 2^64 - 1 bytes */
        SLICE_LITERAL("\x00\x01"),                                      /* field 0 */
        SLICE_LITERAL("\xf8\xff\xff\xff\xff\x01\x01"),                  /* field 2^30 and more */
        SLICE_LITERAL("\x0b\x0c"),                                      /* a group */
        SLICE_LITERAL("\x0e"),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct protobuf_field f;
        const char *error;

        assert_int_equal(read_all(cases[i], &f, &error), 0);
        assert_non_null(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(hostile_bytes_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
