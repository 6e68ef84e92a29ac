/*
 * Logs to a block and back: equal, byte for byte. An input is logs, each ended by 0xff, of level,
 * message and attributes, separated by 0xfe; all of them are put in several times, so that there is
 * something in common to be found.
 */

#include "block/hashes.h"
#include "block/raw.h"
#include "block/reader.h"
#include "block/writer.h"
#include "must.h"

enum { ROWS_MAX = 600, TIMES = 3 };

static struct slice cut(struct slice *rest, unsigned char end)
{
    struct slice s = *rest;
    const char *p = s.len ? memchr(s.data, end, s.len) : NULL;

    if (!p) {
        *rest = slice_of(s.data + s.len, 0);
        return s;
    }
    *rest = slice_of(p + 1, s.len - (size_t)(p - s.data) - 1);
    return slice_of(s.data, (size_t)(p - s.data));
}

static size_t add_rows(struct block_row *rows, size_t n, struct slice input)
{
    while (input.len > 0 && n < ROWS_MAX) {
        struct slice log = cut(&input, 0xff);
        uint64_t mixed = n * UINT64_C(0x9e3779b97f4a7c15) >> (n % 60);
        int64_t us = (int64_t)n * 1000 + (int64_t)(mixed % 999);

        rows[n].record = (struct record){.key = {us, uuid7_lowest(us)}};
        rows[n].record.key.id.bytes[15] = (uint8_t)mixed;
        rows[n].record.level = cut(&log, 0xfe);
        rows[n].record.message = cut(&log, 0xfe);
        rows[n].record.attributes = log;
        rows[n].sequence = mixed;
        n++;
    }
    return n;
}

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *bytes = ctx;

    (void)err;
    must(offset <= bytes->len && len <= bytes->len - offset);
    if (len)
        memcpy(to, bytes->data + offset, len);
    return 0;
}

static bool records_equal(const struct record *a, const struct record *b)
{
    return log_key_compare(&a->key, &b->key) == 0 && slice_equal(a->level, b->level) &&
           slice_equal(a->message, b->message) && slice_equal(a->attributes, b->attributes);
}

static void check_rows(struct block_reader *r, const struct block_row *rows, size_t n)
{
    struct errbuf err = ERRBUF_INIT;
    const uint64_t *sequences;
    struct record record;

    must(block_rows(r) == n);
    must(block_sequences(r, &sequences, &err) == 0);
    for (size_t i = 0; i < n; i++) {
        size_t row = i * 7 % n; /* not in order */

        must(block_record(r, row, &record, &err) == 0);
        must(records_equal(&record, &rows[row].record));
        must(sequences[row] == rows[row].sequence);
    }
    must(block_verify(r, &err) == 0);
}

static void check_raw(const struct block_row *rows, size_t n, struct buffer *bytes)
{
    struct errbuf err = ERRBUF_INIT;
    struct block_row row;

    buffer_clear(bytes);
    for (size_t i = 0; i < n; i++)
        block_raw_append(bytes, &rows[i]);
    struct slice rest = buffer_slice(bytes);
    for (size_t i = 0; i < n; i++) {
        must(block_raw_next(&rest, &row, &err) == 0);
        must(records_equal(&row.record, &rows[i].record) && row.sequence == rows[i].sequence);
    }
    must(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct block_row rows[ROWS_MAX];
    const struct block_options options = {.keeps_sequence = true, .hashes = true};
    struct block_writer *w = block_writer_new();
    struct block_reader *r = block_reader_new();
    struct errbuf err = ERRBUF_INIT;
    struct block_head head;
    struct buffer bytes;
    size_t n = 0;

    for (int i = 0; i < TIMES; i++)
        n = add_rows(rows, n, slice_of((const char *)data, size));
    buffer_init(&bytes, 256 << 20);
    if (n > 0) {
        must(block_write(w, rows, n, &options, &bytes, &head, &err) == 0);
        struct block_source source = {read_bytes, &bytes, bytes.len};
        must(block_open(r, &source, &head, &err) == 0);
        check_rows(r, rows, n);
        check_raw(rows, n, &bytes);
    }
    block_writer_free(w);
    block_reader_free(r);
    buffer_release(&bytes);
    return 0;
}
