#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "store/sqlite/expire.h"
#include "store/sqlite/internal.h"

enum {
    WRITER_CACHE_KIB = 2048,
    FORGET_INTERVAL_US = 5 * 1000000, /* between two looks for arrivals past the horizon */
    FORGET_ROWS_MAX = 1000,           /* at one look: more than come in that time */
    KEYS_BYTES_MAX = 1 << 30,         /* a ceiling because every buffer has one */
};

struct writer {
    struct store_writer base;
    struct store_sqlite *s;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next call */
    sqlite3_stmt *insert;
    sqlite3_stmt *is_same; /* is the log that has the key the same in all fields? */
    sqlite3_stmt *arrive;  /* notes the logs of a transaction, in the order of storing */
    sqlite3_stmt *forget;  /* arrivals past the horizon */
    sqlite3_stmt *clock_read;
    sqlite3_stmt *clock_write;
    struct store_sqlite_eraser *eraser; /* NULL: it has not erased yet */
    struct buffer keys;                 /* of the logs that the transaction under way has stored */
    uint64_t forgot_us;                 /* by the monotonic clock */
};

static void close_db(struct writer *w)
{
    sqlite3_finalize(w->insert);
    sqlite3_finalize(w->is_same);
    sqlite3_finalize(w->arrive);
    sqlite3_finalize(w->forget);
    sqlite3_finalize(w->clock_read);
    sqlite3_finalize(w->clock_write);
    w->insert = w->is_same = w->arrive = w->forget = NULL;
    w->clock_read = w->clock_write = NULL;
    sqlite_db_close(&w->db);
}

static int open_db(struct writer *w, struct errbuf *err)
{
    struct sqlite_db_options options = store_sqlite_db_options(w->s, WRITER_CACHE_KIB, false);
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } statements[] = {
        {&w->insert, "INSERT INTO logs(timestamp, id, level, message, attributes) "
                     "VALUES(?, ?, ?, ?, ?) ON CONFLICT(timestamp, id) DO NOTHING"},
        {&w->is_same, "SELECT level = ?3 AND message = ?4 AND attributes IS ?5 FROM logs "
                      "WHERE timestamp = ?1 AND id = ?2"},
        {&w->arrive, "INSERT INTO arrivals(last, stored, keys) "
                     "SELECT coalesce(max(last), 0) + ?, ?, ? FROM arrivals"},
        /*
         * Before the first that is of the last hour by the clock, which is not always the same; a
         * bounded number at a time. Never the last one, from which the next is counted.
         */
        {&w->forget, "DELETE FROM arrivals WHERE last < (SELECT max(last) FROM arrivals) "
                     "AND last < (SELECT max("
                     "coalesce((SELECT last FROM arrivals WHERE stored BETWEEN ?1 - ?2 AND ?1 + ?2 "
                     "ORDER BY last LIMIT 1), 0), "
                     "(SELECT max(last) FROM arrivals) - ?3)) "
                     "AND last <= coalesce((SELECT last FROM arrivals ORDER BY last LIMIT 1 "
                     "OFFSET ?4), 9e18)"},
        {&w->clock_read, "SELECT believed, claimed, doubted FROM retention_clock"},
        {&w->clock_write, "UPDATE retention_clock SET believed = ?, claimed = ?, doubted = ?"},
    };

    options.tidies = true;
    int error = sqlite_db_open(&w->db, &options, err);
    for (size_t i = 0; !error && i < sizeof(statements) / sizeof(statements[0]); i++)
        error = sqlite_db_prepare(&w->db, statements[i].sql, statements[i].stmt, err);
    if (error)
        close_db(w);
    return error;
}

struct store_writer *store_sqlite_writer_new(struct store *base, struct errbuf *err)
{
    struct writer *w = xcalloc(1, sizeof(*w));

    w->base.ops = base->ops;
    w->s = (struct store_sqlite *)base;
    buffer_init(&w->keys, KEYS_BYTES_MAX);
    if (open_db(w, err) != 0) {
        free(w);
        return NULL;
    }
    return &w->base;
}

void store_sqlite_writer_free(struct store_writer *base)
{
    struct writer *w = (struct writer *)base;

    store_sqlite_eraser_free(w->eraser);
    close_db(w);
    buffer_release(&w->keys);
    free(w);
}

static int begin(struct writer *w, struct errbuf *err)
{
    int error = w->db.handle ? 0 : open_db(w, err);

    return error ? error : sqlite_db_begin(&w->db, err);
}

/* Ends what begin() began: commits if nothing has failed so far, or undoes all. */
static int end(struct writer *w, int error, struct errbuf *err)
{
    if (!error)
        error = sqlite_db_commit(&w->db, err);
    if (!error) {
        sqlite_db_checkpoint(&w->db);
        return 0;
    }
    sqlite_db_rollback(&w->db);
    if (error == LM_EFULL)
        sqlite_db_checkpoint_now(&w->db);
    else if (error == LM_EIO)
        close_db(w);
    return error;
}

static void bind_record(sqlite3_stmt *stmt, const struct record *r)
{
    sqlite3_bind_int64(stmt, 1, r->key.timestamp_us);
    sqlite3_bind_blob(stmt, 2, r->key.id.bytes, sizeof(r->key.id.bytes), SQLITE_STATIC);
    sqlite_db_bind_text(stmt, 3, r->level);
    sqlite_db_bind_text(stmt, 4, r->message);
    if (r->attributes.len > 0)
        sqlite_db_bind_text(stmt, 5, r->attributes);
    else
        sqlite3_bind_null(stmt, 5);
}

/* `r` was not inserted, since its key is there already. */
static int count_present(struct writer *w, const struct record *r,
                         struct store_append_result *result, struct errbuf *err)
{
    int error = 0;

    bind_record(w->is_same, r);
    int rc = sqlite3_step(w->is_same);
    if (rc != SQLITE_ROW) {
        error = sqlite_db_error(&w->db, rc, err);
    } else if (sqlite3_column_int(w->is_same, 0)) {
        result->repeated++;
    } else {
        result->conflicts++;
        result->conflict = r->key;
    }
    sqlite3_reset(w->is_same);
    return error;
}

static int insert(struct writer *w, const struct record *r, struct store_append_result *result,
                  struct errbuf *err)
{
    bind_record(w->insert, r);
    int error = sqlite_db_run(&w->db, w->insert, err);
    if (error)
        return error;
    if (sqlite3_changes(w->db.handle) == 0)
        return count_present(w, r, result, err);
    result->stored++;
    log_key_pack(&r->key, w->keys.data + w->keys.len);
    w->keys.len += LOG_KEY_BYTES;
    return 0;
}

/* Notes what the transaction has stored; from time to time, forgets what is past the horizon. */
static int arrive(struct writer *w, size_t stored, struct errbuf *err)
{
    uint64_t now_us = clock_monotonic_us();

    if (stored == 0)
        return 0;
    sqlite3_bind_int64(w->arrive, 1, (int64_t)stored);
    sqlite3_bind_int64(w->arrive, 2, clock_wall_us());
    sqlite3_bind_blob64(w->arrive, 3, w->keys.data, w->keys.len, SQLITE_STATIC);
    int error = sqlite_db_run(&w->db, w->arrive, err);
    if (error || now_us - w->forgot_us < FORGET_INTERVAL_US)
        return error;
    w->forgot_us = now_us;
    sqlite3_bind_int64(w->forget, 1, clock_wall_us());
    sqlite3_bind_int64(w->forget, 2, STORE_FOLLOW_HORIZON_S * INT64_C(1000000));
    sqlite3_bind_int64(w->forget, 3, STORE_FOLLOW_LOGS_MAX);
    sqlite3_bind_int64(w->forget, 4, FORGET_ROWS_MAX);
    return sqlite_db_run(&w->db, w->forget, err);
}

int store_sqlite_writer_append(struct store_writer *base, const struct record *records, size_t n,
                               struct store_append_result *result, struct errbuf *err)
{
    struct writer *w = (struct writer *)base;

    *result = (struct store_append_result){0};
    buffer_clear(&w->keys);
    if (n > 0 && !buffer_reserve(&w->keys, n * LOG_KEY_BYTES))
        return errbuf_fail(err, LM_ENOMEM, "no memory for the keys of a batch");
    int error = begin(w, err);
    if (error)
        return error;
    for (size_t i = 0; !error && i < n; i++)
        error = insert(w, &records[i], result, err);
    if (!error)
        error = arrive(w, result->stored, err);
    error = end(w, error, err);
    if (error)
        *result = (struct store_append_result){0};
    return error;
}

int store_sqlite_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                               size_t *deleted, struct errbuf *err)
{
    struct writer *w = (struct writer *)base;
    size_t gone = 0;
    int error = begin(w, err);

    *deleted = 0;
    if (error)
        return error;
    error = end(w, expire_before(&w->db, before_us, max_rows, &gone, err), err);
    if (!error)
        *deleted = gone;
    return error;
}

int store_sqlite_writer_erase(struct store_writer *base, struct store_scan *scan,
                              const struct store_slice *slice, bool remember, size_t *erased,
                              struct errbuf *err)
{
    struct writer *w = (struct writer *)base;
    bool found;

    if (!w->eraser)
        w->eraser = store_sqlite_eraser_new(w->s, err);
    if (!w->eraser)
        return LM_EIO;
    int error = store_sqlite_eraser_find(w->eraser, scan, slice, &found, err);
    if (error || !found)
        return error;
    error = begin(w, err);
    if (error)
        return error;
    error = store_sqlite_eraser_erase(w->eraser, &w->db, remember, erased, err);
    return end(w, error, err);
}

unsigned store_sqlite_writer_tidy(struct store_writer *base)
{
    struct writer *w = (struct writer *)base;

    return sqlite_db_tidy(&w->db);
}

/* ---- The clock ---- */

int store_sqlite_writer_clock_read(struct store_writer *base, struct store_clock *kept,
                                   int64_t *now_us, struct errbuf *err)
{
    struct writer *w = (struct writer *)base;
    int error = w->db.handle ? 0 : open_db(w, err);

    *kept = (struct store_clock){0};
    *now_us = clock_wall_us();
    if (error)
        return error;
    int rc = sqlite3_step(w->clock_read);
    if (rc == SQLITE_ROW)
        *kept = (struct store_clock){.believed_us = sqlite3_column_int64(w->clock_read, 0),
                                     .claimed_us = sqlite3_column_int64(w->clock_read, 1),
                                     .doubted_us = sqlite3_column_int64(w->clock_read, 2)};
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(&w->db, rc, err);
    sqlite3_reset(w->clock_read);
    return error;
}

int store_sqlite_writer_clock_write(struct store_writer *base, const struct store_clock *kept,
                                    struct errbuf *err)
{
    struct writer *w = (struct writer *)base;
    int error = begin(w, err);

    if (error)
        return error;
    sqlite3_bind_int64(w->clock_write, 1, kept->believed_us);
    sqlite3_bind_int64(w->clock_write, 2, kept->claimed_us);
    sqlite3_bind_int64(w->clock_write, 3, kept->doubted_us);
    return end(w, sqlite_db_run(&w->db, w->clock_write, err), err);
}
