/*
 * Hostile blocks: whatever their bytes are, the answer is an error or logs, and memory stays within
 * what the head allows. An input is what a head tells (2 bytes rows, 2 bytes raw bytes / 16), a
 * byte, and, if that is even, the block's bytes; else what its sections hold, made into a block
 * with right checksums: first the directory, each with its length (2 bytes) before it.
 */

#include "block/internal.h"
#include "block/reader.h"
#include "block/section.h"
#include "block/select.h"
#include "must.h"
#include "query/language.h"

enum {
    MEMORY_OF_PLAIN = 128, /* bytes of memory for each that a block may have decompressed … */
    MEMORY_SPARE = 4 << 20 /* … and what a reader has anyway */
};

static struct slice take(struct slice *input, size_t len)
{
    struct slice taken = slice_of(input->data, len < input->len ? len : input->len);

    *input = slice_of(input->data + taken.len, input->len - taken.len);
    return taken;
}

static unsigned take_u16(struct slice *input)
{
    struct slice s = take(input, 2);

    return s.len < 2 ? 0 : (unsigned)((unsigned char)s.data[0] << 8 | (unsigned char)s.data[1]);
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

static void make_block(struct slice input, uint32_t rows, struct buffer *bytes)
{
    struct section_writer *w = section_writer_new();
    struct slice directory = take(&input, take_u16(&input));

    section_begin(w, 1);
    while (input.len > 0)
        section_add(w, take(&input, take_u16(&input)), SECTION_TEXT);
    must(section_end(w, rows, directory, bytes) == 0);
    section_writer_free(w);
}

static void ignore_column(const struct block_column_info *column, void *ctx)
{
    (void)ctx;
    must(column->name.len > 0);
}

/* Every kind of test. */
static struct block_plan *make_plan(void)
{
    static const char text[] =
        "any:4 -service:x* (n:>3 OR a.b:[1 TO 2.5] OR -s:*x* OR t:7 OR /o\\d/ OR s:/a./) "
        "(level:>=info OR x) a.b:*";
    struct query_mistake mistake;
    struct log_filter f;

    log_filter_init(&f);
    must(query_parse(slice_of_string(text), 0, NULL, &f.query, &mistake) == 0);
    struct log_matcher *m = log_matcher_new(&f);
    struct block_plan *p = block_plan_new(m);
    must(p);
    log_matcher_unref(m);
    query_unref(f.query);
    return p;
}

static void ask(struct block_reader *r)
{
    static struct block_plan *plan; /* for all inputs */
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)] = {0};
    struct errbuf err = ERRBUF_INIT;

    if (!plan)
        plan = make_plan();
    for (size_t i = 0; i < block_rows(r); i++)
        rows[i / 64] |= UINT64_C(1) << i % 64;
    if (block_select(r, plan, rows, NULL, &err) == 0)
        must(rows[block_rows(r) / 64] >> block_rows(r) % 64 == 0);
}

static void read_all(struct block_reader *r)
{
    struct errbuf err = ERRBUF_INIT;
    const struct column *messages;
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    struct record record;

    for (size_t i = 0; i < block_rows(r); i++)
        if (block_record(r, i, &record, &err))
            break;
    if (block_levels(r, &codes, &levels, &levels_len, &err) == 0)
        must(codes[0] < levels_len);
    if (block_messages(r, &messages, &err) == 0 && messages->kind == COLUMN_TEMPLATES)
        for (uint32_t p = 0; p < messages->templates->pools_len; p++)
            if (block_pool(r, messages->templates, p, &err))
                break;
    ask(r);
    if (block_measure(r, ignore_column, NULL, &err))
        return;
    if (block_verify(r, &err))
        must(err.text[0]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct block_head head = {.rows = take_u16(&input) % 300 + 1};
    struct block_reader *r = block_reader_new();
    struct errbuf err = ERRBUF_INIT;
    struct buffer bytes;

    /* The logs of the first inputs are a microsecond apart, from 1970 on, with the lowest ids. */
    head.first = log_key_lowest(0);
    head.last = log_key_lowest(head.rows - 1);
    head.raw_bytes = 16 * (uint64_t)take_u16(&input);
    buffer_init(&bytes, 64 << 20);
    struct slice how = take(&input, 1);
    if (how.len && how.data[0] & 1)
        make_block(input, head.rows, &bytes);
    else
        buffer_append_slice(&bytes, input);
    head.bytes = (uint32_t)bytes.len;
    struct block_source source = {read_bytes, &bytes, bytes.len};
    if (block_open(r, &source, &head, &err) == 0)
        read_all(r);
    must(block_reader_memory(r) <=
         MEMORY_OF_PLAIN * (8 * head.raw_bytes + 96 * (size_t)head.rows + 65536) + MEMORY_SPARE);
    block_reader_free(r);
    buffer_release(&bytes);
    return 0;
}
