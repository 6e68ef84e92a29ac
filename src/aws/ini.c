#include "aws/ini.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice without_comment(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if ((line.data[i] == '#' || line.data[i] == ';') && (i == 0 || is_blank(line.data[i - 1])))
            return slice_of(line.data, i);
    }
    return line;
}

static void give_setting(struct slice section, struct slice line, aws_ini_fn *fn, void *ctx)
{
    const char *equals = memchr(line.data, '=', line.len);
    struct aws_ini_item item = {.section = section};

    if (!equals)
        return;
    size_t key_len = (size_t)(equals - line.data);
    item.key = slice_trim(slice_of(line.data, key_len));
    item.value = slice_trim(slice_of(equals + 1, line.len - key_len - 1));
    if (item.key.len > 0)
        fn(&item, ctx);
}

void aws_ini_parse(struct slice text, aws_ini_fn *fn, void *ctx)
{
    struct slice section = {NULL, 0};

    while (text.len > 0) {
        struct slice raw = slice_cut(&text, '\n');
        struct slice line = slice_trim(without_comment(raw));

        if (line.len == 0)
            continue;
        if (line.data[0] == '[') {
            const char *close = memchr(line.data, ']', line.len);

            section = slice_of(NULL, 0);
            if (!close)
                continue;
            section = slice_trim(slice_of(line.data + 1, (size_t)(close - line.data) - 1));
            fn(&(struct aws_ini_item){.section = section}, ctx);
        } else if (section.data && !is_blank(raw.data[0])) {
            give_setting(section, line, fn, ctx);
        }
    }
}
