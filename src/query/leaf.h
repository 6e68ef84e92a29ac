/*
 * A test of a tree, made ready to be asked about many logs: texts folded, numbers read, expressions
 * compiled. Immutable; any thread. Internal to query/.
 */
#ifndef LOGMILL_QUERY_LEAF_H
#define LOGMILL_QUERY_LEAF_H

#include "base/text_needle.h"
#include "base/uuid7.h"
#include "query/number.h"
#include "query/regex.h"
#include "query/subject.h"
#include "query/tree.h"

struct query_leaf {
    const struct query_node *node;
    struct slice folded; /* the text without case, … */
    struct slice other;  /* … and the level's other name */
    struct text_needle needle;
    struct regex *regex;
    struct uuid id;
    struct number number, low, high;
    bool has_id, has_number; /* the text is one */
    bool has_low, has_high;  /* the bound is there, and … */
    bool is_void;            /* … it is no number or level: nothing matches */
    int low_severity, high_severity;
    struct slice
        hints[2]; /* the text of attributes that match has these; empty: nothing is known */
};

/* Bytes that query_leaf_init may write. */
size_t query_leaf_bytes(const struct query_node *node);

/*
 * `node` outlives it, and what is written to `*to`, which is moved past it. Returns 0, LM_ENOMEM or
 * LM_EINVAL (an expression that is none); to be released in any case.
 */
int query_leaf_init(struct query_leaf *leaf, const struct query_node *node,
                    char **to) LM_MUST_CHECK;
void query_leaf_release(struct query_leaf *leaf);

/* How much it takes to ask, roughly: less is better asked first. */
unsigned query_leaf_cost(const struct query_node *node);

/* As log_matcher_match_subject. */
int query_leaf_match(const struct query_leaf *leaf, struct log_subject *s, bool *matches,
                     uint64_t *steps) LM_MUST_CHECK;

#endif
