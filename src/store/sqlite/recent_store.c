#include "store/sqlite/recent_store.h"

#include "base/check.h"
#include "block/raw.h"

enum { RAW_BYTES_MAX = 1000000000 /* of a value in SQLite */ };

void recent_store_init(struct recent_store *s, size_t row_bytes)
{
    *s = (struct recent_store){.row_bytes = row_bytes};
    buffer_init(&s->raw, RAW_BYTES_MAX);
}

void recent_store_release(struct recent_store *s)
{
    buffer_release(&s->raw);
}

void recent_store_begin(struct recent_store *s, struct sqlite_db *db, int64_t stored_us)
{
    s->db = db;
    s->stored_us = stored_us;
    s->rows = 0;
    s->last = 0;
    s->first_row = 0;
    s->bytes = 0;
    buffer_clear(&s->raw);
}

static void bind_key(sqlite3_stmt *stmt, int index, const struct log_key *key)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack_ordered(key, packed);
    sqlite3_bind_blob(stmt, index, packed, sizeof(packed), SQLITE_TRANSIENT);
}

/* Ends the row under way. Memory past what the next one needs is not kept. */
int recent_store_end(struct recent_store *s, struct errbuf *err)
{
    sqlite3_stmt *stmt;

    if (s->rows == 0)
        return 0;
    int error = sqlite_db_statement(
        s->db,
        "INSERT INTO recent(last, stored, rows, first, highest, logs) VALUES(?, ?, ?, ?, ?, ?)",
        &stmt, err);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)s->last);
    sqlite3_bind_int64(stmt, 2, s->stored_us);
    sqlite3_bind_int64(stmt, 3, (int64_t)s->rows);
    bind_key(stmt, 4, &s->first);
    bind_key(stmt, 5, &s->highest);
    sqlite3_bind_blob64(stmt, 6, s->raw.data, s->raw.len, SQLITE_STATIC);
    error = sqlite_db_run(s->db, stmt, err);
    s->first_row = s->first_row ? s->first_row : (int64_t)s->last;
    s->bytes += s->raw.len;
    s->rows = 0;
    if (s->raw.capacity > 2 * s->row_bytes)
        buffer_release(&s->raw);
    else
        buffer_clear(&s->raw);
    return error;
}

int recent_store_add(struct recent_store *s, const struct block_row *row, struct errbuf *err)
{
    const struct log_key *key = &row->record.key;
    const struct record *r = &row->record;
    int error = 0;

    CHECK(row->sequence > s->last);
    if (s->rows > 0 &&
        s->raw.len + r->level.len + r->message.len + r->attributes.len > s->row_bytes)
        error = recent_store_end(s, err);
    if (error)
        return error;
    block_raw_append(&s->raw, row);
    if (buffer_error(&s->raw) == LM_ETOOBIG)
        return errbuf_fail(err, LM_EDATA, "refused by %s: a log of more than %d bytes", s->db->path,
                           RAW_BYTES_MAX);
    if (buffer_error(&s->raw))
        return errbuf_fail(err, LM_ENOMEM, "no memory for the logs of a batch");
    if (s->rows == 0 || log_key_compare(key, &s->first) < 0)
        s->first = *key;
    if (s->rows == 0 || log_key_compare(key, &s->highest) > 0)
        s->highest = *key;
    s->rows++;
    s->last = row->sequence;
    return 0;
}
