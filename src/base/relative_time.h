/*
 * Points in time as people say them to a search:
 *
 *   2h, 30m, 90s, 1d, 1w        that long ago; "2h ago" is the same
 *   now, today, yesterday       today and yesterday are midnights, where these days begin
 *   now-1h, now+1h, today+9h    a word and a length; a blank is a plus (it is one in a URL)
 *
 * Lengths are whole numbers of seconds, minutes, hours, days of 24 hours, weeks of 7 such days. The
 * words may be written in capitals.
 */
#ifndef LOGMILL_BASE_RELATIVE_TIME_H
#define LOGMILL_BASE_RELATIVE_TIME_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* The forms, for texts that say what is allowed. */
#define RELATIVE_TIME_FORMS "2h, 30m, 90s, 1d, 1w, now, now-1h, now+1h, today, yesterday"

/* How many seconds local time is ahead of UTC at `us`. */
typedef int64_t relative_time_zone_fn(int64_t us);

/*
 * Reads all of `text`, as it is meant at `now_us`; `zone` says where midnight is, NULL: UTC.
 * Returns 0; LM_EINVAL if `text` has none of the forms; LM_ETOOBIG if it has, but the time
 * is outside the years 1 to 9999. `*us` is unchanged then.
 */
int relative_time_parse(struct slice text, int64_t now_us, relative_time_zone_fn *zone,
                        int64_t *us) LM_MUST_CHECK;

#endif
