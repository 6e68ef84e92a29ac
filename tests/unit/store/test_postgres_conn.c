/* What conn.h says is always true is seen to be told where it is broken. Needs no server. */
#include "../aborts.h"
#include "../cmocka_all.h"
#include "store/postgres/conn.h"

static void what_is_closed_may_be_closed_and_abandoned_again(void **state)
{
    struct store_postgres_address address = {.silence_ms = 1};
    struct store_postgres_conn c;

    store_postgres_conn_init(&c, &address);
    assert_true(store_postgres_conn_is_lost(&c));
    store_postgres_conn_close(&c);
    store_postgres_conn_abandon(&c);
    assert_false(store_postgres_conn_is_open(&c));
}

#ifdef LOGMILL_CHECKS

static void check(void *c)
{
    store_postgres_conn_check(c);
}

static void a_broken_connection_is_told(void **state)
{
    const char *const nowhere[] = {"host", NULL}, *const values[] = {"/nonexistent", NULL};
    PGconn *pg = PQconnectdbParams(nowhere, values, 0);
    struct store_postgres_connect *attempt = (struct store_postgres_connect *)pg; /* never used */
    const struct store_postgres_conn closed = {.wake_fd = -1};
    const struct store_postgres_conn connecting = {
        .state = STORE_POSTGRES_CONNECTING, .attempt = attempt, .wake_fd = -1};
    const struct store_postgres_conn open = {
        .state = STORE_POSTGRES_OPEN, .pg = pg, .owed = 1, .wake_fd = -1};
    struct store_postgres_conn sound[] = {closed, connecting, open, open};
    struct store_postgres_conn broken[] = {closed,     closed,     closed, connecting,
                                           connecting, connecting, open,   open};

    sound[3].state = STORE_POSTGRES_ENDED;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
        assert_false(aborts(check, &sound[i]));

    broken[0].pg = pg;
    broken[1].attempt = attempt;
    broken[2].owed = 1;
    broken[3].attempt = NULL;
    broken[4].pg = pg;
    broken[5].owed = 1;
    broken[6].pg = NULL;
    broken[7].attempt = attempt;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_true(aborts(check, &broken[i]));
    PQfinish(pg);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_may_be_closed_and_abandoned_again),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(a_broken_connection_is_told),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
