#include "store/sqlite/strays.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "store/sqlite/walk.h"

enum { FIRST_NUMBERS = 1024 }; /* for which there is room at first */

/* Numbers of all blocks of the file, or of those that segments have. */
struct numbers {
    int64_t *items;
    size_t len, capacity;
};

static int add(struct numbers *n, int64_t number, struct errbuf *err)
{
    if (n->len == n->capacity) {
        size_t capacity = n->capacity ? 2 * n->capacity : FIRST_NUMBERS;
        int64_t *items = try_realloc(n->items, capacity * sizeof(*items));

        if (!items)
            return errbuf_fail(err, LM_ENOMEM, "no memory for the numbers of all blocks");
        n->items = items;
        n->capacity = capacity;
    }
    n->items[n->len++] = number;
    return 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* ---- Blocks ---- */

/* Whether `error`, of reading a segment, says that what is there is wrong. */
static bool is_damage(struct sqlite_db *db, int error)
{
    int rc = sqlite3_errcode(db->handle) & 0xff;

    return error == LM_EIO && (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE);
}

/* Those that segments have. *knows: none of these is damaged. */
static int find_named(struct sqlite_db *db, struct numbers *named, bool *knows, struct errbuf *err)
{
    struct segment s = {0};
    int error = 0;

    *knows = true;
    while (*knows && !error) {
        struct block_head *heads = NULL;
        size_t n = 0;

        error = walk_next(db, &s, err);
        if (!error)
            error = segment_heads(db, &s, &heads, &n, err);
        if (is_damage(db, error))
            *knows = false;
        for (size_t i = 0; !error && i < n; i++)
            error = add(named, heads[i].number, err);
        free(heads);
    }
    if (named->len > 0)
        qsort(named->items, named->len, sizeof(*named->items), compare);
    return error == LM_ENOTFOUND || !*knows ? 0 : error;
}

/* Of all blocks those that are not among `named`, which ascend. */
static int find_unnamed(struct sqlite_db *db, const struct numbers *named, struct numbers *found,
                        struct errbuf *err)
{
    sqlite3_stmt *stmt;
    size_t at = 0;
    int rc = SQLITE_DONE;
    int error = sqlite_db_statement(db, "SELECT number FROM blocks ORDER BY number", &stmt, err);

    if (error)
        return error;
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        int64_t number = sqlite3_column_int64(stmt, 0);

        while (at < named->len && named->items[at] < number)
            at++;
        if (at == named->len || named->items[at] != number)
            error = add(found, number, err);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int find_blocks(struct sqlite_db *db, struct strays *strays, struct errbuf *err)
{
    struct numbers named = {0}, found = {0};
    int error = find_named(db, &named, &strays->knows_blocks, err);

    if (!error && strays->knows_blocks)
        error = find_unnamed(db, &named, &found, err);
    free(named.items);
    strays->blocks = found.items;
    strays->blocks_len = found.len;
    return error;
}

/* ---- Filters ---- */

/* The first segment from number `from` on that has a filter; LM_ENOTFOUND. */
static int next_filter(struct sqlite_db *db, int64_t from, int64_t *segment, bool *is_there,
                       struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db,
        "SELECT place / ?2, EXISTS(SELECT 1 FROM segments WHERE number = place / ?2) "
        "FROM filters WHERE place >= ?1 ORDER BY place LIMIT 1",
        &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, from * SEGMENT_FILTER_PLACES);
    sqlite3_bind_int64(stmt, 2, SEGMENT_FILTER_PLACES);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *segment = sqlite3_column_int64(stmt, 0);
        *is_there = sqlite3_column_int(stmt, 1) != 0;
    } else {
        error = rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

static int find_filters(struct sqlite_db *db, struct strays *strays, struct errbuf *err)
{
    int64_t segment = -1;
    bool is_there = false;
    int error;

    while (!(error = next_filter(db, segment + 1, &segment, &is_there, err))) {
        if (is_there)
            continue;
        strays->segments = array_reserve(strays->segments, &strays->segments_capacity,
                                         strays->segments_len + 1, sizeof(*strays->segments));
        strays->segments[strays->segments_len++] = segment;
    }
    return error == LM_ENOTFOUND ? 0 : error;
}

int strays_find(struct sqlite_db *db, struct strays *strays, struct errbuf *err)
{
    *strays = (struct strays){0};
    int error = find_blocks(db, strays, err);
    return error ? error : find_filters(db, strays, err);
}

void strays_release(struct strays *strays)
{
    free(strays->blocks);
    free(strays->segments);
    *strays = (struct strays){0};
}

/* ---- Deleting them ---- */

static int delete_some(struct sqlite_db *db, const char *sql, const int64_t *numbers, size_t *len,
                       struct errbuf *err)
{
    int error = 0;

    for (size_t i = 0; !error && *len > 0 && i < STRAYS_AT_ONCE; i++) {
        sqlite3_stmt *stmt;

        error = sqlite_db_statement(db, sql, &stmt, err);
        if (error)
            break;
        sqlite3_bind_int64(stmt, 1, numbers[--*len]);
        if (sqlite3_bind_parameter_count(stmt) > 1)
            sqlite3_bind_int64(stmt, 2, SEGMENT_FILTER_PLACES);
        error = sqlite_db_run(db, stmt, err);
    }
    return error;
}

/* Those of blocks that have just gone, too. */
static int delete_marks(struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "DELETE FROM erased WHERE block NOT IN (SELECT number FROM blocks)", &stmt, err);

    return error ? error : sqlite_db_run(db, stmt, err);
}

int strays_delete(struct sqlite_db *db, struct strays *strays, bool *more, struct errbuf *err)
{
    int error = delete_some(db, "DELETE FROM blocks WHERE number = ?", strays->blocks,
                            &strays->blocks_len, err);

    if (!error)
        error =
            delete_some(db, "DELETE FROM filters WHERE place >= ?1 * ?2 AND place < (?1 + 1) * ?2",
                        strays->segments, &strays->segments_len, err);
    *more = strays->blocks_len > 0 || strays->segments_len > 0;
    return error || *more ? error : delete_marks(db, err);
}
