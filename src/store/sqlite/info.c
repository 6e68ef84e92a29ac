/* What the file is made of: sums of its tables, and the columns of all blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "store/inspect.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/segment.h"
#include "store/sqlite/walk.h"

enum {
    CACHE_KIB = 1024,
    NAMES_MAX = 100000, /* columns that are told apart; the others are one */
    SLOTS_MIN = 256,    /* of the table of names */
};

/* Of a column in the blocks that are measured. */
struct sample {
    uint64_t blocks, bytes, raw_bytes;
};

struct look {
    struct sqlite_db db;
    struct store_info *info;
    size_t capacity;        /* of info->columns … */
    struct sample *samples; /* … and of these, one for each of them */
    size_t samples_capacity;
    uint32_t *slots; /* by the hash of the name: number of the column + 1; 0: free */
    size_t slots_len;
    struct block_reader *block;
};

/* ---- Columns ---- */

static uint32_t *find_slot(struct look *l, struct slice name)
{
    size_t at = hash_mix(hash_bytes(HASH_BASIS, name)) & (l->slots_len - 1);

    while (l->slots[at] &&
           !slice_equal(slice_of_string(l->info->columns[l->slots[at] - 1].name), name))
        at = (at + 1) & (l->slots_len - 1);
    return &l->slots[at];
}

static void grow(struct look *l)
{
    free(l->slots);
    l->slots_len = l->slots_len ? l->slots_len * 2 : SLOTS_MIN;
    l->slots = xcalloc(l->slots_len, sizeof(*l->slots));
    for (size_t i = 0; i < l->info->columns_len; i++)
        *find_slot(l, slice_of_string(l->info->columns[i].name)) = (uint32_t)i + 1;
}

static char *copy_text(struct slice text)
{
    char *copy = xmalloc(text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

static struct store_column_info *need_column(struct look *l, struct slice name)
{
    static const struct slice others = {"(other columns)", 15};
    struct store_info *info = l->info;

    if (2 * (info->columns_len + 1) > l->slots_len)
        grow(l);
    uint32_t *slot = find_slot(l, name);
    if (!*slot && info->columns_len >= NAMES_MAX && !slice_equal(name, others))
        return need_column(l, others);
    if (!*slot) {
        info->columns = array_reserve(info->columns, &l->capacity, info->columns_len + 1,
                                      sizeof(*info->columns));
        info->columns[info->columns_len] = (struct store_column_info){
            .name = copy_text(name), .kinds = copy_text(slice_of(NULL, 0))};
        l->samples = array_reserve(l->samples, &l->samples_capacity, info->columns_len + 1,
                                   sizeof(*l->samples));
        l->samples[info->columns_len] = (struct sample){0};
        *slot = (uint32_t)++info->columns_len;
    }
    return &info->columns[*slot - 1];
}

/* Adds `kind` to "a, b", unless it is there. */
static void note_kind(struct store_column_info *c, struct slice kind)
{
    size_t len = strlen(c->kinds);

    for (const char *at = c->kinds; *at; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ",");

        if (slice_equal(slice_of(at, n), kind))
            return;
        at += n;
    }
    size_t size = len + 2 + kind.len + 1;
    char *kinds = xmalloc(size);
    snprintf(kinds, size, "%s%s%.*s", c->kinds, len > 0 ? ", " : "", SLICE_ARG(kind));
    free(c->kinds);
    c->kinds = kinds;
}

static void add_column(const struct block_column_info *column, void *ctx)
{
    struct store_column_info *c = need_column(ctx, column->name);

    c->blocks++;
    c->bytes += column->bytes;
    note_kind(c, column->kind);
}

static void add_sample(const struct block_column_info *column, void *ctx)
{
    struct look *l = ctx;
    size_t number = (size_t)(need_column(l, column->name) - l->info->columns);
    struct sample *s = &l->samples[number];

    s->blocks++;
    s->bytes += column->bytes;
    s->raw_bytes += column->raw_bytes;
    add_column(column, ctx);
}

/* What was not measured is as what was. */
static void guess_raw_bytes(struct look *l)
{
    for (size_t i = 0; i < l->info->columns_len; i++) {
        struct store_column_info *c = &l->info->columns[i];
        const struct sample *s = &l->samples[i];
        double share = s->bytes > 0    ? (double)c->bytes / (double)s->bytes
                       : s->blocks > 0 ? (double)c->blocks / (double)s->blocks
                                       : 0;

        c->raw_bytes = (uint64_t)((double)s->raw_bytes * share + 0.5);
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct store_column_info *x = a, *y = b;

    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* ---- Segments ---- */

static void note_range(struct store_part_info *p, int64_t first_us, int64_t last_us, bool is_first)
{
    if (is_first || first_us < p->first_us)
        p->first_us = first_us;
    if (is_first || last_us > p->last_us)
        p->last_us = last_us;
}

static int add_block(struct look *l, struct store_part_info *p, const struct block_head *head,
                     bool measures, struct errbuf *err)
{
    struct segment_blob blob = {0};
    int error = segment_blob_open(&blob, &l->db, head->number, err);

    if (!error)
        error = block_open(l->block, &blob.source, head, err);
    if (!error && measures)
        error = block_measure(l->block, add_sample, l, err);
    else if (!error)
        error = block_columns(l->block, add_column, l, err);
    block_close(l->block);
    segment_blob_close(&blob);
    if (error == LM_EIO) { /* `verify` tells more */
        l->info->damaged_blocks++;
        return 0;
    }
    p->raw_bytes += head->raw_bytes;
    return error;
}

static int add_segment(struct look *l, const struct segment *s, struct errbuf *err)
{
    struct store_part_info *p = &l->info->parts[s->cold ? STORE_COLD : STORE_HOT];
    struct block_head *heads = NULL;
    size_t n = 0;
    int error = segment_heads(&l->db, s, &heads, &n, err);

    note_range(p, s->first.timestamp_us, s->last.timestamp_us, p->pieces == 0);
    p->pieces++;
    p->logs += s->rows - s->erased;
    p->erased += s->erased;
    p->bytes += s->bytes;
    p->blocks += n;
    for (size_t i = 0; !error && i < n; i++)
        error = add_block(l, p, &heads[i], i == 0, err);
    free(heads);
    if (error == LM_EIO) {
        l->info->damaged_blocks += s->blocks - s->gone;
        return 0;
    }
    return error;
}

static int add_segments(struct look *l, struct errbuf *err)
{
    struct segment s = {0};
    int error = 0;

    while (!error) {
        error = walk_begin(&l->db, err);
        if (error)
            return error;
        error = walk_next(&l->db, &s, err);
        if (!error)
            error = add_segment(l, &s, err);
        walk_end(&l->db);
    }
    return error == LM_ENOTFOUND ? 0 : error;
}

/* ---- The other tables ---- */

static int64_t packed_time(sqlite3_stmt *stmt, int column)
{
    struct log_key key = {0};

    if (sqlite3_column_bytes(stmt, column) == LOG_KEY_BYTES)
        log_key_unpack_ordered(sqlite3_column_blob(stmt, column), &key);
    return key.timestamp_us;
}

static int add_recent(struct look *l, struct errbuf *err)
{
    struct store_part_info *p = &l->info->parts[STORE_RECENT];
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&l->db,
                                    "SELECT count(*), sum(rows), sum(length(logs)), min(first), "
                                    "max(highest) FROM recent",
                                    &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        p->pieces = (uint64_t)sqlite3_column_int64(stmt, 0);
        p->logs = (uint64_t)sqlite3_column_int64(stmt, 1);
        p->bytes = p->raw_bytes = (uint64_t)sqlite3_column_int64(stmt, 2);
        p->first_us = packed_time(stmt, 3);
        p->last_us = packed_time(stmt, 4);
    } else {
        error = sqlite_db_error(&l->db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

static int add_old(struct look *l, struct errbuf *err)
{
    struct store_part_info *p = &l->info->parts[STORE_OLD];
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        &l->db, "SELECT count(*), min(timestamp), max(timestamp) FROM logs", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        p->logs = (uint64_t)sqlite3_column_int64(stmt, 0);
        p->first_us = sqlite3_column_int64(stmt, 1);
        p->last_us = sqlite3_column_int64(stmt, 2);
    } else {
        error = sqlite_db_error(&l->db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

static int add_sums(struct look *l, struct errbuf *err)
{
    struct store_info *info = l->info;
    uint64_t page_bytes = 0;
    const struct {
        uint64_t *to;
        const char *sql;
    } sums[] = {
        {&page_bytes, "PRAGMA page_size"},
        {&info->file_bytes, "PRAGMA page_count"},
        {&info->free_bytes, "PRAGMA freelist_count"},
        {&info->head_bytes, "SELECT sum(length(heads)) FROM segments"},
        {&info->filter_bytes, "SELECT sum(length(data)) FROM filters"},
        {&info->summary_bytes, "SELECT sum(length(counts) + length(fields)) FROM summaries"},
        {&info->tombstones, "SELECT sum(length(keys)) / 24 FROM tombstones"},
    };
    int error = 0;

    for (size_t i = 0; !error && i < sizeof(sums) / sizeof(sums[0]); i++)
        error = walk_number(&l->db, sums[i].sql, sums[i].to, err);
    info->file_bytes *= page_bytes;
    info->free_bytes *= page_bytes;
    return error;
}

static uint64_t log_bytes(const char *path)
{
    char *log = xmalloc(strlen(path) + sizeof("-wal"));
    struct stat st;

    snprintf(log, strlen(path) + sizeof("-wal"), "%s-wal", path);
    int error = stat(log, &st);
    free(log);
    return error ? 0 : (uint64_t)st.st_size;
}

/* What is left of the file, once all else is taken off. */
static void guess_old_bytes(struct store_info *info)
{
    uint64_t known = info->free_bytes;

    for (int i = 0; i < STORE_OLD; i++)
        known += info->parts[i].bytes;
    if (info->parts[STORE_OLD].logs > 0 && info->file_bytes > known)
        info->parts[STORE_OLD].bytes = info->file_bytes - known;
}

int store_sqlite_info(struct store *base, struct store_info *info, struct errbuf *err)
{
    struct store_sqlite *s = (struct store_sqlite *)base;
    struct sqlite_db_options options = store_sqlite_db_options(s, CACHE_KIB, true);
    struct look l = {.info = info};
    int error = sqlite_db_open(&l.db, &options, err);

    if (error)
        return error;
    l.block = block_reader_new();
    error = add_recent(&l, err);
    if (!error)
        error = add_old(&l, err);
    if (!error)
        error = add_segments(&l, err);
    if (!error)
        error = add_sums(&l, err);
    info->log_bytes = log_bytes(s->path);
    guess_old_bytes(info);
    guess_raw_bytes(&l);
    if (info->columns_len > 0)
        qsort(info->columns, info->columns_len, sizeof(*info->columns), larger_first);
    block_reader_free(l.block);
    free(l.samples);
    free(l.slots);
    sqlite_db_close(&l.db);
    return error;
}
