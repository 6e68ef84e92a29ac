/* Holding back what is written to a log must never show: not to others, not to ourselves. */
#include "sqlite/vfs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "sqlite/db.h"

static const char *const steps[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY, y TEXT)"};
static char path[1024];

static int set_up(void **state)
{
    *state = temp_directory_new();
    snprintf(path, sizeof(path), "%s/x.db", (char *)*state);
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

static void open_ours(struct sqlite_db *db)
{
    struct sqlite_db_options options = {
        .path = path, .steps = steps, .steps_len = 1, .cache_kib = 16};
    struct errbuf err = ERRBUF_INIT;

    assert_non_null(sqlite_vfs_name());
    assert_int_equal(sqlite_db_open(db, &options, &err), 0);
}

static sqlite3 *open_plain(void)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

static int first_column(void *out, int n, char **values, char **names)
{
    *(long long *)out = strtoll(values[0], NULL, 10);
    return 0;
}

static long long ask(sqlite3 *db, const char *sql)
{
    long long value = -1;

    assert_int_equal(sqlite3_exec(db, sql, first_column, &value, NULL), SQLITE_OK);
    return value;
}

static void do_sql(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void what_is_committed_is_there_for_others_at_once(void **state)
{
    struct sqlite_db ours;
    sqlite3 *plain;

    open_ours(&ours);
    plain = open_plain();
    for (int i = 1; i <= 200; i++) {
        char sql[128];

        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(%d, hex(zeroblob(%d)))", i, i * 50);
        do_sql(ours.handle, sql);
        assert_int_equal(ask(plain, "SELECT count(*) FROM t"), i);
    }
    assert_int_equal(ask(plain, "SELECT sum(length(y)) FROM t"), 200 * 201 / 2 * 100);
    sqlite3_close(plain);
    sqlite_db_close(&ours);
}

static void a_transaction_larger_than_the_cache_reads_its_own_pages(void **state)
{
    struct sqlite_db ours;
    sqlite3 *plain;

    open_ours(&ours); /* a cache of 16 KiB: pages go to the log before the commit */
    do_sql(ours.handle, "BEGIN");
    do_sql(ours.handle,
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
           "INSERT INTO t SELECT i, hex(zeroblob(200)) FROM n");
    do_sql(ours.handle, "UPDATE t SET y = y || 'z' WHERE x % 2");
    assert_int_equal(ask(ours.handle, "SELECT sum(length(y)) FROM t"), 3000 * 400 + 1500);
    do_sql(ours.handle, "COMMIT");
    plain = open_plain();
    assert_int_equal(ask(plain, "SELECT sum(length(y)) FROM t"), 3000 * 400 + 1500);
    do_sql(plain, "PRAGMA integrity_check");
    sqlite3_close(plain);
    sqlite_db_close(&ours);
}

static void two_writers_take_turns(void **state)
{
    struct sqlite_db ours;
    sqlite3 *plain;

    open_ours(&ours);
    plain = open_plain();
    for (int i = 0; i < 100; i++) {
        do_sql(ours.handle, "INSERT INTO t(y) VALUES('ours')");
        do_sql(plain, "INSERT INTO t(y) VALUES('plain')");
    }
    assert_int_equal(ask(ours.handle, "SELECT count(*) FROM t"), 200);
    sqlite3_close(plain);
    sqlite_db_close(&ours);
}

static void a_write_that_fails_late_fails_the_commit(void **state)
{
    struct rlimit old, low;
    struct sqlite_db ours;
    sqlite3 *plain;

    open_ours(&ours);
    do_sql(ours.handle, "INSERT INTO t VALUES(1, 'before')");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = (struct rlimit){.rlim_cur = 24 * 1024, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_not_equal(sqlite3_exec(ours.handle, "INSERT INTO t VALUES(2, hex(zeroblob(20000)))",
                                      NULL, NULL, NULL),
                         SQLITE_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);

    plain = open_plain();
    assert_int_equal(ask(plain, "SELECT count(*) FROM t"), 1);
    do_sql(ours.handle, "INSERT INTO t VALUES(2, 'after')");
    assert_int_equal(ask(plain, "SELECT count(*) FROM t"), 2);
    sqlite3_close(plain);
    sqlite_db_close(&ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_committed_is_there_for_others_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_transaction_larger_than_the_cache_reads_its_own_pages,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_writers_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_fails_late_fails_the_commit, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
