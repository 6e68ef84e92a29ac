/*
 * What all reading calls have in common. The thread that reads never waits for anything but the
 * socket and a pipe, so that a cancel from another thread, which writes to the pipe, ends any wait.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/postgres/internal.h"

enum {
    ATTRIBUTES_BYTES_MAX = 1 << 30,
    END_RESULTS_MAX = 4, /* a failure, what ends that, and the end of the pipeline; more is odd */
    LOOK_US = 60 * 1000000, /* how long it may take until new indexes are used */
};

/* ---- Life ---- */

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

struct store_reader *store_postgres_reader_new(struct store *base, struct errbuf *err)
{
    struct store_postgres_reader *r = xcalloc(1, sizeof(*r));

    if (pipe(r->wake) != 0) {
        free(r);
        errbuf_set(err, "no file descriptors left for a reader");
        return NULL;
    }
    set_nonblocking(r->wake[0]);
    set_nonblocking(r->wake[1]);
    r->base.ops = base->ops;
    r->s = (struct store_postgres *)base;
    store_postgres_conn_init(&r->conn, &r->s->address);
    r->conn.stopped = &r->activity;
    r->conn.stopped_value = STORE_POSTGRES_CANCELLED;
    r->conn.wake_fd = r->wake[0];
    store_postgres_statement_init(&r->statement);
    buffer_init(&r->attributes, ATTRIBUTES_BYTES_MAX);
    return &r->base;
}

void store_postgres_reader_free(struct store_reader *base)
{
    struct store_postgres_reader *r = (struct store_postgres_reader *)base;

    store_postgres_conn_close(&r->conn);
    store_postgres_statement_release(&r->statement);
    buffer_release(&r->attributes);
    store_postgres_indexed_release(&r->indexed);
    close(r->wake[0]);
    close(r->wake[1]);
    free(r);
}

/*
 * The thread that waits does all the rest. A byte that comes late, in the middle of the next call,
 * only makes that one look at `activity` once more.
 */
void store_postgres_reader_cancel(struct store_reader *base)
{
    struct store_postgres_reader *r = (struct store_postgres_reader *)base;
    int expected = STORE_POSTGRES_RUNNING;

    if (!atomic_compare_exchange_strong(&r->activity, &expected, STORE_POSTGRES_CANCELLED))
        return;
    ssize_t ignored = write(r->wake[1], "", 1); /* a full pipe wakes as well */
    (void)ignored;
}

/* ---- One call ---- */

static int find_collation(struct store_postgres_reader *r, struct errbuf *err)
{
    /* The letters are small ones if the database's own collation knows Unicode. */
    static const char sql[] =
        "SELECT ' COLLATE pg_catalog.' || quote_ident(collname) FROM pg_collation "
        "WHERE lower(E'\\u00C4\\u1E9EI') <> E'\\u00E4\\u00DFi' "
        "AND collnamespace = 'pg_catalog'::regnamespace "
        "AND collencoding IN (-1, pg_char_to_encoding('UTF8')) "
        "AND collname IN ('pg_c_utf8', 'C.utf8', 'C.UTF-8', 'en_US.utf8', 'und-x-icu') "
        "ORDER BY array_position(ARRAY['C.utf8', 'C.UTF-8', 'en_US.utf8', 'pg_c_utf8', "
        "'und-x-icu'], collname::text) LIMIT 1";
    PGresult *result;
    int error = store_postgres_conn_exec(&r->conn, sql, &result, err);

    r->collation[0] = '\0';
    if (!error && PQntuples(result) > 0)
        snprintf(r->collation, sizeof(r->collation), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return error;
}

static int find_indexes(struct store_postgres_reader *r, struct errbuf *err)
{
    int64_t n = 0;
    int error = store_postgres_conn_number(
        &r->conn,
        "SELECT count(*) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid "
        "JOIN pg_am a ON a.oid = c.relam WHERE a.amname <> 'btree' AND x.indisvalid "
        "AND c.relname !~ " STORE_POSTGRES_INDEX_NAMES " "
        "AND (x.indrelid = to_regclass('logs') OR x.indrelid IN "
        "(SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('logs')))",
        &n, err);

    if (!error)
        error = store_postgres_indexed_read(&r->indexed, &r->conn, err);
    r->has_indexes = n > 0;
    r->looked_us = clock_monotonic_us();
    return error;
}

static int open_conn(struct store_postgres_reader *r, struct errbuf *err)
{
    int error = store_postgres_conn_open(&r->conn, NULL, err);

    if (!error)
        error = find_collation(r, err);
    r->use_counts = true;
    r->looked_us = 0;
    return error;
}

/* True if all that was asked for has been answered. */
static bool is_at_rest(const struct store_postgres_conn *c)
{
    return c->pg && PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

int store_postgres_reader_call(struct store_postgres_reader *r, store_postgres_work_fn *fn,
                               void *work, struct errbuf *err)
{
    bool was_open, lost;
    int error;

    r->handed_out = false;
    atomic_store(&r->activity, STORE_POSTGRES_RUNNING);
    do {
        was_open = store_postgres_conn_is_open(&r->conn);
        error = was_open ? 0 : open_conn(r, err);
        if (!error && (!r->looked_us || clock_monotonic_us() - r->looked_us > LOOK_US))
            error = find_indexes(r, err);
        if (!error)
            error = fn(r, work, err);
        if (error && strcmp(r->conn.sqlstate, "42P01") == 0)
            errbuf_set(err, "PostgreSQL: there is no table \"logs\" in the search_path: "
                            "`logmill migrate` or a worker makes it");
        lost =
            error && store_postgres_conn_is_open(&r->conn) && store_postgres_conn_is_lost(&r->conn);
        if (error == LM_ETIMEOUT)
            store_postgres_conn_abandon(&r->conn);
        else if (error && (error != LM_ENOTFOUND || !is_at_rest(&r->conn)))
            store_postgres_conn_close(&r->conn);
    } while (lost && was_open && !r->handed_out);
    CHECK(r->conn.owed == 0); /* else an answer would be taken for another's */
    atomic_store(&r->activity, STORE_POSTGRES_IDLE);
    return error;
}

/* ---- Statements ---- */

/*
 * A planner that does not know how few logs match a text or an attribute reads all of a window and
 * sorts what it found, with several processes, though a page is full after a few logs of the index.
 * Where the owner made an index for such searches it is left to itself; where the keeper made one
 * that serves a page, the key's is kept out, since the planner can only guess what a path finds.
 *
 * What holds for one statement holds for no more than its transaction, so that nothing is left to
 * others if a pooler gives the session to them next. Both go out at once, as a pipeline, which
 * is one transaction that ends by itself. Where it matters how long the statement takes, the server
 * is to tell when it begins with it: on a busy machine the way there and back takes far longer.
 */
static const char settings[] =
    "SELECT set_config('transaction_read_only', 'on', true), set_config('jit', 'off', true), "
    "set_config('statement_timeout', coalesce($1, "
    "nullif(current_setting('statement_timeout'), '0'), $6, '0'), true), "
    "set_config('enable_seqscan', coalesce($2, current_setting('enable_seqscan')), true), "
    "set_config('enable_bitmapscan', coalesce($3, current_setting('enable_bitmapscan')), true), "
    "set_config('enable_sort', coalesce($3, current_setting('enable_sort')), true), "
    "set_config('enable_indexscan', coalesce($5, current_setting('enable_indexscan')), true), "
    "set_config('max_parallel_workers_per_gather', coalesce($4, "
    "current_setting('max_parallel_workers_per_gather')), true)";

static int send(struct store_postgres_reader *r, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    PGconn *pg = r->conn.pg;
    char limit[16], most[16];
    bool is_served = r->in_order && r->is_served;
    bool in_order = r->in_order && !r->is_served && !r->has_indexes;
    const char *values[] = {
        r->limit_ms ? limit : NULL, r->by_index || is_served || in_order ? "off" : NULL,
        in_order ? "off" : NULL,    is_served || in_order ? "0" : NULL,
        is_served ? "off" : NULL,   r->most_ms ? most : NULL};

    buffer_append_char(&st->sql, '\0');
    if (buffer_error(&st->sql))
        return errbuf_fail(err, LM_EINVAL, "the filter is too long");
    snprintf(limit, sizeof(limit), "%u", r->limit_ms);
    snprintf(most, sizeof(most), "%u", r->most_ms);
    r->conn.sqlstate[0] = '\0';
    if (!PQenterPipelineMode(pg) ||
        !PQsendQueryParams(pg, settings, 6, NULL, values, NULL, NULL, 0) ||
        (r->is_timed && !PQsendFlushRequest(pg)) ||
        !PQsendQueryParams(pg, st->sql.data, st->len, st->types, st->values, st->lengths,
                           st->formats, 1) ||
        !PQpipelineSync(pg))
        return store_postgres_conn_lost(&r->conn, err);
    store_postgres_conn_sent(&r->conn, 3); /* the pipeline's end, too */
    return 0;
}

/* What one statement of the pipeline gives. */
struct taking {
    store_postgres_row_fn *fn; /* for each row that comes alone */
    void *ctx;
    PGresult *whole; /* all rows, if they came together; to be given to PQclear */
};

/* Takes over `result`. */
static int take(struct store_postgres_reader *r, struct taking *t, PGresult *result, int *failure,
                struct errbuf *err)
{
    int error = 0;

    if (atomic_load(&r->activity) == STORE_POSTGRES_CANCELLED)
        error = errbuf_fail(err, LM_ETIMEOUT, "cancelled");
    else if (!*failure)
        *failure = store_postgres_conn_judge(&r->conn, result, err);
    if (!error && t->fn && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
        error = t->fn(r, result, t->ctx);
    PQclear(t->whole);
    t->whole = result;
    return error;
}

/* Its results to the last. A failure that the server tells comes among them. */
static int take_results(struct store_postgres_reader *r, struct taking *t, struct errbuf *err)
{
    PGresult *result;
    int failure = 0;
    int error;

    while (!(error = store_postgres_conn_next(&r->conn, &result, err)) && result) {
        error = take(r, t, result, &failure, err);
        if (error)
            return error;
    }
    return error ? error : failure;
}

/*
 * Takes what ends the pipeline; the connection is then at rest, whatever failed. A statement that
 * has answered to the last row can still fail: its time runs until the server has read the end of
 * the pipeline, for which a server that is starved may be too late.
 */
static int end_pipeline(struct store_postgres_reader *r, struct errbuf *err)
{
    PGresult *result;
    int error, failure = 0;
    bool ended = false;

    for (int n = 0; n < END_RESULTS_MAX && !ended; n++) {
        error = store_postgres_conn_next(&r->conn, &result, err);
        if (error)
            return error;
        ended = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result && !ended && !failure)
            failure = store_postgres_conn_judge(&r->conn, result, err);
        PQclear(result);
    }
    if (!ended || !PQexitPipelineMode(r->conn.pg))
        return store_postgres_conn_lost(&r->conn, err);
    return failure;
}

/* True if the server has told why a statement failed, and waits for the next one. */
static bool is_told(const struct store_postgres_reader *r)
{
    return r->conn.sqlstate[0] && !store_postgres_conn_is_lost(&r->conn) &&
           atomic_load(&r->activity) != STORE_POSTGRES_CANCELLED;
}

static int run(struct store_postgres_reader *r, struct taking *t, struct errbuf *err)
{
    struct taking nothing = {0};
    uint64_t started_us = clock_monotonic_us();
    int error = send(r, err);

    if (!error)
        error = take_results(r, &nothing, err); /* the settings' */
    PQclear(nothing.whole);
    if (r->is_timed)
        started_us = clock_monotonic_us();
    if (!error && t->fn && !PQsetSingleRowMode(r->conn.pg))
        error = store_postgres_conn_lost(&r->conn, err);
    if (!error)
        error = take_results(r, t, err);
    r->took_us += clock_monotonic_us() - started_us;
    if (!error)
        return end_pipeline(r, err);
    if (is_told(r) && end_pipeline(r, NULL))
        store_postgres_conn_close(&r->conn);
    return error;
}

int store_postgres_reader_run(struct store_postgres_reader *r, store_postgres_row_fn *fn, void *ctx,
                              struct errbuf *err)
{
    struct taking t = {.fn = fn, .ctx = ctx};
    int error = run(r, &t, err);

    PQclear(t.whole);
    return error;
}

int store_postgres_reader_run_whole(struct store_postgres_reader *r, PGresult **rows,
                                    struct errbuf *err)
{
    struct taking t = {0};
    int error = run(r, &t, err);

    *rows = error ? NULL : t.whole;
    if (error)
        PQclear(t.whole);
    return error;
}

bool store_postgres_reader_ran_out(const struct store_postgres_reader *r)
{
    return is_told(r) && strcmp(r->conn.sqlstate, "57014") == 0 && is_at_rest(&r->conn);
}

bool store_postgres_reader_lacks_tables(const struct store_postgres_reader *r)
{
    return is_told(r) && is_at_rest(&r->conn) &&
           (strcmp(r->conn.sqlstate, "42P01") == 0 || strcmp(r->conn.sqlstate, "42501") == 0);
}

int64_t store_postgres_reader_int_at(const PGresult *rows, int row, int column)
{
    return (int64_t)byte_order_get64(PQgetvalue(rows, row, column));
}

struct slice store_postgres_reader_text_at(const PGresult *rows, int row, int column)
{
    return slice_of(PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column));
}

int64_t store_postgres_reader_int(const PGresult *row, int column)
{
    return store_postgres_reader_int_at(row, 0, column);
}

struct slice store_postgres_reader_text(const PGresult *row, int column)
{
    return store_postgres_reader_text_at(row, 0, column);
}

void store_postgres_reader_key(const PGresult *row, int column, struct log_key *key)
{
    key->timestamp_us = store_postgres_wire_time(PQgetvalue(row, 0, column));
    memcpy(key->id.bytes, PQgetvalue(row, 0, column + 1), sizeof(key->id.bytes));
}
