#include "base/url_escape.h"

#include <string.h>

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void url_escape_append(struct buffer *b, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_unreserved(c))
            buffer_append_char(b, (char)c);
        else
            buffer_append(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}
