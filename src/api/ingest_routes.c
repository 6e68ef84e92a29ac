/*
 * POST /log and POST /logs: what a body says it is, its logs on to the ingest, and the answer: at
 * once if they are refused, otherwise when they are durable.
 */
#include "api/internal.h"

#include <assert.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "formats/fastapi.h"
#include "metrics/metrics.h"
#include "record/limits.h"

enum {
    WRONG_BYTES_MAX = 64 << 20, /* of an answer that tells what is wrong with a body */
    SPARE_POSTS_MAX = 256,      /* kept for reuse */
};

/* A request whose logs are on their way. */
struct post {
    struct ingest_ticket ticket;
    struct ingest_routes *routes;
    struct post *next_spare;
    struct http_request *req;
    const struct format *format;
    struct format_taken taken;
};

static_assert((int)FORMAT_ANSWER_BYTES <= (int)HTTP_RESERVED_BODY_BYTES,
              "what is reserved is enough for the answer");

struct ingest_routes {
    struct ingest *ingest;
    struct account *account;
    void *memory; /* of the formats */
    struct buffer wrong;
    struct post *spare;
    size_t spare_len;
};

struct ingest_routes *ingest_routes_new(struct ingest *in, struct account *account)
{
    struct ingest_routes *routes = xcalloc(1, sizeof(*routes));

    routes->ingest = in;
    routes->account = account;
    routes->memory = fastapi_log.memory_new(account);
    buffer_init(&routes->wrong, WRONG_BYTES_MAX);
    routes->wrong.account = account;
    return routes;
}

void ingest_routes_free(struct ingest_routes *routes)
{
    if (!routes)
        return;
    while (routes->spare) {
        struct post *next = routes->spare->next_spare;

        free(routes->spare);
        routes->spare = next;
    }
    fastapi_log.memory_free(routes->memory);
    buffer_release(&routes->wrong);
    free(routes);
}

static void on_done(struct ingest_ticket *ticket, int error);

static struct post *post_new(struct ingest_routes *routes, struct http_request *req,
                             const struct format *format)
{
    struct post *p = routes->spare;

    if (p) {
        routes->spare = p->next_spare;
        routes->spare_len--;
    } else {
        p = xmalloc(sizeof(*p));
    }
    *p = (struct post){.ticket = {.done = on_done}, .routes = routes, .req = req, .format = format};
    return p;
}

static void post_free(struct post *p)
{
    struct ingest_routes *routes = p->routes;

    if (routes->spare_len == SPARE_POSTS_MAX) {
        free(p);
        return;
    }
    p->next_spare = routes->spare;
    routes->spare = p;
    routes->spare_len++;
}

/* ---- Answers ---- */

static void answer_taken(const struct post *p)
{
    char room[FORMAT_ANSWER_BYTES];
    struct buffer body;

    buffer_init_over(&body, room, sizeof(room));

    struct format_answer answer = p->format->answer(&p->taken, &body);
    http_respond(p->req, &(struct http_response){.status = answer.status,
                                                 .content_type = answer.content_type,
                                                 .body = buffer_slice(&body)});
}

/* A queue that was not heard of in time may have the logs all the same. */
static enum refusal refusal_of(int error)
{
    switch (error) {
    case LM_EDATA:
        return REFUSED_QUEUE_CONTENT;
    case LM_EFULL:
        return REFUSED_QUEUE_NO_SPACE;
    case LM_EBUSY:
        return REFUSED_QUEUE_FULL;
    case LM_ETIMEOUT:
    case LM_EUNAVAILABLE:
    case LM_ESTOPPED:
        return REFUSED_QUEUE_UNCONFIRMED;
    default:
        return REFUSED_QUEUE_FAILED;
    }
}

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct post *p = container_of(ticket, struct post, ticket);

    if (!error)
        answer_taken(p);
    else
        answers_refuse(p->req, refusal_of(error), 0);
    post_free(p);
}

/* There is no memory (LM_ENOMEM), or no room in the ledger. */
static void answer_overload(struct http_request *req, int error)
{
    metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
    answers_refuse(req, error == LM_ENOMEM ? REFUSED_NO_MEMORY : REFUSED_INTAKE_FULL, 0);
}

static void answer_refused(struct ingest_routes *routes, struct http_request *req,
                           const struct format *format, int error)
{
    const struct queue_limits *limits = ingest_limits(routes->ingest);

    if (error == LM_EINVAL) {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        http_respond(req, &(struct http_response){.status = format->refusal.status,
                                                  .content_type = format->refusal.content_type,
                                                  .body_buffer = &routes->wrong});
    } else if (error == LM_EDATA) {
        metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
        answers_refuse(req, REFUSED_LOG_TOO_LARGE, RECORD_BYTES_MAX);
    } else if (error == LM_ETOOBIG) {
        metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
        answers_refuse(req,
                       limits->atomic_send ? REFUSED_MESSAGE_TOO_LARGE : REFUSED_MESSAGES_TOO_LARGE,
                       limits->max_message_bytes);
    } else {
        answer_overload(req, error);
    }
}

/* ---- Taking logs ---- */

static int add_record(const struct record *r, void *ctx)
{
    struct post *p = ctx;

    p->taken.last_id = r->key.id;
    return ingest_add(&p->ticket, r);
}

static void take(struct ingest_routes *routes, struct http_request *req,
                 const struct format *format)
{
    struct post *p = post_new(routes, req, format);
    struct format_options options = {.memory = routes->memory, .wrong = &routes->wrong};
    struct format_counts counts = {0};
    int error;

    ingest_open(routes->ingest, &p->ticket);
    error = format->parse(http_request_body(req), &options, add_record, p, &counts);
    if (error)
        goto refuse;
    p->taken.records = counts.records;
    p->ticket.has_room = http_reserve_answer(req);
    error = p->ticket.has_room ? 0 : LM_ENOMEM;
    if (error)
        goto refuse;
    if (counts.records == 0) { /* an empty array: nothing to make durable */
        ingest_cancel(&p->ticket);
        answer_taken(p);
        post_free(p);
        return;
    }
    error = ingest_commit(&p->ticket);
    if (error)
        goto refuse;
    if (counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, counts.nul_characters);
    return;
refuse:
    ingest_cancel(&p->ticket);
    post_free(p);
    answer_refused(routes, req, format, error);
    buffer_release(&routes->wrong); /* what is charged is not kept for reuse */
}

/* The media type of `req` without its parameters; data NULL if there is none. */
static struct slice media_type(const struct http_request *req)
{
    struct slice type = http_request_header(req, "content-type");
    const char *end = type.len ? memchr(type.data, ';', type.len) : NULL;

    if (end)
        type.len = (size_t)(end - type.data);
    while (type.len && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t'))
        type.len--;
    return type;
}

/* A body of a type that is none of the formats' is wrong. */
static void refuse_type(struct ingest_routes *routes, struct http_request *req,
                        const struct format *format)
{
    struct slice body = http_request_body(req);
    struct buffer wrong = {.ceiling = 8 * body.len + 1024, .account = routes->account};

    int error = fastapi_refuse_text(format, body, &wrong);

    if (error) {
        answer_overload(req, error);
    } else {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        http_respond(
            req, &(struct http_response){.status = format->refusal.status, .body_buffer = &wrong});
    }
    buffer_release(&wrong);
}

/* `formats`: those of the route, and NULL; `usual` is that of an empty body, and refuses what is of
 * no type of theirs. */
static void post(struct http_request *req, struct api_thread *t,
                 const struct format *const *formats, const struct format *usual)
{
    const struct format *format = format_find(formats, media_type(req));

    if (!format && http_request_body(req).len > 0)
        refuse_type(t->routes, req, usual);
    else
        take(t->routes, req, format ? format : usual);
}

void ingest_routes_post_log(struct http_request *req, void *thread)
{
    static const struct format *const formats[] = {&fastapi_log, NULL};

    post(req, thread, formats, &fastapi_log);
}

void ingest_routes_post_logs(struct http_request *req, void *thread)
{
    static const struct format *const formats[] = {&fastapi_logs, &fastapi_lines, NULL};

    post(req, thread, formats, &fastapi_logs);
}
