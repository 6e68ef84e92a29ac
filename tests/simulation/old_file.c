#include "old_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/internal.h"

enum { OLD_VERSION = 4, PATH_MAX_BYTES = 512, KEYS_MAX = 1 << 20 };

static int insert(struct sqlite_db *db, sqlite3_stmt *stmt, const struct record *r,
                  struct errbuf *err)
{
    sqlite3_bind_int64(stmt, 1, r->key.timestamp_us);
    sqlite3_bind_blob(stmt, 2, r->key.id.bytes, sizeof(r->key.id.bytes), SQLITE_STATIC);
    sqlite_db_bind_text(stmt, 3, r->level);
    sqlite_db_bind_text(stmt, 4, r->message);
    if (r->attributes.len > 0)
        sqlite_db_bind_text(stmt, 5, r->attributes);
    else
        sqlite3_bind_null(stmt, 5);
    return sqlite_db_run(db, stmt, err);
}

static int append(struct sqlite_db *db, sqlite3_stmt *stmts[2], const struct record *records,
                  size_t n, int64_t last, struct errbuf *err)
{
    struct buffer keys;
    int error = sqlite_db_begin(db, err);

    buffer_init(&keys, KEYS_MAX);
    for (size_t i = 0; !error && i < n; i++) {
        char packed[LOG_KEY_BYTES];

        log_key_pack(&records[i].key, packed);
        buffer_append(&keys, packed, sizeof(packed));
        error = insert(db, stmts[0], &records[i], err);
    }
    if (!error) {
        sqlite3_bind_int64(stmts[1], 1, last);
        sqlite3_bind_int64(stmts[1], 2, clock_wall_us());
        sqlite3_bind_blob64(stmts[1], 3, keys.data, keys.len, SQLITE_STATIC);
        error = sqlite_db_run(db, stmts[1], err);
    }
    buffer_release(&keys);
    return error ? error : sqlite_db_commit(db, err);
}

int old_file_make(const char *directory, const struct record *records, size_t n, size_t batch,
                  struct errbuf *err)
{
    struct store *s = store_sqlite_new(directory, err);
    struct sqlite_db_options options = store_sqlite_db_options((struct store_sqlite *)s, 64, false);
    sqlite3_stmt *stmts[2] = {NULL, NULL};
    struct sqlite_db db;

    options.steps_len = OLD_VERSION;
    options.compatible_since = 0;
    int error = sqlite_db_open(&db, &options, err);
    if (!error)
        error = sqlite_db_prepare(&db, "INSERT INTO logs VALUES(?, ?, ?, ?, ?)", &stmts[0], err);
    if (!error)
        error = sqlite_db_prepare(&db, "INSERT INTO arrivals VALUES(?, ?, ?)", &stmts[1], err);
    for (size_t i = 0; !error && i < n; i += batch) {
        size_t len = n - i < batch ? n - i : batch;

        error = append(&db, stmts, records + i, len, (int64_t)(i + len), err);
    }
    sqlite3_finalize(stmts[0]);
    sqlite3_finalize(stmts[1]);
    if (db.handle)
        sqlite_db_close(&db);
    store_free(s);
    return error;
}
