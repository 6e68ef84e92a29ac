#include "sqlite/sqlite_vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/xalloc.h"
#include "sqlite/sqlite_faults.h"

/* An open log file. The default VFS's own file lies behind it. */
struct log_file {
    sqlite3_file base; /* must be first */
    char *held;        /* SQLITE_VFS_HELD_BYTES, or NULL before the first write */
    int held_len;
    sqlite3_int64 held_at;   /* where in the file they belong */
    sqlite3_int64 commit_at; /* the frame that ends a commit not synced yet; 0: none */
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods log_methods;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum { FRAME_HEADER_BYTES = 24 }; /* https://www.sqlite.org/fileformat2.html#the_write_ahead_log */

/* Behind a struct log_file, aligned for anything. */
enum { LOG_FILE_BYTES = (sizeof(struct log_file) + 15) / 16 * 16 };

static sqlite3_file *real_file(sqlite3_file *file)
{
    return (sqlite3_file *)((char *)file + LOG_FILE_BYTES);
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

    free(f->held);
    return rc != SQLITE_OK ? rc : close_rc;
}

/* All others: first what is held, then the same of the real file. */
#define AFTER_HELD(call)                                                                           \
    do {                                                                                           \
        sqlite3_file *real = real_file(file);                                                      \
        int rc = write_held((struct log_file *)file);                                              \
                                                                                                   \
        return rc != SQLITE_OK ? rc : real->pMethods->call;                                        \
    } while (0)

static int log_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    AFTER_HELD(xRead(real, data, len, at));
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    AFTER_HELD(xTruncate(real, size));
}

/*
 * SQLite gives up a commit whose sync fails, but leaves it in the log, whole; were the process to
 * end before the next commit is written over it, recovery would take it for good, though its
 * clients were told that it failed. Without its last frame it is no commit.
 */
static void take_back_commit(struct log_file *f)
{
    static const char nothing[FRAME_HEADER_BYTES];
    sqlite3_file *real = real_file(&f->base);

    if (real->pMethods->xWrite(real, nothing, sizeof(nothing), f->commit_at) == SQLITE_OK)
        real->pMethods->xSync(real, SQLITE_SYNC_NORMAL);
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *f = (struct log_file *)file;
    sqlite3_file *real = real_file(file);
    int rc = write_held(f);

    if (rc == SQLITE_OK) {
        rc = real->pMethods->xSync(real, flags);
        if (rc != SQLITE_OK && f->commit_at > 0)
            take_back_commit(f);
    }
    f->commit_at = 0;
    return rc;
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

static int log_sector_size(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);

    return real->pMethods->xSectorSize(real);
}

static int log_device_characteristics(sqlite3_file *file)
{
    sqlite3_file *real = real_file(file);

    return real->pMethods->xDeviceCharacteristics(real);
}

static int open_file(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct log_file *f = (struct log_file *)file;
    sqlite3_file *real;
    int rc;

    if (!(flags & SQLITE_OPEN_WAL))
        return system_vfs->xOpen(system_vfs, name, file, flags, out_flags);
    memset(f, 0, sizeof(*f));
    real = real_file(file);
    rc = system_vfs->xOpen(system_vfs, name, real, flags, out_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &log_methods;
    else if (real->pMethods) /* SQLite closes a file with methods even where opening failed */
        real->pMethods->xClose(real);
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
                                       .xSectorSize = log_sector_size,
                                       .xDeviceCharacteristics = log_device_characteristics};
    system_vfs = sqlite_faults_vfs(sqlite3_vfs_find(NULL));
    if (!system_vfs)
        return;
    vfs = *system_vfs;
    vfs.zName = "logmill";
    vfs.szOsFile += LOG_FILE_BYTES;
    vfs.xOpen = open_file;
    vfs.pNext = NULL;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        system_vfs = NULL;
}

const char *sqlite_vfs_name(void)
{
    const char *name;

    pthread_mutex_lock(&lock); /* no pthread_once: what failed is to be tried again */
    if (!system_vfs)
        set_up();
    name = system_vfs ? vfs.zName : NULL;
    pthread_mutex_unlock(&lock);
    return name;
}
