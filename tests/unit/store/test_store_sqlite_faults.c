/*
 * Whatever allocation, write or sync fails, and wherever the power is lost: what the embedded store
 * has confirmed is there, and an append that failed can be done again.
 */
#include <stdio.h>

#include "../cmocka_all.h"
#include "../fault_walk.h"
#include "store/sqlite/adapter.h"
#include "store_test_support.h"

enum {
    APPENDS = 6,
    RECORDS = 40, /* of one append */
    LIBRARY_STRIDE = 29,
};

static int append(struct store_writer *w, int n)
{
    struct store_append_result result;
    struct record records[RECORDS];
    struct errbuf err = ERRBUF_INIT;

    for (unsigned i = 0; i < RECORDS; i++)
        records[i] =
            store_test_record(1000000 * (n + 1) + i * 1000, (unsigned)n * RECORDS + i, "info",
                              "a message of some length, so that pages fill up", "{\"a\":[1,2,3]}");
    return store_append(w, records, RECORDS, &result, &err);
}

static void work(const char *directory, struct fault_walk_state *state)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new(directory, &err);
    struct store_writer *w = s && store_migrate(s, &err) == 0 ? store_writer_new(s, &err) : NULL;

    for (int n = 0; w && n < APPENDS; n++)
        state->fates[n] = append(w, n) == 0 ? FAULT_WALK_TAKEN : FAULT_WALK_REFUSED;
    if (w)
        store_writer_free(w);
    store_free(s);
}

static size_t count_all(struct store *s)
{
    struct store_reader *r = store_test_reader(s);
    struct log_query query = store_test_query(APPENDS * RECORDS + 1);
    struct store_test_rows rows = {0};
    size_t n;

    store_test_run(r, &query, &rows);
    n = rows.len;
    store_test_rows_release(&rows);
    store_reader_free(r);
    return n;
}

static void check(const char *directory, const struct fault_walk_state *state)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_sqlite_new(directory, &err);
    struct store_writer *w;
    size_t taken = 0;

    assert_non_null(s);
    w = store_test_writer(s);
    for (int n = 0; n < APPENDS; n++)
        taken += state->fates[n] == FAULT_WALK_TAKEN ? RECORDS : 0;
    assert_true(count_all(s) >= taken); /* one that got no answer may be there as well */
    assert_int_equal(count_all(s) % RECORDS, 0);
    for (int n = 0; n < APPENDS; n++)
        assert_int_equal(append(w, n), 0);
    assert_int_equal(count_all(s), APPENDS * RECORDS);
    store_writer_free(w);
    store_free(s);
}

static void an_allocation_that_fails_can_be_tried_again(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY}, LIBRARY_STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY, .onwards = true}, LIBRARY_STRIDE, work,
               check);
}

static void a_write_or_sync_that_fails_can_be_tried_again(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_WRITE}, 2, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_SHORT, .onwards = true}, 2,
               work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .onwards = true}, 1, work, check);
}

static void what_is_confirmed_outlives_a_power_loss(void **state)
{
    fault_walk_power_loss(work, check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_can_be_tried_again),
        cmocka_unit_test(a_write_or_sync_that_fails_can_be_tried_again),
        cmocka_unit_test(what_is_confirmed_outlives_a_power_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
