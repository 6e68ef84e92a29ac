/*
 * Which rows of a block match a query: decided by dictionary, template, column and, only where
 * these cannot tell, by the plain matcher (query/matcher.h) on the rebuilt log. The answer is
 * always that of the matcher.
 */
#ifndef LOGMILL_BLOCK_SELECT_H
#define LOGMILL_BLOCK_SELECT_H

#include "block/explain.h"
#include "block/plan.h"
#include "block/reader.h"

/*
 * Leaves of `rows` (in: those that are asked about) those that match. The time bounds are the
 * caller's. `explain` (NULL: not wanted) grows. Returns 0, LM_ENOMEM, LM_EIO.
 */
int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err) LM_MUST_CHECK;

#endif
