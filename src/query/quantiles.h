/*
 * The values of a number, so far as its percentiles need them: all of them up to
 * QUANTILES_EXACT_MAX, and beyond that how many lie in each of many bins, whose bounds grow by
 * about 2 % (DDSketch: Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
 * Relative-Error Guarantees", 2019). A percentile is then within 1 % of the value that it is; of
 * values that take more than QUANTILES_BINS_MAX bins, which is 17 powers of ten, the smallest count
 * as the smallest that still has a bin.
 *
 * What it is depends on the values alone, not on their order, or on how they came to be merged.
 */
#ifndef LOGMILL_QUERY_QUANTILES_H
#define LOGMILL_QUERY_QUANTILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    QUANTILES_EXACT_MAX = 256,
    QUANTILES_BINS_MAX = 2048,
    QUANTILES_PLACE_MAX = 80000, /* of a bin, from its negative on */
};

struct quantiles_bin {
    int32_t place; /* ascending with the values; 0 has zero */
    uint64_t count;
};

struct quantiles {
    uint64_t count;
    bool is_binned;
    uint32_t len, capacity; /* values, or bins */
    double *values;         /* in any order */
    struct quantiles_bin *bins;
};

/* All zero is one without values. */
void quantiles_release(struct quantiles *q);

/* The bin of a number that is finite. */
int32_t quantiles_place(double value);

/* Adds `value`, which is finite and whose bin is `place`, `count` times. 0 or LM_ENOMEM. */
int quantiles_add(struct quantiles *q, double value, int32_t place, uint64_t count) LM_MUST_CHECK;

int quantiles_merge(struct quantiles *q, const struct quantiles *other) LM_MUST_CHECK;

/*
 * The value of which `share` (0 to 1) of all values are at most as large: that of rank
 * ceil(share * count), from 1. There is at least one. It sorts the values.
 */
double quantiles_value(struct quantiles *q, double share);

size_t quantiles_memory(const struct quantiles *q);

#endif
