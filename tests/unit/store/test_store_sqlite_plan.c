/* What the keeper chooses, over segments that are only numbers here. */
#include "store/sqlite/plan.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "store/store.h"

#define SECOND INT64_C(1000000)
#define T0 INT64_C(1767225600000000)

enum { BLOCK = 100, BLOCKS = 64, SEGMENTS_MAX = 4096 };

static struct {
    struct plan_options options;
    struct plan_segment segments[SEGMENTS_MAX];
    size_t len;
    int64_t number;
    uint64_t sequence;
    uint64_t written; /* logs, by compaction */
} world;

static int set_up(void **state)
{
    memset(&world, 0, sizeof(world));
    world.options = (struct plan_options){
        .block_rows = BLOCK, .segment_blocks = BLOCKS, .segment_bytes = 1 << 20, .now_us = T0};
    return 0;
}

static int by_first(const void *a, const void *b)
{
    return log_key_compare(&((const struct plan_segment *)a)->segment.first,
                           &((const struct plan_segment *)b)->segment.first);
}

/* Adds a segment of `rows` logs from one time to another. */
static struct plan_segment *add(int64_t from_us, int64_t to_us, uint64_t rows, bool cold)
{
    struct plan_segment *p = &world.segments[world.len++];

    assert_true(world.len <= SEGMENTS_MAX);
    *p = (struct plan_segment){0};
    p->segment = (struct segment){
        .number = ++world.number,
        .first = {.timestamp_us = from_us},
        .last = {.timestamp_us = to_us},
        .rows = rows,
        .blocks = (uint32_t)((rows + BLOCK - 1) / BLOCK),
        .first_sequence = world.sequence + 1,
        .last_sequence = world.sequence + rows,
        .stored_us = world.options.now_us,
        .cold = cold,
    };
    world.sequence += rows;
    return p;
}

static void sort(void)
{
    qsort(world.segments, world.len, sizeof(world.segments[0]), by_first);
}

static struct plan choose(void)
{
    struct plan plan;

    sort();
    plan_choose(&world.options, world.segments, world.len, &plan);
    return plan;
}

static void take(int64_t number)
{
    for (size_t i = 0; i < world.len; i++) {
        if (world.segments[i].segment.number != number)
            continue;
        world.segments[i] = world.segments[--world.len];
        return;
    }
    fail();
}

/* Does what the plan says: cold segments of full blocks, evenly over the time of their sources. */
static bool compact(void)
{
    struct plan plan = choose();
    int64_t from_us = INT64_MAX, to_us = INT64_MIN;
    uint64_t rows = 0;

    if (plan.len == 0)
        return false;
    for (size_t i = 0; i < plan.len; i++) {
        const struct segment *s = &plan.sources[i];

        rows += s->rows - s->erased;
        from_us = s->first.timestamp_us < from_us ? s->first.timestamp_us : from_us;
        to_us = s->last.timestamp_us > to_us ? s->last.timestamp_us : to_us;
        take(s->number);
    }
    world.written += rows;
    for (uint64_t done = 0; done < rows;) {
        uint64_t n = rows - done < BLOCK * BLOCKS ? rows - done : BLOCK * BLOCKS;
        int64_t us = (to_us - from_us) / (int64_t)rows;
        struct plan_segment *p =
            add(from_us + us * (int64_t)done, from_us + us * (int64_t)(done + n - 1), n, true);

        if (plan.drops_sequence)
            p->segment.first_sequence = p->segment.last_sequence = 0;
        done += n;
    }
    return true;
}

static void compact_all(void)
{
    for (int i = 0; compact(); i++)
        assert_true(i < 10000); /* it comes to an end */
}

/* Some seals, one after the other, so many logs each and so far apart. */
static void seal(size_t n, uint64_t rows, int64_t apart_us, bool rests)
{
    for (size_t i = 0; i < n; i++) {
        int64_t now_us = world.options.now_us += apart_us;

        add(now_us - apart_us + 1, now_us - 1, rows, false);
        world.options.at_rest = rests;
        compact_all();
    }
    world.options.at_rest = true;
    compact_all();
}

static void under_load_each_log_is_written_cold_once(void **state)
{
    seal(640, 2 * BLOCK, SECOND / 10, false);
    assert_int_equal(world.written, 640 * 2 * BLOCK);
    assert_int_equal(world.len, 640 * 2 / BLOCKS);
}

static void a_trickle_is_written_four_times_at_most(void **state)
{
    seal(2000, 2 * BLOCK, 600 * SECOND, false);
    assert_true(world.written <= (1 + 3) * 2000 * 2 * BLOCK);
    assert_true(world.len <= 2000 * 2 / BLOCKS * 4); /* and few segments are left */
}

static void a_trickle_that_rests_after_each_seal_is_written_no_more_often(void **state)
{
    seal(2000, 2 * BLOCK, 7 * SECOND, true);
    assert_true(world.written <= (1 + 3) * 2000 * 2 * BLOCK);
    assert_true(world.len <= 2000 * 2 / BLOCKS * 4);
}

static void small_segments_are_bounded_by_their_logarithm(void **state)
{
    seal(2000, 1, 7 * SECOND, true);
    assert_true(world.written <= (1 + 7) * 2000); /* 4^7 logs are more than a segment */
    assert_true(world.len <= 40);
}

static void what_is_hot_becomes_cold_when_nothing_more_comes(void **state)
{
    add(T0, T0 + SECOND, 5 * BLOCK, false);
    assert_int_equal(choose().len, 0);
    world.options.at_rest = true;
    assert_int_equal(choose().len, 1);
}

static void what_is_hot_becomes_cold_in_time_though_logs_come(void **state)
{
    add(T0, T0 + SECOND, 2 * BLOCK, false);
    world.options.now_us += (PLAN_HOT_AGE_S + 1) * SECOND;
    assert_int_equal(choose().len, 1);
}

/* Each seal has late logs of the last hour beside it. */
static void late_logs_cost_a_few_others_each(void **state)
{
    const size_t seals = 1500, late = 20;

    for (size_t i = 0; i < seals; i++) {
        int64_t now_us = world.options.now_us += 5 * SECOND;

        add(now_us - 5 * SECOND + 1, now_us - 1, 2 * BLOCK, false);
        if (i % 10 == 0)
            add(now_us - 3600 * SECOND, now_us - 5 * SECOND, late * 10, false);
        compact_all();
    }
    world.options.at_rest = true;
    compact_all();
    assert_true(world.written <= 4 * seals * 2 * BLOCK + 12 * seals * late);
}

static void one_log_of_each_year_has_nothing_written_again(void **state)
{
    for (int i = 0; i < 100; i++)
        add(T0 + i * 1000 * SECOND, T0 + (i * 1000 + 999) * SECOND, BLOCK * BLOCKS, true);
    add(T0 - INT64_C(60000000000) * SECOND, T0 + INT64_C(200000000000) * SECOND, 3000, true);
    assert_int_equal(choose().len, 0);
}

static void late_logs_are_merged_in_when_they_are_a_share_of_what_they_overlap(void **state)
{
    add(T0, T0 + 1000 * SECOND, BLOCK * BLOCKS, true);
    add(T0 + 100, T0 + 900 * SECOND, BLOCK * BLOCKS / PLAN_LATE_SHARE - 1, true);
    assert_int_equal(choose().len, 0);
    world.segments[1].segment.rows += 1;
    assert_int_equal(choose().len, 2);
}

/* Merged, they would be as many as before, and so again and again. */
static void what_is_full_by_its_bytes_is_left_alone(void **state)
{
    for (int i = 0; i < 8; i++)
        add(T0 + i * SECOND, T0 + i * SECOND + 1, BLOCK, true)->segment.bytes = 1 << 20;
    assert_int_equal(choose().len, 0);
}

static void late_logs_over_more_than_can_be_merged_are_left_alone(void **state)
{
    for (int i = 0; i < COMPACT_SOURCES_MAX; i++)
        add(T0 + i * SECOND, T0 + i * SECOND + 1, BLOCK * BLOCKS, true);
    add(T0, T0 + 1000 * SECOND, 100 * BLOCK * BLOCKS, true)->segment.blocks = BLOCKS;
    assert_int_equal(choose().len, 0);
}

static void numbers_go_after_the_horizon_and_are_not_mixed_before(void **state)
{
    for (int i = 0; i < 4; i++)
        add(T0 + i * SECOND, T0 + i * SECOND + 1, BLOCK, true);
    world.segments[0].segment.first_sequence = world.segments[0].segment.last_sequence = 0;
    assert_int_equal(choose().len, 0); /* three with numbers, one without */
    world.options.now_us += (STORE_FOLLOW_HORIZON_S + 1) * SECOND;
    assert_int_equal(choose().len, 4);
    assert_true(choose().drops_sequence);
}

static void numbers_of_the_last_hour_are_kept(void **state)
{
    for (int i = 0; i < 4; i++)
        add(T0 + i * SECOND, T0 + i * SECOND + 1, BLOCK, true);
    assert_int_equal(choose().len, 4);
    assert_false(choose().drops_sequence);
}

static void what_was_taken_over_waits_for_its_neighbours(void **state)
{
    world.options.takes_over = world.options.at_rest = true;
    for (int i = 0; i < 31; i++)
        add(T0 - i * SECOND, T0 - i * SECOND + 1, 2 * BLOCK, false);
    for (int i = 0; i < 31; i++)
        world.segments[i].segment.stored_us = world.segments[i].segment.last_sequence = 0;
    assert_int_equal(choose().len, 0);
    add(T0 - 31 * SECOND, T0 - 31 * SECOND + 1, 2 * BLOCK, false)->segment.last_sequence = 0;
    assert_int_equal(choose().len, 32);
    world.options.takes_over = false;
    world.len -= 10;
    assert_int_equal(choose().len, 22);
}

static void deleted_logs_are_erased_first_and_expired_ones_when_they_are_many(void **state)
{
    struct plan_segment *p = add(T0, T0 + 1, BLOCK * BLOCKS, true);

    p->segment.erased = 1;
    assert_int_equal(choose().len, 0);
    p->urgent = true;
    assert_int_equal(choose().len, 1);
    p->urgent = false;
    p->segment.erased = BLOCK * BLOCKS / PLAN_ERASED_SHARE;
    assert_int_equal(choose().len, 1);
    p->bad = true;
    assert_int_equal(choose().len, 0);
}

/* As a segment shrinks, its last block is rewritten more often for its size, but each for less. */
static void expiry_row_by_row_writes_a_segment_again_three_times_at_most(void **state)
{
    uint64_t rows = BLOCK * BLOCKS;

    add(T0, T0 + 1, rows, true);
    while (world.len > 0 && rows > 0) {
        struct segment *s = &world.segments[0].segment;

        rows--;
        s->erased++;
        if (s->erased % BLOCK == 0) { /* a leading block goes */
            s->rows -= BLOCK;
            s->erased -= BLOCK;
            s->gone++;
        }
        if (s->rows == 0)
            break;
        compact();
    }
    assert_true(world.written <= 3 * BLOCK * BLOCKS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(under_load_each_log_is_written_cold_once),
        TEST(a_trickle_is_written_four_times_at_most),
        TEST(a_trickle_that_rests_after_each_seal_is_written_no_more_often),
        TEST(small_segments_are_bounded_by_their_logarithm),
        TEST(what_is_hot_becomes_cold_when_nothing_more_comes),
        TEST(what_is_hot_becomes_cold_in_time_though_logs_come),
        TEST(late_logs_cost_a_few_others_each),
        TEST(one_log_of_each_year_has_nothing_written_again),
        TEST(late_logs_are_merged_in_when_they_are_a_share_of_what_they_overlap),
        TEST(what_is_full_by_its_bytes_is_left_alone),
        TEST(late_logs_over_more_than_can_be_merged_are_left_alone),
        TEST(numbers_go_after_the_horizon_and_are_not_mixed_before),
        TEST(numbers_of_the_last_hour_are_kept),
        TEST(what_was_taken_over_waits_for_its_neighbours),
        TEST(deleted_logs_are_erased_first_and_expired_ones_when_they_are_many),
        TEST(expiry_row_by_row_writes_a_segment_again_three_times_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
