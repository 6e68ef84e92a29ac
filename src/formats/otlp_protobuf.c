/*
 * Fields come in any order: the Collector writes scopes before their resource, and the value of an
 * attribute before its name. So each message of which others depend is read twice.
 */
#include "formats/otlp_protobuf.h"

#include "formats/protobuf.h"

#define BYTES(number) PROTOBUF_KEY(number, PROTOBUF_BYTES)
#define VARINT(number) PROTOBUF_KEY(number, PROTOBUF_VARINT)
#define FIXED64(number) PROTOBUF_KEY(number, PROTOBUF_FIXED64)
#define FIXED32(number) PROTOBUF_KEY(number, PROTOBUF_FIXED32)

/* Fields by their message, as opentelemetry-proto 1.9 numbers them. */
enum {
    REQUEST_RESOURCE_LOGS = BYTES(1),

    RESOURCE_LOGS_RESOURCE = BYTES(1),
    RESOURCE_LOGS_SCOPE_LOGS = BYTES(2),

    RESOURCE_ATTRIBUTES = BYTES(1),

    SCOPE_LOGS_SCOPE = BYTES(1),
    SCOPE_LOGS_LOG_RECORDS = BYTES(2),

    SCOPE_NAME = BYTES(1),
    SCOPE_VERSION = BYTES(2),
    SCOPE_ATTRIBUTES = BYTES(3),

    LOG_TIME = FIXED64(1),
    LOG_SEVERITY_NUMBER = VARINT(2),
    LOG_SEVERITY_TEXT = BYTES(3),
    LOG_BODY = BYTES(5),
    LOG_ATTRIBUTES = BYTES(6),
    LOG_DROPPED_ATTRIBUTES = VARINT(7),
    LOG_FLAGS = FIXED32(8),
    LOG_TRACE_ID = BYTES(9),
    LOG_SPAN_ID = BYTES(10),
    LOG_OBSERVED_TIME = FIXED64(11),
    LOG_EVENT_NAME = BYTES(12),

    ANY_STRING = BYTES(1),
    ANY_BOOL = VARINT(2),
    ANY_INT = VARINT(3),
    ANY_DOUBLE = FIXED64(4),
    ANY_ARRAY = BYTES(5),
    ANY_KVLIST = BYTES(6),
    ANY_BYTES = BYTES(7),

    LIST_VALUES = BYTES(1), /* of ArrayValue and KeyValueList */

    KEY_VALUE_KEY = BYTES(1),
    KEY_VALUE_VALUE = BYTES(2),
};

/* 0 if the message has been read to its end. */
static int end_of(struct otlp_request *r, const struct protobuf *p)
{
    return p->error ? errbuf_fail(&r->why, LM_EINVAL, "not OTLP's protobuf: %s", p->error) : 0;
}

/* ---- Values ---- */

/* What an AnyValue holds: of several the last counts. Without a key it is null. */
static int read_any(struct otlp_request *r, struct slice message, struct protobuf_field *value)
{
    struct protobuf p;
    struct protobuf_field f;

    *value = (struct protobuf_field){.key = 0};
    protobuf_begin(&p, message);
    while (protobuf_next(&p, &f)) {
        switch (f.key) {
        case ANY_STRING:
        case ANY_BOOL:
        case ANY_INT:
        case ANY_DOUBLE:
        case ANY_ARRAY:
        case ANY_KVLIST:
        case ANY_BYTES:
            *value = f;
            break;
        default:
            break;
        }
    }
    return end_of(r, &p);
}

static int append_any(struct otlp_request *r, struct slice name, struct slice message);

static int read_key_value(struct otlp_request *r, struct slice message, struct slice *key,
                          struct slice *value)
{
    struct protobuf p;
    struct protobuf_field f;

    *key = *value = (struct slice){NULL, 0};
    protobuf_begin(&p, message);
    while (protobuf_next(&p, &f)) {
        if (f.key == KEY_VALUE_KEY)
            *key = f.bytes;
        else if (f.key == KEY_VALUE_VALUE)
            *value = f.bytes;
    }
    return end_of(r, &p);
}

static int append_key_value(struct otlp_request *r, struct slice message)
{
    struct slice key, value;
    int error = read_key_value(r, message, &key, &value);

    return error ? error : append_any(r, key, value);
}

static int append_list(struct otlp_request *r, struct slice name, const struct protobuf_field *list)
{
    bool is_array = list->key == ANY_ARRAY;
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    record_draft_open(r->draft, name, is_array ? RECORD_DRAFT_ARRAY : RECORD_DRAFT_OBJECT);
    protobuf_begin(&p, list->bytes);
    while (!error && !r->draft->error && protobuf_next(&p, &f)) {
        if (f.key != LIST_VALUES)
            continue;
        error = is_array ? append_any(r, (struct slice){NULL, 0}, f.bytes)
                         : append_key_value(r, f.bytes);
    }
    record_draft_close(r->draft);
    return error ? error : end_of(r, &p);
}

/* Recursive, up to RECORD_DEPTH_MAX: past that the draft is wrong, and no more is read. */
static int append_any(struct otlp_request *r, struct slice name, struct slice message)
{
    struct protobuf_field value;
    int error = read_any(r, message, &value);

    if (error || r->draft->error)
        return error;
    switch (value.key) {
    case ANY_STRING:
        record_draft_text(r->draft, name, value.bytes);
        break;
    case ANY_BOOL:
        record_draft_bool(r->draft, name, value.value != 0);
        break;
    case ANY_INT:
        record_draft_integer(r->draft, name, (int64_t)value.value);
        break;
    case ANY_DOUBLE:
        record_draft_double(r->draft, name, protobuf_double(value.value));
        break;
    case ANY_ARRAY:
    case ANY_KVLIST:
        return append_list(r, name, &value);
    case ANY_BYTES:
        otlp_bytes(r, name, value.bytes);
        break;
    default:
        record_draft_null(r->draft, name);
        break;
    }
    return 0;
}

/* Those of `message` whose field is `key`. */
static int append_attributes(struct otlp_request *r, struct slice message, uint32_t key)
{
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f))
        if (f.key == key)
            error = append_key_value(r, f.bytes);
    return error ? error : end_of(r, &p);
}

/* ---- A log ---- */

/* The text of a KeyValueList that is its message; empty if there is none. */
static struct slice find_message(struct otlp_request *r, struct slice list)
{
    struct slice key, value;
    struct protobuf p;
    struct protobuf_field f, any;

    protobuf_begin(&p, list);
    while (protobuf_next(&p, &f))
        if (f.key == LIST_VALUES && !read_key_value(r, f.bytes, &key, &value) &&
            otlp_is_message(key) && !read_any(r, value, &any) && any.key == ANY_STRING)
            return any.bytes;
    return (struct slice){NULL, 0};
}

static int read_body(struct otlp_request *r, struct slice message, struct slice *text)
{
    struct protobuf_field value;
    int error = read_any(r, message, &value);

    if (error || value.key == 0)
        return error;
    if (value.key == ANY_STRING) {
        *text = value.bytes;
        return 0;
    }
    size_t began = otlp_body(r);
    error = append_any(r, otlp_body_name(r), message);
    if (value.key == ANY_KVLIST)
        *text = find_message(r, value.bytes);
    if (!text->len)
        *text = otlp_body_end(r, began);
    return error;
}

static int read_log(struct otlp_request *r, struct slice message)
{
    struct otlp_log log = {0};
    struct slice body = {NULL, 0}, trace_id = {NULL, 0}, span_id = {NULL, 0};
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    otlp_log(r);
    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f)) {
        switch (f.key) {
        case LOG_TIME:
            log.time_ns = f.value;
            break;
        case LOG_SEVERITY_NUMBER:
            log.severity_number = (int64_t)f.value;
            break;
        case LOG_SEVERITY_TEXT:
            log.severity_text = f.bytes;
            break;
        case LOG_BODY:
            body = f.bytes;
            break;
        case LOG_ATTRIBUTES:
            error = append_key_value(r, f.bytes);
            break;
        case LOG_DROPPED_ATTRIBUTES:
            log.dropped_attributes = f.value;
            break;
        case LOG_FLAGS:
            log.flags = f.value;
            break;
        case LOG_TRACE_ID:
            trace_id = f.bytes;
            break;
        case LOG_SPAN_ID:
            span_id = f.bytes;
            break;
        case LOG_OBSERVED_TIME:
            log.observed_ns = f.value;
            break;
        case LOG_EVENT_NAME:
            log.event_name = f.bytes;
            break;
        default:
            break;
        }
    }
    if (!error)
        error = end_of(r, &p);
    otlp_id(r, "trace_id", trace_id);
    otlp_id(r, "span_id", span_id);
    if (!error)
        error = read_body(r, body, &log.message);
    return error ? error : otlp_log_end(r, &log);
}

/* ---- Scopes and resources ---- */

static int append_scope(struct otlp_request *r, struct slice message, struct slice *name,
                        struct slice *version)
{
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f)) {
        if (f.key == SCOPE_NAME)
            *name = f.bytes;
        else if (f.key == SCOPE_VERSION)
            *version = f.bytes;
        else if (f.key == SCOPE_ATTRIBUTES)
            error = append_key_value(r, f.bytes);
    }
    return error ? error : end_of(r, &p);
}

/* The scope of `message`, a ScopeLogs: what its logs begin with. */
static int read_scope(struct otlp_request *r, struct slice message)
{
    struct slice name = {NULL, 0}, version = {NULL, 0};
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    otlp_scope(r);
    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f))
        if (f.key == SCOPE_LOGS_SCOPE)
            error = append_scope(r, f.bytes, &name, &version);
    return error ? error : otlp_scope_end(r, name, version);
}

static int read_scope_logs(struct otlp_request *r, struct slice message)
{
    struct protobuf p;
    struct protobuf_field f;
    int error = read_scope(r, message);

    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f))
        if (f.key == SCOPE_LOGS_LOG_RECORDS)
            error = read_log(r, f.bytes);
    return error ? error : end_of(r, &p);
}

static int read_resource_logs(struct otlp_request *r, struct slice message)
{
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    otlp_resource(r);
    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f))
        if (f.key == RESOURCE_LOGS_RESOURCE)
            error = append_attributes(r, f.bytes, RESOURCE_ATTRIBUTES);
    if (!error)
        error = otlp_resource_end(r);
    protobuf_begin(&p, message);
    while (!error && protobuf_next(&p, &f))
        if (f.key == RESOURCE_LOGS_SCOPE_LOGS)
            error = read_scope_logs(r, f.bytes);
    return error ? error : end_of(r, &p);
}

/* Looks at the time of a log; `ctx` is a struct otlp_request. */
static bool look(void *ctx, struct slice log)
{
    uint64_t time_ns = 0, observed_ns = 0;
    struct protobuf p;
    struct protobuf_field f;

    protobuf_begin(&p, log);
    while (protobuf_next(&p, &f)) {
        if (f.key == LOG_TIME)
            time_ns = f.value;
        else if (f.key == LOG_OBSERVED_TIME)
            observed_ns = f.value;
    }
    return otlp_look(ctx, time_ns ? time_ns : observed_ns);
}

int otlp_protobuf_read(struct otlp_request *r, struct slice body)
{
    static const uint32_t path[] = {REQUEST_RESOURCE_LOGS, RESOURCE_LOGS_SCOPE_LOGS,
                                    SCOPE_LOGS_LOG_RECORDS, 0};
    struct protobuf p;
    struct protobuf_field f;
    int error = 0;

    repeats_begin(&r->repeats, body);
    (void)protobuf_each(body, path, look, r);
    protobuf_begin(&p, body);
    while (!error && protobuf_next(&p, &f))
        if (f.key == REQUEST_RESOURCE_LOGS)
            error = read_resource_logs(r, f.bytes);
    return error ? error : end_of(r, &p);
}
