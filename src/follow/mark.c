#include "follow/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/hash.h"

/* ---- Reading ---- */

int file_open(const char *path)
{
    int fd;

    if (fault_here(FAULT_READ))
        return -1;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static _Thread_local uint64_t failures;

uint64_t file_failures(void)
{
    return failures;
}

void file_failed(void)
{
    failures++;
}

ssize_t file_read_at(int fd, void *data, size_t len, uint64_t offset)
{
    size_t done = 0;

    if (fault_here(FAULT_READ)) {
        file_failed();
        return -1;
    }
    while (done < len) {
        ssize_t n = pread(fd, (char *)data + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            file_failed();
            return -1;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* ---- Identity ---- */

static int64_t nanoseconds(const struct statx_timestamp *t)
{
    return t->tv_sec * 1000000000 + t->tv_nsec;
}

static int look(int fd, const char *path, int flags, struct file_look *l)
{
    struct statx s;

    if (fault_here(FAULT_READ) || statx(fd, path, flags, STATX_BASIC_STATS | STATX_BTIME, &s) != 0)
        return LM_EIO;
    *l = (struct file_look){
        .identity = {.device = makedev(s.stx_dev_major, s.stx_dev_minor), .inode = s.stx_ino},
        .size = s.stx_size,
        .changed_ns = nanoseconds(&s.stx_mtime),
        .links = s.stx_nlink,
        .is_regular = S_ISREG(s.stx_mode),
    };
    if (s.stx_mask & STATX_BTIME)
        l->identity.born_ns = nanoseconds(&s.stx_btime);
    return 0;
}

int file_look_fd(int fd, struct file_look *l)
{
    int error = look(fd, "", AT_EMPTY_PATH, l);

    if (error)
        file_failed();
    return error;
}

int file_look_path(const char *path, bool follows_link, struct file_look *l)
{
    return look(AT_FDCWD, path, follows_link ? 0 : AT_SYMLINK_NOFOLLOW, l);
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode &&
           (a->born_ns == b->born_ns || a->born_ns == 0 || b->born_ns == 0);
}

bool file_identity_moved(const struct file_identity *a, const struct file_identity *b)
{
    return a->device != b->device && a->inode == b->inode && a->born_ns == b->born_ns &&
           a->born_ns != 0;
}

/* ---- Content ---- */

/* Of long texts the hash is made piece by piece, so that who reads them needs no more memory. */
enum { PIECE = 16 << 10 };

uint64_t content_chain(uint64_t chain, struct slice line)
{
    /* A chain of 0 and a line of zeros would be 0 again. */
    return hash_long(chain + HASH_BASIS, line);
}

uint64_t content_hash(struct slice bytes)
{
    uint64_t hash = HASH_BASIS;

    while (bytes.len > PIECE) {
        hash = hash_long(hash, (struct slice){bytes.data, PIECE});
        bytes = (struct slice){bytes.data + PIECE, bytes.len - PIECE};
    }
    return hash_long(hash, bytes);
}

/* content_hash of a part of a file. Returns 0; LM_EDATA if the file ends before; LM_EIO. */
static int hash_file(int fd, uint64_t from, uint32_t len, uint64_t *hash)
{
    char piece[PIECE];

    *hash = HASH_BASIS;
    do {
        size_t wanted = len < PIECE ? len : PIECE;
        ssize_t n = file_read_at(fd, piece, wanted, from);

        if (n < 0)
            return LM_EIO;
        if ((size_t)n < wanted)
            return LM_EDATA;
        *hash = hash_long(*hash, (struct slice){piece, wanted});
        from += wanted;
        len -= (uint32_t)wanted;
    } while (len > 0);
    return 0;
}

static uint32_t at_most(uint64_t n, uint32_t limit)
{
    return n < limit ? (uint32_t)n : limit;
}

int content_mark_take(int fd, struct content_mark *m)
{
    uint32_t tail_len = at_most(m->offset, MARK_TAIL_MAX);
    uint32_t head_len = m->head_len;
    uint64_t head_hash = m->head_hash, tail_hash;
    int error;

    if (m->offset == 0) {
        *m = (struct content_mark){0};
        return 0;
    }
    if (head_len > m->offset || head_len < at_most((m->offset + 1) / 2, MARK_HEAD_MAX)) {
        head_len = at_most(m->offset, MARK_HEAD_MAX);
        if ((error = hash_file(fd, 0, head_len, &head_hash)))
            return error;
    }
    if ((error = hash_file(fd, m->offset - tail_len, tail_len, &tail_hash)))
        return error;
    m->head_len = head_len;
    m->head_hash = head_hash;
    m->tail_len = tail_len;
    m->tail_hash = tail_hash;
    return 0;
}

/* The same of one part of it. */
static enum content_verdict check_part(int fd, uint64_t from, uint32_t len, uint64_t expected)
{
    uint64_t hash;
    int error = len > 0 ? hash_file(fd, from, len, &hash) : 0;

    if (error)
        return error == LM_EDATA ? CONTENT_OTHER : CONTENT_UNREADABLE;
    return len == 0 || hash == expected ? CONTENT_SAME : CONTENT_OTHER;
}

enum content_verdict content_mark_check(int fd, const struct content_mark *m)
{
    enum content_verdict verdict;
    struct file_look l;

    if (m->offset == 0)
        return CONTENT_SAME;
    if (file_look_fd(fd, &l))
        return CONTENT_UNREADABLE;
    if (l.size < m->offset)
        return CONTENT_OTHER;
    /* The tail first: it is the shorter one, and heads are equal more often. */
    verdict = check_part(fd, m->offset - m->tail_len, m->tail_len, m->tail_hash);
    return verdict == CONTENT_SAME ? check_part(fd, 0, m->head_len, m->head_hash) : verdict;
}

/* ---- What else the system knows ---- */

/*
 * File systems of this machine alone, where a lease tells all writers. Those of networks grant one,
 * or refuse it as if there were a writer (NFS and SMB: EAGAIN where the server has not delegated
 * the file), whoever writes on another machine.
 */
static bool tells_writers(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    switch ((unsigned long)fs.f_type) {
    case EXT4_SUPER_MAGIC: /* and ext2, ext3 */
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case 0x2fc12fc1: /* ZFS, 0xca451a4e: bcachefs; neither is in the header */
    case 0xca451a4e:
        return true;
    default:
        return false;
    }
}

bool file_has_no_writer(int fd, bool *is_known)
{
    *is_known = false;
    if (!tells_writers(fd))
        return false;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        *is_known = true;
        return fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
    }
    *is_known = errno == EAGAIN;
    return false;
}

uint64_t file_next_data(int fd, uint64_t offset, uint64_t size)
{
    off_t at = lseek(fd, (off_t)offset, SEEK_DATA);

    if (at < 0)
        return errno == ENXIO ? size : offset;
    return (uint64_t)at < size ? (uint64_t)at : size;
}
