/* What is in a plan. Internal to block/. */
#ifndef LOGMILL_BLOCK_PLANNED_H
#define LOGMILL_BLOCK_PLANNED_H

#include "block/asked.h"
#include "query/matcher.h"

enum { BLOCK_PLAN_HASHES_MAX = 32 }; /* of attributes' values, and of the words of a text */

/* The value of one of the filter's attributes. */
struct planned_value {
    struct slice string; /* how json_append_string spells it, without quotes */
    bool is_odd;         /* escapes are missing in others' spelling (block_string_is_plain) */
};

struct block_plan {
    struct log_matcher *matcher;            /* a reference */
    const struct log_filter *filter;        /* the matcher's */
    struct slice levels[FILTER_LEVELS_MAX]; /* the filter's, folded … */
    struct slice excluded_levels[FILTER_LEVELS_MAX];
    struct search_needle text; /* … with its texts */
    struct search_needle excluded_text;
    struct planned_value values[FILTER_ATTRIBUTES_MAX];
    uint64_t hashes[BLOCK_PLAN_HASHES_MAX];
    size_t hashes_len;
    bool has_tree;
    struct asked tree; /* of the filter's query, if it has one */
    char texts[];
};

/* Whether the filter takes `folded`, a level. */
bool block_plan_takes_level(const struct block_plan *p, struct slice folded);

#endif
