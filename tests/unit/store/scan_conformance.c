#include "scan_conformance.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store_test_support.h"

enum {
    LOGS = 600,
    CROWD = 20000, /* of one microsecond */
    CROWD_RARE = 7,
    COUNTS_MAX = 4096,
    CALLS_MAX = 100000, /* a scan that takes more does not get on */
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

static const struct store_conformance *adapter;

static int set_up(void **state)
{
    *state = store_test_place_new(adapter);
    srandom(3);
    return 0;
}

static int tear_down(void **state)
{
    store_test_verify(((struct store_test_place *)*state)->s);
    store_test_place_free(*state);
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    return log_key_compare(&((const struct record *)b)->key, &((const struct record *)a)->key);
}

/* LOGS logs, many of one timestamp, in the order of a scan. */
static struct record *append_logs(struct store_test_place *p)
{
    static const char *const levels[] = {"info", "INFO", "warn"};
    struct record *records = xcalloc(LOGS, sizeof(*records));

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] = store_test_record(T0 + random() % 100 * 1000, i, levels[random() % 3],
                                       random() % 20 == 0 ? "a rare one" : "m", NULL);
    store_test_place_append(p, records, LOGS);
    qsort(records, LOGS, sizeof(*records), newest_first);
    return records;
}

static struct log_matcher *matcher(const struct log_filter *f)
{
    struct log_matcher *m = log_matcher_new(f);

    assert_non_null(m);
    return m;
}

static struct log_matcher *matcher_of_text(const char *text)
{
    struct log_filter f;

    log_filter_init(&f);
    f.text = slice_of_string(text);
    return matcher(&f);
}

static struct log_matcher *matcher_of_all(void)
{
    return matcher_of_text("");
}

static const struct store_slice no_time = {.rows = UINT64_MAX, .until_us = 1};
static const struct store_slice one_row = {.rows = 1};

/* One call, which has to get on. */
static void go_on(struct store_test_place *p, struct store_scan *scan,
                  const struct store_slice *slice)
{
    struct log_key before = scan->before;
    struct errbuf err = ERRBUF_INIT;

    if (store_scan_next(p->r, scan, slice, store_test_collect, &p->rows, &err) != 0)
        fail_msg("cannot scan: %s", err.text);
    assert_true(scan->done || log_key_compare(&scan->before, &before) < 0);
}

static void go_to_end(struct store_test_place *p, struct store_scan *scan,
                      const struct store_slice *slice)
{
    for (int calls = 0; !scan->done; calls++) {
        assert_true(calls < CALLS_MAX);
        go_on(p, scan, slice);
    }
}

/* Those of `records` that are in the range of `m` and match, from the `offset`-th on, came. */
static void assert_came(const struct store_test_place *p, const struct log_matcher *m,
                        const struct record *records, size_t n, uint64_t offset)
{
    const struct log_filter *f = log_matcher_filter(m);
    size_t came = 0;

    for (size_t i = 0; i < n; i++) {
        bool matches;

        assert_int_equal(log_matcher_match(m, &records[i], &matches, NULL), 0);
        if (!matches || records[i].key.timestamp_us < f->since_us ||
            records[i].key.timestamp_us >= f->until_us)
            continue;
        if (offset > 0) {
            offset--;
            continue;
        }
        assert_true(came < p->rows.len);
        store_test_assert_equal(&p->rows.items[came++], &records[i]);
    }
    assert_int_equal(came, p->rows.len);
}

/* ---- Logs ---- */

static void a_scan_goes_on_after_every_log(void **state)
{
    static const char *const texts[] = {"", "RARE", "nothing has this"};
    const struct store_slice slices[] = {one_row, no_time, {.rows = 7}, {.rows = 1, .until_us = 1}};
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);

    for (size_t i = 0; i < 3; i++) {
        struct log_matcher *m = matcher_of_text(texts[i]);

        for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++) {
            struct store_scan scan;

            store_test_rows_release(&p->rows);
            store_scan_init(&scan, m, NULL, 0);
            go_to_end(p, &scan, &slices[k]);
            assert_came(p, m, records, LOGS, 0);
        }
        log_matcher_unref(m);
    }
    free(records);
}

static void a_scan_keeps_to_its_range_and_cursor(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct log_filter f;
    struct store_scan scan;

    log_filter_init(&f);
    f.since_us = T0 + 20000;
    f.until_us = T0 + 70000;
    struct log_matcher *m = matcher(&f);
    store_scan_init(&scan, m, &records[0].key, 0);
    go_to_end(p, &scan, &(struct store_slice){.rows = 3, .until_us = 1});
    assert_came(p, m, records, LOGS, 0);

    store_test_rows_release(&p->rows);
    store_scan_init(&scan, m, &records[LOGS / 2].key, 0);
    go_to_end(p, &scan, &one_row);
    assert_came(p, m, &records[LOGS / 2 + 1], LOGS / 2 - 1, 0);
    log_matcher_unref(m);

    f.since_us = f.until_us;
    m = matcher(&f);
    store_scan_init(&scan, m, NULL, 0);
    assert_true(scan.done);
    log_matcher_unref(m);
    free(records);
}

/* Time cannot divide them: only the ids tell them apart. */
static void a_crowd_of_one_microsecond_is_gone_through(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = xcalloc(CROWD, sizeof(*records));

    for (uint32_t i = 0; i < CROWD; i++)
        records[i] = store_test_record(T0, i, "info", i % CROWD_RARE == 0 ? "rare" : "m", NULL);
    store_test_place_append(p, records, CROWD);
    qsort(records, CROWD, sizeof(*records), newest_first);
    struct log_matcher *m = matcher_of_text("rare");
    struct store_scan scan;
    store_scan_init(&scan, m, NULL, 0);
    go_to_end(p, &scan, &no_time);
    assert_came(p, m, records, CROWD, 0);
    log_matcher_unref(m);
    free(records);
}

static void an_offset_reaches_over_slices(void **state)
{
    static const uint64_t offsets[] = {1, 5, 25, LOGS - 1, LOGS, UINT64_MAX};
    static const char *const texts[] = {"", "rare"};
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);

    for (size_t i = 0; i < 2 * sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct log_matcher *m = matcher_of_text(texts[i % 2]);
        struct store_scan scan;

        for (int k = 0; k < 2; k++) {
            store_test_rows_release(&p->rows);
            store_scan_init(&scan, m, NULL, offsets[i / 2]);
            go_to_end(p, &scan, k == 0 ? &no_time : &one_row);
            assert_came(p, m, records, LOGS, offsets[i / 2]);
        }
        log_matcher_unref(m);
    }
    free(records);
}

static void all_times_of_the_calendar_are_scanned(void **state)
{
    struct store_test_place *p = *state;
    struct record records[] = {
        store_test_record(TIMESTAMP_MAX_US, 9, "info", "9999", NULL),
        store_test_record(TIMESTAMP_MAX_US, 8, "info", "9999", NULL),
        store_test_record(T0, 7, "info", "2026", NULL),
        store_test_record(0, 6, "info", "1970", NULL),
        store_test_record(-1, 5, "info", "1969", NULL),
        store_test_record(-1, 4, "info", "1969", NULL),
        store_test_record(TIMESTAMP_MIN_US, 3, "info", "year 1", NULL),
        store_test_record(TIMESTAMP_MIN_US, 2, "info", "year 1", NULL),
    };
    const size_t n = sizeof(records) / sizeof(records[0]);
    struct log_matcher *m = matcher_of_all();

    store_test_place_append(p, records, n);
    for (size_t from = 0; from <= n; from++) {
        for (int k = 0; k < 2; k++) {
            struct store_scan scan;

            store_test_rows_release(&p->rows);
            store_scan_init(&scan, m, from > 0 ? &records[from - 1].key : NULL, 0);
            go_to_end(p, &scan, k == 0 ? &no_time : &one_row);
            assert_came(p, m, records + from, n - from, 0);
        }
    }
    log_matcher_unref(m);
}

static size_t times_it_came(const struct store_test_place *p, const struct log_key *key)
{
    size_t n = 0;

    for (size_t i = 0; i < p->rows.len; i++)
        n += log_key_compare(&p->rows.items[i].key, key) == 0;
    return n;
}

/* What is there all the time comes once; what came or went meanwhile comes once at most. */
static void what_is_stored_and_deleted_between_slices_moves_nothing(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct log_matcher *m = matcher_of_all();
    struct store_scan scan;
    uint32_t n = LOGS;
    int64_t expired_us = T0;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        struct record more[5];
        struct errbuf err = ERRBUF_INIT;
        size_t deleted;

        for (int i = 0; i < 5; i++)
            more[i] = store_test_record(T0 + random() % 100 * 1000, n++, "new", "m", NULL);
        store_test_place_append(p, more, 5);
        expired_us += 100;
        assert_int_equal(store_expire(p->w, expired_us, 1000, &deleted, &(bool){false}, &err), 0);
        go_on(p, &scan, &(struct store_slice){.rows = 3});
    }
    for (size_t i = 1; i < p->rows.len; i++)
        assert_true(log_key_compare(&p->rows.items[i].key, &p->rows.items[i - 1].key) < 0);
    for (size_t i = 0; i < LOGS; i++)
        if (records[i].key.timestamp_us >= expired_us)
            assert_int_equal(times_it_came(p, &records[i].key), 1);
    log_matcher_unref(m);
    free(records);
}

/* ---- Ends ---- */

struct ending {
    struct store_test_place *p;
    int after;
    int error;   /* what the callback says to the log after `after` others … */
    bool cancel; /* … or it cancels the call meanwhile */
    bool takes;  /* and has that log */
};

static int end_early(const struct record *record, void *ctx)
{
    struct ending *e = ctx;

    if (e->after-- > 0 || e->takes)
        store_test_collect(record, &e->p->rows);
    if (e->after >= 0)
        return 0;
    if (e->cancel)
        store_reader_cancel(e->p->r);
    return e->error;
}

static void however_a_call_ends_the_place_is_valid(void **state)
{
    const struct ending endings[] = {
        {.error = LM_ESTOPPED, .takes = true},
        {.error = LM_ENOTFOUND},
        {.cancel = true, .takes = true},
    };
    const int expected[] = {0, LM_ENOTFOUND, LM_ETIMEOUT};
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct log_matcher *m = matcher_of_all();

    for (int i = 0; i < 3; i++) {
        struct store_scan scan;

        store_test_rows_release(&p->rows);
        store_scan_init(&scan, m, NULL, 3);
        for (int after = 0; after < 20; after++) {
            struct ending e = endings[i];
            struct errbuf err = ERRBUF_INIT;

            e.p = p;
            e.after = after;
            assert_int_equal(store_scan_next(p->r, &scan, &(struct store_slice){.rows = 1000},
                                             end_early, &e, &err),
                             expected[i]);
        }
        go_to_end(p, &scan, &no_time);
        assert_came(p, m, records, LOGS, 3);
    }
    log_matcher_unref(m);
    free(records);
}

/* ---- Counts ---- */

struct counts {
    struct {
        int64_t bucket;
        char level[16];
        uint64_t count;
    } items[COUNTS_MAX];
    size_t len;
    size_t slice_start;
};

/* Adds to what other slices said of the same pair, as every caller does. */
static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    struct counts *c = ctx;

    assert_true(c->len < COUNTS_MAX && level.len < 16 && count > 0);
    assert_true(c->len == c->slice_start || c->items[c->len - 1].bucket <= bucket);
    for (size_t i = c->slice_start; i < c->len; i++)
        assert_false(c->items[i].bucket == bucket &&
                     slice_equal(slice_of_string(c->items[i].level), level));
    c->items[c->len].bucket = bucket;
    memcpy(c->items[c->len].level, level.data, level.len);
    c->items[c->len].level[level.len] = '\0';
    c->items[c->len++].count = count;
    return 0;
}

static void count_to_end(struct store_test_place *p, struct store_scan *scan,
                         const struct store_slice *slice, int64_t bucket_us, struct counts *c)
{
    c->len = 0;
    for (int calls = 0; !scan->done; calls++) {
        struct log_key before = scan->before;
        struct errbuf err = ERRBUF_INIT;

        assert_true(calls < CALLS_MAX);
        c->slice_start = c->len;
        if (store_scan_count(p->r, scan, slice, log_matcher_filter(scan->matcher)->since_us,
                             bucket_us, add_count, c, &err) != 0)
            fail_msg("cannot count: %s", err.text);
        assert_true(scan->done || log_key_compare(&scan->before, &before) < 0);
    }
}

static uint64_t counted(const struct counts *c, int64_t bucket, const char *level)
{
    uint64_t n = 0;

    for (size_t i = 0; i < c->len; i++)
        if (c->items[i].bucket == bucket && strcmp(c->items[i].level, level) == 0)
            n += c->items[i].count;
    return n;
}

static void counts_of_slices_add_up_however_they_are_cut(void **state)
{
    static const char *const levels[] = {"info", "warn"};
    static const char *const texts[] = {"", "rare"};
    const struct store_slice slices[] = {{.rows = 1}, no_time};
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct counts *c = xcalloc(1, sizeof(*c));

    for (size_t k = 0; k < 4; k++) {
        struct log_filter f;
        struct store_scan scan;

        log_filter_init(&f);
        f.since_us = T0 + 500;
        f.until_us = T0 + 95000;
        f.text = slice_of_string(texts[k / 2]);
        struct log_matcher *m = matcher(&f);
        store_scan_init(&scan, m, k % 2 ? &records[LOGS / 10].key : NULL, 0);
        struct log_key from = scan.before;
        count_to_end(p, &scan, &slices[k % 2], 7000, c);
        for (int64_t bucket = 0; bucket < 15; bucket++) {
            for (int l = 0; l < 2; l++) {
                uint64_t n = 0;

                for (size_t i = 0; i < LOGS; i++)
                    n += store_test_matches(&f, &records[i]) &&
                         records[i].key.timestamp_us >= f.since_us &&
                         log_key_compare(&records[i].key, &from) < 0 &&
                         text_equal_nocase(records[i].level, slice_of_string(levels[l])) &&
                         (records[i].key.timestamp_us - f.since_us) / 7000 == bucket;
                assert_int_equal(counted(c, bucket, levels[l]), n);
            }
        }
        log_matcher_unref(m);
    }
    free(c);
    free(records);
}

static void a_crowd_of_one_microsecond_is_counted(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = xcalloc(CROWD, sizeof(*records));
    struct counts *c = xcalloc(1, sizeof(*c));
    struct store_scan scan;
    struct log_filter f;

    for (uint32_t i = 0; i < CROWD; i++)
        records[i] = store_test_record(T0, i, "info", "m", NULL);
    store_test_place_append(p, records, CROWD);
    log_filter_init(&f);
    f.since_us = T0 - 1000;
    f.until_us = T0 + 1000;
    struct log_matcher *m = matcher(&f);
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        struct errbuf err = ERRBUF_INIT;

        c->slice_start = c->len;
        assert_int_equal(
            store_scan_count(p->r, &scan, &no_time, f.since_us, 1000, add_count, c, &err), 0);
        if (c->len > COUNTS_MAX / 2) { /* put together what there is */
            c->items[0].count = counted(c, 1, "info");
            c->len = 1;
        }
    }
    assert_int_equal(counted(c, 1, "info"), CROWD);
    log_matcher_unref(m);
    free(c);
    free(records);
}

/* ---- Ends of counting ---- */

static int refuse_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    return LM_ENOTFOUND;
}

static void counting_that_fails_leaves_the_place_where_it_was(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct log_matcher *m = matcher_of_all();
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;

    store_scan_init(&scan, m, &records[5].key, 0);
    assert_int_equal(store_scan_count(p->r, &scan, &one_row, T0, 1000000, refuse_count, NULL, &err),
                     LM_ENOTFOUND);
    assert_int_equal(log_key_compare(&scan.before, &records[5].key), 0);
    assert_false(scan.done);
    log_matcher_unref(m);
    free(records);
}

/* ---- Batches ---- */

static int count_rows(const struct log_batch *batch, void *ctx)
{
    for (size_t i = 0; i < batch->rows; i++)
        *(uint64_t *)ctx += batch->counts ? batch->counts[i] : 1;
    return 0;
}

static int cancel_at_once(const struct log_batch *batch, void *ctx)
{
    const struct store_test_place *p = *(struct store_test_place **)ctx;

    (void)batch;
    store_reader_cancel(p->r);
    return LM_ENOTFOUND;
}

/* However a call ends: what came is what lies above the place. */
static void what_came_in_batches_is_what_the_place_says(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = append_logs(p);
    struct log_matcher *m = matcher_of_all();
    const struct log_fields fields = {.len = 1, .items = {{.kind = LOG_FIELD_LEVEL}}};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    uint64_t rows = 0;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = {.rows = 1 + (uint64_t)random() % 50, .until_us = 1};

        assert_int_equal(store_scan_batches(p->r, &scan, &slice, &fields, count_rows, &rows, &err),
                         0);
        assert_true(rows == 0 || scan.done ||
                    log_key_compare(&scan.before, &records[rows - 1].key) <= 0);
        assert_true(rows == LOGS || log_key_compare(&scan.before, &records[rows].key) > 0);
    }
    assert_int_equal(rows, LOGS);
    store_scan_init(&scan, m, NULL, 0);
    assert_int_equal(store_scan_batches(p->r, &scan, &(struct store_slice){.rows = 5}, &fields,
                                        cancel_at_once, (void *)&p, &err),
                     LM_ENOTFOUND);
    log_matcher_unref(m);
    free(records);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int scan_conformance_run(const struct store_conformance *a)
{
    const struct CMUnitTest cases[] = {
        CASE(a_scan_goes_on_after_every_log),
        CASE(a_scan_keeps_to_its_range_and_cursor),
        CASE(a_crowd_of_one_microsecond_is_gone_through),
        CASE(an_offset_reaches_over_slices),
        CASE(all_times_of_the_calendar_are_scanned),
        CASE(what_is_stored_and_deleted_between_slices_moves_nothing),
        CASE(however_a_call_ends_the_place_is_valid),
        CASE(counts_of_slices_add_up_however_they_are_cut),
        CASE(a_crowd_of_one_microsecond_is_counted),
        CASE(counting_that_fails_leaves_the_place_where_it_was),
        CASE(what_came_in_batches_is_what_the_place_says),
    };

    adapter = a;
    return cmocka_run_group_tests_name(a->name, cases, NULL, NULL);
}
