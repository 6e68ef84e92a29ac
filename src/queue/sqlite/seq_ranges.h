/*
 * A list of message numbers kept as ranges, so that a million that follow each other cost as little
 * as one, in memory and in the DELETE that they become.
 *
 * Always true: count is the sum of the lengths of all ranges; no number is in it twice.
 */
#ifndef LOGMILL_QUEUE_SQLITE_SEQ_RANGES_H
#define LOGMILL_QUEUE_SQLITE_SEQ_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seq_range {
    int64_t first;
    int64_t last; /* inclusive */
};

/* Is some number in both? */
static inline bool seq_range_meets(struct seq_range a, struct seq_range b)
{
    return a.first <= b.last && b.first <= a.last;
}

struct seq_ranges {
    struct seq_range *items;
    size_t len;
    size_t capacity;
    uint64_t count; /* numbers */
};

/* Adds one number; one that follows the last added one lengthens its range. */
void seq_ranges_add(struct seq_ranges *r, int64_t seq);

/* Adds all of `from`, which is then empty. */
void seq_ranges_take(struct seq_ranges *r, struct seq_ranges *from);

/* Empties `r`, keeping its memory. */
void seq_ranges_clear(struct seq_ranges *r);

void seq_ranges_release(struct seq_ranges *r);

/* CHECKs what is always true. Takes a time that grows with the square of the ranges. */
void seq_ranges_check(const struct seq_ranges *r);

#endif
