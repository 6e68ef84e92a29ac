#include "cli/line_json.h"

#include <string.h>

#include "base/buffer.h"
#include "base/timestamp.h"
#include "base/uuid7.h"
#include "formats/members.h"
#include "json/writer.h"

yyjson_val *line_json_member(yyjson_val *object, const char *name)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    yyjson_val *value = NULL;

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&members));)
        if (yyjson_equals_str(key, name))
            value = yyjson_obj_iter_get_val(key);
    return value;
}

bool line_json_is_given(yyjson_val *value)
{
    return value && !yyjson_is_null(value);
}

bool line_json_time(yyjson_val *time, yyjson_val *id, int64_t *us)
{
    struct timestamp_error refusal;
    struct uuid uuid;

    if (yyjson_is_raw(time))
        return timestamp_parse_number(json_text(time), us, &refusal) == 0;
    if (line_json_is_given(time))
        return yyjson_is_str(time) && !timestamp_parse_text(json_text(time), us, &refusal);
    if (!yyjson_is_str(id) || uuid_parse(json_text(id), &uuid, NULL) || !uuid_is_v7(&uuid))
        return false;
    *us = uuid7_ms(&uuid) * 1000;
    return *us <= TIMESTAMP_MAX_US;
}

bool line_json_is_others(yyjson_val *log)
{
    if (line_json_is_given(line_json_member(log, "id")))
        return false;
    struct members members = members_find(log, NULL);
    struct slice level = json_text(members.level_key);
    if (members.time_key && !line_json_is_given(line_json_member(log, "timestamp")))
        return true;
    return level.len && !slice_equal(level, SLICE_LITERAL("status")) &&
           !line_json_member(log, "level");
}

/* Replaces in `b` the two halves of characters, which JSON may only have in pairs. */
static void replace_surrogates(struct buffer *b)
{
    char *at = b->data, *end = b->data + b->len;

    while ((at = memmem(at, (size_t)(end - at), "\\u", 2)) && end - at >= 6) {
        if ((at[2] == 'd' || at[2] == 'D') && strchr("89abAcBdefCDEF", at[3]))
            memcpy(at, "\\ufffd", 6);
        at += 2;
    }
}

/* True if `text` names a member "message". */
static bool names_message(struct slice text)
{
    static const struct slice name = {"\"message\"", 9};
    const char *at = memmem(text.data, text.len, name.data, name.len);

    if (!at)
        return false;
    at += name.len;
    struct slice rest = slice_trim(slice_of(at, text.len - (size_t)(at - text.data)));
    return rest.len > 0 && rest.data[0] == ':';
}

bool line_json_is_nearly_log(struct slice text)
{
    const yyjson_read_flag lenient = YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN |
                                     YYJSON_READ_ALLOW_INVALID_UNICODE |
                                     YYJSON_READ_ALLOW_TRAILING_COMMAS |
                                     YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_STOP_WHEN_DONE;
    yyjson_read_err failure = {.code = YYJSON_READ_SUCCESS};
    yyjson_doc *doc = NULL;
    struct buffer copy;

    buffer_init(&copy, SIZE_MAX / 2);
    buffer_append_slice(&copy, text);
    if (!buffer_error(&copy)) {
        replace_surrogates(&copy);
        doc = yyjson_read_opts(copy.data, copy.len, lenient, NULL, &failure);
    }
    bool is_log = doc ? !!line_json_member(yyjson_doc_get_root(doc), "message")
                      : failure.code == YYJSON_READ_ERROR_UNEXPECTED_END && names_message(text);
    yyjson_doc_free(doc);
    buffer_release(&copy);
    return is_log;
}
