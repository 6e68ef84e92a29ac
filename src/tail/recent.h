/*
 * The last batches that came to a hub, for tails that are a little behind.
 *
 * Always true: each begins where the one before it ended; none is "lost"; there are at most
 * TAIL_RECENT_BATCHES and TAIL_RECENT_BYTES of them.
 */
#ifndef LOGMILL_TAIL_RECENT_H
#define LOGMILL_TAIL_RECENT_H

#include <stddef.h>

#include "tail/batch.h"

enum {
    TAIL_RECENT_BATCHES = 64,
    TAIL_RECENT_BYTES = 8 << 20, /* hubs keep the same ones */
};

/* All zero: none. */
struct tail_recent {
    struct tail_batch *batches[TAIL_RECENT_BATCHES];
    size_t len;
    size_t bytes;
};

/*
 * Takes over the reference to the next one. Those that do not fit beside it are forgotten, and all
 * before a gap: a tail must not go on over it as if nothing was missing.
 */
void tail_recent_keep(struct tail_recent *r, struct tail_batch *batch);

/* The number of the first that goes on after `place`; r->len: they begin later, or end there. */
size_t tail_recent_find(const struct tail_recent *r, const struct store_position *place);

void tail_recent_forget(struct tail_recent *r); /* all */

void tail_recent_check(const struct tail_recent *r);

#endif
