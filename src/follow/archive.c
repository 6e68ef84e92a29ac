#include "follow/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/fault.h"
#include "base/xalloc.h"

enum {
    IN_BYTES = 64 << 10,
    HEAD_BYTES = 6,              /* in which each form shows itself */
    XZ_MEMORY_BYTES = 128 << 20, /* as zstd's decoder takes, if nothing is said */
};

static const char *const form_names[] = {
    [ARCHIVE_PLAIN] = "text",
    [ARCHIVE_GZIP] = "gzip",
    [ARCHIVE_ZSTD] = "zstd",
    [ARCHIVE_XZ] = "xz",
};

struct archive {
    int fd;
    bool is_ours;    /* the descriptor is to be closed */
    bool has_offset; /* it is read from `offset` on, wherever its own place is */
    uint64_t offset;
    int64_t changed_us;
    enum archive_form form;
    bool is_begun;
    bool is_open; /* in the middle of a gzip member, zstd frame or xz stream */
    bool was_open;
    bool is_cut;
    z_stream zlib;
    ZSTD_DStream *zstd;
    lzma_stream lzma;
    char in[IN_BYTES];
    size_t at, len; /* in[at..len) is not used yet */
};

/* ---- Opening ---- */

/* `a` is closed if it cannot be read. */
static struct archive *look(struct archive *a, const char *name, struct errbuf *err)
{
    struct stat stat;

    if (a->fd < 0 || fstat(a->fd, &stat) || (S_ISDIR(stat.st_mode) && (errno = EISDIR))) {
        errbuf_set(err, "cannot read %s: %s", name, strerror(errno));
        archive_close(a);
        return NULL;
    }
    if (S_ISREG(stat.st_mode))
        a->changed_us = (int64_t)stat.st_mtim.tv_sec * 1000000 + stat.st_mtim.tv_nsec / 1000;
    return a;
}

struct archive *archive_open(const char *name, struct errbuf *err)
{
    struct archive *a = xcalloc(1, sizeof(*a));

    a->is_ours = strcmp(name, "-") != 0;
    a->fd = !a->is_ours              ? STDIN_FILENO
            : fault_here(FAULT_READ) ? -1
                                     : open(name, O_RDONLY | O_CLOEXEC);
    return look(a, name, err);
}

struct archive *archive_open_fd(int fd, struct errbuf *err)
{
    struct archive *a = xcalloc(1, sizeof(*a));

    a->fd = fd;
    a->is_ours = true;
    if (!look(a, "the file", err))
        return NULL;
    a->has_offset = lseek(fd, 0, SEEK_CUR) >= 0;
    return a;
}

void archive_close(struct archive *a)
{
    if (!a)
        return;
    if (a->form == ARCHIVE_GZIP)
        inflateEnd(&a->zlib);
    ZSTD_freeDStream(a->zstd);
    lzma_end(&a->lzma);
    if (a->is_ours && a->fd >= 0)
        close(a->fd);
    free(a);
}

int64_t archive_changed_us(const struct archive *a)
{
    return a->changed_us;
}

enum archive_form archive_form(const struct archive *a)
{
    return a->form;
}

bool archive_is_cut(const struct archive *a)
{
    return a->is_cut;
}

enum archive_form archive_form_of(const char *data, size_t len)
{
    if (len >= 2 && memcmp(data, "\x1f\x8b", 2) == 0)
        return ARCHIVE_GZIP;
    /* A frame, or one to be skipped, as pzstd begins with. */
    if (len >= 4 && (memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0 ||
                     ((data[0] & 0xf0) == 0x50 && memcmp(data + 1, "\x2a\x4d\x18", 3) == 0)))
        return ARCHIVE_ZSTD;
    if (len >= HEAD_BYTES && memcmp(data, "\xfd\x37zXZ\0", HEAD_BYTES) == 0)
        return ARCHIVE_XZ;
    return ARCHIVE_PLAIN;
}

/* ---- Reading ---- */

static ssize_t read_some(struct archive *a, char *data, size_t len)
{
    ssize_t n;

    if (fault_here(FAULT_READ))
        return -1;
    do
        n = a->has_offset ? pread(a->fd, data, len, (off_t)a->offset) : read(a->fd, data, len);
    while (n < 0 && errno == EINTR);
    a->offset += n > 0 ? (size_t)n : 0;
    return n;
}

/* Adds to what is not used; returns 0 (at the end, too) or LM_EIO. */
static int fill(struct archive *a, size_t wanted, struct errbuf *err)
{
    ssize_t n = 1;

    memmove(a->in, a->in + a->at, a->len - a->at);
    a->len -= a->at;
    a->at = 0;
    while (a->len < wanted && n > 0) {
        n = read_some(a, a->in + a->len, IN_BYTES - a->len);
        if (n < 0)
            return errbuf_fail(err, LM_EIO, "cannot read: %s", strerror(errno));
        a->len += (size_t)n;
    }
    return 0;
}

/* Makes the decoder of the next member, frame or stream. gzip's and zstd's go on by themselves. */
static int begin_one(struct archive *a, struct errbuf *err)
{
    bool is_made = true;

    if (fault_here(FAULT_LIBRARY))
        is_made = false;
    else if (a->form == ARCHIVE_GZIP && !a->was_open)
        is_made = inflateInit2(&a->zlib, 15 + 16) == Z_OK;
    else if (a->form == ARCHIVE_ZSTD && !a->was_open)
        is_made = (a->zstd = ZSTD_createDStream());
    else if (a->form == ARCHIVE_XZ)
        is_made = lzma_stream_decoder(&a->lzma, XZ_MEMORY_BYTES, 0) == LZMA_OK;
    return is_made ? 0 : errbuf_fail(err, LM_ENOMEM, "no memory");
}

static int begin(struct archive *a, struct errbuf *err)
{
    int error = fill(a, HEAD_BYTES, err);

    if (error)
        return error;
    a->is_begun = true;
    a->form = archive_form_of(a->in, a->len);
    return 0;
}

/* Each of these returns how many bytes it has made, or LM_EDATA (broken), LM_ETOOBIG, LM_ENOMEM. */

static ssize_t read_gzip(struct archive *a, char *data, size_t len)
{
    a->zlib.next_in = (unsigned char *)a->in + a->at;
    a->zlib.avail_in = (unsigned)(a->len - a->at);
    a->zlib.next_out = (unsigned char *)data;
    a->zlib.avail_out = (unsigned)len;
    int rc = inflate(&a->zlib, Z_NO_FLUSH);
    a->at = a->len - a->zlib.avail_in;
    if (rc == Z_STREAM_END) { /* another member may follow */
        a->is_open = false;
        rc = inflateReset(&a->zlib);
    }
    if (rc == Z_MEM_ERROR)
        return LM_ENOMEM;
    return rc == Z_OK || rc == Z_BUF_ERROR ? (ssize_t)(len - a->zlib.avail_out) : LM_EDATA;
}

static ssize_t read_zstd(struct archive *a, char *data, size_t len)
{
    ZSTD_inBuffer in = {a->in, a->len, a->at};
    ZSTD_outBuffer out = {data, len, 0};
    size_t rc = ZSTD_decompressStream(a->zstd, &out, &in);

    a->at = in.pos;
    a->is_open = rc != 0;
    if (!ZSTD_isError(rc))
        return (ssize_t)out.pos;
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_frameParameter_windowTooLarge:
        return LM_ETOOBIG;
    case ZSTD_error_memory_allocation:
        return LM_ENOMEM;
    default:
        return LM_EDATA;
    }
}

static ssize_t read_xz(struct archive *a, char *data, size_t len)
{
    a->lzma.next_in = (const uint8_t *)a->in + a->at;
    a->lzma.avail_in = a->len - a->at;
    a->lzma.next_out = (uint8_t *)data;
    a->lzma.avail_out = len;
    lzma_ret rc = lzma_code(&a->lzma, LZMA_RUN);
    a->at = a->len - a->lzma.avail_in;
    a->is_open = rc != LZMA_STREAM_END;
    switch (rc) {
    case LZMA_OK:
    case LZMA_BUF_ERROR: /* it needs more than there is */
    case LZMA_STREAM_END:
        return (ssize_t)(len - a->lzma.avail_out);
    case LZMA_MEMLIMIT_ERROR:
        return LM_ETOOBIG;
    case LZMA_MEM_ERROR:
        return LM_ENOMEM;
    default:
        return LM_EDATA;
    }
}

static int refuse(struct archive *a, int error, struct errbuf *err)
{
    if (error == LM_ENOMEM)
        return errbuf_fail(err, error, "no memory");
    if (error == LM_ETOOBIG)
        return errbuf_fail(
            err, LM_EDATA, "its %s needs more than 128 MiB of memory; pipe it through: %s",
            form_names[a->form], a->form == ARCHIVE_XZ ? "xz -dc" : "zstd -dc --long=31");
    return errbuf_fail(err, LM_EDATA, "its %s is %s", form_names[a->form],
                       a->is_cut ? "cut off" : "broken");
}

/* Whether what is left at the end of the file may become another member, frame or stream. */
static bool is_beginning(const struct archive *a)
{
    static const char heads[][HEAD_BYTES + 1] = {
        [ARCHIVE_PLAIN] = "",
        [ARCHIVE_GZIP] = "\x1f\x8b",
        [ARCHIVE_ZSTD] = "\x28\xb5\x2f\xfd",
        [ARCHIVE_XZ] = "\xfd\x37zXZ",
    };
    size_t left = a->len - a->at;

    return left < HEAD_BYTES && left <= strlen(heads[a->form]) &&
           memcmp(a->in + a->at, heads[a->form], left) == 0;
}

/*
 * Between two members, frames or streams: zeros, as tapes and tools that fill blocks leave them,
 * and as xz's padding is, are passed over. Returns 0 with *is_over set at the end of the file, or
 * an error.
 */
static int pass_between(struct archive *a, bool *is_over, struct errbuf *err)
{
    int error;

    do {
        while (a->at < a->len && a->was_open && a->in[a->at] == 0)
            a->at++;
        error = a->len - a->at < HEAD_BYTES ? fill(a, HEAD_BYTES, err) : 0;
    } while (!error && a->was_open && a->at < a->len && a->in[a->at] == 0);
    *is_over = a->at == a->len;
    if (error || *is_over)
        return error;
    if (archive_form_of(a->in + a->at, a->len - a->at) != a->form) {
        a->is_cut = is_beginning(a);
        return a->is_cut ? refuse(a, LM_EDATA, err)
                         : errbuf_fail(err, LM_EDATA, "behind its %s comes something else",
                                       form_names[a->form]);
    }
    error = begin_one(a, err);
    a->is_open = a->was_open = !error;
    return error;
}

static ssize_t read_plain(struct archive *a, char *data, size_t len)
{
    size_t n = len < a->len - a->at ? len : a->len - a->at;

    memcpy(data, a->in + a->at, n);
    a->at += n;
    return (ssize_t)n;
}

static ssize_t read_packed(struct archive *a, char *data, size_t len)
{
    if (a->form == ARCHIVE_GZIP)
        return read_gzip(a, data, len);
    return a->form == ARCHIVE_ZSTD ? read_zstd(a, data, len) : read_xz(a, data, len);
}

ssize_t archive_read(struct archive *a, char *data, size_t len, struct errbuf *err)
{
    int error = a->is_begun ? 0 : begin(a, err);

    while (!error) {
        bool is_over = false;

        if (a->form != ARCHIVE_PLAIN && !a->is_open)
            error = pass_between(a, &is_over, err);
        else if (a->at == a->len)
            error = fill(a, 1, err);
        if (error || is_over)
            break;
        if (a->form == ARCHIVE_PLAIN)
            return read_plain(a, data, len);
        is_over = a->at == a->len;
        ssize_t n = read_packed(a, data, len);
        if (n > 0)
            return n;
        a->is_cut = n == 0 && is_over && a->is_open;
        if (n < 0 || a->is_cut)
            return refuse(a, (int)n, err);
    }
    return error;
}
