/* What a look at a file or a folder saw, to be compared with the next one. */
#ifndef LOGMILL_FOLLOW_SEEN_H
#define LOGMILL_FOLLOW_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct seen {
    uint64_t device, inode;
    int64_t size, changed_ns; /* by ctime, which no program sets */
    bool is_racy;             /* so young that another change may have the very same time */
};

struct seen seen_of(const struct stat *st);

/* True if something may have changed. */
bool seen_differs(const struct seen *old, const struct seen *now);

/* True if the open file is on a file system that others may change without our kernel being told
 * (NFS, SMB, FUSE and their like). */
bool seen_is_remote(int fd);

#endif
