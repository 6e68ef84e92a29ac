/*
 * What lies in the file though no segment has it: it costs no log, but room. A segment of which the
 * heads are damaged leaves its blocks behind when it goes, since nobody knows their numbers.
 */
#ifndef LOGMILL_STORE_SQLITE_STRAYS_H
#define LOGMILL_STORE_SQLITE_STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sqlite/db.h"

enum { STRAYS_AT_ONCE = 64 }; /* blocks, or segments' filters, that a transaction deletes */

struct strays {
    bool knows_blocks; /* false: a segment is damaged, and any block may be its */
    int64_t *blocks;   /* ascending */
    size_t blocks_len;
    int64_t *segments; /* of which there are filters, but no row */
    size_t segments_len, segments_capacity;
};

/* Looks for them, in a snapshot of the caller. To be released after an error, too. */
int strays_find(struct sqlite_db *db, struct strays *strays, struct errbuf *err) LM_MUST_CHECK;
void strays_release(struct strays *strays);

/*
 * Deletes some of what was found, from its end, in a transaction of the caller: a number is never
 * used again, so whoever else has written meanwhile has not come to use one of these. *more: there
 * is more of it.
 */
int strays_delete(struct sqlite_db *db, struct strays *strays, bool *more,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
