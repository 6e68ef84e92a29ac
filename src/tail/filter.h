/*
 * What tails ask for. Tails that ask for the same share one filter, so that a batch is matched once
 * for all of them (tail/judge.h).
 */
#ifndef LOGMILL_TAIL_FILTER_H
#define LOGMILL_TAIL_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "query/matcher.h"
#include "record/record.h"

/*
 * Of all tails that ask for the same. The feed has a set of them, under its lock; batches hold
 * references.
 */
struct tail_filter {
    struct log_matcher *matcher;
    atomic_uint references; /* of the set, and of batches that have a verdict of it */
    unsigned tails;         /* under the feed's lock */
    size_t slot;            /* its number; another filter may have it later */
    _Atomic uint64_t cost;  /* steps that it took last for TAIL_COST_BYTES of logs */
};

enum {
    TAIL_COST_BYTES = 1024,
    TAIL_COST_EXPENSIVE = 1024, /* less is cheap; where it starts */
};

struct tail_filters {
    struct tail_filter **slots; /* NULL: free */
    size_t len;
    size_t capacity;
};

/*
 * The filter of the set that is equal to `matcher`, the reference to which is taken over, with one
 * tail more; tail_filters_leave takes one off.
 */
struct tail_filter *tail_filters_use(struct tail_filters *set, struct log_matcher *matcher);
void tail_filters_leave(struct tail_filters *set, struct tail_filter *f);
void tail_filters_release(struct tail_filters *set); /* once no tail is left */

void tail_filter_unref(struct tail_filter *f); /* from any thread */

/* A copy with a reference to each. Returns 0 or LM_ENOMEM (`copy` empty). */
int tail_filters_copy(const struct tail_filters *set, struct tail_filters *copy) LM_MUST_CHECK;

/* It took `steps` for `bytes` of logs. */
void tail_filter_learn(struct tail_filter *f, uint64_t steps, uint64_t bytes);

/* What an event counts in these bytes. */
uint64_t tail_event_bytes(const struct record *r);

/* Time bounds included; as log_matcher_match_subject. `log` is set to `r`. */
int tail_filter_match(const struct tail_filter *f, struct log_subject *log, const struct record *r,
                      bool *matches, uint64_t *steps, struct errbuf *err) LM_MUST_CHECK;

#endif
