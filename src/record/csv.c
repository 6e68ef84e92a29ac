#include "record/csv.h"

#include <string.h>

/* Appends a comma and `text` in quotes, each quote of its own doubled. */
static void append_text(struct buffer *b, struct slice text)
{
    buffer_append_string(b, ",\"");
    while (text.len > 0) {
        const char *quote = memchr(text.data, '"', text.len);
        size_t n = quote ? (size_t)(quote - text.data) + 1 : text.len;

        buffer_append(b, text.data, n);
        if (quote)
            buffer_append_char(b, '"');
        text = slice_of(text.data + n, text.len - n);
    }
    buffer_append_char(b, '"');
}

void csv_append_row(struct buffer *b, const struct csv_row *row)
{
    buffer_append_slice(b, row->timestamp);
    buffer_append_char(b, ',');
    buffer_append_slice(b, row->id);
    append_text(b, row->level);
    append_text(b, row->message);
    append_text(b, row->attributes);
}
