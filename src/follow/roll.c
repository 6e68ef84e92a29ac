#include "follow/roll.h"

#include <stddef.h>

void roll_append(struct roll *r, struct roll_node *n)
{
    n->before = r->last;
    n->behind = NULL;
    if (r->last)
        r->last->behind = n;
    else
        r->first = n;
    r->last = n;
}

void roll_prepend(struct roll *r, struct roll_node *n)
{
    n->before = NULL;
    n->behind = r->first;
    if (r->first)
        r->first->before = n;
    else
        r->last = n;
    r->first = n;
}

void roll_remove(struct roll *r, struct roll_node *n)
{
    if (n->before)
        n->before->behind = n->behind;
    else
        r->first = n->behind;
    if (n->behind)
        n->behind->before = n->before;
    else
        r->last = n->before;
    n->before = n->behind = NULL;
}

struct roll_node *roll_take(struct roll *r)
{
    struct roll_node *n = r->first;

    if (n)
        roll_remove(r, n);
    return n;
}

struct roll roll_take_all(struct roll *r)
{
    struct roll all = *r;

    *r = (struct roll){.first = NULL};
    return all;
}
