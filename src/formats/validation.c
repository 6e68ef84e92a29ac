#include "formats/validation.h"

#include "json/writer.h"

enum { CLOSING_ROOM = 192 }; /* bytes, for the "too_many_errors" entry and the closing brackets */

void validation_init(struct validation *v, struct buffer *out)
{
    *v = (struct validation){.out = out};
    buffer_clear(out);
}

/* Not before there is something to list: most lists stay empty, and then take no memory. */
static void begin(struct buffer *out)
{
    if (out->len == 0)
        buffer_append_slice(out, SLICE_LITERAL("{\"detail\":["));
}

static void append_entry(struct buffer *b, const struct validation_entry *entry)
{
    buffer_append_slice(b, SLICE_LITERAL("{\"type\":"));
    json_append_string(b, slice_of_string(entry->type));
    buffer_append_slice(b, SLICE_LITERAL(",\"loc\":["));
    for (size_t i = 0; i < entry->loc_len; i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        if (entry->loc[i].name.data)
            json_append_string(b, entry->loc[i].name);
        else
            buffer_append_u64(b, entry->loc[i].index);
    }
    buffer_append_slice(b, SLICE_LITERAL("],\"msg\":"));
    json_append_string(b, entry->msg);
    buffer_append_slice(b, SLICE_LITERAL(",\"input\":"));
    buffer_append_slice(b, entry->input.len ? entry->input : SLICE_LITERAL("null"));
    if (entry->ctx.len) {
        buffer_append_slice(b, SLICE_LITERAL(",\"ctx\":"));
        buffer_append_slice(b, entry->ctx);
    }
    buffer_append_char(b, '}');
}

void validation_add(struct validation *v, const struct validation_entry *entry)
{
    struct buffer *b = v->out;
    size_t len = b->len;
    bool listing = v->listed == v->count && v->listed < VALIDATION_ERRORS_MAX;

    v->count++;
    if (!listing || buffer_error(b))
        return;
    begin(b);
    if (v->listed > 0)
        buffer_append_char(b, ',');
    append_entry(b, entry);
    if (!buffer_error(b) && b->ceiling - b->len >= CLOSING_ROOM)
        v->listed++;
    else if (!buffer_error(b) || buffer_error(b) == LM_ETOOBIG)
        buffer_truncate(b, len);
}

struct validation_mark validation_mark(const struct validation *v)
{
    return (struct validation_mark){.count = v->count, .listed = v->listed, .len = v->out->len};
}

void validation_rewind(struct validation *v, struct validation_mark mark)
{
    v->count = mark.count;
    v->listed = mark.listed;
    buffer_truncate(v->out, mark.len);
}

int validation_finish(struct validation *v)
{
    begin(v->out);
    if (v->listed < v->count) {
        if (v->listed > 0)
            buffer_append_char(v->out, ',');
        buffer_appendf(v->out,
                       "{\"type\":\"too_many_errors\",\"loc\":[\"body\"],"
                       "\"msg\":\"%zu more errors are not listed\",\"input\":null}",
                       v->count - v->listed);
    }
    buffer_append_slice(v->out, SLICE_LITERAL("]}"));
    return buffer_error(v->out);
}
