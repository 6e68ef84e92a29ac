#include "block/plan.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/planned.h"

struct block_plan *block_plan_new(struct log_matcher *m)
{
    const struct query *q = log_matcher_filter(m)->query;
    struct block_plan *p = try_malloc(sizeof(*p));

    if (!p)
        return NULL;
    *p = (struct block_plan){.matcher = m, .has_tree = q};
    log_matcher_ref(m);
    if (q && asked_init(&p->tree, q)) {
        block_plan_free(p);
        return NULL;
    }
    return p;
}

void block_plan_free(struct block_plan *p)
{
    if (!p)
        return;
    asked_release(&p->tree);
    log_matcher_unref(p->matcher);
    free(p);
}

/* ---- Asking ---- */

size_t block_plan_clauses(const struct block_plan *p)
{
    return p->tree.clauses.len;
}

struct block_clause block_plan_clause(const struct block_plan *p, size_t i)
{
    const struct asked_clauses *c = &p->tree.clauses;
    size_t from = i > 0 ? c->ends[i - 1] : 0;

    return (struct block_clause){c->hashes + from, c->ends[i] - from, c->by_path[i]};
}

enum block_verdict block_plan_judge(const struct block_plan *p, const struct block_head *head)
{
    return p->has_tree ? asked_judge(&p->tree, head) : BLOCK_ALL;
}

bool block_plan_tells(const struct block_plan *p, const struct block_head *head)
{
    struct block_head one = *head;

    one.levels_len = 1;
    for (unsigned i = 0; i < head->levels_len; i++) {
        one.levels[0] = head->levels[i];
        if (block_plan_judge(p, &one) == BLOCK_SOME)
            return false;
    }
    return head->levels_len > 0;
}

bool block_plan_is_of_levels(const struct block_plan *p)
{
    return !p->has_tree || p->tree.is_levels;
}
