/*
 * Whether a log matches a tree, by the words of query/tree.h and nothing else: slow, and as plain
 * as can be. Shares no code with the matcher but JSON, UTF-8, and what "without case" means.
 */
#ifndef LOGMILL_TESTS_QUERY_ORACLE_H
#define LOGMILL_TESTS_QUERY_ORACLE_H

#include <stdbool.h>

#include "query/tree.h"
#include "record/record.h"

bool oracle_matches(const struct query *q, const struct record *r);

#endif
