#include "formats/loki_labels.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/hex.h"
#include "base/utf8.h"

static void skip_spaces(struct slice *rest)
{
    while (rest->len && (*rest->data == ' ' || *rest->data == '\t' || *rest->data == '\n'))
        *rest = slice_of(rest->data + 1, rest->len - 1);
}

/* Whether `c` comes next; then it is taken. */
static bool take(struct slice *rest, char c)
{
    if (!rest->len || *rest->data != c)
        return false;
    *rest = slice_of(rest->data + 1, rest->len - 1);
    return true;
}

static bool take_hex(struct slice *rest, size_t digits, uint32_t *value)
{
    *value = 0;
    if (rest->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_value(rest->data[i]);

        if (digit < 0)
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    *rest = slice_of(rest->data + digits, rest->len - digits);
    return true;
}

static bool append_character(struct slice *rest, size_t digits, struct buffer *value)
{
    enum { LAST = 0x10ffff, SURROGATES = 0xd800, SURROGATES_END = 0xe000 };
    char text[UTF8_LEN_MAX];
    uint32_t code;

    if (!take_hex(rest, digits, &code) || code > LAST ||
        (code >= SURROGATES && code < SURROGATES_END))
        return false;
    buffer_append(value, text, utf8_write(code, text));
    return true;
}

/* What is behind a backslash. */
static bool append_escaped(struct slice *rest, struct buffer *value)
{
    static const char escapes[] = "abfnrtv\\\"'";
    static const char meanings[] = "\a\b\f\n\r\t\v\\\"'";
    uint32_t byte;

    if (!rest->len)
        return false;
    char c = *rest->data;
    *rest = slice_of(rest->data + 1, rest->len - 1);
    const char *found = c ? strchr(escapes, c) : NULL;
    if (found) {
        buffer_append_char(value, meanings[found - escapes]);
        return true;
    }
    if (c == 'x') {
        if (!take_hex(rest, 2, &byte))
            return false;
        buffer_append_char(value, (char)byte);
        return true;
    }
    return (c == 'u' && append_character(rest, 4, value)) ||
           (c == 'U' && append_character(rest, 8, value));
}

/* A text in quotes, of which the first has been taken. */
static bool read_value(struct slice *rest, struct buffer *value)
{
    buffer_clear(value);
    while (!take(rest, '"')) {
        if (!rest->len)
            return false;
        if (take(rest, '\\')) {
            if (!append_escaped(rest, value))
                return false;
            continue;
        }
        size_t len = 0;
        while (len < rest->len && rest->data[len] != '"' && rest->data[len] != '\\')
            len++;
        buffer_append(value, rest->data, len);
        *rest = slice_of(rest->data + len, rest->len - len);
    }
    return true;
}

static bool read_name(struct slice *rest, struct slice *name)
{
    const char *equals = rest->len ? memchr(rest->data, '=', rest->len) : NULL;

    if (!equals)
        return false;
    *name = slice_trim(slice_of(rest->data, (size_t)(equals - rest->data)));
    *rest = slice_of(equals + 1, rest->len - (size_t)(equals + 1 - rest->data));
    return name->len > 0 && !memchr(name->data, '"', name->len);
}

int loki_labels_read(struct slice text, struct buffer *room, loki_label *each, void *ctx)
{
    struct slice rest = slice_trim(text);
    struct slice name;

    if (!take(&rest, '{'))
        return LM_EINVAL;
    skip_spaces(&rest);
    while (!take(&rest, '}')) {
        if (!read_name(&rest, &name))
            return LM_EINVAL;
        skip_spaces(&rest);
        if (!take(&rest, '"') || !read_value(&rest, room))
            return LM_EINVAL;
        if (buffer_error(room))
            return buffer_error(room);
        each(name, buffer_slice(room), ctx);
        skip_spaces(&rest);
        if (take(&rest, ','))
            skip_spaces(&rest);
        else if (!rest.len || *rest.data != '}')
            return LM_EINVAL;
    }
    return rest.len ? LM_EINVAL : 0;
}
