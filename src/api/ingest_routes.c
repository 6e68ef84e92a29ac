/*
 * POST /log and POST /logs: what a body says it is, its logs on to the ingest, and the answer: at
 * once if they are refused, otherwise when they are durable.
 */
#include "api/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "formats/record_parse.h"
#include "metrics/metrics.h"
#include "record/validation.h"
#include "json/writer.h"

enum {
    ERROR_BODY_BYTES_MAX = 64 << 20, /* ceiling of one list of validation errors */
    SPARE_POSTS_MAX = 256,           /* kept for reuse */
};

/* A request whose logs are on their way. */
struct post {
    struct ingest_ticket ticket;
    struct intake *intake;
    struct post *next_spare;
    struct http_request *req;
    struct uuid id; /* of its last log */
    size_t logs;
    bool is_batch; /* its answer tells their number, not the id */
};

struct intake {
    struct ingest *ingest;
    struct account *account;
    struct record_parser *parser;
    struct buffer errors;
    struct post *spare;
    size_t spare_len;
};

struct intake *ingest_routes_new(struct ingest *in, struct account *account)
{
    struct intake *intake = xcalloc(1, sizeof(*intake));

    intake->ingest = in;
    intake->account = account;
    intake->parser = record_parser_new();
    record_parser_charge(intake->parser, account);
    buffer_init(&intake->errors, ERROR_BODY_BYTES_MAX);
    intake->errors.account = account;
    return intake;
}

void ingest_routes_free(struct intake *intake)
{
    if (!intake)
        return;
    while (intake->spare) {
        struct post *next = intake->spare->next_spare;

        free(intake->spare);
        intake->spare = next;
    }
    record_parser_free(intake->parser);
    buffer_release(&intake->errors);
    free(intake);
}

static void on_done(struct ingest_ticket *ticket, int error);

static struct post *post_new(struct intake *intake, struct http_request *req)
{
    struct post *p = intake->spare;

    if (p) {
        intake->spare = p->next_spare;
        intake->spare_len--;
    } else {
        p = xmalloc(sizeof(*p));
    }
    *p = (struct post){.ticket = {.done = on_done}, .intake = intake, .req = req};
    return p;
}

static void post_free(struct post *p)
{
    struct intake *intake = p->intake;

    if (intake->spare_len == SPARE_POSTS_MAX) {
        free(p);
        return;
    }
    p->next_spare = intake->spare;
    intake->spare = p;
    intake->spare_len++;
}

/* ---- Answers ---- */

static void answer_queued(const struct post *p)
{
    static const char one[] = "{\"status\":\"queued\",\"id\":\"";
    char body[96];
    size_t n;

    if (p->is_batch) {
        n = (size_t)snprintf(body, sizeof(body), "{\"status\":\"queued\",\"accepted\":%zu}",
                             p->logs);
    } else {
        n = sizeof(one) - 1;
        memcpy(body, one, n);
        uuid_format(&p->id, body + n);
        n += UUID_TEXT_LEN;
        memcpy(body + n, "\"}", 2);
        n += 2;
    }
    http_respond(p->req, &(struct http_response){.status = 201, .body = slice_of(body, n)});
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
        answer_queued(p);
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

static void answer_refused(struct intake *intake, struct http_request *req, int error,
                           struct validation *errors)
{
    const struct queue_limits *limits = ingest_limits(intake->ingest);
    bool is_invalid = error == LM_EINVAL;

    if (is_invalid)
        error = validation_finish(errors);
    if (is_invalid && !error) {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        http_respond(req, &(struct http_response){.status = 422, .body_buffer = &intake->errors});
    } else if (error == LM_EDATA) {
        metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
        answers_refuse(req, REFUSED_LOG_TOO_LARGE, RECORD_BYTES_MAX);
    } else if (error == LM_ETOOBIG && !is_invalid) {
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

    p->id = r->key.id;
    return ingest_add(&p->ticket, r);
}

static void take(struct intake *intake, struct http_request *req, enum record_body kind)
{
    struct post *p = post_new(intake, req);
    struct record_parse_counts counts = {0};
    struct validation errors;
    int error;

    ingest_open(intake->ingest, &p->ticket);
    validation_init(&errors, &intake->errors);
    error = record_parse_body(intake->parser, kind, http_request_body(req), add_record, p, &counts,
                              &errors);
    if (error)
        goto refuse;
    p->logs = counts.records;
    p->is_batch = kind != RECORD_BODY_ONE;
    p->ticket.has_room = http_reserve_answer(req);
    error = p->ticket.has_room ? 0 : LM_ENOMEM;
    if (error)
        goto refuse;
    if (p->logs == 0) { /* an empty array: nothing to make durable */
        ingest_cancel(&p->ticket);
        answer_queued(p);
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
    answer_refused(intake, req, error, &errors);
    buffer_release(&intake->errors); /* what is charged is not kept for reuse */
}

/* The media type of `req` without its parameters; data NULL where there is none. */
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

static bool type_is(struct slice type, const char *name)
{
    return slice_equal_ascii_nocase(type, slice_of_string(name));
}

/* application/json and application/…+json, as FastAPI takes them. */
static bool is_json(struct slice type)
{
    static const struct slice application = {"application/", 12};
    static const struct slice suffix = {"+json", 5};

    if (type_is(type, "application/json"))
        return true;
    return type.len >= application.len + suffix.len &&
           slice_equal_ascii_nocase(slice_of(type.data, application.len), application) &&
           slice_equal_ascii_nocase(slice_of(type.data + type.len - suffix.len, suffix.len),
                                    suffix);
}

static bool is_ndjson(struct slice type)
{
    return type_is(type, "application/x-ndjson") || type_is(type, "application/ndjson") ||
           type_is(type, "application/jsonl") || type_is(type, "application/x-jsonlines");
}

/*
 * A body that does not say it is JSON is a plain text to FastAPI, and a text is no log: the answer
 * is its answer, with the text as the input.
 */
static void refuse_type(struct intake *intake, struct http_request *req, const char *type,
                        const char *msg)
{
    static const struct validation_step body_step = {.name = {"body", 4}};
    struct account *account = intake->account;
    struct slice body = http_request_body(req);
    struct buffer out = {.ceiling = 8 * body.len + 1024, .account = account};
    struct buffer input = {.ceiling = 6 * body.len + 2, .account = account};
    struct validation errors;
    int error;

    if (utf8_valid(body))
        json_append_string(&input, body);
    validation_init(&errors, &out);
    validation_add(&errors, &(struct validation_entry){.type = type,
                                                       .loc = &body_step,
                                                       .loc_len = 1,
                                                       .msg = slice_of_string(msg),
                                                       .input = buffer_slice(&input)});
    error = validation_finish(&errors);
    if (buffer_error(&input))
        error = buffer_error(&input);
    if (error) {
        answer_overload(req, error);
    } else {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        buffer_release(&input);
        http_respond(req, &(struct http_response){.status = 422, .body_buffer = &out});
    }
    buffer_release(&input);
    buffer_release(&out);
}

void ingest_routes_post_log(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;

    if (http_request_body(req).len > 0 && !is_json(media_type(req)))
        refuse_type(t->intake, req, "model_attributes_type",
                    "Input should be a valid dictionary or object to extract fields from");
    else
        take(t->intake, req, RECORD_BODY_ONE);
}

void ingest_routes_post_logs(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct slice type = media_type(req);

    if (is_ndjson(type))
        take(t->intake, req, RECORD_BODY_NDJSON);
    else if (http_request_body(req).len > 0 && !is_json(type))
        refuse_type(t->intake, req, "list_type", "Input should be a valid list");
    else
        take(t->intake, req, RECORD_BODY_ARRAY);
}
