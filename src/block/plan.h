/*
 * A matcher made ready for blocks: what can be asked of a filter, of a head, and of the columns.
 * Never changes, any thread.
 */
#ifndef LOGMILL_BLOCK_PLAN_H
#define LOGMILL_BLOCK_PLAN_H

#include "block/verdict.h"
#include "query/matcher.h"

struct block_plan;

/* Holds a reference to the matcher, whose regular expressions are right. NULL: no memory. */
struct block_plan *block_plan_new(struct log_matcher *m);
void block_plan_free(struct block_plan *p); /* NULL does nothing */

/*
 * What the filter is to be asked: a block with a match has one hash at least of each clause, but of
 * one `by_path` only if it has hashed all (block_writer_hashed_all).
 */
struct block_clause {
    const uint64_t *hashes;
    size_t len;
    bool by_path;
};

size_t block_plan_clauses(const struct block_plan *p);
struct block_clause block_plan_clause(const struct block_plan *p, size_t i);

/* What the head tells. */
enum block_verdict block_plan_judge(const struct block_plan *p, const struct block_head *head);

/* Whether that is known of each of the head's levels: all of its logs match, or none. */
bool block_plan_tells(const struct block_plan *p, const struct block_head *head);

/* True if nothing but levels is asked for: then it is, if there are some. */
bool block_plan_is_of_levels(const struct block_plan *p);

#endif
