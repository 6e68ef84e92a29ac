/*
 * What a store has to answer, from an array that is sorted by key: for the tests of stores, and for
 * tests/simulation. Logs are copied into it.
 */
#ifndef LOGMILL_TESTS_STORE_MODEL_H
#define LOGMILL_TESTS_STORE_MODEL_H

#include "dice.h"
#include "store/store.h"

struct store_model_log {
    struct record record;
    uint64_t order; /* from 1 on, in the order of storing */
    uint64_t batch; /* of which append */
};

struct store_model {
    struct store_model_log **logs; /* ascending by key */
    size_t len;
    size_t capacity;
    uint64_t order; /* of the log stored last */
    uint64_t batch;
    struct log_key *gone; /* that were deleted on purpose: a redelivery does not bring them back */
    size_t gone_len;
    size_t gone_capacity;
};

/* All zeroes is an empty one. */
void store_model_release(struct store_model *m);

/* Stores what is new of `records`, and tells what a store has to tell of it. */
struct store_append_result store_model_append(struct store_model *m, const struct record *records,
                                              size_t n);

/* The place of `key`, or of the lowest key above it. */
size_t store_model_find(const struct store_model *m, const struct log_key *key, bool *found);

/* True if a log with `key` was deleted on purpose. */
bool store_model_is_gone(const struct store_model *m, const struct log_key *key);

/* Takes the logs out for which `fn` is true; `erased`: on purpose. Returns how many. */
typedef bool store_model_fn(const struct record *record, void *ctx);
size_t store_model_remove(struct store_model *m, store_model_fn *fn, void *ctx, bool erased);

/* True if the time bounds and predicates of `f` take `r`. */
bool store_model_takes(const struct log_filter *f, const struct record *r);

/* ---- Comparing ---- */

/* 0, or LM_EDATA with what is different in `err`, or the reader's own error. */

/* All logs, in slices by chance, and nothing else. */
int store_model_check_all(const struct store_model *m, struct store_reader *r, struct dice *dice,
                          struct errbuf *err) LM_MUST_CHECK;

/* A scan by chance: filter, range, cursor, offset, slices. */
int store_model_check_scan(const struct store_model *m, struct store_reader *r, struct dice *dice,
                           struct errbuf *err) LM_MUST_CHECK;

/* The same for counts. */
int store_model_check_counts(const struct store_model *m, struct store_reader *r, struct dice *dice,
                             struct errbuf *err) LM_MUST_CHECK;

/* The same for batches: what is counted and grouped of them. */
int store_model_check_batches(const struct store_model *m, struct store_reader *r,
                              struct dice *dice, struct errbuf *err) LM_MUST_CHECK;

/* A log by its id, that is there, or is not. */
int store_model_check_get(const struct store_model *m, struct store_reader *r, struct dice *dice,
                          struct errbuf *err) LM_MUST_CHECK;

/*
 * Those that were stored after the `order`-th, whose place `*position` is (order 0: all zeroes).
 * `*position` and `*order` are moved, to the end or to somewhere on the way to it.
 */
int store_model_check_follow(struct store_model *m, struct store_reader *r, struct dice *dice,
                             struct store_position *position, uint64_t *order,
                             struct errbuf *err) LM_MUST_CHECK;

/* All logs, and `n` of each of the others. */
int store_model_check(struct store_model *m, struct store_reader *r, struct dice *dice, size_t n,
                      struct errbuf *err) LM_MUST_CHECK;

#endif
