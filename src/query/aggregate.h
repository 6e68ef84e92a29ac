/*
 * Logs counted, summed and grouped: by up to four fields, per bucket of time, or both. Fed with
 * batches (query/batch.h), from anywhere and in any order; aggregates of the same thing merge, also
 * as a text that went to a client and back (the state).
 *
 * Exact for up to AGGREGATE_GROUPS_MAX groups and AGGREGATE_BYTES_MAX bytes. Past either, half of
 * them, those with the fewest logs, become a part of `other`, again and again; then a count may
 * lack logs that were counted there before its group was met (again), and the answer says how many
 * at most (aggregate_bound; the bound is that of Misra and Gries). All groups and `other` together
 * always have every log. What percentiles and distinct values are: quantiles.h, distinct.h.
 *
 * Of an array that is measured the first AGGREGATE_ELEMENTS_MAX / n values count where its log is
 * in n groups; if there are more, the answer says so (`approximate`). A log with several values of
 * a field is in the group of each, once; its first AGGREGATE_COMBINATIONS_MAX, in the order in
 * which they stand, of one with more. A log without a value is in the group of those without.
 *
 * Values are grouped by their text, levels lower-cased, numbers by value; of long ones by the first
 * AGGREGATE_TEXT_MAX bytes. One thread at a time.
 */
#ifndef LOGMILL_QUERY_AGGREGATE_H
#define LOGMILL_QUERY_AGGREGATE_H

#include <assert.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "query/batch.h"

enum {
    AGGREGATE_BY_MAX = 4,
    AGGREGATE_VALUES_MAX = 8,
    AGGREGATE_GROUPS_MAX = 10000,
    AGGREGATE_BYTES_MAX = 8 << 20,
    AGGREGATE_TEXT_MAX = 1024,
    AGGREGATE_COMBINATIONS_MAX = 1024,
    AGGREGATE_ELEMENTS_MAX = 65536, /* of an array that are measured, in all groups of its log */
    AGGREGATE_STATE_BYTES_MAX = 64 << 20, /* of a state that is read */
};

static_assert(AGGREGATE_BY_MAX + AGGREGATE_VALUES_MAX <= LOG_FIELDS_MAX, "");

enum aggregate_op {
    AGGREGATE_COUNT, /* of logs; of a field: of those that have it */
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_QUANTILE,
    AGGREGATE_DISTINCT,
    AGGREGATE_LEVELS,  /* of level: logs of each */
    AGGREGATE_EXAMPLE, /* of pattern: one of its messages, whichever was met first */
};

enum { AGGREGATE_NO_FIELD = UINT8_MAX };

struct aggregate_value {
    enum aggregate_op op;
    uint8_t field;     /* of spec.fields; AGGREGATE_NO_FIELD: count alone */
    uint16_t permille; /* QUANTILE: 1 to 999 */
};

/* What is asked for. */
struct aggregate_spec {
    struct log_fields fields;          /* their items; the rest is aggregate_new's */
    int64_t bucket_us, bucket_from_us; /* as in log_fields; 0: no buckets */
    uint8_t by[AGGREGATE_BY_MAX];      /* of fields */
    size_t by_len;
    struct aggregate_value values[AGGREGATE_VALUES_MAX];
    size_t values_len;
};

/*
 * Reads the lists of fields and values that people write, either may be empty:
 *
 *     level,http.status,"strange, name"     fields: level, message, pattern, timestamp are ours,
 *                                           attr.level is the attribute of that name
 *     count,avg(ms),p95(ms),p99.9(ms),min(timestamp),distinct(user.id),levels(level),
 *     example(pattern)
 *
 * The spec's paths are views of them. LM_EINVAL with what is wrong in `err`.
 */
int aggregate_spec_parse(struct slice by, struct slice values, struct aggregate_spec *spec,
                         struct errbuf *err) LM_MUST_CHECK;

/*
 * A list of at most `max` different fields alone, into `items`, whose paths are views of it; `what`
 * is its name in `err`. LM_EINVAL.
 */
int aggregate_fields_parse(struct slice text, const char *what, struct log_field *items, size_t max,
                           size_t *len, struct errbuf *err) LM_MUST_CHECK;

/* A field as people write it; a value, `avg(ms)`. */
void aggregate_append_field(struct buffer *b, const struct log_field *field);
void aggregate_append_value(struct buffer *b, const struct aggregate_spec *spec, size_t i);

struct aggregate;

/* Without logs. `spec` and its paths are copied. Memory is charged to `account` (NULL: to none).
 * NULL: no memory. */
struct aggregate *aggregate_new(const struct aggregate_spec *spec, struct account *account);
void aggregate_free(struct aggregate *a); /* NULL does nothing */

/* Only values of its first field that begin so get groups of their own; before anything is added.
 * `prefix` outlives it. */
void aggregate_begin_with(struct aggregate *a, struct slice prefix);

/* What batches for it have to have; lives as long as it. */
const struct log_fields *aggregate_fields(const struct aggregate *a);

/* 0, LM_ENOMEM or LM_EBUSY (of the account; or it takes too much whatever is left out); after an
 * error it is of no use. */
int aggregate_add(struct aggregate *a, const struct log_batch *batch) LM_MUST_CHECK;

/* Adds all that is in `other`, which has the same spec. Fails as aggregate_add. */
int aggregate_merge(struct aggregate *a, const struct aggregate *other) LM_MUST_CHECK;

/* What is known of one name of a field: as in a list, but all of it, and without quotes. */
struct log_field aggregate_field_of(struct slice name);

/* True: the group stays. `values` is the text of its first field; first_us the first time that is
 * measured of it, INT64_MAX without any. */
typedef bool aggregate_keep_fn(struct slice value, int64_t first_us, void *ctx);

/* Makes the groups that do not stay a part of `other`, as are those without a first value. It is
 * exact: they do not raise the bound. Fails as aggregate_add. */
int aggregate_keep(struct aggregate *a, aggregate_keep_fn *fn, void *ctx) LM_MUST_CHECK;

uint64_t aggregate_total(const struct aggregate *a); /* logs */

/* The most logs that a group may have and not be here, or have more than its count; 0: exact. */
uint64_t aggregate_bound(const struct aggregate *a);

/*
 * Appends it as JSON, for aggregate_merge_state of any build that has the same version of it: an
 * object.
 */
void aggregate_append_state(const struct aggregate *a, struct buffer *b);

/*
 * Adds what aggregate_append_state wrote of another with the same spec. `json` may be anything:
 * LM_EINVAL, with what is wrong in `err`, and nothing has changed. Else fails as aggregate_add.
 */
int aggregate_merge_state(struct aggregate *a, struct slice json, struct errbuf *err) LM_MUST_CHECK;

/*
 * Appends the members of an answer, `"total":…,"by":[…],"groups":[…],"other":…,"buckets":[…],
 * "approximate":…`: the `top` groups with the most logs (ties: by their values), all others
 * together as `other`; buckets, if there are any, ascending, and those with logs alone, with each
 * group's place in `groups`. In docs/api.md. Not to be fed afterwards. 0, LM_ENOMEM or LM_EBUSY.
 */
int aggregate_append_answer(struct aggregate *a, struct buffer *b, size_t top) LM_MUST_CHECK;

/*
 * The same in shorter words, for one field: `"total":…,"NAME":[{"VALUE":"pay","count":4},…],
 * "other":{"count":…},"approximate":…`; NAME and VALUE are the list's and its members' names. The
 * values follow by their members' names, one of spec.values that is no count each; NULL: no more.
 */
struct aggregate_words {
    const char *list, *value;
    const char *values[AGGREGATE_VALUES_MAX];
};

int aggregate_append_list(struct aggregate *a, struct buffer *b, size_t top,
                          const struct aggregate_words *words) LM_MUST_CHECK;

#endif
