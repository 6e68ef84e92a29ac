/*
 * The directory of the embedded files, and the locks that keep two processes of one role out of it.
 */
#ifndef LOGMILL_PROGRAM_DATA_DIR_H
#define LOGMILL_PROGRAM_DATA_DIR_H

#include "base/errbuf.h"

/*
 * Makes `path` (mode 0700, parents too) where it is missing. Files that this process makes from now
 * on are its user's alone (umask), and those of ours that are there already become so.
 */
int data_dir_make(const char *path, struct errbuf *err) LM_MUST_CHECK;

/*
 * For commands that only look: 0 where `path` is a directory with the file `name` in it, else
 * LM_ENOTFOUND with `err` set. Makes nothing.
 */
int data_dir_find(const char *path, const char *name, struct errbuf *err) LM_MUST_CHECK;

/*
 * Takes the lock of `role` ("api", "worker") in directory `path` for the life of the process (the
 * kernel drops it with the process, however that ends). Returns a descriptor to be kept open,
 * LM_ELOCKED where another process holds it (its pid is named), or another error.
 */
int data_dir_lock(const char *path, const char *role, struct errbuf *err) LM_MUST_CHECK;

#endif
