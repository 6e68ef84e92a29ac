/*
 * A batch that has come to the hub, for one of its tails: written, or counted.
 *
 * If a tail is behind by more than TAIL_BEHIND_MAX logs for TAIL_BEHIND_MS, it is told how many it
 * missed and goes on from now. Once it was live, `behind` counts what comes between it and the
 * hub's place; one that comes back from long ago is never made to skip.
 */
#ifndef LOGMILL_TAIL_LIVE_H
#define LOGMILL_TAIL_LIVE_H

#include "tail/session.h"

enum {
    TAIL_BEHIND_MAX = 10000, /* logs that a tail may have to catch up with … */
    TAIL_BEHIND_MS = 5000,   /* … for so long */
};

/* hub->position is still where it was before. May end the tail. */
void tail_live_take(struct tail *t, const struct tail_batch *batch);

/* It has caught up with its hub. */
void tail_live_join(struct tail *t);

/* If it is too far behind, goes on from `position`, and remembers what was missed. */
void tail_live_skip_if_due(struct tail *t, const struct store_position *position);

#endif
