/* What connection.h says is always true is seen to be told where it is broken. */
#include "../aborts.h"
#include "../cmocka_all.h"
#include "base/clock.h"
#include "cache/redis/connection.h"

static void what_is_closed_may_be_closed_again(void **state)
{
    struct redis_server server = {0};
    struct redis_connection c;

    redis_connection_init(&c, &server);
    assert_false(redis_connection_is_open(&c));
    redis_connection_close(&c);
    redis_connection_release(&c);
    assert_false(redis_connection_is_open(&c));
}

#ifdef LOGMILL_CHECKS

static void check(void *c)
{
    redis_connection_check(c);
}

static void send_something(void *c)
{
    struct errbuf err = ERRBUF_INIT;

    (void)!redis_connection_send(c, SLICE_LITERAL("*1\r\n$4\r\nPING\r\n"), 1, clock_monotonic_us(),
                                 &err);
}

static void receive_something(void *c)
{
    struct errbuf err = ERRBUF_INIT;
    redisReply *reply;

    (void)!redis_connection_receive(c, &reply, clock_monotonic_us(), &err);
}

static void a_broken_connection_is_told(void **state)
{
    struct redis_server server = {0};
    redisReader *reader = redisReaderCreate();
    const struct redis_connection closed = {.server = &server, .fd = -1};
    const struct redis_connection ready = {
        .server = &server, .state = REDIS_READY, .fd = 1, .reader = reader, .owed = 2};
    struct redis_connection sound[] = {closed, ready, ready};
    struct redis_connection broken[] = {closed, closed, closed, ready, ready, ready, ready};

    sound[2].state = REDIS_LISTENING;
    sound[2].owed = 0;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
        assert_false(aborts(check, &sound[i]));

    broken[0].fd = 1;
    broken[1].owed = 1;
    broken[2].run_id[0] = 'x';
    broken[3].fd = -1;
    broken[4].reader = NULL;
    broken[5].state = REDIS_LISTENING; /* with replies owed */
    broken[6].state = REDIS_CONNECTING;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_true(aborts(check, &broken[i]));

    assert_true(aborts(send_something, &sound[2])); /* who listens says nothing */
    sound[1].owed = 0;
    assert_true(aborts(receive_something, &sound[1])); /* nothing was asked */
    redisReaderFree(reader);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_may_be_closed_again),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(a_broken_connection_is_told),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
