/*
 * The oldest logs go: by their age, or since the store is too large. Each of these is called within
 * a transaction of the caller. Whole segments cost next to nothing, then come leading blocks; in
 * the block in which the boundary lies, rows are marked.
 */
#ifndef LOGMILL_STORE_SQLITE_EXPIRE_H
#define LOGMILL_STORE_SQLITE_EXPIRE_H

#include <stddef.h>
#include <stdint.h>

#include "sqlite/db.h"

/*
 * Deletes logs older than `before_us`, about max_rows or one segment of them. *deleted: how many;
 * fewer than max_rows: there are no more.
 */
int expire_before(struct sqlite_db *db, int64_t before_us, size_t max_rows, size_t *deleted,
                  struct errbuf *err) LM_MUST_CHECK;

/*
 * Deletes the oldest logs while the file's content takes more than max_bytes, a bounded number of
 * them. *deleted: how many; 0: it is not larger, or nothing is left.
 */
int expire_to_size(struct sqlite_db *db, uint64_t max_bytes, size_t *deleted,
                   struct errbuf *err) LM_MUST_CHECK;

#endif
