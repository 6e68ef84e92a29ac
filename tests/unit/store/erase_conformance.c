#include "erase_conformance.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "store_test_support.h"

enum { LOGS = 3000, EVERY = 3 };

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)
#define SECOND INT64_C(1000000)

static const struct store_conformance *adapter;

static int set_up(void **state)
{
    *state = store_test_place_new(adapter);
    return 0;
}

static int tear_down(void **state)
{
    store_test_verify(((struct store_test_place *)*state)->s);
    store_test_place_free(*state);
    return 0;
}

static const char *const levels[] = {"debug", "Info", "ERROR"};

/* LOGS logs, one a second from T0 on; of EVERY in a row one has "secret" in its message. */
static struct record *make_logs(void)
{
    struct record *records = xcalloc(LOGS, sizeof(*records));

    for (int i = 0; i < LOGS; i++)
        records[i] = store_test_record(T0 + i * SECOND, (uint32_t)i, levels[i / EVERY % 3],
                                       i % EVERY == 0 ? "a SECRET text" : "a text",
                                       i % 2 ? "{\"n\":1}" : NULL);
    return records;
}

static void append_logs(struct store_test_place *p, const struct record *records)
{
    for (int i = 0; i < LOGS; i += 500)
        assert_int_equal(store_test_append(p->w, records + i, 500).stored, 500);
}

/* Erases in slices of `rows`; returns how many were erased. */
static size_t erase_by(struct store_test_place *p, const struct log_filter *filter, uint64_t rows,
                       bool remember)
{
    const struct store_slice slice = {.rows = rows};
    struct log_matcher *matcher = log_matcher_new(filter);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t all = 0;

    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done) {
        size_t erased;

        if (store_erase(p->w, &scan, &slice, remember, &erased, &err))
            fail_msg("cannot erase: %s", err.text);
        assert_true(erased <= rows);
        all += erased;
    }
    log_matcher_unref(matcher);
    return all;
}

static struct log_filter all_logs(void)
{
    struct log_filter f;

    log_filter_init(&f);
    return f;
}

static struct log_filter secrets(void)
{
    struct log_filter f = all_logs();

    f.text = SLICE_LITERAL("secret");
    return f;
}

/* Reads all: those of `records` for which `stays` is true, and no others. */
static void assert_left(struct store_test_place *p, const struct record *records,
                        const struct log_filter *erased)
{
    struct log_query query = store_test_query(LOGS + 1);
    size_t at = 0;

    store_test_run(p->r, &query, &p->rows);
    for (int i = LOGS; i-- > 0;) {
        int64_t us = records[i].key.timestamp_us;

        if (store_test_matches(erased, &records[i]) && us >= erased->since_us &&
            us < erased->until_us)
            continue;
        assert_true(at < p->rows.len);
        store_test_assert_equal(&p->rows.items[at++], &records[i]);
    }
    assert_int_equal(p->rows.len, at);
}

static void what_matches_is_gone_at_once_and_all_else_stays(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    append_logs(p, records);
    assert_int_equal(erase_by(p, &filter, 100, true), LOGS / EVERY);
    assert_left(p, records, &filter);
    assert_int_equal(erase_by(p, &filter, 100, true), 0);
    store_test_place_close(p);
    store_test_place_open(p);
    assert_left(p, records, &filter);
    free(records);
}

static void only_what_is_in_the_range_of_time_goes(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    append_logs(p, records);
    filter.since_us = T0 + 300 * SECOND;
    filter.until_us = T0 + 600 * SECOND;
    assert_int_equal(erase_by(p, &filter, 1000000, true), 100);
    assert_left(p, records, &filter);
    filter.text = (struct slice){NULL, 0};
    assert_int_equal(erase_by(p, &filter, 7, false), 200);
    assert_left(p, records, &filter);
    free(records);
}

static void every_kind_of_filter_erases_what_it_finds(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = all_logs();

    append_logs(p, records);
    filter.levels[filter.levels_len++] = SLICE_LITERAL("info");
    filter.attributes[filter.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("n"), SLICE_LITERAL("1"), false};
    filter.excluded_text = SLICE_LITERAL("Secret");
    assert_true(erase_by(p, &filter, 1000, true) > 0);
    assert_left(p, records, &filter);
    free(records);
}

static int count_log(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static uint64_t count_all(struct store_test_place *p, bool with_predicate)
{
    struct log_stats_query query = {.filter = all_logs(), .bucket_us = 3600 * SECOND};
    struct errbuf err = ERRBUF_INIT;
    uint64_t count = 0;

    query.filter.since_us = T0;
    query.filter.until_us = T0 + LOGS * SECOND;
    if (with_predicate)
        query.filter.text = SLICE_LITERAL("text");
    assert_int_equal(store_test_stats(p->r, &query, count_log, &count, &err), 0);
    return count;
}

static void erased_logs_are_not_counted(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    append_logs(p, records);
    assert_int_equal(count_all(p, false), LOGS);
    erase_by(p, &filter, 100, false);
    assert_int_equal(count_all(p, false), LOGS - LOGS / EVERY);
    assert_int_equal(count_all(p, true), LOGS - LOGS / EVERY);
    free(records);
}

static int take_nothing(const struct record *record, void *ctx)
{
    return 0;
}

static void an_erased_log_is_not_found_by_its_id(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();
    struct errbuf err = ERRBUF_INIT;

    append_logs(p, records);
    erase_by(p, &filter, 100, true);
    assert_int_equal(store_get(p->r, &records[EVERY].key.id, take_nothing, NULL, &err),
                     LM_ENOTFOUND);
    assert_int_equal(store_get(p->r, &records[EVERY + 1].key.id, take_nothing, NULL, &err), 0);
    free(records);
}

struct followed {
    struct store_position last;
    size_t len;
    size_t secrets;
};

static int follow_one(const struct record *record, const struct store_position *position, void *ctx)
{
    struct followed *f = ctx;

    assert_true(store_position_compare(position, &f->last) > 0);
    f->last = *position;
    f->len++;
    f->secrets += slice_equal(record->message, SLICE_LITERAL("a SECRET text"));
    return 0;
}

static struct followed follow_all(struct store_test_place *p, struct store_position position)
{
    struct followed f = {.last = position};
    struct errbuf err = ERRBUF_INIT;
    struct store_position before;
    bool lost;

    do {
        before = position;
        assert_int_equal(store_follow(p->r, &position, 700, &lost, follow_one, &f, &err), 0);
        assert_false(lost);
    } while (store_position_compare(&before, &position) != 0);
    return f;
}

static void who_follows_from_before_is_given_no_erased_log(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();
    struct errbuf err = ERRBUF_INIT;
    struct store_position start, middle;

    append_logs(p, records);
    erase_by(p, &filter, 100, true);
    struct followed f = follow_all(p, (struct store_position){0});
    assert_int_equal(f.len, LOGS - LOGS / EVERY);
    assert_int_equal(f.secrets, 0);
    /* Places stay, and what comes now comes after them all. */
    assert_int_equal(store_follow_end(p->r, &start, &err), 0);
    middle = f.last;
    struct record late = store_test_record(T0 - SECOND, 1, "info", "late", NULL);
    store_test_append(p->w, &late, 1);
    assert_int_equal(follow_all(p, start).len, 1);
    assert_int_equal(follow_all(p, middle).len, 1);
    free(records);
}

/* All of them, so that no number of the order of storing is left. */
static void after_all_was_erased_places_still_grow(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = all_logs();
    struct errbuf err = ERRBUF_INIT;
    struct store_position end, again;

    append_logs(p, records);
    assert_int_equal(store_follow_end(p->r, &end, &err), 0);
    assert_int_equal(erase_by(p, &filter, 1000, false), LOGS);
    assert_left(p, records, &filter);
    store_test_place_close(p);
    store_test_place_open(p);
    struct record later = store_test_record(T0 + 7 * SECOND, 7777, "info", "later", NULL);
    store_test_append(p->w, &later, 1);
    assert_int_equal(store_follow_end(p->r, &again, &err), 0);
    assert_true(store_position_compare(&again, &end) > 0);
    assert_int_equal(follow_all(p, end).len, 1);
    free(records);
}

static void a_redelivery_does_not_bring_back_what_is_remembered(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    append_logs(p, records);
    erase_by(p, &filter, 100, true);
    struct store_append_result result = store_test_append(p->w, records, LOGS);
    assert_int_equal(result.stored, 0);
    assert_int_equal(result.repeated, LOGS);
    assert_int_equal(result.erased, LOGS / EVERY);
    assert_int_equal(result.conflicts, 0);
    assert_left(p, records, &filter);
    /* One alone, among new ones, and by another process. */
    struct record mixed[] = {records[0],
                             store_test_record(T0 + 1, 99999, "info", "a SECRET text", NULL),
                             records[EVERY]};
    store_test_place_close(p);
    store_test_place_open(p);
    result = store_test_append(p->w, mixed, 3);
    assert_int_equal(result.stored, 1);
    assert_int_equal(result.repeated, 2);
    assert_int_equal(result.erased, 2);
    result = store_test_append(p->w, records, 1);
    assert_int_equal(result.stored, 0);
    assert_int_equal(result.repeated, 1);
    free(records);
}

static void what_is_not_remembered_may_come_again(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter none = all_logs(), all = all_logs();

    append_logs(p, records);
    assert_int_equal(erase_by(p, &all, 1000, false), LOGS);
    store_test_append(p->w, records, LOGS);
    struct log_query query = store_test_query(LOGS + 1);
    store_test_run(p->r, &query, &p->rows);
    /* All, or none: a store may still know the keys for a while. */
    if (p->rows.len > 0) {
        none.since_us = none.until_us = 0;
        assert_left(p, records, &none);
    }
    free(records);
}

/* Does all that is done in the background, at once. */
static void keep(struct store_test_place *p)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(p->s, &err);
    unsigned wait_ms = 0;

    assert_non_null(k);
    while (wait_ms == 0)
        if (store_keeper_step(k, true, &wait_ms, &err))
            fail_msg("cannot keep: %s", err.text);
    store_keeper_free(k);
}

static void what_was_erased_stays_gone_when_the_store_is_compacted(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    append_logs(p, records);
    keep(p);
    assert_int_equal(erase_by(p, &filter, 250, true), LOGS / EVERY);
    assert_left(p, records, &filter);
    keep(p);
    assert_left(p, records, &filter);
    assert_int_equal(count_all(p, false), LOGS - LOGS / EVERY);
    struct store_append_result result = store_test_append(p->w, records, LOGS);
    assert_int_equal(result.stored, 0);
    assert_int_equal(result.repeated, LOGS);
    keep(p);
    assert_left(p, records, &filter);
    free(records);
}

static uint64_t erasures(struct store_test_place *p)
{
    struct errbuf err = ERRBUF_INIT;
    uint64_t number;

    assert_int_equal(store_erasures(p->r, &number, &err), 0);
    return number;
}

static void each_erasure_is_told_by_another_number(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = secrets();

    assert_int_equal(erasures(p), 0);
    append_logs(p, records);
    assert_int_equal(erasures(p), 0);
    erase_by(p, &filter, LOGS, true);
    uint64_t first = erasures(p);
    assert_int_not_equal(first, 0);
    assert_int_equal(erase_by(p, &filter, LOGS, true), 0);
    assert_int_equal(erasures(p), first);
    filter = all_logs();
    erase_by(p, &filter, LOGS, false);
    assert_int_not_equal(erasures(p), first);
    free(records);
}

static void a_slice_has_an_end_of_its_time_and_its_logs(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_logs();
    struct log_filter filter = all_logs();
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t erased;

    append_logs(p, records);
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    const struct store_slice ten = {.rows = 10};
    assert_int_equal(store_erase(p->w, &scan, &ten, true, &erased, &err), 0);
    assert_int_equal(erased, 10);
    assert_false(scan.done);
    filter.since_us = T0 + (LOGS - 10) * SECOND;
    assert_left(p, records, &filter);
    /* However little time there is, it gets on: by a log, or past blocks that have none left. */
    for (int i = 0; i < 2 * LOGS && !scan.done; i++) {
        const struct store_slice over = {.rows = LOGS, .until_us = clock_monotonic_us()};
        struct log_key before = scan.before;

        assert_int_equal(store_erase(p->w, &scan, &over, true, &erased, &err), 0);
        assert_true(scan.done || log_key_compare(&scan.before, &before) < 0);
    }
    assert_true(scan.done);
    filter.since_us = all_logs().since_us;
    assert_left(p, records, &filter);
    log_matcher_unref(matcher);
    free(records);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int erase_conformance_run(const struct store_conformance *a)
{
    const struct CMUnitTest cases[] = {
        CASE(what_matches_is_gone_at_once_and_all_else_stays),
        CASE(only_what_is_in_the_range_of_time_goes),
        CASE(every_kind_of_filter_erases_what_it_finds),
        CASE(erased_logs_are_not_counted),
        CASE(an_erased_log_is_not_found_by_its_id),
        CASE(who_follows_from_before_is_given_no_erased_log),
        CASE(after_all_was_erased_places_still_grow),
        CASE(a_redelivery_does_not_bring_back_what_is_remembered),
        CASE(what_is_not_remembered_may_come_again),
        CASE(what_was_erased_stays_gone_when_the_store_is_compacted),
        CASE(each_erasure_is_told_by_another_number),
        CASE(a_slice_has_an_end_of_its_time_and_its_logs),
    };

    adapter = a;
    return cmocka_run_group_tests_name("erasing", cases, NULL, NULL);
}
