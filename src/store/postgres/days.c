/*
 * How time is cut into partitions:
 *
 *   … logs_past … | … | logs_20261124 | logs_20261125 | logs_20261126 | logs_20261127 | …
 *                                       today           + 1             + 2
 *
 * A day within the window [today - DAYS_BACK, today + DAYS_AHEAD] gets its partition when a log
 * needs it, and each day of the future when it enters the window. So whatever timestamps are sent,
 * there are no more partitions than there would be after DAYS_BACK days of use. What is outside
 * goes to logs_past (older than the window was when the schema was made) or to logs_default.
 *
 * A partition is made as a table of its own and then attached: that takes no lock on `logs` that
 * readers or writers would notice. But logs_default is locked, and looked through by the server.
 * That happens once a day, two days before the logs come, and waits for a lock no longer than
 * readers can bear.
 *
 * Rows of the day that are in logs_default (sent when the day was too far ahead, or when its
 * partition could not be made) are moved within the transaction, and `logs` is locked before, so
 * that nobody waits for logs_default alone: such a statement would have been planned without the
 * new partition, and see the rows in neither. If logs_default is large, all would have to wait for
 * long: then `logs` is not locked, and who reads or erases at that moment may pass them over.
 */
#include "store/postgres/days.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "diag/diag.h"
#include "store/postgres/counts.h"
#include "store/postgres/session.h"

enum {
    RETRY_MS = 300000, /* each try may hold up readers of logs_default for the lock's time-out */
    DAY_TEXT_SIZE = 16,
    SQL_SIZE = 4096,
    COUNTED_PAGES = 128 * 1024, /* 1 GiB */
    MOVE_SILENCE_MS = 120000,   /* moving rows and looking through logs_default may take its time */
    LOCKED_BYTES_MAX = 16 << 20, /* of logs_default, if all wait: some tenths of a second */
};

/* SQLSTATEs: of all writes to a standby, and of a lock that was not to be had in time. */
static const char READ_ONLY[] = "25006", LOCK_NOT_AVAILABLE[] = "55P03";
#define DAY_US (INT64_C(86400) * 1000000)

static int64_t day_of(int64_t timestamp_us)
{
    return timestamp_us / DAY_US - (timestamp_us % DAY_US < 0);
}

/* "2026-11-25" and "20261125" */
static void format_day(int64_t day, char date[DAY_TEXT_SIZE], char digits[DAY_TEXT_SIZE])
{
    char text[TIMESTAMP_TEXT_LEN];

    timestamp_format(day * DAY_US, text);
    snprintf(date, DAY_TEXT_SIZE, "%.10s", text);
    snprintf(digits, DAY_TEXT_SIZE, "%.4s%.2s%.2s", text, text + 5, text + 8);
}

void store_postgres_days_init(struct store_postgres_days *d, _Atomic uint64_t *retry_us)
{
    *d = (struct store_postgres_days){.retry_us = retry_us};
}

/* ---- Making ---- */

static int exists(struct store_postgres_conn *c, int64_t day, int64_t *yes, struct errbuf *err)
{
    char date[DAY_TEXT_SIZE], digits[DAY_TEXT_SIZE];
    char sql[SQL_SIZE];

    format_day(day, date, digits);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
             "WHERE i.inhparent = 'logs'::regclass AND c.relname = 'logs_%s'",
             digits);
    return store_postgres_conn_number(c, sql, yes, err);
}

/* Ends the transaction; what its failure was stays in c->sqlstate. */
static void undo(struct store_postgres_conn *c)
{
    char sqlstate[sizeof(c->sqlstate)];

    memcpy(sqlstate, c->sqlstate, sizeof(sqlstate));
    if (!store_postgres_conn_is_lost(c) && store_postgres_conn_exec(c, "ROLLBACK", NULL, NULL) != 0)
        store_postgres_conn_close(c);
    memcpy(c->sqlstate, sqlstate, sizeof(sqlstate));
}

/*
 * Of all these the arguments are the day's digits, its date, the next one's. The first tells how
 * large logs_default is, or 0 if it has no row of the day.
 */
static const char create_sql[] =
    "CREATE TABLE logs_%1$s (LIKE logs INCLUDING ALL EXCLUDING IDENTITY);"
    "LOCK TABLE logs_default IN SHARE ROW EXCLUSIVE MODE;"
    "SELECT pg_relation_size('logs_default') WHERE EXISTS (SELECT FROM logs_default "
    "WHERE \"timestamp\" >= '%2$s 00:00:00+00' AND \"timestamp\" < '%3$s 00:00:00+00')";

/* Their values for all columns that others added as well, but for those the server generates. */
static const char move_sql[] =
    "DO $$ DECLARE columns text; BEGIN "
    "SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute "
    "WHERE attrelid = 'logs'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''; "
    "EXECUTE 'WITH moved AS (DELETE FROM logs_default WHERE \"timestamp\" >= ''%2$s 00:00:00+00'' "
    "AND \"timestamp\" < ''%3$s 00:00:00+00'' RETURNING ' || columns || ') "
    "INSERT INTO logs_%1$s (' || columns || ') SELECT ' || columns || ' FROM moved'; END $$";

static const char attach_sql[] = "ALTER TABLE logs ATTACH PARTITION logs_%1$s "
                                 "FOR VALUES FROM ('%2$s 00:00:00+00') TO ('%3$s 00:00:00+00')";

/* Within a transaction. *again: rows are to be moved, for which `logs` should have been locked. */
static int create(struct store_postgres_conn *c, int64_t day, bool locked, bool *again,
                  struct errbuf *err)
{
    char date[DAY_TEXT_SIZE], next_date[DAY_TEXT_SIZE];
    char digits[DAY_TEXT_SIZE], next_digits[DAY_TEXT_SIZE];
    char sql[SQL_SIZE];
    int64_t bytes;

    format_day(day, date, digits);
    format_day(day + 1, next_date, next_digits);
    snprintf(sql, sizeof(sql), create_sql, digits, date, next_date);
    int error = store_postgres_conn_number(c, sql, &bytes, err);
    if (error)
        return error;
    *again = bytes > 0 && bytes <= LOCKED_BYTES_MAX && !locked;
    if (*again)
        return 0;
    if (bytes > 0) {
        snprintf(sql, sizeof(sql), move_sql, digits, date, next_date);
        error = store_postgres_conn_exec(c, sql, NULL, err);
    }
    snprintf(sql, sizeof(sql), attach_sql, digits, date, next_date);
    return error ? error : store_postgres_conn_exec(c, sql, NULL, err);
}

/* Makes the partition in a transaction of its own, unless it is there. *again: as of create. */
static int try_make(struct store_postgres_conn *c, int64_t day, bool lock, bool *again,
                    struct errbuf *err)
{
    unsigned silence_ms = c->silence_ms;
    int64_t yes = 0;
    int error = store_postgres_conn_exec(c,
                                         "BEGIN; SET LOCAL lock_timeout = '3s'; SET LOCAL "
                                         "statement_timeout = '110s'; " STORE_POSTGRES_TAKE_LOCK,
                                         NULL, err);

    if (!error && lock)
        error = store_postgres_conn_exec(
            c,
            "SET LOCAL lock_timeout = '" STORE_POSTGRES_DAYS_LOCK_TIMEOUT "'; "
            "LOCK TABLE ONLY logs IN ACCESS EXCLUSIVE MODE",
            NULL, err);
    *again = false;
    if (!error)
        error = exists(c, day, &yes, err); /* now that nobody else can be making it */
    if (!error && !yes) {
        c->silence_ms = silence_ms > MOVE_SILENCE_MS ? silence_ms : MOVE_SILENCE_MS;
        error = create(c, day, lock, again, err);
        c->silence_ms = silence_ms;
    }
    if (!error && !*again)
        return store_postgres_conn_exec(c, "COMMIT", NULL, err);
    undo(c);
    return error;
}

static int make(struct store_postgres_conn *c, int64_t day, struct errbuf *err)
{
    bool again = false;
    int64_t yes;
    int error = exists(c, day, &yes, err);

    if (error || yes)
        return error;
    error = try_make(c, day, false, &again, err);
    return error || !again ? error : try_make(c, day, true, &again, err);
}

/* Remembers how it went. One failure is enough for a while: each may have waited for a lock. */
static int ensure_day(struct store_postgres_days *d, struct store_postgres_conn *c, int64_t day,
                      struct errbuf *err)
{
    int64_t *known = &d->known[(size_t)day % STORE_POSTGRES_DAYS_MAX];
    struct errbuf reason = ERRBUF_INIT;
    char date[DAY_TEXT_SIZE], digits[DAY_TEXT_SIZE];

    if (*known == day || clock_monotonic_us() < atomic_load(d->retry_us))
        return 0;
    int error = make(c, day, &reason);
    if (!error) {
        *known = day;
        return 0;
    }
    if (store_postgres_conn_is_lost(c) || strcmp(c->sqlstate, READ_ONLY) == 0)
        return errbuf_fail(err, error, "%s", reason.text);
    atomic_store(d->retry_us, clock_monotonic_us() + (uint64_t)RETRY_MS * 1000);
    format_day(day, date, digits);
    diag(DIAG_WARN, "a day has no partition yet; its logs go to logs_default",
         DIAG_STR("day", date), DIAG_STR("reason", reason.text));
    return 0;
}

int store_postgres_days_ensure(struct store_postgres_days *d, struct store_postgres_conn *c,
                               const struct record *records, size_t n, struct errbuf *err)
{
    int64_t today = day_of(clock_wall_us());
    int64_t last = today;
    int error = 0;

    for (int64_t i = 0; !error && i <= STORE_POSTGRES_DAYS_AHEAD; i++)
        error = ensure_day(d, c, today + i, err);
    for (size_t i = 0; !error && i < n; i++) {
        int64_t day = day_of(records[i].key.timestamp_us);

        if (day == last || day > today || day < today - STORE_POSTGRES_DAYS_BACK)
            continue;
        last = day;
        error = ensure_day(d, c, day, err);
    }
    return error;
}

/* ---- Dropping ---- */

static int find_oldest(struct store_postgres_conn *c, int64_t before_us, int64_t *digits,
                       struct errbuf *err)
{
    char date[DAY_TEXT_SIZE], end[DAY_TEXT_SIZE];
    char sql[SQL_SIZE];

    format_day(day_of(before_us), date, end);
    snprintf(sql, sizeof(sql),
             "SELECT substr(c.relname, 6) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
             "WHERE i.inhparent = 'logs'::regclass AND c.relname ~ '^logs_[0-9]{8}$' "
             "AND substr(c.relname, 6) < '%s' ORDER BY 1 LIMIT 1",
             end);
    return store_postgres_conn_number(c, sql, digits, err);
}

/* Counting reads all of it: past COUNTED_PAGES the server's estimate has to do. */
static int count_rows(struct store_postgres_conn *c, const char *table, int64_t *rows,
                      struct errbuf *err)
{
    char sql[SQL_SIZE];

    snprintf(sql, sizeof(sql),
             "SELECT CASE WHEN relpages < %d THEN (SELECT count(*) FROM %s) "
             "ELSE reltuples::bigint END FROM pg_class WHERE oid = '%s'::regclass",
             COUNTED_PAGES, table, table);
    return store_postgres_conn_number(c, sql, rows, err);
}

/* Of a day's name: by Julian day numbers (Fliegel and Van Flandern, 1968). */
static int64_t day_of_digits(int64_t digits)
{
    int64_t y = digits / 10000, m = digits / 100 % 100, d = digits % 100;
    int64_t shift = (m - 14) / 12;

    return 1461 * (y + 4800 + shift) / 4 + 367 * (m - 2 - 12 * shift) / 12 -
           3 * ((y + 4900 + shift) / 100) / 4 + d - 32075 - 2440588;
}

/* Runs the statements in `b` and commits. */
static int run(struct store_postgres_conn *c, struct buffer *b, struct errbuf *err)
{
    buffer_append(b, "; COMMIT", sizeof("; COMMIT"));
    if (buffer_error(b))
        return errbuf_fail(err, LM_ENOMEM, "no memory for a statement");
    return store_postgres_conn_exec(c, b->data, NULL, err);
}

/*
 * DROP TABLE locks all of `logs` for a moment, and whoever comes meanwhile waits behind it: so it
 * waits no longer than all can bear. (DETACH … CONCURRENTLY would not lock it, but is not for
 * tables with a default partition.)
 */
static int drop(struct store_postgres_conn *c, int64_t digits, int64_t *rows, struct errbuf *err)
{
    char table[64];
    char sql[SQL_SIZE];
    struct buffer b;

    snprintf(table, sizeof(table), "logs_%08lld", (long long)digits);
    int error = count_rows(c, table, rows, err);
    if (error)
        return error;
    snprintf(sql, sizeof(sql),
             "BEGIN; SET LOCAL lock_timeout = '" STORE_POSTGRES_DAYS_LOCK_TIMEOUT
             "'; " STORE_POSTGRES_TAKE_LOCK "; DROP TABLE %s; ",
             table);
    buffer_init(&b, SQL_SIZE);
    buffer_append_string(&b, sql);
    int64_t day = day_of_digits(digits);
    store_postgres_counts_write_correction(&b, day * DAY_US, (day + 1) * DAY_US);
    error = run(c, &b, err);
    buffer_release(&b);
    return error;
}

int store_postgres_days_drop(struct store_postgres_conn *c, int64_t before_us, bool *found,
                             int64_t *rows, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    int64_t digits;
    int error = find_oldest(c, before_us, &digits, err);

    *rows = 0;
    *found = !error && digits != 0;
    if (!*found)
        return error;
    error = drop(c, digits, rows, &reason);
    if (!error)
        return 0;
    *found = false;
    *rows = 0;
    if (strcmp(c->sqlstate, LOCK_NOT_AVAILABLE) != 0)
        return errbuf_fail(err, error, "%s", reason.text);
    undo(c);
    return store_postgres_conn_is_open(c) ? 0 : errbuf_fail(err, error, "%s", reason.text);
}

/* ---- By size ---- */

/* Empties logs_past; its rows cannot go one by one, since a table does not get smaller by that. */
static int empty_past(struct store_postgres_conn *c, int64_t *rows, struct errbuf *err)
{
    int64_t any = 0, end = 0;
    struct buffer b;
    int error = store_postgres_conn_number(
        c, "SELECT count(*) FROM pg_class WHERE oid = to_regclass('logs_past')", &any, err);

    *rows = 0;
    if (!error && any)
        error =
            store_postgres_conn_number(c, "SELECT EXISTS(SELECT FROM logs_past)::int", &any, err);
    if (error || !any)
        return error;
    error = count_rows(c, "logs_past", rows, err);
    if (error)
        return error;
    *rows = *rows > 0 ? *rows : 1;
    error = store_postgres_conn_number(
        c,
        "SELECT substring(pg_get_expr(relpartbound, oid) FROM ' TO [(]''([0-9-]+) ')"
        "::date - date '1970-01-01' FROM pg_class WHERE oid = 'logs_past'::regclass",
        &end, err);
    if (error)
        return error;
    buffer_init(&b, SQL_SIZE);
    buffer_append_string(&b, "BEGIN; SET LOCAL lock_timeout = '" STORE_POSTGRES_DAYS_LOCK_TIMEOUT
                             "'; " STORE_POSTGRES_TAKE_LOCK "; TRUNCATE logs_past; ");
    store_postgres_counts_write_correction(&b, TIMESTAMP_MIN_US, end * DAY_US);
    error = run(c, &b, err);
    buffer_release(&b);
    return error;
}

int store_postgres_days_shrink(struct store_postgres_conn *c, uint64_t max_bytes, int64_t *rows,
                               struct errbuf *err)
{
    int64_t bytes = 0, today = 0, digits = 0;
    int error = store_postgres_conn_number(c,
                                           "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), "
                                           "0)::bigint FROM pg_inherits "
                                           "WHERE inhparent = 'logs'::regclass",
                                           &bytes, err);

    *rows = 0;
    if (error || (uint64_t)bytes <= max_bytes)
        return error;
    error = empty_past(c, rows, err);
    if (error || *rows > 0)
        return error;
    /* By the server's clock, as all that is deleted: ours may be ahead. */
    error = store_postgres_conn_number(c, "SELECT floor(extract(epoch FROM now()) / 86400)::bigint",
                                       &today, err);
    if (!error)
        error = find_oldest(c, today * DAY_US, &digits, err);
    if (error || digits == 0)
        return error;
    error = drop(c, digits, rows, err);
    *rows = *rows > 0 ? *rows : 1;
    return error;
}
