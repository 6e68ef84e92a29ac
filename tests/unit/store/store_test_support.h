/* Making records and reading them back in a few words, for the tests of stores. */
#ifndef LOGMILL_TESTS_STORE_TEST_SUPPORT_H
#define LOGMILL_TESTS_STORE_TEST_SUPPORT_H

#include "store/store.h"
#include "store_conformance.h"

/* A log at `timestamp_us` whose id ends in `n`; the texts must outlive it. */
struct record store_test_record(int64_t timestamp_us, uint32_t n, const char *level,
                                const char *message, const char *attributes);

/* Appends; fails the test where that fails. */
struct store_append_result store_test_append(struct store_writer *w, const struct record *records,
                                             size_t n);

struct store_writer *store_test_writer(struct store *s);
struct store_reader *store_test_reader(struct store *s);

/* A query for all logs, newest first, up to `limit`. */
struct log_query store_test_query(unsigned limit);

/* True where the predicates of `f` match `r`. */
bool store_test_matches(const struct log_filter *f, const struct record *r);

/* Logs that were read, copied. */
struct store_test_rows {
    struct record *items;
    size_t len;
    size_t capacity;
};

/* A store_row_fn; `ctx` is a struct store_test_rows. */
int store_test_collect(const struct record *record, void *ctx);
void store_test_rows_release(struct store_test_rows *rows);

/* Runs a query into `rows`, which is emptied first; fails the test where that fails. */
void store_test_run(struct store_reader *r, const struct log_query *query,
                    struct store_test_rows *rows);

/* The counts of a whole range at once; LM_ETOOBIG where they do not fit into one slice. */
int store_test_stats(struct store_reader *r, const struct log_stats_query *query,
                     store_count_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

/* Fails the test unless both are the same in all fields. */
void store_test_assert_equal(const struct record *a, const struct record *b);

/* Fails the test if something in it is damaged, if it can be looked into (store/inspect.h). */
void store_test_verify(struct store *s);

/* What each case of the suites has: a place of its own, and a store that is open there. */
struct store_test_place {
    const struct store_conformance *adapter;
    void *place;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_keeper *k;
    struct store_test_rows rows; /* for the case's use */
};

struct store_test_place *store_test_place_new(const struct store_conformance *adapter);
void store_test_place_free(struct store_test_place *p);

/* Does all that there is to do in the background, if the adapter has a keeper. */
void store_test_place_settle(struct store_test_place *p);

/* As store_test_append, by its writer, and then that. */
struct store_append_result store_test_place_append(struct store_test_place *p,
                                                   const struct record *records, size_t n);

/* Ends the process that has the store open, and starts the next one. */
void store_test_place_close(struct store_test_place *p);
void store_test_place_open(struct store_test_place *p);

#endif
