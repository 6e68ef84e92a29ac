/*
 * A hub: what the tails of one HTTP thread share. It is on that thread alone.
 *
 * The tails' own part of it, lists and lines, is kept by tail_move (tail/session.h).
 */
#ifndef LOGMILL_TAIL_HUB_H
#define LOGMILL_TAIL_HUB_H

#include <stdbool.h>

#include <uv.h>

#include "read/scheduler.h"
#include "tail/feed.h"
#include "tail/recent.h"

struct tail;

/*
 * Tails that have jobs of the readers one at a time, in turn. Those whose filters are known to be
 * expensive have a line of their own, so that the others need not wait for them.
 */
enum { TAIL_LINE, TAIL_LINE_EXPENSIVE, TAIL_LINES };
struct tail_line {
    struct tail *first, *last; /* that wait */
    struct tail *served;       /* whose job runs, or NULL */
};

struct tail_hub {
    struct tail_feed *feed;
    struct read_scheduler *readers;
    uv_timer_t heartbeat;
    void (*closed)(struct tail_hub *hub); /* NULL: no stop was asked for */
    struct tail *tails;                   /* in a list */
    struct tail_line lines[TAIL_LINES];
    struct tail_subscription subscription; /* while there are tails */
    bool has_position;                     /* the feed has said where it is */
    struct store_position position;        /* the end of the last batch */
    struct tail_recent recent;
};

/* For tail_move: the first of its tails has come, the last has gone. */
void tail_hub_fill(struct tail_hub *hub);
void tail_hub_empty(struct tail_hub *hub);

/*
 * On the loop's thread, when every stream is over: closed(hub) comes when the last job of a tail is
 * done and the timer closed.
 */
void tail_hub_close(struct tail_hub *hub, void (*closed)(struct tail_hub *hub));

#endif
