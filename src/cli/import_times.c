#include "cli/import_times.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "cli/line.h"
#include "cli/state_home.h"

static int read_all(int fd, struct buffer *b)
{
    ssize_t n = 1;

    while (n > 0) {
        char *room = buffer_reserve(b, 64 << 10);

        n = room ? read(fd, room, 64 << 10) : -1;
        b->len += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? -1 : 0;
}

/* The hash of each beginning of `head`, by its length. The caller frees it. */
static uint64_t *hash_beginnings(uint64_t seed, struct slice head)
{
    uint64_t *hashes = xmalloc((head.len + 1) * sizeof(*hashes));

    hashes[0] = seed;
    for (size_t i = 0; i < head.len; i++)
        hashes[i + 1] = hash_bytes(hashes[i], slice_of(head.data + i, 1));
    return hashes;
}

/* Looks for the longest beginning of the input in `times`, which is terminated. */
static bool look_up(const char *times, const uint64_t *hashes, size_t head_len, int64_t *us)
{
    unsigned long long longest = 0;

    for (const char *line = times; line; line = strchr(line, '\n')) {
        char *at;
        unsigned long long len, hash;
        long long time;

        line += *line == '\n';
        len = strtoull(line, &at, 10);
        hash = strtoull(at, &at, 16);
        time = strtoll(at, &at, 10);
        if (*at == '\n' && len > longest && len <= head_len && hashes[len] == hash) {
            longest = len;
            *us = time;
        }
    }
    return longest > 0;
}

bool import_times_find(uint64_t seed, struct slice head, int64_t *us)
{
    struct buffer path, times;
    bool is_known = false;

    buffer_init_small(&path);
    buffer_init(&times, SIZE_MAX / 2);
    state_home_append(&path, "import-times");
    int fd = open(path.data, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read_all(fd, &times) == 0) {
        uint64_t *hashes = hash_beginnings(seed, head);

        buffer_append_char(&times, '\0');
        is_known = look_up(times.data, hashes, head.len, us);
        free(hashes);
    }
    if (fd >= 0)
        close(fd);
    buffer_release(&path);
    buffer_release(&times);
    return is_known;
}

/* Takes the older half of a file that is long by now out of it. */
static int shorten(int fd)
{
    struct buffer times;
    const char *middle = NULL;
    int error = LM_EIO;

    buffer_init(&times, SIZE_MAX / 2);
    if (read_all(fd, &times) == 0)
        middle = memchr(times.data + times.len / 2, '\n', times.len - times.len / 2);
    if (middle && ftruncate(fd, 0) == 0) {
        size_t len = times.len - (size_t)(middle + 1 - times.data);

        error = write(fd, middle + 1, len) == (ssize_t)len ? 0 : LM_EIO;
    }
    buffer_release(&times);
    return error;
}

/* Adds a line to the file, one process at a time. */
static int add(const char *path, struct slice line)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600), error = LM_EIO;
    struct stat stat;

    if (fd < 0)
        return LM_EIO;
    if (flock(fd, LOCK_EX) == 0 && fstat(fd, &stat) == 0 &&
        (stat.st_size <= IMPORT_TIMES_BYTES || shorten(fd) == 0) &&
        write(fd, line.data, line.len) == (ssize_t)line.len)
        error = 0;
    close(fd);
    return error;
}

int import_times_add(uint64_t seed, struct slice head, int64_t us, struct errbuf *err)
{
    struct buffer path, line;

    buffer_init_small(&path);
    buffer_init_small(&line);
    state_home_append(&path, "import-times");
    state_home_make_folders(path.data);
    buffer_appendf(&line, "%zu %016llx %lld\n", head.len,
                   (unsigned long long)hash_bytes(seed, head), (long long)us);
    int error = add(path.data, buffer_slice(&line));
    if (error)
        errbuf_set(err, "cannot write %s: %s", path.data, strerror(errno));
    buffer_release(&path);
    buffer_release(&line);
    return error;
}
