/*
 * Which logs a reader wants. Whether one matches is said by query/matcher.h, for every place that
 * filters in our own process; a store that filters by its own means must give the same answer.
 * What "without case" means is said in base/text.h.
 */
#ifndef LOGMILL_QUERY_FILTER_H
#define LOGMILL_QUERY_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/text.h"
#include "query/tree.h"
#include "record/record.h"

enum {
    FILTER_LEVELS_MAX = 32,     /* levels of one filter, and as many excluded */
    FILTER_ATTRIBUTES_MAX = 16, /* `attr.` and `not.attr.` parameters of one query, together */
};

struct log_attribute_filter {
    struct slice name;  /* a top-level member of attributes */
    struct slice value; /* equals a string's characters; a number's, true's, false's, null's text */
    bool excludes;      /* a log of which this is true does not match */
};

struct log_filter {
    int64_t since_us;                       /* inclusive; TIMESTAMP_MIN_US for no bound */
    int64_t until_us;                       /* exclusive; INT64_MAX for no bound */
    struct slice levels[FILTER_LEVELS_MAX]; /* any of them, without case; none: all levels */
    size_t levels_len;
    struct slice excluded_levels[FILTER_LEVELS_MAX]; /* none of them, without case */
    size_t excluded_levels_len;
    struct slice text;          /* substring of message, without case; empty: all */
    struct slice excluded_text; /* no substring of message, without case; empty: all */
    struct log_attribute_filter attributes[FILTER_ATTRIBUTES_MAX]; /* all of them */
    size_t attributes_len;
    struct query *query; /* ANDed with all these; NULL: nothing more is asked for */
};

/* A filter that takes every log. */
void log_filter_init(struct log_filter *f);

/*
 * Narrows the time bounds to those that the tree has at its top: its ranges of TIMESTAMP that are
 * not within OR or NOT.
 */
void log_filter_narrow(struct log_filter *f);

/*
 * Makes all that is asked for, but for the time bounds, one tree, of which `f` has the reference
 * then, and the other members empty. Values of one attribute are alternatives, as levels are; what
 * is excluded is excluded each. Returns 0; LM_ETOOBIG: they are more than one tree can have; or
 * LM_ENOMEM: after both, nothing has changed.
 */
int log_filter_join(struct log_filter *f) LM_MUST_CHECK;

/* True if anything besides the time bounds is asked for. */
bool log_filter_has_predicates(const struct log_filter *f);

/* A page of logs, newest first. */
struct log_query {
    struct log_filter filter;
    bool has_cursor;
    struct log_key cursor; /* only logs that come before it in ascending order */
    uint64_t offset;       /* skipped after the cursor */
    unsigned limit;
};

/* Counts over time. Bucket k holds [filter.since_us + k * bucket_us, … + bucket_us). */
struct log_stats_query {
    struct log_filter filter; /* both time bounds set */
    int64_t bucket_us;
    bool has_cursor;
    struct log_key cursor; /* only logs that come before it in ascending order */
};

#endif
