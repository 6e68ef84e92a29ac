/*
 * Deleting by a filter, in two parts: a reader finds the keys of the next logs that match, window
 * by window as every scan does; then one short transaction deletes the logs of these keys. What is
 * under a key never changes, so nothing can come between the two but that a log goes by itself.
 *
 * The row of `erasures` is locked first: nobody else erases meanwhile, and who stores logs again
 * that were there already waits, and then sees the tombstones (writer.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store/postgres/internal.h"

enum {
    KEYS_MAX = 2000, /* of one transaction */
    TRIES = 3,       /* if others delete the same rows, such as retention, in another order */
    SQL_BYTES_MAX = 1 << 20,
};

struct store_postgres_eraser {
    struct store_reader *reader;
    struct buffer times; /* arrays, as SQL writes them */
    struct buffer ids;
    struct buffer sql;
    struct log_key first, last; /* of those found, which come in descending order */
    size_t keys_len;
};

static struct store_postgres_eraser *eraser_new(struct store *s, struct errbuf *err)
{
    struct store_postgres_eraser *e;
    struct store_reader *reader = store_postgres_reader_new(s, err);

    if (!reader)
        return NULL;
    e = xcalloc(1, sizeof(*e));
    e->reader = reader;
    buffer_init(&e->times, SQL_BYTES_MAX);
    buffer_init(&e->ids, SQL_BYTES_MAX);
    buffer_init(&e->sql, SQL_BYTES_MAX);
    return e;
}

void store_postgres_eraser_free(struct store_postgres_eraser *e)
{
    if (!e)
        return;
    store_postgres_reader_free(e->reader);
    buffer_release(&e->times);
    buffer_release(&e->ids);
    buffer_release(&e->sql);
    free(e);
}

/* ---- Finding ---- */

static int take_key(const struct record *record, void *ctx)
{
    struct store_postgres_eraser *e = ctx;
    char id[UUID_TEXT_LEN];

    if (e->keys_len == 0)
        e->last = record->key;
    e->first = record->key;
    if (e->keys_len++ > 0) {
        buffer_append_char(&e->times, ',');
        buffer_append_char(&e->ids, ',');
    }
    timestamp_append(&e->times, record->key.timestamp_us);
    uuid_format(&record->key.id, id);
    buffer_append(&e->ids, id, sizeof(id));
    return 0;
}

static int find(struct store_postgres_eraser *e, struct store_scan *scan,
                const struct store_slice *slice, struct errbuf *err)
{
    struct store_slice step = *slice;

    if (step.rows > KEYS_MAX)
        step.rows = KEYS_MAX;
    buffer_clear(&e->times);
    buffer_clear(&e->ids);
    e->keys_len = 0;
    return store_postgres_pages_keys(e->reader, scan, &step, take_key, e, err);
}

/* ---- Deleting ---- */

/* Each log by a search of the primary key, whatever the planner thinks of `logs`. */
static void write_statement(struct store_postgres_eraser *e, bool remember)
{
    struct buffer *b = &e->sql;

    buffer_clear(b);
    buffer_append_string(
        b, "SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true), "
           "set_config('enable_hashjoin', 'off', true), "
           "set_config('enable_mergejoin', 'off', true); "
           "UPDATE erasures SET number = number + 1; "
           "WITH gone AS (DELETE FROM logs AS l USING unnest('{");
    buffer_append_slice(b, buffer_slice(&e->times));
    buffer_append_string(b, "}'::timestamptz[], '{");
    buffer_append_slice(b, buffer_slice(&e->ids));
    buffer_append_string(b, "}'::uuid[]) AS k(\"timestamp\", id) "
                            "WHERE l.\"timestamp\" = k.\"timestamp\" AND l.id = k.id "
                            "AND l.\"timestamp\" >= '");
    timestamp_append(b, e->first.timestamp_us);
    buffer_append_string(b, "' AND l.\"timestamp\" <= '");
    timestamp_append(b, e->last.timestamp_us);
    buffer_append_string(b, "' RETURNING l.\"timestamp\", l.id)");
    if (remember)
        buffer_append_string(b, ", remembered AS (INSERT INTO tombstones (\"timestamp\", id) "
                                "SELECT \"timestamp\", id FROM gone ON CONFLICT DO NOTHING)");
    buffer_append_string(b, " SELECT count(*) FROM gone");
    buffer_append_char(b, '\0');
}

/* A key that is missing would be that of a log which is said to be gone. */
static bool lacks_memory(const struct store_postgres_eraser *e)
{
    return buffer_error(&e->times) || buffer_error(&e->ids) || buffer_error(&e->sql);
}

/* All in one query, and so in one transaction. */
static int erase_found(struct store_postgres_writer *w, size_t *erased, struct errbuf *err)
{
    PGresult *row = NULL;
    int error = store_postgres_conn_exec(&w->conn, w->eraser->sql.data, &row, err);

    if (!error)
        *erased = (size_t)strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    PQclear(row);
    return error;
}

/* Tries again if the connection was lost while it was idle, or others were in the way. */
static int erase(struct store_postgres_writer *w, size_t *erased, struct errbuf *err)
{
    bool again = true;
    int error = 0;

    for (unsigned tries = 0; again; tries++) {
        bool fresh;

        error = store_postgres_writer_begin(w, &fresh, err);
        if (error)
            return error;
        error = erase_found(w, erased, err);
        again = error && ((store_postgres_conn_is_lost(&w->conn) && !fresh) ||
                          (error == LM_EBUSY && tries < TRIES));
        if (error)
            store_postgres_writer_undo(w, error);
    }
    return error;
}

int store_postgres_erase(struct store_writer *base, struct store_scan *scan,
                         const struct store_slice *slice, bool remember, size_t *erased,
                         struct errbuf *err)
{
    struct store_postgres_writer *w = (struct store_postgres_writer *)base;

    if (!w->eraser)
        w->eraser = eraser_new(&w->s->base, err);
    if (!w->eraser)
        return LM_EUNAVAILABLE;
    int error = find(w->eraser, scan, slice, err);
    if (error || w->eraser->keys_len == 0)
        return error;
    write_statement(w->eraser, remember);
    if (lacks_memory(w->eraser))
        return errbuf_fail(err, LM_ENOMEM, "no memory for the keys of logs");
    return erase(w, erased, err);
}
