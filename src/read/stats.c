#include "read/stats.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"
#include "read/answer.h"
#include "read/params.h"
#include "read/tally.h"

enum { PREFIX_BYTES_MAX = 1 << 20 /* a ceiling because every buffer has one */ };

enum stats_kind { STATS_COUNTS, STATS_PATTERNS, STATS_VALUES, STATS_FIELDS };

struct stats {
    struct read_request request;
    enum stats_kind kind;
    struct buffer prefix;         /* of values */
    struct log_stats_query query; /* its slices point into the matcher */
    struct log_params_groups groups;
    struct aggregate *aggregate; /* NULL: counts by level, in `tally`, or fields, in `survey` */
    struct survey *survey;       /* NULL: no fields */
    int survey_error;
    struct log_matcher *matcher;
    struct store_scan scan;
    struct log_key start; /* where it began */
    struct tally tally;
    bool explains; /* the answer tells what it cost */
    struct block_explain explain;
    uint64_t damage_told; /* of scan.damaged */
};

static struct stats *stats_of(struct read_request *r)
{
    return container_of(r, struct stats, request);
}

static void stats_free(struct stats *s)
{
    log_matcher_unref(s->matcher);
    tally_release(&s->tally);
    aggregate_free(s->aggregate);
    survey_free(s->survey);
    buffer_release(&s->prefix);
    read_request_release(&s->request);
    free(s);
}

/* ---- Turns ---- */

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    return tally_add(&((struct stats *)ctx)->tally, (size_t)bucket, level, count);
}

static int count_levels(struct stats *s, struct read_thread *thread,
                        const struct store_slice *slice)
{
    int error = store_scan_count(thread->reader, &s->scan, slice, s->groups.bucket_from_us,
                                 s->query.bucket_us, add_count, s, &s->request.detail);

    if (!error)
        return tally_keep(&s->tally);
    tally_drop(&s->tally);
    return error;
}

static int add_batch(const struct log_batch *batch, void *ctx)
{
    return aggregate_add(((struct stats *)ctx)->aggregate, batch);
}

static int count_groups(struct stats *s, struct read_thread *thread,
                        const struct store_slice *slice)
{
    return store_scan_batches(thread->reader, &s->scan, slice, aggregate_fields(s->aggregate),
                              add_batch, s, &s->request.detail);
}

static int look_at_fields(struct stats *s, struct read_thread *thread,
                          const struct store_slice *slice)
{
    struct store_survey survey = {.survey = s->survey};
    int error = store_scan_survey(thread->reader, &s->scan, slice, &survey, &s->request.detail);

    s->survey_error = survey.error;
    if (s->survey_error)
        return s->survey_error;
    return error == LM_EBUSY ? LM_EUNAVAILABLE : error; /* it is not the ledger that is */
}

static int count_what_is_asked(struct stats *s, struct read_thread *thread, uint64_t until_us)
{
    const struct store_slice slice = {
        .rows = UINT64_MAX, .until_us = until_us, .helpers = thread->helpers};

    if (s->survey)
        return look_at_fields(s, thread, &slice);
    return s->aggregate ? count_groups(s, thread, &slice) : count_levels(s, thread, &slice);
}

static void count(struct stats *s, struct read_thread *thread, uint64_t until_us)
{
    s->request.error = count_what_is_asked(s, thread, until_us);
    read_answer_tell_damage(&s->scan, &s->damage_told, &s->request.detail);
}

/* ---- The answer ---- */

static void append_range(struct stats *s)
{
    struct buffer *b = &s->request.out;

    buffer_append_string(b, "{\"since\":\"");
    timestamp_append(b, s->query.filter.since_us);
    buffer_append_string(b, "\",\"until\":\"");
    timestamp_append(b, s->query.filter.until_us);
    if (s->kind != STATS_COUNTS)
        buffer_append_string(b, "\",");
    else if (s->query.bucket_us)
        buffer_appendf(b, "\",\"bucket_seconds\":%lld,", (long long)(s->query.bucket_us / 1000000));
    else
        buffer_append_string(b, "\",\"bucket_seconds\":null,");
}

static void append_levels(struct stats *s)
{
    struct buffer *b = &s->request.out;

    buffer_append_string(b, "\"buckets\":[");
    tally_append(&s->tally, b, s->groups.bucket_from_us, s->query.bucket_us);
    buffer_appendf(b, "],\"total\":%llu,", (unsigned long long)s->tally.total);
}

static bool is_new(struct slice value, int64_t first_us, void *ctx)
{
    (void)value;
    return first_us >= ((struct stats *)ctx)->groups.new_since_us;
}

static int append_patterns(struct stats *s)
{
    static const struct aggregate_words words = {
        .list = "patterns",
        .value = "pattern",
        .values = {"levels", "first_seen", "last_seen", "example"},
    };
    int error = 0;

    if (s->groups.new_since_us != INT64_MIN)
        error = aggregate_keep(s->aggregate, is_new, s);
    if (error)
        return error;
    return aggregate_append_list(s->aggregate, &s->request.out, s->groups.top, &words);
}

static int append_values(struct stats *s)
{
    static const struct aggregate_words words = {.list = "values", .value = "value"};

    return aggregate_append_list(s->aggregate, &s->request.out, s->groups.top, &words);
}

/* An answer that is a part of the whole has what the others are merged with. */
static int append_groups(struct stats *s, bool is_part)
{
    struct buffer *b = &s->request.out;
    int error;

    if (is_part) {
        buffer_append_string(b, "\"state\":");
        aggregate_append_state(s->aggregate, b);
        buffer_append_char(b, ',');
    }
    if (s->kind == STATS_PATTERNS)
        error = append_patterns(s);
    else if (s->kind == STATS_VALUES)
        error = append_values(s);
    else
        error = aggregate_append_answer(s->aggregate, b, s->groups.top);
    buffer_append_char(b, ',');
    return error;
}

static int append_fields(struct stats *s, bool is_part)
{
    struct buffer *b = &s->request.out;
    int error;

    if (is_part) {
        buffer_append_string(b, "\"state\":");
        survey_append_state(s->survey, b);
        buffer_append_char(b, ',');
    }
    error = survey_append_answer(s->survey, b, s->groups.top);
    buffer_append_char(b, ',');
    return error;
}

static enum read_step end(struct stats *s)
{
    const struct read_place place = {.more = !s->scan.done,
                                     .out_of_time = true,
                                     .before = s->scan.before,
                                     .damaged = s->scan.damaged};
    struct buffer *b = &s->request.out;
    int error = 0;

    if (place.more)
        metrics_add(METRIC_READS_PARTIAL, 1);
    append_range(s);
    if (s->survey)
        error = append_fields(s, place.more || s->query.has_cursor);
    else if (s->aggregate)
        error = append_groups(s, place.more || s->query.has_cursor);
    else
        append_levels(s);
    read_answer_append_place(b, &place);
    if (s->explains)
        read_answer_append_explain(b, &s->explain);
    buffer_append_char(b, '}');
    s->request.error = error ? error : buffer_error(b);
    return READ_DONE;
}

static bool has_moved(const struct stats *s)
{
    return s->scan.done || log_key_compare(&s->scan.before, &s->start) < 0;
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct stats *s = stats_of(r);

    if (!has_moved(s) || slice->until_us > clock_monotonic_us())
        count(s, thread, slice->until_us);
    if (r->error == LM_ETIMEOUT && has_moved(s))
        return end(s);
    if (r->error)
        return READ_DONE;
    return s->scan.done || slice->last ? end(s) : READ_MORE;
}

static void finish(struct read_job *job)
{
    struct read_request *r = container_of(job, struct read_request, job);

    read_request_answer(r);
    stats_free(stats_of(r));
}

/* ---- The request ---- */

/* How many buckets there are. */
static size_t count_buckets(const struct log_stats_query *q, int64_t from_us)
{
    int64_t range_us = q->filter.until_us - from_us;

    return range_us > 0 ? (size_t)(range_us / q->bucket_us + (range_us % q->bucket_us > 0)) : 0;
}

/* Makes what the scan needs: copies of all texts, since those of the request go. */
static int prepare(struct stats *s)
{
    struct read_request *r = &s->request;
    struct account *account = ledger_account(r->service->ledger, LEDGER_READS);
    int error = read_request_charge(r);

    if (error)
        return error;
    s->matcher = log_matcher_new(&s->query.filter);
    if (!s->matcher)
        return LM_ENOMEM;
    s->query.filter = *log_matcher_filter(s->matcher);
    store_scan_init(&s->scan, s->matcher, s->query.has_cursor ? &s->query.cursor : NULL, 0);
    s->scan.explain = s->explains ? &s->explain : NULL;
    s->start = s->scan.before;
    if (s->kind == STATS_FIELDS) {
        s->survey = survey_new(account);
        return s->survey ? 0 : LM_ENOMEM;
    }
    if (!s->groups.grouped)
        return tally_init(&s->tally, count_buckets(&s->query, s->groups.bucket_from_us), account);
    s->aggregate = aggregate_new(&s->groups.spec, account);
    buffer_append_slice(&s->prefix, s->groups.prefix);
    if (!s->aggregate || buffer_error(&s->prefix))
        return LM_ENOMEM;
    aggregate_begin_with(s->aggregate, buffer_slice(&s->prefix));
    return 0;
}

static int read_params(struct read_request *r, const struct query_string *params)
{
    struct stats *s = stats_of(r);
    struct log_params_answer answer = {.slice_s = r->service->timeout_ms / 1000};
    int error;

    if (s->kind == STATS_PATTERNS)
        error = log_params_parse_patterns(params, r->only, &s->query, &s->groups, &answer, &r->out);
    else if (s->kind == STATS_FIELDS)
        error = log_params_parse_fields(params, r->only, &s->query, &s->groups, &answer, &r->out);
    else if (s->kind == STATS_VALUES)
        error = log_params_parse_values(params, r->only, http_request_param(r->http, 0), &s->query,
                                        &s->groups, &answer, &r->out);
    else
        error = log_params_parse_stats(params, r->only, &s->query, &s->groups, &answer, &r->out);
    if (error)
        return error;
    read_request_give_time(r, answer.slice_s * UINT64_C(1000));
    s->explains = answer.explain;

    struct query *asked = s->query.filter.query;

    error = prepare(s);
    query_unref(asked);
    return error;
}

static void get(const struct read_service *service, struct http_request *http, enum stats_kind kind)
{
    struct stats *s = xcalloc(1, sizeof(*s));

    s->kind = kind;
    buffer_init(&s->prefix, PREFIX_BYTES_MAX);
    read_request_init(&s->request, service, http, work, finish);
    s->request.job.lane = READ_SCAN;
    if (!read_request_open(&s->request, read_params) || !read_request_submit(&s->request))
        stats_free(s);
}

void read_stats_get(const struct read_service *service, struct http_request *http)
{
    get(service, http, STATS_COUNTS);
}

void read_stats_get_patterns(const struct read_service *service, struct http_request *http)
{
    get(service, http, STATS_PATTERNS);
}

void read_stats_get_values(const struct read_service *service, struct http_request *http)
{
    get(service, http, STATS_VALUES);
}

void read_stats_get_fields(const struct read_service *service, struct http_request *http)
{
    get(service, http, STATS_FIELDS);
}
