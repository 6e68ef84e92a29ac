/* Logs: of scans, window by window, and single ones. */
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "store/postgres/internal.h"

enum {
    ROWS_AT_ONCE = 10000,        /* of one statement */
    ROWS_TO_MATCH_MIN = 500,     /* of one statement, if they are matched here … */
    MATCH_MS_MIN = 50,           /* … for which there is time, however late they came */
    DRAINED_BYTES_MAX = 8 << 20, /* of rows that nobody wants, rather than a new connection */
};

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
        .level = store_postgres_reader_text(row, 2),
        .message = store_postgres_reader_text(row, 3),
    };
    store_postgres_reader_key(row, 0, &record->key);
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

    if (error)
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

    return error ? error : out->fn(&record, store_postgres_reader_int(row, 5), out->ctx);
}

int store_postgres_pages_run_numbered(struct store_postgres_reader *r,
                                      store_postgres_numbered_fn *fn, void *ctx, struct errbuf *err)
{
    struct numbered_output out = {fn, ctx, err};

    return store_postgres_reader_run(r, hand_out_numbered, &out, err);
}

/* ---- Scans ---- */

/* What a slice hands out. */
struct paging {
    struct store_scan *scan;
    uint64_t until_us;
    struct output out;
    uint64_t rows_max;
    bool keys_only;
    bool matches_here; /* SQL cannot tell all that is asked for: the plain matcher does, here */
    uint64_t read;     /* rows of the statement … */
    uint64_t began_us; /* … the first of which came at this time */
    bool stopped;      /* by the callback */
    bool is_full;      /* the same by ourselves: enough, or the time is over */
    size_t drained;    /* bytes that came afterwards */
};

static int drain(struct paging *p, const struct record *record)
{
    p->drained += record->message.len + record->attributes.len;
    return p->drained > DRAINED_BYTES_MAX ? LM_ESTOPPED : 0;
}

static int hand_out_row(struct paging *p, const struct record *record)
{
    int error = p->out.fn(record, p->out.ctx);

    p->stopped = error == LM_ESTOPPED;
    if (error && !p->stopped)
        return error;
    p->scan->before = record->key;
    p->scan->skip = 0;
    p->out.rows++;
    return 0;
}

/*
 * A statement has often had more than the slice's time when its first row comes: to go on from that
 * row would be to ask for the others once more, one by one.
 */
static bool is_time_over(const struct paging *p)
{
    return p->until_us && clock_monotonic_us() >= p->until_us &&
           clock_monotonic_us() - p->began_us >= MATCH_MS_MIN * UINT64_C(1000);
}

/* The same for a row of which nobody knows yet whether it matches. */
static int match_row(struct paging *p, const struct record *record)
{
    bool matches;
    int error = log_matcher_match(p->scan->matcher, record, &matches, p->out.err);

    if (error)
        return error;
    if (matches && p->scan->skip == 0) {
        error = hand_out_row(p, record);
    } else {
        p->scan->skip -= matches;
        p->scan->before = record->key;
    }
    p->is_full = p->out.rows == p->rows_max || is_time_over(p);
    return error;
}

static int take_row(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct paging *p = ctx;
    struct record record;
    int error = read_record(r, row, &record, p->out.err);

    if (error)
        return error;
    if (p->stopped || p->is_full)
        return drain(p, &record);
    if (p->read++ == 0)
        p->began_us = clock_monotonic_us();
    return p->matches_here ? match_row(p, &record) : hand_out_row(p, &record);
}

/* Reads at most `rows` logs of the window, which are handed out if they match. */
static int read_rows(struct store_postgres_reader *r, struct store_postgres_windows *w,
                     struct paging *p, uint64_t rows, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    uint64_t skip = p->matches_here ? 0 : w->scan->skip;

    p->read = 0;
    p->is_full = false;
    store_postgres_statement_begin(st, p->keys_only && !p->matches_here
                                           ? "SELECT \"timestamp\", id, '', '', NULL::jsonb"
                                           : "SELECT " COLUMNS);
    store_postgres_windows_add(r, w);
    store_postgres_statement_sql(st, " ORDER BY \"timestamp\" DESC, id DESC LIMIT ");
    store_postgres_statement_number(st, (int64_t)rows);
    store_postgres_statement_sql(st, " OFFSET ");
    store_postgres_statement_number(st, skip < INT64_MAX ? (int64_t)skip : INT64_MAX);
    r->in_order = true;
    int error = store_postgres_reader_run(r, take_row, p, err);
    r->in_order = false;
    return error;
}

static int take_count(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(int64_t *)ctx = store_postgres_reader_int(row, 0);
    return 0;
}

/* Takes from the offset what the window's logs make up of it, none of which was past it. */
static int skip_window(struct store_postgres_reader *r, struct store_postgres_windows *w,
                       struct errbuf *err)
{
    uint64_t *skip = &w->scan->skip;
    int64_t count = 0;

    store_postgres_statement_begin(&r->statement, "SELECT count(*)");
    store_postgres_windows_add(r, w);
    int error = store_postgres_reader_run(r, take_count, &count, err);
    if (!error)
        *skip -= (uint64_t)count < *skip ? (uint64_t)count : *skip;
    return error;
}

/* How many rows to ask for. */
static uint64_t rows_to_read(const struct paging *p)
{
    uint64_t rows = p->rows_max - p->out.rows;

    if (p->matches_here && rows < ROWS_TO_MATCH_MIN)
        rows = ROWS_TO_MATCH_MIN;
    return rows < ROWS_AT_ONCE ? rows : ROWS_AT_ONCE;
}

/* After a window for nothing: down to where the level is at all, if that is known. Sets w->cut. */
static int lower_place(struct store_postgres_reader *r, struct store_postgres_windows *w,
                       struct errbuf *err)
{
    bool was_for_nothing =
        w->begins_small && !w->is_common && w->scan->window_us && !w->scan->stride;

    int error = was_for_nothing ? store_postgres_presence_lower(r, w, &w->cut, err) : 0;

    if (w->cut) {
        w->is_common = true; /* there is one with that level, at least */
        store_postgres_windows_grow(w->scan);
    }
    return error;
}

static int page_window(struct store_postgres_reader *r, struct store_postgres_windows *w, void *ctx,
                       struct errbuf *err)
{
    struct paging *p = ctx;
    uint64_t rows = rows_to_read(p);
    int error = lower_place(r, w, err);

    if (error || w->cut)
        return error;
    error = read_rows(r, w, p, rows, err);
    w->is_common = p->read > 0;
    w->cut = p->stopped || p->is_full || p->read == rows;
    w->stop = p->stopped || p->out.rows == p->rows_max;
    if (!error && p->read == 0 && !p->matches_here && w->scan->skip > 0)
        error = skip_window(r, w, err);
    return error;
}

static int page_slice(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct paging *p = work;
    struct store_postgres_windows w = {
        .scan = p->scan,
        .until_us = p->until_us,
        .begins_small = log_matcher_filter(p->scan->matcher)->query && p->scan->skip == 0,
    };

    return store_postgres_windows_run(r, &w, page_window, p, err);
}

static int page(struct store_reader *base, struct paging *p, struct errbuf *err)
{
    p->matches_here = store_postgres_must_match(p->scan);
    int error =
        store_postgres_reader_call((struct store_postgres_reader *)base, page_slice, p, err);
    return error == LM_ESTOPPED && (p->stopped || p->is_full) ? 0 : error;
}

int store_postgres_scan_next(struct store_reader *base, struct store_scan *scan,
                             const struct store_slice *slice, store_row_fn *fn, void *ctx,
                             struct errbuf *err)
{
    struct paging p = {
        .scan = scan,
        .until_us = slice->until_us,
        .out = {.fn = fn, .ctx = ctx, .err = err},
        .rows_max = slice->rows,
    };

    return page(base, &p, err);
}

int store_postgres_pages_keys(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, store_row_fn *fn, void *ctx,
                              struct errbuf *err)
{
    struct paging p = {
        .scan = scan,
        .until_us = slice->until_us,
        .out = {.fn = fn, .ctx = ctx, .err = err},
        .rows_max = slice->rows,
        .keys_only = true,
    };

    return page(base, &p, err);
}

/* ---- One log ---- */

struct one {
    const struct uuid *id;
    struct output out;
};

/*
 * Among the logs of a millisecond, of which there may be any number, but no more than a thousand
 * timestamps: from one to the next, each with two searches of the primary key.
 */
static int read_within(struct store_postgres_reader *r, struct one *one, struct errbuf *err)
{
    static const char *const sql[] = {
        "WITH RECURSIVE times(us) AS (SELECT min(\"timestamp\") FROM logs WHERE \"timestamp\" >= ",
        " AND \"timestamp\" < ",
        " UNION ALL SELECT (SELECT min(\"timestamp\") FROM logs WHERE \"timestamp\" > us "
        "AND \"timestamp\" >= $1 AND \"timestamp\" < $2) FROM times WHERE us IS NOT NULL) "
        "SELECT one.* FROM times, LATERAL (SELECT " COLUMNS " FROM logs WHERE \"timestamp\" = us "
        "AND \"timestamp\" >= $1 AND \"timestamp\" < $2 AND id = ",
        " LIMIT 1) AS one LIMIT 1",
    };
    struct store_postgres_statement *st = &r->statement;
    int64_t ms = uuid7_ms(one->id);

    store_postgres_statement_begin(st, sql[0]);
    store_postgres_statement_time(st, ms * 1000);
    store_postgres_statement_sql(st, sql[1]);
    store_postgres_statement_time(st, (ms + 1) * 1000);
    store_postgres_statement_sql(st, sql[2]);
    store_postgres_statement_id(st, one->id);
    store_postgres_statement_sql(st, sql[3]);
    return store_postgres_reader_run(r, hand_out, &one->out, err);
}

/* Millisecond 0 also stands for every time before 1970: there is an index for those. */
static int read_early(struct store_postgres_reader *r, struct one *one, struct errbuf *err)
{
    store_postgres_statement_begin(&r->statement,
                                   "SELECT " COLUMNS " FROM logs WHERE \"timestamp\" < '1970-01-01 "
                                   "00:00:00+00' AND id = ");
    store_postgres_statement_id(&r->statement, one->id);
    store_postgres_statement_sql(&r->statement, " LIMIT 1");
    return store_postgres_reader_run(r, hand_out, &one->out, err);
}

static int read_one(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct one *one = work;
    int error = read_within(r, one, err);

    if (!error && one->out.rows == 0 && uuid7_ms(one->id) == 0)
        error = read_early(r, one, err);
    return !error && one->out.rows == 0 ? LM_ENOTFOUND : error;
}

int store_postgres_pages_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                             void *ctx, struct errbuf *err)
{
    struct one one = {.id = id, .out = {.fn = fn, .ctx = ctx, .err = err}};

    return store_postgres_reader_call((struct store_postgres_reader *)base, read_one, &one, err);
}
