/*
 * Segments: a run of blocks (block/block.h) with what is known of them in one row, in the tables
 * segments, blocks, filters and erased (schema.c). A segment's blocks ascend by key and do not
 * overlap; segments may overlap each other. Segments and blocks never change once they are stored,
 * but for this: leading blocks go (expiry), rows are marked as erased (deletion), and each such
 * change counts `changes` up, by which a compaction sees that what it has read is no longer all.
 *
 * Every function that writes is called within a transaction of the caller.
 */
#ifndef LOGMILL_STORE_SQLITE_SEGMENT_H
#define LOGMILL_STORE_SQLITE_SEGMENT_H

#include "block/head.h"
#include "block/reader.h"
#include "block/writer.h"
#include "sqlite/db.h"

enum {
    SEGMENT_BLOCKS_MAX = 64,          /* of one segment */
    SEGMENT_FILTER_CHUNK = 16 * 1024, /* bytes of a row of `filters`, about … */
    SEGMENT_FILTER_PLACES = 1 << 20,  /* … of which a segment can have so many */
};

struct segment {
    int64_t number;
    struct log_key first, last;
    uint64_t rows;    /* of the blocks that are there; rows that are marked are counted */
    uint64_t erased;  /* … of which so many are marked as erased */
    uint64_t bytes;   /* of these blocks, heads and filter */
    uint32_t blocks;  /* that it was made with … */
    uint32_t gone;    /* … of which so many, the first, are no longer there */
    uint32_t buckets; /* of its filter; 0: it has none */
    uint64_t first_sequence, last_sequence; /* 0: not kept */
    int64_t stored_us;                      /* when the last of its logs was stored */
    bool cold;                              /* it was made by compaction */
    int64_t changes;
    uint64_t hashed; /* a bit for each of its blocks, by place: block_writer_hashed_all */
};

/* The columns of `segments` that segment_take reads, the first ones of a statement. */
#define SEGMENT_COLUMNS                                                                            \
    "number, first, last, rows, erased, bytes, blocks, gone, buckets, first_sequence, "            \
    "last_sequence, stored, cold, changes, hashed"
enum { SEGMENT_COLUMNS_LEN = 15 };

/* Leaves out the rows in which segment_take would find damage. */
#define SEGMENT_IS_WHOLE                                                                           \
    "length(first) = 24 AND length(last) = 24 AND blocks BETWEEN 1 AND 64 AND "                    \
    "gone BETWEEN 0 AND blocks - 1"
_Static_assert(LOG_KEY_BYTES == 24 && SEGMENT_BLOCKS_MAX == 64, "SEGMENT_IS_WHOLE names them");

/* Reads the row that `stmt` stands on. LM_EIO if it is damaged. */
int segment_take(struct sqlite_db *db, sqlite3_stmt *stmt, struct segment *s,
                 struct errbuf *err) LM_MUST_CHECK;

/* ---- Making one ---- */

/* Gathers the blocks of one segment in memory; nothing is in the file before segment_store. */
struct segment_builder;

struct segment_builder *segment_builder_new(void);
void segment_builder_free(struct segment_builder *b);

/* Begins anew. `cold`: as compaction makes them; else hot. */
void segment_builder_begin(struct segment_builder *b, bool cold, bool keeps_sequence);

/* Adds a block of rows[0..n), which come after all that were added; at most SEGMENT_BLOCKS_MAX. */
int segment_builder_add(struct segment_builder *b, const struct block_row *rows, size_t n,
                        int64_t stored_us, struct errbuf *err) LM_MUST_CHECK;

/*
 * Adds a block as it lies in `from`, place `place` of those this was made with: `bytes`, and its
 * column of `filter`, which segment_filter has read. *taken is false if that cannot be, because
 * their filters are of different sizes: then its rows are to be added.
 */
int segment_builder_copy(struct segment_builder *b, const struct segment *from, uint32_t place,
                         const struct block_head *head, struct slice bytes, struct slice filter,
                         bool *taken, struct errbuf *err) LM_MUST_CHECK;
uint32_t segment_builder_blocks(const struct segment_builder *b);
size_t segment_builder_bytes(const struct segment_builder *b); /* of its blocks */

/* Stores what was added, as one segment. */
int segment_store(struct sqlite_db *db, struct segment_builder *b, int64_t *number,
                  struct errbuf *err) LM_MUST_CHECK;

/* ---- Reading one ---- */

/* The heads of the blocks that are there, ascending; freed by free(). */
int segment_heads(struct sqlite_db *db, const struct segment *s, struct block_head **heads,
                  size_t *n, struct errbuf *err) LM_MUST_CHECK;

/* The row of the filter for `hash`, into `row` (buffer_clear'ed first); block k's is in place k of
 * those it was made with. */
int segment_filter_row(struct sqlite_db *db, const struct segment *s, uint64_t hash,
                       struct buffer *row, struct errbuf *err) LM_MUST_CHECK;

/* All of its filter, bucket by bucket, into `filter` (buffer_clear'ed first). */
int segment_filter(struct sqlite_db *db, const struct segment *s, struct buffer *filter,
                   struct errbuf *err) LM_MUST_CHECK;

/* A block's bytes, by sqlite3_blob: opened on one block, moved to others. */
struct segment_blob {
    struct sqlite_db *db;
    sqlite3_blob *blob;
    struct block_source source; /* of the block that it stands on */
};

int segment_blob_open(struct segment_blob *blob, struct sqlite_db *db, int64_t block,
                      struct errbuf *err) LM_MUST_CHECK;
void segment_blob_close(struct segment_blob *blob); /* before the end of the transaction */

/*
 * Clears in `rows` (block/select.h) those of the block that are marked as erased; `*any` tells
 * whether there were marks.
 */
int segment_unmark(struct sqlite_db *db, int64_t block, uint64_t *rows, size_t n, bool *any,
                   struct errbuf *err) LM_MUST_CHECK;

/* ---- Changing one ---- */

/* All of it, blocks, filter and marks, is deleted; blocks of which damaged heads do not tell the
 * numbers are left: `logmill store verify` finds them. */
int segment_delete(struct sqlite_db *db, int64_t number, struct errbuf *err) LM_MUST_CHECK;

/* Its first `n` blocks of those that are there are deleted; all: the segment. */
int segment_drop_leading(struct sqlite_db *db, const struct segment *s, uint32_t n,
                         struct errbuf *err) LM_MUST_CHECK;

/* Marks `rows` of a block as erased, those that were marked before stay so. */
int segment_mark(struct sqlite_db *db, const struct segment *s, const struct block_head *head,
                 const uint64_t *rows, struct errbuf *err) LM_MUST_CHECK;

#endif
