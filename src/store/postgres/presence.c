/*
 * Where a level is at all. The counts per minute and level (counts.h) tell it for the price of some
 * thousand numbers: so a page of a rare level, whatever else it asks for, does not go through logs
 * of which none has it. What was deleted since may still be counted for a while; then a window is
 * read for nothing.
 */
#include "base/timestamp.h"
#include "store/postgres/internal.h"

/*
 * The last minute before $2 of each row of counts, whose minutes are in order: NULL if it has none.
 * By hours first, in whose order an index has the rows.
 */
static const char presence_sql[] =
    "kept AS (SELECT hour, level, CASE WHEN hour + last * interval '1 minute' < $2 "
    "THEN hour + last * interval '1 minute' ELSE (SELECT max(hour + m * interval '1 minute') "
    "FROM unnest(minutes) AS u(m) WHERE hour + m * interval '1 minute' < $2) END AS minute "
    "FROM (SELECT hour, level, minutes, minutes[cardinality(minutes)] AS last FROM counts "
    "WHERE hour > $1 - interval '1 hour' AND hour < $2) AS c UNION ALL "
    "SELECT date_bin('1 hour', minute, " STORE_POSTGRES_COUNTS_ORIGIN "), level, minute "
    "FROM counts_added, unnest(minutes, levels) AS a(minute, level) "
    "WHERE minute > $1 - interval '1 minute' AND minute < $2) "
    "SELECT greatest(start, (SELECT minute + interval '1 minute' FROM kept "
    "WHERE minute IS NOT NULL AND (level IS NULL OR (true";

static int take_time(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(int64_t *)ctx = store_postgres_reader_int(row, 0) + STORE_POSTGRES_EPOCH_US;
    return 0;
}

int store_postgres_presence_lower(struct store_postgres_reader *r,
                                  const struct store_postgres_windows *w, bool *lowered,
                                  struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    const struct log_filter *filter = log_matcher_filter(w->scan->matcher);
    struct log_key *before = &w->scan->before;
    int64_t to_us =
        before->timestamp_us < TIMESTAMP_MAX_US ? before->timestamp_us + 1 : TIMESTAMP_MAX_US + 1;
    int64_t from_us = filter->since_us > TIMESTAMP_MIN_US ? filter->since_us : TIMESTAMP_MIN_US;
    int64_t highest_us = INT64_MAX;

    *lowered = false;
    if (!r->use_counts || from_us >= to_us || !filter->query ||
        !store_postgres_predicates_name_levels(filter->query))
        return 0;
    store_postgres_statement_begin(st, "WITH given AS (SELECT ");
    store_postgres_statement_time(st, from_us);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_time(st, to_us);
    store_postgres_statement_sql(st, "), ");
    store_postgres_stats_add_usable(st, false);
    store_postgres_statement_sql(st, presence_sql);
    store_postgres_predicates_add_levels(st, filter->query, r->collation);
    store_postgres_statement_sql(st, ")) ORDER BY hour DESC, minute DESC LIMIT 1)) FROM usable");
    int error = store_postgres_reader_run(r, take_time, &highest_us, err);
    if (error && store_postgres_reader_lacks_tables(r)) {
        r->use_counts = false;
        return 0;
    }
    if (!error && highest_us < before->timestamp_us) {
        *before = (struct log_key){.timestamp_us = highest_us};
        *lowered = true;
    }
    return error;
}
