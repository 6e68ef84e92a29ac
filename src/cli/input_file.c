#include "cli/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/xalloc.h"

enum { IN_BYTES = 64 << 10 };

struct input_file {
    int fd;
    int64_t changed_us;
    enum { PLAIN, GZIP, ZSTD } form;
    bool is_begun;
    bool is_open; /* in the middle of a gzip member or zstd frame */
    bool was_open;
    z_stream zlib;
    ZSTD_DStream *zstd;
    char in[IN_BYTES];
    size_t at, len; /* in[at..len) is not used yet */
};

struct input_file *input_file_open(const char *name, struct errbuf *err)
{
    struct input_file *f = xcalloc(1, sizeof(*f));
    struct stat stat;

    f->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &stat) || (S_ISDIR(stat.st_mode) && (errno = EISDIR))) {
        errbuf_set(err, "cannot read %s: %s", name, strerror(errno));
        input_file_close(f);
        return NULL;
    }
    if (S_ISREG(stat.st_mode))
        f->changed_us = (int64_t)stat.st_mtim.tv_sec * 1000000 + stat.st_mtim.tv_nsec / 1000;
    return f;
}

void input_file_close(struct input_file *f)
{
    if (!f)
        return;
    if (f->form == GZIP)
        inflateEnd(&f->zlib);
    ZSTD_freeDStream(f->zstd);
    if (f->fd > STDIN_FILENO)
        close(f->fd);
    free(f);
}

int64_t input_file_changed_us(const struct input_file *f)
{
    return f->changed_us;
}

/* Adds to what is not used; returns 0 (at the end, too) or LM_EIO. */
static int fill(struct input_file *f, size_t wanted, struct errbuf *err)
{
    ssize_t n = 1;

    memmove(f->in, f->in + f->at, f->len - f->at);
    f->len -= f->at;
    f->at = 0;
    while (f->len < wanted && n > 0) {
        n = read(f->fd, f->in + f->len, IN_BYTES - f->len);
        if (n < 0 && errno != EINTR)
            return errbuf_fail(err, LM_EIO, "cannot read: %s", strerror(errno));
        f->len += n > 0 ? (size_t)n : 0;
        n = n < 0 ? 1 : n;
    }
    return 0;
}

static bool is_gzip(const struct input_file *f)
{
    return f->len - f->at >= 2 && memcmp(f->in + f->at, "\x1f\x8b", 2) == 0;
}

/* A frame, or one to be skipped, as pzstd begins with. */
static bool is_zstd(const struct input_file *f)
{
    const char *at = f->in + f->at;

    return f->len - f->at >= 4 &&
           (memcmp(at, "\x28\xb5\x2f\xfd", 4) == 0 ||
            ((at[0] & 0xf0) == 0x50 && memcmp(at + 1, "\x2a\x4d\x18", 3) == 0));
}

static int begin(struct input_file *f, struct errbuf *err)
{
    int error = fill(f, 4, err);

    f->is_begun = true;
    if (!error && is_gzip(f)) {
        if (inflateInit2(&f->zlib, 15 + 16) != Z_OK)
            return errbuf_fail(err, LM_ENOMEM, "no memory");
        f->form = GZIP;
    } else if (!error && is_zstd(f)) {
        f->zstd = ZSTD_createDStream();
        f->form = ZSTD;
        if (!f->zstd)
            return errbuf_fail(err, LM_ENOMEM, "no memory");
    }
    return error;
}

static ssize_t read_gzip(struct input_file *f, char *data, size_t len)
{
    f->zlib.next_in = (unsigned char *)f->in + f->at;
    f->zlib.avail_in = (unsigned)(f->len - f->at);
    f->zlib.next_out = (unsigned char *)data;
    f->zlib.avail_out = (unsigned)len;
    f->is_open = true;
    int rc = inflate(&f->zlib, Z_NO_FLUSH);
    f->at = f->len - f->zlib.avail_in;
    if (rc == Z_STREAM_END) { /* another member may follow */
        f->is_open = false;
        rc = inflateReset(&f->zlib);
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? (ssize_t)(len - f->zlib.avail_out) : LM_EDATA;
}

static ssize_t read_zstd(struct input_file *f, char *data, size_t len)
{
    ZSTD_inBuffer in = {f->in, f->len, f->at};
    ZSTD_outBuffer out = {data, len, 0};
    size_t rc = ZSTD_decompressStream(f->zstd, &out, &in);

    f->at = in.pos;
    f->is_open = rc != 0;
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return LM_ETOOBIG;
    return ZSTD_isError(rc) ? LM_EDATA : (ssize_t)out.pos;
}

/*
 * Between two members or frames: zeros, as tapes and tools that fill blocks leave them, are passed
 * over. Returns 0 with *is_over set at the end of the file, or an error.
 */
static int pass_between(struct input_file *f, bool *is_over, struct errbuf *err)
{
    int error;

    do {
        while (f->at < f->len && f->was_open && f->in[f->at] == 0)
            f->at++;
        error = f->len - f->at < 4 ? fill(f, 4, err) : 0;
    } while (!error && f->was_open && f->at < f->len && f->in[f->at] == 0);
    *is_over = f->at == f->len;
    if (!error && !*is_over && !(f->form == GZIP ? is_gzip(f) : is_zstd(f)))
        error = errbuf_fail(err, LM_EDATA, "behind its %s comes something else",
                            f->form == GZIP ? "gzip" : "zstd");
    return error;
}

static ssize_t read_plain(struct input_file *f, char *data, size_t len)
{
    size_t n = len < f->len - f->at ? len : f->len - f->at;

    memcpy(data, f->in + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

ssize_t input_file_read(struct input_file *f, char *data, size_t len, struct errbuf *err)
{
    int error = f->is_begun ? 0 : begin(f, err);

    while (!error) {
        bool is_over = false;
        ssize_t n;

        if (f->form != PLAIN && !f->is_open)
            error = pass_between(f, &is_over, err);
        else if (f->at == f->len)
            error = fill(f, 1, err);
        if (error || is_over)
            break;
        if (f->form == PLAIN)
            return read_plain(f, data, len);
        is_over = f->at == f->len;
        n = f->form == GZIP ? read_gzip(f, data, len) : read_zstd(f, data, len);
        f->was_open = true;
        if (n > 0)
            return n;
        if (n == LM_ETOOBIG)
            return errbuf_fail(err, LM_EDATA,
                               "its zstd needs more than 128 MiB of memory; pipe it "
                               "through: zstd -dc --long=31");
        if (n < 0 || (is_over && f->is_open))
            return errbuf_fail(err, LM_EDATA, "its %s is %s", f->form == GZIP ? "gzip" : "zstd",
                               n < 0 ? "broken" : "cut off");
    }
    return error;
}
