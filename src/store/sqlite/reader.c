/*
 * What all reading calls have in common, single logs, and cancelling.
 *
 * A call is one read transaction, and none outlives it: it would keep the write-ahead log from
 * being started anew.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "block/filter.h"
#include "block/raw.h"
#include "store/sqlite/parts.h"

enum {
    READER_CACHE_KIB = 4096, /* the pages that a histogram of a day needs */
    PROGRESS_STEPS = 1000, /* virtual machine steps between two looks at `activity`: microseconds */
    PLAN_OF_ALL = 1,       /* the number of the plan that takes every log */
};

/* True if the call under way is to end. */
static int is_cancelled(void *ctx)
{
    struct store_sqlite_reader *r = ctx;

    return !r->defers_cancel &&
           atomic_load_explicit(&r->activity, memory_order_relaxed) == STORE_SQLITE_CANCELLED;
}

static void close_db(struct store_sqlite_reader *r)
{
    blocks_clear(&r->blocks);
    catalog_clear(&r->catalog);
    sqlite_db_close(&r->db);
}

static int open_db(struct store_sqlite_reader *r, struct errbuf *err)
{
    struct sqlite_db_options options = store_sqlite_db_options(r->s, READER_CACHE_KIB, true);
    int error = sqlite_db_open(&r->db, &options, err);

    if (!error)
        sqlite3_progress_handler(r->db.handle, PROGRESS_STEPS, is_cancelled, r);
    return error;
}

struct store_reader *store_sqlite_reader_new(struct store *base, struct errbuf *err)
{
    struct store_sqlite_reader *r = xcalloc(1, sizeof(*r));

    r->base.ops = base->ops;
    r->s = (struct store_sqlite *)base;
    r->blocks.db = &r->db;
    r->plans_asked = PLAN_OF_ALL;
    buffer_init(&r->filter_row, SEGMENT_BLOCKS_MAX * BLOCK_FILTER_BUCKET_BYTES);
    if (open_db(r, err) != 0) {
        free(r);
        return NULL;
    }
    return &r->base;
}

void store_sqlite_reader_free(struct store_reader *base)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;

    parts_free(r->parts);
    close_db(r);
    for (int i = 0; i < STORE_SQLITE_PLANS; i++)
        block_plan_free(r->plans[i].plan);
    buffer_release(&r->filter_row);
    free(r);
}

/* ---- Calls ---- */

void store_sqlite_reader_cancel(struct store_reader *base)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int expected = STORE_SQLITE_RUNNING;

    atomic_compare_exchange_strong(&r->activity, &expected, STORE_SQLITE_CANCELLED);
}

int store_sqlite_reader_go_on(struct store_sqlite_reader *r, struct errbuf *err)
{
    return is_cancelled(r) ? errbuf_fail(err, LM_ETIMEOUT, "cancelled") : 0;
}

static int run(struct store_sqlite_reader *r, const char *sql, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&r->db, sql, &stmt, err);

    return error ? error : sqlite_db_run(&r->db, stmt, err);
}

static int begin_snapshot(struct store_sqlite_reader *r, struct errbuf *err)
{
    int error = run(r, "BEGIN", err);

    return error ? error : catalog_refresh(&r->catalog, &r->db, err);
}

int store_sqlite_reader_open(struct store_sqlite_reader *r, struct errbuf *err)
{
    return r->db.handle ? 0 : open_db(r, err);
}

int store_sqlite_reader_begin(struct store_sqlite_reader *r, struct errbuf *err)
{
    int error = store_sqlite_reader_open(r, err);

    if (error)
        return error;
    atomic_store(&r->activity, STORE_SQLITE_RUNNING);
    error = begin_snapshot(r, err);
    return error ? store_sqlite_reader_end(r, error) : 0;
}

int store_sqlite_reader_end(struct store_sqlite_reader *r, int error)
{
    struct errbuf none;

    atomic_store(&r->activity, STORE_SQLITE_IDLE);
    blocks_rest(&r->blocks);
    bool is_left_open = !sqlite3_get_autocommit(r->db.handle) && run(r, "COMMIT", &none) != 0;
    if (error == LM_EIO || is_left_open)
        close_db(r);
    return error;
}

bool store_sqlite_is_damage(struct sqlite_db *db, int error)
{
    if (error != LM_EIO)
        return false;
    switch (sqlite3_errcode(db->handle) & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
    case SQLITE_ERROR: /* no such block */
    case SQLITE_CORRUPT:
        return true;
    default:
        return false;
    }
}

/* ---- Plans ---- */

static int make_plan(struct store_sqlite_plan *p, const struct log_matcher *m, struct errbuf *err)
{
    struct block_plan *plan = block_plan_new((struct log_matcher *)m); /* which counts its users */

    if (!plan)
        return errbuf_fail(err, LM_ENOMEM, "no memory for a filter");
    block_plan_free(p->plan);
    p->plan = plan;
    p->matcher = m;
    return 0;
}

int store_sqlite_reader_plan(struct store_sqlite_reader *r, const struct store_scan *scan,
                             const struct block_plan **plan, uint64_t *number, struct errbuf *err)
{
    struct store_sqlite_plan *p = &r->plans[0];
    int error = 0;

    *plan = NULL;
    *number = PLAN_OF_ALL;
    if (!log_matcher_has_predicates(scan->matcher))
        return 0;
    r->plans_asked++;
    for (int i = 0; i < STORE_SQLITE_PLANS && p->matcher != scan->matcher; i++)
        if (r->plans[i].matcher == scan->matcher || r->plans[i].used < p->used)
            p = &r->plans[i];
    if (p->matcher != scan->matcher) {
        error = make_plan(p, scan->matcher, err);
        p->number = r->plans_asked;
    }
    p->used = r->plans_asked;
    *plan = p->plan;
    *number = p->number;
    return error;
}

/* ---- Rows of an older logmill ---- */

/* A range of the primary key: the first row is found by one descent, and nothing is sorted. */
#define BACKWARDS                                                                                  \
    "WHERE timestamp >= ? AND (timestamp, id) < (?, ?) ORDER BY timestamp DESC, id DESC"

const char store_sqlite_old_records[] =
    "SELECT timestamp, id, level, message, attributes FROM logs " BACKWARDS;
const char store_sqlite_old_nth[] = "SELECT timestamp, id FROM logs " BACKWARDS " LIMIT 1 OFFSET ?";

/*
 * The log of an id among those of its millisecond, of which there may be any number, but no more
 * than a thousand timestamps: from one to the next, each with two searches of the primary key.
 */
const char store_sqlite_old_get[] =
    "WITH RECURSIVE times(us) AS ("
    "SELECT min(timestamp) FROM logs WHERE timestamp BETWEEN ?1 AND ?2 "
    "UNION ALL SELECT (SELECT min(timestamp) FROM logs WHERE timestamp > us AND timestamp <= ?2) "
    "FROM times WHERE us IS NOT NULL) "
    "SELECT timestamp, id, level, message, attributes FROM times CROSS JOIN logs "
    "WHERE timestamp = us AND id = ?3 LIMIT 1";

const char store_sqlite_old_get_early[] =
    "SELECT timestamp, id, level, message, attributes FROM logs INDEXED BY logs_before_1970 "
    "WHERE timestamp < 0 AND timestamp BETWEEN ?1 AND ?2 AND id = ?3 LIMIT 1";

int store_sqlite_reader_step(struct store_sqlite_reader *r, sqlite3_stmt *stmt, struct log_key *key,
                             struct errbuf *err)
{
    int error = store_sqlite_reader_go_on(r, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(&r->db, rc, err);

    const void *id = sqlite3_column_blob(stmt, 1);

    if (!id || sqlite3_column_bytes(stmt, 1) != sizeof(key->id.bytes))
        return errbuf_fail(err, LM_EIO, "%s is damaged: an id is not 16 bytes long", r->db.path);
    key->timestamp_us = sqlite3_column_int64(stmt, 0);
    memcpy(key->id.bytes, id, sizeof(key->id.bytes));
    return 0;
}

void store_sqlite_reader_take(sqlite3_stmt *stmt, const struct log_key *key, struct record *record)
{
    record->key = *key;
    record->level = sqlite_db_column_text(stmt, 2);
    record->message = sqlite_db_column_text(stmt, 3);
    record->attributes = sqlite_db_column_text(stmt, 4);
}

/* ---- Single logs ---- */

/* Who is looked for. */
struct wanted {
    int64_t from_us; /* its time is one of these, … */
    int64_t to_us;   /* … both inclusive */
    struct uuid id;
    store_row_fn *fn;
    void *ctx;
};

static int give(const struct wanted *wanted, const struct record *record)
{
    return wanted->fn(record, wanted->ctx);
}

static int get_recent(struct store_sqlite_reader *r, const struct wanted *wanted,
                      struct errbuf *err)
{
    struct recent *recent = &r->catalog.recent;
    const struct log_key from = {.timestamp_us = wanted->from_us};

    for (size_t i = recent_below(recent, &from);
         i < recent->logs_len && recent->logs[i].key.timestamp_us <= wanted->to_us; i++) {
        struct record record;

        if (memcmp(&recent->logs[i].key.id, &wanted->id, sizeof(wanted->id)) != 0)
            continue;
        int error = recent_record(recent, &r->db, &recent->logs[i], &record, err);
        return error ? error : give(wanted, &record);
    }
    return LM_ENOTFOUND;
}

static int get_old(struct store_sqlite_reader *r, const struct wanted *wanted, struct errbuf *err)
{
    struct record record;
    struct log_key key;
    sqlite3_stmt *stmt;

    if (!r->catalog.has_old)
        return LM_ENOTFOUND;
    int error = sqlite_db_statement(
        &r->db, wanted->to_us < 0 ? store_sqlite_old_get_early : store_sqlite_old_get, &stmt, err);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, wanted->from_us);
    sqlite3_bind_int64(stmt, 2, wanted->to_us);
    sqlite3_bind_blob(stmt, 3, wanted->id.bytes, sizeof(wanted->id.bytes), SQLITE_STATIC);
    error = store_sqlite_reader_step(r, stmt, &key, err);
    if (!error) {
        store_sqlite_reader_take(stmt, &key, &record);
        error = give(wanted, &record);
    }
    sqlite3_reset(stmt);
    return error;
}

/* The row of the id among those from `from` to before `to`; LM_ENOTFOUND. */
static int find_id(struct open_block *block, const struct uuid *id, uint32_t from, uint32_t to,
                   uint32_t *row, struct errbuf *err)
{
    const struct log_key *keys;
    int error = from < to ? block_keys(block->reader, &keys, err) : LM_ENOTFOUND;

    if (error)
        return error;
    for (*row = from; *row < to; ++*row)
        if (memcmp(&keys[*row].id, id, sizeof(*id)) == 0)
            return 0;
    return LM_ENOTFOUND;
}

static int get_in_block(struct store_sqlite_reader *r, const struct segment *s,
                        const struct block_head *head, const struct wanted *wanted,
                        struct errbuf *err)
{
    struct blocks_wanted rows = {.segment = s, .plan_number = PLAN_OF_ALL};
    const struct log_key from = {.timestamp_us = wanted->from_us};
    const struct log_key to = {.timestamp_us = wanted->to_us + 1};
    struct open_block *block;
    struct record record;
    uint32_t row = 0;
    int error = blocks_open(&r->blocks, head, &block, err);

    if (!error)
        error = blocks_rows_below(block, &from, &rows.from, err);
    if (!error)
        error = blocks_rows_below(block, &to, &rows.to, err);
    if (!error)
        error = find_id(block, &wanted->id, rows.from, rows.to, &row, err);
    if (!error)
        error = blocks_select(block, &rows, err);
    if (!error && !(block->rows[row / 64] >> row % 64 & 1))
        return LM_ENOTFOUND;
    if (!error)
        error = block_record(block->reader, row, &record, err);
    return error ? error : give(wanted, &record);
}

static int get_in_segment(struct store_sqlite_reader *r, struct catalog_segment *s,
                          const struct wanted *wanted, struct errbuf *err)
{
    const struct block_head *heads;
    size_t n;
    int error = catalog_heads(&r->catalog, &r->db, s, &heads, &n, err);

    if (error)
        return error;
    error = LM_ENOTFOUND;
    for (size_t i = 0; error == LM_ENOTFOUND && i < n; i++)
        if (heads[i].first.timestamp_us <= wanted->to_us &&
            heads[i].last.timestamp_us >= wanted->from_us)
            error = get_in_block(r, &s->segment, &heads[i], wanted, err);
    return error;
}

/*
 * What is damaged may have been it: then that is the answer if it is nowhere else, which is not
 * the same as that there is none.
 */
static int get_in_segments(struct store_sqlite_reader *r, const struct wanted *wanted,
                           struct errbuf *err)
{
    struct errbuf damage = ERRBUF_INIT;
    bool is_damaged = false;
    int error = LM_ENOTFOUND;

    for (size_t i = 0; error == LM_ENOTFOUND && i < r->catalog.segments_len; i++) {
        struct catalog_segment *s = &r->catalog.segments[i];

        if (s->segment.last.timestamp_us < wanted->from_us)
            break;
        if (s->segment.first.timestamp_us > wanted->to_us)
            continue;
        error = store_sqlite_reader_go_on(r, err);
        if (!error)
            error = get_in_segment(r, s, wanted, &damage);
        if (store_sqlite_is_damage(&r->db, error)) {
            is_damaged = true;
            error = LM_ENOTFOUND;
        } else if (error && error != LM_ENOTFOUND && error != LM_ETIMEOUT) {
            errbuf_set(err, "%s", damage.text);
        }
    }
    return error == LM_ENOTFOUND && is_damaged
               ? errbuf_fail(err, LM_EIO, "%s: %s: `logmill store verify`", r->db.path, damage.text)
               : error;
}

static int get_between(struct store_sqlite_reader *r, const struct wanted *wanted,
                       struct errbuf *err)
{
    int error = get_recent(r, wanted, err);

    if (error == LM_ENOTFOUND)
        error = get_old(r, wanted, err);
    if (error == LM_ENOTFOUND)
        error = get_in_segments(r, wanted, err);
    return error;
}

int store_sqlite_reader_at_key(struct store_sqlite_reader *r, const struct log_key *key,
                               store_row_fn *fn, void *ctx, struct errbuf *err)
{
    const struct wanted wanted = {key->timestamp_us, key->timestamp_us, key->id, fn, ctx};

    return get_between(r, &wanted, err);
}

int store_sqlite_reader_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                            void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int64_t us = uuid7_ms(id) * 1000;
    struct wanted wanted = {us, us + 999, *id, fn, ctx};
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    error = get_between(r, &wanted, err);
    if (error == LM_ENOTFOUND && us == 0) { /* which also stands for every time before 1970 */
        wanted.from_us = INT64_MIN;
        wanted.to_us = -1;
        error = get_between(r, &wanted, err);
    }
    return store_sqlite_reader_end(r, error);
}
