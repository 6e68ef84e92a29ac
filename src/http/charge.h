/*
 * What one holder (a message, a response, a connection) has taken from the process's byte budget,
 * so that all of it is given back in one call.
 *
 * Always true: `taken` bytes of `budget` are ours. A NULL budget never refuses.
 */
#ifndef LOGMILL_HTTP_CHARGE_H
#define LOGMILL_HTTP_CHARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/budget.h"

struct charge {
    size_t taken; /* bytes */
};

/* Takes `bytes` more and returns true, or changes nothing and returns false. */
static inline bool charge_take(struct charge *c, struct budget *budget, size_t bytes)
{
    if (budget == NULL || bytes == 0)
        return true;
    if (!budget_take(budget, bytes))
        return false;
    c->taken += bytes;
    return true;
}

/* Gives back all but `bytes` of what was taken. */
static inline void charge_keep(struct charge *c, struct budget *budget, size_t bytes)
{
    if (c->taken <= bytes)
        return;
    budget_give(budget, c->taken - bytes);
    c->taken = bytes;
}

static inline void charge_release(struct charge *c, struct budget *budget)
{
    if (c->taken > 0)
        budget_give(budget, c->taken);
    c->taken = 0;
}

#endif
