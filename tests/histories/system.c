#include "system.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../simulation/simulated_clock.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "history.h"

enum { FIRST_NUMBER = 1000 };

/* A file that is there, by a name or a descriptor. */
struct inode {
    int path_fd; /* O_PATH: so its real number is no other file's */
    uint64_t real, number;
    int64_t born_us;
};

static struct {
    struct system_options options;
    struct inode *inodes;
    size_t len, capacity;
    uint64_t next;
    uint64_t *free; /* numbers of files that are gone, the latest last */
    size_t free_len, free_capacity;
} sys;

/* ---- Inodes ---- */

static bool is_open(const struct inode *inode)
{
    DIR *dir = opendir("/proc/self/fd");
    bool found = false;

    MUST(dir);
    for (struct dirent *e; !found && (e = readdir(dir));) {
        struct stat st;
        int fd = atoi(e->d_name);

        found = e->d_name[0] != '.' && fd != inode->path_fd && fstat(fd, &st) == 0 &&
                st.st_ino == inode->real && S_ISREG(st.st_mode);
    }
    closedir(dir);
    return found;
}

/* Numbers of files that have neither a name nor a descriptor are free. */
static void free_numbers(void)
{
    for (size_t i = 0; i < sys.len; i++) {
        struct inode *inode = &sys.inodes[i];
        struct stat st;

        MUST(fstat(inode->path_fd, &st) == 0);
        if (st.st_nlink > 0 || is_open(inode))
            continue;
        sys.free = array_reserve(sys.free, &sys.free_capacity, sys.free_len + 1, sizeof(*sys.free));
        sys.free[sys.free_len++] = inode->number;
        close(inode->path_fd);
        *inode = sys.inodes[--sys.len];
        i--;
    }
}

void system_made(int fd)
{
    char path[64];
    struct stat st;

    free_numbers();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    sys.inodes = array_reserve(sys.inodes, &sys.capacity, sys.len + 1, sizeof(*sys.inodes));
    struct inode *inode = &sys.inodes[sys.len++];
    MUST(fstat(fd, &st) == 0);
    *inode = (struct inode){.path_fd = open(path, O_PATH | O_CLOEXEC),
                            .real = st.st_ino,
                            .born_us = simulated_clock_now()};
    MUST(inode->path_fd >= 0);
    if (sys.options.gives_again && sys.free_len > 0)
        inode->number = sys.free[--sys.free_len];
    else
        inode->number = sys.next++;
}

void system_begin(const struct system_options *options)
{
    sys.options = *options;
    sys.next = FIRST_NUMBER;
}

void system_end(void)
{
    for (size_t i = 0; i < sys.len; i++)
        close(sys.inodes[i].path_fd);
    sys.len = sys.free_len = 0;
}

/* ---- What is asked ---- */

int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *s);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *s);

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *s)
{
    int error = __real_statx(fd, path, flags, mask, s);

    for (size_t i = 0; error == 0 && i < sys.len; i++) {
        const struct inode *inode = &sys.inodes[i];

        if (inode->real != s->stx_ino)
            continue;
        s->stx_ino = inode->number;
        s->stx_dev_major = 8;
        s->stx_dev_minor = 1;
        s->stx_mask &= ~(unsigned)STATX_BTIME;
        if (sys.options.has_births)
            s->stx_mask |= STATX_BTIME;
        s->stx_btime =
            (struct statx_timestamp){.tv_sec = inode->born_us / 1000000,
                                     .tv_nsec = (unsigned)(inode->born_us % 1000000 * 1000)};
        break;
    }
    return error;
}

/* ---- The order of entries ---- */

struct entries {
    struct dirent *all;
    size_t len, capacity, at;
};

DIR *__real_opendir(const char *path);
struct dirent *__real_readdir64(DIR *dir);
int __real_closedir(DIR *dir);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir64(DIR *dir);
int __wrap_closedir(DIR *dir);

static uint64_t place_of(const struct dirent *e)
{
    struct slice name = {e->d_name, strlen(e->d_name)};

    return hash_mix(hash_bytes(sys.options.seed, name));
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = place_of(a), y = place_of(b);

    return (x > y) - (x < y);
}

DIR *__wrap_opendir(const char *path)
{
    DIR *dir = __real_opendir(path);
    struct entries *entries;

    if (!dir)
        return NULL;
    entries = xcalloc(1, sizeof(*entries));
    for (struct dirent *e; (e = __real_readdir64(dir));) {
        entries->all = array_reserve(entries->all, &entries->capacity, entries->len + 1,
                                     sizeof(*entries->all));
        memcpy(&entries->all[entries->len++], e, e->d_reclen);
    }
    __real_closedir(dir);
    if (entries->len > 0)
        qsort(entries->all, entries->len, sizeof(*entries->all), by_place);
    return (DIR *)entries;
}

struct dirent *__wrap_readdir64(DIR *dir)
{
    struct entries *entries = (struct entries *)dir;

    return entries->at < entries->len ? &entries->all[entries->at++] : NULL;
}

int __wrap_closedir(DIR *dir)
{
    struct entries *entries = (struct entries *)dir;

    free(entries->all);
    free(entries);
    return 0;
}
