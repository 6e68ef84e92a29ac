/* What answering a query cost, and what was spared by what. A sum, over blocks and over reads. */
#ifndef LOGMILL_BLOCK_EXPLAIN_H
#define LOGMILL_BLOCK_EXPLAIN_H

#include <stdint.h>

struct block_explain {
    uint64_t blocks_read;   /* blocks of which at least a column was decoded */
    uint64_t by_time;       /* blocks left out because of their range of time … */
    uint64_t by_level;      /* … or their levels, by the head */
    uint64_t by_filter;     /* … or their filter */
    uint64_t by_dictionary; /* … or a dictionary, the least and greatest value, a missing column */
    uint64_t by_template;   /* … or since no template of their messages can hold the text */
    uint64_t by_head;       /* blocks counted by their heads alone */
    uint64_t rows;          /* in the blocks that were read */
    uint64_t rows_matched;  /* that were rebuilt for the plain matcher to decide */
    uint64_t recent;        /* logs that are in no block, and were looked at one by one */
    uint64_t bytes;         /* of blocks, heads and filters read */
    uint64_t windows;       /* of time, that a store without blocks has gone through */
};

#endif
