/*
 * The directory of the embedded files, and the locks that keep two processes of one role out of it.
 */
#ifndef LOGMILL_PROGRAM_DATA_DIR_H
#define LOGMILL_PROGRAM_DATA_DIR_H

#include <limits.h>
#include <stdbool.h>

#include "base/errbuf.h"

/* Ends the name of a file that a restore has not finished. */
#define DATA_DIR_RESTORING ".restoring"

/* Sets `file` to the path of `name` in directory `path`. */
int data_dir_path(char file[PATH_MAX], const char *path, const char *name,
                  struct errbuf *err) LM_MUST_CHECK;

/*
 * Makes `path` (mode 0700, parents too) if it is missing, and syncs the directory that each new one
 * is in; whoever makes a file in it syncs `path` (sqlite_db_open does). Files that this process
 * makes from now on are its user's alone (umask), and those of ours that are there already become
 * so.
 */
int data_dir_make(const char *path, struct errbuf *err) LM_MUST_CHECK;

/*
 * For commands that only look: 0 if `path` is a directory with the file `name` in it, else
 * LM_ENOTFOUND with `err` set. Makes nothing.
 */
int data_dir_find(const char *path, const char *name, struct errbuf *err) LM_MUST_CHECK;

/* Whether `file`, there or not, is the name of a file of ours in directory `path`. */
bool data_dir_owns(const char *path, const char *file);

/* 0 if neither queue.db nor logs.db is in directory `path`, nor a log or a journal of theirs;
 * else LM_EINVAL. */
int data_dir_check_empty(const char *path, struct errbuf *err) LM_MUST_CHECK;

/* 0 unless a restore into directory `path` was stopped before it was done; then LM_EINVAL. */
int data_dir_check_restored(const char *path, struct errbuf *err) LM_MUST_CHECK;

/*
 * Takes the lock of `role` ("api", "worker") in directory `path` for the life of the process (the
 * kernel drops it with the process, however that ends). Returns a descriptor to be kept open,
 * LM_ELOCKED if another process holds it (its pid is named), or another error.
 */
int data_dir_lock(const char *path, const char *role, struct errbuf *err) LM_MUST_CHECK;

/*
 * Goes on with a lock that another process of this role has handed over, as `fd`: an open file
 * keeps its lock until the last of its descriptors is closed, so it was never free. Returns `fd`;
 * or, with `fd` closed, LM_EINVAL if it is no such lock of this directory, or another error.
 */
int data_dir_keep_lock(const char *path, const char *role, int fd,
                       struct errbuf *err) LM_MUST_CHECK;

/*
 * Whether the process that last took the lock of `role`, and may hold it still, reads messages of
 * MESSAGE_VERSION_READ: it has written so into the lock's file, which a build that does not write
 * it writes anew all the same. True if nobody ever took it, false if that cannot be known.
 */
bool data_dir_reads_newest(const char *path, const char *role);

#endif
