/*
 * Times in the heads of syslog messages, as they are met: RFC 3164's, which has neither year nor
 * zone; the same with fractions, with a year, and with Cisco's signs of a clock that is not set;
 * RFC 3339's, as rsyslog's forward format puts it in the same place.
 */
#ifndef LOGMILL_FORMATS_SYSLOG_TIME_H
#define LOGMILL_FORMATS_SYSLOG_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Of a time without a year: how far ahead of now a clock may be. What is further ahead is of a year
 * before, since files and queues go back for months. One that is a day of neither is none.
 */
#define TIME_AHEAD_MAX_US (INT64_C(31) * 86400 * 1000000)

/* The zone of times that have none. All zero at first: that of this machine. Of one thread. */
struct syslog_zone {
    int64_t (*ahead_s)(int64_t us); /* of UTC; NULL: as this machine has it */
    bool is_known;
    int64_t quarter; /* of an hour since 1970, UTC, for which it is known: no zone changes within */
    int64_t offset_s; /* how far local time is ahead of UTC then */
    /* The last time without a year, and what it is: many messages come in one second. */
    char last[15]; /* "Nov 28 00:58:02" */
    int64_t last_arrival_us, last_us;
};

struct syslog_time {
    int64_t us;
    unsigned below_us; /* nanoseconds that `us` leaves out */
    bool is_unset;     /* the sender says that its clock was never set (Cisco's "*") */
    struct slice text; /* what was read, without Cisco's sign */
};

/*
 * Reads the time that `text` begins with. Returns the bytes that it has; 0 if it begins with none.
 *
 *   Nov 28 00:58:02                  the last year in which it is at most TIME_AHEAD_MAX_US after
 *                                    `arrival_us`; local time
 *   Mar  1 00:00:00.123              the same; up to nine decimals
 *   *Mar 1 00:00:00.123  .Mar 1 …    Cisco: a clock that is not set; not synchronised
 *   Apr 29 2026 13:58:46  2026 Apr 29 13:58:46  Apr 29 13:58:46 2026
 *   Mar  1 00:00:00.123 UTC          only of Cisco, before ": %"; of the names of zones UTC, GMT
 *                                    and Z say something, all others count as local time
 *   2026-11-28T00:58:14.012965+01:00 without a zone it is UTC, as everywhere
 */
size_t syslog_time_read(struct slice text, int64_t arrival_us, struct syslog_zone *zone,
                        struct syslog_time *time);

#endif
