/* What is in a plan. Internal to block/. */
#ifndef LOGMILL_BLOCK_PLANNED_H
#define LOGMILL_BLOCK_PLANNED_H

#include "block/asked.h"
#include "query/matcher.h"

struct block_plan {
    struct log_matcher *matcher; /* a reference */
    bool has_tree;               /* else every log matches */
    struct asked tree;
};

#endif
