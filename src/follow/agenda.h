/*
 * What is to be looked at, and when: the earliest first, of equal times the one that was put there
 * first. Putting, moving and taking take a time that grows with the logarithm of how many there
 * are.
 */
#ifndef LOGMILL_FOLLOW_AGENDA_H
#define LOGMILL_FOLLOW_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the thing itself. All zeroes: it is not there. */
struct agenda_item {
    uint64_t us;
    uint64_t turn; /* among equal times */
    size_t place;  /* from 1 */
};

/* All zeroes: empty. Owns none of its items. */
struct agenda {
    struct agenda_item **items; /* a heap */
    size_t len, capacity;
    uint64_t turn;
};

/* Frees what the agenda has of its own. */
void agenda_release(struct agenda *a);

/* At `us`; if it is there, at the earlier of both. */
void agenda_put(struct agenda *a, struct agenda_item *item, uint64_t us);
/* Nothing, if it is not there. */
void agenda_remove(struct agenda *a, struct agenda_item *item);

/* When the first one is; UINT64_MAX: there is none. */
uint64_t agenda_next_us(const struct agenda *a);
/* Removes the first one, and returns it, if it is at `us` or before; else NULL. */
struct agenda_item *agenda_take(struct agenda *a, uint64_t us);

#endif
