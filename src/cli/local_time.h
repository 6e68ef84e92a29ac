/* Times as the clock on the wall has them: TZ, or the system's zone. */
#ifndef LOGMILL_CLI_LOCAL_TIME_H
#define LOGMILL_CLI_LOCAL_TIME_H

#include <stdint.h>

#include "base/buffer.h"

/* How many seconds local time is ahead of UTC at `us`, in whole minutes. */
int64_t local_time_zone(int64_t us);

/* Appends "2026-11-25T02:02:03.000004+01:00"; in UTC, with Z, if local time has no such year. */
void local_time_append(struct buffer *b, int64_t us);

#endif
