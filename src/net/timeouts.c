#include "net/timeouts.h"

enum { TICK_MIN_MS = 10, TICK_MAX_MS = 500 };

void timeouts_init(struct timeouts *t, const unsigned after_ms[TIMEOUT_KINDS])
{
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        t->lists[kind].prev = t->lists[kind].next = &t->lists[kind];
        t->after_ms[kind] = after_ms[kind];
    }
}

void timeouts_set(struct timeouts *t, struct deadline *d, enum timeout_kind kind, uint64_t now_ms)
{
    if (d->kind != TIMEOUT_NONE) {
        d->prev->next = d->next;
        d->next->prev = d->prev;
    }
    d->kind = kind;
    if (kind == TIMEOUT_NONE)
        return;
    struct deadline *head = &t->lists[kind];
    d->at_ms = now_ms + t->after_ms[kind];
    d->prev = head->prev;
    d->next = head;
    head->prev->next = d;
    head->prev = d;
}

struct deadline *timeouts_first(struct timeouts *t, enum timeout_kind kind)
{
    struct deadline *first = t->lists[kind].next;

    return first != &t->lists[kind] ? first : NULL;
}

struct deadline *timeouts_next(struct timeouts *t, struct deadline *d)
{
    return d->next != &t->lists[d->kind] ? d->next : NULL;
}

struct deadline *timeouts_due(struct timeouts *t, enum timeout_kind kind, uint64_t now_ms)
{
    struct deadline *first = timeouts_first(t, kind);

    return first && first->at_ms <= now_ms ? first : NULL;
}

unsigned timeouts_tick_ms(const struct timeouts *t)
{
    unsigned tick = TICK_MAX_MS;

    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        if (t->after_ms[kind] / 4 < tick)
            tick = t->after_ms[kind] / 4;
    }
    return tick > TICK_MIN_MS ? tick : TICK_MIN_MS;
}
