#include "block_support.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/xalloc.h"

static const int64_t START_US = 1764288000000000; /* 2025-11-28 */

void test_rows_release(struct test_rows *t)
{
    for (size_t i = 0; i < t->texts_len; i++)
        free(t->texts[i]);
    free(t->texts);
    free(t->rows);
    *t = (struct test_rows){0};
}

static struct slice keep(struct test_rows *t, struct slice text)
{
    /* Exactly as long as it is, so that what reads past its end is found. */
    char *copy = xmalloc(text.len ? text.len : 1);

    if (text.len)
        memcpy(copy, text.data, text.len);
    t->texts = array_reserve(t->texts, &t->texts_capacity, t->texts_len + 1, sizeof(*t->texts));
    t->texts[t->texts_len++] = copy;
    return slice_of(copy, text.len);
}

void test_rows_add(struct test_rows *t, struct slice level, struct slice message,
                   struct slice attributes)
{
    int64_t us = START_US + (int64_t)t->len;

    t->rows = array_reserve(t->rows, &t->capacity, t->len + 1, sizeof(*t->rows));
    t->rows[t->len] = (struct block_row){
        .record = {.key = {us, uuid7_new(us)},
                   .level = keep(t, level),
                   .message = keep(t, message),
                   .attributes = keep(t, attributes)},
        .sequence = 1000 + t->len,
    };
    t->len++;
}

uint64_t test_random(uint64_t *state, uint64_t n)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return n ? hash_mix(*state) % n : 0;
}

/* ---- Logs of all kinds ---- */

static const char *const WORDS[] = {"GET",  "POST",  "/api/v2/items", "user", "üser",   "[42]",
                                    "x86",  "::1",   "0x1f",          "-",    "Straße", "e5",
                                    "",     "\"",    "\\n",           " ",    "=",      "\x01",
                                    "web-", "trace", "日本",          "%",    "{}",     "$1"};

static void append_digits(struct buffer *b, uint64_t *state)
{
    static const char alphabets[][17] = {"0123456789", "0123456789abcdef", "0123456789ABCDEF",
                                         "0000000001", "0123456789aBcdEf"};
    const char *alphabet = alphabets[test_random(state, 5)];
    size_t len = test_random(state, 10) ? 1 + test_random(state, 9) : test_random(state, 40);
    uint64_t base = strlen(alphabet);

    for (size_t i = 0; i < len; i++)
        buffer_append_char(b, alphabet[test_random(state, base)]);
}

static void append_uuid(struct buffer *b, uint64_t *state)
{
    char text[UUID_TEXT_LEN];
    struct uuid id;

    for (size_t i = 0; i < sizeof(id.bytes); i++)
        id.bytes[i] = (uint8_t)test_random(state, 256);
    uuid_format(&id, text);
    buffer_append(b, text, sizeof(text));
}

static void append_message(struct buffer *b, uint64_t *state)
{
    size_t n = test_random(state, 8);

    for (size_t i = 0; i < n; i++) {
        switch (test_random(state, 6)) {
        case 0:
        case 1:
            append_digits(b, state);
            break;
        case 2:
            if (test_random(state, 4) == 0)
                append_uuid(b, state);
            break;
        default:
            buffer_append_string(b, WORDS[test_random(state, sizeof(WORDS) / sizeof(*WORDS))]);
        }
        if (test_random(state, 2))
            buffer_append_char(b, ' ');
    }
}

static void append_string(struct buffer *b, uint64_t *state)
{
    static const char *const inner[] = {"\\\"", "\\u0000", "\\\\", "a",   "b.c", "ü", "7",
                                        "0",    "x",       "",     "\\n", "/",   " "};

    buffer_append_char(b, '"');
    switch (test_random(state, 4)) {
    case 0:
        append_digits(b, state);
        break;
    case 1:
        append_uuid(b, state);
        break;
    default:
        for (size_t i = test_random(state, 4); i > 0; i--)
            buffer_append_string(b, inner[test_random(state, sizeof(inner) / sizeof(*inner))]);
    }
    buffer_append_char(b, '"');
}

static void append_number(struct buffer *b, uint64_t *state)
{
    static const char *const odd[] = {"-0",
                                      "0",
                                      "1e5",
                                      "1E+5",
                                      "-1.50",
                                      "0.0",
                                      "1.0",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "9223372036854775808",
                                      "-1",
                                      "0.10",
                                      "1.10e-7",
                                      "123456789012345678901234567890"};

    if (test_random(state, 3) == 0) {
        buffer_append_string(b, odd[test_random(state, sizeof(odd) / sizeof(*odd))]);
        return;
    }
    if (test_random(state, 4) == 0)
        buffer_append_char(b, '-');
    buffer_append_u64(b, test_random(state, test_random(state, 1 << 20) + 1));
    if (test_random(state, 3) == 0)
        buffer_appendf(b, ".%llu", (unsigned long long)test_random(state, 1000));
}

static void append_value(struct buffer *b, uint64_t *state, unsigned depth);

static void append_object(struct buffer *b, uint64_t *state, unsigned depth)
{
    static const char *const names[] = {"a", "b", "service", "", "a.b", "ü", "\\\"", "host", "x y"};
    size_t n = test_random(state, 5);

    buffer_append_char(b, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buffer_append_char(b, ',');
        buffer_append_char(b, '"');
        buffer_append_string(b, names[test_random(state, sizeof(names) / sizeof(*names))]);
        if (test_random(state, 20) == 0)
            buffer_append_u64(b, test_random(state, 100000));
        buffer_append_string(b, "\":");
        append_value(b, state, depth + 1);
    }
    buffer_append_char(b, '}');
}

static void append_array(struct buffer *b, uint64_t *state, unsigned depth)
{
    size_t n = test_random(state, 4);

    buffer_append_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buffer_append_char(b, ',');
        append_value(b, state, depth + 1);
    }
    buffer_append_char(b, ']');
}

static void append_value(struct buffer *b, uint64_t *state, unsigned depth)
{
    static const char *const literals[] = {"true", "false", "null"};

    switch (test_random(state, depth < 4 ? 8 : 6)) {
    case 0:
    case 1:
    case 2:
        append_string(b, state);
        break;
    case 3:
    case 4:
        append_number(b, state);
        break;
    case 5:
        buffer_append_string(b, literals[test_random(state, 3)]);
        break;
    case 6:
        append_object(b, state, depth);
        break;
    default:
        append_array(b, state, depth);
    }
}

void test_rows_add_random(struct test_rows *t, uint64_t *state)
{
    static const char *const levels[] = {"info", "info", "info", "ERROR", "warning", "", "ünfo"};
    struct buffer message, attributes;

    buffer_init(&message, 1 << 20);
    buffer_init(&attributes, 1 << 24);
    append_message(&message, state);
    if (test_random(state, 8))
        append_object(&attributes, state, 0);
    test_rows_add(t, slice_of_string(levels[test_random(state, 7)]), buffer_slice(&message),
                  buffer_slice(&attributes));
    buffer_release(&message);
    buffer_release(&attributes);
}

/* ---- Blocks ---- */

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *bytes = ctx;

    assert_true(offset <= bytes->len && len <= bytes->len - offset);
    memcpy(to, bytes->data + offset, len);
    return 0;
}

void test_block_write(struct test_block *b, const struct test_rows *t,
                      const struct block_options *options)
{
    struct block_writer *w = block_writer_new();
    struct errbuf err = ERRBUF_INIT;

    *b = (struct test_block){0};
    buffer_init(&b->bytes, SIZE_MAX / 2);
    assert_int_equal(block_write(w, t->rows, t->len, options, &b->bytes, &b->head, &err), 0);
    assert_int_equal(b->head.bytes, b->bytes.len);
    b->head.number = 7;
    b->source = (struct block_source){read_bytes, &b->bytes, b->bytes.len};
    block_writer_free(w);
}

void test_block_release(struct test_block *b)
{
    buffer_release(&b->bytes);
}

static void row_is(struct block_reader *r, const struct test_rows *t, size_t i)
{
    const struct record *want = &t->rows[i].record;
    struct errbuf err = ERRBUF_INIT;
    struct record got;
    int error = block_record(r, i, &got, &err);

    if (error)
        print_error("%s\n", err.text);
    assert_int_equal(error, 0);
    assert_int_equal(log_key_compare(&got.key, &want->key), 0);
    assert_true(slice_equal(got.level, want->level));
    if (!slice_equal(got.message, want->message))
        print_error("%.*s\n%.*s\n", SLICE_ARG(got.message), SLICE_ARG(want->message));
    assert_true(slice_equal(got.message, want->message));
    if (!slice_equal(got.attributes, want->attributes))
        print_error("%.*s\n%.*s\n", SLICE_ARG(got.attributes), SLICE_ARG(want->attributes));
    assert_true(slice_equal(got.attributes, want->attributes));
}

static void columns_are(struct block_reader *r, const struct test_rows *t,
                        const struct block_options *options)
{
    struct errbuf err = ERRBUF_INIT;
    const int64_t *times;
    const uint64_t *sequences;
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;

    assert_int_equal(block_times(r, &times, &err), 0);
    assert_int_equal(block_sequences(r, &sequences, &err), 0);
    assert_int_equal(block_levels(r, &codes, &levels, &levels_len, &err), 0);
    assert_int_equal(!sequences, !options->keeps_sequence);
    for (size_t i = 0; i < t->len; i++) {
        size_t row;
        bool found;

        assert_int_equal(times[i], t->rows[i].record.key.timestamp_us);
        if (sequences)
            assert_int_equal(sequences[i], t->rows[i].sequence);
        assert_true(codes[i] < levels_len);
        assert_true(slice_equal(levels[codes[i]], t->rows[i].record.level));
        assert_int_equal(block_find(r, &t->rows[i].record.key, &row, &found, &err), 0);
        assert_true(found && row == i);
    }
}

void test_block_is(struct block_reader *r, const struct test_block *b, const struct test_rows *t,
                   const struct block_options *options)
{
    struct errbuf err = ERRBUF_INIT;
    uint64_t state = 5;

    assert_int_equal(block_open(r, &b->source, &b->head, &err), 0);
    assert_int_equal(block_rows(r), t->len);
    for (size_t i = 0; i < 3 && i < t->len; i++)
        row_is(r, t, test_random(&state, t->len));
    columns_are(r, t, options);
    for (size_t i = 0; i < t->len; i++)
        row_is(r, t, i);
    assert_int_equal(block_verify(r, &err), 0);
    block_close(r);
}
