#include "formats/protobuf.h"

enum {
    VARINT_BYTES_MAX = 10,
    VARINT_BITS = 7,
    VARINT_MORE = 0x80, /* another byte follows */
    TYPE_BITS = 3,
};

static bool fail(struct protobuf *p, const char *error)
{
    p->error = error;
    return false;
}

static bool read_long_varint(struct protobuf *p, uint64_t *value)
{
    size_t left = (size_t)(p->end - p->at);

    *value = 0;
    for (size_t i = 0; i < left && i < VARINT_BYTES_MAX; i++) {
        unsigned char byte = p->at[i];

        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return fail(p, "a number has more than 64 bits");
        *value |= (uint64_t)(byte & (VARINT_MORE - 1)) << (VARINT_BITS * i);
        if (!(byte & VARINT_MORE)) {
            p->at += i + 1;
            return true;
        }
    }
    return fail(p, "a number goes on behind the end");
}

/* Most keys, lengths and numbers have one byte. */
static inline bool read_varint(struct protobuf *p, uint64_t *value)
{
    if (p->at == p->end || *p->at >= VARINT_MORE)
        return read_long_varint(p, value);
    *value = *p->at++;
    return true;
}

static bool read_fixed(struct protobuf *p, size_t len, uint64_t *value)
{
    if ((size_t)(p->end - p->at) < len)
        return fail(p, "a number goes on behind the end");
    *value = 0;
    for (size_t i = 0; i < len; i++)
        *value |= (uint64_t)p->at[i] << (8 * i);
    p->at += len;
    return true;
}

static bool read_bytes(struct protobuf *p, struct slice *bytes)
{
    uint64_t len;

    if (!read_varint(p, &len))
        return false;
    if (len > (uint64_t)(p->end - p->at))
        return fail(p, "a text or message goes on behind the end");
    *bytes = slice_of((const char *)p->at, (size_t)len);
    p->at += len;
    return true;
}

bool protobuf_next(struct protobuf *p, struct protobuf_field *f)
{
    uint64_t key;

    if (p->at == p->end || p->error || !read_varint(p, &key))
        return false;
    if (key > UINT32_MAX || key >> TYPE_BITS == 0)
        return fail(p, "a field has no number that there is");
    f->key = (uint32_t)key;
    switch (key & ((1 << TYPE_BITS) - 1)) {
    case PROTOBUF_VARINT:
        return read_varint(p, &f->value);
    case PROTOBUF_FIXED64:
        return read_fixed(p, sizeof(uint64_t), &f->value);
    case PROTOBUF_BYTES:
        return read_bytes(p, &f->bytes);
    case PROTOBUF_FIXED32:
        return read_fixed(p, sizeof(uint32_t), &f->value);
    default:
        return fail(p, "a field has a type that is not known");
    }
}

bool protobuf_each(struct slice message, const uint32_t *keys,
                   bool see(void *ctx, struct slice bytes), void *ctx)
{
    struct protobuf p;
    struct protobuf_field f = {.key = 0};
    bool enough = false;

    protobuf_begin(&p, message);
    while (!enough && protobuf_next(&p, &f))
        if (f.key == keys[0])
            enough = keys[1] ? protobuf_each(f.bytes, keys + 1, see, ctx) : see(ctx, f.bytes);
    return enough;
}

double protobuf_double(uint64_t value)
{
    double number;

    memcpy(&number, &value, sizeof(number));
    return number;
}

static void append_varint(struct buffer *b, uint64_t value)
{
    for (; value >= VARINT_MORE; value >>= VARINT_BITS)
        buffer_append_char(b, (char)(value | VARINT_MORE));
    buffer_append_char(b, (char)value);
}

void protobuf_append_varint(struct buffer *b, uint32_t number, uint64_t value)
{
    append_varint(b, PROTOBUF_KEY(number, PROTOBUF_VARINT));
    append_varint(b, value);
}

void protobuf_append_bytes(struct buffer *b, uint32_t number, struct slice bytes)
{
    append_varint(b, PROTOBUF_KEY(number, PROTOBUF_BYTES));
    append_varint(b, bytes.len);
    buffer_append_slice(b, bytes);
}
