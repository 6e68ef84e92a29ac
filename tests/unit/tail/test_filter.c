/* Batches and the verdicts of filters on them. */
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "tail/batch.h"
#include "tail/filter.h"
#include "tail/judge.h"

static const uint64_t ENOUGH = 1000000000;

static struct tail_batch *batch_of(const char *const *messages, size_t n)
{
    struct tail_batch *b = tail_batch_new();

    for (size_t i = 0; i < n; i++) {
        struct record r = {.key.timestamp_us = (int64_t)i,
                           .level = SLICE_LITERAL("info"),
                           .message = slice_of_string(messages[i])};
        assert_int_equal(tail_batch_add(&r, &(struct store_position){1, i, 0}, b), 0);
    }
    tail_batch_seal(b);
    return b;
}

static struct tail_filter *use(struct tail_filters *set, const char *text)
{
    struct log_filter f;

    log_filter_init(&f);
    f.text = slice_of_string(text);
    return tail_filters_use(set, log_matcher_new(&f));
}

static void judge(struct tail_batch *b, const struct tail_filters *set, uint64_t work)
{
    struct tail_filters copy;

    assert_int_equal(tail_filters_copy(set, &copy), 0);
    tail_judge(b, &copy, work);
}

/* "010": which events match; "?": no verdict. */
static const char *verdict(const struct tail_batch *b, const struct tail_filter *f)
{
    static char text[256];
    const struct tail_verdict *v = tail_batch_verdict(b, f);
    size_t count = 0;

    if (!v)
        return "?";
    for (size_t i = 0; i < b->len; i++) {
        text[i] = tail_verdict_has(v, i) ? '1' : '0';
        count += text[i] == '1';
    }
    text[b->len] = '\0';
    if (f)
        assert_int_equal(v->count, count);
    return text;
}

static const char *const THREE[] = {"apple", "Pear and apple", "plum"};

static void a_batch_knows_which_events_each_filter_wants(void **state)
{
    struct tail_filters set = {0};
    struct tail_filter *apple = use(&set, "APPLE");
    struct tail_filter *plum = use(&set, "plum");
    struct tail_filter *fig = use(&set, "fig");
    struct tail_batch *b = batch_of(THREE, 3);

    assert_string_equal(verdict(b, apple), "?");
    judge(b, &set, ENOUGH);
    assert_string_equal(verdict(b, apple), "110");
    assert_string_equal(verdict(b, plum), "001");
    assert_string_equal(verdict(b, fig), "000");
    assert_string_equal(verdict(b, NULL), "111");
    tail_filters_leave(&set, apple);
    tail_filters_leave(&set, plum);
    tail_filters_leave(&set, fig);
    tail_filters_release(&set);
    tail_batch_unref(b);
}

static void more_events_than_a_word_has_bits(void **state)
{
    const char *messages[200];
    struct tail_filters set = {0};
    struct tail_filter *odd = use(&set, "odd");

    for (size_t i = 0; i < 200; i++)
        messages[i] = i % 2 ? "odd" : "even";
    struct tail_batch *b = batch_of(messages, 200);
    judge(b, &set, ENOUGH);
    const char *text = verdict(b, odd);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(text[i], i % 2 ? '1' : '0');
    tail_filters_leave(&set, odd);
    tail_filters_release(&set);
    tail_batch_unref(b);
}

static void time_bounds_are_a_part_of_a_filter(void **state)
{
    struct tail_filters set = {0};
    struct tail_batch *b = batch_of(THREE, 3);
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = 1;
    f.until_us = 2;
    struct tail_filter *second = tail_filters_use(&set, log_matcher_new(&f));
    judge(b, &set, ENOUGH);
    assert_string_equal(verdict(b, second), "010");
    tail_filters_leave(&set, second);
    tail_filters_release(&set);
    tail_batch_unref(b);
}

static void tails_that_ask_for_the_same_share_a_filter(void **state)
{
    struct tail_filters set = {0};
    struct tail_filter *one = use(&set, "one");
    struct tail_filter *two = use(&set, "two");

    assert_ptr_equal(use(&set, "one"), one);
    assert_ptr_not_equal(one, two);
    tail_filters_leave(&set, one);
    assert_ptr_equal(use(&set, "one"), one); /* one tail has it still */
    tail_filters_leave(&set, one);
    tail_filters_leave(&set, one);
    struct tail_filter *three = use(&set, "three");
    assert_int_equal(three->slot, 0); /* it is free again */
    assert_int_equal(set.len, 2);
    tail_filters_leave(&set, two);
    tail_filters_leave(&set, three);
    assert_int_equal(set.len, 0);
    tail_filters_release(&set);
}

static void a_verdict_is_that_of_its_filter_alone(void **state)
{
    struct tail_filters set = {0};
    struct tail_batch *b = batch_of(THREE, 3);
    struct tail_filter *apple = use(&set, "apple");

    judge(b, &set, ENOUGH);
    tail_filters_leave(&set, apple); /* the batch keeps it */
    struct tail_filter *plum = use(&set, "plum");
    assert_int_equal(plum->slot, 0);
    assert_string_equal(verdict(b, plum), "?");
    tail_filters_leave(&set, plum);
    tail_filters_release(&set);
    tail_batch_unref(b);
}

/* A message in which the needle below nearly is, again and again. */
static char *attack(size_t letters)
{
    char *message = malloc(letters + 1);

    for (size_t i = 0; i < letters; i++)
        message[i] = i % 36 == 35 ? 'b' : 'a';
    message[letters] = '\0';
    return message;
}

static const char *const ATTACKERS[] = {
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

static void expensive_filters_have_no_verdict_where_work_is_short_and_cheap_ones_have(void **state)
{
    enum { LETTERS = 20000, EXPENSIVE = 5 };
    struct tail_filters set = {0};
    struct tail_filter *first[EXPENSIVE], *cheap;
    char *message = attack(LETTERS);
    const char *const messages[] = {"a zebra", message, "zebra a", message, "a"};

    for (int i = 0; i < EXPENSIVE; i++) /* before the cheap one, which must not matter */
        first[i] = use(&set, ATTACKERS[i]);
    cheap = use(&set, "zebra");

    struct tail_batch *b = batch_of(messages, 5);
    judge(b, &set, ENOUGH); /* and what each costs is known from then on */
    for (int i = 0; i < EXPENSIVE; i++)
        assert_string_equal(verdict(b, first[i]), "00000");
    assert_string_equal(verdict(b, cheap), "10100");
    tail_batch_unref(b);

    b = batch_of(messages, 5);
    judge(b, &set, 2 * LETTERS);
    assert_string_equal(verdict(b, cheap), "10100");
    int judged = 0;
    for (int i = 0; i < EXPENSIVE; i++)
        judged += tail_batch_verdict(b, first[i]) ? 1 : 0;
    assert_true(judged <= 1); /* what is spent too much goes to one */
    tail_batch_unref(b);

    b = batch_of(messages, 1); /* a cheap one for all */
    judge(b, &set, 2 * LETTERS);
    for (int i = 0; i < EXPENSIVE; i++)
        assert_string_equal(verdict(b, first[i]), "0");
    tail_batch_unref(b);

    for (int i = 0; i < EXPENSIVE; i++)
        tail_filters_leave(&set, first[i]);
    tail_filters_leave(&set, cheap);
    tail_filters_release(&set);
    free(message);
}

#ifdef LOGMILL_FAULTS
static void without_memory_there_is_no_verdict(void **state)
{
    struct tail_filters set = {0};
    struct tail_filter *apple = use(&set, "apple");

    for (unsigned point = 1;; point++) {
        struct tail_batch *b = batch_of(THREE, 3);
        struct tail_filters copy;

        fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = point});
        if (tail_filters_copy(&set, &copy) == 0)
            tail_judge(b, &copy, ENOUGH);
        unsigned faults = fault_count();
        fault_plan(&(struct fault_plan){0});
        assert_string_equal(verdict(b, apple), faults > 0 ? "?" : "110");
        tail_batch_unref(b);
        if (faults == 0) {
            assert_true(point > 4);
            break;
        }
    }
    tail_filters_leave(&set, apple);
    tail_filters_release(&set);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_knows_which_events_each_filter_wants),
        cmocka_unit_test(more_events_than_a_word_has_bits),
        cmocka_unit_test(time_bounds_are_a_part_of_a_filter),
        cmocka_unit_test(tails_that_ask_for_the_same_share_a_filter),
        cmocka_unit_test(a_verdict_is_that_of_its_filter_alone),
        cmocka_unit_test(expensive_filters_have_no_verdict_where_work_is_short_and_cheap_ones_have),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test(without_memory_there_is_no_verdict),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
