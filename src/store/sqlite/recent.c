#include "store/sqlite/recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "block/raw.h"

enum { LEVEL_BYTES_MAX = 64 }; /* of a level that is in recent.levels */

void recent_clear(struct recent *recent)
{
    for (size_t i = 0; i < recent->rows_len; i++)
        free(recent->rows[i].bytes);
    for (size_t i = 0; i < recent->levels_len; i++)
        free((char *)recent->levels[i].data);
    free(recent->rows);
    free(recent->logs);
    *recent = (struct recent){0};
}

/* ---- The bytes of rows ---- */

static void forget(struct recent *recent, struct recent_batch *row)
{
    recent->kept_bytes -= row->len;
    free(row->bytes);
    row->bytes = NULL;
    row->len = 0;
}

/* Makes room for `len` bytes; what has not been asked for the longest goes first. */
static void make_room(struct recent *recent, size_t len)
{
    while (recent->kept_bytes > 0 && recent->kept_bytes + len > RECENT_KEPT_BYTES) {
        struct recent_batch *oldest = NULL;

        for (size_t i = 0; i < recent->rows_len; i++) {
            struct recent_batch *row = &recent->rows[i];

            if (row->bytes && (!oldest || row->used < oldest->used))
                oldest = row;
        }
        if (!oldest)
            return; /* kept_bytes is the sum of those that are kept: this does not come */
        forget(recent, oldest);
    }
}

static int keep(struct recent *recent, struct recent_batch *row, struct slice bytes,
                struct errbuf *err)
{
    char *copy = try_malloc(bytes.len + 1);

    if (!copy)
        return errbuf_fail(err, LM_ENOMEM, "no memory for recent logs");
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    make_room(recent, bytes.len);
    row->bytes = copy;
    row->len = bytes.len;
    row->used = ++recent->calls;
    recent->kept_bytes += bytes.len;
    return 0;
}

static struct slice column_bytes(sqlite3_stmt *stmt, int column)
{
    const char *data = sqlite3_column_blob(stmt, column);

    return slice_of(data, (size_t)sqlite3_column_bytes(stmt, column));
}

static int load(struct recent *recent, struct sqlite_db *db, struct recent_batch *row,
                struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT logs FROM recent WHERE last = ?", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, row->last);
    int rc = sqlite3_step(stmt);
    error = rc == SQLITE_ROW ? keep(recent, row, column_bytes(stmt, 0), err)
                             : sqlite_db_error(db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, err);
    sqlite3_reset(stmt);
    return error;
}

int recent_bytes(struct recent *recent, struct sqlite_db *db, size_t row, struct slice *bytes,
                 struct errbuf *err)
{
    struct recent_batch *at = &recent->rows[row];
    int error = at->bytes ? 0 : load(recent, db, at, err);

    at->used = ++recent->calls;
    *bytes = slice_of(at->bytes, at->len);
    return error;
}

int recent_record(struct recent *recent, struct sqlite_db *db, const struct recent_log *log,
                  struct record *record, struct errbuf *err)
{
    struct block_row row;
    struct slice bytes;
    int error = recent_bytes(recent, db, log->row, &bytes, err);

    if (error)
        return error;
    bytes.data += log->at; /* it was found there before */
    bytes.len -= log->at;
    error = block_raw_next(&bytes, &row, err);
    *record = row.record;
    return error == LM_ENOTFOUND ? errbuf_fail(err, LM_EIO, "a recent log is damaged") : error;
}

/* ---- The keys ---- */

static uint16_t level_of(struct recent *recent, struct slice level)
{
    for (size_t i = 0; i < recent->levels_len; i++)
        if (slice_equal(recent->levels[i], level))
            return (uint16_t)i;
    if (recent->levels_len >= RECENT_LEVELS_MAX || level.len > LEVEL_BYTES_MAX)
        return RECENT_LEVELS_MAX;

    char *copy = xmalloc(level.len + 1);

    if (level.len > 0)
        memcpy(copy, level.data, level.len);
    recent->levels[recent->levels_len] = slice_of(copy, level.len);
    return (uint16_t)recent->levels_len++;
}

/* Adds the keys of what is in `bytes`; what is behind a damage cannot be read. */
static void add_logs(struct recent *recent, struct slice bytes)
{
    struct recent_batch *row = &recent->rows[recent->rows_len - 1];
    const char *start = bytes.data;
    struct block_row log;
    struct errbuf none;
    uint32_t n = 0;

    for (;;) {
        size_t at = bytes.data ? (size_t)(bytes.data - start) : 0;

        if (block_raw_next(&bytes, &log, &none))
            break;
        recent->logs = array_reserve(recent->logs, &recent->logs_capacity, recent->logs_len + 1,
                                     sizeof(*recent->logs));
        recent->logs[recent->logs_len++] = (struct recent_log){
            .key = log.record.key,
            .row = (uint32_t)(recent->rows_len - 1),
            .at = (uint32_t)at,
            .level = level_of(recent, log.record.level),
        };
        n++;
    }
    row->lost = row->logs > n ? row->logs - n : 0;
    recent->lost += row->lost;
}

static int compare(const void *a, const void *b)
{
    return log_key_compare(&((const struct recent_log *)a)->key,
                           &((const struct recent_log *)b)->key);
}

/* Brings those from `sorted` on, which are new, to their places among those before. */
static void sort_in(struct recent *recent, size_t sorted)
{
    struct recent_log *logs = recent->logs;
    size_t n = recent->logs_len - sorted;

    if (n == 0)
        return;
    qsort(logs + sorted, n, sizeof(*logs), compare);
    if (sorted == 0 || compare(&logs[sorted - 1], &logs[sorted]) < 0)
        return;

    struct recent_log *added = xmalloc(n * sizeof(*added));

    memcpy(added, logs + sorted, n * sizeof(*added));
    for (size_t to = recent->logs_len; n > 0;) {
        bool is_old = sorted > 0 && compare(&logs[sorted - 1], &added[n - 1]) > 0;

        logs[--to] = is_old ? logs[--sorted] : added[--n];
    }
    free(added);
}

/* A damaged one becomes `bound`, past which no key is: each log has its own, and a checksum. */
static struct log_key take_key(sqlite3_stmt *stmt, int column, struct log_key bound)
{
    struct slice packed = column_bytes(stmt, column);

    if (packed.len == LOG_KEY_BYTES)
        log_key_unpack_ordered(packed.data, &bound);
    return bound;
}

/* Columns: last, rows, first, highest, logs. */
static int take_row(struct recent *recent, struct sqlite_db *db, sqlite3_stmt *stmt,
                    struct errbuf *err)
{
    struct log_key highest = {.timestamp_us = INT64_MAX};
    struct slice bytes = column_bytes(stmt, 4);

    memset(highest.id.bytes, 0xff, sizeof(highest.id.bytes));
    if (bytes.len > UINT32_MAX)
        return errbuf_fail(err, LM_EIO, "%s is damaged: a row of recent logs is too long",
                           db->path);
    struct recent_batch row = {
        .last = sqlite3_column_int64(stmt, 0),
        .logs = (uint32_t)sqlite3_column_int64(stmt, 1),
        .low = take_key(stmt, 2, (struct log_key){.timestamp_us = INT64_MIN}),
        .high = take_key(stmt, 3, highest),
    };
    recent->rows = array_reserve(recent->rows, &recent->rows_capacity, recent->rows_len + 1,
                                 sizeof(*recent->rows));
    recent->rows[recent->rows_len++] = row;
    add_logs(recent, bytes);
    return keep(recent, &recent->rows[recent->rows_len - 1], bytes, err);
}

int recent_gain(struct recent *recent, struct sqlite_db *db, struct errbuf *err)
{
    size_t sorted = recent->logs_len;
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT last, rows, first, highest, logs FROM recent "
                                    "WHERE last > ? ORDER BY last",
                                    &stmt, err);
    int rc = SQLITE_DONE;

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, recent->rows_len ? recent->rows[recent->rows_len - 1].last : 0);
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        error = take_row(recent, db, stmt, err);
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    sort_in(recent, sorted);
    return error;
}

size_t recent_below(const struct recent *recent, const struct log_key *key)
{
    size_t low = 0, high = recent->logs_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log_key_compare(&recent->logs[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
