#include "base/utf8.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

static bool is_in(unsigned char c, unsigned char min, unsigned char max)
{
    return c >= min && c <= max;
}

size_t utf8_read_long(struct slice s, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)s.data;
    /* Of the second byte: shorter forms exist; surrogates, and what is past U+10FFFF. */
    unsigned char min = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char max = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

    *code = UTF8_NONE;
    if (p[0] < 0xe0 || p[0] > 0xf4 || s.len < 2 || !is_in(p[1], min, max))
        return 1;
    if (s.len < 3 || !is_in(p[2], 0x80, 0xbf))
        return 2;

    uint32_t c = (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);

    if (p[0] < 0xf0) {
        *code = (uint32_t)(p[0] & 0x0f) << 12 | c;
        return 3;
    }
    if (s.len < 4 || !is_in(p[3], 0x80, 0xbf))
        return 3;
    *code = (uint32_t)(p[0] & 0x07) << 18 | c << 6 | (p[3] & 0x3f);
    return 4;
}

/* True if the 32 bytes at `p` are ASCII. */
static bool is_ascii32(const char *p)
{
    uint64_t words[4];

    memcpy(words, p, sizeof(words));
    return ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) == 0;
}

/* ASCII is passed 32 or eight bytes at a time. */
size_t utf8_valid_prefix(struct slice s)
{
    size_t at = 0;

    while (at < s.len) {
        uint64_t word;
        uint32_t code;
        size_t n;

        while (s.len - at >= 32 && is_ascii32(s.data + at))
            at += 32;
        if (at == s.len)
            break;

        if (s.len - at >= sizeof(word)) {
            memcpy(&word, s.data + at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        n = utf8_read(slice_of(s.data + at, s.len - at), &code);
        if (code == UTF8_NONE)
            break;
        at += n;
    }
    return at;
}

bool utf8_valid(struct slice s)
{
    return utf8_valid_prefix(s) == s.len;
}

struct slice utf8_cut(struct slice s, size_t max)
{
    size_t len = max;

    if (s.len <= max)
        return s;
    while (len > 0 && max - len < UTF8_LEN_MAX && ((unsigned char)s.data[len] & 0xc0) == 0x80)
        len--;
    return slice_of(s.data, len);
}

size_t utf8_count(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_begin(struct slice s, size_t i)
{
    while (i > 0 && i < s.len && ((unsigned char)s.data[i] & 0xc0) == 0x80)
        i--;
    return i;
}

void utf8_append_repaired(struct buffer *b, struct slice s)
{
    while (s.len > 0) {
        size_t n = utf8_valid_prefix(s);
        uint32_t code;

        buffer_append(b, s.data, n);
        s = slice_of(s.data + n, s.len - n);
        if (s.len == 0)
            break;
        n = utf8_read(s, &code);
        buffer_append_string(b, REPLACEMENT);
        s = slice_of(s.data + n, s.len - n);
    }
}
