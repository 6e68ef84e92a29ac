/*
 * What is asked of logs, as a tree: tests of a log, joined by AND, OR and NOT. One form for all who
 * filter: the language (query/language.h) is parsed to it and printed from it, today's parameters
 * become one, the matcher (query/matcher.h), blocks and PostgreSQL answer it.
 *
 * The nodes are an array in the order of a walk from the root, each with the end of its subtree: no
 * pointers, so a copy is a copy of memory, and nobody has to recurse. The first child of nodes[i],
 * if it is no test, is nodes[i + 1]; the sibling of nodes[k] is nodes[nodes[k].end], while that is
 * below nodes[i].end.
 *
 *     for (size_t k = i + 1; k < q->nodes[i].end; k = q->nodes[k].end)
 *
 * Always true (query_check): AND and OR have two children or more, none of their own kind; NOT has
 * one, that is no NOT; nesting is at most QUERY_DEPTH_MAX; at most QUERY_TESTS_MAX tests.
 *
 * Never changes once it is made, any thread, until its last reference is given back.
 */
#ifndef LOGMILL_QUERY_TREE_H
#define LOGMILL_QUERY_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    QUERY_TEXT_MAX = 8192, /* bytes of a query in the language */
    QUERY_DEPTH_MAX = 32,  /* of AND, OR and NOT within each other */
    QUERY_TESTS_MAX = 256, /* of one tree */
    QUERY_REGEX_MAX = 16,  /* of them, regular expressions */
    QUERY_OPEN_MAX = 128,  /* AND, OR and NOT within each other while it is built, before those that
                              say nothing go away */
};

enum query_kind { QUERY_AND, QUERY_OR, QUERY_NOT, QUERY_TEST };

/* What a test looks at. */
enum query_field {
    QUERY_MESSAGE,
    QUERY_LEVEL,
    QUERY_TIMESTAMP,
    QUERY_ID,
    QUERY_ATTRIBUTE, /* the values at a path (below) */
    QUERY_ANY,       /* the message, and the text of every scalar in the attributes, however deep */
};

/*
 * How. What a field does not have is said at each; a field with several values matches if one of
 * them does, so NOT of a test means that none does.
 */
enum query_test {
    /* ATTRIBUTE: there is a value of any kind, null too. All others always exist. */
    QUERY_EXISTS,
    /*
     * ATTRIBUTE: a scalar whose text is `text`, byte for byte: a string's characters; true, false,
     * null; a number's as it was sent. Or, if `text` is a number (query/number.h), a JSON number
     * equal to it by value: 1, 1.0 and 1e0. (A string is never compared by value here.)
     * LEVEL: equal without case, or by its other name: warn, warning; err, error; fatal, critical.
     * ID: a UUID in any case.
     */
    QUERY_EQUALS,
    /* MESSAGE, ANY: holds `text`, without case (base/text.h). */
    QUERY_HOLDS,
    /*
     * ATTRIBUTE, with case: `text` is at the beginning, at the end, or anywhere in the text of a
     * scalar. LEVEL and MESSAGE: BEGINS and ENDS, without case.
     */
    QUERY_BEGINS,
    QUERY_ENDS,
    QUERY_CONTAINS, /* ATTRIBUTE alone: MESSAGE HOLDS */
    /* MESSAGE, ATTRIBUTE: the regular expression `text` (query/regex.h) is found somewhere in the
     * text of a scalar. */
    QUERY_REGEX,
    QUERY_PATTERN, /* MESSAGE alone: `text` is its pattern (query/pattern.h) */
    /*
     * Between `low` and `high` (data NULL: no bound; one of them is there), each included or not.
     * ATTRIBUTE: JSON numbers, and strings that are numbers, by value. TIMESTAMP: low_us, high_us.
     * LEVEL: by severity (query/levels.h); levels without one never match.
     */
    QUERY_RANGE,
};

struct query_node {
    enum query_kind kind;
    uint32_t end; /* index behind the last node of its subtree */

    /* Of a test: */
    enum query_field field;
    enum query_test test;
    struct slice path; /* ATTRIBUTE: as written, dotted (query/path.h) */
    struct slice text;
    struct slice low, high;  /* RANGE of ATTRIBUTE (numbers) and LEVEL (names) */
    int64_t low_us, high_us; /* RANGE of TIMESTAMP: from low_us on and before high_us; no bound:
                                INT64_MIN, INT64_MAX */
    bool low_included, high_included; /* of low and high */

    /* Of a child of AND: asked before its siblings that do not, whatever it costs, and they of
     * what it takes alone (query_builder_guard). No text has it. */
    bool guards;
};

struct query {
    atomic_uint references;
    uint32_t len; /* nodes; at least 1 */
    struct query_node nodes[];
    /* their texts are behind them */
};

struct query *query_ref(struct query *q); /* NULL: NULL */
void query_unref(struct query *q);        /* NULL does nothing */

bool query_equal(const struct query *a, const struct query *b); /* either may be NULL */
void query_check(const struct query *q);

/*
 * Builds one: from the root down, in the order of a walk. AND and OR of one child become the child,
 * of none nothing; AND within AND goes up, NOT of NOT goes away. Texts are
 * copied by query_builder_finish, until which they must live. What is against the rules above ends
 * it: query_builder_finish says so.
 *
 *     query_builder_init(&b);
 *     query_builder_open(&b, QUERY_AND);
 *     query_builder_test(&b, &node);
 *     query_builder_close(&b);
 *     error = query_builder_finish(&b, &query);
 */
struct query_builder {
    struct query_node *nodes;
    size_t len, capacity;
    size_t open[QUERY_OPEN_MAX]; /* nodes that are open, the root first */
    unsigned depth;              /* … how many */
    unsigned tests, regexes;
    bool guards; /* what is added does */
    int error;
};

void query_builder_init(struct query_builder *b);
void query_builder_release(struct query_builder *b);
void query_builder_open(struct query_builder *b, enum query_kind kind); /* no test */
void query_builder_test(struct query_builder *b, const struct query_node *test);
void query_builder_add(struct query_builder *b, const struct query *q); /* all of it */

/*
 * Adds it, below an AND that is open, as what guards its siblings: no test of theirs is asked of a
 * log that does not match `q`. So what they cost, and that a regular expression takes too long,
 * tells nothing of such logs.
 */
void query_builder_guard(struct query_builder *b, const struct query *q);
void query_builder_close(struct query_builder *b);

/*
 * Releases the builder. `*q` has one reference, or is NULL if there is nothing in it: every log
 * matches. LM_ETOOBIG: deeper, or more tests or regular expressions, than there may be; LM_ENOMEM.
 */
int query_builder_finish(struct query_builder *b, struct query **q) LM_MUST_CHECK;

#endif
