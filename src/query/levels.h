/*
 * What levels mean: names for the same one, and which are more severe. Without case. Any thread.
 */
#ifndef LOGMILL_QUERY_LEVELS_H
#define LOGMILL_QUERY_LEVELS_H

#include "base/slice.h"

/* trace, debug, info, notice, warning, error, critical, alert, emergency: syslog's (RFC 5424,
 * section 6.2.1) with trace below. */
enum { LEVEL_SEVERITIES = 9, LEVEL_WITHOUT_SEVERITY = -1, LEVEL_WARNING = 4 };

/* 0 (trace) to 8 (emergency), by either name (warn, err, fatal); LEVEL_WITHOUT_SEVERITY: another
 * text. */
int level_severity(struct slice level);

/* The names of a severity, lower-cased; returns how many: 1 or 2. */
unsigned level_names(int severity, struct slice names[2]);

/* The other name of a level that has two; data NULL: it has one. */
struct slice level_other_name(struct slice level);

#endif
