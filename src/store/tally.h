/*
 * Counts per bucket and level, for adapters: added from the newest bucket to the oldest, as scans
 * go, and handed out from the oldest to the newest. Its memory is bounded.
 */
#ifndef LOGMILL_STORE_TALLY_H
#define LOGMILL_STORE_TALLY_H

#include "base/buffer.h"
#include "store/store.h"

struct store_tally_count;

struct store_tally {
    struct buffer texts; /* names of levels */
    struct store_tally_count *counts;
    size_t len;
    size_t capacity;
    size_t bucket_start; /* from here on in `counts`: those of the bucket that was added to last */
};

void store_tally_init(struct store_tally *t);
void store_tally_release(struct store_tally *t);

/*
 * Adds `n` logs of `level`, in any case; `bucket` is at most that of the call before. Returns 0,
 * LM_ESTOPPED if the bucket is a new one and there are too many counts for it already (hand out,
 * and begin anew), or LM_ENOMEM.
 */
int store_tally_add(struct store_tally *t, int64_t bucket, struct slice level,
                    uint64_t n) LM_MUST_CHECK;

/* The callback's error ends it, and is returned. */
int store_tally_hand_out(const struct store_tally *t, store_count_fn *fn, void *ctx) LM_MUST_CHECK;

#endif
