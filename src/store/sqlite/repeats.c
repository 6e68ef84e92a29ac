#include "store/sqlite/repeats.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "block/reader.h"
#include "store/sqlite/block_keys.h"
#include "store/sqlite/key_table.h"
#include "store/sqlite/segment.h"

/* A log that is asked about. */
struct asked {
    const struct record *record;
    size_t index;      /* in the batch */
    uint64_t sequence; /* of the recent log that has its key, as far as is known; 0: none has */
    enum repeats_fate fate;
};

struct repeats {
    struct key_table recent; /* keys of rows of `recent`; of logs that left it, too */
    uint64_t recent_last;    /* up to this row all are in it */
    struct block_keys *blocks;
    struct asked *asked; /* of the batch under way, ascending by key, then by index */
    size_t asked_len;
    size_t asked_capacity;
    uint8_t *fates;
    size_t fates_capacity;
};

struct repeats *repeats_new(const struct store_sqlite_sizes *sizes)
{
    struct repeats *r = xcalloc(1, sizeof(*r));

    r->blocks = block_keys_new(sizes->key_blocks);
    return r;
}

void repeats_free(struct repeats *r)
{
    if (!r)
        return;
    key_table_release(&r->recent);
    block_keys_free(r->blocks);
    free(r->asked);
    free(r->fates);
    free(r);
}

void repeats_forget_recent(struct repeats *r)
{
    key_table_clear(&r->recent);
    r->recent_last = 0;
}

static bool is_same_text(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* `stored` has the key of `a`. */
static void judge(struct asked *a, const struct record *stored)
{
    const struct record *r = a->record;

    a->fate = is_same_text(r->level, stored->level) && is_same_text(r->message, stored->message) &&
                      is_same_text(r->attributes, stored->attributes)
                  ? REPEATS_SAME
                  : REPEATS_CONFLICT;
}

/* ---- What is asked about ---- */

static int compare_asked(const void *a, const void *b)
{
    const struct asked *x = a;
    const struct asked *y = b;
    int order = log_key_compare(&x->record->key, &y->record->key);

    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The logs that come after all that is stored and after one another are new: most batches are. */
static bool are_all_new(const struct log_key *highest, const struct record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (highest && log_key_compare(&records[i].key, highest) <= 0)
            return false;
        highest = &records[i].key;
    }
    return true;
}

static int reserve(struct repeats *r, size_t n, struct errbuf *err)
{
    if (r->asked_capacity < n) {
        free(r->asked);
        r->asked = try_malloc(n * sizeof(*r->asked));
        r->asked_capacity = r->asked ? n : 0;
    }
    if (r->fates_capacity < n) {
        free(r->fates);
        r->fates = try_malloc(n);
        r->fates_capacity = r->fates ? n : 0;
    }
    return r->asked && r->fates ? 0
                                : errbuf_fail(err, LM_ENOMEM, "no memory for the keys of a batch");
}

static void ask(struct repeats *r, const struct record *records, size_t n)
{
    bool is_sorted = true;

    for (size_t i = 0; i < n; i++) {
        r->asked[i] = (struct asked){.record = &records[i], .index = i};
        is_sorted = is_sorted && (i == 0 || compare_asked(&r->asked[i - 1], &r->asked[i]) < 0);
    }
    r->asked_len = n;
    if (!is_sorted)
        qsort(r->asked, n, sizeof(*r->asked), compare_asked);
}

/* The place of the first that is asked about and not below `key`. */
static size_t first_asked(const struct repeats *r, const struct log_key *key)
{
    size_t low = 0, high = r->asked_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log_key_compare(&r->asked[middle].record->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many are not above `highest`: only these can be stored already. */
static size_t count_doubtful(const struct repeats *r, const struct log_key *highest)
{
    size_t n = highest ? first_asked(r, highest) : 0;

    while (highest && n < r->asked_len && log_key_compare(&r->asked[n].record->key, highest) == 0)
        n++;
    return n;
}

/* ---- Recent logs ---- */

/* Adds the keys of a row of `recent`; what is damaged in it is not there. */
static int note_row(struct repeats *r, struct slice logs, struct errbuf *err)
{
    struct block_row row;

    while (block_raw_next(&logs, &row, NULL) == 0) {
        if (!key_table_put(&r->recent, &row.record.key, row.sequence))
            return errbuf_fail(err, LM_ENOMEM, "no memory for the keys of recent logs");
    }
    return 0;
}

/* A row's bytes, which live until the statement is stepped. */
static struct slice column_bytes(sqlite3_stmt *stmt, int column)
{
    const char *bytes = sqlite3_column_blob(stmt, column);

    return (struct slice){bytes, (size_t)sqlite3_column_bytes(stmt, column)};
}

/* Adds the rows that have come since. */
static int note_recent(struct repeats *r, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc;
    int error = sqlite_db_statement(
        db, "SELECT last, logs FROM recent WHERE last > ? ORDER BY last", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)r->recent_last);
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        error = note_row(r, column_bytes(stmt, 1), err);
        if (!error)
            r->recent_last = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    if (error)
        repeats_forget_recent(r); /* a row may be in it in part */
    return error;
}

static int compare_sequences(const void *a, const void *b)
{
    const struct asked *x = *(struct asked *const *)a;
    const struct asked *y = *(struct asked *const *)b;

    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

/* Judges those of found[0..n), ascending by sequence, that are in the row; returns how many are
 * done with: those up to `last`. */
static size_t judge_in_row(struct asked **found, size_t n, uint64_t last, struct slice logs)
{
    struct block_row row;
    size_t done = 0;

    while (done < n && found[done]->sequence <= last && block_raw_next(&logs, &row, NULL) == 0) {
        while (done < n && found[done]->sequence < row.sequence)
            done++;
        for (size_t i = done; i < n && found[i]->sequence == row.sequence; i++) {
            if (log_key_compare(&found[i]->record->key, &row.record.key) == 0)
                judge(found[i], &row.record);
        }
    }
    while (done < n && found[done]->sequence <= last)
        done++;
    return done;
}

/* Compares with the logs themselves, row by row. One that has gone meanwhile is not there. */
static int compare_recent(struct sqlite_db *db, struct asked **found, size_t n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        db, "SELECT last, logs FROM recent WHERE last >= ? ORDER BY last LIMIT 1", &stmt, err);

    for (size_t i = 0; !error && i < n;) {
        sqlite3_bind_int64(stmt, 1, (int64_t)found[i]->sequence);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            i += judge_in_row(found + i, n - i, (uint64_t)sqlite3_column_int64(stmt, 0),
                              column_bytes(stmt, 1));
        else if (rc == SQLITE_DONE)
            i = n;
        else
            error = sqlite_db_error(db, rc, err);
        sqlite3_reset(stmt);
    }
    return error;
}

static int find_recent(struct repeats *r, struct sqlite_db *db, size_t n, struct errbuf *err)
{
    struct asked **found = NULL;
    size_t len = 0;
    int error = note_recent(r, db, err);

    if (error)
        return error;
    found = try_malloc(n * sizeof(struct asked *));
    if (!found)
        return errbuf_fail(err, LM_ENOMEM, "no memory for the keys of a batch");
    for (size_t i = 0; i < n; i++) {
        r->asked[i].sequence = key_table_get(&r->recent, &r->asked[i].record->key);
        if (r->asked[i].sequence > 0)
            found[len++] = &r->asked[i];
    }
    qsort(found, len, sizeof(struct asked *), compare_sequences);
    error = compare_recent(db, found, len, err);
    free(found);
    return error;
}

/* ---- Logs of an older logmill ---- */

static void bind_record(sqlite3_stmt *stmt, const struct record *r)
{
    sqlite3_bind_int64(stmt, 1, r->key.timestamp_us);
    sqlite3_bind_blob(stmt, 2, r->key.id.bytes, sizeof(r->key.id.bytes), SQLITE_STATIC);
    sqlite_db_bind_text(stmt, 3, r->level);
    sqlite_db_bind_text(stmt, 4, r->message);
    if (r->attributes.len > 0)
        sqlite_db_bind_text(stmt, 5, r->attributes);
    else
        sqlite3_bind_null(stmt, 5);
}

static int find_old(struct repeats *r, struct sqlite_db *db, size_t n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT level = ?3 AND message = ?4 AND attributes IS ?5 "
                                    "FROM logs WHERE timestamp = ?1 AND id = ?2",
                                    &stmt, err);

    for (size_t i = 0; !error && i < n; i++) {
        struct asked *a = &r->asked[i];

        if (a->fate != REPEATS_NEW)
            continue;
        bind_record(stmt, a->record);
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            a->fate = sqlite3_column_int(stmt, 0) ? REPEATS_SAME : REPEATS_CONFLICT;
        else if (rc != SQLITE_DONE)
            error = sqlite_db_error(db, rc, err);
        sqlite3_reset(stmt);
    }
    return error;
}

/* Whether `table`'s query gives a row. */
static int is_there(struct sqlite_db *db, const char *sql, bool *is, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    *is = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* ---- Deleted ones ---- */

static void bind_key(sqlite3_stmt *stmt, int index, const struct log_key *key)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack_ordered(key, packed);
    sqlite3_bind_blob(stmt, index, packed, sizeof(packed), SQLITE_TRANSIENT);
}

static int compare_packed(const void *a, const void *b)
{
    return memcmp(a, b, LOG_KEY_BYTES);
}

/* Marks those that are among the packed keys, which ascend. */
static void judge_deleted(struct repeats *r, size_t n, struct slice keys)
{
    size_t len = keys.len / LOG_KEY_BYTES;
    struct log_key first;

    if (len == 0)
        return;
    log_key_unpack_ordered(keys.data, &first);
    for (size_t i = first_asked(r, &first); i < n; i++) {
        char packed[LOG_KEY_BYTES];

        log_key_pack_ordered(&r->asked[i].record->key, packed);
        if (memcmp(packed, keys.data + (len - 1) * LOG_KEY_BYTES, sizeof(packed)) > 0)
            break;
        /* One that is marked in its block is not there any more, whatever was found. */
        if (bsearch(packed, keys.data, len, LOG_KEY_BYTES, compare_packed))
            r->asked[i].fate = REPEATS_ERASED;
    }
}

static int find_deleted(struct repeats *r, struct sqlite_db *db, size_t n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc;
    int error = sqlite_db_statement(
        db, "SELECT keys FROM tombstones WHERE last >= ? AND first <= ?", &stmt, err);

    if (error)
        return error;
    bind_key(stmt, 1, &r->asked[0].record->key);
    bind_key(stmt, 2, &r->asked[n - 1].record->key);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        judge_deleted(r, n, column_bytes(stmt, 0));
    if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* ---- Blocks ---- */

/* Those of asked[from..to) that are in the block. */
static int find_in_block(struct repeats *r, struct sqlite_db *db, const struct block_head *head,
                         size_t from, size_t to, struct errbuf *err)
{
    int error = 0;

    for (size_t i = from; !error && i < to; i++) {
        struct asked *a = &r->asked[i];
        struct record stored;

        if (a->fate != REPEATS_NEW)
            continue;
        error = block_keys_find(r->blocks, db, head, &a->record->key, &stored, err);
        if (!error)
            judge(a, &stored);
        else if (error == LM_ENOTFOUND)
            error = 0;
    }
    return error;
}

/* The end of those that are asked about and not above `last`. */
static size_t end_of_asked(const struct repeats *r, size_t from, size_t n,
                           const struct log_key *last)
{
    while (from < n && log_key_compare(&r->asked[from].record->key, last) <= 0)
        from++;
    return from;
}

static bool is_any_new(const struct repeats *r, size_t from, size_t to)
{
    while (from < to && r->asked[from].fate != REPEATS_NEW)
        from++;
    return from < to;
}

static int find_in_segment(struct repeats *r, struct sqlite_db *db, const struct segment *s,
                           size_t n, struct errbuf *err)
{
    size_t at = first_asked(r, &s->first);
    size_t end = end_of_asked(r, at, n, &s->last);
    struct block_head *heads = NULL;
    size_t len = 0;

    if (!is_any_new(r, at, end))
        return 0;
    int error = segment_heads(db, s, &heads, &len, err);
    for (size_t i = 0; !error && i < len && at < end; i++) {
        at = at > first_asked(r, &heads[i].first) ? at : first_asked(r, &heads[i].first);
        size_t to = end_of_asked(r, at, end, &heads[i].last);
        error = find_in_block(r, db, &heads[i], at, to, err);
        at = to;
    }
    free(heads);
    return error == LM_EIO && block_keys_is_damage(db) ? 0 : error;
}

static int find_in_blocks(struct repeats *r, struct sqlite_db *db, size_t n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_DONE;
    int error = sqlite_db_statement(
        db, "SELECT " SEGMENT_COLUMNS " FROM segments WHERE last >= ? AND first <= ?", &stmt, err);

    if (error)
        return error;
    bind_key(stmt, 1, &r->asked[0].record->key);
    bind_key(stmt, 2, &r->asked[n - 1].record->key);
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct segment s;

        if (segment_take(db, stmt, &s, err) == 0) /* a damaged one holds nothing */
            error = find_in_segment(r, db, &s, n, err);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    block_keys_close(r->blocks);
    return error;
}

/* ---- All of it ---- */

/* asked[0..n) are not above all that is stored. */
static int find_stored(struct repeats *r, struct sqlite_db *db, size_t n, struct errbuf *err)
{
    bool is = false;
    int error = find_recent(r, db, n, err);

    if (!error)
        error = find_in_blocks(r, db, n, err);
    if (!error)
        error = is_there(db, "SELECT 1 FROM logs LIMIT 1", &is, err);
    if (!error && is)
        error = find_old(r, db, n, err);
    if (!error)
        error = is_there(db, "SELECT 1 FROM tombstones LIMIT 1", &is, err);
    return error || !is ? error : find_deleted(r, db, n, err);
}

/* Of several with the same key that is not stored, the one that comes first in the batch is new. */
static void find_within(struct repeats *r)
{
    const struct asked *first = NULL;

    for (size_t i = 0; i < r->asked_len; i++) {
        struct asked *a = &r->asked[i];

        if (first && log_key_compare(&first->record->key, &a->record->key) == 0) {
            if (first->fate == REPEATS_NEW)
                judge(a, first->record);
        } else {
            first = a;
        }
    }
}

int repeats_find(struct repeats *r, struct sqlite_db *db, const struct log_key *highest,
                 const struct record *records, size_t n, const uint8_t **fates, struct errbuf *err)
{
    *fates = NULL;
    if (are_all_new(highest, records, n))
        return 0;
    int error = reserve(r, n, err);
    if (error)
        return error;
    ask(r, records, n);
    size_t doubtful = count_doubtful(r, highest);
    if (doubtful > 0)
        error = find_stored(r, db, doubtful, err);
    if (error)
        return error;
    find_within(r);
    for (size_t i = 0; i < n; i++)
        r->fates[r->asked[i].index] = (uint8_t)r->asked[i].fate;
    *fates = r->fates;
    return 0;
}
