/*
 * Times the room block/ alone, without a store, and tells where the bytes go:
 *
 *   block_loop CORPUS [hot|cold] [NAME=TEXT]...
 *
 * CORPUS is NDJSON whose logs ascend by time (bench/search_corpora.py 200000). All of it is made
 * into blocks, hot by default; then columns and logs are read back, and each of the conditions is
 * asked of all blocks: q=TEXT, level=TEXT, query=TEXT (query/language.h), or an attribute.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "block/select.h"
#include "block/words.h"
#include "block/writer.h"
#include "query/language.h"
#include "rows.h"

enum { COLUMNS_MAX = 1024 };

struct column {
    char name[64], kind[32];
    size_t bytes, raw_bytes;
};

struct bench {
    struct rows rows;
    struct block_row *block_rows;
    struct block_options options;
    struct buffer bytes; /* of all blocks, one after the other */
    struct block_head *heads;
    size_t *starts;
    size_t blocks;
    size_t hashes;
    struct block_reader *reader;
    struct block_source source; /* of the open block */
    struct column columns[COLUMNS_MAX];
    size_t columns_len;
};

static void check(int error, const struct errbuf *err)
{
    if (!error)
        return;
    fprintf(stderr, "block_loop: %d: %s\n", error, err->text);
    exit(1);
}

static void write_all(struct bench *b)
{
    struct block_writer *w = block_writer_new();
    struct errbuf err = {0};
    double began = rows_cpu_seconds();

    for (size_t i = 0; i < b->rows.len;) {
        size_t n = block_fill(b->block_rows + i, b->rows.len - i);
        const uint64_t *hashes;
        size_t hashes_len;

        b->starts[b->blocks] = b->bytes.len;
        check(block_write(w, b->block_rows + i, n, &b->options, &b->bytes, &b->heads[b->blocks],
                          &err),
              &err);
        block_writer_hashes(w, &hashes, &hashes_len);
        b->hashes += hashes_len;
        b->blocks++;
        i += n;
    }
    printf("written: %.0f ns a log, %.2f bytes a log, %zu blocks, %.2f hashes a log\n",
           (rows_cpu_seconds() - began) / (double)b->rows.len * 1e9,
           (double)b->bytes.len / (double)b->rows.len, b->blocks,
           (double)b->hashes / (double)b->rows.len);
    block_writer_free(w);
}

static int read_at(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    (void)err;
    memcpy(to, (const char *)ctx + offset, len);
    return 0;
}

static void open_block(struct bench *b, size_t number)
{
    struct errbuf err = {0};

    b->source =
        (struct block_source){read_at, b->bytes.data + b->starts[number], b->heads[number].bytes};
    check(block_open(b->reader, &b->source, &b->heads[number], &err), &err);
}

static void add_column(const struct block_column_info *c, void *ctx)
{
    struct bench *b = ctx;
    char name[sizeof(b->columns->name)];
    size_t i = 0;

    snprintf(name, sizeof(name), "%.*s", (int)c->name.len, c->name.data);
    while (i < b->columns_len && strcmp(b->columns[i].name, name) != 0)
        i++;
    if (i == COLUMNS_MAX)
        return;
    if (i == b->columns_len) {
        b->columns_len++;
        memcpy(b->columns[i].name, name, sizeof(name));
        snprintf(b->columns[i].kind, sizeof(b->columns[i].kind), "%.*s", (int)c->kind.len,
                 c->kind.data);
    }
    b->columns[i].bytes += c->bytes;
    b->columns[i].raw_bytes += c->raw_bytes;
}

static int by_bytes(const void *a, const void *b)
{
    size_t x = ((const struct column *)a)->bytes;
    size_t y = ((const struct column *)b)->bytes;

    return (x < y) - (x > y);
}

static void tell_columns(struct bench *b)
{
    struct errbuf err = {0};

    for (size_t i = 0; i < b->blocks; i++) {
        open_block(b, i);
        check(block_columns(b->reader, add_column, b, &err), &err);
    }
    qsort(b->columns, b->columns_len, sizeof(*b->columns), by_bytes);
    for (size_t i = 0; i < b->columns_len && i < 40; i++)
        printf("  %-28s %-12s %7.3f bytes a log of %8.3f\n", b->columns[i].name, b->columns[i].kind,
               (double)b->columns[i].bytes / (double)b->rows.len,
               (double)b->columns[i].raw_bytes / (double)b->rows.len);
}

static void read_times(struct bench *b, size_t number)
{
    const int64_t *times;
    const uint16_t *codes;
    const struct slice *levels;
    size_t levels_len;
    struct errbuf err = {0};

    (void)number;
    check(block_times(b->reader, &times, &err), &err);
    check(block_levels(b->reader, &codes, &levels, &levels_len, &err), &err);
}

static void read_keys(struct bench *b, size_t number)
{
    const struct log_key *keys;
    struct errbuf err = {0};

    (void)number;
    check(block_keys(b->reader, &keys, &err), &err);
}

static void read_logs(struct bench *b, size_t number)
{
    struct record record;
    struct errbuf err = {0};

    for (size_t row = 0; row < b->heads[number].rows; row++)
        check(block_record(b->reader, row, &record, &err), &err);
}

static void time_all(struct bench *b, const char *what, void (*fn)(struct bench *, size_t))
{
    double began = rows_cpu_seconds();

    for (size_t i = 0; i < b->blocks; i++) {
        open_block(b, i);
        fn(b, i);
    }
    double seconds = rows_cpu_seconds() - began;
    printf("%-36s %8.1f us a block, %6.1f ns a log\n", what, seconds / (double)b->blocks * 1e6,
           seconds / (double)b->rows.len * 1e9);
}

static size_t select_in(struct bench *b, size_t number, const struct block_plan *plan)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)] = {0};
    struct errbuf err = {0};
    size_t found = 0;

    if (block_plan_judge(plan, &b->heads[number]) == BLOCK_NONE)
        return 0;
    for (size_t row = 0; row < b->heads[number].rows; row++)
        rows[row / 64] |= UINT64_C(1) << row % 64;
    open_block(b, number);
    check(block_select(b->reader, plan, rows, NULL, &err), &err);
    for (size_t i = 0; i < BLOCK_ROW_WORDS(b->heads[number].rows); i++)
        found += (size_t)__builtin_popcountll(rows[i]);
    return found;
}

static struct query *parse(struct slice text)
{
    struct query_mistake mistake;
    struct query *q = NULL;

    if (query_parse(text, 0, NULL, &q, &mistake)) {
        fprintf(stderr, "block_loop: %s\n", mistake.message);
        exit(1);
    }
    return q;
}

static void ask(struct bench *b, char *condition)
{
    char *value = strchr(condition, '=');
    struct log_filter filter;
    size_t found = 0;

    if (!value) {
        fprintf(stderr, "block_loop: %s: NAME=TEXT is asked\n", condition);
        exit(1);
    }
    struct slice name = {condition, (size_t)(value - condition)};
    struct slice text = {value + 1, strlen(value + 1)};
    log_filter_init(&filter);
    if (slice_equal(name, slice_of_string("q")))
        filter.text = text;
    else if (slice_equal(name, slice_of_string("query")))
        filter.query = parse(text);
    else if (slice_equal(name, slice_of_string("level")))
        filter.levels[filter.levels_len++] = text;
    else
        filter.attributes[filter.attributes_len++] =
            (struct log_attribute_filter){name, text, false};
    struct log_matcher *m = log_matcher_new(&filter);
    struct block_plan *plan = block_plan_new(m);
    double began = rows_cpu_seconds();
    for (size_t i = 0; i < b->blocks; i++)
        found += select_in(b, i, plan);
    printf("%-36s %8.1f us a block, %zu logs\n", condition,
           (rows_cpu_seconds() - began) / (double)b->blocks * 1e6, found);
    block_plan_free(plan);
    log_matcher_unref(m);
    query_unref(filter.query);
}

int main(int argc, char **argv)
{
    struct bench *b = xcalloc(1, sizeof(*b));

    if (argc < 2) {
        fprintf(stderr, "block_loop CORPUS [hot|cold] [NAME=TEXT]...\n");
        return 1;
    }
    b->options = (struct block_options){
        .zstd_level = BLOCK_LEVEL_HOT, .keeps_sequence = true, .hashes = true};
    if (argc > 2 && strcmp(argv[2], "cold") == 0)
        b->options = (struct block_options){.zstd_level = BLOCK_LEVEL_COLD, .hashes = true};
    rows_init_timed(&b->rows, argv[1]);
    b->block_rows = xcalloc(b->rows.len, sizeof(*b->block_rows));
    b->heads = xcalloc(b->rows.len, sizeof(*b->heads));
    b->starts = xcalloc(b->rows.len, sizeof(*b->starts));
    for (size_t i = 0; i < b->rows.len; i++)
        b->block_rows[i] = (struct block_row){b->rows.records[i], i + 1};
    buffer_init(&b->bytes, SIZE_MAX / 2);
    write_all(b);
    b->reader = block_reader_new();
    tell_columns(b);
    time_all(b, "times and levels", read_times);
    time_all(b, "keys", read_keys);
    time_all(b, "logs", read_logs);
    for (int i = 3; i < argc; i++)
        ask(b, argv[i]);
    block_reader_free(b->reader);
    return 0;
}
