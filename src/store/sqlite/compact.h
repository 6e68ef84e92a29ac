/*
 * A compaction: segments are merged by key into cold ones, which take their place.
 *
 * Done in steps, each of which reads and encodes about a block, so that whoever does it may pause
 * and stop between any two. Nothing is held in the file meanwhile, no snapshot either: what is read
 * never changes but for what counts `changes` of its segment up. When a new segment is full, or
 * nothing is left, one short transaction stores it and takes from the sources what it was made of,
 * whole segments, leading blocks, and by marks the first rows of a block; before that it looks
 * whether any of them has changed: then the compaction is given up, and what it stored stays.
 */
#ifndef LOGMILL_STORE_SQLITE_COMPACT_H
#define LOGMILL_STORE_SQLITE_COMPACT_H

#include <stdbool.h>

#include "sqlite/db.h"
#include "store/sqlite/segment.h"
#include "store/sqlite/sizes.h"

enum {
    COMPACT_SOURCES_MAX = 64,
    COMPACT_HELD_BYTES = 10 << 20, /* of a new segment: one that reaches it is full */
};

struct compaction;

struct compaction *compact_new(const struct store_sqlite_sizes *sizes);
void compact_free(struct compaction *c); /* NULL does nothing */

/*
 * Begins with sources[0..n), n at most COMPACT_SOURCES_MAX, as they were just read; some of them
 * are left out, the last ones, if all together would take more memory than a compaction may. Their
 * numbers in the order of storing are kept unless `drops_sequence`: then it is noted in the file
 * that what these segments hold cannot be followed any more.
 */
int compact_begin(struct compaction *c, struct sqlite_db *db, const struct segment *sources,
                  size_t n, bool drops_sequence, bool all, struct errbuf *err) LM_MUST_CHECK;

/* From compact_begin on until all is done or given up, or a step failed. */
bool compact_is_under_way(const struct compaction *c);

/*
 * Does a little of it. Called in no transaction. Returns 0, also when it is given up because a
 * source has changed; after an error it is no longer under way.
 */
int compact_step(struct compaction *c, struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;

/* Forgets all that is not stored; the memory of blocks is freed. */
void compact_stop(struct compaction *c);

/*
 * The segment to leave out so that others get on, after the beginning or last step returned LM_EIO;
 * 0: none. *is_damaged: what was read of it is wrong; else it could not be read, or nothing
 * written.
 */
int64_t compact_failed(const struct compaction *c, bool *is_damaged);

/* Rows that were encoded since compact_new, for tests to count. */
uint64_t compact_rows(const struct compaction *c);

#endif
