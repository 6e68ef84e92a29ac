/*
 * The time by which retention deletes. A clock that is wrong by a year must not delete a year of
 * logs, so this one follows the clock that it is shown, but doubts a jump of more than a day, ahead
 * or back: while the doubt lasts, the earlier of both times is the time, that of the clock and the
 * one that goes on from where it was; deleting too late harms nobody. After a day of running, the
 * clock is believed. Time in which nothing runs looks like a jump, and is waited for as well.
 *
 * What it knows is kept with the data (store_clock_write), since the clock may jump while nothing
 * runs, and a process may not live for a day. All arithmetic is here; nothing is read or written.
 *
 * Always true: claimed_us is 0, and then doubted_us is, or it is more than a day off believed_us. A
 * claim is what the clock said when the doubt began, and goes on as time does. Where the clock then
 * jumps by another day, the claim stays behind: when it is believed, the rest is doubted anew.
 */
#ifndef LOGMILL_WORKER_RETENTION_CLOCK_H
#define LOGMILL_WORKER_RETENTION_CLOCK_H

#include <stdint.h>

#include "store/store.h"

enum { RETENTION_CLOCK_DOUBT_S = 86400 }; /* the jump that is doubted, and for how long */

struct retention_clock {
    struct store_clock kept;
    int64_t time_us;      /* to delete by */
    uint64_t advanced_us; /* monotonic: when it was; 0: not in this process */
};

/* What an advance has found. */
enum retention_clock_news {
    RETENTION_CLOCK_AS_BEFORE,
    RETENTION_CLOCK_DOUBTS,   /* a jump, from now on */
    RETENTION_CLOCK_BELIEVES, /* the doubt has ended, whichever way */
};

/* Aborts if what is always true of it is not (base/check.h). */
void retention_clock_check(const struct retention_clock *c);

/* The clock says `wall_us` at `monotonic_us`. */
enum retention_clock_news retention_clock_advance(struct retention_clock *c, int64_t wall_us,
                                                  uint64_t monotonic_us);

#endif
