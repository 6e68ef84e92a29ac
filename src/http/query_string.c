#include "http/query_string.h"

#include <stdint.h>
#include <string.h>

#include "http/percent.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

/*
 * Looks at the UTF-8 sequence that begins at `p`. Returns its length and sets *valid, or, where it
 * is not valid, the length of what one U+FFFD stands for: the longest part that could have begun a
 * valid sequence, at least one byte (the Unicode Standard, 3.9, as Python decodes).
 */
static size_t sequence_at(const uint8_t *p, const uint8_t *end, bool *valid)
{
    uint8_t lead = p[0];
    uint8_t low = 0x80, high = 0xBF; /* allowed second byte */
    size_t len;
    *valid = true;
    if (lead < 0x80)
        return 1;
    *valid = false;
    if (lead >= 0xC2 && lead <= 0xDF)
        len = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        len = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        len = 4;
    else
        return 1;
    if (lead == 0xE0)
        low = 0xA0; /* shorter forms exist */
    else if (lead == 0xED)
        high = 0x9F; /* surrogates */
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F; /* past U+10FFFF */
    for (size_t i = 1; i < len; i++) {
        if (p + i == end || p[i] < low || p[i] > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return len;
}

static bool all_valid(struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    const uint8_t *end = p + s.len;
    bool valid = true;
    while (p < end && valid)
        p += sequence_at(p, end, &valid);
    return valid;
}

/* Copies `s` to `out`, which has room for 3 times its length; returns the bytes written. */
static size_t copy_repaired(char *out, struct slice s)
{
    const uint8_t *p = (const uint8_t *)s.data;
    const uint8_t *end = p + s.len;
    size_t len = 0;
    while (p < end) {
        bool valid;
        size_t n = sequence_at(p, end, &valid);
        const void *from = valid ? (const void *)p : (const void *)REPLACEMENT;
        size_t from_len = valid ? n : sizeof(REPLACEMENT) - 1;
        memcpy(out + len, from, from_len);
        len += from_len;
        p += n;
    }
    return len;
}

/* Appends the decoded `s` to q->text, in which there is room for it, and returns where it is. */
static struct slice decode(struct query_string *q, struct slice s)
{
    char *out = q->text.data + q->text.len;
    struct slice decoded = slice_of(out, percent_decode(out, s, true));
    if (!all_valid(decoded)) {
        char *repaired = out + decoded.len;
        decoded = slice_of(repaired, copy_repaired(repaired, decoded));
    }
    q->text.len = (size_t)(decoded.data + decoded.len - q->text.data);
    return decoded;
}

int query_string_parse(struct query_string *q, struct slice query)
{
    q->len = 0;
    buffer_init(&q->text, SIZE_MAX / 2);
    if (query.len == 0)
        return 0;
    if (query.len > SIZE_MAX / 16)
        return LM_ETOOBIG;
    /* As sent, and once more with every byte become a U+FFFD: text never moves while we decode. */
    if (buffer_reserve(&q->text, query.len * 4) == NULL)
        return buffer_error(&q->text);
    const char *end = query.data + query.len;
    for (const char *at = query.data; at < end;) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        struct slice pair = slice_of(at, (size_t)((amp != NULL ? amp : end) - at));
        at += pair.len + 1;
        if (pair.len == 0)
            continue;
        if (q->len == QUERY_STRING_PARAMS_MAX)
            return LM_ETOOBIG;
        const char *equals = memchr(pair.data, '=', pair.len);
        size_t name_len = equals != NULL ? (size_t)(equals - pair.data) : pair.len;
        size_t value_at = equals != NULL ? name_len + 1 : pair.len;
        struct query_param *param = &q->params[q->len++];
        param->name = decode(q, slice_of(pair.data, name_len));
        param->value = decode(q, slice_of(pair.data + value_at, pair.len - value_at));
    }
    return 0;
}

void query_string_release(struct query_string *q)
{
    buffer_release(&q->text);
    q->len = 0;
}

struct slice query_string_last(const struct query_string *q, const char *name)
{
    struct slice wanted = slice_of_string(name);
    for (size_t i = q->len; i > 0; i--) {
        if (slice_equal(q->params[i - 1].name, wanted))
            return q->params[i - 1].value;
    }
    return slice_of(NULL, 0);
}
