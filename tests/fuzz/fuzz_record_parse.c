/*
 * Bodies of every kind, and queue messages. The first byte of an input chooses which it is; the
 * rest is parsed. Whatever comes out as a record must obey the rules of the log record, and come
 * back the same from a batch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "formats/fastapi.h"
#include "message/reader.h"
#include "message/writer.h"
#include "must.h"
#include "record/limits.h"
#include "json/writer.h"

enum { OUTPUT_MAX = 64 << 20 };

static bool has_nul(struct slice s)
{
    return s.len && memchr(s.data, '\0', s.len);
}

static void check_attributes(struct slice attributes)
{
    if (attributes.len == 0)
        return;
    yyjson_doc *doc = yyjson_read(attributes.data, attributes.len, YYJSON_READ_NUMBER_AS_RAW);
    must(yyjson_obj_size(yyjson_doc_get_root(doc)) > 0);
    yyjson_doc_free(doc);
    must(!memmem(attributes.data, attributes.len, "\n", 1));
}

/* Checks `r` and puts it into the batch `ctx`. */
static int collect(const struct record *r, void *ctx)
{
    must(utf8_valid(r->level) && utf8_valid(r->message) && utf8_valid(r->attributes));
    must(!has_nul(r->level) && !has_nul(r->message));
    must(r->key.timestamp_us >= TIMESTAMP_MIN_US && r->key.timestamp_us <= TIMESTAMP_MAX_US);
    must(uuid_is_v7(&r->key.id));
    must(uuid7_ms(&r->key.id) == uuid7_ms_of_timestamp(r->key.timestamp_us));
    check_attributes(r->attributes);
    must(batch_append(ctx, r) == 0);
    return 0;
}

/* The same for what a client has sent: it keeps the limits as well. */
static int collect_sent(const struct record *r, void *ctx)
{
    size_t huge_digits = 0;

    must(r->level.len <= RECORD_LEVEL_MAX);
    if (r->attributes.len == 0)
        return collect(r, ctx);
    for (const char *p = r->attributes.data, *end = p + r->attributes.len; p < end; p++) {
        const char *number = p;

        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
            continue;
        }
        while (p < end && memchr("+-.0123456789eE", *p, 15))
            p++;
        if (p == number || *number == 'e')
            continue; /* of a word */
        must(record_number_judge(slice_of(number, (size_t)(p - number)), &huge_digits) ==
             RECORD_NUMBER_FITS);
        p--;
    }
    return collect(r, ctx);
}

static int check_reject(struct slice item, const char *reason, void *ctx)
{
    must(utf8_valid(item));
    must(utf8_valid(slice_of_string(reason)) && reason[0] != '\0');
    return 0;
}

/* What is in a batch was taken from clients, so nothing of it may be rejected. */
static int no_reject(struct slice item, const char *reason, void *ctx)
{
    abort();
}

static void check_errors(struct slice text)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    yyjson_arr_iter iter = yyjson_arr_iter_with(detail);

    must(yyjson_arr_size(detail) > 0);
    for (yyjson_val *error; (error = yyjson_arr_iter_next(&iter));) {
        yyjson_val *reason = yyjson_obj_get(yyjson_obj_get(error, "ctx"), "error");
        /* The parser and the finder of errors must agree on what JSON is. */
        must(!yyjson_equals_str(reason, "Cannot be read as JSON"));
    }
    yyjson_doc_free(doc);
}

static int parse_message(struct message_reader *r, struct slice body, struct batch *out,
                         message_reject *reject)
{
    struct message_source message = {body, SLICE_LITERAL("id"), 1700000000000000, false};
    struct errbuf reason = ERRBUF_INIT;
    int error = message_reader_read(r, &message, collect, reject, out, &reason);

    must(!error || (error == LM_EINVAL && reason.text[0] != '\0' && out->count == 0));
    return error;
}

static int parse_body(const struct format *format, void *memory, struct slice body,
                      struct batch *out)
{
    struct buffer wrong;
    struct format_counts counts;

    buffer_init(&wrong, OUTPUT_MAX);
    int error = format->parse(body, &(struct format_options){.memory = memory, .wrong = &wrong},
                              collect_sent, out, &counts);
    must(!error || error == LM_EINVAL);
    must(counts.records == out->count);
    if (error == LM_EINVAL)
        check_errors(buffer_slice(&wrong));
    buffer_release(&wrong);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch first;
    struct batch second;
    int error;

    if (size == 0)
        return 0;
    static const struct format *const formats[] = {&fastapi_log, &fastapi_logs, &fastapi_lines};
    void *memory = fastapi_log.memory_new(NULL);
    struct message_reader *r = message_reader_new();
    struct slice body = slice_of((const char *)data + 1, size - 1);
    batch_init(&first, MESSAGE_V1, OUTPUT_MAX);
    batch_init(&second, MESSAGE_V1, OUTPUT_MAX);
    if (data[0] % 4 == 3)
        error = parse_message(r, body, &first, check_reject);
    else
        error = parse_body(formats[data[0] % 4], memory, body, &first);
    if (!error) {
        must(parse_message(r, batch_finish(&first), &second, no_reject) == 0);
        must(slice_equal(batch_finish(&first), batch_finish(&second)));
    }
    batch_release(&first);
    batch_release(&second);
    fastapi_log.memory_free(memory);
    message_reader_free(r);
    return 0;
}
