/* Texts in UTF-8 (RFC 3629), and what is not. Nothing else in the tree reads or writes it. */
#ifndef LOGMILL_BASE_UTF8_H
#define LOGMILL_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum { UTF8_LEN_MAX = 4 }; /* bytes of a character */

static const uint32_t UTF8_NONE = UINT32_MAX; /* is no character */

/*
 * Reads the character at the start of `s`, which is not empty: returns its length and sets `*code`
 * to its code point (no surrogate, no overlong form, at most U+10FFFF). If it is none, `*code` is
 * UTF8_NONE, and what is returned is the length of what could have begun one, at least 1: what one
 * U+FFFD stands for (the Unicode Standard, section 3.9, and Python).
 */
static inline size_t utf8_read(struct slice s, uint32_t *code);

size_t utf8_read_long(struct slice s, uint32_t *code); /* all else but what is here */

static inline size_t utf8_read(struct slice s, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)s.data;

    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] < 0xe0 && s.len > 1 && (p[1] & 0xc0) == 0x80) {
        *code = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    return utf8_read_long(s, code);
}

/* Writes the character of a code point, up to U+10FFFF, and returns its length. */
static inline size_t utf8_write(uint32_t code, char out[UTF8_LEN_MAX])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* True if `s` is valid UTF-8. */
bool utf8_valid(struct slice s);

/* The bytes of `s` before the first that is not valid UTF-8; s.len if all are. */
size_t utf8_valid_prefix(struct slice s);

/* How many characters are in `s`, which is valid; else its bytes that do not go on with one. */
size_t utf8_count(struct slice s);

/* Where the character begins that byte `i` (<= s.len) of `s`, which is valid, belongs to. */
size_t utf8_begin(struct slice s, size_t i);

/* `s`, if it is no longer than `max`; else as many whole characters of it as are not. */
struct slice utf8_cut(struct slice s, size_t max);

/* Appends `s` (any bytes) with U+FFFD for what is not UTF-8 in it, as Python's "replace" has it. */
void utf8_append_repaired(struct buffer *b, struct slice s);

#endif
