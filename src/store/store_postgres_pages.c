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

/* ---- Pages ---- */

struct page {
    const struct log_query *query;
    struct output out;
    int64_t since_us, until_us; /* of the whole page */
    uint64_t offset;            /* still to skip */
};

static void add_bounds(struct store_postgres_reader *r, const struct page *p, int64_t from_us,
                       int64_t to_us)
{
    struct store_postgres_statement *st = &r->statement;
    const struct log_query *query = p->query;

    store_postgres_statement_sql(st, " FROM logs WHERE \"timestamp\" >= ");
    store_postgres_statement_time(st, from_us);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, to_us);
    if (query->has_cursor) {
        store_postgres_statement_sql(st, " AND (\"timestamp\", id) < (");
        store_postgres_statement_time(st, query->cursor.timestamp_us);
        store_postgres_statement_sql(st, ", ");
        store_postgres_statement_id(st, &query->cursor.id);
        store_postgres_statement_sql(st, ")");
    }
    store_postgres_statement_filter(st, &query->filter, r->collation);
}

static int take_count(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(int64_t *)ctx = store_postgres_reader_int(row, 0);
    return 0;
}

/* Takes from p->offset what the window's logs make up of it, none of which was past it. */
static int skip_window(struct store_postgres_reader *r, struct page *p, int64_t from_us,
                       int64_t to_us, struct errbuf *err)
{
    int64_t count = 0;
    int error;

    store_postgres_statement_begin(&r->statement, "SELECT count(*)");
    add_bounds(r, p, from_us, to_us);
    error = store_postgres_reader_run(r, take_count, &count, err);
    p->offset -= (uint64_t)count < p->offset ? (uint64_t)count : p->offset;
    return error;
}

static int read_window(struct store_postgres_reader *r, struct page *p, int64_t from_us,
                       int64_t to_us, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    uint64_t before = p->out.rows;
    int error;

    store_postgres_statement_begin(st, "SELECT " COLUMNS);
    add_bounds(r, p, from_us, to_us);
    store_postgres_statement_sql(st, " ORDER BY \"timestamp\" DESC, id DESC LIMIT ");
    store_postgres_statement_number(st, (int64_t)(p->query->limit - p->out.rows));
    store_postgres_statement_sql(st, " OFFSET ");
    store_postgres_statement_number(st, p->offset < INT64_MAX ? (int64_t)p->offset : INT64_MAX);
    error = store_postgres_reader_run(r, hand_out, &p->out, err);
    if (error != 0)
        return error;
    if (p->out.rows > before)
        p->offset = 0;
    else if (p->offset > 0)
        error = skip_window(r, p, from_us, to_us, err);
    return error;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int read_page(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct page *p = work;
    int64_t now_us = clock_wall_us();
    int64_t to_us = p->until_us;
    int64_t days = 1;
    int64_t from_us = (to_us < now_us ? to_us : now_us) - days * DAY_US;
    int64_t last_us = from_us - WINDOWS_YEARS_MAX * 365 * DAY_US;
    int error = 0;

    p->offset = p->query->offset; /* this may be the second try */
    from_us -= from_us % DAY_US;
    while (error == 0 && to_us > p->since_us && p->out.rows < p->query->limit) {
        from_us = max(from_us, p->since_us);
        error = read_window(r, p, from_us, to_us, err);
        to_us = from_us;
        days = days < WINDOW_DAYS_MAX ? days * WINDOW_FACTOR : days;
        from_us = to_us > last_us ? to_us - days * DAY_US : p->since_us;
    }
    return error;
}

int store_postgres_pages_query(struct store_reader *base, const struct log_query *query,
                               store_row_fn *fn, void *ctx, struct errbuf *err)
{
    struct page p = {
        .query = query,
        .out = {.fn = fn, .ctx = ctx, .err = err},
        .since_us = max(query->filter.since_us, TIMESTAMP_MIN_US),
        .until_us = query->filter.until_us,
    };

    if (p.until_us > TIMESTAMP_MAX_US)
        p.until_us = TIMESTAMP_MAX_US + 1;
    if (query->has_cursor && query->cursor.timestamp_us < p.until_us)
        p.until_us = query->cursor.timestamp_us + 1;
    if (store_postgres_statement_is_hopeless(&query->filter))
        return 0;
    return store_postgres_reader_call((struct store_postgres_reader *)base, read_page, &p, err);
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
