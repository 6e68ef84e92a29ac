/*
 * Some thousand logs by columns: of those that match, the values of the fields that are asked for,
 * and nothing else. What is counted, summed and grouped goes by these (query/aggregate.h), so that
 * a store never has to build a log that nobody will see. extract.h makes them of records.
 */
#ifndef LOGMILL_QUERY_BATCH_H
#define LOGMILL_QUERY_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
    LOG_FIELDS_MAX = 12,
    LOG_PATTERN_BYTES_MAX = 400,  /* query/pattern.h */
    LOG_EXAMPLE_BYTES_MAX = 1024, /* of a message that stands for a pattern */
};

enum log_field_kind {
    LOG_FIELD_MESSAGE,
    LOG_FIELD_PATTERN, /* what messages have in common (query/pattern.h) */
    LOG_FIELD_LEVEL,
    LOG_FIELD_TIMESTAMP, /* of these a batch has no column, but times_us */
    LOG_FIELD_ATTRIBUTE, /* the values at a path (query/path.h) */
};

struct log_field {
    enum log_field_kind kind;
    struct slice path; /* ATTRIBUTE */
};

/* What is asked for. The paths outlive it. */
struct log_fields {
    struct log_field items[LOG_FIELDS_MAX];
    size_t len;
    /*
     * Not 0: of a time only its bucket is of interest, those k with
     * [bucket_from_us + k * bucket_us, … + bucket_us), and a batch may have any time of it.
     */
    int64_t bucket_us, bucket_from_us;
    bool any_time; /* none is of interest at all */
};

enum log_value_type {
    LOG_VALUE_STRING,
    LOG_VALUE_NUMBER,
    LOG_VALUE_BOOLEAN,
    LOG_VALUE_NULL,
    LOG_VALUE_OBJECT, /* its text is {…} */
    LOG_VALUE_ARRAY,  /* an empty one, [] */
    LOG_VALUE_TYPES
};

struct log_value {
    struct slice text; /* a string's characters; a number's digits as sent; true, false, null */
    enum log_value_type type;
};

/* What codes may be besides places in `values`. */
#define LOG_CODE_NONE UINT32_MAX           /* the log has no such field */
#define LOG_CODE_LIST UINT32_C(0x80000000) /* | a place in `lists`: several values */

/*
 * One field of all rows. Either by codes; or, where `integers` is not NULL, of numbers that no two
 * rows share: integers[row] / 10^decimals, if bit row % 64 of has[row / 64] is set (has NULL:
 * each).
 */
struct log_column {
    const struct log_value *values; /* may be alike; not all need to be used */
    uint32_t values_len;            /* below LOG_CODE_LIST */
    const uint32_t *codes;
    const uint32_t *lists; /* at a place: how many codes, and the codes */

    const int64_t *integers;
    const uint64_t *has;
    unsigned decimals;        /* at most LOG_DECIMALS_MAX */
    enum log_value_type type; /* NUMBER; STRING: a text that is such a number */

    const struct slice *examples; /* PATTERN: of each of `values`, a message that has it */
};

enum { LOG_DECIMALS_MAX = 18 };

/* All of it lives until the call that hands it out returns. */
struct log_batch {
    size_t rows;
    const int64_t *times_us; /* one a row, see log_fields.bucket_us; NULL where any_time is set */
    /* How many logs a row stands for, that are alike in all that was asked for; NULL: one each. */
    const uint64_t *counts;
    const struct log_column *columns; /* one for each of log_fields.items */
};

/* Returns 0 to go on, or an error, which ends what calls it. */
typedef int log_batch_fn(const struct log_batch *batch, void *ctx);

#endif
