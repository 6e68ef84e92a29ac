#include "read/request.h"

#include "access/access.h"
#include "answers/answers.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "query/matcher.h"
#include "read/answer.h"

enum { OUT_BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */ };

void read_request_init(struct read_request *r, const struct read_service *service,
                       struct http_request *http, read_work_fn *work,
                       void (*finish)(struct read_job *job))
{
    r->service = service;
    r->http = http;
    r->job.work = work;
    r->job.finish = finish;
    r->job.box = service->box;
    r->job.client = access_asker(http);
    r->only = query_ref(access_only(http));
    buffer_init(&r->out, OUT_BYTES_MAX);
}

void read_request_release(struct read_request *r)
{
    buffer_release(&r->out);
    query_unref(r->only);
    access_give_place(r->holder, PLACE_SCAN);
}

bool read_request_open(struct read_request *r, read_params_fn *read_params)
{
    struct query_string params;
    int error = query_string_parse(&params, http_request_query(r->http));

    if (!error)
        error = read_params(r, &params);
    if (error)
        read_request_refuse(r, error);
    query_string_release(&params);
    return !error;
}

void read_request_refuse(struct read_request *r, int error)
{
    read_answer_refuse(r->http, error, buffer_slice(&r->out));
}

int read_request_charge(struct read_request *r)
{
    buffer_clear(&r->out);
    return buffer_charge(&r->out, ledger_account(r->service->ledger, LEDGER_READS)) ? 0 : LM_EBUSY;
}

void read_request_give_time(struct read_request *r, uint64_t ms)
{
    r->job.until_us = clock_monotonic_us() + ms * 1000;
}

/* ---- One log ---- */

struct getting {
    struct log_matcher *matcher; /* NULL: everything may be read */
    record_sink *sink;
    void *ctx;
    bool is_hidden;
    struct errbuf *err;
};

static int show(const struct record *record, void *ctx)
{
    struct getting *g = ctx;
    bool matches = true;
    int error = g->matcher ? log_matcher_match(g->matcher, record, &matches, g->err) : 0;

    g->is_hidden = !matches;
    if (error)
        return error;
    return matches ? g->sink(record, g->ctx) : LM_ENOTFOUND;
}

int read_request_get(struct read_request *r, struct store_reader *reader, const struct uuid *id,
                     record_sink *sink, void *ctx)
{
    struct getting g = {.sink = sink, .ctx = ctx, .err = &r->detail};
    struct log_filter filter;

    log_filter_init(&filter);
    filter.query = r->only;
    if (r->only) {
        g.matcher = log_matcher_new(&filter);
        if (!g.matcher)
            return LM_ENOMEM;
    }

    int error = store_get(reader, id, show, &g, &r->detail);

    log_matcher_unref(g.matcher);
    return g.is_hidden ? LM_ENOTFOUND : error;
}

/* ---- On its way ---- */

/* The client may still read. */
static void on_gone(void *ctx)
{
    struct read_request *r = ctx;

    read_job_leave(r->service->readers, &r->job);
}

static bool take_place(struct read_request *r)
{
    struct access_excess excess;

    if (r->job.lane == READ_POINT)
        return true;
    r->holder = access_take_place(r->service->access, r->http, PLACE_SCAN, &excess);
    if (r->holder)
        return true;
    metrics_add(METRIC_READS_REFUSED_SCANS, 1);
    answers_refuse_for(r->http, excess.why, excess.number, excess.wait_s);
    return false;
}

bool read_request_submit(struct read_request *r)
{
    if (!take_place(r))
        return false;
    if (read_job_submit(r->service->readers, &r->job, &r->detail)) {
        answers_refuse_failed(r->http, 503, &r->detail);
        return false;
    }
    http_request_on_gone(r->http, on_gone, r);
    return true;
}

void read_request_fail(struct read_request *r, int error)
{
    read_answer_failure(r->http, error, &r->detail);
}

int read_request_outcome(struct read_request *r)
{
    if (r->job.unserved)
        r->error = errbuf_fail(&r->detail, LM_ESTOPPED, "no reader had time for it");
    return r->error;
}

void read_request_answer(struct read_request *r)
{
    int error = read_request_outcome(r);

    if (error)
        read_request_fail(r, error);
    else
        http_respond(r->http, &(struct http_response){.status = 200, .body_buffer = &r->out});
}
