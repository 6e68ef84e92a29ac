#include "store/sqlite/takeover.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "store/sqlite/segment.h"
#include "store/store.h"

enum {
    TEXTS_BYTES_MAX = 1 << 30,    /* a ceiling because every buffer has one */
    STEP_BYTES = BLOCK_RAW_BYTES, /* of texts: a step ends with the log that reaches it */
    FORGET_ROWS = 1000,           /* arrivals of one transaction */
};

struct takeover {
    const struct store_sqlite_sizes *sizes;
    struct segment_builder *builder;
    struct block_row *rows; /* first descending, their texts unset */
    size_t rows_len;
    size_t rows_max;     /* of a step: one segment holds them */
    struct buffer texts; /* of rows[0], rows[1], … */
};

struct takeover *takeover_new(const struct store_sqlite_sizes *sizes)
{
    struct takeover *t = xcalloc(1, sizeof(*t));

    t->sizes = sizes;
    t->builder = segment_builder_new();
    t->rows_max = sizes->block_rows * (SEGMENT_BLOCKS_MAX - 2); /* texts may end two more */
    if (t->rows_max > sizes->takeover_rows)
        t->rows_max = sizes->takeover_rows;
    t->rows = xcalloc(t->rows_max, sizeof(*t->rows));
    buffer_init(&t->texts, TEXTS_BYTES_MAX);
    return t;
}

void takeover_free(struct takeover *t)
{
    if (!t)
        return;
    segment_builder_free(t->builder);
    buffer_release(&t->texts);
    free(t->rows);
    free(t);
}

/* ---- Reading ---- */

static int take_row(struct takeover *t, struct sqlite_db *db, sqlite3_stmt *stmt,
                    struct errbuf *err)
{
    struct record *r = &t->rows[t->rows_len].record;
    const void *id = sqlite3_column_blob(stmt, 1);

    if (!id || sqlite3_column_bytes(stmt, 1) != sizeof(r->key.id.bytes))
        return errbuf_fail(err, LM_EIO, "%s is damaged: an id is not 16 bytes long", db->path);
    *r = (struct record){.key.timestamp_us = sqlite3_column_int64(stmt, 0),
                         .level = sqlite_db_column_text(stmt, 2),
                         .message = sqlite_db_column_text(stmt, 3),
                         .attributes = sqlite_db_column_text(stmt, 4)};
    memcpy(r->key.id.bytes, id, sizeof(r->key.id.bytes));
    buffer_append_slice(&t->texts, r->level);
    buffer_append_slice(&t->texts, r->message);
    buffer_append_slice(&t->texts, r->attributes);
    t->rows_len++;
    return buffer_error(&t->texts) ? errbuf_fail(err, buffer_error(&t->texts), "no memory for logs")
                                   : 0;
}

static int read_newest(struct takeover *t, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_DONE;
    int error = sqlite_db_statement(db,
                                    "SELECT timestamp, id, level, message, attributes FROM logs "
                                    "ORDER BY timestamp DESC, id DESC LIMIT ?",
                                    &stmt, err);

    t->rows_len = 0;
    buffer_clear(&t->texts);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)t->rows_max);
    while (!error && t->texts.len < STEP_BYTES && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        error = take_row(t, db, stmt, err);
    if (!error && rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Now that the texts do not move any more. */
static void set_texts(struct takeover *t)
{
    const char *at = t->texts.data;

    for (size_t i = 0; i < t->rows_len; i++) {
        struct record *r = &t->rows[i].record;

        r->level.data = at;
        r->message.data = r->level.data + r->level.len;
        r->attributes.data = r->message.data + r->message.len;
        at = r->attributes.data + r->attributes.len;
    }
}

static void reverse(struct takeover *t)
{
    for (size_t i = 0, k = t->rows_len; i + 1 < k; i++) {
        struct block_row row = t->rows[i];

        t->rows[i] = t->rows[--k];
        t->rows[k] = row;
    }
}

/* ---- Making blocks ---- */

static int build(struct takeover *t, struct errbuf *err)
{
    int error = 0;

    segment_builder_begin(t->builder, false, false);
    for (size_t at = 0; !error && at < t->rows_len;) {
        size_t n = block_fill(t->rows + at, t->rows_len - at);

        if (n > t->sizes->block_rows)
            n = t->sizes->block_rows;
        error = segment_builder_add(t->builder, t->rows + at, n, 0, err);
        at += n;
    }
    return error;
}

/* The rows that were read are deleted, if they are all still there: else LM_ESTOPPED. */
static int delete_read(struct takeover *t, struct sqlite_db *db, struct errbuf *err)
{
    const struct log_key *first = &t->rows[0].record.key;
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "DELETE FROM logs WHERE (timestamp, id) >= (?, ?)", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, first->timestamp_us);
    sqlite3_bind_blob(stmt, 2, first->id.bytes, sizeof(first->id.bytes), SQLITE_STATIC);
    error = sqlite_db_run(db, stmt, err);
    if (!error && (size_t)sqlite3_changes64(db->handle) != t->rows_len)
        error = LM_ESTOPPED;
    return error;
}

static int put_in_place(struct takeover *t, struct sqlite_db *db, struct errbuf *err)
{
    int64_t number;
    int error = sqlite_db_begin(db, err);

    if (error)
        return error;
    error = delete_read(t, db, err);
    if (!error)
        error = segment_store(db, t->builder, &number, err);
    if (!error)
        error = sqlite_db_commit(db, err);
    if (error)
        sqlite_db_rollback(db);
    else
        sqlite_db_checkpoint(db);
    return error == LM_ESTOPPED ? 0 : error; /* some have expired meanwhile: at the next step */
}

int takeover_step(struct takeover *t, struct sqlite_db *db, bool *more, struct errbuf *err)
{
    int error = read_newest(t, db, err);

    *more = !error && t->rows_len > 0;
    if (*more) {
        set_texts(t);
        reverse(t);
        error = build(t, err);
        if (!error)
            error = put_in_place(t, db, err);
    }
    segment_builder_begin(t->builder, false, false);
    buffer_release(&t->texts);
    return error;
}

/* ---- Arrivals ---- */

static int forget(struct sqlite_db *db, const char *sql, int64_t now_us, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, now_us);
    sqlite3_bind_int64(stmt, 2, STORE_FOLLOW_HORIZON_S * INT64_C(1000000));
    sqlite3_bind_int64(stmt, 3, FORGET_ROWS);
    return sqlite_db_run(db, stmt, err);
}

/*
 * Those before the first of the last hour by the clock, which has not always been the same. Nothing
 * is written where there is nothing to forget.
 */
#define PAST_HORIZON                                                                               \
    "FROM (SELECT last FROM arrivals WHERE last < coalesce("                                       \
    "(SELECT last FROM arrivals WHERE stored BETWEEN ?1 - ?2 AND ?1 + ?2 "                         \
    "ORDER BY last LIMIT 1), 9e18) ORDER BY last LIMIT ?3)"

int takeover_forget_arrivals(struct sqlite_db *db, int64_t now_us, struct errbuf *err)
{
    int error = sqlite_db_begin(db, err);

    if (error)
        return error;
    error = forget(db,
                   "UPDATE sequence SET follow_from = max(follow_from, "
                   "(SELECT coalesce(max(last), 0) " PAST_HORIZON "))",
                   now_us, err);
    if (!error)
        error = forget(db, "DELETE FROM arrivals WHERE last IN (SELECT last " PAST_HORIZON ")",
                       now_us, err);
    if (!error)
        error = sqlite_db_commit(db, err);
    if (error)
        sqlite_db_rollback(db);
    return error;
}
