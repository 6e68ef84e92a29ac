/*
 * RETENTION_DAYS: deletes logs that are too old in small steps between the worker's rounds, so that
 * no write waits long for it.
 */
#ifndef LOGMILL_WORKER_EXPIRY_H
#define LOGMILL_WORKER_EXPIRY_H

#include <stdint.h>

#include "store/store.h"

enum {
    EXPIRY_STEP_ROWS = 1000,   /* rows of one transaction */
    EXPIRY_INTERVAL_MS = 10000 /* between looks, once nothing is left to delete */
};

struct expiry {
    unsigned days;    /* 0: never */
    uint64_t next_us; /* monotonic: when to look again */
};

void expiry_init(struct expiry *e, unsigned days);

/* Milliseconds until a step is due, at most `max_ms`; 0: now. */
unsigned expiry_wait_ms(const struct expiry *e, unsigned max_ms);

/*
 * Deletes up to EXPIRY_STEP_ROWS logs, where that is due. Returns the milliseconds until it is due
 * again, at most `max_ms`; 0: there is more to delete now.
 */
unsigned expiry_step(struct expiry *e, struct store_writer *writer, unsigned max_ms);

#endif
