/*
 * The oldest logs go: by their age, or since the store is too large. Each of these is called within
 * a transaction of the caller. Whole segments cost next to nothing, then come leading blocks; in
 * the block in which the boundary lies, rows are marked.
 */
#ifndef LOGMILL_STORE_SQLITE_EXPIRE_H
#define LOGMILL_STORE_SQLITE_EXPIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqlite/db.h"
#include "store/sqlite/merging.h"

enum {
    EXPIRE_PARTS_MAX = 8,   /* segments in which the boundary lies, of one transaction, … */
    EXPIRE_BLOCKS_MAX = 64, /* … or as many as so many blocks are dropped of */
};

/*
 * There may be many segments in which the boundary lies. They are gone through in passes, some in
 * each transaction. `after` is 0 at first, and to be what it was if the transaction is undone.
 */
struct expire_pass {
    int64_t after; /* the number of the last one that has been seen to; 0: none is under way */
    struct merging *merging; /* those that are left to a later pass; may be NULL */
};

/*
 * Deletes logs older than `before_us`, about max_rows, one whole segment or EXPIRE_PARTS_MAX of
 * those in which the boundary lies. *deleted: how many; *more: there may be others, apart from
 * those that the boundary has passed since the pass began.
 */
int expire_before(struct sqlite_db *db, int64_t before_us, size_t max_rows,
                  struct expire_pass *pass, size_t *deleted, bool *more,
                  struct errbuf *err) LM_MUST_CHECK;

/*
 * Deletes the oldest logs while the file's content takes more than max_bytes, a bounded number of
 * them. *deleted: how many; 0: it is not larger, or nothing is left.
 */
int expire_to_size(struct sqlite_db *db, uint64_t max_bytes, size_t *deleted,
                   struct errbuf *err) LM_MUST_CHECK;

#endif
