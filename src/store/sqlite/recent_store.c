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

int recent_store_replace(struct sqlite_db *db, const struct recent_row *row, struct errbuf *err)
{
    char first[LOG_KEY_BYTES], highest[LOG_KEY_BYTES];
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "UPDATE recent SET rows = ?2, first = ?3, highest = ?4, logs = ?5 WHERE last = ?1",
        &stmt, err);

    CHECK(row->rows > 0);
    if (error)
        return error;
    log_key_pack_ordered(&row->first, first);
    log_key_pack_ordered(&row->highest, highest);
    sqlite3_bind_int64(stmt, 1, row->last);
    sqlite3_bind_int64(stmt, 2, (int64_t)row->rows);
    sqlite3_bind_blob(stmt, 3, first, sizeof(first), SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, highest, sizeof(highest), SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 5, row->logs.data, row->logs.len, SQLITE_STATIC);
    return sqlite_db_run(db, stmt, err);
}

int recent_store_delete(struct sqlite_db *db, int64_t last, struct errbuf *err)
{
    static const char *const statements[] = {"UPDATE sequence SET last = max(last, ?)",
                                             "DELETE FROM recent WHERE last = ?"};
    int error = 0;

    for (size_t i = 0; !error && i < sizeof(statements) / sizeof(statements[0]); i++) {
        sqlite3_stmt *stmt;

        error = sqlite_db_statement(db, statements[i], &stmt, err);
        if (error)
            break;
        sqlite3_bind_int64(stmt, 1, last);
        error = sqlite_db_run(db, stmt, err);
    }
    return error;
}
