/*
 * Logs and queries by chance, from bytes: those that come from a fuzzer steer what is made, and
 * once they are used up a sequence that follows from them goes on. Texts are of a few pieces put
 * together again and again, so that blocks have dictionaries and templates, and queries are made of
 * parts of what is in the logs.
 */
#ifndef LOGMILL_TESTS_BLOCK_RANDOM_LOGS_H
#define LOGMILL_TESTS_BLOCK_RANDOM_LOGS_H

#include "block/block.h"
#include "query/filter.h"
#include "query/tree.h"

struct random_logs {
    struct slice bytes; /* that are left */
    uint64_t state;
    char *pool; /* where texts are */
    size_t used, size;
    struct block_row *rows;
    size_t len;
};

/* At least 1 log and at most `max`, ascending by key, with numbers. Freed by random_logs_free. */
void random_logs_make(struct random_logs *l, struct slice bytes, size_t max);
void random_logs_free(struct random_logs *l);

/* A query, of parts of these logs. Its texts live until random_logs_free. */
void random_logs_filter(struct random_logs *l, struct log_filter *f);

/* The same as a tree: with one reference; NULL: nothing is asked for. */
struct query *random_logs_query(struct random_logs *l);

/* A number below `n`. */
uint64_t random_logs_below(struct random_logs *l, uint64_t n);

#endif
