/* The store in PostgreSQL: reads that are slow, and a server that is silent while one reads. */
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "postgres_place.h"
#include "query/language.h"
#include "store/postgres/internal.h"

enum {
    LOGS = 400,
    SLICE_MS = 100,
    CANCELS = 30,
    AT_ONCE_US = 3000000, /* less than the time in which a connection is given up, 5 s */
    LISTED_TRIES = 100,
    LISTED_PAUSE_US = 10000,
};

static struct log_matcher *matcher_of_all(int64_t since_us)
{
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = since_us;
    struct log_matcher *m = log_matcher_new(&f);
    assert_non_null(m);
    return m;
}

/* ---- Slices of time ---- */

/* Stores LOGS logs of this second; looking at one then takes 3 ms, whatever the plan. */
static int64_t append_slow(struct postgres_place *p)
{
    struct record *records = xcalloc(LOGS, sizeof(*records));
    int64_t now_us = clock_wall_us();

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] = store_test_record(now_us + i / 4, i, "info", "m", NULL);
    store_test_append(p->w, records, LOGS);
    free(records);
    postgres_place_sql(p, "ALTER TABLE logs ENABLE ROW LEVEL SECURITY;"
                          "ALTER TABLE logs FORCE ROW LEVEL SECURITY;"
                          "CREATE POLICY slow ON logs USING (pg_sleep(0.003)::text IS NOT NULL)");
    return now_us;
}

static int backend(struct postgres_place *p)
{
    return PQbackendPID(((struct store_postgres_reader *)p->r)->conn.pg);
}

struct slices {
    int n;
    int pid;
};

static struct store_slice begin_slice(void)
{
    return (struct store_slice){.rows = 100000,
                                .until_us = clock_monotonic_us() + SLICE_MS * UINT64_C(1000)};
}

/* It was on the same connection: what ran out of time was ended by the server alone. */
static void end_slice(struct postgres_place *p, struct slices *s)
{
    if (s->n++ > 0)
        assert_int_equal(s->pid, backend(p));
    s->pid = backend(p);
    assert_true(s->n < 1000);
}

/* All logs take more than twice what a slice and a statement may: no slice can have more. */
static void a_slice_that_ran_out_of_time_keeps_what_came(void **state)
{
    struct postgres_place *p = *state;
    struct log_matcher *m = matcher_of_all(append_slow(p) - 1000);
    struct slices slices = {0};
    struct store_scan scan;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = begin_slice();
        struct errbuf err = ERRBUF_INIT;

        if (store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err) != 0)
            fail_msg("%s", err.text);
        end_slice(p, &slices);
    }
    assert_true(slices.n > 2);
    assert_int_equal(p->rows.len, LOGS);
    for (uint32_t i = 1; i < LOGS; i++)
        assert_true(log_key_compare(&p->rows.items[i].key, &p->rows.items[i - 1].key) < 0);
    log_matcher_unref(m);
}

/* The server has no way to tell whether a path of theirs has such a text. */
static struct log_matcher *matcher_of_path(int64_t since_us, const char *text)
{
    struct query_mistake mistake;
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = since_us;
    if (query_parse(slice_of_string(text), since_us, NULL, &f.query, &mistake))
        fail_msg("%s", mistake.message);
    struct log_matcher *m = log_matcher_new(&f);
    assert_non_null(m);
    query_unref(f.query);
    return m;
}

/* Each of the slices has no time left when it begins: its statement's rows are worth more than one
 * log. */
static void rows_that_came_late_are_matched_all_the_same(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = xcalloc(LOGS, sizeof(*records));
    int64_t now_us = clock_wall_us();
    struct store_scan scan;
    int n = 0;

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] =
            store_test_record(now_us + i / 4, i, "info", "m", "{\"a\":{\"b\":\"some text\"}}");
    store_test_append(p->w, records, LOGS);
    free(records);
    struct log_matcher *m = matcher_of_path(now_us - 1000, "a.b:*me*");
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = {.rows = 100000, .until_us = 1};
        struct errbuf err = ERRBUF_INIT;

        if (store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(n++ < LOGS / 4);
    }
    assert_int_equal(p->rows.len, LOGS);
    log_matcher_unref(m);
}

/* From `cursor` on to the next log, which has to be there; how many windows that took. */
static size_t windows_to_next(struct postgres_place *p, struct log_matcher *m,
                              const struct log_key *cursor, struct log_key *place)
{
    const struct store_slice slice = {.rows = 1};
    struct block_explain explain = {0};
    struct errbuf err = ERRBUF_INIT;
    uint32_t before = p->rows.len;
    struct store_scan scan;

    store_scan_init(&scan, m, cursor, 0);
    scan.explain = &explain;
    while (!scan.done && p->rows.len == before)
        if (store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err))
            fail_msg("%s", err.text);
    assert_int_equal(p->rows.len, before + 1);
    *place = scan.before;
    return explain.windows;
}

/* By hours without logs a scan has come to long windows: who goes on from there begins with them.
 */
static void who_goes_on_begins_where_the_scan_had_come_to(void **state)
{
    struct postgres_place *p = *state;
    int64_t now_us = clock_wall_us(), hour_us = INT64_C(3600) * 1000000;
    struct record records[3];
    struct log_key place, ignored;

    for (uint32_t i = 0; i < 3; i++)
        records[i] = store_test_record(now_us - i * 6 * hour_us, i, "info", "some text", NULL);
    store_test_append(p->w, records, 3);
    struct log_matcher *m = matcher_of_path(now_us - 1000 * hour_us, "me");
    struct log_matcher *other = matcher_of_path(now_us - 1001 * hour_us, "me");
    (void)windows_to_next(p, m, NULL, &place);
    (void)windows_to_next(p, m, &place, &place);
    size_t windows = windows_to_next(p, m, &place, &ignored);
    assert_true(windows < windows_to_next(p, other, &place, &ignored));
    log_matcher_unref(other);
    log_matcher_unref(m);
}

/* ---- A time that is over after the last row ---- */

/*
 * Stands between. A server whose time for a statement is over when it has just answered says so
 * afterwards: it takes a machine under load, or this.
 */
struct relay {
    int listener, port, server_port;
    atomic_bool armed; /* for the next pipeline */
    atomic_bool done;
};

static const char OUT_OF_TIME[] = "SERROR\0VERROR\0C57014\0Mcanceling statement due to statement "
                                  "timeout\0";

static void relay_bytes(int to, const char *bytes, size_t n)
{
    for (ssize_t k; n > 0; bytes += k, n -= (size_t)k) {
        k = send(to, bytes, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
    }
}

static void relay_out_of_time(int client)
{
    char head[5] = {'E', 0, 0, 0, (char)(4 + sizeof(OUT_OF_TIME))};

    relay_bytes(client, head, sizeof(head));
    relay_bytes(client, OUT_OF_TIME, sizeof(OUT_OF_TIME));
}

/* Passes messages of the server on, up to the one that ends the pipeline; before that, an error. */
static bool relay_pipeline(int server, int client)
{
    static char message[1 << 16];
    size_t len;

    do {
        if (recv(server, message, 5, MSG_WAITALL) != 5)
            return false;
        len = ((size_t)(unsigned char)message[3] << 8) + (unsigned char)message[4] + 1;
        if (len < 5 || len > sizeof(message) ||
            recv(server, message + 5, len - 5, MSG_WAITALL) != (ssize_t)(len - 5))
            return false;
        if (message[0] == 'Z')
            relay_out_of_time(client);
        relay_bytes(client, message, len);
    } while (message[0] != 'Z');
    return true;
}

static bool relay_from_client(struct relay *relay, int client, int server)
{
    static char bytes[1 << 16];
    ssize_t n = recv(client, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return false;
    relay_bytes(server, bytes, (size_t)n);
    if (atomic_exchange(&relay->armed, false))
        atomic_store(&relay->done, relay_pipeline(server, client));
    return true;
}

static void relay_connection(struct relay *relay, int client, int server)
{
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    static char bytes[1 << 16];
    bool open = true;

    while (open && poll(fds, 2, -1) > 0) {
        if (fds[0].revents) {
            open = relay_from_client(relay, client, server);
        } else if (fds[1].revents) {
            ssize_t n = recv(server, bytes, sizeof(bytes), 0);

            open = n > 0;
            relay_bytes(client, bytes, open ? (size_t)n : 0);
        }
    }
}

/* Of one connection after the other, until the listener is shut down. */
static void *relay_main(void *arg)
{
    struct relay *relay = arg;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)relay->server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int client; (client = accept(relay->listener, NULL, NULL)) >= 0; close(client)) {
        int server = socket(AF_INET, SOCK_STREAM, 0);

        if (server >= 0 && connect(server, (struct sockaddr *)&to, sizeof(to)) == 0)
            relay_connection(relay, client, server);
        if (server >= 0)
            close(server);
    }
    return NULL;
}

static void relay_listen(struct relay *relay)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    relay->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (relay->listener < 0 || bind(relay->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(relay->listener, 8) != 0 ||
        getsockname(relay->listener, (struct sockaddr *)&at, &len) != 0)
        fail_msg("no socket to listen at");
    relay->port = ntohs(at.sin_port);
}

/* Scans all, in slices of time: what one of them failed by, if one did. */
static void scan_by(struct store_reader *r, struct log_matcher *m, struct store_test_rows *rows)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = begin_slice();

        if (store_scan_next(r, &scan, &slice, store_test_collect, rows, &err))
            fail_msg("%s", err.text);
    }
}

static void what_runs_out_of_time_after_its_last_row_has_answered(void **state)
{
    struct postgres_place *p = *state;
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, p->database);
    struct relay relay = {.server_port = (int)strtol(options.port, NULL, 10)};
    struct record records[10];
    int64_t now_us = clock_wall_us();
    struct log_matcher *m = matcher_of_all(now_us - 1000);
    struct store_test_rows rows = {0};
    struct errbuf err = ERRBUF_INIT;
    pthread_t thread;
    char port[8];

    for (uint32_t i = 0; i < 10; i++)
        records[i] = store_test_record(now_us + i, i, "info", "m", NULL);
    store_test_append(p->w, records, 10);
    relay_listen(&relay);
    assert_int_equal(pthread_create(&thread, NULL, relay_main, &relay), 0);
    snprintf(port, sizeof(port), "%d", relay.port);
    options.port = port;
    struct store *s = store_postgres_new(&options, &err);
    struct store_reader *r = store_test_reader(s);

    scan_by(r, m, &rows); /* it is connected */
    assert_int_equal(rows.len, 10);
    atomic_store(&relay.armed, true);
    scan_by(r, m, &rows);
    assert_true(atomic_load(&relay.done));
    assert_int_equal(rows.len, 20);
    store_test_rows_release(&rows);
    store_reader_free(r);
    store_free(s);
    shutdown(relay.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(relay.listener);
    log_matcher_unref(m);
}

/* ---- Filters ---- */

/* A statement that runs out of its time is for nothing: what may be rare is looked for in little.
 */
static void a_page_of_what_may_be_rare_begins_with_a_minute(void **state)
{
    struct postgres_place *p = *state;
    const struct store_postgres_statement *st = &((struct store_postgres_reader *)p->r)->statement;
    struct log_query query = store_test_query(1);

    query.filter.until_us = clock_wall_us() - 300000000;
    struct record record =
        store_test_record(query.filter.until_us - 1000, 1, "info", "seen once", NULL);
    store_test_append(p->w, &record, 1);
    query.filter.text = SLICE_LITERAL("seen");
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
    /* $1: where the window begins */
    assert_int_equal(store_postgres_wire_time(st->values[0]), query.filter.until_us - 60000000);
}

static const char *statement(struct postgres_place *p)
{
    return ((struct store_postgres_reader *)p->r)->statement.sql.data;
}

static void the_level_is_asked_before_the_text(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = store_test_query(3);

    query.filter.text = SLICE_LITERAL("timed");
    query.filter.levels[query.filter.levels_len++] = SLICE_LITERAL("error");
    query.filter.since_us = clock_wall_us();
    store_test_run(p->r, &query, &p->rows);
    const char *level =
        strstr(statement(p), "CASE WHEN ((octet_length(level) IN (5, 3) AND lower(level");
    assert_non_null(level);
    assert_non_null(strstr(level, "THEN ((message"));
}

/* The only letters that are not ASCII and whose small ones are. */
static void a_text_in_ascii_finds_the_kelvin_sign_and_i_with_a_dot(void **state)
{
    static const struct {
        const char *text, *level;
    } asked[] = {
        {"300 k", NULL},  {"300 K", NULL},   {"istanbul", NULL}, {"IN ISTANBUL", NULL},
        {"kin", "info"},  {"kin", "Ink"},    {"kin", "INFO"},    {"300 k", "ink"},
        {"kinx", "info"}, {"300 k", "warn"}, {"300", "INK"},
    };
    size_t all = 0;
    struct postgres_place *p = *state;
    int64_t now_us = clock_wall_us();
    const struct record records[] = {
        store_test_record(now_us, 1, "info", "300 \xe2\x84\xaa\xc4\xb0n \xc4\xb0stanbul", NULL),
        store_test_record(now_us, 2, "\xc4\xb0NFO", "kin in istanbul", NULL),
        store_test_record(now_us, 3, "in\xe2\x84\xaa", "300 kin in \xc4\xb0STANBUL", NULL),
    };

    store_test_append(p->w, records, 3);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct log_query query = store_test_query(10);
        size_t n = 0;

        query.filter.text = slice_of_string(asked[i].text);
        if (asked[i].level)
            query.filter.levels[query.filter.levels_len++] = slice_of_string(asked[i].level);
        for (size_t k = 0; k < 3; k++)
            n += store_test_matches(&query.filter, &records[k]);
        store_test_run(p->r, &query, &p->rows);
        assert_int_equal(p->rows.len, n);
        all += n;
    }
    assert_true(all > 10);
}

/* ---- Counts ---- */

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static void counting_that_ran_out_of_time_counts_each_once(void **state)
{
    struct postgres_place *p = *state;
    int64_t now_us = append_slow(p);
    struct log_matcher *m = matcher_of_all(now_us - 1000);
    struct slices slices = {0};
    struct store_scan scan;
    uint64_t total = 0;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = begin_slice();
        struct errbuf err = ERRBUF_INIT;

        if (store_scan_count(p->r, &scan, &slice, now_us - 1000, 1000000, add_count, &total,
                             &err) != 0)
            fail_msg("%s", err.text);
        end_slice(p, &slices);
    }
    assert_true(slices.n > 2);
    assert_int_equal(total, LOGS);
    log_matcher_unref(m);
}

/* Of all logs at once it would say nothing for longer than who is gone may. */
static void a_slow_server_is_not_taken_for_one_that_is_gone(void **state)
{
    struct postgres_place *p = *state;
    struct log_matcher *m = matcher_of_all(append_slow(p) - 1000);
    const struct store_slice no_end = {.rows = 1};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    uint64_t total = 0;

    ((struct store_postgres_reader *)p->r)->conn.silence_ms = 1000;
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        if (store_scan_count(p->r, &scan, &no_end, 0, INT64_C(1000000), add_count, &total, &err))
            fail_msg("%s", err.text);
    assert_int_equal(total, LOGS);
    log_matcher_unref(m);
}

static void nothing_is_held_between_slices(void **state)
{
    struct postgres_place *p = *state;
    struct log_matcher *m = matcher_of_all(append_slow(p) - 1000);
    struct errbuf err = ERRBUF_INIT;
    const struct store_slice slice = begin_slice();
    struct store_scan scan;

    store_scan_init(&scan, m, NULL, 0);
    assert_int_equal(store_scan_next(p->r, &scan, &slice, store_test_collect, &p->rows, &err), 0);
    assert_false(scan.done);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM pg_stat_activity WHERE "
                                              "usename = 'tester' AND state <> 'idle'"),
                     0);
    /* What would wait for any reader does not. */
    postgres_place_sql(p, "SET lock_timeout = '100ms'; LOCK TABLE logs IN ACCESS EXCLUSIVE MODE");
    log_matcher_unref(m);
}

/* ---- A silent server ---- */

static void *cancel_soon(void *reader)
{
    uint64_t start_us;

    usleep(100000);
    start_us = clock_monotonic_us();
    store_reader_cancel(reader);
    return (void *)(uintptr_t)(clock_monotonic_us() - start_us);
}

/* A call that waits is ended by a cancel, and the cancel itself waits for nothing. */
static void expect_cancel(struct postgres_place *p)
{
    struct uuid id = uuid7_new(clock_wall_us());
    struct errbuf err = ERRBUF_INIT;
    pthread_t thread;
    void *took_us;

    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, p->r), 0);
    assert_int_equal(store_get(p->r, &id, store_test_collect, &p->rows, &err), LM_ETIMEOUT);
    pthread_join(thread, &took_us);
    assert_true((uintptr_t)took_us < AT_ONCE_US);
}

static int threads_now(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* A thread that was joined may be listed for a moment more. */
static void assert_at_most_threads(int n)
{
    for (int i = 0; threads_now() > n && i < LISTED_TRIES; i++)
        usleep(LISTED_PAUSE_US);
    assert_in_range(threads_now(), 0, n);
}

static void assert_reads_again(struct postgres_place *p)
{
    struct record record = store_test_record(clock_wall_us(), 1, "info", "m", NULL);
    struct errbuf err = ERRBUF_INIT;

    store_test_append(p->w, &record, 1);
    if (store_get(p->r, &record.key.id, store_test_collect, &p->rows, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(p->rows.len, 1);
}

/* The kernel takes the connection, and nobody ever greets: not even who connects has to wait. */
static void a_cancel_ends_connecting_to_a_silent_server(void **state)
{
    struct postgres_place *p = *state;
    int threads = threads_now();

    postgres_server_freeze(postgres_place_server);
    for (int i = 0; i < CANCELS; i++)
        expect_cancel(p);
    assert_at_most_threads(threads + 2);
    postgres_server_thaw(postgres_place_server);
    assert_reads_again(p);
}

static void cancels_that_a_silent_server_does_not_answer_are_few(void **state)
{
    struct postgres_place *p = *state;
    struct store_reader *readers[CANCELS];
    int threads = threads_now();

    assert_reads_again(p);
    for (int i = 0; i < 16; i++) {
        struct uuid id = uuid7_new(clock_wall_us());
        struct errbuf err = ERRBUF_INIT;

        readers[i] = store_test_reader(p->s);
        assert_int_equal(store_get(readers[i], &id, store_test_collect, &p->rows, &err),
                         LM_ENOTFOUND);
    }
    postgres_server_freeze(postgres_place_server);
    for (int i = 0; i < 16; i++) {
        struct store_reader *kept = p->r;

        p->r = readers[i];
        expect_cancel(p);
        p->r = kept;
    }
    assert_at_most_threads(threads + 8);
    postgres_server_thaw(postgres_place_server);
    for (int i = 0; i < 16; i++)
        store_reader_free(readers[i]);
}

/* A reader that goes leaves the attempt behind, which ends by itself. */
static void a_reader_is_freed_at_once_while_it_connects(void **state)
{
    struct postgres_place *p = *state;
    uint64_t start_us;

    postgres_server_freeze(postgres_place_server);
    expect_cancel(p);
    start_us = clock_monotonic_us();
    store_reader_free(p->r);
    assert_true(clock_monotonic_us() - start_us < AT_ONCE_US);
    postgres_server_thaw(postgres_place_server);
    p->r = store_test_reader(p->s);
    assert_reads_again(p);
}

static void an_attempt_that_failed_long_ago_is_not_told_to_the_next_call(void **state)
{
    struct postgres_place *p = *state;

    postgres_server_freeze(postgres_place_server);
    expect_cancel(p);
    postgres_server_kill(postgres_place_server);
    usleep(300000); /* the attempt fails, and nobody looks */
    postgres_server_start(postgres_place_server);
    assert_reads_again(p);
}

static void a_connection_that_was_ended_before_it_was_used_is_made_anew(void **state)
{
    struct postgres_place *p = *state;

    postgres_server_freeze(postgres_place_server);
    expect_cancel(p);
    postgres_server_thaw(postgres_place_server);
    usleep(500000); /* the attempt succeeds, and nobody looks */
    postgres_place_sql(p, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE usename = 'tester'");
    usleep(200000);
    assert_reads_again(p);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_slice_that_ran_out_of_time_keeps_what_came),
        CASE(rows_that_came_late_are_matched_all_the_same),
        CASE(who_goes_on_begins_where_the_scan_had_come_to),
        CASE(counting_that_ran_out_of_time_counts_each_once),
        CASE(a_slow_server_is_not_taken_for_one_that_is_gone),
        CASE(what_runs_out_of_time_after_its_last_row_has_answered),
        CASE(a_page_of_what_may_be_rare_begins_with_a_minute),
        CASE(the_level_is_asked_before_the_text),
        CASE(a_text_in_ascii_finds_the_kelvin_sign_and_i_with_a_dot),
        CASE(nothing_is_held_between_slices),
        CASE(a_cancel_ends_connecting_to_a_silent_server),
        CASE(cancels_that_a_silent_server_does_not_answer_are_few),
        CASE(a_reader_is_freed_at_once_while_it_connects),
        CASE(an_attempt_that_failed_long_ago_is_not_told_to_the_next_call),
        CASE(a_connection_that_was_ended_before_it_was_used_is_made_anew),
    };
    int failed;

    if (!postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    diag_set_level(DIAG_ERROR);
    failed = cmocka_run_group_tests_name("store_postgres reads", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
