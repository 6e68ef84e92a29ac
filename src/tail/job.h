/*
 * What a tail asks of the readers: its first place, the next logs of the store, or which events of
 * a recent batch match. What is found is in t->out and t->reading; the tail itself stays as it is.
 */
#ifndef LOGMILL_TAIL_JOB_H
#define LOGMILL_TAIL_JOB_H

#include "tail/session.h"

/* Chooses what the next job of a tail that waits does. All of t->job but `finish` is set. */
void tail_job_prepare(struct tail *t);

/* Afterwards, or if it was not submitted. */
void tail_job_drop(struct tail *t);

/* Begins to read on from the tail's place. */
void tail_job_begin(struct tail *t);

/*
 * Goes on with a batch from t->reading.to, which it moves. `log`: for a filter without a verdict.
 * Returns 0 if it came to the batch's end, LM_ESTOPPED if t->out is full or that took its time, or
 * an error of tail_filter_match, with t->reading.detail.
 */
int tail_job_append(struct tail *t, const struct tail_batch *b, struct log_subject *log);

#endif
