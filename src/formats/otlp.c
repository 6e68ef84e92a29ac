#include "formats/otlp.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/otlp_json.h"
#include "formats/otlp_protobuf.h"
#include "formats/protobuf.h"
#include "json/writer.h"

enum {
    STATUS_CODE = 1, /* fields of a google.rpc.Status */
    STATUS_MESSAGE = 2,

    INVALID_ARGUMENT = 3, /* its codes (google.rpc.Code) */
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    UNAVAILABLE = 14,
    UNAUTHENTICATED = 16,

    /*
     * Clients that are told to wait try for some 10 s in all: with 1 s they give up after 4, with
     * 20 s at once; 3 s make the most of it (seen of the SDKs for JavaScript, Python and Java).
     */
    RETRY_AFTER_S = 3,
};

/* ---- Memory ---- */

static void *memory_new(struct account *account)
{
    struct otlp_memory *m = xcalloc(1, sizeof(*m));

    (void)account; /* nothing is held of a body that is wrong */
    record_draft_init(&m->draft);
    json_doc_init(&m->doc);
    buffer_init(&m->text, RECORD_BYTES_MAX);
    buffer_init(&m->body, RECORD_BYTES_MAX);
    return m;
}

static void memory_free(void *memory)
{
    struct otlp_memory *m = memory;

    if (!m)
        return;
    record_draft_release(&m->draft);
    json_doc_release(&m->doc);
    buffer_release(&m->text);
    buffer_release(&m->body);
    free(m);
}

/* ---- Answers ---- */

static void append_status(struct buffer *b, bool is_json, int code, struct slice text)
{
    if (is_json) {
        buffer_append_string(b, "{\"code\":");
        buffer_append_i64(b, code);
        buffer_append_string(b, ",\"message\":");
        json_append_string(b, text);
        buffer_append_char(b, '}');
    } else {
        protobuf_append_varint(b, STATUS_CODE, (uint64_t)code);
        protobuf_append_bytes(b, STATUS_MESSAGE, text);
    }
}

static const char *type_of(bool is_json)
{
    return is_json ? NULL : "application/x-protobuf";
}

static struct format_answer refuse(bool is_json, enum format_refusal why, struct slice text,
                                   struct buffer *body)
{
    static const struct {
        unsigned status;
        int code;
    } answers[] = {
        [FORMAT_REFUSED_BUSY] = {503, UNAVAILABLE},
        [FORMAT_REFUSED_RATE] = {429, RESOURCE_EXHAUSTED},
        [FORMAT_REFUSED_TOO_LARGE] = {413, RESOURCE_EXHAUSTED},
        [FORMAT_REFUSED_CONTENT] = {400, INVALID_ARGUMENT},
        [FORMAT_REFUSED_KEY] = {401, UNAUTHENTICATED},
        [FORMAT_REFUSED_ROLE] = {403, PERMISSION_DENIED},
    };

    append_status(body, is_json, answers[why].code, text);
    return (struct format_answer){answers[why].status, type_of(is_json)};
}

static struct format_answer refuse_protobuf(enum format_refusal why, struct slice text,
                                            struct buffer *body)
{
    return refuse(false, why, text, body);
}

static struct format_answer refuse_json(enum format_refusal why, struct slice text,
                                        struct buffer *body)
{
    return refuse(true, why, text, body);
}

/* An ExportLogsServiceResponse that says nothing: one which says that no log was rejected is a
 * warning to older Collectors. */
static struct format_answer answer_protobuf(const struct format_taken *taken, struct buffer *body)
{
    (void)taken;
    (void)body;
    return (struct format_answer){200, type_of(false)};
}

static struct format_answer answer_json(const struct format_taken *taken, struct buffer *body)
{
    (void)taken;
    buffer_append_string(body, "{\"partialSuccess\":{}}");
    return (struct format_answer){200, type_of(true)};
}

/* ---- Requests ---- */

static int parse(int read(struct otlp_request *, struct slice), struct slice body,
                 const struct format_options *options, record_sink *sink, void *ctx,
                 struct format_counts *counts)
{
    struct otlp_memory *m = options->memory;
    struct otlp_request r = {.memory = m,
                             .draft = &m->draft,
                             .sink = sink,
                             .ctx = ctx,
                             .counts = counts,
                             .arrival_us = clock_arrival_us(),
                             .why = ERRBUF_INIT};

    *counts = (struct format_counts){.records = 0};
    m->draft.nul_characters = 0;
    int error = read(&r, body);
    counts->nul_characters += m->draft.nul_characters;
    if (error != LM_EINVAL)
        return error;
    append_status(options->wrong, read == otlp_json_read, INVALID_ARGUMENT,
                  slice_of_string(r.why.text));
    error = buffer_error(options->wrong);
    if (error)
        return error == LM_ETOOBIG ? LM_EBUSY : error;
    return LM_EINVAL;
}

static int parse_protobuf(struct slice body, const struct format_options *options,
                          record_sink *sink, void *ctx, struct format_counts *counts)
{
    return parse(otlp_protobuf_read, body, options, sink, ctx, counts);
}

static int parse_json(struct slice body, const struct format_options *options, record_sink *sink,
                      void *ctx, struct format_counts *counts)
{
    return parse(otlp_json_read, body, options, sink, ctx, counts);
}

static const char *const protobuf_types[] = {"application/x-protobuf", "application/protobuf",
                                             NULL};
static const char *const json_types[] = {"application/json", NULL};

const struct format otlp_protobuf = {
    .name = "otlp",
    .media_types = protobuf_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_protobuf,
    .answer = answer_protobuf,
    .refusal = {400, "application/x-protobuf"},
    .refuse = refuse_protobuf,
    .retry_after_s = RETRY_AFTER_S,
    .hold_ms = OTLP_HOLD_MS,
};

const struct format otlp_json = {
    .name = "otlp-json",
    .media_types = json_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_json,
    .answer = answer_json,
    .refusal = {400, NULL},
    .refuse = refuse_json,
    .retry_after_s = RETRY_AFTER_S,
    .hold_ms = OTLP_HOLD_MS,
};
