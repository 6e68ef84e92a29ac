/*
 * Whatever fails in a commit, at any point: one that was refused is not there when the process is
 * killed, and one that was taken is. The log is about to need a larger index (-shm), whose growth
 * fails on a full disk after the log has been synced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/fault.h"
#include "sqlite/db.h"
#include "sqlite/faults.h"

enum {
    OVERFLOW_BYTES = 508, /* of a page of 512: what it holds of a large value */
    INDEX_FRAMES = 4062,  /* of the log, that the first page of its index has room for */
    SPARE_FRAMES = 8,
};

static const char *const steps[] = {"CREATE TABLE t(x INTEGER PRIMARY KEY, y TEXT)"};
static const struct fault_plan no_fault;

/* A file of small pages, so that a log of many is soon written. */
static void make_file(const char *path)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA page_size=512; PRAGMA journal_mode=WAL", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void open_file(struct sqlite_db *db, const char *path)
{
    struct sqlite_db_options options = {.path = path, .steps = steps, .steps_len = 1};
    struct errbuf err = ERRBUF_INIT;

    if (sqlite_db_open(db, &options, &err) != 0)
        fail_msg("cannot open: %s", err.text);
}

/* Fills the log until its index is nearly full: the next commit needs another page of it. */
static void fill_index(struct sqlite_db *db)
{
    for (int i = 1; db->wal_frames < INDEX_FRAMES - SPARE_FRAMES; i++) {
        int pages = INDEX_FRAMES - SPARE_FRAMES - db->wal_frames;
        char sql[128];

        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(%d, zeroblob(%d))", -i,
                 pages > SPARE_FRAMES ? (pages - SPARE_FRAMES) * OVERFLOW_BYTES : 1);
        assert_int_equal(sqlite3_exec(db->handle, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_true(db->wal_frames < INDEX_FRAMES);
}

/* A transaction of some twenty pages. Returns its error. */
static int commit_more(struct sqlite_db *db)
{
    struct errbuf err = ERRBUF_INIT;
    int error = sqlite_db_begin(db, &err);

    if (!error && sqlite3_exec(db->handle, "INSERT INTO t VALUES(1, hex(zeroblob(5000)))", NULL,
                               NULL, NULL) != SQLITE_OK)
        error = LM_EIO;
    if (!error)
        error = sqlite_db_commit(db, &err);
    if (error)
        sqlite_db_rollback(db);
    return error;
}

static void copy_file(const char *from, const char *to, const char *suffix)
{
    char command[2400];

    snprintf(command, sizeof(command), "cp '%s%s' '%s%s'", from, suffix, to, suffix);
    assert_int_equal(system(command), 0);
}

/* Is the transaction there in the files as they are now, which is what a kill leaves? */
static bool is_there_after_a_kill(const char *path)
{
    char killed[1100];
    struct sqlite_db db;
    sqlite3_stmt *stmt = NULL;
    struct errbuf err = ERRBUF_INIT;

    snprintf(killed, sizeof(killed), "%s.killed", path);
    copy_file(path, killed, "");
    copy_file(path, killed, "-wal");
    open_file(&db, killed);
    assert_int_equal(sqlite_db_prepare(&db, "SELECT count(*) FROM t WHERE x = 1", &stmt, &err), 0);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    bool is_there = sqlite3_column_int(stmt, 0) == 1;
    sqlite3_finalize(stmt);
    sqlite_db_close(&db);
    return is_there;
}

/* Returns whether the plan's point was reached. */
static bool fail_one(const struct fault_plan *plan, unsigned *refused)
{
    char *directory = temp_directory_new();
    char path[1024];
    struct sqlite_db db;

    snprintf(path, sizeof(path), "%s/x.db", directory);
    make_file(path);
    open_file(&db, path);
    fill_index(&db);
    fault_plan(plan);
    int error = commit_more(&db);
    bool reached = fault_count() > 0;
    fault_plan(&no_fault);
    assert_int_equal(is_there_after_a_kill(path), !error);
    *refused += error ? 1 : 0;
    if (error)
        assert_int_equal(commit_more(&db), 0);
    assert_true(is_there_after_a_kill(path));
    sqlite_db_close(&db);
    temp_directory_free(directory);
    return reached;
}

static void walk(struct fault_plan plan)
{
    unsigned refused = 0;

    for (plan.first = 1; fail_one(&plan, &refused); plan.first++)
        continue;
    print_message("           %u points, %u refused\n", plan.first - 1, refused);
    assert_true(refused >= (plan.kind == FAULT_WRITE ? 2 : 1)); /* the log, and its index */
}

static void a_commit_that_failed_is_not_there_after_a_kill(void **state)
{
    walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_ENOSPC});
    walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_SHORT});
    walk((struct fault_plan){.kind = FAULT_SYNC});
    walk((struct fault_plan){.kind = FAULT_LIBRARY});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_that_failed_is_not_there_after_a_kill),
    };

    sqlite_faults_allocator(); /* before make_file uses SQLite */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
