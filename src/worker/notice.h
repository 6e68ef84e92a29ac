/*
 * What is worth telling but may happen a million times: told at once, and then at most once a
 * minute, with how often it was. Any thread; all zeroes at first.
 */
#ifndef LOGMILL_WORKER_NOTICE_H
#define LOGMILL_WORKER_NOTICE_H

#include <stdatomic.h>
#include <stdint.h>

enum { NOTICE_INTERVAL_MS = 60000 };

struct notice {
    _Atomic uint64_t due_us; /* monotonic: when it may be told again */
    _Atomic uint64_t untold;
};

/*
 * It happened `n` times. Returns 0 if it is not to be told now, else how often it happened since
 * it was told last.
 */
uint64_t notice_count(struct notice *notice, uint64_t n);

#endif
