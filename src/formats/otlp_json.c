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

static int get_text(struct otlp_request *r, yyjson_val *object, const char *name,
                    struct slice *text)
{
    yyjson_val *value = member(object, name);

    if (value && !yyjson_is_str(value))
        return fail(r, name, "text");
    *text = json_text(value);
    return 0;
}

/* A whole number, or the text of one. */
static int get_unsigned(struct otlp_request *r, yyjson_val *object, const char *name,
                        uint64_t *number)
{
    yyjson_val *value = member(object, name);
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
static int get_array(struct otlp_request *r, yyjson_val *object, const char *name,
                     yyjson_arr_iter *items)
{
    yyjson_val *value = member(object, name);

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
    struct slice key = {NULL, 0};
    int error = get_text(r, key_value, "key", &key);

    if (!error && !yyjson_is_obj(key_value))
        error = fail(r, "an attribute", "object of key and value");
    return error ? error : append_any(r, key, member(key_value, "value"));
}

static int append_list(struct otlp_request *r, struct slice name, yyjson_val *list, bool is_array)
{
    yyjson_arr_iter items;
    int error = get_array(r, list, "values", &items);

    record_draft_open(r->draft, name, is_array ? RECORD_DRAFT_ARRAY : RECORD_DRAFT_OBJECT);
    for (yyjson_val *item; !error && !r->draft->error && (item = yyjson_arr_iter_next(&items));)
        error = is_array ? append_any(r, (struct slice){NULL, 0}, item) : append_key_value(r, item);
    record_draft_close(r->draft);
    return error;
}

/* Recursive, up to RECORD_DEPTH_MAX: past that the draft is wrong, and no more is read. */
static int append_any(struct otlp_request *r, struct slice name, yyjson_val *any)
{
    yyjson_val *value;

    if (any && !yyjson_is_obj(any))
        return fail(r, "a value", "object like {\"stringValue\":\"…\"}");
    if ((value = member(any, "stringValue"))) {
        if (!yyjson_is_str(value))
            return fail(r, "stringValue", "text");
        record_draft_text(r->draft, name, json_text(value));
    } else if ((value = member(any, "intValue"))) {
        return append_int(r, name, value);
    } else if ((value = member(any, "boolValue"))) {
        if (!yyjson_is_bool(value))
            return fail(r, "boolValue", "true or false");
        record_draft_bool(r->draft, name, yyjson_is_true(value));
    } else if ((value = member(any, "doubleValue"))) {
        return append_double(r, name, value);
    } else if ((value = member(any, "arrayValue"))) {
        return append_list(r, name, value, true);
    } else if ((value = member(any, "kvlistValue"))) {
        return append_list(r, name, value, false);
    } else if ((value = member(any, "bytesValue"))) {
        if (!yyjson_is_str(value))
            return fail(r, "bytesValue", "text in base64");
        record_draft_text(r->draft, name, json_text(value)); /* as otlp_bytes writes it */
    } else {
        record_draft_null(r->draft, name);
    }
    return 0;
}

static int append_attributes(struct otlp_request *r, yyjson_val *object)
{
    yyjson_arr_iter items;
    int error = get_array(r, object, "attributes", &items);

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
static int append_id(struct otlp_request *r, yyjson_val *log, const char *member_name,
                     const char *name, size_t len)
{
    struct buffer *bytes = &r->memory->body; /* which is not in use as yet */
    struct slice text = {NULL, 0};
    int error = get_text(r, log, member_name, &text);

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

static int read_log(struct otlp_request *r, yyjson_val *value)
{
    struct otlp_log log = {0};
    yyjson_val *severity = member(value, "severityNumber");
    int error;

    if (!yyjson_is_obj(value))
        return fail(r, "a log", "object");
    otlp_log(r);
    if (yyjson_is_raw(severity)) /* another one says nothing */
        log.severity_number = strtol(yyjson_get_raw(severity), NULL, 10);
    if ((error = append_attributes(r, value)) ||
        (error = append_id(r, value, "traceId", "trace_id", 16)) ||
        (error = append_id(r, value, "spanId", "span_id", 8)) ||
        (error = get_unsigned(r, value, "timeUnixNano", &log.time_ns)) ||
        (error = get_unsigned(r, value, "observedTimeUnixNano", &log.observed_ns)) ||
        (error = get_unsigned(r, value, "flags", &log.flags)) ||
        (error = get_unsigned(r, value, "droppedAttributesCount", &log.dropped_attributes)) ||
        (error = get_text(r, value, "severityText", &log.severity_text)) ||
        (error = get_text(r, value, "eventName", &log.event_name)) ||
        (error = read_body(r, member(value, "body"), &log.message)))
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
    if ((error = append_attributes(r, scope)) || (error = get_text(r, scope, "name", &name)) ||
        (error = get_text(r, scope, "version", &version)) ||
        (error = otlp_scope_end(r, name, version)) ||
        (error = get_array(r, scope_logs, "logRecords", &logs)))
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
    if ((error = append_attributes(r, member(resource_logs, "resource"))) ||
        (error = otlp_resource_end(r)) ||
        (error = get_array(r, resource_logs, "scopeLogs", &scopes)))
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

        if (get_unsigned(r, log, "timeUnixNano", &time_ns) ||
            get_unsigned(r, log, "observedTimeUnixNano", &observed_ns) ||
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
    error = get_array(r, root, "resourceLogs", &resources);
    repeats_begin(&r->repeats, body);
    look(r, root);
    for (yyjson_val *resource; !error && (resource = yyjson_arr_iter_next(&resources));)
        error = read_resource_logs(r, resource);
    return error;
}
