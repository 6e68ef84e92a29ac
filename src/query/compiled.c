#include "query/compiled.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "query/leaf.h"

/* Where to go on, besides at a step: the end. */
static const uint32_t IS_FALSE = UINT32_MAX - 1;
static const uint32_t IS_TRUE = UINT32_MAX;

struct step {
    struct query_leaf leaf;
    uint32_t next[2]; /* if the test is false, if it is true */
};

struct query_compiled {
    uint32_t first;
    uint32_t len;
    struct step steps[];
    /* their texts are behind them */
};

/* ---- Making one ---- */

/* A child of a node. */
struct child {
    uint32_t node;
    bool guards;
    unsigned cost;
};

struct compiling {
    const struct query *q;
    struct query_compiled *c;
    struct child *children; /* of the nodes that are under way, one behind the other */
    size_t children_len;
    char *to; /* where the next text goes */
    int error;
};

/* Guards first, then the cheapest, else in their order. */
static int by_cost(const void *a, const void *b)
{
    const struct child *p = a;
    const struct child *q = b;

    if (p->guards != q->guards)
        return p->guards ? -1 : 1;
    return p->cost != q->cost ? (p->cost > q->cost) - (p->cost < q->cost)
                              : (p->node > q->node) - (p->node < q->node);
}

/* That of its costliest test. */
static unsigned cost_of(const struct query *q, uint32_t node)
{
    unsigned cost = 0;

    for (uint32_t i = node; i < q->nodes[node].end; i++)
        if (q->nodes[i].kind == QUERY_TEST && query_leaf_cost(&q->nodes[i]) > cost)
            cost = query_leaf_cost(&q->nodes[i]);
    return cost;
}

/* Takes up the children of a node behind those that are there; returns how many there are. */
static size_t take_children(struct compiling *work, uint32_t node)
{
    const struct query *q = work->q;
    struct child *children = work->children + work->children_len;
    size_t n = 0;

    for (uint32_t k = node + 1; k < q->nodes[node].end; k = q->nodes[k].end)
        children[n++] = (struct child){k, q->nodes[k].guards, cost_of(q, k)};
    qsort(children, n, sizeof(*children), by_cost);
    work->children_len += n;
    return n;
}

/*
 * Makes the steps of a subtree, from the last one to the first, whose number it returns. Recursive,
 * as deep as a tree may be.
 */
static uint32_t compile(struct compiling *work, uint32_t node, uint32_t if_false, uint32_t if_true)
{
    const struct query_node *n = &work->q->nodes[node];

    if (n->kind == QUERY_NOT)
        return compile(work, node + 1, if_true, if_false);
    if (n->kind == QUERY_TEST) {
        struct step *step = &work->c->steps[work->c->len];
        int error = query_leaf_init(&step->leaf, n, &work->to);

        step->next[0] = if_false;
        step->next[1] = if_true;
        work->error = work->error ? work->error : error;
        return work->c->len++;
    }

    size_t first = work->children_len;
    size_t children = take_children(work, node);
    uint32_t at = n->kind == QUERY_AND ? if_true : if_false;

    for (size_t i = children; i > 0; i--) {
        uint32_t child = work->children[first + i - 1].node;

        at = n->kind == QUERY_AND ? compile(work, child, if_false, at)
                                  : compile(work, child, at, if_true);
    }
    work->children_len = first;
    return at;
}

int query_compiled_new(const struct query *q, struct query_compiled **made)
{
    struct compiling work = {.q = q};
    size_t tests = 0, bytes = 0;

    *made = NULL;
    for (uint32_t i = 0; i < q->len; i++) {
        if (q->nodes[i].kind != QUERY_TEST)
            continue;
        tests++;
        bytes += query_leaf_bytes(&q->nodes[i]);
    }
    struct query_compiled *c = try_malloc(sizeof(*c) + tests * sizeof(*c->steps) + bytes);
    if (!c)
        return LM_ENOMEM;
    c->len = 0;
    work.c = c;
    work.to = (char *)&c->steps[tests];
    work.children = xcalloc(q->len, sizeof(*work.children)); /* some KB at most */
    c->first = compile(&work, 0, IS_FALSE, IS_TRUE);
    free(work.children);
    if (work.error)
        query_compiled_free(c);
    else
        *made = c;
    return work.error;
}

void query_compiled_free(struct query_compiled *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->len; i++)
        query_leaf_release(&c->steps[i].leaf);
    free(c);
}

/* ---- Matching ---- */

static int fail(const struct query_leaf *leaf, int error, struct errbuf *err)
{
    if (error == LM_ETOOBIG)
        return errbuf_fail(err, error,
                           "the regular expression /%.*s/ takes too many steps on a log",
                           SLICE_ARG(leaf->node->text));
    return errbuf_fail(err, error, "no memory to match a log");
}

int query_compiled_match(const struct query_compiled *c, struct log_subject *s, bool *matches,
                         uint64_t *steps, struct errbuf *err)
{
    uint32_t at = c->first;

    while (at < IS_FALSE) {
        const struct step *step = &c->steps[at];
        bool is_true;
        int error = query_leaf_match(&step->leaf, s, &is_true, steps);

        if (error)
            return fail(&step->leaf, error, err);
        at = step->next[is_true];
    }
    *matches = at == IS_TRUE;
    return 0;
}
