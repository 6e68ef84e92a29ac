#include "base/monotonic_cond.h"

#include <time.h>

void monotonic_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool monotonic_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                             .tv_nsec = (long)(until_us % 1000000) * 1000};

    return pthread_cond_timedwait(cond, lock, &until) == 0;
}
