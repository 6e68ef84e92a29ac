/* Each format and its case. */
#include "format_conformance.h"
#include "formats/fastapi.h"
#include "formats/jsonline.h"

extern const struct format pretend_format;

#define LOG(n)                                                                                     \
    {                                                                                              \
        .level = SLICE_LITERAL("info"),                                                            \
        .message = SLICE_LITERAL("message " n),                                                    \
        .attributes = SLICE_LITERAL("{\"host\":\"a\"}"),                                           \
    }
static const struct record logs[] = {LOG("1"), LOG("2"), LOG("3")};

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

static void pretend_with_level(struct buffer *body, struct slice level)
{
    buffer_append_slice(body, level);
    buffer_append_string(body, " a message");
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
        {.format = &pretend_format,
         .good = SLICE_LITERAL("info a message 1\ninfo a message 2\ninfo a message 3\n"),
         .logs = logs,
         .good_len = 3,
         .wrong = SLICE_LITERAL("info a message 1\ninfo\n"),
         .with_level = pretend_with_level},
    };

    return format_conformance(cases, sizeof(cases) / sizeof(*cases));
}
