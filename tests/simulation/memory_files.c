#include "memory_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum {
    SECTOR = 512,
    PROCESSES_MAX = 32,
    SHM_PAGES_MAX = 64,
};

struct handle;

struct file {
    struct file *next;
    char *name; /* NULL: a temporary one, of one handle */
    bool is_removed;
    bool may_return; /* its removal is not yet on the disk */
    unsigned opened; /* handles */
    char *now;       /* as whoever reads it finds it … */
    size_t now_size;
    size_t now_capacity;
    char *disk; /* … and as it is on the disk, but for … */
    size_t disk_size;
    size_t disk_capacity;
    bool *unsynced; /* … the sectors of which the disk may hold either */
    size_t unsynced_len;
    size_t unsynced_capacity;
    char *shm[SHM_PAGES_MAX]; /* the index of its log */
    int shm_len;
};

struct handle {
    sqlite3_file base; /* must be first */
    struct file *file;
    struct handle *next; /* of all */
    unsigned process;
    int lock;
    bool has_shm;
    unsigned shared; /* locks of the index, as bits */
    unsigned exclusive;
};

static struct file *files;
static struct handle *handles;
static struct dice chance;
static unsigned process;
static bool ended[PROCESSES_MAX];
static uint64_t changes;
static uint64_t end_at; /* of `changes`; 0: never */
static bool end_is_kill;
static bool ends_here; /* the change that was asked for last is the one */
static uint64_t reads;
static uint64_t fail_read_at;
static int last_errno;

/* ---- The machine ---- */

static struct file *find(const char *name)
{
    for (struct file *f = files; f; f = f->next)
        if (f->name && !f->is_removed && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static void free_shm(struct file *f)
{
    for (int i = 0; i < f->shm_len; i++)
        free(f->shm[i]);
    f->shm_len = 0;
}

static void free_file(struct file *f)
{
    free_shm(f);
    free(f->name);
    free(f->now);
    free(f->disk);
    free(f->unsynced);
    free(f);
}

void memory_files_begin(uint64_t seed)
{
    if (handles) {
        fprintf(stderr, "memory files: %u are still open\n", memory_files_open());
        abort();
    }
    while (files) {
        struct file *f = files;

        files = f->next;
        free_file(f);
    }
    chance.state = seed;
    process = 0;
    memset(ended, 0, sizeof(ended));
    changes = reads = 0;
    memory_files_calm();
    sqlite3_randomness(0, NULL); /* SQLite's own is seeded anew */
}

void memory_files_process(unsigned p)
{
    process = p;
}

void memory_files_end_at(uint64_t n, bool kill)
{
    end_at = changes + n;
    end_is_kill = kill;
}

void memory_files_fail_read_at(uint64_t n)
{
    fail_read_at = reads + n;
}

void memory_files_calm(void)
{
    end_at = 0;
    fail_read_at = 0;
}

bool memory_files_ended(void)
{
    return ended[process];
}

uint64_t memory_files_changes(void)
{
    return changes;
}

unsigned memory_files_open(void)
{
    unsigned n = 0;

    for (const struct handle *h = handles; h; h = h->next)
        n++;
    return n;
}

void memory_files_cut_power(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        ended[i] = true;
}

void memory_files_kill(unsigned p)
{
    ended[p] = true;
}

void memory_files_revive(unsigned p)
{
    for (const struct handle *h = handles; h; h = h->next)
        if (h->process == p)
            abort();
    ended[p] = false;
}

static void store_sector(struct file *f, size_t i)
{
    size_t at = i * SECTOR;
    size_t end = at + SECTOR < f->now_size ? at + SECTOR : f->now_size;

    f->disk = array_reserve(f->disk, &f->disk_capacity, at + SECTOR, 1);
    if (f->disk_size < at)
        memset(f->disk + f->disk_size, 0, at - f->disk_size);
    memset(f->disk + at, 0, SECTOR);
    if (end > at)
        memcpy(f->disk + at, f->now + at, end - at);
    if (f->disk_size < end)
        f->disk_size = end;
}

static void lose_unsynced(struct file *f, struct dice *dice, bool torn)
{
    for (size_t i = 0; i < f->unsynced_len; i++)
        if (f->unsynced[i] && torn && dice_one_in(dice, 2))
            store_sector(f, i);
    if (f->unsynced_len > 0)
        memset(f->unsynced, 0, f->unsynced_len);
    f->now = array_reserve(f->now, &f->now_capacity, f->disk_size + 1, 1);
    if (f->disk_size > 0)
        memcpy(f->now, f->disk, f->disk_size);
    f->now_size = f->disk_size;
    free_shm(f);
}

void memory_files_restore_power(struct dice *dice, bool torn)
{
    if (handles)
        abort();
    for (struct file *f = files; f; f = f->next) {
        lose_unsynced(f, dice, torn);
        if (f->may_return && !find(f->name) && dice_one_in(dice, 2))
            f->is_removed = false;
        f->may_return = false;
    }
    memset(ended, 0, sizeof(ended));
    memory_files_calm();
}

/* Counts a change. False: it is not to be, since who makes it has ended. */
static bool may_change(const struct handle *h)
{
    unsigned p = h ? h->process : process;

    ends_here = false;
    if (ended[p])
        return false;
    changes++;
    if (end_at == 0 || changes < end_at)
        return true;
    end_at = 0;
    ends_here = true;
    if (end_is_kill)
        ended[p] = true;
    else
        memory_files_cut_power();
    return false;
}

/* ---- Files ---- */

static void mark(struct file *f, size_t from, size_t to)
{
    size_t last = (to + SECTOR - 1) / SECTOR;

    f->unsynced = array_reserve(f->unsynced, &f->unsynced_capacity, last + 1, 1);
    if (last > f->unsynced_len) {
        memset(f->unsynced + f->unsynced_len, 0, last - f->unsynced_len);
        f->unsynced_len = last;
    }
    for (size_t i = from / SECTOR; i < last; i++)
        f->unsynced[i] = true;
}

static void put(struct file *f, const void *data, size_t len, size_t at)
{
    f->now = array_reserve(f->now, &f->now_capacity, at + len + 1, 1);
    if (at > f->now_size)
        memset(f->now + f->now_size, 0, at - f->now_size);
    if (len > 0)
        memcpy(f->now + at, data, len);
    if (at + len > f->now_size)
        f->now_size = at + len;
    mark(f, at, at + len);
}

static int file_close(sqlite3_file *file)
{
    struct handle *h = (struct handle *)file;
    struct handle **at = &handles;

    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    if (--h->file->opened == 0) {
        free_shm(h->file);
        if (!h->file->name) {
            struct file **f = &files;

            while (*f != h->file)
                f = &(*f)->next;
            *f = h->file->next;
            free_file(h->file);
        }
    }
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    struct handle *h = (struct handle *)file;
    const struct file *f = h->file;
    size_t n = (size_t)at < f->now_size ? f->now_size - (size_t)at : 0;

    if (ended[h->process])
        return SQLITE_IOERR_READ;
    if (++reads == fail_read_at) {
        last_errno = EIO;
        return SQLITE_IOERR_READ;
    }
    if (n >= (size_t)len) {
        memcpy(data, f->now + at, (size_t)len);
        return SQLITE_OK;
    }
    if (n > 0)
        memcpy(data, f->now + at, n);
    memset((char *)data + n, 0, (size_t)len - n);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct handle *h = (struct handle *)file;

    if (!may_change(h)) {
        if (ends_here) /* in the middle of it: which sectors are kept is a matter of chance */
            put(h->file, data, end_is_kill ? dice_below(&chance, (size_t)len) : (size_t)len,
                (size_t)at);
        return SQLITE_IOERR_WRITE;
    }
    put(h->file, data, (size_t)len, (size_t)at);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct handle *h = (struct handle *)file;

    if (!may_change(h))
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)size < h->file->now_size) {
        mark(h->file, (size_t)size, h->file->now_size);
        h->file->now_size = (size_t)size;
    }
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    struct handle *h = (struct handle *)file;
    struct file *f = h->file;

    if (!may_change(h))
        return SQLITE_IOERR_FSYNC;
    for (size_t i = 0; i < f->unsynced_len; i++)
        if (f->unsynced[i])
            store_sector(f, i);
    if (f->unsynced_len > 0)
        memset(f->unsynced, 0, f->unsynced_len);
    f->disk_size = f->now_size;
    for (struct file *o = files; o; o = o->next) /* the directory goes with it */
        o->may_return = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct handle *)file)->file->now_size;
    return SQLITE_OK;
}

/* The highest lock that another has. */
static int others_lock(const struct handle *h)
{
    int highest = SQLITE_LOCK_NONE;

    for (const struct handle *o = handles; o; o = o->next)
        if (o != h && o->file == h->file && !ended[o->process] && o->lock > highest)
            highest = o->lock;
    return highest;
}

static int file_lock(sqlite3_file *file, int level)
{
    struct handle *h = (struct handle *)file;
    int others = others_lock(h);

    if (h->lock >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED ? others >= SQLITE_LOCK_PENDING
                                    : others >= SQLITE_LOCK_RESERVED)
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
        h->lock = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    h->lock = level;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int level)
{
    ((struct handle *)file)->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *file, int *result)
{
    struct handle *h = (struct handle *)file;

    *result = h->lock >= SQLITE_LOCK_RESERVED || others_lock(h) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    if (op != SQLITE_FCNTL_LAST_ERRNO)
        return SQLITE_NOTFOUND;
    *(int *)arg = last_errno;
    return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *file)
{
    return 4096;
}

static int file_device_characteristics(sqlite3_file *file)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- The index of a log ---- */

static int file_shm_map(sqlite3_file *file, int page, int page_size, int extend,
                        void volatile **out)
{
    struct handle *h = (struct handle *)file;
    struct file *f = h->file;

    *out = NULL;
    if (ended[h->process] || page >= SHM_PAGES_MAX)
        return SQLITE_IOERR_SHMMAP;
    h->has_shm = true;
    if (page >= f->shm_len && !extend)
        return SQLITE_OK;
    while (f->shm_len <= page)
        f->shm[f->shm_len++] = xcalloc(1, (size_t)page_size);
    *out = f->shm[page];
    return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    struct handle *h = (struct handle *)file;
    unsigned mask = ((1u << n) - 1) << offset;

    if (flags & SQLITE_SHM_UNLOCK) {
        h->shared &= ~mask;
        h->exclusive &= ~mask;
        return SQLITE_OK;
    }
    for (const struct handle *o = handles; o; o = o->next) {
        if (o == h || o->file != h->file || ended[o->process])
            continue;
        if ((o->exclusive & mask) || ((flags & SQLITE_SHM_EXCLUSIVE) && (o->shared & mask)))
            return SQLITE_BUSY;
    }
    if (flags & SQLITE_SHM_EXCLUSIVE)
        h->exclusive |= mask;
    else
        h->shared |= mask;
    return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *file)
{
}

/* The first process that opens it finds nothing in it. */
static int file_shm_unmap(sqlite3_file *file, int delete)
{
    struct handle *h = (struct handle *)file;

    h->has_shm = false;
    h->shared = h->exclusive = 0;
    for (const struct handle *o = handles; o; o = o->next)
        if (o->file == h->file && o->has_shm)
            return SQLITE_OK;
    free_shm(h->file);
    return SQLITE_OK;
}

/* ---- Names ---- */

static const sqlite3_io_methods methods = {.iVersion = 2,
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

static int open_file(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct handle *h = (struct handle *)file;
    struct file *f = name ? find(name) : NULL;

    *h = (struct handle){.process = process};
    if (ended[process] || (!f && !(flags & SQLITE_OPEN_CREATE)))
        return SQLITE_CANTOPEN;
    if (!f) {
        f = xcalloc(1, sizeof(*f));
        f->name = name ? xstrdup(name) : NULL;
        f->next = files;
        files = f;
    }
    f->opened++;
    h->file = f;
    h->base.pMethods = &methods;
    h->next = handles;
    handles = h;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *v, const char *name, int sync)
{
    struct file *f = find(name);

    if (!may_change(NULL))
        return SQLITE_IOERR_DELETE;
    if (!f)
        return SQLITE_IOERR_DELETE_NOENT;
    f->is_removed = f->may_return = true;
    return SQLITE_OK;
}

static int access_file(sqlite3_vfs *v, const char *name, int flags, int *result)
{
    *result = find(name) ? 1 : 0;
    return SQLITE_OK;
}

static int full_pathname(sqlite3_vfs *v, const char *name, int size, char *out)
{
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

static int randomness(sqlite3_vfs *v, int n, char *out)
{
    for (int i = 0; i < n; i++)
        out[i] = (char)dice_bits(&chance);
    return n;
}

static int sleep_us(sqlite3_vfs *v, int us)
{
    return us;
}

static int current_time_ms(sqlite3_vfs *v, sqlite3_int64 *now)
{
    *now = clock_wall_us() / 1000 + INT64_C(210866760000000); /* since the Julian epoch */
    return SQLITE_OK;
}

static int current_time(sqlite3_vfs *v, double *now)
{
    sqlite3_int64 ms;

    current_time_ms(v, &ms);
    *now = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int last_error(sqlite3_vfs *v, int size, char *text)
{
    return 0;
}

static int set_system_call(sqlite3_vfs *v, const char *name, sqlite3_syscall_ptr call)
{
    return SQLITE_NOTFOUND;
}

static sqlite3_syscall_ptr get_system_call(sqlite3_vfs *v, const char *name)
{
    return NULL;
}

void memory_files_register(void)
{
    static sqlite3_vfs vfs = {.iVersion = 3,
                              .szOsFile = sizeof(struct handle),
                              .mxPathname = 512,
                              .zName = "memory-files",
                              .xOpen = open_file,
                              .xDelete = delete_file,
                              .xAccess = access_file,
                              .xFullPathname = full_pathname,
                              .xRandomness = randomness,
                              .xSleep = sleep_us,
                              .xCurrentTime = current_time,
                              .xCurrentTimeInt64 = current_time_ms,
                              .xGetLastError = last_error,
                              .xSetSystemCall = set_system_call,
                              .xGetSystemCall = get_system_call};

    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
        abort();
}
