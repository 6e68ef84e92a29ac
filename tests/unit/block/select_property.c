#include "select_property.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "block/select.h"
#include "block/writer.h"
#include "random_logs.h"

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static int read_bytes(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    const struct buffer *block = ctx;

    must(offset <= block->len && len <= block->len - offset, "read outside of the block");
    if (len)
        memcpy(to, block->data + offset, len);
    return 0;
}

struct block {
    struct random_logs logs;
    struct block_writer *writer;
    struct block_reader *reader;
    struct buffer bytes;
    struct block_head head;
};

static void print_text(const char *name, struct slice s)
{
    fprintf(stderr, "%s: \"", name);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        fprintf(stderr, c >= 0x20 && c != 0x7f ? "%c" : "\\x%02x", c);
    }
    fprintf(stderr, "\"\n");
}

static void print_difference(const struct log_filter *f, const struct record *r, bool expected)
{
    fprintf(stderr, "the plain matcher says %s of\n", expected ? "yes" : "no");
    print_text("  level", r->level);
    print_text("  message", r->message);
    print_text("  attributes", r->attributes);
    print_text("  asked: text", f->text);
    print_text("  asked: excluded text", f->excluded_text);
    for (size_t i = 0; i < f->levels_len; i++)
        print_text("  asked: level", f->levels[i]);
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        print_text("  asked: excluded level", f->excluded_levels[i]);
    for (size_t i = 0; i < f->attributes_len; i++) {
        print_text(f->attributes[i].excludes ? "  excluded name" : "  name", f->attributes[i].name);
        print_text("  value", f->attributes[i].value);
    }
}

static bool has_hash(const struct block *b, uint64_t hash)
{
    const uint64_t *hashes;
    size_t n;

    block_writer_hashes(b->writer, &hashes, &n);
    for (size_t i = 0; i < n; i++)
        if (hashes[i] == hash)
            return true;
    return false;
}

/* What filter and head say of the whole block, where `any` or `all` rows match. */
static void check_verdicts(const struct block *b, const struct block_plan *p, bool any, bool all)
{
    enum block_verdict verdict = block_plan_judge(p, &b->head);
    const uint64_t *hashes;
    size_t n;

    must(verdict != BLOCK_NONE || !any, "judged as none by its head, and has a match");
    must(verdict != BLOCK_ALL || all, "judged as all by its head, and has no match");
    block_plan_hashes(p, &hashes, &n);
    for (size_t i = 0; any && i < n; i++)
        must(has_hash(b, hashes[i]), "a hash is missing of a block that has a match");
}

static void check_query(struct block *b, struct block_explain *explain)
{
    size_t words = BLOCK_ROW_WORDS(b->logs.len);
    uint64_t *rows = xcalloc(words, sizeof(*rows));
    bool asks_all = random_logs_below(&b->logs, 2);
    struct errbuf err = ERRBUF_INIT;
    struct log_filter f;
    bool any = false;
    bool all = true;

    random_logs_filter(&b->logs, &f);
    struct log_matcher *m = log_matcher_new(&f);
    struct block_plan *p = m ? block_plan_new(m) : NULL;
    must(p, "no memory");
    for (size_t i = 0; i < b->logs.len; i++)
        if (asks_all || random_logs_below(&b->logs, 3))
            rows[i / 64] |= UINT64_C(1) << i % 64;
    uint64_t *asked = xcalloc(words, sizeof(*asked));
    memcpy(asked, rows, words * sizeof(*rows));
    if (block_select(b->reader, p, rows, explain, &err))
        must(false, err.text);
    for (size_t i = 0; i < b->logs.len; i++) {
        bool matches;
        bool selected = rows[i / 64] >> i % 64 & 1;
        bool was_asked = asked[i / 64] >> i % 64 & 1;

        must(!log_matcher_match(m, &b->logs.rows[i].record, &matches, NULL), "no memory");
        any |= matches;
        all &= matches;
        if (selected != (matches && was_asked)) {
            print_difference(&f, &b->logs.rows[i].record, matches);
            must(false, "block_select says otherwise");
        }
    }
    must(b->logs.len % 64 == 0 || rows[words - 1] >> b->logs.len % 64 == 0, "rows past the end");
    check_verdicts(b, p, any, all);
    block_plan_free(p);
    log_matcher_unref(m);
    free(asked);
    free(rows);
}

void select_property_check(struct slice bytes, size_t logs_max, unsigned queries,
                           struct block_explain *explain)
{
    struct block b = {.writer = block_writer_new(), .reader = block_reader_new()};
    const struct block_options options = {.hashes = true};
    struct errbuf err = ERRBUF_INIT;

    random_logs_make(&b.logs, bytes, logs_max);
    buffer_init(&b.bytes, 64 << 20);
    if (block_write(b.writer, b.logs.rows, b.logs.len, &options, &b.bytes, &b.head, &err))
        must(false, err.text);
    const struct block_source source = {read_bytes, &b.bytes, b.bytes.len};
    if (block_open(b.reader, &source, &b.head, &err))
        must(false, err.text);
    for (unsigned i = 0; i < queries; i++)
        check_query(&b, explain);
    block_close(b.reader);
    block_reader_free(b.reader);
    block_writer_free(b.writer);
    buffer_release(&b.bytes);
    random_logs_free(&b.logs);
}
