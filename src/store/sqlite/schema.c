#include "diag/diag.h"
#include "store/sqlite/internal.h"

/* The schema version that a program must know to use the file: the recipe is in sqlite/db.h. */
enum { COMPATIBLE_SINCE = 5, BLOCKS_SINCE = 5 };

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
    /*
     * Logs as compressed blocks (block/block.h, segment.h). `logs` and `arrivals` are what an older
     * logmill left: they only shrink, until all is taken over. Keys: log_key_pack_ordered.
     */
    "CREATE TABLE recent(\n"
    "    last INTEGER PRIMARY KEY,    -- number of its last log, in the order of storing\n"
    "    stored INTEGER NOT NULL,     -- microseconds since 1970, UTC\n"
    "    rows INTEGER NOT NULL,\n"
    "    first BLOB NOT NULL,         -- lowest and ...\n"
    "    highest BLOB NOT NULL,       -- ... highest key\n"
    "    logs BLOB NOT NULL           -- block/raw.h, in the order of storing\n"
    ") STRICT;\n"
    "CREATE TABLE segments(\n"
    "    number INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    first BLOB NOT NULL,         -- lowest and ...\n"
    "    last BLOB NOT NULL,          -- ... highest key\n"
    "    rows INTEGER NOT NULL,       -- of the blocks that are there\n"
    "    erased INTEGER NOT NULL,     -- of them, marked in `erased`\n"
    "    bytes INTEGER NOT NULL,\n"
    "    blocks INTEGER NOT NULL,     -- it was made with\n"
    "    gone INTEGER NOT NULL,       -- of them, the first ones, that are there no more\n"
    "    buckets INTEGER NOT NULL,    -- of its filter; 0: none\n"
    "    first_sequence INTEGER NOT NULL,  -- in the order of storing; 0: not kept\n"
    "    last_sequence INTEGER NOT NULL,\n"
    "    stored INTEGER NOT NULL,\n"
    "    cold INTEGER NOT NULL,       -- made by compaction\n"
    "    changes INTEGER NOT NULL,    -- of gone and erased\n"
    "    heads BLOB NOT NULL          -- block/head.h\n"
    ") STRICT;\n"
    "CREATE INDEX segments_by_first ON segments(first);\n"
    "CREATE INDEX segments_by_last ON segments(last);\n"
    "CREATE INDEX segments_by_sequence ON segments(last_sequence);\n"
    "CREATE TABLE blocks(\n"
    "    number INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    data BLOB NOT NULL           -- block/block.h\n"
    ") STRICT;\n"
    "CREATE TABLE filters(\n"
    "    place INTEGER PRIMARY KEY,   -- segment * 2^20 + number of the chunk\n"
    "    data BLOB NOT NULL           -- block/filter.h; a checksum\n"
    ") STRICT;\n"
    "CREATE TABLE erased(\n"
    "    block INTEGER PRIMARY KEY,\n"
    "    rows INTEGER NOT NULL,       -- so many are marked\n"
    "    marks BLOB NOT NULL          -- a bit a row, little-endian words of 64; a checksum\n"
    ") STRICT;\n"
    /* Keys of logs that were deleted on purpose: a redelivery does not bring them back. */
    "CREATE TABLE tombstones(\n"
    "    number INTEGER PRIMARY KEY,\n"
    "    deleted INTEGER NOT NULL,    -- microseconds since 1970, UTC\n"
    "    first BLOB NOT NULL,\n"
    "    last BLOB NOT NULL,\n"
    "    keys BLOB NOT NULL           -- 24 bytes each, ascending\n"
    ") STRICT;\n"
    "CREATE INDEX tombstones_by_last ON tombstones(last);\n"
    /* One row. */
    "CREATE TABLE sequence(\n"
    "    last INTEGER NOT NULL,       -- at least the highest that has left `recent`\n"
    "    follow_from INTEGER NOT NULL, -- what was stored up to it cannot be followed any more\n"
    "    changes INTEGER NOT NULL,    -- of `recent` and `segments`, but for what `recent` gains\n"
    "    erasures INTEGER NOT NULL    -- counts up when logs are deleted by a filter\n"
    ") STRICT;\n"
    "INSERT INTO sequence SELECT coalesce(max(last), 0), 0, 0, 0 FROM arrivals;\n"
    /*
     * By `changes` readers see that what they keep in memory is no longer so. Who writes need not
     * think of it, but for this: INSERT OR REPLACE runs no trigger, and is not used here. Marks in
     * `erased` change their segment's row, too.
     */
    "CREATE TRIGGER recent_lost AFTER DELETE ON recent BEGIN\n"
    "    UPDATE sequence SET changes = changes + 1; END;\n"
    "CREATE TRIGGER recent_changed AFTER UPDATE ON recent BEGIN\n"
    "    UPDATE sequence SET changes = changes + 1; END;\n"
    "CREATE TRIGGER segments_gained AFTER INSERT ON segments BEGIN\n"
    "    UPDATE sequence SET changes = changes + 1; END;\n"
    "CREATE TRIGGER segments_lost AFTER DELETE ON segments BEGIN\n"
    "    UPDATE sequence SET changes = changes + 1; END;\n"
    "CREATE TRIGGER segments_changed AFTER UPDATE ON segments BEGIN\n"
    "    UPDATE sequence SET changes = changes + 1; END;\n",
    /*
     * A bit for each block of the segment, by its place: its filter has all scalars of attributes,
     * by path. That of an older logmill has those of the top level alone.
     */
    "ALTER TABLE segments ADD COLUMN hashed INTEGER NOT NULL DEFAULT 0;\n",
    /* Of segments as they were made; an older logmill's have none, and it removes others by these
     * triggers. */
    "CREATE TABLE summaries(\n"
    "    segment INTEGER PRIMARY KEY,\n"
    "    counts BLOB NOT NULL,        -- summary.h; empty: there are none\n"
    "    fields BLOB NOT NULL\n"
    ") STRICT;\n"
    "CREATE TRIGGER summaries_lost AFTER DELETE ON segments BEGIN\n"
    "    DELETE FROM summaries WHERE segment = old.number; END;\n"
    "CREATE TRIGGER summaries_outdated AFTER UPDATE OF changes ON segments BEGIN\n"
    "    DELETE FROM summaries WHERE segment = old.number; END;\n",
};

/* What taking over needs besides the file, whose pages are used again: its log, and new blocks. */
enum { TAKEOVER_DISK_BYTES = 256 << 20 };

/* The step to blocks cannot be undone: an older logmill that knows no blocks refuses the file. */
static void tell_before_blocks(struct sqlite_db *db, int from)
{
    if (from >= BLOCKS_SINCE)
        return;
    diag(
        DIAG_WARN,
        "logs.db is of an older logmill, which cannot open it any more from now on: its logs "
        "become "
        "compressed blocks in the background; the way back is a file that the older one's `logmill "
        "backup` has made",
        DIAG_STR("file", db->path), DIAG_INT("backup_bytes", (int64_t)sqlite_db_used_bytes(db)),
        DIAG_INT("free_bytes_needed", TAKEOVER_DISK_BYTES));
}

struct sqlite_db_options store_sqlite_db_options(const struct store_sqlite *s, int cache_kib,
                                                 bool read_only)
{
    return (struct sqlite_db_options){
        .path = s->path,
        .steps = schema,
        .steps_len = sizeof(schema) / sizeof(schema[0]),
        .compatible_since = COMPATIBLE_SINCE,
        .before_steps = tell_before_blocks,
        .cache_kib = cache_kib,
        .read_only = read_only,
    };
}
