/* When and how much retention deletes, over a store that only counts. */
#include "worker/expiry.h"

#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "diag/diag.h"
#include "metrics/metrics.h"

#define DAY (INT64_C(86400) * 1000000)
#define T0 INT64_C(1767225600000000)

static struct {
    int64_t now_us;
    struct store_clock kept;
    unsigned writes; /* of the clock */
    size_t old;      /* logs that could be deleted */
    size_t deleted;
    size_t largest; /* transaction, in logs */
    int64_t before_us;
    unsigned looks; /* calls that find nothing to expire, though there may be more */
    int error;
    uint64_t bytes;         /* of the store; each log has 100 */
    unsigned erasures;      /* calls of erase */
    int64_t erased_from_us; /* of the last scan: its bounds … */
    int64_t erased_to_us;
    const char *level;    /* … and level */
    size_t of_level;      /* logs that such scans find */
    size_t largest_slice; /* in logs */
} world;

static int expire(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                  bool *more, struct errbuf *err)
{
    if (world.error)
        return errbuf_fail(err, world.error, "away");
    *deleted = 0;
    *more = world.looks > 0;
    if (*more) {
        world.looks--;
        usleep(1000);
        return 0;
    }
    world.before_us = before_us;
    *deleted = world.old < max_rows ? world.old : max_rows;
    world.old -= *deleted;
    world.deleted += *deleted;
    *more = *deleted >= max_rows;
    world.largest = max_rows > world.largest ? max_rows : world.largest;
    return 0;
}

static int shrink(struct store_writer *w, uint64_t max_bytes, size_t *deleted, struct errbuf *err)
{
    *deleted = world.bytes > max_bytes ? 500 : 0;
    world.bytes -= *deleted * 100;
    return 0;
}

static int erase(struct store_writer *w, struct store_scan *scan, const struct store_slice *slice,
                 bool remember, size_t *erased, struct errbuf *err)
{
    const struct log_filter *f = log_matcher_filter(scan->matcher);

    assert_false(remember); /* what expires need not be kept in mind */
    world.erasures++;
    world.erased_from_us = f->since_us;
    world.erased_to_us = f->until_us;
    assert_non_null(f->query);
    assert_int_equal(f->query->nodes[0].field, QUERY_LEVEL);
    assert_int_equal(f->query->nodes[0].test, QUERY_EQUALS);
    assert_true(slice_equal(f->query->nodes[0].text, slice_of_string(world.level)));
    world.largest_slice = slice->rows > world.largest_slice ? slice->rows : world.largest_slice;
    *erased = world.of_level < slice->rows ? world.of_level : slice->rows;
    world.of_level -= *erased;
    scan->done = world.of_level == 0;
    return 0;
}

static int clock_read(struct store_writer *w, struct store_clock *kept, int64_t *now_us,
                      struct errbuf *err)
{
    *kept = world.kept;
    *now_us = world.now_us;
    return world.error ? errbuf_fail(err, world.error, "away") : 0;
}

static int clock_write(struct store_writer *w, const struct store_clock *kept, struct errbuf *err)
{
    world.kept = *kept;
    world.writes++;
    return 0;
}

static const struct store_ops ops = {.shrink = shrink,
                                     .erase = erase,
                                     .expire = expire,
                                     .clock_read = clock_read,
                                     .clock_write = clock_write};
static struct store_writer writer = {&ops};

static int set_up(void **state)
{
    static struct expiry e;

    memset(&world, 0, sizeof(world));
    world.now_us = T0;
    expiry_init(&e, 30);
    *state = &e;
    return 0;
}

static int tear_down(void **state)
{
    expiry_release(*state);
    return 0;
}

static unsigned step_now(struct expiry *e)
{
    e->next_us = 0;
    return expiry_step(e, &writer, 60000);
}

static void store(struct expiry *e, int64_t timestamp_us, size_t n)
{
    struct record r = {.key = {.timestamp_us = timestamp_us}};

    while (n-- > 0)
        expiry_note_stored(e, &r, 1);
}

/* Time ends it, and it goes on soon: not at once, as nothing says how long it will take. */
static void looking_for_what_is_too_old_is_done_in_pieces(void **state)
{
    struct expiry *e = *state;
    unsigned steps = 0;

    world.looks = 10 * EXPIRY_STEP_MS;
    world.old = 10;
    while (world.looks > 0) {
        unsigned wait_ms = step_now(e);

        assert_in_range(wait_ms, 1, world.looks > 0 ? EXPIRY_PAUSE_MS : EXPIRY_INTERVAL_BUSY_MS);
        steps++;
    }
    assert_true(steps > 1);
    step_now(e);
    assert_int_equal(world.deleted, 10);
}

static void deleting_keeps_up_with_storing_in_short_transactions(void **state)
{
    struct expiry *e = *state;

    world.old = 1000000;
    for (int i = 0; i < 10; i++) {
        store(e, T0, 10000);
        assert_int_equal(step_now(e), 0);
    }
    assert_true(world.deleted >= 100000);
    assert_true(world.deleted <= 220000); /* and goes no faster than it needs to */
    assert_int_equal(world.largest, EXPIRY_TRANSACTION_ROWS);
}

static void much_that_was_stored_makes_no_long_step(void **state)
{
    struct expiry *e = *state;

    world.old = 1000000;
    store(e, T0, 100000);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(step_now(e), 0);
        assert_int_equal(world.deleted, i * EXPIRY_STEP_ROWS_MAX);
    }
    step_now(e);
    assert_in_range(world.deleted, 200000, 210000);
}

static void when_nothing_is_left_it_looks_again_later(void **state)
{
    struct expiry *e = *state;

    world.old = 10;
    assert_in_range(expiry_step(e, &writer, 60000), 1, EXPIRY_INTERVAL_MS + 1);
    assert_int_equal(world.deleted, 10);
    world.old = 10;
    assert_in_range(expiry_step(e, &writer, 60000), 1, EXPIRY_INTERVAL_MS + 1);
    assert_int_equal(world.deleted, 10);
    assert_int_equal(world.before_us, T0 - 30 * DAY);
}

static void a_clock_a_year_ahead_deletes_nothing_more(void **state)
{
    struct expiry *e = *state;

    step_now(e);
    world.now_us += 365 * DAY;
    for (int i = 0; i < 3; i++)
        step_now(e);
    assert_in_range(world.before_us - (T0 - 30 * DAY), 0, DAY);
    assert_int_equal(world.kept.claimed_us, T0 + 365 * DAY); /* and that is kept at once */
    assert_int_equal(world.writes, 2);
}

/* Else a worker that never runs for ten minutes would doubt for ever. */
static void a_doubt_is_kept_each_minute(void **state)
{
    struct expiry *e = *state;
    unsigned writes;

    step_now(e);
    writes = world.writes;
    e->clock_kept_us -= 61000000;
    step_now(e);
    assert_int_equal(world.writes, writes);
    world.now_us += 365 * DAY;
    step_now(e);
    writes = world.writes;
    e->clock_kept_us -= 61000000;
    e->clock.advanced_us -= 61000000;
    step_now(e);
    assert_int_equal(world.writes, writes + 1);
    assert_true(world.kept.doubted_us >= 61000000);
}

static void what_is_kept_holds_for_the_next_process(void **state)
{
    struct expiry *e = *state;

    world.kept.believed_us = T0 - 365 * DAY;
    step_now(e);
    assert_int_equal(world.before_us, T0 - 365 * DAY - 30 * DAY);
}

static void a_log_too_old_at_its_arrival_is_counted(void **state)
{
    struct expiry *e = *state;
    uint64_t before = metrics_get(METRIC_LOGS_TOO_OLD);

    store(e, T0 - 31 * DAY, 1); /* before the first step nobody knows */
    step_now(e);
    store(e, T0 - 31 * DAY, 3);
    store(e, T0 - 29 * DAY, 1);
    assert_int_equal(metrics_get(METRIC_LOGS_TOO_OLD) - before, 3);
}

static void a_store_that_is_away_is_tried_again_later(void **state)
{
    struct expiry *e = *state;

    world.error = LM_EUNAVAILABLE;
    assert_in_range(step_now(e), 1, EXPIRY_INTERVAL_MS + 1);
    world.error = 0;
    world.old = 5;
    step_now(e);
    assert_int_equal(world.deleted, 5);
}

static struct queue_letter_limits asked;

static int trim(struct queue *q, const struct queue_letter_limits *limits,
                struct queue_letter_excess *found, struct errbuf *err)
{
    asked = *limits;
    return 0;
}

static void a_clock_a_year_ahead_drops_no_dead_letters(void **state)
{
    const struct queue_ops queue_ops = {.dead_letters_trim = trim};
    struct queue queue = {&queue_ops};
    struct expiry *e = *state;

    e->queue = &queue;
    e->letters = (struct expiry_letters){.days = 14, .max_bytes = 5, .drops = true};
    step_now(e);
    assert_int_equal(asked.before_us, T0 - 14 * DAY);
    assert_int_equal(asked.max_bytes, 5);
    assert_true(asked.drops);
    world.now_us += 365 * DAY;
    e->letters_us = 0;
    step_now(e);
    assert_in_range(asked.before_us - (T0 - 14 * DAY), 0, DAY);
}

static void a_notice_is_given_at_once_and_then_once_a_minute(void **state)
{
    struct notice n = {0};

    assert_int_equal(notice_count(&n, 0), 0);
    assert_int_equal(notice_count(&n, 5), 5);
    assert_int_equal(notice_count(&n, 2), 0);
    assert_int_equal(notice_count(&n, 3), 0);
    n.due_us = clock_monotonic_us();
    assert_int_equal(notice_count(&n, 1), 6);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- By size ---- */

static void the_oldest_go_until_the_store_is_small_enough(void **state)
{
    struct expiry *e = *state;

    e->days = 0;
    e->max_bytes = 1000000;
    world.bytes = 4000000;
    store(e, T0, 100000);
    while (step_now(e) == 0)
        continue;
    assert_in_range(world.bytes, 900000, 1000000);
}

static void a_store_that_is_small_enough_is_left_alone(void **state)
{
    struct expiry *e = *state;

    e->max_bytes = 1000000;
    world.bytes = 1000000;
    step_now(e);
    assert_int_equal(world.bytes, 1000000);
}

/* ---- By level ---- */

static void level_has(struct expiry *e, const char *text)
{
    struct level_rules rules;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(level_rules_parse(text, &rules, &err), 0);
    expiry_set_levels(e, &rules);
    world.level = "debug";
}

static void a_level_has_days_of_its_own(void **state)
{
    struct expiry *e = *state;

    level_has(e, "debug:3");
    world.of_level = 10;
    for (int i = 0; i < 1000 && world.of_level; i++) /* a step may end before it did anything */
        step_now(e);
    assert_int_equal(world.of_level, 0);
    assert_true(world.erased_from_us == TIMESTAMP_MIN_US); /* nobody knows what was done before */
    assert_in_range(world.erased_to_us, T0 - 3 * DAY - EXPIRY_LEVEL_MOVES_S * INT64_C(1000000),
                    T0 - 3 * DAY);
}

static void a_level_is_gone_through_once(void **state)
{
    struct expiry *e = *state;
    int64_t to_us;

    level_has(e, "debug:3");
    for (int i = 0; i < 5; i++)
        step_now(e);
    assert_int_equal(world.erasures, 1);
    to_us = world.erased_to_us;
    world.now_us += EXPIRY_LEVEL_MOVES_S * INT64_C(1000000);
    step_now(e);
    assert_int_equal(world.erasures, 2);
    assert_int_equal(world.erased_from_us, to_us);
}

static void logs_of_a_level_that_come_too_late_are_looked_for(void **state)
{
    struct expiry *e = *state;
    struct record late = {.key = {.timestamp_us = T0 - 100 * DAY},
                          .level = slice_of_string("DEBUG")};

    e->days = 0;
    level_has(e, "debug:3");
    step_now(e);
    late.level = slice_of_string("info");
    expiry_note_stored(e, &late, 1);
    step_now(e);
    assert_int_equal(world.erasures, 1);
    late.level = slice_of_string("DEBUG");
    expiry_note_stored(e, &late, 1);
    step_now(e);
    assert_int_equal(world.erasures, 2);
    assert_int_equal(world.erased_from_us, T0 - 100 * DAY);
    step_now(e);
    assert_int_equal(world.erasures, 2);
}

static void a_level_is_deleted_in_short_transactions(void **state)
{
    struct expiry *e = *state;

    level_has(e, "debug:3");
    world.of_level = 20000;
    store(e, T0, 3000);
    step_now(e);
    assert_int_equal(world.largest_slice, EXPIRY_TRANSACTION_ROWS);
    assert_in_range(world.of_level, 20000 - 9000, 20000 - 2000);
    for (int i = 0; i < 50 && world.of_level > 0; i++)
        step_now(e);
    assert_int_equal(world.of_level, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(looking_for_what_is_too_old_is_done_in_pieces),
        CASE(deleting_keeps_up_with_storing_in_short_transactions),
        CASE(much_that_was_stored_makes_no_long_step),
        CASE(when_nothing_is_left_it_looks_again_later),
        CASE(a_clock_a_year_ahead_deletes_nothing_more),
        CASE(a_doubt_is_kept_each_minute),
        CASE(what_is_kept_holds_for_the_next_process),
        CASE(a_log_too_old_at_its_arrival_is_counted),
        CASE(a_store_that_is_away_is_tried_again_later),
        CASE(a_clock_a_year_ahead_drops_no_dead_letters),
        CASE(a_notice_is_given_at_once_and_then_once_a_minute),
        CASE(the_oldest_go_until_the_store_is_small_enough),
        CASE(a_store_that_is_small_enough_is_left_alone),
        CASE(a_level_has_days_of_its_own),
        CASE(a_level_is_gone_through_once),
        CASE(logs_of_a_level_that_come_too_late_are_looked_for),
        CASE(a_level_is_deleted_in_short_transactions),
    };

    diag_set_level(DIAG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
