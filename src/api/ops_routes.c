/* GET /health, /ready and /metrics: for those who operate the service. */
#include "api/api_internal.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"

enum { BODY_BYTES_MAX = 1 << 20 };

/* Asking the queue may block, so that it is done on a thread of the read pool. */
struct probe {
    struct read_job job;
    struct http_request *req;
    struct api *api;
    struct buffer body;
    unsigned status;
};

static struct probe *probe_of(struct read_job *job)
{
    return (struct probe *)((char *)job - offsetof(struct probe, job));
}

static void finish(struct read_job *job, const char *content_type)
{
    struct probe *p = probe_of(job);

    if (buffer_error(&p->body))
        http_respond_error(p->req, 503, "out of memory, try again later");
    else
        http_respond(p->req, &(struct http_response){.status = p->status,
                                                     .content_type = content_type,
                                                     .body = buffer_slice(&p->body)});
    buffer_release(&p->body);
    free(p);
}

static void finish_json(struct read_job *job)
{
    finish(job, NULL);
}

static void finish_metrics(struct read_job *job)
{
    finish(job, "text/plain; version=0.0.4; charset=utf-8");
}

static void submit(struct http_request *req, struct api_thread *t,
                   void (*work)(struct read_job *, struct read_thread *),
                   void (*done)(struct read_job *))
{
    struct probe *p = xcalloc(1, sizeof(*p));

    p->req = req;
    p->api = t->api;
    p->job.box = &t->box;
    p->job.work = work;
    p->job.finish = done;
    p->status = 200;
    buffer_init(&p->body, BODY_BYTES_MAX);
    if (read_pool_submit(t->api->readers, &p->job)) {
        http_respond_error(req, 503, "too many reads wait, try again later");
        free(p);
    }
}

void ops_routes_health(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 200,
                                              .body = SLICE_LITERAL("{\"status\":\"ok\"}"),
                                              .body_is_static = true});
}

static void work_ready(struct read_job *job, struct read_thread *thread)
{
    struct probe *p = probe_of(job);
    struct errbuf err = ERRBUF_INIT;

    if (queue_check(p->api->queue, &err) == 0) {
        buffer_append_string(&p->body, "{\"status\":\"ready\"}");
        return;
    }
    p->status = 503;
    buffer_append_string(&p->body, "{\"detail\":");
    json_append_string(&p->body, slice_of_string(err.text));
    buffer_append_char(&p->body, '}');
}

void ops_routes_ready(struct http_request *req, void *thread)
{
    submit(req, thread, work_ready, finish_json);
}

static void append_http(struct buffer *b, struct http_server *server)
{
    struct http_stats s = {0};

    if (server)
        http_server_stats(server, &s);
    metrics_append_value(b, "logmill_http_connections_open", "gauge", "Open connections.",
                         s.connections_open);
    metrics_append_value(b, "logmill_http_connections_accepted_total", "counter",
                         "Connections accepted.", s.connections_accepted);
    metrics_append_value(b, "logmill_http_requests_total", "counter", "Requests begun.",
                         s.requests);
    metrics_append_value(b, "logmill_http_received_bytes_total", "counter",
                         "Bytes read from clients.", s.bytes_received);
    metrics_append_value(b, "logmill_http_sent_bytes_total", "counter", "Bytes sent to clients.",
                         s.bytes_sent);
    buffer_append_string(b, "# HELP logmill_http_responses_total Answers by status.\n"
                            "# TYPE logmill_http_responses_total counter\n");
    for (unsigned k = 0; k < HTTP_STATUS_END; k++)
        if (s.responses[k])
            buffer_appendf(b, "logmill_http_responses_total{code=\"%u\"} %llu\n", k,
                           (unsigned long long)s.responses[k]);
}

static void append_queue(struct buffer *b, struct queue *queue)
{
    struct errbuf err = ERRBUF_INIT;
    struct queue_stats s = {0};
    int error = queue_stats(queue, &s, &err);

    metrics_append_value(b, "logmill_queue_up", "gauge", "1 where the queue can be asked.", !error);
    if (error)
        return;
    metrics_append_value(b, "logmill_queue_depth", "gauge",
                         "Messages that wait or are being worked on.", s.depth);
    metrics_append_value(b, "logmill_queue_oldest_age_microseconds", "gauge",
                         "Age of the oldest of them.", (uint64_t)s.oldest_age_us);
    metrics_append_value(b, "logmill_queue_dead_letters", "gauge", "Dead letters.", s.dead_letters);
}

static void append_ledger(struct buffer *b, struct ledger *ledger)
{
    metrics_append_value(b, "logmill_inflight_bytes", "gauge",
                         "Bytes held for clients (see MAX_INFLIGHT_BYTES).", ledger_used(ledger));
    buffer_append_string(b, "# HELP logmill_inflight_class_bytes The same, by what they are for.\n"
                            "# TYPE logmill_inflight_class_bytes gauge\n");
    for (int i = 0; i < LEDGER_CLASSES; i++)
        buffer_appendf(b, "logmill_inflight_class_bytes{class=\"%s\"} %zu\n", ledger_class_name(i),
                       account_used(ledger_account(ledger, i)));
}

static void work_metrics(struct read_job *job, struct read_thread *thread)
{
    struct probe *p = probe_of(job);

    /*
     * The queue first: what it no longer holds has been counted by the worker before, so that an
     * empty queue always comes with the counts of all that was in it.
     */
    append_queue(&p->body, p->api->queue);
    metrics_append(&p->body);
    append_ledger(&p->body, &p->api->ledger);
    append_http(&p->body, atomic_load(&p->api->server));
}

void ops_routes_metrics(struct http_request *req, void *thread)
{
    submit(req, thread, work_metrics, finish_metrics);
}
