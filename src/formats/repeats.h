/*
 * Requests that come again, since their answer was lost: for protocols whose clients then send the
 * same bytes and give their logs no ids. The id of a log is derived from a hash of its request and
 * its number in it, so that the same bytes give the same logs, which the store has once.
 *
 * Not so where two requests of the same bytes may well be two logs, of which none may be lost:
 *   - a log that has no time of its own (another arrival is another log anyway),
 *   - a request of one log whose time says milliseconds only: a loop writes the same line twice in
 *     one.
 */
#ifndef LOGMILL_FORMATS_REPEATS_H
#define LOGMILL_FORMATS_REPEATS_H

#include <stdbool.h>

#include "record/draft.h"

struct repeats {
    uint64_t hash[2];
    bool single;
};

/* `logs`: how many are in the request. */
void repeats_begin(struct repeats *r, struct slice request, size_t logs);

/* What else makes a log: of requests that differ in it alone the logs are others. */
void repeats_add(struct repeats *r, struct slice part);

/* How many lines of `body` have something in them, as far as `most`. */
size_t repeats_lines(struct slice body, size_t most);

/* Gives `d` the id of the log of this number. `below_ms`: microseconds and nanoseconds of its time
 * that are no whole millisecond. */
void repeats_name(const struct repeats *r, struct record_draft *d, size_t number, bool below_ms);

/*
 * The same for protocols whose times are of any clock: nothing if the time is a whole second, since
 * clocks of seconds are common, and two copies of a program write the same lines in one.
 */
void repeats_name_at(const struct repeats *r, struct record_draft *d, size_t number, int64_t us,
                     unsigned below_us);

#endif
