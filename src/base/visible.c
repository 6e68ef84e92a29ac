#include "base/visible.h"

#include "base/utf8.h"

/* Bytes of the character at the start of `text` (not empty); 0 where it is not UTF-8. */
static size_t character_len(struct slice text)
{
    unsigned char c = (unsigned char)text.data[0];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return len <= text.len && utf8_valid(slice_of(text.data, len)) ? len : 0;
}

/* The code point of a character of `len` bytes. */
static unsigned code_point(const char *character, size_t len)
{
    unsigned code = (unsigned char)character[0];

    if (len > 1)
        code &= 0xffU >> (len + 1);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)character[i] & 0x3fU);
    return code;
}

/* C1, and what turns the direction of writing or cannot be seen: as web/page/src/text.ts. */
static bool misleads(unsigned code)
{
    return (code >= 0x80 && code < 0xa0) || code == 0xad || code == 0x61c || code == 0x180e ||
           code == 0x200b || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) ||
           code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb);
}

void visible_append(struct buffer *b, struct slice text)
{
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        unsigned code;

        len = character_len(slice_of(text.data + i, text.len - i));
        if (len == 0) {
            buffer_append_string(b, "\xef\xbf\xbd");
            len = 1;
            continue;
        }
        code = code_point(text.data + i, len);
        if (code < 0x20 && code != '\t')
            buffer_append(b, (char[]){'\xe2', '\x90', (char)(0x80 + code)}, 3);
        else if (code == 0x7f)
            buffer_append_string(b, "\xe2\x90\xa1");
        else if (misleads(code))
            buffer_appendf(b, "\xe2\x80\xb9U+%04X\xe2\x80\xba", code);
        else
            buffer_append(b, text.data + i, len);
    }
}
