/*
 * How a tail comes to where its hub is: from the hub's recent batches if its filter has
 * verdicts on them, else by jobs, for which it stands in line.
 */
#ifndef LOGMILL_TAIL_CATCH_UP_H
#define LOGMILL_TAIL_CATCH_UP_H

#include "tail/session.h"

/* Something has changed for the tail: goes on, stands in line, or joins in. */
void tail_catch_up_advance(struct tail *t);

/* The hub's lines: those whose turn it is have a job. May end tails that start. */
void tail_catch_up_serve(struct tail_hub *hub);

/* Its job is done: writes what was found, and goes on. May end the tail. */
void tail_catch_up_take(struct tail *t);

#endif
