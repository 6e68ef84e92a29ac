/*
 * What a reader knows of the store as it is in its snapshot: the recent logs, the segments, the
 * heads of their blocks. It is kept from call to call: what is stored meanwhile is added to it, and
 * only when something else has changed (sequence.changes) is it read anew.
 */
#ifndef LOGMILL_STORE_SQLITE_CATALOG_H
#define LOGMILL_STORE_SQLITE_CATALOG_H

#include "store/sqlite/recent.h"
#include "store/sqlite/segment.h"

enum { CATALOG_HEADS_BYTES = 4 << 20 }; /* of heads that are kept */

struct catalog_segment {
    struct segment segment;
    struct block_head *heads; /* ascending, of the blocks that are there; NULL: not kept */
    size_t heads_len;
    size_t heads_bytes;
    uint64_t used; /* when the heads were last asked for, in calls */
};

/* All zeroes: nothing is known. */
struct catalog {
    bool is_known;
    uint32_t version; /* of the data, as SQLite counts what others commit */
    int64_t changes;
    uint64_t last;        /* sequence.last, … */
    uint64_t follow_from; /* … and .follow_from */
    bool has_old;         /* there are rows in `logs` */
    struct recent recent;
    struct catalog_segment *segments; /* descending by their last key */
    size_t segments_len, segments_capacity;
    size_t heads_bytes;
    uint64_t calls;
};

void catalog_clear(struct catalog *c); /* frees all */

/*
 * Brings it up to the snapshot, which begins with it: in a transaction of `db` that has read
 * nothing yet. After an error it knows nothing.
 */
int catalog_refresh(struct catalog *c, struct sqlite_db *db, struct errbuf *err) LM_MUST_CHECK;

/*
 * The heads of a segment's blocks, ascending, which live until the next call of this. LM_EIO if
 * they are damaged.
 */
int catalog_heads(struct catalog *c, struct sqlite_db *db, struct catalog_segment *s,
                  const struct block_head **heads, size_t *n, struct errbuf *err) LM_MUST_CHECK;

#endif
