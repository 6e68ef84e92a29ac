/*
 * How many of something whoever holds a key may have at once: connections, scans, tails. Each place
 * that is taken is given back once, and keeps the grant of its key until then. Any thread.
 */
#ifndef LOGMILL_ACCESS_PLACES_H
#define LOGMILL_ACCESS_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"

enum { PLACES_MAX = 1000000 /* at once, of one kind */ };

enum place { PLACE_CONNECTION, PLACE_SCAN, PLACE_TAIL, PLACE_KINDS };

/* "connections", "scans", "tails": in a line of the file, and as flags. */
extern const char *const place_names[PLACE_KINDS];

struct places {
    atomic_uint max; /* 0: as many as who asks says */
    atomic_uint taken;
};

/* Takes one of `max`, or of places->max if that is not 0. False: all are taken. */
bool places_take(struct places *p, unsigned max) LM_MUST_CHECK;
void places_give(struct places *p);

/* How many there are, where `max` is the number of who has none of its own. */
static inline unsigned places_max(const struct places *p, unsigned max)
{
    unsigned own = atomic_load_explicit(&p->max, memory_order_relaxed);

    return own > 0 ? own : max;
}

#endif
