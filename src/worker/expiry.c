#include "worker/expiry.h"

#include "base/clock.h"
#include "base/diag.h"
#include "metrics/metrics.h"

static const int64_t DAY_US = INT64_C(86400) * 1000000;

void expiry_init(struct expiry *e, unsigned days)
{
    *e = (struct expiry){.days = days};
}

unsigned expiry_wait_ms(const struct expiry *e, unsigned max_ms)
{
    uint64_t now = clock_monotonic_us();
    uint64_t wait_ms;

    if (e->days == 0)
        return max_ms;
    if (now >= e->next_us)
        return 0;
    wait_ms = (e->next_us - now) / 1000 + 1;
    return wait_ms < max_ms ? (unsigned)wait_ms : max_ms;
}

unsigned expiry_step(struct expiry *e, struct store_writer *writer, unsigned max_ms)
{
    struct errbuf err = ERRBUF_INIT;
    uint64_t now = clock_monotonic_us();
    size_t deleted = 0;

    if (e->days > 0 && now >= e->next_us) {
        if (store_expire(writer, clock_wall_us() - e->days * DAY_US, EXPIRY_STEP_ROWS, &deleted,
                         &err))
            diag(DIAG_WARN, "old logs could not be deleted now", DIAG_STR("reason", err.text));
        metrics_add(METRIC_LOGS_EXPIRED, deleted);
        if (deleted >= EXPIRY_STEP_ROWS)
            return 0;
        e->next_us = now + (uint64_t)EXPIRY_INTERVAL_MS * 1000;
    }
    return expiry_wait_ms(e, max_ms);
}
