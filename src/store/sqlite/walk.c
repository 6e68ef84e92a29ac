#include "store/sqlite/walk.h"

static int run(struct sqlite_db *db, const char *sql, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    return error ? error : sqlite_db_run(db, stmt, err);
}

int walk_begin(struct sqlite_db *db, struct errbuf *err)
{
    return run(db, "BEGIN", err);
}

void walk_end(struct sqlite_db *db)
{
    if (run(db, "COMMIT", NULL))
        sqlite_db_rollback(db);
}

int walk_next(struct sqlite_db *db, struct segment *s, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db,
                                    "SELECT " SEGMENT_COLUMNS " FROM segments WHERE number > ? "
                                    "ORDER BY number LIMIT 1",
                                    &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        s->number = sqlite3_column_int64(stmt, 0); /* known even if the row is damaged */
        error = segment_take(db, stmt, s, err);
    } else {
        error = rc == SQLITE_DONE ? LM_ENOTFOUND : sqlite_db_error(db, rc, err);
    }
    sqlite3_reset(stmt);
    return error;
}

int walk_number(struct sqlite_db *db, const char *sql, uint64_t *number, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    *number = 0;
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *number = (uint64_t)sqlite3_column_int64(stmt, 0);
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    return error;
}
