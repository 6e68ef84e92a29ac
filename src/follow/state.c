#include "follow/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/xalloc.h"
#include "sqlite/db.h"

enum {
    APPLICATION_ID = 0x6c6d666c, /* "lmfl": other SQLite files are not taken for a state */
    PRUNE_LOOKS_MAX = 1000,      /* files that one state_prune looks for on the disk */
};

/* Numbers that have 64 bits without a sign are kept as the signed ones of the same bits. */
static const char *const steps[] = {
    "PRAGMA application_id = 0x6c6d666c;"
    "CREATE TABLE follower(one INTEGER PRIMARY KEY CHECK (one = 1), began_us INTEGER NOT NULL,"
    " changed_us INTEGER NOT NULL, next_number INTEGER NOT NULL) STRICT;"
    "CREATE TABLE files(number INTEGER PRIMARY KEY, key INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " path TEXT NOT NULL, family TEXT NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,"
    " born_ns INTEGER NOT NULL, generation INTEGER NOT NULL, before INTEGER NOT NULL,"
    " mark_offset INTEGER NOT NULL, chain INTEGER NOT NULL, head_hash INTEGER NOT NULL,"
    " head_len INTEGER NOT NULL, tail_len INTEGER NOT NULL, tail_hash INTEGER NOT NULL,"
    " ahead_offset INTEGER NOT NULL, ahead_chain INTEGER NOT NULL,"
    " ahead_head_hash INTEGER NOT NULL, ahead_head_len INTEGER NOT NULL,"
    " ahead_tail_len INTEGER NOT NULL, ahead_tail_hash INTEGER NOT NULL,"
    " sent INTEGER NOT NULL, size INTEGER NOT NULL, changed_us INTEGER NOT NULL,"
    " is_deleted INTEGER NOT NULL, form TEXT NOT NULL, guessed INTEGER NOT NULL,"
    " put_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE times(number INTEGER NOT NULL, first INTEGER NOT NULL, behind INTEGER NOT NULL,"
    " us INTEGER NOT NULL, PRIMARY KEY(number, first)) STRICT, WITHOUT ROWID",
    "CREATE TABLE ladders(number INTEGER PRIMARY KEY, ladder BLOB NOT NULL) STRICT",
    ("CREATE TABLE unreadable(path TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;"
     "ALTER TABLE follower ADD COLUMN lost_bytes INTEGER NOT NULL DEFAULT 0"),
};

enum {
    STEPS_LEN = sizeof(steps) / sizeof(steps[0]),
    LOSSES_VERSION = 3, /* from which on it has what is lost and unreadable */
};

_Static_assert(STATE_LIVE == 0, "kind <> 0 below");

struct state {
    struct sqlite_db db;
    char *path;
    int lock;     /* -1: opened to read */
    dev_t device; /* of the file */
    ino_t inode;
    bool is_new;
    bool was_full; /* in the transaction */
    int64_t opened_us, put_us;
    int64_t last_number; /* given to a file; also if that was rolled back: none is given twice */
    int64_t version, lost_bytes;
};

/* ---- What can be done ---- */

static bool is_damage(struct sqlite_db *db)
{
    int rc = db->handle ? sqlite3_errcode(db->handle) & 0xff : SQLITE_OK;

    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

/* Passes an error on; says what can be done about it, and takes note of a full disk. */
static int failed(struct state *s, int error, struct errbuf *err)
{
    s->was_full |= error == LM_EFULL;
    if (error == LM_EIO && is_damage(&s->db))
        errbuf_set(err,
                   "the state %s is damaged; move it away with its -wal, to begin without: files "
                   "are read from their beginnings then, and lines that have no time of their own "
                   "are stored twice",
                   s->path);
    return error;
}

/* ---- Folder, lock, file ---- */

static int make_one(const char *path, struct errbuf *err)
{
    if (mkdir(path, 0700)) {
        if (errno == EEXIST)
            return 0;
        return errbuf_fail(err, LM_EIO, "cannot make the folder %s: %s", path, strerror(errno));
    }
    fault_name_made(path);
    int error = sqlite_db_sync_parent(path, err);
    if (error)
        rmdir(path); /* so that the next start makes and syncs it */
    return error;
}

int state_make_folder(const char *path, struct errbuf *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    int error = 0;

    if (len >= sizeof(part))
        return errbuf_fail(err, LM_EINVAL, "the state's path is longer than %d bytes",
                           PATH_MAX - 1);
    for (size_t i = 1; i < len && !error; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        error = make_one(part, err);
    }
    return error;
}

/* A lock of the open file (fcntl(2), F_OFD_SETLK): who wants to know about it need not take it. */
static struct flock lock_of(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static long read_holder(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* The lock is what counts, so a full disk does not matter here. */
static void write_holder(int fd)
{
    char text[32];

    snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0)
        errno = 0;
}

static int lock_path(char file[PATH_MAX], const char *path, struct errbuf *err)
{
    int len = snprintf(file, PATH_MAX, "%s-lock", path);

    if (len < 0 || len >= PATH_MAX)
        return errbuf_fail(err, LM_EINVAL, "the state's path is longer than %zu bytes",
                           PATH_MAX - sizeof("-lock"));
    return 0;
}

static int take_lock(struct state *s, struct errbuf *err)
{
    struct flock lock = lock_of(F_WRLCK);
    char file[PATH_MAX];
    int error = lock_path(file, s->path, err);

    if (error)
        return error;
    s->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return errbuf_fail(err, LM_EIO, "cannot open the state's lock %s: %s", file,
                           strerror(errno));
    if (fcntl(s->lock, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return errbuf_fail(err, LM_ELOCKED,
                               "the state %s is in use by another logmill send --follow (pid "
                               "%ld); stop it or give another --state FILE",
                               s->path, read_holder(s->lock));
        return errbuf_fail(err, LM_EIO, "cannot lock %s: %s", file, strerror(errno));
    }
    write_holder(s->lock);
    return 0;
}

int64_t state_owner(struct state *s)
{
    struct flock lock = lock_of(F_RDLCK);
    char file[PATH_MAX];
    int64_t pid = 0;

    if (s->lock >= 0)
        return getpid();
    if (lock_path(file, s->path, NULL))
        return 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        pid = read_holder(fd);
    close(fd);
    return pid;
}

/* SQLite gives its log and index the mode of the file, which is there before it is theirs. */
static int make_file(struct state *s, struct errbuf *err)
{
    struct stat status;
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        fault_name_made(s->path);
        close(fd);
        return 0;
    }
    if (errno != EEXIST || stat(s->path, &status) != 0)
        return errbuf_fail(err, LM_EIO, "cannot make the state %s: %s", s->path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return errbuf_fail(err, LM_EINVAL, "the state %s is not a regular file", s->path);
    if ((status.st_mode & 077) && chmod(s->path, status.st_mode & 0700))
        errno = 0; /* another user's: then it is that user's to say who reads it */
    return 0;
}

/* ---- Opening ---- */

static int ask(struct sqlite_db *db, const char *sql, int64_t *number, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_prepare(db, sql, &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    *number = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(db, rc, err);
    sqlite3_finalize(stmt);
    return error;
}

/* *is_empty: nothing is in the file yet, as after a start that was cut off. */
static int check_file(struct state *s, bool *is_empty, struct errbuf *err)
{
    int64_t tables, application, version;
    int error;

    if ((error = ask(&s->db, "SELECT count(*) FROM sqlite_schema", &tables, err)) ||
        (error = ask(&s->db, "PRAGMA application_id", &application, err)) ||
        (error = ask(&s->db, "PRAGMA user_version", &version, err)))
        return failed(s, error, err);
    *is_empty = tables == 0 && version == 0;
    s->version = version;
    if (!*is_empty && application != APPLICATION_ID)
        return errbuf_fail(err, LM_EINVAL,
                           "%s is an SQLite file, but no state of logmill send --follow; give "
                           "another --state FILE",
                           s->path);
    if (version > STEPS_LEN)
        return errbuf_fail(err, LM_EINVAL,
                           "the state %s is a newer logmill's (version %d, this one knows up to "
                           "%d); use that one, or give another --state FILE",
                           s->path, (int)version, (int)STEPS_LEN);
    return 0;
}

/* What is there may be a file of somebody else's, which must stay as it is. */
static int check_before(struct state *s, struct errbuf *err)
{
    struct sqlite_db_options options = {.path = s->path, .as_it_is = true};
    bool is_empty;
    int error = sqlite_db_open(&s->db, &options, err);

    if (!error)
        error = check_file(s, &is_empty, err);
    sqlite_db_close(&s->db);
    return error;
}

static int read_follower(struct state *s, struct errbuf *err)
{
    int64_t number, rows;
    int error;

    if ((error = ask(&s->db, "SELECT count(*) FROM follower", &rows, err)) ||
        (error = ask(&s->db, "SELECT next_number FROM follower", &number, err)))
        return failed(s, error, err);
    if (s->version >= LOSSES_VERSION &&
        (error = ask(&s->db, "SELECT lost_bytes FROM follower", &s->lost_bytes, err)))
        return failed(s, error, err);
    s->is_new = rows == 0;
    s->last_number = number > 0 ? number - 1 : 0;
    return 0;
}

static struct state *new_state(const char *path)
{
    struct state *s = xcalloc(1, sizeof(*s));

    s->path = xstrdup(path);
    s->lock = -1;
    s->opened_us = clock_wall_us();
    return s;
}

static int open_to_write(struct state *s, struct errbuf *err)
{
    struct sqlite_db_options options = {.path = s->path, .steps = steps, .steps_len = STEPS_LEN};
    struct stat status = {.st_ino = 0};
    int error = failed(s, sqlite_db_open(&s->db, &options, err), err);

    s->version = STEPS_LEN;
    if (!error && stat(s->path, &status) == 0) {
        s->device = status.st_dev;
        s->inode = status.st_ino;
    }
    return error;
}

struct state *state_open(const char *path, struct errbuf *err)
{
    struct state *s = new_state(path);

    if (take_lock(s, err) || make_file(s, err) || check_before(s, err) || open_to_write(s, err) ||
        read_follower(s, err))
        goto fail;
    return s;

fail:
    state_close(s);
    return NULL;
}

static struct state *open_to_read(const char *path, struct errbuf *err)
{
    struct sqlite_db_options options = {.path = path, .as_it_is = true, .read_only = true};
    struct state *s = new_state(path);
    bool is_empty = false;

    if (access(path, F_OK) != 0) {
        errbuf_set(err, "there is no state %s: %s", path, strerror(errno));
        goto fail;
    }
    int error = sqlite_db_open(&s->db, &options, err);
    if (failed(s, error, err) || check_file(s, &is_empty, err))
        goto fail;
    if (is_empty) {
        errbuf_set(err, "there is nothing in the state %s yet", path);
        goto fail;
    }
    if (read_follower(s, err))
        goto fail;
    return s;

fail:
    state_close(s);
    return NULL;
}

/* Takes the ids of the file's owner, if that is not root, who we are. False: nothing was changed.
 * SQLite makes its log and index by reading, too: what is root's, if only until it is handed over,
 * is denied to a follower that starts just then. */
static bool become_owner(const char *path)
{
    struct stat status;

    if (geteuid() != 0 || stat(path, &status) != 0 || status.st_uid == 0)
        return false;
    gid_t group = getegid();
    if (setegid(status.st_gid) != 0)
        return false;
    if (seteuid(status.st_uid) == 0)
        return true;
    int undone = setegid(group); /* root may, always */
    (void)undone;
    return false;
}

struct state *state_open_to_read(const char *path, struct errbuf *err)
{
    struct errbuf refused = ERRBUF_INIT;
    gid_t group = getegid();

    if (!become_owner(path))
        return open_to_read(path, err);
    struct state *s = open_to_read(path, &refused);
    if (seteuid(0) != 0 || setegid(group) != 0) { /* cannot be: root is the real user still */
        errbuf_set(err, "cannot be root again: %s", strerror(errno));
        state_close(s);
        return NULL;
    }
    /* What its owner cannot open, as in another one's folder, no follower of that one can. */
    return s ? s : open_to_read(path, err);
}

bool state_is_gone(const struct state *s)
{
    struct stat status;

    if (!s->db.handle)
        return true;
    if (stat(s->path, &status) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return status.st_dev != s->device || status.st_ino != s->inode;
}

/* The file is there still, though nobody can open it: all that is in it, in a new one. */
static int copy_to(struct state *s, const char *to, struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return errbuf_fail(err, LM_EIO, "cannot make %s: %s", to, strerror(errno));
    close(fd);
    int error = sqlite_db_prepare(&s->db, "VACUUM INTO ?", &stmt, err);
    if (!error) {
        sqlite_db_bind_text(stmt, 1, slice_of_string(to));
        error = sqlite_db_run(&s->db, stmt, err);
    }
    sqlite3_finalize(stmt);
    return failed(s, error, err);
}

int state_write_anew(struct state *s, struct errbuf *err)
{
    static const char *const of_the_old[] = {"-wal", "-shm"};
    char to[PATH_MAX], other[PATH_MAX];
    int error = 0;

    snprintf(to, sizeof(to), "%s-new", s->path);
    if (s->db.handle) { /* else that was done, and it could not be opened */
        if ((error = copy_to(s, to, err)))
            return error;
        sqlite_db_close(&s->db);
        for (int i = 0; i < 2; i++) {
            snprintf(other, sizeof(other), "%s%s", s->path, of_the_old[i]);
            unlink(other);
        }
        if (rename(to, s->path))
            return errbuf_fail(err, LM_EIO, "cannot rename %s: %s", to, strerror(errno));
    }
    if (s->lock >= 0)
        close(s->lock);
    s->lock = -1;
    if ((error = take_lock(s, err)))
        return error;
    return open_to_write(s, err);
}

void state_close(struct state *s)
{
    if (!s)
        return;
    sqlite_db_close(&s->db);
    if (s->lock >= 0)
        close(s->lock);
    free(s->path);
    free(s);
}

bool state_is_new(const struct state *s)
{
    return s->is_new;
}

int64_t state_began_us(struct state *s)
{
    int64_t us;

    if (s->is_new)
        return s->opened_us;
    return ask(&s->db, "SELECT began_us FROM follower", &us, NULL) ? 0 : us;
}

int64_t state_changed_us(struct state *s)
{
    int64_t us;

    return ask(&s->db, "SELECT changed_us FROM follower", &us, NULL) ? 0 : us;
}

/* ---- Reading ---- */

/* From six columns, the first of which is `first`. */
static struct content_mark take_mark(sqlite3_stmt *row, int first)
{
    return (struct content_mark){
        .offset = (uint64_t)sqlite3_column_int64(row, first),
        .chain = (uint64_t)sqlite3_column_int64(row, first + 1),
        .head_hash = (uint64_t)sqlite3_column_int64(row, first + 2),
        .head_len = (uint32_t)sqlite3_column_int64(row, first + 3),
        .tail_len = (uint32_t)sqlite3_column_int64(row, first + 4),
        .tail_hash = (uint64_t)sqlite3_column_int64(row, first + 5),
    };
}

static struct slice column_blob(sqlite3_stmt *row, int column)
{
    const void *data = sqlite3_column_blob(row, column);

    return slice_of(data, (size_t)sqlite3_column_bytes(row, column));
}

static void take_file(sqlite3_stmt *row, struct state_file *f)
{
    struct slice form = sqlite_db_column_text(row, 25);
    size_t form_len = form.len < STATE_FORM_MAX ? form.len : STATE_FORM_MAX - 1;

    *f = (struct state_file){
        .number = sqlite3_column_int64(row, 0),
        .key = (uint64_t)sqlite3_column_int64(row, 1),
        .kind = (enum state_kind)sqlite3_column_int(row, 2),
        .path = sqlite_db_column_text(row, 3),
        .family = sqlite_db_column_text(row, 4),
        .identity = {.device = (uint64_t)sqlite3_column_int64(row, 5),
                     .inode = (uint64_t)sqlite3_column_int64(row, 6),
                     .born_ns = sqlite3_column_int64(row, 7)},
        .generation = (uint32_t)sqlite3_column_int64(row, 8),
        .before = sqlite3_column_int64(row, 9),
        .mark = take_mark(row, 10),
        .ahead = take_mark(row, 16),
        .sent = (uint64_t)sqlite3_column_int64(row, 22),
        .size = (uint64_t)sqlite3_column_int64(row, 23),
        .changed_us = sqlite3_column_int64(row, 24),
        .guessed = (uint64_t)sqlite3_column_int64(row, 26),
        .is_deleted = sqlite3_column_int64(row, 27),
        .put_us = sqlite3_column_int64(row, 28),
        .ladder = column_blob(row, 29),
    };
    if (form_len > 0)
        memcpy(f->form, form.data, form_len);
}

int state_load(struct state *s, int64_t number, int (*file)(const struct state_file *f, void *ctx),
               void *ctx, struct errbuf *err)
{
    sqlite3_stmt *rows;
    int rc = SQLITE_ROW;

    if (!s->db.handle)
        return errbuf_fail(err, LM_EIO, "the state %s is not open", s->path);
    int error = sqlite_db_statement(
        &s->db,
        "SELECT number, key, kind, path, family, device, inode, born_ns, generation, before,"
        " mark_offset, chain, head_hash, head_len, tail_len, tail_hash, ahead_offset, ahead_chain,"
        " ahead_head_hash, ahead_head_len, ahead_tail_len, ahead_tail_hash, sent, size, changed_us,"
        " form, guessed, is_deleted, put_us, ladder FROM files LEFT JOIN ladders USING(number)"
        " WHERE number BETWEEN ? AND ? ORDER BY number",
        &rows, err);
    if (error)
        return failed(s, error, err);
    sqlite3_bind_int64(rows, 1, number > 0 ? number : INT64_MIN);
    sqlite3_bind_int64(rows, 2, number > 0 ? number : INT64_MAX);
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct state_file f;

        take_file(rows, &f);
        error = file(&f, ctx);
    }
    if (!error && rc != SQLITE_DONE)
        error = failed(s, sqlite_db_error(&s->db, rc, err), err);
    sqlite3_reset(rows);
    return error;
}

int state_load_times(struct state *s, int64_t number,
                     int (*time)(const struct state_time *t, void *ctx), void *ctx,
                     struct errbuf *err)
{
    sqlite3_stmt *rows;
    int rc = SQLITE_ROW;
    int error = sqlite_db_statement(
        &s->db, "SELECT first, behind, us FROM times WHERE number = ? ORDER BY first", &rows, err);

    if (error)
        return failed(s, error, err);
    sqlite3_bind_int64(rows, 1, number);
    while (!error && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct state_time t = {.from = (uint64_t)sqlite3_column_int64(rows, 0),
                               .to = (uint64_t)sqlite3_column_int64(rows, 1),
                               .us = sqlite3_column_int64(rows, 2)};

        error = time(&t, ctx);
    }
    if (!error && rc != SQLITE_DONE)
        error = failed(s, sqlite_db_error(&s->db, rc, err), err);
    sqlite3_reset(rows);
    return error;
}

int state_load_unreadable(struct state *s,
                          void (*file)(struct slice path, struct slice reason, void *ctx),
                          void *ctx, struct errbuf *err)
{
    sqlite3_stmt *rows;
    int rc;

    if (s->version < LOSSES_VERSION)
        return 0;
    int error = sqlite_db_statement(&s->db, "SELECT path, reason FROM unreadable ORDER BY path",
                                    &rows, err);
    if (error)
        return failed(s, error, err);
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW)
        file(sqlite_db_column_text(rows, 0), sqlite_db_column_text(rows, 1), ctx);
    if (rc != SQLITE_DONE)
        error = failed(s, sqlite_db_error(&s->db, rc, err), err);
    sqlite3_reset(rows);
    return error;
}

void state_note_lost(struct state *s, int64_t bytes)
{
    s->lost_bytes += bytes > -s->lost_bytes ? bytes : -s->lost_bytes;
}

uint64_t state_lost_bytes(const struct state *s)
{
    return (uint64_t)s->lost_bytes;
}

/* ---- Changing ---- */

int state_begin(struct state *s, struct errbuf *err)
{
    s->was_full = false;
    s->put_us = clock_wall_us();
    if (!s->db.handle)
        return errbuf_fail(err, LM_EIO, "the state %s is not open", s->path);
    return failed(s, sqlite_db_begin(&s->db, err), err);
}

/* Prepares one and binds its first numbers. */
static int prepare(struct state *s, const char *sql, sqlite3_stmt **stmt, const int64_t *numbers,
                   int numbers_len, struct errbuf *err)
{
    int error = sqlite_db_statement(&s->db, sql, stmt, err);

    for (int i = 0; i < numbers_len && !error; i++)
        sqlite3_bind_int64(*stmt, i + 1, numbers[i]);
    return failed(s, error, err);
}

static int run(struct state *s, sqlite3_stmt *stmt, struct errbuf *err)
{
    return failed(s, sqlite_db_run(&s->db, stmt, err), err);
}

static int put_row(struct state *s, const struct state_file *f, struct errbuf *err)
{
    const int64_t numbers[] = {
        f->number,
        (int64_t)f->key,
        f->kind,
        (int64_t)f->identity.device,
        (int64_t)f->identity.inode,
        f->identity.born_ns,
        f->generation,
        f->before,
        (int64_t)f->mark.offset,
        (int64_t)f->mark.chain,
        (int64_t)f->mark.head_hash,
        f->mark.head_len,
        f->mark.tail_len,
        (int64_t)f->mark.tail_hash,
        (int64_t)f->ahead.offset,
        (int64_t)f->ahead.chain,
        (int64_t)f->ahead.head_hash,
        f->ahead.head_len,
        f->ahead.tail_len,
        (int64_t)f->ahead.tail_hash,
        (int64_t)f->sent,
        (int64_t)f->size,
        f->changed_us,
        (int64_t)f->guessed,
        f->is_deleted,
        s->put_us,
    };
    enum { NUMBERS_LEN = sizeof(numbers) / sizeof(numbers[0]) };
    sqlite3_stmt *stmt;
    int error = prepare(s,
                        "INSERT OR REPLACE INTO files(number, key, kind, device, inode, born_ns,"
                        " generation, before, mark_offset, chain, head_hash, head_len, tail_len,"
                        " tail_hash, ahead_offset, ahead_chain, ahead_head_hash, ahead_head_len,"
                        " ahead_tail_len, ahead_tail_hash, sent, size, changed_us, guessed,"
                        " is_deleted, put_us, path, family, form)"
                        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        &stmt, numbers, NUMBERS_LEN, err);

    if (error)
        return error;
    sqlite_db_bind_text(stmt, NUMBERS_LEN + 1, f->path);
    sqlite_db_bind_text(stmt, NUMBERS_LEN + 2, f->family);
    sqlite_db_bind_text(stmt, NUMBERS_LEN + 3,
                        (struct slice){f->form, strnlen(f->form, STATE_FORM_MAX - 1)});
    return run(s, stmt, err);
}

int64_t state_reserve(struct state *s)
{
    return ++s->last_number;
}

static int put_ladder(struct state *s, const struct state_file *f, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = prepare(s, "INSERT OR REPLACE INTO ladders(number, ladder) VALUES(?,?)", &stmt,
                        &f->number, 1, err);

    if (error)
        return error;
    sqlite3_bind_blob64(stmt, 2, f->ladder.data, f->ladder.len, SQLITE_STATIC);
    return run(s, stmt, err);
}

int state_put(struct state *s, struct state_file *f, struct errbuf *err)
{
    sqlite3_stmt *stmt;

    if (f->number == 0)
        f->number = state_reserve(s);
    int error = put_row(s, f, err);
    if (!error && f->ladder.len > 0)
        error = put_ladder(s, f, err);
    if (error || f->mark.offset == 0)
        return error;
    if ((error = prepare(s, "DELETE FROM times WHERE number = ? AND behind <= ?", &stmt,
                         (int64_t[]){f->number, (int64_t)f->mark.offset}, 2, err)))
        return error;
    return run(s, stmt, err);
}

int state_put_time(struct state *s, int64_t number, const struct state_time *t, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error =
        prepare(s, "INSERT OR REPLACE INTO times(number, first, behind, us) VALUES(?,?,?,?)", &stmt,
                (int64_t[]){number, (int64_t)t->from, (int64_t)t->to, t->us}, 4, err);

    return error ? error : run(s, stmt, err);
}

int state_clear_unreadable(struct state *s, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = prepare(s, "DELETE FROM unreadable", &stmt, NULL, 0, err);

    return error ? error : run(s, stmt, err);
}

int state_put_unreadable(struct state *s, const char *path, const char *reason, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = prepare(s, "INSERT OR REPLACE INTO unreadable(path, reason) VALUES(?,?)", &stmt,
                        NULL, 0, err);

    if (error)
        return error;
    sqlite_db_bind_text(stmt, 1, slice_of_string(path));
    sqlite_db_bind_text(stmt, 2, slice_of_string(reason));
    return run(s, stmt, err);
}

int state_forget(struct state *s, int64_t number, struct errbuf *err)
{
    static const char *const sql[] = {"DELETE FROM times WHERE number = ?",
                                      "DELETE FROM ladders WHERE number = ?",
                                      "DELETE FROM files WHERE number = ?"};
    int error = 0;

    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]) && !error; i++) {
        sqlite3_stmt *stmt;

        error = prepare(s, sql[i], &stmt, &number, 1, err);
        if (!error)
            error = run(s, stmt, err);
    }
    return error;
}

/* What is still there has to be known: unknown, it would be read. */
static bool is_there(sqlite3_stmt *row)
{
    const char *path = (const char *)sqlite3_column_text(row, 1);
    struct file_identity known = {.device = (uint64_t)sqlite3_column_int64(row, 2),
                                  .inode = (uint64_t)sqlite3_column_int64(row, 3),
                                  .born_ns = sqlite3_column_int64(row, 4)};
    struct file_look look;

    if (!path || file_look_path(path, true, &look))
        return path && errno != ENOENT && errno != ENOTDIR;
    return file_identity_equal(&look.identity, &known) ||
           file_identity_moved(&look.identity, &known);
}

/* The numbers of up to PRUNE_LOOKS_MAX files that nobody has put since `us`: those of files that
 * are still there as negative ones. Returns how many, or an error. */
static int find_old(struct state *s, int64_t us, int64_t *numbers, struct errbuf *err)
{
    sqlite3_stmt *rows;
    int len = 0;
    int rc;
    int error = prepare(s,
                        "SELECT number, path, device, inode, born_ns FROM files"
                        " WHERE put_us < ? AND kind <> 0 ORDER BY number LIMIT ?",
                        &rows, (int64_t[]){us, PRUNE_LOOKS_MAX}, 2, err);

    if (error)
        return error;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW)
        numbers[len++] = sqlite3_column_int64(rows, 0) * (is_there(rows) ? -1 : 1);
    if (rc != SQLITE_DONE)
        error = failed(s, sqlite_db_error(&s->db, rc, err), err);
    sqlite3_reset(rows);
    return error ? error : len;
}

static int prune_old(struct state *s, int64_t now_us, struct errbuf *err)
{
    int64_t *numbers = xcalloc(PRUNE_LOOKS_MAX, sizeof(*numbers));
    int len = find_old(s, now_us - INT64_C(86400000000) * STATE_KEPT_DAYS, numbers, err);
    int error = len < 0 ? len : 0;

    for (int i = 0; i < len && !error; i++) {
        sqlite3_stmt *touch;

        if (numbers[i] > 0)
            error = state_forget(s, numbers[i], err);
        else if (!(error = prepare(s, "UPDATE files SET put_us = ? WHERE number = ?", &touch,
                                   (int64_t[]){now_us, -numbers[i]}, 2, err)))
            error = run(s, touch, err);
    }
    free(numbers);
    return error;
}

/* The oldest above STATE_KEPT_FILES. */
static int prune_many(struct state *s, struct errbuf *err)
{
    static const char *const orphans[] = {
        "DELETE FROM times WHERE number NOT IN (SELECT number FROM files)",
        "DELETE FROM ladders WHERE number NOT IN (SELECT number FROM files)"};
    const int64_t kept = STATE_KEPT_FILES;
    sqlite3_stmt *stmt;
    int error = prepare(s,
                        "DELETE FROM files WHERE number IN (SELECT number FROM files"
                        " WHERE kind <> 0 ORDER BY number DESC LIMIT -1 OFFSET ?)",
                        &stmt, &kept, 1, err);

    if (!error)
        error = run(s, stmt, err);
    if (error || sqlite3_changes(s->db.handle) == 0)
        return error;
    for (size_t i = 0; i < sizeof(orphans) / sizeof(orphans[0]) && !error; i++)
        if (!(error = prepare(s, orphans[i], &stmt, NULL, 0, err)))
            error = run(s, stmt, err);
    return error;
}

int state_prune(struct state *s, int64_t now_us, struct errbuf *err)
{
    int error = prune_old(s, now_us, err);

    return error ? error : prune_many(s, err);
}

int state_commit(struct state *s, struct errbuf *err)
{
    const int64_t numbers[] = {s->opened_us, clock_wall_us(), s->last_number + 1, s->lost_bytes};
    sqlite3_stmt *stmt;
    int error = prepare(s,
                        "INSERT INTO follower(one, began_us, changed_us, next_number, lost_bytes)"
                        " VALUES(1,?,?,?,?) ON CONFLICT(one) DO UPDATE SET"
                        " changed_us = excluded.changed_us, next_number = excluded.next_number,"
                        " lost_bytes = excluded.lost_bytes",
                        &stmt, numbers, 4, err);

    if (!error)
        error = run(s, stmt, err);
    if (!error)
        error = failed(s, sqlite_db_commit(&s->db, err), err);
    if (error)
        return error;
    s->is_new = false;
    sqlite_db_checkpoint(&s->db);
    return 0;
}

void state_roll_back(struct state *s)
{
    sqlite_db_rollback(&s->db);
    if (s->was_full &&
        s->db.handle) /* what is in the log needs no new space once it is in the file */
        sqlite_db_checkpoint_now(&s->db);
    s->was_full = false;
}
