/* Lines of /var/log/syslog and its like, and messages as they came over a wire: see syslog.h. */
#include "formats/line_format.h"

static int64_t no_zone(int64_t us)
{
    return 0;
}

static bool read(struct line_memory *m, struct slice line, struct record_draft *d)
{
    m->syslog.zone.ahead_s = m->ahead_s ? m->ahead_s : no_zone;
    return syslog_put(&m->syslog, line,
                      &(struct syslog_source){.arrival_us = m->now_us, .is_file = true}, d);
}

const struct line_format line_syslog = {.name = "syslog", .read = read};
