#include "worker/notice.h"

#include "base/clock.h"

uint64_t notice_count(struct notice *notice, uint64_t n)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t due_us = atomic_load(&notice->due_us);

    if (n == 0)
        return 0;
    atomic_fetch_add(&notice->untold, n);
    if (now_us < due_us)
        return 0;
    if (!atomic_compare_exchange_strong(&notice->due_us, &due_us,
                                        now_us + (uint64_t)NOTICE_INTERVAL_MS * 1000))
        return 0; /* another thread tells it */
    return atomic_exchange(&notice->untold, 0);
}
