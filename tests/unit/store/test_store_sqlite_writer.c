/*
 * What the writer of the embedded store leaves in the file: each log in one place, in the order of
 * storing, found again when it comes again, whatever has been sealed meanwhile. The file is read
 * here by hand, table by table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/xalloc.h"
#include "block/bytes.h"
#include "block/raw.h"
#include "dice.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/key_table.h"
#include "store/sqlite/segment.h"
#include "store/sqlite/writer.h"
#include "store_test_support.h"

#define T0 INT64_C(1767225600000000)

enum { TEXT = 64, BATCH_MAX = 400 };

/* A log as it was sent, or as it lies in the file. */
struct kept {
    struct log_key key;
    char level[TEXT], message[TEXT], attributes[TEXT];
    uint64_t sequence;
};

struct logs {
    struct kept *items;
    size_t len, capacity;
};

struct place {
    char *directory;
    struct store_sqlite_sizes sizes;
    struct store *s;
    struct store_writer *w;
    struct logs sent; /* each once, as it came first */
    struct logs file; /* all that is in the file */
    size_t recent_rows, segments, blocks, in_blocks;
};

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->directory = temp_directory_new();
    p->sizes = (struct store_sqlite_sizes){.block_rows = 10,
                                           .segment_blocks = 4,
                                           .row_bytes = 2000,
                                           .seal_rows = 60,
                                           .keep_rows = 10,
                                           .late_rows = 25,
                                           .key_blocks = 3};
    *state = p;
    return 0;
}

static void open_writer(struct place *p)
{
    struct errbuf err = ERRBUF_INIT;

    if (!p->s)
        p->s = store_sqlite_new_sized(p->directory, &p->sizes, &err);
    assert_non_null(p->s);
    p->w = store_test_writer(p->s);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    if (p->w)
        store_writer_free(p->w);
    store_free(p->s);
    temp_directory_free(p->directory);
    free(p->sent.items);
    free(p->file.items);
    free(p);
    return 0;
}

/* Runs SQL as somebody else with the file open; returns the first column, 0 if there is none. */
static int64_t run_sql(const struct place *p, const char *sql)
{
    char path[1024];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int64_t number = 0;

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    while (*sql) {
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, &sql) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        if (sqlite3_step(stmt) == SQLITE_ROW)
            number = sqlite3_column_int64(stmt, 0);
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    }
    sqlite3_close(db);
    return number;
}

/* ---- What is in the file ---- */

static void copy_text(char to[TEXT], struct slice text)
{
    assert_true(text.len < TEXT);
    snprintf(to, TEXT, "%.*s", (int)text.len, text.len ? text.data : "");
}

static struct kept *add(struct logs *logs, const struct record *r, uint64_t sequence)
{
    logs->items = array_reserve(logs->items, &logs->capacity, logs->len + 1, sizeof(*logs->items));
    struct kept *k = &logs->items[logs->len++];

    *k = (struct kept){.key = r->key, .sequence = sequence};
    copy_text(k->level, r->level);
    copy_text(k->message, r->message);
    copy_text(k->attributes, r->attributes);
    return k;
}

/* Rows of `recent`: each says what is in it, and their ranges of numbers ascend. */
static void read_recent(struct place *p, struct sqlite_db *db)
{
    struct errbuf err = ERRBUF_INIT;
    uint64_t last = 0;
    sqlite3_stmt *stmt;

    assert_int_equal(
        sqlite_db_statement(db, "SELECT last, rows, logs FROM recent ORDER BY last", &stmt, &err),
        0);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *bytes = sqlite3_column_blob(stmt, 2);
        struct slice logs = {bytes, (size_t)sqlite3_column_bytes(stmt, 2)};
        struct block_row row;
        int64_t rows = 0;

        while (block_raw_next(&logs, &row, &err) == 0) {
            assert_true(row.sequence > last);
            last = row.sequence;
            add(&p->file, &row.record, row.sequence);
            rows++;
        }
        assert_int_equal(logs.len, 0);
        assert_int_equal(rows, sqlite3_column_int64(stmt, 1));
        assert_int_equal(last, sqlite3_column_int64(stmt, 0));
        p->recent_rows++;
    }
    sqlite3_reset(stmt);
}

static void read_block(struct place *p, struct sqlite_db *db, struct block_reader *reader,
                       const struct block_head *head)
{
    struct segment_blob blob = {0};
    struct errbuf err = ERRBUF_INIT;
    const uint64_t *sequences;
    struct record record;

    assert_int_equal(segment_blob_open(&blob, db, head->number, &err), 0);
    assert_int_equal(block_open(reader, &blob.source, head, &err), 0);
    assert_int_equal(block_sequences(reader, &sequences, &err), 0);
    for (size_t row = 0; row < head->rows; row++) {
        uint64_t sequence = sequences[row];

        assert_true(sequence >= head->first_sequence && sequence <= head->last_sequence);
        if (block_record(reader, row, &record, &err) != 0)
            fail_msg("%s", err.text);
        add(&p->file, &record, sequence);
    }
    assert_true(head->rows <= p->sizes.block_rows);
    block_close(reader);
    segment_blob_close(&blob);
    p->blocks++;
    p->in_blocks += head->rows;
}

static void read_segments(struct place *p, struct sqlite_db *db)
{
    struct block_reader *reader = block_reader_new();
    struct errbuf err = ERRBUF_INIT;
    sqlite3_stmt *stmt;

    assert_int_equal(
        sqlite_db_statement(db, "SELECT " SEGMENT_COLUMNS " FROM segments", &stmt, &err), 0);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct block_head *heads;
        struct segment s;
        size_t n, before = p->file.len;

        assert_int_equal(segment_take(db, stmt, &s, &err), 0);
        assert_int_equal(segment_heads(db, &s, &heads, &n, &err), 0);
        assert_int_equal(log_key_compare(&s.first, &heads[0].first), 0);
        assert_int_equal(log_key_compare(&s.last, &heads[n - 1].last), 0);
        for (size_t i = 0; i < n; i++)
            read_block(p, db, reader, &heads[i]);
        assert_int_equal(p->file.len - before, s.rows);
        assert_true(n <= p->sizes.segment_blocks);
        free(heads);
        p->segments++;
    }
    sqlite3_reset(stmt);
    block_reader_free(reader);
}

static void read_file(struct place *p)
{
    struct sqlite_db_options options =
        store_sqlite_db_options((struct store_sqlite *)p->s, 64, true);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;

    p->file.len = p->recent_rows = p->segments = p->blocks = p->in_blocks = 0;
    assert_int_equal(sqlite_db_open(&db, &options, &err), 0);
    read_recent(p, &db);
    read_segments(p, &db);
    sqlite_db_close(&db);
}

/* ---- Comparing ---- */

static int compare_keys(const void *a, const void *b)
{
    return log_key_compare(&((const struct kept *)a)->key, &((const struct kept *)b)->key);
}

static int compare_sequences(const void *a, const void *b)
{
    uint64_t x = ((const struct kept *)a)->sequence;
    uint64_t y = ((const struct kept *)b)->sequence;

    return (x > y) - (x < y);
}

/* All that was sent is there once, in the order in which it was, and nothing else. */
static void check_file(struct place *p)
{
    read_file(p);
    assert_int_equal(p->file.len, p->sent.len);
    if (p->file.len > 0)
        qsort(p->file.items, p->file.len, sizeof(*p->file.items), compare_sequences);
    for (size_t i = 0; i < p->file.len; i++) {
        const struct kept *a = &p->file.items[i];
        const struct kept *b = &p->sent.items[i];

        assert_int_equal(compare_keys(a, b), 0);
        assert_string_equal(a->level, b->level);
        assert_string_equal(a->message, b->message);
        assert_string_equal(a->attributes, b->attributes);
        assert_true(i == 0 || a[-1].sequence < a->sequence);
    }
}

static const struct kept *find_sent(const struct place *p, const struct log_key *key)
{
    for (size_t i = p->sent.len; i-- > 0;) {
        if (log_key_compare(&p->sent.items[i].key, key) == 0)
            return &p->sent.items[i];
    }
    return NULL;
}

static bool is_same(const struct kept *k, const struct record *r)
{
    struct logs one = {0};
    const struct kept *other = add(&one, r, 0);
    bool is = strcmp(k->level, other->level) == 0 && strcmp(k->message, other->message) == 0 &&
              strcmp(k->attributes, other->attributes) == 0;

    free(one.items);
    return is;
}

/* Appends, and tells the model; the counts are those that the model has. */
static void append_by(struct place *p, struct store_writer *w, const struct record *records,
                      size_t n)
{
    struct store_append_result expected = {0};

    for (size_t i = 0; i < n; i++) {
        const struct kept *k = find_sent(p, &records[i].key);

        if (!k)
            expected.stored++;
        else if (is_same(k, &records[i]))
            expected.repeated++;
        else
            expected.conflicts++;
        if (!k)
            add(&p->sent, &records[i], 0);
    }
    struct store_append_result result = store_test_append(w, records, n);
    assert_int_equal(result.stored, expected.stored);
    assert_int_equal(result.repeated, expected.repeated);
    assert_int_equal(result.conflicts, expected.conflicts);
}

static void append(struct place *p, const struct record *records, size_t n)
{
    append_by(p, p->w, records, n);
}

/* `n` logs of a microsecond each from T0 + `from` on. */
static void append_run(struct place *p, uint32_t from, uint32_t n)
{
    struct record *records = xcalloc(n, sizeof(*records));

    for (uint32_t i = 0; i < n; i++)
        records[i] = store_test_record(T0 + from + i, from + i, "info", "in a row", NULL);
    append(p, records, n);
    free(records);
}

/* ---- Cases ---- */

static void few_logs_are_one_row_of_recent(void **state)
{
    struct place *p = *state;

    open_writer(p);
    append_run(p, 0, 5);
    append_run(p, 5, 1);
    check_file(p);
    assert_int_equal(p->recent_rows, 2);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM logs"), 0);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM arrivals"), 0);
    assert_int_equal(run_sql(p, "SELECT max(last) FROM recent"), 6);
}

static void a_row_of_recent_is_of_a_bounded_size(void **state)
{
    struct place *p = *state;

    p->sizes.seal_rows = 1000000;
    open_writer(p);
    append_run(p, 0, BATCH_MAX);
    check_file(p);
    assert_true(p->recent_rows > 3);
    assert_true(run_sql(p, "SELECT max(length(logs)) FROM recent") < 2 * 2000);
}

static void the_newest_stay_recent_and_the_rest_becomes_blocks(void **state)
{
    struct place *p = *state;

    open_writer(p);
    for (uint32_t i = 0; i < 60; i++)
        append_run(p, i, 1);
    check_file(p);
    assert_int_equal(p->in_blocks, 50);
    assert_int_equal(p->blocks, 5);
    assert_int_equal(p->segments, 2);
    assert_int_equal(p->recent_rows, 1);
    assert_int_equal(run_sql(p, "SELECT last FROM recent"), 60);
    append_run(p, 60, 59);
    check_file(p);
    assert_int_equal(p->in_blocks, 50);
    append_run(p, 119, 1);
    check_file(p);
    assert_int_equal(p->in_blocks, 110);
}

static void a_large_batch_goes_straight_into_blocks(void **state)
{
    struct place *p = *state;

    open_writer(p);
    append_run(p, 0, 3);
    append_run(p, 3, BATCH_MAX);
    check_file(p);
    size_t whole = (BATCH_MAX + 3 - 10) / 10 * 10; /* what would fill a part of a block stays */
    assert_int_equal(p->in_blocks, whole);
    assert_int_equal(p->segments, 10);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), BATCH_MAX + 3 - whole);
    append_run(p, 3, BATCH_MAX); /* all of them are found again */
    append_run(p, 0, BATCH_MAX + 5);
    check_file(p);
}

static void the_first_of_several_with_one_key_stays(void **state)
{
    struct place *p = *state;
    struct record records[] = {
        store_test_record(T0, 1, "info", "first", NULL),
        store_test_record(T0, 1, "info", "second", NULL),
        store_test_record(T0, 1, "info", "first", NULL),
        store_test_record(T0, 1, "warn", "first", NULL),
        store_test_record(T0, 1, "info", "first", "{\"a\":1}"),
    };

    open_writer(p);
    append(p, records, 5);
    append(p, records, 5);
    append_run(p, 100, BATCH_MAX);
    append(p, records, 5);
    check_file(p);
}

static void late_logs_stay_recent_until_they_are_many(void **state)
{
    struct place *p = *state;

    open_writer(p);
    append_run(p, 10000, BATCH_MAX);
    check_file(p);
    size_t before = p->in_blocks;
    append_run(p, 5000, 20);
    append_run(p, 11000, 60); /* a seal */
    check_file(p);
    assert_int_equal(p->in_blocks, before + 60);
    append_run(p, 5020, 5);
    append_run(p, 12000, 60);
    check_file(p);
    assert_int_equal(p->in_blocks, before + 145);
    append_run(p, 5000, 25);
}

static void logs_of_a_time_to_come_do_not_make_all_others_late(void **state)
{
    struct place *p = *state;
    int64_t future = clock_wall_us() + INT64_C(400) * 86400 * 1000000;
    struct record records[40];

    open_writer(p);
    for (uint32_t i = 0; i < 40; i++)
        records[i] = store_test_record(future + i, i, "info", "not yet", NULL);
    append(p, records, 10);
    for (uint32_t i = 0; i < 10; i++)
        append_run(p, i * 30, 30);
    check_file(p);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), 20);
    append(p, records + 10, 30);
    append_run(p, 1000, 60); /* they have become many: a segment of their own */
    check_file(p);
    append_run(p, 2000, 60);
    check_file(p);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), 10);
    append(p, records, 40);
    append_run(p, 0, 300);
}

static void numbers_are_not_used_again_when_all_has_gone(void **state)
{
    struct place *p = *state;

    p->sizes.keep_rows = 1;
    open_writer(p);
    append_run(p, 0, 100);
    run_sql(p, "DELETE FROM recent; DELETE FROM segments; DELETE FROM blocks");
    append_run(p, 200, 1);
    assert_int_equal(run_sql(p, "SELECT max(last) FROM recent"), 101);
}

/* What makes a seal fail, and the writer is to live with it. */
/* It leaves a row with the number of the one that was there: only fewer logs. */
static void what_somebody_else_has_sealed_does_not_count_as_recent(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    unsigned wait_ms = 0;

    p->sizes.row_bytes = 100000;
    open_writer(p);
    append_run(p, 0, 50);
    struct store_keeper *k = store_keeper_new(p->s, &err);
    while (wait_ms == 0)
        assert_int_equal(store_keeper_step(k, true, &wait_ms, &err), 0);
    store_keeper_free(k);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent WHERE last = 50"), 10);
    append_run(p, 50, 30);
    check_file(p);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), 40);
    append_run(p, 80, 40); /* 60 beside those 10 */
    check_file(p);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), 10);
}

static void sealing_that_fails_does_not_keep_logs_from_being_stored(void **state)
{
    struct place *p = *state;

    open_writer(p);
    run_sql(p, "CREATE TRIGGER no BEFORE INSERT ON segments BEGIN SELECT raise(ABORT, 'no'); END");
    for (uint32_t i = 0; i < 10; i++)
        append_run(p, i * 30, 30);
    check_file(p);
    assert_int_equal(p->in_blocks, 0);
    run_sql(p, "DROP TRIGGER no");
    store_writer_free(p->w);
    open_writer(p);
    append_run(p, 300, 1);
    check_file(p);
    assert_int_equal(p->in_blocks, 290);
}

static void without_memory_logs_are_stored_and_sealed_later(void **state)
{
    struct place *p = *state;
    struct record records[70];
    bool was_reached = true;
    uint32_t at = 0;

    open_writer(p);
    for (unsigned point = 1; was_reached; point += 1 + point / 8) {
        struct fault_plan plan = {.kind = FAULT_INPUT, .first = point};
        struct store_append_result result;
        struct errbuf err = ERRBUF_INIT;

        for (uint32_t i = 0; i < 70; i++)
            records[i] = store_test_record(T0 + at + i, at + i, "info", "in a row", NULL);
        store_writer_free(p->w);
        p->w = store_test_writer(p->s);
        fault_plan(&plan);
        int error = store_append(p->w, records, 70, &result, &err);
        was_reached = fault_count() > 0;
        fault_plan(&(struct fault_plan){0});
        assert_true(!error || error == LM_ENOMEM);
        for (uint32_t i = 0; !error && i < 70; i++)
            add(&p->sent, &records[i], 0);
        append(p, records, 70);
        at += 70;
    }
    check_file(p);
    assert_true(at > 5 * 70); /* some points there are */
}

static void more_than_fits_into_memory_is_sealed_piece_by_piece(void **state)
{
    struct place *p = *state;

    p->sizes.seal_rows = 1000000;
    open_writer(p);
    for (uint32_t i = 0; i < 10; i++)
        append_run(p, i * 100, 100);
    store_writer_free(p->w);
    store_free(p->s);
    p->s = NULL;
    p->sizes.seal_rows = 60;
    p->sizes.seal_bytes = 2500; /* four times that are read */
    open_writer(p);
    append_run(p, 1000, 1);
    check_file(p);
    assert_true(p->in_blocks > 0 && p->in_blocks < 500);
    for (uint32_t i = 0; i < 20; i++)
        append_run(p, 1001 + i * 30, 30);
    check_file(p);
    assert_true(run_sql(p, "SELECT sum(rows) FROM recent") < 100);
}

static void a_damaged_row_stays_and_hinders_nobody(void **state)
{
    struct place *p = *state;

    open_writer(p);
    append_run(p, 0, 20);
    append_run(p, 20, 20);
    append_run(p, 40, 19);
    run_sql(
        p,
        "UPDATE recent SET logs = CAST(substr(logs, 1, 100) || x'00' || substr(logs, 102) AS BLOB) "
        "WHERE last = 40");
    append_run(p, 100, 60);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM recent WHERE last = 40"), 1);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM recent"), 39);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM segments"), 80);
    append_run(p, 200, 60);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM segments"), 140);
}

/* Of what stays recent, logs before and after a damaged row are found again. */
static size_t erase_all(struct place *p)
{
    const struct store_slice slice = {.rows = BATCH_MAX};
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;
    size_t erased, all = 0;

    log_filter_init(&filter);
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done) {
        erased = 0;
        if (store_erase(p->w, &scan, &slice, true, &erased, &err))
            fail_msg("%s", err.text);
        all += erased;
    }
    log_matcher_unref(matcher);
    return all;
}

/* Each log has a checksum of its own: what is said of all of them can be made again. */
static void damaged_keys_of_a_row_cost_no_log(void **state)
{
    static const char *const damages[] = {"first = x'00'", "first = x'ff'", "highest = x'00'",
                                          "highest = x'ff', first = x''"};

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct place *p = NULL;
        struct errbuf err = ERRBUF_INIT;
        struct store_test_rows rows = {0};
        struct log_query query = store_test_query(100);
        char sql[128];
        size_t deleted;

        assert_int_equal(set_up((void **)&p), 0);
        open_writer(p);
        append_run(p, 0, 5);
        append_run(p, 5, 5);
        append_run(p, 10, 5);
        store_writer_free(p->w);
        snprintf(sql, sizeof(sql), "UPDATE recent SET %s WHERE last = %d", damages[i],
                 i % 2 ? 10 : 15);
        run_sql(p, sql);
        open_writer(p);
        append_run(p, 5, 10); /* they are found, though not said to be there */
        struct store_reader *r = store_test_reader(p->s);
        store_test_run(r, &query, &rows);
        assert_int_equal(rows.len, 15);
        store_test_rows_release(&rows);
        assert_int_equal(store_expire(p->w, T0 + 6, 1000, &deleted, &(bool){false}, &err), 0);
        assert_int_equal(deleted, 6);
        assert_int_equal(erase_all(p), 9);
        store_test_run(r, &query, &rows);
        assert_int_equal(rows.len, 0);
        store_test_rows_release(&rows);
        store_reader_free(r);
        tear_down((void **)&p);
    }
}

static void no_row_of_recent_reaches_across_a_damaged_one(void **state)
{
    struct place *p = *state;

    open_writer(p);
    append_run(p, 1000, 5);
    append_run(p, 0, 20);
    append_run(p, 2000, 5);
    run_sql(
        p,
        "UPDATE recent SET logs = CAST(substr(logs, 1, 100) || x'00' || substr(logs, 102) AS BLOB) "
        "WHERE last = 25");
    append_run(p, 100, 60);
    assert_int_equal(run_sql(p, "SELECT sum(rows) FROM segments"), 60);
    append_run(p, 1000, 5);
    append_run(p, 2000, 5);
}

static void a_damaged_block_holds_nothing(void **state)
{
    struct place *p = *state;
    struct record record = store_test_record(T0, 0, "info", "in a row", NULL);

    open_writer(p);
    append_run(p, 0, 100);
    run_sql(p, "UPDATE blocks SET data = zeroblob(length(data))");
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    run_sql(p, "DELETE FROM blocks");
    record.key.timestamp_us++;
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    run_sql(p, "UPDATE segments SET heads = x''");
    record.key.timestamp_us++;
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
}

static void what_was_deleted_does_not_come_back(void **state)
{
    struct place *p = *state;
    struct record record = store_test_record(T0 + 5, 5, "info", "in a row", NULL);
    char key[LOG_KEY_BYTES], sql[512] = "", hex[2 * LOG_KEY_BYTES + 1];

    log_key_pack_ordered(&record.key, key);
    for (int i = 0; i < LOG_KEY_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)key[i]);
    open_writer(p);
    snprintf(sql, sizeof(sql), "INSERT INTO tombstones VALUES(1, 0, x'%s', x'%s', x'%s')", hex, hex,
             hex);
    run_sql(p, sql);
    struct store_append_result result = store_test_append(p->w, &record, 1);
    assert_int_equal(result.repeated, 1);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM recent"), 0);
}

static void a_row_that_is_marked_is_not_there(void **state)
{
    struct place *p = *state;
    struct record record = store_test_record(T0, 0, "info", "in a row", NULL);
    char sql[128];

    open_writer(p);
    append_run(p, 0, 100);
    assert_int_equal(store_test_append(p->w, &record, 1).repeated, 1);
    snprintf(sql, sizeof(sql), "INSERT INTO erased SELECT min(number), 1, x'%s%08x' FROM blocks",
             "0100000000000000", (unsigned)bytes_checksum(slice_of("\1\0\0\0\0\0\0\0", 8)));
    run_sql(p, sql);
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    record.key.timestamp_us++;
    record.key.id.bytes[15]++;
    assert_int_equal(store_test_append(p->w, &record, 1).repeated, 1);
}

static void logs_of_an_older_logmill_are_found(void **state)
{
    struct place *p = *state;
    struct record record = store_test_record(T0, 0, "info", "in a row", NULL);

    open_writer(p);
    char sql[256], hex[33];
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", record.key.id.bytes[i]);
    snprintf(sql, sizeof(sql),
             "INSERT INTO logs VALUES(1767225600000000, x'%s', 'info', 'in a row', NULL)", hex);
    run_sql(p, sql);
    assert_int_equal(store_test_append(p->w, &record, 1).repeated, 1);
    record.attributes = SLICE_LITERAL("{\"a\":1}");
    assert_int_equal(store_test_append(p->w, &record, 1).conflicts, 1);
}

/* The largest that can come in; it has no place beside others, and is sealed at once. */
static void a_log_of_64_mib_is_stored_and_found(void **state)
{
    struct place *p = *state;
    const size_t len = (size_t)64 << 20;
    char *text = xmalloc(len);
    struct record record = store_test_record(T0, 1, "info", "", NULL);
    struct log_query query = store_test_query(10);
    struct store_test_rows rows = {0};

    for (size_t i = 0; i < len; i++)
        text[i] = "some words and 12345 numbers, "[i % 30];
    record.message = (struct slice){text, len};
    p->sizes = (struct store_sqlite_sizes){0};
    open_writer(p);
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    assert_int_equal(store_test_append(p->w, &record, 1).repeated, 1);
    text[len - 1] = 'x';
    assert_int_equal(store_test_append(p->w, &record, 1).conflicts, 1);
    text[len - 1] = "some words and 12345 numbers, "[(len - 1) % 30];
    struct store_reader *r = store_test_reader(p->s);
    store_test_run(r, &query, &rows);
    assert_int_equal(rows.len, 1);
    store_test_assert_equal(&rows.items[0], &record);
    store_test_rows_release(&rows);
    store_reader_free(r);
    free(text);
}

/* A log by chance: often one that was sent, or one that is like it. */
static struct record random_record(struct place *p, struct dice *d, int64_t *time)
{
    static const char *const texts[] = {"one", "two", "three", "a longer text of some words"};
    static const char *const attributes[] = {NULL, "{\"a\":1}", "{\"b\":[1,2]}"};
    uint32_t id = (uint32_t)dice_below(d, 1000000);
    int64_t us = *time += (int64_t)dice_below(d, 50);

    if (dice_one_in(d, 6))
        us -= (int64_t)dice_below(d, 3000);
    if (dice_one_in(d, 40))
        us -= (int64_t)dice_below(d, 3000000);
    if (dice_one_in(d, 60))
        us += INT64_C(86400000000) * (int64_t)(1000 + dice_below(d, 10));
    struct record r = store_test_record(us, id, dice_one_in(d, 3) ? "warn" : "info",
                                        texts[dice_below(d, 4)], attributes[dice_below(d, 3)]);
    if (p->sent.len > 0 && dice_one_in(d, 4)) {
        const struct kept *k = &p->sent.items[dice_below(d, p->sent.len)];

        r.key = k->key;
        if (dice_one_in(d, 2)) { /* the same: the texts are those of the model, so copied */
            r.level = slice_of_string(strcmp(k->level, "info") == 0 ? "info" : "warn");
            for (int i = 0; i < 4; i++)
                r.message =
                    strcmp(k->message, texts[i]) == 0 ? slice_of_string(texts[i]) : r.message;
            r.attributes = (struct slice){NULL, 0};
            for (int i = 1; i < 3; i++) {
                if (strcmp(k->attributes, attributes[i]) == 0)
                    r.attributes = slice_of_string(attributes[i]);
            }
        }
    }
    return r;
}

static void run_by_chance(struct place *p, uint64_t seed)
{
    struct dice d = {seed};
    struct store_writer *other;
    struct record records[BATCH_MAX];
    int64_t time = T0;

    open_writer(p);
    other = store_test_writer(p->s);
    for (int k = 0; k < 150; k++) {
        size_t n = dice_one_in(&d, 20) ? dice_below(&d, BATCH_MAX) : dice_below(&d, 12);

        for (size_t i = 0; i < n; i++)
            records[i] = random_record(p, &d, &time);
        append_by(p, dice_one_in(&d, 3) ? other : p->w, records, n);
        if (dice_one_in(&d, 10))
            check_file(p);
        if (dice_one_in(&d, 30)) {
            store_writer_free(p->w);
            p->w = store_test_writer(p->s);
        }
    }
    check_file(p);
    store_writer_free(other);
}

static void whatever_comes_each_log_is_there_once(void **state)
{
    struct place *p = *state;

    for (uint64_t seed = 1; seed <= 6; seed++) {
        void *next;

        run_by_chance(p, seed);
        tear_down(state);
        set_up(&next);
        *state = p = next;
    }
}

static void sizes_are_read_from_a_list(void **state)
{
    static const char *const bad[] = {
        "seal_rows", "seal_rows=", "seal_rows=x", "rows=1", "seal_rows=1;", "=1", ","};
    struct store_sqlite_sizes sizes = {0};
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(store_sqlite_sizes_parse(&sizes, "", &err), 0);
    assert_int_equal(store_sqlite_sizes_parse(&sizes, "seal_rows=64,block_rows=9999999", &err), 0);
    store_sqlite_sizes_settle(&sizes);
    assert_int_equal(sizes.seal_rows, 64);
    assert_int_equal(sizes.block_rows, BLOCK_ROWS_MAX);
    assert_int_equal(sizes.keep_rows, 1024);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(store_sqlite_sizes_parse(&sizes, bad[i], &err), LM_EINVAL);
}

/* ---- Segments ---- */

static void blocks_go_from_the_front_and_rows_by_marks(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    struct block_head *heads;
    struct segment s;
    sqlite3_stmt *stmt;
    size_t n;
    uint64_t rows[1] = {5}, left[1] = {7};
    bool any;

    p->sizes.block_rows = 16;
    open_writer(p);
    append_run(p, 0, 74);
    struct sqlite_db_options options =
        store_sqlite_db_options((struct store_sqlite *)p->s, 64, false);
    struct sqlite_db db;
    assert_int_equal(sqlite_db_open(&db, &options, &err), 0);
    assert_int_equal(
        sqlite_db_statement(&db, "SELECT " SEGMENT_COLUMNS " FROM segments", &stmt, &err), 0);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(segment_take(&db, stmt, &s, &err), 0);
    sqlite3_reset(stmt);
    assert_int_equal(segment_heads(&db, &s, &heads, &n, &err), 0);
    assert_int_equal(n, 4);
    assert_int_equal(segment_mark(&db, &s, &heads[0], rows, &err), 0);
    assert_int_equal(segment_mark(&db, &s, &heads[1], rows, &err), 0);
    rows[0] = 6;
    assert_int_equal(segment_mark(&db, &s, &heads[1], rows, &err), 0);
    assert_int_equal(segment_unmark(&db, heads[0].number, left, heads[0].rows, &any, &err), 0);
    assert_int_equal(left[0], 2);
    assert_true(any);
    assert_int_equal(run_sql(p, "SELECT erased FROM segments"), 5);
    assert_int_equal(segment_drop_leading(&db, &s, 1, &err), 0);
    assert_int_equal(run_sql(p, "SELECT erased FROM segments"), 3);
    assert_int_equal(run_sql(p, "SELECT changes FROM segments"), 4);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM blocks"), 3);
    s.gone = 1;
    free(heads);
    assert_int_equal(segment_heads(&db, &s, &heads, &n, &err), 0);
    assert_int_equal(n, 3);
    free(heads);
    assert_int_equal(segment_drop_leading(&db, &s, 3, &err), 0);
    assert_int_equal(run_sql(p, "SELECT (SELECT count(*) FROM blocks) + "
                                "(SELECT count(*) FROM segments) + (SELECT count(*) FROM erased)"),
                     0);
    sqlite_db_close(&db);
}

/* The parts of a batch that was refused for what is in it do not wait for the backlog one by one.
 */
static void parts_of_a_batch_are_taken_though_others_would_have_to_wait(void **state)
{
    struct place *p = *state;
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    struct record records[5];

    open_writer(p);
    struct store_sqlite *s = (struct store_sqlite *)p->s;
    sqlite3 *handle = ((struct store_sqlite_writer *)p->w)->db.handle;
    for (size_t i = 0; i < 5; i++) {
        records[i] = (struct record){.key.timestamp_us = T0 + (int64_t)i,
                                     .level = SLICE_LITERAL("info"),
                                     .message = SLICE_LITERAL("part of a batch")};
        records[i].key.id.bytes[15] = (unsigned char)i;
    }
    int limit = sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 100);
    assert_int_equal(store_append(p->w, records, 4, &result, &err), LM_EDATA);
    atomic_store(&s->is_overtaxed, true);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, limit);
    assert_int_equal(store_append(p->w, records, 2, &result, &err), 0);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, 100);
    assert_int_equal(store_append(p->w, records + 2, 2, &result, &err), LM_EDATA);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, limit);
    assert_int_equal(store_append(p->w, records + 2, 1, &result, &err), 0);
    assert_int_equal(store_append(p->w, records + 3, 1, &result, &err), 0);
    assert_int_equal(result.stored, 1);
    assert_int_equal(store_append(p->w, records + 4, 1, &result, &err), LM_EBUSY);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(few_logs_are_one_row_of_recent),
        CASE(a_row_of_recent_is_of_a_bounded_size),
        CASE(the_newest_stay_recent_and_the_rest_becomes_blocks),
        CASE(a_large_batch_goes_straight_into_blocks),
        CASE(the_first_of_several_with_one_key_stays),
        CASE(late_logs_stay_recent_until_they_are_many),
        CASE(logs_of_a_time_to_come_do_not_make_all_others_late),
        CASE(numbers_are_not_used_again_when_all_has_gone),
        CASE(what_somebody_else_has_sealed_does_not_count_as_recent),
        CASE(sealing_that_fails_does_not_keep_logs_from_being_stored),
        CASE(without_memory_logs_are_stored_and_sealed_later),
        CASE(more_than_fits_into_memory_is_sealed_piece_by_piece),
        CASE(a_damaged_row_stays_and_hinders_nobody),
        cmocka_unit_test(damaged_keys_of_a_row_cost_no_log),
        CASE(no_row_of_recent_reaches_across_a_damaged_one),
        CASE(a_damaged_block_holds_nothing),
        CASE(what_was_deleted_does_not_come_back),
        CASE(a_row_that_is_marked_is_not_there),
        CASE(logs_of_an_older_logmill_are_found),
        CASE(a_log_of_64_mib_is_stored_and_found),
        CASE(whatever_comes_each_log_is_there_once),
        CASE(sizes_are_read_from_a_list),
        CASE(parts_of_a_batch_are_taken_though_others_would_have_to_wait),
        CASE(blocks_go_from_the_front_and_rows_by_marks),
    };

    return cmocka_run_group_tests_name("store_sqlite writer", cases, NULL, NULL);
}
