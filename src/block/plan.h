/*
 * A matcher made ready for blocks: what can be asked of a filter, of a head, and of the columns.
 * Never changes, any thread.
 */
#ifndef LOGMILL_BLOCK_PLAN_H
#define LOGMILL_BLOCK_PLAN_H

#include "block/head.h"
#include "query/matcher.h"

struct block_plan;

/* Holds a reference to the matcher. NULL: no memory. */
struct block_plan *block_plan_new(struct log_matcher *m);
void block_plan_free(struct block_plan *p); /* NULL does nothing */

/* What the filter is to be asked: a block that lacks any of these hashes has no match. */
void block_plan_hashes(const struct block_plan *p, const uint64_t **hashes, size_t *n);

/* What the head tells: no log of such a block matches; or every one does, the time bounds apart. */
enum block_verdict { BLOCK_NONE, BLOCK_SOME, BLOCK_ALL };
enum block_verdict block_plan_judge(const struct block_plan *p, const struct block_head *head);

#endif
