#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static const int64_t STEP_BACK_HIDDEN_US = 1000000;

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_arrival_us(void)
{
    static _Atomic int64_t latest;
    int64_t now = clock_wall_us();
    int64_t last = atomic_load_explicit(&latest, memory_order_relaxed);

    do {
        if (now <= last && last - now < STEP_BACK_HIDDEN_US)
            return last;
    } while (!atomic_compare_exchange_weak_explicit(&latest, &last, now, memory_order_relaxed,
                                                    memory_order_relaxed));
    return now;
}

uint64_t clock_monotonic_us(void)
{
    return (uint64_t)read_us(CLOCK_MONOTONIC);
}
