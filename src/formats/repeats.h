/*
 * Requests that come again, since their answer was lost: for protocols whose clients then send the
 * same bytes and give their logs no ids. The id of a log is derived from a hash of its request and
 * its number in it, so that the same bytes give the same logs, which the store has once.
 *
 * Not so where two requests of the same bytes may well be two logs, of which none may be lost: only
 * a log whose own time is finer than milliseconds gets such an id. A loop writes the same line many
 * times in a millisecond, many loggers know no finer time, and two copies of a program begin in one
 * second with the same lines. Python makes nanoseconds of milliseconds by floating point, so that
 * what is less than a microsecond beside a whole millisecond counts as one.
 */
#ifndef LOGMILL_FORMATS_REPEATS_H
#define LOGMILL_FORMATS_REPEATS_H

#include "record/draft.h"

struct repeats {
    uint64_t hash[2];
};

void repeats_begin(struct repeats *r, struct slice request);

/* What else makes a log: of requests that differ in it alone the logs are others. */
void repeats_add(struct repeats *r, struct slice part);

/* Gives `d` the id of the log of this number, if its own time, `us` and the nanoseconds `below_us`,
 * is fine enough. */
void repeats_name(const struct repeats *r, struct record_draft *d, size_t number, int64_t us,
                  unsigned below_us);

#endif
