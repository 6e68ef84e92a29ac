#include "record/record.h"

#include <string.h>

#include "base/timestamp.h"
#include "json/writer.h"

/* Appends a literal at `p` and moves past it. */
#define PUT(p, text) ((p) = (char *)memcpy((p), (text), sizeof(text) - 1) + sizeof(text) - 1)

void record_append_json(struct buffer *b, const struct record *r)
{
    static const char id[] = "{\"id\":\"";
    static const char timestamp[] = "\",\"timestamp\":\"";
    static const char level[] = "\",\"level\":";
    char *p = buffer_reserve(b, sizeof(id) + UUID_TEXT_LEN + sizeof(timestamp) +
                                    TIMESTAMP_TEXT_LEN + sizeof(level));

    if (!p)
        return;
    char *start = p;
    PUT(p, id);
    uuid_format(&r->key.id, p);
    p += UUID_TEXT_LEN;
    PUT(p, timestamp);
    timestamp_format(r->key.timestamp_us, p);
    p += TIMESTAMP_TEXT_LEN;
    PUT(p, level);
    b->len += (size_t)(p - start);

    json_append_string(b, r->level);
    buffer_append_slice(b, SLICE_LITERAL(",\"message\":"));
    json_append_string(b, r->message);
    buffer_append_slice(b, SLICE_LITERAL(",\"attributes\":"));
    buffer_append_slice(b, r->attributes.len ? r->attributes : SLICE_LITERAL("{}"));
    buffer_append_char(b, '}');
}
