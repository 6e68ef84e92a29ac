/*
 * Streams: the runs of bytes that columns are made of. A long one is a section of its own; short
 * ones share one with others of their group and kind, so that hundreds of small columns cost little
 * more than their bytes. Where a stream is follows from the directory, which is written and read
 * from its start to its end. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_STREAM_H
#define LOGMILL_BLOCK_STREAM_H

#include "block/bytes.h"
#include "block/section.h"

/* What is asked for together. */
enum stream_group { STREAM_KEYS, STREAM_LEVEL, STREAM_MESSAGE, STREAM_ATTRIBUTES, STREAM_GROUPS };

enum {
    STREAM_KINDS = 3,      /* enum section_kind */
    STREAM_OWN_MIN = 1024, /* bytes of a stream with a section of its own */
    STREAM_SHARED = STREAM_GROUPS * STREAM_KINDS,
};

/* ---- Writing ---- */

struct stream_writer {
    struct section_writer *sections;
    struct buffer directory; /* anything may be appended, to be read in the same order */
    struct buffer shared[STREAM_SHARED];
    enum stream_group group; /* of what is put next */
};

void stream_writer_init(struct stream_writer *w);
void stream_writer_release(struct stream_writer *w);

/* Begins a block. */
void stream_begin(struct stream_writer *w, int zstd_level);
void stream_put(struct stream_writer *w, struct slice bytes, enum section_kind kind);

/* Appends the block to `out`. Returns 0 or LM_ENOMEM. */
int stream_end(struct stream_writer *w, uint32_t rows, struct buffer *out) LM_MUST_CHECK;

/* ---- Reading ---- */

struct stream {
    uint32_t section;
    bool is_own;
    size_t offset, len;
};

struct stream_reader {
    struct section_reader *sections;
    struct arena arena;
    struct slice directory; /* what is left of it */
    enum stream_group group;
    size_t own;                   /* sections that have been met */
    size_t shared[STREAM_SHARED]; /* bytes of each that have been met */
    int64_t number;               /* of the block */
    uint64_t raw_bytes;           /* of its texts: nothing has more values */
};

void stream_reader_init(struct stream_reader *r);
void stream_reader_release(struct stream_reader *r);

int stream_open(struct stream_reader *r, const struct block_source *source,
                const struct block_head *head, struct errbuf *err) LM_MUST_CHECK;
void stream_close(struct stream_reader *r);

/* Takes the next stream off the directory; false: damaged. */
bool stream_take(struct stream_reader *r, enum section_kind kind, struct stream *stream);

/* Its bytes, behind which SECTION_SPARE more may be read. */
int stream_bytes(struct stream_reader *r, const struct stream *stream, struct slice *bytes,
                 struct errbuf *err) LM_MUST_CHECK;

/* Bytes of the block that it takes; of a section that it shares, about its part. */
size_t stream_stored(const struct stream_reader *r, const struct stream *stream);

/* `n` items of `size` bytes, until the block is closed; NULL: no memory. */
void *stream_memory(struct stream_reader *r, size_t n, size_t size);

/* LM_EIO: the block is damaged, in `what`. */
int stream_damaged(const struct stream_reader *r, const char *what, struct errbuf *err);

#endif
