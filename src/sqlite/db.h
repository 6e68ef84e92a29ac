/*
 * One connection to an SQLite file as logmill keeps them: write-ahead log, synchronous=FULL, schema
 * brought up to date, errors in our own codes. Used by the embedded queue and the embedded store.
 *
 * Durable: what sqlite_db_commit has returned 0 for survives a crash of the machine.
 * Checkpoints: SQLite's own are switched off, since they would make a commit wait; the writer calls
 * sqlite_db_checkpoint when it has answered those who wait for the commit.
 *
 * Space: what is deleted leaves free pages in the file, which are used again, and past
 * SQLITE_DB_FREE_KEPT_BYTES given back to the disk by sqlite_db_tidy. A file has to be made for
 * that (auto_vacuum=INCREMENTAL), as all are that are created here; older ones are made so when a
 * writer opens them, if they are small.
 *
 * Going back: table logmill_compatible(since), one row, holds the lowest schema version that a
 * program must know to use the file. A newer program writes it when it brings a file forward; this
 * one opens a file with a newer schema if it knows version `since`, and leaves its schema alone.
 * Without that table all versions have to be known. Who adds a step:
 *   - that only adds (a table, an index, a column with a default, a trigger that keeps what is
 *     added right while an older program writes): compatible_since keeps the number that it had. If
 *     it was 0, which stands for steps_len and would grow with the step, the number of steps before
 *     this one is written down;
 *   - that older programs cannot live with: compatible_since becomes the new number of steps.
 *
 * Threads: a connection belongs to one thread at a time. An open `struct sqlite_db` must not move.
 */
#ifndef LOGMILL_SQLITE_DB_H
#define LOGMILL_SQLITE_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/errbuf.h"
#include "base/slice.h"

enum {
    SQLITE_DB_BUSY_MS = 12000,   /* how long another process's lock is waited for */
    SQLITE_DB_PAGE_BYTES = 4096, /* of files that are created here, if not said otherwise */
    SQLITE_DB_CHECKPOINT_BYTES = 16 << 20, /* written to the log between checkpoints */
    SQLITE_DB_RESTART_BYTES = 128 << 20,   /* from here up readers are waited for */
    SQLITE_DB_RESTART_BUSY_MS = 500,       /* but not for longer than this */
    SQLITE_DB_WAL_KEPT_BYTES = 32 << 20,   /* of a log file that is started anew */
    SQLITE_DB_WAL_IDLE_BYTES = 256 << 10,  /* of one to which nothing is written */

    SQLITE_DB_FREE_KEPT_BYTES = 16 << 20, /* in free pages, for what comes next … */
    SQLITE_DB_FREE_IDLE_BYTES = 1 << 20,  /* … and when nothing comes, with gives_all */
    SQLITE_DB_TIDY_BYTES = 1 << 20,       /* given back in one transaction */
    SQLITE_DB_TIDY_PAUSE_MS = 100,        /* after which comes the next */
    SQLITE_DB_TIDY_LOOK_MS = 10000,       /* between looks whether there is something */
    SQLITE_DB_REMAKE_BYTES = 64 << 20,    /* an older file that is larger is left as it is */
};

struct sqlite_db;

struct sqlite_db_options {
    const char *path;
    /* steps[k] leads from schema version k (PRAGMA user_version) to k + 1; released ones never
     * change. None with as_it_is. */
    const char *const *steps;
    int steps_len;
    int compatible_since; /* see above; 0: steps_len */
    /* Called before the steps of a file that is there already are done, by whoever does them; it
     * may read the file, which has schema version `from`. NULL: nothing. */
    void (*before_steps)(struct sqlite_db *db, int from);
    int cache_kib;  /* page cache; 0: 256 */
    int page_bytes; /* of a file that is created; 0: SQLITE_DB_PAGE_BYTES */
    bool read_only; /* writing is refused, once the schema is there */
    bool tidies;    /* it will call sqlite_db_tidy: an older, small file is made fit for that */
    bool gives_all; /* … and in that, when nothing comes, past SQLITE_DB_FREE_IDLE_BYTES, too */
    bool as_it_is;  /* a file that is there is opened, whatever its schema, and not changed */
};

struct sqlite_db {
    sqlite3 *handle; /* NULL: not open */
    char *path;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *rollback;
    bool in_transaction;    /* by sqlite_db_begin; SQLite's own may have ended before */
    unsigned busy_ms;       /* how long the lock is waited for now */
    uint64_t busy_since_us; /* start of the wait under way */
    int64_t page_bytes;     /* of the file */
    int wal_frames;         /* in the log after the last commit of this connection */
    int wal_frames_attempt; /* … when a checkpoint was last tried; 0: not since the log began */
    bool gives_back;        /* the file can be made shorter … */
    bool gives_all;         /* … by nearly all that is free … */
    bool was_idle;          /* … if nothing was written before the look before, either */
    unsigned commits;       /* of this connection, for sqlite_db_tidy to see that it is idle */
    unsigned commits_tidied;
    struct sqlite_db_statement *statements; /* of sqlite_db_statement */
    size_t statements_len;
    size_t statements_capacity;
};

/*
 * Opens the file, creating it if it is not there, and brings its schema up to date; safe when
 * several processes do so at once. The directory is synced, so that a new file's name is durable;
 * not with read_only or as_it_is. On failure `db` is as after sqlite_db_close and `err` names the
 * file: LM_EINVAL if a newer logmill has changed it in a way that this one would not understand,
 * LM_EIO if it is damaged or cannot be opened, or another error.
 */
int sqlite_db_open(struct sqlite_db *db, const struct sqlite_db_options *options,
                   struct errbuf *err) LM_MUST_CHECK;

/*
 * Closes; every statement of the connection that sqlite_db_prepare made must be finalized. All
 * zeroes: no effect.
 */
void sqlite_db_close(struct sqlite_db *db);

/* Prepares a statement that is kept for the life of the connection. */
int sqlite_db_prepare(struct sqlite_db *db, const char *sql, sqlite3_stmt **stmt,
                      struct errbuf *err) LM_MUST_CHECK;

/*
 * The same, prepared at the first call and the connection's own until it is closed: `sql` is a
 * literal, known by its address. Who asks for it steps and resets it before another does.
 */
int sqlite_db_statement(struct sqlite_db *db, const char *sql, sqlite3_stmt **stmt,
                        struct errbuf *err) LM_MUST_CHECK;

/* Runs a statement that returns no rows, and resets it. */
int sqlite_db_run(struct sqlite_db *db, sqlite3_stmt *stmt, struct errbuf *err) LM_MUST_CHECK;

/*
 * A write transaction. sqlite_db_begin waits for other writers up to SQLITE_DB_BUSY_MS. After an
 * error of anything in it, sqlite_db_commit's included, call sqlite_db_rollback; it cannot fail in
 * a way that matters, and does nothing if there is no transaction. SQLite itself rolls back after
 * some errors, of reading too, without a word to whoever goes on: sqlite_db_run then refuses to run
 * anything until sqlite_db_rollback, or it would be a transaction of its own.
 */
int sqlite_db_begin(struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;
int sqlite_db_commit(struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;
void sqlite_db_rollback(struct sqlite_db *db);

/*
 * Moves the write-ahead log into the file if enough of it has gathered. To be called by a writer
 * after its commits. Failing is harmless: it is tried again later, and what is in the log is
 * durable.
 */
void sqlite_db_checkpoint(struct sqlite_db *db);

/*
 * The same at once, for a writer that got LM_EFULL: a log that has been moved is written from its
 * start again, and needs no new space.
 */
void sqlite_db_checkpoint_now(struct sqlite_db *db);

/* The size of the file without what is free in it; 0 if that cannot be read. */
uint64_t sqlite_db_used_bytes(struct sqlite_db *db);

/*
 * Gives back to the disk what is free in the file and its log, a little at a time. To be called by
 * the one that writes, between its transactions: first SQLITE_DB_TIDY_LOOK_MS after something was
 * written, then when as many milliseconds have passed as this returns; 0: not before something is
 * written. Failing is harmless.
 */
unsigned sqlite_db_tidy(struct sqlite_db *db);

/*
 * For where what was deleted is to be nowhere any more. The first gives back a little of what is
 * free, all of it, and not only past what is kept for what comes next; *left: bytes that are still
 * free, 0 for an older, large file that cannot be made shorter. The second cuts the log to nothing;
 * false: not now, since somebody reads or writes.
 */
int sqlite_db_scrub_free(struct sqlite_db *db, uint64_t *left, struct errbuf *err) LM_MUST_CHECK;
bool sqlite_db_scrub_log(struct sqlite_db *db);

/*
 * Whether pages that are freed from now on are overwritten (`all`), or only what is deleted within
 * pages that stay, as at first.
 */
int sqlite_db_overwrite(struct sqlite_db *db, bool all, struct errbuf *err) LM_MUST_CHECK;

/*
 * What is new, a file or a directory, is durable only when its name is: syncs the directory that
 * `path` is in. Returns 0, or LM_EIO with `err` naming the directory.
 */
int sqlite_db_sync_parent(const char *path, struct errbuf *err) LM_MUST_CHECK;

/*
 * The LM_E… code for `rc`, the result of the last call on the connection, and its text into `err`:
 *   LM_EFULL         no space (or a limit on the size of files)
 *   LM_EUNAVAILABLE  another process held the file for longer than it is waited for
 *   LM_EDATA         a constraint, a trigger or a size limit refuses the row
 *   LM_ETIMEOUT      interrupted
 *   LM_ENOMEM, LM_EIO
 */
int sqlite_db_error(struct sqlite_db *db, int rc, struct errbuf *err);

/* Binds text that lives until the statement is reset. */
void sqlite_db_bind_text(sqlite3_stmt *stmt, int index, struct slice text);

/* Text of a column; a view that lives until the statement is stepped or reset. NULL: empty. */
struct slice sqlite_db_column_text(sqlite3_stmt *stmt, int column);

#endif
