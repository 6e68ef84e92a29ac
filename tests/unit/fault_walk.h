/*
 * Walks through the points at which something can fail (base/fault.h): the same work again and
 * again, each time with the next point failing, until a run passes without reaching its point.
 */
#ifndef LOGMILL_TESTS_FAULT_WALK_H
#define LOGMILL_TESTS_FAULT_WALK_H

#include "base/fault.h"

enum { FAULT_WALK_ITEMS = 32 };

/* What became of what a run was to make durable. */
enum fault_walk_fate { FAULT_WALK_UNTRIED, FAULT_WALK_TAKEN, FAULT_WALK_REFUSED, FAULT_WALK_GONE };

/* Survives the power loss of the process that does the work. */
struct fault_walk_state {
    enum fault_walk_fate fates[FAULT_WALK_ITEMS];
};

/* Works in `directory`, which is empty. Anything may fail; nothing may be left open. */
typedef void fault_walk_work(const char *directory, struct fault_walk_state *state);

/* Without faults: fails the test where what is in `directory` is not what `state` says. */
typedef void fault_walk_check(const char *directory, const struct fault_walk_state *state);

/*
 * `plan` without its number. The environment's FAULT_POINTS=all takes every point, otherwise one in
 * `stride`.
 */
void fault_walk(struct fault_plan plan, unsigned stride, fault_walk_work *work,
                fault_walk_check *check);

/* The power is lost at each sync and every second write in turn, and takes all or some sectors. */
void fault_walk_power_loss(fault_walk_work *work, fault_walk_check *check);

#endif
