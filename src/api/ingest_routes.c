/* POST /log and POST /logs: FastAPI's, and what is our own beside them. */
#include "api/intake.h"
#include "api/internal.h"

#include "answers/answers.h"
#include "formats/fastapi.h"
#include "formats/jsonline.h"
#include "http/query_string.h"

/* A body of a type that is none of the formats' is wrong: a text to FastAPI. */
static void refuse_type(struct account *account, struct http_request *req,
                        const struct format *format)
{
    struct slice body = http_request_body(req);
    struct buffer wrong = {.ceiling = 8 * body.len + 1024, .account = account};

    int error = fastapi_refuse_text(format, body, &wrong);

    if (error) {
        metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
        metrics_receive(PROTOCOL_LOGMILL, METRIC_REFUSED_OVERLOAD, 1);
        answers_refuse(req, error == LM_ENOMEM ? REFUSED_NO_MEMORY : REFUSED_INTAKE_FULL, 0);
    } else {
        metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
        metrics_receive(PROTOCOL_LOGMILL, METRIC_REFUSED_INVALID, 1);
        http_respond(
            req, &(struct http_response){.status = format->refusal.status, .body_buffer = &wrong});
    }
    buffer_release(&wrong);
}

static void post(struct http_request *req, struct api_thread *t, const struct intake_way *way)
{
    const struct format *format = intake_format(req, way);

    if (!format && http_request_body(req).len > 0)
        refuse_type(ledger_account(t->api->ledger, LEDGER_INTAKE), req, way->usual);
    else
        intake_take(t->intake, req, way, format ? format : way->usual);
}

/* ?format=auto: JSON of somebody's own, whatever type it is said to be. */
static bool asks_auto(const struct http_request *req)
{
    struct slice query = http_request_query(req);
    struct query_string parameters;

    if (query.len == 0)
        return false;

    int error = query_string_parse(&parameters, query);
    bool is_auto =
        !error && slice_equal(query_string_last(&parameters, "format"), SLICE_LITERAL("auto"));

    query_string_release(&parameters);
    return is_auto;
}

void ingest_routes_post_log(struct http_request *req, void *thread)
{
    static const struct format *const formats[] = {&fastapi_log, NULL};
    static const struct intake_way way = {PROTOCOL_LOGMILL, formats, &fastapi_log};

    post(req, thread, &way);
}

void ingest_routes_post_logs(struct http_request *req, void *thread)
{
    static const struct format *const formats[] = {&fastapi_logs, &fastapi_lines, NULL};
    static const struct intake_way way = {PROTOCOL_LOGMILL, formats, &fastapi_logs};
    static const struct format *const foreign[] = {&jsonline_auto, NULL};
    static const struct intake_way way_auto = {PROTOCOL_LOGMILL, foreign, &jsonline_auto};
    struct api_thread *t = thread;

    if (asks_auto(req))
        intake_take(t->intake, req, &way_auto, &jsonline_auto);
    else
        post(req, thread, &way);
}
