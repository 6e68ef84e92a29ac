#include "read/one.h"

#include <stdlib.h>

#include "base/container_of.h"
#include "base/xalloc.h"
#include "read/params.h"

struct one {
    struct read_request request;
    struct uuid id;
};

static struct one *one_of(struct read_request *r)
{
    return container_of(r, struct one, request);
}

static void one_free(struct one *o)
{
    read_request_release(&o->request);
    free(o);
}

static int append_log(const struct record *record, void *ctx)
{
    struct buffer *out = ctx;

    record_append_json(out, record);
    return buffer_error(out);
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct read_request *r = container_of(job, struct read_request, job);

    r->error = read_request_get(r, thread->reader, &one_of(r)->id, append_log, &r->out);
    if (r->error == LM_EBUSY && !buffer_error(&r->out)) /* it is not the ledger that is */
        r->error = LM_EUNAVAILABLE;
    return READ_DONE;
}

static void finish(struct read_job *job)
{
    struct read_request *r = container_of(job, struct read_request, job);

    read_request_answer(r);
    one_free(one_of(r));
}

/* What is asked for stands in the path; a query is not looked at. */
static bool read_id(struct one *o)
{
    struct read_request *r = &o->request;
    int error = log_params_parse_id(http_request_param(r->http, 0), &o->id, &r->out);

    if (!error)
        error = read_request_charge(r);
    if (error)
        read_request_refuse(r, error);
    return !error;
}

void read_one_get(const struct read_service *service, struct http_request *http)
{
    struct one *o = xcalloc(1, sizeof(*o));

    read_request_init(&o->request, service, http, work, finish);
    o->request.job.lane = READ_POINT;
    read_request_give_time(&o->request, service->timeout_ms);
    if (!read_id(o) || !read_request_submit(&o->request))
        one_free(o);
}
