#include "cli/local_time.h"

#include <time.h>

#include "base/timestamp.h"

int64_t local_time_zone(int64_t us)
{
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
    struct tm local;

    /* Before zones were agreed on there were odd seconds, which RFC 3339 cannot say. */
    return localtime_r(&seconds, &local) ? local.tm_gmtoff / 60 * 60 : 0;
}

void local_time_append(struct buffer *b, int64_t us)
{
    int64_t zone_s = local_time_zone(us), local_us = us + zone_s * 1000000;
    int minutes = (int)(zone_s < 0 ? -zone_s : zone_s) / 60;

    if (local_us < TIMESTAMP_MIN_US || local_us > TIMESTAMP_MAX_US) {
        timestamp_append(b, us);
        return;
    }
    timestamp_append(b, local_us);
    buffer_truncate(b, b->len - 1); /* the Z */
    buffer_appendf(b, "%c%02d:%02d", zone_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
