/*
 * What all reading calls have in common. The thread that reads never waits for anything but the
 * socket and a pipe, so that a cancel from another thread, which writes to the pipe, ends any wait.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "store/store_postgres_parts.h"

enum { ATTRIBUTES_BYTES_MAX = 1 << 30 };

/* Of a reader's session: plans that know the bounds, and no compiling of them. */
static const char setup[] = "SET default_transaction_read_only = on; "
                            "SET plan_cache_mode = force_custom_plan; SET jit = off";

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
    r->base.ops = &store_postgres_ops;
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
    ssize_t ignored;

    if (!atomic_compare_exchange_strong(&r->activity, &expected, STORE_POSTGRES_CANCELLED))
        return;
    ignored = write(r->wake[1], "", 1); /* a full pipe wakes as well */
    (void)ignored;
}

/* ---- One call ---- */

static int find_collation(struct store_postgres_reader *r, struct errbuf *err)
{
    /* The letters are small ones if the database's own collation knows Unicode. */
    static const char sql[] =
        "SELECT ' COLLATE pg_catalog.' || quote_ident(collname) FROM pg_collation "
        "WHERE lower(U&'\\00C4\\1E9EI') <> U&'\\00E4\\00DFi' "
        "AND collnamespace = 'pg_catalog'::regnamespace "
        "AND collencoding IN (-1, pg_char_to_encoding('UTF8')) "
        "AND collname IN ('pg_c_utf8', 'C.utf8', 'C.UTF-8', 'en_US.utf8', 'und-x-icu') "
        "ORDER BY array_position(ARRAY['C.utf8', 'C.UTF-8', 'en_US.utf8', 'pg_c_utf8', "
        "'und-x-icu'], collname::text) LIMIT 1";
    PGresult *result;
    int error = store_postgres_conn_exec(&r->conn, sql, &result, err);

    r->collation[0] = '\0';
    if (error == 0 && PQntuples(result) > 0)
        snprintf(r->collation, sizeof(r->collation), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return error;
}

static int open_conn(struct store_postgres_reader *r, struct errbuf *err)
{
    int error = store_postgres_conn_open(&r->conn, setup, err);

    r->prepared_len = 0;
    if (error == 0)
        error = find_collation(r, err);
    return error;
}

/* True where all that was asked for has been answered. */
static bool is_at_rest(const struct store_postgres_conn *c)
{
    return c->pg != NULL && PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

int store_postgres_reader_call(struct store_postgres_reader *r, store_postgres_work_fn *fn,
                               void *work, struct errbuf *err)
{
    bool was_open, lost;
    int error;

    r->handed_out = false;
    atomic_store(&r->activity, STORE_POSTGRES_RUNNING);
    do {
        was_open = r->conn.pg != NULL;
        error = was_open ? 0 : open_conn(r, err);
        if (error == 0)
            error = fn(r, work, err);
        if (error != 0 && strcmp(r->conn.sqlstate, "42P01") == 0)
            errbuf_set(err, "PostgreSQL: there is no table \"logs\" in the search_path: "
                            "`logmill migrate` or a worker makes it");
        lost = error != 0 && r->conn.pg != NULL && store_postgres_conn_is_lost(&r->conn);
        if (error == LM_ETIMEOUT)
            store_postgres_conn_abandon(&r->conn);
        else if (error != 0 && (error != LM_ENOTFOUND || !is_at_rest(&r->conn)))
            store_postgres_conn_close(&r->conn);
    } while (lost && was_open && !r->handed_out);
    atomic_store(&r->activity, STORE_POSTGRES_IDLE);
    return error;
}

/* ---- Statements ---- */

/* FNV-1a, 64 bits. */
static uint64_t hash(const struct buffer *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < text->len; i++)
        h = (h ^ (unsigned char)text->data[i]) * UINT64_C(0x100000001b3);
    return h;
}

static int prepare(struct store_postgres_reader *r, uint64_t key, const char *name,
                   struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    int error;

    for (size_t i = 0; i < r->prepared_len; i++)
        if (r->prepared[i] == key)
            return 0;
    /* Filters come in many shapes: the server is not to keep all that ever came. */
    if (r->prepared_len == STORE_POSTGRES_PREPARED_MAX) {
        r->prepared_len = 0;
        error = store_postgres_conn_exec(&r->conn, "DEALLOCATE ALL", NULL, err);
        if (error != 0)
            return error;
    }
    if (!PQsendPrepare(r->conn.pg, name, st->sql.data, st->len, st->types))
        return store_postgres_conn_lost(&r->conn, err);
    error = store_postgres_conn_finish(&r->conn, NULL, err);
    if (error == 0)
        r->prepared[r->prepared_len++] = key;
    return error;
}

/* Takes the rows as they come, so that no more than one is here at a time. */
static int take_rows(struct store_postgres_reader *r, store_postgres_row_fn *fn, void *ctx,
                     struct errbuf *err)
{
    PGresult *result;
    int error;

    while ((error = store_postgres_conn_next(&r->conn, &result, err)) == 0 && result != NULL) {
        if (atomic_load(&r->activity) == STORE_POSTGRES_CANCELLED)
            error = errbuf_fail(err, LM_ETIMEOUT, "cancelled");
        else
            error = store_postgres_conn_check(&r->conn, result, err);
        if (error == 0 && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
            error = fn(r, result, ctx);
        PQclear(result);
        if (error != 0)
            return error;
    }
    return error;
}

int store_postgres_reader_run(struct store_postgres_reader *r, store_postgres_row_fn *fn, void *ctx,
                              struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;
    char name[24];
    uint64_t key;
    int error;

    buffer_append_char(&st->sql, '\0');
    if (buffer_error(&st->sql) != 0)
        return errbuf_fail(err, LM_EINVAL, "the filter is too long");
    key = hash(&st->sql);
    snprintf(name, sizeof(name), "q%016llx", (unsigned long long)key);
    error = prepare(r, key, name, err);
    if (error != 0)
        return error;
    if (!PQsendQueryPrepared(r->conn.pg, name, st->len, st->values, st->lengths, st->formats, 1) ||
        !PQsetSingleRowMode(r->conn.pg))
        return store_postgres_conn_lost(&r->conn, err);
    return take_rows(r, fn, ctx, err);
}

int64_t store_postgres_reader_int(const PGresult *row, int column)
{
    uint64_t wire;

    memcpy(&wire, PQgetvalue(row, 0, column), sizeof(wire));
    return (int64_t)__builtin_bswap64(wire);
}

struct slice store_postgres_reader_text(const PGresult *row, int column)
{
    return slice_of(PQgetvalue(row, 0, column), (size_t)PQgetlength(row, 0, column));
}
