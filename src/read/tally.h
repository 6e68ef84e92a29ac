/*
 * Counts of logs per bucket of time and level, put together from slices in whatever order they
 * come. A bucket's levels past the STORE_STATS_LEVELS_MAX-th are counted together as "other".
 *
 * All memory is charged to an account as it grows.
 */
#ifndef LOGMILL_READ_TALLY_H
#define LOGMILL_READ_TALLY_H

#include "base/buffer.h"
#include "base/slice.h"

enum { TALLY_SLOTS = 256 };

struct tally {
    struct buffer names;         /* of levels, one after the other */
    struct buffer levels;        /* struct tally_level: each name once */
    struct buffer counts;        /* struct tally_count, in lists: one for each bucket */
    struct buffer buckets;       /* struct tally_bucket */
    struct buffer slice;         /* struct tally_addend: of the slice that is being counted */
    uint32_t slots[TALLY_SLOTS]; /* of a table of the levels */
    uint64_t total;
};

/* `buckets`: how many there are. Returns 0 or LM_EBUSY, LM_ENOMEM; it is to be released anyway. */
int tally_init(struct tally *t, size_t buckets, struct account *account) LM_MUST_CHECK;
void tally_release(struct tally *t);

/* Adds to the slice that is being counted. Returns 0, or LM_EBUSY, LM_ENOMEM. */
int tally_add(struct tally *t, size_t bucket, struct slice level, uint64_t count) LM_MUST_CHECK;

/* The slice is complete: counts it. Fails as tally_add; the tally is of no use then. */
int tally_keep(struct tally *t) LM_MUST_CHECK;

/* The slice could not be read: forgets it. */
void tally_drop(struct tally *t);

/*
 * Appends `{"timestamp":…,"total":…,"levels":{…}},…`: the buckets that are not empty, ascending;
 * bucket 0 begins at `since_us`.
 */
void tally_append(const struct tally *t, struct buffer *b, int64_t since_us, int64_t bucket_us);

#endif
