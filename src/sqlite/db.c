#include "sqlite/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "sqlite/faults.h"
#include "sqlite/vfs.h"

enum {
    BUSY_NAP_SHORT_US = 200, /* about a commit's CPU; the usual wait is one commit of the other's */
    BUSY_NAP_LONG_US = 2000,
    BUSY_NAPS_SHORT = 100,
};

struct sqlite_db_statement {
    const char *sql;
    sqlite3_stmt *stmt;
};

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Memory statistics would take a process-wide lock at every allocation. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite_faults_allocator();
}

/* SQLite's own handler soon sleeps 100 ms at a time, which is long beside a commit of 1 ms. */
static int wait_while_busy(void *ctx, int attempts)
{
    struct sqlite_db *db = ctx;
    uint64_t now = clock_monotonic_us();

    if (attempts == 0)
        db->busy_since_us = now;
    if (now - db->busy_since_us >= (uint64_t)db->busy_ms * 1000)
        return 0;
    usleep(attempts < BUSY_NAPS_SHORT ? BUSY_NAP_SHORT_US : BUSY_NAP_LONG_US);
    return 1;
}

static int note_wal_frames(void *ctx, sqlite3 *handle, const char *name, int frames)
{
    struct sqlite_db *db = ctx;

    db->wal_frames = frames;
    db->commits++;
    return SQLITE_OK;
}

/* The errno of the last failed write to the log or to the file itself; 0: unknown. */
static int last_errno(struct sqlite_db *db)
{
    static const int file_pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int error = 0;

    for (int i = 0; db->handle && !error && i < 2; i++) {
        sqlite3_file *file = NULL;

        if (sqlite3_file_control(db->handle, "main", file_pointers[i], &file) == SQLITE_OK &&
            file && file->pMethods)
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    }
    return error;
}

/* SQLite says SQLITE_FULL for ENOSPC only; a quota and a limit on the size of files are no other.
 */
static bool is_out_of_space(struct sqlite_db *db, int rc)
{
    if (rc == SQLITE_FULL || rc == SQLITE_IOERR_SHMSIZE)
        return true;
    if (rc != SQLITE_IOERR_WRITE && rc != SQLITE_IOERR_TRUNCATE)
        return false;
    int error = last_errno(db);
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

int sqlite_db_error(struct sqlite_db *db, int rc, struct errbuf *err)
{
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);

    if (is_out_of_space(db, rc))
        return errbuf_fail(err, LM_EFULL, "no space left for %s", db->path);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return errbuf_fail(err, LM_EUNAVAILABLE, "%s is locked by another process: %s", db->path,
                           text);
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return errbuf_fail(err, LM_EDATA, "refused by %s: %s", db->path, text);
    case SQLITE_INTERRUPT:
        return errbuf_fail(err, LM_ETIMEOUT, "cancelled");
    case SQLITE_NOMEM:
        return errbuf_fail(err, LM_ENOMEM, "no memory left for %s", db->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return errbuf_fail(err, LM_EIO, "%s is damaged, or no logmill file: %s", db->path, text);
    case SQLITE_CANTOPEN:
        if (db->handle && sqlite3_system_errno(db->handle) != 0)
            return errbuf_fail(err, LM_EIO, "%s: %s (%s)", db->path, text,
                               strerror(sqlite3_system_errno(db->handle)));
        /* fallthrough */
    default:
        return errbuf_fail(err, LM_EIO, "%s: %s", db->path, text);
    }
}

int sqlite_db_prepare(struct sqlite_db *db, const char *sql, sqlite3_stmt **stmt,
                      struct errbuf *err)
{
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_db_error(db, rc, err);
}

int sqlite_db_statement(struct sqlite_db *db, const char *sql, sqlite3_stmt **stmt,
                        struct errbuf *err)
{
    for (size_t i = 0; i < db->statements_len; i++) {
        *stmt = db->statements[i].stmt;
        if (db->statements[i].sql == sql)
            return 0;
    }
    int error = sqlite_db_prepare(db, sql, stmt, err);
    if (error)
        return error;
    db->statements = array_reserve(db->statements, &db->statements_capacity, db->statements_len + 1,
                                   sizeof(*db->statements));
    db->statements[db->statements_len++] = (struct sqlite_db_statement){sql, *stmt};
    return 0;
}

int sqlite_db_run(struct sqlite_db *db, sqlite3_stmt *stmt, struct errbuf *err)
{
    if (db->in_transaction && sqlite3_get_autocommit(db->handle))
        return errbuf_fail(err, LM_EIO, "%s: an error has ended the transaction", db->path);
    int rc = sqlite3_step(stmt);
    int error = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : sqlite_db_error(db, rc, err);

    sqlite3_reset(stmt);
    return error;
}

int sqlite_db_begin(struct sqlite_db *db, struct errbuf *err)
{
    int error = sqlite_db_run(db, db->begin, err);

    db->in_transaction = !error;
    return error;
}

int sqlite_db_commit(struct sqlite_db *db, struct errbuf *err)
{
    int error = sqlite_db_run(db, db->commit, err);

    if (!error)
        db->in_transaction = false;
    return error;
}

void sqlite_db_rollback(struct sqlite_db *db)
{
    db->in_transaction = false;
    if (!db->handle || sqlite3_get_autocommit(db->handle))
        return;
    sqlite3_step(db->rollback);
    sqlite3_reset(db->rollback);
}

void sqlite_db_checkpoint(struct sqlite_db *db)
{
    int mode = SQLITE_CHECKPOINT_PASSIVE;

    if (db->wal_frames < db->wal_frames_attempt)
        db->wal_frames_attempt = 0; /* the log was started anew */
    if ((db->wal_frames - db->wal_frames_attempt) * db->page_bytes < SQLITE_DB_CHECKPOINT_BYTES)
        return;
    db->wal_frames_attempt = db->wal_frames;

    /* Readers that always overlap would let the log grow for ever: then they are waited for. */
    if (db->wal_frames * db->page_bytes >= SQLITE_DB_RESTART_BYTES) {
        mode = SQLITE_CHECKPOINT_RESTART;
        db->busy_ms = SQLITE_DB_RESTART_BUSY_MS;
    }
    sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL);
    db->busy_ms = SQLITE_DB_BUSY_MS;
}

void sqlite_db_checkpoint_now(struct sqlite_db *db)
{
    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static int exec(struct sqlite_db *db, const char *sql, struct errbuf *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_db_error(db, rc, err);
}

static int take_number(void *number, int n, char **values, char **names)
{
    *(int64_t *)number = values[0] ? strtoll(values[0], NULL, 10) : 0;
    return 0;
}

/* The number that a pragma tells; -1 if it cannot be read. */
static int64_t ask(struct sqlite_db *db, const char *sql)
{
    int64_t number = -1;

    return sqlite3_exec(db->handle, sql, take_number, &number, NULL) == SQLITE_OK ? number : -1;
}

uint64_t sqlite_db_used_bytes(struct sqlite_db *db)
{
    int64_t pages = ask(db, "PRAGMA page_count");
    int64_t free_pages = ask(db, "PRAGMA freelist_count");

    return pages < 0 || free_pages < 0 ? 0 : (uint64_t)((pages - free_pages) * db->page_bytes);
}

/* ---- Giving back ---- */

/* The size of the log's file, which may be far more than what is in use of it. */
static int64_t log_bytes(struct sqlite_db *db)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;

    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) ==
            SQLITE_OK &&
        file && file->pMethods)
        file->pMethods->xFileSize(file, &size);
    return size;
}

/* Cuts the log to nothing. Returns false if that cannot be done now. */
static bool cut_log(struct sqlite_db *db)
{
    db->busy_ms = 0; /* whoever reads from it is not waited for */
    bool is_cut = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                            NULL) == SQLITE_OK;
    if (is_cut)
        db->wal_frames = db->wal_frames_attempt = 0;
    db->busy_ms = SQLITE_DB_BUSY_MS;
    return is_cut;
}

/* How many free pages are left for what comes next. */
static int64_t kept_pages(const struct sqlite_db *db, bool is_idle)
{
    return (db->gives_all && is_idle && db->was_idle ? SQLITE_DB_FREE_IDLE_BYTES
                                                     : SQLITE_DB_FREE_KEPT_BYTES) /
           db->page_bytes;
}

static int vacuum(struct sqlite_db *db, struct errbuf *err)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)",
             (int)(SQLITE_DB_TIDY_BYTES / db->page_bytes));
    return exec(db, sql, err);
}

/* Shortens the file by a little. Returns whether there is more to do. */
static bool shorten(struct sqlite_db *db, int64_t kept)
{
    if (!db->gives_back || ask(db, "PRAGMA freelist_count") <= kept)
        return false;
    if (vacuum(db, NULL))
        return false;
    /* Only a checkpoint cuts the file itself. */
    if (ask(db, "PRAGMA freelist_count") > kept)
        sqlite_db_checkpoint(db);
    else
        sqlite_db_checkpoint_now(db);
    return true;
}

unsigned sqlite_db_tidy(struct sqlite_db *db)
{
    if (!db->handle)
        return 0;
    bool is_idle = db->commits == db->commits_tidied;
    bool has_shortened = shorten(db, kept_pages(db, is_idle));
    db->commits_tidied = db->commits;
    if (has_shortened)
        return SQLITE_DB_TIDY_PAUSE_MS;
    bool is_done = is_idle && (db->was_idle || !db->gives_all);
    db->was_idle = is_idle;
    if (log_bytes(db) <= SQLITE_DB_WAL_IDLE_BYTES)
        return is_done ? 0 : SQLITE_DB_TIDY_LOOK_MS;
    if (is_idle) /* … and nothing was written to it for a while */
        (void)cut_log(db);
    return SQLITE_DB_TIDY_LOOK_MS;
}

int sqlite_db_scrub_free(struct sqlite_db *db, uint64_t *left, struct errbuf *err)
{
    int error = 0;

    *left = 0;
    if (ask(db, "PRAGMA auto_vacuum") != 2)
        return 0;
    if (ask(db, "PRAGMA freelist_count") > 0)
        error = vacuum(db, err);
    int64_t pages = error ? 0 : ask(db, "PRAGMA freelist_count");
    if (pages < 0)
        error = sqlite_db_error(db, sqlite3_errcode(db->handle), err);
    else
        *left = (uint64_t)(pages * db->page_bytes);
    if (!error)
        sqlite_db_checkpoint(db);
    return error;
}

bool sqlite_db_scrub_log(struct sqlite_db *db)
{
    return cut_log(db);
}

int sqlite_db_overwrite(struct sqlite_db *db, bool all, struct errbuf *err)
{
    return exec(db, all ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=FAST", err);
}

/*
 * Makes an older file one that can be shortened, if that takes a moment only. Not so many others
 * have it open now that it could not be done: then it is done at another start.
 */
static void remake(struct sqlite_db *db)
{
    int64_t pages = ask(db, "PRAGMA page_count");

    if (pages < 0 || pages * db->page_bytes > SQLITE_DB_REMAKE_BYTES)
        return;
    db->busy_ms = SQLITE_DB_RESTART_BUSY_MS;
    if (exec(db, "PRAGMA temp_store=FILE; PRAGMA auto_vacuum=INCREMENTAL; VACUUM", NULL) == 0)
        db->gives_back = true;
    (void)exec(db, "PRAGMA temp_store=MEMORY", NULL);
    db->busy_ms = SQLITE_DB_BUSY_MS;
}

/* ---- Opening ---- */

/* Changing the journal mode does not always ask the busy handler: a busy file is tried again here.
 */
static int switch_to_wal(struct sqlite_db *db, struct errbuf *err)
{
    int rc;

    for (int attempts = 0;; attempts++) {
        rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || !wait_while_busy(db, attempts))
            break;
    }
    return rc == SQLITE_OK ? 0 : sqlite_db_error(db, rc, err);
}

static int read_version(struct sqlite_db *db, int *version, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_prepare(db, "PRAGMA user_version", &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *version = sqlite3_column_int(stmt, 0);
    else
        error = sqlite_db_error(db, rc, err);
    sqlite3_finalize(stmt);
    return error;
}

/*
 * The lowest version that a program must know to use the file, whose schema has `version`. Looked
 * at only if that is newer than ours: those that made older ones may not have told.
 */
static int read_compatible(struct sqlite_db *db, int version, int *since, struct errbuf *err)
{
    bool is_told = ask(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND "
                           "name = 'logmill_compatible'") > 0;
    sqlite3_stmt *stmt = NULL;

    *since = version;
    if (!is_told)
        return 0;
    int error = sqlite_db_prepare(db, "SELECT max(since) FROM logmill_compatible", &stmt, err);
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        error = sqlite_db_error(db, rc, err);
    else if (sqlite3_column_int(stmt, 0) > 0)
        *since = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return error;
}

static int check_version(struct sqlite_db *db, int version, int known, struct errbuf *err)
{
    int since;

    if (version <= known)
        return 0;
    int error = read_compatible(db, version, &since, err);
    if (error || since <= known)
        return error;
    return errbuf_fail(err, LM_EINVAL,
                       "%s was written by a newer logmill: its schema has version %d, this program "
                       "knows versions up to %d",
                       db->path, version, known);
}

/*
 * Tells programs that know fewer than `known` versions from which one on they may use the file. In
 * a transaction.
 */
static int write_compatible(struct sqlite_db *db, int since, int known, struct errbuf *err)
{
    char sql[192];

    if (since == known)
        return exec(db, "DROP TABLE IF EXISTS logmill_compatible", err);
    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS logmill_compatible(since INTEGER NOT NULL) STRICT; "
             "DELETE FROM logmill_compatible; INSERT INTO logmill_compatible VALUES(%d)",
             since);
    return exec(db, sql, err);
}

/* All steps that are missing, in one transaction: whoever comes second finds them done. */
static int migrate(struct sqlite_db *db, const struct sqlite_db_options *options,
                   struct errbuf *err)
{
    int since = options->compatible_since ? options->compatible_since : options->steps_len;
    int version = 0;
    int error = read_version(db, &version, err);
    char set_version[48];

    if (!error)
        error = check_version(db, version, options->steps_len, err);
    if (error || version >= options->steps_len)
        return error;

    if ((error = sqlite_db_begin(db, err)) || (error = read_version(db, &version, err)))
        goto fail;
    if ((error = check_version(db, version, options->steps_len, err)))
        goto fail;
    if (version >= options->steps_len) { /* another has done it */
        sqlite_db_rollback(db);
        return 0;
    }
    if (version > 0 && options->before_steps)
        options->before_steps(db, version);
    for (; version < options->steps_len; version++) {
        if ((error = exec(db, options->steps[version], err)))
            goto fail;
    }
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version=%d", version);
    if ((error = exec(db, set_version, err)) ||
        (error = write_compatible(db, since, version, err)) || (error = sqlite_db_commit(db, err)))
        goto fail;
    return 0;

fail:
    sqlite_db_rollback(db);
    return error;
}

int sqlite_db_sync_parent(const char *path, struct errbuf *err)
{
    const char *slash = strrchr(path, '/');
    char *directory = xstrdup(slash ? path : ".");
    int error = 0;

    if (slash)
        directory[slash == path ? 1 : slash - path] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fault_here(FAULT_SYNC) || fsync(fd) != 0)
        error = errbuf_fail(err, LM_EIO, "cannot sync the directory %s: %s", directory,
                            strerror(errno));
    else
        fault_directory_synced(directory);
    if (fd >= 0)
        close(fd);
    free(directory);
    return error;
}

/*
 * What recovery found in the log of a process that was killed may never have been synced. It counts
 * as there from now on, also for whoever sends it again: a power cut must not take it any more.
 */
static int sync_recovered(struct sqlite_db *db, struct errbuf *err)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
            SQLITE_OK ||
        !file || !file->pMethods)
        return 0;
    if (file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return errbuf_fail(err, LM_EIO, "cannot sync the log of %s", db->path);
    return 0;
}

/* Those that the file has, whoever made it. */
static void note_page_bytes(struct sqlite_db *db)
{
    int64_t bytes = ask(db, "PRAGMA page_size");

    if (bytes > 0)
        db->page_bytes = bytes;
}

static int set_up(struct sqlite_db *db, const struct sqlite_db_options *options, struct errbuf *err)
{
    char pragmas[256];
    int error;

    /*
     * secure_delete=FAST: Debian's SQLite would write a page of zeroes to log and file for every
     * page that is freed, which a queue does with all its pages.
     */
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA page_size=%d; PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; "
             "PRAGMA secure_delete=FAST; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY",
             options->page_bytes > 0 ? options->page_bytes : SQLITE_DB_PAGE_BYTES,
             options->cache_kib > 0 ? options->cache_kib : 256);
    if ((error = exec(db, pragmas, err)))
        return error;
    /* Of a file that has pages it would change nothing, but write: with the lock, and a sync. */
    if (ask(db, "PRAGMA page_count") == 0 &&
        (error = exec(db, "PRAGMA auto_vacuum=INCREMENTAL", err)))
        return error;
    if ((error = switch_to_wal(db, err)))
        return error;
    note_page_bytes(db);

    /* Only now: the hook takes the place of the automatic checkpoint. */
    sqlite3_wal_hook(db->handle, note_wal_frames, db);
    snprintf(pragmas, sizeof(pragmas), "PRAGMA journal_size_limit=%d", SQLITE_DB_WAL_KEPT_BYTES);
    if ((error = exec(db, pragmas, err)))
        return error;

    if ((error = sqlite_db_prepare(db, "BEGIN IMMEDIATE", &db->begin, err)) ||
        (error = sqlite_db_prepare(db, "COMMIT", &db->commit, err)) ||
        (error = sqlite_db_prepare(db, "ROLLBACK", &db->rollback, err)) ||
        (error = migrate(db, options, err)))
        return error;
    if (options->read_only)
        return exec(db, "PRAGMA query_only=ON", err);
    db->gives_back = ask(db, "PRAGMA auto_vacuum") == 2;
    db->gives_all = options->gives_all;
    if (options->tidies && !db->gives_back)
        remake(db);
    if ((error = sync_recovered(db, err)))
        return error;
    return sqlite_db_sync_parent(db->path, err);
}

int sqlite_db_open(struct sqlite_db *db, const struct sqlite_db_options *options,
                   struct errbuf *err)
{
    int flags = SQLITE_OPEN_NOMUTEX;
    const char *vfs;
    int error;
    int rc;

    if (options->as_it_is)
        flags |= options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    else
        flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    pthread_once(&configured, configure);
    *db = (struct sqlite_db){.path = xstrdup(options->path),
                             .busy_ms = SQLITE_DB_BUSY_MS,
                             .page_bytes = SQLITE_DB_PAGE_BYTES};
    vfs = sqlite_vfs_name();
    if (!vfs) { /* which the default would not be the same as */
        error = sqlite_db_error(db, SQLITE_NOMEM, err);
        goto fail;
    }
    rc = sqlite3_open_v2(db->path, &db->handle, flags, vfs);
    if (rc != SQLITE_OK) {
        error = sqlite_db_error(db, rc, err);
        goto fail;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_handler(db->handle, wait_while_busy, db);
    if (!options->as_it_is && (error = set_up(db, options, err)))
        goto fail;
    if (options->as_it_is)
        note_page_bytes(db);
    return 0;

fail:
    sqlite_db_close(db);
    return error;
}

void sqlite_db_close(struct sqlite_db *db)
{
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_finalize(db->rollback);
    for (size_t i = 0; i < db->statements_len; i++)
        sqlite3_finalize(db->statements[i].stmt);
    free(db->statements);
    sqlite3_close(db->handle);
    free(db->path);
    *db = (struct sqlite_db){0};
}

void sqlite_db_bind_text(sqlite3_stmt *stmt, int index, struct slice text)
{
    /* A NULL pointer would bind NULL, not an empty text. */
    sqlite3_bind_text64(stmt, index, text.len == 0 ? "" : text.data, text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

struct slice sqlite_db_column_text(sqlite3_stmt *stmt, int column)
{
    const char *data = (const char *)sqlite3_column_text(stmt, column);

    if (!data)
        return (struct slice){NULL, 0};
    return (struct slice){data, (size_t)sqlite3_column_bytes(stmt, column)};
}
