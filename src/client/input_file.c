#include "client/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "base/xalloc.h"

enum { IN_BYTES = 64 << 10 };

struct input_file {
    int fd;
    int64_t changed_us;
    enum { PLAIN, GZIP, ZSTD } form;
    bool is_begun;
    bool is_open; /* in the middle of a gzip member or zstd frame */
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

static int begin(struct input_file *f, struct errbuf *err)
{
    int error = fill(f, 4, err);

    f->is_begun = true;
    if (!error && f->len >= 2 && memcmp(f->in, "\x1f\x8b", 2) == 0) {
        f->form = inflateInit2(&f->zlib, 15 + 16) == Z_OK ? GZIP : PLAIN;
    } else if (!error && f->len >= 4 && memcmp(f->in, "\x28\xb5\x2f\xfd", 4) == 0) {
        f->zstd = ZSTD_createDStream();
        f->form = f->zstd ? ZSTD : PLAIN;
    }
    return error;
}

static ssize_t read_gzip(struct input_file *f, char *data, size_t len)
{
    int rc;

    f->zlib.next_in = (unsigned char *)f->in + f->at;
    f->zlib.avail_in = (unsigned)(f->len - f->at);
    f->zlib.next_out = (unsigned char *)data;
    f->zlib.avail_out = (unsigned)len;
    f->is_open = true;
    rc = inflate(&f->zlib, Z_NO_FLUSH);
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
    return ZSTD_isError(rc) ? LM_EDATA : (ssize_t)out.pos;
}

ssize_t input_file_read(struct input_file *f, char *data, size_t len, struct errbuf *err)
{
    ssize_t n;
    int error;

    if (!f->is_begun && (error = begin(f, err)))
        return error;
    for (;;) {
        bool was_empty;

        if (f->at == f->len && (error = fill(f, 1, err)))
            return error;
        was_empty = f->at == f->len;
        if (f->form == PLAIN) {
            n = (ssize_t)(len < f->len - f->at ? len : f->len - f->at);
            memcpy(data, f->in + f->at, (size_t)n);
            f->at += (size_t)n;
            return n;
        }
        if (was_empty && !f->is_open)
            return 0;
        n = f->form == GZIP ? read_gzip(f, data, len) : read_zstd(f, data, len);
        if (n > 0)
            return n;
        if (n < 0 || was_empty)
            return errbuf_fail(err, LM_EDATA, "its %s is %s", f->form == GZIP ? "gzip" : "zstd",
                               n < 0 ? "broken" : "cut off");
    }
}
