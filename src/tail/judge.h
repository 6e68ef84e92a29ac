/*
 * Matches a batch against all filters at once, by the feed's thread, where no event loop waits for
 * it.
 *
 * A batch has an amount of work to spend: half of it from the first event on, and half evenly over
 * its bytes. When it is spent, the filter that has taken the most is given up: it has no verdict
 * on the batch, and its tails fall behind and catch up by jobs of their own (tail/catch_up.h). So
 * an expensive filter delays nobody else's logs. What was wasted on those given up is at most as
 * much again; then whoever comes last is given up, and last are those that were expensive before.
 * (At each event the amount is passed by one try at most, which costs six steps a byte.)
 */
#ifndef LOGMILL_TAIL_JUDGE_H
#define LOGMILL_TAIL_JUDGE_H

#include "tail/batch.h"
#include "tail/filter.h"

/*
 * After tail_batch_seal: finds the verdicts of `filters`, a copy, which is used up. They share
 * `work` (steps as log_matcher_match_subject counts them) equally; one that needs more, or memory
 * that there is not, has no verdict.
 */
void tail_judge(struct tail_batch *b, struct tail_filters *filters, uint64_t work);

#endif
