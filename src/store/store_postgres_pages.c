/*
 * Pages and single logs. A page is a range of the primary key read backwards. Since `logs` may have
 * thousands of partitions, and a statement locks and opens each that it might need, a page is
 * looked for in windows of time: the newest two days first, then ever larger ones before them,
 * until the page is full. Every statement names both bounds of its window, and is planned with
 * their values, so that the other partitions are left out before they are locked.
 *
 * A page is thus not one snapshot: logs that are stored meanwhile may or may not be on it.
 */
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "store/store_postgres_parts.h"

enum {
    WINDOW_FACTOR = 4,      /* each window is so much longer than the one after it … */
    WINDOW_DAYS_MAX = 512,  /* … up to this, which bounds the locks of one statement … */
    WINDOWS_YEARS_MAX = 20, /* … and what is older than this comes in one */
};

#define DAY_US (INT64_C(86400) * 1000000)

#define COLUMNS "\"timestamp\", id, level, message, attributes"

/* ---- Records ---- */

/* Appends `json` without the spaces that jsonb's text has between things. */
static void append_compact(struct buffer *b, struct slice json)
{
    const char *end = json.data + json.len;
    const char *p = json.data;

    while (p < end) {
        const char *from = p;

        if (*p == ' ') {
            p++;
            continue;
        }
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++)
                p += *p == '\\';
            p = p < end ? p + 1 : end;
        } else {
            while (p < end && *p != ' ' && *p != '"')
                p++;
        }
        buffer_append(b, from, (size_t)(p - from));
    }
}

struct output {
    store_row_fn *fn;
    void *ctx;
    uint64_t rows;
    struct errbuf *err;
};

/* Fills `*record` with views of `row` and of r->attributes. */
static int read_record(struct store_postgres_reader *r, const PGresult *row, struct record *record,
                       struct errbuf *err)
{
    struct slice attributes = store_postgres_reader_text(row, 4);

    *record = (struct record){
        .key.timestamp_us = store_postgres_reader_int(row, 0) + STORE_POSTGRES_EPOCH_US,
        .level = store_postgres_reader_text(row, 2),
        .message = store_postgres_reader_text(row, 3),
    };
    memcpy(record->key.id.bytes, PQgetvalue(row, 0, 1), sizeof(record->key.id.bytes));
    buffer_clear(&r->attributes);
    if (attributes.len > 1) /* a version comes first; NULL is empty */
        append_compact(&r->attributes, slice_of(attributes.data + 1, attributes.len - 1));
    if (buffer_error(&r->attributes) != 0)
        return errbuf_fail(err, LM_ENOMEM, "no memory for a log's attributes");
    record->attributes = buffer_slice(&r->attributes);
    r->handed_out = true;
    return 0;
}

static int hand_out(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct output *out = ctx;
    struct record record;
    int error = read_record(r, row, &record, out->err);

    if (error != 0)
        return error;
    out->rows++;
    return out->fn(&record, out->ctx);
}

struct numbered_output {
    store_postgres_numbered_fn *fn;
    void *ctx;
    struct errbuf *err;
};

static int hand_out_numbered(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct numbered_output *out = ctx;
    struct record record;
    int error = read_record(r, row, &record, out->err);

    return error != 0 ? error : out->fn(&record, store_postgres_reader_int(row, 5), out->ctx);
}

int store_postgres_pages_run_numbered(struct store_postgres_reader *r,
                                      store_postgres_numbered_fn *fn, void *ctx, struct errbuf *err)
{
    struct numbered_output out = {fn, ctx, err};

    return store_postgres_reader_run(r, hand_out_numbered, &out, err);
}

/* ---- Scans ---- */

struct slice_of_scan {
    struct store_scan *scan;
    struct output out;
    uint64_t rows; /* that may be handed out */
    uint64_t until_us;
    bool stopped; /* by the callback */
};

/* " FROM logs WHERE …": what lies from `from_us` on and before the place, and matches. */
static void add_bounds(struct store_postgres_reader *r, const struct store_scan *scan,
                       int64_t from_us)
{
    static const struct uuid first = {{0}};
    struct store_postgres_statement *st = &r->statement;
    const struct log_key *before = &scan->before;
    bool within = memcmp(&before->id, &first, sizeof(first)) != 0; /* within one microsecond */

    store_postgres_statement_sql(st, " FROM logs WHERE \"timestamp\" >= ");
    store_postgres_statement_time(st, from_us);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, before->timestamp_us + within);
    if (within) {
        store_postgres_statement_sql(st, " AND (\"timestamp\", id) < (");
        store_postgres_statement_time(st, before->timestamp_us);
        store_postgres_statement_sql(st, ", ");
        store_postgres_statement_id(st, &before->id);
        store_postgres_statement_sql(st, ")");
    }
    store_postgres_statement_filter(st, log_matcher_filter(scan->matcher), r->collation);
}

static int take_count(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(int64_t *)ctx = store_postgres_reader_int(row, 0);
    return 0;
}

/* Takes from scan->skip what the window's logs make up of it, none of which was past it. */
static int skip_window(struct store_postgres_reader *r, struct store_scan *scan, int64_t from_us,
                       struct errbuf *err)
{
    int64_t count = 0;
    int error;

    store_postgres_statement_begin(&r->statement, "SELECT count(*)");
    add_bounds(r, scan, from_us);
    error = store_postgres_reader_run(r, take_count, &count, err);
    scan->skip -= (uint64_t)count < scan->skip ? (uint64_t)count : scan->skip;
    return error;
}

static int take_row(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct slice_of_scan *s = ctx;
    struct record record;
    int error = read_record(r, row, &record, s->out.err);

    if (error)
        return error;
    if (s->stopped)
        return 0; /* the statement's other rows */
    error = s->out.fn(&record, s->out.ctx);
    s->stopped = error == LM_ESTOPPED;
    if (error && !s->stopped)
        return error;
    s->scan->before = record.key;
    s->scan->skip = 0;
    s->out.rows++;
    return 0;
}

static int read_window(struct store_postgres_reader *r, struct slice_of_scan *s, int64_t from_us,
                       struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    struct store_scan *scan = s->scan;
    uint64_t rows_before = s->out.rows;
    int error;

    store_postgres_statement_begin(st, "SELECT " COLUMNS);
    add_bounds(r, scan, from_us);
    store_postgres_statement_sql(st, " ORDER BY \"timestamp\" DESC, id DESC LIMIT ");
    store_postgres_statement_number(st, (int64_t)(s->rows - s->out.rows));
    store_postgres_statement_sql(st, " OFFSET ");
    store_postgres_statement_number(st, scan->skip < INT64_MAX ? (int64_t)scan->skip : INT64_MAX);
    error = store_postgres_reader_run(r, take_row, s, err);
    if (error || s->stopped)
        return error;
    if (s->out.rows == rows_before && scan->skip > 0)
        error = skip_window(r, scan, from_us, err);
    if (!error && s->out.rows < s->rows)
        scan->before = (struct log_key){.timestamp_us = from_us};
    return error;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where the next window begins, and how long the one after it may be. */
static int64_t next_window(struct store_scan *scan)
{
    int64_t since_us = max(log_matcher_filter(scan->matcher)->since_us, TIMESTAMP_MIN_US);
    int64_t now_us = clock_wall_us();
    int64_t to_us = min(scan->before.timestamp_us, TIMESTAMP_MAX_US + 1);
    int64_t from_us;

    if (!scan->window_us) {
        scan->window_us = DAY_US;
        to_us = min(to_us, now_us);
    }
    if (to_us < now_us - WINDOWS_YEARS_MAX * 365 * DAY_US)
        return since_us;
    from_us = to_us - scan->window_us;
    from_us -= from_us % DAY_US;
    if (scan->window_us < WINDOW_DAYS_MAX * DAY_US)
        scan->window_us *= WINDOW_FACTOR;
    return max(from_us, since_us);
}

static int scan_slice(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct slice_of_scan *s = work;
    struct store_scan *scan = s->scan;
    int error = 0;

    do {
        error = read_window(r, s, next_window(scan), err);
        store_scan_settle(scan);
    } while (!error && !scan->done && !s->stopped && s->out.rows < s->rows &&
             (!s->until_us || clock_monotonic_us() < s->until_us));
    return error;
}

int store_postgres_scan_next(struct store_reader *base, struct store_scan *scan,
                             const struct store_slice *slice, store_row_fn *fn, void *ctx,
                             struct errbuf *err)
{
    struct slice_of_scan s = {
        .scan = scan,
        .out = {.fn = fn, .ctx = ctx, .err = err},
        .rows = slice->rows < INT64_MAX ? slice->rows : INT64_MAX,
        .until_us = slice->until_us,
    };

    if (scan->before.timestamp_us < TIMESTAMP_MIN_US ||
        store_postgres_statement_is_hopeless(log_matcher_filter(scan->matcher))) {
        scan->done = true;
        return 0;
    }
    return store_postgres_reader_call((struct store_postgres_reader *)base, scan_slice, &s, err);
}

/* ---- One log ---- */

struct one {
    const struct uuid *id;
    struct output out;
};

static int read_one(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    struct one *one = work;
    int64_t ms = uuid7_ms(one->id);
    int error;

    store_postgres_statement_begin(st, "SELECT " COLUMNS " FROM logs WHERE \"timestamp\" >= ");
    /* Millisecond 0 also stands for every time before 1970. */
    store_postgres_statement_time(st, ms == 0 ? TIMESTAMP_MIN_US : ms * 1000);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, (ms + 1) * 1000);
    store_postgres_statement_sql(st, " AND id = ");
    store_postgres_statement_id(st, one->id);
    store_postgres_statement_sql(st, " LIMIT 1");
    error = store_postgres_reader_run(r, hand_out, &one->out, err);
    return error == 0 && one->out.rows == 0 ? LM_ENOTFOUND : error;
}

int store_postgres_pages_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                             void *ctx, struct errbuf *err)
{
    struct one one = {.id = id, .out = {.fn = fn, .ctx = ctx, .err = err}};

    return store_postgres_reader_call((struct store_postgres_reader *)base, read_one, &one, err);
}
