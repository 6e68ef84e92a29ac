#include "record/key.h"

#include <stdbool.h>
#include <string.h>

#include "base/byte_order.h"
#include "base/timestamp.h"

static const uint64_t ORDER_BIAS = UINT64_C(1) << 63;

int log_key_compare(const struct log_key *a, const struct log_key *b)
{
    if (a->timestamp_us != b->timestamp_us)
        return a->timestamp_us < b->timestamp_us ? -1 : 1;
    return memcmp(a->id.bytes, b->id.bytes, sizeof(a->id.bytes));
}

struct log_key log_key_lowest(int64_t timestamp_us)
{
    return (struct log_key){timestamp_us, uuid7_lowest(timestamp_us)};
}

/* ---- Bytes ---- */

static void pack(const struct log_key *key, uint64_t bias, char *out)
{
    char *id = byte_order_put64(out, (uint64_t)key->timestamp_us ^ bias);

    memcpy(id, key->id.bytes, sizeof(key->id.bytes));
}

static void unpack(const char *in, uint64_t bias, struct log_key *key)
{
    key->timestamp_us = (int64_t)(byte_order_get64(in) ^ bias);
    memcpy(key->id.bytes, in + 8, sizeof(key->id.bytes));
}

void log_key_pack(const struct log_key *key, char out[LOG_KEY_BYTES])
{
    pack(key, 0, out);
}

void log_key_unpack(const char in[LOG_KEY_BYTES], struct log_key *key)
{
    unpack(in, 0, key);
}

void log_key_pack_ordered(const struct log_key *key, char out[LOG_KEY_BYTES])
{
    pack(key, ORDER_BIAS, out);
}

void log_key_unpack_ordered(const char in[LOG_KEY_BYTES], struct log_key *key)
{
    unpack(in, ORDER_BIAS, key);
}

/* ---- Cursors ---- */

static const char BASE64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The number of each of them, plus 1; 0: not one of them. */
static const unsigned char DIGITS[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

void log_key_format_cursor(const struct log_key *key, char out[LOG_KEY_CURSOR_LEN])
{
    char bytes[LOG_KEY_BYTES];

    log_key_pack(key, bytes);
    for (size_t i = 0; i < sizeof(bytes); i += 3) {
        const unsigned char *b = (const unsigned char *)bytes + i;
        unsigned group = (unsigned)b[0] << 16 | (unsigned)b[1] << 8 | b[2];

        for (int k = 0; k < 4; k++)
            *out++ = BASE64URL[group >> (18 - 6 * k) & 63];
    }
}

/* Whether some log can have this key: its id has its time. */
static bool is_of_a_log(const struct log_key *key)
{
    return key->timestamp_us >= TIMESTAMP_MIN_US && key->timestamp_us <= TIMESTAMP_MAX_US &&
           uuid_is_v7(&key->id) && uuid7_ms(&key->id) == uuid7_ms_of_timestamp(key->timestamp_us);
}

int log_key_parse_cursor(struct slice text, struct log_key *key)
{
    char bytes[LOG_KEY_BYTES];
    size_t at = 0;

    if (text.len != LOG_KEY_CURSOR_LEN)
        return LM_EINVAL;
    for (size_t i = 0; i < sizeof(bytes); i += 3) {
        unsigned group = 0;

        for (int k = 0; k < 4; k++) {
            unsigned digit = DIGITS[(unsigned char)text.data[at++]];

            if (digit == 0)
                return LM_EINVAL;
            group = group << 6 | (digit - 1);
        }
        bytes[i] = (char)(group >> 16);
        bytes[i + 1] = (char)(group >> 8);
        bytes[i + 2] = (char)group;
    }
    log_key_unpack(bytes, key);
    return is_of_a_log(key) ? 0 : LM_EINVAL;
}
