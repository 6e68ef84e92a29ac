/*
 * Logs and trees by chance: attributes nested and in arrays, names with dots in them, the same
 * number spelled in several ways; and trees of all tests there are, made of parts of the logs, so
 * that many match a few of them. The same seed gives the same on every machine.
 */
#ifndef LOGMILL_TESTS_RANDOM_QUERY_H
#define LOGMILL_TESTS_RANDOM_QUERY_H

#include "../store/dice.h"
#include "query/tree.h"
#include "record/record.h"

struct random_records {
    struct record *items; /* ascending by key; as they are kept: compact JSON, UTF-8 */
    size_t len;
    char *texts;
};

struct random_records_options {
    int64_t step_us;    /* between two logs on an average; 0: a millisecond */
    bool plain_numbers; /* none of which PostgreSQL would have another text */
};

void random_records_make(struct random_records *r, struct dice *d, size_t n,
                         const struct random_records_options *options);
void random_records_release(struct random_records *r);

/* With one reference; never NULL. */
struct query *random_query(struct dice *d, const struct record *records, size_t n);

/* Of one test. */
struct query *random_query_test(struct dice *d, const struct record *records, size_t n);

/* Prints it to stderr, for a test that fails. */
void random_query_print(const struct query *q);

#endif
