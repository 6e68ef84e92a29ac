/*
 * Logs of a block that are read ahead, with their texts: where more blocks are read side by side
 * than can be open at once, each is opened once for some logs, not once for each.
 */
#ifndef LOGMILL_STORE_SQLITE_AHEAD_H
#define LOGMILL_STORE_SQLITE_AHEAD_H

#include "store/sqlite/blocks.h"

struct ahead;

/*
 * The logs of the block's rows[0..n), in this order, until they would have more than `bytes` of
 * texts: one or more. NULL: the first has more by itself or cannot be read, or there is no memory;
 * then they are not read ahead.
 */
struct ahead *ahead_new(struct open_block *block, const uint32_t *rows, size_t n, size_t bytes);
void ahead_free(struct ahead *a); /* NULL does nothing */

/* The log that is next, which is `*row`; false: there are no more. */
bool ahead_next(struct ahead *a, size_t *row);

/* The log that ahead_next came to, or, before the first call, the first one. */
const struct record *ahead_record(const struct ahead *a);

#endif
