/*
 * The tree of a query (query/tree.h) made ready for blocks. Never changes, any thread. Internal to
 * block/.
 */
#ifndef LOGMILL_BLOCK_ASKED_H
#define LOGMILL_BLOCK_ASKED_H

#include "base/uuid7.h"
#include "block/arena.h"
#include "block/search.h"
#include "block/verdict.h"
#include "query/number.h"
#include "query/regex.h"
#include "query/tree.h"

/* What finding out about a test of one block costs; those that cost less are asked first. */
enum asked_cost {
    ASKED_COLUMN, /* which columns there are, or a value in one */
    ASKED_TEXT,   /* a part of messages, which templates decide */
    ASKED_LEVEL,
    ASKED_NUMBERS, /* times, ids, numbers of attributes: each is looked at */
    ASKED_TEXTS,   /* texts of attributes or messages are */
    ASKED_REGEX,
    ASKED_ANY, /* all columns */
    ASKED_COSTS
};

/* What a text has to hold to pass a test, without case; JSON strings as they are spelled. */
struct asked_needles {
    struct search_needle needles[REGEX_LITERALS_MAX];
    size_t len;
};

/* A test, or another node, of which there is only the cost. */
struct asked_test {
    const struct query_node *node;
    enum asked_cost cost; /* of a node: the highest below it */
    struct block_path path;
    struct slice string; /* the text as a JSON string spells it, without quotes */
    bool is_odd;         /* others may spell it in another way (block_string_is_plain) */
    struct slice folded; /* the text, without case */
    struct asked_needles message, strings;
    struct regex *regex;
    bool is_number; /* of EQUALS: the text is one; of RANGE: of attributes */
    bool has_low, has_high;
    struct number low, high;         /* EQUALS: both are the number */
    int severity_low, severity_high; /* of RANGE of levels, included */
    struct uuid id;                  /* of EQUALS of ids … */
    bool is_nothing;                 /* … whose text is none: no log passes */
};

enum { ASKED_HASHES_MAX = 64, ASKED_CLAUSES_MAX = 32 };

/* Of each clause a block with a match has one hash at least: hashes[ends[k - 1]..ends[k]). */
struct asked_clauses {
    uint64_t hashes[ASKED_HASHES_MAX];
    size_t ends[ASKED_CLAUSES_MAX];
    bool by_path[ASKED_CLAUSES_MAX]; /* of blocks that have hashed all (block_writer_hashed_all) */
    size_t len;
};

struct asked {
    const struct query *query;
    struct arena arena;       /* texts and tests */
    struct asked_test *tests; /* one a node */
    unsigned depth;           /* of AND, OR and NOT */
    bool is_levels;           /* nothing but levels is asked for */
    struct asked_clauses clauses;
};

/* `q` outlives it. 0, LM_ENOMEM; LM_EINVAL: a regular expression is none. */
int asked_init(struct asked *a, const struct query *q) LM_MUST_CHECK;
void asked_release(struct asked *a); /* of zeroes, too */

/* Whether a level, as sent, passes a test of levels. 0, LM_ENOMEM. */
int asked_level(const struct asked_test *t, struct slice level, bool *passes) LM_MUST_CHECK;

/* As block_plan_judge. */
enum block_verdict asked_judge(const struct asked *a, const struct block_head *head);

#endif
