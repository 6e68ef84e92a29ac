#include "deep_log.h"

struct slice deep_log(struct buffer *b, const char *before, size_t depth, const char *after)
{
    buffer_clear(b);
    buffer_append_string(b, before);
    buffer_append_string(b, "{\"message\":\"m\",\"level\":\"l\",\"a\":");
    for (size_t i = 1; i < depth; i++)
        buffer_append_string(b, i % 2 ? "[" : "{\"x\":");
    buffer_append_string(b, "1");
    for (size_t i = depth - 1; i > 0; i--)
        buffer_append_string(b, i % 2 ? "]" : "}");
    buffer_append_string(b, "}");
    buffer_append_string(b, after);
    return buffer_slice(b);
}
