/*
 * How many distinct values there are: counted up to DISTINCT_EXACT_MAX, and estimated beyond that
 * (HyperLogLog: Flajolet, Fusy, Gandouet, Meunier, 2007; the estimate is that of Ertl, "New
 * cardinality estimation algorithms for HyperLogLog sketches", 2017). Of 4,096 registers: the
 * standard error is 1.6 %, so 19 of 20 estimates are within 3.3 %.
 *
 * What it is depends on the values alone, not on their order, or on how they came to be merged.
 * Their hashes are sent from one program to another: distinct_hash never changes.
 */
#ifndef LOGMILL_QUERY_DISTINCT_H
#define LOGMILL_QUERY_DISTINCT_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    DISTINCT_EXACT_MAX = 1024,
    DISTINCT_REGISTERS = 4096,
    DISTINCT_REGISTER_MAX = 53, /* the most that one can be */
};

struct distinct {
    uint32_t len, capacity; /* of hashes; capacity is a power of two, or 0 */
    uint64_t *hashes;       /* a table without those that are 0 */
    uint8_t *registers;     /* NULL: each value is counted */
};

/* All zero is one without values. */
void distinct_release(struct distinct *d);

/* Of a text; never 0. */
uint64_t distinct_hash(struct slice text);

int distinct_add(struct distinct *d, uint64_t hash) LM_MUST_CHECK; /* 0 or LM_ENOMEM */
int distinct_merge(struct distinct *d, const struct distinct *other) LM_MUST_CHECK;

/* It estimates from now on; for what is read from elsewhere. */
int distinct_estimate(struct distinct *d) LM_MUST_CHECK;

uint64_t distinct_count(const struct distinct *d);
size_t distinct_memory(const struct distinct *d);

#endif
