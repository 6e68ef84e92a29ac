#include "base/base64.h"

#include <stdint.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { GROUP_BYTES = 3, GROUP_DIGITS = 4, DIGIT_BITS = 6, DIGIT_MASK = 63, PAD = '=' };

/* One group, of `len` bytes that are there. */
static void append_group(struct buffer *b, const unsigned char *bytes, size_t len)
{
    uint32_t bits = 0;
    char text[GROUP_DIGITS];

    for (size_t i = 0; i < GROUP_BYTES; i++)
        bits = bits << 8 | (i < len ? bytes[i] : 0);
    for (size_t i = 0; i < GROUP_DIGITS; i++)
        text[i] = i <= len ? DIGITS[bits >> (DIGIT_BITS * (GROUP_BYTES - i)) & DIGIT_MASK] : PAD;
    buffer_append(b, text, sizeof(text));
}

void base64_append(struct buffer *b, struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;

    for (size_t i = 0; i < bytes.len; i += GROUP_BYTES)
        append_group(b, at + i, bytes.len - i < GROUP_BYTES ? bytes.len - i : GROUP_BYTES);
}

static int digit_value(char c)
{
    const char *found = c ? memchr(DIGITS, c, sizeof(DIGITS) - 1) : NULL;

    return found ? (int)(found - DIGITS) : -1;
}

int base64_append_decoded(struct buffer *b, struct slice text)
{
    size_t pads = 0;

    if (text.len % GROUP_DIGITS != 0)
        return LM_EINVAL;
    while (pads < 2 && text.len > pads && text.data[text.len - 1 - pads] == PAD)
        pads++;
    for (size_t i = 0; i < text.len; i += GROUP_DIGITS) {
        size_t digits = i + GROUP_DIGITS < text.len ? GROUP_DIGITS : GROUP_DIGITS - pads;
        uint32_t bits = 0;
        char bytes[GROUP_BYTES];

        for (size_t j = 0; j < GROUP_DIGITS; j++) {
            int value = j < digits ? digit_value(text.data[i + j]) : 0;

            if (value < 0)
                return LM_EINVAL;
            bits = bits << DIGIT_BITS | (uint32_t)value;
        }
        for (size_t j = 0; j < GROUP_BYTES; j++)
            bytes[j] = (char)(bits >> (8 * (GROUP_BYTES - 1 - j)));
        buffer_append(b, bytes, digits - 1);
    }
    return 0;
}
