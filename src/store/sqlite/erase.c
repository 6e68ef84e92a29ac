/*
 * Deleting by a filter. The keys of the logs that match are found by a reader, as any scan finds
 * them, outside of a transaction; then, in a short one, each is looked up where it lies now: what
 * is under a key never changes, so nothing can come between the two but that a log has moved, or
 * gone.
 *
 * What is erased leaves a tombstone if it is to be remembered: its key, packed with others.
 */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "block/select.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/recent_store.h"
#include "store/sqlite/segment.h"

enum {
    KEYS_MAX = 8192, /* of one transaction */
    KEYS_BYTES_MAX = KEYS_MAX * LOG_KEY_BYTES,
    LOGS_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
    FORGET_MAX = 16,          /* rows of tombstones that a transaction forgets: more than it adds */
};

#define DAY_US (INT64_C(86400) * 1000000)

struct store_sqlite_eraser {
    struct store_reader *reader;
    struct log_key *keys; /* found, in descending order */
    size_t keys_len;
    size_t keys_capacity;
    struct buffer tombstones; /* packed keys of those that were erased */
    struct buffer logs;       /* of a row of `recent`: those that stay */
    struct block_reader *block;
    bool has_damage; /* a block could not be read */
    struct errbuf damage;
};

struct store_sqlite_eraser *store_sqlite_eraser_new(struct store_sqlite *s, struct errbuf *err)
{
    struct store_reader *reader = store_sqlite_reader_new(&s->base, err);
    struct store_sqlite_eraser *e;

    if (!reader)
        return NULL;
    e = xcalloc(1, sizeof(*e));
    e->reader = reader;
    e->block = block_reader_new();
    buffer_init(&e->tombstones, KEYS_BYTES_MAX);
    buffer_init(&e->logs, LOGS_BYTES_MAX);
    return e;
}

void store_sqlite_eraser_free(struct store_sqlite_eraser *e)
{
    if (!e)
        return;
    store_sqlite_reader_free(e->reader);
    free(e->keys);
    block_reader_free(e->block);
    buffer_release(&e->tombstones);
    buffer_release(&e->logs);
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

/* The number of the first of the keys, which descend, that is `key` or below it. */
static size_t first_at_most(const struct store_sqlite_eraser *e, const struct log_key *key)
{
    size_t low = 0;
    size_t high = e->keys_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log_key_compare(&e->keys[middle], key) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_found(const struct store_sqlite_eraser *e, const struct log_key *key)
{
    size_t at = first_at_most(e, key);

    return at < e->keys_len && log_key_compare(&e->keys[at], key) == 0;
}

static bool any_within(const struct store_sqlite_eraser *e, const struct log_key *first,
                       const struct log_key *last)
{
    size_t at = first_at_most(e, last);

    return at < e->keys_len && log_key_compare(&e->keys[at], first) >= 0;
}

/* Binds the lowest and highest of the keys to ?1 and ?2. */
static void bind_range(const struct store_sqlite_eraser *e, sqlite3_stmt *stmt)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack_ordered(&e->keys[e->keys_len - 1], packed);
    sqlite3_bind_blob(stmt, 1, packed, sizeof(packed), SQLITE_TRANSIENT);
    log_key_pack_ordered(&e->keys[0], packed);
    sqlite3_bind_blob(stmt, 2, packed, sizeof(packed), SQLITE_TRANSIENT);
}

/* ---- … among the rows that an older logmill left ---- */

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

/* ---- … among recent ones ---- */

/* A row of `recent` without what is erased. */
struct rest {
    int64_t last; /* its number */
    uint64_t rows, erased;
    struct log_key first, highest; /* of those that stay; if it is damaged, as they were */
};

static void keep(struct store_sqlite_eraser *e, struct rest *rest, const struct block_row *row)
{
    const struct log_key *key = &row->record.key;

    if (rest->rows == 0 || log_key_compare(key, &rest->first) < 0)
        rest->first = *key;
    if (rest->rows == 0 || log_key_compare(key, &rest->highest) > 0)
        rest->highest = *key;
    rest->rows++;
    block_raw_append(&e->logs, row);
}

/* What cannot be read has none of those that a scan has found, unless it broke since: it is passed
 * over, and is an error only if some are missing in the end. */
static void note_damage(struct store_sqlite_eraser *e, const struct errbuf *reason)
{
    e->has_damage = true;
    e->damage = *reason;
}

/* A bound of all keys instead of a damaged one. */
static struct log_key take_packed(sqlite3_stmt *stmt, int column, unsigned char bound)
{
    char packed[LOG_KEY_BYTES];
    struct log_key key;

    memset(packed, bound, sizeof(packed));
    if (sqlite3_column_bytes(stmt, column) == LOG_KEY_BYTES)
        memcpy(packed, sqlite3_column_blob(stmt, column), LOG_KEY_BYTES);
    log_key_unpack_ordered(packed, &key);
    return key;
}

/* What is behind a damage stays as it is, and its keys are not known. */
static void keep_damaged(struct store_sqlite_eraser *e, sqlite3_stmt *stmt, struct rest *rest,
                         struct slice logs)
{
    buffer_append_slice(&e->logs, logs);
    rest->rows = (uint64_t)sqlite3_column_int64(stmt, 2) - rest->erased;
    rest->first = take_packed(stmt, 3, 0);
    rest->highest = take_packed(stmt, 4, 0xff);
}

/* Goes through the row that `stmt` stands on; what stays is in e->logs. */
static int sift(struct store_sqlite_eraser *e, sqlite3_stmt *stmt, struct rest *rest,
                struct errbuf *err)
{
    struct slice logs = sqlite_db_column_text(stmt, 1);
    struct errbuf reason = ERRBUF_INIT;
    struct block_row row;
    int error;

    *rest = (struct rest){.last = sqlite3_column_int64(stmt, 0)};
    buffer_clear(&e->logs);
    while (!(error = block_raw_next(&logs, &row, &reason))) {
        if (!is_found(e, &row.record.key)) {
            keep(e, rest, &row);
            continue;
        }
        rest->erased++;
        note_erased(e, &row.record.key);
    }
    if (error != LM_ENOTFOUND) {
        note_damage(e, &reason);
        keep_damaged(e, stmt, rest, logs);
    }
    return buffer_error(&e->logs) ? errbuf_fail(err, LM_ENOMEM, "no memory for recent logs") : 0;
}

/* Rewrites the next row, after number `after`, that may hold any. LM_ENOTFOUND: there is none. */
static int erase_next_recent(struct store_sqlite_eraser *e, struct sqlite_db *db, int64_t *after,
                             struct errbuf *err)
{
    struct rest rest = {0};
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT last, logs, rows, first, highest FROM recent "
                                    "WHERE last > ?3 AND (highest >= ?1 OR length(highest) <> 24) "
                                    "AND (first <= ?2 OR length(first) <> 24) "
                                    "ORDER BY last LIMIT 1",
                                    &stmt, err);

    if (error)
        return error;
    bind_range(e, stmt);
    sqlite3_bind_int64(stmt, 3, *after);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        error = sift(e, stmt, &rest, err);
    else
        error = rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    if (error)
        return error;
    *after = rest.last;
    if (rest.erased == 0)
        return 0;
    if (rest.rows == 0)
        return recent_store_delete(db, rest.last, err);
    return recent_store_replace(db,
                                &(struct recent_row){.last = rest.last,
                                                     .rows = rest.rows,
                                                     .first = rest.first,
                                                     .highest = rest.highest,
                                                     .logs = buffer_slice(&e->logs)},
                                err);
}

static int erase_recent(struct store_sqlite_eraser *e, struct sqlite_db *db, struct errbuf *err)
{
    int64_t after = INT64_MIN;
    int error;

    while (!(error = erase_next_recent(e, db, &after, err)))
        continue;
    return error == LM_ENOTFOUND ? 0 : error;
}

/* ---- … in blocks ---- */

/* Sets in `rows` those of the open block that were found. */
static int select_found(struct store_sqlite_eraser *e, const struct block_head *head,
                        uint64_t *rows, struct errbuf *err)
{
    const struct log_key *keys;
    int error = block_keys(e->block, &keys, err);

    if (error)
        return error;
    memset(rows, 0, BLOCK_ROW_WORDS(head->rows) * sizeof(*rows));
    size_t at = first_at_most(e, &keys[head->rows - 1]);
    for (size_t row = head->rows; row-- > 0 && at < e->keys_len;) {
        while (at < e->keys_len && log_key_compare(&e->keys[at], &keys[row]) > 0)
            at++;
        if (at < e->keys_len && log_key_compare(&e->keys[at], &keys[row]) == 0)
            rows[row / 64] |= UINT64_C(1) << row % 64;
    }
    return 0;
}

static void note_rows(struct store_sqlite_eraser *e, const struct log_key *keys, size_t n,
                      const uint64_t *rows)
{
    for (size_t row = 0; row < n; row++)
        if (rows[row / 64] >> row % 64 & 1)
            note_erased(e, &keys[row]);
}

/* Marks what was found in the open block and is not marked yet. */
static int mark(struct store_sqlite_eraser *e, struct sqlite_db *db, const struct segment *s,
                const struct block_head *head, struct errbuf *err)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];
    const struct log_key *keys;
    bool any;
    int error = select_found(e, head, rows, err);

    if (!error)
        error = segment_unmark(db, head->number, rows, head->rows, &any, err);
    if (!error)
        error = block_keys(e->block, &keys, err);
    if (error)
        return error;
    note_rows(e, keys, head->rows, rows);
    return segment_mark(db, s, head, rows, err);
}

static int erase_in_block(struct store_sqlite_eraser *e, struct sqlite_db *db,
                          const struct segment *s, const struct block_head *head,
                          struct errbuf *err)
{
    struct segment_blob blob = {0};
    struct errbuf reason = ERRBUF_INIT;
    int error = segment_blob_open(&blob, db, head->number, &reason);

    if (!error)
        error = block_open(e->block, &blob.source, head, &reason);
    if (!error)
        error = mark(e, db, s, head, &reason);
    bool is_damage = store_sqlite_is_damage(db, error); /* before closing makes it forgotten */
    block_close(e->block);
    segment_blob_close(&blob);
    if (is_damage) {
        note_damage(e, &reason);
        return 0;
    }
    return error ? errbuf_fail(err, error, "%s", reason.text) : 0;
}

static int erase_in_segment(struct store_sqlite_eraser *e, struct sqlite_db *db,
                            const struct segment *s, struct errbuf *err)
{
    struct block_head *heads = NULL;
    struct errbuf reason = ERRBUF_INIT;
    size_t n = 0;
    int error = segment_heads(db, s, &heads, &n, &reason);

    if (store_sqlite_is_damage(db, error)) {
        note_damage(e, &reason);
        return 0;
    }
    if (error)
        return errbuf_fail(err, error, "%s", reason.text);
    for (size_t i = 0; !error && i < n; i++)
        if (any_within(e, &heads[i].first, &heads[i].last))
            error = erase_in_block(e, db, s, &heads[i], err);
    free(heads);
    return error;
}

/* The next segment after `*s` that may hold any. LM_ENOTFOUND: there is none. */
static int next_segment(struct store_sqlite_eraser *e, struct sqlite_db *db, struct segment *s,
                        struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number > ?3 "
                                    "AND last >= ?1 AND first <= ?2 AND " SEGMENT_IS_WHOLE
                                    " ORDER BY number LIMIT 1",
                                    &stmt, err);

    if (error)
        return error;
    bind_range(e, stmt);
    sqlite3_bind_int64(stmt, 3, s->number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        error = segment_take(db, stmt, s, err);
    else
        error = rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int erase_in_segments(struct store_sqlite_eraser *e, struct sqlite_db *db,
                             struct errbuf *err)
{
    struct segment s = {0};
    int error;

    while (!(error = next_segment(e, db, &s, err)) &&
           !(error = any_within(e, &s.first, &s.last) ? erase_in_segment(e, db, &s, err) : 0))
        continue;
    return error == LM_ENOTFOUND ? 0 : error;
}

/* ---- Tombstones ---- */

static int compare_packed(const void *a, const void *b)
{
    return memcmp(a, b, LOG_KEY_BYTES);
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

    qsort(e->tombstones.data, keys.len / LOG_KEY_BYTES, LOG_KEY_BYTES, compare_packed);
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

/* Wherever they lie. */
static int erase_all(struct store_sqlite_eraser *e, struct sqlite_db *db, struct errbuf *err)
{
    int error = erase_recent(e, db, err);

    if (!error)
        error = erase_in_segments(e, db, err);
    if (!error && e->tombstones.len < e->keys_len * LOG_KEY_BYTES)
        error = erase_old(e, db, err);
    if (!error && buffer_error(&e->tombstones))
        error = errbuf_fail(err, LM_ENOMEM, "no memory for the keys of logs");
    if (!error && e->has_damage && e->tombstones.len < e->keys_len * LOG_KEY_BYTES)
        error = errbuf_fail(err, LM_EIO, "%s", e->damage.text);
    return error;
}

int store_sqlite_eraser_erase(struct store_sqlite_eraser *e, struct sqlite_db *db, bool remembers,
                              size_t *erased, struct errbuf *err)
{
    buffer_clear(&e->tombstones);
    e->has_damage = false;
    /* Or the end of a page that is freed, and at once used again, keeps what was there. */
    int error = sqlite_db_overwrite(db, remembers, err);
    if (!error)
        error = erase_all(e, db, err);
    if (!error && remembers && e->tombstones.len > 0)
        error = remember(e, db, err);
    if (!error)
        error = count_up(db, err);
    if (!error)
        *erased = e->tombstones.len / LOG_KEY_BYTES;
    int failure = sqlite_db_overwrite(db, false, error ? NULL : err);
    return error ? error : failure;
}
