#include "mcp/refusal.h"

#include <yyjson.h>

#include "base/visible.h"
#include "json/writer.h"

/* Moves `i` to where a character begins, `i` or before it. */
static size_t character_begin(struct slice text, size_t i)
{
    while (i > 0 && i < text.len && ((unsigned char)text.data[i] & 0xc0) == 0x80)
        i--;
    return i;
}

static size_t count_characters(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return n;
}

/* The text around its bytes from `offset` on, and carets below what was met. */
static void append_place(struct buffer *b, struct slice text, size_t offset, size_t len)
{
    enum { AROUND = REFUSAL_SHOWN_MAX / 2 };
    size_t from = character_begin(text, offset > AROUND ? offset - AROUND : 0);
    size_t to = character_begin(text, text.len - offset > AROUND ? offset + AROUND : text.len);
    size_t begin, column;

    buffer_append_string(b, "\n  ");
    begin = b->len;
    visible_append(b, slice_of(text.data + from, offset - from));
    column = buffer_error(b) ? 0 : count_characters(slice_of(b->data + begin, b->len - begin));
    visible_append(b, slice_of(text.data + offset, to - offset));
    buffer_appendf(b, "\n  %*s^", (int)column, "");
    len = len < to - offset ? len : to - offset;
    for (size_t i = 1; i < count_characters(slice_of(text.data + offset, len)); i++)
        buffer_append_char(b, '~');
}

/* One of what is wrong: {"loc":["query","since"],"msg":…,"input":…,"ctx":…}. */
static void append_item(struct buffer *b, yyjson_val *item)
{
    yyjson_val *place = yyjson_arr_get_last(yyjson_obj_get(item, "loc"));
    yyjson_val *ctx = yyjson_obj_get(item, "ctx");
    struct slice input = json_text(yyjson_obj_get(item, "input"));
    uint64_t offset = yyjson_get_uint(yyjson_obj_get(ctx, "offset"));

    if (yyjson_is_str(place)) {
        visible_append(b, json_text(place));
        buffer_append_string(b, ": ");
    }
    visible_append(b, json_text(yyjson_obj_get(item, "msg")));
    if (yyjson_is_uint(yyjson_obj_get(ctx, "offset")) && input.len > 0 && offset <= input.len)
        append_place(b, input, (size_t)offset, yyjson_get_uint(yyjson_obj_get(ctx, "length")));
}

void refusal_append(struct buffer *b, unsigned status, struct slice body)
{
    yyjson_doc *doc =
        body.len > 0 ? yyjson_read_opts((char *)body.data, body.len, 0, json_alc(), NULL) : NULL;
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    yyjson_val *item;
    size_t i, n;

    if (yyjson_is_str(detail))
        visible_append(b, json_text(detail));
    else if (!yyjson_is_arr(detail))
        buffer_appendf(b, "the server answered %u", status);
    yyjson_arr_foreach(detail, i, n, item)
    {
        buffer_append_string(b, i ? "\n" : "");
        append_item(b, item);
    }
    yyjson_doc_free(doc);
}
