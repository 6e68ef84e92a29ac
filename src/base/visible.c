#include "base/visible.h"

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

static bool is_c1(uint32_t code)
{
    return code >= 0x80 && code < 0xa0;
}

static bool turns_direction(uint32_t code)
{
    return code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* What cannot be seen, or ends a line: as web/page/src/text.ts. */
static bool hides(uint32_t code)
{
    return code == 0xad || code == 0x180e || code == 0x200b || code == 0x2028 || code == 0x2029 ||
           (code >= 0x2060 && code <= 0x2065) || code == 0xfeff ||
           (code >= 0xfff9 && code <= 0xfffb);
}

/* The picture of a control of ASCII. False if it is none, or a tab. */
static bool append_picture(struct buffer *b, uint32_t code)
{
    if ((code >= 0x20 && code != 0x7f) || code == '\t')
        return false;
    buffer_append(b, (char[]){'\xe2', '\x90', (char)(code == 0x7f ? 0xa1 : 0x80 + code)}, 3);
    return true;
}

void visible_append(struct buffer *b, struct slice text)
{
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        uint32_t code;

        len = utf8_read(slice_of(text.data + i, text.len - i), &code);
        if (code == UTF8_NONE) {
            buffer_append_string(b, REPLACEMENT);
            len = 1;
        } else if (is_c1(code) || turns_direction(code) || hides(code)) {
            buffer_appendf(b, "\xe2\x80\xb9U+%04X\xe2\x80\xba", (unsigned)code);
        } else if (!append_picture(b, code)) {
            buffer_append(b, text.data + i, len);
        }
    }
}

void visible_append_lines(struct buffer *b, struct slice text, const char *indent)
{
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        uint32_t code;

        len = utf8_read(slice_of(text.data + i, text.len - i), &code);
        if (code == UTF8_NONE) {
            buffer_append_string(b, REPLACEMENT);
        } else if (code == '\n') {
            buffer_append_char(b, '\n');
            buffer_append_string(b, indent);
        } else if (is_c1(code) || turns_direction(code)) {
            buffer_appendf(b, "\\u%04x", (unsigned)code);
        } else if (!append_picture(b, code)) {
            buffer_append(b, text.data + i, len);
        }
    }
}
