/*
 * Times one way of storing in an SQLite file, for bench/sqlite.py:
 *
 *   sqlite_loop DIRECTORY WAY CORPUS ROWS BATCH
 *
 *   bare     a loop of sqlite3 alone: one prepared INSERT, BATCH rows a transaction, into the
 * schema and with the pragmas that the embedded store uses append   store_append() of logmill, as a
 * worker calls it repeat   the same, of logs that are all there already
 *
 * DIRECTORY is to be empty; CORPUS is for rows_init. Prints the seconds and the CPU seconds that
 * storing took; the rows are made before, and counted after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "rows.h"
#include "store/sqlite/adapter.h"

struct bench {
    const char *directory;
    struct rows rows;
    size_t batch;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "sqlite_loop: %s: %s\n", what, why);
    exit(1);
}

/* ---- The bare loop ---- */

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail(text, sqlite3_errmsg(db));
}

static sqlite3 *open_bare(struct bench *b)
{
    char path[4096];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/bare.db", b->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        fail(path, sqlite3_errmsg(db));
    sql(db,
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4096;"
        "PRAGMA journal_size_limit = 33554432");
    sql(db, "CREATE TABLE logs(timestamp INTEGER NOT NULL, id BLOB NOT NULL, level TEXT NOT NULL, "
            "message TEXT NOT NULL, attributes TEXT, PRIMARY KEY(timestamp, id)) "
            "STRICT, WITHOUT ROWID");
    return db;
}

static void bind_text(sqlite3_stmt *stmt, int index, struct slice text)
{
    sqlite3_bind_text(stmt, index, text.data, (int)text.len, SQLITE_STATIC);
}

static void bare(struct bench *b)
{
    sqlite3 *db = open_bare(b);
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db,
                           "INSERT INTO logs VALUES(?, ?, ?, ?, ?) "
                           "ON CONFLICT(timestamp, id) DO NOTHING",
                           -1, &stmt, NULL) != SQLITE_OK)
        fail("prepare", sqlite3_errmsg(db));
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct record *r = &b->rows.records[i];

        if (i % b->batch == 0)
            sql(db, "BEGIN IMMEDIATE");
        sqlite3_bind_int64(stmt, 1, r->key.timestamp_us);
        sqlite3_bind_blob(stmt, 2, r->key.id.bytes, sizeof(r->key.id.bytes), SQLITE_STATIC);
        bind_text(stmt, 3, r->level);
        bind_text(stmt, 4, r->message);
        bind_text(stmt, 5, r->attributes);
        if (sqlite3_step(stmt) != SQLITE_DONE)
            fail("insert", sqlite3_errmsg(db));
        sqlite3_reset(stmt);
        if ((i + 1) % b->batch == 0 || i + 1 == b->rows.len)
            sql(db, "COMMIT");
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static size_t count_bare(struct bench *b)
{
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    size_t count;

    snprintf(path, sizeof(path), "%s/bare.db", b->directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT count(*) FROM logs", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        fail("count", sqlite3_errmsg(db));
    count = (size_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return count;
}

/* ---- logmill ---- */

/* From opening the store to closing it, as in the bare loop. Returns how many rows were new. */
static size_t append(struct bench *b)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new(b->directory, &err);
    struct store_writer *w;
    size_t stored = 0;

    if (!s || store_migrate(s, &err) || !(w = store_writer_new(s, &err)))
        fail("open", err.text);
    for (size_t i = 0; i < b->rows.len; i += b->batch) {
        size_t n = b->rows.len - i < b->batch ? b->rows.len - i : b->batch;
        struct store_append_result result;

        if (store_append(w, b->rows.records + i, n, &result, &err))
            fail("store_append", err.text);
        stored += result.stored;
    }
    store_writer_free(w);
    store_free(s);
    return stored;
}

static void expect(const char *what, size_t got, size_t wanted)
{
    char text[64];

    snprintf(text, sizeof(text), "%zu instead of %zu rows", got, wanted);
    if (got != wanted)
        fail(what, text);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    size_t rows, stored = 0;
    bool is_bare, is_repeat;
    uint64_t start_us;
    double cpu;

    if (argc != 6)
        fail("usage", "sqlite_loop DIRECTORY bare|append|repeat CORPUS ROWS BATCH");
    b.directory = argv[1];
    is_bare = strcmp(argv[2], "bare") == 0;
    is_repeat = strcmp(argv[2], "repeat") == 0;
    rows = strtoul(argv[4], NULL, 10);
    b.batch = strtoul(argv[5], NULL, 10);
    if (rows == 0 || b.batch == 0)
        fail("usage", "ROWS and BATCH are numbers above 0");
    rows_init(&b.rows, argv[3], rows);
    if (is_repeat)
        expect("first time", append(&b), rows);

    start_us = clock_monotonic_us();
    cpu = rows_cpu_seconds();
    if (is_bare)
        bare(&b);
    else
        stored = append(&b);
    printf("%.6f %.6f\n", (double)(clock_monotonic_us() - start_us) / 1e6,
           rows_cpu_seconds() - cpu);

    if (is_bare)
        stored = count_bare(&b);
    expect(argv[2], stored, is_repeat ? 0 : rows);
    rows_release(&b.rows);
    return 0;
}
