#include "cli/local_time.h"

#include <stdbool.h>
#include <time.h>

#include "base/timestamp.h"

enum { QUARTER_S = 900 };

static int64_t zone_at(time_t seconds)
{
    struct tm local;

    /* Before zones were agreed on there were odd seconds, which RFC 3339 cannot say. */
    return localtime_r(&seconds, &local) ? local.tm_gmtoff / 60 * 60 : 0;
}

/*
 * Asked for line by line, mostly of one hour: where it is the same at both ends of a quarter of an
 * hour, it is so in between, since none has two changes.
 */
int64_t local_time_zone(int64_t us)
{
    static _Thread_local struct {
        time_t from;
        bool is_known;
        int64_t zone_s;
    } last;
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));

    if (last.is_known && seconds >= last.from && seconds - last.from < QUARTER_S)
        return last.zone_s;
    last.from = seconds - seconds % QUARTER_S - (seconds % QUARTER_S < 0 ? QUARTER_S : 0);
    last.zone_s = zone_at(last.from);
    last.is_known = last.zone_s == zone_at(last.from + QUARTER_S - 1);
    return last.is_known ? last.zone_s : zone_at(seconds);
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
