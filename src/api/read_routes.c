/* GET /logs/{id} and /logs/tail. */
#include "api/internal.h"

#include <stddef.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "read/answer.h"
#include "read/params.h"

enum { BODY_BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */ };

/* ---- GET /logs/{id} ---- */

struct get {
    struct read_job job;
    struct api *api;
    struct http_request *req;
    struct uuid id;
    struct buffer body; /* of the answer; error entries before the read is submitted */
    int error;
    struct errbuf detail;
};

static struct get *get_of(struct read_job *job)
{
    return (struct get *)((char *)job - offsetof(struct get, job));
}

static void free_get(struct get *g)
{
    buffer_release(&g->body);
    free(g);
}

static int append_log(const struct record *record, void *ctx)
{
    struct get *g = ctx;

    record_append_json(&g->body, record);
    return buffer_error(&g->body);
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct get *g = get_of(job);

    g->error = store_get(thread->reader, &g->id, append_log, g, &g->detail);
    if (g->error == LM_EBUSY && !buffer_error(&g->body)) /* it is not the ledger that is */
        g->error = LM_EUNAVAILABLE;
    return READ_DONE;
}

static void finish(struct read_job *job)
{
    struct get *g = get_of(job);

    if (job->unserved)
        g->error = LM_ESTOPPED;
    if (g->error)
        read_answer_failure(g->req, g->error, &g->detail);
    else
        http_respond(g->req, &(struct http_response){.status = 200, .body_buffer = &g->body});
    free_get(g);
}

static void on_gone(void *ctx)
{
    struct get *g = ctx;

    read_job_leave(g->api->readers, &g->job);
}

static void start(struct get *g)
{
    buffer_clear(&g->body); /* of the list of errors, which stayed empty */
    g->job.until_us = clock_monotonic_us() + g->api->query_timeout_ms * UINT64_C(1000);
    if (!buffer_charge(&g->body, ledger_account(&g->api->ledger, LEDGER_READS))) {
        read_answer_failure(g->req, LM_EBUSY, &g->detail);
        free_get(g);
    } else if (read_job_submit(g->api->readers, &g->job, &g->detail)) {
        answers_refuse_failed(g->req, 503, &g->detail);
        free_get(g);
    } else {
        http_request_on_gone(g->req, on_gone, g);
    }
}

void read_routes_get(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct get *g = xcalloc(1, sizeof(*g));
    int error;

    g->api = t->api;
    g->req = req;
    g->job.work = work;
    g->job.finish = finish;
    g->job.box = &t->box;
    g->job.lane = READ_POINT;
    g->job.client = http_request_client(req);
    buffer_init(&g->body, BODY_BYTES_MAX);
    error = log_params_parse_id(http_request_param(req, 0), &g->id, &g->body);
    if (error) {
        read_answer_refuse(req, error, buffer_slice(&g->body));
        free_get(g);
    } else {
        start(g);
    }
}

/* ---- GET /logs/tail ---- */

void read_routes_tail(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    tail_start(&t->hub, req);
}
