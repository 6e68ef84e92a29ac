#include "formats/snappy.h"

#include <stdlib.h>

#include "../cmocka_all.h"

enum { CEILING = 1 << 20 };

/* Decompresses a copy of `block` of exactly its size into memory of exactly that of the original.
 */
static int decompress(struct slice block, struct buffer *out)
{
    char *exact = malloc(block.len ? block.len : 1);

    assert_non_null(exact);
    if (block.len)
        memcpy(exact, block.data, block.len);
    buffer_init(out, CEILING);
    int error = snappy_decompress(slice_of(exact, block.len), out);
    free(exact);
    return error;
}

static void assert_original(struct slice block, struct slice original)
{
    struct buffer out;

    assert_int_equal(decompress(block, &out), 0);
    assert_true(slice_equal(buffer_slice(&out), original));
    buffer_release(&out);
}

static void literals_and_copies_of_each_kind(void **state)
{
    assert_original(SLICE_LITERAL("\x00"), SLICE_LITERAL(""));
    assert_original(SLICE_LITERAL("\x03\x08"
                                  "abc"),
                    SLICE_LITERAL("abc"));
    assert_original(SLICE_LITERAL("\x03\xf0\x02"
                                  "abc"),
                    SLICE_LITERAL("abc"));
    assert_original(SLICE_LITERAL("\x03\xf4\x02\x00"
                                  "abc"),
                    SLICE_LITERAL("abc"));
    assert_original(SLICE_LITERAL("\x03\xf8\x02\x00\x00"
                                  "abc"),
                    SLICE_LITERAL("abc"));
    assert_original(SLICE_LITERAL("\x03\xfc\x02\x00\x00\x00"
                                  "abc"),
                    SLICE_LITERAL("abc"));
    /* "abcd", then four bytes from four before */
    assert_original(SLICE_LITERAL("\x08\x0c"
                                  "abcd"
                                  "\x01\x04"),
                    SLICE_LITERAL("abcdabcd"));
    assert_original(SLICE_LITERAL("\x08\x0c"
                                  "abcd"
                                  "\x0e\x04\x00"),
                    SLICE_LITERAL("abcdabcd"));
    assert_original(SLICE_LITERAL("\x08\x0c"
                                  "abcd"
                                  "\x0f\x04\x00\x00\x00"),
                    SLICE_LITERAL("abcdabcd"));
    /* a length of two bytes: 128 times the same */
    assert_original(
        SLICE_LITERAL("\x80\x01\x00"
                      "a"
                      "\xfe\x01\x00"
                      "\xfa\x01\x00"),
        SLICE_LITERAL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* An offset past 255: the three high bits of it are in the tag. */
static void a_short_copy_reaches_back_2047_bytes(void **state)
{
    enum { BACK = 2047, ALL = BACK + 4 };
    char block[8 + BACK];
    struct buffer out;

    memcpy(block, "\x83\x10\xf4\xfe\x07", 5); /* 2051 bytes; a literal of 2047 */
    for (size_t i = 0; i < BACK; i++)
        block[5 + i] = (char)('a' + i % 23);
    memcpy(block + 5 + BACK, "\xe1\xff", 2);
    assert_int_equal(decompress(slice_of(block, 7 + BACK), &out), 0);
    assert_int_equal(out.len, ALL);
    assert_memory_equal(out.data + BACK, "abcd", 4);
    buffer_release(&out);
}

static void what_is_no_block_is_refused(void **state)
{
    static const struct slice cases[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("\x80"),                 /* half a length */
        SLICE_LITERAL("\xff\xff\xff\xff\x7f"), /* more than 32 bits */
        SLICE_LITERAL("\x04\x08"
                      "abc"), /* a byte short */
        SLICE_LITERAL("\x02\x08"
                      "abc"), /* a byte too many */
        SLICE_LITERAL("\x03\x08"
                      "ab"),           /* a literal that is cut */
        SLICE_LITERAL("\x03\xf4\x02"), /* its length is */
        SLICE_LITERAL("\x03\xfc\xff\xff\xff\xff"
                      "abc"), /* it is longer than all */
        SLICE_LITERAL("\x08\x0c"
                      "abcd"
                      "\x01"), /* a copy that is cut */
        SLICE_LITERAL("\x08\x0c"
                      "abcd"
                      "\x01\x00"), /* from nowhere */
        SLICE_LITERAL("\x08\x0c"
                      "abcd"
                      "\x01\x05"), /* from before the beginning */
        SLICE_LITERAL("\x04\x01\x01"),
        SLICE_LITERAL("\x07\x0c"
                      "abcd"
                      "\x01\x04"), /* past the end */
        SLICE_LITERAL("\x08\x0c"
                      "abcd"
                      "\x0f\x04\x00\x00"), /* an offset that is cut */
    };
    struct buffer out;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(decompress(cases[i], &out), LM_EINVAL);
        buffer_release(&out);
    }
}

/* A length is believed up to the ceiling, and no further than such a block can grow. */
static void a_length_that_is_a_lie_takes_no_memory(void **state)
{
    struct buffer out;

    assert_int_equal(decompress(SLICE_LITERAL("\x80\x80\x40\x00"
                                              "a"),
                                &out),
                     LM_EINVAL);
    assert_int_equal(out.capacity, 0);
    buffer_release(&out);

    char *large = malloc(CEILING);
    assert_non_null(large);
    memset(large, 0, CEILING);
    memcpy(large, "\x81\x80\x40", 3); /* one more than the ceiling */
    assert_int_equal(decompress(slice_of(large, CEILING), &out), LM_ETOOBIG);
    assert_int_equal(out.capacity, 0);
    buffer_release(&out);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_and_copies_of_each_kind),
        cmocka_unit_test(a_short_copy_reaches_back_2047_bytes),
        cmocka_unit_test(what_is_no_block_is_refused),
        cmocka_unit_test(a_length_that_is_a_lie_takes_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
