#include "store/sqlite/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "store/sqlite/internal.h"

enum { MIGRATE_CACHE_KIB = 64 };

/* The schema version that a program must know to use the file: the recipe is in sqlite/db.h. */
enum { COMPATIBLE_SINCE = 4 };

/*
 * The view is for people with the sqlite3 program. The remainder of a negative timestamp is brought
 * above 0, so that the time is cut down to the second and never towards 1970.
 */
static const char *const schema[] = {
    "CREATE TABLE logs(\n"
    "    timestamp INTEGER NOT NULL,  -- microseconds since 1970, UTC\n"
    "    id BLOB NOT NULL,            -- UUIDv7, 16 bytes\n"
    "    level TEXT NOT NULL,\n"
    "    message TEXT NOT NULL,\n"
    "    attributes TEXT,             -- a JSON object; NULL where there are none\n"
    "    PRIMARY KEY(timestamp, id)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE VIEW logs_readable AS\n"
    "SELECT strftime('%Y-%m-%dT%H:%M:%S', (timestamp - us) / 1000000, 'unixepoch')\n"
    "           || printf('.%06dZ', us) AS timestamp,\n"
    "       substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-' || substr(hex, 13, 4) || '-'\n"
    "           || substr(hex, 17, 4) || '-' || substr(hex, 21) AS id,\n"
    "       level, message, attributes\n"
    "FROM (SELECT *, (timestamp % 1000000 + 1000000) % 1000000 AS us, lower(hex(id)) AS hex\n"
    "      FROM logs);\n",
    /* One row for each transaction that stored logs, of the last hour: what a live tail follows. */
    "CREATE TABLE arrivals(\n"
    "    last INTEGER PRIMARY KEY,    -- number of its last log, in the order of storing\n"
    "    stored INTEGER NOT NULL,     -- microseconds since 1970, UTC\n"
    "    keys BLOB NOT NULL           -- of each log: timestamp (8 bytes, big-endian), id (16)\n"
    ") STRICT;\n",
    /* One row; what it holds: struct store_clock. */
    "CREATE TABLE retention_clock(\n"
    "    believed INTEGER NOT NULL,   -- microseconds since 1970, UTC\n"
    "    claimed INTEGER NOT NULL,    -- the same, in doubt; 0: none\n"
    "    doubted INTEGER NOT NULL     -- microseconds for which it was\n"
    ") STRICT;\n"
    "INSERT INTO retention_clock SELECT min(coalesce(max(stored), now), now), 0, 0\n"
    "FROM (SELECT unixepoch() * 1000000 AS now) LEFT JOIN arrivals;\n",
    /* Their ids have no time to search by. Costs nothing but for such logs, of which few exist. */
    "CREATE INDEX logs_before_1970 ON logs(id) WHERE timestamp < 0;\n",
};

struct sqlite_db_options store_sqlite_db_options(const struct store_sqlite *s, int cache_kib,
                                                 bool read_only)
{
    return (struct sqlite_db_options){
        .path = s->path,
        .steps = schema,
        .steps_len = sizeof(schema) / sizeof(schema[0]),
        .compatible_since = COMPATIBLE_SINCE,
        .cache_kib = cache_kib,
        .read_only = read_only,
    };
}

static int migrate(struct store *base, struct errbuf *err)
{
    struct store_sqlite *s = (struct store_sqlite *)base;
    struct sqlite_db_options options = store_sqlite_db_options(s, MIGRATE_CACHE_KIB, false);
    struct sqlite_db db;
    int error = sqlite_db_open(&db, &options, err);

    if (error == 0)
        sqlite_db_close(&db);
    return error;
}

static void free_store(struct store *base)
{
    struct store_sqlite *s = (struct store_sqlite *)base;

    free(s->path);
    free(s);
}

const struct store_ops store_sqlite_ops = {
    .migrate = migrate,
    .free = free_store,
    .writer_new = store_sqlite_writer_new,
    .writer_free = store_sqlite_writer_free,
    .append = store_sqlite_writer_append,
    .expire = store_sqlite_writer_expire,
    .tidy = store_sqlite_writer_tidy,
    .clock_read = store_sqlite_writer_clock_read,
    .clock_write = store_sqlite_writer_clock_write,
    .reader_new = store_sqlite_reader_new,
    .reader_free = store_sqlite_reader_free,
    .scan_next = store_sqlite_scan_next,
    .scan_count = store_sqlite_scan_count,
    .get = store_sqlite_reader_get,
    .follow_end = store_sqlite_follow_end,
    .follow = store_sqlite_follow,
    .cancel = store_sqlite_reader_cancel,
};

struct store *store_sqlite_new(const char *directory, struct errbuf *err)
{
    static const char name[] = "/logs.db";
    struct store_sqlite *s = xcalloc(1, sizeof(*s));
    size_t path_size = strlen(directory) + sizeof(name);

    s->base.ops = &store_sqlite_ops;
    s->path = xmalloc(path_size);
    snprintf(s->path, path_size, "%s%s", directory, name);
    return &s->base;
}
