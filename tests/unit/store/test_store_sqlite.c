/* The embedded store: what every store promises, and the faults of a file. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "content_conformance.h"
#include "erase_conformance.h"
#include "scan_conformance.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/internal.h"
#include "store_test_support.h"

enum {
    BATCH = 100,
    PAGED = 100000,
    CROWD = 20000,
    PAGE = 1000,
    LIMIT_BYTES = 1 << 20,
};

#define T0 INT64_C(1767225600000000)

static void *create(void)
{
    return temp_directory_new();
}

static void destroy(void *directory)
{
    temp_directory_free(directory);
}

static struct store *open_place(void *directory)
{
    struct errbuf err = ERRBUF_INIT;

    return store_sqlite_new(directory, &err);
}

static struct store *open_small(void *directory)
{
    const struct store_sqlite_sizes sizes = {.block_rows = 64,
                                             .segment_blocks = 8,
                                             .seal_rows = 200,
                                             .keep_rows = 50,
                                             .late_rows = 100,
                                             .key_blocks = 4,
                                             .takeover_rows = 150,
                                             .compact_bytes = 200000};
    struct errbuf err = ERRBUF_INIT;

    return store_sqlite_new_sized(directory, &sizes, &err);
}

static struct store *open_tiny(void *directory)
{
    const struct store_sqlite_sizes sizes = {.block_rows = 5,
                                             .segment_blocks = 3,
                                             .segment_bytes = 4000,
                                             .row_bytes = 1500,
                                             .seal_rows = 11,
                                             .seal_bytes = 6000,
                                             .keep_rows = 3,
                                             .keep_bytes = 1000,
                                             .late_rows = 7,
                                             .late_bytes = 3000,
                                             .key_blocks = 2,
                                             .takeover_rows = 9,
                                             .compact_bytes = 5000};
    struct errbuf err = ERRBUF_INIT;

    return store_sqlite_new_sized(directory, &sizes, &err);
}

struct place {
    char *directory;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_test_rows rows;
};

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->directory = temp_directory_new();
    p->s = open_place(p->directory);
    *state = p;
    return 0;
}

static void open_both(struct place *p)
{
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    store_test_rows_release(&p->rows);
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    temp_directory_free(p->directory);
    free(p);
    return 0;
}

static char *file_path(const struct place *p)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    return path;
}

/* Runs SQL as a person with the sqlite3 program; `text` gets the first row's first column. */
static void run_sql(const struct place *p, const char *sql, char text[256])
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_open(file_path(p), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(stmt) == SQLITE_ROW && text)
        snprintf(text, 256, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static int add_up(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static uint64_t count_logs(const struct place *p)
{
    struct log_stats_query query = {.bucket_us = 1000000};
    struct errbuf err = ERRBUF_INIT;
    uint64_t n = 0;

    log_filter_init(&query.filter);
    query.filter.since_us = T0;
    assert_int_equal(store_test_stats(p->r, &query, add_up, &n, &err), 0);
    return n;
}

static void a_page_of_old_rows_is_an_index_search_without_a_sort(void **state)
{
    static const char *const statements[] = {store_sqlite_old_records, store_sqlite_old_nth};
    struct place *p = *state;
    struct store_sqlite_reader *r;

    open_both(p);
    r = (struct store_sqlite_reader *)p->r;
    for (int i = 0; i < 2; i++) {
        char explain[1024];
        sqlite3_stmt *stmt;

        snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", statements[i]);
        assert_int_equal(sqlite3_prepare_v2(r->db.handle, explain, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW)
            assert_non_null(strstr((const char *)sqlite3_column_text(stmt, 3),
                                   "SEARCH logs USING PRIMARY KEY"));
        sqlite3_finalize(stmt);
    }
}

/* Leaves CROWD logs in the table of an older logmill. */
static void leave_old_crowd(const struct place *p, int64_t start_us, int64_t times)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_open(file_path(p), &db), SQLITE_OK);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    assert_int_equal(
        sqlite3_prepare_v2(db, "INSERT INTO logs VALUES(?, ?, 'info', 'm', NULL)", -1, &stmt, NULL),
        SQLITE_OK);
    for (uint32_t i = 0; i < CROWD; i++) {
        struct log_key key = store_test_record(start_us + i % times, i, "", "", NULL).key;

        sqlite3_bind_int64(stmt, 1, key.timestamp_us);
        sqlite3_bind_blob(stmt, 2, key.id.bytes, sizeof(key.id.bytes), SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static int steps_of_get(const struct place *p, const char *sql, int64_t timestamp_us)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)p->r;
    struct record last = store_test_record(timestamp_us, CROWD - 1, "info", "m", NULL);
    struct errbuf err = ERRBUF_INIT;
    struct store_test_rows one = {0};
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite_db_statement(&r->db, sql, &stmt, &err), 0);
    sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(store_get(p->r, &last.key.id, store_test_collect, &one, &err), 0);
    assert_int_equal(one.len, 1);
    store_test_rows_release(&one);
    return sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void an_old_row_is_found_by_few_searches_whatever_is_beside_it(void **state)
{
    struct place *p = *state;

    open_both(p);
    leave_old_crowd(p, T0, 1);
    leave_old_crowd(p, T0 + 1000, 1000);
    leave_old_crowd(p, -CROWD, CROWD);
    assert_true(steps_of_get(p, store_sqlite_old_get, T0) < 200);
    assert_true(steps_of_get(p, store_sqlite_old_get, T0 + 1000 + (CROWD - 1) % 1000) < 100 * 1000);
    assert_true(steps_of_get(p, store_sqlite_old_get_early, -1) < 200);
}

static void a_person_can_read_the_view_of_old_rows(void **state)
{
    struct place *p = *state;
    char text[256];

    open_both(p);
    run_sql(p,
            "INSERT INTO logs VALUES(-1, x'00000000000070008000000000abcdef', 'info', 'm', NULL)",
            NULL);
    run_sql(p, "SELECT timestamp || ' ' || id || ' ' || level FROM logs_readable", text);
    assert_string_equal(text,
                        "1969-12-31T23:59:59.999999Z 00000000-0000-7000-8000-000000abcdef info");
}

static void a_row_that_a_trigger_refuses_is_bad_data_and_nothing_is_stored(void **state)
{
    struct place *p = *state;
    struct record records[] = {
        store_test_record(T0, 1, "info", "good", NULL),
        store_test_record(T0, 2, "info", "bad", NULL),
        store_test_record(T0, 3, "info", "good", NULL),
    };
    struct log_query query = store_test_query(10);
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    open_both(p);
    run_sql(p,
            "CREATE TRIGGER no_bad BEFORE INSERT ON recent WHEN instr(new.logs, x'626164') > 0 "
            "BEGIN SELECT raise(ABORT, 'bad is not allowed'); END",
            NULL);
    assert_int_equal(store_append(p->w, records, 3, &result, &err), LM_EDATA);
    assert_non_null(strstr(err.text, "bad is not allowed"));
    assert_int_equal(result.stored, 0);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 0);
    records[1].message = SLICE_LITERAL("fine");
    assert_int_equal(store_test_append(p->w, records, 3).stored, 3);
}

static void a_file_that_is_no_database_is_named(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    FILE *f = fopen(file_path(p), "w");

    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", f);
    fclose(f);
    assert_int_equal(store_migrate(p->s, &err), LM_EIO);
    assert_non_null(strstr(err.text, file_path(p)));
    assert_null(store_reader_new(p->s, &err));
    assert_null(store_writer_new(p->s, &err));
}

static void a_file_of_a_newer_logmill_is_refused(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(store_migrate(p->s, &err), 0);
    run_sql(p, "PRAGMA user_version=99", NULL);
    run_sql(p, "UPDATE logmill_compatible SET since=99", NULL);
    assert_int_equal(store_migrate(p->s, &err), LM_EINVAL);
    assert_non_null(strstr(err.text, "newer logmill"));
    assert_null(store_reader_new(p->s, &err));
}

static void append_until_failure(struct place *p, uint32_t *n, int expected)
{
    struct record records[BATCH];
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    int error = 0;

    for (int k = 0; !error && k < 1000; k++) {
        for (uint32_t i = 0; i < BATCH; i++)
            records[i] = store_test_record(T0 + *n + i, *n + i, "info", "some message", NULL);
        error = store_append(p->w, records, BATCH, &result, &err);
        *n += error ? 0 : BATCH;
    }
    assert_int_equal(error, expected);
}

static void a_full_disk_fails_appends_and_heals_by_itself(void **state)
{
    struct place *p = *state;
    struct rlimit none;
    struct rlimit small;
    uint32_t n = 0;

    open_both(p);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &none), 0);
    small = (struct rlimit){.rlim_cur = LIMIT_BYTES, .rlim_max = none.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    append_until_failure(p, &n, LM_EFULL);
    assert_true(n > 0);
    append_until_failure(p, &n, LM_EFULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    append_until_failure(p, &n, 0);
    assert_int_equal(count_logs(p), n);
}

/* Appends for ever, telling the parent after each batch. */
static void append_and_tell(const char *directory, int out)
{
    struct store *s = open_place((char *)directory);
    struct store_writer *w = store_test_writer(s);
    struct record records[BATCH];

    for (uint32_t n = 0;; n += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++)
            records[i] = store_test_record(T0 + n + i, n + i, "info", "m", NULL);
        store_test_append(w, records, BATCH);
        if (write(out, &n, sizeof(n)) != sizeof(n))
            _exit(1);
    }
}

static void what_was_appended_survives_kill_9(void **state)
{
    struct place *p = *state;
    uint64_t told = 0;
    uint32_t n;
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0)
        append_and_tell(p->directory, fds[1]);
    close(fds[1]);
    for (int i = 0; i < 20; i++)
        assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
    kill(pid, SIGKILL);
    told = n + BATCH;
    while (read(fds[0], &n, sizeof(n)) == sizeof(n))
        told = n + BATCH;
    close(fds[0]);
    waitpid(pid, NULL, 0);

    open_both(p);
    assert_true(count_logs(p) >= told);
    assert_int_equal(count_logs(p) % BATCH, 0); /* all of a batch or none */
}

struct appender {
    struct store *s;
    atomic_bool stop;
};

static void *append_newer(void *arg)
{
    struct appender *a = arg;
    struct store_writer *w = store_test_writer(a->s);
    struct record records[10];

    for (uint32_t n = 0; !atomic_load(&a->stop); n += 10) {
        for (uint32_t i = 0; i < 10; i++)
            records[i] = store_test_record(T0 + PAGED + n + i, n + i, "info", "newer", NULL);
        store_test_append(w, records, 10);
        usleep(1000);
    }
    store_writer_free(w);
    return NULL;
}

static void paging_through_many_is_quick_and_exact_while_more_come(void **state)
{
    struct place *p = *state;
    struct appender appender = {.s = p->s};
    struct log_query query = store_test_query(PAGE);
    struct record *records = xcalloc(PAGED, sizeof(*records));
    uint64_t start = clock_monotonic_us();
    pthread_t thread;
    size_t left = PAGED;

    open_both(p);
    for (uint32_t i = 0; i < PAGED; i++)
        records[i] = store_test_record(T0 + i / 3, i, "info", "old", NULL);
    assert_int_equal(store_test_append(p->w, records, PAGED).stored, PAGED);
    assert_int_equal(pthread_create(&thread, NULL, append_newer, &appender), 0);
    usleep(100000);
    do {
        store_test_run(p->r, &query, &p->rows);
        for (size_t i = 0; i < p->rows.len; i++) {
            if (p->rows.items[i].key.timestamp_us < T0 + PAGED)
                assert_int_equal(log_key_compare(&p->rows.items[i].key, &records[--left].key), 0);
        }
        query.has_cursor = true;
        if (p->rows.len > 0)
            query.cursor = p->rows.items[p->rows.len - 1].key;
    } while (p->rows.len == PAGE);
    assert_int_equal(left, 0);
    atomic_store(&appender.stop, true);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_us() - start < 60000000);
    free(records);
}

static void a_reader_cannot_write(void **state)
{
    struct place *p = *state;
    struct store_sqlite_reader *r;

    open_both(p);
    r = (struct store_sqlite_reader *)p->r;
    assert_int_equal(sqlite3_exec(r->db.handle, "DELETE FROM logs", NULL, NULL, NULL),
                     SQLITE_READONLY);
}

static void a_cancel_ends_a_search_that_finds_nothing(void **state)
{
    struct place *p = *state;
    struct log_query query = store_test_query(10);
    struct record *records = xcalloc(PAGED, sizeof(*records));
    struct errbuf err = ERRBUF_INIT;
    struct store_sqlite_reader *r;

    open_both(p);
    for (uint32_t i = 0; i < PAGED; i++)
        records[i] = store_test_record(T0 + i, i, "info", "old", NULL);
    store_test_append(p->w, records, PAGED);
    free(records);
    /* As if the cancel came just after the start: no second thread, no luck needed. */
    r = (struct store_sqlite_reader *)p->r;
    assert_int_equal(store_sqlite_reader_begin(r, &err), 0);
    store_reader_cancel(p->r);
    assert_int_equal(
        sqlite3_exec(r->db.handle,
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)"
                     "SELECT count(*) FROM n",
                     NULL, NULL, NULL),
        SQLITE_INTERRUPT);
    assert_int_equal(store_sqlite_reader_end(r, LM_ETIMEOUT), LM_ETIMEOUT);
    query.filter.text = SLICE_LITERAL("nothing has this");
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    /* The same answers, however logs are kept: with small sizes all of it happens all the time. */
    const struct store_conformance conformances[] = {
        {"store_sqlite", create, destroy, open_place, .keeps_spelling = true},
        {"store_sqlite, small, kept", create, destroy, open_small, .keeps_spelling = true,
         .has_keeper = true},
        {"store_sqlite, tiny, kept", create, destroy, open_tiny, .keeps_spelling = true,
         .has_keeper = true},
    };
    const struct CMUnitTest cases[] = {
        CASE(a_page_of_old_rows_is_an_index_search_without_a_sort),
        CASE(an_old_row_is_found_by_few_searches_whatever_is_beside_it),
        CASE(a_person_can_read_the_view_of_old_rows),
        CASE(a_row_that_a_trigger_refuses_is_bad_data_and_nothing_is_stored),
        CASE(a_file_that_is_no_database_is_named),
        CASE(a_file_of_a_newer_logmill_is_refused),
        CASE(a_full_disk_fails_appends_and_heals_by_itself),
        CASE(what_was_appended_survives_kill_9),
        CASE(paging_through_many_is_quick_and_exact_while_more_come),
        CASE(a_reader_cannot_write),
        CASE(a_cancel_ends_a_search_that_finds_nothing),
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof(conformances) / sizeof(conformances[0]); i++)
        failed += store_conformance_run(&conformances[i]) + scan_conformance_run(&conformances[i]) +
                  content_conformance_run(&conformances[i]) +
                  erase_conformance_run(&conformances[i]);

    return failed + cmocka_run_group_tests_name("store_sqlite faults", cases, NULL, NULL);
}
