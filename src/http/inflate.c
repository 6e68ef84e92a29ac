#include "http/inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/xalloc.h"

enum {
    STEP_MIN = 16 * 1024,
    /* RFC 9659: what a zstd content coding may ask for. zstd's own default is 128 MiB. */
    ZSTD_WINDOW_LOG_MAX = 23,
    /* A context that has grown past this for a large window is not kept. */
    ZSTD_KEEP_MAX = 1024 * 1024
};

struct inflater {
    z_stream z;
    bool z_ready;
    ZSTD_DCtx *zstd; /* NULL until wanted */
};

struct inflater *inflater_new(void)
{
    return xcalloc(1, sizeof(struct inflater));
}

void inflater_free(struct inflater *i)
{
    if (!i)
        return;
    if (i->z_ready)
        inflateEnd(&i->z);
    ZSTD_freeDCtx(i->zstd);
    free(i);
}

int inflate_coding_of(struct slice header, enum inflate_coding *coding)
{
    if (header.len == 0 || slice_equal_ascii_nocase(header, SLICE_LITERAL("identity")))
        *coding = INFLATE_IDENTITY;
    else if (slice_equal_ascii_nocase(header, SLICE_LITERAL("gzip")) ||
             slice_equal_ascii_nocase(header, SLICE_LITERAL("x-gzip")))
        *coding = INFLATE_GZIP;
    else if (slice_equal_ascii_nocase(header, SLICE_LITERAL("deflate")))
        *coding = INFLATE_DEFLATE;
    else if (slice_equal_ascii_nocase(header, SLICE_LITERAL("zstd")))
        *coding = INFLATE_ZSTD;
    else
        return LM_EINVAL;
    return 0;
}

/* RFC 1950, 2.2: deflate, a window zlib can have, and a check of both bytes. */
static bool is_zlib(struct slice body)
{
    unsigned method = body.len >= 2 ? (unsigned char)body.data[0] : 0;
    unsigned flags = body.len >= 2 ? (unsigned char)body.data[1] : 0;

    return (method & 15) == 8 && method >> 4 <= 7 && (method << 8 | flags) % 31 == 0;
}

enum inflate_coding inflate_coding_of_bytes(struct slice body)
{
    if (body.len >= 2 && memcmp(body.data, "\x1f\x8b", 2) == 0)
        return INFLATE_GZIP;
    if (body.len >= 4 && memcmp(body.data, "\x28\xb5\x2f\xfd", 4) == 0)
        return INFLATE_ZSTD;
    return is_zlib(body) ? INFLATE_DEFLATE : INFLATE_IDENTITY;
}

/*
 * Room for more output: twice what there is, charged, but never more than one byte past max_len, or
 * than the account could hold.
 * That byte is how we learn that the output is too large.
 */
static int make_room(struct inflate_output *out, size_t *room)
{
    size_t left = out->max_len + 1 - out->bytes->len;
    size_t step = out->bytes->len > STEP_MIN ? out->bytes->len : STEP_MIN;

    if (step > left)
        step = left;
    size_t spare = out->bytes->capacity - out->bytes->len;
    if (out->account && step > spare) {
        size_t most = spare + out->account->ceiling - out->charge->taken;

        if (most == 0)
            return LM_ETOOBIG;
        step = step < most ? step : most;
    }
    if (spare < step && !charge_take(out->charge, out->account, step - spare))
        return LM_EBUSY;
    if (!buffer_reserve(out->bytes, step))
        return LM_ENOMEM; /* not LM_ETOOBIG: the ceiling is above max_len */
    *room = step;
    return 0;
}

static int corrupt(struct errbuf *err, const char *coding, const char *why)
{
    return errbuf_fail(err, LM_EDATA, "the body is not valid %s: %s", coding, why);
}

/* zlib's names for the three formats. */
static int window_bits(enum inflate_coding coding, struct slice in)
{
    if (coding == INFLATE_GZIP)
        return 16 + MAX_WBITS;
    return is_zlib(in) ? MAX_WBITS : -MAX_WBITS;
}

static int z_begin(struct inflater *i, int bits)
{
    if (i->z_ready)
        return inflateReset2(&i->z, bits) == Z_OK ? 0 : LM_ENOMEM;
    if (fault_here(FAULT_LIBRARY) || inflateInit2(&i->z, bits) != Z_OK)
        return LM_ENOMEM;
    i->z_ready = true;
    return 0;
}

static int run_z(struct inflater *i, enum inflate_coding coding, struct slice in,
                 struct inflate_output *out, struct errbuf *err)
{
    const char *name = coding == INFLATE_GZIP ? "gzip" : "deflate";
    int error = z_begin(i, window_bits(coding, in));

    if (error < 0)
        return error;
    z_stream *z = &i->z;
    z->next_in = (Bytef *)(uintptr_t)in.data; /* zlib does not write to it */
    z->avail_in = (uInt)in.len;
    for (;;) {
        size_t room;

        error = make_room(out, &room);
        if (error < 0)
            return error;
        z->next_out = (Bytef *)out->bytes->data + out->bytes->len;
        z->avail_out = (uInt)room;
        int status = fault_here(FAULT_LIBRARY) ? Z_MEM_ERROR : inflate(z, Z_NO_FLUSH);
        out->bytes->len += room - z->avail_out;
        if (out->bytes->len > out->max_len)
            return LM_ETOOBIG;
        if (status == Z_STREAM_END) {
            if (z->avail_in == 0)
                return 0;
            if (coding != INFLATE_GZIP)
                return corrupt(err, name, "something follows it");
            if (inflateReset(z) != Z_OK)
                return LM_ENOMEM;
        } else if (status == Z_MEM_ERROR) {
            return LM_ENOMEM;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return corrupt(err, name, z->msg ? z->msg : "corrupt");
        } else if (z->avail_in == 0 && z->avail_out > 0) {
            return corrupt(err, name, "it is cut short");
        }
    }
}

static int zstd_begin(struct inflater *i)
{
    if (i->zstd)
        return ZSTD_isError(ZSTD_DCtx_reset(i->zstd, ZSTD_reset_session_only)) ? LM_ENOMEM : 0;
    i->zstd = fault_here(FAULT_LIBRARY) ? NULL : ZSTD_createDCtx();
    if (!i->zstd)
        return LM_ENOMEM;
    ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    return 0;
}

static int zstd_decode(struct inflater *i, struct slice in, struct inflate_output *out,
                       struct errbuf *err)
{
    ZSTD_inBuffer input = {in.data, in.len, 0};
    for (;;) {
        size_t room;
        int error = make_room(out, &room);

        if (error < 0)
            return error;
        ZSTD_outBuffer output = {out->bytes->data + out->bytes->len, room, 0};
        size_t status = fault_here(FAULT_LIBRARY) ? (size_t)-ZSTD_error_memory_allocation
                                                  : ZSTD_decompressStream(i->zstd, &output, &input);
        out->bytes->len += output.pos;
        if (out->bytes->len > out->max_len)
            return LM_ETOOBIG;
        if (ZSTD_getErrorCode(status) == ZSTD_error_memory_allocation)
            return LM_ENOMEM;
        if (ZSTD_isError(status))
            return corrupt(err, "zstd", ZSTD_getErrorName(status));
        if (input.pos < input.size)
            continue;
        if (status == 0)
            return 0;
        if (output.pos < output.size)
            return corrupt(err, "zstd", "it is cut short");
    }
}

static int run_zstd(struct inflater *i, struct slice in, struct inflate_output *out,
                    struct errbuf *err)
{
    int error = zstd_begin(i);

    if (error < 0)
        return error;
    error = zstd_decode(i, in, out, err);
    if (ZSTD_sizeof_DCtx(i->zstd) > ZSTD_KEEP_MAX) {
        ZSTD_freeDCtx(i->zstd);
        i->zstd = NULL;
    }
    return error;
}

int inflate_run(struct inflater *i, enum inflate_coding coding, struct slice in,
                struct inflate_output *out, struct errbuf *err)
{
    switch (coding) {
    case INFLATE_GZIP:
    case INFLATE_DEFLATE:
        return run_z(i, coding, in, out, err);
    case INFLATE_ZSTD:
        return run_zstd(i, in, out, err);
    case INFLATE_IDENTITY:
        break;
    }
    return errbuf_fail(err, LM_EINVAL, "nothing to inflate");
}
