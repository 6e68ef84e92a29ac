/*
 * Whatever allocation, write or sync fails, and wherever the power is lost: what the embedded store
 * has confirmed is there, once, and what failed can be done again. Logs are sealed into blocks,
 * compacted, expire and are deleted meanwhile, or the rows of an older logmill are taken over.
 */
#include <stdio.h>
#include <string.h>

#include "../../simulation/old_file.h"
#include "../cmocka_all.h"
#include "../fault_walk.h"
#include "diag/diag.h"
#include "store/sqlite/adapter.h"
#include "store_test_support.h"

enum {
    APPENDS = 6,
    RECORDS = 40, /* of one append */
    LIBRARY_STRIDE = 29,
    STRIDE = 7,
    STEPS_MAX = 1000, /* of a keeper, which never ends if it takes more */

    /* Items after those of the appends: */
    EXPIRE = APPENDS, /* the first append's logs … */
    ERASE,            /* … and of all others, those with an odd number */
};

/* So small that each append seals, and some of them give a segment to compact. */
static const struct store_sqlite_sizes small = {.block_rows = 10,
                                                .segment_blocks = 3,
                                                .seal_rows = 25,
                                                .keep_rows = 8,
                                                .late_rows = 8,
                                                .key_blocks = 2,
                                                .takeover_rows = 50,
                                                .compact_bytes = 20000};

/* Of those before it, all come late: they are late logs, too. */
static int64_t time_of(int n, unsigned i)
{
    int64_t order = n == APPENDS - 1 ? 2 : n + (n >= 2);

    return 1000000 * (order + 1) + i * 1000;
}

static struct record make(int n, unsigned i)
{
    return store_test_record(time_of(n, i), (unsigned)n * RECORDS + i, "info",
                             i % 2 ? "an odd message of some length, so that pages fill up"
                                   : "a message of some length, so that pages fill up",
                             "{\"a\":[1,2,3]}");
}

static int append(struct store_writer *w, int n, struct store_append_result *result)
{
    struct record records[RECORDS];
    struct errbuf err = ERRBUF_INIT;

    for (unsigned i = 0; i < RECORDS; i++)
        records[i] = make(n, i);
    return store_append(w, records, RECORDS, result, &err);
}

static int expire(struct store_writer *w)
{
    struct errbuf err = ERRBUF_INIT;
    size_t deleted;

    return store_expire(w, time_of(0, RECORDS), 10 * RECORDS, &deleted, &(bool){false}, &err);
}

static int erase(struct store_writer *w)
{
    struct log_filter f;
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t erased;
    int error = 0;

    log_filter_init(&f);
    f.text = SLICE_LITERAL("odd");
    struct log_matcher *matcher = log_matcher_new(&f);
    if (!matcher)
        return LM_ENOMEM;
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !scan.done)
        error = store_erase(w, &scan, &(struct store_slice){.rows = 1000}, true, &erased, &err);
    log_matcher_unref(matcher);
    return error;
}

/* Background work, to its end or the first failure. */
static int keep(struct store *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(s, &err);
    unsigned wait_ms = 0;
    int error = k ? 0 : LM_EIO;
    int steps = 0;

    for (; !error && wait_ms == 0 && steps < STEPS_MAX; steps++)
        error = store_keeper_step(k, true, &wait_ms, &err);
    store_keeper_free(k);
    assert_true(steps < STEPS_MAX);
    return error;
}

static enum fault_walk_fate fate(int error)
{
    return error ? FAULT_WALK_REFUSED : FAULT_WALK_TAKEN;
}

static void work(const char *directory, struct fault_walk_state *state)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new_sized(directory, &small, &err);
    struct store_writer *w = s && store_migrate(s, &err) == 0 ? store_writer_new(s, &err) : NULL;
    struct store_append_result result;

    for (int n = 0; w && n < APPENDS; n++) {
        state->fates[n] = fate(append(w, n, &result));
        if (n == APPENDS / 2)
            (void)keep(s);
    }
    if (w) {
        state->fates[EXPIRE] = fate(expire(w));
        state->fates[ERASE] = fate(erase(w));
        (void)keep(s);
        store_writer_free(w);
    }
    store_free(s);
}

/* What is there of each append: even and odd numbers apart. All in order, each once, as it was. */
struct found {
    size_t even[APPENDS];
    size_t odd[APPENDS];
};

static struct found find_all(struct store *s)
{
    struct store_reader *r = store_test_reader(s);
    struct log_query query = store_test_query(APPENDS * RECORDS + 1);
    struct store_test_rows rows = {0};
    struct found found;

    memset(&found, 0, sizeof(found));

    store_test_run(r, &query, &rows);
    for (size_t i = 0; i < rows.len; i++) {
        const unsigned char *id = rows.items[i].key.id.bytes;
        unsigned number = (unsigned)id[14] << 8 | id[15];
        struct record expected = make((int)(number / RECORDS), number % RECORDS);

        store_test_assert_equal(&rows.items[i], &expected);
        if (i > 0)
            assert_true(log_key_compare(&rows.items[i].key, &rows.items[i - 1].key) < 0);
        if (number % RECORDS % 2 == 0)
            found.even[number / RECORDS]++;
        else
            found.odd[number / RECORDS]++;
    }
    store_test_rows_release(&rows);
    store_reader_free(r);
    return found;
}

static void assert_all_or_none(size_t n)
{
    assert_true(n == 0 || n == RECORDS / 2);
}

/* What was confirmed is there, and what was not, wholly or not at all. */
static void check_found(const struct found *found, const struct fault_walk_state *state)
{
    enum fault_walk_fate expired = state->fates[EXPIRE];
    enum fault_walk_fate erased = state->fates[ERASE];

    for (int n = 0; n < APPENDS; n++) {
        bool may_expire = n == 0 && expired != FAULT_WALK_UNTRIED;
        size_t least = state->fates[n] == FAULT_WALK_TAKEN ? RECORDS / 2 : 0;

        assert_all_or_none(found->even[n]);
        assert_all_or_none(found->odd[n]);
        if (!may_expire)
            assert_true(found->even[n] >= least);
        if (!may_expire && erased == FAULT_WALK_UNTRIED)
            assert_true(found->odd[n] >= least);
        if (n == 0 && expired == FAULT_WALK_TAKEN)
            assert_int_equal(found->even[n] + found->odd[n], 0);
        if (erased == FAULT_WALK_TAKEN)
            assert_int_equal(found->odd[n], 0);
    }
}

static void assert_found(struct store *s, size_t even_of_first, size_t odd)
{
    struct found found = find_all(s);

    for (int n = 0; n < APPENDS; n++) {
        assert_int_equal(found.even[n], n == 0 ? even_of_first : RECORDS / 2);
        assert_int_equal(found.odd[n], n == 0 ? 0 : odd);
    }
}

/* All of it done again, or for the first time, ends as it does without a fault. */
static void check(const char *directory, const struct fault_walk_state *state)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new_sized(directory, &small, &err);
    struct store_append_result result;
    struct store_writer *w;
    struct found found;

    assert_non_null(s);
    w = store_test_writer(s);
    found = find_all(s);
    check_found(&found, state);
    for (int n = 0; n < APPENDS; n++) {
        assert_int_equal(append(w, n, &result), 0);
        assert_int_equal(result.conflicts, 0);
        if (state->fates[n] == FAULT_WALK_TAKEN && n > 0)
            assert_int_equal(result.stored, 0);
    }
    assert_int_equal(expire(w), 0);
    assert_int_equal(erase(w), 0);
    assert_found(s, 0, 0);
    assert_int_equal(keep(s), 0);
    assert_found(s, 0, 0);
    store_writer_free(w);
    store_free(s);
}

/* ---- Rows of an older logmill ---- */

static void work_old(const char *directory, struct fault_walk_state *state)
{
    static const struct fault_plan none;
    struct fault_plan plan = *fault_planned();
    struct errbuf err = ERRBUF_INIT;
    struct record records[(APPENDS - 1) * RECORDS];
    struct store_append_result result;

    for (unsigned i = 0; i < (APPENDS - 1) * RECORDS; i++)
        records[i] = make((int)(i / RECORDS), i % RECORDS);
    fault_plan(&none);
    assert_int_equal(old_file_make(directory, records, (APPENDS - 1) * RECORDS, RECORDS, &err), 0);
    for (int n = 0; n < APPENDS - 1; n++)
        state->fates[n] = FAULT_WALK_TAKEN;
    fault_plan(&plan);

    struct store *s = store_sqlite_new_sized(directory, &small, &err);
    struct store_writer *w = s && store_migrate(s, &err) == 0 ? store_writer_new(s, &err) : NULL;
    if (w) {
        (void)keep(s);
        state->fates[APPENDS - 1] = fate(append(w, APPENDS - 1, &result));
        (void)keep(s);
        store_writer_free(w);
    }
    store_free(s);
}

/* ---- Walks ---- */

static void an_allocation_that_fails_can_be_tried_again(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY}, 20 * LIBRARY_STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY, .onwards = true}, 20 * LIBRARY_STRIDE,
               work, check);
    fault_walk((struct fault_plan){.kind = FAULT_INPUT}, 3 * LIBRARY_STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY}, 20 * LIBRARY_STRIDE, work_old, check);
}

static void a_write_or_sync_that_fails_can_be_tried_again(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_WRITE}, STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_SHORT, .onwards = true},
               STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .onwards = true}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE}, STRIDE, work_old, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC}, 1, work_old, check);
}

static void what_is_confirmed_outlives_a_power_loss(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_POWER}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_TORN}, 2, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_POWER}, STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_TORN}, STRIDE, work, check);
}

static void a_take_over_outlives_a_power_loss(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_POWER}, 2, work_old, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_TORN}, 2, work_old, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_POWER}, STRIDE, work_old,
               check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_TORN}, STRIDE, work_old,
               check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_can_be_tried_again),
        cmocka_unit_test(a_write_or_sync_that_fails_can_be_tried_again),
        cmocka_unit_test(what_is_confirmed_outlives_a_power_loss),
        cmocka_unit_test(a_take_over_outlives_a_power_loss),
    };

    diag_set_level(DIAG_ERROR); /* that a file is taken over is said each time */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
