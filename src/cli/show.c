#include "cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "base/visible.h"
#include "cli/local_time.h"
#include "cli/terminal.h"
#include "record/csv.h"
#include "json/writer.h"

#define RESET "\033[0m"
#define DIM "\033[2m"

/* What a level is shown in; levels are any text. */
static const struct {
    const char *level;
    const char *color;
} colors[] = {
    {"fatal", "\033[1;31m"}, {"critical", "\033[1;31m"}, {"error", "\033[31m"},
    {"err", "\033[31m"},     {"warning", "\033[33m"},    {"warn", "\033[33m"},
    {"notice", "\033[36m"},  {"info", "\033[32m"},       {"debug", "\033[34m"},
    {"trace", "\033[2m"},
};

void show_init(struct show *show, const struct flags *flags)
{
    const char *form = flags_text(flags, "output"), *when = flags_text(flags, "color");
    const char *no_color = getenv("NO_COLOR");

    show->is_terminal = isatty(STDOUT_FILENO);
    show->is_local = flags_has(flags, "local");
    show->has_color = strcmp(when, "always") == 0 ||
                      (strcmp(when, "auto") == 0 && show->is_terminal && !(no_color && *no_color));
    if (!form)
        form = show->is_terminal ? "pretty" : "json";
    show->form = strcmp(form, "pretty") == 0 ? SHOW_PRETTY
                 : strcmp(form, "json") == 0 ? SHOW_JSON
                 : strcmp(form, "csv") == 0  ? SHOW_CSV
                                             : SHOW_MESSAGE;
}

static const char *color_of(struct slice level)
{
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
        if (slice_equal_ascii_nocase(level, slice_of_string(colors[i].level)))
            return colors[i].color;
    return "";
}

static void append_colored(const struct show *show, struct buffer *b, const char *color,
                           struct slice text)
{
    bool is_colored = show->has_color && color[0];

    buffer_append_string(b, is_colored ? color : "");
    visible_append_lines(b, text, "    ");
    buffer_append_string(b, is_colored ? RESET : "");
}

/* The time of `log`, as it is or, with --local, where the clock on the wall stood then. */
static void append_time(const struct show *show, struct buffer *b, yyjson_val *log)
{
    struct slice text = json_text(yyjson_obj_get(log, "timestamp"));
    struct timestamp_error refusal;
    int64_t us;

    if (show->is_local && !timestamp_parse_text(text, &us, &refusal))
        local_time_append(b, us);
    else
        buffer_append_slice(b, text);
}

/*
 * 2026-11-25T01:02:03.000004Z INFO message name=value other={"a":1}
 * Under a message of several lines, the attributes have a line of their own.
 */
static void append_pretty(const struct show *show, struct buffer *b, yyjson_val *log)
{
    struct slice level = json_text(yyjson_obj_get(log, "level"));
    struct slice message = json_text(yyjson_obj_get(log, "message"));
    bool has_lines = message.len > 0 && memchr(message.data, '\n', message.len);
    yyjson_val *attributes = yyjson_obj_get(log, "attributes"), *name, *value;
    yyjson_obj_iter members = yyjson_obj_iter_with(attributes);
    bool is_first = true;
    struct buffer text;

    buffer_init(&text, SIZE_MAX / 2);
    append_time(show, &text, log);
    append_colored(show, b, DIM, buffer_slice(&text));
    buffer_append_char(b, ' ');
    append_colored(show, b, color_of(level), level);
    for (size_t i = level.len; i < 5; i++)
        buffer_append_char(b, ' ');
    buffer_append_char(b, ' ');
    append_colored(show, b, "", message);
    if (has_lines && yyjson_obj_size(attributes) > 0)
        buffer_append_string(b, message.data[message.len - 1] == '\n' ? "" : "\n    ");
    while ((name = yyjson_obj_iter_next(&members))) {
        value = yyjson_obj_iter_get_val(name);
        buffer_clear(&text);
        buffer_append_string(&text, has_lines && is_first ? "" : " ");
        is_first = false;
        buffer_append_slice(&text, json_text(name));
        buffer_append_char(&text, '=');
        json_append_value(&text, value);
        append_colored(show, b, DIM, buffer_slice(&text));
    }
    buffer_append_char(b, '\n');
    buffer_release(&text);
}

static const char *csv_row_end(const struct show *show)
{
    return show->is_terminal ? "\n" : CSV_ROW_END;
}

void show_append_head(const struct show *show, struct buffer *b)
{
    if (show->form != SHOW_CSV)
        return;
    buffer_append_string(b, CSV_HEAD);
    buffer_append_string(b, csv_row_end(show));
}

static void append_csv(const struct show *show, struct buffer *b, yyjson_val *log)
{
    struct buffer timestamp;
    struct buffer attributes;

    buffer_init(&timestamp, SIZE_MAX / 2);
    buffer_init(&attributes, SIZE_MAX / 2);
    append_time(show, &timestamp, log);
    json_append_value(&attributes, yyjson_obj_get(log, "attributes"));
    csv_append_row(b, &(struct csv_row){
                          .timestamp = buffer_slice(&timestamp),
                          .id = json_text(yyjson_obj_get(log, "id")),
                          .level = json_text(yyjson_obj_get(log, "level")),
                          .message = json_text(yyjson_obj_get(log, "message")),
                          .attributes = buffer_slice(&attributes),
                      });
    buffer_append_string(b, csv_row_end(show));
    buffer_release(&timestamp);
    buffer_release(&attributes);
}

static void append_json(const struct show *show, struct buffer *b, yyjson_val *log)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(log);
    char before = '{';

    for (yyjson_val *name; (name = yyjson_obj_iter_next(&members));) {
        buffer_append_char(b, before);
        before = ',';
        json_append_value(b, name);
        buffer_append_char(b, ':');
        if (show->is_local && yyjson_equals_str(name, "timestamp")) {
            buffer_append_char(b, '"');
            append_time(show, b, log);
            buffer_append_char(b, '"');
        } else {
            json_append_value(b, yyjson_obj_iter_get_val(name));
        }
    }
    buffer_append_string(b, before == '{' ? "{}\n" : "}\n");
}

void show_append(const struct show *show, struct buffer *b, yyjson_val *log)
{
    struct buffer plain, *to = show->is_terminal ? &plain : b;

    if (show->form == SHOW_PRETTY) { /* makes texts visible itself, since colors may be in it */
        append_pretty(show, b, log);
        return;
    }
    buffer_init(&plain, SIZE_MAX / 2);
    if (show->form == SHOW_JSON) {
        append_json(show, to, log);
    } else if (show->form == SHOW_CSV) {
        append_csv(show, to, log);
    } else {
        buffer_append_slice(to, json_text(yyjson_obj_get(log, "message")));
        buffer_append_char(to, '\n');
    }
    if (show->is_terminal)
        visible_append_lines(b, buffer_slice(&plain), "");
    buffer_release(&plain);
}

int show_write(struct slice bytes, struct errbuf *err)
{
    terminal_clear_status();
    if (fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0)
        return 0;
    return errno == EPIPE ? LM_ESTOPPED
                          : errbuf_fail(err, LM_EIO, "cannot write: %s", strerror(errno));
}
