/*
 * A protocol that does not exist, in one file: what a new one costs. A log a line:
 *
 *   LEVEL HOST MESSAGE
 */
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "formats/format.h"
#include "record/limits.h"
#include "json/writer.h"

struct memory {
    struct buffer attributes;
};

static void *memory_new(struct account *account)
{
    static struct memory memory;

    buffer_init(&memory.attributes, 1 << 20);
    return &memory;
}

static void memory_free(void *memory)
{
    buffer_release(&((struct memory *)memory)->attributes);
}

/* False if `line` is no log, or one that passes a limit. */
static bool read_line(struct slice line, struct record *r, struct buffer *attributes)
{
    r->level = slice_cut(&line, ' ');

    struct slice host = slice_cut(&line, ' ');
    r->message = line;
    if (!r->level.len || !host.len || !line.len || r->level.len > RECORD_LEVEL_MAX)
        return false;
    buffer_clear(attributes);
    buffer_append_string(attributes, "{\"host\":");
    json_append_string(attributes, host);
    buffer_append_char(attributes, '}');
    r->attributes = buffer_slice(attributes);
    return true;
}

static int parse(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts)
{
    struct memory *m = options->memory;
    int64_t now_us = clock_arrival_us();
    int error = 0;

    *counts = (struct format_counts){0};
    if (!utf8_valid(body) || (body.len && memchr(body.data, '\0', body.len)))
        error = LM_EINVAL;
    for (size_t number = 1; !error && body.len > 0; number++) {
        struct record r = {.key = {now_us, uuid7_new(now_us)}};

        if (!read_line(slice_cut(&body, '\n'), &r, &m->attributes))
            error = LM_EINVAL;
        else
            error = buffer_error(&m->attributes) ? LM_ENOMEM : sink(&r, ctx);
        counts->records += !error;
        if (error == LM_EINVAL)
            buffer_appendf(options->wrong, "line %zu is no log\n", number);
    }
    if (error == LM_EINVAL && options->wrong->len == 0 && !buffer_error(options->wrong))
        buffer_append_string(options->wrong, "no text\n");
    if (error == LM_EINVAL && buffer_error(options->wrong))
        error = buffer_error(options->wrong);
    return error;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    buffer_appendf(body, "%zu taken\n", taken->records);
    return (struct format_answer){.status = 202, .content_type = "text/plain"};
}

static const char *const media_types[] = {"text/x-pretend", NULL};

extern const struct format pretend_format;
const struct format pretend_format = {
    .name = "pretend",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse,
    .answer = answer,
    .refusal = {.status = 400, .content_type = "text/plain"},
};
