/*
 * Logs in the order of storing: each has a number. The numbers of recent logs are with them, those
 * of blocks in a column of theirs, as long as they can be asked for. Of the time before there were
 * blocks, `arrivals` has the keys of the logs of each transaction, which are looked up wherever
 * they are now.
 */
#include <stdlib.h>

#include "base/array.h"
#include "block/raw.h"
#include "store/sqlite/internal.h"

enum { FOLLOW_MAX = 100000 }; /* logs of one call */

/* A log to be handed out. */
struct arrival {
    uint64_t sequence;
    const struct block_head *head; /* of its block; NULL: it is recent */
    uint32_t row;                  /* in it; of a recent one: its row in recent.rows, … */
    uint32_t at;                   /* … and where it begins in that */
};

struct following {
    struct store_sqlite_reader *r;
    struct store_position *position;
    size_t left;
    bool *lost;
    store_follow_fn *fn;
    void *ctx;
    struct errbuf *err;
    /* The lowest numbers after the position, `left` at most, ascending: */
    struct arrival *arrivals;
    size_t len, capacity;
    struct block_head *heads; /* of the blocks in which they may be, ascending by number */
    size_t heads_len, heads_capacity;
};

/* The one number that `sql` gives. */
static int read_number(struct store_sqlite_reader *r, const char *sql, uint64_t *number,
                       struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&r->db, sql, &stmt, err);

    *number = 0;
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    error = rc == SQLITE_ROW ? 0 : sqlite_db_error(&r->db, rc, err);
    *number = error ? 0 : (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return error;
}

/* The number of the last log that was stored before there were blocks; 0: none is known. */
static int read_old_end(struct store_sqlite_reader *r, uint64_t *end, struct errbuf *err)
{
    return read_number(r, "SELECT max(last) FROM arrivals", end, err);
}

/* The number of the last log, 0 if there is none. */
static int read_end(struct store_sqlite_reader *r, uint64_t *end, struct errbuf *err)
{
    const struct recent *recent = &r->catalog.recent;
    int error = read_old_end(r, end, err);

    if (*end < r->catalog.last)
        *end = r->catalog.last;
    if (recent->rows_len > 0 && *end < (uint64_t)recent->rows[recent->rows_len - 1].last)
        *end = (uint64_t)recent->rows[recent->rows_len - 1].last;
    return error;
}

int store_sqlite_follow_end(struct store_reader *base, struct store_position *end,
                            struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int error = store_sqlite_reader_begin(r, err);

    *end = (struct store_position){0};
    if (error)
        return error;
    return store_sqlite_reader_end(r, read_end(r, &end->sequence, err));
}

/* ---- From before there were blocks ---- */

struct handing {
    struct following *f;
    uint64_t sequence;
};

static int give(const struct record *record, void *ctx)
{
    const struct handing *h = ctx;
    const struct store_position position = {.sequence = h->sequence};

    return h->f->fn(record, &position, h->f->ctx);
}

/* Hands out the log at `key`, the `sequence`-th, unless it was deleted meanwhile. */
static int hand_out_old(struct following *f, const char *packed, uint64_t sequence)
{
    struct handing handing = {f, sequence};
    struct log_key key;

    log_key_unpack(packed, &key);

    int error = store_sqlite_reader_at_key(f->r, &key, give, &handing, f->err);

    if (store_sqlite_is_damage(&f->r->db, error)) {
        *f->lost = true;
        return 0;
    }
    return error == LM_ENOTFOUND ? 0 : error;
}

/* Goes through the logs of one transaction, whose keys these are, from the position on. */
static int follow_transaction(struct following *f, uint64_t last, struct slice keys)
{
    struct store_position *position = f->position;
    uint64_t n = keys.len / LOG_KEY_BYTES;
    uint64_t before = last - n;
    int error = 0;

    if (n > last)
        return errbuf_fail(f->err, LM_EIO, "%s is damaged: an arrival holds too many keys",
                           f->r->db.path);
    if (position->sequence < before) {
        *f->lost = *f->lost || position->sequence > 0;
        position->sequence = before;
    }
    while (!error && position->sequence < last && f->left > 0) {
        const char *key = keys.data + (position->sequence - before) * LOG_KEY_BYTES;

        error = hand_out_old(f, key, position->sequence + 1);
        if (!error)
            position->sequence++;
        f->left--;
    }
    return error;
}

static int follow_old(struct following *f)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        &f->r->db, "SELECT last, keys FROM arrivals WHERE last > ? ORDER BY last", &stmt, f->err);
    int rc = SQLITE_DONE;

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)f->position->sequence);
    while (!error && f->left > 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        error = follow_transaction(
            f, (uint64_t)sqlite3_column_int64(stmt, 0),
            slice_of(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)));
    if (!error && rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(&f->r->db, rc, f->err);
    sqlite3_reset(stmt);
    return error;
}

/* ---- Gathering the next ones ---- */

static bool is_full(const struct following *f)
{
    return f->len >= f->left;
}

static int by_sequence(const void *a, const void *b)
{
    uint64_t x = ((const struct arrival *)a)->sequence;
    uint64_t y = ((const struct arrival *)b)->sequence;

    return (x > y) - (x < y);
}

/* Of what was added, leaves the lowest. */
static void settle(struct following *f)
{
    if (f->len > 0)
        qsort(f->arrivals, f->len, sizeof(*f->arrivals), by_sequence);
    if (f->len > f->left)
        f->len = f->left;
}

static void add(struct following *f, struct arrival arrival)
{
    f->arrivals = array_reserve(f->arrivals, &f->capacity, f->len + 1, sizeof(*f->arrivals));
    f->arrivals[f->len++] = arrival;
}

/* The recent logs, which come in the order of storing. */
static int gather_recent(struct following *f)
{
    struct recent *recent = &f->r->catalog.recent;
    int error = 0;

    for (size_t i = 0; !error && i < recent->rows_len && !is_full(f); i++) {
        const struct recent_batch *row = &recent->rows[i];
        uint64_t first = (uint64_t)row->last - row->logs + 1; /* where they are not with the logs */
        struct slice bytes;
        struct block_row log;

        if ((uint64_t)row->last <= f->position->sequence)
            continue;
        *f->lost = *f->lost || row->lost > 0;
        error = recent_bytes(recent, &f->r->db, i, &bytes, f->err);

        const char *start = bytes.data;

        for (uint32_t n = 0; !error && !is_full(f); n++) {
            uint32_t at = (uint32_t)(bytes.data - start);

            if (block_raw_next(&bytes, &log, NULL))
                break;
            if (log.sequence == 0)
                log.sequence = first + n;
            if (log.sequence > f->position->sequence)
                add(f, (struct arrival){log.sequence, NULL, (uint32_t)i, at});
        }
    }
    return error;
}

static int by_first_sequence(const void *a, const void *b)
{
    uint64_t x = ((const struct block_head *)a)->first_sequence;
    uint64_t y = ((const struct block_head *)b)->first_sequence;

    return (x > y) - (x < y);
}

/* The heads of the blocks that may hold numbers after the position, ascending by their first. */
static int gather_heads(struct following *f)
{
    struct catalog *c = &f->r->catalog;

    for (size_t i = 0; i < c->segments_len; i++) {
        const struct block_head *heads;
        struct errbuf detail = ERRBUF_INIT;
        size_t n;

        if (c->segments[i].segment.last_sequence <= f->position->sequence)
            continue;
        int error = catalog_heads(c, &f->r->db, &c->segments[i], &heads, &n, &detail);
        if (store_sqlite_is_damage(&f->r->db, error)) {
            *f->lost = true;
            continue;
        }
        if (error)
            return errbuf_fail(f->err, error, "%s", detail.text);
        for (size_t k = 0; k < n; k++) {
            if (heads[k].last_sequence <= f->position->sequence)
                continue;
            f->heads =
                array_reserve(f->heads, &f->heads_capacity, f->heads_len + 1, sizeof(*f->heads));
            f->heads[f->heads_len] = heads[k];
            f->heads[f->heads_len++].levels_len = 0;
        }
    }
    if (f->heads_len > 0)
        qsort(f->heads, f->heads_len, sizeof(*f->heads), by_first_sequence);
    return 0;
}

/* Clears what is marked as erased. */
static int unmark(struct following *f, const struct block_head *head, uint64_t *rows)
{
    bool any;

    memset(rows, 0xff, BLOCK_ROW_WORDS(head->rows) * sizeof(*rows));
    return segment_unmark(&f->r->db, head->number, rows, head->rows, &any, f->err);
}

static int gather_block(struct following *f, const struct block_head *head)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];
    struct errbuf detail = ERRBUF_INIT;
    const uint64_t *sequences;
    struct open_block *block;
    int error = blocks_open(&f->r->blocks, head, &block, &detail);

    if (!error)
        error = block_sequences(block->reader, &sequences, &detail);
    if (store_sqlite_is_damage(&f->r->db, error)) {
        *f->lost = true;
        return 0;
    }
    if (error)
        return errbuf_fail(f->err, error, "%s", detail.text);
    error = unmark(f, head, rows);
    for (uint32_t i = 0; !error && sequences && i < head->rows; i++)
        if (sequences[i] > f->position->sequence && (rows[i / 64] >> i % 64 & 1))
            add(f, (struct arrival){sequences[i], head, i, 0});
    settle(f);
    return error;
}

static int gather_blocks(struct following *f)
{
    int error = gather_heads(f);

    for (size_t i = 0; !error && i < f->heads_len; i++) {
        if (is_full(f) && f->heads[i].first_sequence > f->arrivals[f->len - 1].sequence)
            break;
        error = gather_block(f, &f->heads[i]);
        if (!error)
            error = store_sqlite_reader_go_on(f->r, f->err);
    }
    return error;
}

/* ---- Handing out ---- */

static int read_arrival(struct following *f, const struct arrival *a, struct record *record,
                        struct errbuf *err)
{
    struct recent *recent = &f->r->catalog.recent;
    const struct recent_log log = {.row = a->row, .at = a->at};
    struct open_block *block;

    if (!a->head)
        return recent_record(recent, &f->r->db, &log, record, err);
    int error = blocks_open(&f->r->blocks, a->head, &block, err);
    return error ? error : block_record(block->reader, a->row, record, err);
}

static int hand_out(struct following *f, const struct arrival *a)
{
    const struct store_position position = {.sequence = a->sequence};
    struct errbuf detail = ERRBUF_INIT;
    struct record record;
    int error = store_sqlite_reader_go_on(f->r, f->err);

    if (error)
        return error;
    error = read_arrival(f, a, &record, &detail);
    if (store_sqlite_is_damage(&f->r->db, error)) {
        *f->lost = true;
        return 0;
    }
    return error ? errbuf_fail(f->err, error, "%s", detail.text)
                 : f->fn(&record, &position, f->ctx);
}

/*
 * From the position on, which is past what `arrivals` has. Of those up to `end` there are none that
 * it does not meet, or they were deleted.
 */
static int follow_new(struct following *f, uint64_t end)
{
    int error = gather_recent(f);

    settle(f);
    if (!error)
        error = gather_blocks(f);

    bool all = !is_full(f);

    for (size_t i = 0; !error && i < f->len; i++) {
        error = hand_out(f, &f->arrivals[i]);
        if (!error)
            f->position->sequence = f->arrivals[i].sequence;
    }
    if (!error && all)
        f->position->sequence = end;
    return error;
}

/* What is past the horizon is lost. */
static void skip_forgotten(struct following *f)
{
    uint64_t from = f->r->catalog.follow_from;

    if (f->position->sequence >= from)
        return;
    *f->lost = *f->lost || f->position->sequence > 0;
    f->position->sequence = from;
}

static int follow(struct following *f)
{
    uint64_t old_end, end;
    int error = read_old_end(f->r, &old_end, f->err);

    if (!error)
        error = read_end(f->r, &end, f->err);
    if (error)
        return error;
    if (f->position->sequence > end) { /* of another file, or before it was restored */
        *f->position = (struct store_position){.sequence = end};
        *f->lost = true;
        return 0;
    }
    skip_forgotten(f);
    if (f->position->sequence < old_end)
        error = follow_old(f);
    return error || f->left == 0 ? error : follow_new(f, end);
}

int store_sqlite_follow(struct store_reader *base, struct store_position *position, size_t max,
                        bool *lost, store_follow_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct following f = {.r = r,
                          .position = position,
                          .left = max < FOLLOW_MAX ? max : FOLLOW_MAX,
                          .lost = lost,
                          .fn = fn,
                          .ctx = ctx,
                          .err = err};
    int error = store_sqlite_reader_begin(r, err);

    *lost = false;
    if (error)
        return error;
    if (position->transaction != 0 || position->index != 0 || position->sequence > INT64_MAX)
        position->sequence = INT64_MAX; /* not a place that this store gives */
    error = follow(&f);
    free(f.arrivals);
    free(f.heads);
    return store_sqlite_reader_end(r, error);
}

int store_sqlite_follow_erasures(struct store_reader *base, uint64_t *number, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    return store_sqlite_reader_end(r, read_number(r, "SELECT erasures FROM sequence", number, err));
}
