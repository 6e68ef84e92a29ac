#include "formats/msgpack.h"

#include <assert.h>

#include "base/byte_order.h"

/* ---- Forms ---- */

enum {
    FIXMAP = 0x80, /* from here on the lower bits are a count or a length */
    FIXARRAY = 0x90,
    FIXTEXT = 0xa0,
    FORMS_FROM = 0xc0,
    FORMS_TO = 0xdf,
    NEGATIVE_FROM = 0xe0,
    FIX_MASK = 0x0f,
    FIXTEXT_MASK = 0x1f,
    TYPE_LEN = 1, /* of an extension, before its bytes */
};

/* The forms that begin with c0 to df. */
struct form {
    enum msgpack_type type;
    bool exists;
    uint8_t width; /* bytes of a number, or of the length or count that comes first */
    uint8_t fixed; /* bytes of an extension that has no length */
};

static const struct form FORMS[FORMS_TO - FORMS_FROM + 1] = {
    [0x00] = {MSGPACK_NIL, true, 0, 0},       [0x02] = {MSGPACK_BOOL, true, 0, 0},
    [0x03] = {MSGPACK_BOOL, true, 0, 0},      [0x04] = {MSGPACK_BYTES, true, 1, 0},
    [0x05] = {MSGPACK_BYTES, true, 2, 0},     [0x06] = {MSGPACK_BYTES, true, 4, 0},
    [0x07] = {MSGPACK_EXTENSION, true, 1, 0}, [0x08] = {MSGPACK_EXTENSION, true, 2, 0},
    [0x09] = {MSGPACK_EXTENSION, true, 4, 0}, [0x0a] = {MSGPACK_DOUBLE, true, 4, 0},
    [0x0b] = {MSGPACK_DOUBLE, true, 8, 0},    [0x0c] = {MSGPACK_UNSIGNED, true, 1, 0},
    [0x0d] = {MSGPACK_UNSIGNED, true, 2, 0},  [0x0e] = {MSGPACK_UNSIGNED, true, 4, 0},
    [0x0f] = {MSGPACK_UNSIGNED, true, 8, 0},  [0x10] = {MSGPACK_INTEGER, true, 1, 0},
    [0x11] = {MSGPACK_INTEGER, true, 2, 0},   [0x12] = {MSGPACK_INTEGER, true, 4, 0},
    [0x13] = {MSGPACK_INTEGER, true, 8, 0},   [0x14] = {MSGPACK_EXTENSION, true, 0, 1},
    [0x15] = {MSGPACK_EXTENSION, true, 0, 2}, [0x16] = {MSGPACK_EXTENSION, true, 0, 4},
    [0x17] = {MSGPACK_EXTENSION, true, 0, 8}, [0x18] = {MSGPACK_EXTENSION, true, 0, 16},
    [0x19] = {MSGPACK_TEXT, true, 1, 0},      [0x1a] = {MSGPACK_TEXT, true, 2, 0},
    [0x1b] = {MSGPACK_TEXT, true, 4, 0},      [0x1c] = {MSGPACK_ARRAY, true, 2, 0},
    [0x1d] = {MSGPACK_ARRAY, true, 4, 0},     [0x1e] = {MSGPACK_MAP, true, 2, 0},
    [0x1f] = {MSGPACK_MAP, true, 4, 0},
};

/* ---- The beginning of a value ---- */

struct head {
    enum msgpack_type type;
    uint8_t len;    /* bytes of the head; what a text holds comes behind it */
    uint64_t value; /* the number, the length or the count */
    uint64_t rest;  /* bytes behind it that are of the value */
    uint64_t count; /* values within it */
};

static uint64_t read_number(const unsigned char *p, unsigned width)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < width; i++)
        number = number << 8 | p[i];
    return number;
}

static void set_contents(struct head *h)
{
    if (h->type == MSGPACK_ARRAY)
        h->count = h->value;
    else if (h->type == MSGPACK_MAP)
        h->count = 2 * h->value;
    else if (h->type == MSGPACK_TEXT || h->type == MSGPACK_BYTES)
        h->rest = h->value;
}

static enum msgpack_walked read_form(const unsigned char *p, size_t left, struct head *h)
{
    struct form form = FORMS[*p - FORMS_FROM];
    unsigned type_len = form.type == MSGPACK_EXTENSION ? TYPE_LEN : 0;

    if (!form.exists)
        return MSGPACK_WRONG;
    if (left < 1U + form.width + type_len)
        return MSGPACK_MORE;
    *h = (struct head){.type = form.type, .len = (uint8_t)(1 + form.width + type_len)};
    h->value = form.type == MSGPACK_BOOL ? *p & 1 : read_number(p + 1, form.width);
    set_contents(h);
    if (form.type == MSGPACK_EXTENSION)
        h->rest = form.fixed ? form.fixed : h->value;
    return MSGPACK_WHOLE;
}

/* MSGPACK_WHOLE: the head has come, which says nothing of what is behind it. `left` is not 0. */
static inline enum msgpack_walked read_head(const unsigned char *p, size_t left, struct head *h)
{
    unsigned char first = *p;

    if (first >= FORMS_FROM && first <= FORMS_TO)
        return read_form(p, left, h);
    *h = (struct head){.type = MSGPACK_UNSIGNED, .len = 1, .value = first};
    if (first >= NEGATIVE_FROM) {
        h->type = MSGPACK_INTEGER;
    } else if (first >= FIXTEXT) {
        h->type = MSGPACK_TEXT;
        h->value = first & FIXTEXT_MASK;
    } else if (first >= FIXMAP) {
        h->type = first >= FIXARRAY ? MSGPACK_ARRAY : MSGPACK_MAP;
        h->value = first & FIX_MASK;
    }
    set_contents(h);
    return MSGPACK_WHOLE;
}

enum msgpack_walked msgpack_walk(struct msgpack_walk *w, struct slice bytes)
{
    const unsigned char *data = (const unsigned char *)bytes.data;
    struct head h;

    while (w->left) {
        if (w->at >= bytes.len)
            return MSGPACK_MORE;
        enum msgpack_walked walked = read_head(data + w->at, bytes.len - w->at, &h);
        if (walked != MSGPACK_WHOLE)
            return walked;
        w->at += h.len + h.rest;
        w->left += h.count - 1;
    }
    return w->at <= bytes.len ? MSGPACK_WHOLE : MSGPACK_MORE;
}

/* ---- Values ---- */

static double double_of(uint64_t bits, unsigned len)
{
    enum { SHORT_LEN = 1 + sizeof(float) };
    uint32_t short_bits = (uint32_t)bits;
    double number;
    float short_number;

    if (len == SHORT_LEN) {
        memcpy(&short_number, &short_bits, sizeof(short_number));
        return short_number;
    }
    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* A signed number of as many bytes as it was written in. */
static int64_t integer_of(uint64_t value, unsigned len)
{
    unsigned width = len > 1 ? len - 1 : 1;
    unsigned shift = 64 - 8 * width;

    return (int64_t)(value << shift) >> shift;
}

bool msgpack_next(struct msgpack *p, struct msgpack_value *v)
{
    size_t left = (size_t)(p->end - p->at);
    struct head h;

    if (!left || read_head(p->at, left, &h) != MSGPACK_WHOLE || left - h.len < h.rest)
        return false;
    v->type = h.type;
    switch (h.type) {
    case MSGPACK_NIL:
        break;
    case MSGPACK_BOOL:
        v->truth = h.value;
        break;
    case MSGPACK_UNSIGNED:
        v->whole = h.value;
        break;
    case MSGPACK_INTEGER:
        v->integer = integer_of(h.value, h.len);
        break;
    case MSGPACK_DOUBLE:
        v->number = double_of(h.value, h.len);
        break;
    case MSGPACK_EXTENSION:
        v->extension = (int8_t)p->at[h.len - TYPE_LEN];
        v->bytes = slice_of((const char *)p->at + h.len, h.rest);
        break;
    case MSGPACK_TEXT:
    case MSGPACK_BYTES:
        v->bytes = slice_of((const char *)p->at + h.len, h.rest);
        break;
    case MSGPACK_ARRAY:
    case MSGPACK_MAP:
        v->count = h.count;
        break;
    }
    p->at += h.len + h.rest;
    return true;
}

bool msgpack_pass(struct msgpack *p, const struct msgpack_value *v)
{
    struct msgpack_walk w = {.left = 0};

    if (v->type != MSGPACK_ARRAY && v->type != MSGPACK_MAP)
        return true;
    w.left = v->count;
    if (msgpack_walk(&w, slice_of((const char *)p->at, (size_t)(p->end - p->at))) != MSGPACK_WHOLE)
        return false;
    p->at += w.at;
    return true;
}

/* ---- Writing ---- */

void msgpack_append_array(struct buffer *b, unsigned count)
{
    assert(count <= FIX_MASK);
    buffer_append_char(b, (char)(FIXARRAY | count));
}

void msgpack_append_map(struct buffer *b, unsigned count)
{
    assert(count <= FIX_MASK);
    buffer_append_char(b, (char)(FIXMAP | count));
}

void msgpack_append_bool(struct buffer *b, bool value)
{
    buffer_append_char(b, (char)(value ? 0xc3 : 0xc2));
}

static void append_sized(struct buffer *b, unsigned char first_form, struct slice bytes)
{
    char head[1 + sizeof(uint32_t)];
    char *end = head + 1;

    if (bytes.len <= UINT8_MAX) {
        head[0] = (char)first_form;
        *end++ = (char)bytes.len;
    } else if (bytes.len <= UINT16_MAX) {
        head[0] = (char)(first_form + 1);
        end = byte_order_put16(end, (uint16_t)bytes.len);
    } else {
        head[0] = (char)(first_form + 2);
        end = byte_order_put32(end, (uint32_t)bytes.len);
    }
    buffer_append(b, head, (size_t)(end - head));
    buffer_append_slice(b, bytes);
}

void msgpack_append_text(struct buffer *b, struct slice text)
{
    if (text.len <= FIXTEXT_MASK) {
        buffer_append_char(b, (char)(FIXTEXT | text.len));
        buffer_append_slice(b, text);
    } else {
        append_sized(b, 0xd9, text);
    }
}

void msgpack_append_bytes(struct buffer *b, struct slice bytes)
{
    append_sized(b, 0xc4, bytes);
}
