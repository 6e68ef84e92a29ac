#include "tail/tail.h"

#include "access/access.h"
#include "answers/answers.h"
#include "base/check.h"
#include "base/container_of.h"
#include "diag/diag.h"
#include "http/query_string.h"
#include "metrics/metrics.h"
#include "read/answer.h"
#include "read/params.h"
#include "tail/catch_up.h"
#include "tail/events.h"
#include "tail/job.h"
#include "tail/live.h"
#include "tail/session.h"

/* ---- The stream ---- */

static void on_drained(void *ctx)
{
    struct tail *t = ctx;
    struct tail_hub *hub = t->hub;

    CHECKED(tail_check(t));
    tail_catch_up_advance(t);
    tail_catch_up_serve(hub);
}

/* Who does not take what was sent must not hold up a stop: it comes back for the rest. */
static void on_last_call(void *ctx)
{
    struct tail *t = ctx;

    CHECKED(tail_check(t));
    if (http_stream_unsent(t->req) == 0) {
        tail_end(t);
        return;
    }
    http_stream_abort(t->req);
    tail_let_go(t);
}

static void on_closed(void *ctx)
{
    CHECKED(tail_check(ctx));
    tail_let_go(ctx);
}

/* Answers with the head of the stream; false if the tail is over, and freed. */
static bool begin(struct tail *t)
{
    static const struct http_stream_hooks hooks = {
        .is_endless = true, .drained = on_drained, .last_call = on_last_call, .closed = on_closed};
    static const struct http_header headers[] = {
        {"Cache-Control", {"no-store", 8}},
        {"X-Accel-Buffering", {"no", 2}}, /* nginx passes each event on at once */
    };
    const struct http_response head = {
        .status = 200, .content_type = "text/event-stream", .headers = headers, .headers_len = 2};

    if (t->reading.error) {
        tail_refuse(t, REFUSED_STORE_FAILED);
        return false;
    }
    if (!http_stream_begin(t->req, &head, &hooks, t)) {
        tail_free(t);
        return false;
    }
    tail_move(t, TAIL_CATCHING_UP);
    if (!t->has_place)
        t->place = t->reading.to;
    tail_events_greet(t);
    return true;
}

/* Of a job. */
static void finish(struct read_job *job)
{
    struct tail *t = container_of(job, struct tail, job);
    struct tail_hub *hub = t->hub;
    struct tail_reading *r = &t->reading;

    CHECKED(tail_check_all(hub));
    tail_job_drop(t);
    if (t->job.unserved)
        r->error = errbuf_fail(&r->detail, LM_ETIMEOUT, "no reader had time for it");
    if (r->error && t->state != TAIL_GONE)
        diag(DIAG_WARN, "a live tail failed", DIAG_STR("reason", r->detail.text));
    switch (t->state) {
    case TAIL_STARTING_READS:
        tail_move(t, TAIL_STARTING);
        if (begin(t))
            tail_catch_up_take(t);
        break;
    case TAIL_CATCHING_UP_READS:
        tail_move(t, TAIL_CATCHING_UP);
        tail_catch_up_take(t);
        break;
    default:
        CHECK(t->state == TAIL_GONE);
        tail_free(t);
    }
    tail_catch_up_serve(hub);
}

/* ---- The beginning ---- */

/* Before the stream has begun: a client that goes must not keep its place in the line. */
static void on_gone(void *ctx)
{
    struct tail *t = ctx;

    CHECKED(tail_check(t));
    if (tail_reads(t))
        read_job_leave(t->hub->readers, &t->job);
    else
        tail_refuse(t, REFUSED_TAIL_LEFT);
}

/* Reads the parameters of `req` into `t`; false if they were answered. */
static bool read_params(struct tail *t, struct http_request *req)
{
    struct slice last_id = http_request_header(req, "last-event-id");
    struct query_string params;
    struct log_filter filter;
    struct buffer refusal;
    int error = query_string_parse(&params, http_request_query(req));

    buffer_init(&refusal, TAIL_OUT_BYTES_MAX);
    if (!error)
        error = log_params_parse_tail(&params, access_only(req), last_id, &filter, &t->has_place,
                                      &t->place.position, &refusal);
    if (!error) {
        error = tail_feed_use_filter(t->hub->feed, &filter, &t->filter);
        query_unref(filter.query);
    }
    if (error)
        read_answer_refuse(req, error, buffer_slice(&refusal));
    buffer_release(&refusal);
    query_string_release(&params);
    return !error;
}

void tail_start(struct tail_hub *hub, struct access *access, struct http_request *req)
{
    struct access_excess excess;

    CHECKED(tail_check_all(hub));

    struct grant *holder = access_take_place(access, req, PLACE_TAIL, &excess);

    if (!holder) {
        metrics_add(METRIC_READS_REFUSED_TAILS, 1);
        answers_refuse_for(req, excess.why, excess.number, excess.wait_s);
        return;
    }
    if (!tail_feed_admit(hub->feed)) {
        access_give_place(holder, PLACE_TAIL);
        answers_refuse(req, REFUSED_TAILS, tail_feed_max_tails(hub->feed));
        return;
    }

    struct tail *t = tail_new(hub, req);

    t->holder = holder;
    t->job.finish = finish;
    t->job.client = access_asker(req);
    if (!read_params(t, req)) {
        tail_free(t);
        return;
    }
    tail_move(t, TAIL_STARTING_WAITS);
    http_request_on_gone(req, on_gone, t);
    tail_catch_up_serve(hub);
}

/* ---- Batches that come ---- */

static void advance_all(struct tail_hub *hub)
{
    struct tail *next;

    for (struct tail *t = hub->tails; t; t = next) {
        next = t->next;
        tail_catch_up_advance(t);
    }
    tail_catch_up_serve(hub);
}

static void deliver(struct mail *mail)
{
    struct tail_hub *hub = container_of(mail, struct tail_hub, subscription.mail);
    struct tail_batch *batch;

    CHECKED(tail_check_all(hub));
    while ((batch = tail_feed_take(hub->feed, &hub->subscription))) {
        struct tail *next;

        for (struct tail *t = hub->tails; t; t = next) {
            next = t->next; /* a tail that ends takes no other with it */
            tail_live_take(t, batch);
        }
        if (batch->forgets)
            tail_recent_forget(&hub->recent);
        if (hub->tails && !batch->lost) {
            hub->has_position = true;
            hub->position = batch->end;
            tail_recent_keep(&hub->recent, batch);
        } else { /* the last of its tails has ended */
            tail_batch_unref(batch);
        }
    }
    advance_all(hub);
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct tail_hub *hub = timer->data;

    struct tail *next;

    CHECKED(tail_check_all(hub));
    for (struct tail *t = hub->tails; t; t = next) {
        next = t->next;
        if (!tail_streams(t))
            continue;
        if (!access_holds(t->req)) /* whoever follows comes back, and is told */
            tail_end(t);
        else if (!tail_reads(t))
            tail_events_beat(t);
    }
    advance_all(hub); /* what had no room before */
}

int tail_open(struct tail_hub *hub, struct tail_feed *feed, struct read_scheduler *readers,
              struct mailbox *box, uv_loop_t *loop, struct errbuf *err)
{
    int error = uv_timer_init(loop, &hub->heartbeat);

    if (error < 0)
        return errbuf_fail(err, LM_ENOMEM, "cannot make a timer: %s", uv_strerror(error));
    hub->feed = feed;
    hub->readers = readers;
    hub->subscription.box = box;
    hub->subscription.mail.deliver = deliver;
    hub->heartbeat.data = hub;
    uv_timer_start(&hub->heartbeat, on_heartbeat, TAIL_HEARTBEAT_MS, TAIL_HEARTBEAT_MS);
    return 0;
}
