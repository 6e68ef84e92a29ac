/*
 * Deadlines by the thousand for the price of a list: every deadline of one kind is the same time
 * away when it is set, so a list in the order of setting is a list in the order of falling due, and
 * setting, moving and lifting one cost a few pointer writes. One coarse timer per thread sweeps.
 *
 * The kinds are fixed: a protocol that needs another adds it here. For deadlines that are not all
 * of one length it has a uv_timer of its own.
 */
#ifndef LOGMILL_NET_TIMEOUTS_H
#define LOGMILL_NET_TIMEOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timeout_kind {
    TIMEOUT_IDLE,    /* no request begun */
    TIMEOUT_REQUEST, /* a request begun and not complete */
    TIMEOUT_UPLOAD,  /* nothing more has come of a body that is taken in lots */
    TIMEOUT_WRITE,   /* a lot of an answer not taken */
    TIMEOUT_LINGER,  /* a refused client has not closed */
    TIMEOUT_EXTRA,   /* a connection past max_connections has not sent its request */
    TIMEOUT_SHAKE,   /* a transport's handshake is not over */
    TIMEOUT_KINDS,
    TIMEOUT_NONE = TIMEOUT_KINDS
};

/* All zero but for `kind` = TIMEOUT_NONE: not set. */
struct deadline {
    struct deadline *prev, *next;
    uint64_t at_ms; /* as uv_now counts */
    enum timeout_kind kind;
};

struct timeouts {
    struct deadline lists[TIMEOUT_KINDS]; /* heads of rings */
    unsigned after_ms[TIMEOUT_KINDS];
};

void timeouts_init(struct timeouts *t, const unsigned after_ms[TIMEOUT_KINDS]);

/* Sets `d` to fall due after_ms[kind] from now, whatever it was before. TIMEOUT_NONE lifts it. */
void timeouts_set(struct timeouts *t, struct deadline *d, enum timeout_kind kind, uint64_t now_ms);

/* The deadline of `kind` that was set first, or NULL. */
struct deadline *timeouts_first(struct timeouts *t, enum timeout_kind kind);

/* The one of the same kind that was set after `d`, or NULL. */
struct deadline *timeouts_next(struct timeouts *t, struct deadline *d);

/* The first deadline of `kind` that is due, still set, or NULL. */
struct deadline *timeouts_due(struct timeouts *t, enum timeout_kind kind, uint64_t now_ms);

/* How often to sweep, in ms: fine enough for the shortest time-out, never busier than needed. */
unsigned timeouts_tick_ms(const struct timeouts *t);

#endif
