#include "block_support.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/xalloc.h"
#include "block/attributes.h"
#include "block/hashes.h"
#include "block/numbers.h"

static const struct block_options HOT = {.keeps_sequence = true};
static const struct block_options COLD = {.zstd_level = BLOCK_LEVEL_COLD};

/* What comes back of a block of `t`, hot and cold, is what was put into it. */
static void comes_back(const struct test_rows *t)
{
    struct block_reader *r = block_reader_new();
    struct test_block b;

    test_block_write(&b, t, &HOT);
    test_block_is(r, &b, t, &HOT);
    test_block_release(&b);
    test_block_write(&b, t, &COLD);
    test_block_is(r, &b, t, &COLD);
    test_block_release(&b);
    block_reader_free(r);
}

static void add(struct test_rows *t, const char *message, const char *attributes)
{
    test_rows_add(t, SLICE_LITERAL("info"), slice_of_string(message), slice_of_string(attributes));
}

static void test_random_logs_come_back_as_they_were(void **state)
{
    for (uint64_t seed = 0; seed < 120; seed++) {
        struct test_rows t = {0};
        uint64_t random = seed * 1000003;
        size_t n = 1 + test_random(&random, seed % 10 ? 60 : 3000);

        for (size_t i = 0; i < n; i++)
            test_rows_add_random(&t, &random);
        comes_back(&t);
        test_rows_release(&t);
    }
}

static void test_one_log_is_a_block(void **state)
{
    struct test_rows t = {0};

    add(&t, "", "");
    comes_back(&t);
    test_rows_release(&t);
    add(&t, "x", "{}");
    comes_back(&t);
    test_rows_release(&t);
}

static void test_texts_that_are_no_json_come_back(void **state)
{
    static const char *const texts[] = {"{",
                                        "{\"",
                                        "{\"a",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\":1,",
                                        "{\"a\":[",
                                        "{\"a\":}",
                                        "[1,2]",
                                        "7",
                                        "\"s\"",
                                        "{\"a\" : 1 }",
                                        "{\"a\":1}}",
                                        "{\"a\":tru}",
                                        "{\"a\":\"\\\"}",
                                        "{\"a\":[1,{\"b\":[[]]}],\"a\":2}",
                                        "nul",
                                        "{\"\":{\"\":\"\"}}",
                                        "{\"a\":-}",
                                        "{\"a\":--1.}",
                                        "{,}",
                                        "{:}",
                                        "]"};
    struct test_rows t = {0};

    for (size_t round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
            add(&t, texts[i], texts[i]);
    comes_back(&t);
    test_rows_release(&t);
}

static void test_every_byte_comes_back(void **state)
{
    struct test_rows t = {0};

    for (int a = 0; a < 256; a++) {
        char text[] = {(char)a, 'x', (char)(a * 7), '1', (char)a};

        test_rows_add(&t, slice_of(text, 1), slice_of(text, 5), slice_of(text, (size_t)(a % 6)));
    }
    comes_back(&t);
    test_rows_release(&t);
}

/* A type that changes from log to log. */
static void test_an_attribute_of_changing_type_comes_back(void **state)
{
    static const char *const values[] = {"1",   "\"1\"", "true", "null",      "1.5",    "[]", "{}",
                                         "[1]", "\"\"",  "-7",   "{\"b\":1}", "\"01\"", "1e3"};
    struct test_rows t = {0};
    char text[64];

    for (size_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "{\"a\":%s}", values[i % (sizeof(values) / sizeof(*values))]);
        add(&t, "message", text);
    }
    comes_back(&t);
    test_rows_release(&t);
}

static void test_a_hundred_thousand_paths_come_back(void **state)
{
    struct test_rows t = {0};
    char text[512];
    size_t n = 0;

    for (size_t i = 0; i < 10000; i++) {
        size_t len = 0;

        text[len++] = '{';
        for (size_t k = 0; k < 10; k++, n++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\"path-%zu\":%zu",
                                    k ? "," : "", n, n % 17);
        snprintf(text + len, sizeof(text) - len, "}");
        add(&t, "many", text);
    }
    comes_back(&t);
    test_rows_release(&t);
}

static void test_logs_of_a_mebibyte_come_back(void **state)
{
    struct test_rows t = {0};
    size_t len = 1 << 20;
    char *text = xmalloc(len + 1);
    uint64_t random = 1;

    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < len; k++)
            text[k] = i < 2 ? (char)('a' + test_random(&random, 26)) : "12 a"[k % 4];
        text[len] = '\0';
        add(&t, text, "{\"a\":1}");
        if (i == 0) {
            memcpy(text, "{\"a\":\"", 6);
            memcpy(text + len - 2, "\"}", 2);
            add(&t, "m", text);
        }
    }
    comes_back(&t);
    free(text);
    test_rows_release(&t);
}

static void test_numbers_of_storing_and_ids_in_any_order_come_back(void **state)
{
    struct test_rows t = {0};
    uint64_t random = 3;

    for (size_t i = 0; i < 3000; i++) {
        struct log_key *key;

        add(&t, "message", "");
        t.rows[i].sequence = test_random(&random, i % 5 ? 100000 : UINT64_MAX);
        key = &t.rows[i].record.key;
        switch (i % 7) {
        case 0: /* an id of another time than the log's */
            key->id = uuid7_new(key->timestamp_us + 12345678);
            break;
        case 1: /* no version 7 */
            for (size_t k = 0; k < sizeof(key->id.bytes); k++)
                key->id.bytes[k] = (uint8_t)test_random(&random, 256);
            break;
        default:
            break;
        }
    }
    comes_back(&t);
    t.rows[0].record.key.timestamp_us = INT64_MIN;
    t.rows[t.len - 1].record.key.timestamp_us = INT64_MAX;
    comes_back(&t);
    test_rows_release(&t);
}

static void test_the_head_tells_what_is_in_the_block(void **state)
{
    struct test_rows t = {0};
    struct test_block b;

    test_rows_add(&t, SLICE_LITERAL("info"), SLICE_LITERAL("one"), SLICE_LITERAL("{}"));
    test_rows_add(&t, SLICE_LITERAL("error"), SLICE_LITERAL(""), SLICE_LITERAL(""));
    test_rows_add(&t, SLICE_LITERAL("info"), SLICE_LITERAL("two"), SLICE_LITERAL(""));
    test_block_write(&b, &t, &HOT);
    assert_int_equal(b.head.rows, 3);
    assert_int_equal(b.head.raw_bytes, 4 + 3 + 2 + 5 + 4 + 3);
    assert_int_equal(b.head.first_sequence, 1000);
    assert_int_equal(b.head.last_sequence, 1002);
    assert_int_equal(b.head.levels_len, 2);
    assert_true(slice_equal(b.head.levels[0].level, SLICE_LITERAL("info")));
    assert_int_equal(b.head.levels[0].rows, 2);
    assert_int_equal(b.head.levels[1].rows, 1);
    test_block_release(&b);
    test_block_write(&b, &t, &COLD);
    assert_int_equal(b.head.last_sequence, 0);
    test_block_release(&b);
    test_rows_release(&t);
}

/* Reads all that can be read; whatever that says. */
static bool all_is_read(struct block_reader *r, const struct test_block *b)
{
    struct errbuf err = ERRBUF_INIT;

    return block_open(r, &b->source, &b->head, &err) == 0 && block_verify(r, &err) == 0;
}

static void test_damage_of_any_byte_is_found(void **state)
{
    struct block_reader *r = block_reader_new();
    struct test_rows t = {0};
    struct test_block b;
    uint64_t random = 11;

    for (size_t i = 0; i < 50; i++)
        test_rows_add_random(&t, &random);
    test_block_write(&b, &t, &HOT);
    assert_true(all_is_read(r, &b));
    for (size_t i = 0; i < b.bytes.len; i++) {
        b.bytes.data[i] ^= (char)(1 << i % 8);
        assert_false(all_is_read(r, &b));
        b.bytes.data[i] ^= (char)(1 << i % 8);
    }
    b.head.rows++;
    assert_false(all_is_read(r, &b));
    b.head.rows--;
    b.source.len--;
    assert_false(all_is_read(r, &b));
    b.source.len++;
    assert_true(all_is_read(r, &b));
    test_block_release(&b);
    test_rows_release(&t);
    block_reader_free(r);
}

/* ---- Hashes ---- */

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The hashes of all logs, each by itself; sorted, each once. Returns how many. */
static size_t plain_hashes(const struct test_rows *t, uint64_t **out)
{
    struct block_hashes *h = block_hashes_new();
    const uint64_t *hashes;
    size_t n;

    block_hashes_clear(h);
    for (size_t i = 0; i < t->len; i++) {
        block_hashes_add_text(h, t->rows[i].record.message);
        if (t->rows[i].record.attributes.len)
            block_hashes_add_object(h, t->rows[i].record.attributes);
    }
    assert_int_equal(block_hashes_error(h), 0);
    block_hashes_get(h, &hashes, &n);
    *out = xmalloc((n + 1) * sizeof(**out));
    if (n)
        memcpy(*out, hashes, n * sizeof(**out));
    qsort(*out, n, sizeof(**out), compare_hashes);
    block_hashes_free(h);
    return n;
}

static void hashes_are_those_of_its_logs(const struct test_rows *t)
{
    struct block_writer *w = block_writer_new();
    struct block_options options = {.hashes = true};
    struct errbuf err = ERRBUF_INIT;
    struct block_head head;
    struct buffer bytes;
    const uint64_t *got;
    uint64_t *want;
    size_t got_len;
    size_t want_len = plain_hashes(t, &want);

    buffer_init(&bytes, SIZE_MAX / 2);
    assert_int_equal(block_write(w, t->rows, t->len, &options, &bytes, &head, &err), 0);
    block_writer_hashes(w, &got, &got_len);
    assert_int_equal(got_len, want_len);
    for (size_t i = 0; i < got_len; i++)
        assert_non_null(bsearch(&got[i], want, want_len, sizeof(*want), compare_hashes));
    options.hashes = false;
    assert_int_equal(block_write(w, t->rows, t->len, &options, &bytes, &head, &err), 0);
    block_writer_hashes(w, &got, &got_len);
    assert_int_equal(got_len, 0);
    free(want);
    buffer_release(&bytes);
    block_writer_free(w);
}

static void test_hashes_of_a_block_are_those_of_its_logs(void **state)
{
    static const char *const messages[] = {"user7 logged in as Üser 12345",
                                           "K5 took 12.50ms of 3f2a9c77b1",
                                           "a 1 b 22 c 333 d 4444 e 55555", "x=0x7fffdeadbeef"};
    struct test_rows t = {0};

    for (uint64_t seed = 0; seed < 40; seed++) {
        uint64_t random = seed * 77 + 5;
        size_t n = 1 + test_random(&random, seed % 8 ? 100 : 2000);

        for (size_t i = 0; i < n; i++)
            test_rows_add_random(&t, &random);
        for (size_t i = 0; i < n; i++)
            add(&t, messages[i % 4], "{\"n\\\"ame\":\"v\\tx\",\"n\":12,\"l\":true}");
        hashes_are_those_of_its_logs(&t);
        test_rows_release(&t);
    }
}

static void add_bytes(const struct block_column_info *column, void *ctx)
{
    assert_true(column->name.len > 0 && column->kind.len > 0);
    *(size_t *)ctx += column->bytes;
}

static void test_columns_account_for_every_byte(void **state)
{
    struct block_reader *r = block_reader_new();
    struct errbuf err = ERRBUF_INIT;
    struct test_rows t = {0};
    struct test_block b;
    uint64_t random = 12;
    size_t bytes = 0;

    for (size_t i = 0; i < 500; i++)
        test_rows_add_random(&t, &random);
    test_block_write(&b, &t, &HOT);
    assert_int_equal(block_open(r, &b.source, &b.head, &err), 0);
    assert_int_equal(block_columns(r, add_bytes, &bytes, &err), 0);
    assert_int_equal(bytes, b.bytes.len);
    test_block_release(&b);
    test_rows_release(&t);
    block_reader_free(r);
}

static void test_a_block_ends_after_so_many_logs_or_bytes(void **state)
{
    struct block_row *rows = xcalloc(BLOCK_ROWS + 1, sizeof(*rows));

    assert_int_equal(block_fill(rows, BLOCK_ROWS + 1), BLOCK_ROWS);
    assert_int_equal(block_fill(rows, 5), 5);
    rows[0].record.message.len = BLOCK_RAW_BYTES + 1;
    assert_int_equal(block_fill(rows, 5), 1);
    rows[0].record.message.len = 10;
    rows[3].record.message.len = BLOCK_RAW_BYTES;
    assert_int_equal(block_fill(rows, 5), 3);
    free(rows);
}

/* ---- Blocks that nobody has written: all checksums are right ---- */

static int read_forged(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *b = ctx;

    memcpy(to, b->data + offset, len);
    return 0;
}

/* Opens what was put into `w`, as a block of so many logs with texts of so many bytes. */
static void open_forged(struct stream_reader *r, struct stream_writer *w, uint32_t rows,
                        uint64_t raw_bytes, struct block_source *source, struct buffer *bytes)
{
    struct block_head head = {.number = 1, .rows = rows, .raw_bytes = raw_bytes};
    struct errbuf err = ERRBUF_INIT;

    buffer_init(bytes, SIZE_MAX / 2);
    assert_int_equal(stream_end(w, rows, bytes), 0);
    head.bytes = (uint32_t)bytes->len;
    *source = (struct block_source){.read = read_forged, .ctx = bytes, .len = bytes->len};
    stream_reader_init(r);
    assert_int_equal(stream_open(r, source, &head, &err), 0);
}

static void append_numbers(struct buffer *b, const uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes_append_varint(b, numbers[i]);
}

/* Else the second of two bytes of each number would be looked for where there is nothing. */
static void test_streams_lie_where_their_length_says(void **state)
{
    static const char zeroes[STREAM_OWN_MIN];
    const struct slice plane = slice_of(zeroes, sizeof(zeroes));
    const uint64_t directory[] = {NUMBERS_BYTES, 0, 2, sizeof(zeroes) << 1 | 1,
                                  sizeof(zeroes) << 1};
    struct numbers_stored numbers;
    struct block_source source;
    struct stream_writer w;
    struct stream_reader r;
    struct buffer bytes;

    stream_writer_init(&w);
    stream_begin(&w, BLOCK_LEVEL_HOT);
    section_add(w.sections, plane, SECTION_NUMBERS);
    w.group = STREAM_ATTRIBUTES;
    buffer_append_slice(&w.shared[STREAM_ATTRIBUTES * STREAM_KINDS + SECTION_NUMBERS], plane);
    append_numbers(&w.directory, directory, sizeof(directory) / sizeof(directory[0]));
    open_forged(&r, &w, sizeof(zeroes), 0, &source, &bytes);
    r.group = STREAM_ATTRIBUTES;
    assert_false(numbers_take(&r, sizeof(zeroes), &numbers));
    stream_reader_release(&r);
    stream_writer_release(&w);
    buffer_release(&bytes);
}

/* Else a few bytes could ask for any memory. */
static void test_attributes_have_no_more_values_than_bytes(void **state)
{
    const uint64_t directory[] = {NUMBERS_CONSTANT,
                                  bytes_zigzag(ATTRIBUTES_TREE),
                                  0,
                                  COLUMN_CONSTANT,
                                  0, /* which; texts */
                                  2, /* columns */
                                  0,
                                  ATTRIBUTES_OBJECT,
                                  0,
                                  1,
                                  0,
                                  ATTRIBUTES_ARRAY,
                                  0,
                                  UINT32_MAX, /* their names */
                                  2,
                                  0,
                                  NUMBERS_CONSTANT,
                                  0,
                                  2,
                                  0,
                                  NUMBERS_CONSTANT,
                                  0}; /* their layouts */
    struct errbuf err = ERRBUF_INIT;
    struct attributes_reader *a;
    struct block_source source;
    struct stream_writer w;
    struct stream_reader r;
    struct buffer bytes;

    stream_writer_init(&w);
    stream_begin(&w, BLOCK_LEVEL_HOT);
    append_numbers(&w.directory, directory, sizeof(directory) / sizeof(directory[0]));
    open_forged(&r, &w, 1, 100, &source, &bytes);
    r.group = STREAM_ATTRIBUTES;
    assert_int_equal(attributes_reader_take(&r, 1, &a, &err), LM_EIO);
    stream_reader_release(&r);
    stream_writer_release(&w);
    buffer_release(&bytes);
}

struct measured {
    size_t bytes, user, message, n;
};

static void measure(const struct block_column_info *column, void *ctx)
{
    struct measured *m = ctx;

    m->bytes += column->bytes;
    m->n += column->raw_bytes > 0;
    if (slice_equal(column->name, SLICE_LITERAL("attributes.user")))
        m->user += column->raw_bytes;
    if (slice_equal(column->name, SLICE_LITERAL("message")))
        m->message = column->raw_bytes;
}

static void test_columns_are_measured(void **state)
{
    struct block_reader *r = block_reader_new();
    struct measured m = {0}, plain = {0};
    struct errbuf err = ERRBUF_INIT;
    struct test_rows t = {0};
    size_t messages = 0, users = 0;
    struct test_block b;
    char message[64], attributes[64];

    for (unsigned i = 0; i < 3000; i++) {
        snprintf(message, sizeof(message), "request %u took %u ms", i * 7, i % 90);
        snprintf(attributes, sizeof(attributes), "{\"user\":\"u%u\",\"n\":%u}", i % 40, i);
        add(&t, message, attributes);
        messages += strlen(message);
        users += i % 40 < 10 ? 2 : 3;
    }
    test_block_write(&b, &t, &HOT);
    assert_int_equal(block_open(r, &b.source, &b.head, &err), 0);
    assert_int_equal(block_measure(r, measure, &m, &err), 0);
    assert_int_equal(m.message, messages);
    assert_int_equal(m.user, users);
    assert_int_equal(m.bytes, b.bytes.len);
    assert_int_equal(block_columns(r, measure, &plain, &err), 0);
    assert_int_equal(plain.bytes, m.bytes);
    assert_int_equal(plain.n, 0);
    test_block_release(&b);
    test_rows_release(&t);
    block_reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_measured),
        cmocka_unit_test(test_random_logs_come_back_as_they_were),
        cmocka_unit_test(test_one_log_is_a_block),
        cmocka_unit_test(test_texts_that_are_no_json_come_back),
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_an_attribute_of_changing_type_comes_back),
        cmocka_unit_test(test_a_hundred_thousand_paths_come_back),
        cmocka_unit_test(test_logs_of_a_mebibyte_come_back),
        cmocka_unit_test(test_numbers_of_storing_and_ids_in_any_order_come_back),
        cmocka_unit_test(test_the_head_tells_what_is_in_the_block),
        cmocka_unit_test(test_damage_of_any_byte_is_found),
        cmocka_unit_test(test_streams_lie_where_their_length_says),
        cmocka_unit_test(test_attributes_have_no_more_values_than_bytes),
        cmocka_unit_test(test_hashes_of_a_block_are_those_of_its_logs),
        cmocka_unit_test(test_columns_account_for_every_byte),
        cmocka_unit_test(test_a_block_ends_after_so_many_logs_or_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
