/*
 * Which days have indexes that the keeper made (indexes.h), as a reader last saw, and whether they
 * find what is asked for.
 */
#ifndef LOGMILL_STORE_POSTGRES_INDEXED_H
#define LOGMILL_STORE_POSTGRES_INDEXED_H

#include <stdbool.h>
#include <stdint.h>

#include "query/tree.h"
#include "store/postgres/indexes.h"

/* All zero: none. A day is a number since 1970. */
struct store_postgres_indexed {
    int64_t *days[STORE_POSTGRES_INDEX_KINDS]; /* in ascending order */
    size_t len[STORE_POSTGRES_INDEX_KINDS];
};

/* Looks anew. */
int store_postgres_indexed_read(struct store_postgres_indexed *x, struct store_postgres_conn *c,
                                struct errbuf *err) LM_MUST_CHECK;
void store_postgres_indexed_release(struct store_postgres_indexed *x);

/*
 * True if the indexes of `day` for texts and values find few logs among which are all that match
 * `q` (NULL: no).
 */
bool store_postgres_indexed_serve(const struct store_postgres_indexed *x, const struct query *q,
                                  int64_t day);

/* The newest day up to `day` that has an index of these, whichever; INT64_MIN: none. */
int64_t store_postgres_indexed_newest(const struct store_postgres_indexed *x, int64_t day);

/*
 * True if the index of levels, of a day from `first` to `last`, has all logs that match `q` (NULL:
 * no).
 */
bool store_postgres_indexed_by_level(const struct store_postgres_indexed *x, const struct query *q,
                                     int64_t first, int64_t last);

#endif
