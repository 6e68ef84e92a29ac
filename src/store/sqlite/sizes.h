/* How much the embedded store takes at once: tests make all of it small. */
#ifndef LOGMILL_STORE_SQLITE_SIZES_H
#define LOGMILL_STORE_SQLITE_SIZES_H

#include <stddef.h>

#include "base/errbuf.h"

/*
 * X(name, default): of the environment variable LOGMILL_STORE_SIZES, too, which builds with faults
 * read: "seal_rows=64,keep_recent=8". A number of 0 stands for its default.
 *
 * Blocks and segments:
 *   block_rows       logs of a block, at most BLOCK_ROWS_MAX
 *   segment_blocks   blocks of a segment, at most SEGMENT_BLOCKS_MAX
 *   segment_bytes    … and the bytes at which one ends
 * Recent logs (writer.c, seal.c):
 *   row_bytes        of a row of `recent`, if it is not one log
 *   seal_rows        so many logs beyond those that are kept are sealed …
 *   seal_bytes       … or so many bytes of them
 *   keep_rows        the newest logs that stay recent …
 *   keep_bytes       … and what these have at most
 *   late_rows        logs that came late, which stay until they are so many …
 *   late_bytes       … or so many bytes
 *   key_blocks       blocks whose keys the writer keeps decoded
 * The keeper:
 *   takeover_rows    rows of `logs` that become blocks in one transaction
 *   compact_bytes    raw bytes that a step of compaction holds at most
 *   backlog_blocks   hot blocks past which it does not rest, and appends wait (keeper.c)
 */
#define STORE_SQLITE_SIZES(X)                                                                      \
    X(block_rows, 4096)                                                                            \
    X(segment_blocks, 64)                                                                          \
    X(segment_bytes, 16 << 20)                                                                     \
    X(row_bytes, 4 << 20)                                                                          \
    X(seal_rows, 8192)                                                                             \
    X(seal_bytes, 8 << 20)                                                                         \
    X(keep_rows, 1024)                                                                             \
    X(keep_bytes, 512 << 10)                                                                       \
    X(late_rows, 4096)                                                                             \
    X(late_bytes, 4 << 20)                                                                         \
    X(key_blocks, 16)                                                                              \
    X(takeover_rows, 8192)                                                                         \
    X(compact_bytes, 12 << 20)                                                                     \
    X(backlog_blocks, 2048)

struct store_sqlite_sizes {
#define STORE_SQLITE_SIZE(name, number) size_t name;
    STORE_SQLITE_SIZES(STORE_SQLITE_SIZE)
#undef STORE_SQLITE_SIZE
};

/* Gives those that are 0 their defaults, and holds the others within their bounds. */
void store_sqlite_sizes_settle(struct store_sqlite_sizes *sizes);

/* Takes "name=number,…" into `sizes`. LM_EINVAL if that cannot be understood. */
int store_sqlite_sizes_parse(struct store_sqlite_sizes *sizes, const char *text,
                             struct errbuf *err) LM_MUST_CHECK;

#endif
