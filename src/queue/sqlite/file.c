/* The file queue.db: its schema, and the connection that checks, counts and dead letters share. */
#include <inttypes.h>

#include "queue/sqlite/internal.h"

enum { TOOL_CACHE_KIB = 128 };

/* The schema version that a program must know to use the file: the recipe is in sqlite/db.h. */
enum { COMPATIBLE_SINCE = 3 };

/*
 * sent_us stays with a dead letter, so that a record without a timestamp keeps its time when the
 * letter is sent again.
 */
static const char *const schema[] = {
    "CREATE TABLE messages(\n"
    "    seq INTEGER PRIMARY KEY,   -- ascending in the order of the commits, never used twice\n"
    "    sent_us INTEGER NOT NULL,  -- microseconds since 1970, UTC\n"
    "    body TEXT NOT NULL         -- {\"v\":1,\"logs\":[...]}\n"
    ") STRICT;\n"
    "CREATE TABLE sequence(\n"
    "    last_seq INTEGER NOT NULL  -- no message above it was ever deleted\n"
    ") STRICT;\n"
    "INSERT INTO sequence VALUES(0);\n"
    "CREATE TABLE dead_letters(\n"
    "    seq INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    died_us INTEGER NOT NULL,\n"
    "    sent_us INTEGER NOT NULL,\n"
    "    reason TEXT NOT NULL,\n"
    "    body TEXT NOT NULL\n"
    ") STRICT;\n",
    /* To add up the bodies would mean to read them. */
    "CREATE TABLE dead_letters_bytes(\n"
    "    bytes INTEGER NOT NULL     -- of all bodies in dead_letters\n"
    ") STRICT;\n"
    "INSERT INTO dead_letters_bytes\n"
    "SELECT coalesce(sum(length(CAST(body AS BLOB))), 0) FROM dead_letters;\n"
    "CREATE TRIGGER dead_letter_comes AFTER INSERT ON dead_letters BEGIN\n"
    "    UPDATE dead_letters_bytes SET bytes = bytes + length(CAST(new.body AS BLOB));\n"
    "END;\n"
    "CREATE TRIGGER dead_letter_goes AFTER DELETE ON dead_letters BEGIN\n"
    "    UPDATE dead_letters_bytes SET bytes = bytes - length(CAST(old.body AS BLOB));\n"
    "END;\n",
    /* Nothing changes but who may open the file: messages may be of version 2 (message/version.h).
     */
    "-- bodies may be of version 2\n",
};

struct sqlite_db_options queue_sqlite_file_options(const struct queue_sqlite *q, int cache_kib,
                                                   bool read_only)
{
    return (struct sqlite_db_options){
        .path = q->path,
        .steps = schema,
        .steps_len = sizeof(schema) / sizeof(schema[0]),
        .compatible_since = COMPATIBLE_SINCE,
        .cache_kib = cache_kib,
        .page_bytes = QUEUE_SQLITE_PAGE_BYTES,
        .read_only = read_only,
    };
}

struct sqlite_db *queue_sqlite_file_acquire(struct queue_sqlite *q, int *error, struct errbuf *err)
{
    struct sqlite_db_options options = queue_sqlite_file_options(q, TOOL_CACHE_KIB, false);

    pthread_mutex_lock(&q->tool_lock);
    *error = q->tool.handle ? 0 : sqlite_db_open(&q->tool, &options, err);
    if (!*error)
        return &q->tool;
    pthread_mutex_unlock(&q->tool_lock);
    return NULL;
}

void queue_sqlite_file_release(struct queue_sqlite *q)
{
    pthread_mutex_unlock(&q->tool_lock);
}

int queue_sqlite_file_full(const struct queue_sqlite *q, uint64_t bytes, struct errbuf *err)
{
    return errbuf_fail(err, LM_EBUSY, "%s holds %" PRIu64 " bytes, and QUEUE_MAX_BYTES is %" PRIu64,
                       q->path, bytes, q->max_bytes);
}
