#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* ---- UTF-8 ---- */

/*
 * Looks at the character at `p`, of which `len` > 0 bytes are there: returns its length and sets
 * `*valid`, or, where it is not valid, the length of what could have begun one, at least 1 (what
 * one U+FFFD stands for: the Unicode Standard, section 3.9, and Python).
 */
static size_t look_at_character(const unsigned char *p, size_t len, bool *valid)
{
    unsigned char min = 0x80; /* of the second byte */
    unsigned char max = 0xbf;
    size_t n;

    *valid = p[0] < 0x80;
    if (*valid || p[0] < 0xc2 || p[0] > 0xf4)
        return 1;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        min = 0xa0; /* shorter forms exist */
    else if (p[0] == 0xed)
        max = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        min = 0x90;
    else if (p[0] == 0xf4)
        max = 0x8f; /* past U+10FFFF */
    for (size_t i = 1; i < n; i++) {
        if (i == len || p[i] < min || p[i] > max)
            return i;
        min = 0x80;
        max = 0xbf;
    }
    *valid = true;
    return n;
}

/* Bytes at the start of `s` that are valid UTF-8; ASCII is passed eight bytes at a time. */
size_t utf8_valid_prefix(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    size_t at = 0;

    while (at < s.len) {
        uint64_t word;
        bool valid;
        size_t n;

        if (s.len - at >= sizeof(word)) {
            memcpy(&word, p + at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        n = look_at_character(p + at, s.len - at, &valid);
        if (!valid)
            break;
        at += n;
    }
    return at;
}

bool utf8_valid(struct slice s)
{
    return utf8_valid_prefix(s) == s.len;
}

void utf8_append_repaired(struct buffer *b, struct slice s)
{
    while (s.len > 0) {
        size_t n = utf8_valid_prefix(s);
        bool valid;

        buffer_append(b, s.data, n);
        s = slice_of(s.data + n, s.len - n);
        if (s.len == 0)
            break;
        n = look_at_character((const unsigned char *)s.data, s.len, &valid);
        buffer_append_string(b, "\xef\xbf\xbd");
        s = slice_of(s.data + n, s.len - n);
    }
}
