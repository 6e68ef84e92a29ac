/*
 * A block as bytes: a head of its own, a directory, and sections, each compressed by itself and
 * with a checksum. What is in them is for others (writer.c, reader.c); where they lie, and that
 * they are what was written, is here. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_SECTION_H
#define LOGMILL_BLOCK_SECTION_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "block/arena.h"
#include "block/head.h"
#include "block/source.h"

/* ---- Writing ---- */

/* What a section holds, by which zstd is told what to look for. */
enum section_kind {
    SECTION_TEXT,    /* texts, and what is like them */
    SECTION_NUMBERS, /* a number a byte: there are no words in it */
    SECTION_BITS,    /* nothing to be compressed */
};

struct section_writer;

struct section_writer *section_writer_new(void);
void section_writer_free(struct section_writer *w); /* NULL does nothing */

/* Begins a block. */
void section_begin(struct section_writer *w, int zstd_level);

/* Adds the next section; its number is how many there were before. Returns the bytes it takes. */
size_t section_add(struct section_writer *w, struct slice plain, enum section_kind kind);

/* Appends the block to `out`. Returns 0 or LM_ENOMEM; then `out` is as before. */
int section_end(struct section_writer *w, uint32_t rows, struct slice directory,
                struct buffer *out) LM_MUST_CHECK;

/* ---- Reading ---- */

struct section {
    size_t offset, stored; /* in the block */
    size_t plain;          /* bytes, once it is decompressed */
    uint32_t checksum;     /* of what is stored */
    bool is_compressed;
    const char *bytes; /* decompressed; NULL: not yet */
};

struct section_reader;

struct section_reader *section_reader_new(void);
void section_reader_free(struct section_reader *r); /* NULL does nothing */

/*
 * Reads the directory; `head` bounds all of it. What is decompressed is put into `arena`. LM_EIO,
 * LM_ENOMEM.
 */
int section_open(struct section_reader *r, const struct block_source *source,
                 const struct block_head *head, struct arena *arena, struct slice *directory,
                 struct errbuf *err) LM_MUST_CHECK;

size_t section_count(const struct section_reader *r);
const struct section *section_get(const struct section_reader *r, size_t number);

enum { SECTION_SPARE = 8 }; /* bytes behind a section's, zeroes, that may be read */

/* A section's bytes, read and decompressed when they are first asked for. LM_EIO, LM_ENOMEM. */
int section_read(struct section_reader *r, size_t number, struct slice *plain,
                 struct errbuf *err) LM_MUST_CHECK;

/* Bytes of the block that its head, directory and table of sections take. */
size_t section_overhead(const struct section_reader *r);

#endif
