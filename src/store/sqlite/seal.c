#include "store/sqlite/seal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "block/raw.h"
#include "store/sqlite/segment.h"

enum {
    READ_SEALS = 4,               /* seal_bytes that are read into memory at once */
    RAW_BYTES_MAX = 2000000000,   /* a ceiling because every buffer has one */
    KEPT_MEMORY_BYTES = 16 << 20, /* of a buffer from one seal to the next */
    FIRST_ROWS = 4096,            /* for which there is room at first */
    EARLY_S = 3600,               /* past the clock by so much: of a time to come */
};

struct read_row {
    int64_t last;
    size_t end; /* of its bytes in `raw` */
    bool is_damaged;
};

struct sealer {
    const struct store_sqlite_sizes *sizes;
    pthread_mutex_t mutex;           /* of all below */
    struct segment_builder *builder; /* NULL before the first seal */
    struct buffer raw;               /* of the rows of `recent` that were read */
    struct block_row *rows;          /* all logs, at last ascending by key */
    size_t rows_len;
    size_t rows_capacity;
    struct read_row *read; /* the rows of `recent` that were read, ascending */
    size_t read_len;
    size_t read_capacity;
    uint64_t highest; /* sequence of all logs */
};

struct sealer *sealer_new(const struct store_sqlite_sizes *sizes)
{
    struct sealer *s = xcalloc(1, sizeof(*s));

    s->sizes = sizes;
    pthread_mutex_init(&s->mutex, NULL);
    buffer_init(&s->raw, RAW_BYTES_MAX);
    return s;
}

void sealer_free(struct sealer *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->mutex);
    segment_builder_free(s->builder);
    buffer_release(&s->raw);
    free(s->rows);
    free(s->read);
    free(s);
}

/* ---- What is recent ---- */

static int add_row(struct sealer *s, const struct block_row *row, struct errbuf *err)
{
    if (s->rows_len == s->rows_capacity) {
        size_t capacity = s->rows_capacity ? 2 * s->rows_capacity : FIRST_ROWS;
        struct block_row *rows = try_realloc(s->rows, capacity * sizeof(*rows));

        if (!rows)
            return errbuf_fail(err, LM_ENOMEM, "no memory to seal logs");
        s->rows = rows;
        s->rows_capacity = capacity;
    }
    CHECK(s->rows_len == 0 || s->rows[s->rows_len - 1].sequence < row->sequence);
    s->rows[s->rows_len++] = *row;
    if (row->sequence > s->highest)
        s->highest = row->sequence;
    return 0;
}

/* Keeps the bytes of the row that `stmt` stands on. */
static int take_raw(struct sealer *s, sqlite3_stmt *stmt, struct errbuf *err)
{
    const char *bytes = sqlite3_column_blob(stmt, 1);

    buffer_append(&s->raw, bytes, (size_t)sqlite3_column_bytes(stmt, 1));
    if (buffer_error(&s->raw))
        return errbuf_fail(err, LM_ENOMEM, "no memory to seal logs");
    s->read = array_reserve(s->read, &s->read_capacity, s->read_len + 1, sizeof(*s->read));
    int64_t last = sqlite3_column_int64(stmt, 0);
    s->read[s->read_len++] = (struct read_row){last, s->raw.len, false};
    if ((uint64_t)last > s->highest) /* though the log that had the number may be deleted */
        s->highest = (uint64_t)last;
    return 0;
}

/* Reads the rows of `recent`, the first stored first, as many as there is memory for. */
static int read_raw(struct sealer *s, struct sqlite_db *db, bool *all, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_DONE;
    int error = sqlite_db_statement(db, "SELECT last, logs FROM recent ORDER BY last", &stmt, err);

    *all = true;
    if (error)
        return error;
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(stmt, 1);

        *all = s->raw.len == 0 || s->raw.len + len <= READ_SEALS * s->sizes->seal_bytes;
        if (!*all)
            break;
        error = take_raw(s, stmt, err);
    }
    if (!error && rc != SQLITE_DONE && rc != SQLITE_ROW)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Adds the logs of a row; if it is damaged, none of them. */
static int add_rows(struct sealer *s, struct read_row *read, struct slice logs, struct errbuf *err)
{
    size_t before = s->rows_len;
    struct block_row row;
    int error;

    while (!(error = block_raw_next(&logs, &row, NULL))) {
        error = add_row(s, &row, err);
        if (error)
            return error;
    }
    read->is_damaged = error != LM_ENOTFOUND;
    if (read->is_damaged)
        s->rows_len = before;
    return 0;
}

static int gather(struct sealer *s, struct sqlite_db *db, const struct block_row *batch, size_t n,
                  bool *took_batch, struct errbuf *err)
{
    size_t start = 0;

    buffer_clear(&s->raw);
    s->rows_len = s->read_len = 0;
    s->highest = 0;
    int error = read_raw(s, db, took_batch, err);
    for (size_t i = 0; !error && i < s->read_len; i++) {
        struct slice logs = {s->raw.data + start, s->read[i].end - start};

        error = add_rows(s, &s->read[i], logs, err);
        start = s->read[i].end;
    }
    for (size_t i = 0; !error && *took_batch && i < n; i++)
        error = add_row(s, &batch[i], err);
    return error;
}

/* ---- Dividing ---- */

static int compare_rows(const void *a, const void *b)
{
    return log_key_compare(&((const struct block_row *)a)->record.key,
                           &((const struct block_row *)b)->record.key);
}

static int compare_sequences(const void *a, const void *b)
{
    uint64_t x = ((const struct block_row *)a)->sequence;
    uint64_t y = ((const struct block_row *)b)->sequence;

    return (x > y) - (x < y);
}

static void sort(struct block_row *rows, size_t n, int (*compare)(const void *, const void *))
{
    size_t i = 1;

    while (i < n && compare(&rows[i - 1], &rows[i]) < 0)
        i++;
    if (i < n)
        qsort(rows, n, sizeof(*rows), compare);
}

/* How many come before `key`, or before and at it. */
static size_t count_below(const struct sealer *s, const struct log_key *key, bool and_at)
{
    size_t low = 0, high = s->rows_len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = log_key_compare(&s->rows[middle].record.key, key);

        if (order < 0 || (and_at && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The highest key that is sealed, but for segments of a time to come. */
static int read_sealed(struct sqlite_db *db, const struct log_key *early, struct log_key *sealed,
                       bool *is_any, struct errbuf *err)
{
    char packed[LOG_KEY_BYTES];
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "SELECT max(last) FROM segments WHERE last < ?", &stmt, err);

    *is_any = false;
    if (error)
        return error;
    log_key_pack_ordered(early, packed);
    sqlite3_bind_blob(stmt, 1, packed, sizeof(packed), SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        error = sqlite_db_error(db, rc, err);
    else if (sqlite3_column_bytes(stmt, 0) == LOG_KEY_BYTES) {
        log_key_unpack_ordered(sqlite3_column_blob(stmt, 0), sealed);
        *is_any = true;
    }
    sqlite3_reset(stmt);
    return error;
}

static size_t bytes_of(const struct block_row *row)
{
    return row->record.level.len + row->record.message.len + row->record.attributes.len;
}

/* Whether rows[from..to) are too many, or too large, to stay as odd ones. */
static bool are_many(const struct sealer *s, size_t from, size_t to)
{
    size_t bytes = 0;

    for (size_t i = from; i < to; i++)
        bytes += bytes_of(&s->rows[i]);
    return to - from >= s->sizes->late_rows || bytes >= s->sizes->late_bytes;
}

/* How many of rows[from..to), the last ones, are kept. */
static size_t count_kept(const struct sealer *s, size_t from, size_t to)
{
    size_t bytes = 0, n = 0;

    while (n < to - from && n < s->sizes->keep_rows) {
        bytes += bytes_of(&s->rows[to - 1 - n]);
        if (bytes > s->sizes->keep_bytes)
            break;
        n++;
    }
    return n;
}

/* Of `n` that could be sealed, those that fill blocks: what compaction need not make anew. */
static size_t in_whole_blocks(const struct sealer *s, size_t n)
{
    size_t rows = s->sizes->block_rows; /* at least 1, which an analyzer does not see */
    size_t blocks = rows > 0 ? n / rows : 0;

    return blocks > 0 ? blocks * rows : n;
}

/* Where rows[0..) are divided, as seal.h draws it; and what of the odd ones is sealed. */
struct division {
    size_t late, kept, early; /* late ones end, kept ones begin, early ones begin */
    size_t left;              /* of those that are kept, the first, only to fill a block later */
    bool seals_late, seals_early;
};

static int divide(struct sealer *s, struct sqlite_db *db, int64_t now_us, struct division *d,
                  struct errbuf *err)
{
    struct log_key early = log_key_lowest(now_us + EARLY_S * INT64_C(1000000));
    struct log_key sealed;
    bool is_any;
    int error = read_sealed(db, &early, &sealed, &is_any, err);

    if (error)
        return error;
    d->early = count_below(s, &early, false);
    d->late = is_any ? count_below(s, &sealed, true) : 0;
    d->kept = d->early - count_kept(s, d->late, d->early);
    d->left = d->kept - d->late - in_whole_blocks(s, d->kept - d->late);
    d->kept -= d->left;
    d->seals_late = are_many(s, 0, d->late);
    d->seals_early = are_many(s, d->early, s->rows_len);
    CHECK(d->late <= d->kept && d->kept <= d->early && d->early <= s->rows_len);
    return 0;
}

static size_t count_sealed(const struct sealer *s, const struct division *d)
{
    return d->kept - d->late + (d->seals_late ? d->late : 0) +
           (d->seals_early ? s->rows_len - d->early : 0);
}

static void note_division(const struct sealer *s, const struct division *d,
                          struct seal_result *result)
{
    result->sealed = count_sealed(s, d);
    result->left = d->left;
    for (size_t i = 0; i < d->left; i++)
        result->left_bytes += bytes_of(&s->rows[d->kept + i]);
}

/* ---- Doing it ---- */

static int store_segment(struct sealer *s, struct sqlite_db *db, struct errbuf *err)
{
    int64_t number;
    int error = segment_store(db, s->builder, &number, err);

    segment_builder_begin(s->builder, false, true);
    return error;
}

static bool is_full(const struct sealer *s)
{
    return segment_builder_blocks(s->builder) >= s->sizes->segment_blocks ||
           segment_builder_bytes(s->builder) >= s->sizes->segment_bytes;
}

/* Makes segments of rows[0..n), of blocks about as large as one another. */
static int store_blocks(struct sealer *s, struct sqlite_db *db, const struct block_row *rows,
                        size_t n, int64_t now_us, struct errbuf *err)
{
    size_t blocks = (n + s->sizes->block_rows - 1) / s->sizes->block_rows;
    size_t most = blocks > 0 ? (n + blocks - 1) / blocks : 0;
    int error = 0;

    segment_builder_begin(s->builder, false, true);
    while (!error && n > 0) {
        size_t len = block_fill(rows, n < most ? n : most);

        error = segment_builder_add(s->builder, rows, len, now_us, err);
        rows += len;
        n -= len;
        if (!error && is_full(s))
            error = store_segment(s, db, err);
    }
    if (!error && segment_builder_blocks(s->builder) > 0)
        error = store_segment(s, db, err);
    return error;
}

/* Deletes the rows of `recent` above `after` and below `end`. */
static int delete_between(struct sqlite_db *db, int64_t after, int64_t end, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error =
        sqlite_db_statement(db, "DELETE FROM recent WHERE last > ? AND last < ?", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, after);
    sqlite3_bind_int64(stmt, 2, end);
    return sqlite_db_run(db, stmt, err);
}

/* All that were read, but for those that are damaged. */
static int delete_rows(const struct sealer *s, struct sqlite_db *db, struct errbuf *err)
{
    int64_t after = -1;
    int error = 0;

    for (size_t i = 0; !error && i < s->read_len; i++) {
        if (!s->read[i].is_damaged)
            continue;
        error = delete_between(db, after, s->read[i].last, err);
        after = s->read[i].last;
    }
    if (error || s->read_len == 0)
        return error;
    return delete_between(db, after, s->read[s->read_len - 1].last + 1, err);
}

/* Moves those that are sealed out of s->rows. */
static void leave_those_that_stay(struct sealer *s, const struct division *d)
{
    size_t n = d->seals_late ? 0 : d->late;
    size_t end = d->seals_early ? d->early : s->rows_len;

    memmove(s->rows + n, s->rows + d->kept, (end - d->kept) * sizeof(*s->rows));
    s->rows_len = n + end - d->kept;
}

/* Passes the rows up to `sequence` that were read; returns whether one of them stays, damaged. */
static bool passes_damaged(const struct sealer *s, size_t *read, uint64_t sequence)
{
    bool is = false;

    for (; *read < s->read_len && (uint64_t)s->read[*read].last < sequence; ++*read)
        is = is || s->read[*read].is_damaged;
    return is;
}

/* No row reaches across one that stays: logs are found by the first `last` from theirs on. */
static int store_rest(struct sealer *s, struct recent_store *recent, struct errbuf *err)
{
    size_t read = 0;
    int error = 0;

    sort(s->rows, s->rows_len, compare_sequences);
    for (size_t i = 0; !error && i < s->rows_len; i++) {
        if (passes_damaged(s, &read, s->rows[i].sequence))
            error = recent_store_end(recent, err);
        if (!error)
            error = recent_store_add(recent, &s->rows[i], err);
    }
    return error ? error : recent_store_end(recent, err);
}

/* Numbers of what has left `recent` are not used again. */
static int raise_sequence(const struct sealer *s, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, "UPDATE sequence SET last = max(last, ?)", &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, (int64_t)s->highest);
    return sqlite_db_run(db, stmt, err);
}

static int store_all(struct sealer *s, struct sqlite_db *db, const struct division *d,
                     int64_t now_us, struct recent_store *recent, struct errbuf *err)
{
    int error = store_blocks(s, db, s->rows + d->late, d->kept - d->late, now_us, err);

    if (!error && d->seals_late)
        error = store_blocks(s, db, s->rows, d->late, now_us, err);
    if (!error && d->seals_early)
        error = store_blocks(s, db, s->rows + d->early, s->rows_len - d->early, now_us, err);
    if (!error)
        error = delete_rows(s, db, err);
    if (error)
        return error;
    leave_those_that_stay(s, d);
    error = store_rest(s, recent, err);
    return error ? error : raise_sequence(s, db, err);
}

static void forget(struct sealer *s)
{
    segment_builder_begin(s->builder, false, true);
    if (s->raw.capacity > KEPT_MEMORY_BYTES)
        buffer_release(&s->raw);
    if (s->rows_capacity * sizeof(*s->rows) > KEPT_MEMORY_BYTES) {
        free(s->rows);
        s->rows = NULL;
        s->rows_capacity = 0;
    }
}

int sealer_seal(struct sealer *s, struct sqlite_db *db, const struct block_row *batch, size_t n,
                int64_t now_us, struct recent_store *recent, struct seal_result *result,
                struct errbuf *err)
{
    struct division d;

    *result = (struct seal_result){0};
    recent_store_begin(recent, db, now_us);
    pthread_mutex_lock(&s->mutex);
    if (!s->builder)
        s->builder = segment_builder_new();
    int error = gather(s, db, batch, n, &result->took_batch, err);
    if (!error) {
        sort(s->rows, s->rows_len, compare_rows);
        error = divide(s, db, now_us, &d, err);
    }
    if (!error)
        note_division(s, &d, result);
    if (!error && result->sealed == 0)
        result->took_batch = false;
    else if (!error)
        error = store_all(s, db, &d, now_us, recent, err);
    forget(s);
    pthread_mutex_unlock(&s->mutex);
    return error;
}
