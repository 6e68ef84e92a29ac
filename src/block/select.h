/*
 * Which rows of a block match a query: decided by dictionary, template, column and, only where
 * these cannot tell, by the plain matcher (query/matcher.h) on the rebuilt log. The answer is
 * always that of the matcher.
 */
#ifndef LOGMILL_BLOCK_SELECT_H
#define LOGMILL_BLOCK_SELECT_H

#include "block/plan.h"
#include "block/reader.h"

/* What answering cost, and what was spared by what; counts grow. */
struct block_explain {
    uint64_t blocks_read;   /* of which at least a column was decoded for the predicates */
    uint64_t by_time;       /* blocks left out because of their range of time … */
    uint64_t by_level;      /* … or their levels, by the head */
    uint64_t by_filter;     /* … or their filter */
    uint64_t by_dictionary; /* … or a dictionary, the least and greatest value, a missing column */
    uint64_t by_template;   /* … or since no template of their messages can hold the text */
    uint64_t rows_matched;  /* that the plain matcher was asked about */
    uint64_t rows;          /* in the blocks that were read */
    uint64_t bytes;         /* of blocks, heads and filters read */
};

/* Rows as a set: bit row % 64 of word row / 64. */
#define BLOCK_ROW_WORDS(rows) (((size_t)(rows) + 63) / 64)

/*
 * Leaves of `rows` (in: those that are asked about) those that match. The time bounds are the
 * caller's. `explain` (NULL: not wanted) grows. Returns 0, LM_ENOMEM, LM_EIO.
 */
int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err) LM_MUST_CHECK;

#endif
