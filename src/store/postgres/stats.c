/*
 * Counts per bucket and level, all made by the server, if it can tell what is asked for: of each
 * bucket the STORE_STATS_LEVELS_MAX levels with the most logs, and the others together. A window's
 * counts come all or not at all, the newest bucket first.
 *
 * Where nothing but time and level is asked for, they come from the counts that are kept beside the
 * logs (counts.h): of each minute that lies in the window and in one bucket. The other minutes, at
 * the ends of the range and where a bucket ends within one, are read as logs, by the same
 * statement or as a window of their own; so is all that is not counted yet.
 */
#include <string.h>

#include "base/timestamp.h"
#include "store/postgres/internal.h"
#include "store/tally.h"

enum { ROWS_MAX = 8192 }; /* of one statement: more than a bucket can have, by far */

struct counting {
    struct store_scan *scan;
    uint64_t until_us;
    int64_t since_us;
    int64_t bucket_us;
    bool use_counts;
    bool has_counted;   /* some of what this slice has counted came from the counts */
    int64_t counted_us; /* what is older is not counted, as this slice was told */
    struct store_tally tally;
};

/* Before and after what gives the logs per bucket and name, to be ranked. */
static void write_head(struct store_postgres_statement *st)
{
    store_postgres_statement_sql(st, "SELECT bucket, CASE WHEN place <= ");
    store_postgres_statement_number(st, STORE_STATS_LEVELS_MAX);
    store_postgres_statement_sql(st, " AND octet_length(name) <= ");
    store_postgres_statement_number(st, STORE_STATS_LEVEL_BYTES_MAX);
    store_postgres_statement_sql(st,
                                 " THEN name ELSE 'other' END AS name, sum(n)::bigint FROM ("
                                 "SELECT bucket, name, n, row_number() OVER (PARTITION BY bucket "
                                 "ORDER BY n DESC, name) AS place FROM (");
}

static void write_tail(struct store_postgres_statement *st)
{
    store_postgres_statement_sql(st, ") AS counted WHERE n > 0) AS placed GROUP BY 1, 2");
}

static void write_scan(struct store_postgres_reader *r, const struct store_postgres_windows *w,
                       const struct counting *c)
{
    struct store_postgres_statement *st = &r->statement;

    store_postgres_statement_begin(st, "");
    write_head(st);
    store_postgres_statement_sql(st, "SELECT date_bin(");
    store_postgres_statement_interval(st, c->bucket_us);
    store_postgres_statement_sql(st, ", \"timestamp\", ");
    store_postgres_statement_time(st, c->since_us);
    store_postgres_statement_sql(st, ") AS bucket, lower(level");
    store_postgres_statement_sql(st, r->collation);
    store_postgres_statement_sql(st, ") AS name, count(*) AS n");
    store_postgres_windows_add(r, w);
    store_postgres_statement_sql(st, " GROUP BY 1, 2");
    write_tail(st);
    store_postgres_statement_sql(st, " ORDER BY 1 DESC LIMIT ");
    store_postgres_statement_number(st, ROWS_MAX);
}

/* ---- From the counts ---- */

/* True if the counts per level tell what is asked for. */
static bool may_use_counts(const struct counting *c)
{
    const struct query *q = log_matcher_filter(c->scan->matcher)->query;

    return c->bucket_us >= STORE_POSTGRES_MINUTE_US &&
           (!q || store_postgres_predicates_are_of_levels(q));
}

static int64_t clamp(int64_t us)
{
    return us < TIMESTAMP_MIN_US       ? TIMESTAMP_MIN_US
           : us > TIMESTAMP_MAX_US + 1 ? TIMESTAMP_MAX_US + 1
                                       : us;
}

/*
 * Makes the window one of whole minutes; false: it has none. If the place lies within a minute the
 * window is the rest of that, and w->cut is set.
 */
static bool cut_to_minutes(struct store_postgres_windows *w)
{
    static const struct uuid first_id = {{0}};
    const struct log_key *before = &w->scan->before;
    bool splits = before->timestamp_us <= TIMESTAMP_MAX_US &&
                  memcmp(&before->id, &first_id, sizeof(first_id)) != 0;
    int64_t to_us = clamp(before->timestamp_us), end_us = store_postgres_counts_minute(to_us);
    int64_t start_us = store_postgres_counts_minute(w->from.timestamp_us);

    if (splits || end_us < to_us) {
        if (w->from.timestamp_us < end_us) {
            w->from = (struct log_key){.timestamp_us = end_us};
            w->is_stride = false;
            w->cut = true;
        }
        return false;
    }
    if (start_us < w->from.timestamp_us || memcmp(&w->from.id, &first_id, sizeof(first_id)) != 0)
        start_us += STORE_POSTGRES_MINUTE_US;
    if (start_us >= end_us)
        return false;
    w->from = (struct log_key){.timestamp_us = start_us};
    return true;
}

/* The values of a statement over the counts: its bounds, and of a bucket its length and the first.
 */
#define FROM "$1"
#define BEFORE "$2"
#define BUCKET(of) "date_bin($3, " of ", $4)"
#define IS_SPLIT(minute) BUCKET(minute) " <> " BUCKET(minute " + interval '59.999999 s'")

void store_postgres_stats_add_usable(struct store_postgres_statement *st, bool by_level)
{
    store_postgres_statement_sql(
        st, "usable AS MATERIALIZED (SELECT least(" BEFORE ", greatest(" FROM ", CASE WHEN "
            "row_security_active('logs') OR EXISTS (SELECT FROM counts_missed)");
    if (by_level)
        store_postgres_statement_sql(
            st, " OR EXISTS (SELECT FROM counts WHERE hour > " FROM " - interval '1 hour' "
                "AND hour < " BEFORE " AND level IS NULL) OR EXISTS (SELECT FROM counts_added "
                "WHERE array_position(levels, NULL) IS NOT NULL)");
    store_postgres_statement_sql(
        st, " THEN 'infinity' ELSE (SELECT coalesce(max(counted_from), 'infinity') FROM counting) "
            "END)) AS start), ");
}

static const char minutes_sql[] =
    "minutes AS (SELECT * FROM ("
    "SELECT hour + minute * interval '1 minute' AS minute, level, number FROM counts, "
    "unnest(minutes, numbers) AS c(minute, number) "
    "WHERE hour > " FROM " - interval '1 hour' AND hour < " BEFORE " UNION ALL "
    "SELECT minute, level, number FROM counts_added, "
    "unnest(minutes, levels, numbers) AS a(minute, level, number)) AS kept "
    "WHERE minute >= (SELECT start FROM usable) AND minute < " BEFORE "), "
    "entries AS (SELECT " BUCKET("minute") " AS bucket, level, number FROM minutes";

/* The logs of minutes in which a bucket ends, of those that have logs. */
#define MINUTE_IS_SPLIT IS_SPLIT("minute")
#define BUCKET_OF_LOG BUCKET("\"timestamp\"")
static const char split_sql[] =
    " WHERE NOT (" MINUTE_IS_SPLIT ") UNION ALL SELECT " BUCKET_OF_LOG ", level, 1 "
    "FROM (SELECT DISTINCT minute FROM minutes WHERE " MINUTE_IS_SPLIT ") AS split, "
    "LATERAL (SELECT \"timestamp\", level FROM logs WHERE \"timestamp\" >= split.minute "
    "AND \"timestamp\" < split.minute + interval '1 minute' AND \"timestamp\" >= " FROM " "
    "AND \"timestamp\" < " BEFORE " OFFSET 0) AS l";

static bool is_aligned(int64_t us)
{
    return store_postgres_counts_minute(us) == us;
}

/*
 * Counts of the window, of whole minutes; a row without a name, the first one, tells down to where.
 * Of which level more was taken away than added was counted without its name.
 */
static void write_counts(struct store_postgres_reader *r, const struct store_postgres_windows *w,
                         const struct counting *c)
{
    struct store_postgres_statement *st = &r->statement;
    const struct query *q = log_matcher_filter(c->scan->matcher)->query;

    store_postgres_statement_begin(st, "WITH given AS (SELECT ");
    store_postgres_statement_time(st, w->from.timestamp_us);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_time(st, w->scan->before.timestamp_us);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_interval(st, c->bucket_us);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_time(st, c->since_us);
    store_postgres_statement_sql(st, "), ");
    store_postgres_stats_add_usable(st, q);
    store_postgres_statement_sql(st, minutes_sql);
    if (!is_aligned(c->since_us) || !is_aligned(c->bucket_us))
        store_postgres_statement_sql(st, split_sql);
    store_postgres_statement_sql(st, ") SELECT * FROM (SELECT start AS bucket, NULL AS name, "
                                     "0::bigint FROM usable UNION ALL (");
    write_head(st);
    store_postgres_statement_sql(st, "SELECT bucket, name, sum(n) AS n FROM (SELECT bucket, "
                                     "CASE WHEN sum(number) < 0 OR level IS NULL THEN 'other' "
                                     "ELSE lower(level");
    store_postgres_statement_sql(st, r->collation);
    store_postgres_statement_sql(st, ") END AS name, sum(number) AS n FROM entries WHERE true");
    if (q)
        store_postgres_predicates_add(
            st, q, &(struct store_postgres_predicates_form){.collation = r->collation});
    store_postgres_statement_sql(st, " GROUP BY bucket, level) AS spelled GROUP BY 1, 2");
    write_tail(st);
    store_postgres_statement_sql(st, ")) AS answer ORDER BY name IS NULL DESC, bucket DESC LIMIT ");
    store_postgres_statement_number(st, ROWS_MAX);
}

/* ---- A window ---- */

static int64_t bucket_of(const struct counting *c, const PGresult *rows, int row)
{
    return (store_postgres_reader_int_at(rows, row, 0) + STORE_POSTGRES_EPOCH_US - c->since_us) /
           c->bucket_us;
}

/* How many of the rows, from the first on, are of buckets that came whole. */
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
static int add_rows(struct counting *c, const PGresult *rows, int first, int n, int64_t *end)
{
    int error = 0;

    for (int i = first; !error && i < n; i++) {
        int64_t bucket = bucket_of(c, rows, i);

        error = store_tally_add(&c->tally, bucket, store_postgres_reader_text_at(rows, i, 1),
                                (uint64_t)store_postgres_reader_int_at(rows, i, 2));
        if (!error)
            *end = bucket;
    }
    return error;
}

/* Takes over `rows`, of which the first `skipped` are no counts. */
static int take_rows(struct counting *c, struct store_postgres_windows *w, PGresult *rows,
                     int skipped, struct errbuf *err)
{
    int64_t end = INT64_MAX;
    int n = whole_rows(c, rows);
    int error = add_rows(c, rows, skipped, n, &end);
    bool is_edge = w->cut; /* whose length tells nothing of how long windows may be */

    w->stop = error == LM_ESTOPPED;
    w->cut = w->stop || n < PQntuples(rows);
    PQclear(rows);
    if (error && !w->stop)
        return errbuf_fail(err, error, "no memory to count levels");
    /* Down to the start of the last bucket; if there was no room even for one, as it is. */
    if (w->cut && end != INT64_MAX)
        w->scan->before = (struct log_key){.timestamp_us = c->since_us + end * c->bucket_us};
    if (is_edge && !w->cut) {
        w->scan->before = w->from;
        w->cut = true;
    }
    return 0;
}

static int scan_window(struct store_postgres_reader *r, struct store_postgres_windows *w,
                       struct counting *c, struct errbuf *err)
{
    PGresult *rows;

    write_scan(r, w, c);
    int error = store_postgres_reader_run_whole(r, &rows, err);
    return error ? error : take_rows(c, w, rows, 0, err);
}

/*
 * What comes next is read as logs: windows over the counts have not told how many there are. But
 * where a slice begins, the one before it has told that.
 */
static void end_counted(struct counting *c, int64_t start_us)
{
    c->counted_us = start_us;
    if (!c->has_counted)
        return;
    c->scan->window_us = 0;
    c->scan->stride = 0;
    c->scan->by_number = false;
}

/* `*done`: false if the window has to be read as logs. */
static int read_counts(struct store_postgres_reader *r, struct store_postgres_windows *w,
                       struct counting *c, bool *done, struct errbuf *err)
{
    int64_t before_us = clamp(w->scan->before.timestamp_us);
    PGresult *rows;

    *done = false;
    write_counts(r, w, c);
    int error = store_postgres_reader_run_whole(r, &rows, err);
    if (error && store_postgres_reader_lacks_tables(r)) {
        c->use_counts = r->use_counts = false;
        return 0;
    }
    if (error)
        return error;
    int64_t start_us = store_postgres_reader_int_at(rows, 0, 0) + STORE_POSTGRES_EPOCH_US;
    bool is_part = start_us > w->from.timestamp_us;
    c->has_counted = c->has_counted || start_us < before_us;
    if (is_part)
        end_counted(c, start_us);
    if (start_us >= before_us) {
        PQclear(rows);
        return 0;
    }
    *done = true;
    w->from.timestamp_us = start_us;
    w->cut = is_part; /* what it took tells nothing of how long it takes to read logs */
    return take_rows(c, w, rows, 1, err);
}

static int count_window(struct store_postgres_reader *r, struct store_postgres_windows *w,
                        void *ctx, struct errbuf *err)
{
    struct counting *c = ctx;
    bool done = false;
    int error = 0;

    c->use_counts = c->use_counts && r->use_counts;
    if (c->use_counts && w->scan->before.timestamp_us > c->counted_us && cut_to_minutes(w))
        error = read_counts(r, w, c, &done, err);
    return error || done ? error : scan_window(r, w, c, err);
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
        .counted_us = INT64_MIN,
    };
    struct store_scan start = *scan;

    c.use_counts = may_use_counts(&c);
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
