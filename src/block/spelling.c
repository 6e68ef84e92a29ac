#include "block/spelling.h"

/* The number of the lower-case hexadecimal digits `p`[0..4), or -1. */
static int read_code(const char *p)
{
    int code = 0;

    for (int i = 0; i < 4; i++) {
        int digit = p[i] >= '0' && p[i] <= '9'   ? p[i] - '0'
                    : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* True if `code` is escaped, and by number. */
static bool is_numbered(int code)
{
    bool has_letter = code >= 0x08 && code <= 0x0d && code != 0x0b;

    return (code >= 0 && code < 0x20 && !has_letter) || code == 0x7f || code == 0xfffe ||
           code == 0xffff;
}

bool block_string_is_plain(struct slice s)
{
    const char *end = s.data + s.len;
    const char *p = s.data;

    while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
        if (end - p < 2)
            return false;
        if (p[1] == 'u') {
            if (end - p < 6 || !is_numbered(read_code(p + 2)))
                return false;
            p += 6;
        } else {
            if (!p[1] || !strchr("\"\\btnfr", p[1]))
                return false;
            p += 2;
        }
    }
    return true;
}

/* Writes a character that is escaped by number. */
static char *put_numbered(int code, char *to)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else { /* U+FFFE or U+FFFF */
        *to++ = (char)0xef;
        *to++ = (char)0xbf;
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

size_t block_string_read(struct slice s, char *out)
{
    static const char letters[] = "btnfr";
    static const char meant[] = "\b\t\n\f\r";
    const char *end = s.data + s.len;
    char *to = out;

    for (const char *p = s.data; p < end;) {
        int code = *p == '\\' && end - p >= 6 && p[1] == 'u' ? read_code(p + 2) : -1;

        if (code >= 0) {
            to = put_numbered(code, to);
            p += 6;
        } else if (*p == '\\' && end - p >= 2) {
            const char *letter = strchr(letters, p[1]);

            *to++ = letter && p[1] ? meant[letter - letters] : p[1];
            p += 2;
        } else {
            *to++ = *p++;
        }
    }
    return (size_t)(to - out);
}
