#include "base/text.h"

#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

#include "base/utf8.h"

/* Lower case. */

/* Characters below it have two bytes: the letters of Latin, Greek, Cyrillic, Hebrew, Arabic. */
enum { TWO_BYTES_END = 0x800 };

static locale_t unicode; /* (locale_t)0 if the system has no Unicode locale: ASCII only then */
static uint16_t two_byte_lower[TWO_BYTES_END]; /* what it says of them; from 0x80 on */

static uint32_t ask_locale(uint32_t c)
{
    return unicode ? (uint32_t)towlower_l((wint_t)c, unicode) : c;
}

static void open_locale(void)
{
    static const char *const names[] = {"C.UTF-8", "en_US.UTF-8", "UTF-8"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !unicode; i++)
        unicode = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    for (uint32_t c = 0x80; c < TWO_BYTES_END; c++)
        two_byte_lower[c] = (uint16_t)ask_locale(c);
}

static unsigned char ascii_lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static uint32_t lower(uint32_t c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (c < 0x80)
        return ascii_lower((unsigned char)c);
    pthread_once(&once, open_locale);
    return c < TWO_BYTES_END ? two_byte_lower[c] : ask_locale(c);
}

/* A byte that is not UTF-8 counts as a character of its own, above all of Unicode. */
static const uint32_t STRAY_BYTE = 0x80000000u;

/* The character at `*p` (< end), which it moves past. */
static uint32_t next_character(const unsigned char **p, const unsigned char *end)
{
    const unsigned char *s = *p;
    uint32_t code = s[0];
    size_t n = 1;

    if (s[0] >= 0x80)
        n = utf8_read(slice_of((const char *)s, (size_t)(end - s)), &code);
    if (code == UTF8_NONE) {
        n = 1;
        code = STRAY_BYTE | s[0];
    }
    *p = s + n;
    return code;
}

static size_t encode(uint32_t c, char out[UTF8_LEN_MAX])
{
    if (!(c & STRAY_BYTE))
        return utf8_write(c, out);
    out[0] = (char)(c & 0xff);
    return 1;
}

void text_append_lower(struct buffer *b, struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.data;
    const unsigned char *end = p + s.len;

    while (s.len && p < end) {
        char text[UTF8_LEN_MAX];
        buffer_append(b, text, encode(lower(next_character(&p, end)), text));
    }
}

bool text_equal_nocase(struct slice a, struct slice b)
{
    const unsigned char *p = (const unsigned char *)a.data;
    const unsigned char *q = (const unsigned char *)b.data;
    size_t i = 0;

    while (i < a.len && i < b.len && (p[i] | q[i]) < 0x80) {
        if (ascii_lower(p[i]) != ascii_lower(q[i]))
            return false;
        i++;
    }
    if (i == a.len || i == b.len)
        return i == a.len && i == b.len;

    /* The rest begins with a character beyond ASCII; lengths in bytes say nothing any more. */
    const unsigned char *p_end = p + a.len;
    const unsigned char *q_end = q + b.len;
    p += i;
    q += i;
    while (p < p_end && q < q_end) {
        if (lower(next_character(&p, p_end)) != lower(next_character(&q, q_end)))
            return false;
    }
    return p == p_end && q == q_end;
}

/* ---- Folding ---- */

static bool is_ascii(struct slice s)
{
    const char *p = s.data;
    const char *end = p + s.len;
    uint64_t bits = 0;
    uint64_t word;

    for (; end - p >= 8; p += 8) {
        memcpy(&word, p, sizeof(word));
        bits |= word;
    }
    for (; p < end; p++)
        bits |= (uint64_t)(unsigned char)*p << 56;
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

enum { BLOCK = 32 }; /* bytes; loops over all of one become a few vector instructions */

/* Folds a block of ASCII and returns true, or returns false if it is none. */
static bool fold_block(const unsigned char *restrict s, char *restrict out)
{
    if (!is_ascii(slice_of((const char *)s, BLOCK)))
        return false;
    for (size_t i = 0; i < BLOCK; i++)
        out[i] = (char)(s[i] | (unsigned char)((unsigned char)(s[i] - 'A') < 26) << 5);
    return true;
}

/* Folds what is ASCII at the beginning of `s`. Returns how many bytes. */
static size_t fold_ascii(const unsigned char *restrict s, size_t len, char *restrict out)
{
    size_t i = 0;

    while (i + BLOCK <= len && fold_block(s + i, out + i))
        i += BLOCK;
    for (; i < len && s[i] < 0x80; i++)
        out[i] = (char)ascii_lower(s[i]);
    return i;
}

/* As encode; but a byte that is not UTF-8 becomes two that begin no character and go on none. */
static size_t encode_folded(uint32_t c, char out[UTF8_LEN_MAX])
{
    if (!(c & STRAY_BYTE))
        return utf8_write(c, out);
    out[0] = (char)(0xfc | (c >> 6 & 1));
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

size_t text_fold(struct slice s, char *out)
{
    if (s.len == 0) /* its data may be NULL, which no arithmetic is allowed on */
        return 0;

    const unsigned char *p = (const unsigned char *)s.data;
    const unsigned char *end = p + s.len;
    char *to = out;

    while (p < end) {
        size_t n = fold_ascii(p, (size_t)(end - p), to);

        p += n;
        to += n;
        while (p < end && *p >= 0x80)
            to += encode_folded(lower(next_character(&p, end)), to);
    }
    return (size_t)(to - out);
}
