/*
 * Condition variables whose waits end by the monotonic clock, so that nobody who sets the wall
 * clock makes a thread sleep for hours. They are pthread_cond_t: signalled, waited for without a
 * time, and destroyed by pthread_cond_*.
 */
#ifndef LOGMILL_BASE_MONOTONIC_COND_H
#define LOGMILL_BASE_MONOTONIC_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void monotonic_cond_init(pthread_cond_t *cond);

/*
 * Waits with `lock` held until `cond` is signalled (or for no reason, as all such waits may end) or
 * clock_monotonic_us() has reached `until_us`. Returns false if the time is over.
 */
bool monotonic_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until_us);

#endif
