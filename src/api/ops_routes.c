/*
 * GET /health, /ready and /metrics: for those who operate the service. None of them stands in a
 * line with anybody who reads logs.
 *
 * What /ready means: whoever is sent to this process is answered in good time. 503 if the queue
 * cannot take logs, and if the queue or the store does not answer within READY_TIMEOUT, since a
 * reader would wait as long. A store that says that it is away does not make it unready: logs are
 * taken and wait in the queue, and readers are told at once; the answer names it.
 */
#include "api/internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/check.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "metrics/senders.h"
#include "json/writer.h"

enum {
    BODY_BYTES_MAX = 1 << 20,
    METRICS_TIMEOUT_MS = 500, /* how long /metrics waits for the numbers of the queue */
};

/* ---- The questions ---- */

static void ask_queue(void *ctx, struct probe_answer *answer)
{
    answer->error = queue_check(((struct ops *)ctx)->queue, &answer->detail);
}

static void ask_queue_stats(void *ctx, struct probe_answer *answer)
{
    answer->error = queue_stats(((struct ops *)ctx)->queue, &answer->stats, &answer->detail);
}

static void ask_store(void *ctx, struct probe_answer *answer)
{
    struct store_position ignored;

    answer->error = store_follow_end(((struct ops *)ctx)->store_reader, &ignored, &answer->detail);
}

static void give_up_store(void *ctx)
{
    store_reader_cancel(((struct ops *)ctx)->store_reader);
}

int ops_init(struct ops *ops, struct queue *queue, struct store *store, unsigned ready_timeout_ms,
             struct errbuf *err)
{
    ops->queue = queue;
    ops->ready_timeout_ms = ready_timeout_ms;
    ops->store_reader = store_reader_new(store, err);
    if (!ops->store_reader)
        return LM_EUNAVAILABLE;
    ops->queue_check = probe_new(&(struct probe_options){.ask = ask_queue, .ctx = ops}, err);
    ops->queue_stats = probe_new(&(struct probe_options){.ask = ask_queue_stats, .ctx = ops}, err);
    ops->store_check = probe_new(
        &(struct probe_options){.ask = ask_store, .give_up = give_up_store, .ctx = ops}, err);
    if (ops->queue_check && ops->queue_stats && ops->store_check)
        return 0;
    ops_release(ops);
    return LM_ENOMEM;
}

void ops_release(struct ops *ops)
{
    probe_free(ops->queue_check);
    probe_free(ops->queue_stats);
    probe_free(ops->store_check);
    store_reader_free(ops->store_reader);
}

/* ---- A request that waits for answers, for a bounded time ---- */

enum { INQUIRY_QUESTIONS = 2 };

enum question_state {
    QUESTION_SILENT, /* not asked, or no longer waited for */
    QUESTION_OPEN,
    QUESTION_ANSWERED,
    QUESTION_STATES
};

static const state_moves question_moves[QUESTION_STATES] = {
    [QUESTION_SILENT] = STATE(QUESTION_OPEN),
    [QUESTION_OPEN] = STATE(QUESTION_ANSWERED) | STATE(QUESTION_SILENT),
    [QUESTION_ANSWERED] = 0,
};

struct inquiry {
    struct http_request *req;
    struct api *api;
    void (*respond)(struct inquiry *q);
    uv_timer_t timer;
    unsigned len, open; /* questions, and those of them that are open */
    struct question {
        struct probe *probe;
        struct probe_wait wait;
        enum question_state state;
    } questions[INQUIRY_QUESTIONS];
};

static struct inquiry *inquiry_new(struct http_request *req, struct api_thread *t,
                                   void (*respond)(struct inquiry *q))
{
    struct inquiry *q = xcalloc(1, sizeof(*q));

    q->req = req;
    q->api = t->api;
    q->respond = respond;
    uv_timer_init(t->box.wake.loop, &q->timer);
    q->timer.data = q;
    return q;
}

static void free_inquiry(uv_handle_t *timer)
{
    free(timer->data);
}

static void respond_if_due(struct inquiry *q)
{
    if (q->open > 0)
        return;
    q->respond(q);
    uv_close((uv_handle_t *)&q->timer, free_inquiry);
}

static void question_move(struct inquiry *q, struct question *question, enum question_state to)
{
    CHECK(state_may_move(question_moves, question->state, to));
    q->open += to == QUESTION_OPEN;
    q->open -= question->state == QUESTION_OPEN;
    question->state = to;
}

static void on_answer(struct probe_wait *wait)
{
    struct inquiry *q = wait->ctx;

    for (unsigned i = 0; i < q->len; i++)
        if (&q->questions[i].wait == wait)
            question_move(q, &q->questions[i], QUESTION_ANSWERED);
    respond_if_due(q);
}

/* An answer that is on its way is waited for. */
static void on_time_over(uv_timer_t *timer)
{
    struct inquiry *q = timer->data;

    for (unsigned i = 0; i < q->len; i++) {
        struct question *question = &q->questions[i];

        if (question->state == QUESTION_OPEN && probe_withdraw(question->probe, &question->wait))
            question_move(q, question, QUESTION_SILENT);
    }
    respond_if_due(q);
}

/* One that has long been silent is not waited for. */
static void ask(struct inquiry *q, struct api_thread *t, struct probe *probe, unsigned timeout_ms)
{
    struct question *question = &q->questions[q->len++];

    if (probe_is_silent(probe, timeout_ms * UINT64_C(1000)))
        return;
    question->probe = probe;
    question->wait.answered = on_answer;
    question->wait.ctx = q;
    question->wait.box = &t->box;
    question_move(q, question, QUESTION_OPEN);
    probe_ask(probe, &question->wait);
}

/* After the last `ask`. */
static void await(struct inquiry *q, unsigned timeout_ms)
{
    if (q->open > 0)
        uv_timer_start(&q->timer, on_time_over, timeout_ms, 0);
    else
        respond_if_due(q);
}

static void respond_with(struct inquiry *q, unsigned status, const char *content_type,
                         const struct buffer *body)
{
    if (buffer_error(body))
        answers_refuse(q->req, REFUSED_NO_MEMORY, 0);
    else
        http_respond(q->req, &(struct http_response){.status = status,
                                                     .content_type = content_type,
                                                     .body = buffer_slice(body)});
}

/* ---- GET /health ---- */

void ops_routes_health(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 200,
                                              .body = SLICE_LITERAL("{\"status\":\"ok\"}"),
                                              .body_is_static = true});
}

/* ---- GET /ready ---- */

/* Appends the body, and returns the status. */
static unsigned append_readiness(struct buffer *b, const struct inquiry *q)
{
    const struct question *queue = &q->questions[0], *store = &q->questions[1];
    unsigned timeout_s = q->api->ops.ready_timeout_ms / 1000;

    if (queue->state != QUESTION_ANSWERED) {
        answers_append(b, REFUSED_QUEUE_SILENT, timeout_s);
        return answers_status(REFUSED_QUEUE_SILENT);
    }
    if (queue->wait.answer.error) {
        answers_append_detail(b, queue->wait.answer.detail.text);
        return 503;
    }
    if (store->state != QUESTION_ANSWERED) {
        answers_append(b, REFUSED_STORE_SILENT, timeout_s);
        return answers_status(REFUSED_STORE_SILENT);
    }
    buffer_append_string(b, "{\"status\":\"ready\"");
    if (store->wait.answer.error) {
        buffer_append_string(b, ",\"store\":");
        json_append_string(b, slice_of_string(store->wait.answer.detail.text));
    }
    buffer_append_char(b, '}');
    return 200;
}

static void respond_ready(struct inquiry *q)
{
    struct buffer body;

    buffer_init(&body, BODY_BYTES_MAX);

    unsigned status = append_readiness(&body, q);

    respond_with(q, status, NULL, &body);
    buffer_release(&body);
}

void ops_routes_ready(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct ops *ops = &t->api->ops;
    struct inquiry *q = inquiry_new(req, t, respond_ready);

    ask(q, t, ops->queue_check, ops->ready_timeout_ms);
    ask(q, t, ops->store_check, ops->ready_timeout_ms);
    await(q, ops->ready_timeout_ms);
}

/* ---- GET /metrics ---- */

static void append_http(struct buffer *b, struct http_server *server)
{
    struct http_stats s = {0};

    if (server)
        http_server_stats(server, &s);
    metrics_append_value(b, "logmill_http_connections_open", "gauge", "Open connections.",
                         s.connections_open);
    metrics_append_value(b, "logmill_http_connections_accepted_total", "counter",
                         "Connections accepted.", s.connections_accepted);
    buffer_append_string(b,
                         "# HELP logmill_tls_handshakes_total Handshakes of HTTP's connections.\n"
                         "# TYPE logmill_tls_handshakes_total counter\n");
    buffer_appendf(b, "logmill_tls_handshakes_total{result=\"done\"} %llu\n",
                   (unsigned long long)s.handshakes_done);
    buffer_appendf(b, "logmill_tls_handshakes_total{result=\"failed\"} %llu\n",
                   (unsigned long long)s.handshakes_failed);
    buffer_appendf(b, "logmill_tls_handshakes_total{result=\"timed_out\"} %llu\n",
                   (unsigned long long)s.handshakes_late);
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

static void append_queue(struct buffer *b, const struct question *queue)
{
    const struct queue_stats *s = &queue->wait.answer.stats;
    bool up = queue->state == QUESTION_ANSWERED && !queue->wait.answer.error;

    metrics_append_value(b, "logmill_queue_up", "gauge",
                         "1 where the queue has told the numbers below in time.", up);
    if (!up)
        return;
    metrics_append_value(b, "logmill_queue_depth", "gauge",
                         "Messages that wait or are being worked on.", s->depth);
    if (s->oldest_age_us >= 0) /* else 0 would say that nothing waits */
        metrics_append_value(b, "logmill_queue_oldest_age_microseconds", "gauge",
                             "Age of the oldest of them.", (uint64_t)s->oldest_age_us);
    metrics_append_value(b, "logmill_queue_dead_letters", "gauge", "Dead letters.",
                         s->dead_letters);
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

static void append_reads(struct buffer *b, struct read_scheduler *readers)
{
    static const char *const lanes[] = {[READ_POINT] = "point",
                                        [READ_PAGE] = "page",
                                        [READ_SEARCH] = "search",
                                        [READ_SCAN] = "scan"};
    struct read_counts counts;

    read_scheduler_counts(readers, &counts);
    buffer_append_string(b, "# HELP logmill_reads_waiting Reads that wait for a turn, by lane.\n"
                            "# TYPE logmill_reads_waiting gauge\n");
    for (unsigned lane = 0; lane < READ_LANES; lane++)
        buffer_appendf(b, "logmill_reads_waiting{lane=\"%s\"} %u\n", lanes[lane],
                       counts.waiting[lane]);
    metrics_append_value(b, "logmill_reads_running", "gauge", "Reads that have their turn.",
                         counts.running);
}

/*
 * The queue was asked first: what it no longer holds has been counted by the worker before, so that
 * an empty queue always comes with the counts of all that was in it.
 */
static void respond_metrics(struct inquiry *q)
{
    struct api *api = q->api;
    struct buffer body;

    buffer_init(&body, BODY_BYTES_MAX);
    append_queue(&body, &q->questions[0]);
    metrics_append(&body);
    if (access_sees_all(api->access, q->req)) /* names of keys, and how much each sends */
        senders_append(&body);
    if (api->readers)
        append_reads(&body, api->readers);
    append_ledger(&body, api->ledger);
    append_http(&body, atomic_load(&api->server));
    respond_with(q, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    buffer_release(&body);
}

void ops_routes_metrics(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct inquiry *q = inquiry_new(req, t, respond_metrics);

    ask(q, t, t->api->ops.queue_stats, METRICS_TIMEOUT_MS);
    await(q, METRICS_TIMEOUT_MS);
}
