/*
 * What the routes that read logs are asked: from query strings and path segments to queries, with
 * every refusal in the form and the words of FastAPI, all bad parameters of a request at once.
 *
 * Unknown parameters are refused, with the nearest that is known. Of one given more than once the
 * last counts, but for `level`, `attr.NAME`, `not.level` and `not.attr.NAME`, which all count. A
 * filter is: query (query/language.h), since, until (absolute, or as base/relative_time.h has it),
 * level, q, attr.NAME, not.level, not.q, not.attr.NAME, all of which but the times are one tree
 * (log_filter_join): filter.query, of which the caller has to give the reference back, if it is not
 * NULL.
 *
 * `only` is what whoever asks may read (access/grant.h), or NULL: it is ANDed to what is asked for,
 * whatever that is, so that no parameter leads round it. Whoever has such a limit is not told what
 * an answer cost (explain), which would tell of the logs of others.
 *
 * Each function returns 0; LM_EINVAL with the body of a 422 answer in `refusal` (the caller's; it
 * is cleared); or LM_ENOMEM.
 */
#ifndef LOGMILL_READ_PARAMS_H
#define LOGMILL_READ_PARAMS_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/uuid7.h"
#include "http/query_string.h"
#include "query/aggregate.h"
#include "query/filter.h"
#include "query/survey.h"
#include "read/newer.h"
#include "read/projection.h"
#include "record/record.h"
#include "store/store.h"

enum {
    LOG_PARAMS_LIMIT_DEFAULT = 100,
    LOG_PARAMS_LIMIT_MAX = 1000,
    LOG_PARAMS_LEVELS_MAX = 32,    /* parameters `level`, and as many `not.level` */
    LOG_PARAMS_BUCKETS_MAX = 1000, /* of one answer: range / bucket, rounded up */
    LOG_PARAMS_TOP_DEFAULT = 10,
    LOG_PARAMS_TOP_MAX = 1000,
    LOG_PARAMS_AROUND_DEFAULT = 50, /* logs before one, and as many after it */
    LOG_PARAMS_AROUND_MAX = 500,
    LOG_PARAMS_SAME_MAX = 8,        /* fields that they share */
    LOG_PARAMS_BYTES_MAX = 8 << 20, /* of a page */
    LOG_PARAMS_REASON_MAX = 1000,
    LOG_PARAMS_TEXT_MAX = 1000, /* characters of q: a search costs its length in the worst case */
};

/* What is asked for besides logs or counts. */
struct log_params_answer {
    unsigned slice_s; /* how many seconds it may take: set to the most, which is the default */
    bool explain;     /* it is to tell what it cost */
    size_t bytes;     /* of a page of logs that may end early; 0: not said */
};

/* GET /logs, newest first: a filter, limit, offset, cursor, format, fields; slice, bytes and
 * explain. What `fields` (NULL: nobody asks) points to is in the query string. */
int log_params_parse_list(const struct query_string *params, struct query *only,
                          struct log_query *query, struct projection *fields,
                          struct log_params_answer *answer, struct buffer *refusal) LM_MUST_CHECK;

/* Logs, oldest first. */
struct log_params_oldest {
    struct log_filter filter;
    size_t limit;
    bool has_place; /* else it begins at since, or with the first log */
    struct newer_place place;
    struct projection fields;
};

/* GET /logs with order=oldest: a filter, limit, cursor, fields; slice, bytes and explain.
 * `is_download`: the answer would be one, which this order is not for. */
int log_params_parse_oldest(const struct query_string *params, struct query *only, bool is_download,
                            struct log_params_oldest *oldest, struct log_params_answer *answer,
                            struct buffer *refusal) LM_MUST_CHECK;

/* One log with those around it, or what comes next of them on one side. */
struct log_params_around {
    struct uuid id;
    struct log_filter filter;
    bool older, newer;    /* which sides */
    size_t before, after; /* logs of each */
    bool has_older_place; /* else both begin at the log itself */
    struct log_key older_place;
    bool has_newer_place;
    struct newer_place newer_place;
    struct log_field same[LOG_PARAMS_SAME_MAX]; /* level, attributes; as `fields` */
    size_t same_len;
    struct projection fields;
};

/* GET /logs with around: a filter, before, after, same, fields, cursor; slice and explain. */
int log_params_parse_around(const struct query_string *params, struct query *only,
                            struct log_params_around *around, struct log_params_answer *answer,
                            struct buffer *refusal) LM_MUST_CHECK;

/* How logs are counted. */
struct log_params_groups {
    bool grouped;               /* by fields, or values of fields: `spec`; else by level */
    int64_t new_since_us;       /* patterns alone: those that were not met before; INT64_MIN: all */
    struct slice prefix;        /* values alone: those that begin so */
    struct aggregate_spec spec; /* its buckets too; paths point into the query string */
    size_t top;                 /* groups of an answer */
    int64_t bucket_from_us;     /* where the first bucket begins, at since or before it */
};

/*
 * GET /logs/stats: a filter with since (default: a day before until) and until (default: now);
 * bucket in seconds (default: none if there is `by` or `value`, else a round length that makes at
 * most 300 buckets); by, value, top; align and zone; cursor; slice and explain.
 */
int log_params_parse_stats(const struct query_string *params, struct query *only,
                           struct log_stats_query *query, struct log_params_groups *groups,
                           struct log_params_answer *answer, struct buffer *refusal) LM_MUST_CHECK;

/*
 * GET /logs/patterns: a filter with since and until as there; new_since; top; cursor, slice and
 * explain. The spec is that of patterns.
 */
int log_params_parse_patterns(const struct query_string *params, struct query *only,
                              struct log_stats_query *query, struct log_params_groups *groups,
                              struct log_params_answer *answer,
                              struct buffer *refusal) LM_MUST_CHECK;

/* GET /logs/fields: the same without new_since, and without a spec. */
int log_params_parse_fields(const struct query_string *params, struct query *only,
                            struct log_stats_query *query, struct log_params_groups *groups,
                            struct log_params_answer *answer, struct buffer *refusal) LM_MUST_CHECK;

/* GET /logs/fields/{path}: the same as for patterns with prefix for new_since. `path` is the
 * segment, decoded, any bytes, and has to live as long as the spec, which is that of its values. */
int log_params_parse_values(const struct query_string *params, struct query *only,
                            struct slice path, struct log_stats_query *query,
                            struct log_params_groups *groups, struct log_params_answer *answer,
                            struct buffer *refusal) LM_MUST_CHECK;

/*
 * GET /logs/tail: a filter; and where to go on, from the header
 * Last-Event-ID (`last_id`; data NULL: none) or else the parameter last_event_id. `*has_place`
 * tells whether there was one.
 */
int log_params_parse_tail(const struct query_string *params, struct query *only,
                          struct slice last_id, struct log_filter *filter, bool *has_place,
                          struct store_position *place, struct buffer *refusal) LM_MUST_CHECK;

/* What is to be deleted. */
struct log_params_erase {
    struct slice reason; /* in the query string; empty only of a dry run */
    bool dry_run;
    bool all; /* asked for in words, since the filter leaves nothing out */
};

/* DELETE /logs: a filter; reason, dry_run and all. Whether the filter asks for what `all` says is
 * the caller's business. */
int log_params_parse_erase(const struct query_string *params, struct query *only,
                           struct log_filter *filter, struct log_params_erase *asked,
                           struct buffer *refusal) LM_MUST_CHECK;

/* As log_params_parse_list, for a download: it takes what it takes; `*limit` is UINT64_MAX without.
 */
int log_params_parse_download(const struct query_string *params, struct query *only,
                              struct log_query *query, struct projection *fields, uint64_t *limit,
                              struct buffer *refusal) LM_MUST_CHECK;

/* GET /logs/{id}. `text` is the segment, decoded, any bytes. */
int log_params_parse_id(struct slice text, struct uuid *id, struct buffer *refusal) LM_MUST_CHECK;

#endif
