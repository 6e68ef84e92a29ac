#include "diag/diag.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/visible.h"
#include "json/writer.h"

enum { LINE_MAX_BYTES = 16 * 1024 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static enum diag_level lowest = DIAG_INFO;
static int as_json = -1;

void diag_set_level(enum diag_level level)
{
    lowest = level;
}

void diag_set_json(int json)
{
    as_json = json;
}

static void append_json(struct buffer *line, enum diag_level level, const char *msg,
                        const struct diag_field *fields)
{
    buffer_append_string(line, "{\"ts\":\"");
    timestamp_append(line, clock_wall_us());
    buffer_append_string(line, "\",\"level\":\"");
    buffer_append_string(line, level_names[level]);
    buffer_append_string(line, "\",\"msg\":");
    json_append_string(line, slice_of_string(msg));
    for (; fields->name; fields++) {
        buffer_append_char(line, ',');
        json_append_string(line, slice_of_string(fields->name));
        buffer_append_char(line, ':');
        if (fields->text)
            json_append_string(line, slice_of_string(fields->text));
        else
            buffer_append_i64(line, fields->number);
    }
    buffer_append_string(line, "}\n");
}

/* "12:34:56 warn  the queue is away  error=…": for a person at a terminal. */
static void append_text(struct buffer *line, enum diag_level level, const char *msg,
                        const struct diag_field *fields)
{
    char now[TIMESTAMP_TEXT_LEN];

    timestamp_format(clock_wall_us(), now);
    buffer_appendf(line, "%.8s %-5s ", now + 11, level_names[level]);
    visible_append(line, slice_of_string(msg));
    for (; fields->name; fields++) {
        buffer_appendf(line, "  %s=", fields->name);
        if (fields->text)
            visible_append(line, slice_of_string(fields->text));
        else
            buffer_append_i64(line, fields->number);
    }
    buffer_append_char(line, '\n');
}

void diag_write(enum diag_level level, const char *msg, const struct diag_field *fields)
{
    char memory[LINE_MAX_BYTES]; /* lack of memory is among what is to be said */
    struct buffer line;

    if (level < lowest)
        return;
    buffer_init_over(&line, memory, sizeof(memory));
    if (as_json == 1 || (as_json == -1 && !isatty(STDERR_FILENO)))
        append_json(&line, level, msg, fields);
    else
        append_text(&line, level, msg, fields);
    if (buffer_error(&line)) { /* fields too long: the message alone is still worth a line */
        buffer_clear(&line);
        append_json(&line, level, msg, &(struct diag_field){.name = NULL});
    }

    ssize_t written = write(STDERR_FILENO, line.data, line.len);

    (void)written; /* stderr gone: nowhere left to say so */
}

bool diag_may_say(struct diag_seldom *s, uint64_t now_us, int64_t *unsaid)
{
    if (now_us >= s->until_us) {
        s->until_us = now_us + DIAG_SELDOM_US;
        s->said = 0;
    }
    *unsaid = s->unsaid;
    if (s->said == DIAG_SELDOM_MAX) {
        s->unsaid++;
        return false;
    }
    s->said++;
    s->unsaid = 0;
    return true;
}
