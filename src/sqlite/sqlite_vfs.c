#include "sqlite/sqlite_vfs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* An open log file. The default VFS's own file lies behind it. */
struct log_file {
    sqlite3_file base; /* must be first */
    char *held;        /* SQLITE_VFS_HELD_BYTES, or NULL before the first write */
    int held_len;
    sqlite3_int64 held_at; /* where in the file they belong */
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods log_methods;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Behind a struct log_file, aligned for anything. */
enum { LOG_FILE_BYTES = (sizeof(struct log_file) + 15) / 16 * 16 };

static sqlite3_file *real_file(sqlite3_file *file)
{
    return (sqlite3_file *)((char *)file + LOG_FILE_BYTES);
}

/* Writes what is held. On an error it is dropped: SQLite then gives the transaction up. */
static int write_held(struct log_file *f)
{
    sqlite3_file *real = real_file(&f->base);
    int len = f->held_len;

    f->held_len = 0;
    return len == 0 ? SQLITE_OK : real->pMethods->xWrite(real, f->held, len, f->held_at);
}

static int log_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct log_file *f = (struct log_file *)file;
    sqlite3_file *real = real_file(file);

    if (f->held_len > 0 &&
        (at != f->held_at + f->held_len || f->held_len + len > SQLITE_VFS_HELD_BYTES)) {
        int rc = write_held(f);

        if (rc != SQLITE_OK)
            return rc;
    }
    if (!f->held)
        f->held = malloc(SQLITE_VFS_HELD_BYTES);
    if (!f->held || len > SQLITE_VFS_HELD_BYTES)
        return real->pMethods->xWrite(real, data, len, at);
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
    system_vfs = sqlite3_vfs_find(NULL);
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
    pthread_once(&once, set_up);
    return system_vfs ? vfs.zName : NULL;
}
