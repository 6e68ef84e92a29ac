/*
 * GET /logs/stats: counts over time, from the newest log to the oldest, in turns. Where the time is
 * over (`slice`, or QUERY_TIMEOUT) the answer has the counts of what was looked at, and `next`.
 */
#include <stddef.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "http/query_string.h"
#include "metrics/metrics.h"
#include "read/answer.h"
#include "read/params.h"
#include "read/tally.h"

enum { BODY_BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */ };

struct stats {
    struct read_job job;
    struct api *api;
    struct http_request *req;
    struct log_stats_query query; /* its slices point into the matcher */
    struct log_matcher *matcher;
    struct store_scan scan;
    struct log_key start; /* where it began */
    struct tally tally;
    struct buffer body; /* of the answer; error entries before the read is submitted */
    int error;
    struct errbuf detail;
};

static struct stats *stats_of(struct read_job *job)
{
    return (struct stats *)((char *)job - offsetof(struct stats, job));
}

static void free_stats(struct stats *s)
{
    log_matcher_unref(s->matcher);
    tally_release(&s->tally);
    buffer_release(&s->body);
    free(s);
}

/* ---- Turns ---- */

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    return tally_add(&((struct stats *)ctx)->tally, (size_t)bucket, level, count);
}

static void count(struct stats *s, struct store_reader *reader, uint64_t until_us)
{
    const struct store_slice slice = {.rows = 1, .until_us = until_us};

    s->error = store_scan_count(reader, &s->scan, &slice, s->query.filter.since_us,
                                s->query.bucket_us, add_count, s, &s->detail);
    if (s->error)
        tally_drop(&s->tally);
    else
        s->error = tally_keep(&s->tally);
}

static enum read_step end(struct stats *s)
{
    const struct read_place place = {
        .more = !s->scan.done, .out_of_time = true, .before = s->scan.before};
    struct buffer *b = &s->body;

    if (place.more)
        metrics_add(METRIC_READS_PARTIAL, 1);
    buffer_append_string(b, "{\"since\":\"");
    timestamp_append(b, s->query.filter.since_us);
    buffer_append_string(b, "\",\"until\":\"");
    timestamp_append(b, s->query.filter.until_us);
    buffer_appendf(b, "\",\"bucket_seconds\":%lld,\"buckets\":[",
                   (long long)(s->query.bucket_us / 1000000));
    tally_append(&s->tally, b, s->query.filter.since_us, s->query.bucket_us);
    buffer_appendf(b, "],\"total\":%llu,", (unsigned long long)s->tally.total);
    read_answer_append_place(b, &place);
    buffer_append_char(b, '}');
    s->error = buffer_error(b);
    return READ_DONE;
}

static bool has_moved(const struct stats *s)
{
    return s->scan.done || log_key_compare(&s->scan.before, &s->start) < 0;
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct stats *s = stats_of(job);

    if (!has_moved(s) || slice->until_us > clock_monotonic_us())
        count(s, thread->reader, slice->until_us);
    if (s->error == LM_ETIMEOUT && has_moved(s))
        return end(s);
    if (s->error)
        return READ_DONE;
    return s->scan.done || slice->last ? end(s) : READ_MORE;
}

/* ---- The request ---- */

static void finish(struct read_job *job)
{
    struct stats *s = stats_of(job);

    if (job->unserved)
        s->error = LM_ESTOPPED;
    if (s->error)
        read_answer_failure(s->req, s->error, &s->detail);
    else
        http_respond(s->req, &(struct http_response){.status = 200, .body_buffer = &s->body});
    free_stats(s);
}

static void on_gone(void *ctx)
{
    struct stats *s = ctx;

    read_job_leave(s->api->readers, &s->job);
}

/* How many buckets there are. */
static size_t count_buckets(const struct log_stats_query *q)
{
    int64_t range_us = q->filter.until_us - q->filter.since_us;

    return range_us > 0 ? (size_t)(range_us / q->bucket_us + (range_us % q->bucket_us > 0)) : 0;
}

/* Makes what the scan needs: copies of all texts, since those of the request go. */
static int prepare(struct stats *s)
{
    struct account *account = ledger_account(&s->api->ledger, LEDGER_READS);

    s->matcher = log_matcher_new(&s->query.filter);
    if (!s->matcher)
        return LM_ENOMEM;
    s->query.filter = *log_matcher_filter(s->matcher);
    store_scan_init(&s->scan, s->matcher, s->query.has_cursor ? &s->query.cursor : NULL, 0);
    s->start = s->scan.before;
    if (!buffer_charge(&s->body, account))
        return LM_EBUSY;
    return tally_init(&s->tally, count_buckets(&s->query), account);
}

static void start(struct stats *s)
{
    int error = prepare(s);

    if (error) {
        read_answer_failure(s->req, error, &s->detail);
        free_stats(s);
    } else if (read_job_submit(s->api->readers, &s->job, &s->detail)) {
        answers_refuse_failed(s->req, 503, &s->detail);
        free_stats(s);
    } else {
        http_request_on_gone(s->req, on_gone, s);
    }
}

static struct stats *stats_new(struct http_request *req, struct api_thread *t)
{
    struct stats *s = xcalloc(1, sizeof(*s));

    s->api = t->api;
    s->req = req;
    s->job.work = work;
    s->job.finish = finish;
    s->job.box = &t->box;
    s->job.lane = READ_SCAN;
    s->job.client = http_request_client(req);
    buffer_init(&s->body, BODY_BYTES_MAX);
    return s;
}

void stats_routes_get(struct http_request *req, void *thread)
{
    struct query_string params;
    struct stats *s;
    unsigned slice_s;
    int error = query_string_parse(&params, http_request_query(req));

    if (error) {
        read_answer_refuse(req, error, slice_of(NULL, 0));
        query_string_release(&params);
        return;
    }
    s = stats_new(req, thread);
    slice_s = s->api->query_timeout_ms / 1000;
    error = log_params_parse_stats(&params, &s->query, &slice_s, &s->body);
    if (error) {
        read_answer_refuse(req, error, buffer_slice(&s->body));
        free_stats(s);
    } else {
        buffer_clear(&s->body);
        s->job.until_us = clock_monotonic_us() + slice_s * UINT64_C(1000000);
        start(s);
    }
    query_string_release(&params);
}
