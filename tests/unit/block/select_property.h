/*
 * What holds of every block and every query: block_select leaves the rows that the plain matcher
 * takes; no hash that a plan asks for is missing of a block with a row that matches; and what is
 * judged by the head is so.
 */
#ifndef LOGMILL_TESTS_BLOCK_SELECT_PROPERTY_H
#define LOGMILL_TESTS_BLOCK_SELECT_PROPERTY_H

#include "base/slice.h"
#include "block/block.h"
#include "block/explain.h"
#include "query/tree.h"

/* Logs and queries follow from `bytes`. Aborts, with a line on stderr, if something does not hold.
 * `explain` grows by what it took. */
void select_property_check(struct slice bytes, size_t logs_max, unsigned queries,
                           struct block_explain *explain);

/* The same of these logs, ascending by key, and of each test by itself. */
void select_property_ask(struct block_row *rows, size_t n, const struct query_node *tests,
                         size_t tests_len);

#endif
