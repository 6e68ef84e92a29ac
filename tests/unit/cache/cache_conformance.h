/*
 * What cache.h promises, case by case, over the embedded store. Every adapter's test runs it, and
 * then adds the faults that only that adapter can have.
 */
#ifndef LOGMILL_TESTS_CACHE_CONFORMANCE_H
#define LOGMILL_TESTS_CACHE_CONFORMANCE_H

#include "cache/cache.h"

/* What an adapter brings. */
struct cache_conformance {
    const char *name;
    /* Makes an empty place for a cache, for one case, and takes it away again. */
    void *(*create)(void);
    void (*destroy)(void *place);
    /* Opens the cache at `place`, as each process does that starts. */
    struct cache *(*open)(void *place, unsigned max_logs, unsigned rebuild_ms);
};

/* Runs all cases; returns the number of those that failed. */
int cache_conformance_run(const struct cache_conformance *adapter);

#endif
