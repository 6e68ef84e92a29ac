/*
 * A number of bytes shared by all threads of the process (MAX_INFLIGHT_BYTES): what clients have
 * sent and has not yet been answered is charged to it, and refused when it is used up.
 * Thread-safe, lock-free.
 */
#ifndef LOGMILL_BASE_BUDGET_H
#define LOGMILL_BASE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    _Atomic size_t used;
    size_t limit; /* bytes */
};

void budget_init(struct budget *b, size_t limit);

/* Takes `bytes` and returns true, or takes nothing and returns false where that would pass the
 * limit. */
bool budget_take(struct budget *b, size_t bytes);

/* Gives back `bytes` that were taken. */
void budget_give(struct budget *b, size_t bytes);

/* Bytes taken now. */
size_t budget_used(struct budget *b);

#endif
