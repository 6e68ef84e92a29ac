/*
 * After logs were deleted on purpose, and compaction has made their blocks anew without them: what
 * is left of them in the file goes. That is in pages that are free, in the write-ahead log, and at
 * the ends of pages of recent logs, which were written where others had been.
 *
 *   IDLE ──► RECENT ──► FREE ──► LOG ──► IDLE
 *
 * Under load pages become free as fast as they are given back, and somebody always reads: then it
 * ends after some time, and what is left of that is overwritten as it is used again.
 */
#ifndef LOGMILL_STORE_SQLITE_SCRUB_H
#define LOGMILL_STORE_SQLITE_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "sqlite/db.h"

enum {
    SCRUB_FREE_TIMES = 2, /* so many times what was free at the beginning is given back at most */
    SCRUB_LOG_TRIES = 60, /* of cutting the log */
};

enum scrub_state { SCRUB_IDLE, SCRUB_RECENT, SCRUB_FREE, SCRUB_LOG };

struct scrub {
    enum scrub_state state;
    int64_t done;         /* deletions up to this number are seen to */
    int64_t under;        /* … up to this one by the scrubbing under way */
    int64_t rewritten;    /* rows of recent logs from this on were written anew */
    unsigned steps, most; /* of giving back, and how many there may be; 0: not known yet */
    unsigned tries;       /* of cutting the log */
};

/* Begins one unless deletions up to number `last`, which are in no block any more, are done with.
 */
void scrub_begin(struct scrub *s, int64_t last);

/*
 * Does a little of it. Called in no transaction. *wait: nothing can be done now, since somebody
 * reads. After an error it is idle, and can be begun anew.
 */
int scrub_step(struct scrub *s, struct sqlite_db *db, bool *wait, struct errbuf *err) LM_MUST_CHECK;

#endif
