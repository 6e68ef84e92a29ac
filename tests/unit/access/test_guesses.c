#include "access/guesses.h"

#include <stdio.h>

#include "../cmocka_all.h"

static const int64_t S = 1000000;

/* Sends `n` keys of which each is another, from `first` on. True: the last one has it stopped. */
static bool guess(struct guesses *g, uint64_t client, int first, int n, int64_t now_us)
{
    bool stops = false;

    for (int i = 0; i < n; i++) {
        char text[32];

        snprintf(text, sizeof(text), "lm_%d", first + i);
        stops = guesses_add(g, client, slice_of_string(text), now_us);
    }
    return stops;
}

static void who_sends_many_keys_that_are_none_is_stopped_for_a_while(void **state)
{
    struct guesses *g = guesses_new();

    assert_false(guess(g, 7, 0, GUESSES_MAX - 1, 100 * S));
    assert_false(guesses_stop(g, 7, 100 * S));
    assert_true(guess(g, 7, 100, 1, 110 * S));
    assert_true(guesses_stop(g, 7, 110 * S));
    assert_false(guesses_stop(g, 8, 110 * S));
    assert_false(guess(g, 7, 200, 5, 120 * S)); /* is no longer told anew */
    assert_true(guesses_stop(g, 7, 110 * S + GUESSES_WINDOW_S * S - 1));
    assert_false(guesses_stop(g, 7, 110 * S + GUESSES_WINDOW_S * S));
    assert_false(guess(g, 7, 0, GUESSES_MAX - 1, 200 * S));
    guesses_free(g);
}

static void one_key_that_no_longer_holds_is_no_guessing(void **state)
{
    struct guesses *g = guesses_new();

    for (int i = 0; i < 1000; i++)
        assert_false(guess(g, 7, i % (GUESSES_MAX - 1), 1, 100 * S));
    assert_false(guesses_stop(g, 7, 100 * S));
    guesses_free(g);
}

static void guesses_far_apart_do_not_add_up(void **state)
{
    struct guesses *g = guesses_new();

    for (int i = 0; i < 100; i++)
        assert_false(guess(g, 7, i, 1, (100 + i * GUESSES_WINDOW_S / 4) * S));
    assert_false(guess(g, 0, 0, 100, 100 * S)); /* nobody's */
    assert_false(guesses_stop(g, 0, 100 * S));
    guesses_free(g);
}

static void many_addresses_are_more_than_is_kept_and_the_newest_stay(void **state)
{
    struct guesses *g = guesses_new();

    for (uint64_t client = 1; client <= 100000; client++)
        (void)guess(g, client, 0, 1, (int64_t)client * 100);
    assert_true(guess(g, 5, 0, GUESSES_MAX, 20 * S));
    assert_true(guesses_stop(g, 5, 20 * S));
    guesses_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sends_many_keys_that_are_none_is_stopped_for_a_while),
        cmocka_unit_test(one_key_that_no_longer_holds_is_no_guessing),
        cmocka_unit_test(guesses_far_apart_do_not_add_up),
        cmocka_unit_test(many_addresses_are_more_than_is_kept_and_the_newest_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
