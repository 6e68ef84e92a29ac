/* Each format and its case. */
#include "format_conformance.h"
#include "formats/bulk.h"
#include "formats/datadog.h"
#include "formats/fastapi.h"
#include "formats/gelf.h"
#include "formats/hec.h"
#include "formats/journal.h"
#include "formats/jsonline.h"
#include "formats/loki.h"
#include "formats/otlp.h"
#include "formats/protobuf.h"

extern const struct format pretend_format;

#define LOG(n)                                                                                     \
    {                                                                                              \
        .level = SLICE_LITERAL("info"),                                                            \
        .message = SLICE_LITERAL("message " n),                                                    \
        .attributes = SLICE_LITERAL("{\"host\":\"a\"}"),                                           \
    }
static const struct record logs[] = {LOG("1"), LOG("2"), LOG("3")};

/* Of formats in which a log has nothing but a message. */
static const struct record plain_logs[] = {
    {.level = SLICE_LITERAL("info"), .message = SLICE_LITERAL("message 1")},
    {.level = SLICE_LITERAL("info"), .message = SLICE_LITERAL("message 2")},
};

#define JSON(n) "{\"level\":\"info\",\"message\":\"message " n "\",\"host\":\"a\"}"

static void json_with_level(struct buffer *body, struct slice level)
{
    buffer_append_string(body, "{\"message\":\"m\",\"level\":\"");
    buffer_append_slice(body, level);
    buffer_append_string(body, "\"}");
}

static void array_with_level(struct buffer *body, struct slice level)
{
    buffer_append_char(body, '[');
    json_with_level(body, level);
    buffer_append_char(body, ']');
}

#define BULK(n) "{\"index\":{}}\n" JSON(n) "\n"

static void bulk_with_level(struct buffer *body, struct slice level)
{
    buffer_append_string(body, "{\"create\":{}}\n");
    json_with_level(body, level);
}

#define EVENT(n) "{\"event\":\"message " n "\",\"host\":\"a\"}"

static void event_with_level(struct buffer *body, struct slice level)
{
    buffer_append_string(body, "{\"event\":");
    json_with_level(body, level);
    buffer_append_char(body, '}');
}

static void gelf_with_name(struct buffer *body, struct slice name)
{
    buffer_append_string(body, "{\"short_message\":\"a\",\"_");
    buffer_append_slice(body, name);
    buffer_append_string(body, "\":1}");
}

#define ENTRY(n) "MESSAGE=message " n "\nPRIORITY=6\n"

static void entry_with_name(struct buffer *body, struct slice name)
{
    buffer_append_slice(body, name);
    buffer_append_string(body, "=a\n");
}

static void pretend_with_level(struct buffer *body, struct slice level)
{
    buffer_append_slice(body, level);
    buffer_append_string(body, " a message");
}

/* A LogRecord of opentelemetry-proto, 32 bytes, and requests around it. */
#define OTLP_LOG(n)                                                                                \
    "\x12\x20\x1a\x04info\x2a\x0b\x0a\x09message " n "\x32\x0b\x0a\x04host\x12\x03\x0a\x01\x61"
#define OTLP_ONE(n) "\x0a\x24\x12\x22" OTLP_LOG(n)
#define OTLP_THREE "\x0a\x68\x12\x66" OTLP_LOG("1") OTLP_LOG("2") OTLP_LOG("3")

static void otlp_with_level(struct buffer *body, struct slice level)
{
    struct buffer inner;

    buffer_init(&inner, 1 << 20);
    protobuf_append_bytes(body, 3, level);
    for (uint32_t number = 2; number > 0; number--) { /* log_records, scope_logs */
        buffer_clear(&inner);
        protobuf_append_bytes(&inner, 2, buffer_slice(body));
        buffer_clear(body);
        buffer_append_slice(body, buffer_slice(&inner));
    }
    buffer_clear(body);
    protobuf_append_bytes(body, 1, buffer_slice(&inner));
    buffer_release(&inner);
}

#define OTLP_JSON_LOG(n)                                                                           \
    "{\"severityText\":\"info\",\"body\":{\"stringValue\":\"message " n                            \
    "\"},\"attributes\":[{\"key\":\"host\",\"value\":{\"stringValue\":\"a\"}}]}"
#define OTLP_JSON(logs) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" logs "]}]}]}"

static void otlp_json_with_level(struct buffer *body, struct slice level)
{
    buffer_append_string(
        body, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":\"");
    buffer_append_slice(body, level);
    buffer_append_string(body, "\"}]}]}]}");
}

/* A stream of grafana/loki's push.proto; the pushes are blocks of snappy of one literal. */
#define LOKI_LABELS "\x0a\x0a{host=\"a\"}"
#define LOKI_ENTRY(n) "\x12\x0b\x12\x09message " n
#define LOKI_THREE "\x35\xd0\x0a\x33" LOKI_LABELS LOKI_ENTRY("1") LOKI_ENTRY("2") LOKI_ENTRY("3")
#define LOKI_WRONG "\x1d\x70\x0a\x19" LOKI_LABELS LOKI_ENTRY("1") "\x0a\x7f"

static void loki_with_level(struct buffer *body, struct slice level)
{
    struct buffer pair, entry, stream, push;

    buffer_init(&pair, 1 << 20);
    buffer_init(&entry, 1 << 20);
    buffer_init(&stream, 1 << 20);
    buffer_init(&push, 1 << 20);
    protobuf_append_bytes(&pair, 1, SLICE_LITERAL("level"));
    protobuf_append_bytes(&pair, 2, level);
    protobuf_append_bytes(&entry, 3, buffer_slice(&pair));
    protobuf_append_bytes(&stream, 2, buffer_slice(&entry));
    protobuf_append_bytes(&push, 1, buffer_slice(&stream));
    /* Its length, in two bytes of seven bits, and that of the one literal, in two bytes. */
    const unsigned char head[] = {(push.len & 0x7f) | 0x80, push.len >> 7, 0xf4,
                                  (push.len - 1) & 0xff, (push.len - 1) >> 8};
    buffer_append(body, head, sizeof(head));
    buffer_append_slice(body, buffer_slice(&push));
    buffer_release(&pair);
    buffer_release(&entry);
    buffer_release(&stream);
    buffer_release(&push);
}

static void loki_json_with_level(struct buffer *body, struct slice level)
{
    buffer_append_string(body, "{\"streams\":[{\"stream\":{\"level\":\"");
    buffer_append_slice(body, level);
    buffer_append_string(body, "\"},\"values\":[[\"1\",\"m\"]]}]}");
}

int main(void)
{
    static const struct format_case cases[] = {
        {.format = &fastapi_log,
         .good = SLICE_LITERAL(JSON("1")),
         .logs = logs,
         .good_len = 1,
         .wrong = SLICE_LITERAL("{\"level\":5}"),
         .with_level = json_with_level},
        {.format = &fastapi_logs,
         .good = SLICE_LITERAL("[" JSON("1") "," JSON("2") "," JSON("3") "]"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("[" JSON("1") ",{}]"),
         .with_level = array_with_level},
        {.format = &fastapi_lines,
         .good = SLICE_LITERAL(JSON("1") "\n\n" JSON("2") "\n" JSON("3") "\n"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(JSON("1") "\n{\n"),
         .with_level = json_with_level},
        {.format = &jsonline_auto,
         .good = SLICE_LITERAL(JSON("1") "\n\n" JSON("2") "\n" JSON("3") "\n"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("[" JSON("1") ",5]"),
         .with_level = json_with_level},
        {.format = &jsonline_insert,
         .good = SLICE_LITERAL(JSON("1") "\n\n" JSON("2") "\n" JSON("3") "\n"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("no JSON"),
         .with_level = json_with_level,
         .leaves_out = true},
        {.format = &otlp_protobuf,
         .good = SLICE_LITERAL(OTLP_THREE),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(OTLP_ONE("1") "\x0a\x7f"),
         .with_level = otlp_with_level},
        {.format = &otlp_json,
         .good = SLICE_LITERAL(
             OTLP_JSON(OTLP_JSON_LOG("1") "," OTLP_JSON_LOG("2") "," OTLP_JSON_LOG("3"))),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(OTLP_JSON(OTLP_JSON_LOG("1") ",5")),
         .with_level = otlp_json_with_level},
        {.format = &bulk_format,
         .good = SLICE_LITERAL(BULK("1") BULK("2") BULK("3")),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(BULK("1") "{}\n"),
         .with_level = bulk_with_level,
         .leaves_out = true},
        {.format = &hec_events,
         .good = SLICE_LITERAL(EVENT("1") EVENT("2") "\n" EVENT("3")),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(EVENT("1") "{}"),
         .with_level = event_with_level},
        {.format = &hec_raw,
         .good = SLICE_LITERAL("message 1\n\nmessage 2"),
         .logs = plain_logs,
         .good_len = 2,
         .wrong = SLICE_LITERAL("\n")},
        {.format = &datadog_logs,
         .good = SLICE_LITERAL("[" JSON("1") "," JSON("2") "," JSON("3") "]"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("[" JSON("1") ",5]"),
         .with_level = array_with_level},
        {.format = &gelf_message,
         .good = SLICE_LITERAL("{\"short_message\":\"message 1\",\"level\":6,\"host\":\"a\"}"),
         .logs = logs,
         .good_len = 1,
         .wrong = SLICE_LITERAL("[]"),
         .with_name = gelf_with_name},
        {.format = &journal_upload,
         .good = SLICE_LITERAL(ENTRY("1") "\n" ENTRY("2")),
         .logs = plain_logs,
         .good_len = 2,
         .wrong = SLICE_LITERAL(ENTRY("1") "\nmessage 2\n"),
         .with_name = entry_with_name,
         .leaves_out = true},
        {.format = &loki_protobuf,
         .good = SLICE_LITERAL(LOKI_THREE),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL(LOKI_WRONG),
         .with_level = loki_with_level,
         .leaves_out = true},
        {.format = &loki_json,
         .good = SLICE_LITERAL("{\"streams\":[{\"stream\":{\"host\":\"a\"},\"values\":["
                               "[null,\"message 1\"],[null,\"message 2\"],[null,\"message 3\"]"
                               "]}]}"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("{\"streams\":[{\"values\":[[null,\"message 1\"]]}]"),
         .with_level = loki_json_with_level,
         .leaves_out = true},
        {.format = &pretend_format,
         .good = SLICE_LITERAL("info a message 1\ninfo a message 2\ninfo a message 3\n"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("info a message 1\ninfo\n"),
         .with_level = pretend_with_level},
    };

    return format_conformance(cases, sizeof(cases) / sizeof(*cases));
}
