/* Times as they stand in lines. Each function returns how many bytes the time takes at the
 * beginning of `text`, or 0 if there is none. */
#ifndef LOGMILL_FORMATS_LINE_TIME_H
#define LOGMILL_FORMATS_LINE_TIME_H

#include "base/slice.h"
#include "formats/line_memory.h"

struct line_time {
    int64_t us;
    unsigned below_us; /* nanoseconds that `us` leaves out */
};

/*
 * A date and a time of day: 2026-11-28T12:00:01, with a blank for the T, with slashes for the
 * hyphens; up to nine decimals behind a point or a comma; a zone (Z, +01:00, +0100, +01, a blank
 * and +0100, " UTC", " GMT") or none.
 */
size_t line_time_iso(const struct line_memory *m, struct slice text, struct line_time *time);

/* 28/Nov/2026:12:00:01 +0100, as in access logs. */
size_t line_time_access(struct slice text, struct line_time *time);

/* Sat Nov 28 12:00:01.123456 2026, as in Apache's error log. */
size_t line_time_apache(const struct line_memory *m, struct slice text, struct line_time *time);

/* 1128 12:00:01.123456 or 20261128 12:00:01.123456, as klog and glog write it. */
size_t line_time_glog(const struct line_memory *m, struct slice text, struct line_time *time);

/* 12:00:01.123: a time of day alone, which is no time of a log. */
size_t line_time_of_day(struct slice text);

#endif
