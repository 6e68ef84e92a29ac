#include "store/sqlite/scrub.h"

void scrub_begin(struct scrub *s, int64_t last)
{
    if (s->state == SCRUB_IDLE && last > s->done)
        *s = (struct scrub){
            .state = SCRUB_RECENT, .done = s->done, .under = last, .rewritten = INT64_MAX};
}

static void end(struct scrub *s)
{
    s->done = s->under;
    s->state = SCRUB_IDLE;
}

/* ---- Recent logs ---- */

static int run(struct sqlite_db *db, const char *sql, int64_t number, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(db, sql, &stmt, err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, number);
    return sqlite_db_run(db, stmt, err);
}

/* A row whose number changes is deleted and inserted: into pages that were overwritten. */
static int rewrite_row(struct sqlite_db *db, int64_t last, struct errbuf *err)
{
    int error = sqlite_db_begin(db, err);

    if (error)
        return error;
    error = sqlite_db_overwrite(db, true, err);
    if (!error)
        error = run(db, "UPDATE recent SET last = -last WHERE last = ?", last, err);
    if (!error)
        error = run(db, "UPDATE recent SET last = -last WHERE last = ?", -last, err);
    if (!error)
        error = sqlite_db_commit(db, err);
    if (error)
        sqlite_db_rollback(db);
    int failure = sqlite_db_overwrite(db, false, error ? NULL : err);
    return error ? error : failure;
}

static int rewrite_next(struct scrub *s, struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int64_t last = 0;
    int error = sqlite_db_statement(
        db, "SELECT last FROM recent WHERE last > 0 AND last < ? ORDER BY last DESC LIMIT 1", &stmt,
        err);

    if (error)
        return error;
    sqlite3_bind_int64(stmt, 1, s->rewritten);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        last = sqlite3_column_int64(stmt, 0);
    else if (rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_reset(stmt);
    if (error)
        return error;
    if (last == 0) {
        s->state = SCRUB_FREE;
        return 0;
    }
    s->rewritten = last;
    return rewrite_row(db, last, err);
}

/* ---- The rest ---- */

static int give_back(struct scrub *s, struct sqlite_db *db, struct errbuf *err)
{
    uint64_t left;
    int error = sqlite_db_scrub_free(db, &left, err);

    if (!error && s->most == 0)
        s->most = (unsigned)(left / SQLITE_DB_TIDY_BYTES + 1) * SCRUB_FREE_TIMES;
    if (!error && (left == 0 || ++s->steps > s->most))
        s->state = SCRUB_LOG;
    return error;
}

static void try_log(struct scrub *s, struct sqlite_db *db, bool *wait)
{
    *wait = !sqlite_db_scrub_log(db);
    if (!*wait || ++s->tries == SCRUB_LOG_TRIES)
        end(s);
}

int scrub_step(struct scrub *s, struct sqlite_db *db, bool *wait, struct errbuf *err)
{
    int error = 0;

    *wait = false;
    switch (s->state) {
    case SCRUB_IDLE:
        break;
    case SCRUB_RECENT:
        error = rewrite_next(s, db, err);
        break;
    case SCRUB_FREE:
        error = give_back(s, db, err);
        break;
    case SCRUB_LOG:
        try_log(s, db, wait);
        break;
    }
    if (error)
        s->state = SCRUB_IDLE;
    return error;
}
