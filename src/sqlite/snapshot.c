#include "sqlite/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/db.h"

/* Tells of the copy what was told of the file: it is the copy that is written. */
static int explain(struct sqlite_db *db, int error, const char *into, struct errbuf *err)
{
    int system = sqlite3_system_errno(db->handle);

    if (error == LM_EFULL ||
        (error == LM_EIO && (system == ENOSPC || system == EDQUOT || system == EFBIG)))
        return errbuf_fail(err, LM_EFULL, "no space left for %s", into);
    return error;
}

/* A copy that is given up leaves its journal, which belongs to nothing then. */
static void remove_journal(const char *into)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s-journal", into);

    if (n > 0 && (size_t)n < sizeof(path))
        unlink(path);
}

int sqlite_snapshot_take(const char *path, const char *into, struct errbuf *err)
{
    struct sqlite_db_options options = {.path = path, .as_it_is = true};
    struct sqlite_db db;
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_open(&db, &options, err);

    if (error)
        return error;
    error = sqlite_db_prepare(&db, "VACUUM INTO ?", &stmt, err);
    if (!error) {
        sqlite_db_bind_text(stmt, 1, slice_of_string(into));
        error = explain(&db, sqlite_db_run(&db, stmt, err), into, err);
    }
    sqlite3_finalize(stmt);
    sqlite_db_close(&db);
    if (error)
        remove_journal(into);
    return error;
}

/* The first thing that is wrong is enough. */
static int check(struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_prepare(db, "PRAGMA integrity_check(1)", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        error = sqlite_db_error(db, rc, err);
    } else {
        const char *found = (const char *)sqlite3_column_text(stmt, 0);

        if (!found || strcmp(found, "ok") != 0)
            error = errbuf_fail(err, LM_EIO, "%s is damaged: %s", db->path,
                                found ? found : "no memory to look");
    }
    sqlite3_finalize(stmt);
    return error;
}

int sqlite_snapshot_check(const char *path, struct errbuf *err)
{
    struct sqlite_db_options options = {.path = path, .as_it_is = true, .read_only = true};
    struct sqlite_db db;
    int error = sqlite_db_open(&db, &options, err);

    if (error)
        return error;
    error = check(&db, err);
    sqlite_db_close(&db);
    return error;
}
