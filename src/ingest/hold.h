/*
 * Whether the open send should wait a moment for clients that have just been answered.
 *
 * Many clients send their next log as soon as they have the answer to the last. When a send of k
 * requests has been answered, some k more are about to arrive; handing over what waits already
 * would make two half-full commits of what can be one. So the open send is held until as many have
 * come, for at most HOLD_US_EACH microseconds a request and HOLD_US_MAX in all. A request that
 * is alone is never held, and when the expected do not come, fewer and fewer sends are held.
 *
 * Needs timerfd(2); elsewhere nothing is ever held.
 */
#ifndef LOGMILL_INGEST_HOLD_H
#define LOGMILL_INGEST_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/errbuf.h"

enum {
    HOLD_US_EACH = 10,     /* the time one client is given to come back */
    HOLD_US_MAX = 1000,    /* the longest that a send is held */
    HOLD_WAKE_US = 200000, /* until a send that was not taken is handed over again */
    HOLD_SKIPS_MAX = 256,  /* sends not held after the clients have kept failing to come */
};

struct hold {
    uv_poll_t timer;  /* on timer_fd */
    int timer_fd;     /* -1: there is none */
    size_t expected;  /* hold until so many requests wait; 0: do not */
    unsigned skips;   /* sends still to be let go at once */
    unsigned penalty; /* skips after the next failure */
    uint64_t wake_us; /* hold_wake's: clock_monotonic_us, when the timer goes off; 0: it will not */
    void (*closed)(struct hold *h);
};

/* On the loop's thread. Returns 0 or an error with `err` filled. */
int hold_init(struct hold *h, uv_loop_t *loop, struct errbuf *err) LM_MUST_CHECK;

/* A send of `answered` requests has just been answered while `waiting` ones wait in the open send.
 */
void hold_answered(struct hold *h, size_t answered, size_t waiting);

/*
 * True if the open send, in which `waiting` requests are, should be held. The loop will be woken
 * when the time is over.
 */
bool hold_applies(struct hold *h, size_t waiting);

/*
 * Wakes the loop at `due_us` or sooner, when whoever needs that is to ask again; `now_us` is
 * clock_monotonic_us(). False if there is no timer for that.
 */
bool hold_wake(struct hold *h, uint64_t due_us, uint64_t now_us) LM_MUST_CHECK;

/* Closes the handle, and calls closed(h) when `h` may be freed. */
void hold_close(struct hold *h, void (*closed)(struct hold *h));

#endif
