/*
 * Requests that come again, since their answer was lost: for protocols whose clients then send the
 * same bytes and give their logs no ids. The id of a log is derived from a hash of its request and
 * its number in it, so that the same bytes give the same logs, which the store has once.
 *
 * Two requests of the same bytes may as well be other logs of the same words, of which none may be
 * lost: a program says the same twice in one tick of its clock, alone or in equal batches, and two
 * copies of it say the same in the same tick. Digits do not tell how fine a clock is: that of a
 * kernel may tick every 0.5, 1, 4, 10 or 15.6 ms, at any microsecond. So a request is known only by
 * a clock that was seen to be fine, and to go on: of its first REPEATS_LOOK_MAX logs two that
 * follow each other have times that differ, by less than any such tick (REPEATS_APART_MAX_US). The
 * same sender cannot have both of them again, nor another one by chance.
 *
 * Only times that are finer than milliseconds count, and only logs with such a time are known.
 * Python makes nanoseconds of milliseconds by floating point, so that what is less than a
 * microsecond beside a whole millisecond counts as one.
 *
 * What the logs are is seen before the first of them gets its id:
 *
 *   repeats_begin(&r, request);
 *   …for each log: if (repeats_look(&r, &us, below_us)) break;
 *   …for each log with a time of its own: repeats_name(&r, draft, number, us, below_us);
 */
#ifndef LOGMILL_FORMATS_REPEATS_H
#define LOGMILL_FORMATS_REPEATS_H

#include <stdbool.h>

#include "record/draft.h"

enum {
    REPEATS_LOOK_MAX = 256,    /* logs that are read twice at most */
    REPEATS_APART_MAX_US = 400 /* less than the shortest of those ticks */
};

struct repeats {
    uint64_t hash[2];
    size_t looked;   /* logs */
    bool has_time;   /* last_us is that of the last of them that has a fine one */
    bool clock_goes; /* … and is fine: the request can be known */
    int64_t last_us;
};

void repeats_begin(struct repeats *r, struct slice request);

/* What else makes a log: of requests that differ in it alone the logs are others. */
void repeats_add(struct repeats *r, struct slice part);

/*
 * One of the request's logs, in their order: its own time and the nanoseconds that leaves out; `us`
 * is NULL if it has none. True: enough was seen.
 */
bool repeats_look(struct repeats *r, const int64_t *us, unsigned below_us);

/* Gives `d` the id of the log of this number, if its request is known by its times, and it by its
 * own. */
void repeats_name(const struct repeats *r, struct record_draft *d, size_t number, int64_t us,
                  unsigned below_us);

#endif
