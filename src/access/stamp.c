#include "access/stamp.h"

#include "query/path.h"
#include "record/limits.h"
#include "json/writer.h"

enum {
    ATTRIBUTES_MAX = RECORD_BYTES_MAX + GRANT_SET_MAX * 16 * GRANT_TEXT_MAX,
    KEEP_BYTES = 65536
};

void stamp_init(struct stamp *s, struct account *account)
{
    json_doc_init(&s->doc);
    buffer_init(&s->attributes, ATTRIBUTES_MAX);
    buffer_init(&s->other, ATTRIBUTES_MAX);
    s->attributes.account = s->other.account = account;
}

void stamp_release(struct stamp *s)
{
    json_doc_release(&s->doc);
    buffer_release(&s->attributes);
    buffer_release(&s->other);
}

void stamp_rest(struct stamp *s)
{
    if (s->attributes.capacity > KEEP_BYTES)
        buffer_release(&s->attributes);
    if (s->other.capacity > KEEP_BYTES)
        buffer_release(&s->other);
    if (s->doc.pool_size > KEEP_BYTES)
        json_doc_release(&s->doc);
}

/* ---- Names that go away ---- */

static void append_without(struct buffer *b, yyjson_val *value, struct slice path);

static bool begins_with(struct slice path, struct slice name)
{
    return name.len < path.len && path.data[name.len] == '.' &&
           (name.len == 0 || memcmp(name.data, path.data, name.len) == 0);
}

static void append_members_without(struct buffer *b, yyjson_val *object, struct slice path)
{
    size_t i, max, written = 0;
    yyjson_val *key, *value;

    buffer_append_char(b, '{');
    yyjson_obj_foreach(object, i, max, key, value)
    {
        struct slice name = json_text(key);

        if (slice_equal(name, path))
            continue;
        if (written++ > 0)
            buffer_append_char(b, ',');
        json_append_string(b, name);
        buffer_append_char(b, ':');
        if (begins_with(path, name))
            append_without(b, value, slice_of(path.data + name.len + 1, path.len - name.len - 1));
        else
            json_append_value(b, value);
    }
    buffer_append_char(b, '}');
}

/* `value` without what is at `path` in it. As deep as a log is. */
static void append_without(struct buffer *b, yyjson_val *value, struct slice path)
{
    size_t i, max;
    yyjson_val *element;

    if (yyjson_is_obj(value)) {
        append_members_without(b, value, path);
    } else if (yyjson_is_arr(value)) {
        buffer_append_char(b, '[');
        yyjson_arr_foreach(value, i, max, element)
        {
            if (i > 0)
                buffer_append_char(b, ',');
            append_without(b, element, path);
        }
        buffer_append_char(b, ']');
    } else {
        json_append_value(b, value);
    }
}

static bool found(yyjson_val *value, void *ctx)
{
    (void)value;
    *(bool *)ctx = true;
    return false;
}

/* Whether something may be at `path`: a text that is JSON without a backslash
 * has all names in it as they are. */
static bool may_have(struct slice text, struct slice path)
{
    struct slice name = path_longest_name(path);

    return memchr(text.data, '\\', text.len) || memmem(text.data, text.len, name.data, name.len);
}

/* Takes what is at `path` out of s->attributes. */
static int take_out(struct stamp *s, struct slice path)
{
    bool is_there = false;
    uint64_t steps = 0;

    if (!may_have(buffer_slice(&s->attributes), path))
        return 0;

    int error = json_doc_read(&s->doc, buffer_slice(&s->attributes));
    if (error)
        return error == LM_EINVAL ? LM_EDATA : error;

    yyjson_val *root = yyjson_doc_get_root(s->doc.doc);

    (void)path_each(root, path, found, &is_there, &steps);
    if (!is_there)
        return 0;
    buffer_clear(&s->other);
    append_without(&s->other, root, path);

    struct buffer without = s->other;

    s->other = s->attributes;
    s->attributes = without;
    return 0;
}

/* ---- All of it ---- */

static int fail(const struct buffer *b)
{
    return buffer_error(b) == LM_ETOOBIG ? LM_EDATA : buffer_error(b);
}

/* The object in s->attributes gets the members. */
static void add_set(struct buffer *b, const struct grant *g)
{
    if (b->len == 0)
        buffer_append_string(b, "{}");
    if (buffer_error(b))
        return;
    buffer_truncate(b, b->len - 1);
    for (size_t i = 0; i < g->set_len; i++) {
        if (b->len > 1)
            buffer_append_char(b, ',');
        json_append_string(b, g->set[i].name);
        buffer_append_char(b, ':');
        json_append_string(b, g->set[i].value);
    }
    buffer_append_char(b, '}');
}

int stamp_apply(struct stamp *s, const struct grant *g, const struct record *r, struct record *to)
{
    *to = *r;
    if (!g || g->set_len == 0)
        return 0;
    buffer_clear(&s->attributes);
    buffer_append_slice(&s->attributes, slice_trim(r->attributes));
    for (size_t i = 0; i < g->set_len && !buffer_error(&s->attributes) && r->attributes.len > 0;
         i++) {
        int error = take_out(s, g->set[i].name);
        if (error)
            return error;
    }
    add_set(&s->attributes, g);
    if (buffer_error(&s->attributes))
        return fail(&s->attributes);
    to->attributes = buffer_slice(&s->attributes);
    if (to->attributes.len + to->message.len + to->level.len > RECORD_BYTES_MAX)
        return LM_EDATA;
    return 0;
}
