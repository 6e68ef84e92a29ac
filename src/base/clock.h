/* Clocks, in microseconds (us) or milliseconds (ms). Thread-safe. */
#ifndef LOGMILL_BASE_CLOCK_H
#define LOGMILL_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock: microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

/*
 * The arrival time of a log: the wall clock, but never earlier than an arrival this process has
 * given out already while the wall clock is behind it by less than a second (a step back by NTP);
 * a larger step back is followed.
 */
int64_t clock_arrival_us(void);

/* Monotonic clock: microseconds since some fixed moment. For durations. */
uint64_t clock_monotonic_us(void);

#endif
