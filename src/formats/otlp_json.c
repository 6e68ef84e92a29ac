/*
 * Names are lowerCamelCase, ids hexadecimal, whole numbers of 64 bits a text or a number: senders
 * write either. A member that is null is none, one that is not known is left out.
 */
#include "formats/otlp_json.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/hex.h"
#include "json/error.h"
#include "json/writer.h"

enum {
    /* AnyValues are three levels each: {"kvlistValue":{"values":[…; a request is six. */
    DEPTH_MAX = 3 * RECORD_DEPTH_MAX + 8,
    NUMBER_TEXT_MAX = 40,
};

static int fail(struct otlp_request *r, const char *name, const char *what)
{
    return errbuf_fail(&r->why, LM_EINVAL, "%s is no %s", name, what);
}

/* ---- Members ---- */

/* The member of an object; NULL if there is none, and if it is null. */
static yyjson_val *member(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_null(value) ? NULL : value;
}

/*
 * Puts the members of an object where their names are: values[i] is that of names[i], as member()
 * has it. Objects are walked once, however many members are asked for.
 */
static void find_members(yyjson_val *object, const char *const names[], size_t len,
                         yyjson_val *values[])
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (size_t i = 0; i < len; i++)
        values[i] = NULL;
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        size_t i = 0;

        while (i < len && !yyjson_equals_str(key, names[i]))
            i++;
        if (i < len && !values[i])
            values[i] = yyjson_obj_iter_get_val(key);
    }
    for (size_t i = 0; i < len; i++)
        values[i] = yyjson_is_null(values[i]) ? NULL : values[i];
}

static int get_text(struct otlp_request *r, yyjson_val *value, const char *name, struct slice *text)
{
    if (value && !yyjson_is_str(value))
        return fail(r, name, "text");
    *text = json_text(value);
    return 0;
}

/* A whole number, or the text of one. */
static int get_unsigned(struct otlp_request *r, yyjson_val *value, const char *name,
                        uint64_t *number)
{
    struct slice text = json_text(value);

    *number = 0;
    if (!value)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');

        if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
            return fail(r, name, "number from 0 on");
        *number = *number * 10 + digit;
    }
    return text.len ? 0 : fail(r, name, "number from 0 on");
}

/* The items of an array, which may be left out. */
static int get_array(struct otlp_request *r, yyjson_val *value, const char *name,
                     yyjson_arr_iter *items)
{
    *items = (yyjson_arr_iter){0};
    if (value && !yyjson_is_arr(value))
        return fail(r, name, "array");
    if (value)
        *items = yyjson_arr_iter_with(value);
    return 0;
}

/* ---- Values ---- */

static int append_any(struct otlp_request *r, struct slice name, yyjson_val *any);

static bool is_whole_number(struct slice text)
{
    size_t sign = text.len > 0 && text.data[0] == '-';

    for (size_t i = sign; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len > sign && (text.data[sign] != '0' || text.len == sign + 1);
}

static int append_int(struct otlp_request *r, struct slice name, yyjson_val *value)
{
    struct slice text = json_text(value);

    if (!yyjson_is_raw(value) && !(yyjson_is_str(value) && is_whole_number(text)))
        return fail(r, "intValue", "whole number");
    record_draft_number(r->draft, name, text);
    return 0;
}

/* JSON has no number for NaN and Infinity, which are texts. */
static int append_double(struct otlp_request *r, struct slice name, yyjson_val *value)
{
    struct slice text = json_text(value);
    char copy[NUMBER_TEXT_MAX];
    char *end = copy;

    if (yyjson_is_raw(value)) {
        record_draft_number(r->draft, name, text);
        return 0;
    }
    if (!yyjson_is_str(value) || text.len == 0 || text.len >= sizeof(copy))
        return fail(r, "doubleValue", "number");
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    double number = strtod(copy, &end);
    if (end != copy + text.len)
        return fail(r, "doubleValue", "number");
    record_draft_double(r->draft, name, number);
    return 0;
}

static int append_key_value(struct otlp_request *r, yyjson_val *key_value)
{
    static const char *const names[] = {"key", "value"};
    struct slice key = {NULL, 0};
    yyjson_val *values[2];

    find_members(key_value, names, 2, values);
    int error = get_text(r, values[0], "key", &key);
    if (!error && !yyjson_is_obj(key_value))
        error = fail(r, "an attribute", "object of key and value");
    return error ? error : append_any(r, key, values[1]);
}

static int append_list(struct otlp_request *r, struct slice name, yyjson_val *list, bool is_array)
{
    yyjson_arr_iter items;
    int error = get_array(r, member(list, "values"), "values", &items);

    record_draft_open(r->draft, name, is_array ? RECORD_DRAFT_ARRAY : RECORD_DRAFT_OBJECT);
    for (yyjson_val *item; !error && !r->draft->error && (item = yyjson_arr_iter_next(&items));)
        error = is_array ? append_any(r, (struct slice){NULL, 0}, item) : append_key_value(r, item);
    record_draft_close(r->draft);
    return error;
}

enum any { ANY_STRING, ANY_INT, ANY_BOOL, ANY_DOUBLE, ANY_ARRAY, ANY_LIST, ANY_BYTES, ANY_KINDS };

static const char *const any_names[ANY_KINDS] = {
    [ANY_STRING] = "stringValue", [ANY_INT] = "intValue",     [ANY_BOOL] = "boolValue",
    [ANY_DOUBLE] = "doubleValue", [ANY_ARRAY] = "arrayValue", [ANY_LIST] = "kvlistValue",
    [ANY_BYTES] = "bytesValue",
};

/* Recursive, up to RECORD_DEPTH_MAX: past that the draft is wrong, and no more is read. Of several
 * members the first of the kinds counts. */
static int append_any(struct otlp_request *r, struct slice name, yyjson_val *any)
{
    yyjson_val *values[ANY_KINDS];
    size_t kind = 0;

    if (any && !yyjson_is_obj(any))
        return fail(r, "a value", "object like {\"stringValue\":\"…\"}");
    find_members(any, any_names, ANY_KINDS, values);
    while (kind < ANY_KINDS && !values[kind])
        kind++;
    switch (kind) {
    case ANY_STRING:
    case ANY_BYTES: /* as otlp_bytes writes it */
        if (!yyjson_is_str(values[kind]))
            return fail(r, any_names[kind], kind == ANY_BYTES ? "text in base64" : "text");
        record_draft_json(r->draft, name, values[kind]);
        return 0;
    case ANY_INT:
        return append_int(r, name, values[kind]);
    case ANY_BOOL:
        if (!yyjson_is_bool(values[kind]))
            return fail(r, any_names[kind], "true or false");
        record_draft_bool(r->draft, name, yyjson_is_true(values[kind]));
        return 0;
    case ANY_DOUBLE:
        return append_double(r, name, values[kind]);
    case ANY_ARRAY:
    case ANY_LIST:
        return append_list(r, name, values[kind], kind == ANY_ARRAY);
    default:
        record_draft_null(r->draft, name);
        return 0;
    }
}

static int append_attributes(struct otlp_request *r, yyjson_val *attributes)
{
    yyjson_arr_iter items;
    int error = get_array(r, attributes, "attributes", &items);

    for (yyjson_val *item; !error && (item = yyjson_arr_iter_next(&items));)
        error = append_key_value(r, item);
    return error;
}

/* ---- A log ---- */

static void append_hex(struct buffer *bytes, struct slice text)
{
    for (size_t i = 0; i + 1 < text.len; i += 2) {
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);

        if (high < 0 || low < 0)
            return;
        buffer_append_char(bytes, (char)(high << 4 | low));
    }
}

/* An id of `len` bytes, in hexadecimal or, as some senders have it, in base64. */
static int append_id(struct otlp_request *r, yyjson_val *value, const char *member_name,
                     const char *name, size_t len)
{
    struct buffer *bytes = &r->memory->body; /* which is not in use as yet */
    struct slice text = {NULL, 0};
    int error = get_text(r, value, member_name, &text);

    if (error || text.len == 0)
        return error;
    buffer_clear(bytes);
    if (text.len == 2 * len)
        append_hex(bytes, text);
    else
        error = base64_append_decoded(bytes, text);
    if (buffer_error(bytes))
        return buffer_error(bytes);
    if (error || bytes->len != len)
        return fail(r, member_name, len == 16 ? "32 hexadecimal digits" : "16 hexadecimal digits");
    otlp_id(r, name, buffer_slice(bytes));
    return 0;
}

/* The text of a kvlistValue that is its message; empty if there is none. */
static struct slice find_message(yyjson_val *list)
{
    yyjson_arr_iter items = yyjson_arr_iter_with(member(list, "values"));

    for (yyjson_val *item; (item = yyjson_arr_iter_next(&items));) {
        yyjson_val *text = member(member(item, "value"), "stringValue");

        if (yyjson_is_str(text) && otlp_is_message(json_text(member(item, "key"))))
            return json_text(text);
    }
    return (struct slice){NULL, 0};
}

static int read_body(struct otlp_request *r, yyjson_val *any, struct slice *text)
{
    yyjson_val *string = member(any, "stringValue");

    if (yyjson_is_str(string)) {
        *text = json_text(string);
        return 0;
    }
    if (!any || (yyjson_is_obj(any) && yyjson_obj_size(any) == 0))
        return 0;
    size_t began = otlp_body(r);
    int error = append_any(r, otlp_body_name(r), any);
    *text = find_message(member(any, "kvlistValue"));
    if (!text->len)
        *text = otlp_body_end(r, began);
    return error;
}

enum member {
    TIME,
    OBSERVED,
    SEVERITY_NUMBER,
    SEVERITY_TEXT,
    BODY,
    ATTRIBUTES,
    TRACE_ID,
    SPAN_ID,
    FLAGS,
    DROPPED,
    EVENT_NAME,
    MEMBERS
};

static const char *const member_names[MEMBERS] = {
    [TIME] = "timeUnixNano",
    [OBSERVED] = "observedTimeUnixNano",
    [SEVERITY_NUMBER] = "severityNumber",
    [SEVERITY_TEXT] = "severityText",
    [BODY] = "body",
    [ATTRIBUTES] = "attributes",
    [TRACE_ID] = "traceId",
    [SPAN_ID] = "spanId",
    [FLAGS] = "flags",
    [DROPPED] = "droppedAttributesCount",
    [EVENT_NAME] = "eventName",
};

static int read_log(struct otlp_request *r, yyjson_val *value)
{
    struct otlp_log log = {0};
    yyjson_val *of[MEMBERS];
    int error;

    if (!yyjson_is_obj(value))
        return fail(r, "a log", "object");
    otlp_log(r);
    find_members(value, member_names, MEMBERS, of);
    if (yyjson_is_raw(of[SEVERITY_NUMBER])) /* another one says nothing */
        log.severity_number = strtol(yyjson_get_raw(of[SEVERITY_NUMBER]), NULL, 10);
    if ((error = append_attributes(r, of[ATTRIBUTES])) ||
        (error = append_id(r, of[TRACE_ID], "traceId", "trace_id", 16)) ||
        (error = append_id(r, of[SPAN_ID], "spanId", "span_id", 8)) ||
        (error = get_unsigned(r, of[TIME], "timeUnixNano", &log.time_ns)) ||
        (error = get_unsigned(r, of[OBSERVED], "observedTimeUnixNano", &log.observed_ns)) ||
        (error = get_unsigned(r, of[FLAGS], "flags", &log.flags)) ||
        (error = get_unsigned(r, of[DROPPED], "droppedAttributesCount", &log.dropped_attributes)) ||
        (error = get_text(r, of[SEVERITY_TEXT], "severityText", &log.severity_text)) ||
        (error = get_text(r, of[EVENT_NAME], "eventName", &log.event_name)) ||
        (error = read_body(r, of[BODY], &log.message)))
        return error;
    return otlp_log_end(r, &log);
}

/* ---- Scopes and resources ---- */

static int read_scope_logs(struct otlp_request *r, yyjson_val *scope_logs)
{
    yyjson_val *scope = member(scope_logs, "scope");
    struct slice name = {NULL, 0}, version = {NULL, 0};
    yyjson_arr_iter logs;
    int error;

    otlp_scope(r);
    if ((error = append_attributes(r, member(scope, "attributes"))) ||
        (error = get_text(r, member(scope, "name"), "name", &name)) ||
        (error = get_text(r, member(scope, "version"), "version", &version)) ||
        (error = otlp_scope_end(r, name, version)) ||
        (error = get_array(r, member(scope_logs, "logRecords"), "logRecords", &logs)))
        return error;
    for (yyjson_val *log; !error && (log = yyjson_arr_iter_next(&logs));)
        error = read_log(r, log);
    return error;
}

static int read_resource_logs(struct otlp_request *r, yyjson_val *resource_logs)
{
    yyjson_arr_iter scopes;
    int error;

    otlp_resource(r);
    if ((error = append_attributes(r, member(member(resource_logs, "resource"), "attributes"))) ||
        (error = otlp_resource_end(r)) ||
        (error = get_array(r, member(resource_logs, "scopeLogs"), "scopeLogs", &scopes)))
        return error;
    for (yyjson_val *scope; !error && (scope = yyjson_arr_iter_next(&scopes));)
        error = read_scope_logs(r, scope);
    return error;
}

/* Looks at the times; what is wrong is found by the reading, which ends the request. */
static bool look_at_logs(struct otlp_request *r, yyjson_val *logs)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(logs);

    for (yyjson_val *log; (log = yyjson_arr_iter_next(&iter));) {
        uint64_t time_ns = 0, observed_ns = 0;

        if (get_unsigned(r, member(log, "timeUnixNano"), "timeUnixNano", &time_ns) ||
            get_unsigned(r, member(log, "observedTimeUnixNano"), "observedTimeUnixNano",
                         &observed_ns) ||
            otlp_look(r, time_ns ? time_ns : observed_ns))
            return true;
    }
    return false;
}

static void look(struct otlp_request *r, yyjson_val *root)
{
    yyjson_arr_iter resources = yyjson_arr_iter_with(member(root, "resourceLogs"));

    for (yyjson_val *resource; (resource = yyjson_arr_iter_next(&resources));) {
        yyjson_arr_iter scopes = yyjson_arr_iter_with(member(resource, "scopeLogs"));

        for (yyjson_val *scope; (scope = yyjson_arr_iter_next(&scopes));)
            if (look_at_logs(r, member(scope, "logRecords")))
                return;
    }
}

/* Says where and why `body` is no JSON. */
static int explain(struct otlp_request *r, struct slice body)
{
    struct json_error why;

    json_explain(body, DEPTH_MAX, &why);
    return errbuf_fail(&r->why, LM_EINVAL, "not JSON: %s (character %zu)", why.message,
                       why.position);
}

int otlp_json_read(struct otlp_request *r, struct slice body)
{
    struct json_doc *d = &r->memory->doc;
    struct slice text = json_without_bom(body);
    yyjson_arr_iter resources;
    int error = json_doc_read_cleaned(d, text, &r->counts->nul_characters);

    if (error)
        return error == LM_EINVAL ? explain(r, text) : error;
    yyjson_val *root = yyjson_doc_get_root(d->doc);
    if (!yyjson_is_obj(root))
        return fail(r, "the request", "object");
    error = get_array(r, member(root, "resourceLogs"), "resourceLogs", &resources);
    repeats_begin(&r->repeats, body);
    look(r, root);
    for (yyjson_val *resource; !error && (resource = yyjson_arr_iter_next(&resources));)
        error = read_resource_logs(r, resource);
    return error;
}
