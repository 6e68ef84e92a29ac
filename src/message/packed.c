#include "message/packed.h"

#include <assert.h>
#include <string.h>

#include "base/byte_order.h"
#include "base/hash.h"
#include "base/hex.h"

#define MARK "v2 "

enum {
    MARK_LEN = sizeof(MARK) - 1,
    CHECKSUM_DIGITS = 16,
    LANES = 4, /* sums that do not wait for each other */
    LANE_BYTES = 8,
    LEN_DIGITS_MAX = 10, /* of a length: what it says is compared with what is there */
    RECORD_LINE_MAX = LOG_KEY_CURSOR_LEN + 3 * (1 + 20) + 1,
};

static_assert(PACKED_HEAD_LEN == MARK_LEN + CHECKSUM_DIGITS + 1, "the head is a line");

/* Tells damage from what was written; the same on every machine. */
static uint64_t checksum(struct slice s)
{
    uint64_t lanes[LANES] = {1, 2, 3, 4};
    uint64_t sum = s.len;

    for (; s.len >= LANES * LANE_BYTES;
         s = slice_of(s.data + LANES * LANE_BYTES, s.len - LANES * LANE_BYTES)) {
        for (int i = 0; i < LANES; i++) {
            lanes[i] = (lanes[i] ^ byte_order_get64(s.data + i * LANE_BYTES)) *
                       UINT64_C(0x9fb21c651e98df25);
            lanes[i] ^= lanes[i] >> 32;
        }
    }
    for (int i = 0; i < LANES; i++)
        sum = hash_mix(sum ^ lanes[i]);
    return hash_mix(hash_bytes(sum, s));
}

/* ---- Writing ---- */

void packed_begin(struct buffer *b)
{
    char *head = buffer_reserve(b, PACKED_HEAD_LEN);

    if (!head)
        return;
    memset(head, '0', PACKED_HEAD_LEN);
    memcpy(head, MARK, MARK_LEN);
    head[PACKED_HEAD_LEN - 1] = '\n';
    b->len += PACKED_HEAD_LEN;
}

static char *put_len(char *p, size_t len)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + len % 10);
        len /= 10;
    } while (len > 0);
    *p++ = ' ';
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_text(char *p, struct slice s)
{
    if (s.len > 0)
        memcpy(p, s.data, s.len);
    return p + s.len;
}

void packed_append(struct buffer *b, const struct record *r)
{
    char line[RECORD_LINE_MAX];
    char *p = line + LOG_KEY_CURSOR_LEN;

    log_key_format_cursor(&r->key, line);
    p = put_len(p, r->level.len);
    p = put_len(p, r->message.len);
    p = put_len(p, r->attributes.len);
    *p++ = '\n';

    size_t line_len = (size_t)(p - line);

    p = buffer_reserve(b, line_len + r->level.len + r->message.len + r->attributes.len + 1);
    if (!p)
        return;
    p = put_text(p, slice_of(line, line_len));
    p = put_text(p, r->level);
    p = put_text(p, r->message);
    p = put_text(p, r->attributes);
    *p++ = '\n';
    b->len = (size_t)(p - b->data);
}

void packed_seal(char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t sum = checksum(slice_of(text + PACKED_HEAD_LEN, len - PACKED_HEAD_LEN));

    for (int i = 0; i < CHECKSUM_DIGITS; i++)
        text[MARK_LEN + i] = digits[sum >> (60 - 4 * i) & 15];
}

/* ---- Reading ---- */

bool packed_is(struct slice text)
{
    return text.len >= MARK_LEN && memcmp(text.data, MARK, MARK_LEN) == 0;
}

int packed_open(struct slice *text, struct errbuf *reason)
{
    uint64_t sum = 0;

    if (text->len < PACKED_HEAD_LEN || text->data[PACKED_HEAD_LEN - 1] != '\n')
        return errbuf_fail(reason, LM_EINVAL, "the batch is damaged: it has no head");
    for (int i = 0; i < CHECKSUM_DIGITS; i++) {
        int digit = hex_value(text->data[MARK_LEN + i]);

        if (digit < 0)
            return errbuf_fail(reason, LM_EINVAL, "the batch is damaged: it has no checksum");
        sum = sum << 4 | (unsigned)digit;
    }
    *text = slice_of(text->data + PACKED_HEAD_LEN, text->len - PACKED_HEAD_LEN);
    if (checksum(*text) != sum)
        return errbuf_fail(reason, LM_EINVAL,
                           "the batch is damaged: its checksum is not that of its text");
    return 0;
}

/* Takes a space and a number off; false if there is none. */
static bool take_len(struct slice *rest, size_t *len)
{
    size_t at = 1;

    *len = 0;
    if (rest->len == 0 || rest->data[0] != ' ')
        return false;
    while (at < rest->len && at <= LEN_DIGITS_MAX && rest->data[at] >= '0' && rest->data[at] <= '9')
        *len = *len * 10 + (size_t)(rest->data[at++] - '0');
    *rest = slice_of(rest->data + at, rest->len - at);
    return at > 1;
}

static bool take_newline(struct slice *rest)
{
    if (rest->len == 0 || rest->data[0] != '\n')
        return false;
    *rest = slice_of(rest->data + 1, rest->len - 1);
    return true;
}

static bool take_text(struct slice *rest, size_t len, struct slice *text)
{
    if (len > rest->len)
        return false;
    *text = slice_of(rest->data, len);
    *rest = slice_of(rest->data + len, rest->len - len);
    return true;
}

int packed_next(struct slice *rest, struct record *r)
{
    struct slice key;
    size_t level;
    size_t message;
    size_t attributes;

    if (!take_text(rest, LOG_KEY_CURSOR_LEN, &key) || !take_len(rest, &level) ||
        !take_len(rest, &message) || !take_len(rest, &attributes) || !take_newline(rest) ||
        !take_text(rest, level, &r->level) || !take_text(rest, message, &r->message) ||
        !take_text(rest, attributes, &r->attributes) || !take_newline(rest))
        return LM_EINVAL;
    return log_key_parse_cursor(key, &r->key);
}
