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
    struct block_source source; /* of them */
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

static void print_query(const struct query *q)
{
    static const char *const kinds[] = {"and", "or", "not", "test"};
    static const char *const fields[] = {"message", "level", "timestamp", "id", "attribute", "any"};
    static const char *const tests[] = {"exists", "equals",   "holds", "begins",
                                        "ends",   "contains", "regex", "range"};

    for (uint32_t i = 0; q && i < q->len; i++) {
        const struct query_node *n = &q->nodes[i];

        fprintf(stderr, "  %u: %s until %u\n", i, kinds[n->kind], n->end);
        if (n->kind != QUERY_TEST)
            continue;
        fprintf(stderr, "    %s %s %d %d\n", fields[n->field], tests[n->test], n->low_included,
                n->high_included);
        print_text("    path", n->path);
        print_text("    text", n->text);
        print_text("    low", n->low);
        print_text("    high", n->high);
    }
}

static void print_difference(const struct log_filter *f, const struct record *r, bool expected)
{
    fprintf(stderr, "the plain matcher says %s of\n", expected ? "yes" : "no");
    print_text("  level", r->level);
    print_text("  message", r->message);
    print_text("  attributes", r->attributes);
    print_query(f->query);
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

    must(verdict != BLOCK_NONE || !any, "judged as none by its head, and has a match");
    must(verdict != BLOCK_ALL || all, "judged as all by its head, and has no match");
    for (size_t i = 0; any && i < block_plan_clauses(p); i++) {
        const struct block_clause clause = block_plan_clause(p, i);
        bool has = clause.by_path && !block_writer_hashed_all(b->writer);

        for (size_t k = 0; k < clause.len; k++)
            has |= has_hash(b, clause.hashes[k]);
        must(has, "all hashes of a clause are missing of a block that has a match");
    }
}

/* Asks the block about the rows that are set in `rows`; `f` is asked for. */
static void check_filter(struct block *b, const struct log_filter *f, uint64_t *rows,
                         struct block_explain *explain)
{
    size_t words = BLOCK_ROW_WORDS(b->logs.len);
    struct log_matcher *m = log_matcher_new(f);
    struct block_plan *p = m ? block_plan_new(m) : NULL;
    uint64_t *asked = xcalloc(words, sizeof(*asked));
    struct errbuf err = ERRBUF_INIT;
    bool any = false;
    bool all = true;

    must(p, "no memory");
    memcpy(asked, rows, words * sizeof(*rows));
    if (block_select(b->reader, p, rows, explain, &err))
        must(false, err.text);
    for (size_t i = 0; i < b->logs.len; i++) {
        bool matches;
        bool selected = rows[i / 64] >> i % 64 & 1;
        bool was_asked = asked[i / 64] >> i % 64 & 1;

        must(!log_matcher_match(m, &b->logs.rows[i].record, &matches, &err), err.text);
        any |= matches;
        all &= matches;
        if (selected != (matches && was_asked)) {
            print_difference(f, &b->logs.rows[i].record, matches);
            must(false, "block_select says otherwise");
        }
    }
    must(b->logs.len % 64 == 0 || rows[words - 1] >> b->logs.len % 64 == 0, "rows past the end");
    check_verdicts(b, p, any, all);
    block_plan_free(p);
    log_matcher_unref(m);
    free(asked);
}

/* `q`, guarded by another: nothing but the order in which they are asked. */
static struct query *guarded(struct block *b, struct query *q)
{
    struct query *guard = random_logs_query(&b->logs);
    struct query_builder builder;
    struct query *both;

    if (!q || !guard) {
        query_unref(guard);
        return q;
    }
    query_builder_init(&builder);
    query_builder_open(&builder, QUERY_AND);
    query_builder_guard(&builder, guard);
    query_builder_add(&builder, q);
    query_builder_close(&builder);
    if (query_builder_finish(&builder, &both))
        both = query_ref(q); /* too deep */
    query_unref(guard);
    query_unref(q);
    return both;
}

static void check_query(struct block *b, struct block_explain *explain)
{
    uint64_t *rows = xcalloc(BLOCK_ROW_WORDS(b->logs.len), sizeof(*rows));
    bool asks_all = random_logs_below(&b->logs, 2);
    struct log_filter f;

    random_logs_filter(&b->logs, &f);
    if (random_logs_below(&b->logs, 3)) {
        if (random_logs_below(&b->logs, 8))
            log_filter_init(&f);
        f.query = random_logs_query(&b->logs);
        if (random_logs_below(&b->logs, 4) == 0)
            f.query = guarded(b, f.query);
    }
    for (size_t i = 0; i < b->logs.len; i++)
        if (asks_all || random_logs_below(&b->logs, 3))
            rows[i / 64] |= UINT64_C(1) << i % 64;
    check_filter(b, &f, rows, explain);
    query_unref(f.query);
    free(rows);
}

static void open_block(struct block *b)
{
    const struct block_options options = {.hashes = true};
    struct errbuf err = ERRBUF_INIT;

    b->writer = block_writer_new();
    b->reader = block_reader_new();
    buffer_init(&b->bytes, 64 << 20);
    if (block_write(b->writer, b->logs.rows, b->logs.len, &options, &b->bytes, &b->head, &err))
        must(false, err.text);
    b->source = (struct block_source){read_bytes, &b->bytes, b->bytes.len};
    if (block_open(b->reader, &b->source, &b->head, &err))
        must(false, err.text);
}

static void close_block(struct block *b)
{
    block_close(b->reader);
    block_reader_free(b->reader);
    block_writer_free(b->writer);
    buffer_release(&b->bytes);
}

void select_property_check(struct slice bytes, size_t logs_max, unsigned queries,
                           struct block_explain *explain)
{
    struct block b = {0};

    random_logs_make(&b.logs, bytes, logs_max);
    open_block(&b);
    for (unsigned i = 0; i < queries; i++)
        check_query(&b, explain);
    close_block(&b);
    random_logs_free(&b.logs);
}

void select_property_ask(struct block_row *rows, size_t n, const struct query_node *tests,
                         size_t tests_len)
{
    struct block b = {.logs = {.rows = rows, .len = n}};
    uint64_t *asked = xcalloc(BLOCK_ROW_WORDS(n), sizeof(*asked));

    open_block(&b);
    for (size_t i = 0; i < tests_len; i++) {
        struct query_builder builder;
        struct log_filter f;

        log_filter_init(&f);
        query_builder_init(&builder);
        query_builder_test(&builder, &tests[i]);
        must(!query_builder_finish(&builder, &f.query), "no memory");
        memset(asked, 0xff, BLOCK_ROW_WORDS(n) * sizeof(*asked));
        if (n % 64)
            asked[n / 64] = (UINT64_C(1) << n % 64) - 1;
        check_filter(&b, &f, asked, NULL);
        query_unref(f.query);
    }
    close_block(&b);
    free(asked);
}
