#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#include "http/inflate.h"

enum { MAX = 100000 };

static struct inflater *inflater;
static struct ledger ledger;
static struct account *account;
static struct charge charge;
static struct buffer output;
static struct errbuf err;

/* `text` `times` over, in one gzip member or zstd frame; free it. */
static struct slice compress_text(enum inflate_coding coding, const char *text, size_t times)
{
    size_t len = strlen(text) * times;
    char *plain = malloc(len + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(plain + i * strlen(text), text, strlen(text));
    size_t bound = ZSTD_compressBound(len) + compressBound(len) + 64;
    char *packed = malloc(bound);
    size_t packed_len;
    if (coding == INFLATE_ZSTD) {
        packed_len = ZSTD_compress(packed, bound, plain, len, 3);
    } else {
        z_stream z = {0};
        deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)plain;
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)packed;
        z.avail_out = (uInt)bound;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        packed_len = bound - z.avail_out;
        deflateEnd(&z);
    }
    free(plain);
    return slice_of(packed, packed_len);
}

static int run(enum inflate_coding coding, struct slice in)
{
    struct inflate_output out = {&output, MAX, &charge, account};

    /* In a block of just its size, so that a read past its end is found. */
    char *copy = malloc(in.len > 0 ? in.len : 1);
    memcpy(copy, in.data, in.len);
    buffer_clear(&output);
    err.text[0] = '\0';
    int error = inflate_run(inflater, coding, slice_of(copy, in.len), &out, &err);
    free(copy);
    return error;
}

static const enum inflate_coding codings[] = {INFLATE_GZIP, INFLATE_ZSTD};

static void test_what_was_compressed_comes_back(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct slice packed = compress_text(codings[i], "0123456789", 10000);

        assert_int_equal(run(codings[i], packed), 0);
        assert_int_equal(output.len, MAX);
        assert_memory_equal(output.data + MAX - 10, "0123456789", 10);
        free((void *)packed.data);
        packed = compress_text(codings[i], "", 0);
        assert_int_equal(run(codings[i], packed), 0);
        assert_int_equal(output.len, 0);
        free((void *)packed.data);
    }
}

static void test_members_in_a_row_are_one_body(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct slice packed = compress_text(codings[i], "abc", 1);
        char *twice = malloc(2 * packed.len);

        memcpy(twice, packed.data, packed.len);
        memcpy(twice + packed.len, packed.data, packed.len);
        assert_int_equal(run(codings[i], slice_of(twice, 2 * packed.len)), 0);
        assert_true(slice_equal(buffer_slice(&output), SLICE_LITERAL("abcabc")));
        free(twice);
        free((void *)packed.data);
    }
}

static void test_a_bomb_stops_at_the_ceiling(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct slice bomb = compress_text(codings[i], "00000000000000000000", 2000000);

        assert_true(bomb.len < 100000);
        assert_int_equal(run(codings[i], bomb), LM_ETOOBIG);
        assert_true(output.capacity <= 2 * (MAX + 1));
        free((void *)bomb.data);
        bomb = compress_text(codings[i], "a", MAX + 1);
        assert_int_equal(run(codings[i], bomb), LM_ETOOBIG);
        free((void *)bomb.data);
    }
}

static void test_every_cut_is_noticed(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct slice packed = compress_text(codings[i], "some text, some more text", 20);

        for (size_t len = 1; len < packed.len; len++) {
            assert_int_equal(run(codings[i], slice_of(packed.data, len)), LM_EDATA);
            assert_non_null(strstr(err.text, "cut short"));
        }
        free((void *)packed.data);
    }
}

static void test_what_follows_is_refused(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct slice packed = compress_text(codings[i], "abc", 1);
        char *more = malloc(packed.len + 8);

        memcpy(more, packed.data, packed.len);
        memcpy(more + packed.len, "garbage!", 8);
        assert_int_equal(run(codings[i], slice_of(more, packed.len + 8)), LM_EDATA);
        assert_non_null(strstr(err.text, i == 0 ? "not valid gzip" : "not valid zstd"));
        free(more);
        free((void *)packed.data);
    }
}

static void test_output_is_charged_to_the_account(void **state)
{
    struct slice packed = compress_text(INFLATE_GZIP, "0123456789", 10000);

    buffer_release(&output);
    assert_true(account_take(account, account->ceiling - 20000));
    assert_int_equal(run(INFLATE_GZIP, packed), LM_EBUSY);
    account_give(account, account->ceiling - 20000);
    free((void *)packed.data);
}

static void test_output_that_the_account_could_never_hold_is_too_large(void **state)
{
    struct slice packed = compress_text(INFLATE_GZIP, "0123456789", 9999);
    size_t ceiling = account->ceiling;

    buffer_release(&output);
    account->ceiling = 20000;
    assert_int_equal(run(INFLATE_GZIP, packed), LM_ETOOBIG);
    buffer_release(&output);
    account->ceiling = ceiling;
    assert_int_equal(run(INFLATE_GZIP, packed), 0);
    free((void *)packed.data);
}

static void test_names_of_codings(void **state)
{
    enum inflate_coding coding;

    assert_int_equal(inflate_coding_of(SLICE_LITERAL("GZip"), &coding), 0);
    assert_int_equal(coding, INFLATE_GZIP);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("x-gzip"), &coding), 0);
    assert_int_equal(coding, INFLATE_GZIP);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("zstd"), &coding), 0);
    assert_int_equal(coding, INFLATE_ZSTD);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("identity"), &coding), 0);
    assert_int_equal(coding, INFLATE_IDENTITY);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("gzip, zstd"), &coding), LM_EINVAL);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("deflate"), &coding), 0);
    assert_int_equal(coding, INFLATE_DEFLATE);
    assert_int_equal(inflate_coding_of(SLICE_LITERAL("br"), &coding), LM_EINVAL);
}

/* "abc" as zlib's format, and as bare deflate. */
#define BARE "\x4b\x4c\x4a\x06\x00"
#define ZLIB "\x78\x9c" BARE "\x02\x4d\x01\x27"

static void test_deflate_is_zlib_or_bare(void **state)
{
    static const struct slice both[] = {{ZLIB, sizeof(ZLIB) - 1}, {BARE, sizeof(BARE) - 1}};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(run(INFLATE_DEFLATE, both[i]), 0);
        assert_true(slice_equal(buffer_slice(&output), SLICE_LITERAL("abc")));
        for (size_t len = 1; len < both[i].len; len++)
            assert_int_equal(run(INFLATE_DEFLATE, slice_of(both[i].data, len)), LM_EDATA);
    }
    assert_int_equal(run(INFLATE_DEFLATE, SLICE_LITERAL(ZLIB "x")), LM_EDATA);
    assert_non_null(strstr(err.text, "not valid deflate: something follows it"));

    struct slice packed = compress_text(INFLATE_GZIP, "after another format", 3);

    assert_int_equal(run(INFLATE_GZIP, packed), 0);
    free((void *)packed.data);
}

static void test_first_bytes_tell_what_a_body_is(void **state)
{
    assert_int_equal(inflate_coding_of_bytes(SLICE_LITERAL(ZLIB)), INFLATE_DEFLATE);
    assert_int_equal(inflate_coding_of_bytes(SLICE_LITERAL("\x78\xda")), INFLATE_DEFLATE);
    assert_int_equal(inflate_coding_of_bytes(SLICE_LITERAL("\x1f\x8b\x08")), INFLATE_GZIP);
    assert_int_equal(inflate_coding_of_bytes(SLICE_LITERAL("\x28\xb5\x2f\xfd")), INFLATE_ZSTD);
    static const struct slice plain[] = {
        {"{\"a\":1}", 7}, {"x", 1}, {"", 0}, {"xy", 2}, {"\x1f", 1}};

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        assert_int_equal(inflate_coding_of_bytes(plain[i]), INFLATE_IDENTITY);
}

static int set_up(void **state)
{
    inflater = inflater_new();
    ledger_init(&ledger, 20 * MAX);
    account = ledger_account(&ledger, LEDGER_INTAKE);
    buffer_init(&output, MAX + 1);
    return 0;
}

static int tear_down(void **state)
{
    inflater_free(inflater);
    buffer_release(&output);
    charge_release(&charge, account);
    int rc = ledger_used(&ledger) == 0 ? 0 : -1;
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_compressed_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_members_in_a_row_are_one_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bomb_stops_at_the_ceiling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_cut_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_follows_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_output_is_charged_to_the_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_output_that_the_account_could_never_hold_is_too_large,
                                        set_up, tear_down),
        cmocka_unit_test(test_names_of_codings),
        cmocka_unit_test_setup_teardown(test_deflate_is_zlib_or_bare, set_up, tear_down),
        cmocka_unit_test(test_first_bytes_tell_what_a_body_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
