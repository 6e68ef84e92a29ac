/*
 * Undoes the content codings gzip, deflate and zstd, never past a ceiling: a bomb costs what the
 * ceiling costs and no more. One inflater a thread, used again and again.
 */
#ifndef LOGMILL_HTTP_INFLATE_H
#define LOGMILL_HTTP_INFLATE_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "base/slice.h"
#include "net/charge.h"

enum inflate_coding {
    INFLATE_IDENTITY,
    INFLATE_GZIP,
    /* zlib's format (RFC 1950), as the name means (RFC 9110, 8.4.1.2); or bare deflate (RFC 1951),
     * as some send it: the first two bytes tell which. */
    INFLATE_DEFLATE,
    INFLATE_ZSTD
};

/* The codings that inflate_coding_of knows, for Accept-Encoding and for people. */
#define INFLATE_CODINGS "gzip, deflate, zstd"

struct inflater;

struct inflater *inflater_new(void);
void inflater_free(struct inflater *i);

/* What a Content-Encoding header names. Returns 0, or LM_EINVAL if it is none of ours. */
int inflate_coding_of(struct slice header, enum inflate_coding *coding) LM_MUST_CHECK;

/* What the first bytes of a body say it is: gzip, zlib, zstd, or none of them. */
enum inflate_coding inflate_coding_of_bytes(struct slice body);

/* Where the output goes and what bounds it. */
struct inflate_output {
    struct buffer *bytes;  /* appended to; its ceiling must be above max_len */
    size_t max_len;        /* past it, or what `account` could ever hold, LM_ETOOBIG */
    struct charge *charge; /* holds what `bytes` took from `account` */
    struct account *account;
};

/*
 * Inflates the whole of `in`: one gzip member or zstd frame, or several in a row, or one
 * deflated stream, and nothing else.
 * Returns 0, LM_EDATA (corrupt, cut short or followed by something else; `err` says it),
 * LM_ETOOBIG, LM_EBUSY (no room in the account) or LM_ENOMEM.
 */
int inflate_run(struct inflater *i, enum inflate_coding coding, struct slice in,
                struct inflate_output *out, struct errbuf *err) LM_MUST_CHECK;

#endif
