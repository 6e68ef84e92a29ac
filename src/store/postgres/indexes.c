/*
 * A day is over if so is the hour after it (CLOSED_HOURS), in which logs that are late still come.
 * Only one worker's keeper makes indexes: it holds a lock as long as its connection, which it keeps
 * until there is nothing left to make.
 */
#include "store/postgres/indexes.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "base/timestamp.h"
#include "diag/diag.h"
#include "store/postgres/session.h"

enum {
    CLOSED_HOURS = 1,
    LOOK_MS = 60000,    /* between two looks for a day without its index */
    RETRY_MS = 3600000, /* after a failure */
    SQL_SIZE = 2048,
    SCHEMA_SIZE = 132, /* a name of 63 bytes, each of them a quote, in quotes */
};

/* How long a statement may take; it may have to wait for older transactions. */
#define SETUP "; SET statement_timeout = '6h'"

static const char *const names[STORE_POSTGRES_INDEX_KINDS] = {"message", "attributes", "levels"};

/* ---- The setting ---- */

int store_postgres_indexes_parse(const char *text, unsigned *wanted, struct errbuf *err)
{
    *wanted = 0;
    while (text && *text) {
        size_t spaces = strspn(text, " "), len = strcspn(text + spaces, ",");
        const char *word = text + spaces;
        unsigned known = 0;

        text = word + len + (word[len] == ',');
        while (len > 0 && word[len - 1] == ' ')
            len--;
        for (unsigned i = 0; i < STORE_POSTGRES_INDEX_KINDS; i++)
            if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
                known = 1U << i;
        if (!known)
            return errbuf_fail(err, LM_EINVAL,
                               "\"%.*s\" is not an index: message, attributes and levels are, "
                               "separated by commas",
                               (int)(len < 64 ? len : 64), word);
        *wanted |= known;
    }
    return 0;
}

/* ---- Life ---- */

void store_postgres_indexes_init(struct store_postgres_indexes *x,
                                 const struct store_postgres_address *address, unsigned wanted)
{
    *x = (struct store_postgres_indexes){.wanted = wanted};
    store_postgres_conn_init(&x->conn, address);
}

static void close_conn(struct store_postgres_indexes *x)
{
    if (x->is_building)
        store_postgres_conn_abandon(&x->conn);
    x->is_building = false;
    store_postgres_conn_close(&x->conn);
}

void store_postgres_indexes_release(struct store_postgres_indexes *x)
{
    close_conn(x);
}

static void rest(struct store_postgres_indexes *x, uint64_t ms)
{
    close_conn(x);
    x->next_us = clock_monotonic_us() + ms * 1000;
}

/* ---- What is to be made ---- */

/* Connected, and as the only one who makes indexes: *alone. */
static int begin(struct store_postgres_indexes *x, bool *alone, struct errbuf *err)
{
    int64_t got = 1;
    int error = 0;

    if (!store_postgres_conn_is_open(&x->conn)) {
        error = store_postgres_conn_open(&x->conn, STORE_POSTGRES_WRITER_SETUP SETUP, err);
        if (!error)
            error = store_postgres_conn_number(
                &x->conn, "SELECT pg_try_advisory_lock(" STORE_POSTGRES_INDEXES_LOCK ")::int", &got,
                err);
    }
    *alone = !error && got;
    return error;
}

/* True if nothing stands in the way of this kind. The schema of what it needs: *schema. */
static bool can_make(struct store_postgres_indexes *x, enum store_postgres_index kind,
                     char schema[SCHEMA_SIZE], struct errbuf *err)
{
    static const char find[] = "SELECT quote_ident(n.nspname) FROM pg_opclass AS o "
                               "JOIN pg_namespace AS n "
                               "ON n.oid = o.opcnamespace WHERE o.opcname = 'gin_trgm_ops'";
    PGresult *result = NULL;
    int64_t knows = 0;
    bool found = false;

    if (kind != STORE_POSTGRES_INDEX_MESSAGE)
        return true;
    /* pg_trgm folds by the collation of the database, whatever that of the column is. */
    if (store_postgres_conn_number(
            &x->conn, "SELECT (lower(E'\\u00C4\\u1E9EI') = E'\\u00E4\\u00DFi')::int", &knows, err))
        return false;
    if (!knows) {
        errbuf_set(err, "the collation of the database knows no Unicode");
        return false;
    }
    for (int i = 0; i < 2 && !found; i++) {
        if (i > 0 && store_postgres_conn_exec(&x->conn, "CREATE EXTENSION pg_trgm", NULL, err))
            return false;
        if (store_postgres_conn_exec(&x->conn, find, &result, err))
            return false;
        found = PQntuples(result) > 0;
        if (found)
            snprintf(schema, SCHEMA_SIZE, "%s", PQgetvalue(result, 0, 0));
        PQclear(result);
    }
    if (!found)
        errbuf_set(err, "pg_trgm has no gin_trgm_ops");
    return found;
}

/*
 * The newest day that is to have an index of that kind and has none: *digits, or 0; *left: there is
 * an index that came to no end.
 */
static int find_day(struct store_postgres_indexes *x, enum store_postgres_index kind,
                    int64_t *digits, bool *left, struct errbuf *err)
{
    char sql[SQL_SIZE], end[TIMESTAMP_TEXT_LEN];
    int64_t found = 0;

    timestamp_format(kind == STORE_POSTGRES_INDEX_LEVELS
                         ? TIMESTAMP_MAX_US
                         : clock_wall_us() - INT64_C(3600) * 1000000 * CLOSED_HOURS,
                     end);
    snprintf(sql, sizeof(sql),
             "SELECT substr(c.relname, 6)::bigint * 2 + (x.indexrelid IS NOT NULL)::int "
             "FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid "
             "LEFT JOIN (pg_index AS x JOIN pg_class AS n ON n.oid = x.indexrelid) "
             "ON x.indrelid = c.oid AND n.relname = c.relname || '_logmill_%s' "
             "WHERE i.inhparent = 'logs'::regclass AND c.relkind = 'r' "
             "AND c.relname ~ '^logs_[0-9]{8}$' AND substr(c.relname, 6) < '%.4s%.2s%.2s' "
             "AND x.indisvalid IS NOT TRUE ORDER BY c.relname DESC LIMIT 1",
             names[kind], end, end + 5, end + 8);
    int error = store_postgres_conn_number(&x->conn, sql, &found, err);
    *digits = found / 2;
    *left = found % 2;
    return error;
}

static int start(struct store_postgres_indexes *x, enum store_postgres_index kind, int64_t digits,
                 bool left, const char *schema, struct errbuf *err)
{
    char sql[SQL_SIZE];

    snprintf(x->name, sizeof(x->name), "logs_%08lld_logmill_%s", (long long)digits, names[kind]);
    if (left)
        snprintf(sql, sizeof(sql), "DROP INDEX CONCURRENTLY IF EXISTS %s", x->name);
    else if (kind == STORE_POSTGRES_INDEX_MESSAGE)
        snprintf(sql, sizeof(sql),
                 "CREATE INDEX CONCURRENTLY %s ON logs_%08lld USING gin (message "
                 "%s.gin_trgm_ops)",
                 x->name, (long long)digits, schema);
    else if (kind == STORE_POSTGRES_INDEX_ATTRIBUTES)
        snprintf(sql, sizeof(sql),
                 "CREATE INDEX CONCURRENTLY %s ON logs_%08lld USING gin (attributes)", x->name,
                 (long long)digits);
    else
        snprintf(sql, sizeof(sql),
                 "CREATE INDEX CONCURRENTLY %s ON logs_%08lld (\"timestamp\", id) "
                 "WHERE " STORE_POSTGRES_INDEX_LEVELS_CONDITION,
                 x->name, (long long)digits);
    x->conn.sqlstate[0] = '\0';
    if (!PQsendQuery(x->conn.pg, sql))
        return store_postgres_conn_lost(&x->conn, err);
    store_postgres_conn_sent(&x->conn, 1);
    int error = store_postgres_conn_flush(&x->conn, err);
    x->is_building = !error;
    x->is_drop = left;
    x->began_us = clock_monotonic_us();
    return error;
}

/* ---- A step ---- */

static void say_cannot(struct store_postgres_indexes *x, enum store_postgres_index kind,
                       const char *reason)
{
    x->later_us[kind] = clock_monotonic_us() + (uint64_t)RETRY_MS * 1000;
    if (x->said & 1U << kind)
        return;
    x->said |= 1U << kind;
    diag(DIAG_WARN, "an index of DATABASE_INDEXES cannot be made; all goes on without it",
         DIAG_STR("index", names[kind]), DIAG_STR("reason", reason));
}

/* Starts what comes next, the cheap ones first; nothing: x->is_building is still false. */
static int start_next(struct store_postgres_indexes *x, struct errbuf *err)
{
    for (unsigned kind = STORE_POSTGRES_INDEX_KINDS; kind-- > 0;) {
        struct errbuf reason = ERRBUF_INIT;
        char schema[SCHEMA_SIZE] = "";
        int64_t digits;
        bool left;

        if (!(x->wanted & 1U << kind) || clock_monotonic_us() < x->later_us[kind])
            continue;
        int error = find_day(x, kind, &digits, &left, err);
        if (error)
            return error;
        if (digits == 0)
            continue;
        if (can_make(x, kind, schema, &reason))
            return start(x, kind, digits, left, schema, err);
        if (store_postgres_conn_is_lost(&x->conn))
            return errbuf_fail(err, LM_EUNAVAILABLE, "%s", reason.text);
        say_cannot(x, kind, reason.text);
    }
    return 0;
}

/* Looks whether what runs has come to its end. */
static int look(struct store_postgres_indexes *x, struct errbuf *err)
{
    bool ready = false;
    int error = store_postgres_conn_poll(&x->conn, &ready, err);

    if (error || !ready)
        return error;
    x->is_building = false;
    error = store_postgres_conn_finish(&x->conn, NULL, err);
    if (!error && !x->is_drop)
        diag(DIAG_INFO, "an index was made", DIAG_STR("index", x->name),
             DIAG_INT("ms", (int64_t)(clock_monotonic_us() - x->began_us) / 1000));
    return error;
}

bool store_postgres_indexes_step(struct store_postgres_indexes *x)
{
    struct errbuf err = ERRBUF_INIT;
    bool alone = true;
    int error;

    if (!x->wanted || clock_monotonic_us() < x->next_us)
        return false;
    if (x->is_building) {
        error = look(x, &err);
    } else {
        error = begin(x, &alone, &err);
        if (!error && alone)
            error = start_next(x, &err);
        if (!error && !x->is_building)
            rest(x, LOOK_MS);
    }
    if (error) {
        diag(DIAG_WARN, "an index of DATABASE_INDEXES was not made; it is tried again later",
             DIAG_STR("index", x->name), DIAG_STR("reason", err.text));
        rest(x, RETRY_MS);
    }
    return !x->next_us || clock_monotonic_us() >= x->next_us;
}
