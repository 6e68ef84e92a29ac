/*
 * Which rows of a block match a query: decided by dictionary, template, column and, only where
 * these cannot tell, by the plain matcher (query/matcher.h) on the rebuilt log. The answer is
 * always that of the matcher.
 */
#ifndef LOGMILL_BLOCK_SELECT_H
#define LOGMILL_BLOCK_SELECT_H

#include "block/reader.h"
#include "query/matcher.h"

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

/* A matcher made ready for blocks: never changes, any thread. Holds a reference to the matcher. */
struct block_plan;

struct block_plan *block_plan_new(struct log_matcher *m); /* NULL: no memory */
void block_plan_free(struct block_plan *p);               /* NULL does nothing */

/* What the filter is to be asked: a block that lacks any of these hashes has no match. */
void block_plan_hashes(const struct block_plan *p, const uint64_t **hashes, size_t *n);

/* What the head tells: no log of such a block matches; or every one does, the time bounds apart. */
enum block_verdict { BLOCK_NONE, BLOCK_SOME, BLOCK_ALL };
enum block_verdict block_plan_judge(const struct block_plan *p, const struct block_head *head);

/* Rows as a set: bit row % 64 of word row / 64. */
#define BLOCK_ROW_WORDS(rows) (((size_t)(rows) + 63) / 64)

/*
 * Leaves of `rows` (in: those that are asked about) those that match. The time bounds are the
 * caller's. Returns 0, LM_ENOMEM, LM_EIO.
 */
int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err) LM_MUST_CHECK;

#endif
