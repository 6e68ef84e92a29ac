#include "formats/repeats.h"

#include <string.h>

#include "../cmocka_all.h"

enum { TIME_US = 1700000123 };

static struct record_draft d;

/* The id of a log of this number in this request, which has another log `after_us` later. */
static struct uuid id_among(struct slice request, size_t number, int64_t us, unsigned below_us,
                            int64_t after_us)
{
    struct repeats r;
    struct record record;
    struct errbuf why;
    int64_t later = us + after_us;

    repeats_begin(&r, request);
    if (!repeats_look(&r, &us, below_us))
        (void)repeats_look(&r, &later, below_us);
    record_draft_begin(&d);
    record_draft_time(&d, us);
    repeats_name(&r, &d, number, us, below_us);
    assert_int_equal(record_draft_finish(&d, 0, &record, &why), 0);
    return record.key.id;
}

static struct uuid id_at(struct slice request, size_t number, int64_t us, unsigned below_us)
{
    return id_among(request, number, us, below_us, 7);
}

static struct uuid id_of(struct slice request, size_t number)
{
    return id_at(request, number, TIME_US, 0);
}

static bool same(struct uuid a, struct uuid b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void the_same_request_gives_the_same_ids(void **state)
{
    struct slice request = SLICE_LITERAL("a request");

    record_draft_init(&d);
    assert_true(same(id_of(request, 0), id_of(request, 0)));
    assert_false(same(id_of(request, 0), id_of(request, 1)));
    record_draft_release(&d);
}

/* Whatever byte it is, at whatever place: the hash goes by words, and has an end. */
static void another_request_gives_other_ids(void **state)
{
    char text[24] = {0};

    record_draft_init(&d);
    for (size_t len = 0; len < sizeof(text); len++) {
        struct slice request = slice_of(text, len);
        struct uuid id = id_of(request, 0);

        assert_false(same(id, id_of(slice_of(text, len + 1), 0)));
        for (size_t at = 0; at < len; at++) {
            text[at] ^= 0x40;
            assert_false(same(id, id_of(request, 0)));
            text[at] ^= 0x40;
        }
    }
    record_draft_release(&d);
}

static bool is_known(int64_t us, unsigned below_us)
{
    struct slice request = SLICE_LITERAL("a request");

    return same(id_at(request, 0, us, below_us), id_at(request, 0, us, below_us));
}

static void a_log_of_a_coarse_clock_is_another_each_time(void **state)
{
    record_draft_init(&d);
    assert_false(is_known(1700000000, 0));   /* a second */
    assert_false(is_known(1700123000, 0));   /* a millisecond */
    assert_false(is_known(1700122999, 808)); /* the same, by floating point */
    assert_false(is_known(1700123000, 192));
    assert_false(is_known(-1000, 0));
    assert_true(is_known(1700123001, 0));
    assert_true(is_known(1700123998, 999));
    assert_true(is_known(-1500, 0));
    record_draft_release(&d);
}

static bool is_known_with(int64_t us, int64_t after_us)
{
    struct slice request = SLICE_LITERAL("a request");

    return same(id_among(request, 0, us, 0, after_us), id_among(request, 0, us, 0, after_us));
}

/* Whatever its digits: a tick of 1, 4 or 15.6 ms may lie at any microsecond. */
static void a_request_is_known_by_a_clock_that_was_seen_to_be_fine(void **state)
{
    record_draft_init(&d);
    assert_true(is_known_with(1700123456, 1));
    assert_true(is_known_with(1700123456, REPEATS_APART_MAX_US - 1));
    assert_true(is_known_with(1700123456, -20)); /* threads come in any order */
    assert_false(is_known_with(1700123456, 0));  /* equal batches of one tick */
    assert_false(is_known_with(1700123456, REPEATS_APART_MAX_US));
    assert_false(is_known_with(1700123456, 999)); /* a coarse clock whose second was stretched */
    assert_false(is_known_with(1700123456, 15625));
    assert_false(is_known_with(1700123456, 1700123000 - 1700123456)); /* a coarse log beside it */
    record_draft_release(&d);
}

static void only_so_many_logs_are_looked_at(void **state)
{
    struct repeats r;
    int64_t us = TIME_US;

    repeats_begin(&r, SLICE_LITERAL("a request"));
    for (int i = 1; i < REPEATS_LOOK_MAX; i++)
        assert_false(repeats_look(&r, i % 2 ? NULL : &us, 0));
    assert_true(repeats_look(&r, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_gives_the_same_ids),
        cmocka_unit_test(another_request_gives_other_ids),
        cmocka_unit_test(a_log_of_a_coarse_clock_is_another_each_time),
        cmocka_unit_test(a_request_is_known_by_a_clock_that_was_seen_to_be_fine),
        cmocka_unit_test(only_so_many_logs_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
