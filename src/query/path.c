/*
 * No value is met twice: the names that lead to it, joined by dots, are what of the path was used
 * up on the way.
 */
#include "query/path.h"

#include "json/writer.h"

struct walk {
    path_value_fn *fn;
    void *ctx;
    uint64_t *steps;
    bool is_dotted; /* the path may be cut at its dots */
};

static bool is_dotted(struct slice path)
{
    size_t dots = 0;

    for (size_t i = 0; i < path.len; i++)
        dots += path.data[i] == '.';
    return dots > 0 && dots < PATH_NAMES_MAX;
}

static bool hand_out(const struct walk *w, yyjson_val *value)
{
    yyjson_arr_iter elements;

    if (!yyjson_is_arr(value) || yyjson_arr_size(value) == 0)
        return w->fn(value, w->ctx);
    yyjson_arr_iter_init(value, &elements);
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&elements));) {
        ++*w->steps;
        if (!hand_out(w, v))
            return false;
    }
    return true;
}

static bool is_prefix(struct slice name, struct slice path)
{
    return name.len <= path.len && (name.len == 0 || memcmp(name.data, path.data, name.len) == 0);
}

/* Goes on with what is left of the path, which is not all used up. */
static bool descend(const struct walk *w, yyjson_val *value, struct slice path)
{
    if (yyjson_is_arr(value)) {
        yyjson_arr_iter elements;

        yyjson_arr_iter_init(value, &elements);
        for (yyjson_val *v; (v = yyjson_arr_iter_next(&elements));) {
            ++*w->steps;
            if (!descend(w, v, path))
                return false;
        }
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_iter members;

        yyjson_obj_iter_init(value, &members);
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&members));) {
            struct slice name = json_text(key);
            yyjson_val *member = yyjson_obj_iter_get_val(key);
            bool goes_on = true;

            ++*w->steps;
            if (!is_prefix(name, path))
                continue;
            if (name.len == path.len)
                goes_on = hand_out(w, member);
            else if (w->is_dotted && path.data[name.len] == '.')
                goes_on =
                    descend(w, member, slice_of(path.data + name.len + 1, path.len - name.len - 1));
            if (!goes_on)
                return false;
        }
    }
    return true;
}

bool path_each(yyjson_val *object, struct slice path, path_value_fn *fn, void *ctx, uint64_t *steps)
{
    const struct walk w = {fn, ctx, steps, is_dotted(path)};

    return descend(&w, object, path);
}

struct slice path_longest_name(struct slice path)
{
    struct slice longest = {0};

    if (!is_dotted(path))
        return path;
    while (path.len > 0) {
        struct slice name = slice_cut(&path, '.');

        if (name.len > longest.len)
            longest = name;
    }
    return longest;
}
