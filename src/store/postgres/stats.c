/*
 * Counts per bucket and level, all made by the server, if it can tell what is asked for: of each
 * bucket the STORE_STATS_LEVELS_MAX levels with the most logs, and the others together. A window's
 * counts come all or not at all, the newest bucket first.
 */
#include "store/postgres/internal.h"
#include "store/tally.h"

enum { ROWS_MAX = 8192 }; /* of one statement: more than a bucket can have, by far */

struct counting {
    struct store_scan *scan;
    uint64_t until_us;
    int64_t since_us;
    int64_t bucket_us;
    struct store_tally tally;
};

static void write_statement(struct store_postgres_reader *r, const struct store_postgres_windows *w,
                            const struct counting *c)
{
    struct store_postgres_statement *st = &r->statement;

    store_postgres_statement_begin(st, "SELECT bucket, CASE WHEN place <= ");
    store_postgres_statement_number(st, STORE_STATS_LEVELS_MAX);
    store_postgres_statement_sql(st, " AND octet_length(name) <= ");
    store_postgres_statement_number(st, STORE_STATS_LEVEL_BYTES_MAX);
    store_postgres_statement_sql(st,
                                 " THEN name ELSE 'other' END, sum(n)::bigint FROM ("
                                 "SELECT bucket, name, n, row_number() OVER (PARTITION BY bucket "
                                 "ORDER BY n DESC, name) AS place FROM (SELECT date_bin(");
    store_postgres_statement_interval(st, c->bucket_us);
    store_postgres_statement_sql(st, ", \"timestamp\", ");
    store_postgres_statement_time(st, c->since_us);
    store_postgres_statement_sql(st, ") AS bucket, lower(level");
    store_postgres_statement_sql(st, r->collation);
    store_postgres_statement_sql(st, ") AS name, count(*) AS n");
    store_postgres_windows_add(r, w);
    store_postgres_statement_sql(st, " GROUP BY 1, 2) AS counted) AS placed GROUP BY 1, 2 "
                                     "ORDER BY 1 DESC LIMIT ");
    store_postgres_statement_number(st, ROWS_MAX);
}

static int64_t bucket_of(const struct counting *c, const PGresult *rows, int row)
{
    return (store_postgres_reader_int_at(rows, row, 0) + STORE_POSTGRES_EPOCH_US - c->since_us) /
           c->bucket_us;
}

/* How many of the rows are of buckets that came whole. */
static int whole_rows(const struct counting *c, const PGresult *rows)
{
    int n = PQntuples(rows);

    if (n < ROWS_MAX)
        return n;
    for (int64_t last = bucket_of(c, rows, n - 1); n > 0 && bucket_of(c, rows, n - 1) == last;)
        n--;
    return n;
}

/* LM_ESTOPPED if the tally is full. `*end`: the bucket that was added to last. */
static int add_rows(struct counting *c, const PGresult *rows, int n, int64_t *end)
{
    int error = 0;

    for (int i = 0; !error && i < n; i++) {
        int64_t bucket = bucket_of(c, rows, i);

        error = store_tally_add(&c->tally, bucket, store_postgres_reader_text_at(rows, i, 1),
                                (uint64_t)store_postgres_reader_int_at(rows, i, 2));
        if (!error)
            *end = bucket;
    }
    return error;
}

static int count_window(struct store_postgres_reader *r, struct store_postgres_windows *w,
                        void *ctx, struct errbuf *err)
{
    struct counting *c = ctx;
    int64_t end = INT64_MAX;
    PGresult *rows;
    int n, error;

    write_statement(r, w, c);
    error = store_postgres_reader_run_whole(r, &rows, err);
    if (error)
        return error;
    n = whole_rows(c, rows);
    error = add_rows(c, rows, n, &end);
    w->stop = error == LM_ESTOPPED;
    w->cut = w->stop || n < PQntuples(rows);
    PQclear(rows);
    if (error && !w->stop)
        return errbuf_fail(err, error, "no memory to count levels");
    /* Down to the start of the last bucket; if there was no room even for one, as it is. */
    if (w->cut && end != INT64_MAX)
        w->scan->before = (struct log_key){.timestamp_us = c->since_us + end * c->bucket_us};
    return 0;
}

/* ---- What the server cannot tell is counted here ---- */

struct adding {
    struct counting *c;
    struct log_key last; /* the last log that was added */
    bool is_full;
    struct errbuf *err;
};

static int add_log(const struct record *record, void *ctx)
{
    struct adding *a = ctx;
    int64_t us = record->key.timestamp_us - a->c->since_us;
    int64_t bucket = us / a->c->bucket_us - (us % a->c->bucket_us < 0);
    int error = store_tally_add(&a->c->tally, bucket, record->level, 1);

    if (!error)
        a->last = record->key;
    a->is_full = error == LM_ESTOPPED;
    return error == LM_ENOMEM ? errbuf_fail(a->err, error, "no memory to count levels") : error;
}

static int count_logs(struct store_reader *base, struct counting *c, struct errbuf *err)
{
    const struct store_slice slice = {.rows = UINT64_MAX, .until_us = c->until_us};
    struct adding a = {.c = c, .last = c->scan->before, .err = err};
    int error = store_postgres_scan_next(base, c->scan, &slice, add_log, &a, err);

    if (a.is_full) { /* the log for which there was no room is still to be counted */
        c->scan->before = a.last;
        c->scan->done = false;
    }
    return error;
}

/* ---- The whole ---- */

static int count_slice(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct counting *c = work;
    struct store_postgres_windows w = {.scan = c->scan, .until_us = c->until_us};

    return store_postgres_windows_run(r, &w, count_window, c, err);
}

int store_postgres_scan_count(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                              store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct counting c = {
        .scan = scan,
        .until_us = slice->until_us,
        .since_us = since_us,
        .bucket_us = bucket_us,
    };
    struct store_scan start = *scan;

    if (store_postgres_statement_is_hopeless(log_matcher_filter(scan->matcher))) {
        scan->done = true;
        return 0;
    }
    store_tally_init(&c.tally);
    int error = store_postgres_must_match(scan)
                    ? count_logs(base, &c, err)
                    : store_postgres_reader_call((struct store_postgres_reader *)base, count_slice,
                                                 &c, err);
    if (!error)
        error = store_tally_hand_out(&c.tally, fn, ctx);
    if (error)
        *scan = start;
    store_tally_release(&c.tally);
    return error;
}
