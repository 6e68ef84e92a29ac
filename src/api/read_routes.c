/*
 * GET /logs, /logs/{id} and /logs/stats. The handler checks the parameters on the loop's thread; a
 * thread of the read pool writes the answer's body; the loop answers.
 */
#include "api/api_internal.h"

#include <stddef.h>
#include <stdlib.h>

#include "api/download.h"
#include "api/log_params.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "http/query_string.h"
#include "metrics/metrics.h"

enum {
    PAGE_BYTES_SOFT_MAX = 8 << 20, /* a page is ended early, with `next`, once it is this large */
    PAGE_BYTES_HARD_MAX = 1 << 30, /* no page can reach this: the ceiling of its buffer */
};

struct read {
    struct read_job job;
    struct read_scheduler *readers;
    struct http_request *req;
    struct query_string params; /* what the queries' slices point into */
    union {
        struct log_query query;
        struct log_stats_query stats;
        struct uuid id;
    };
    struct buffer body; /* of the answer; error entries before the read is submitted */
    int error;
    struct errbuf detail;

    /* While rows come: */
    const char *cached; /* for X-Cache: "hit", "miss", "bypass"; NULL: there is no cache */
    unsigned rows;
    bool more; /* there is another page */
    struct log_key last;
    int64_t bucket;
    uint64_t bucket_total;
    uint64_t total;
    struct buffer levels; /* of the bucket under way */
};

static struct read *read_new(struct http_request *req, struct api_thread *t)
{
    struct read *r = xcalloc(1, sizeof(*r));

    r->req = req;
    r->readers = t->api->readers;
    r->job.box = &t->box;
    buffer_init(&r->body, PAGE_BYTES_HARD_MAX);
    buffer_init(&r->levels, PAGE_BYTES_HARD_MAX);
    return r;
}

static void read_free(struct read *r)
{
    query_string_release(&r->params);
    buffer_release(&r->levels);
    buffer_release(&r->body);
    free(r);
}

static struct read *read_of(struct read_job *job)
{
    return (struct read *)((char *)job - offsetof(struct read, job));
}

static void respond_unavailable(struct http_request *req, const char *body)
{
    static const struct http_header retry = {"Retry-After", {"1", 1}};

    http_respond(req, &(struct http_response){.status = 503,
                                              .body = slice_of_string(body),
                                              .headers = &retry,
                                              .headers_len = 1});
}

/* On the loop's thread: answers with what the read has brought. */
static void finish(struct read_job *job)
{
    struct read *r = read_of(job);
    struct http_header cached = {"X-Cache", slice_of_string(r->cached ? r->cached : "")};

    if (r->job.unserved)
        r->error = LM_ETIMEOUT;
    switch (r->error) {
    case 0:
        http_respond(r->req, &(struct http_response){.status = 200,
                                                     .body = buffer_slice(&r->body),
                                                     .headers = &cached,
                                                     .headers_len = r->cached ? 1 : 0});
        break;
    case LM_ENOTFOUND:
        http_respond_error(r->req, 404, "Not Found");
        break;
    case LM_ETIMEOUT:
        respond_unavailable(r->req, "{\"detail\":\"the query took longer than QUERY_TIMEOUT allows:"
                                    " narrow it with since and until\"}");
        break;
    default:
        diag(DIAG_WARN, "a read failed", DIAG_STR("reason", r->detail.text));
        respond_unavailable(r->req,
                            "{\"detail\":\"the store cannot be read now, try again later\"}");
        break;
    }
    read_free(r);
}

static void on_gone(void *ctx)
{
    struct read *r = ctx;

    read_job_leave(r->readers, &r->job);
}

static void submit(struct read *r, struct api_thread *t, enum read_lane lane, read_work_fn *work)
{
    struct errbuf busy = ERRBUF_INIT;

    buffer_clear(&r->body); /* of the list of errors, which stayed empty */
    r->job.work = work;
    r->job.finish = finish;
    r->job.lane = lane;
    r->job.client = http_request_client(r->req);
    r->job.until_us = clock_monotonic_us() + t->api->query_timeout_ms * UINT64_C(1000);
    if (read_job_submit(t->api->readers, &r->job, &busy)) {
        http_respond_error(r->req, 503, busy.text);
        read_free(r);
        return;
    }
    http_request_on_gone(r->req, on_gone, r);
}

/* Answers 422 with the errors that stand in r->body, or 503 where there was no memory for them. */
static void refuse(struct read *r, int error)
{
    if (error == LM_EINVAL)
        http_respond(r->req,
                     &(struct http_response){.status = 422, .body = buffer_slice(&r->body)});
    else
        respond_unavailable(r->req, "{\"detail\":\"out of memory, try again later\"}");
    read_free(r);
}

/* Reads the query string; false where it was answered because it cannot be read. */
static bool parse_query_string(struct read *r)
{
    int error = query_string_parse(&r->params, http_request_query(r->req));

    if (error == 0)
        return true;
    if (error == LM_ETOOBIG)
        http_respond_error(r->req, 400, "too many query parameters: at most 128");
    else
        http_respond_error(r->req, 503, "out of memory, try again later");
    read_free(r);
    return false;
}

/* ---- GET /logs ---- */

static int append_row(const struct record *record, void *ctx)
{
    struct read *r = ctx;

    if (r->rows == r->query.limit - 1) {
        r->more = true; /* the last row that comes: there is nothing to stop */
        return 0;
    }
    if (r->body.len > PAGE_BYTES_SOFT_MAX) {
        r->more = true;
        return LM_ESTOPPED;
    }
    if (r->rows++)
        buffer_append_char(&r->body, ',');
    record_append_json(&r->body, record);
    r->last = record->key;
    return buffer_error(&r->body);
}

static enum read_step work_list(struct read_job *job, struct read_thread *thread,
                                const struct read_slice *slice)
{
    struct read *r = read_of(job);
    static const char *const names[] = {
        [CACHE_HIT] = "hit", [CACHE_MISS] = "miss", [CACHE_BYPASS] = "bypass"};
    enum cache_result cached;

    r->query.limit++; /* one more than asked for tells whether there is a next page */
    buffer_append_string(&r->body, "{\"logs\":[");
    cached = cache_query(thread->cache, &r->query, append_row, r);
    if (thread->cache)
        r->cached = names[cached];
    metrics_add(cached == CACHE_HIT    ? METRIC_CACHE_HIT
                : cached == CACHE_MISS ? METRIC_CACHE_MISS
                                       : METRIC_CACHE_BYPASS,
                1);
    if (cached != CACHE_HIT)
        r->error = store_query(thread->reader, &r->query, append_row, r, &r->detail);
    if (r->error == LM_ESTOPPED)
        r->error = 0;
    buffer_append_string(&r->body, "],\"next\":");
    if (r->more && r->rows) {
        char cursor[LOG_PARAMS_CURSOR_LEN];

        log_params_format_cursor(&r->last, cursor);
        buffer_append_char(&r->body, '"');
        buffer_append(&r->body, cursor, sizeof(cursor));
        buffer_append_string(&r->body, "\"}");
    } else {
        buffer_append_string(&r->body, "null}");
    }
    if (!r->error)
        r->error = buffer_error(&r->body);
    return READ_DONE;
}

void read_routes_list(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct read *r = read_new(req, t);
    enum download_format format;
    int error;

    if (!parse_query_string(r))
        return;
    format = download_format(http_request_header(req, "accept"), &r->params);
    if (format != DOWNLOAD_NONE) {
        read_free(r);
        download_start(t->api->readers, &t->box, req, format);
        return;
    }
    error = log_params_parse_list(&r->params, &r->query, &r->body);
    if (error)
        refuse(r, error);
    else
        submit(r, t, READ_PAGE, work_list);
}

/* ---- GET /logs/{id} ---- */

static int append_one(const struct record *record, void *ctx)
{
    struct read *r = ctx;

    record_append_json(&r->body, record);
    return buffer_error(&r->body);
}

static enum read_step work_get(struct read_job *job, struct read_thread *thread,
                               const struct read_slice *slice)
{
    struct read *r = read_of(job);

    r->error = store_get(thread->reader, &r->id, append_one, r, &r->detail);
    return READ_DONE;
}

void read_routes_get(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct read *r = read_new(req, t);
    int error;

    error = log_params_parse_id(http_request_param(req, 0), &r->id, &r->body);
    if (error)
        refuse(r, error);
    else
        submit(r, t, READ_POINT, work_get);
}

/* ---- GET /logs/stats ---- */

/* Writes the bucket that has been gathered, if any. */
static void end_bucket(struct read *r)
{
    if (r->bucket_total == 0)
        return;
    buffer_append_string(&r->body, r->rows++ ? ",{\"timestamp\":\"" : "{\"timestamp\":\"");
    timestamp_append(&r->body, r->stats.filter.since_us + r->bucket * r->stats.bucket_us);
    buffer_appendf(&r->body, "\",\"total\":%llu,\"levels\":{", (unsigned long long)r->bucket_total);
    buffer_append_slice(&r->body, buffer_slice(&r->levels));
    buffer_append_string(&r->body, "}}");
    r->total += r->bucket_total;
    r->bucket_total = 0;
    buffer_clear(&r->levels);
}

static int append_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    struct read *r = ctx;

    if (bucket != r->bucket)
        end_bucket(r);
    r->bucket = bucket;
    r->bucket_total += count;
    if (r->levels.len)
        buffer_append_char(&r->levels, ',');
    json_append_string(&r->levels, level);
    buffer_append_char(&r->levels, ':');
    buffer_append_u64(&r->levels, count);
    return buffer_error(&r->levels);
}

static enum read_step work_stats(struct read_job *job, struct read_thread *thread,
                                 const struct read_slice *slice)
{
    struct read *r = read_of(job);

    buffer_append_string(&r->body, "{\"since\":\"");
    timestamp_append(&r->body, r->stats.filter.since_us);
    buffer_append_string(&r->body, "\",\"until\":\"");
    timestamp_append(&r->body, r->stats.filter.until_us);
    buffer_appendf(&r->body, "\",\"bucket_seconds\":%lld,\"buckets\":[",
                   (long long)(r->stats.bucket_us / 1000000));
    r->error = store_stats(thread->reader, &r->stats, append_count, r, &r->detail);
    end_bucket(r);
    buffer_appendf(&r->body, "],\"total\":%llu}", (unsigned long long)r->total);
    if (!r->error)
        r->error = buffer_error(&r->body);
    return READ_DONE;
}

void read_routes_stats(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct read *r = read_new(req, t);
    int error;

    if (!parse_query_string(r))
        return;
    error = log_params_parse_stats(&r->params, &r->stats, &r->body);
    if (error)
        refuse(r, error);
    else
        submit(r, t, READ_SCAN, work_stats);
}

/* ---- GET /logs/tail ---- */

void read_routes_tail(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    http_request_charge_to(req, ledger_account(&t->api->ledger, LEDGER_TAILS));
    tail_start(&t->hub, req);
}
