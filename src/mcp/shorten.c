#include "mcp/shorten.h"

#include <stdio.h>

#include "json/writer.h"

/* A level of what is being appended. */
struct place {
    struct shorten *shorten;
    struct buffer *b;
    size_t end; /* of `b`: past it nothing more is written but how much is missing */
};

static void append_cut(struct shorten *s, struct buffer *b, struct slice text, size_t max)
{
    struct slice kept = utf8_cut(text, max);

    json_append_string(b, kept);
    if (kept.len == text.len)
        return;
    s->cuts++;
    if (buffer_error(b) == 0)
        buffer_truncate(b, b->len - 1); /* its quote */
    buffer_appendf(b, "… [%zu bytes more]\"", text.len - kept.len);
}

void shorten_append_text(struct shorten *s, struct buffer *b, struct slice text)
{
    append_cut(s, b, text, s->text_max);
}

static bool is_full(const struct place *p, size_t done, size_t max)
{
    return done >= max || p->b->len >= p->end;
}

static void append(const struct place *p, yyjson_val *value, unsigned depth);

static void append_array(const struct place *p, yyjson_val *array, unsigned depth)
{
    size_t i, n;
    yyjson_val *item;

    buffer_append_char(p->b, '[');
    yyjson_arr_foreach(array, i, n, item)
    {
        buffer_append_string(p->b, i ? "," : "");
        if (is_full(p, i, SHORTEN_ITEMS_MAX)) {
            buffer_appendf(p->b, "\"… [%zu more]\"", n - i);
            p->shorten->cuts++;
            break;
        }
        append(p, item, depth + 1);
    }
    buffer_append_char(p->b, ']');
}

static void append_object(const struct place *p, yyjson_val *object, unsigned depth)
{
    size_t i, n;
    yyjson_val *name, *member;

    buffer_append_char(p->b, '{');
    yyjson_obj_foreach(object, i, n, name, member)
    {
        buffer_append_string(p->b, i ? "," : "");
        if (is_full(p, i, SHORTEN_MEMBERS_MAX)) {
            buffer_appendf(p->b, "\"…\":\"%zu more\"", n - i);
            p->shorten->cuts++;
            break;
        }
        append_cut(p->shorten, p->b, json_text(name), SHORTEN_NAME_MAX);
        buffer_append_char(p->b, ':');
        append(p, member, depth + 1);
    }
    buffer_append_char(p->b, '}');
}

static void append(const struct place *p, yyjson_val *value, unsigned depth)
{
    struct slice text = json_text(value);

    if (yyjson_is_str(value) || (yyjson_is_raw(value) && text.len > p->shorten->text_max)) {
        shorten_append_text(p->shorten, p->b, text);
    } else if (!yyjson_is_ctn(value)) {
        json_append_value(p->b, value);
    } else if (depth >= SHORTEN_DEPTH_MAX) {
        p->shorten->cuts++;
        buffer_append_string(p->b, "\"… [nested deeper]\"");
    } else if (yyjson_is_arr(value)) {
        append_array(p, value, depth);
    } else {
        append_object(p, value, depth);
    }
}

void shorten_append(struct shorten *s, struct buffer *b, yyjson_val *value)
{
    append(&(struct place){.shorten = s, .b = b, .end = b->len + s->room}, value, 0);
}
