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
            const char *digit = memchr(BASE64URL, text.data[at++], sizeof(BASE64URL) - 1);

            if (!digit)
                return LM_EINVAL;
            group = group << 6 | (unsigned)(digit - BASE64URL);
        }
        bytes[i] = (char)(group >> 16);
        bytes[i + 1] = (char)(group >> 8);
        bytes[i + 2] = (char)group;
    }
    log_key_unpack(bytes, key);
    return is_of_a_log(key) ? 0 : LM_EINVAL;
}
