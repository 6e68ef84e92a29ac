#include "store/sqlite/expire.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "block/select.h"
#include "store/sqlite/recent_store.h"
#include "store/sqlite/segment.h"

enum {
    SHRINK_PIECES = 64,         /* at most so many of one transaction: each is some blocks, or … */
    SHRINK_OLD_ROWS = 2000,     /* … rows that an older logmill left */
    RECENT_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
};

/* Prepared: one step of `sql` whose first parameter is the lowest key of that time. */
static int bind_time(struct sqlite_db *db, const char *sql, int64_t before_us, sqlite3_stmt **stmt,
                     struct errbuf *err)
{
    const struct log_key key = {.timestamp_us = before_us};
    char packed[LOG_KEY_BYTES];
    int error = sqlite_db_statement(db, sql, stmt, err);

    if (error)
        return error;
    log_key_pack_ordered(&key, packed);
    sqlite3_bind_blob(*stmt, 1, packed, sizeof(packed), SQLITE_TRANSIENT);
    return 0;
}

/*
 * What is damaged is left: it goes when all that is in it is too old. For errors of reading alone,
 * nothing written yet.
 */
static int forgive_damage(int error)
{
    return error == LM_EIO ? 0 : error;
}

/* ---- Rows that an older logmill left ---- */

/* The key up to which may be deleted: that of the row after max_rows, or `before_us` itself. */
static int find_boundary(struct sqlite_db *db, int64_t before_us, size_t max_rows,
                         struct log_key *boundary, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT timestamp, id FROM logs WHERE timestamp < ? "
                                    "ORDER BY timestamp, id LIMIT 1 OFFSET ?",
                                    &stmt, err);

    *boundary =
        (struct log_key){.timestamp_us = before_us}; /* such an id comes before every other */
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, before_us);
    sqlite3_bind_int64(stmt, 2, (int64_t)max_rows);
    int rc = sqlite3_step(stmt);
    const void *id = rc == SQLITE_ROW ? sqlite3_column_blob(stmt, 1) : NULL;
    if (id && sqlite3_column_bytes(stmt, 1) == sizeof(boundary->id.bytes)) {
        boundary->timestamp_us = sqlite3_column_int64(stmt, 0);
        memcpy(boundary->id.bytes, id, sizeof(boundary->id.bytes));
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

static int expire_old(struct sqlite_db *db, int64_t before_us, size_t max_rows, size_t *deleted,
                      struct errbuf *err)
{
    struct log_key boundary;
    sqlite3_stmt *stmt;
    int error = find_boundary(db, before_us, max_rows, &boundary, err);

    if (!error)
        error =
            sqlite_db_statement(db, "DELETE FROM logs WHERE (timestamp, id) < (?, ?)", &stmt, err);
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, boundary.timestamp_us);
    sqlite3_bind_blob(stmt, 2, boundary.id.bytes, sizeof(boundary.id.bytes), SQLITE_TRANSIENT);
    error = sqlite_db_run(db, stmt, err);
    if (!error)
        *deleted += (size_t)sqlite3_changes64(db->handle);
    return error;
}

/* ---- Recent logs ---- */

/* A row of `recent` without its logs that are too old. */
struct kept {
    struct buffer logs;
    size_t rows;
    struct log_key first, highest;
};

static int keep_newer(struct slice logs, int64_t before_us, struct kept *kept, size_t *left_out,
                      struct errbuf *err)
{
    struct block_row row;
    int error;

    while (!(error = block_raw_next(&logs, &row, err))) {
        const struct log_key *key = &row.record.key;

        if (key->timestamp_us < before_us) {
            ++*left_out;
            continue;
        }
        block_raw_append(&kept->logs, &row);
        if (kept->rows == 0 || log_key_compare(key, &kept->first) < 0)
            kept->first = *key;
        if (kept->rows == 0 || log_key_compare(key, &kept->highest) > 0)
            kept->highest = *key;
        kept->rows++;
    }
    if (error == LM_ENOTFOUND)
        error = buffer_error(&kept->logs);
    return error;
}

static int replace(struct sqlite_db *db, int64_t last, const struct kept *kept, struct errbuf *err)
{
    return recent_store_replace(db,
                                &(struct recent_row){.last = last,
                                                     .rows = kept->rows,
                                                     .first = kept->first,
                                                     .highest = kept->highest,
                                                     .logs = buffer_slice(&kept->logs)},
                                err);
}

static int thin_recent(struct sqlite_db *db, int64_t last, int64_t before_us, size_t *deleted,
                       struct errbuf *err)
{
    struct kept kept = {0};
    size_t left_out = 0;
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT logs FROM recent WHERE last = ?", &stmt, err);

    if (error)
        return error;
    buffer_init(&kept.logs, RECENT_BYTES_MAX);
    sqlite3_bind_int64(stmt, 1, last);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *logs = sqlite3_column_blob(stmt, 0);

        error = keep_newer(slice_of(logs, (size_t)sqlite3_column_bytes(stmt, 0)), before_us, &kept,
                           &left_out, err);
    } else {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    if (error)
        left_out = 0;
    error = forgive_damage(error);
    if (!error && left_out > 0)
        error = kept.rows > 0 ? replace(db, last, &kept, err) : recent_store_delete(db, last, err);
    if (!error)
        *deleted += left_out;
    buffer_release(&kept.logs);
    return error;
}

/*
 * Those rows that hold something too old, and such of which that is not known, since their keys are
 * damaged: their numbers, and how many logs if they hold no other.
 */
struct stale {
    int64_t last;
    size_t whole;
};

static int find_stale(struct sqlite_db *db, int64_t before_us, struct stale **stale, size_t *n,
                      struct errbuf *err)
{
    size_t capacity = 0;
    sqlite3_stmt *stmt;
    int rc;
    int error = bind_time(
        db,
        "SELECT last, CASE WHEN highest < ?1 AND length(highest) = 24 THEN rows ELSE 0 END "
        "FROM recent WHERE first < ?1 OR length(first) <> 24",
        before_us, &stmt, err);

    *stale = NULL;
    *n = 0;
    if (error)
        return error;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *stale = array_reserve(*stale, &capacity, *n + 1, sizeof(**stale));
        (*stale)[(*n)++] = (struct stale){.last = sqlite3_column_int64(stmt, 0),
                                          .whole = (size_t)sqlite3_column_int64(stmt, 1)};
    }
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int expire_recent(struct sqlite_db *db, int64_t before_us, size_t *deleted,
                         struct errbuf *err)
{
    struct stale *stale;
    size_t n;
    int error = find_stale(db, before_us, &stale, &n, err);

    for (size_t i = 0; !error && i < n; i++) {
        if (stale[i].whole == 0) {
            error = thin_recent(db, stale[i].last, before_us, deleted, err);
            continue;
        }
        error = recent_store_delete(db, stale[i].last, err);
        if (!error)
            *deleted += stale[i].whole;
    }
    free(stale);
    return error;
}

/* ---- Segments ---- */

/* The segment that `sql`, which may take the lowest key of before_us, finds first. */
static int find_segment(struct sqlite_db *db, const char *sql, int64_t before_us, struct segment *s,
                        bool *found, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = bind_time(db, sql, before_us, &stmt, err);

    *found = false;
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    if (*found)
        error = segment_take(db, stmt, s, err);
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int expire_whole(struct sqlite_db *db, int64_t before_us, size_t max_rows, size_t *deleted,
                        struct errbuf *err)
{
    struct segment s;
    bool found;
    int error = 0;

    while (!error && *deleted < max_rows) {
        error = find_segment(db,
                             "SELECT " SEGMENT_COLUMNS
                             " FROM segments WHERE last < ? AND " SEGMENT_IS_WHOLE
                             " ORDER BY last LIMIT 1",
                             before_us, &s, &found, err);
        if (error || !found)
            break;
        error = segment_delete(db, s.number, err);
        if (!error)
            *deleted += s.rows - s.erased;
    }
    return error;
}

/* Leaves in `rows`, all zeroes, those of the open block that are too old; the times ascend. */
static int find_too_old(struct block_reader *r, size_t n, int64_t before_us, uint64_t *rows,
                        struct errbuf *err)
{
    const int64_t *times_us;
    int error = block_times(r, &times_us, err);

    for (size_t row = 0; !error && row < n && times_us[row] < before_us; row++)
        rows[row / 64] |= UINT64_C(1) << row % 64;
    return error;
}

static int mark_too_old(struct sqlite_db *db, const struct segment *s,
                        const struct block_head *head, int64_t before_us, size_t *deleted,
                        struct errbuf *err)
{
    uint64_t *rows = xcalloc(BLOCK_ROW_WORDS(head->rows), sizeof(*rows));
    struct block_reader *reader = block_reader_new();
    struct segment_blob blob = {0};
    size_t marked = 0;
    bool any;
    int error = segment_blob_open(&blob, db, head->number, err);

    if (!error)
        error = block_open(reader, &blob.source, head, err);
    if (!error)
        error = find_too_old(reader, head->rows, before_us, rows, err);
    block_reader_free(reader);
    segment_blob_close(&blob);
    if (!error)
        error = segment_unmark(db, head->number, rows, head->rows, &any, err);
    if (error) {
        free(rows);
        return forgive_damage(error);
    }
    for (size_t i = 0; !error && i < BLOCK_ROW_WORDS(head->rows); i++)
        marked += (size_t)__builtin_popcountll(rows[i]);
    if (!error && marked > 0)
        error = segment_mark(db, s, head, rows, err);
    if (!error)
        *deleted += marked;
    free(rows);
    return error;
}

/* Of those that are older, how many rows are there? */
static int count_leading(struct sqlite_db *db, const struct block_head *heads, size_t n,
                         size_t *rows, struct errbuf *err)
{
    int error = 0;

    *rows = 0;
    for (size_t i = 0; !error && i < n; i++) {
        size_t words = BLOCK_ROW_WORDS(heads[i].rows);
        uint64_t *alive = xmalloc(words * sizeof(*alive));
        bool any;

        memset(alive, 0xff, words * sizeof(*alive));
        alive[words - 1] >>= (words * 64 - heads[i].rows);
        error = segment_unmark(db, heads[i].number, alive, heads[i].rows, &any, err);
        for (size_t k = 0; !error && k < words; k++)
            *rows += (size_t)__builtin_popcountll(alive[k]);
        free(alive);
    }
    return error;
}

/* Some blocks of the segment are too old, and maybe some rows of the next one. */
static int expire_part(struct sqlite_db *db, const struct segment *s, int64_t before_us,
                       size_t *deleted, size_t *dropped, struct errbuf *err)
{
    struct block_head *heads = NULL;
    size_t len, n = 0, rows = 0;
    int error = segment_heads(db, s, &heads, &len, err);

    if (error)
        return forgive_damage(error);
    while (n < len && heads[n].last.timestamp_us < before_us)
        n++;
    if (n < len && heads[n].first.timestamp_us < before_us)
        error = mark_too_old(db, s, &heads[n], before_us, deleted, err);
    if (!error)
        error = forgive_damage(count_leading(db, heads, n, &rows, err));
    if (!error)
        error = segment_drop_leading(db, s, (uint32_t)n, err);
    if (!error) {
        *deleted += rows;
        *dropped += n;
    }
    free(heads);
    return error;
}

/* The next of those in which the boundary lies, after number `after`. */
static int find_parts(struct sqlite_db *db, int64_t before_us, int64_t after,
                      struct segment parts[EXPIRE_PARTS_MAX], size_t *len, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_DONE;
    int error = bind_time(db,
                          "SELECT " SEGMENT_COLUMNS
                          " FROM segments WHERE first < ?1 AND number > ?2 AND " SEGMENT_IS_WHOLE
                          " ORDER BY number LIMIT ?3",
                          before_us, &stmt, err);

    *len = 0;
    if (error)
        return error;
    sqlite3_bind_int64(stmt, 2, after);
    sqlite3_bind_int64(stmt, 3, EXPIRE_PARTS_MAX);
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        error = segment_take(db, stmt, &parts[(*len)++], err);
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Goes on with the pass. A boundary that has moved meanwhile is one for another pass, later: it
 * moves on all the time, and a pass would follow upon the other for ever. */
static int expire_parts(struct sqlite_db *db, int64_t before_us, struct expire_pass *pass,
                        size_t *deleted, bool *more, struct errbuf *err)
{
    struct segment parts[EXPIRE_PARTS_MAX];
    size_t len, done = 0, dropped = 0;

    int error = find_parts(db, before_us, pass->after, parts, &len, err);
    while (!error && done < len && dropped < EXPIRE_BLOCKS_MAX) {
        if (!merging_has(pass->merging, parts[done].number))
            error = expire_part(db, &parts[done], before_us, deleted, &dropped, err);
        pass->after = parts[done++].number;
    }
    bool is_end = done == len && len < EXPIRE_PARTS_MAX;
    if (is_end)
        pass->after = 0;
    *more = !is_end;
    return error;
}

int expire_before(struct sqlite_db *db, int64_t before_us, size_t max_rows,
                  struct expire_pass *pass, size_t *deleted, bool *more, struct errbuf *err)
{
    *deleted = 0;
    *more = false;
    int error = expire_old(db, before_us, max_rows, deleted, err);
    if (!error && *deleted < max_rows)
        error = expire_whole(db, before_us, max_rows, deleted, err);
    if (!error && *deleted < max_rows)
        error = expire_recent(db, before_us, deleted, err);
    if (!error && *deleted < max_rows)
        error = expire_parts(db, before_us, pass, deleted, more, err);
    *more = *more || *deleted >= max_rows;
    return error;
}

/* ---- By size ---- */

/* The oldest blocks of the oldest segment that are together as large as `excess`, or all. */
static int shrink_segment(struct sqlite_db *db, const struct segment *s, uint64_t excess,
                          size_t *deleted, struct errbuf *err)
{
    struct block_head *heads = NULL;
    uint64_t bytes = 0;
    size_t len, n = 0, rows;
    int error = segment_heads(db, s, &heads, &len, err);

    if (error == LM_EIO) { /* damaged: nobody can read it anyway */
        *deleted += s->rows - s->erased;
        return segment_delete(db, s->number, err);
    }
    while (!error && n < len && bytes < excess)
        bytes += heads[n++].bytes;
    if (!error)
        error = forgive_damage(count_leading(db, heads, n, &rows, err));
    if (!error)
        error = segment_drop_leading(db, s, (uint32_t)n, err);
    if (!error)
        *deleted += rows > 0 ? rows : 1; /* progress, even if all of them were erased before */
    free(heads);
    return error;
}

/* The time of the oldest row of `logs`; false: there is none. */
static int oldest_old(struct sqlite_db *db, int64_t *timestamp_us, bool *found, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT timestamp FROM logs ORDER BY timestamp LIMIT 1",
                                    &stmt, err);

    *found = false;
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    if (*found)
        *timestamp_us = sqlite3_column_int64(stmt, 0);
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Only if there is nothing else: the row with the oldest log. */
static int shrink_recent(struct sqlite_db *db, size_t *deleted, struct errbuf *err)
{
    int64_t last = 0;
    size_t rows = 0;
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "SELECT last, rows FROM recent ORDER BY first LIMIT 1", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        last = sqlite3_column_int64(stmt, 0);
        rows = (size_t)sqlite3_column_int64(stmt, 1);
    } else if (rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    if (error || rows == 0)
        return error;
    *deleted += rows;
    return recent_store_delete(db, last, err);
}

static int shrink_piece(struct sqlite_db *db, uint64_t excess, size_t *deleted, struct errbuf *err)
{
    int64_t old_us = 0;
    struct segment s;
    bool has_old, found;
    int error = oldest_old(db, &old_us, &has_old, err);

    if (!error)
        error = find_segment(db,
                             "SELECT " SEGMENT_COLUMNS
                             " FROM segments WHERE ?1 IS NOT NULL AND " SEGMENT_IS_WHOLE
                             " ORDER BY first LIMIT 1",
                             0, &s, &found, err);
    if (error)
        return error;
    if (has_old && (!found || old_us <= s.first.timestamp_us))
        return expire_old(db, INT64_MAX, SHRINK_OLD_ROWS, deleted, err);
    return found ? shrink_segment(db, &s, excess, deleted, err) : shrink_recent(db, deleted, err);
}

int expire_to_size(struct sqlite_db *db, uint64_t max_bytes, size_t *deleted, struct errbuf *err)
{
    int error = 0;

    *deleted = 0;
    for (int i = 0; !error && i < SHRINK_PIECES; i++) {
        uint64_t used = sqlite_db_used_bytes(db);
        size_t before = *deleted;

        if (used <= max_bytes)
            break;
        error = shrink_piece(db, used - max_bytes, deleted, err);
        if (*deleted == before)
            break;
    }
    return error;
}
