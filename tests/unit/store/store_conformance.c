#include "store_conformance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "store_test_support.h"

enum {
    FEW = 100,
    CROWD = 2000,
    RANDOM_LOGS = 2000,
    RANDOM_QUERIES = 200,
    LARGE_BYTES = 3 << 20,
    OPENERS = 4,
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

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

/* FEW logs, one a second from T0 on, in one batch. */
static void append_few(struct store_test_place *p)
{
    struct record records[FEW];

    for (int i = 0; i < FEW; i++)
        records[i] = store_test_record(T0 + i * INT64_C(1000000), (uint32_t)i, "info", "m", NULL);
    assert_int_equal(store_test_place_append(p, records, FEW).stored, FEW);
}

static void logs_come_back_as_they_were_newest_first(void **state)
{
    struct store_test_place *p = *state;
    const struct record records[] = {
        store_test_record(T0 + 1, 1, "INFO", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x98", "{\"a\":1}"),
        store_test_record(T0, 3, "", "", NULL),
        store_test_record(T0, 2, "warn", "it's \"quoted\"\n; DROP TABLE logs", "{}"),
    };
    const int expected[] = {0, 1, 2};
    struct log_query query = store_test_query(10);

    assert_int_equal(store_test_place_append(p, records, 3).stored, 3);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 3);
    for (int i = 0; i < 3; i++)
        store_test_assert_equal(&p->rows.items[i], &records[expected[i]]);
}

static void what_is_stored_is_there_after_a_restart(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);

    append_few(p);
    store_test_place_close(p);
    store_test_place_open(p);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, FEW);
}

static void assert_result(struct store_append_result result, size_t stored, size_t repeated,
                          size_t conflicts)
{
    assert_int_equal(result.stored, stored);
    assert_int_equal(result.repeated, repeated);
    assert_int_equal(result.conflicts, conflicts);
}

static void a_repeat_is_counted_and_stored_once(void **state)
{
    struct store_test_place *p = *state;
    struct record records[] = {
        store_test_record(T0, 1, "info", "first", "{\"a\":[1,null]}"),
        store_test_record(T0, 1, "info", "first", "{\"a\":[1,null]}"),
        store_test_record(T0, 2, "info", "other", NULL),
    };
    struct log_query query = store_test_query(10);

    assert_result(store_test_place_append(p, records, 3), 2, 1, 0);
    assert_result(store_test_place_append(p, records, 3), 0, 3, 0);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 2);
}

static void another_log_with_a_key_is_a_conflict_and_the_first_stays(void **state)
{
    struct store_test_place *p = *state;
    const struct record first = store_test_record(T0, 1, "info", "first", "{\"a\":1}");
    const struct record others[] = {
        first,
        store_test_record(T0, 1, "warn", "first", "{\"a\":1}"),
        store_test_record(T0, 1, "info", "First", "{\"a\":1}"),
        store_test_record(T0, 1, "info", "first", "{\"a\":2}"),
        store_test_record(T0, 1, "info", "first", NULL),
        store_test_record(T0, 2, "info", "fourth", NULL),
        store_test_record(T0, 2, "info", "fifth", NULL),
    };
    struct log_query query = store_test_query(10);

    store_test_place_append(p, &first, 1);
    assert_result(store_test_place_append(p, others, 7), 1, 1, 5);
    struct store_append_result result = store_test_place_append(p, &others[3], 1);
    assert_result(result, 0, 0, 1);
    assert_memory_equal(&result.conflict, &first.key, sizeof(first.key));
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 2);
    store_test_assert_equal(&p->rows.items[1], &first);
    store_test_assert_equal(&p->rows.items[0], &others[5]);
}

static void one_id_at_two_times_of_a_millisecond_is_two_logs(void **state)
{
    struct store_test_place *p = *state;
    const struct record records[] = {
        store_test_record(T0 + 1, 1, "info", "one", NULL),
        store_test_record(T0 + 2, 1, "info", "two", NULL),
    };
    struct log_query query = store_test_query(10);

    assert_result(store_test_place_append(p, records, 2), 2, 0, 0);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 2);
}

static void nothing_can_be_appended(void **state)
{
    struct store_test_place *p = *state;
    struct record none = {0};

    assert_int_equal(store_test_place_append(p, &none, 0).stored, 0);
}

static void a_large_record_is_kept_whole(void **state)
{
    struct store_test_place *p = *state;
    char *text = xmalloc(LARGE_BYTES + 1);
    struct record record;
    struct log_query query = store_test_query(10);

    memset(text, 'x', LARGE_BYTES);
    text[LARGE_BYTES] = '\0';
    record = store_test_record(T0, 1, "info", text, NULL);
    assert_int_equal(store_test_place_append(p, &record, 1).stored, 1);
    store_test_run(p->r, &query, &p->rows);
    store_test_assert_equal(&p->rows.items[0], &record);
    free(text);
}

static void since_is_inclusive_and_until_exclusive(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);

    append_few(p);
    query.filter.since_us = T0 + 10 * 1000000;
    query.filter.until_us = T0 + 20 * 1000000;
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 10);
    assert_int_equal(p->rows.items[9].key.timestamp_us, query.filter.since_us);
    query.filter.until_us = query.filter.since_us;
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 0);
}

static void all_times_of_the_calendar_are_kept_and_found(void **state)
{
    struct store_test_place *p = *state;
    const struct record records[] = {
        store_test_record(TIMESTAMP_MIN_US, 1, "info", "year 1", NULL),
        store_test_record(-1, 2, "info", "1969", NULL),
        store_test_record(0, 3, "info", "1970", NULL),
        store_test_record(TIMESTAMP_MAX_US, 4, "info", "9999", NULL),
    };
    struct log_query query = store_test_query(10);

    assert_int_equal(store_test_place_append(p, records, 4).stored, 4);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 4);
    for (int i = 0; i < 4; i++) {
        struct errbuf err = ERRBUF_INIT;
        struct store_test_rows one = {0};

        store_test_assert_equal(&p->rows.items[i], &records[3 - i]);
        assert_int_equal(store_get(p->r, &records[i].key.id, store_test_collect, &one, &err), 0);
        store_test_assert_equal(&one.items[0], &records[i]);
        store_test_rows_release(&one);
    }
}

static void get_finds_by_id_alone(void **state)
{
    struct store_test_place *p = *state;
    struct record record = store_test_record(T0 + 1234567, 77, "info", "m", NULL);
    struct record other = store_test_record(T0 + 1234567, 78, "info", "m", NULL);
    struct errbuf err = ERRBUF_INIT;

    append_few(p);
    store_test_place_append(p, &record, 1);
    assert_int_equal(store_get(p->r, &record.key.id, store_test_collect, &p->rows, &err), 0);
    assert_int_equal(p->rows.len, 1);
    store_test_assert_equal(&p->rows.items[0], &record);
    assert_int_equal(store_get(p->r, &other.key.id, store_test_collect, &p->rows, &err),
                     LM_ENOTFOUND);
    assert_int_equal(p->rows.len, 1);
}

/* However many logs its millisecond has, or, before 1970, all times together. */
static void get_finds_one_among_a_crowd(void **state)
{
    static const int64_t starts[] = {T0, 0, -1000000};
    struct store_test_place *p = *state;
    struct record records[3 * CROWD];
    struct errbuf err = ERRBUF_INIT;

    for (uint32_t i = 0; i < 3 * CROWD; i++)
        records[i] = store_test_record(starts[i / CROWD] + i % 7, i, "info", "m", NULL);
    store_test_place_append(p, records, 3 * CROWD);
    for (size_t i = 0; i < 3 * CROWD; i += 97) {
        struct store_test_rows one = {0};

        assert_int_equal(store_get(p->r, &records[i].key.id, store_test_collect, &one, &err), 0);
        assert_int_equal(one.len, 1);
        store_test_assert_equal(&one.items[0], &records[i]);
        store_test_rows_release(&one);
    }
    for (int k = 0; k < 3; k++) {
        struct record other = store_test_record(starts[k], 3 * CROWD, "info", "m", NULL);

        assert_int_equal(store_get(p->r, &other.key.id, store_test_collect, &p->rows, &err),
                         LM_ENOTFOUND);
    }
}

/* ---- Paging ---- */

static void pages_by_cursor_neither_skip_nor_repeat(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(7);
    struct record same[FEW];
    uint32_t next = FEW;
    uint32_t newer = 0;

    /* All within one microsecond: only the ids tell them apart. */
    for (uint32_t i = 0; i < FEW; i++)
        same[i] = store_test_record(T0, i, "info", "m", NULL);
    store_test_place_append(p, same, FEW);
    do {
        struct record late = store_test_record(T0 + 1, newer, "info", "late", NULL);
        struct record same_time = store_test_record(T0, FEW + newer++, "info", "late", NULL);

        store_test_run(p->r, &query, &p->rows);
        for (size_t i = 0; i < p->rows.len; i++)
            store_test_assert_equal(&p->rows.items[i], &same[--next]);
        if (p->rows.len > 0) {
            query.cursor = p->rows.items[p->rows.len - 1].key;
            query.has_cursor = true;
        }
        store_test_place_append(p, &late, 1);
        store_test_place_append(p, &same_time, 1);
    } while (p->rows.len == query.limit);
    assert_int_equal(next, 0);
}

static void a_cursor_joins_with_the_time_bounds(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);

    append_few(p);
    query.has_cursor = true;
    query.cursor = store_test_record(T0 + 50 * INT64_C(1000000), 50, "", "", NULL).key;
    query.filter.until_us = T0 + 90 * INT64_C(1000000);
    query.filter.since_us = T0 + 40 * INT64_C(1000000);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 10);
    query.filter.until_us = T0 + 45 * INT64_C(1000000);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 5);
}

static void offset_skips_the_newest(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(10);

    append_few(p);
    query.offset = 95;
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 5);
    assert_int_equal(p->rows.items[0].key.timestamp_us, T0 + 4 * 1000000);
    query.offset = UINT64_MAX;
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 0);
}

/* ---- Filters, against the same done by hand ---- */

static const char *const some_levels[] = {"info", "INFO", "Warn", "error", "\xc3\x84rger"};
static const char *const some_messages[] = {"connection reset", "user logged in", "Disk FULL",
                                            "STRASSE \xc3\x96l"};
/* In the order in which a store may rearrange them: shorter names first. */
static const char *const some_attributes[] = {"{\"n\":1,\"service\":\"api\"}",
                                              "{\"ok\":true,\"service\":\"web\"}", NULL};

static struct record *make_random_logs(void)
{
    struct record *records = xcalloc(RANDOM_LOGS, sizeof(*records));

    srandom(1);
    for (uint32_t i = 0; i < RANDOM_LOGS; i++)
        records[i] = store_test_record(T0 + random() % 500, i, some_levels[random() % 5],
                                       some_messages[random() % 4], some_attributes[random() % 3]);
    return records;
}

static int newest_first(const void *a, const void *b)
{
    return log_key_compare(&((const struct record *)b)->key, &((const struct record *)a)->key);
}

static void fill_random_filter(struct log_filter *f)
{
    static const char *const texts[] = {"con", "full", "\xc3\xb6L", "nothing has this"};
    static const char *const levels[] = {"Info", "WARN", "\xc3\xa4rger", "none"};

    log_filter_init(f);
    if (random() % 2 == 0)
        f->since_us = T0 + random() % 500;
    if (random() % 2 == 0)
        f->until_us = T0 + random() % 500;
    if (random() % 2 == 0)
        f->levels[f->levels_len++] = slice_of_string(levels[random() % 4]);
    if (random() % 4 == 0)
        f->levels[f->levels_len++] = slice_of_string(levels[random() % 4]);
    if (random() % 3 == 0)
        f->text = slice_of_string(texts[random() % 4]);
    if (random() % 4 == 0)
        f->attributes[f->attributes_len++] =
            (struct log_attribute_filter){SLICE_LITERAL("service"), SLICE_LITERAL("api"), false};
    if (random() % 4 == 0)
        f->attributes[f->attributes_len++] =
            (struct log_attribute_filter){SLICE_LITERAL("ok"), SLICE_LITERAL("true"), true};
    if (random() % 4 == 0)
        f->excluded_levels[f->excluded_levels_len++] = slice_of_string(levels[random() % 4]);
    if (random() % 4 == 0)
        f->excluded_text = slice_of_string(texts[random() % 4]);
}

static bool in_filter(const struct log_filter *f, const struct record *r)
{
    return r->key.timestamp_us >= f->since_us && r->key.timestamp_us < f->until_us &&
           store_test_matches(f, r);
}

static void queries_answer_as_brute_force_does(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_random_logs();

    store_test_place_append(p, records, RANDOM_LOGS);
    qsort(records, RANDOM_LOGS, sizeof(*records), newest_first);
    for (int k = 0; k < RANDOM_QUERIES; k++) {
        struct log_query query = store_test_query(1 + (unsigned)random() % 300);
        uint64_t skip;
        size_t found = 0;

        fill_random_filter(&query.filter);
        query.offset = random() % 2 == 0 ? (uint64_t)random() % 50 : 0;
        query.has_cursor = random() % 2 == 0;
        query.cursor = records[random() % RANDOM_LOGS].key;
        store_test_run(p->r, &query, &p->rows);
        skip = query.offset;
        for (size_t i = 0; i < RANDOM_LOGS && found < query.limit; i++) {
            if (!in_filter(&query.filter, &records[i]) ||
                (query.has_cursor && log_key_compare(&records[i].key, &query.cursor) >= 0))
                continue;
            if (skip > 0) {
                skip--;
                continue;
            }
            assert_true(found < p->rows.len);
            store_test_assert_equal(&p->rows.items[found++], &records[i]);
        }
        assert_int_equal(found, p->rows.len);
    }
    free(records);
}

/* ---- Counting ---- */

struct counts {
    uint64_t total;
    int64_t last_bucket;
    struct {
        int64_t bucket;
        char level[32];
        uint64_t count;
    } items[512];
    size_t len;
};

static int collect_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    struct counts *c = ctx;

    assert_true(c->len < 512 && level.len < 32 && count > 0);
    assert_true(c->len == 0 || bucket >= c->last_bucket);
    for (size_t i = 0; i < c->len; i++)
        assert_false(c->items[i].bucket == bucket &&
                     slice_equal(slice_of_string(c->items[i].level), level));
    c->items[c->len].bucket = bucket;
    memcpy(c->items[c->len].level, level.data, level.len);
    c->items[c->len].level[level.len] = '\0';
    c->items[c->len++].count = count;
    c->last_bucket = bucket;
    c->total += count;
    return 0;
}

static void count_into(struct store_test_place *p, const struct log_stats_query *query,
                       struct counts *c)
{
    struct errbuf err = ERRBUF_INIT;

    *c = (struct counts){0};
    if (store_test_stats(p->r, query, collect_count, c, &err) != 0)
        fail_msg("cannot count: %s", err.text);
}

static void counts_are_those_of_brute_force(void **state)
{
    struct store_test_place *p = *state;
    struct record *records = make_random_logs();
    struct counts *counts = xcalloc(1, sizeof(*counts));

    store_test_place_append(p, records, RANDOM_LOGS);
    for (int k = 0; k < RANDOM_QUERIES / 4; k++) {
        struct log_stats_query query = {.bucket_us = 10 + random() % 200};
        uint64_t total = 0;

        fill_random_filter(&query.filter);
        if (query.filter.since_us < T0)
            query.filter.since_us = T0 - random() % 100;
        if (query.filter.until_us > T0 + 1000)
            query.filter.until_us = T0 + 1000;
        count_into(p, &query, counts);
        for (size_t i = 0; i < RANDOM_LOGS; i++)
            total += in_filter(&query.filter, &records[i]);
        assert_int_equal(counts->total, total);
        for (size_t j = 0; j < counts->len; j++) {
            uint64_t n = 0;

            for (size_t i = 0; i < RANDOM_LOGS; i++) {
                const struct record *r = &records[i];

                n += in_filter(&query.filter, r) &&
                     text_equal_nocase(r->level, slice_of_string(counts->items[j].level)) &&
                     (r->key.timestamp_us - query.filter.since_us) / query.bucket_us ==
                         counts->items[j].bucket;
            }
            assert_int_equal(counts->items[j].count, n);
            /* Lower-cased: no capital is left. */
            assert_null(strpbrk(counts->items[j].level, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
        }
    }
    free(counts);
    free(records);
}

static void levels_past_the_limit_are_counted_as_other(void **state)
{
    struct store_test_place *p = *state;
    struct log_stats_query query = {.bucket_us = 1000000};
    struct counts *counts = xcalloc(1, sizeof(*counts));
    char levels[STORE_STATS_LEVELS_MAX + 10][16];
    struct record records[STORE_STATS_LEVELS_MAX + 10];
    size_t n = STORE_STATS_LEVELS_MAX + 10;
    uint64_t others = 0;

    for (size_t i = 0; i < n; i++) {
        snprintf(levels[i], sizeof(levels[i]), i == 0 ? "OTHER" : "level%zu", i);
        records[i] = store_test_record(T0, (uint32_t)i, levels[i], "m", NULL);
    }
    store_test_place_append(p, records, n);
    log_filter_init(&query.filter);
    query.filter.since_us = T0;
    query.filter.until_us = T0 + 1;
    count_into(p, &query, counts);
    assert_int_equal(counts->total, n);
    assert_in_range(counts->len, STORE_STATS_LEVELS_MAX, STORE_STATS_LEVELS_MAX + 1);
    for (size_t i = 0; i < counts->len; i++) {
        if (strcmp(counts->items[i].level, "other") == 0)
            others = counts->items[i].count;
    }
    assert_in_range(others, 10, 11);
    free(counts);
}

/* ---- Expiring ---- */

static void what_is_known_of_the_clock_is_kept(void **state)
{
    struct store_test_place *p = *state;
    struct store_clock kept = {0};
    const struct store_clock other = {
        .believed_us = T0 + 1, .claimed_us = T0 + INT64_C(31536000000002), .doubted_us = 3};
    struct errbuf err = ERRBUF_INIT;
    int64_t now_us = 0;

    assert_int_equal(store_clock_read(p->w, &kept, &now_us, &err), 0);
    assert_in_range(now_us, clock_wall_us() - 60000000, clock_wall_us() + 60000000);
    assert_in_range(kept.believed_us, now_us - 60000000, now_us); /* when the schema was made */
    assert_int_equal(kept.claimed_us, 0);
    assert_int_equal(store_clock_write(p->w, &other, &err), 0);
    store_test_place_close(p);
    store_test_place_open(p);
    assert_int_equal(store_clock_read(p->w, &kept, &now_us, &err), 0);
    assert_memory_equal(&kept, &other, sizeof(kept));
    kept.claimed_us = kept.doubted_us = 0;
    assert_int_equal(store_clock_write(p->w, &kept, &err), 0);
    assert_int_equal(store_clock_read(p->w, &kept, &now_us, &err), 0);
    assert_int_equal(kept.claimed_us, 0);
}

/* How many of those that are old enough go at once is the store's business: about `max`. */
static void expiring_deletes_the_oldest_in_steps(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);
    struct errbuf err = ERRBUF_INIT;
    int64_t before = T0 + 25 * INT64_C(1000000);
    size_t deleted, gone = 0;
    bool more = true;

    append_few(p);
    for (int steps = 0; more; steps++) {
        assert_int_equal(store_expire(p->w, before, 10, &deleted, &more, &err), 0);
        gone += deleted;
        store_test_run(p->r, &query, &p->rows);
        assert_int_equal(p->rows.len, FEW - gone);
        assert_int_equal(p->rows.items[FEW - gone - 1].key.timestamp_us,
                         T0 + (int64_t)gone * 1000000);
        assert_true(steps < 4);
    }
    assert_int_equal(gone, 25);
    assert_int_equal(store_expire(p->w, before, 10, &deleted, &more, &err), 0);
    assert_int_equal(deleted, 0);
    assert_false(more);
}

/* ---- Ending a call ---- */

static int refuse(const struct record *record, void *ctx)
{
    int *calls = ctx;

    return ++*calls == 3 ? LM_ENOTFOUND : 0;
}

static void an_error_of_the_callback_ends_the_query(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);
    struct errbuf err = ERRBUF_INIT;
    int calls = 0;

    append_few(p);
    assert_int_equal(store_query(p->r, &query, refuse, &calls, &err), LM_ENOTFOUND);
    assert_int_equal(calls, 3);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, FEW);
}

struct slow {
    struct store_reader *r;
    atomic_bool started;
    int rows;
};

static int wait_in_row(const struct record *record, void *ctx)
{
    struct slow *s = ctx;

    atomic_store(&s->started, true);
    usleep(100000);
    s->rows++;
    return 0;
}

static void *cancel_when_started(void *arg)
{
    struct slow *s = arg;

    while (!atomic_load(&s->started))
        usleep(1000);
    store_reader_cancel(s->r);
    return NULL;
}

static void cancel_ends_what_is_under_way_and_nothing_else(void **state)
{
    struct store_test_place *p = *state;
    struct log_query query = store_test_query(1000);
    struct slow slow = {.r = p->r};
    struct errbuf err = ERRBUF_INIT;
    pthread_t thread;

    append_few(p);
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_started, &slow), 0);
    assert_int_equal(store_query(p->r, &query, wait_in_row, &slow, &err), LM_ETIMEOUT);
    pthread_join(thread, NULL);
    assert_in_range(slow.rows, 1, FEW / 2);

    store_reader_cancel(p->r);
    store_reader_cancel(p->r);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, FEW);
}

/* ---- Several at once ---- */

static void *migrate(void *arg)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = adapter->open(arg);
    int error = store_migrate(s, &err);

    if (error)
        print_error("cannot migrate: %s\n", err.text);
    store_free(s);
    return (void *)(intptr_t)error;
}

static void several_may_migrate_an_empty_store_at_once(void **state)
{
    void *place = adapter->create();
    pthread_t threads[OPENERS];
    void *error;

    for (int i = 0; i < OPENERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate, place), 0);
    for (int i = 0; i < OPENERS; i++) {
        pthread_join(threads[i], &error);
        assert_null(error);
    }
    adapter->destroy(place);
}

static void a_reader_may_come_before_any_writer(void **state)
{
    void *place = adapter->create();
    struct store *s = adapter->open(place);
    struct store_reader *r = store_test_reader(s);
    struct record record = store_test_record(T0, 1, "info", "m", NULL);
    struct log_query query = store_test_query(10);
    struct store_test_rows rows = {0};
    struct store_writer *w;

    store_test_run(r, &query, &rows);
    assert_int_equal(rows.len, 0);
    w = store_test_writer(s);
    store_test_append(w, &record, 1);
    store_test_run(r, &query, &rows);
    assert_int_equal(rows.len, 1);
    store_test_rows_release(&rows);
    store_writer_free(w);
    store_reader_free(r);
    store_free(s);
    adapter->destroy(place);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- Following ---- */

struct followed {
    struct store_test_rows rows;
    struct store_position last;
    size_t stop_after; /* 0: never */
};

static int follow_one(const struct record *record, const struct store_position *position, void *ctx)
{
    struct followed *f = ctx;

    assert_true(store_position_compare(position, &f->last) > 0);
    f->last = *position;
    store_test_collect(record, &f->rows);
    return f->stop_after != 0 && f->rows.len == f->stop_after ? LM_ESTOPPED : 0;
}

/* Follows from `position` in steps of `max` to the end. Returns what came; release its rows. */
static struct followed follow_to_end(struct store_test_place *p, struct store_position *position,
                                     size_t max, bool *lost)
{
    struct followed f = {.last = *position};
    struct errbuf err = ERRBUF_INIT;
    struct store_position before;

    *lost = false;
    do {
        bool now_lost;

        before = *position;
        assert_int_equal(store_follow(p->r, position, max, &now_lost, follow_one, &f, &err), 0);
        if (now_lost && f.rows.len == 0)
            f.last = *position;
        assert_true(store_position_compare(position, &f.last) >= 0);
        *lost = *lost || now_lost;
    } while (store_position_compare(&before, position) != 0);
    return f;
}

static struct store_position follow_end(struct store_test_place *p)
{
    struct store_position end;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(store_follow_end(p->r, &end, &err), 0);
    return end;
}

static void following_gives_each_log_once_in_the_order_of_storing(void **state)
{
    struct store_test_place *p = *state;
    struct record late = store_test_record(T0 - 5, 900, "info", "late", "{\"a\":[1,2]}");
    struct store_position position = follow_end(p);
    struct followed f;
    bool lost;

    assert_int_equal(store_position_compare(&position, &(struct store_position){0}), 0);
    append_few(p);
    store_test_place_append(p, &late, 1);
    for (size_t max = 1; max < 2 * FEW; max = max * 3 + 1) {
        position = (struct store_position){0};
        f = follow_to_end(p, &position, max, &lost);
        assert_false(lost);
        assert_int_equal(f.rows.len, FEW + 1);
        for (uint32_t i = 0; i < FEW; i++) {
            struct record r = store_test_record(T0 + i * INT64_C(1000000), i, "info", "m", NULL);
            store_test_assert_equal(&f.rows.items[i], &r);
        }
        store_test_assert_equal(&f.rows.items[FEW], &late);
        store_test_rows_release(&f.rows);
    }
    f.last = follow_end(p);
    assert_int_equal(store_position_compare(&position, &f.last), 0);
}

static void following_goes_on_from_a_place_within_a_batch(void **state)
{
    struct store_test_place *p = *state;
    struct store_position position = {0};
    struct errbuf err = ERRBUF_INIT;
    struct followed f = {.stop_after = 7};
    bool lost;

    append_few(p);
    assert_int_equal(store_follow(p->r, &position, FEW, &lost, follow_one, &f, &err), LM_ESTOPPED);
    position = f.last;
    store_test_rows_release(&f.rows);
    store_test_place_close(p); /* a place outlives the process */
    store_test_place_open(p);
    f = follow_to_end(p, &position, 10, &lost);
    assert_false(lost);
    assert_int_equal(f.rows.len, FEW - 7);
    assert_int_equal(f.rows.items[0].key.timestamp_us, T0 + 7 * INT64_C(1000000));
    store_test_rows_release(&f.rows);
}

static void following_leaves_out_what_was_repeated(void **state)
{
    struct store_test_place *p = *state;
    struct record records[] = {
        store_test_record(T0, 1, "info", "first", NULL),
        store_test_record(T0, 1, "info", "first again", NULL),
        store_test_record(T0, 2, "info", "second", NULL),
    };
    struct store_position position = {0};
    struct followed f;
    bool lost;

    store_test_place_append(p, records, 1);
    store_test_place_append(p, records, 3);
    store_test_place_append(p, records, 3);
    f = follow_to_end(p, &position, 10, &lost);
    assert_false(lost);
    assert_int_equal(f.rows.len, 2);
    store_test_assert_equal(&f.rows.items[0], &records[0]);
    store_test_assert_equal(&f.rows.items[1], &records[2]);
    store_test_rows_release(&f.rows);
}

static void following_passes_over_what_was_deleted(void **state)
{
    struct store_test_place *p = *state;
    struct store_position position = {0};
    struct errbuf err = ERRBUF_INIT;
    struct followed f;
    size_t deleted;
    bool lost;

    append_few(p);
    assert_int_equal(
        store_expire(p->w, T0 + 10 * INT64_C(1000000), 1000, &deleted, &(bool){false}, &err), 0);
    assert_int_equal(deleted, 10);
    f = follow_to_end(p, &position, 8, &lost);
    assert_false(lost);
    assert_int_equal(f.rows.len, FEW - 10);
    store_test_rows_release(&f.rows);
}

/* Or who was at the end would miss a log that came later. */
static void the_place_of_a_log_that_went_is_not_given_to_another(void **state)
{
    struct store_test_place *p = *state;
    struct store_position position, end;
    struct errbuf err = ERRBUF_INIT;

    for (uint32_t n = 0; n < 20; n++) {
        struct record records[FEW];
        size_t len = FEW - n;
        size_t deleted;

        for (uint32_t i = 0; i < len; i++)
            records[i] = store_test_record(T0 + n * INT64_C(1000000) + i, i, "info", "m", NULL);
        records[len - 1].key.timestamp_us = T0 - 5;
        store_test_append(p->w, records, len);
        position = follow_end(p);
        assert_int_equal(store_expire(p->w, T0, 1000, &deleted, &(bool){false}, &err), 0);
        assert_int_equal(deleted, 1);
        store_test_place_settle(p);
        end = follow_end(p);
        assert_int_equal(store_position_compare(&end, &position), 0);
    }
}

static void following_from_a_place_of_another_store_is_lost(void **state)
{
    struct store_test_place *p = *state;
    struct store_position position = {.transaction = 1u << 31, .sequence = 1u << 31, .index = 1};
    struct store_position end;
    struct followed f;
    bool lost;

    append_few(p);
    f = follow_to_end(p, &position, 10, &lost);
    assert_true(lost);
    assert_int_equal(f.rows.len, 0);
    end = follow_end(p);
    assert_int_equal(store_position_compare(&position, &end), 0);
    store_test_rows_release(&f.rows);
}

struct writing {
    struct store_test_place *p;
    uint32_t first;
};

enum { WRITERS = 3, WRITER_BATCHES = 40, WRITER_LOGS = 5 };

static void *write_batches(void *arg)
{
    struct writing *w = arg;
    struct store_writer *writer = store_test_writer(w->p->s);

    for (uint32_t b = 0; b < WRITER_BATCHES; b++) {
        struct record records[WRITER_LOGS];

        for (uint32_t i = 0; i < WRITER_LOGS; i++) {
            uint32_t n = w->first + b * WRITER_LOGS + i;
            records[i] = store_test_record(T0 + n, n, "info", "m", NULL);
        }
        store_test_append(writer, records, WRITER_LOGS);
    }
    store_writer_free(writer);
    return NULL;
}

static void following_beside_several_writers_misses_and_repeats_nothing(void **state)
{
    struct store_test_place *p = *state;
    static bool seen[WRITERS * WRITER_BATCHES * WRITER_LOGS];
    const size_t all = sizeof(seen);
    struct writing writing[WRITERS];
    pthread_t threads[WRITERS];
    struct store_position position = {0};
    size_t found = 0;

    memset(seen, 0, sizeof(seen));
    for (uint32_t i = 0; i < WRITERS; i++) {
        writing[i] = (struct writing){p, i * WRITER_BATCHES * WRITER_LOGS};
        pthread_create(&threads[i], NULL, write_batches, &writing[i]);
    }
    for (int tries = 0; found < all && tries < 20000; tries++) {
        bool lost;
        struct followed f = follow_to_end(p, &position, 7, &lost);

        assert_false(lost);
        for (size_t i = 0; i < f.rows.len; i++) {
            size_t n = (size_t)(f.rows.items[i].key.timestamp_us - T0);
            assert_false(seen[n]);
            seen[n] = true;
        }
        found += f.rows.len;
        store_test_rows_release(&f.rows);
        usleep(1000);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(found, all);
}

int store_conformance_run(const struct store_conformance *a)
{
    const struct CMUnitTest cases[] = {
        CASE(logs_come_back_as_they_were_newest_first),
        CASE(what_is_stored_is_there_after_a_restart),
        CASE(a_repeat_is_counted_and_stored_once),
        CASE(another_log_with_a_key_is_a_conflict_and_the_first_stays),
        CASE(one_id_at_two_times_of_a_millisecond_is_two_logs),
        CASE(nothing_can_be_appended),
        CASE(a_large_record_is_kept_whole),
        CASE(since_is_inclusive_and_until_exclusive),
        CASE(all_times_of_the_calendar_are_kept_and_found),
        CASE(get_finds_by_id_alone),
        CASE(get_finds_one_among_a_crowd),
        CASE(pages_by_cursor_neither_skip_nor_repeat),
        CASE(a_cursor_joins_with_the_time_bounds),
        CASE(offset_skips_the_newest),
        CASE(queries_answer_as_brute_force_does),
        CASE(counts_are_those_of_brute_force),
        CASE(levels_past_the_limit_are_counted_as_other),
        CASE(what_is_known_of_the_clock_is_kept),
        CASE(expiring_deletes_the_oldest_in_steps),
        CASE(an_error_of_the_callback_ends_the_query),
        CASE(cancel_ends_what_is_under_way_and_nothing_else),
        CASE(several_may_migrate_an_empty_store_at_once),
        CASE(a_reader_may_come_before_any_writer),
        CASE(following_gives_each_log_once_in_the_order_of_storing),
        CASE(following_goes_on_from_a_place_within_a_batch),
        CASE(following_leaves_out_what_was_repeated),
        CASE(following_passes_over_what_was_deleted),
        CASE(the_place_of_a_log_that_went_is_not_given_to_another),
        CASE(following_from_a_place_of_another_store_is_lost),
        CASE(following_beside_several_writers_misses_and_repeats_nothing),
    };

    adapter = a;
    return cmocka_run_group_tests_name(a->name, cases, NULL, NULL);
}
