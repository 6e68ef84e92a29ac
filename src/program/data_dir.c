#include "program/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "message/version.h"
#include "sqlite/db.h"

/* What is in a directory is durable only when the directory's own name is. */
static int make_one(const char *path, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    int error;

    if (mkdir(path, 0700)) {
        if (errno == EEXIST)
            return 0;
        return errbuf_fail(err, LM_EIO, "DATA_DIR: cannot make %s: %s", path, strerror(errno));
    }
    fault_name_made(path);
    error = sqlite_db_sync_parent(path, &reason);
    if (!error)
        return 0;
    rmdir(path); /* so that the next start makes and syncs it */
    return errbuf_fail(err, error, "DATA_DIR: %s", reason.text);
}

int data_dir_path(char file[PATH_MAX], const char *path, const char *name, struct errbuf *err)
{
    int len = snprintf(file, PATH_MAX, "%s/%s", path, name);

    if (len < 0 || len >= PATH_MAX)
        return errbuf_fail(err, LM_EINVAL, "DATA_DIR: the path is longer than %d bytes",
                           PATH_MAX - 1);
    return 0;
}

static const char *const our_names[] = {
    "queue.db",    "queue.db-wal", "queue.db-shm", "logs.db",  "logs.db-wal",
    "logs.db-shm", "api.lock",     "worker.lock",  "api.next", "worker.next",
};

enum { OUR_NAMES_LEN = sizeof(our_names) / sizeof(our_names[0]) };

/* Files of ours that others may read or write, from before this was so, become the owner's alone.
 */
static void mend_modes(const char *path)
{
    for (size_t i = 0; i < OUR_NAMES_LEN; i++) {
        char file[PATH_MAX];
        struct stat status;

        if (data_dir_path(file, path, our_names[i], NULL) || stat(file, &status) ||
            !S_ISREG(status.st_mode))
            continue;
        if ((status.st_mode & 077) && chmod(file, status.st_mode & 0700))
            errno = 0; /* another user's: then it is that user's to say who reads it */
    }
}

int data_dir_make(const char *path, struct errbuf *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    struct stat status;
    int error;

    if (len >= sizeof(part))
        return errbuf_fail(err, LM_EINVAL, "DATA_DIR: the path is longer than %d bytes",
                           PATH_MAX - 1);
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if ((error = make_one(part, err)))
            return error;
    }
    if ((error = make_one(path, err)))
        return error;
    if (stat(path, &status) || !S_ISDIR(status.st_mode))
        return errbuf_fail(err, LM_EINVAL, "DATA_DIR: %s is not a directory", path);
    if (access(path, R_OK | W_OK | X_OK))
        return errbuf_fail(err, LM_EIO, "DATA_DIR: %s cannot be written to: %s", path,
                           strerror(errno));
    umask(077);
    mend_modes(path);
    return 0;
}

int data_dir_find(const char *path, const char *name, struct errbuf *err)
{
    char file[PATH_MAX];
    int error = data_dir_path(file, path, name, err);

    if (error)
        return error;
    if (access(file, F_OK) == 0)
        return 0;
    return errbuf_fail(err, LM_ENOTFOUND,
                       "DATA_DIR: %s holds no data: there is no %s in it (%s); set DATA_DIR to the "
                       "directory that logmill runs with",
                       path, name, strerror(errno));
}

bool data_dir_owns(const char *path, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    struct stat ours, its;
    char folder[PATH_MAX];
    size_t i = 0;

    while (i < OUR_NAMES_LEN && strcmp(name, our_names[i]) != 0)
        i++;
    if (i == OUR_NAMES_LEN || name - file >= PATH_MAX)
        return false;
    snprintf(folder, sizeof(folder), "%.*s.", (int)(name - file), file);
    return !stat(path, &ours) && !stat(folder, &its) && ours.st_dev == its.st_dev &&
           ours.st_ino == its.st_ino;
}

int data_dir_check_empty(const char *path, struct errbuf *err)
{
    static const char *const names[] = {"queue.db", "queue.db-wal", "queue.db-journal",
                                        "logs.db",  "logs.db-wal",  "logs.db-journal"};
    char file[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int error = data_dir_path(file, path, names[i], err);

        if (error)
            return error;
        if (access(file, F_OK) == 0)
            return errbuf_fail(err, LM_EINVAL,
                               "DATA_DIR: %s holds data: there is a %s in it; choose a directory "
                               "without",
                               path, names[i]);
    }
    return 0;
}

int data_dir_check_restored(const char *path, struct errbuf *err)
{
    static const char *const names[] = {"queue.db" DATA_DIR_RESTORING,
                                        "logs.db" DATA_DIR_RESTORING};
    char file[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int error = data_dir_path(file, path, names[i], err);

        if (error)
            return error;
        if (access(file, F_OK) == 0)
            return errbuf_fail(err, LM_EINVAL,
                               "DATA_DIR: a restore into %s was stopped before it was done: remove "
                               "what is in it, and restore again",
                               path);
    }
    return 0;
}

/* In a lock's file, behind the pid: the newest version of messages that its holder reads. */
#define READS_LINE "messages "

/* The pid that the holder of the lock wrote into it, or 0. */
static long read_holder(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* The lock is what counts, so a full disk does not matter here: no line says less than one. */
static void write_holder(int fd)
{
    char text[64];

    snprintf(text, sizeof(text), "%ld\n" READS_LINE "%d\n", (long)getpid(), MESSAGE_VERSION_READ);
    if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0)
        errno = 0;
}

int data_dir_keep_lock(const char *path, const char *role, int fd, struct errbuf *err)
{
    char file[PATH_MAX];
    struct stat its, given;

    snprintf(file, sizeof(file), "%s/%s.lock", path, role);
    if (stat(file, &its) == 0 && fstat(fd, &given) == 0 && its.st_dev == given.st_dev &&
        its.st_ino == given.st_ino && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        write_holder(fd);
        return fd;
    }
    close(fd);
    return errbuf_fail(err, LM_EINVAL, "what was handed over is not the lock %s", file);
}

int data_dir_lock(const char *path, const char *role, struct errbuf *err)
{
    char file[PATH_MAX];
    int fd, error;

    snprintf(file, sizeof(file), "%s/%s.lock", path, role);
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errbuf_fail(err, LM_EIO, "cannot open %s: %s", file, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            error = errbuf_fail(err, LM_ELOCKED,
                                "DATA_DIR: %s is in use by another logmill %s (pid %ld); stop it "
                                "or choose another directory",
                                path, role, read_holder(fd));
        else
            error = errbuf_fail(err, LM_EIO, "cannot lock %s: %s", file, strerror(errno));
        close(fd);
        return error;
    }
    write_holder(fd);
    return fd;
}

bool data_dir_reads_newest(const char *path, const char *role)
{
    char file[PATH_MAX];
    char text[64] = "";

    snprintf(file, sizeof(file), "%s/%s.lock", path, role);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    close(fd);
    const char *line = n > 0 ? strstr(text, "\n" READS_LINE) : NULL;
    return line && strtol(line + sizeof(READS_LINE), NULL, 10) >= MESSAGE_VERSION_READ;
}
