#include "aws/aws_ini.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_of(s.data + 1, s.len - 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

static struct slice without_comment(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if ((line.data[i] == '#' || line.data[i] == ';') && (i == 0 || is_space(line.data[i - 1])))
            return slice_of(line.data, i);
    }
    return line;
}

/* Cuts the first line off `text`. */
static struct slice next_line(struct slice *text)
{
    const char *end = memchr(text->data, '\n', text->len);
    struct slice line = {text->data, end != NULL ? (size_t)(end - text->data) : text->len};
    size_t passed = end != NULL ? line.len + 1 : line.len;

    *text = slice_of(text->data + passed, text->len - passed);
    return line;
}

static void give_setting(struct slice section, struct slice line, aws_ini_fn *fn, void *ctx)
{
    const char *equals = memchr(line.data, '=', line.len);
    struct aws_ini_item item = {.section = section};
    size_t key_len;

    if (equals == NULL)
        return;
    key_len = (size_t)(equals - line.data);
    item.key = trim(slice_of(line.data, key_len));
    item.value = trim(slice_of(equals + 1, line.len - key_len - 1));
    if (item.key.len > 0)
        fn(&item, ctx);
}

void aws_ini_parse(struct slice text, aws_ini_fn *fn, void *ctx)
{
    struct slice section = {NULL, 0};

    while (text.len > 0) {
        struct slice raw = next_line(&text);
        struct slice line = trim(without_comment(raw));

        if (line.len == 0)
            continue;
        if (line.data[0] == '[') {
            const char *close = memchr(line.data, ']', line.len);

            section = slice_of(NULL, 0);
            if (close == NULL)
                continue;
            section = trim(slice_of(line.data + 1, (size_t)(close - line.data) - 1));
            fn(&(struct aws_ini_item){.section = section}, ctx);
        } else if (section.data != NULL && !is_space(raw.data[0])) {
            give_setting(section, line, fn, ctx);
        }
    }
}
