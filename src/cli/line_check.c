#include "cli/line_check.h"

#include <string.h>

#include "record/limits.h"

void line_check_init(struct line_check *c)
{
    c->memory = fastapi_log.memory_new(NULL);
    buffer_init(&c->errors, SIZE_MAX / 2);
}

void line_check_release(struct line_check *c)
{
    fastapi_log.memory_free(c->memory);
    buffer_release(&c->errors);
}

void line_check_explain(struct errbuf *err, yyjson_val *detail)
{
    yyjson_val *loc = yyjson_obj_get(detail, "loc");
    yyjson_val *field = yyjson_arr_get_last(loc);
    const char *type = yyjson_get_str(yyjson_obj_get(detail, "type"));
    const char *msg = yyjson_get_str(yyjson_obj_get(detail, "msg"));
    const char *reason = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(detail, "ctx"), "error"));
    const char *name = yyjson_get_str(field);
    const char *allowed = "";

    if (type && strcmp(type, "json_invalid") == 0) {
        errbuf_set(err, "not JSON: %s at character %llu", reason ? reason : "cannot be read",
                   (unsigned long long)yyjson_get_uint(field));
        return;
    }
    if (name && strcmp(name, "timestamp") == 0)
        allowed = "; allowed: 2026-11-25T10:00:00.123456+01:00, or Unix seconds or milliseconds";
    else if (name && strcmp(name, "id") == 0)
        allowed = "; allowed: a UUID of version 7 of the timestamp's millisecond";
    if (name && strcmp(name, "body") == 0)
        name = NULL;
    errbuf_set(err, "%s%s%s%s", name ? name : "", name ? ": " : "", msg ? msg : "refused", allowed);
}

static void explain_first(struct line_check *c, struct errbuf *err)
{
    yyjson_doc *doc = yyjson_read(c->errors.data, c->errors.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");

    line_check_explain(err, yyjson_arr_get_first(detail));
    yyjson_doc_free(doc);
}

static int take_key(const struct record *record, void *ctx)
{
    struct log_key *key = ctx;

    *key = record->key;
    return 0;
}

int line_check(struct line_check *c, struct slice json, struct log_key *key, struct errbuf *err)
{
    struct format_options options = {.memory = c->memory, .wrong = &c->errors};
    struct format_counts counts;
    int error = fastapi_log.parse(json, &options, take_key, key, &counts);

    if (error == LM_EDATA)
        errbuf_set(err, "larger than %d MiB", RECORD_BYTES_MAX >> 20);
    if (error != LM_EINVAL)
        return error;
    explain_first(c, err);
    return LM_EDATA;
}
