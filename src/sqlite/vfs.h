/*
 * The system's own way to files (SQLite's default VFS, https://www.sqlite.org/vfs.html), but for
 * two things:
 *
 *   1. A commit that failed although its frames are in the log is taken out of it again, as far as
 *      the disk lets that be done: it must not come back when the process is killed. Its sync may
 *      have failed, or what comes after it: the index of the log, shared memory in a file, may find
 *      no room to grow. A commit is good when it is published, that is when the index's header
 *      names it; one that is not when SQLite lets go of the write lock is taken back then, while
 *      nobody else can have written in its place. If the disk refuses that too, the frames stay
 *      until the next commit is written over them; only if the process ends before that does a
 *      commit come back whose client was told that it failed.
 *   2. What SQLite writes to a write-ahead log in many small pieces, two a page, reaches the system
 *      in one write(2), at the latest when the log is synced. A commit of a few pages costs a third
 *      less CPU so.
 *
 * The second is safe because nobody looks at the end of a log before the commit that syncs it
 * (synchronous=FULL syncs every one); every other operation on the file writes first what is still
 * held. An error of such a write is reported by the operation that caused it, a sync or a read, and
 * so fails the commit.
 */
#ifndef LOGMILL_SQLITE_VFS_H
#define LOGMILL_SQLITE_VFS_H

enum { SQLITE_VFS_HELD_BYTES = 128 * 1024 }; /* of one log file; more is written at once */

/* The name to give to sqlite3_open_v2; NULL: no memory for it now. From any thread. */
const char *sqlite_vfs_name(void);

#endif
