#include "cli/sse.h"

void sse_init(struct sse *s, int (*take)(struct slice name, struct slice data, void *ctx),
              void *ctx)
{
    buffer_init(&s->line, SSE_EVENT_MAX);
    buffer_init(&s->name, SSE_EVENT_MAX);
    buffer_init(&s->data, SSE_EVENT_MAX);
    buffer_init(&s->id, SSE_EVENT_MAX);
    buffer_init(&s->next_id, SSE_EVENT_MAX);
    s->take = take;
    s->ctx = ctx;
}

void sse_release(struct sse *s)
{
    buffer_release(&s->line);
    buffer_release(&s->name);
    buffer_release(&s->data);
    buffer_release(&s->id);
    buffer_release(&s->next_id);
}

static void forget_event(struct sse *s)
{
    buffer_clear(&s->name);
    buffer_clear(&s->data);
}

void sse_begin(struct sse *s)
{
    buffer_clear(&s->line);
    buffer_clear(&s->next_id);
    buffer_append_slice(&s->next_id, buffer_slice(&s->id));
    forget_event(s);
}

/* An empty line: the event is whole. One without data is none, but its id counts. */
static int dispatch(struct sse *s)
{
    int error = 0;

    if (s->data.len > 0)
        error = s->take(buffer_slice(&s->name),
                        slice_of(s->data.data, s->data.len - 1), /* the last newline is none */
                        s->ctx);
    forget_event(s);
    if (error)
        return error;
    buffer_clear(&s->id);
    buffer_append_slice(&s->id, buffer_slice(&s->next_id));
    return buffer_error(&s->id);
}

static int take_line(struct sse *s, struct slice line)
{
    const char *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
    struct slice field = {line.data, colon ? (size_t)(colon - line.data) : line.len};
    struct slice value = {NULL, 0};

    if (line.len == 0)
        return dispatch(s);
    if (colon) {
        value = slice_of(colon + 1, line.len - field.len - 1);
        if (value.len > 0 && value.data[0] == ' ')
            value = slice_of(value.data + 1, value.len - 1);
    }
    if (slice_equal(field, SLICE_LITERAL("data"))) {
        buffer_append_slice(&s->data, value);
        buffer_append_char(&s->data, '\n');
    } else if (slice_equal(field, SLICE_LITERAL("event"))) {
        buffer_clear(&s->name);
        buffer_append_slice(&s->name, value);
    } else if (slice_equal(field, SLICE_LITERAL("id"))) {
        buffer_clear(&s->next_id);
        buffer_append_slice(&s->next_id, value);
    }
    return buffer_error(&s->data);
}

int sse_feed(struct sse *s, struct slice bytes)
{
    int error = 0;

    while (bytes.len > 0 && !error) {
        const char *end = memchr(bytes.data, '\n', bytes.len);
        size_t len = end ? (size_t)(end - bytes.data) : bytes.len;

        buffer_append(&s->line, bytes.data, len);
        error = buffer_error(&s->line);
        if (end && !error) {
            error = take_line(s, buffer_slice(&s->line));
            buffer_clear(&s->line);
        }
        bytes = slice_of(bytes.data + len + (end ? 1 : 0), bytes.len - len - (end ? 1 : 0));
    }
    return error;
}
