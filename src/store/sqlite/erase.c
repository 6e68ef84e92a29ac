/*
 * Deleting by a filter. The keys of the logs that match are found by a reader, as any scan finds
 * them, outside of a transaction; then, in a short one, each is looked up where it lies now: what
 * is under a key never changes, so nothing can come between the two but that a log has moved, or
 * gone.
 *
 * What is erased leaves a tombstone if it is to be remembered: its key, packed with others.
 */
#include <stdlib.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/sqlite/internal.h"

enum {
    KEYS_MAX = 8192, /* of one transaction */
    KEYS_BYTES_MAX = KEYS_MAX * LOG_KEY_BYTES,
    FORGET_MAX = 16, /* rows of tombstones that a transaction forgets: more than it adds */
};

#define DAY_US (INT64_C(86400) * 1000000)

struct store_sqlite_eraser {
    struct store_reader *reader;
    struct log_key *keys; /* found, in descending order */
    size_t keys_len;
    size_t keys_capacity;
    struct buffer tombstones; /* packed keys of those that were erased, ascending */
};

struct store_sqlite_eraser *store_sqlite_eraser_new(struct store_sqlite *s, struct errbuf *err)
{
    struct store_reader *reader = store_sqlite_reader_new(&s->base, err);
    struct store_sqlite_eraser *e;

    if (!reader)
        return NULL;
    e = xcalloc(1, sizeof(*e));
    e->reader = reader;
    buffer_init(&e->tombstones, KEYS_BYTES_MAX);
    return e;
}

void store_sqlite_eraser_free(struct store_sqlite_eraser *e)
{
    if (!e)
        return;
    store_sqlite_reader_free(e->reader);
    free(e->keys);
    buffer_release(&e->tombstones);
    free(e);
}

/* ---- Finding ---- */

static int take_key(const struct record *record, void *ctx)
{
    struct store_sqlite_eraser *e = ctx;

    e->keys = array_reserve(e->keys, &e->keys_capacity, e->keys_len + 1, sizeof(*e->keys));
    e->keys[e->keys_len++] = record->key;
    return 0;
}

int store_sqlite_eraser_find(struct store_sqlite_eraser *e, struct store_scan *scan,
                             const struct store_slice *slice, bool *found, struct errbuf *err)
{
    struct store_slice step = *slice;

    if (step.rows > KEYS_MAX)
        step.rows = KEYS_MAX;
    e->keys_len = 0;
    int error = store_sqlite_scan_next(e->reader, scan, &step, take_key, e, err);
    *found = e->keys_len > 0;
    return error;
}

/* ---- Erasing ---- */

static void note_erased(struct store_sqlite_eraser *e, const struct log_key *key)
{
    char *to = buffer_reserve(&e->tombstones, LOG_KEY_BYTES);

    if (!to)
        return;
    log_key_pack_ordered(key, to);
    e->tombstones.len += LOG_KEY_BYTES;
}

/* Those among the rows that an older logmill left. */
static int erase_old(struct store_sqlite_eraser *e, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "DELETE FROM logs WHERE timestamp = ? AND id = ?", &stmt, err);

    for (size_t i = e->keys_len; !error && i-- > 0;) {
        const struct log_key *key = &e->keys[i];

        sqlite3_bind_int64(stmt, 1, key->timestamp_us);
        sqlite3_bind_blob(stmt, 2, key->id.bytes, sizeof(key->id.bytes), SQLITE_STATIC);
        error = sqlite_db_run(db, stmt, err);
        if (!error && sqlite3_changes(db->handle) > 0)
            note_erased(e, key);
    }
    return error;
}

int store_sqlite_erase_forget(struct sqlite_db *db, int64_t now_us, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "DELETE FROM tombstones WHERE number IN "
                                    "(SELECT number FROM tombstones ORDER BY number LIMIT ?1) "
                                    "AND deleted < ?2",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, FORGET_MAX);
    sqlite3_bind_int64(stmt, 2, now_us - STORE_TOMBSTONE_DAYS * DAY_US);
    return sqlite_db_run(db, stmt, err);
}

/* Adds one row of tombstones, and forgets some that no message can need any more. */
static int remember(struct store_sqlite_eraser *e, struct sqlite_db *db, struct errbuf *err)
{
    struct slice keys = buffer_slice(&e->tombstones);
    int64_t now_us = clock_wall_us();
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "INSERT INTO tombstones(deleted, first, last, keys) VALUES(?, ?, ?, ?)", &stmt, err);

    if (!error) {
        sqlite3_bind_int64(stmt, 1, now_us);
        sqlite3_bind_blob(stmt, 2, keys.data, LOG_KEY_BYTES, SQLITE_STATIC);
        sqlite3_bind_blob(stmt, 3, keys.data + keys.len - LOG_KEY_BYTES, LOG_KEY_BYTES,
                          SQLITE_STATIC);
        sqlite3_bind_blob64(stmt, 4, keys.data, keys.len, SQLITE_STATIC);
        error = sqlite_db_run(db, stmt, err);
    }
    if (!error)
        error = store_sqlite_erase_forget(db, now_us, err);
    return error;
}

static int count_up(struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "UPDATE sequence SET erasures = erasures + 1", &stmt, err);

    if (!error)
        error = sqlite_db_run(db, stmt, err);
    return error;
}

int store_sqlite_eraser_erase(struct store_sqlite_eraser *e, struct sqlite_db *db, bool remembers,
                              size_t *erased, struct errbuf *err)
{
    buffer_clear(&e->tombstones);
    int error = erase_old(e, db, err);
    if (!error && buffer_error(&e->tombstones))
        error = errbuf_fail(err, LM_ENOMEM, "no memory for the keys of logs");
    if (!error && remembers && e->tombstones.len > 0)
        error = remember(e, db, err);
    if (!error)
        error = count_up(db, err);
    if (!error)
        *erased = e->tombstones.len / LOG_KEY_BYTES;
    return error;
}
