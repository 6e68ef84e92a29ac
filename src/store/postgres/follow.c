/*
 * Logs in the order of storing. Each transaction of a writer leaves a row in `arrivals`. The order
 * is that of transaction numbers, and only transactions below all that still run are looked at: one
 * that is stored later can thus never come before one that was handed out.
 *
 * Two statements for each call: the keys that come next, then their logs. The second one names the
 * first and last timestamp, so that other partitions are left out before they are locked.
 */
#include <stdlib.h>
#include <string.h>

#include "base/byte_order.h"
#include "store/postgres/internal.h"

enum {
    ARRIVALS_MAX = 16, /* rows of `arrivals` that one statement looks at */
    ARRAY_HEAD_BYTES = 20,
    KEYS_BYTES_MAX = 64 << 20,
};

#define SETTLED "\"transaction\" < pg_snapshot_xmin(pg_current_snapshot())"

/* An array of fixed-size values as PostgreSQL sends it in binary: a head, then length and value. */
struct array {
    struct buffer bytes;
    size_t value_len;
};

static size_t array_len(const struct array *a)
{
    return a->bytes.len < ARRAY_HEAD_BYTES ? 0 : byte_order_get32(a->bytes.data + 12);
}

static const char *array_at(const struct array *a, size_t index)
{
    return a->bytes.data + ARRAY_HEAD_BYTES + index * (4 + a->value_len) + 4;
}

enum { TRANSACTIONS, SEQUENCES, INDEXES, TIMESTAMPS, IDS, ARRAYS };

struct follow {
    struct store_position *position;
    size_t max;
    bool known; /* `position` is a place that the store knows */
    struct array arrays[ARRAYS];
    bool *lost;
    store_follow_fn *fn;
    void *ctx;
    struct errbuf *err;
};

static struct store_position position_at(const struct follow *f, size_t index)
{
    return (struct store_position){
        .transaction = byte_order_get64(array_at(&f->arrays[TRANSACTIONS], index)),
        .sequence = byte_order_get64(array_at(&f->arrays[SEQUENCES], index)),
        .index = (uint32_t)byte_order_get64(array_at(&f->arrays[INDEXES], index)),
    };
}

/* ---- Keys ---- */

static int take_keys(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct follow *f = ctx;

    for (int i = 0; i < ARRAYS; i++) {
        struct array *a = &f->arrays[i];

        buffer_append_slice(&a->bytes, store_postgres_reader_text(row, i));
        if (buffer_error(&a->bytes) != 0)
            return errbuf_fail(f->err, LM_ENOMEM, "no memory for the keys of logs");
        if (array_len(a) != array_len(&f->arrays[TRANSACTIONS]) ||
            (array_len(a) > 0 &&
             a->bytes.len != ARRAY_HEAD_BYTES + array_len(a) * (4 + a->value_len)))
            return errbuf_fail(f->err, LM_EIO, "PostgreSQL: arrivals hold what no writer wrote");
    }
    f->known = store_postgres_reader_int(row, ARRAYS) > 0;
    return 0;
}

static void add_place(struct store_postgres_statement *st, const struct store_position *p)
{
    store_postgres_statement_sql(st, "(");
    store_postgres_statement_number(st, (int64_t)p->transaction);
    store_postgres_statement_sql(st, "::text::xid8, ");
    store_postgres_statement_number(st, (int64_t)p->sequence);
}

static int read_keys(struct store_postgres_reader *r, struct follow *f, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;

    for (int i = 0; i < ARRAYS; i++)
        buffer_clear(&f->arrays[i].bytes);
    store_postgres_statement_begin(
        st,
        "SELECT array_agg(t::text::bigint), array_agg(s), array_agg(n), array_agg(\"timestamp\"), "
        "array_agg(id), (SELECT count(*) FROM arrivals WHERE (\"transaction\", sequence) = ");
    add_place(st, f->position);
    store_postgres_statement_sql(
        st, ")) FROM (SELECT a.\"transaction\" AS t, a.sequence AS s, k.* FROM "
            "(SELECT * FROM arrivals WHERE (\"transaction\", sequence) >= ");
    add_place(st, f->position);
    store_postgres_statement_sql(st, ") AND " SETTLED " ORDER BY \"transaction\", sequence LIMIT ");
    store_postgres_statement_number(st, ARRIVALS_MAX);
    store_postgres_statement_sql(
        st, ") AS a, unnest(a.timestamps, a.ids) WITH ORDINALITY AS k(\"timestamp\", id, n) "
            "WHERE (a.\"transaction\", a.sequence, k.n) > ");
    add_place(st, f->position);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_number(st, f->position->index);
    store_postgres_statement_sql(st, ") ORDER BY t, s, n LIMIT ");
    store_postgres_statement_number(st, (int64_t)f->max);
    store_postgres_statement_sql(st, ") AS keys");
    return store_postgres_reader_run(r, take_keys, f, err);
}

/* ---- Logs ---- */

static int hand_out(const struct record *record, int64_t number, void *ctx)
{
    struct follow *f = ctx;

    if (number < 1 || (uint64_t)number > array_len(&f->arrays[IDS]))
        return errbuf_fail(f->err, LM_EIO, "PostgreSQL: a log came that was not asked for");
    struct store_position position = position_at(f, (size_t)number - 1);
    int error = f->fn(record, &position, f->ctx);
    if (!error)
        *f->position = position;
    return error;
}

/* The first and last of the timestamps that were found. */
static void find_bounds(const struct follow *f, int64_t *first_us, int64_t *last_us)
{
    *first_us = INT64_MAX;
    *last_us = INT64_MIN;
    for (size_t i = 0; i < array_len(&f->arrays[TIMESTAMPS]); i++) {
        int64_t us = (int64_t)byte_order_get64(array_at(&f->arrays[TIMESTAMPS], i));

        *first_us = us < *first_us ? us : *first_us;
        *last_us = us > *last_us ? us : *last_us;
    }
    *first_us += STORE_POSTGRES_EPOCH_US;
    *last_us += STORE_POSTGRES_EPOCH_US;
}

static int read_logs(struct store_postgres_reader *r, struct follow *f, struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    int64_t first_us, last_us;

    find_bounds(f, &first_us, &last_us);
    store_postgres_statement_begin(
        st, "SELECT l.\"timestamp\", l.id, l.level, l.message, l.attributes, k.n FROM unnest(");
    store_postgres_statement_times(st, buffer_slice(&f->arrays[TIMESTAMPS].bytes));
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_ids(st, buffer_slice(&f->arrays[IDS].bytes));
    store_postgres_statement_sql(st, ") WITH ORDINALITY AS k(\"timestamp\", id, n) JOIN logs AS l "
                                     "ON l.\"timestamp\" = k.\"timestamp\" AND l.id = k.id "
                                     "WHERE l.\"timestamp\" >= ");
    store_postgres_statement_time(st, first_us);
    store_postgres_statement_sql(st, " AND l.\"timestamp\" <= ");
    store_postgres_statement_time(st, last_us);
    store_postgres_statement_sql(st, " ORDER BY k.n");
    return store_postgres_pages_run_numbered(r, hand_out, f, err);
}

/* ---- Both ---- */

static int take_position(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(struct store_position *)ctx = (struct store_position){
        .transaction = (uint64_t)store_postgres_reader_int(row, 0),
        .sequence = (uint64_t)store_postgres_reader_int(row, 1),
        .index = (uint32_t)store_postgres_reader_int(row, 2),
    };
    return 0;
}

static int read_end(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    *(struct store_position *)work = (struct store_position){0};
    store_postgres_statement_begin(
        &r->statement,
        "SELECT \"transaction\"::text::bigint, sequence, cardinality(ids)::bigint FROM arrivals "
        "WHERE " SETTLED " ORDER BY arrivals.\"transaction\" DESC, sequence DESC LIMIT 1");
    return store_postgres_reader_run(r, take_position, work, err);
}

static bool is_zero(const struct store_position *p)
{
    return p->transaction == 0 && p->sequence == 0;
}

static int follow(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct follow *f = work;
    int error = read_keys(r, f, err);

    if (error)
        return error;
    size_t n = array_len(&f->arrays[IDS]);
    if (n == 0) {
        struct store_position end = *f->position;

        if (!f->known && !is_zero(f->position)) /* of another database, or before a restore */
            error = read_end(r, &end, err);
        *f->lost = store_position_compare(&end, f->position) < 0;
        if (!error && *f->lost)
            *f->position = end;
        return error;
    }
    struct store_position last = position_at(f, n - 1);
    *f->lost = !f->known && !is_zero(f->position);
    error = read_logs(r, f, err);
    if (!error)
        *f->position = last; /* the last ones may have been deleted meanwhile */
    return error;
}

int store_postgres_follow_end(struct store_reader *base, struct store_position *end,
                              struct errbuf *err)
{
    return store_postgres_reader_call((struct store_postgres_reader *)base, read_end, end, err);
}

int store_postgres_follow(struct store_reader *base, struct store_position *position, size_t max,
                          bool *lost, store_follow_fn *fn, void *ctx, struct errbuf *err)
{
    static const size_t lens[ARRAYS] = {
        [TRANSACTIONS] = 8, [SEQUENCES] = 8, [INDEXES] = 8, [TIMESTAMPS] = 8, [IDS] = 16};
    struct follow f = {
        .position = position, .max = max, .lost = lost, .fn = fn, .ctx = ctx, .err = err};

    *lost = false;
    for (int i = 0; i < ARRAYS; i++) {
        buffer_init(&f.arrays[i].bytes, KEYS_BYTES_MAX);
        f.arrays[i].value_len = lens[i];
    }
    int error = store_postgres_reader_call((struct store_postgres_reader *)base, follow, &f, err);
    for (int i = 0; i < ARRAYS; i++)
        buffer_release(&f.arrays[i].bytes);
    return error;
}

/* ---- Erasures ---- */

static int take_number(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    *(uint64_t *)ctx = (uint64_t)store_postgres_reader_int(row, 0);
    return 0;
}

static int read_erasures(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    *(uint64_t *)work = 0;
    store_postgres_statement_begin(&r->statement, "SELECT number FROM erasures LIMIT 1");
    int error = store_postgres_reader_run(r, take_number, work, err);
    /* A role that only reads may follow without being allowed to look there; and beside a worker of
     * an older logmill, in whose schema nothing was ever erased, there is no such table yet. */
    bool is_none =
        error && (strcmp(r->conn.sqlstate, "42501") == 0 || strcmp(r->conn.sqlstate, "42P01") == 0);
    return is_none ? 0 : error;
}

int store_postgres_follow_erasures(struct store_reader *base, uint64_t *number, struct errbuf *err)
{
    return store_postgres_reader_call((struct store_postgres_reader *)base, read_erasures, number,
                                      err);
}
