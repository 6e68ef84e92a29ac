#include "cli/csv_rows.h"

#include <string.h>

#include "json/writer.h"

void csv_rows_init(struct csv_rows *c)
{
    *c = (struct csv_rows){.state = CSV_FIELD_BEGIN, .line = 1, .lines = 0};
    buffer_init(&c->fields, CSV_ROWS_ROW_MAX);
}

void csv_rows_release(struct csv_rows *c)
{
    buffer_release(&c->fields);
}

static struct slice field(const struct csv_rows *c, int i)
{
    size_t begin = i > 0 ? c->ends[i - 1] : 0;

    return slice_of(c->fields.data + begin, c->ends[i] - begin);
}

static void append_row(const struct csv_rows *c, struct buffer *out)
{
    static const char *const names[] = {
        "{\"timestamp\":", ",\"id\":", ",\"level\":", ",\"message\":"};
    struct slice attributes = field(c, 4);

    for (int i = 0; i < 4; i++) {
        buffer_append_string(out, names[i]);
        json_append_string(out, field(c, i));
    }
    buffer_append_string(out, ",\"attributes\":");
    if (attributes.len > 0)
        buffer_append_slice(out, attributes);
    else
        buffer_append_string(out, "{}");
    buffer_append_char(out, '}');
}

static int end_field(struct csv_rows *c, struct errbuf *err)
{
    if (c->columns == CSV_COLUMNS)
        return errbuf_fail(err, LM_EDATA, "line %llu of its CSV has more than the %d columns %s",
                           c->line, CSV_COLUMNS, CSV_HEAD);
    c->ends[c->columns++] = c->fields.len;
    c->state = CSV_FIELD_BEGIN;
    return 0;
}

/* At a row's newline, or the end of the input. */
static int end_row(struct csv_rows *c, struct buffer *out, struct errbuf *err)
{
    bool is_empty = c->columns == 0 && c->fields.len == 0;
    int error = end_field(c, err);

    if (!error && !is_empty && c->columns < CSV_COLUMNS)
        error = errbuf_fail(err, LM_EDATA, "line %llu of its CSV has %d columns, not the %d of %s",
                            c->line, c->columns, CSV_COLUMNS, CSV_HEAD);
    if (!error && c->has_head && !is_empty)
        append_row(c, out);
    c->lines++;
    for (; c->line <= c->lines; c->line++)
        buffer_append_char(out, '\n');
    c->has_head = true;
    c->columns = 0;
    buffer_clear(&c->fields);
    return error;
}

static int take(struct csv_rows *c, char byte, struct buffer *out, struct errbuf *err)
{
    if (c->state == CSV_QUOTED && byte != '"') {
        c->lines += byte == '\n';
        buffer_append_char(&c->fields, byte);
    } else if (c->state == CSV_QUOTED) {
        c->state = CSV_QUOTE_SEEN;
    } else if (byte == '"' && c->state == CSV_QUOTE_SEEN) { /* two are one */
        buffer_append_char(&c->fields, byte);
        c->state = CSV_QUOTED;
    } else if (byte == '"' && c->state == CSV_FIELD_BEGIN) {
        c->state = CSV_QUOTED;
    } else if (byte == ',') {
        return end_field(c, err);
    } else if (byte == '\n') {
        return end_row(c, out, err);
    } else if (c->state == CSV_QUOTE_SEEN && byte != '\r') {
        return errbuf_fail(err, LM_EDATA, "line %llu of its CSV has text behind a closing quote",
                           c->line);
    } else if (byte != '\r') {
        buffer_append_char(&c->fields, byte);
        c->state = CSV_BARE;
    }
    return 0;
}

int csv_rows_feed(struct csv_rows *c, struct slice text, bool is_last, struct buffer *out,
                  struct errbuf *err)
{
    int error = 0;

    for (size_t i = 0; i < text.len && !error; i++)
        error = take(c, text.data[i], out, err);
    if (!error && buffer_error(&c->fields))
        error = errbuf_fail(err, LM_EDATA, "line %llu of its CSV is longer than %d MiB", c->line,
                            CSV_ROWS_ROW_MAX >> 20);
    if (!error && is_last && c->state == CSV_QUOTED)
        error = errbuf_fail(err, LM_EDATA, "its CSV is cut off in the row that begins in line %llu",
                            c->line);
    if (!error && is_last && (c->columns > 0 || c->fields.len > 0))
        error = end_row(c, out, err);
    return error ? error : buffer_error(out);
}
