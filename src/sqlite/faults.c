#include "sqlite/faults.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"

enum { SECTOR = SQLITE_FAULTS_SECTOR_BYTES };

/* ---- Allocations ---- */

static sqlite3_mem_methods system_memory;

static void *allocate(int size)
{
    return fault_here(FAULT_LIBRARY) ? NULL : system_memory.xMalloc(size);
}

static void *reallocate(void *p, int size)
{
    return fault_here(FAULT_LIBRARY) ? NULL : system_memory.xRealloc(p, size);
}

void sqlite_faults_allocator(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) != SQLITE_OK)
        return;
    sqlite3_mem_methods memory = system_memory;
    memory.xMalloc = allocate;
    memory.xRealloc = reallocate;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
}

/* ---- What the disk holds of the files that are not synced ---- */

/* One file, however many connections have it open. Kept until the process ends. */
struct disk_file {
    struct disk_file *next;
    char *path;
    sqlite3_int64 size; /* when it was last synced */
    char **sectors;     /* as they are on the disk; NULL: as they are in the file */
    size_t sectors_len;
};

static struct disk_file *disk; /* under disk_lock, as all writing is while power may be lost */
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;

static bool power_may_be_lost(void)
{
    const struct fault_plan *plan = fault_planned();

    return plan->first > 0 && (plan->way == FAULT_POWER || plan->way == FAULT_TORN);
}

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct disk_file *find_file(const char *path, sqlite3_int64 size)
{
    struct disk_file *d = disk;

    while (d && strcmp(d->path, path) != 0)
        d = d->next;
    if (d)
        return d;
    d = must(calloc(1, sizeof(*d)));
    d->path = must(strdup(path));
    d->size = size;
    d->next = disk;
    disk = d;
    return d;
}

/* Notes the sectors from byte `at` up to `end`, before they change. */
static void note_sectors(struct disk_file *d, sqlite3_file *real, sqlite3_int64 at,
                         sqlite3_int64 end)
{
    size_t first = (size_t)(at / SECTOR);
    size_t last = (size_t)((end + SECTOR - 1) / SECTOR);

    if (last > d->sectors_len) {
        d->sectors = must(realloc(d->sectors, last * sizeof(*d->sectors)));
        memset(d->sectors + d->sectors_len, 0, (last - d->sectors_len) * sizeof(*d->sectors));
        d->sectors_len = last;
    }
    for (size_t i = first; i < last; i++) {
        if (d->sectors[i])
            continue;
        d->sectors[i] = must(calloc(1, SECTOR));
        real->pMethods->xRead(real, d->sectors[i], SECTOR, (sqlite3_int64)i * SECTOR);
    }
}

static void note_synced(struct disk_file *d, sqlite3_int64 size)
{
    for (size_t i = 0; i < d->sectors_len; i++)
        free(d->sectors[i]);
    free(d->sectors);
    d->sectors = NULL;
    d->sectors_len = 0;
    d->size = size;
}

/* The same file and plan give the same chances. */
static bool by_chance(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 63;
}

static void lose_file(const struct disk_file *d, bool torn)
{
    uint64_t chance = fault_planned()->first * UINT64_C(1000003) + d->path[strlen(d->path) - 1];
    off_t size = d->size;
    int fd = open(d->path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return; /* removed meanwhile */
    for (size_t i = 0; i < d->sectors_len; i++) {
        off_t at = (off_t)i * SECTOR;

        if (!d->sectors[i])
            continue;
        if (torn && by_chance(&chance)) {
            if (at + SECTOR > size && lseek(fd, 0, SEEK_END) > at)
                size = at + SECTOR;
        } else if (pwrite(fd, d->sectors[i], SECTOR, at) != SECTOR) {
            fprintf(stderr, "fault: cannot lose what was written to %s\n", d->path);
        }
    }
    if (ftruncate(fd, size) != 0)
        fprintf(stderr, "fault: cannot cut %s\n", d->path);
    close(fd);
}

static void lose_contents(bool torn)
{
    pthread_mutex_lock(&disk_lock); /* for good */
    for (const struct disk_file *d = disk; d; d = d->next)
        lose_file(d, torn);
}

/* ---- Files ---- */

struct fault_file {
    sqlite3_file base;      /* must be first */
    struct disk_file *disk; /* NULL if power is not to be lost */
};

/* Behind a struct fault_file, aligned for anything. */
enum { FAULT_FILE_BYTES = (sizeof(struct fault_file) + 15) / 16 * 16 };

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;
static sqlite3_io_methods methods;
static int (*system_open_directory)(const char *path, int *fd);

static sqlite3_file *real_file(sqlite3_file *file)
{
    return (sqlite3_file *)((char *)file + FAULT_FILE_BYTES);
}

static struct disk_file *begin_change(sqlite3_file *file)
{
    struct disk_file *d = ((struct fault_file *)file)->disk;

    if (d)
        pthread_mutex_lock(&disk_lock);
    return d;
}

static int end_change(struct disk_file *d, int rc)
{
    if (d)
        pthread_mutex_unlock(&disk_lock);
    return rc;
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    sqlite3_file *real = real_file(file);

    if (fault_here(FAULT_WRITE)) {
        if (fault_planned()->way == FAULT_SHORT)
            real->pMethods->xWrite(real, data, len / 2, at);
        return fault_planned()->way == FAULT_EIO ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    struct disk_file *d = begin_change(file);
    if (d)
        note_sectors(d, real, at, at + len);
    return end_change(d, real->pMethods->xWrite(real, data, len, at));
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = real_file(file);
    sqlite3_int64 old_size = 0;

    if (fault_here(FAULT_WRITE))
        return SQLITE_IOERR_TRUNCATE;
    struct disk_file *d = begin_change(file);
    if (d && real->pMethods->xFileSize(real, &old_size) == SQLITE_OK && old_size > size)
        note_sectors(d, real, size, old_size);
    return end_change(d, real->pMethods->xTruncate(real, size));
}

static int file_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = real_file(file);
    sqlite3_int64 size = 0;

    if (fault_here(FAULT_SYNC))
        return SQLITE_IOERR_FSYNC;
    struct disk_file *d = begin_change(file);
    int rc = real->pMethods->xSync(real, flags);
    if (d && rc == SQLITE_OK && real->pMethods->xFileSize(real, &size) == SQLITE_OK)
        note_synced(d, size);
    return end_change(d, rc);
}

static int file_close(sqlite3_file *file)
{
    return real_file(file)->pMethods->xClose(real_file(file));
}

static int file_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return real_file(file)->pMethods->xRead(real_file(file), data, len, at);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_file(file)->pMethods->xFileSize(real_file(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xLock(real_file(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_file(file)->pMethods->xUnlock(real_file(file), level);
}

static int file_check_reserved_lock(sqlite3_file *file, int *result)
{
    return real_file(file)->pMethods->xCheckReservedLock(real_file(file), result);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    return real_file(file)->pMethods->xFileControl(real_file(file), op, arg);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_file(file)->pMethods->xSectorSize(real_file(file));
}

static int file_device_characteristics(sqlite3_file *file)
{
    return real_file(file)->pMethods->xDeviceCharacteristics(real_file(file));
}

/* With `extend`, the file of the shared memory grows if it is too short: that is a write. */
static int file_shm_map(sqlite3_file *file, int page, int page_size, int extend,
                        void volatile **out)
{
    if (extend && fault_here(FAULT_WRITE))
        return SQLITE_IOERR_SHMSIZE;
    return real_file(file)->pMethods->xShmMap(real_file(file), page, page_size, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_file(file)->pMethods->xShmLock(real_file(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_file(file)->pMethods->xShmBarrier(real_file(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
    return real_file(file)->pMethods->xShmUnmap(real_file(file), delete);
}

/* ---- The VFS ---- */

static void note_open(struct fault_file *f, const char *name, bool is_new)
{
    sqlite3_file *real = real_file(&f->base);
    sqlite3_int64 size = 0;

    real->pMethods->xFileSize(real, &size);
    pthread_mutex_lock(&disk_lock);
    f->disk = find_file(name, size);
    if (is_new) {
        note_synced(f->disk, 0);
        fault_name_made(name);
    }
    pthread_mutex_unlock(&disk_lock);
}

static int open_file(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct fault_file *f = (struct fault_file *)file;
    sqlite3_file *real = real_file(file);
    bool is_new = name && access(name, F_OK) != 0;

    *f = (struct fault_file){.disk = NULL};
    int rc = system_vfs->xOpen(system_vfs, name, real, flags, out_flags);
    if (rc == SQLITE_OK) {
        f->base.pMethods = &methods;
        if (name && power_may_be_lost())
            note_open(f, name, is_new);
    } else if (real->pMethods) {
        real->pMethods->xClose(real);
    }
    return rc;
}

/* SQLite syncs a directory right after it has opened it, and opens it for nothing else. */
static int open_directory(const char *path, int *fd)
{
    const char *slash = strrchr(path, '/');
    char directory[4096];

    snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    fault_directory_synced(directory);
    return system_open_directory(path, fd);
}

sqlite3_vfs *sqlite_faults_vfs(sqlite3_vfs *system)
{
    if (!system || system_vfs)
        return system ? &vfs : NULL;
    methods = (sqlite3_io_methods){.iVersion = 2, /* 3 is for files that are mapped */
                                   .xClose = file_close,
                                   .xRead = file_read,
                                   .xWrite = file_write,
                                   .xTruncate = file_truncate,
                                   .xSync = file_sync,
                                   .xFileSize = file_size,
                                   .xLock = file_lock,
                                   .xUnlock = file_unlock,
                                   .xCheckReservedLock = file_check_reserved_lock,
                                   .xFileControl = file_control,
                                   .xSectorSize = file_sector_size,
                                   .xDeviceCharacteristics = file_device_characteristics,
                                   .xShmMap = file_shm_map,
                                   .xShmLock = file_shm_lock,
                                   .xShmBarrier = file_shm_barrier,
                                   .xShmUnmap = file_shm_unmap};
    system_vfs = system;
    system_open_directory =
        (int (*)(const char *, int *))system->xGetSystemCall(system, "openDirectory");
    system->xSetSystemCall(system, "openDirectory", (sqlite3_syscall_ptr)open_directory);
    fault_on_power_loss(lose_contents);
    vfs = *system;
    vfs.szOsFile += FAULT_FILE_BYTES;
    vfs.xOpen = open_file;
    return &vfs;
}
