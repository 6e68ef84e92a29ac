/* Looking into the embedded store: sums that are right, and damage that is named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/byte_order.h"
#include "base/xalloc.h"
#include "block/bytes.h"
#include "block/filter.h"
#include "block/words.h"
#include "store/inspect.h"
#include "store/sqlite/adapter.h"
#include "store_test_support.h"

enum { LOGS = 1000, LATE = 40, SUM_BYTES = 4 };

#define T0 INT64_C(1767225600000000)

struct place {
    char *directory;
    struct store *s;
};

static struct store *open_store(const char *directory)
{
    const struct store_sqlite_sizes sizes = {.block_rows = 64,
                                             .segment_blocks = 4,
                                             .seal_rows = 200,
                                             .keep_rows = 50,
                                             .late_rows = 20,
                                             .takeover_rows = 150};
    struct errbuf err = ERRBUF_INIT;

    return store_sqlite_new_sized(directory, &sizes, &err);
}

static void append(struct store *s, int64_t first_us, uint32_t first, unsigned n)
{
    struct store_writer *w = store_test_writer(s);

    for (unsigned i = 0; i < n; i++) {
        struct record r = store_test_record(first_us + i * INT64_C(1000), first + i,
                                            i % 3 ? "info" : "error", "one request took 17 ms",
                                            i % 2 ? NULL : "{\"user\":\"ann\",\"n\":7}");

        store_test_append(w, &r, 1);
    }
    store_writer_free(w);
}

static void compact(struct store *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(s, &err);
    unsigned wait_ms = 0;

    while (wait_ms == 0)
        assert_int_equal(store_keeper_step(k, true, &wait_ms, &err), 0);
    store_keeper_free(k);
}

static void erase(struct store *s, int64_t since_us, int64_t until_us, size_t expected)
{
    const struct store_slice slice = {.rows = LOGS};
    struct store_writer *w = store_test_writer(s);
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;
    size_t erased, all = 0;

    log_filter_init(&filter);
    filter.since_us = since_us;
    filter.until_us = until_us;
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done) {
        assert_int_equal(store_erase(w, &scan, &slice, true, &erased, &err), 0);
        all += erased;
    }
    assert_int_equal(all, expected);
    log_matcher_unref(matcher);
    store_writer_free(w);
}

/* Cold and hot segments, recent logs, late ones, and some that are marked. */
static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->directory = temp_directory_new();
    p->s = open_store(p->directory);
    append(p->s, T0, 0, LOGS / 2);
    compact(p->s);
    append(p->s, T0 + LOGS / 2 * INT64_C(1000), LOGS / 2, LOGS / 2);
    append(p->s, T0 + 500, 5000, LATE);
    erase(p->s, T0 + 100 * 1000, T0 + 110 * 1000, 10);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    store_free(p->s);
    temp_directory_free(p->directory);
    free(p);
    return 0;
}

static void sql(struct place *p, const char *text)
{
    char path[4096];
    sqlite3 *db;
    char *reason = NULL;

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &reason) != SQLITE_OK)
        fail_msg("%s: %s", text, reason);
    assert_true(sqlite3_total_changes(db) > 0);
    sqlite3_close(db);
}

/* ---- info ---- */

static const struct store_column_info *column(const struct store_info *info, const char *name)
{
    for (size_t i = 0; i < info->columns_len; i++)
        if (strcmp(info->columns[i].name, name) == 0)
            return &info->columns[i];
    return NULL;
}

static void info_counts_every_log_and_where_it_lies(void **state)
{
    struct place *p = *state;
    struct store_info info;
    struct errbuf err = ERRBUF_INIT;
    const uint64_t len_of_message = strlen("one request took 17 ms");
    uint64_t logs = 0, erased = 0;

    assert_int_equal(store_info(p->s, &info, &err), 0);
    for (int i = 0; i < STORE_PARTS; i++) {
        logs += info.parts[i].logs;
        erased += info.parts[i].erased;
    }
    const uint64_t sealed = LOGS + LATE - info.parts[STORE_RECENT].logs;
    assert_int_equal(logs, LOGS + LATE - 10);
    assert_int_equal(erased, 10);
    assert_true(info.parts[STORE_RECENT].logs >= 50);
    assert_true(info.parts[STORE_HOT].logs + info.parts[STORE_COLD].logs >= LOGS / 2);
    assert_true(info.parts[STORE_HOT].blocks + info.parts[STORE_COLD].blocks > 4);
    assert_true(info.parts[STORE_HOT].bytes + info.parts[STORE_COLD].bytes > 0);
    assert_int_equal(info.parts[STORE_OLD].logs, 0);
    assert_int_equal(info.parts[STORE_RECENT].last_us, T0 + (LOGS - 1) * INT64_C(1000));
    assert_true(info.file_bytes > 0 && info.head_bytes > 0);
    assert_int_equal(info.tombstones, 10);
    assert_int_equal(info.damaged_blocks, 0);
    assert_non_null(column(&info, "message"));
    assert_non_null(column(&info, "timestamp"));
    for (size_t i = 1; i < info.columns_len; i++)
        assert_true(info.columns[i - 1].bytes >= info.columns[i].bytes);
    assert_in_range(column(&info, "message")->raw_bytes, sealed * len_of_message * 9 / 10,
                    sealed * len_of_message * 11 / 10);
    assert_in_range(column(&info, "attributes.user")->raw_bytes, sealed * 3 / 2 * 9 / 10,
                    sealed * 3 / 2 * 11 / 10);
    assert_int_equal(column(&info, "directory")->raw_bytes, 0);
    store_info_release(&info);
}

/* ---- verify ---- */

struct found {
    unsigned n;
    char what[100], reason[200];
    uint64_t logs;
};

static void find(const struct store_damage *damage, void *ctx)
{
    struct found *f = ctx;

    if (f->n++ > 0)
        return;
    snprintf(f->what, sizeof(f->what), "%s", damage->what);
    snprintf(f->reason, sizeof(f->reason), "%s", damage->reason);
    f->logs = damage->logs;
    assert_true(damage->from_us <= damage->to_us);
}

static void no_progress(uint64_t logs, void *ctx)
{
}

static struct found verify(struct place *p, struct store_verified *all)
{
    struct found f = {0};
    const struct store_verifier v = {.found = find, .progress = no_progress, .ctx = &f};
    struct errbuf err = ERRBUF_INIT;

    if (store_verify(p->s, &v, all, &err))
        fail_msg("cannot verify: %s", err.text);
    assert_int_equal(all->damages, f.n);
    return f;
}

static void a_whole_store_is_gone_through_and_found_whole(void **state)
{
    struct place *p = *state;
    struct store_verified all;
    struct found f = verify(p, &all);

    if (f.n > 0)
        fail_msg("%s: %s", f.what, f.reason);
    assert_int_equal(all.logs, LOGS + LATE); /* those that are marked, too */
    assert_true(all.segments > 1 && all.blocks > 4);
}

/* Runs SQL that breaks something; what is found first is of `what`, for a reason with `reason`. */
static void assert_found(struct place *p, const char *breaks, const char *what, const char *reason)
{
    struct store_verified all;

    sql(p, breaks);
    struct found f = verify(p, &all);
    if (f.n == 0 || !strstr(f.what, what) || !strstr(f.reason, reason))
        fail_msg("%s: %u found, the first %s: %s", breaks, f.n, f.what, f.reason);
}

#define MIDDLE_BLOCK "(SELECT number FROM blocks ORDER BY number LIMIT 1 OFFSET 2)"
/* `data` with a byte in its middle turned over. */
#define TURNED(data)                                                                               \
    "CAST(substr(" data ", 1, length(" data ") / 2) || "                                           \
    "CASE hex(substr(" data ", length(" data ") / 2 + 1, 1)) WHEN '00' THEN x'ff' ELSE x'00' END " \
    "|| substr(" data ", length(" data ") / 2 + 2) AS BLOB)"

static void a_byte_of_a_block_is_found(void **state)
{
    assert_found(*state, "UPDATE blocks SET data = " TURNED("data") " WHERE number = " MIDDLE_BLOCK,
                 "block ", "");
}

static void a_block_that_is_cut_is_found(void **state)
{
    assert_found(
        *state,
        "UPDATE blocks SET data = substr(data, 1, length(data) - 7) WHERE number = " MIDDLE_BLOCK,
        "block ", "");
}

static void a_block_that_is_gone_is_found(void **state)
{
    assert_found(*state, "DELETE FROM blocks WHERE number = " MIDDLE_BLOCK, "block ", "");
}

static void heads_that_are_damaged_are_found(void **state)
{
    assert_found(*state, "UPDATE segments SET heads = " TURNED("heads"), "segment ", "");
}

static void a_segment_that_says_other_rows_is_found(void **state)
{
    assert_found(*state, "UPDATE segments SET rows = rows + 1", "segment ",
                 "not what its row says");
}

static void marks_that_nobody_counted_are_found(void **state)
{
    assert_found(*state, "UPDATE segments SET erased = erased + 1 WHERE erased > 0", "segment ",
                 "marked as erased");
}

static void marks_that_are_others_are_found(void **state)
{
    assert_found(*state, "UPDATE erased SET marks = " TURNED("marks"), "segment ", "the marks of");
}

static void a_filter_that_is_another_is_found(void **state)
{
    assert_found(*state, "UPDATE filters SET data = " TURNED("data"), "block ", "filter");
}

static void add_word(uint64_t hash, struct slice word, void *ctx)
{
    uint64_t **to = ctx;

    *(*to)++ = hash;
}

/* Of a segment's filter only the words of messages are left, not the values of attributes. */
static void a_filter_that_lacks_values_of_attributes_is_found(void **state)
{
    struct place *p = *state;
    uint64_t hashes[10], *end = hashes;
    struct store_verified all;
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *stmt;

    block_words(SLICE_LITERAL("one request took 17 ms"), add_word, &end);
    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_prepare_v2(db,
                       "SELECT number, buckets, blocks, place, length(data) FROM segments JOIN "
                       "filters ON place = number << 20 WHERE erased = 0 ORDER BY number LIMIT 1",
                       -1, &stmt, NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    uint32_t buckets = (uint32_t)sqlite3_column_int(stmt, 1);
    uint32_t blocks = (uint32_t)sqlite3_column_int(stmt, 2);
    int64_t place = sqlite3_column_int64(stmt, 3);
    size_t len = (size_t)buckets * blocks * BLOCK_FILTER_BUCKET_BYTES;
    assert_int_equal(sqlite3_column_int(stmt, 4), len + SUM_BYTES);
    sqlite3_finalize(stmt);
    char *filter = xcalloc(1, len + SUM_BYTES);
    for (uint32_t i = 0; i < blocks; i++)
        block_filter_add(filter, buckets, blocks, i, hashes, (size_t)(end - hashes));
    byte_order_put32(filter + len, bytes_checksum(slice_of(filter, len)));
    sqlite3_prepare_v2(db, "UPDATE filters SET data = ? WHERE place = ?", -1, &stmt, NULL);
    sqlite3_bind_blob(stmt, 1, filter, (int)(len + SUM_BYTES), SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, place);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(filter);
    struct found f = verify(p, &all);
    if (f.n == 0 || !strstr(f.reason, "lacks"))
        fail_msg("%u found, the first %s: %s", f.n, f.what, f.reason);
}

static void a_recent_log_that_is_damaged_is_found(void **state)
{
    assert_found(*state, "UPDATE recent SET logs = " TURNED("logs"), "recent logs", "checksum");
}

static void a_recent_row_that_says_other_keys_is_found(void **state)
{
    assert_found(*state, "UPDATE recent SET highest = x'00'", "recent logs", "what is said of it");
}

static void a_log_that_is_there_twice_is_found(void **state)
{
    assert_found(
        *state,
        "INSERT INTO segments SELECT number + 1000, first, last, rows, erased, bytes, "
        "blocks, gone, 0, first_sequence, last_sequence, stored, cold, changes, heads, hashed "
        "FROM segments WHERE erased = 0 ORDER BY number LIMIT 1",
        "block ", "another segment");
}

static void a_block_that_no_segment_has_is_found(void **state)
{
    assert_found(*state, "INSERT INTO blocks(data) VALUES(x'00')", "the blocks",
                 "1 are of no segment");
}

static void a_block_of_no_segment_is_found_though_another_is_missing(void **state)
{
    struct place *p = *state;
    struct store_verified all;

    sql(p, "DELETE FROM blocks WHERE number = " MIDDLE_BLOCK
           "; INSERT INTO blocks(data) VALUES(x'00')");
    verify(p, &all);
    assert_int_equal(all.damages, 2);
}

static void a_filter_of_no_segment_is_found(void **state)
{
    assert_found(*state, "INSERT INTO filters SELECT 999 * 1048576 + 3, data FROM filters LIMIT 1",
                 "the filters", "1 are of segments");
}

static void marks_of_no_block_are_found(void **state)
{
    assert_found(*state, "INSERT INTO erased SELECT 99999, rows, marks FROM erased LIMIT 1",
                 "the marks", "not there");
}

/* All that a segment with damaged heads leaves behind, and more; nothing else goes. */
static void compacting_removes_what_no_segment_has(void **state)
{
    struct place *p = *state;
    struct store_verified all;
    char text[128];
    uint64_t logs;

    verify(p, &all);
    logs = all.logs;
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "INSERT INTO blocks(data) VALUES(zeroblob(%d))", 100 * i);
        sql(p, text);
    }
    sql(p, "INSERT INTO erased SELECT number, 1, x'00' FROM blocks ORDER BY number DESC LIMIT 1");
    sql(p, "INSERT INTO filters SELECT 999 * 1048576 + 3, data FROM filters LIMIT 1");
    compact(p->s);
    verify(p, &all);
    assert_int_equal(all.damages, 0);
    assert_in_range(all.logs, logs - 10, logs); /* those that are marked go */
}

static void blocks_are_left_while_a_segment_with_damaged_heads_may_have_them(void **state)
{
    struct place *p = *state;
    struct store_verified all;
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(p->s, &err);
    unsigned wait_ms = 0;

    compact(p->s);
    sql(p, "INSERT INTO blocks(data) VALUES(x'00')");
    sql(p, "UPDATE segments SET heads = x'00' WHERE number = (SELECT max(number) FROM segments)");
    while (wait_ms == 0)
        (void)!store_keeper_step(k, true, &wait_ms, &err);
    store_keeper_free(k);
    verify(p, &all);
    assert_true(all.damages > 0);
    sql(p, "UPDATE sequence SET changes = changes + 1 WHERE "
           "(SELECT count(*) FROM blocks) > (SELECT sum(blocks - gone) FROM segments)");
    sql(p, "DELETE FROM segments WHERE heads = x'00'");
    compact(p->s);
    verify(p, &all);
    assert_int_equal(all.damages, 0);
}

static void a_damaged_block_does_not_stop_info(void **state)
{
    struct place *p = *state;
    struct store_info info;
    struct errbuf err = ERRBUF_INIT;

    sql(p, "UPDATE blocks SET data = x'00' WHERE number = " MIDDLE_BLOCK);
    assert_int_equal(store_info(p->s, &info, &err), 0);
    assert_int_equal(info.damaged_blocks, 1);
    store_info_release(&info);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(info_counts_every_log_and_where_it_lies),
        CASE(a_whole_store_is_gone_through_and_found_whole),
        CASE(a_byte_of_a_block_is_found),
        CASE(a_block_that_is_cut_is_found),
        CASE(a_block_that_is_gone_is_found),
        CASE(heads_that_are_damaged_are_found),
        CASE(a_segment_that_says_other_rows_is_found),
        CASE(marks_that_nobody_counted_are_found),
        CASE(marks_that_are_others_are_found),
        CASE(a_filter_that_is_another_is_found),
        CASE(a_filter_that_lacks_values_of_attributes_is_found),
        CASE(a_recent_log_that_is_damaged_is_found),
        CASE(a_recent_row_that_says_other_keys_is_found),
        CASE(a_log_that_is_there_twice_is_found),
        CASE(a_block_that_no_segment_has_is_found),
        CASE(a_block_of_no_segment_is_found_though_another_is_missing),
        CASE(a_filter_of_no_segment_is_found),
        CASE(marks_of_no_block_are_found),
        CASE(compacting_removes_what_no_segment_has),
        CASE(blocks_are_left_while_a_segment_with_damaged_heads_may_have_them),
        CASE(a_damaged_block_does_not_stop_info),
    };

    return cmocka_run_group_tests_name("looking into the embedded store", cases, NULL, NULL);
}
