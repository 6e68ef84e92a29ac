#include "formats/fastapi.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "formats/json.h"
#include "formats/validation.h"
#include "json/writer.h"

/* ---- What is wrong, in pydantic's words ---- */

/* The type of an error; that of RECORD_BAD_TIME is in its `time`. */
static const char *const types[RECORD_PROBLEMS] = {
    [RECORD_NO_OBJECT] = "model_attributes_type",
    [RECORD_MISSING] = "missing",
    [RECORD_NO_TEXT] = "string_type",
    [RECORD_ID_NO_TEXT] = "uuid_type",
    [RECORD_ID_MALFORMED] = "uuid_parsing",
    [RECORD_ID_VERSION] = "uuid_version",
    [RECORD_ID_NOT_OF_TIME] = "id_timestamp_mismatch",
    [RECORD_ID_TOO_LATE] = "id_timestamp_range",
    [RECORD_MANY_CHARACTERS] = "string_too_long",
    [RECORD_MANY_BYTES] = "bytes_too_long",
    [RECORD_MANY_VALUES] = "too_long",
    [RECORD_NUMBER_OF_WHOLE_DIGITS] = "decimal_whole_digits",
    [RECORD_NUMBER_OF_DECIMAL_PLACES] = "decimal_max_places",
    [RECORD_NUMBER_OF_DIGITS] = "decimal_max_digits",
};

struct memory {
    struct json_body_memory *json;
    struct buffer input; /* text of an item that is wrong */
    struct buffer ctx;   /* "ctx" of an error */
};

/* The errors of one body. */
struct errors {
    struct memory *memory;
    struct validation list;
    size_t text; /* the one that the last error was in; SIZE_MAX: there was none */
    struct validation_mark before_text;
};

/* Adds an error at "body", the item if there are many, then `path`, whose "ctx" is memory->ctx. */
static int add(struct errors *e, const struct json_body_wrong *w, struct validation_entry entry,
               const struct record_step *path, size_t path_len)
{
    struct validation_step loc[2 + RECORD_PATH_MAX] = {{.name = SLICE_LITERAL("body")}};
    struct memory *m = e->memory;

    if (buffer_error(&m->input) || buffer_error(&m->ctx))
        return buffer_error(&m->input) ? buffer_error(&m->input) : buffer_error(&m->ctx);
    entry.loc = loc;
    entry.loc_len = 1;
    entry.ctx = buffer_slice(&m->ctx);
    if (w->in_item)
        loc[entry.loc_len++] = (struct validation_step){.index = w->item};
    for (size_t i = 0; i < path_len; i++)
        loc[entry.loc_len++] = (struct validation_step){path[i].name, path[i].index};
    validation_add(&e->list, &entry);
    return 0;
}

static void append_reason(struct buffer *ctx, const char *reason)
{
    buffer_append_string(ctx, "{\"error\":");
    json_append_string(ctx, slice_of_string(reason));
    buffer_append_char(ctx, '}');
}

static void append_ctx(struct buffer *ctx, const struct record_wrong *w)
{
    switch (w->problem) {
    case RECORD_BAD_TIME:
        if (w->time->reason[0])
            append_reason(ctx, w->time->reason);
        break;
    case RECORD_ID_MALFORMED:
        append_reason(ctx, w->reason);
        break;
    case RECORD_ID_VERSION:
        buffer_append_string(ctx, "{\"expected_version\":7}");
        break;
    case RECORD_MANY_CHARACTERS:
    case RECORD_MANY_BYTES:
        buffer_appendf(ctx, "{\"max_length\":%zu}", w->limit);
        break;
    case RECORD_MANY_VALUES:
        buffer_appendf(ctx,
                       "{\"field_type\":\"Dictionary\",\"max_length\":%zu,\"actual_length\":%zu}",
                       w->limit, w->actual);
        break;
    case RECORD_NUMBER_OF_WHOLE_DIGITS:
        buffer_appendf(ctx, "{\"whole_digits\":%zu}", w->limit);
        break;
    case RECORD_NUMBER_OF_DECIMAL_PLACES:
        buffer_appendf(ctx, "{\"decimal_places\":%zu}", w->limit);
        break;
    case RECORD_NUMBER_OF_DIGITS:
        buffer_appendf(ctx, "{\"max_digits\":%zu}", w->limit);
        break;
    default:
        break;
    }
}

/* The value that is wrong, as the text of the "input" of an error. */
static struct slice input_of(struct memory *m, yyjson_val *value)
{
    json_append_value(&m->input, value);
    if (buffer_error(&m->input) == LM_ETOOBIG) { /* nested too deep to be shown */
        buffer_clear(&m->input);
        buffer_append_string(&m->input, "null");
    }
    return buffer_slice(&m->input);
}

static int add_record(struct errors *e, const struct json_body_wrong *w)
{
    const struct record_wrong *record = w->record;
    char text[RECORD_WRONG_TEXT_SIZE];

    append_ctx(&e->memory->ctx, record);
    return add(e, w,
               (struct validation_entry){
                   .type = record->problem == RECORD_BAD_TIME ? record->time->type
                                                              : types[record->problem],
                   .msg = slice_of_string(record_wrong_text(record, text)),
                   .input = input_of(e->memory, record->value),
               },
               record->path, record->path_len);
}

static int add_json(struct errors *e, const struct json_body_wrong *w)
{
    struct record_step position = {.index = w->error->position};

    append_reason(&e->memory->ctx, w->error->message);
    return add(e, w,
               (struct validation_entry){.type = "json_invalid",
                                         .msg = SLICE_LITERAL("JSON decode error"),
                                         .input = SLICE_LITERAL("{}")},
               &position, 1);
}

/* A json_body_report; `ctx` is a struct errors. */
static int report(const struct json_body_wrong *w, void *ctx)
{
    struct errors *e = ctx;

    if (e->text != w->text) {
        e->text = w->text;
        e->before_text = validation_mark(&e->list);
    } else if (w->problem == JSON_BODY_NO_JSON) {
        validation_rewind(&e->list, e->before_text);
    }
    buffer_clear(&e->memory->input);
    buffer_clear(&e->memory->ctx);
    switch (w->problem) {
    case JSON_BODY_NO_RECORD:
        return add_record(e, w);
    case JSON_BODY_NO_JSON:
        return add_json(e, w);
    case JSON_BODY_NO_ARRAY:
        return add(e, w,
                   (struct validation_entry){.type = "list_type",
                                             .msg = SLICE_LITERAL("Input should be a valid list"),
                                             .input = input_of(e->memory, w->record->value)},
                   NULL, 0);
    case JSON_BODY_EMPTY:
        break;
    }
    return add(e, w,
               (struct validation_entry){.type = "missing", .msg = SLICE_LITERAL("Field required")},
               NULL, 0);
}

/* ---- The format ---- */

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    m->json = json_body_memory_new();
    /* Neither grows past a small multiple of the text that is being parsed. */
    buffer_init(&m->input, SIZE_MAX / 2);
    buffer_init(&m->ctx, SIZE_MAX / 2);
    m->input.account = account;
    m->ctx.account = account;
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    json_body_memory_free(m->json);
    buffer_release(&m->input);
    buffer_release(&m->ctx);
    free(m);
}

/* The list is whole, or it cannot be told. */
static int finish(struct validation *list)
{
    int error = validation_finish(list);

    return error == LM_ETOOBIG ? LM_EBUSY : error;
}

static int parse(enum json_body kind, struct slice body, const struct format_options *options,
                 record_sink *sink, void *ctx, struct format_counts *counts)
{
    struct memory *m = options->memory;
    struct errors errors = {.memory = m, .text = SIZE_MAX};
    int error;

    validation_init(&errors.list, options->wrong);
    error = json_body_parse(m->json, kind, body, sink, ctx, counts, report, &errors);
    if (errors.text != SIZE_MAX) { /* what is charged is not kept for reuse */
        buffer_release(&m->input);
        buffer_release(&m->ctx);
    }
    if (error != LM_EINVAL)
        return error;
    error = finish(&errors.list);
    return error ? error : LM_EINVAL;
}

static int parse_log(struct slice body, const struct format_options *options, record_sink *sink,
                     void *ctx, struct format_counts *counts)
{
    return parse(JSON_BODY_OBJECT, body, options, sink, ctx, counts);
}

static int parse_logs(struct slice body, const struct format_options *options, record_sink *sink,
                      void *ctx, struct format_counts *counts)
{
    return parse(JSON_BODY_ARRAY, body, options, sink, ctx, counts);
}

static int parse_lines(struct slice body, const struct format_options *options, record_sink *sink,
                       void *ctx, struct format_counts *counts)
{
    return parse(JSON_BODY_LINES, body, options, sink, ctx, counts);
}

static struct format_answer answer_log(const struct format_taken *taken, struct buffer *body)
{
    static const char before[] = "{\"status\":\"queued\",\"id\":\"";
    static const char after[] = "\"}";
    enum { BEFORE_LEN = sizeof(before) - 1, AFTER_LEN = sizeof(after) - 1 };
    char *p = buffer_reserve(body, BEFORE_LEN + UUID_TEXT_LEN + AFTER_LEN);

    if (p) {
        memcpy(p, before, BEFORE_LEN);
        uuid_format(&taken->last_id, p + BEFORE_LEN);
        memcpy(p + BEFORE_LEN + UUID_TEXT_LEN, after, AFTER_LEN);
        body->len += BEFORE_LEN + UUID_TEXT_LEN + AFTER_LEN;
    }
    return (struct format_answer){.status = 201};
}

static struct format_answer answer_logs(const struct format_taken *taken, struct buffer *body)
{
    buffer_append_slice(body, SLICE_LITERAL("{\"status\":\"queued\",\"accepted\":"));
    buffer_append_u64(body, taken->records);
    buffer_append_char(body, '}');
    return (struct format_answer){.status = 201};
}

/* As FastAPI takes them. */
static const char *const json_types[] = {"application/json", "application/*+json", NULL};
static const char *const line_types[] = {"application/x-ndjson", "application/ndjson",
                                         "application/jsonl", "application/x-jsonlines", NULL};

const struct format fastapi_log = {
    .name = "json",
    .media_types = json_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_log,
    .answer = answer_log,
    .refusal = {.status = 422},
};

const struct format fastapi_logs = {
    .name = "json-array",
    .media_types = json_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_logs,
    .answer = answer_logs,
    .refusal = {.status = 422},
};

const struct format fastapi_lines = {
    .name = "ndjson",
    .media_types = line_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_lines,
    .answer = answer_logs,
    .refusal = {.status = 422},
};

int fastapi_refuse_text(const struct format *format, struct slice body, struct buffer *wrong)
{
    static const struct validation_step body_step = {.name = {"body", 4}};
    struct buffer input = {.ceiling = 6 * body.len + 2, .account = wrong->account};
    bool one = format == &fastapi_log;
    struct validation list;
    int error;

    if (utf8_valid(body))
        json_append_string(&input, body);
    validation_init(&list, wrong);
    validation_add(&list,
                   &(struct validation_entry){
                       .type = one ? "model_attributes_type" : "list_type",
                       .loc = &body_step,
                       .loc_len = 1,
                       .msg = one ? SLICE_LITERAL("Input should be a valid dictionary or object to "
                                                  "extract fields from")
                                  : SLICE_LITERAL("Input should be a valid list"),
                       .input = buffer_slice(&input)});
    error = buffer_error(&input) ? buffer_error(&input) : finish(&list);
    buffer_release(&input);
    return error;
}
