#include "formats/snappy.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LENGTH_BYTES_MAX = 5, /* of the original, seven bits a byte */

    /* The two lowest bits of a tag. */
    TAG_BITS = 2,
    LITERAL = 0,
    COPY_1 = 1, /* four to eleven bytes, an offset of eleven bits */
    COPY_2 = 2,
    COPY_4 = 3,

    LITERAL_SHORT_MAX = 60, /* longer ones have one to four bytes of length behind the tag */

    GROWTH_MAX = 22, /* 64 bytes are copied by three at least */
};

struct block {
    const unsigned char *at, *end;
    char *out; /* of the original */
    size_t len, capacity;
};

static bool read_number(struct block *b, size_t bytes, uint32_t *value)
{
    if ((size_t)(b->end - b->at) < bytes)
        return false;
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint32_t)b->at[i] << (8 * i);
    b->at += bytes;
    return true;
}

static bool read_length(struct block *b, uint32_t *len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < LENGTH_BYTES_MAX && b->at < b->end; i++) {
        unsigned char byte = *b->at++;

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *len = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

static bool literal(struct block *b, unsigned tag)
{
    size_t len = (tag >> TAG_BITS) + 1;

    if (len > LITERAL_SHORT_MAX) {
        uint32_t written;

        if (!read_number(b, len - LITERAL_SHORT_MAX, &written))
            return false;
        len = (size_t)written + 1;
    }
    if (len > (size_t)(b->end - b->at) || len > b->capacity - b->len)
        return false;
    memcpy(b->out + b->len, b->at, len);
    b->at += len;
    b->len += len;
    return true;
}

/* What is copied may reach into what the copy itself writes: then it repeats. */
static bool copy(struct block *b, size_t offset, size_t len)
{
    if (offset == 0 || offset > b->len || len > b->capacity - b->len)
        return false;

    char *to = b->out + b->len;
    const char *from = to - offset;
    if (offset >= len) {
        memcpy(to, from, len);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    }
    b->len += len;
    return true;
}

static bool read_element(struct block *b)
{
    unsigned tag = *b->at++;
    uint32_t offset;

    switch (tag & ((1 << TAG_BITS) - 1)) {
    case LITERAL:
        return literal(b, tag);
    case COPY_1:
        return read_number(b, 1, &offset) &&
               copy(b, (size_t)(tag >> 5) << 8 | offset, (tag >> TAG_BITS & 7) + 4);
    case COPY_2:
        return read_number(b, 2, &offset) && copy(b, offset, (tag >> TAG_BITS) + 1);
    default:
        return read_number(b, 4, &offset) && copy(b, offset, (tag >> TAG_BITS) + 1);
    }
}

int snappy_decompress(struct slice block, struct buffer *out)
{
    struct block b = {.at = (const unsigned char *)(block.len ? block.data : "")};
    uint32_t len;

    b.end = b.at + block.len;
    if (!read_length(&b, &len) || len / GROWTH_MAX > block.len)
        return LM_EINVAL;
    b.out = buffer_reserve(out, len ? len : 1);
    if (!b.out)
        return buffer_error(out);
    b.capacity = len;
    while (b.at < b.end)
        if (!read_element(&b))
            return LM_EINVAL;
    out->len += b.len;
    return b.len == len ? 0 : LM_EINVAL;
}
