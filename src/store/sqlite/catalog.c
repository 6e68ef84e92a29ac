#include "store/sqlite/catalog.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/xalloc.h"

static void forget_heads(struct catalog *c, struct catalog_segment *s)
{
    c->heads_bytes -= s->heads_bytes;
    free(s->heads);
    s->heads = NULL;
    s->heads_len = s->heads_bytes = 0;
}

void catalog_clear(struct catalog *c)
{
    for (size_t i = 0; i < c->segments_len; i++)
        free(c->segments[i].heads);
    free(c->segments);
    recent_clear(&c->recent);
    *c = (struct catalog){0};
}

/* ---- Segments ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const struct catalog_segment *)a)->segment.number;
    int64_t y = ((const struct catalog_segment *)b)->segment.number;

    return (x > y) - (x < y);
}

static int read_segments(struct catalog *c, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "SELECT " SEGMENT_COLUMNS " FROM segments ORDER BY last DESC, number DESC", &stmt, err);
    int rc = SQLITE_DONE;

    if (error)
        return error;
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        c->segments = array_reserve(c->segments, &c->segments_capacity, c->segments_len + 1,
                                    sizeof(*c->segments));
        struct catalog_segment *s = &c->segments[c->segments_len++];
        *s = (struct catalog_segment){0};
        error = segment_take(db, stmt, &s->segment, err);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* What has not changed keeps its heads: those of before[0..n), which is put in another order. */
static void keep_heads(struct catalog *c, struct catalog_segment *before, size_t n)
{
    if (n > 0)
        qsort(before, n, sizeof(*before), by_number);
    for (size_t i = 0; n > 0 && i < c->segments_len; i++) {
        struct catalog_segment *s = &c->segments[i];
        struct catalog_segment *same = bsearch(s, before, n, sizeof(*before), by_number);

        if (!same || same->segment.changes != s->segment.changes)
            continue;
        s->heads = same->heads;
        s->heads_len = same->heads_len;
        s->heads_bytes = same->heads_bytes;
        s->used = same->used;
        c->heads_bytes += s->heads_bytes;
        same->heads = NULL;
    }
    for (size_t i = 0; i < n; i++)
        free(before[i].heads);
}

static int reread_segments(struct catalog *c, struct sqlite_db *db, struct errbuf *err)
{
    struct catalog_segment *before = c->segments;
    size_t n = c->segments_len;

    c->segments = NULL;
    c->segments_len = c->segments_capacity = c->heads_bytes = 0;

    int error = read_segments(c, db, err);

    keep_heads(c, before, n);
    free(before);
    return error;
}

static struct catalog_segment *longest_unused(struct catalog *c)
{
    struct catalog_segment *oldest = NULL;

    for (size_t i = 0; i < c->segments_len; i++)
        if (c->segments[i].heads && (!oldest || c->segments[i].used < oldest->used))
            oldest = &c->segments[i];
    return oldest;
}

int catalog_heads(struct catalog *c, struct sqlite_db *db, struct catalog_segment *s,
                  const struct block_head **heads, size_t *n, struct errbuf *err)
{
    int error = 0;

    if (!s->heads) {
        while (c->heads_bytes > CATALOG_HEADS_BYTES)
            forget_heads(c, longest_unused(c));
        error = segment_heads(db, &s->segment, &s->heads, &s->heads_len, err);
        if (error) {
            s->heads = NULL;
            return error;
        }
        s->heads_bytes = s->heads_len * sizeof(*s->heads);
        c->heads_bytes += s->heads_bytes;
    }
    s->used = ++c->calls;
    *heads = s->heads;
    *n = s->heads_len;
    return 0;
}

/* ---- The snapshot ---- */

static int read_sequence(struct catalog *c, struct sqlite_db *db, int64_t *changes,
                         struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "SELECT last, follow_from, changes FROM sequence", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        c->last = (uint64_t)sqlite3_column_int64(stmt, 0);
        c->follow_from = (uint64_t)sqlite3_column_int64(stmt, 1);
        *changes = sqlite3_column_int64(stmt, 2);
    } else {
        error = sqlite_db_error(db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

static int read_has_old(struct catalog *c, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "SELECT EXISTS(SELECT 1 FROM logs)", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        c->has_old = sqlite3_column_int(stmt, 0);
    else
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static int bring_up(struct catalog *c, struct sqlite_db *db, struct errbuf *err)
{
    int64_t changes = 0;
    int error = read_sequence(c, db, &changes, err);
    uint32_t version = 0;

    if (error)
        return error;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    if (c->is_known && version == c->version)
        return 0;
    if (!c->is_known || changes != c->changes) {
        recent_clear(&c->recent);
        error = reread_segments(c, db, err);
    }
    if (!error)
        error = recent_gain(&c->recent, db, err);
    if (!error)
        error = read_has_old(c, db, err);
    c->is_known = true;
    c->version = version;
    c->changes = changes;
    return error;
}

int catalog_refresh(struct catalog *c, struct sqlite_db *db, struct errbuf *err)
{
    int error = bring_up(c, db, err);

    if (error)
        catalog_clear(c);
    return error;
}
