/*
 * Logs in the order of storing. Each transaction of the writer leaves a row in `arrivals` with the
 * keys of its logs, numbered through; a log's position is its number.
 */
#include "store/sqlite/internal.h"

/* The one number that `stmt` gives. */
static int read_number(struct store_sqlite_reader *r, sqlite3_stmt *stmt, uint64_t *number,
                       struct errbuf *err)
{
    int rc = sqlite3_step(stmt);
    int error = rc == SQLITE_ROW ? 0 : sqlite_db_error(&r->db, rc, err);

    *number = error ? 0 : (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return error;
}

/* The number of the last log, 0 if there is none. */
static int read_end(struct store_sqlite_reader *r, uint64_t *end, struct errbuf *err)
{
    return read_number(r, r->arrivals_end, end, err);
}

int store_sqlite_follow_end(struct store_reader *base, struct store_position *end,
                            struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int error = store_sqlite_reader_begin(r, err);

    *end = (struct store_position){0};
    if (!error)
        error = read_end(r, &end->sequence, err);
    return store_sqlite_reader_end(r, error);
}

/* Hands out the log at `key`, the `number`-th, unless it was deleted meanwhile. */
static int hand_out(struct store_sqlite_reader *r, const char *key, uint64_t number,
                    store_follow_fn *fn, void *ctx, struct errbuf *err)
{
    const struct store_position position = {.sequence = number};
    struct log_key wanted;
    struct record record;

    log_key_unpack(key, &wanted);
    sqlite3_bind_int64(r->at_key, 1, wanted.timestamp_us);
    sqlite3_bind_blob(r->at_key, 2, wanted.id.bytes, sizeof(wanted.id.bytes), SQLITE_STATIC);
    int error = store_sqlite_reader_step(r, r->at_key, &record, err);
    if (!error)
        error = fn(&record, &position, ctx);
    else if (error == LM_ENOTFOUND)
        error = 0;
    sqlite3_reset(r->at_key);
    return error;
}

/* Goes through the logs of the arrival that r->arrivals stands on, from position->sequence on. */
static int follow_arrival(struct store_sqlite_reader *r, struct store_position *position,
                          size_t *left, bool *lost, store_follow_fn *fn, void *ctx,
                          struct errbuf *err)
{
    uint64_t last = (uint64_t)sqlite3_column_int64(r->arrivals, 0);
    const char *keys = sqlite3_column_blob(r->arrivals, 1);
    uint64_t n = (uint64_t)sqlite3_column_bytes(r->arrivals, 1) / LOG_KEY_BYTES;
    uint64_t before = last - n;
    int error = 0;

    if (n > last)
        return errbuf_fail(err, LM_EIO, "%s is damaged: an arrival holds too many keys",
                           r->db.path);
    if (position->sequence < before) {
        *lost = *lost || position->sequence > 0;
        position->sequence = before;
    }
    while (!error && position->sequence < last && *left > 0) {
        const char *key = keys + (position->sequence - before) * LOG_KEY_BYTES;

        error = hand_out(r, key, position->sequence + 1, fn, ctx, err);
        if (!error)
            position->sequence++;
        (*left)--;
    }
    return error;
}

int store_sqlite_follow(struct store_reader *base, struct store_position *position, size_t max,
                        bool *lost, store_follow_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    uint64_t end;
    int rc = SQLITE_DONE;
    int error = store_sqlite_reader_begin(r, err);

    *lost = false;
    if (error)
        return error;
    if (position->transaction != 0 || position->index != 0 || position->sequence > INT64_MAX)
        position->sequence = INT64_MAX; /* not a place that this store gives */
    sqlite3_bind_int64(r->arrivals, 1, (int64_t)position->sequence);
    while (!error && max > 0 && (rc = sqlite3_step(r->arrivals)) == SQLITE_ROW)
        error = follow_arrival(r, position, &max, lost, fn, ctx, err);
    if (!error && rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(&r->db, rc, err);
    if (!error)
        error = read_end(r, &end, err);
    if (!error && position->sequence > end) { /* of another file, or before it was restored */
        *position = (struct store_position){.sequence = end};
        *lost = true;
    }
    sqlite3_reset(r->arrivals);
    return store_sqlite_reader_end(r, error);
}

int store_sqlite_follow_erasures(struct store_reader *base, uint64_t *number, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    int error = store_sqlite_reader_begin(r, err);

    if (!error)
        error = read_number(r, r->erasures, number, err);
    return store_sqlite_reader_end(r, error);
}
