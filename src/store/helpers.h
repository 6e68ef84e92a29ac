/*
 * Threads that do parts of what other threads are asked for, where a core is free: a call of a
 * store that is given helpers (store_slice.helpers) offers parts of its work, and does those itself
 * that nobody has begun when they are due. So helpers make nothing possible, only sooner; whoever
 * shares them says how many may work at the moment, and nobody waits for one but for a part that it
 * has begun.
 */
#ifndef LOGMILL_STORE_HELPERS_H
#define LOGMILL_STORE_HELPERS_H

#include "store/store.h"

enum { STORE_HELPERS_MAX = 16 };

enum store_part_state { STORE_PART_IDLE, STORE_PART_OFFERED, STORE_PART_BEGUN, STORE_PART_DONE };

/* Embedded in what it is about. */
struct store_part {
    /* Any thread: `reader` is that thread's own. It is short: a block, a few ms. */
    void (*work)(struct store_part *part, struct store_reader *reader);

    /* The helpers', under their lock: */
    enum store_part_state state; /* IDLE at first */
    struct store_part *next;
};

/* `n` threads, up to STORE_HELPERS_MAX, which begin when something is first offered; all may work.
 */
struct store_helpers *store_helpers_new(struct store *s, unsigned n);

/* When all that was offered is taken back or done. NULL does nothing. */
void store_helpers_free(struct store_helpers *h);

/* So many may work from now on. Any thread. */
void store_helpers_allow(struct store_helpers *h, unsigned n);

/* How many may: 0 also if `h` is NULL. */
unsigned store_helpers_allowed(const struct store_helpers *h);

/* How many parts they have done. */
uint64_t store_helpers_done(struct store_helpers *h);

/* `part` is the helpers' until it is taken back or done. */
void store_part_offer(struct store_helpers *h, struct store_part *part);

/* True: nobody has begun it, and nobody will. False: it is under way, or done. */
bool store_part_take_back(struct store_helpers *h, struct store_part *part) LM_MUST_CHECK;

/* Whether it is done; then all that it did can be seen. */
bool store_part_is_done(struct store_helpers *h, struct store_part *part);

/* Waits until it is, which was not taken back; who has not begun it must be allowed to. */
void store_part_await(struct store_helpers *h, struct store_part *part);

#endif
