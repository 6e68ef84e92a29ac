/*
 * Finding a text in others without case, in time linear in each of them, whatever both are: both
 * are folded first (text_fold), the needle once and a text once for all needles.
 */
#ifndef LOGMILL_BASE_TEXT_NEEDLE_H
#define LOGMILL_BASE_TEXT_NEEDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Immutable after its init: any thread may search. */
struct text_needle {
    struct slice folded; /* the caller's, which outlives it */
    size_t rarest;       /* the place of the byte that is likely the rarest in a log */
    size_t split;        /* of a critical factorization: folded[0, split) and the rest; */
    size_t period;       /* how far to go on after a mismatch in the left part, */
    bool is_periodic;    /* … which is the period of all of `folded` */
};

void text_needle_init(struct text_needle *n, struct slice folded);

/*
 * True if the needle is in `folded`; an empty one is in any. `*steps` grows by the work done, in
 * units of about a nanosecond: at most 6 for each byte of `folded`, and 64.
 */
bool text_needle_is_in(const struct text_needle *n, struct slice folded, uint64_t *steps);

#endif
