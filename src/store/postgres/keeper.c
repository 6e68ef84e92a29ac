/*
 * The background work. It folds what transactions have added to the counts into rows of hours, and
 * counts what is not counted yet, from the newest log to the oldest (counts.h). It touches no row
 * that a writer or a reader waits for. Beside that it makes indexes (indexes.h). One keeper works
 * at a time, whichever worker it belongs to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store/postgres/internal.h"

enum {
    FOLD_MS = 2000, /* between two folds, while logs come */
    FOLD_ROWS_MAX = 2000,
    FOLD_ENTRIES_MAX = 20000, /* minutes and levels of one fold */
    BUSY_MS = 1000,           /* another keeper is at work */
    BUSY_AT_ONCE_MS = 50,
    FAILED_MS = 5000,
    IDLE_FACTOR = 3,     /* it rests for so many times what a step took */
    GOAL_MS = 400,       /* what a step of counting should take */
    SPAN_FACTOR = 4,     /* by which its span of time grows */
    SILENCE_MS = 120000, /* a minute with very many logs may take its time */
};

static const int64_t SPAN_MAX_US = INT64_C(86400) * 1000000;

struct store_postgres_keeper {
    struct store_keeper base;
    struct store_postgres *s;
    struct store_postgres_conn conn;
    struct buffer sql;
    int64_t span_us; /* that is counted next */
    struct store_postgres_indexes indexes;
};

struct store_keeper *store_postgres_keeper_new(struct store *base, struct errbuf *err)
{
    struct store_postgres *s = (struct store_postgres *)base;
    struct store_postgres_keeper *k = xcalloc(1, sizeof(*k));

    k->base.ops = base->ops;
    k->s = s;
    k->span_us = STORE_POSTGRES_MINUTE_US;
    store_postgres_conn_init(&k->conn, &s->address);
    store_postgres_indexes_init(&k->indexes, &s->address, s->indexes);
    buffer_init(&k->sql, 1 << 16);
    return &k->base;
}

void store_postgres_keeper_free(struct store_keeper *base)
{
    struct store_postgres_keeper *k = (struct store_postgres_keeper *)base;

    store_postgres_conn_close(&k->conn);
    store_postgres_indexes_release(&k->indexes);
    buffer_release(&k->sql);
    free(k);
}

static int run(struct store_postgres_keeper *k, int64_t *number, struct errbuf *err)
{
    unsigned silence_ms = k->conn.silence_ms;

    buffer_append_char(&k->sql, '\0');
    if (buffer_error(&k->sql))
        return errbuf_fail(err, LM_ENOMEM, "no memory for a statement");
    k->conn.silence_ms = silence_ms > SILENCE_MS ? silence_ms : SILENCE_MS;
    int error = store_postgres_conn_number(&k->conn, k->sql.data, number, err);
    k->conn.silence_ms = silence_ms;
    return error;
}

/* ---- Folding ---- */

/*
 * Takes rows of counts_added and adds them to those of their hours, which are written anew. Says
 * how many it took, or how many it would have if each had its share of entries. A level keeps its
 * name if the hour has it, or has room for it. One of which there is no log any more keeps it, too,
 * as long as others went without: else these could get theirs, and be counted in two places.
 */
static const char fold_sql[] =
    "WITH taken AS (DELETE FROM counts_added WHERE ctid = ANY (ARRAY(SELECT ctid FROM ("
    "SELECT ctid, sum(cardinality(minutes)) OVER (ORDER BY ctid) AS entries, "
    "row_number() OVER (ORDER BY ctid) AS place FROM ("
    "SELECT ctid, minutes FROM counts_added LIMIT %d) AS next) AS placed "
    "WHERE entries <= %d OR place = 1)) RETURNING minutes, levels, numbers), "
    "added AS MATERIALIZED (SELECT date_bin('1 hour', t.minute, " STORE_POSTGRES_COUNTS_ORIGIN
    ") AS hour, t.level, t.minute, sum(t.number) AS n FROM taken, "
    "unnest(taken.minutes, taken.levels, taken.numbers) AS t(minute, level, number) "
    "GROUP BY 1, 2, 3), "
    "old AS (DELETE FROM counts WHERE hour IN (SELECT hour FROM added) "
    "RETURNING hour, level, minutes, numbers), "
    "had AS (SELECT hour, count(level) AS levels FROM old GROUP BY hour), "
    "named AS (SELECT hour, level, CASE WHEN known OR coalesce(levels, 0) + place <= %d "
    "THEN level END AS name FROM (SELECT a.hour, a.level, o.hour IS NOT NULL AS known, h.levels, "
    "row_number() OVER (PARTITION BY a.hour, o.hour IS NOT NULL ORDER BY a.level COLLATE \"C\") "
    "AS place FROM (SELECT DISTINCT hour, level FROM added WHERE level IS NOT NULL) AS a "
    "LEFT JOIN old AS o ON o.hour = a.hour AND o.level = a.level "
    "LEFT JOIN had AS h ON h.hour = a.hour) AS placed), "
    "together AS (SELECT hour, name, minute, sum(n)::bigint AS n FROM ("
    "SELECT old.hour, old.level AS name, u.minute, u.number AS n FROM old, "
    "unnest(old.minutes, old.numbers) AS u(minute, number) "
    "UNION ALL SELECT hour, level, 0::smallint, 0 FROM old "
    "UNION ALL SELECT a.hour, n.name, (extract(epoch FROM a.minute - a.hour) / 60)::smallint, a.n "
    "FROM added AS a LEFT JOIN named AS n ON n.hour = a.hour AND n.level = a.level"
    ") AS entries GROUP BY 1, 2, 3), "
    "kept AS (SELECT *, bool_or(name IS NULL AND n <> 0) OVER (PARTITION BY hour) AS is_full "
    "FROM together), "
    "written AS (INSERT INTO counts (hour, level, minutes, numbers) SELECT hour, name, "
    "coalesce(array_agg(minute ORDER BY minute) FILTER (WHERE n <> 0), '{}'), "
    "coalesce(array_agg(n ORDER BY minute) FILTER (WHERE n <> 0), '{}') "
    "FROM kept GROUP BY hour, name HAVING bool_or(n <> 0) OR (bool_or(is_full) AND name IS NOT "
    "NULL)) "
    "SELECT greatest(count(*), sum(cardinality(minutes)) * %d / %d)::bigint FROM taken";

static int fold(struct store_postgres_keeper *k, bool *folded, bool *more, struct errbuf *err)
{
    int64_t taken = 0;

    buffer_clear(&k->sql);
    buffer_appendf(&k->sql, fold_sql, FOLD_ROWS_MAX, FOLD_ENTRIES_MAX,
                   STORE_POSTGRES_COUNTED_LEVELS_MAX, FOLD_ROWS_MAX, FOLD_ENTRIES_MAX);
    int error = run(k, &taken, err);
    *folded = taken > 0;
    *more = taken >= FOLD_ROWS_MAX / 2;
    return error;
}

/* ---- Counting what is not counted ---- */

#define MICROSECONDS(of) "(extract(epoch FROM " of ") * 1000000)::bigint"
#define CALENDAR_END "'10000-01-01 00:00:00+00'"

/* Which logs are counted already, once nothing that was missed is left to be noticed. */
static int find_counted(struct store_postgres_keeper *k, int64_t *from_us, struct errbuf *err)
{
    buffer_clear(&k->sql);
    buffer_append_string(
        &k->sql,
        "WITH missed AS (DELETE FROM counts_missed RETURNING noticed) "
        "UPDATE counting SET counted_from = 'infinity' WHERE EXISTS (SELECT FROM missed); "
        "INSERT INTO counting SELECT 'infinity' WHERE NOT EXISTS (SELECT FROM counting); "
        "SELECT " MICROSECONDS("least(greatest(max(counted_from), " STORE_POSTGRES_COUNTS_ORIGIN
                               "), " CALENDAR_END ")") " FROM counting");
    return run(k, from_us, err);
}

/* The newest log before `before_us`; TIMESTAMP_MIN_US: there is none. */
static int find_newest(struct store_postgres_keeper *k, int64_t before_us, int64_t *newest_us,
                       struct errbuf *err)
{
    buffer_clear(&k->sql);
    buffer_append_string(&k->sql, "SELECT coalesce(" MICROSECONDS("max(\"timestamp\")") ", ");
    buffer_appendf(&k->sql,
                   "%lld) FROM logs WHERE \"timestamp\" >= " STORE_POSTGRES_COUNTS_ORIGIN
                   " AND \"timestamp\" < ",
                   (long long)TIMESTAMP_MIN_US);
    if (before_us > TIMESTAMP_MAX_US) {
        buffer_append_string(&k->sql, CALENDAR_END);
    } else {
        buffer_append_char(&k->sql, '\'');
        timestamp_append(&k->sql, before_us);
        buffer_append_char(&k->sql, '\'');
    }
    return run(k, newest_us, err);
}

static int set_counted(struct store_postgres_keeper *k, int64_t from_us, struct errbuf *err)
{
    int64_t none;

    buffer_clear(&k->sql);
    buffer_append_string(&k->sql, "UPDATE counting SET counted_from = '");
    if (from_us <= TIMESTAMP_MIN_US)
        buffer_append_string(&k->sql, "-infinity");
    else
        timestamp_append(&k->sql, from_us);
    buffer_append_char(&k->sql, '\'');
    return run(k, &none, err);
}

static void adapt_span(struct store_postgres_keeper *k, uint64_t took_us)
{
    if (took_us > (uint64_t)GOAL_MS * 1000 && k->span_us >= 2 * STORE_POSTGRES_MINUTE_US)
        k->span_us = store_postgres_counts_minute(k->span_us / 2);
    else if (took_us < (uint64_t)GOAL_MS * 1000 / SPAN_FACTOR && k->span_us < SPAN_MAX_US)
        k->span_us *= SPAN_FACTOR;
}

/* Counts the newest logs of those before `before_us`. */
static int count_older(struct store_postgres_keeper *k, int64_t before_us, struct errbuf *err)
{
    uint64_t began_us = clock_monotonic_us();
    int64_t newest_us, from_us, none;
    int error = find_newest(k, before_us, &newest_us, err);

    if (error)
        return error;
    from_us = store_postgres_counts_minute(newest_us);
    if (from_us - TIMESTAMP_MIN_US > k->span_us)
        from_us -= k->span_us - STORE_POSTGRES_MINUTE_US;
    else
        from_us = TIMESTAMP_MIN_US;
    buffer_clear(&k->sql);
    store_postgres_counts_write_correction(&k->sql, from_us, before_us);
    error = run(k, &none, err);
    if (!error)
        error = set_counted(k, from_us, err);
    if (!error)
        adapt_span(k, clock_monotonic_us() - began_us);
    return error;
}

/* ---- A step ---- */

static int exec(struct store_postgres_keeper *k, const char *sql, struct errbuf *err)
{
    return store_postgres_conn_exec(&k->conn, sql, NULL, err);
}

#define SETTINGS "; SET LOCAL jit = off; SET LOCAL statement_timeout = '110s'"

/*
 * Whoever corrects has to see all logs of a snapshot: no partition goes after it was taken, since
 * the lock came first; and none that it has is unknown to the plan, since that comes after it.
 */
static const char begin_correction[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ" SETTINGS
    "; LOCK TABLE logs IN ACCESS SHARE MODE; SELECT FROM counting";

/* As the only keeper. `*more`: it did not come to its end. */
static int work(struct store_postgres_keeper *k, bool *folded, bool *more, struct errbuf *err)
{
    int64_t from_us = 0;
    int error = exec(k, "BEGIN" SETTINGS, err);

    if (!error)
        error = fold(k, folded, more, err);
    if (!error)
        error = find_counted(k, &from_us, err);
    if (!error)
        error = exec(k, "COMMIT", err);
    if (error || from_us <= TIMESTAMP_MIN_US)
        return error;
    *more = true;
    error = exec(k, begin_correction, err);
    if (!error)
        error = count_older(k, from_us, err);
    return error ? error : exec(k, "COMMIT", err);
}

/* After an error the connection is closed, and with it goes the lock. */
static int step(struct store_postgres_keeper *k, bool *locked, bool *folded, bool *more,
                struct errbuf *err)
{
    int64_t got = 0;
    int error = store_postgres_conn_number(
        &k->conn, "SELECT pg_try_advisory_lock(" STORE_POSTGRES_KEEPER_LOCK ")::int", &got, err);

    *locked = !error && got;
    if (!*locked)
        return error;
    error = work(k, folded, more, err);
    return error ? error
                 : exec(k, "SELECT pg_advisory_unlock(" STORE_POSTGRES_KEEPER_LOCK ")", err);
}

static int open_conn(struct store_postgres_keeper *k, bool *fresh, struct errbuf *err)
{
    *fresh = !store_postgres_conn_is_open(&k->conn);
    if (!*fresh)
        return 0;
    int error = store_postgres_conn_open(&k->conn, STORE_POSTGRES_WRITER_SETUP, err);
    if (!error)
        error = store_postgres_schema_check(&k->conn, err);
    if (error)
        store_postgres_conn_close(&k->conn);
    return error;
}

int store_postgres_keeper_step(struct store_keeper *base, bool at_once, unsigned *wait_ms,
                               struct errbuf *err)
{
    struct store_postgres_keeper *k = (struct store_postgres_keeper *)base;
    bool fresh, lost, locked = false, folded = false, more = false;
    uint64_t began_us = clock_monotonic_us();
    int error;

    /* A connection that broke while it was idle is found out by using it: once more, then. */
    do {
        error = open_conn(k, &fresh, err);
        if (!error)
            error = step(k, &locked, &folded, &more, err);
        lost = error && !fresh && store_postgres_conn_is_lost(&k->conn);
        if (error)
            store_postgres_conn_close(&k->conn);
    } while (lost);
    bool is_indexing = !error && store_postgres_indexes_step(&k->indexes);
    uint64_t rest_ms = IDLE_FACTOR * (clock_monotonic_us() - began_us) / 1000;
    if (rest_ms > STORE_KEEPER_WAIT_MAX_MS / 2)
        rest_ms = STORE_KEEPER_WAIT_MAX_MS / 2;
    if (error)
        *wait_ms = FAILED_MS;
    else if (!locked)
        *wait_ms = at_once ? BUSY_AT_ONCE_MS : BUSY_MS;
    else if (at_once && (more || folded))
        *wait_ms = 0;
    else if (more)
        *wait_ms = (unsigned)rest_ms;
    else if (is_indexing)
        *wait_ms = at_once ? BUSY_AT_ONCE_MS : BUSY_MS;
    else
        *wait_ms = folded && !at_once ? FOLD_MS : STORE_KEEPER_WAIT_MAX_MS;
    return error;
}

int store_postgres_keeper_recount(struct store *base, struct errbuf *err)
{
    struct store_postgres_conn c;

    store_postgres_conn_init(&c, &((struct store_postgres *)base)->address);
    int error = store_postgres_conn_open(&c, STORE_POSTGRES_WRITER_SETUP, err);
    if (!error)
        error = store_postgres_schema_check(&c, err);
    if (!error)
        error = store_postgres_conn_exec(&c, "INSERT INTO counts_missed DEFAULT VALUES", NULL, err);
    store_postgres_conn_close(&c);
    return error;
}
