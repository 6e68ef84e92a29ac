/*
 * Counting the logs of a filter, and deleting them for ever: what `logmill delete` and DELETE /logs
 * do, slice by slice, from the newest to the oldest.
 */
#ifndef LOGMILL_API_ERASURE_H
#define LOGMILL_API_ERASURE_H

#include "cache/cache.h"
#include "store/store.h"

#define ERASURE_BUCKET_US (INT64_C(60) * 1000000) /* within one the oldest log is looked for */

/* Told now and then how many there are so far; false: it is to end with LM_ESTOPPED. NULL: nobody.
 */
typedef bool erasure_progress(uint64_t logs, void *ctx);

/* Whether any log is left out by it: not if all that was given is empty, as the query of a shell's
 * variable that is not set, or tests for what all logs have. */
bool erasure_asks_for_something(const struct log_filter *f);

struct erasure_count {
    uint64_t logs;
    int64_t first_bucket; /* of ERASURE_BUCKET_US, with a log, since 1970 */
};

/* LM_EIO: what is damaged could not be looked at; the count is of the rest. */
int erasure_count(struct store_reader *r, const struct log_matcher *matcher,
                  struct erasure_count *counted, erasure_progress *progress, void *ctx,
                  struct errbuf *err) LM_MUST_CHECK;

/* `*erased` tells how many there were, durably, whatever is returned. `cache` is told meanwhile; it
 * is to be told once more at the end (cache_forget), of which failing matters. */
int erasure_run(struct store_writer *w, const struct log_matcher *matcher,
                struct cache_client *cache, uint64_t *erased, erasure_progress *progress, void *ctx,
                struct errbuf *err) LM_MUST_CHECK;

#endif
