#include "read/projection.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "query/path.h"
#include "json/writer.h"

enum { TEXT_BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */ };

void projection_init(struct projection *p)
{
    *p = (struct projection){0};
    json_doc_init(&p->doc);
    buffer_init(&p->text, TEXT_BYTES_MAX);
}

void projection_release(struct projection *p)
{
    json_doc_release(&p->doc);
    buffer_release(&p->text);
    free(p->paths);
    p->paths = NULL;
}

char *projection_copy_paths(struct log_field *items, size_t n)
{
    size_t len = 0;
    char *texts;

    for (size_t i = 0; i < n; i++)
        len += items[i].path.len;
    texts = try_malloc(len + 1);
    if (!texts)
        return NULL;
    len = 0;
    for (size_t i = 0; i < n; i++) {
        if (items[i].path.len > 0)
            memcpy(texts + len, items[i].path.data, items[i].path.len);
        items[i].path.data = texts + len;
        len += items[i].path.len;
    }
    return texts;
}

int projection_own(struct projection *p, struct account *account)
{
    if (!p->asked)
        return 0;
    p->paths = projection_copy_paths(p->items, p->len);
    if (!p->paths)
        return LM_ENOMEM;
    return buffer_charge(&p->text, account) ? 0 : LM_EBUSY;
}

/* ---- What stays ---- */

/* What is left of the paths behind the names that lead to a value. */
struct rests {
    struct slice each[PROJECTION_FIELDS_MAX];
    size_t len;
};

static bool may_be_cut(struct slice path)
{
    size_t dots = 0;

    for (size_t i = 0; i < path.len; i++)
        dots += path.data[i] == '.';
    return dots < PATH_NAMES_MAX;
}

/* What is wanted of member `name`: true: all of it; else what the paths in `inner` lead to. */
static bool is_whole(const struct rests *rests, struct slice name, struct rests *inner)
{
    inner->len = 0;
    for (size_t i = 0; i < rests->len; i++) {
        struct slice path = rests->each[i];

        if (path.len < name.len || memcmp(path.data, name.data, name.len) != 0)
            continue;
        if (path.len == name.len)
            return true;
        if (path.data[name.len] == '.' && may_be_cut(path))
            inner->each[inner->len++] = slice_of(path.data + name.len + 1, path.len - name.len - 1);
    }
    return false;
}

static bool append_value(struct buffer *b, yyjson_val *value, const struct rests *rests);

static bool append_elements(struct buffer *b, yyjson_val *value, const struct rests *rests)
{
    size_t start = b->len, i, max;
    yyjson_val *element;
    bool any = false;

    buffer_append_char(b, '[');
    yyjson_arr_foreach(value, i, max, element)
    {
        size_t before = b->len;

        if (any)
            buffer_append_char(b, ',');
        if (append_value(b, element, rests))
            any = true;
        else if (!buffer_error(b))
            buffer_truncate(b, before);
    }
    buffer_append_char(b, ']');
    if (!any && !buffer_error(b))
        buffer_truncate(b, start);
    return any;
}

static bool append_members(struct buffer *b, yyjson_val *value, const struct rests *rests)
{
    size_t start = b->len, i, max;
    yyjson_val *key, *member;
    struct rests inner;
    bool any = false;

    buffer_append_char(b, '{');
    yyjson_obj_foreach(value, i, max, key, member)
    {
        struct slice name = json_text(key);
        size_t before = b->len;
        bool whole = is_whole(rests, name, &inner);

        if (!whole && inner.len == 0)
            continue;
        if (any)
            buffer_append_char(b, ',');
        json_append_string(b, name);
        buffer_append_char(b, ':');
        if (whole)
            json_append_value(b, member);
        if (whole || append_value(b, member, &inner))
            any = true;
        else if (!buffer_error(b))
            buffer_truncate(b, before);
    }
    buffer_append_char(b, '}');
    if (!any && !buffer_error(b))
        buffer_truncate(b, start);
    return any;
}

/* What `rests` lead to in `value`; false: nothing, and nothing is appended. */
static bool append_value(struct buffer *b, yyjson_val *value, const struct rests *rests)
{
    if (yyjson_is_obj(value))
        return append_members(b, value, rests);
    return yyjson_is_arr(value) && append_elements(b, value, rests);
}

int projection_apply(struct projection *p, struct record *r)
{
    struct rests rests = {.len = 0};
    int error;

    if (!p->asked || r->attributes.len == 0)
        return 0;
    error = json_doc_read(&p->doc, r->attributes);
    if (error == LM_EINVAL) /* it is no JSON: nobody can say what is in it */
        return 0;
    if (error)
        return error;
    for (size_t i = 0; i < p->len; i++)
        if (p->items[i].kind == LOG_FIELD_ATTRIBUTE)
            rests.each[rests.len++] = p->items[i].path;
    buffer_clear(&p->text);
    (void)append_value(&p->text, yyjson_doc_get_root(p->doc.doc), &rests);
    r->attributes = buffer_slice(&p->text);
    return buffer_error(&p->text);
}
