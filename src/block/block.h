/*
 * A block: some thousand logs, ascending by key, as compressed columns. This room turns records
 * into bytes, bytes into columns, and a filter into matching rows. It knows neither SQLite nor
 * files: who holds blocks gives a block_source to read from. The layout is in
 * docs/internals/block.md.
 *
 *   raw.h     a few logs one after the other, uncompressed: what is recent
 *   head.h    what is known of a block without opening it
 *   writer.h  records → a block
 *   reader.h  a block → keys, levels, records
 *   filter.h  which words and values may be in which blocks
 *   plan.h    a query, made ready for blocks
 *   select.h  a block and a query → the rows that match
 *
 * Whatever bytes a reader is given, it answers with an error (LM_EIO: damaged, and where) or with
 * what was written; it never takes more memory than the head's raw_bytes and rows allow.
 */
#ifndef LOGMILL_BLOCK_BLOCK_H
#define LOGMILL_BLOCK_BLOCK_H

#include <stdint.h>

#include "record/record.h"

enum {
    BLOCK_VERSION = 1,
    BLOCK_ROWS_MAX = 65535,         /* that the format holds; how many are used: BLOCK_ROWS */
    BLOCK_ROWS = 4096,              /* of a block, if its logs are not large … */
    BLOCK_RAW_BYTES = 8 << 20,      /* … for it ends after so many bytes of texts, or one log */
    BLOCK_COLUMNS_MAX = 1024,       /* attribute paths with a column of their own, of a block */
    BLOCK_HEAD_LEVELS_MAX = 16,     /* distinct levels that a head counts */
    BLOCK_HEAD_LEVEL_BYTES_MAX = 64 /* length of such a level */
};

/* Rows as a set: so many words, of which word row / 64 has bit row % 64. */
#define BLOCK_ROW_WORDS(rows) (((size_t)(rows) + 63) / 64)

/* A log with its place in the order of storing (store/position.h); 0: not known. */
struct block_row {
    struct record record;
    uint64_t sequence;
};

#endif
