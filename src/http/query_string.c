#include "http/query_string.h"

#include <string.h>

#include "base/utf8.h"
#include "http/percent.h"

static const struct slice REPLACEMENT = {"\xEF\xBF\xBD", 3}; /* U+FFFD */

/* Copies `s` to `out`, which has room for 3 times its length; returns the bytes written. */
static size_t copy_repaired(char *out, struct slice s)
{
    size_t len = 0;

    while (s.len > 0) {
        uint32_t code;
        size_t n = utf8_read(s, &code);
        struct slice from = code == UTF8_NONE ? REPLACEMENT : slice_of(s.data, n);

        memcpy(out + len, from.data, from.len);
        len += from.len;
        s = slice_of(s.data + n, s.len - n);
    }
    return len;
}

/* Appends the decoded `s` to q->text, in which there is room for it, and returns where it is. */
static struct slice decode(struct query_string *q, struct slice s)
{
    char *out = q->text.data + q->text.len;
    struct slice decoded = slice_of(out, percent_decode(out, s, true));

    if (!utf8_valid(decoded)) {
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
    if (!buffer_reserve(&q->text, query.len * 4))
        return buffer_error(&q->text);
    const char *end = query.data + query.len;
    for (const char *at = query.data; at < end;) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        struct slice pair = slice_of(at, (size_t)((amp ? amp : end) - at));

        at += pair.len + 1;
        if (pair.len == 0)
            continue;
        if (q->len == QUERY_STRING_PARAMS_MAX)
            return LM_ETOOBIG;
        const char *equals = memchr(pair.data, '=', pair.len);
        size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
        size_t value_at = equals ? name_len + 1 : pair.len;
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
