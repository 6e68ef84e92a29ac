/*
 * GET /logs/stats: counts over time by level, or of groups by any fields with sums, percentiles and
 * the like of others, from the newest log to the oldest, in turns. If the time is over (`slice`, or
 * QUERY_TIMEOUT) the answer has the counts of what was looked at, and `next`; of groups, too, the
 * `state` with which the answers of the parts are merged (query/aggregate.h).
 */
#ifndef LOGMILL_READ_STATS_H
#define LOGMILL_READ_STATS_H

#include "read/request.h"

/* Answers `http`, now or later. */
void read_stats_get(const struct read_service *service, struct http_request *http);

/* GET /logs/patterns: messages grouped by what they have in common. */
void read_stats_get_patterns(const struct read_service *service, struct http_request *http);

/* GET /logs/fields: which fields there are, and their values (query/survey.h). */
void read_stats_get_fields(const struct read_service *service, struct http_request *http);

/* GET /logs/fields/{path}: the values of one field. */
void read_stats_get_values(const struct read_service *service, struct http_request *http);

#endif
