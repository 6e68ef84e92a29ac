#include "formats/format.h"

#include <string.h>

/* A pattern with at most one "*". */
static bool matches(const char *pattern, struct slice type)
{
    const char *star = strchr(pattern, '*');
    struct slice before = slice_of_string(pattern);
    struct slice after = {NULL, 0};

    if (!star)
        return slice_equal_ascii_nocase(type, before);
    before.len = (size_t)(star - pattern);
    after = slice_of_string(star + 1);
    return type.len >= before.len + after.len &&
           slice_equal_ascii_nocase(slice_of(type.data, before.len), before) &&
           slice_equal_ascii_nocase(slice_of(type.data + type.len - after.len, after.len), after);
}

const struct format *format_find(const struct format *const *formats, struct slice media_type)
{
    for (; *formats; formats++)
        for (const char *const *type = (*formats)->media_types; *type; type++)
            if (matches(*type, media_type))
                return *formats;
    return NULL;
}
