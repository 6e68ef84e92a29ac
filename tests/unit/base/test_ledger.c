#include "base/ledger.h"

#include <pthread.h>
#include <stdint.h>

#include "../cmocka_all.h"

enum { LIMIT = 1600, SHARE = LIMIT / LEDGER_SHARES };

static struct ledger ledger;
static struct account *bodies, *intake, *answers, *reads, *tails, *ops;

static int set_up(void **state)
{
    ledger_init(&ledger, LIMIT);
    bodies = ledger_account(&ledger, LEDGER_BODIES);
    intake = ledger_account(&ledger, LEDGER_INTAKE);
    answers = ledger_account(&ledger, LEDGER_ANSWERS);
    reads = ledger_account(&ledger, LEDGER_READS);
    tails = ledger_account(&ledger, LEDGER_TAILS);
    ops = ledger_account(&ledger, LEDGER_OPS);
    return 0;
}

/* Takes one byte after the other until nothing more is given. */
static size_t take_all(struct account *a)
{
    size_t taken = 0;

    while (account_take(a, 1))
        taken++;
    assert_false(account_take(a, 1));
    return taken;
}

static void a_floor_is_there_whatever_the_others_hold(void **state)
{
    take_all(bodies);
    take_all(answers);
    take_all(tails);
    take_all(reads);
    assert_int_equal(take_all(intake), LEDGER_INTAKE_FLOOR * SHARE);
    assert_int_equal(take_all(ops), LEDGER_OPS_FLOOR * SHARE);
    assert_int_equal(ledger_used(&ledger), LIMIT);
}

static void what_one_could_hold_alone_does_not_depend_on_the_others(void **state)
{
    enum { SHARED = 12 * SHARE };
    size_t held[LEDGER_CLASSES] = {0};

    take_all(tails);
    take_all(answers);
    held[LEDGER_BODIES] = LEDGER_BODIES_FLOOR * SHARE + SHARED / 2;
    held[LEDGER_INTAKE] = LEDGER_INTAKE_FLOOR * SHARE + SHARED / 2;
    held[LEDGER_ANSWERS] = LEDGER_ANSWERS_FLOOR * SHARE;
    assert_true(ledger_could_hold(&ledger, held));
    held[LEDGER_ANSWERS]++;
    assert_false(ledger_could_hold(&ledger, held));
    held[LEDGER_BODIES]--;
    assert_true(ledger_could_hold(&ledger, held));
    held[LEDGER_BODIES] = held[LEDGER_ANSWERS] = held[LEDGER_INTAKE] = 0;
    held[LEDGER_TAILS] = tails->ceiling + 1;
    assert_false(ledger_could_hold(&ledger, held));
}

static void answers_are_not_starved_by_tails_nor_by_intake(void **state)
{
    take_all(tails);
    take_all(intake);
    assert_int_equal(take_all(answers), LEDGER_ANSWERS_FLOOR * SHARE);
}

static void one_class_alone_gets_all_but_the_floors_of_the_others(void **state)
{
    assert_int_equal(take_all(intake),
                     LIMIT - (LEDGER_BODIES_FLOOR + LEDGER_ANSWERS_FLOOR + LEDGER_READS_FLOOR +
                              LEDGER_TAILS_FLOOR + LEDGER_OPS_FLOOR) *
                                 SHARE);
}

static void tails_stop_at_their_ceiling(void **state)
{
    assert_int_equal(take_all(tails), LEDGER_TAILS_CEILING * SHARE);
}

static void what_is_given_back_above_the_floor_is_there_for_the_others(void **state)
{
    size_t all = take_all(intake);

    assert_int_equal(take_all(reads), LEDGER_READS_FLOOR * SHARE);
    account_give(intake, 50);
    assert_true(account_take(reads, 50));
    assert_false(account_take(reads, 1));
    assert_false(account_take(intake, 1));
    account_give(reads, 50);
    account_give(intake, all - 50);
    account_give(reads, LEDGER_READS_FLOOR * SHARE);
    assert_int_equal(ledger_used(&ledger), 0);
    assert_int_equal(take_all(intake), all);
}

static void a_take_over_the_floor_counts_only_what_is_above(void **state)
{
    size_t room = (LEDGER_INTAKE_FLOOR * SHARE) + ledger.shared;

    assert_true(account_take(intake, room));
    assert_int_equal(atomic_load(&ledger.shared_used), ledger.shared);
    account_give(intake, room);
    assert_int_equal(atomic_load(&ledger.shared_used), 0);
}

/* All that is shared is the bodies', and intake is at its floor: one of them becomes intake. */
static void what_one_gives_in_exchange_nobody_else_gets(void **state)
{
    size_t all = take_all(bodies);

    take_all(intake);
    assert_false(account_take(intake, 50));
    assert_true(account_exchange(bodies, 60, intake, 50));
    assert_int_equal(account_used(bodies), all - 60);
    assert_int_equal(account_used(intake), (LEDGER_INTAKE_FLOOR * SHARE) + 50);
    assert_int_equal(atomic_load(&ledger.shared_used), ledger.shared - 10);
    assert_true(account_take(answers, (LEDGER_ANSWERS_FLOOR * SHARE) + 10));
    assert_false(account_take(answers, 1));
}

static void what_is_given_in_exchange_is_given_back_where_there_is_no_room(void **state)
{
    size_t all = take_all(bodies);

    take_all(intake);
    assert_false(account_exchange(bodies, 60, intake, 61));
    assert_int_equal(account_used(bodies), all - 60);
    assert_int_equal(account_used(intake), LEDGER_INTAKE_FLOOR * SHARE);
    assert_int_equal(atomic_load(&ledger.shared_used), ledger.shared - 60);
    assert_false(account_exchange(bodies, all - 60, intake, SIZE_MAX));
    assert_int_equal(account_used(bodies), 0);
    assert_int_equal(atomic_load(&ledger.shared_used), 0);
}

static void what_cannot_be_given_changes_nothing(void **state)
{
    assert_false(account_take(intake, LIMIT));
    assert_false(account_take(intake, SIZE_MAX));
    assert_true(account_take(intake, 1));
    assert_false(account_take(intake, SIZE_MAX));
    assert_int_equal(account_used(intake), 1);
    assert_int_equal(atomic_load(&ledger.shared_used), 0);
}

/* Takes and gives in odd sizes about the floor, so that threads meet at the border. */
static void *take_and_give(void *arg)
{
    uintptr_t seed = (uintptr_t)arg;

    for (uintptr_t i = 0; i < 100000; i++) {
        struct account *a = &ledger.accounts[(seed + i / 7) % LEDGER_CLASSES];
        size_t bytes = 1 + (seed * 31 + i) % 150;

        if (!account_take(a, bytes))
            continue;
        if (ledger_used(&ledger) > LIMIT + LIMIT) /* a sum that is read while others change it */
            return (void *)1;
        if (atomic_load(&ledger.shared_used) > ledger.shared || account_used(a) > a->ceiling)
            return (void *)1;
        if (i % 3 != 0) {
            account_give(a, bytes);
            continue;
        }
        struct account *b = &ledger.accounts[i % LEDGER_CLASSES];

        if (account_exchange(a, bytes, b, bytes / 2 + 1))
            account_give(b, bytes / 2 + 1);
    }
    return NULL;
}

static void threads_never_pass_a_limit_and_leave_nothing_behind(void **state)
{
    pthread_t threads[4];

    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)i), 0);
    for (int i = 0; i < 4; i++) {
        void *broken;

        pthread_join(threads[i], &broken);
        assert_null(broken);
    }
    assert_int_equal(ledger_used(&ledger), 0);
    assert_int_equal(atomic_load(&ledger.shared_used), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(a_floor_is_there_whatever_the_others_hold),
        TEST(what_one_could_hold_alone_does_not_depend_on_the_others),
        TEST(answers_are_not_starved_by_tails_nor_by_intake),
        TEST(one_class_alone_gets_all_but_the_floors_of_the_others),
        TEST(tails_stop_at_their_ceiling),
        TEST(what_is_given_back_above_the_floor_is_there_for_the_others),
        TEST(a_take_over_the_floor_counts_only_what_is_above),
        TEST(what_one_gives_in_exchange_nobody_else_gets),
        TEST(what_is_given_in_exchange_is_given_back_where_there_is_no_room),
        TEST(what_cannot_be_given_changes_nothing),
        TEST(threads_never_pass_a_limit_and_leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
