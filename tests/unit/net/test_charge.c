#include "net/charge.h"

#include "../aborts.h"
#include "../cmocka_all.h"

static struct ledger ledger;
static struct account *account;

static int set_up(void **state)
{
    ledger_init(&ledger, 1600);
    account = ledger_account(&ledger, LEDGER_ANSWERS);
    return 0;
}

static void all_that_was_taken_is_given_back(void **state)
{
    struct charge charge = {0};

    assert_true(charge_take(&charge, account, 100));
    assert_true(charge_take(&charge, account, 50));
    assert_int_equal(account_used(account), 150);
    charge_keep(&charge, account, 200);
    assert_int_equal(account_used(account), 150);
    charge_keep(&charge, account, 20);
    assert_int_equal(account_used(account), 20);
    charge_release(&charge, account);
    charge_release(&charge, account);
    assert_int_equal(account_used(account), 0);
}

static void a_refusal_takes_nothing(void **state)
{
    struct charge charge = {0};

    assert_false(charge_take(&charge, account, 1600));
    assert_int_equal(charge.taken, 0);
    assert_int_equal(account_used(account), 0);
}

static void no_account_never_refuses(void **state)
{
    struct charge charge = {0};

    assert_true(charge_take(&charge, NULL, SIZE_MAX));
    charge_release(&charge, NULL);
    assert_int_equal(charge.taken, 0);
}

#ifdef LOGMILL_CHECKS

static void check(void *arg)
{
    charge_check(arg, account);
}

static void a_charge_that_its_account_does_not_hold_is_told(void **state)
{
    struct charge charge = {0};

    assert_true(charge_take(&charge, account, 100));
    assert_false(aborts(check, &charge));
    charge.taken = 101;
    assert_true(aborts(check, &charge));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_that_was_taken_is_given_back, set_up),
        cmocka_unit_test_setup(a_refusal_takes_nothing, set_up),
        cmocka_unit_test_setup(no_account_never_refuses, set_up),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test_setup(a_charge_that_its_account_does_not_hold_is_told, set_up),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
