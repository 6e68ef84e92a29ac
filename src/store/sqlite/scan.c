/*
 * Scans. The place is a key, and a slice is a range of the primary key read backwards from it.
 * Predicates are checked here, row by row, so that there is one matching function for all
 * (query/matcher.h). A slice is one snapshot, and no snapshot outlives it.
 */
#include "base/clock.h"
#include "store/sqlite/internal.h"
#include "store/tally.h"

enum {
    LOOK_ROWS = 16,          /* rows between two looks at the clock … */
    LOOK_BYTES = 256 * 1024, /* … or bytes of them, if that is sooner */
    SKIP_ROWS = 4096,        /* that are left out between two looks */
};

/* When a slice is over. */
struct pace {
    uint64_t until_us;
    unsigned rows;
    size_t bytes;
};

/* Called once for each row; looks at the clock after the first, too. */
static bool is_over(struct pace *p, const struct record *record)
{
    if (!p->until_us)
        return false;
    p->bytes += record->message.len + record->attributes.len;
    if (p->rows++ % LOOK_ROWS != 0 && p->bytes < LOOK_BYTES)
        return false;
    p->bytes = 0;
    return clock_monotonic_us() >= p->until_us;
}

static void bind(sqlite3_stmt *stmt, const struct store_scan *scan)
{
    sqlite3_bind_int64(stmt, 1, log_matcher_filter(scan->matcher)->since_us);
    sqlite3_bind_int64(stmt, 2, scan->before.timestamp_us);
    sqlite3_bind_blob(stmt, 3, scan->before.id.bytes, sizeof(scan->before.id.bytes),
                      SQLITE_TRANSIENT); /* the place moves */
}

/* As store_sqlite_reader_step, but the last row is a success: scan->done. */
static int step(struct store_sqlite_reader *r, sqlite3_stmt *stmt, struct store_scan *scan,
                struct record *record, struct errbuf *err)
{
    int error = store_sqlite_reader_step(r, stmt, record, err);

    scan->done = error == LM_ENOTFOUND;
    return scan->done ? 0 : error;
}

static int match(const struct store_scan *scan, const struct record *record, bool *matches,
                 struct errbuf *err)
{
    int error = log_matcher_match(scan->matcher, record, matches);

    return error ? errbuf_fail(err, error, "no memory to match a log") : 0;
}

/* ---- Logs ---- */

struct output {
    uint64_t left; /* logs that may still be handed out */
    store_row_fn *fn;
    void *ctx;
    bool stopped; /* by the callback */
    struct errbuf *err;
};

static int take(struct store_scan *scan, struct output *out, const struct record *record)
{
    bool matches;
    int error = match(scan, record, &matches, out->err);

    if (error)
        return error;
    if (matches && scan->skip > 0) {
        scan->skip--;
    } else if (matches) {
        error = out->fn(record, out->ctx);
        out->left--;
        out->stopped = error == LM_ESTOPPED;
        if (error && !out->stopped)
            return error;
    }
    scan->before = record->key;
    return 0;
}

/* Moves the place below the next `n` logs, at most as many as there are. */
static int skip_some(struct store_sqlite_reader *r, struct store_scan *scan, uint64_t n,
                     struct errbuf *err)
{
    struct record record;

    bind(r->nth_key, scan);
    sqlite3_bind_int64(r->nth_key, 4, (int64_t)n - 1);
    int error = step(r, r->nth_key, scan, &record, err);
    if (!error && !scan->done) {
        scan->skip -= n;
        scan->before = record.key;
    }
    sqlite3_reset(r->nth_key);
    return error;
}

/* What is left out without being looked at need not be read. Returns 0 also if time is over. */
static int skip(struct store_sqlite_reader *r, struct store_scan *scan, uint64_t until_us,
                bool *over, struct errbuf *err)
{
    int error = 0;

    while (!error && !scan->done && scan->skip > 0 && !*over) {
        error = skip_some(r, scan, scan->skip < SKIP_ROWS ? scan->skip : SKIP_ROWS, err);
        *over = until_us && clock_monotonic_us() >= until_us;
    }
    return error;
}

static int hand_out(struct store_sqlite_reader *r, struct store_scan *scan, struct pace *pace,
                    struct output *out)
{
    struct record record;
    int error;

    bind(r->records, scan);
    do {
        error = step(r, r->records, scan, &record, out->err);
        if (!error && !scan->done)
            error = take(scan, out, &record);
    } while (!error && !scan->done && !out->stopped && out->left > 0 && !is_over(pace, &record));
    sqlite3_reset(r->records);
    return error;
}

int store_sqlite_scan_next(struct store_reader *base, struct store_scan *scan,
                           const struct store_slice *slice, store_row_fn *fn, void *ctx,
                           struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct output out = {.left = slice->rows, .fn = fn, .ctx = ctx, .err = err};
    struct pace pace = {.until_us = slice->until_us};
    bool over = false;
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    if (scan->skip > 0 && !log_matcher_has_predicates(scan->matcher))
        error = skip(r, scan, slice->until_us, &over, err);
    if (!error && !scan->done && !over)
        error = hand_out(r, scan, &pace, &out);
    return store_sqlite_reader_end(r, error);
}

/* ---- Counts ---- */

/* Also below `since_us`, if it is negative. */
static int64_t bucket_of(int64_t timestamp_us, int64_t since_us, int64_t bucket_us)
{
    int64_t us = timestamp_us - since_us;

    return us / bucket_us - (us % bucket_us < 0);
}

struct counting {
    int64_t since_us;
    int64_t bucket_us;
    struct store_tally tally;
};

/*
 * If there is no room for the log's bucket, it is the next slice's: the place is then the
 * bucket's end, and LM_ESTOPPED is returned.
 */
static int add(struct counting *c, struct store_scan *scan, int64_t timestamp_us,
               struct slice level, struct errbuf *err)
{
    int64_t bucket = bucket_of(timestamp_us, c->since_us, c->bucket_us);
    int error = store_tally_add(&c->tally, bucket, level, 1);

    if (error == LM_ESTOPPED)
        scan->before = (struct log_key){.timestamp_us = c->since_us + (bucket + 1) * c->bucket_us};
    return error == LM_ENOMEM ? errbuf_fail(err, error, "no memory to count levels") : error;
}

/* All logs: no more of each is read than counting takes. */
static int count_all(struct store_sqlite_reader *r, struct counting *c, struct store_scan *scan,
                     struct pace *pace, struct errbuf *err)
{
    static const struct record nothing;
    sqlite3_stmt *stmt = r->levels;
    int error;

    bind(stmt, scan);
    while (!(error = store_sqlite_reader_advance(r, stmt, err))) {
        error = add(c, scan, sqlite3_column_int64(stmt, 0), sqlite_db_column_text(stmt, 2), err);
        if (error)
            break;
        if (is_over(pace, &nothing)) {
            error = store_sqlite_reader_key(r, stmt, &scan->before, err);
            break;
        }
    }
    scan->done = error == LM_ENOTFOUND;
    sqlite3_reset(stmt);
    return scan->done ? 0 : error;
}

static int count_matching(struct store_sqlite_reader *r, struct counting *c,
                          struct store_scan *scan, struct pace *pace, struct errbuf *err)
{
    struct record record;
    int error;

    bind(r->records, scan);
    do {
        bool matches = false;

        error = step(r, r->records, scan, &record, err);
        if (error || scan->done)
            break;
        error = match(scan, &record, &matches, err);
        if (!error && matches)
            error = add(c, scan, record.key.timestamp_us, record.level, err);
        if (!error)
            scan->before = record.key;
    } while (!error && !is_over(pace, &record));
    sqlite3_reset(r->records);
    return error;
}

static int count(struct store_sqlite_reader *r, struct counting *c, struct store_scan *scan,
                 struct pace *pace, struct errbuf *err)
{
    int error = log_matcher_has_predicates(scan->matcher) ? count_matching(r, c, scan, pace, err)
                                                          : count_all(r, c, scan, pace, err);

    return error == LM_ESTOPPED ? 0 : error;
}

int store_sqlite_scan_count(struct store_reader *base, struct store_scan *scan,
                            const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                            store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct counting c = {.since_us = since_us, .bucket_us = bucket_us};
    struct pace pace = {.until_us = slice->until_us};
    struct store_scan start = *scan;
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    store_tally_init(&c.tally);
    error = count(r, &c, scan, &pace, err);
    if (!error)
        error = store_tally_hand_out(&c.tally, fn, ctx);
    if (error)
        *scan = start;
    store_tally_release(&c.tally);
    return store_sqlite_reader_end(r, error);
}
