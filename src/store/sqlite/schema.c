#include "store/sqlite/internal.h"

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
