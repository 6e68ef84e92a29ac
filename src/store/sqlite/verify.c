/*
 * Whether all of the file is whole: first what SQLite says of its pages, then each table by what is
 * to be true of it. Each segment is looked at in a snapshot of its own, with what it overlaps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "block/filter.h"
#include "block/hashes.h"
#include "block/raw.h"
#include "block/select.h"
#include "store/inspect.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/segment.h"
#include "store/sqlite/strays.h"
#include "store/sqlite/summary.h"
#include "store/sqlite/walk.h"

enum {
    CACHE_KIB = 1024,
    SAMPLE = 256, /* of so many logs of a block one is looked for in the filter */
    FILTER_ROW_BYTES_MAX = SEGMENT_BLOCKS_MAX * BLOCK_FILTER_BUCKET_BYTES,
};

struct check {
    struct sqlite_db db;
    const struct store_verifier *v;
    struct store_verified *all;
    struct log_key *recent; /* keys of recent logs in the snapshot, ascending */
    size_t recent_len;
    size_t recent_capacity;
    struct block_reader *block;
    struct block_reader *other; /* one that overlaps it */
    struct block_hashes *hashes;
    struct buffer row; /* of a filter */
};

/* ---- Telling ---- */

/* A damage that costs logs of a range of time. */
static void tell(struct check *c, const char *what, const struct log_key *first,
                 const struct log_key *last, uint64_t logs, const char *reason)
{
    c->all->damages++;
    c->v->found(&(struct store_damage){.what = what,
                                       .reason = reason,
                                       .from_us = first ? first->timestamp_us : 0,
                                       .to_us = last ? last->timestamp_us : 0,
                                       .logs = logs},
                c->v->ctx);
}

static void tell_segment(struct check *c, const struct segment *s, const char *reason)
{
    char what[64];

    snprintf(what, sizeof(what), "segment %" PRId64, s->number);
    tell(c, what, &s->first, &s->last, s->rows, reason);
}

static void tell_block(struct check *c, const struct segment *s, const struct block_head *head,
                       const char *reason)
{
    char what[64];

    snprintf(what, sizeof(what), "block %" PRId64 " of segment %" PRId64, head->number, s->number);
    tell(c, what, &head->first, &head->last, head->rows, reason);
}

static void count_logs(struct check *c, uint64_t n)
{
    c->all->logs += n;
    c->v->progress(c->all->logs, c->v->ctx);
}

static bool is_same(const struct log_key *a, const struct log_key *b)
{
    return log_key_compare(a, b) == 0;
}

/* ---- Recent logs ---- */

struct recent_row {
    uint64_t rows;
    uint64_t sequence; /* of the last log so far */
    struct log_key first, highest;
};

static const char *check_raw(struct check *c, struct slice logs, struct recent_row *found)
{
    struct errbuf err = ERRBUF_INIT;
    struct block_row row;
    int error;

    while (!(error = block_raw_next(&logs, &row, &err))) {
        const struct log_key *key = &row.record.key;

        if (row.sequence <= found->sequence)
            return "its logs are not in the order of storing";
        found->sequence = row.sequence;
        if (found->rows == 0 || log_key_compare(key, &found->first) < 0)
            found->first = *key;
        if (found->rows == 0 || log_key_compare(key, &found->highest) > 0)
            found->highest = *key;
        found->rows++;
        c->recent =
            array_reserve(c->recent, &c->recent_capacity, c->recent_len + 1, sizeof(*c->recent));
        c->recent[c->recent_len++] = *key;
    }
    return error == LM_ENOTFOUND ? NULL : "a log in it is not what its checksum says";
}

static bool column_is_key(sqlite3_stmt *stmt, int column, const struct log_key *key)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack_ordered(key, packed);
    return sqlite3_column_bytes(stmt, column) == LOG_KEY_BYTES &&
           memcmp(sqlite3_column_blob(stmt, column), packed, LOG_KEY_BYTES) == 0;
}

/* The row that `stmt` stands on, after one whose number is `before`. */
static void check_recent_row(struct check *c, sqlite3_stmt *stmt, uint64_t before, bool tells)
{
    uint64_t last = (uint64_t)sqlite3_column_int64(stmt, 0);
    uint64_t rows = (uint64_t)sqlite3_column_int64(stmt, 1);
    struct recent_row found = {.sequence = before};
    const char *reason = check_raw(c, sqlite_db_column_text(stmt, 4), &found);
    struct log_key first = {0}, highest = {0};
    char what[64];

    if (!reason &&
        (found.rows != rows || found.sequence > last || !column_is_key(stmt, 2, &found.first) ||
         !column_is_key(stmt, 3, &found.highest)))
        reason = "it does not hold what is said of it";
    if (!tells)
        return;
    count_logs(c, found.rows);
    if (!reason)
        return;
    uint64_t lost = rows > found.rows ? rows - found.rows : 1;
    if (sqlite3_column_bytes(stmt, 2) == LOG_KEY_BYTES &&
        sqlite3_column_bytes(stmt, 3) == LOG_KEY_BYTES) {
        log_key_unpack_ordered(sqlite3_column_blob(stmt, 2), &first);
        log_key_unpack_ordered(sqlite3_column_blob(stmt, 3), &highest);
    } else { /* of which time is not known */
        lost = 0;
    }
    snprintf(what, sizeof(what), "row %" PRIu64 " of the recent logs", last);
    tell(c, what, &first, &highest, lost, reason);
}

static int compare_keys(const void *a, const void *b)
{
    return log_key_compare(a, b);
}

/* Fills c->recent; `tells`: and tells what is wrong. In a snapshot. */
static int check_recent(struct check *c, bool tells, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    uint64_t before = 0;
    int rc;
    int error = sqlite_db_statement(
        &c->db, "SELECT last, rows, first, highest, logs FROM recent ORDER BY last", &stmt, err);

    c->recent_len = 0;
    if (error)
        return error;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        check_recent_row(c, stmt, before, tells);
        before = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(&c->db, rc, err);
    sqlite3_reset(stmt);
    if (c->recent_len > 0)
        qsort(c->recent, c->recent_len, sizeof(*c->recent), compare_keys);
    for (size_t i = 1; tells && i < c->recent_len; i++)
        if (is_same(&c->recent[i], &c->recent[i - 1]))
            tell(c, "the recent logs", &c->recent[i], &c->recent[i], 1, "a log is there twice");
    return error;
}

/* ---- Blocks ---- */

static const char *check_keys(const struct log_key *keys, const struct block_head *head)
{
    for (size_t i = 1; i < head->rows; i++)
        if (log_key_compare(&keys[i - 1], &keys[i]) >= 0)
            return "its logs are not in order";
    return is_same(&keys[0], &head->first) && is_same(&keys[head->rows - 1], &head->last)
               ? NULL
               : "its first or last log is not the one that its head names";
}

static const char *check_levels(struct block_reader *r, const struct block_head *head,
                                struct errbuf *err)
{
    uint32_t counts[BLOCK_HEAD_LEVELS_MAX] = {0};
    const uint16_t *codes;
    const struct slice *levels;
    size_t n;

    if (block_levels(r, &codes, &levels, &n, err))
        return err->text;
    for (size_t row = 0; row < head->rows && head->levels_len > 0; row++) {
        unsigned k = 0;

        while (k < head->levels_len && !slice_equal(head->levels[k].level, levels[codes[row]]))
            k++;
        if (k == head->levels_len)
            return "it has a level that its head does not count";
        counts[k]++;
    }
    for (unsigned k = 0; k < head->levels_len; k++)
        if (counts[k] != head->levels[k].rows)
            return "its levels are not as many as its head counts";
    return NULL;
}

static const char *check_sequences(struct block_reader *r, const struct block_head *head,
                                   struct errbuf *err)
{
    const uint64_t *sequences;

    if (block_sequences(r, &sequences, err))
        return err->text;
    if (head->last_sequence == 0) /* compaction has kept the block, and forgotten them */
        return NULL;
    for (size_t row = 0; sequences && row < head->rows; row++)
        if (sequences[row] < head->first_sequence || sequences[row] > head->last_sequence)
            return "its numbers in the order of storing are not those that its head names";
    return NULL;
}

/* ---- Filters ---- */

/* Whether the block's filter knows all hashes of a log, its words and values. */
static const char *check_hashes(struct check *c, const struct segment *s, uint32_t place)
{
    const uint64_t *hashes;
    size_t n;

    block_hashes_get(c->hashes, &hashes, &n);
    for (size_t i = 0; i < n; i++) {
        buffer_clear(&c->row);
        if (segment_filter_row(&c->db, s, hashes[i], &c->row, NULL))
            return "its filter is damaged";
        if (!block_filter_may_hold(c->row.data, place, hashes[i]))
            return "its filter lacks a word or value of one of its logs";
    }
    return NULL;
}

static const char *check_filter(struct check *c, const struct segment *s,
                                const struct block_head *head, uint32_t place, struct errbuf *err)
{
    const char *reason = NULL;

    for (size_t row = 0; !reason && s->buckets > 0 && row < head->rows; row += SAMPLE) {
        struct record record;

        if (block_record(c->block, row, &record, err))
            return err->text;
        block_hashes_clear(c->hashes);
        block_hashes_add_text(c->hashes, record.message);
        if (s->hashed >> place & 1)
            block_hashes_add_object(c->hashes, record.attributes);
        else
            block_hashes_add_top(c->hashes, record.attributes);
        if (block_hashes_error(c->hashes))
            return "no memory for one of its logs";
        reason = check_hashes(c, s, place);
    }
    return reason;
}

/* ---- Logs that are there twice ---- */

static bool holds(const struct log_key *keys, size_t n, const struct log_key *key)
{
    return n > 0 && bsearch(key, keys, n, sizeof(*keys), compare_keys);
}

static const char *compare_with_recent(const struct check *c, const struct block_head *head,
                                       const struct log_key *keys, const uint64_t *rows)
{
    for (size_t i = 0; i < c->recent_len; i++) {
        const struct log_key *at;

        if (log_key_compare(&c->recent[i], &head->first) < 0 ||
            log_key_compare(&c->recent[i], &head->last) > 0)
            continue;
        at = bsearch(&c->recent[i], keys, head->rows, sizeof(*keys), compare_keys);
        if (at && rows[(at - keys) / 64] >> (at - keys) % 64 & 1)
            return "one of its logs is among the recent ones, too";
    }
    return NULL;
}

static const char *compare_with_old(struct check *c, const struct block_head *head,
                                    const struct log_key *keys, struct errbuf *err)
{
    const char *reason = NULL;
    sqlite3_stmt *stmt;

    if (sqlite_db_statement(
            &c->db, "SELECT timestamp, id FROM logs WHERE timestamp BETWEEN ? AND ?", &stmt, err))
        return err->text;
    sqlite3_bind_int64(stmt, 1, head->first.timestamp_us);
    sqlite3_bind_int64(stmt, 2, head->last.timestamp_us);
    while (!reason && sqlite3_step(stmt) == SQLITE_ROW) {
        struct log_key key = {.timestamp_us = sqlite3_column_int64(stmt, 0)};

        if (sqlite3_column_bytes(stmt, 1) != sizeof(key.id.bytes))
            continue;
        memcpy(key.id.bytes, sqlite3_column_blob(stmt, 1), sizeof(key.id.bytes));
        if (holds(keys, head->rows, &key))
            reason = "one of its logs is among those of an older logmill, too";
    }
    sqlite3_reset(stmt);
    return reason;
}

/* All rows of a block but those that are marked, as a set. */
static int live_rows(struct check *c, const struct block_head *head, uint64_t *rows,
                     struct errbuf *err)
{
    bool any;

    memset(rows, 0xff, BLOCK_ROW_WORDS(head->rows) * sizeof(*rows));
    return segment_unmark(&c->db, head->number, rows, head->rows, &any, err);
}

static bool has_row(const uint64_t *rows, size_t row)
{
    return rows[row / 64] >> row % 64 & 1;
}

/* Whether two blocks have a log in common, the second being `other`. A damaged one has none. */
static bool have_common(struct check *c, const struct block_head *head, const struct log_key *keys,
                        const uint64_t *rows, const struct block_head *other)
{
    uint64_t other_rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];
    struct segment_blob blob = {0};
    const struct log_key *other_keys;
    bool common = false;

    if (!segment_blob_open(&blob, &c->db, other->number, NULL) &&
        !block_open(c->other, &blob.source, other, NULL) &&
        !block_keys(c->other, &other_keys, NULL) && !live_rows(c, other, other_rows, NULL)) {
        size_t j = 0;

        for (size_t i = 0; !common && i < head->rows; i++) {
            while (j < other->rows && log_key_compare(&other_keys[j], &keys[i]) < 0)
                j++;
            common = j < other->rows && is_same(&other_keys[j], &keys[i]) && has_row(rows, i) &&
                     has_row(other_rows, j);
        }
    }
    block_close(c->other);
    segment_blob_close(&blob);
    return common;
}

/* A segment before the one that is looked at, and overlaps it. */
struct neighbour {
    struct segment segment;
    struct block_head *heads;
    size_t n;
};

struct neighbours {
    struct neighbour *items;
    size_t len;
    size_t capacity;
};

static const char *compare_with_neighbours(struct check *c, const struct neighbours *all,
                                           const struct block_head *head,
                                           const struct log_key *keys, const uint64_t *rows)
{
    for (size_t i = 0; i < all->len; i++)
        for (size_t k = 0; k < all->items[i].n; k++) {
            const struct block_head *other = &all->items[i].heads[k];

            if (log_key_compare(&other->first, &head->last) <= 0 &&
                log_key_compare(&other->last, &head->first) >= 0 &&
                have_common(c, head, keys, rows, other))
                return "one of its logs is in another segment, too";
        }
    return NULL;
}

/* ---- A block ---- */

static const char *check_open_block(struct check *c, const struct segment *s,
                                    const struct block_head *head, uint32_t place,
                                    const struct neighbours *neighbours, struct errbuf *err)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];
    const struct log_key *keys;
    const char *reason;

    if (block_verify(c->block, err) || block_keys(c->block, &keys, err))
        return err->text;
    if (block_rows(c->block) != head->rows)
        return "it has not as many logs as its head says";
    if (live_rows(c, head, rows, err))
        return err->text;
    reason = check_keys(keys, head);
    if (!reason)
        reason = check_levels(c->block, head, err);
    if (!reason)
        reason = check_sequences(c->block, head, err);
    if (!reason)
        reason = check_filter(c, s, head, place, err);
    if (!reason)
        reason = compare_with_recent(c, head, keys, rows);
    if (!reason)
        reason = compare_with_old(c, head, keys, err);
    return reason ? reason : compare_with_neighbours(c, neighbours, head, keys, rows);
}

static void check_block(struct check *c, const struct segment *s, const struct block_head *head,
                        uint32_t place, const struct neighbours *neighbours)
{
    struct segment_blob blob = {0};
    struct errbuf err = ERRBUF_INIT;
    const char *reason;

    if (segment_blob_open(&blob, &c->db, head->number, &err) ||
        block_open(c->block, &blob.source, head, &err))
        reason = err.text;
    else
        reason = check_open_block(c, s, head, place, neighbours, &err);
    if (reason)
        tell_block(c, s, head, reason[0] ? reason : "it cannot be read");
    block_close(c->block);
    segment_blob_close(&blob);
    c->all->blocks++;
    count_logs(c, head->rows);
}

/* ---- A segment ---- */

static const char *check_heads(const struct segment *s, const struct block_head *heads, size_t n)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < n; i++) {
        rows += heads[i].rows;
        if (log_key_compare(&heads[i].first, &heads[i].last) > 0 ||
            (i > 0 && log_key_compare(&heads[i - 1].last, &heads[i].first) >= 0))
            return "its blocks are not in order";
    }
    if (n != s->blocks - s->gone || rows != s->rows || n == 0 ||
        !is_same(&heads[0].first, &s->first) || !is_same(&heads[n - 1].last, &s->last))
        return "its heads are not what its row says";
    return NULL;
}

static const char *check_marks(struct check *c, const struct segment *s,
                               const struct block_head *heads, size_t n, struct errbuf *err)
{
    uint64_t erased = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)];

        if (live_rows(c, &heads[i], rows, err))
            return err->text;
        for (size_t row = 0; row < heads[i].rows; row++)
            erased += !has_row(rows, row);
    }
    return erased == s->erased ? NULL : "not as many logs are marked as erased as its row says";
}

static void release_neighbours(struct neighbours *all)
{
    for (size_t i = 0; i < all->len; i++)
        free(all->items[i].heads);
    free(all->items);
}

/* Their heads; one that is damaged is told when its turn comes. */
static int find_neighbours(struct check *c, const struct segment *s, struct neighbours *all,
                           struct errbuf *err)
{
    char packed[LOG_KEY_BYTES];
    sqlite3_stmt *stmt;
    int rc = SQLITE_DONE;
    int error = sqlite_db_statement(&c->db,
                                    "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number < ?1 "
                                    "AND last >= ?2 AND first <= ?3",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->number);
    log_key_pack_ordered(&s->first, packed);
    sqlite3_bind_blob(stmt, 2, packed, sizeof(packed), SQLITE_TRANSIENT);
    log_key_pack_ordered(&s->last, packed);
    sqlite3_bind_blob(stmt, 3, packed, sizeof(packed), SQLITE_TRANSIENT);
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        all->items = array_reserve(all->items, &all->capacity, all->len + 1, sizeof(*all->items));
        all->items[all->len] = (struct neighbour){0};
        if (segment_take(&c->db, stmt, &all->items[all->len].segment, NULL) == 0)
            all->len++;
    }
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(&c->db, rc, err);
    sqlite3_reset(stmt);
    for (size_t i = 0; !error && i < all->len; i++) {
        struct neighbour *other = &all->items[i];

        if (segment_heads(&c->db, &other->segment, &other->heads, &other->n, NULL))
            other->n = 0;
    }
    return error;
}

/* Damage costs no log and no answer, but time. */
static int check_summary(struct check *c, const struct segment *s, struct errbuf *err)
{
    bool is_whole;
    int error = summary_verify(&c->db, s->number, &is_whole, err);

    if (!error && !is_whole)
        tell_segment(c, s, "its summary is damaged");
    return error;
}

static int check_segment(struct check *c, const struct segment *s, struct errbuf *err)
{
    struct neighbours neighbours = {0};
    struct block_head *heads = NULL;
    struct errbuf reason = ERRBUF_INIT;
    size_t n = 0;
    int error = segment_heads(&c->db, s, &heads, &n, &reason);
    const char *wrong = error ? reason.text : check_heads(s, heads, n);

    c->all->segments++;
    if (!error && !wrong)
        wrong = check_marks(c, s, heads, n, &reason);
    if (wrong)
        tell_segment(c, s, wrong[0] ? wrong : "its heads cannot be read");
    error = check_summary(c, s, err);
    if (!error)
        error = check_recent(c, false, err);
    if (!error)
        error = find_neighbours(c, s, &neighbours, err);
    for (size_t i = 0; !error && i < n; i++)
        check_block(c, s, &heads[i], s->gone + (uint32_t)i, &neighbours);
    release_neighbours(&neighbours);
    free(heads);
    return error;
}

static int check_segments(struct check *c, struct errbuf *err)
{
    struct segment s = {0};
    int error = 0;

    while (!error) {
        struct errbuf reason = ERRBUF_INIT;
        int64_t before = s.number;

        error = walk_begin(&c->db, err);
        if (error)
            return error;
        error = walk_next(&c->db, &s, &reason);
        if (!error) {
            error = check_segment(c, &s, err);
        } else if (error != LM_ENOTFOUND && s.number > before) {
            s.rows = 0;
            tell_segment(c, &s, reason.text);
            error = 0;
        } else if (error != LM_ENOTFOUND) {
            errbuf_set(err, "%s", reason.text);
        }
        walk_end(&c->db);
    }
    return error == LM_ENOTFOUND ? 0 : error;
}

/* ---- The rest ---- */

static int check_pages(struct check *c, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc;
    int error = sqlite_db_statement(&c->db, "PRAGMA quick_check(20)", &stmt, err);

    if (error)
        return error;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        if (text && strcmp(text, "ok") != 0)
            tell(c, "the file", NULL, NULL, 0, text);
    }
    sqlite3_reset(stmt);
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(&c->db, rc, err);
    if (error == LM_EIO) { /* what can be read is looked at all the same */
        tell(c, "the file", NULL, NULL, 0, err->text);
        error = 0;
    }
    return error;
}

static void tell_strays(struct check *c, const char *what, size_t n, const char *reason)
{
    char text[128];

    snprintf(text, sizeof(text), "%zu are %s: `logmill store compact` removes them", n, reason);
    if (n > 0)
        tell(c, what, NULL, NULL, 0, text);
}

/* What nothing leads to: it costs no log, but room. */
static int check_strays(struct check *c, struct errbuf *err)
{
    struct strays strays;
    int error = strays_find(&c->db, &strays, err);

    if (!error) {
        tell_strays(c, "the blocks", strays.blocks_len, "of no segment");
        tell_strays(c, "the filters", strays.segments_len, "of segments that are not there");
    }
    strays_release(&strays);
    return error;
}

static int check_rest(struct check *c, struct errbuf *err)
{
    static const struct {
        const char *sql;
        const char *what;
        const char *reason;
    } rest[] = {
        {"SELECT count(*) FROM erased WHERE block NOT IN (SELECT number FROM blocks)", "the marks",
         "some are of blocks that are not there: `logmill store compact` removes them"},
        {"SELECT count(*) FROM tombstones WHERE length(keys) % 24 <> 0 OR length(keys) = 0 "
         "OR substr(keys, 1, 24) <> first OR substr(keys, -24) <> last",
         "the tombstones", "some are not what their rows say"},
    };
    int error = walk_begin(&c->db, err);

    if (error)
        return error;
    error = check_strays(c, err);
    for (size_t i = 0; !error && i < sizeof(rest) / sizeof(rest[0]); i++) {
        uint64_t n;

        error = walk_number(&c->db, rest[i].sql, &n, err);
        if (!error && n != 0)
            tell(c, rest[i].what, NULL, NULL, 0, rest[i].reason);
    }
    walk_end(&c->db);
    return error;
}

static int check_all(struct check *c, struct errbuf *err)
{
    uint64_t old = 0;
    int error = check_pages(c, err);

    if (!error)
        error = check_recent(c, true, err);
    if (!error)
        error = check_segments(c, err);
    if (!error)
        error = check_rest(c, err);
    if (!error)
        error = walk_number(&c->db, "SELECT count(*) FROM logs", &old, err);
    if (!error)
        count_logs(c, old);
    return error;
}

int store_sqlite_verify(struct store *base, const struct store_verifier *v,
                        struct store_verified *all, struct errbuf *err)
{
    struct store_sqlite *s = (struct store_sqlite *)base;
    struct sqlite_db_options options = store_sqlite_db_options(s, CACHE_KIB, true);
    struct check c = {.v = v, .all = all};
    int error = sqlite_db_open(&c.db, &options, err);

    if (error)
        return error;
    c.block = block_reader_new();
    c.other = block_reader_new();
    c.hashes = block_hashes_new();
    buffer_init(&c.row, FILTER_ROW_BYTES_MAX);
    error = check_all(&c, err);
    block_reader_free(c.block);
    block_reader_free(c.other);
    block_hashes_free(c.hashes);
    buffer_release(&c.row);
    free(c.recent);
    sqlite_db_close(&c.db);
    return error;
}
