/*
 * Counts per bucket and level, all made by the server: of each bucket the STORE_STATS_LEVELS_MAX
 * levels with the most logs, and the others together.
 */
#include "store/store_postgres_parts.h"

struct counting {
    const struct store_scan *scan;
    int64_t since_us;
    int64_t bucket_us;
    store_count_fn *fn;
    void *ctx;
};

static int hand_out(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    const struct counting *c = ctx;
    int64_t start_us = store_postgres_reader_int(row, 0) + STORE_POSTGRES_EPOCH_US;
    int64_t bucket = (start_us - c->since_us) / c->bucket_us;

    r->handed_out = true;
    return c->fn(bucket, store_postgres_reader_text(row, 1),
                 (uint64_t)store_postgres_reader_int(row, 2), c->ctx);
}

static int count(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    const struct counting *c = work;
    const struct log_filter *filter = log_matcher_filter(c->scan->matcher);

    store_postgres_statement_begin(st, "SELECT bucket, CASE WHEN place <= ");
    store_postgres_statement_number(st, STORE_STATS_LEVELS_MAX);
    store_postgres_statement_sql(st,
                                 " THEN name ELSE 'other' END, sum(n)::bigint FROM ("
                                 "SELECT bucket, name, n, row_number() OVER (PARTITION BY bucket "
                                 "ORDER BY n DESC, name) AS place FROM (SELECT date_bin(");
    store_postgres_statement_interval(st, c->bucket_us);
    store_postgres_statement_sql(st, ", \"timestamp\", ");
    store_postgres_statement_time(st, c->since_us);
    store_postgres_statement_sql(st, ") AS bucket, lower(level");
    store_postgres_statement_sql(st, r->collation);
    store_postgres_statement_sql(st, ") AS name, count(*) AS n FROM logs WHERE \"timestamp\" >= ");
    store_postgres_statement_time(st, filter->since_us);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, c->scan->before.timestamp_us);
    store_postgres_statement_filter(st, filter, r->collation);
    store_postgres_statement_sql(st,
                                 " GROUP BY 1, 2) AS counted) AS placed GROUP BY 1, 2 ORDER BY 1");
    return store_postgres_reader_run(r, hand_out, work, err);
}

int store_postgres_scan_count(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                              store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct counting c = {
        .scan = scan, .since_us = since_us, .bucket_us = bucket_us, .fn = fn, .ctx = ctx};
    int error = 0;

    if (!store_postgres_statement_is_hopeless(log_matcher_filter(scan->matcher)))
        error = store_postgres_reader_call((struct store_postgres_reader *)base, count, &c, err);
    scan->done = !error;
    return error;
}
