/*
 * What a keeper is to compact next: pure arithmetic over the list of segments.
 *
 * How often a log is written, at most (`weight` is counted in logs, of a full segment as many as it
 * could hold, so that what is merged does become fewer segments):
 *   once     to `recent`, and again as long as it stays among the newest: seal.c
 *   once     hot, when it is sealed
 *   once     cold: hot segments wait until they are a whole segment together, or for
 *            PLAN_HOT_AGE_S, or until nothing is stored any more; whatever comes first, a hot
 *            segment becomes cold once
 *   k times  merged: only into what weighs PLAN_GROWTH times as much as the heaviest of its parts,
 *            and never beyond one segment. So k is log4 of the blocks of a segment over those of
 *            its first cold one: 3 for one block, 0 under load.
 * Late logs lie in segments that overlap others. They are merged among themselves by the same rule,
 * and with what they overlap when they are a PLAN_LATE_SHARE of it: each of them then has that
 * many others written again, once.
 * Erasing comes on top: once for logs that were deleted, and once for each PLAN_ERASED_SHARE of a
 * segment that has expired.
 */
#ifndef LOGMILL_STORE_SQLITE_PLAN_H
#define LOGMILL_STORE_SQLITE_PLAN_H

#include <stdbool.h>

#include "store/sqlite/compact.h"

enum {
    PLAN_HOT_AGE_S = 480,
    PLAN_GROWTH = 4,
    PLAN_LATE_SHARE = 4,
    PLAN_ERASED_SHARE = 4,
};

struct plan_options {
    uint64_t block_rows;     /* a full block's … */
    uint64_t segment_blocks; /* … and segment's, or … */
    uint64_t segment_bytes;  /* … the bytes at which one is full */
    int64_t now_us;          /* wall clock */
    bool at_rest;            /* nothing is being stored: what is hot waits for nothing more */
    bool takes_over;         /* older logs are still becoming segments */
    bool erases_all;         /* every mark counts */
};

/* A segment, and what the keeper knows of it besides. */
struct plan_segment {
    struct segment segment;
    bool urgent; /* it has logs that were deleted on purpose */
    bool bad;    /* it is damaged, and left alone */
    bool alone;  /* it is not merged with what it overlaps: that took too much memory */
};

struct plan {
    struct segment sources[COMPACT_SOURCES_MAX];
    size_t len; /* 0: there is nothing to do now */
    bool drops_sequence;
    int64_t late; /* the late segment that is merged with what it overlaps, all of it; 0: none */
};

/* `segments` ascend by their first keys. */
void plan_choose(const struct plan_options *options, const struct plan_segment *segments, size_t n,
                 struct plan *plan);

/* Whether the numbers in the order of storing of what is in `s` need not be kept any more. */
bool plan_is_past_horizon(const struct segment *s, int64_t now_us);

#endif
