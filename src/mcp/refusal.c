#include "mcp/refusal.h"

#include <yyjson.h>

#include "base/caret.h"
#include "base/visible.h"
#include "json/writer.h"

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
    if (yyjson_is_uint(yyjson_obj_get(ctx, "offset")) && input.len > 0 && offset <= input.len) {
        buffer_append_string(b, "\n  ");
        caret_append(b, input, (size_t)offset, yyjson_get_uint(yyjson_obj_get(ctx, "length")),
                     REFUSAL_SHOWN_MAX);
    }
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
