#include "read/tally.h"

#include <stdio.h>
#include <string.h>

#include "store/store.h"

#include "../cmocka_all.h"

enum { BUCKETS = 10 };

static const int64_t SECOND_US = 1000000;

static struct ledger ledger;
static struct tally tally;
static struct buffer text;

static int start(size_t limit)
{
    ledger_init(&ledger, limit);
    buffer_init(&text, 1 << 24);
    return tally_init(&tally, BUCKETS, ledger_account(&ledger, LEDGER_READS));
}

static int set_up(void **state)
{
    return start(64 << 20);
}

static int tear_down(void **state)
{
    tally_release(&tally);
    buffer_release(&text);
    assert_int_equal(ledger_used(&ledger), 0);
    return 0;
}

static void add(size_t bucket, const char *level, uint64_t count)
{
    assert_int_equal(tally_add(&tally, bucket, slice_of_string(level), count), 0);
}

static void keep(void)
{
    assert_int_equal(tally_keep(&tally), 0);
}

static void assert_text(const char *expected)
{
    buffer_clear(&text);
    tally_append(&tally, &text, 0, SECOND_US);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, expected);
}

static void slices_add_up_and_a_cut_bucket_is_one(void **state)
{
    add(4, "info", 2);
    add(4, "error", 1);
    add(7, "info", 5);
    keep();
    add(1, "debug", 1);
    add(4, "error", 10);
    add(4, "", 1);
    keep();
    assert_int_equal(tally.total, 20);
    assert_text(
        "{\"timestamp\":\"1970-01-01T00:00:01.000000Z\",\"total\":1,\"levels\":{\"debug\":1}},"
        "{\"timestamp\":\"1970-01-01T00:00:04.000000Z\",\"total\":14,"
        "\"levels\":{\"info\":2,\"error\":11,\"\":1}},"
        "{\"timestamp\":\"1970-01-01T00:00:07.000000Z\",\"total\":5,\"levels\":{\"info\":5}}");
}

static void a_slice_that_was_not_read_whole_does_not_count(void **state)
{
    add(4, "info", 2);
    keep();
    add(4, "info", 3);
    tally_drop(&tally);
    add(4, "info", 4);
    keep();
    assert_int_equal(tally.total, 6);
}

static void nothing_counted_is_nothing(void **state)
{
    keep();
    assert_text("");
    assert_int_equal(tally.total, 0);
}

/* Two slices of one bucket, each with as many levels as are told apart, none in both. */
static void levels_past_the_last_are_others_whichever_slice_they_are_of(void **state)
{
    char name[16];

    for (unsigned i = 0; i < 2 * STORE_STATS_LEVELS_MAX; i++) {
        snprintf(name, sizeof(name), "level %u", i);
        add(3, name, 1);
        if (i == STORE_STATS_LEVELS_MAX - 1)
            keep();
    }
    add(3, "other", 5);
    keep();
    assert_int_equal(tally.total, 2 * STORE_STATS_LEVELS_MAX + 5);
    buffer_clear(&text);
    tally_append(&tally, &text, 0, SECOND_US);
    buffer_append_char(&text, '\0');
    assert_non_null(strstr(text.data, "\"level 63\":1,\"other\":69}"));
    assert_null(strstr(text.data, "\"level 64\""));
}

/* A bucket cut into many slices, each with as many levels as are told apart, none met before. */
static void others_take_no_room(void **state)
{
    char level[STORE_STATS_LEVEL_BYTES_MAX + 1];
    unsigned n = 0;

    tally_release(&tally);
    assert_int_equal(start(1 << 20), 0);
    memset(level, 'l', sizeof(level) - 1);
    level[sizeof(level) - 1] = '\0';
    for (unsigned slice = 0; slice < 100; slice++) {
        for (unsigned i = 0; i < STORE_STATS_LEVELS_MAX; i++, n++) {
            snprintf(level, 8, "%07u", n);
            level[7] = 'l';
            add(3, level, 1);
        }
        keep();
    }
    assert_int_equal(tally.total, n);
    assert_true(account_used(ledger_account(&ledger, LEDGER_READS)) < 1 << 18);
}

static void what_it_grows_by_is_charged_and_refused_where_there_is_no_room(void **state)
{
    char level[STORE_STATS_LEVEL_BYTES_MAX + 1];
    int error = 0;

    tally_release(&tally);
    assert_int_equal(start(1 << 20), 0);
    memset(level, 'l', sizeof(level) - 1);
    level[sizeof(level) - 1] = '\0';
    for (unsigned i = 0; !error && i < 4096; i++) {
        level[0] = (char)('a' + i % 16);
        level[1] = (char)('a' + i / 16 % 16);
        level[2] = (char)('a' + i / 256);
        error = tally_add(&tally, i % BUCKETS, slice_of_string(level), 1);
    }
    assert_int_equal(error, LM_EBUSY);
    assert_true(account_used(ledger_account(&ledger, LEDGER_READS)) > 1 << 16);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slices_add_up_and_a_cut_bucket_is_one),
        TEST(a_slice_that_was_not_read_whole_does_not_count),
        TEST(nothing_counted_is_nothing),
        TEST(levels_past_the_last_are_others_whichever_slice_they_are_of),
        TEST(others_take_no_room),
        TEST(what_it_grows_by_is_charged_and_refused_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
