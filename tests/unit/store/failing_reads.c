#include "failing_reads.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <sqlite3.h>

static unsigned left; /* reads before the first that fails */
static off_t place;   /* of the page that cannot be read */
static bool has_failed;

static ssize_t fail(void)
{
    has_failed = true;
    errno = EIO;
    return -1;
}

static ssize_t read_or_fail(int fd, void *to, size_t len, off_t offset)
{
    if (left > 0) {
        left--;
        return pread(fd, to, len, offset);
    }
    return fail();
}

static ssize_t read_or_fail_there(int fd, void *to, size_t len, off_t offset)
{
    return offset == place ? fail() : pread(fd, to, len, offset);
}

static void set(sqlite3_syscall_ptr fn)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

    vfs->xSetSystemCall(vfs, "pread", fn);
    vfs->xSetSystemCall(vfs, "pread64", fn);
}

void failing_reads_from(unsigned n)
{
    left = n - 1;
    has_failed = false;
    set((sqlite3_syscall_ptr)read_or_fail);
}

void failing_reads_of(off_t offset)
{
    place = offset;
    has_failed = false;
    set((sqlite3_syscall_ptr)read_or_fail_there);
}

bool failing_reads_end(void)
{
    set(NULL);
    return has_failed;
}
