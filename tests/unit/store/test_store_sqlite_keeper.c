/*
 * Compaction, the taking over of older rows and expiry, over a file whose segments are made here.
 * After each step the file holds the same logs, each once.
 */
#include "store/sqlite/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "block/raw.h"
#include "block/select.h"
#include "diag/diag.h"
#include "dice.h"
#include "failing_reads.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/compact.h"
#include "store/sqlite/expire.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/segment.h"
#include "store/sqlite/takeover.h"
#include "store_logs.h"
#include "store_test_support.h"

#define SECOND INT64_C(1000000)
#define T0 INT64_C(1767225600000000)
#define HOUR (3600 * SECOND)

enum { BLOCK = 16, BLOCKS = 4, LOGS_MAX = 20000 };

struct world {
    char *directory;
    struct store *s;
    struct store_sqlite *sqlite;
    struct sqlite_db db;
    struct segment_builder *builder;
    struct store_logs logs; /* all that were made */
    bool gone[LOGS_MAX];    /* those that should not be there any more */
    uint64_t sequence;
};

static struct errbuf err;

static int set_up(void **state)
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = BLOCK, .segment_blocks = BLOCKS, .takeover_rows = 3 * BLOCK - 5};
    struct world *w = calloc(1, sizeof(*w));

    w->directory = temp_directory_new();
    w->s = store_sqlite_new_sized(w->directory, &sizes, &err);
    w->sqlite = (struct store_sqlite *)w->s;
    struct sqlite_db_options options = store_sqlite_db_options(w->sqlite, 256, false);
    assert_int_equal(sqlite_db_open(&w->db, &options, &err), 0);
    w->builder = segment_builder_new();
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    segment_builder_free(w->builder);
    sqlite_db_close(&w->db);
    store_free(w->s);
    store_logs_release(&w->logs);
    temp_directory_free(w->directory);
    free(w);
    return 0;
}

/* ---- Making ---- */

/* A log at that time; its number is in its texts. */
static struct record *make(struct world *w, int64_t timestamp_us)
{
    char message[64], attributes[64];
    struct log_key key = {.timestamp_us = timestamp_us};
    size_t n = w->logs.len;

    assert_true(n < LOGS_MAX);
    memcpy(key.id.bytes + 8, &n, sizeof(n));
    snprintf(message, sizeof(message), "request %zu took %zu ms", n, n * 7 % 1000);
    snprintf(attributes, sizeof(attributes), "{\"n\": %zu, \"host\": \"h%zu\"}", n, n % 5);
    return store_logs_add(&w->logs, &key, n % 3 ? "info" : "Error", message,
                          n % 4 ? attributes : NULL);
}

/* `n` of them, so far apart; returns the place of the first. */
static size_t make_some(struct world *w, size_t n, int64_t from_us, int64_t apart_us)
{
    size_t first = w->logs.len;

    for (size_t i = 0; i < n; i++)
        make(w, from_us + (int64_t)i * apart_us);
    return first;
}

static void exec(struct world *w, const char *sql)
{
    assert_int_equal(sqlite3_exec(w->db.handle, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t ask(struct world *w, const char *sql)
{
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(w->db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* A segment of the logs [first, first + n), which ascend. */
static int64_t store_some(struct world *w, size_t first, size_t n, bool cold, int64_t stored_us)
{
    struct block_row rows[BLOCK];
    int64_t number;

    segment_builder_begin(w->builder, cold, true);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t len = n - at < BLOCK ? n - at : BLOCK;

        for (size_t i = 0; i < len; i++)
            rows[i] = (struct block_row){.record = w->logs.items[first + at + i],
                                         .sequence = ++w->sequence};
        assert_int_equal(segment_builder_add(w->builder, rows, len, stored_us, &err), 0);
    }
    assert_int_equal(sqlite_db_begin(&w->db, &err), 0);
    assert_int_equal(segment_store(&w->db, w->builder, &number, &err), 0);
    assert_int_equal(sqlite_db_commit(&w->db, &err), 0);
    return number;
}

static void store_old(struct world *w, size_t first, size_t n)
{
    sqlite3_stmt *stmt;

    assert_int_equal(
        sqlite3_prepare_v2(w->db.handle, "INSERT INTO logs VALUES(?, ?, ?, ?, ?)", -1, &stmt, NULL),
        SQLITE_OK);
    exec(w, "BEGIN");
    for (size_t i = first; i < first + n; i++) {
        const struct record *r = &w->logs.items[i];

        sqlite3_bind_int64(stmt, 1, r->key.timestamp_us);
        sqlite3_bind_blob(stmt, 2, r->key.id.bytes, 16, SQLITE_STATIC);
        sqlite_db_bind_text(stmt, 3, r->level);
        sqlite_db_bind_text(stmt, 4, r->message);
        if (r->attributes.len)
            sqlite_db_bind_text(stmt, 5, r->attributes);
        else
            sqlite3_bind_null(stmt, 5);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    exec(w, "COMMIT");
    sqlite3_finalize(stmt);
}

static void store_recent(struct world *w, size_t first, size_t n)
{
    char low[LOG_KEY_BYTES], high[LOG_KEY_BYTES];
    sqlite3_stmt *stmt;
    struct buffer logs;

    buffer_init(&logs, 1 << 20);
    for (size_t i = first; i < first + n; i++)
        block_raw_append(
            &logs, &(struct block_row){.record = w->logs.items[i], .sequence = ++w->sequence});
    log_key_pack_ordered(&w->logs.items[first].key, low);
    log_key_pack_ordered(&w->logs.items[first + n - 1].key, high);
    assert_int_equal(sqlite3_prepare_v2(w->db.handle, "INSERT INTO recent VALUES(?, ?, ?, ?, ?, ?)",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, (int64_t)w->sequence);
    sqlite3_bind_int64(stmt, 2, clock_wall_us());
    sqlite3_bind_int64(stmt, 3, (int64_t)n);
    sqlite3_bind_blob(stmt, 4, low, sizeof(low), SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 5, high, sizeof(high), SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 6, logs.data, logs.len, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    buffer_release(&logs);
}

/* ---- Looking ---- */

/* Whether each log is there once, byte for byte, if it is to be. */
static void found(struct world *w, bool *seen, const struct record *r)
{
    size_t n;

    memcpy(&n, r->key.id.bytes + 8, sizeof(n));
    assert_true(n < w->logs.len);
    assert_false(seen[n]);
    seen[n] = true;
    assert_false(w->gone[n]);
    store_test_assert_equal(r, &w->logs.items[n]);
}

static void look_at_block(struct world *w, struct block_reader *reader,
                          const struct block_head *head, bool *seen)
{
    struct segment_blob blob = {0};
    uint64_t alive[BLOCK_ROW_WORDS(BLOCK)];
    bool any;

    memset(alive, 0xff, sizeof(alive));
    assert_int_equal(segment_unmark(&w->db, head->number, alive, head->rows, &any, &err), 0);
    assert_int_equal(segment_blob_open(&blob, &w->db, head->number, &err), 0);
    assert_int_equal(block_open(reader, &blob.source, head, &err), 0);
    for (size_t row = 0; row < head->rows; row++) {
        struct record r;

        if (!(alive[row / 64] >> row % 64 & 1))
            continue;
        assert_int_equal(block_record(reader, row, &r, &err), 0);
        found(w, seen, &r);
    }
    block_close(reader);
    segment_blob_close(&blob);
}

static void look_at_segments(struct world *w, bool *seen)
{
    struct block_reader *reader = block_reader_new();
    struct segment *segments = calloc(LOGS_MAX, sizeof(*segments));
    sqlite3_stmt *stmt;
    size_t n = 0;

    assert_int_equal(sqlite3_prepare_v2(w->db.handle, "SELECT " SEGMENT_COLUMNS " FROM segments",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        assert_int_equal(segment_take(&w->db, stmt, &segments[n++], &err), 0);
    sqlite3_finalize(stmt);
    for (size_t i = 0; i < n; i++) {
        struct block_head *heads;
        size_t len;

        assert_int_equal(segment_heads(&w->db, &segments[i], &heads, &len, &err), 0);
        for (size_t k = 0; k < len; k++)
            look_at_block(w, reader, &heads[k], seen);
        free(heads);
    }
    block_reader_free(reader);
    free(segments);
}

static void look_at_rows(struct world *w, bool *seen)
{
    struct block_row row;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(w->db.handle, "SELECT logs FROM recent", -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct slice logs = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};

        while (block_raw_next(&logs, &row, &err) == 0)
            found(w, seen, &row.record);
    }
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_prepare_v2(
                         w->db.handle, "SELECT timestamp, id, level, message, attributes FROM logs",
                         -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct record r = {.key.timestamp_us = sqlite3_column_int64(stmt, 0),
                           .level = sqlite_db_column_text(stmt, 2),
                           .message = sqlite_db_column_text(stmt, 3),
                           .attributes = sqlite_db_column_text(stmt, 4)};

        memcpy(r.key.id.bytes, sqlite3_column_blob(stmt, 1), 16);
        found(w, seen, &r);
    }
    sqlite3_finalize(stmt);
}

/* The file holds all that was made and is not gone, each once, and nothing else. */
static void check(struct world *w)
{
    bool *seen = calloc(LOGS_MAX, sizeof(*seen));

    look_at_segments(w, seen);
    look_at_rows(w, seen);
    for (size_t i = 0; i < w->logs.len; i++)
        assert_true(seen[i] || w->gone[i]);
    free(seen);
    assert_int_equal(ask(w, "SELECT count(*) FROM erased WHERE block NOT IN "
                            "(SELECT number FROM blocks)"),
                     0);
}

static struct segment segment_of(struct world *w, int64_t number)
{
    struct segment s;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_prepare_v2(w->db.handle,
                                        "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number = ?",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_int64(stmt, 1, number);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(segment_take(&w->db, stmt, &s, &err), 0);
    sqlite3_finalize(stmt);
    return s;
}

/* Marks the logs of the segment that `n` divides as erased. */
static void erase_some(struct world *w, int64_t number, size_t first, size_t n)
{
    struct segment s = segment_of(w, number);
    struct block_head *heads;
    size_t len, at = first;

    assert_int_equal(segment_heads(&w->db, &s, &heads, &len, &err), 0);
    exec(w, "BEGIN");
    for (size_t k = 0; k < len; k++) {
        uint64_t rows[BLOCK_ROW_WORDS(BLOCK)] = {0};

        for (size_t row = 0; row < heads[k].rows; row++, at++) {
            if (at % n != 0)
                continue;
            rows[row / 64] |= UINT64_C(1) << row % 64;
            w->gone[at] = true;
        }
        assert_int_equal(segment_mark(&w->db, &s, &heads[k], rows, &err), 0);
    }
    exec(w, "COMMIT");
    free(heads);
}

/* ---- Compaction ---- */

static void begin(struct world *w, struct compaction *c, const int64_t *numbers, size_t n,
                  bool drops_sequence)
{
    struct segment segments[COMPACT_SOURCES_MAX];

    for (size_t i = 0; i < n; i++)
        segments[i] = segment_of(w, numbers[i]);
    assert_int_equal(compact_begin(c, &w->db, segments, n, drops_sequence, false, &err), 0);
}

static void run(struct world *w, struct compaction *c)
{
    while (compact_is_under_way(c)) {
        assert_int_equal(compact_step(c, &w->db, &err), 0);
        check(w);
    }
}

static void segments_side_by_side_become_one_cold_one(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    int64_t numbers[3];

    for (int i = 0; i < 3; i++)
        numbers[i] = store_some(w, make_some(w, BLOCK + 3, T0 + i * HOUR, SECOND), BLOCK + 3, false,
                                clock_wall_us());
    begin(w, c, numbers, 3, false);
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 1);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 1);
    assert_int_equal(ask(w, "SELECT blocks FROM segments"), 4);
    assert_int_equal(ask(w, "SELECT first_sequence FROM segments"), 1);
    assert_int_equal(ask(w, "SELECT last_sequence FROM segments"), 3 * (BLOCK + 3));
    assert_int_equal(ask(w, "SELECT follow_from FROM sequence"), 0);
    assert_int_equal(compact_rows(c), 3 * (BLOCK + 3) - BLOCK); /* the first is taken as it is */
    compact_free(c);
}

/* A log with so many words that no other has. */
static void make_wordy(struct world *w, int64_t timestamp_us, size_t words)
{
    char message[2048];
    struct log_key key = {.timestamp_us = timestamp_us};
    size_t n = w->logs.len;
    int len = 0;

    memcpy(key.id.bytes + 8, &n, sizeof(n));
    for (size_t i = 0; i < words; i++)
        len += snprintf(message + len, sizeof(message) - (size_t)len, "word%zuof%zu ", i, n);
    store_logs_add(&w->logs, &key, "info", message, NULL);
}

/* Those of alike logs, though one has some more words than the other. */
static void blocks_are_copied_though_their_filters_need_not_be_equal(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    int64_t numbers[BLOCKS];

    for (int i = 0; i < BLOCKS; i++) {
        size_t first = w->logs.len;

        for (int k = 0; k < BLOCK; k++)
            make_wordy(w, T0 + (i * BLOCK + k) * SECOND, i % 2 ? 50 : 53);
        numbers[i] = store_some(w, first, BLOCK, false, clock_wall_us());
    }
    begin(w, c, numbers, BLOCKS, false);
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold AND blocks = 4"), 1);
    assert_int_equal(compact_rows(c), 0);
    compact_free(c);
}

/* One that is far from the last gets a filter of its own size. */
static void a_filter_is_as_large_as_its_block_needs(void **state)
{
    struct world *w = *state;
    static const size_t words[] = {50, 60, 30, 50};
    int64_t buckets[4];

    for (int i = 0; i < 4; i++) {
        size_t first = w->logs.len;

        for (int k = 0; k < BLOCK; k++)
            make_wordy(w, T0 + (i * BLOCK + k) * SECOND, words[i]);
        store_some(w, first, BLOCK, false, clock_wall_us());
        buckets[i] = ask(w, "SELECT buckets FROM segments ORDER BY number DESC LIMIT 1");
    }
    assert_true(buckets[1] > buckets[0]);
    assert_true(buckets[2] < buckets[0]);
    assert_int_equal(buckets[3], buckets[0]);
}

/* Many that overlap, with marks, become several: what is not in the first yet is in its source. */
static void overlapping_segments_are_merged_by_key_and_what_is_erased_is_left_out(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    int64_t numbers[10];

    for (int i = 0; i < 10; i++) {
        size_t n = (size_t)(BLOCK * (1 + i % BLOCKS) - i);
        size_t first = make_some(w, n, T0 + i * SECOND / 4, (i + 1) * SECOND / 3);

        numbers[i] = store_some(w, first, n, i % 2, clock_wall_us());
        if (i % 3 == 0)
            erase_some(w, numbers[i], first, 2 + (size_t)i);
    }
    check(w);
    begin(w, c, numbers, 10, false);
    run(w, c);
    assert_true(ask(w, "SELECT count(*) FROM segments WHERE blocks = 4") >= 4);
    assert_int_equal(ask(w, "SELECT count(*) FROM erased"), 0);
    assert_int_equal(ask(w, "SELECT sum(erased) FROM segments"), 0);
    assert_int_equal(
        ask(w, "SELECT count(*) FROM segments a JOIN segments b ON a.number < b.number AND "
               "a.first <= b.last AND b.first <= a.last"),
        0);
    compact_free(c);
}

/* Stopped after each number of steps, and begun anew by another process over what is there then. */
static void a_stop_in_the_middle_loses_and_doubles_nothing(void **state)
{
    struct world *w = *state;
    int64_t numbers[COMPACT_SOURCES_MAX];

    for (int i = 0; i < 6; i++) {
        size_t first = make_some(w, 3 * BLOCK, T0 + i, 2 * SECOND);

        numbers[i] = store_some(w, first, 3 * BLOCK, false, clock_wall_us());
        erase_some(w, numbers[i], first, 7);
    }
    for (int steps = 1; steps < 25; steps++) {
        struct compaction *c = compact_new(&w->sqlite->sizes);
        sqlite3_stmt *stmt;
        size_t n = 0;

        assert_int_equal(
            sqlite3_prepare_v2(w->db.handle, "SELECT number FROM segments", -1, &stmt, NULL),
            SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW)
            numbers[n++] = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        begin(w, c, numbers, n, false);
        for (int i = 0; i < steps && compact_is_under_way(c); i++)
            assert_int_equal(compact_step(c, &w->db, &err), 0);
        compact_free(c);
        check(w);
    }
}

/* No log is in two segments; if one is all the same, merging them leaves one, wherever a new block
 * or segment begins. */
static void a_log_that_is_in_two_segments_is_in_one_afterwards(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    size_t n = BLOCKS * BLOCK;
    size_t first = make_some(w, 2 * n, T0, SECOND);
    const int64_t numbers[] = {
        store_some(w, first, n, false, clock_wall_us()),
        store_some(w, first, n, true, clock_wall_us()),
        store_some(w, first + n - 1, n + 1, false, clock_wall_us()),
        store_some(w, first + 2 * n - 1, 1, false, clock_wall_us()),
    };

    begin(w, c, numbers, 4, false);
    while (compact_is_under_way(c))
        assert_int_equal(compact_step(c, &w->db, &err), 0);
    check(w);
    compact_free(c);
}

static void a_source_that_changes_meanwhile_is_not_replaced(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    size_t first = make_some(w, 3 * BLOCK, T0, SECOND);
    int64_t number = store_some(w, first, 3 * BLOCK, false, clock_wall_us());

    begin(w, c, &number, 1, false);
    assert_int_equal(compact_step(c, &w->db, &err), 0);
    erase_some(w, number, first, 5); /* in a block that has been read, too */
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 1);
    begin(w, c, &number, 1, false);
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 1);
    compact_free(c);
}

static void a_source_that_goes_meanwhile_does_not_come_back(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    size_t first = make_some(w, 3 * BLOCK, T0, SECOND);
    int64_t number = store_some(w, first, 3 * BLOCK, false, clock_wall_us());

    begin(w, c, &number, 1, false);
    assert_int_equal(compact_step(c, &w->db, &err), 0);
    exec(w, "BEGIN");
    assert_int_equal(segment_delete(&w->db, number, &err), 0);
    exec(w, "COMMIT");
    memset(w->gone, true, sizeof(w->gone));
    run(w, c); /* its blocks are gone, which is no damage */
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 0);
    compact_free(c);
}

static void numbers_that_are_dropped_can_no_longer_be_followed(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    int64_t number = store_some(w, make_some(w, 2 * BLOCK, T0, SECOND), 2 * BLOCK, false, T0);

    begin(w, c, &number, 1, true);
    run(w, c);
    assert_int_equal(ask(w, "SELECT last_sequence FROM segments"), 0);
    assert_int_equal(ask(w, "SELECT follow_from FROM sequence"), 2 * BLOCK);
    compact_free(c);
}

static void what_would_take_too_much_memory_is_merged_in_part_or_not_at_all(void **state)
{
    struct world *w = *state;
    struct store_sqlite_sizes sizes = w->sqlite->sizes;
    struct segment segments[3];

    sizes.compact_bytes = 1;
    struct compaction *c = compact_new(&sizes);
    for (int i = 0; i < 3; i++)
        segments[i] = segment_of(
            w, store_some(w, make_some(w, BLOCK, T0 + i, SECOND), BLOCK, true, clock_wall_us()));
    assert_int_equal(compact_begin(c, &w->db, segments, 3, false, true, &err), LM_ETOOBIG);
    assert_false(compact_is_under_way(c));
    assert_int_equal(compact_begin(c, &w->db, segments, 3, false, false, &err), 0);
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 2);
    compact_free(c);
}

static void a_segment_whose_logs_are_all_erased_goes(void **state)
{
    struct world *w = *state;
    struct compaction *c = compact_new(&w->sqlite->sizes);
    int64_t number = store_some(w, make_some(w, 2 * BLOCK, T0, SECOND), 2 * BLOCK, true, T0);

    erase_some(w, number, 0, 1);
    begin(w, c, &number, 1, true);
    run(w, c);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM blocks"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM erased"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM filters"), 0);
    compact_free(c);
}

/* ---- Taking over ---- */

static void old_rows_become_segments_step_by_step(void **state)
{
    struct world *w = *state;
    bool more = true;
    int steps = 0;

    store_old(w, make_some(w, 200, T0, SECOND / 7), 200);
    make(w, INT64_C(-62135596800000000)); /* the year 1 */
    store_old(w, 200, 1);
    while (more) {
        struct takeover *t = takeover_new(&w->sqlite->sizes); /* each by another process */

        assert_int_equal(takeover_step(t, &w->db, &more, &err), 0);
        check(w);
        takeover_free(t);
        steps++;
    }
    assert_int_equal(steps, 201 / (3 * BLOCK - 5) + 2);
    assert_int_equal(ask(w, "SELECT count(*) FROM logs"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 0);
}

static void arrivals_go_when_they_cannot_be_asked_for_any_more(void **state)
{
    struct world *w = *state;

    exec(w, "INSERT INTO arrivals VALUES(10, 1000, x''), (20, 2000, x''), (30, 3700000000, x'')");
    assert_int_equal(takeover_forget_arrivals(&w->db, 3800000000, &err), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM arrivals"), 1);
    assert_int_equal(ask(w, "SELECT follow_from FROM sequence"), 20);
    assert_int_equal(takeover_forget_arrivals(&w->db, INT64_C(99000000000), &err), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM arrivals"), 0);
    assert_int_equal(ask(w, "SELECT follow_from FROM sequence"), 30);
}

/* ---- Expiry ---- */

/* In as many transactions as it needs. */
static size_t expire(struct world *w, int64_t before_us, size_t max_rows)
{
    struct expire_pass pass = {0};
    size_t deleted, all = 0;
    bool more = true;

    while (more) {
        exec(w, "BEGIN");
        assert_int_equal(expire_before(&w->db, before_us, max_rows, &pass, &deleted, &more, &err),
                         0);
        exec(w, "COMMIT");
        all += deleted;
    }
    return all;
}

/* All kinds, overlapping; the boundary moves on in steps that fit nothing. */
static void what_is_too_old_goes_and_nothing_else(void **state)
{
    struct world *w = *state;
    size_t first, gone = 0;

    for (int i = 0; i < 5; i++) {
        first = make_some(w, 3 * BLOCK, T0 + i * 40 * SECOND, SECOND);
        store_some(w, first, 3 * BLOCK, i % 2, clock_wall_us());
    }
    store_old(w, make_some(w, 50, T0 + 7, 3 * SECOND), 50);
    store_recent(w, make_some(w, 20, T0 + 11, 5 * SECOND), 20);
    store_recent(w, make_some(w, 1, T0 + 100 * SECOND, 1), 1);
    check(w);
    for (int64_t before_us = T0 - SECOND; before_us < T0 + 400 * SECOND; before_us += 7 * SECOND) {
        size_t expected = 0;

        for (size_t i = 0; i < w->logs.len; i++) {
            expected += !w->gone[i] && w->logs.items[i].key.timestamp_us < before_us;
            w->gone[i] = w->logs.items[i].key.timestamp_us < before_us;
        }
        assert_int_equal(expire(w, before_us, 10), expected);
        gone += expected;
        check(w);
    }
    assert_int_equal(gone, w->logs.len);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM recent"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM blocks"), 0);
    assert_int_equal(ask(w, "SELECT last FROM sequence"), (int64_t)w->sequence);
}

/* One pass; the boundary moves on with each transaction. Returns how many logs were deleted. */
static size_t expire_pass(struct world *w, int64_t *before_us, int64_t moves_us)
{
    struct expire_pass pass = {0};
    size_t deleted, all = 0;
    bool more = true;

    for (int calls = 0; more; calls++) {
        assert_in_range(calls, 0, 15);
        exec(w, "UPDATE segments SET changes = 0");
        *before_us += moves_us;
        exec(w, "BEGIN");
        assert_int_equal(expire_before(&w->db, *before_us, 10000, &pass, &deleted, &more, &err), 0);
        exec(w, "COMMIT");
        all += deleted;
        assert_in_range(ask(w, "SELECT count(*) FROM segments WHERE changes > 0"), 0,
                        EXPIRE_PARTS_MAX);
    }
    return all;
}

/* However many segments the boundary lies in. It moves on before all of them have been seen to,
 * which does not make a pass endless: the next one finds the rest. */
static void a_transaction_changes_few_of_the_segments_at_the_boundary(void **state)
{
    struct world *w = *state;
    int64_t before_us = T0 + BLOCK * SECOND;
    size_t all, gone = 0;

    for (int i = 0; i < 5 * EXPIRE_PARTS_MAX; i++)
        store_some(w, make_some(w, 3 * BLOCK, T0 + i, SECOND), 3 * BLOCK, true, clock_wall_us());
    all = expire_pass(w, &before_us, SECOND / 8);
    all += expire_pass(w, &before_us, 0);
    for (size_t i = 0; i < w->logs.len; i++) {
        w->gone[i] = w->logs.items[i].key.timestamp_us < before_us;
        gone += w->gone[i];
    }
    check(w);
    assert_int_equal(all, gone);
}

static void what_was_erased_does_not_count_as_expired(void **state)
{
    struct world *w = *state;
    int64_t number = store_some(w, make_some(w, 3 * BLOCK, T0, SECOND), 3 * BLOCK, true, T0);

    erase_some(w, number, 0, 2);
    assert_int_equal(expire(w, T0 + (2 * BLOCK + 4) * SECOND, 1000), BLOCK + 2);
    assert_int_equal(expire(w, T0 + HOUR, 1000), BLOCK / 2 - 2);
}

static void the_oldest_go_while_the_store_is_too_large(void **state)
{
    struct world *w = *state;
    uint64_t used;
    size_t deleted = 0;

    store_old(w, make_some(w, 3000, T0 - HOUR, SECOND / 100), 3000);
    for (int i = 0; i < 20; i++)
        store_some(w, make_some(w, BLOCK * BLOCKS, T0 + i * HOUR, SECOND), BLOCK * BLOCKS, true,
                   T0);
    used = sqlite_db_used_bytes(&w->db);
    for (uint64_t max = used; max > used / 2; max -= used / 16) {
        exec(w, "BEGIN");
        assert_int_equal(expire_to_size(&w->db, max, &deleted, &err), 0);
        exec(w, "COMMIT");
        assert_true(sqlite_db_used_bytes(&w->db) <= max);
        /* What is left is newer than all that went. */
        assert_true(ask(w, "SELECT count(*) FROM logs") == 0 ||
                    ask(w, "SELECT sum(gone) FROM segments") == 0);
    }
    exec(w, "BEGIN");
    assert_int_equal(expire_to_size(&w->db, used, &deleted, &err), 0);
    exec(w, "COMMIT");
    assert_int_equal(deleted, 0);
}

/* ---- All together ---- */

static void keep(struct world *w, struct store_keeper *k)
{
    unsigned wait_ms;

    do {
        assert_int_equal(store_sqlite_keeper_step(k, true, &wait_ms, &err), 0);
        check(w);
    } while (wait_ms < STORE_KEEPER_WAIT_MAX_MS);
}

static void at_once_all_becomes_cold(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);

    store_old(w, make_some(w, 300, T0, SECOND), 300);
    for (int i = 0; i < 7; i++)
        store_some(w, make_some(w, 2 * BLOCK, T0 + (i + 1) * HOUR, SECOND), 2 * BLOCK, false,
                   clock_wall_us());
    keep(w, k);
    assert_int_equal(ask(w, "SELECT count(*) FROM logs"), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE NOT cold"), 0);
    assert_true(ask(w, "SELECT count(*) FROM segments") <= 300 / (BLOCK * BLOCKS) + 7);
    store_sqlite_keeper_free(k);
}

/* Steps of the keeper as a worker makes them, until it has looked and begun. */
static void let_look(struct store_keeper *k)
{
    unsigned wait_ms;

    for (int i = 0; i < 2; i++)
        assert_int_equal(store_sqlite_keeper_step(k, false, &wait_ms, &err), 0);
}

static void whoever_stores_waits_for_a_backlog_and_at_last_stores_nothing(void **state)
{
    struct world *w = *state;
    unsigned last_ms = 0, pause_ms;

    w->sqlite->sizes.backlog_blocks = 2 * BLOCKS;
    for (int i = 0; i < 12; i++) {
        struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);

        store_some(w, make_some(w, BLOCKS * BLOCK, T0 + i * HOUR, SECOND), BLOCKS * BLOCK, false,
                   clock_wall_us());
        let_look(k);
        pause_ms = atomic_load(&w->sqlite->append_pause_ms);
        assert_true(i < 2 ? pause_ms == 0 : pause_ms > last_ms || i > 7);
        assert_true(pause_ms <= (i < 4 ? 40 : 1000));
        assert_int_equal(store_migrate(w->s, &err), i < 8 ? 0 : LM_EBUSY);
        last_ms = pause_ms;
        store_sqlite_keeper_free(k);
        assert_int_equal(atomic_load(&w->sqlite->append_pause_ms), 0);
    }
}

static void what_is_not_stored_for_a_backlog_is_stored_when_it_is_done(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    struct store_writer *writer = store_test_writer(w->s);
    struct store_append_result result;
    struct record *r;
    int refused = 0;

    w->sqlite->sizes.backlog_blocks = 2;
    for (int i = 0; i < 9; i++)
        store_some(w, make_some(w, BLOCKS * BLOCK, T0 + i * HOUR, SECOND), BLOCKS * BLOCK, false,
                   clock_wall_us());
    let_look(k);
    r = make(w, T0 + 100 * HOUR);
    while (store_append(writer, r, 1, &result, &err) == LM_EBUSY) {
        unsigned wait_ms;

        assert_non_null(strstr(err.text, "compaction"));
        assert_int_equal(store_sqlite_keeper_step(k, true, &wait_ms, &err), 0);
        assert_in_range(refused++, 0, 1000);
    }
    assert_true(refused > 0);
    assert_int_equal(result.stored, 1);
    /* Not one by one, as soon as there is room for one. */
    assert_in_range(ask(w, "SELECT sum(blocks - gone) FROM segments WHERE NOT cold"), 1, 3 * 2);
    check(w);
    store_writer_free(writer);
    store_sqlite_keeper_free(k);
}

/* Or one that is hot for ever would keep all others out. */
static void nobody_waits_for_what_cannot_be_compacted(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    unsigned wait_ms;

    w->sqlite->sizes.backlog_blocks = 1;
    for (int i = 0; i < 9; i++)
        store_some(w, make_some(w, BLOCKS * BLOCK, T0 + i * HOUR, SECOND), BLOCKS * BLOCK, false,
                   clock_wall_us());
    exec(w, "UPDATE blocks SET data = x'00'");
    for (int i = 0; i < 60; i++)
        (void)!store_sqlite_keeper_step(k, true, &wait_ms, &err);
    assert_int_equal(store_migrate(w->s, &err), 0);
    assert_int_equal(atomic_load(&w->sqlite->append_pause_ms), 0);
    store_sqlite_keeper_free(k);
}

static void recent_logs_that_fill_blocks_are_sealed_at_rest(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);

    w->sqlite->sizes.keep_rows = 5;
    store_recent(w, make_some(w, 3 * BLOCK, T0, SECOND), 3 * BLOCK);
    keep(w, k);
    assert_int_equal(ask(w, "SELECT sum(rows) FROM segments WHERE cold"), 2 * BLOCK);
    assert_int_equal(ask(w, "SELECT sum(rows) FROM recent"), BLOCK);
    store_sqlite_keeper_free(k);
}

static void erase_since(struct store_writer *writer, int64_t since_us, bool remember)
{
    const struct store_slice slice = {.rows = LOGS_MAX};
    struct log_filter filter;
    struct store_scan scan;
    size_t erased;

    log_filter_init(&filter);
    filter.since_us = since_us;
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done)
        assert_int_equal(store_erase(writer, &scan, &slice, remember, &erased, &err), 0);
    log_matcher_unref(matcher);
}

static void erase_from(struct world *w, struct store_writer *writer, int64_t since_us)
{
    erase_since(writer, since_us, false);
}

/* The writer knows logs by their numbers: with one used again, a repeat would be stored. */
static void the_number_of_a_deleted_log_is_not_used_again(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    struct store_writer *writer = store_test_writer(w->s);

    w->sqlite->sizes.keep_rows = 5;
    make_some(w, 3 * BLOCK, T0, SECOND);
    store_test_append(writer, w->logs.items, w->logs.len);
    assert_int_equal(store_test_append(writer, w->logs.items, 1).repeated, 1);
    erase_from(w, writer, w->logs.items[3 * BLOCK - 1].key.timestamp_us);
    w->gone[3 * BLOCK - 1] = true;
    keep(w, k);
    const struct record *r = make(w, T0 + HOUR);
    assert_int_equal(store_test_append(writer, r, 1).stored, 1);
    assert_int_equal(ask(w, "SELECT max(last) FROM recent"), 3 * BLOCK + 1);
    assert_int_equal(store_test_append(writer, r, 1).repeated, 1);
    store_writer_free(writer);
    store_sqlite_keeper_free(k);
}

static void a_damaged_block_costs_only_its_segment(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    unsigned wait_ms;
    int errors = 0;

    for (int i = 0; i < 3; i++)
        store_some(w, make_some(w, 2 * BLOCK, T0 + i * HOUR, SECOND), 2 * BLOCK, false,
                   clock_wall_us());
    exec(w, "UPDATE blocks SET data = zeroblob(length(data)) WHERE number = 3");
    for (int i = 0; i < 50; i++)
        errors += store_sqlite_keeper_step(k, true, &wait_ms, &err) != 0;
    assert_int_equal(errors, 1);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 2);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE NOT cold"), 1);
    store_sqlite_keeper_free(k);
}

/* The place of the page that holds the middle of that block. */
static off_t page_of_block(struct world *w, int64_t number)
{
    enum { SAMPLE = 40 };
    char sql[96], path[512], sample[SAMPLE];
    static char file[4 << 20];
    sqlite3_stmt *stmt;

    exec(w, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(sql, sizeof(sql), "SELECT data FROM blocks WHERE number = %lld", (long long)number);
    assert_int_equal(sqlite3_prepare_v2(w->db.handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    size_t len = (size_t)sqlite3_column_bytes(stmt, 0);
    assert_true(len > 2 * SAMPLE);
    memcpy(sample, (const char *)sqlite3_column_blob(stmt, 0) + len / 2, SAMPLE);
    sqlite3_finalize(stmt);
    snprintf(path, sizeof(path), "%s/logs.db", w->directory);
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(file, 1, sizeof(file), f) : 0;
    if (f)
        fclose(f);
    const char *at = memmem(file, size, sample, SAMPLE);
    assert_non_null(at);
    int64_t page = ask(w, "PRAGMA page_size");
    return (at - file) / page * page;
}

/* Steps of a keeper that does all at once; returns how many failed. */
static int try_to_keep(struct store_keeper *k, int steps)
{
    unsigned wait_ms;
    int errors = 0;

    for (int i = 0; i < steps; i++)
        errors += store_sqlite_keeper_step(k, true, &wait_ms, &err) != 0;
    return errors;
}

/*
 * Some blocks share the page, and those beside it cannot be taken away. All others get on, and it
 * is not tried again and again; nor are strays sought again.
 */
static void a_page_that_cannot_be_read_costs_only_what_is_in_it(void **state)
{
    enum { SEGMENTS = 20, NEAR_THE_PAGE = 8, TRIES = 3 };
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);

    for (int i = 0; i < SEGMENTS; i++)
        store_some(w, make_some(w, BLOCKS * BLOCK, T0 + i * HOUR, SECOND), BLOCKS * BLOCK, false,
                   clock_wall_us());
    failing_reads_of(page_of_block(w, SEGMENTS * BLOCKS / 2));
    assert_in_range(try_to_keep(k, 200), 1, NEAR_THE_PAGE * TRIES);
    assert_int_equal(try_to_keep(k, 50), 0);
    assert_true(failing_reads_end());
    int64_t hot = ask(w, "SELECT count(*) FROM segments WHERE NOT cold");
    assert_in_range(hot, 1, NEAR_THE_PAGE);
    assert_int_equal(try_to_keep(k, 50), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE NOT cold"), hot);
    store_sqlite_keeper_free(k);

    k = store_sqlite_keeper_new(w->s, &err);
    keep(w, k);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE NOT cold"), 0);
    store_sqlite_keeper_free(k);
}

/* Somebody reads: what is left of deleted logs is not given up for that. */
static void at_once_waits_for_whoever_is_in_the_way(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    struct store_writer *writer = store_test_writer(w->s);
    unsigned wait_ms = 0;

    make_some(w, 3 * BLOCK, T0, SECOND);
    store_test_append(writer, w->logs.items, w->logs.len);
    erase_since(writer, w->logs.items[BLOCK].key.timestamp_us, true);
    store_writer_free(writer);
    exec(w, "BEGIN");
    ask(w, "SELECT count(*) FROM segments");
    while (wait_ms == 0)
        assert_int_equal(store_sqlite_keeper_step(k, true, &wait_ms, &err), 0);
    assert_in_range(wait_ms, 1, STORE_KEEPER_WAIT_MAX_MS - 1);
    exec(w, "COMMIT");
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_sqlite_keeper_step(k, true, &wait_ms, &err), 0);
    assert_int_equal(wait_ms, STORE_KEEPER_WAIT_MAX_MS);
    store_sqlite_keeper_free(k);
}

/* The boundary moves on each second: a merge that it undid would be made in vain for ever. */
static void expiry_does_not_undo_the_merge_of_a_segment_at_its_boundary(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    struct store_writer *writer = store_test_writer(w->s);
    size_t deleted;
    bool more;

    store_some(w, make_some(w, BLOCKS * BLOCK, T0, SECOND), BLOCKS * BLOCK, false, clock_wall_us());
    assert_int_equal(try_to_keep(k, 2), 0); /* it has begun */
    for (int i = 0; i < 3 * BLOCKS; i++) {
        int64_t before_us = T0 + (i + 1) * SECOND;

        assert_int_equal(try_to_keep(k, 1), 0);
        if (ask(w, "SELECT count(*) FROM segments WHERE cold") == 1)
            break;
        assert_int_equal(store_expire(writer, before_us, LOGS_MAX, &deleted, &more, &err), 0);
        assert_true(i < 2 * BLOCKS);
    }
    keep(w, k);
    assert_int_equal(store_expire(writer, T0 + BLOCK / 2 * SECOND, LOGS_MAX, &deleted, &more, &err),
                     0);
    assert_true(deleted > 0);
    for (int i = 0; i < BLOCK / 2; i++)
        w->gone[i] = true;
    check(w);
    store_writer_free(writer);
    store_sqlite_keeper_free(k);
}

static void three_segments(struct world *w)
{
    for (int i = 0; i < 3; i++)
        store_some(w, make_some(w, 2 * BLOCK, T0 + i * HOUR, SECOND), 2 * BLOCK, false,
                   clock_wall_us());
}

static void damaged_heads_cost_only_their_segment(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    unsigned wait_ms;
    int errors = 0;

    three_segments(w);
    exec(w, "UPDATE segments SET heads = x'00' WHERE number = 2");
    for (int i = 0; i < 50; i++)
        errors += store_sqlite_keeper_step(k, true, &wait_ms, &err) != 0;
    assert_int_equal(errors, 1);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE cold"), 2);
    store_sqlite_keeper_free(k);
}

static void a_damaged_row_of_a_segment_costs_only_that(void **state)
{
    struct world *w = *state;
    struct store_keeper *k = store_sqlite_keeper_new(w->s, &err);
    unsigned wait_ms;

    three_segments(w);
    exec(w, "UPDATE segments SET last = x'00' WHERE number = 2");
    for (int i = 0; i < 50; i++)
        assert_int_equal(store_sqlite_keeper_step(k, true, &wait_ms, &err), 0);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments WHERE NOT cold"), 1);
    store_sqlite_keeper_free(k);
}

static size_t expire_all(struct world *w, int64_t before_us)
{
    struct expire_pass pass = {0};
    size_t deleted;
    bool more;

    assert_int_equal(sqlite_db_begin(&w->db, &err), 0);
    assert_int_equal(expire_before(&w->db, before_us, LOGS_MAX, &pass, &deleted, &more, &err), 0);
    assert_int_equal(sqlite_db_commit(&w->db, &err), 0);
    assert_false(more);
    return deleted;
}

/* One that cannot be read goes when it is too old, and does not keep the others. */
static void damage_does_not_end_retention(void **state)
{
    struct world *w = *state;

    three_segments(w);
    exec(w, "UPDATE segments SET heads = x'00' WHERE number = 1");
    expire_all(w, T0 + HOUR);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 2);
    exec(w, "UPDATE segments SET last = x'00' WHERE number = 2");
    exec(w, "INSERT INTO erased SELECT number, 1, x'00' FROM blocks WHERE number = 5");
    assert_int_equal(expire_all(w, T0 + 2 * HOUR + BLOCK * SECOND), 0);
    assert_int_equal(ask(w, "SELECT gone FROM segments WHERE number = 3"), 1);
    expire_all(w, T0 + 3 * HOUR);
    assert_int_equal(ask(w, "SELECT count(*) FROM segments"), 1);
}

static void damage_does_not_hinder_deleting_the_rest(void **state)
{
    struct world *w = *state;
    struct store_writer *writer = store_test_writer(w->s);

    three_segments(w);
    size_t first = make_some(w, BLOCK, T0 + 3 * HOUR, SECOND);
    store_recent(w, first, BLOCK);
    exec(w, "UPDATE segments SET heads = x'00' WHERE number = 2");
    exec(w, "UPDATE recent SET logs = CAST(substr(logs, 1, length(logs) - 1) || x'00' AS BLOB)");
    erase_from(w, writer, T0);
    assert_int_equal(ask(w, "SELECT sum(rows - erased) FROM segments WHERE number <> 2"), 0);
    assert_int_equal(ask(w, "SELECT sum(rows) FROM recent"), 1);
    erase_from(w, writer, T0);
    store_writer_free(writer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(segments_side_by_side_become_one_cold_one),
        TEST(blocks_are_copied_though_their_filters_need_not_be_equal),
        TEST(a_filter_is_as_large_as_its_block_needs),
        TEST(overlapping_segments_are_merged_by_key_and_what_is_erased_is_left_out),
        TEST(a_stop_in_the_middle_loses_and_doubles_nothing),
        TEST(a_log_that_is_in_two_segments_is_in_one_afterwards),
        TEST(a_source_that_changes_meanwhile_is_not_replaced),
        TEST(a_source_that_goes_meanwhile_does_not_come_back),
        TEST(numbers_that_are_dropped_can_no_longer_be_followed),
        TEST(what_would_take_too_much_memory_is_merged_in_part_or_not_at_all),
        TEST(a_segment_whose_logs_are_all_erased_goes),
        TEST(old_rows_become_segments_step_by_step),
        TEST(arrivals_go_when_they_cannot_be_asked_for_any_more),
        TEST(what_is_too_old_goes_and_nothing_else),
        TEST(a_transaction_changes_few_of_the_segments_at_the_boundary),
        TEST(what_was_erased_does_not_count_as_expired),
        TEST(the_oldest_go_while_the_store_is_too_large),
        TEST(at_once_all_becomes_cold),
        TEST(whoever_stores_waits_for_a_backlog_and_at_last_stores_nothing),
        TEST(what_is_not_stored_for_a_backlog_is_stored_when_it_is_done),
        TEST(nobody_waits_for_what_cannot_be_compacted),
        TEST(recent_logs_that_fill_blocks_are_sealed_at_rest),
        TEST(the_number_of_a_deleted_log_is_not_used_again),
        TEST(a_damaged_block_costs_only_its_segment),
        TEST(a_page_that_cannot_be_read_costs_only_what_is_in_it),
        TEST(at_once_waits_for_whoever_is_in_the_way),
        TEST(expiry_does_not_undo_the_merge_of_a_segment_at_its_boundary),
        TEST(damaged_heads_cost_only_their_segment),
        TEST(a_damaged_row_of_a_segment_costs_only_that),
        TEST(damage_does_not_end_retention),
        TEST(damage_does_not_hinder_deleting_the_rest),
    };

    diag_set_level(DIAG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
