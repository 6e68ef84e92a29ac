/* What a tail writes to its stream, and how far that brought it. */
#ifndef LOGMILL_TAIL_EVENTS_H
#define LOGMILL_TAIL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tail/session.h"

enum { TAIL_RETRY_MS = 1000 /* what clients are told to wait before they come back */ };

/* Writes t->out and empties it. False if there was no memory, or no room in the byte budget. */
bool tail_events_write(struct tail *t);

/* The first event: how long to wait, and the place. */
void tail_events_greet(struct tail *t);

/* Tells what was missed, once the socket has taken all. */
void tail_events_tell_missed(struct tail *t);

/*
 * Tells that logs before what t->out holds are past the store's horizon; that comes after it.
 * False if it could not be written.
 */
bool tail_events_tell_lost(struct tail *t);

/* Tells that what is asked for takes too much: the tail ends, and may come back no better. */
void tail_events_tell_refused(struct tail *t, const struct errbuf *why);

/* Keeps the connection open, unless something is on its way that does. */
void tail_events_beat(struct tail *t);

/*
 * Appends the event at `position` to t->out, or what there is room for of an event that has no room
 * even alone, and moves `*place`. True if that was all of it, false if t->out is full.
 */
bool tail_events_append(struct tail *t, struct slice text, const struct store_position *position,
                        size_t room, struct tail_place *place);

#endif
