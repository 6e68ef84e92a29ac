/*
 * What a file that is followed is known by. A name leads elsewhere after a rotation; an inode
 * number is given to the next file as soon as the one before is gone; beginnings of files are equal
 * where programs write a banner: each alone misleads. Together they tell:
 *
 *   while it is open:    the descriptor, and the content before the offset (struct content_mark),
 *                        since a truncation leaves device, inode and birth time as they are;
 *   after a restart:     device, inode and birth time, and the content mark;
 *   a copy, an archive:  the chain, a hash of all its lines up to the offset.
 *
 * All reading of files that are followed is by these functions and archive.h, which have the points
 * of FAULT_READ.
 *
 * Functions without a state; any thread.
 */
#ifndef LOGMILL_FOLLOW_MARK_H
#define LOGMILL_FOLLOW_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    MARK_HEAD_MAX = 64 << 10, /* bytes of a file's beginning that are compared */
    MARK_TAIL_MAX = 1 << 10,  /* … and before the offset */
};

/*
 * Opens a file to read it: neither a FIFO nor a terminal that is there holds it up. Returns a
 * descriptor, or -1 with errno set.
 */
int file_open(const char *path) LM_MUST_CHECK;

/*
 * Reads up to `len` bytes from `offset` on; fewer only at the end of the file. Returns how many; or
 * -1 with errno set, also if some could be read before.
 */
ssize_t file_read_at(int fd, void *data, size_t len, uint64_t offset) LM_MUST_CHECK;

/*
 * How often this thread could not read or look at an open file, or had no memory for what it read
 * (file_failed). Who compares files by many reads need not know which of them failed: if the
 * number is another one behind them, that they differ is not known.
 */
uint64_t file_failures(void);
void file_failed(void);

/* Of an open file, from one statx: consistent. */
struct file_identity {
    uint64_t device, inode;
    int64_t born_ns; /* its birth time; 0 where the file system has none */
};

struct file_look {
    struct file_identity identity;
    uint64_t size;
    int64_t changed_ns; /* its last modification */
    uint32_t links;     /* 0: it has been deleted */
    bool is_regular;
};

/* Returns 0, or LM_EIO with errno set. */
int file_look_fd(int fd, struct file_look *look) LM_MUST_CHECK;
int file_look_path(const char *path, bool follows_link, struct file_look *look) LM_MUST_CHECK;

/* True if both are one file. A birth time that one of them does not have is not compared. */
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

/*
 * True if both may be one file though their devices have other numbers: those are given anew when
 * the machine starts. Inode and birth time, which both have, are equal; the content is still to be
 * compared. False if file_identity_equal.
 */
bool file_identity_moved(const struct file_identity *a, const struct file_identity *b);

/*
 * The content of a file before an offset. `chain` is over its whole lines; the other two are of
 * bytes. All zero at offset 0.
 */
struct content_mark {
    uint64_t offset;
    uint64_t chain;
    uint64_t head_hash; /* content_hash of the first head_len bytes … */
    uint32_t head_len;  /* … at least half as many as there are before the offset, or MARK_HEAD_MAX;
                           so that a growing file's is not taken anew each time */
    uint32_t tail_len;  /* as many as there are before the offset, at most MARK_TAIL_MAX */
    uint64_t tail_hash; /* content_hash of the last tail_len bytes before the offset */
};

/* For whoever has the bytes already. */
uint64_t content_hash(struct slice bytes);

/* The chain behind a line (with its line feed, if it has one). */
uint64_t content_chain(uint64_t chain, struct slice line);

/* Takes head and tail from the file, for an offset that the caller has set, as the chain; where the
 * offset has grown the head that is there counts. Returns 0; LM_EDATA if the file is shorter than
 * that; LM_EIO. */
int content_mark_take(int fd, struct content_mark *m) LM_MUST_CHECK;

enum content_verdict { CONTENT_SAME, CONTENT_OTHER, CONTENT_UNREADABLE };

/* Whether the file has before m->offset what it had; it is another one if it is shorter. */
enum content_verdict content_mark_check(int fd, const struct content_mark *m);

/*
 * True if nobody has the file open for writing. Asked by taking a read lease (fcntl(2), F_SETLEASE)
 * that is given back at once, which needs the file's owner or CAP_LEASE and a file system of this
 * machine alone; *is_known false: it cannot be told here. Whoever opens it to write at that very
 * moment waits for us, or is refused with EWOULDBLOCK if it asked for O_NONBLOCK (as multilog and
 * svlogd do with their live file): so it is asked only of files that have lost their live name. The
 * kernel then sends SIGIO: it must be ignored by the process.
 */
bool file_has_no_writer(int fd, bool *is_known);

/* The first byte at or behind `offset` that is not in a hole (SEEK_DATA); the size if there is
 * none, `offset` where the file system cannot tell. */
uint64_t file_next_data(int fd, uint64_t offset, uint64_t size);

#endif
