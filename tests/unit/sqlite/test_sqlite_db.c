#include "sqlite/db.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"

enum { OPENERS = 6 };

static const char *const one_step[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY)"};
static const char *const two_steps[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY)",
                                        "ALTER TABLE t ADD COLUMN y; UPDATE t SET y = x * 2"};
static const char *const wrong_step[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY)",
                                         "CREATE TABLE u(x); CREATE TABLE t(x)"};

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

static struct sqlite_db_options options(const char *const *steps, int len)
{
    return (struct sqlite_db_options){.path = path, .steps = steps, .steps_len = len};
}

static int open_with(struct sqlite_db *db, const char *const *steps, int len)
{
    struct sqlite_db_options o = options(steps, len);
    struct errbuf err = ERRBUF_INIT;

    return sqlite_db_open(db, &o, &err);
}

/* A program with `steps` opens the file; it says that those that know `since` versions may. */
static int open_since(const char *const *steps, int len, int since, struct errbuf *err)
{
    struct sqlite_db_options o = options(steps, len);
    struct sqlite_db db;

    o.compatible_since = since;
    int error = sqlite_db_open(&db, &o, err);
    if (error)
        return error;
    error = sqlite3_exec(db.handle, "INSERT INTO t(x) SELECT 1 + coalesce(max(x), 0) FROM t", NULL,
                         NULL, NULL);
    sqlite_db_close(&db);
    return error;
}

static int64_t number(struct sqlite_db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    struct errbuf err = ERRBUF_INIT;
    int64_t value = -1;

    if (sqlite_db_prepare(db, sql, &stmt, &err) == 0 && sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

static void a_file_is_as_durable_as_promised(void **state)
{
    struct sqlite_db db;
    char mode[16] = "";
    sqlite3_stmt *stmt;

    assert_int_equal(open_with(&db, one_step, 1), 0);
    assert_int_equal(number(&db, "PRAGMA synchronous"), 2);
    assert_int_equal(sqlite3_prepare_v2(db.handle, "PRAGMA journal_mode", -1, &stmt, NULL), 0);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(mode, sizeof(mode), "%s", (const char *)sqlite3_column_text(stmt, 0));
    assert_string_equal(mode, "wal");
    sqlite3_finalize(stmt);
    sqlite_db_close(&db);
    assert_null(db.handle);
    sqlite_db_close(&db);
}

static void an_older_schema_is_brought_forward_with_its_rows(void **state)
{
    struct sqlite_db db;

    assert_int_equal(open_with(&db, one_step, 1), 0);
    assert_int_equal(sqlite3_exec(db.handle, "INSERT INTO t VALUES(21)", NULL, NULL, NULL), 0);
    sqlite_db_close(&db);
    assert_int_equal(open_with(&db, two_steps, 2), 0);
    assert_int_equal(number(&db, "PRAGMA user_version"), 2);
    assert_int_equal(number(&db, "SELECT y FROM t"), 42);
    sqlite_db_close(&db);
    assert_int_equal(open_with(&db, one_step, 1), LM_EINVAL);
    assert_null(db.handle);
}

static void a_step_that_fails_changes_nothing(void **state)
{
    struct sqlite_db db;

    assert_int_equal(open_with(&db, one_step, 1), 0);
    sqlite_db_close(&db);
    assert_int_equal(open_with(&db, wrong_step, 2), LM_EIO);
    assert_int_equal(open_with(&db, one_step, 1), 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 0);
    sqlite_db_close(&db);
}

static void several_processes_may_create_the_file_at_once(void **state)
{
    struct sqlite_db db;
    pid_t pids[OPENERS];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < OPENERS; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                int error = open_with(&db, two_steps, 2);

                if (!error)
                    sqlite_db_close(&db);
                _exit(error ? 1 : 0);
            }
        }
        for (int i = 0; i < OPENERS; i++) {
            int status;

            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        assert_int_equal(unlink(path), 0);
    }
}

static void errors_are_told_apart(void **state)
{
    struct sqlite_db db;
    struct errbuf err = ERRBUF_INIT;
    const struct {
        int rc;
        int error;
    } cases[] = {
        {SQLITE_FULL, LM_EFULL},
        {SQLITE_BUSY, LM_EUNAVAILABLE},
        {SQLITE_BUSY_SNAPSHOT, LM_EUNAVAILABLE},
        {SQLITE_CONSTRAINT_TRIGGER, LM_EDATA},
        {SQLITE_CONSTRAINT_DATATYPE, LM_EDATA},
        {SQLITE_TOOBIG, LM_EDATA},
        {SQLITE_MISMATCH, LM_EDATA},
        {SQLITE_INTERRUPT, LM_ETIMEOUT},
        {SQLITE_NOMEM, LM_ENOMEM},
        {SQLITE_IOERR_FSYNC, LM_EIO},
        {SQLITE_IOERR_READ, LM_EIO},
        {SQLITE_CORRUPT, LM_EIO},
        {SQLITE_READONLY, LM_EIO},
        {SQLITE_CANTOPEN, LM_EIO},
    };

    assert_int_equal(open_with(&db, one_step, 1), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(sqlite_db_error(&db, cases[i].rc, &err), cases[i].error);
    sqlite_db_close(&db);
}

static void a_rollback_undoes_and_needs_no_transaction(void **state)
{
    struct sqlite_db db;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(open_with(&db, one_step, 1), 0);
    sqlite_db_rollback(&db);
    assert_int_equal(sqlite_db_begin(&db, &err), 0);
    assert_int_equal(sqlite3_exec(db.handle, "INSERT INTO t VALUES(1)", NULL, NULL, NULL), 0);
    sqlite_db_rollback(&db);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(sqlite_db_begin(&db, &err), 0);
    assert_int_equal(sqlite_db_commit(&db, &err), 0);
    sqlite_db_close(&db);
}

static void a_read_only_connection_creates_but_does_not_write(void **state)
{
    struct sqlite_db db;
    struct sqlite_db_options o = options(one_step, 1);
    struct errbuf err = ERRBUF_INIT;

    o.read_only = true;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    assert_int_equal(sqlite3_exec(db.handle, "INSERT INTO t VALUES(1)", NULL, NULL, NULL),
                     SQLITE_READONLY);
    sqlite_db_close(&db);
}

/* A queue would write twice what it takes otherwise. */
static void pages_that_are_freed_are_not_written(void **state)
{
    enum { PAGES = 200, FEW = 20 };
    struct sqlite_db db;
    int frames;

    assert_int_equal(open_with(&db, one_step, 1), 0);
    assert_int_equal(sqlite3_exec(db.handle, "CREATE TABLE b(x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db.handle, "INSERT INTO b VALUES(randomblob(200 * 4096))", NULL, NULL, NULL),
        SQLITE_OK);
    frames = db.wal_frames;
    assert_true(frames >= PAGES);
    assert_int_equal(sqlite3_exec(db.handle, "DELETE FROM b", NULL, NULL, NULL), SQLITE_OK);
    assert_in_range(db.wal_frames - frames, 1, FEW);
    sqlite_db_close(&db);
}

static off_t size_of(const char *suffix)
{
    char name[1100];
    struct stat st;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? st.st_size : 0;
}

/* Fills the table `t(x, y)` with some megabytes, and deletes all but a few rows. */
static void grow_and_empty(sqlite3 *db)
{
    assert_int_equal(
        sqlite3_exec(
            db,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
            "INSERT INTO t SELECT i, hex(zeroblob(400)) FROM n; "
            "DELETE FROM t WHERE x % 1000 <> 0",
            NULL, NULL, NULL),
        SQLITE_OK);
}

static void is_given_back_in_small_steps(int page_bytes)
{
    struct sqlite_db_options o = options(two_steps, 2);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;
    int steps = 0;
    int64_t pages;

    o.page_bytes = page_bytes;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    assert_int_equal(number(&db, "PRAGMA page_size"), page_bytes);
    grow_and_empty(db.handle);
    assert_in_range(sqlite_db_used_bytes(&db), 1, 4 << 20);
    sqlite_db_checkpoint_now(&db);
    pages = number(&db, "PRAGMA page_count");
    assert_true(size_of("") > 30 << 20);
    while (sqlite_db_tidy(&db) == SQLITE_DB_TIDY_PAUSE_MS) {
        int64_t now = number(&db, "PRAGMA page_count");

        assert_in_range(pages - now, 1,
                        SQLITE_DB_TIDY_BYTES / page_bytes + 2); /* and SQLite's own */
        pages = now;
        steps++;
    }
    assert_true(steps > 10);
    assert_in_range(size_of(""), 1 << 20, SQLITE_DB_FREE_KEPT_BYTES + (2 << 20));
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 40);
    assert_int_equal(number(&db, "SELECT length(y) FROM t WHERE x = 40000"), 800);
    sqlite_db_close(&db);
}

static void a_file_that_was_large_is_given_back_in_small_steps(void **state)
{
    is_given_back_in_small_steps(4096);
}

static void a_file_of_large_pages_is_given_back_by_the_same_bytes(void **state)
{
    is_given_back_in_small_steps(16384);
}

/* Who opens a file of before with another size in mind reckons with the one that it has. */
static void a_file_keeps_the_size_of_its_pages(void **state)
{
    struct sqlite_db_options o = options(two_steps, 2);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;

    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    sqlite_db_close(&db);
    o.page_bytes = 16384;
    o.tidies = true;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    assert_int_equal(number(&db, "PRAGMA page_size"), SQLITE_DB_PAGE_BYTES);
    assert_int_equal(sqlite_db_used_bytes(&db),
                     number(&db, "PRAGMA page_count") * SQLITE_DB_PAGE_BYTES);
    sqlite_db_close(&db);
}

static void a_file_to_which_nothing_is_written_may_give_nearly_all_back(void **state)
{
    struct sqlite_db_options o = options(two_steps, 2);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;
    int looks = 0;

    o.gives_all = true;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    grow_and_empty(db.handle);
    while (sqlite_db_tidy(&db) == SQLITE_DB_TIDY_PAUSE_MS)
        continue;
    assert_in_range(size_of(""), 12 << 20, 1 << 30); /* not at once */
    for (unsigned ms; (ms = sqlite_db_tidy(&db)) != 0;)
        looks += ms == SQLITE_DB_TIDY_LOOK_MS;
    assert_in_range(looks, 1, 4);
    assert_in_range(size_of(""), 0, SQLITE_DB_FREE_IDLE_BYTES + (2 << 20));
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 40);
    sqlite_db_close(&db);
}

static void a_long_log_is_cut_when_nothing_is_written(void **state)
{
    struct sqlite_db db;

    assert_int_equal(open_with(&db, two_steps, 2), 0);
    grow_and_empty(db.handle);
    assert_true(size_of("-wal") > SQLITE_DB_WAL_IDLE_BYTES);
    while (sqlite_db_tidy(&db) != 0)
        continue;
    assert_int_equal(size_of("-wal"), 0);
    assert_int_equal(sqlite3_exec(db.handle, "INSERT INTO t VALUES(1, 2)", NULL, NULL, NULL), 0);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 41);
    sqlite_db_close(&db);
}

static int told, told_from;

static void tell(struct sqlite_db *db, int from)
{
    told++;
    told_from = from;
    assert_int_equal(number(db, "PRAGMA user_version"), from); /* nothing is done yet */
}

static void who_brings_a_file_forward_says_so_before(void **state)
{
    struct sqlite_db_options o = options(two_steps, 1);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;

    told = 0;
    o.before_steps = tell;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    assert_int_equal(told, 0); /* a new file is nobody's */
    sqlite_db_close(&db);
    o.steps_len = 2;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
        assert_int_equal(told, 1);
        assert_int_equal(told_from, 1);
        sqlite_db_close(&db);
    }
}

static void an_older_file_is_made_one_that_can_be_given_back(void **state)
{
    struct sqlite_db_options o = options(two_steps, 2);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;
    sqlite3 *older;

    assert_int_equal(sqlite3_open(path, &older), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(older,
                     "PRAGMA journal_mode=WAL; CREATE TABLE t(x INTEGER PRIMARY KEY, y);"
                     "PRAGMA user_version=2; INSERT INTO t VALUES(1, 2)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(older);

    assert_int_equal(sqlite_db_open(&db, &o, &err), 0); /* one that does not tidy leaves it */
    assert_int_equal(number(&db, "PRAGMA auto_vacuum"), 0);
    assert_int_equal(sqlite_db_tidy(&db), 0);
    sqlite_db_close(&db);
    o.tidies = true;
    assert_int_equal(sqlite_db_open(&db, &o, &err), 0);
    assert_int_equal(number(&db, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(number(&db, "SELECT y FROM t"), 2);
    sqlite_db_close(&db);
}

/* A disk may be full, and another process may be in a long transaction. */
static void opening_writes_nothing_where_all_is_there(void **state)
{
    struct sqlite_db_options o = options(two_steps, 2);
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db writer, reader;
    off_t bytes;

    assert_int_equal(open_with(&writer, two_steps, 2), 0);
    assert_int_equal(number(&writer, "PRAGMA auto_vacuum"), 2);
    bytes = size_of("-wal");
    assert_int_equal(sqlite_db_begin(&writer, &err), 0);
    o.read_only = true;
    assert_int_equal(sqlite_db_open(&reader, &o, &err), 0);
    assert_int_equal(number(&reader, "SELECT count(*) FROM t"), 0);
    sqlite_db_close(&reader);
    o.read_only = false;
    assert_int_equal(sqlite_db_open(&reader, &o, &err), 0);
    sqlite_db_close(&reader);
    sqlite_db_rollback(&writer);
    assert_int_equal(size_of("-wal"), bytes);
    sqlite_db_close(&writer);
}

static void an_older_program_opens_what_a_newer_one_has_only_added_to(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct sqlite_db db;

    assert_int_equal(open_since(one_step, 1, 1, &err), 0);
    assert_int_equal(open_since(two_steps, 2, 1, &err), 0);
    assert_int_equal(open_since(one_step, 1, 1, &err), 0);
    assert_int_equal(open_since(two_steps, 2, 1, &err), 0);

    assert_int_equal(open_with(&db, one_step, 1), 0);
    assert_int_equal(number(&db, "PRAGMA user_version"), 2);
    assert_int_equal(number(&db, "SELECT count(*) FROM t"), 4);
    assert_int_equal(number(&db, "SELECT since FROM logmill_compatible"), 1);
    sqlite_db_close(&db);
}

static void an_older_program_refuses_what_it_would_not_understand(void **state)
{
    static const char *const three_steps[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY)",
                                              "ALTER TABLE t ADD COLUMN y",
                                              "ALTER TABLE t RENAME COLUMN y TO z"};
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(open_since(one_step, 1, 1, &err), 0);
    assert_int_equal(open_since(two_steps, 2, 2, &err), 0);
    assert_int_equal(open_since(one_step, 1, 1, &err), LM_EINVAL);
    assert_non_null(strstr(err.text, "newer logmill"));

    /* What was compatible is so no longer, for one and for the other. */
    assert_int_equal(open_since(three_steps, 3, 2, &err), 0);
    assert_int_equal(open_since(one_step, 1, 1, &err), LM_EINVAL);
    assert_int_equal(open_since(two_steps, 2, 2, &err), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_is_as_durable_as_promised),
        CASE(an_older_schema_is_brought_forward_with_its_rows),
        CASE(an_older_program_opens_what_a_newer_one_has_only_added_to),
        CASE(an_older_program_refuses_what_it_would_not_understand),
        CASE(a_step_that_fails_changes_nothing),
        CASE(several_processes_may_create_the_file_at_once),
        CASE(errors_are_told_apart),
        CASE(a_file_that_was_large_is_given_back_in_small_steps),
        CASE(a_file_of_large_pages_is_given_back_by_the_same_bytes),
        CASE(a_file_keeps_the_size_of_its_pages),
        CASE(a_file_to_which_nothing_is_written_may_give_nearly_all_back),
        CASE(a_long_log_is_cut_when_nothing_is_written),
        CASE(who_brings_a_file_forward_says_so_before),
        CASE(an_older_file_is_made_one_that_can_be_given_back),
        CASE(opening_writes_nothing_where_all_is_there),
        CASE(pages_that_are_freed_are_not_written),
        CASE(a_rollback_undoes_and_needs_no_transaction),
        CASE(a_read_only_connection_creates_but_does_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
