/*
 * Appending: one query of two COPYs, which is a transaction of its own: straight into the table,
 * and the keys into `arrivals`; what is to be added to the counts stands in the query. If a key is
 * there already, all of it fails, and the same rows go by way of a temporary table, from which only
 * the new ones are taken. That costs about twice as much, and only repeats pay for it.
 *
 * When a connection breaks after all was sent, nobody knows whether the server committed: the
 * caller tries again, and then counts repeats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store/postgres/days.h"
#include "store/postgres/internal.h"

enum {
    CHUNK_BYTES = 64 * 1024,  /* of rows, before they are given to libpq */
    ROWS_OFFSET = 1024,       /* where they begin: see begin_chunk */
    ROWS_BYTES_MAX = 1 << 30, /* one row at most, with its chunk */
    PLAN_INTERVAL_US = 1000000,
    FORGET_INTERVAL_US = 30 * 1000000,
    FORGET_KEPT_TRANSACTIONS = 1000000, /* at most */
    FORGET_TOMBSTONES_MAX = 10000,      /* at one look, of which there are few unless … */
    OVERTAKEN_MAX = 3,                  /* times that an append begins anew for a new partition */
};
#define TOMBSTONES_INTERVAL_US (UINT64_C(3600) * 1000000) /* … one found as many */

#define COLUMNS "\"timestamp\", id, level, message, attributes"

struct store_writer *store_postgres_writer_new(struct store *base, struct errbuf *err)
{
    struct store_postgres *s = (struct store_postgres *)base;
    struct store_postgres_writer *w = xcalloc(1, sizeof(*w));

    w->base.ops = base->ops;
    w->s = s;
    store_postgres_conn_init(&w->conn, &s->address);
    buffer_init(&w->rows, ROWS_BYTES_MAX);
    buffer_init(&w->numbers, ROWS_BYTES_MAX);
    buffer_init(&w->sql, ROWS_BYTES_MAX);
    return &w->base;
}

void store_postgres_writer_free(struct store_writer *base)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;

    store_postgres_eraser_free(w->eraser);
    store_postgres_conn_close(&w->conn);
    buffer_release(&w->rows);
    buffer_release(&w->numbers);
    buffer_release(&w->sql);
    store_postgres_counts_release(&w->counts);
    free(w);
}

/*
 * What an append runs last: adds counts. It fails, with DIVISION_BY_ZERO, if logs from the times of
 * these were erased for good. Planning it costs as much as copying some twenty rows, so a session
 * has it prepared; and again from time to time, since a plan that was made when nothing had been
 * erased would go through all tombstones.
 */
#define FINISH "logmill_finish"
#define PREPARE_FINISH                                                                             \
    "PREPARE " FINISH " (timestamptz, timestamptz, timestamptz[], text[], bigint[]) AS "           \
    "INSERT INTO counts_added (minutes, levels, numbers) SELECT $3, $4, $5 "                       \
    "WHERE 1 / (NOT EXISTS (SELECT FROM tombstones WHERE \"timestamp\" >= $1 "                     \
    "AND \"timestamp\" <= $2))::int = 1"
#define DIVISION_BY_ZERO "22012"

int store_postgres_writer_begin(struct store_postgres_writer *w, bool *fresh, struct errbuf *err)
{
    CHECK(w->conn.owed == 0); /* else an answer would be taken for another's */
    *fresh = !store_postgres_conn_is_open(&w->conn);
    if (!*fresh)
        return 0;
    int error = store_postgres_conn_open(&w->conn, STORE_POSTGRES_WRITER_SETUP, err);
    if (!error)
        error = store_postgres_schema_check(&w->conn, err);
    if (!error)
        error = store_postgres_conn_exec(
            &w->conn, "SET plan_cache_mode = force_generic_plan; " PREPARE_FINISH, NULL, err);
    if (error)
        store_postgres_conn_close(&w->conn);
    store_postgres_days_init(&w->days, &w->s->days_retry_us);
    w->planned_us = clock_monotonic_us();
    return error;
}

void store_postgres_writer_undo(struct store_postgres_writer *w, int error)
{
    bool of_use = error == LM_EDATA || error == LM_EBUSY;

    if (!of_use || store_postgres_conn_is_lost(&w->conn) ||
        (PQtransactionStatus(w->conn.pg) != PQTRANS_IDLE &&
         store_postgres_conn_exec(&w->conn, "ROLLBACK", NULL, NULL) != 0))
        store_postgres_conn_close(&w->conn);
    CHECK(w->conn.owed == 0);
}

/* ---- Appending ---- */

/*
 * Libpq copies the rows to the start of a buffer of its own. Large buffers begin at the same place
 * of a page, and a copy to a few bytes past the place that it is from takes several times as long:
 * so the rows begin further on.
 */
static void begin_chunk(struct store_postgres_writer *w)
{
    static const char nothing[ROWS_OFFSET];

    buffer_clear(&w->rows);
    buffer_append(&w->rows, nothing, sizeof(nothing));
}

/* Gives the rows in w->rows to libpq and waits until they are on their way. */
static int send_rows(struct store_postgres_writer *w, struct errbuf *err)
{
    if (buffer_error(&w->rows) != 0)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the rows of a batch");
    if (PQputCopyData(w->conn.pg, w->rows.data + ROWS_OFFSET, (int)w->rows.len - ROWS_OFFSET) != 1)
        return store_postgres_conn_lost(&w->conn, err);
    begin_chunk(w);
    return store_postgres_conn_flush(&w->conn, err);
}

/* Sends `records` as the rows of the COPY under way. */
static int send_records(struct store_postgres_writer *w, const struct record *records, size_t n,
                        struct errbuf *err)
{
    int error = 0;

    begin_chunk(w);
    store_postgres_rows_begin(&w->rows);
    for (size_t i = 0; !error && i < n; i++) {
        store_postgres_rows_append(&w->rows, &records[i], &w->numbers);
        if (w->rows.len >= CHUNK_BYTES || buffer_error(&w->rows) != 0)
            error = send_rows(w, err);
    }
    store_postgres_rows_end(&w->rows);
    return error ? error : send_rows(w, err);
}

static int send_arrival(struct store_postgres_writer *w, const struct record *records, size_t n,
                        struct errbuf *err)
{
    begin_chunk(w);
    store_postgres_rows_begin(&w->rows);
    store_postgres_rows_append_arrival(&w->rows, records, n);
    store_postgres_rows_end(&w->rows);
    return send_rows(w, err);
}

/* Ends the COPY under way, and with it the query. Any failure of the server comes from here, too.
 */
static int end_copy(struct store_postgres_writer *w, struct errbuf *err)
{
    if (PQputCopyEnd(w->conn.pg, NULL) != 1)
        return store_postgres_conn_lost(&w->conn, err);
    return store_postgres_conn_finish(&w->conn, NULL, err);
}

static void write_copy(struct store_postgres_writer *w, const struct record *records, size_t n)
{
    int64_t first_us = records[0].key.timestamp_us, last_us = first_us;
    char first[TIMESTAMP_TEXT_LEN + 1] = {0}, last[TIMESTAMP_TEXT_LEN + 1] = {0};

    for (size_t i = 1; i < n; i++) {
        int64_t us = records[i].key.timestamp_us;

        first_us = us < first_us ? us : first_us;
        last_us = us > last_us ? us : last_us;
    }
    timestamp_format(first_us, first);
    timestamp_format(last_us, last);
    buffer_clear(&w->sql);
    buffer_append_string(&w->sql, "COPY logs (" COLUMNS ") FROM STDIN (FORMAT binary); "
                                  "COPY arrivals (timestamps, ids) FROM STDIN (FORMAT binary); ");
    buffer_appendf(&w->sql, "EXECUTE " FINISH " ('%s', '%s', ", first, last);
    store_postgres_counts_write(&w->counts, &w->sql, records, n);
    buffer_append_string(&w->sql, ")");
    if (clock_monotonic_us() - w->planned_us >= PLAN_INTERVAL_US) {
        w->planned_us = clock_monotonic_us();
        buffer_append_string(&w->sql, "; DEALLOCATE " FINISH "; " PREPARE_FINISH);
    }
    buffer_append_char(&w->sql, '\0');
}

/*
 * All in one query, and so in one transaction. Tombstones are looked for at its end: had one of
 * the logs been there, COPY would have waited for who erases it, and that is now committed.
 */
static int append_all(struct store_postgres_writer *w, const struct record *records, size_t n,
                      struct errbuf *err)
{
    write_copy(w, records, n);
    if (buffer_error(&w->sql))
        return errbuf_fail(err, LM_ENOMEM, "no memory for the counts of a batch");
    int error = store_postgres_conn_copy(&w->conn, w->sql.data, err);
    if (!error)
        error = send_records(w, records, n, err);
    if (!error)
        error = store_postgres_conn_copy_next(&w->conn, err);
    if (!error)
        error = send_arrival(w, records, n, err);
    return error ? error : end_copy(w, err);
}

/*
 * Of the rows that are staged, how many there are in `logs` with other content, and the key of one;
 * and how many were erased for good.
 * LIMIT keeps it a search of the primary key for each, whatever the planner thinks of `logs`.
 */
#define COUNT_CONFLICTS                                                                            \
    "SELECT count(*), (array_agg(extract(epoch FROM s.\"timestamp\") * 1000000))[1]::bigint, "     \
    "(array_agg(s.id))[1], (SELECT count(*) FROM pg_temp.logmill_staging e WHERE EXISTS "          \
    "(SELECT FROM tombstones t WHERE t.\"timestamp\" = e.\"timestamp\" AND t.id = e.id)) FROM "    \
    "pg_temp.logmill_staging s, LATERAL "                                                          \
    "(SELECT level, message, attributes FROM logs WHERE \"timestamp\" = s.\"timestamp\" "          \
    "AND id = s.id LIMIT 1) l WHERE (l.level, l.message) <> (s.level, s.message) "                 \
    "OR l.attributes IS DISTINCT FROM s.attributes"

static int count_conflicts(struct store_postgres_writer *w, struct store_append_result *result,
                           struct errbuf *err)
{
    PGresult *row = NULL;
    int error = store_postgres_conn_exec(&w->conn, COUNT_CONFLICTS, &row, err);

    if (!error)
        result->conflicts = (size_t)strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    if (!error)
        result->erased = (size_t)strtoull(PQgetvalue(row, 0, 3), NULL, 10);
    if (!error && result->conflicts > 0) {
        result->conflict.timestamp_us = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
        error = uuid_parse(slice_of_string(PQgetvalue(row, 0, 2)), &result->conflict.id, err);
    }
    PQclear(row);
    return error;
}

/*
 * The way of a batch in which something is repeated, or may have been erased. Sorted, so that two
 * writers with the same logs never wait for each other in a circle; by ctid, so that the first of
 * two with one key is stored. Nobody erases meanwhile, and what has been erased is seen, since that
 * waits for `erasures`.
 */
static int append_new_only(struct store_postgres_writer *w, const struct record *records, size_t n,
                           struct store_append_result *result, struct errbuf *err)
{
    PGresult *row = NULL;
    int error = store_postgres_conn_exec(
        &w->conn,
        /* Not LIKE logs, which would bring what others demand of columns that they added. */
        "BEGIN; CREATE TEMPORARY TABLE IF NOT EXISTS logmill_staging ON COMMIT DELETE ROWS "
        "AS SELECT " COLUMNS " FROM logs WITH NO DATA; SELECT FROM erasures FOR SHARE",
        NULL, err);

    if (!error)
        error = store_postgres_conn_copy(
            &w->conn, "COPY pg_temp.logmill_staging (" COLUMNS ") FROM STDIN (FORMAT binary)", err);
    if (!error)
        error = send_records(w, records, n, err);
    if (!error)
        error = end_copy(w, err);
    if (!error)
        error = store_postgres_conn_exec(
            &w->conn,
            "WITH new AS ("
            "INSERT INTO logs (" COLUMNS ") SELECT " COLUMNS " FROM pg_temp.logmill_staging s "
            "WHERE NOT EXISTS (SELECT FROM tombstones t WHERE t.\"timestamp\" = s.\"timestamp\" "
            "AND t.id = s.id) ORDER BY \"timestamp\", id, ctid ON CONFLICT (\"timestamp\", id) DO "
            "NOTHING "
            "RETURNING \"timestamp\", id, level), "
            "counted AS (" STORE_POSTGRES_COUNTS_ADD(
                "new") "), "
                       "arrival AS (INSERT INTO arrivals (timestamps, ids) "
                       "SELECT array_agg(\"timestamp\"), array_agg(id) FROM new HAVING count(*) > "
                       "0) "
                       "SELECT count(*) FROM new",
            &row, err);
    if (error && strcmp(w->conn.sqlstate, "23505") == 0)
        error = LM_EDATA; /* a unique index that someone added */
    if (!error)
        result->stored = (size_t)strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    PQclear(row);
    if (!error && result->stored < n)
        error = count_conflicts(w, result, err);
    result->repeated = n - result->stored - result->conflicts;
    return error ? error : store_postgres_conn_exec(&w->conn, "COMMIT", NULL, err);
}

static int append(struct store_postgres_writer *w, const struct record *records, size_t n,
                  struct store_append_result *result, struct errbuf *err)
{
    int error = store_postgres_days_ensure(&w->days, &w->conn, records, n, err);

    if (error)
        return error;
    error = append_all(w, records, n, err);
    *result = (struct store_append_result){.stored = n};
    if (error == LM_EBUSY || (error && (strcmp(w->conn.sqlstate, "23505") == 0 ||
                                        strcmp(w->conn.sqlstate, DIVISION_BY_ZERO) == 0)))
        error = append_new_only(w, records, n, result, err);
    return error;
}

/* Forgets tombstones that no message can need any more, some at a time. */
static int forget_tombstones(struct store_postgres_writer *w)
{
    char sql[512];
    PGresult *result;

    snprintf(sql, sizeof(sql),
             "DELETE FROM tombstones WHERE ctid = ANY (ARRAY(SELECT ctid FROM tombstones "
             "WHERE deleted < now() - interval '%d days' LIMIT %d))",
             STORE_TOMBSTONE_DAYS, FORGET_TOMBSTONES_MAX);
    int error = store_postgres_conn_exec(&w->conn, sql, &result, NULL);
    if (!error)
        w->has_old_tombstones = strtoull(PQcmdTuples(result), NULL, 10) == FORGET_TOMBSTONES_MAX;
    PQclear(result);
    return error;
}

/*
 * Forgets arrivals past the horizon, from time to time; failing to is harmless. The last of them
 * stays: if nothing came for hours, it is the place that followers have. Rows of transactions
 * yet to come, which a restored dump may bring, would be handed out when these numbers are reached.
 */
static void forget(struct store_postgres_writer *w)
{
    uint64_t now_us = clock_monotonic_us();
    char sql[1024];

    if (w->forgot_us != 0 && now_us - w->forgot_us < FORGET_INTERVAL_US)
        return;
    w->forgot_us = now_us;
    /* By the primary key: what is to stay is not looked at. */
    snprintf(
        sql, sizeof(sql),
        "DELETE FROM arrivals WHERE (\"transaction\", sequence) < "
        "(SELECT \"transaction\", sequence FROM arrivals "
        "WHERE (\"transaction\", sequence) < "
        "(SELECT \"transaction\", sequence FROM arrivals "
        "WHERE stored BETWEEN now() - interval '%d s' AND now() + interval '%d s' "
        "AND sequence > (SELECT sequence FROM arrivals "
        "ORDER BY \"transaction\" DESC, sequence DESC LIMIT 1) - %d "
        "ORDER BY \"transaction\", sequence LIMIT 1) "
        "ORDER BY \"transaction\" DESC, sequence DESC LIMIT 1);"
        "DELETE FROM arrivals WHERE \"transaction\" >= pg_snapshot_xmax(pg_current_snapshot())",
        STORE_FOLLOW_HORIZON_S, STORE_FOLLOW_HORIZON_S, FORGET_KEPT_TRANSACTIONS);
    int error = store_postgres_conn_exec(&w->conn, sql, NULL, NULL);
    if (!error && (w->has_old_tombstones || w->forgot_tombstones_us == 0 ||
                   now_us - w->forgot_tombstones_us >= TOMBSTONES_INTERVAL_US)) {
        w->forgot_tombstones_us = now_us;
        error = forget_tombstones(w);
    }
    if (error)
        store_postgres_writer_undo(w, LM_EUNAVAILABLE);
}

/*
 * A log that is said to be at fault is given up for good. But a server that has no transaction left
 * to give, for want of vacuuming, says of every log that it passes a limit (54000): this one fails
 * there, too.
 */
static int check_blame(struct store_postgres_writer *w, struct errbuf *err)
{
    int error = LM_EUNAVAILABLE;

    if (store_postgres_conn_is_open(&w->conn))
        error = store_postgres_conn_exec(&w->conn, "SELECT pg_current_xact_id()", NULL, err);
    if (!error)
        return LM_EDATA;
    store_postgres_writer_undo(w, error);
    return LM_EUNAVAILABLE;
}

/*
 * A day got its partition after the server had chosen logs_default for one of its rows: that it
 * refuses now, as it refuses a row for which there is no partition at all.
 */
static bool was_overtaken(const struct store_postgres_writer *w, int error)
{
    return error == LM_EUNAVAILABLE && strcmp(w->conn.sqlstate, "23514") == 0;
}

int store_postgres_writer_append(struct store_writer *base, const struct record *records, size_t n,
                                 struct store_append_result *result, struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;
    unsigned overtaken = 0;
    bool again;
    int error;

    *result = (struct store_append_result){0};
    if (n == 0)
        return 0;
    do {
        bool fresh;

        error = store_postgres_writer_begin(w, &fresh, err);
        if (error)
            return error;
        error = append(w, records, n, result, err);
        /* A connection that broke while it was idle is found out by using it: once more, then. */
        again = (error && store_postgres_conn_is_lost(&w->conn) && !fresh) ||
                (was_overtaken(w, error) && overtaken++ < OVERTAKEN_MAX);
        if (error)
            store_postgres_writer_undo(w, error);
    } while (again);
    if (error == LM_EDATA && n == 1) {
        struct errbuf reason = ERRBUF_INIT;

        error = check_blame(w, &reason);
        if (error != LM_EDATA && reason.text[0])
            errbuf_set(err, "%s", reason.text);
    }
    if (error) {
        *result = (struct store_append_result){0};
        return error;
    }
    forget(w);
    return 0;
}

/* ---- Expiring ---- */

/* Deletes the oldest rows before `before_us`, at most about max_rows. */
static int delete_rows(struct store_postgres_writer *w, int64_t before_us, size_t max_rows,
                       size_t *deleted, struct errbuf *err)
{
    char sql[512];
    char before[TIMESTAMP_TEXT_LEN + 1] = {0};
    PGresult *result;

    timestamp_format(before_us, before);
    snprintf(sql, sizeof(sql),
             "SELECT \"timestamp\", id FROM logs WHERE \"timestamp\" < '%s' "
             "ORDER BY \"timestamp\", id LIMIT 1 OFFSET %zu",
             before, max_rows);
    int error = store_postgres_conn_exec(&w->conn, sql, &result, err);
    if (error)
        return error;
    /* The first row that stays, if any; its values are as the server spells them. */
    if (PQntuples(result) > 0)
        snprintf(
            sql, sizeof(sql),
            "DELETE FROM logs WHERE \"timestamp\" <= '%s' AND (\"timestamp\", id) < ('%s', '%s')",
            PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
    else
        snprintf(sql, sizeof(sql), "DELETE FROM logs WHERE \"timestamp\" < '%s'", before);
    PQclear(result);
    error = store_postgres_conn_exec(&w->conn, sql, &result, err);
    if (!error)
        *deleted += (size_t)strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return error;
}

/* Whole days first, which costs next to nothing; then rows. */
static int expire(struct store_postgres_writer *w, int64_t before_us, size_t max_rows,
                  size_t *deleted, struct errbuf *err)
{
    bool found = true;
    int64_t rows;
    int error = 0;

    while (!error && found && *deleted < max_rows) {
        error = store_postgres_days_drop(&w->conn, before_us, &found, &rows, err);
        if (!error)
            *deleted += (size_t)rows;
    }
    if (!error && *deleted < max_rows)
        error = delete_rows(w, before_us, max_rows - *deleted, deleted, err);
    return error;
}

/* One writer at a time: the others would only wait for the same rows. Opens the connection. */
static int lock_expiry(struct store_postgres_writer *w, bool *locked, struct errbuf *err)
{
    int64_t got = 0;
    bool fresh;
    int error = store_postgres_writer_begin(w, &fresh, err);

    *locked = false;
    if (error)
        return error;
    error = store_postgres_conn_number(
        &w->conn, "SELECT pg_try_advisory_lock(" STORE_POSTGRES_EXPIRE_LOCK ")::int", &got, err);
    if (error)
        store_postgres_writer_undo(w, error);
    *locked = !error && got;
    return error;
}

/* Returns `error`, that of what was done under the lock. */
static int unlock_expiry(struct store_postgres_writer *w, int error)
{
    if (error)
        store_postgres_writer_undo(w, error);
    if (store_postgres_conn_is_open(&w->conn) &&
        store_postgres_conn_exec(
            &w->conn, "SELECT pg_advisory_unlock(" STORE_POSTGRES_EXPIRE_LOCK ")", NULL, NULL) != 0)
        store_postgres_conn_close(&w->conn);
    return error;
}

int store_postgres_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                                 size_t *deleted, bool *more, struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;
    bool locked;

    *deleted = 0;
    *more = false;
    if (before_us <= TIMESTAMP_MIN_US)
        return 0;
    before_us = before_us < TIMESTAMP_MAX_US ? before_us : TIMESTAMP_MAX_US;
    int error = lock_expiry(w, &locked, err);
    if (error || !locked)
        return error;
    error = unlock_expiry(w, expire(w, before_us, max_rows, deleted, err));
    *more = !error && *deleted >= max_rows;
    return error;
}

int store_postgres_writer_shrink(struct store_writer *base, uint64_t max_bytes, size_t *deleted,
                                 struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;
    int64_t rows = 0;
    bool locked;
    int error = lock_expiry(w, &locked, err);

    *deleted = 0;
    if (error || !locked)
        return error;
    error = unlock_expiry(w, store_postgres_days_shrink(&w->conn, max_bytes, &rows, err));
    if (!error)
        *deleted = (size_t)rows;
    return error;
}

/* ---- The clock ---- */

#define MICROSECONDS(of) "coalesce((extract(epoch FROM " of ") * 1000000)::bigint, 0)"

int store_postgres_writer_clock_read(struct store_writer *base, struct store_clock *kept,
                                     int64_t *now_us, struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;
    PGresult *row = NULL;
    bool fresh;
    int error = store_postgres_writer_begin(w, &fresh, err);

    *kept = (struct store_clock){0};
    if (error)
        return error;
    error = store_postgres_conn_exec(
        &w->conn,
        "SELECT " MICROSECONDS("now()") ", " MICROSECONDS("believed") ", " MICROSECONDS(
            "claimed") ", " MICROSECONDS("doubted") " FROM (SELECT) one LEFT JOIN retention_clock "
                                                    "ON true LIMIT 1",
        &row, err);
    if (!error) {
        *now_us = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
        *kept = (struct store_clock){.believed_us = strtoll(PQgetvalue(row, 0, 1), NULL, 10),
                                     .claimed_us = strtoll(PQgetvalue(row, 0, 2), NULL, 10),
                                     .doubted_us = strtoll(PQgetvalue(row, 0, 3), NULL, 10)};
    } else {
        store_postgres_writer_undo(w, error);
    }
    PQclear(row);
    return error;
}

int store_postgres_writer_clock_write(struct store_writer *base, const struct store_clock *kept,
                                      struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;
    char sql[512];
    bool fresh;
    int error = store_postgres_writer_begin(w, &fresh, err);

    if (error)
        return error;
    snprintf(sql, sizeof(sql),
             "UPDATE retention_clock SET believed = 'epoch'::timestamptz + interval '1 us' * %lld, "
             "claimed = 'epoch'::timestamptz + interval '1 us' * nullif(%lld, 0), "
             "doubted = interval '1 us' * %lld",
             (long long)kept->believed_us, (long long)kept->claimed_us,
             (long long)kept->doubted_us);
    error = store_postgres_conn_exec(&w->conn, sql, NULL, err);
    if (error)
        store_postgres_writer_undo(w, error);
    return error;
}
