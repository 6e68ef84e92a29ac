#include "sqlite/vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/check.h"
#include "base/xalloc.h"
#include "sqlite/faults.h"

/*
 * An open log file. The default VFS's own file lies behind it.
 *
 * Always true (log_check):
 *   1. What is held fits, and is in memory that is there.
 *   2. A place of a commit is that of a frame.
 *   3. There is one only while its connection has the write lock: nobody else can have written
 *      there, and whoever takes the lock next finds no commit that is in doubt.
 *   4. The files of a connection know each other, or neither the other.
 */
struct log_file {
    sqlite3_file base; /* must be first */
    char *held;        /* SQLITE_VFS_HELD_BYTES, or NULL before the first write */
    int held_len;
    sqlite3_int64 held_at;   /* where in the file they belong */
    sqlite3_int64 commit_at; /* the frame that ends a commit not yet published; 0: none */
    struct db_file *db;      /* of the same connection */
};

/* An open database file, in the same way. */
struct db_file {
    sqlite3_file base;    /* must be first */
    struct log_file *log; /* NULL: not open */
    bool writes;          /* it has the write lock */
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods log_methods;
static sqlite3_io_methods db_methods;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* https://www.sqlite.org/fileformat2.html#the_write_ahead_log,
 * https://www.sqlite.org/walformat.html */
enum {
    LOG_HEADER_BYTES = 32,
    FRAME_HEADER_BYTES = 24,
    FRAME_ALIGNMENT = 8, /* of what follows a frame: pages are larger powers of two */
    WRITE_LOCK = 0,
};

/* Behind a struct log_file or db_file, aligned for anything. */
enum { OUR_FILE_BYTES = (sizeof(struct log_file) + 15) / 16 * 16 };
_Static_assert(sizeof(struct db_file) <= sizeof(struct log_file), "one size for both");

static sqlite3_file *real_file(sqlite3_file *file)
{
    return (sqlite3_file *)((char *)file + OUR_FILE_BYTES);
}

static void log_check(const struct log_file *f)
{
    CHECK(f->held_len >= 0 && f->held_len <= SQLITE_VFS_HELD_BYTES);
    CHECK(f->held || f->held_len == 0);
    CHECK(f->commit_at == 0 || (f->commit_at >= LOG_HEADER_BYTES &&
                                (f->commit_at - LOG_HEADER_BYTES) % FRAME_ALIGNMENT == 0));
    CHECK(f->commit_at == 0 || !f->db || f->db->writes);
    CHECK(!f->db || f->db->log == f);
}

static void db_check(const struct db_file *f)
{
    if (!f->log)
        return;
    CHECK(f->log->db == f);
    log_check(f->log);
}

/* A commit that is not even written is none: its place may soon hold another. */
static int write_real(struct log_file *f, const void *data, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_file(&f->base);
    int rc = real->pMethods->xWrite(real, data, len, at);

    if (rc != SQLITE_OK)
        f->commit_at = 0;
    return rc;
}

/* Writes what is held. On an error it is dropped: SQLite then gives the transaction up. */
static int write_held(struct log_file *f)
{
    int len = f->held_len;

    f->held_len = 0;
    return len == 0 ? SQLITE_OK : write_real(f, f->held, len, f->held_at);
}

/* A frame's header, and that of a transaction's last frame: bytes 4 to 7 are not 0. */
static bool ends_commit(const void *data, int len)
{
    static const char zero[4];

    return len == FRAME_HEADER_BYTES && memcmp((const char *)data + 4, zero, sizeof(zero)) != 0;
}

static int log_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct log_file *f = (struct log_file *)file;

    CHECKED(log_check(f));
    if (ends_commit(data, len))
        f->commit_at = at;
    if (f->held_len > 0 &&
        (at != f->held_at + f->held_len || f->held_len + len > SQLITE_VFS_HELD_BYTES)) {
        int rc = write_held(f);

        if (rc != SQLITE_OK)
            return rc;
    }
    if (!f->held)
        f->held = try_malloc(SQLITE_VFS_HELD_BYTES);
    if (!f->held || len > SQLITE_VFS_HELD_BYTES)
        return write_real(f, data, len, at);
    if (f->held_len == 0)
        f->held_at = at;
    memcpy(f->held + f->held_len, data, (size_t)len);
    f->held_len += len;
    return SQLITE_OK;
}

static int log_close(sqlite3_file *file)
{
    struct log_file *f = (struct log_file *)file;
    sqlite3_file *real = real_file(file);
    int rc = write_held(f);
    int close_rc = real->pMethods->xClose(real);

    if (f->db)
        f->db->log = NULL;
    free(f->held);
    return rc != SQLITE_OK ? rc : close_rc;
}

/*
 * A read that fails with EIO is told to SQLite in a way of which it makes SQLITE_CORRUPT. It may be
 * the cable: what is in the file may be whole, and only a checksum can tell that it is not.
 */
static int bear_read(int rc)
{
    return rc == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : rc;
}

/* All others: first what is held, then the same of the real file. */
#define AFTER_HELD(call)                                                                           \
    do {                                                                                           \
        sqlite3_file *real = real_file(file);                                                      \
                                                                                                   \
        CHECKED(log_check((struct log_file *)file));                                               \
        int rc = write_held((struct log_file *)file);                                              \
        return rc != SQLITE_OK ? rc : real->pMethods->call;                                        \
    } while (0)

static int log_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    CHECKED(log_check((struct log_file *)file));
    int rc = write_held((struct log_file *)file);
    sqlite3_file *real = real_file(file);
    return rc != SQLITE_OK ? rc : bear_read(real->pMethods->xRead(real, data, len, at));
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    AFTER_HELD(xTruncate(real, size));
}

/*
 * SQLite gives up a commit that fails late, but leaves it in the log, whole; were the process to
 * end before the next commit is written over it, recovery would take it for good, though its
 * clients were told that it failed. Without its last frame it is no commit.
 */
static void take_back_commit(struct log_file *f)
{
    static const char nothing[FRAME_HEADER_BYTES];
    sqlite3_file *real = real_file(&f->base);

    f->held_len = 0;
    if (real->pMethods->xWrite(real, nothing, sizeof(nothing), f->commit_at) == SQLITE_OK)
        real->pMethods->xSync(real, SQLITE_SYNC_NORMAL);
    f->commit_at = 0;
}

static int log_sync(sqlite3_file *file, int flags)
{
    AFTER_HELD(xSync(real, flags));
}

static int log_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    AFTER_HELD(xFileSize(real, size));
}

static int log_lock(sqlite3_file *file, int level)
{
    AFTER_HELD(xLock(real, level));
}

static int log_unlock(sqlite3_file *file, int level)
{
    AFTER_HELD(xUnlock(real, level));
}

static int log_check_reserved_lock(sqlite3_file *file, int *result)
{
    AFTER_HELD(xCheckReservedLock(real, result));
}

static int log_file_control(sqlite3_file *file, int op, void *arg)
{
    AFTER_HELD(xFileControl(real, op, arg));
}

static int sector_size(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);

    return real->pMethods->xSectorSize(real);
}

static int device_characteristics(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);

    return real->pMethods->xDeviceCharacteristics(real);
}

/* ---- The database file: it has the lock and the index of its log ---- */

static int db_close(sqlite3_file *file)
{
    struct db_file *f = (struct db_file *)file;

    if (f->log)
        f->log->db = NULL;
    return real_file(file)->pMethods->xClose(real_file(file));
}

static int db_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return bear_read(real_file(file)->pMethods->xRead(real_file(file), data, len, at));
}

static int db_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    return real_file(file)->pMethods->xWrite(real_file(file), data, len, at);
}

static int db_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_file(file)->pMethods->xTruncate(real_file(file), size);
}

static int db_sync(sqlite3_file *file, int flags)
{
    return real_file(file)->pMethods->xSync(real_file(file), flags);
}

static int db_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_file(file)->pMethods->xFileSize(real_file(file), size);
}

static int db_lock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int db_unlock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int db_check_reserved_lock(sqlite3_file *file, int *result)
{
    return real_file(file)->pMethods->xCheckReservedLock(real_file(file), result);
}

static int db_file_control(sqlite3_file *file, int op, void *arg)
{
    return real_file(file)->pMethods->xFileControl(real_file(file), op, arg);
}

static int db_shm_map(sqlite3_file *file, int page, int page_size, int extend, void volatile **out)
{
    return real_file(file)->pMethods->xShmMap(real_file(file), page, page_size, extend, out);
}

/* Letting go of the write lock ends a transaction. */
static int db_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct db_file *f = (struct db_file *)file;
    bool lets_go = offset == WRITE_LOCK && (flags & SQLITE_SHM_UNLOCK);

    CHECKED(db_check(f));
    if (lets_go && f->log && f->log->commit_at > 0)
        take_back_commit(f->log);
    if (lets_go)
        f->writes = false;
    int rc = real_file(file)->pMethods->xShmLock(real_file(file), offset, n, flags);
    if (offset == WRITE_LOCK && (flags & SQLITE_SHM_LOCK) && rc == SQLITE_OK)
        f->writes = true;
    CHECKED(db_check(f));
    return rc;
}

/* After its frames are synced, SQLite comes here once it has begun to write the index's header. */
static void db_shm_barrier(sqlite3_file *file)
{
    struct log_file *log = ((struct db_file *)file)->log;

    CHECKED(db_check((struct db_file *)file));
    if (log)
        log->commit_at = 0;
    real_file(file)->pMethods->xShmBarrier(real_file(file));
}

static int db_shm_unmap(sqlite3_file *file, int delete)
{
    return real_file(file)->pMethods->xShmUnmap(real_file(file), delete);
}

/* ---- The VFS ---- */

static void set_up_log(struct log_file *f, sqlite3_filename name)
{
    f->base.pMethods = &log_methods;
    f->db = (struct db_file *)sqlite3_database_file_object(name);
    if (f->db && f->db->base.pMethods == &db_methods)
        f->db->log = f;
    else
        f->db = NULL;
}

static int open_file(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    if (!(flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB)))
        return system_vfs->xOpen(system_vfs, name, file, flags, out_flags);
    memset(file, 0, OUR_FILE_BYTES);
    sqlite3_file *real = real_file(file);
    int rc = system_vfs->xOpen(system_vfs, name, real, flags, out_flags);
    if (rc != SQLITE_OK) {
        if (real->pMethods) /* SQLite closes a file with methods even if opening failed */
            real->pMethods->xClose(real);
    } else if (flags & SQLITE_OPEN_WAL) {
        set_up_log((struct log_file *)file, name);
    } else {
        file->pMethods = &db_methods;
    }
    return rc;
}

static void set_up(void)
{
    /* Version 1: a log has no shared memory and is not mapped, which later versions are for. */
    log_methods = (sqlite3_io_methods){.iVersion = 1,
                                       .xClose = log_close,
                                       .xRead = log_read,
                                       .xWrite = log_write,
                                       .xTruncate = log_truncate,
                                       .xSync = log_sync,
                                       .xFileSize = log_file_size,
                                       .xLock = log_lock,
                                       .xUnlock = log_unlock,
                                       .xCheckReservedLock = log_check_reserved_lock,
                                       .xFileControl = log_file_control,
                                       .xSectorSize = sector_size,
                                       .xDeviceCharacteristics = device_characteristics};
    /* Version 2: 3 is for files that are mapped, which ours are not. */
    db_methods = (sqlite3_io_methods){.iVersion = 2,
                                      .xClose = db_close,
                                      .xRead = db_read,
                                      .xWrite = db_write,
                                      .xTruncate = db_truncate,
                                      .xSync = db_sync,
                                      .xFileSize = db_file_size,
                                      .xLock = db_lock,
                                      .xUnlock = db_unlock,
                                      .xCheckReservedLock = db_check_reserved_lock,
                                      .xFileControl = db_file_control,
                                      .xSectorSize = sector_size,
                                      .xDeviceCharacteristics = device_characteristics,
                                      .xShmMap = db_shm_map,
                                      .xShmLock = db_shm_lock,
                                      .xShmBarrier = db_shm_barrier,
                                      .xShmUnmap = db_shm_unmap};
    system_vfs = sqlite_faults_vfs(sqlite3_vfs_find(NULL));
    if (!system_vfs)
        return;
    vfs = *system_vfs;
    vfs.zName = "logmill";
    vfs.szOsFile += OUR_FILE_BYTES;
    vfs.xOpen = open_file;
    vfs.pNext = NULL;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        system_vfs = NULL;
}

const char *sqlite_vfs_name(void)
{
    pthread_mutex_lock(&lock); /* no pthread_once: what failed is to be tried again */
    if (!system_vfs)
        set_up();
    const char *name = system_vfs ? vfs.zName : NULL;
    pthread_mutex_unlock(&lock);
    return name;
}
