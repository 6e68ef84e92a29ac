/*
 * Inside of an aggregate: its groups, each with a cell for every bucket in which it has logs.
 * Internal to query/.
 */
#ifndef LOGMILL_QUERY_AGGREGATE_TABLE_H
#define LOGMILL_QUERY_AGGREGATE_TABLE_H

#include "query/aggregate.h"
#include "query/dictionary.h"
#include "query/measure.h"

/* Values of a group: numbers of the dictionary, or one of these. */
#define GROUP_VALUE_NONE UINT32_MAX /* the log has no such field; also of fields not grouped by */
#define GROUP_VALUE_UNSET (UINT32_MAX - 1)
#define GROUP_VALUE_LEFT_OUT (UINT32_MAX - 2) /* by its prefix: its group is GROUP_OTHER */

enum { GROUP_OTHER = 0 }; /* the first group: all that have none of their own */

struct group {
    uint32_t values[AGGREGATE_BY_MAX];
    uint64_t count;
    uint64_t lacks; /* it may have so many more */
    uint64_t hash;
    struct cell *last; /* that was looked up; NULL: none */
};

struct cell {
    uint32_t group;
    int64_t bucket;
    uint64_t count;
    struct measure measures[]; /* of each of the aggregate's */
};

/* A field that is measured. */
struct measured_field {
    uint8_t field;
    unsigned asked; /* MEASURE_… */
};

struct aggregate {
    struct aggregate_spec spec;
    char *paths; /* which its fields point into */
    struct measured_field measured[AGGREGATE_VALUES_MAX];
    size_t measured_len;

    struct slice prefix; /* of the values of its first field that have groups */
    uint64_t total;
    uint64_t bound;
    unsigned truncated; /* bits: measured fields of which an array was not measured to its end */
    struct dictionary values;
    struct group *groups;
    size_t groups_len, groups_capacity;
    uint32_t *group_slots; /* hash table: number of a group, and 1; not of GROUP_OTHER */
    size_t group_slots_len;
    struct cell **cells;
    size_t cells_len, cells_capacity;
    uint32_t *cell_slots; /* hash table: number of a cell, and 1 */
    size_t cell_slots_len;
    size_t cells_bytes;      /* of the cells and all that is in them */
    struct buffer canonical; /* of the value that is being looked at */
    unsigned evictions;      /* groups, cells and values have other numbers since it changed */

    struct account *account;
    size_t charged;
    size_t groups_max, bytes_max; /* smaller in tests */
};

/* `value` as it is grouped and told apart by: a view of it, or until the next call. */
int aggregate_canonical(struct aggregate *a, enum log_field_kind kind, struct log_value *value);

/* The measure of spec.values[i]; not of one without a field. */
size_t aggregate_measure_of(const struct aggregate *a, size_t i);

/* The first group, once. */
int aggregate_make_other(struct aggregate *a) LM_MUST_CHECK;

/*
 * The group of these values, which is made if there is none: a view until another is made. 0,
 * LM_ENOMEM or LM_EBUSY.
 */
int aggregate_group(struct aggregate *a, const uint32_t values[AGGREGATE_BY_MAX],
                    uint32_t *number) LM_MUST_CHECK;

/* The same for its cell of a bucket. */
int aggregate_cell(struct aggregate *a, uint32_t group, int64_t bucket,
                   struct cell **cell) LM_MUST_CHECK;

/* Adds `other` to `cell`. */
int aggregate_merge_cell(struct aggregate *a, struct cell *cell,
                         const struct cell *other) LM_MUST_CHECK;

/* Leaves out groups if there are too many, and charges what is used. */
int aggregate_settle(struct aggregate *a) LM_MUST_CHECK;

/* Makes those that are not among the `keep` with the most logs a part of GROUP_OTHER. */
int aggregate_evict(struct aggregate *a, size_t keep) LM_MUST_CHECK;

/* Groups but GROUP_OTHER, most logs first, then by their values: their numbers, which the caller
 * frees; NULL: no memory. */
uint32_t *aggregate_ranking(const struct aggregate *a);

#endif
