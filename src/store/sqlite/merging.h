/*
 * The segments that this process's keeper merges now, so that its expiry leaves those of them alone
 * in which its boundary lies: that moves on each second, and what is changed each second would
 * never be merged (compact.h). What is too old in them goes when they are merged. Only to save
 * work: whoever does not ask costs no log. Thread-safe.
 */
#ifndef LOGMILL_STORE_SQLITE_MERGING_H
#define LOGMILL_STORE_SQLITE_MERGING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/sqlite/segment.h"

enum { MERGING_MAX = 64 };

struct merging {
    pthread_mutex_t lock;
    int64_t numbers[MERGING_MAX];
    size_t len;
};

void merging_init(struct merging *m);
void merging_release(struct merging *m);

/* These, n at most MERGING_MAX, and no others; n 0: none. */
void merging_set(struct merging *m, const struct segment *segments, size_t n);

/* `m` may be NULL: then nobody merges. */
bool merging_has(struct merging *m, int64_t number);

#endif
