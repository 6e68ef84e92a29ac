/* The store in PostgreSQL: its schema and partitions, and what the server can do to it. */
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "postgres_place.h"
#include "store/postgres/days.h"
#include "store/postgres/internal.h"

enum {
    MIGRATORS = 8,
    BATCH = 50,
    BATCHES = 60,
    KILLS = 4,
    SHARED = 2000,
    HOSTILE = 3000,
    RETRY_PAUSE_US = 20000,
    TRIES_MAX = 1000,
    ATTEMPTS = 200,
    STEP_S = 9,             /* of a step that takes long, and ends when the server is asked … */
    HOURS_S = 36000,        /* … or very long … */
    STEP_SILENCE_MS = 3000, /* … and this is how long a server may be silent meanwhile */
    SILENCE_MS = 1000,      /* instead of the usual patience with a server, a minute */
    SOON_US = 30000000,     /* much less than that patience, on a slow machine */
};

#define DAY_US (INT64_C(86400) * 1000000)

static const char partitions[] = "SELECT count(*) FROM pg_inherits WHERE inhparent = "
                                 "'logs'::regclass";

static struct record log_at(int64_t timestamp_us, uint32_t n)
{
    return store_test_record(timestamp_us, n, "info", "m", NULL);
}

static struct store_postgres_writer *writer_of(struct postgres_place *p)
{
    return (struct store_postgres_writer *)p->w;
}

/* Appends what must be stored in the end, as a worker does. */
static struct store_append_result insist(struct store_writer *w, const struct record *records,
                                         size_t n)
{
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    int error = LM_EUNAVAILABLE;

    for (int i = 0; error && i < TRIES_MAX; i++) {
        if (i > 0)
            usleep(RETRY_PAUSE_US);
        error = store_append(w, records, n, &result, &err);
        assert_int_not_equal(error, LM_EDATA);
    }
    if (error)
        fail_msg("never stored: %s", err.text);
    return result;
}

/* ---- Schema ---- */

static void *migrate(void *arg)
{
    struct store_postgres_options options = postgres_server_options(postgres_place_server, arg);
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_postgres_new(&options, &err);
    int error = store_migrate(s, &err);

    if (error)
        print_error("cannot migrate: %s\n", err.text);
    store_free(s);
    return (void *)(intptr_t)error;
}

static void any_number_may_migrate_at_once_and_once_more(void **state)
{
    char *database = postgres_server_database(postgres_place_server, "");
    pthread_t threads[MIGRATORS];
    void *error;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MIGRATORS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, migrate, database), 0);
        for (int i = 0; i < MIGRATORS; i++) {
            pthread_join(threads[i], &error);
            assert_null(error);
        }
    }
    postgres_server_drop(postgres_place_server, database);
}

/*
 * A database in which a step of the schema takes long, and whoever migrates it, with little
 * patience for a server that says nothing.
 */
struct migration {
    const char *setting; /* of the database; NULL: none */
    char *database;
    pthread_t thread;
    atomic_int asked;
    int asked_max; /* then it is told to stop */
    int error;
};

static bool goes_on(void *ctx)
{
    struct migration *m = ctx;

    return atomic_fetch_add(&m->asked, 1) < m->asked_max;
}

static void *migrate_patiently(void *arg)
{
    struct migration *m = arg;
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, m->database);
    struct store_patience patience = {.goes_on = goes_on, .ctx = m};
    struct errbuf err = ERRBUF_INIT;

    options.silence_ms = STEP_SILENCE_MS;
    struct store *s = store_postgres_new(&options, &err);
    m->error = store_migrate_patiently(s, &patience, &err);
    store_free(s);
    return NULL;
}

/* Returns when it is amid the step, for `seconds`. */
static void begin_migration(struct migration *m, int seconds)
{
    char sql[512];
    char *found;

    m->database = postgres_server_database(postgres_place_server, "");
    snprintf(sql, sizeof(sql),
             "CREATE FUNCTION take_long() RETURNS event_trigger LANGUAGE plpgsql AS "
             "'BEGIN PERFORM pg_sleep(%d) WHERE NOT EXISTS (SELECT FROM pg_trigger); END'; "
             "CREATE EVENT TRIGGER take_long ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER') "
             "EXECUTE FUNCTION take_long()",
             seconds);
    free(postgres_server_sql(postgres_place_server, m->database, sql));
    if (m->setting) {
        snprintf(sql, sizeof(sql), "ALTER DATABASE %s SET %s", m->database, m->setting);
        free(postgres_server_sql(postgres_place_server, m->database, sql));
    }
    assert_int_equal(pthread_create(&m->thread, NULL, migrate_patiently, m), 0);
    snprintf(sql, sizeof(sql),
             "SELECT pid FROM pg_stat_activity WHERE datname = '%s' AND wait_event = 'PgSleep'",
             m->database);
    for (bool amid = false; !amid; free(found)) {
        usleep(RETRY_PAUSE_US);
        found = postgres_server_sql(postgres_place_server, "postgres", sql);
        amid = found[0] != '\0';
    }
}

static void a_step_that_the_server_works_at_in_silence_is_waited_for(void **state)
{
    struct migration m = {.asked_max = INT_MAX};

    begin_migration(&m, STEP_S);
    pthread_join(m.thread, NULL);
    assert_int_equal(m.error, 0);
    assert_true(m.asked > 0);
    postgres_server_drop(postgres_place_server, m.database);
}

static void a_step_may_take_longer_than_a_statement_otherwise(void **state)
{
    struct migration m = {.setting = "statement_timeout = '4s'", .asked_max = INT_MAX};

    begin_migration(&m, STEP_S);
    pthread_join(m.thread, NULL);
    assert_int_equal(m.error, 0);
    postgres_server_drop(postgres_place_server, m.database);
}

static void a_server_that_freezes_amid_a_step_counts_as_gone(void **state)
{
    struct migration m = {.asked_max = INT_MAX};

    begin_migration(&m, HOURS_S);
    postgres_server_freeze(postgres_place_server);
    pthread_join(m.thread, NULL);
    postgres_server_thaw(postgres_place_server);
    assert_int_equal(m.error, LM_EUNAVAILABLE);
    postgres_server_drop(postgres_place_server, m.database);
}

static void who_waits_for_a_step_can_be_told_to_stop(void **state)
{
    struct migration m = {.asked_max = 2};

    begin_migration(&m, HOURS_S);
    pthread_join(m.thread, NULL);
    assert_int_equal(m.error, LM_ETIMEOUT);
    postgres_server_drop(postgres_place_server, m.database);
}

static void a_schema_of_a_newer_logmill_is_refused(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us(), 1);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    postgres_place_sql(p, "INSERT INTO logmill_schema(version) VALUES (99)");
    assert_int_equal(store_migrate(p->s, &err), LM_EINVAL);
    assert_non_null(strstr(err.text, "newer logmill"));
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EINVAL);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 0);
}

static void a_schema_that_a_newer_logmill_only_added_to_is_used(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us(), 1);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    postgres_place_sql(p, "ALTER TABLE logmill_schema ADD COLUMN IF NOT EXISTS "
                          "compatible_since int");
    postgres_place_sql(p, "ALTER TABLE logs ADD COLUMN tenant text NOT NULL DEFAULT ''");
    postgres_place_sql(p, "INSERT INTO logmill_schema(version, compatible_since)\n"
                          "SELECT 99, max(version) FROM logmill_schema");
    assert_int_equal(store_migrate(p->s, &err), 0);
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 1);
    assert_int_equal(postgres_place_number(p, "SELECT max(version) FROM logmill_schema"), 99);
}

static int count_one(const struct record *record, void *ctx)
{
    ++*(int *)ctx;
    return 0;
}

static void an_empty_database_is_told_from_a_broken_one(void **state)
{
    char *database = postgres_server_database(postgres_place_server, "");
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, database);
    struct record record = log_at(clock_wall_us(), 1);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_postgres_new(&options, &err);
    struct store_writer *w = store_test_writer(s);
    struct store_reader *r = store_test_reader(s);
    int rows = 0;

    assert_int_equal(store_append(w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "logmill migrate"));
    errbuf_set(&err, "%s", "");
    assert_int_equal(store_get(r, &record.key.id, store_test_collect, NULL, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "logmill migrate"));
    assert_int_equal(store_migrate(s, &err), 0);
    assert_int_equal(store_test_append(w, &record, 1).stored, 1);
    assert_int_equal(store_get(r, &record.key.id, count_one, &rows, &err), 0);
    assert_int_equal(rows, 1);
    store_reader_free(r);
    store_writer_free(w);
    store_free(s);
    postgres_server_drop(postgres_place_server, database);
}

static void the_role_is_no_superuser_and_every_column_has_a_comment(void **state)
{
    struct postgres_place *p = *state;

    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM pg_roles WHERE rolname = "
                                              "'tester' AND (rolsuper OR rolcreaterole OR "
                                              "rolcreatedb OR rolreplication)"),
                     0);
    assert_int_equal(
        postgres_place_number(p, "SELECT count(*) FROM pg_attribute WHERE attrelid IN "
                                 "('logs'::regclass, 'logmill_schema'::regclass) AND attnum > 0 "
                                 "AND col_description(attrelid, attnum) IS NOT NULL"),
        7);
    assert_int_equal(postgres_place_number(p, "SELECT count(obj_description(oid, 'pg_class')) FROM "
                                              "pg_class WHERE relname IN ('logs', 'logs_past', "
                                              "'logs_default', 'logmill_schema')"),
                     4);
}

/* ---- Commits ---- */

static void commits_are_synchronous_whatever_the_role_has_by_default(void **state)
{
    static const char *const settings[][2] = {{"off", "on"},
                                              {"local", "on"},
                                              {"remote_write", "on"},
                                              {"on", "on"},
                                              {"remote_apply", "remote_apply"}};
    struct postgres_place *p = *state;
    char sql[256];

    /* The level of each row tells what held when it was stored. */
    postgres_place_sql(p, "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS "
                          "'BEGIN new.level := current_setting(''synchronous_commit''); "
                          "RETURN new; END';"
                          "CREATE TRIGGER tell BEFORE INSERT ON logs FOR EACH ROW "
                          "EXECUTE FUNCTION tell()");
    for (uint32_t i = 0; i < 5; i++) {
        struct record record = log_at(clock_wall_us(), i);
        char *level;

        snprintf(sql, sizeof(sql), "ALTER ROLE tester SET synchronous_commit = %s", settings[i][0]);
        postgres_place_sql(p, sql);
        store_writer_free(p->w);
        p->w = store_test_writer(p->s);
        store_test_append(p->w, &record, 1);
        level = postgres_server_sql(postgres_place_server, p->database,
                                    "SELECT level FROM logs ORDER BY \"timestamp\" DESC LIMIT 1");
        assert_string_equal(level, settings[i][1]);
        free(level);
    }
    postgres_place_sql(p, "ALTER ROLE tester RESET synchronous_commit");
}

/* ---- Partitions ---- */

static void days_have_partitions_before_their_logs_come(void **state)
{
    struct postgres_place *p = *state;
    int64_t now_us = clock_wall_us();
    struct record records[] = {log_at(now_us, 1), log_at(now_us + DAY_US, 2),
                               log_at(now_us + 2 * DAY_US, 3), log_at(now_us - 5 * DAY_US, 4)};

    store_test_append(p->w, records, 1);
    assert_int_equal(postgres_place_number(p, partitions), 2 + 3);
    store_test_append(p->w, records, 4);
    assert_int_equal(postgres_place_number(p, partitions), 2 + 4);
    assert_int_equal(postgres_place_number(p, "SELECT count(DISTINCT tableoid) FROM logs"), 4);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 0);
}

static void hostile_timestamps_make_no_more_partitions_than_the_window_has_days(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = xcalloc(HOSTILE, sizeof(*records));
    int64_t now_us = clock_wall_us();

    for (uint32_t i = 0; i < HOSTILE; i++)
        records[i] = log_at(i % 2 == 0 ? now_us + ((int64_t)i - HOSTILE / 2) * DAY_US / 4
                                       : now_us + ((int64_t)i - HOSTILE / 2) * 100 * DAY_US,
                            i);
    assert_int_equal(store_test_append(p->w, records, HOSTILE).stored, HOSTILE);
    assert_int_equal(postgres_place_number(p, partitions), 2 + STORE_POSTGRES_DAYS_MAX);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), HOSTILE);
    free(records);
}

static char *today(void)
{
    static char digits[16];
    char text[TIMESTAMP_TEXT_LEN];

    timestamp_format(clock_wall_us(), text);
    snprintf(digits, sizeof(digits), "%.4s%.2s%.2s", text, text + 5, text + 8);
    return digits;
}

static void drop_today(struct postgres_place *p)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "DROP TABLE logs_%s", today());
    postgres_place_sql(p, sql);
}

static void new_writer(struct postgres_place *p)
{
    store_writer_free(p->w);
    p->w = store_test_writer(p->s);
}

static void rows_that_came_before_their_partition_are_moved_into_it(void **state)
{
    struct postgres_place *p = *state;
    struct record records[] = {log_at(clock_wall_us(), 1), log_at(clock_wall_us(), 2),
                               log_at(clock_wall_us() + 100 * DAY_US, 3)};
    struct store_append_result result;

    store_test_append(p->w, &records[2], 1);
    drop_today(p);
    store_test_append(p->w, records, 1); /* does not know that its partition is gone */
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 2);
    new_writer(p);
    result = store_test_append(p->w, records, 3);
    assert_int_equal(result.stored, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 3);
}

/* Whatever their columns are called, demand and do: they are the user's. */
static void columns_that_others_added_stop_no_partition(void **state)
{
    struct postgres_place *p = *state;
    struct record records[] = {log_at(clock_wall_us(), 1), log_at(clock_wall_us(), 2)};
    struct store_append_result result;

    postgres_place_sql(p, "ALTER TABLE logs ADD COLUMN \"Long\" int NOT NULL "
                          "GENERATED ALWAYS AS (length(message)) STORED, "
                          "ADD COLUMN \"it's\" text NOT NULL DEFAULT 'theirs'");
    store_test_append(p->w, &records[0], 1);
    drop_today(p);
    store_test_append(p->w, &records[0], 1);
    postgres_place_sql(p, "UPDATE logs SET \"it's\" = 'kept'");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 1);
    new_writer(p);
    result = store_test_append(p->w, records, 2); /* a repeat goes another way */
    assert_int_equal(result.stored, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs WHERE \"Long\" = 1"), 2);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs WHERE \"it's\" = 'kept'"),
                     1);
}

static void a_partition_that_cannot_be_made_stops_nobody(void **state)
{
    struct postgres_place *p = *state;
    struct record records[] = {log_at(clock_wall_us(), 1), log_at(clock_wall_us(), 2)};
    PGconn *other = postgres_server_connect(postgres_place_server, p->database);

    /* Somebody reads for a long time what must be locked. */
    PQclear(PQexec(other, "BEGIN; SELECT * FROM logs"));
    assert_int_equal(store_test_append(p->w, records, 1).stored, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 1);
    /* One wait is enough for a while, whoever is next. */
    new_writer(p);
    assert_true(atomic_load(&writer_of(p)->s->days_retry_us) > clock_monotonic_us());
    assert_int_equal(store_test_append(p->w, records, 2).stored, 1);
    PQfinish(other);
    /* That while is over for a process that starts. */
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    p->s = postgres_place_open(p->database);
    p->r = store_test_reader(p->s);
    p->w = store_test_writer(p->s);
    assert_int_equal(store_test_append(p->w, records, 2).stored, 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 2);
}

/* It says so of every log, with the code of a log that passes a limit; the functions play it. */
static void a_server_without_transactions_left_is_no_bad_data(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us(), 1);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    postgres_place_sql(p, "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
                          "BEGIN RAISE 'no commands' USING ERRCODE = '54000'; END $$;"
                          "CREATE TRIGGER refuse BEFORE INSERT ON arrivals FOR EACH ROW "
                          "EXECUTE FUNCTION public.refuse()");
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EDATA);
    postgres_place_sql(p, "CREATE FUNCTION public.pg_current_xact_id() RETURNS xid8 "
                          "LANGUAGE plpgsql AS $$ "
                          "BEGIN RAISE 'no commands' USING ERRCODE = '54000'; END $$;"
                          "ALTER ROLE tester SET search_path = public, pg_catalog");
    store_writer_free(p->w);
    p->w = store_writer_new(p->s, &err);
    assert_non_null(p->w);
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "no commands"));
    postgres_place_sql(p, "ALTER ROLE tester RESET search_path;"
                          "DROP FUNCTION public.pg_current_xact_id();"
                          "DROP TRIGGER refuse ON arrivals");
    assert_int_equal(insist(p->w, &record, 1).stored, 1);
}

static void without_any_partition_for_a_row_it_is_no_bad_data(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us() + 100 * DAY_US, 1);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    postgres_place_sql(p, "ALTER TABLE logs DETACH PARTITION logs_default");
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    postgres_place_sql(p, "ALTER TABLE logs ATTACH PARTITION logs_default DEFAULT");
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
}

struct appending {
    struct store_writer *w;
    struct record records[2];
    struct store_append_result result;
    struct errbuf err;
    int error;
};

static void *append_two(void *arg)
{
    struct appending *a = arg;

    a->error = store_append(a->w, a->records, 2, &a->result, &a->err);
    return NULL;
}

/* Until the server has chosen logs_default for the rows, and is kept from it. */
static void await_waiting(struct postgres_place *p)
{
    postgres_place_await(p,
                         "SELECT count(*) FROM pg_locks WHERE NOT granted AND "
                         "relation = 'logs_default'::regclass",
                         1);
}

static void a_day_that_gets_its_partition_meanwhile_takes_its_logs(void **state)
{
    struct postgres_place *p = *state;
    struct appending a = {.w = p->w, .err = ERRBUF_INIT};
    pthread_t thread;

    for (uint32_t i = 0; i < 2; i++)
        a.records[i] = log_at(clock_wall_us() + 100 * DAY_US, i);
    store_test_append(p->w, a.records, 1); /* there is a connection, and a repeat */
    for (int n = 0; n < 2; n++) {
        PGconn *other = postgres_server_connect(postgres_place_server, p->database);

        postgres_place_sql(p, "DELETE FROM logs");
        store_test_append(p->w, a.records, (size_t)n);
        PQclear(PQexec(other, "BEGIN; CREATE TABLE theirs (LIKE logs INCLUDING ALL); "
                              "LOCK TABLE logs_default; "
                              "INSERT INTO theirs SELECT * FROM logs_default; "
                              "DELETE FROM logs_default; ALTER TABLE logs ATTACH PARTITION theirs "
                              "FOR VALUES FROM (now() + interval '90 days') "
                              "TO (now() + interval '110 days')"));
        assert_int_equal(PQtransactionStatus(other), PQTRANS_INTRANS);
        assert_int_equal(pthread_create(&thread, NULL, append_two, &a), 0);
        await_waiting(p);
        PQclear(PQexec(other, "COMMIT"));
        pthread_join(thread, NULL);
        PQfinish(other);
        if (a.error)
            fail_msg("cannot append: %s", a.err.text);
        assert_int_equal(a.result.stored, 2 - n);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM theirs"), 2);
        postgres_place_sql(p, "DROP TABLE theirs");
    }
}

/* Makes ATTACH wait, when it is done and nobody sees it yet, for an advisory lock. */
static PGconn *hold_attaching(struct postgres_place *p)
{
    PGconn *other = postgres_server_connect(postgres_place_server, p->database);

    postgres_place_sql(
        p, "CREATE FUNCTION wait() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
           "WHILE NOT pg_try_advisory_xact_lock(7) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$; "
           "CREATE EVENT TRIGGER wait ON ddl_command_end WHEN TAG IN ('ALTER TABLE') "
           "EXECUTE FUNCTION wait()");
    PQclear(PQexec(other, "SELECT pg_advisory_lock(7)"));
    return other;
}

static void *append_one(void *arg)
{
    struct appending *a = arg;

    a->error = store_append(a->w, a->records, 1, &a->result, &a->err);
    return NULL;
}

static void *read_all(void *arg)
{
    struct postgres_place *p = arg;
    struct log_query query = store_test_query(10);

    store_test_run(p->r, &query, &p->rows);
    return NULL;
}

/* Appends a log of today, whose partition is made anew; returns when that is to be committed. */
static pthread_t start_moving(struct postgres_place *p, struct appending *a)
{
    pthread_t thread;

    new_writer(p);
    *a = (struct appending){p->w, .records = {log_at(clock_wall_us(), 2)}, .err = ERRBUF_INIT};
    assert_int_equal(pthread_create(&thread, NULL, append_one, a), 0);
    postgres_place_await(p, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
                         1);
    return thread;
}

static void put_one_before_its_partition(struct postgres_place *p, struct record *record)
{
    *record = log_at(clock_wall_us(), 1);
    store_test_append(p->w, record, 1);
    drop_today(p);
    store_test_append(p->w, record, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 1);
}

static void rows_are_found_while_they_are_moved(void **state)
{
    struct postgres_place *p = *state;
    struct record before;
    struct appending a;
    pthread_t reader;

    put_one_before_its_partition(p, &before);
    read_all(p); /* there is a connection */
    assert_int_equal(p->rows.len, 1);
    PGconn *other = hold_attaching(p);
    pthread_t mover = start_moving(p, &a);
    assert_int_equal(pthread_create(&reader, NULL, read_all, p), 0);
    postgres_place_await(p, "SELECT count(*) FROM pg_locks WHERE NOT granted", 1);
    PQfinish(other);
    pthread_join(mover, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(a.error, 0);
    assert_in_range(p->rows.len, 1, 2);
    store_test_assert_equal(&p->rows.items[p->rows.len - 1], &before);
}

static void nobody_waits_while_much_is_looked_through(void **state)
{
    struct postgres_place *p = *state;
    struct record before;
    struct appending a;

    put_one_before_its_partition(p, &before);
    postgres_place_sql(p, "INSERT INTO logs_default SELECT now() + interval '90 days', "
                          "gen_random_uuid(), 'info', repeat('m', 1000) "
                          "FROM generate_series(1, 20000)");
    PGconn *other = hold_attaching(p);
    pthread_t mover = start_moving(p, &a);
    long locks = postgres_place_number(p, "SELECT count(*) FROM pg_locks WHERE relation = "
                                          "'logs'::regclass AND mode = 'AccessExclusiveLock'");
    PQfinish(other);
    pthread_join(mover, NULL);
    assert_int_equal(locks, 0);
    assert_int_equal(a.error, 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 20000);
}

/* ---- Expiring ---- */

static void expiring_drops_whole_days_and_deletes_from_the_last(void **state)
{
    struct postgres_place *p = *state;
    int64_t now_us = clock_wall_us();
    int64_t today_us = now_us - now_us % DAY_US;
    struct record records[40];
    struct errbuf err = ERRBUF_INIT;
    size_t deleted;

    for (uint32_t i = 0; i < 40; i++)
        records[i] = log_at(today_us - (int64_t)(i / 2) * 3 * DAY_US + i % 2 * 1000000, i);
    store_test_append(p->w, records, 40);
    /* 11 days of the window have a log, and 2 are ahead; 9 older ones are in logs_past. */
    assert_int_equal(postgres_place_number(p, partitions), 2 + 11 + 2);
    assert_int_equal(
        store_expire(p->w, today_us - 15 * DAY_US + 500000, 1000, &deleted, &(bool){false}, &err),
        0);
    assert_int_equal(deleted, 40 - 10 - 1);
    assert_int_equal(postgres_place_number(p, partitions), 2 + 6 + 2);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 11);
    assert_int_equal(store_expire(p->w, INT64_MIN, 1000, &deleted, &(bool){false}, &err), 0);
    assert_int_equal(deleted, 0);
}

static void expiring_goes_on_beside_a_long_reader(void **state)
{
    struct postgres_place *p = *state;
    int64_t now_us = clock_wall_us();
    struct record records[] = {log_at(now_us - 5 * DAY_US, 1), log_at(now_us, 2)};
    PGconn *other = postgres_server_connect(postgres_place_server, p->database);
    struct errbuf err = ERRBUF_INIT;
    uint64_t start_us = clock_monotonic_us();
    size_t deleted;

    store_test_append(p->w, records, 2);
    PQclear(PQexec(other, "BEGIN; SELECT * FROM logs"));
    assert_int_equal(store_expire(p->w, now_us - 3 * DAY_US, 1000, &deleted, &(bool){false}, &err),
                     0);
    assert_int_equal(deleted, 1);
    assert_true(clock_monotonic_us() - start_us < SOON_US);
    records[0] = log_at(now_us, 3);
    store_test_append(p->w, records, 1);
    PQfinish(other);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 2);
}

/* ---- The server goes ---- */

struct appender {
    struct store *s;
    uint32_t first; /* number of a log */
};

/* Appends numbered batches, insisting on each; ends when all are stored. */
static void *append_all(void *arg)
{
    struct appender *a = arg;
    struct store_writer *w = store_test_writer(a->s);
    int64_t start_us = clock_wall_us();

    for (uint32_t k = 0; k < BATCHES; k++) {
        struct record records[BATCH];
        struct store_append_result result;

        for (uint32_t i = 0; i < BATCH; i++)
            records[i] = log_at(start_us + k * BATCH + i, a->first + k * BATCH + i);
        result = insist(w, records, BATCH);
        /* All of a batch or none of it. */
        assert_true(result.stored == BATCH || result.repeated == BATCH);
        usleep(RETRY_PAUSE_US);
    }
    store_writer_free(w);
    return NULL;
}

static void kill_9_of_the_server_loses_and_repeats_nothing(void **state)
{
    struct postgres_place *p = *state;
    struct appender appenders[2] = {{p->s, 0}, {p->s, BATCH * BATCHES}};
    struct log_query query = store_test_query(1);
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_all, &appenders[i]), 0);
    for (int i = 0; i < KILLS; i++) {
        usleep(150000 + (unsigned)random() % 200000);
        postgres_server_kill(postgres_place_server);
        usleep((unsigned)random() % 100000);
        postgres_server_start(postgres_place_server);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 2 * BATCH * BATCHES);
    assert_int_equal(postgres_place_number(p, "SELECT count(DISTINCT id) FROM logs"),
                     2 * BATCH * BATCHES);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
}

static void terminate_sessions(struct postgres_place *p)
{
    postgres_place_sql(p, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                          "WHERE usename = 'tester'");
}

static void an_idle_session_that_was_ended_is_not_noticed(void **state)
{
    struct postgres_place *p = *state;
    struct record records[] = {log_at(clock_wall_us(), 1), log_at(clock_wall_us(), 2)};
    struct log_query query = store_test_query(10);

    store_test_append(p->w, &records[0], 1);
    store_test_run(p->r, &query, &p->rows);
    terminate_sessions(p);
    store_test_append(p->w, &records[1], 1);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 2);
    postgres_server_kill(postgres_place_server);
    postgres_server_start(postgres_place_server);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 2);
}

static void a_server_that_is_away_fails_calls_at_once_and_heals(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us(), 1);
    struct log_query query = store_test_query(10);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    uint64_t start_us;

    postgres_server_kill(postgres_place_server);
    start_us = clock_monotonic_us();
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    assert_int_equal(store_query(p->r, &query, store_test_collect, &p->rows, &err),
                     LM_EUNAVAILABLE);
    assert_int_equal(store_migrate(p->s, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_null(strpbrk(err.text, "\n\t"));
    assert_null(strstr(err.text, "  "));
    assert_null(strstr(err.text, "sesame"));
    assert_true(clock_monotonic_us() - start_us < SOON_US);
    postgres_server_start(postgres_place_server);
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
}

static void a_read_only_server_is_waited_for(void **state)
{
    struct postgres_place *p = *state;
    struct record record = log_at(clock_wall_us(), 1);
    struct log_query query = store_test_query(10);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    postgres_place_sql(p, "ALTER ROLE tester SET default_transaction_read_only = on");
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "25006"));
    store_test_run(p->r, &query, &p->rows);
    postgres_place_sql(p, "ALTER ROLE tester RESET default_transaction_read_only");
    assert_int_equal(store_test_append(p->w, &record, 1).stored, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs_default"), 0);
}

static void a_server_without_free_connections_is_waited_for(void **state)
{
    struct postgres_place *p = *state;
    struct store_postgres_options o = postgres_server_options(postgres_place_server, p->database);
    const char *keywords[] = {"host", "port", "user", "password", "dbname", NULL};
    const char *values[] = {o.host, o.port, o.user, o.password, o.name, NULL};
    struct record record = log_at(clock_wall_us(), 1);
    PGconn *others[POSTGRES_SERVER_CONNECTIONS];
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    for (int i = 0; i < POSTGRES_SERVER_CONNECTIONS; i++)
        others[i] = PQconnectdbParams(keywords, values, 0);
    assert_int_equal(store_append(p->w, &record, 1, &result, &err), LM_EUNAVAILABLE);
    for (int i = 0; i < POSTGRES_SERVER_CONNECTIONS; i++)
        PQfinish(others[i]);
    assert_int_equal(insist(p->w, &record, 1).stored, 1);
}

static void a_frozen_server_counts_as_gone(void **state)
{
    struct postgres_place *p = *state;
    struct record records[] = {log_at(clock_wall_us(), 1), log_at(clock_wall_us(), 2)};
    struct log_query query = store_test_query(10);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    uint64_t start_us;

    store_test_append(p->w, &records[0], 1);
    store_test_run(p->r, &query, &p->rows);
    unsigned patience_ms = writer_of(p)->conn.silence_ms;
    writer_of(p)->conn.silence_ms = SILENCE_MS;
    ((struct store_postgres_reader *)p->r)->conn.silence_ms = SILENCE_MS;
    postgres_server_freeze(postgres_place_server);
    start_us = clock_monotonic_us();
    assert_int_equal(store_append(p->w, &records[1], 1, &result, &err), LM_EUNAVAILABLE);
    assert_int_equal(store_query(p->r, &query, store_test_collect, &p->rows, &err),
                     LM_EUNAVAILABLE);
    assert_true(clock_monotonic_us() - start_us < SOON_US);
    postgres_server_thaw(postgres_place_server);
    writer_of(p)->conn.silence_ms = patience_ms;
    insist(p->w, records, 2);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 2);
}

/* ---- Cancelling ---- */

static void *cancel_soon(void *reader)
{
    usleep(300000);
    store_reader_cancel(reader);
    return NULL;
}

static void expect_cancel(struct postgres_place *p)
{
    struct log_query query = store_test_query(10);
    struct errbuf err = ERRBUF_INIT;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, p->r), 0);
    /* Without it nothing would end the query but the patience with the server: another error. */
    assert_int_equal(store_query(p->r, &query, store_test_collect, &p->rows, &err), LM_ETIMEOUT);
    pthread_join(thread, NULL);
}

static void a_cancel_ends_a_query_here_and_on_the_server(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = store_test_query(10);
    PGconn *other = postgres_server_connect(postgres_place_server, p->database);
    long left = 1;

    store_test_run(p->r, &query, &p->rows);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE logs"));
    expect_cancel(p);
    for (int i = 0; left > 0 && i < TRIES_MAX; i++) {
        usleep(RETRY_PAUSE_US);
        left = postgres_place_number(p, "SELECT count(*) FROM pg_stat_activity WHERE usename = "
                                        "'tester' AND state = 'active'");
    }
    assert_int_equal(left, 0);
    PQfinish(other);
    store_test_run(p->r, &query, &p->rows);
}

static void a_cancel_does_not_wait_for_a_frozen_server(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = store_test_query(10);

    store_test_run(p->r, &query, &p->rows);
    postgres_server_freeze(postgres_place_server);
    expect_cancel(p);
    postgres_server_thaw(postgres_place_server);
    store_test_run(p->r, &query, &p->rows);
}

/* ---- Two at once ---- */

struct shuffled {
    struct store *s;
    struct record *records;
    size_t stored;
    bool backwards;
};

static void *append_shuffled(void *arg)
{
    struct shuffled *sh = arg;
    struct store_writer *w = store_test_writer(sh->s);

    for (size_t i = 0; i < SHARED; i += BATCH) {
        struct record batch[BATCH];

        for (size_t k = 0; k < BATCH; k++)
            batch[k] = sh->records[i + (sh->backwards ? BATCH - 1 - k : k)];
        sh->stored += insist(w, batch, BATCH).stored;
    }
    store_writer_free(w);
    return NULL;
}

static void two_writers_with_the_same_logs_store_each_once(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = xcalloc(SHARED, sizeof(*records));
    struct shuffled both[2] = {{.s = p->s, .records = records},
                               {.s = p->s, .records = records, .backwards = true}};
    int64_t now_us = clock_wall_us();
    pthread_t threads[2];

    for (uint32_t i = 0; i < SHARED; i++)
        records[i] = log_at(now_us + i, i);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_shuffled, &both[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(both[0].stored + both[1].stored, SHARED);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), SHARED);
    free(records);
}

/* ---- Where to ---- */

static void a_url_that_is_wrong_is_refused_without_showing_it(void **state)
{
    static const char *const wrong[] = {
        "postgres://u:sec@ret@host/db",
        "postgres://u:sec/ret@host/db",
        "postgres://u:12/3@host/db",
        "postgres://u:sec?x@ret@h/db",
        "postgres://u:secret@host:port/db",
        "postgres://u:secret%@host/db",
        "host=h password='secret",
        "secret",
        "postgres://u:secret@host/db?nonsense=secret",
    };
    struct errbuf err;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct store_postgres_options options = {.url = wrong[i]};

        if (store_postgres_new(&options, &err))
            fail_msg("taken: %s", wrong[i]);
        assert_null(strstr(err.text, "sec"));
        assert_null(strstr(err.text, "ret"));
    }
}

/* One session calls itself so, once those that have just ended are gone. */
static void expect_one_session(struct postgres_place *p, const char *name)
{
    char sql[128];
    int64_t n = 0;

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'", name);
    for (int i = 0; n != 1 && i < TRIES_MAX; i++) {
        if (i > 0)
            usleep(RETRY_PAUSE_US);
        n = postgres_place_number(p, sql);
    }
    assert_int_equal(n, 1);
}

static void a_url_and_parts_join_and_libpqs_own_settings_hold(void **state)
{
    struct postgres_place *p = *state;
    struct store_postgres_options parts =
        postgres_server_options(postgres_place_server, p->database);
    char url[512];
    struct store_postgres_options options = {.url = url, .name = parts.name};
    struct record record = log_at(clock_wall_us(), 1);
    struct errbuf err = ERRBUF_INIT;
    struct store *s;
    struct store_writer *w;

    snprintf(url, sizeof(url), "postgresql://tester:sesame@127.0.0.1:%s/nowhere?application_name=x",
             parts.port);
    s = store_postgres_new(&options, &err);
    w = store_test_writer(s);
    store_test_append(w, &record, 1);
    expect_one_session(p, "x");
    store_writer_free(w);
    store_free(s);
    store_test_append(p->w, &record, 1);
    expect_one_session(p, "logmill");
    /* sslmode is libpq's: this server has no TLS. */
    snprintf(url, sizeof(url), "postgresql://tester:sesame@127.0.0.1:%s/%s?sslmode=require",
             parts.port, parts.name);
    options.name = NULL;
    s = store_postgres_new(&options, &err);
    assert_int_equal(store_migrate(s, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "SSL"));
    store_free(s);
    /* Several hosts, of which the first is away. */
    snprintf(url, sizeof(url),
             "postgresql://tester:sesame@127.0.0.1:1,127.0.0.1:%s/%s?target_session_attrs="
             "read-write",
             parts.port, parts.name);
    s = store_postgres_new(&options, &err);
    assert_int_equal(store_migrate(s, &err), 0);
    store_free(s);
}

static void a_wrong_password_is_named_but_not_shown(void **state)
{
    struct postgres_place *p = *state;
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, p->database);
    struct errbuf err = ERRBUF_INIT;
    struct store *s;

    options.password = "not so secret";
    s = store_postgres_new(&options, &err);
    assert_int_equal(store_migrate(s, &err), LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "password authentication failed for user \"tester\""));
    assert_null(strstr(err.text, "secret"));
    store_free(s);
}

/* ---- Connecting ---- */

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;

    assert_non_null(tasks);
    while (readdir(tasks))
        n++;
    closedir(tasks);
    return n;
}

/* Its last steps free what OpenSSL keeps for a thread: a process that ends must not cut them off.
 */
static void what_an_attempt_came_to_is_taken_from_no_running_thread(void **state)
{
    struct store_postgres_address address = {.keywords = {"host", "port"},
                                             .values = {(char *)"127.0.0.1", (char *)"1"}};
    int threads = count_threads();

    for (int i = 0; i < ATTEMPTS; i++) {
        struct store_postgres_connect *c = store_postgres_connect_new(&address);
        struct pollfd fd = {.events = POLLIN};
        PGconn *pg;

        assert_non_null(c);
        fd.fd = store_postgres_connect_fd(c);
        assert_int_equal(poll(&fd, 1, 60000), 1);
        pg = store_postgres_connect_take(c);
        assert_true(count_threads() <= threads); /* one of a test before may have ended */
        assert_int_equal(PQstatus(pg), CONNECTION_BAD);
        PQfinish(pg);
        store_postgres_connect_free(c);
    }
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(any_number_may_migrate_at_once_and_once_more),
        CASE(a_step_that_the_server_works_at_in_silence_is_waited_for),
        CASE(a_step_may_take_longer_than_a_statement_otherwise),
        CASE(a_server_that_freezes_amid_a_step_counts_as_gone),
        CASE(who_waits_for_a_step_can_be_told_to_stop),
        CASE(a_schema_of_a_newer_logmill_is_refused),
        CASE(a_schema_that_a_newer_logmill_only_added_to_is_used),
        CASE(an_empty_database_is_told_from_a_broken_one),
        CASE(the_role_is_no_superuser_and_every_column_has_a_comment),
        CASE(commits_are_synchronous_whatever_the_role_has_by_default),
        CASE(days_have_partitions_before_their_logs_come),
        CASE(hostile_timestamps_make_no_more_partitions_than_the_window_has_days),
        CASE(rows_that_came_before_their_partition_are_moved_into_it),
        CASE(columns_that_others_added_stop_no_partition),
        CASE(a_partition_that_cannot_be_made_stops_nobody),
        CASE(without_any_partition_for_a_row_it_is_no_bad_data),
        CASE(a_day_that_gets_its_partition_meanwhile_takes_its_logs),
        CASE(rows_are_found_while_they_are_moved),
        CASE(nobody_waits_while_much_is_looked_through),
        CASE(a_server_without_transactions_left_is_no_bad_data),
        CASE(expiring_drops_whole_days_and_deletes_from_the_last),
        CASE(expiring_goes_on_beside_a_long_reader),
        CASE(kill_9_of_the_server_loses_and_repeats_nothing),
        CASE(an_idle_session_that_was_ended_is_not_noticed),
        CASE(a_server_that_is_away_fails_calls_at_once_and_heals),
        CASE(a_read_only_server_is_waited_for),
        CASE(a_server_without_free_connections_is_waited_for),
        CASE(a_frozen_server_counts_as_gone),
        CASE(a_cancel_ends_a_query_here_and_on_the_server),
        CASE(a_cancel_does_not_wait_for_a_frozen_server),
        CASE(two_writers_with_the_same_logs_store_each_once),
        CASE(a_url_that_is_wrong_is_refused_without_showing_it),
        CASE(a_url_and_parts_join_and_libpqs_own_settings_hold),
        CASE(a_wrong_password_is_named_but_not_shown),
        CASE(what_an_attempt_came_to_is_taken_from_no_running_thread),
    };
    int failed;

    if (!postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    diag_set_level(DIAG_ERROR); /* partitions that cannot be made are told of on purpose */
    failed = cmocka_run_group_tests_name("store_postgres faults", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
