/*
 * What readers of the embedded store make of blocks that are damaged, that overlap, and that they
 * have read before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/xalloc.h"
#include "dice.h"
#include "failing_reads.h"
#include "query/aggregate.h"
#include "query/survey.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/ahead.h"
#include "store/sqlite/internal.h"
#include "store_test_support.h"

enum {
    LOGS = 600,
    BATCH = 50,
    BLOCK = 16,
    STEP_US = 1000000,
    CALLS_MAX = 100000,
    ATTRIBUTES_BYTES = 512
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

struct place {
    char *directory;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct record records[LOGS]; /* ascending */
    char attributes[LOGS][ATTRIBUTES_BYTES];
    struct store_test_rows rows;
    int64_t block; /* that is damaged */
    int64_t first_us, last_us;
};

static const struct store_slice slices[] = {
    {.rows = UINT64_MAX}, {.rows = 1}, {.rows = UINT64_MAX, .until_us = 1}, {.rows = 7}};

enum { SLICES = sizeof(slices) / sizeof(slices[0]) };

/* Attributes of many sections, each of which only every third log has a part of. */
static struct slice spell_attributes(char *to, uint32_t i)
{
    struct dice dice = {i};
    int len = snprintf(to, ATTRIBUTES_BYTES, "{\"of%u\":\"", i % 3);

    for (int k = 0; k < 25; k++)
        len += snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, "%llx ",
                        (unsigned long long)dice_bits(&dice));
    len += snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, "\"}");
    return slice_of(to, (size_t)len);
}

/* Nested, numbers that are asked for by value, and elements. */
static struct slice spell_tags(char *to, uint32_t i)
{
    int len = snprintf(to, ATTRIBUTES_BYTES, "{\"a\":{\"n\":%u.0},\"tags\":[[\"t%u\"],\"x\"]}",
                       1000 + i, i);

    return slice_of(to, (size_t)len);
}

static struct slice spell_groups(char *to, uint32_t i)
{
    return slice_of(to, (size_t)snprintf(to, ATTRIBUTES_BYTES, "{\"group\":\"g%u\"}", i % 7));
}

/* `spell` NULL: without attributes. */
static int set_up_store(void **state, struct slice (*spell)(char *to, uint32_t i))
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = BLOCK, .segment_blocks = 4, .seal_rows = 64, .keep_rows = 10};
    struct place *p = xcalloc(1, sizeof(*p));
    struct errbuf err = ERRBUF_INIT;

    p->directory = temp_directory_new();
    p->s = store_sqlite_new_sized(p->directory, &sizes, &err);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
    for (uint32_t i = 0; i < LOGS; i++)
        p->records[i] = store_test_record(T0 + i * (int64_t)STEP_US, i, i % 3 ? "info" : "WARN",
                                          i % 2 ? "odd and found" : "even and found", NULL);
    for (uint32_t i = 0; spell && i < LOGS; i++)
        p->records[i].attributes = spell(p->attributes[i], i);
    for (uint32_t i = 0; i < LOGS; i += BATCH)
        store_test_append(p->w, p->records + i, BATCH);
    *state = p;
    return 0;
}

static int set_up(void **state)
{
    return set_up_store(state, NULL);
}

static int set_up_with_attributes(void **state)
{
    return set_up_store(state, spell_attributes);
}

static int set_up_with_tags(void **state)
{
    return set_up_store(state, spell_tags);
}

static int set_up_with_groups(void **state)
{
    return set_up_store(state, spell_groups);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    store_test_rows_release(&p->rows);
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    temp_directory_free(p->directory);
    free(p);
    return 0;
}

static sqlite3 *open_file(const struct place *p)
{
    char path[4096];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

/* A block in the middle, and which logs are in it. */
static void choose_block(struct place *p)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)p->r;
    const struct block_head *heads;
    struct errbuf err = ERRBUF_INIT;
    size_t n;

    assert_int_equal(store_sqlite_reader_begin(r, &err), 0);
    assert_true(r->catalog.segments_len > 3);
    assert_int_equal(catalog_heads(&r->catalog, &r->db, &r->catalog.segments[2], &heads, &n, &err),
                     0);
    p->block = heads[1].number;
    p->first_us = heads[1].first.timestamp_us;
    p->last_us = heads[1].last.timestamp_us;
    assert_int_equal(heads[1].rows, BLOCK);
    assert_int_equal(store_sqlite_reader_end(r, 0), 0);
}

/* Changes a byte of the block; who has read it knows it no longer. Returns how long it is. */
static int damage(struct place *p, int at)
{
    sqlite3 *db = open_file(p);
    struct errbuf err = ERRBUF_INIT;
    sqlite3_blob *blob;
    char byte;

    assert_int_equal(sqlite3_blob_open(db, "main", "blocks", "data", p->block, 1, &blob),
                     SQLITE_OK);
    int len = sqlite3_blob_bytes(blob);
    assert_int_equal(sqlite3_blob_read(blob, &byte, 1, at % len), SQLITE_OK);
    byte = (char)(byte ^ 0x41);
    assert_int_equal(sqlite3_blob_write(blob, &byte, 1, at % len), SQLITE_OK);
    assert_int_equal(sqlite3_blob_close(blob), SQLITE_OK);
    sqlite3_close(db);
    store_reader_free(p->r);
    p->r = store_reader_new(p->s, &err);
    assert_non_null(p->r);
    return len;
}

static bool is_lost(const struct place *p, const struct record *record)
{
    return record->key.timestamp_us >= p->first_us && record->key.timestamp_us <= p->last_us;
}

static void assert_named(const struct place *p, const struct errbuf *err)
{
    char name[64];

    snprintf(name, sizeof(name), "block %lld is damaged (", (long long)p->block);
    if (!strstr(err->text, name) || !strstr(err->text, "its 16 logs of 2026-01-01T") ||
        !strstr(err->text, "logmill store verify"))
        fail_msg("%s", err->text);
}

static struct log_matcher *matcher_of(const char *text)
{
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = T0;
    f.until_us = T0 + LOGS * (int64_t)STEP_US;
    f.text = slice_of_string(text);
    return log_matcher_new(&f);
}

/* All that is not lost comes; what is is counted once, however the scan is cut. */
static void assert_scan(struct place *p, const char *text, const struct store_slice *slice,
                        bool is_damaged)
{
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t came = 0;

    store_test_rows_release(&p->rows);
    store_scan_init(&scan, m, NULL, 0);
    for (int calls = 0; !scan.done; calls++) {
        uint64_t before = scan.damaged;

        assert_true(calls < CALLS_MAX);
        assert_int_equal(store_scan_next(p->r, &scan, slice, store_test_collect, &p->rows, &err),
                         0);
        if (scan.damaged > before)
            assert_named(p, &err);
    }
    assert_int_equal(scan.damaged, is_damaged ? BLOCK : 0);
    for (size_t i = LOGS; i-- > 0;) {
        if (!store_test_matches(log_matcher_filter(m), &p->records[i]) ||
            (is_damaged && is_lost(p, &p->records[i])))
            continue;
        assert_true(came < p->rows.len);
        store_test_assert_equal(&p->rows.items[came++], &p->records[i]);
    }
    assert_int_equal(came, p->rows.len);
    log_matcher_unref(m);
}

static void a_damaged_block_is_named_and_costs_its_logs_alone(void **state)
{
    struct place *p = *state;

    choose_block(p);
    damage(p, 0);
    for (int i = 0; i < SLICES; i++) {
        assert_scan(p, "", &slices[i], true);
        assert_scan(p, "odd", &slices[i], true);
        assert_scan(p, "and found", &slices[i], true);
    }
}

/* Whichever byte it is: some column, or what tells where the columns are. */
static void whatever_is_damaged_no_answer_is_wrong(void **state)
{
    struct place *p = *state;

    choose_block(p);
    for (int at = 0, len = 1; at < len; at += 3) {
        len = damage(p, at);
        assert_scan(p, "", &slices[0], true);
        damage(p, at); /* which mends it */
        assert_scan(p, "", &slices[2], false);
    }
}

/* What is missing is in the block, and is told of once; nothing comes twice. */
static void assert_lost_are_told(struct place *p, const struct store_slice *slice)
{
    struct log_matcher *m = matcher_of("");
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t came = 0;

    store_test_rows_release(&p->rows);
    store_scan_init(&scan, m, NULL, 0);
    for (int calls = 0; !scan.done; calls++) {
        assert_true(calls < CALLS_MAX);
        if (store_scan_next(p->r, &scan, slice, store_test_collect, &p->rows, &err))
            fail_msg("%s", err.text);
    }
    for (size_t i = LOGS; i-- > 0;) {
        if (came < p->rows.len &&
            log_key_compare(&p->rows.items[came].key, &p->records[i].key) == 0)
            store_test_assert_equal(&p->rows.items[came++], &p->records[i]);
        else
            assert_true(is_lost(p, &p->records[i]));
    }
    assert_int_equal(came, p->rows.len);
    assert_int_equal(scan.damaged, came < LOGS ? BLOCK : 0);
    log_matcher_unref(m);
}

/* Some logs of a block may have been handed out before another turns out to be lost. */
static void a_damage_that_only_some_logs_of_a_block_meet_is_told(void **state)
{
    struct place *p = *state;

    choose_block(p);
    for (int at = 0, len = 1; at < len; at += 151) {
        len = damage(p, at);
        for (int i = 0; i < SLICES; i++)
            assert_lost_are_told(p, &slices[i]);
        damage(p, at); /* which mends it */
    }
}

static int add_up(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static void counts_leave_out_what_is_damaged_and_say_so(void **state)
{
    static const int64_t buckets_us[] = {STEP_US * INT64_C(10), STEP_US * INT64_C(1000)};
    struct place *p = *state;

    choose_block(p);
    damage(p, 0);
    for (size_t k = 0; k < 2 * SLICES; k++) {
        struct log_matcher *m = matcher_of("and found");
        struct errbuf err = ERRBUF_INIT;
        struct store_scan scan;
        uint64_t n = 0;

        store_scan_init(&scan, m, NULL, 0);
        for (int calls = 0; !scan.done; calls++) {
            assert_true(calls < CALLS_MAX);
            assert_int_equal(store_scan_count(p->r, &scan, &slices[k / 2], T0, buckets_us[k % 2],
                                              add_up, &n, &err),
                             0);
        }
        assert_named(p, &err);
        assert_int_equal(n, LOGS - BLOCK);
        assert_int_equal(scan.damaged, BLOCK);
        log_matcher_unref(m);
    }
}

static void a_log_in_a_damaged_block_is_not_said_to_be_nowhere(void **state)
{
    struct place *p = *state;

    choose_block(p);
    damage(p, 0);
    for (size_t i = 0; i < LOGS; i += 3) {
        struct errbuf err = ERRBUF_INIT;

        assert_int_equal(store_get(p->r, &p->records[i].key.id, store_test_collect, &p->rows, &err),
                         is_lost(p, &p->records[i]) ? LM_EIO : 0);
    }
}

/* Whichever read it is: nothing is called damaged, and the next call goes on. */
static void a_read_that_fails_is_no_damage(void **state)
{
    struct place *p = *state;
    struct log_matcher *m = matcher_of("odd and");
    unsigned failures = 0;

    for (unsigned n = 1; n < 60; n++) {
        const struct store_slice slice = {.rows = 20};
        struct errbuf err = ERRBUF_INIT;
        struct store_scan scan;

        store_test_rows_release(&p->rows);
        store_scan_init(&scan, m, NULL, 0);
        store_reader_free(p->r);
        p->r = store_test_reader(p->s);
        failing_reads_from(n);
        while (!scan.done &&
               !store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err))
            ;
        failures += failing_reads_end();
        while (!scan.done)
            assert_int_equal(
                store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err), 0);
        assert_int_equal(scan.damaged, 0);
        assert_int_equal(p->rows.len, LOGS / 2);
    }
    assert_true(failures > 9);
    log_matcher_unref(m);
}

struct followed {
    struct place *p;
    size_t n;
};

static int follow_one(const struct record *record, const struct store_position *position, void *ctx)
{
    struct followed *f = ctx;

    assert_int_equal(position->sequence,
                     (record->key.timestamp_us - T0) / STEP_US + 1); /* in the order of storing */
    f->n++;
    return 0;
}

static void who_follows_past_a_damaged_block_is_told_of_a_loss(void **state)
{
    struct place *p = *state;
    struct store_position position = {.sequence = 1}, end, before;
    struct followed f = {.p = p};
    struct errbuf err = ERRBUF_INIT;
    bool lost, any_lost = false;

    choose_block(p);
    damage(p, 0);
    assert_int_equal(store_follow_end(p->r, &end, &err), 0);
    do {
        before = position;
        assert_int_equal(store_follow(p->r, &position, 37, &lost, follow_one, &f, &err), 0);
        any_lost = any_lost || lost;
    } while (store_position_compare(&before, &position) != 0);
    assert_true(any_lost);
    assert_int_equal(f.n, LOGS - BLOCK - 1);
    assert_int_equal(store_position_compare(&position, &end), 0);
}

/* ---- The clock ---- */

static int count_none(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    fail_msg("something was counted");
    return 0;
}

/* Segments that their filters rule out take time, too: they are many in a large store. */
static void the_clock_is_looked_at_after_segments_that_are_skipped(void **state)
{
    const struct store_slice slice = {.rows = UINT64_MAX, .until_us = 1};
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = T0;
    f.until_us = T0 + LOGS * (int64_t)STEP_US;
    f.attributes[f.attributes_len++] = (struct log_attribute_filter){
        .name = SLICE_LITERAL("trace"), .value = SLICE_LITERAL("in no log")};
    struct log_matcher *m = log_matcher_new(&f);
    for (int counts = 0; counts < 2; counts++) {
        struct block_explain explain = {0};
        size_t calls = 0;

        store_scan_init(&scan, m, NULL, 0);
        for (scan.explain = &explain; !scan.done; calls++)
            assert_int_equal(
                counts ? store_scan_count(p->r, &scan, &slice, T0, STEP_US, count_none, NULL, &err)
                       : store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err),
                0);
        assert_int_equal(p->rows.len, 0);
        assert_true(explain.by_filter > 20);
        assert_true(calls >= ((struct store_sqlite_reader *)p->r)->catalog.segments_len);
    }
    log_matcher_unref(m);
}

/* ---- Trees ---- */

static struct log_matcher *matcher_of_tests(const struct query_node *tests, size_t n)
{
    struct query_builder b;
    struct log_filter f;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    for (size_t i = 0; i < n; i++)
        query_builder_test(&b, &tests[i]);
    query_builder_close(&b);
    log_filter_init(&f);
    assert_int_equal(query_builder_finish(&b, &f.query), 0);
    struct log_matcher *m = log_matcher_new(&f);
    assert_non_null(m);
    query_unref(f.query);
    return m;
}

static void assert_finds_one(struct place *p, const char *path, const char *text,
                             const struct record *wanted, struct block_explain *explain)
{
    const struct query_node test = {.field = QUERY_ATTRIBUTE,
                                    .test = QUERY_EQUALS,
                                    .path = slice_of_string(path),
                                    .text = slice_of_string(text)};
    const struct store_slice slice = {.rows = UINT64_MAX};
    struct log_matcher *m = matcher_of_tests(&test, 1);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;

    *explain = (struct block_explain){0};
    store_test_rows_release(&p->rows);
    store_scan_init(&scan, m, NULL, 0);
    scan.explain = explain;
    while (!scan.done)
        assert_int_equal(store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err),
                         0);
    assert_int_equal(p->rows.len, 1);
    store_test_assert_equal(&p->rows.items[0], wanted);
    log_matcher_unref(m);
}

static void assert_finds_nested(struct place *p, bool by_filter)
{
    struct block_explain explain;

    assert_finds_one(p, "a.n", "1017", &p->records[17], &explain);
    assert_true(by_filter ? explain.by_filter > 20 : explain.by_filter == 0);
    assert_finds_one(p, "tags", "t23", &p->records[23], &explain);
    assert_true(by_filter ? explain.by_filter > 20 : explain.by_filter == 0);
}

static void filters_tell_where_nested_values_and_elements_are(void **state)
{
    assert_finds_nested(*state, true);
}

static void filters_of_an_older_logmill_are_not_asked_by_path(void **state)
{
    struct place *p = *state;
    sqlite3 *db = open_file(p);

    assert_int_equal(sqlite3_exec(db, "UPDATE segments SET hashed = 0", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_finds_nested(p, false);
}

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static void levels_of_a_time_are_counted_by_heads(void **state)
{
    const struct query_node tests[] = {
        {.field = QUERY_LEVEL,
         .test = QUERY_RANGE,
         .low = SLICE_LITERAL("warning"),
         .low_included = true},
        {.field = QUERY_TIMESTAMP,
         .test = QUERY_RANGE,
         .low_us = T0 + 30 * (int64_t)STEP_US,
         .high_us = INT64_MAX},
    };
    const struct store_slice slice = {.rows = UINT64_MAX};
    struct place *p = *state;
    struct log_matcher *m = matcher_of_tests(tests, 2);
    struct block_explain explain = {0};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    uint64_t count = 0;

    store_scan_init(&scan, m, NULL, 0);
    scan.explain = &explain;
    while (!scan.done)
        assert_int_equal(store_scan_count(p->r, &scan, &slice, T0, LOGS * (int64_t)STEP_US,
                                          add_count, &count, &err),
                         0);
    assert_int_equal(count, (LOGS - 30) / 3);
    assert_true(explain.by_head > 20);
    assert_true(explain.blocks_read <= 2); /* where the time begins */
    log_matcher_unref(m);
}

/* ---- More segments that overlap than can be open at once ---- */

enum { STRANDS = 2 * BLOCKS_OPEN_MAX, STRAND_LOGS = 4 * BLOCK };

/* One log after the other is of another segment, and no block is read for each of them. */
static void blocks_side_by_side_are_not_read_once_a_log(void **state)
{
    const struct store_sqlite_sizes sizes = {.block_rows = BLOCK,
                                             .segment_blocks = 4,
                                             .seal_rows = STRAND_LOGS - 10,
                                             .keep_rows = 1,
                                             .late_rows = STRAND_LOGS - 10};
    struct place *p = *state;
    char *directory = temp_directory_new();
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new_sized(directory, &sizes, &err);
    struct store_writer *w = store_test_writer(s);
    struct store_reader *r = store_test_reader(s);
    struct log_matcher *m = matcher_of("found");
    struct record logs[STRAND_LOGS];
    struct block_explain explain = {0};
    struct store_scan scan;
    uint64_t bytes = 0;

    for (uint32_t strand = 0; strand < STRANDS; strand++) {
        for (uint32_t i = 0; i < STRAND_LOGS; i++) {
            uint32_t n = i * STRANDS + strand;

            logs[i] = store_test_record(T0 + n * (STEP_US / INT64_C(100)), n, "info",
                                        n % 2 ? "odd and found" : "even and found", NULL);
        }
        store_test_append(w, logs, STRAND_LOGS);
    }
    store_scan_init(&scan, m, NULL, 0);
    scan.explain = &explain;
    while (!scan.done)
        assert_int_equal(store_scan_next(r, &scan, &slices[0], store_test_collect, &p->rows, &err),
                         0);
    assert_int_equal(p->rows.len, STRANDS * STRAND_LOGS);
    for (size_t i = 1; i < p->rows.len; i++)
        assert_true(log_key_compare(&p->rows.items[i - 1].key, &p->rows.items[i].key) > 0);
    const struct catalog *c = &((struct store_sqlite_reader *)r)->catalog;
    for (size_t i = 0; i < c->segments_len; i++)
        bytes += c->segments[i].segment.bytes;
    assert_true(c->segments_len >= STRANDS - 1);
    assert_true(explain.bytes < 3 * bytes);
    log_matcher_unref(m);
    store_reader_free(r);
    store_writer_free(w);
    store_free(s);
    temp_directory_free(directory);
}

/* A log that is larger by itself than may be read ahead is not: nothing bounds it but its limit. */
static void no_more_is_read_ahead_than_may_be(void **state)
{
    struct place *p = *state;
    struct blocks *blocks = &((struct store_sqlite_reader *)p->r)->blocks;
    const uint32_t rows[] = {4, 3, 2, 1};
    struct errbuf err = ERRBUF_INIT;
    struct open_block *block = NULL;
    struct log_matcher *m = matcher_of("found");
    struct store_scan scan;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        assert_int_equal(
            store_scan_next(p->r, &scan, &slices[0], store_test_collect, &p->rows, &err), 0);
    for (size_t i = 0; i < BLOCKS_OPEN_MAX; i++)
        if (blocks->open[i].reader)
            block = &blocks->open[i];
    assert_non_null(block);
    for (size_t bytes = 0; bytes < 200; bytes++) {
        struct ahead *a = ahead_new(block, rows, 4, bytes);
        size_t sum = 0, row = rows[0], n = 0;

        for (bool more = a; more; more = ahead_next(a, &row)) {
            const struct record *record = ahead_record(a);

            assert_int_equal(row, rows[n++]);
            sum += record->level.len + record->message.len + record->attributes.len;
        }
        assert_true(sum <= bytes);
        assert_true(n == 4 || sum + 50 > bytes);
        ahead_free(a);
    }
    log_matcher_unref(m);
}

/* ---- Beside another process that changes everything ---- */

enum { SETTLED = LOGS / 2, LATE = 8, FIRST_LATE = 100000, STEPS_MAX = 10000 };

static const struct store_sqlite_sizes small_sizes = {
    .block_rows = BLOCK, .segment_blocks = 4, .seal_rows = 64, .keep_rows = 10, .late_rows = 30};

struct other {
    pid_t pid;
    int to, from;
};

static bool append_late(struct store_writer *w, struct dice *random, unsigned step)
{
    struct store_append_result result;
    struct record logs[LATE];

    for (uint32_t i = 0; i < LATE; i++)
        logs[i] = store_test_record(T0 + (int64_t)dice_below(random, LOGS) * STEP_US + 1,
                                    FIRST_LATE + step * LATE + i, "late", "m", NULL);
    return store_append(w, logs, LATE, &result, NULL) == 0;
}

/* Seals, compacts and expires the first half, a step each time that it is told to. */
static bool change_all(struct place *p, const char *directory, int from, int to)
{
    struct store *s = store_sqlite_new_sized(directory, &small_sizes, NULL);
    struct store_writer *w = store_writer_new(s, NULL);
    struct store_keeper *k = store_keeper_new(s, NULL);
    struct store_append_result result;
    struct dice random = {11};
    char byte = 0;
    bool is_well = w && k;

    for (uint32_t i = 0; is_well && i < LOGS; i += BATCH)
        is_well = store_append(w, p->records + i, BATCH, &result, NULL) == 0;
    for (unsigned step = 0; is_well && write(to, &byte, 1) == 1 && read(from, &byte, 1) == 1;
         step++) {
        unsigned wait_ms;
        size_t deleted;
        bool more;

        if (step % (step < 100 ? 4 : 40) == 0)
            is_well = append_late(w, &random, step);
        else if (step % 4 == 1)
            is_well = store_expire(w, T0 + (step < SETTLED ? step : SETTLED) * (int64_t)STEP_US, 3,
                                   &deleted, &more, NULL) == 0;
        else
            is_well = store_keeper_step(k, true, &wait_ms, NULL) == 0;
    }
    return is_well;
}

static struct other start_other(struct place *p, const char *directory)
{
    int there[2], back[2];
    struct other o;

    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    o.pid = fork();
    assert_true(o.pid >= 0);
    if (o.pid == 0) {
        close(there[1]);
        close(back[0]);
        _exit(change_all(p, directory, there[0], back[1]) ? 0 : 1);
    }
    close(there[0]);
    close(back[1]);
    o.to = there[1];
    o.from = back[0];
    return o;
}

/* Waits until it has done what it was told. */
static void wait_for_other(const struct other *o)
{
    char byte;

    assert_int_equal(read(o->from, &byte, 1), 1);
}

static void tell_other(const struct other *o)
{
    assert_int_equal(write(o->to, "", 1), 1);
    wait_for_other(o);
}

static void end_other(const struct other *o)
{
    int status;

    close(o->to);
    assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
    assert_int_equal(status, 0);
    close(o->from);
}

/* What was there all the time comes once, and nothing twice. */
static void assert_each_came_once(const struct place *p)
{
    size_t settled = 0;

    for (size_t i = 0; i < p->rows.len; i++) {
        const struct record *r = &p->rows.items[i];

        if (i > 0)
            assert_true(log_key_compare(&p->rows.items[i - 1].key, &r->key) > 0);
        size_t number = (size_t)((r->key.timestamp_us - T0) / STEP_US);
        if (r->level.len != 4 || memcmp(r->level.data, "late", 4) != 0) {
            store_test_assert_equal(r, &p->records[number]);
            settled += number >= SETTLED;
        }
    }
    assert_int_equal(settled, LOGS - SETTLED);
}

static void a_scan_beside_a_process_that_seals_compacts_and_expires_sees_each_log_once(void **state)
{
    struct place *p = *state;
    char *directory = temp_directory_new();
    struct other other = start_other(p, directory);
    struct errbuf err = ERRBUF_INIT;

    wait_for_other(&other);
    struct store *s = store_sqlite_new_sized(directory, &small_sizes, &err);
    struct store_reader *r = store_test_reader(s);
    struct log_matcher *m = matcher_of("");
    for (unsigned steps = 0, i = 1; i < SLICES; i++) {
        struct store_scan scan;

        store_test_rows_release(&p->rows);
        store_scan_init(&scan, m, NULL, 0);
        while (!scan.done) {
            assert_int_equal(
                store_scan_next(r, &scan, &slices[i], store_test_collect, &p->rows, &err), 0);
            assert_true(steps++ < STEPS_MAX);
            tell_other(&other);
        }
        assert_int_equal(scan.damaged, 0);
        assert_each_came_once(p);
    }
    const struct catalog *c = &((struct store_sqlite_reader *)r)->catalog;
    size_t cold = 0;
    for (size_t i = 0; i < c->segments_len; i++)
        cold += c->segments[i].segment.cold;
    assert_true(cold > 0); /* so all of that has happened */
    assert_int_equal(store_get(r, &p->records[0].key.id, store_test_collect, &p->rows, &err),
                     LM_ENOTFOUND);
    end_other(&other);
    log_matcher_unref(m);
    store_reader_free(r);
    store_free(s);
    temp_directory_free(directory);
}

/* ---- What is kept from call to call ---- */

/* A reader that has all in memory sees what others change, a call later. */
static void a_reader_sees_every_change_of_what_it_knows(void **state)
{
    struct place *p = *state;
    struct record more[BATCH];
    struct errbuf err = ERRBUF_INIT;
    struct log_matcher *m = matcher_of("");
    struct dice random = {7};
    size_t deleted;

    for (int round = 0; round < 40; round++) {
        struct log_query query = store_test_query(2 * LOGS + 40 * BATCH);
        struct store_reader *fresh = store_test_reader(p->s);
        struct store_test_rows rows = {0};
        struct store_scan scan;
        size_t erased;

        for (uint32_t i = 0; i < BATCH; i++)
            more[i] = store_test_record(T0 + (int64_t)(dice_below(&random, LOGS))*STEP_US,
                                        LOGS + (uint32_t)round * BATCH + i, "late", "m", NULL);
        store_test_append(p->w, more, BATCH);
        if (round % 5 == 1)
            assert_int_equal(store_expire(p->w, T0 + round * INT64_C(3) * STEP_US, 30, &deleted,
                                          &(bool){false}, &err),
                             0);
        if (round % 5 == 3) {
            store_scan_init(&scan, m, &p->records[LOGS - 5 * (size_t)round].key, 0);
            assert_int_equal(
                store_erase(p->w, &scan, &(struct store_slice){.rows = 9}, true, &erased, &err), 0);
        }
        store_test_run(p->r, &query, &p->rows);
        store_test_run(fresh, &query, &rows);
        assert_int_equal(rows.len, p->rows.len);
        for (size_t i = 0; i < rows.len; i++)
            store_test_assert_equal(&rows.items[i], &p->rows.items[i]);
        store_test_rows_release(&rows);
        store_reader_free(fresh);
    }
    log_matcher_unref(m);
}

static int add_batch(const struct log_batch *batch, void *ctx)
{
    return aggregate_add(ctx, batch);
}

/* How many logs match, as groups of them say. */
static void assert_groups(struct place *p, const char *text, uint64_t logs)
{
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    struct aggregate_spec spec;
    struct store_scan scan;
    struct aggregate *a;

    assert_int_equal(
        aggregate_spec_parse(SLICE_LITERAL("group"), SLICE_LITERAL("count"), &spec, &err), 0);
    a = aggregate_new(&spec, NULL);
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        assert_int_equal(
            store_scan_batches(p->r, &scan, &slices[0], aggregate_fields(a), add_batch, a, &err),
            0);
    assert_int_equal(scan.damaged, 0);
    assert_int_equal(aggregate_total(a), logs);
    aggregate_free(a);
    log_matcher_unref(m);
}

/* What is asked again is answered without a look into blocks: one that is damaged is not met. */
static void groups_of_a_block_are_remembered_until_logs_of_it_are_erased(void **state)
{
    struct place *p = *state;
    struct log_matcher *m;
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t erased;

    assert_groups(p, "", LOGS);
    assert_groups(p, "odd", LOGS / 2);
    choose_block(p);
    damage(p, 0);
    assert_groups(p, "", LOGS);
    assert_groups(p, "odd", LOGS / 2);
    damage(p, 0); /* which mends it */
    m = matcher_of("odd");
    store_scan_init(&scan, m, &p->records[LOGS / 2].key, 0);
    assert_int_equal(
        store_erase(p->w, &scan, &(struct store_slice){.rows = 20}, true, &erased, &err), 0);
    assert_int_equal(erased, 20);
    assert_groups(p, "", LOGS - 20);
    assert_groups(p, "odd", LOGS / 2 - 20);
    assert_groups(p, "even", LOGS / 2);
    log_matcher_unref(m);
}

static void assert_fields(struct place *p, const char *text, const struct store_slice *slice)
{
    struct survey *expected = survey_new(NULL), *came = survey_new(NULL);
    struct store_survey survey = {.survey = came};
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct buffer x, y;

    for (size_t i = 0; i < LOGS; i++)
        if (store_test_matches(log_matcher_filter(m), &p->records[i]))
            assert_int_equal(survey_add(expected, &p->records[i]), 0);
    store_scan_init(&scan, m, NULL, 0);
    for (int calls = 0; !scan.done; calls++) {
        assert_true(calls < CALLS_MAX);
        assert_int_equal(store_scan_survey(p->r, &scan, slice, &survey, &err), 0);
    }
    buffer_init(&x, SIZE_MAX / 2);
    buffer_init(&y, SIZE_MAX / 2);
    assert_int_equal(survey_append_answer(expected, &x, 100), 0);
    assert_int_equal(survey_append_answer(came, &y, 100), 0);
    if (!slice_equal(buffer_slice(&x), buffer_slice(&y)))
        fail_msg("%.*s\nis to be\n%.*s", (int)y.len, y.data, (int)x.len, x.data);
    buffer_release(&x);
    buffer_release(&y);
    survey_free(expected);
    survey_free(came);
    log_matcher_unref(m);
}

/* What is recent and what is in blocks, in slices of any size. */
static void fields_are_those_of_the_logs_that_match(void **state)
{
    for (int i = 0; i < SLICES; i++) {
        assert_fields(*state, "", &slices[i]);
        assert_fields(*state, "odd", &slices[i]);
        assert_fields(*state, "nowhere", &slices[i]);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_damaged_block_is_named_and_costs_its_logs_alone),
        CASE(whatever_is_damaged_no_answer_is_wrong),
        cmocka_unit_test_setup_teardown(a_damage_that_only_some_logs_of_a_block_meet_is_told,
                                        set_up_with_attributes, tear_down),
        CASE(counts_leave_out_what_is_damaged_and_say_so),
        CASE(a_log_in_a_damaged_block_is_not_said_to_be_nowhere),
        cmocka_unit_test_setup_teardown(a_read_that_fails_is_no_damage, set_up_with_attributes,
                                        tear_down),
        cmocka_unit_test_setup_teardown(filters_tell_where_nested_values_and_elements_are,
                                        set_up_with_tags, tear_down),
        cmocka_unit_test_setup_teardown(filters_of_an_older_logmill_are_not_asked_by_path,
                                        set_up_with_tags, tear_down),
        cmocka_unit_test_setup_teardown(levels_of_a_time_are_counted_by_heads, set_up_with_tags,
                                        tear_down),
        CASE(the_clock_is_looked_at_after_segments_that_are_skipped),
        CASE(blocks_side_by_side_are_not_read_once_a_log),
        CASE(no_more_is_read_ahead_than_may_be),
        CASE(a_scan_beside_a_process_that_seals_compacts_and_expires_sees_each_log_once),
        CASE(who_follows_past_a_damaged_block_is_told_of_a_loss),
        CASE(a_reader_sees_every_change_of_what_it_knows),
        cmocka_unit_test_setup_teardown(fields_are_those_of_the_logs_that_match, set_up_with_groups,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            groups_of_a_block_are_remembered_until_logs_of_it_are_erased, set_up_with_groups,
            tear_down),
    };

    return cmocka_run_group_tests_name("store_sqlite reads", cases, NULL, NULL);
}
