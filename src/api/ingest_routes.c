/* POST /log and POST /logs: what a body says it is, and on to the ingest. */
#include "api/internal.h"

#include "record/validation.h"
#include "metrics/metrics.h"
#include "json/writer.h"

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
static void refuse_type(struct api_thread *t, struct http_request *req, const char *type,
                        const char *msg)
{
    static const struct validation_step body_step = {.name = {"body", 4}};
    struct account *account = ledger_account(&t->api->ledger, LEDGER_INTAKE);
    struct slice body = http_request_body(req);
    struct buffer out = {.ceiling = 8 * body.len + 1024, .account = account};
    struct buffer input = {.ceiling = 6 * body.len + 2, .account = account};
    struct validation errors;

    if (utf8_valid(body))
        json_append_string(&input, body);
    validation_init(&errors, &out);
    validation_add(&errors, &(struct validation_entry){.type = type,
                                                       .loc = &body_step,
                                                       .loc_len = 1,
                                                       .msg = slice_of_string(msg),
                                                       .input = buffer_slice(&input)});
    if (buffer_error(&input) || validation_finish(&errors)) {
        metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
        http_respond_error(req, 503, "too much is in flight: not accepted, try again later");
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
        refuse_type(t, req, "model_attributes_type",
                    "Input should be a valid dictionary or object to extract fields from");
    else
        ingest_request(t->ingest, req, RECORD_BODY_ONE);
}

void ingest_routes_post_logs(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct slice type = media_type(req);

    if (is_ndjson(type))
        ingest_request(t->ingest, req, RECORD_BODY_NDJSON);
    else if (http_request_body(req).len > 0 && !is_json(type))
        refuse_type(t, req, "list_type", "Input should be a valid list");
    else
        ingest_request(t->ingest, req, RECORD_BODY_ARRAY);
}
