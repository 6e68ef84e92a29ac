/*
 * Records → a batch (query/batch.h): what any store can do, and what one by columns does for its
 * logs that are in none yet. One thread at a time.
 */
#ifndef LOGMILL_QUERY_EXTRACT_H
#define LOGMILL_QUERY_EXTRACT_H

#include "query/batch.h"
#include "record/record.h"

enum {
    EXTRACT_ROWS_MAX = 4096, /* it is full with so many rows … */
    EXTRACT_BYTES_MAX =
        1 << 20, /* … or so many bytes of distinct values, and what the last log has; … */
    /* … or where the squares of the longest array of each log add up to this: what it takes to
     * group by one and measure the other. A reader looks at the clock between batches. */
    EXTRACT_WORK_MAX = 1 << 18,
};

struct log_extractor;

/* `fields` is copied; its paths outlive it. */
struct log_extractor *log_extractor_new(const struct log_fields *fields);
void log_extractor_free(struct log_extractor *e); /* NULL does nothing */

/* Adds a row; nothing of `r` is needed afterwards. Not when it is full. 0 or LM_ENOMEM, after which
 * it is only to be cleared or freed. */
int log_extractor_add(struct log_extractor *e, const struct record *r) LM_MUST_CHECK;

bool log_extractor_is_full(const struct log_extractor *e);
size_t log_extractor_rows(const struct log_extractor *e);

/* All rows since the last clear; lives until the next call of another function. LM_ENOMEM. */
int log_extractor_batch(struct log_extractor *e, struct log_batch *batch) LM_MUST_CHECK;

/* No rows; keeps the memory. */
void log_extractor_clear(struct log_extractor *e);

#endif
