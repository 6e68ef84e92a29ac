/*
 * How numbers lie in blocks, heads and raw logs: varints (LEB128: seven bits a byte, lowest first),
 * their zigzag for signed ones, and a checksum. For block/ and what lies beside blocks.
 */
#ifndef LOGMILL_BLOCK_BYTES_H
#define LOGMILL_BLOCK_BYTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/byte_order.h"
#include "base/hash.h"
#include "base/slice.h"

enum { VARINT_MAX = 10 }; /* bytes of a varint */

static inline char *bytes_put_varint(char *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (char)(value | 0x80);
    *p++ = (char)value;
    return p;
}

static inline void bytes_append_varint(struct buffer *b, uint64_t value)
{
    char text[VARINT_MAX];

    buffer_append(b, text, (size_t)(bytes_put_varint(text, value) - text));
}

static inline uint64_t bytes_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t bytes_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}

static inline void bytes_append_text(struct buffer *b, struct slice text)
{
    bytes_append_varint(b, text.len);
    buffer_append_slice(b, text);
}

static inline void bytes_append_u64(struct buffer *b, uint64_t value)
{
    char text[8];

    byte_order_put64(text, value);
    buffer_append(b, text, sizeof(text));
}

/* Each takes something off the start of `*rest`; false, with what was read undefined, if it is not
 * whole there. */
static inline bool bytes_take_varint(struct slice *rest, uint64_t *value)
{
    uint64_t v = 0;

    for (size_t i = 0; i < rest->len && i < VARINT_MAX; i++) {
        unsigned char c = (unsigned char)rest->data[i];

        if (i == VARINT_MAX - 1 && c > 1)
            return false;
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c < 0x80) {
            *value = v;
            *rest = slice_of(rest->data + i + 1, rest->len - i - 1);
            return true;
        }
    }
    return false;
}

static inline bool bytes_take(struct slice *rest, size_t len, struct slice *taken)
{
    if (len > rest->len)
        return false;
    *taken = slice_of(rest->data, len);
    if (len > 0)
        *rest = slice_of(rest->data + len, rest->len - len);
    return true;
}

static inline bool bytes_take_text(struct slice *rest, struct slice *text)
{
    uint64_t len;

    return bytes_take_varint(rest, &len) && len <= rest->len && bytes_take(rest, (size_t)len, text);
}

static inline bool bytes_take_u64(struct slice *rest, uint64_t *value)
{
    struct slice taken;

    if (!bytes_take(rest, 8, &taken))
        return false;
    *value = byte_order_get64(taken.data);
    return true;
}

/* A quick hash of bytes, eight at a time; the same on every machine. */
static inline uint64_t bytes_hash(struct slice s)
{
    uint64_t h = HASH_BASIS ^ s.len * UINT64_C(0x9e3779b97f4a7c15);
    const char *p = s.data;
    size_t left = s.len;

    for (; left >= 8; left -= 8, p += 8) {
        h = (h ^ byte_order_get64(p)) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 32;
    }
    for (; left > 0; left--, p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x9fb21c651e98df25);
    return hash_mix(h);
}

/* What tells damage from what was written. */
static inline uint32_t bytes_checksum(struct slice s)
{
    return (uint32_t)(bytes_hash(s) >> 32);
}

#endif
