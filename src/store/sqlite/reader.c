/*
 * What all reading calls have in common, single logs, and cancelling.
 *
 * Statements are always reset before a call returns: a read transaction left open would keep the
 * write-ahead log from being started anew.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "store/sqlite/internal.h"

enum {
    READER_CACHE_KIB = 1024,
    PROGRESS_STEPS = 1000, /* virtual machine steps between two looks at `activity`: microseconds */
};

/* A range of the primary key: the first row is found by one descent, and nothing is sorted. */
#define BACKWARDS                                                                                  \
    "WHERE timestamp >= ? AND (timestamp, id) < (?, ?) ORDER BY timestamp DESC, id DESC"

/*
 * The log of an id among those of its millisecond, of which there may be any number, but no more
 * than a thousand timestamps: from one to the next, each with two searches of the primary key.
 */
#define GET_WITHIN                                                                                 \
    "WITH RECURSIVE times(us) AS ("                                                                \
    "SELECT min(timestamp) FROM logs WHERE timestamp BETWEEN ?1 AND ?2 "                           \
    "UNION ALL SELECT (SELECT min(timestamp) FROM logs WHERE timestamp > us AND timestamp <= ?2) " \
    "FROM times WHERE us IS NOT NULL) "                                                            \
    "SELECT timestamp, id, level, message, attributes FROM times CROSS JOIN logs "                 \
    "WHERE timestamp = us AND id = ?3 LIMIT 1"

/* True if the call under way is to end. */
static int is_cancelled(void *ctx)
{
    struct store_sqlite_reader *r = ctx;

    return atomic_load_explicit(&r->activity, memory_order_relaxed) == STORE_SQLITE_CANCELLED;
}

static void close_db(struct store_sqlite_reader *r)
{
    sqlite3_finalize(r->records);
    sqlite3_finalize(r->levels);
    sqlite3_finalize(r->nth_key);
    sqlite3_finalize(r->get);
    sqlite3_finalize(r->get_early);
    sqlite3_finalize(r->arrivals);
    sqlite3_finalize(r->arrivals_end);
    sqlite3_finalize(r->at_key);
    sqlite3_finalize(r->erasures);
    r->records = r->levels = r->nth_key = r->get = r->get_early = NULL;
    r->arrivals = r->arrivals_end = r->at_key = r->erasures = NULL;
    sqlite_db_close(&r->db);
}

static int open_db(struct store_sqlite_reader *r, struct errbuf *err)
{
    struct sqlite_db_options options = store_sqlite_db_options(r->s, READER_CACHE_KIB, true);
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } statements[] = {
        {&r->records, "SELECT timestamp, id, level, message, attributes FROM logs " BACKWARDS},
        {&r->levels, "SELECT timestamp, id, level FROM logs " BACKWARDS},
        {&r->nth_key, "SELECT timestamp, id FROM logs " BACKWARDS " LIMIT 1 OFFSET ?"},
        {&r->get, GET_WITHIN},
        {&r->get_early, "SELECT timestamp, id, level, message, attributes FROM logs "
                        "INDEXED BY logs_before_1970 WHERE timestamp < 0 AND id = ? LIMIT 1"},
        {&r->arrivals, "SELECT last, keys FROM arrivals WHERE last > ? ORDER BY last"},
        {&r->arrivals_end, "SELECT max(last) FROM arrivals"},
        {&r->at_key, "SELECT timestamp, id, level, message, attributes FROM logs "
                     "WHERE timestamp = ? AND id = ?"},
        {&r->erasures, "SELECT erasures FROM sequence"},
    };
    int error = sqlite_db_open(&r->db, &options, err);

    for (size_t i = 0; !error && i < sizeof(statements) / sizeof(statements[0]); i++)
        error = sqlite_db_prepare(&r->db, statements[i].sql, statements[i].stmt, err);
    if (error) {
        close_db(r);
        return error;
    }
    sqlite3_progress_handler(r->db.handle, PROGRESS_STEPS, is_cancelled, r);
    return 0;
}

struct store_reader *store_sqlite_reader_new(struct store *base, struct errbuf *err)
{
    struct store_sqlite_reader *r = xcalloc(1, sizeof(*r));

    r->base.ops = base->ops;
    r->s = (struct store_sqlite *)base;
    if (open_db(r, err) != 0) {
        free(r);
        return NULL;
    }
    return &r->base;
}

void store_sqlite_reader_free(struct store_reader *base)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;

    close_db(r);
    free(r);
}

void store_sqlite_reader_cancel(struct store_reader *base)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int expected = STORE_SQLITE_RUNNING;

    atomic_compare_exchange_strong(&r->activity, &expected, STORE_SQLITE_CANCELLED);
}

int store_sqlite_reader_begin(struct store_sqlite_reader *r, struct errbuf *err)
{
    int error = r->db.handle ? 0 : open_db(r, err);

    if (!error)
        atomic_store(&r->activity, STORE_SQLITE_RUNNING);
    return error;
}

int store_sqlite_reader_end(struct store_sqlite_reader *r, int error)
{
    atomic_store(&r->activity, STORE_SQLITE_IDLE);
    if (error == LM_EIO)
        close_db(r);
    return error;
}

int store_sqlite_reader_advance(struct store_sqlite_reader *r, sqlite3_stmt *stmt,
                                struct errbuf *err)
{
    if (is_cancelled(r))
        return errbuf_fail(err, LM_ETIMEOUT, "cancelled");
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 0;
    return rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(&r->db, rc, err);
}

int store_sqlite_reader_key(struct store_sqlite_reader *r, sqlite3_stmt *stmt, struct log_key *key,
                            struct errbuf *err)
{
    const void *id = sqlite3_column_blob(stmt, 1);

    if (!id || sqlite3_column_bytes(stmt, 1) != sizeof(key->id.bytes))
        return errbuf_fail(err, LM_EIO, "%s is damaged: an id is not 16 bytes long", r->db.path);
    key->timestamp_us = sqlite3_column_int64(stmt, 0);
    memcpy(key->id.bytes, id, sizeof(key->id.bytes));
    return 0;
}

int store_sqlite_reader_step(struct store_sqlite_reader *r, sqlite3_stmt *stmt,
                             struct record *record, struct errbuf *err)
{
    int error = store_sqlite_reader_advance(r, stmt, err);

    if (!error)
        error = store_sqlite_reader_key(r, stmt, &record->key, err);
    if (error)
        return error;
    record->level = sqlite_db_column_text(stmt, 2);
    record->message = sqlite_db_column_text(stmt, 3);
    record->attributes = sqlite_db_column_text(stmt, 4);
    return 0;
}

static int get_with(struct store_sqlite_reader *r, sqlite3_stmt *stmt, store_row_fn *fn, void *ctx,
                    struct errbuf *err)
{
    struct record record;
    int error = store_sqlite_reader_step(r, stmt, &record, err);

    if (!error)
        error = fn(&record, ctx);
    sqlite3_reset(stmt);
    return error;
}

int store_sqlite_reader_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                            void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int64_t ms = uuid7_ms(id);
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    sqlite3_bind_int64(r->get, 1, ms * 1000);
    sqlite3_bind_int64(r->get, 2, ms * 1000 + 999);
    sqlite3_bind_blob(r->get, 3, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
    error = get_with(r, r->get, fn, ctx, err);
    if (error == LM_ENOTFOUND && ms == 0) { /* which also stands for every time before 1970 */
        sqlite3_bind_blob(r->get_early, 1, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
        error = get_with(r, r->get_early, fn, ctx, err);
    }
    return store_sqlite_reader_end(r, error);
}
