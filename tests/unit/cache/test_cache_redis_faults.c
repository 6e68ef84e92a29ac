/* A Redis or Valkey server that dies, hangs, forgets, refuses; logging in; TLS. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "cache/redis/adapter.h"
#include "cache_test_support.h"
#include "diag/diag.h"
#include "redis_place.h"

enum {
    MS = 1000,      /* in us */
    TRIALS_MAX = 8, /* in 3 s, since a server that failed is left alone, for longer and longer */
};

/* ---- The server fails ---- */

static void a_member_that_vanished_makes_readers_bypass(void **state)
{
    struct redis_place *p = *state;

    redis_test_server_do(p->server, "DEL logmill:{cache}:set"); /* evicted, say */
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    cache_test_append(&p->t, 150, 1, true);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    cache_test_reopen(&p->t, redis_place_open(p->server->url, REDIS_PLACE_LONG_MS));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
}

static void killed_and_back_empty_it_is_bypassed_until_rebuilt(void **state)
{
    struct redis_place *p = *state;

    redis_place_take_notes(p);
    redis_test_server_kill(p->server);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    cache_test_append(&p->t, 150, 10, true);
    redis_test_server_start(p->server);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
        cache_test_append(&p->t, 160 + (unsigned)i, 1, true);
        usleep(10 * MS);
    }
    redis_place_maintain_until_hit(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    redis_place_read_notes(p);
    assert_non_null(strstr(p->notes, "the cache cannot be used now; reads go to the store"));
    assert_non_null(strstr(p->notes, "the cache answers again"));
}

static void back_with_old_data_it_is_bypassed_until_rebuilt(void **state)
{
    struct redis_place *p = *state;

    redis_place_take_notes(p);
    redis_test_server_do(p->server, "SAVE");
    cache_test_append(&p->t, 150, 10, true); /* not in the snapshot */
    redis_test_server_kill(p->server);
    redis_test_server_start(p->server);
    assert_int_equal(redis_test_server_do(p->server, "ZCARD logmill:{cache}:set"),
                     REDIS_PLACE_LOGS);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
        cache_test_append(&p->t, 160 + (unsigned)i, 1, true);
        usleep(10 * MS);
    }
    assert_int_equal(redis_test_server_do(p->server, "ZCARD logmill:{cache}:set"),
                     REDIS_PLACE_LOGS);
    redis_place_maintain_until_hit(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    redis_place_read_notes(p);
}

/* An idle connection that the server has closed is no outage. */
static void a_closed_idle_connection_costs_nothing(void **state)
{
    struct redis_place *p = *state;

    redis_place_take_notes(p);
    for (int i = 0; i < 3; i++) {
        redis_test_server_do(p->server, "CLIENT KILL TYPE normal SKIPME yes");
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
        redis_test_server_do(p->server, "CLIENT KILL TYPE normal SKIPME yes");
        cache_test_append(&p->t, 150 + (unsigned)i, 1, true);
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
    }
    redis_test_server_do(p->server, "SCRIPT FLUSH");
    cache_test_append(&p->t, 160, 1, true);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);
    assert_string_equal(redis_place_read_notes(p), "");
}

static void a_server_that_hangs_holds_no_reader_for_more_than_the_bound(void **state)
{
    struct redis_place *p = *state;
    uint64_t total = 0, longest = 0, started;
    unsigned reads = 0, waited = 0;

    redis_place_take_notes(p);
    redis_test_server_signal(p->server, SIGSTOP);
    started = clock_monotonic_us();
    while (clock_monotonic_us() - started < 3000 * MS) {
        uint64_t before = clock_monotonic_us(), us;

        assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
        us = clock_monotonic_us() - before;
        total += us;
        longest = us > longest ? us : longest;
        waited += us >= CACHE_REDIS_QUERY_MS * MS;
        reads++;
        usleep(1 * MS);
    }
    redis_test_server_signal(p->server, SIGCONT);
    print_message("hanging: of %u reads the longest took %u us, all %u us\n", reads,
                  (unsigned)longest, (unsigned)total);
    assert_true(longest <
                (CACHE_REDIS_CONNECT_MS + CACHE_REDIS_QUERY_MS + REDIS_PLACE_BUSY_MS) * MS);
    assert_in_range(waited, 1, TRIALS_MAX); /* now and then */
    redis_place_maintain_until_hit(p);
    redis_place_read_notes(p);
    assert_non_null(strstr(p->notes, "no answer in time"));
}

static void a_server_that_hangs_holds_no_writer_and_what_it_missed_is_noticed(void **state)
{
    struct redis_place *p = *state;
    struct record r = cache_test_record(150);
    uint64_t started;

    redis_place_take_notes(p);
    store_test_append(p->t.writer, &r, 1);
    redis_test_server_signal(p->server, SIGSTOP);
    started = clock_monotonic_us();
    cache_fill(p->t.worker, &r, 1);
    assert_true(clock_monotonic_us() - started < (CACHE_REDIS_FILL_MS + REDIS_PLACE_BUSY_MS) * MS);
    redis_test_server_signal(p->server, SIGCONT);
    /* Whatever becomes of that fill: this process knows that it may be missing. */
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_maintain_until_hit(p);
    redis_place_read_notes(p);
}

static void a_dead_server_costs_next_to_nothing(void **state)
{
    struct redis_place *p = *state;
    struct record r = cache_test_record(150);
    uint64_t started;

    redis_place_take_notes(p);
    redis_test_server_kill(p->server);
    store_test_append(p->t.writer, &r, 1);
    started = clock_monotonic_us();
    for (int i = 0; i < 10000; i++) {
        cache_fill(p->t.worker, &r, 1);
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
        redis_place_maintain(p);
    }
    started = clock_monotonic_us() - started;
    print_message("dead: a fill, a read and upkeep took %u ns\n", (unsigned)(started / 10));
    assert_true(started < 2 * REDIS_PLACE_BUSY_MS * MS);
    redis_place_read_notes(p);
    assert_non_null(p->notes);
    /* It is told once. */
    assert_null(strstr(strstr(p->notes, "cannot be used") + 1, "cannot be used"));
}

/* A server that takes no more data: what is there is used until it is too old, and no longer. */
static void a_full_server_is_no_more_than_old(void **state)
{
    struct redis_place *p = *state;
    uint64_t end;

    redis_place_take_notes(p);
    redis_test_server_do(p->server, "CONFIG SET maxmemory 1");
    cache_test_append(&p->t, 150, 1, true);
    end = clock_monotonic_us() + (REDIS_PLACE_SHORT_MS + REDIS_PLACE_SLACK_MS) * MS;
    while (clock_monotonic_us() < end) {
        redis_place_maintain(p);
        usleep(5 * MS);
    }
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_test_server_do(p->server, "CONFIG SET maxmemory 0");
    redis_place_maintain_until_hit(p);
    redis_place_read_notes(p);
    assert_non_null(strstr(p->notes, "OOM command not allowed"));
}

/* ---- Logging in, TLS ---- */

static void a_user_and_a_password_are_used_and_never_told(void **state)
{
    struct redis_place *p = *state;
    char url[700];

    redis_test_server_do(p->server, "ACL SETUSER logmill on >s3cret%%@:/ ~logmill:* +@all "
                                    "-@dangerous +info");
    redis_test_server_do(p->server, "ACL SETUSER default resetkeys nocommands");
    snprintf(url, sizeof(url), "unix://logmill:s3cret%%25@:%%2f@%s", p->server->socket_path);
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    cache_test_append(&p->t, 150, 1, true);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_HIT);

    redis_place_take_notes(p);
    snprintf(url, sizeof(url), "unix://logmill:wr0ng-pass@%s", p->server->socket_path);
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    redis_place_read_notes(p);
    print_message("%s", p->notes);
    assert_non_null(strstr(p->notes, "it refuses us: WRONGPASS"));
    assert_ptr_equal(strchr(p->notes, '\n'), p->notes + strlen(p->notes) - 1); /* one line */
    assert_null(strstr(p->notes, "wr0ng-pass"));
}

static void a_user_who_may_do_nothing_is_told_in_one_line(void **state)
{
    struct redis_place *p = *state;
    char url[700];

    redis_test_server_do(p->server, "ACL SETUSER nobody on >pw +auth");
    snprintf(url, sizeof(url), "unix://nobody:pw@%s", p->server->socket_path);
    redis_place_take_notes(p);
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    for (int i = 0; i < 20; i++) {
        redis_place_maintain(p);
        assert_int_equal(cache_test_last(&p->t, 10), CACHE_BYPASS);
    }
    redis_place_read_notes(p);
    print_message("%s", p->notes);
    assert_non_null(strstr(p->notes, "NOPERM"));
    assert_ptr_equal(strchr(p->notes, '\n'), p->notes + strlen(p->notes) - 1);
}

static void a_password_alone_and_a_database_over_tcp(void **state)
{
    static const char *const arguments[] = {"--requirepass", "pw", NULL};
    struct redis_place *p = *state;
    char url[100];

    redis_test_server_free(p->server);
    p->server = redis_test_server_new_port(arguments, false);
    snprintf(url, sizeof(url), "redis://:pw@127.0.0.1:%u/3", p->server->port);
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    snprintf(url, sizeof(url), "redis://:pw@localhost:%u/3", p->server->port); /* a name */
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    snprintf(url, sizeof(url), "redis://:pw@127.0.0.1:%u", p->server->port);
    cache_test_reopen(&p->t, redis_place_open(url, REDIS_PLACE_LONG_MS));
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS),
                     CACHE_BYPASS); /* that is database 0 */
}

static struct cache *open_tls(const char *host, unsigned port, const char *ca_file)
{
    struct errbuf err = ERRBUF_INIT;
    char url[100];
    struct cache *cache;

    snprintf(url, sizeof(url), "rediss://%s:%u", host, port);
    cache = cache_redis_new(&(struct cache_redis_options){.url = url,
                                                          .ca_file = ca_file,
                                                          .max_logs = REDIS_PLACE_LOGS,
                                                          .rebuild_ms = REDIS_PLACE_LONG_MS},
                            &err);
    if (!cache)
        fail_msg("no cache: %s", err.text);
    return cache;
}

static void tls_is_spoken_and_the_certificate_verified(void **state)
{
    struct redis_place *p = *state;
    char ca_file[600];

    redis_test_server_free(p->server);
    p->server = redis_test_server_new_port(NULL, true);
    snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", p->server->directory);
    cache_test_reopen(&p->t, open_tls("127.0.0.1", p->server->port, ca_file));
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    cache_test_append(&p->t, 150, 100, true);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);

    redis_place_take_notes(p);
    cache_test_reopen(&p->t, open_tls("127.0.0.1", p->server->port, NULL)); /* the system's */
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_BYPASS);
    cache_test_reopen(&p->t, open_tls("localhost", p->server->port, ca_file)); /* not its name */
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_BYPASS);
    redis_place_read_notes(p);
    print_message("%s", p->notes);
    assert_non_null(strstr(p->notes, "its certificate is not accepted"));
    assert_non_null(strstr(p->notes, "ostname mismatch"));
}

static void a_server_that_speaks_no_tls_is_told(void **state)
{
    struct redis_place *p = *state;

    redis_test_server_free(p->server);
    p->server = redis_test_server_new_port(NULL, false);
    redis_place_take_notes(p);
    cache_test_reopen(&p->t, open_tls("127.0.0.1", p->server->port, NULL));
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_BYPASS);
    assert_non_null(strstr(redis_place_read_notes(p), "TLS handshake"));
}

static void a_file_that_holds_no_certificates_is_refused_at_the_start(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    assert_null(cache_redis_new(
        &(struct cache_redis_options){.url = "rediss://h", .ca_file = "/nonexistent"}, &err));
    assert_non_null(strstr(err.text, "certificates"));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, redis_place_set_up, redis_place_tear_down)
#define CASE_SHORT(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, redis_place_set_up_short, redis_place_tear_down)
    const struct CMUnitTest cases[] = {
        CASE(a_member_that_vanished_makes_readers_bypass),
        CASE(killed_and_back_empty_it_is_bypassed_until_rebuilt),
        CASE(back_with_old_data_it_is_bypassed_until_rebuilt),
        CASE(a_closed_idle_connection_costs_nothing),
        CASE(a_server_that_hangs_holds_no_reader_for_more_than_the_bound),
        CASE(a_server_that_hangs_holds_no_writer_and_what_it_missed_is_noticed),
        CASE(a_dead_server_costs_next_to_nothing),
        CASE_SHORT(a_full_server_is_no_more_than_old),
        CASE(a_user_and_a_password_are_used_and_never_told),
        CASE(a_user_who_may_do_nothing_is_told_in_one_line),
        CASE(a_password_alone_and_a_database_over_tcp),
        CASE(tls_is_spoken_and_the_certificate_verified),
        CASE(a_server_that_speaks_no_tls_is_told),
        cmocka_unit_test(a_file_that_holds_no_certificates_is_refused_at_the_start),
    };

    signal(SIGPIPE, SIG_IGN);
    diag_set_json(1);
    return cmocka_run_group_tests_name("faults of Redis", cases, NULL, NULL);
}
