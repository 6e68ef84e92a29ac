#include "access/borne.h"

#include "access/key.h"
#include "base/base64.h"
#include "base/buffer.h"

/* Takes `text` for the key, if it was meant as one. */
static bool take(struct borne *b, struct slice text)
{
    if (!key_is_meant(text))
        return false;
    b->key = text;
    return true;
}

/* What is behind the first colon of what `text` is the base64 of. */
static bool take_coded(struct borne *b, struct slice text)
{
    struct buffer decoded;

    buffer_init_over(&decoded, b->room, sizeof(b->room));
    if (text.len > sizeof(b->room) || base64_append_decoded(&decoded, text))
        return false;

    struct slice rest = buffer_slice(&decoded);

    (void)slice_cut(&rest, ':');
    return take(b, rest);
}

static bool take_authorization(struct borne *b, struct slice header)
{
    struct slice scheme = slice_cut(&header, ' ');
    struct slice rest = slice_trim(header);

    if (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Basic")))
        return take_coded(b, rest);
    if (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("ApiKey")))
        return take(b, rest) || take_coded(b, rest);
    return (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Bearer")) ||
            slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Splunk")) ||
            slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Token"))) &&
           take(b, rest);
}

/* A key has no sign that is escaped in a URL. */
static bool take_parameter(struct borne *b, struct slice query)
{
    while (query.len > 0) {
        struct slice value = slice_cut(&query, '&');
        struct slice name = slice_cut(&value, '=');

        if (slice_equal(name, SLICE_LITERAL("dd-api-key")) && take(b, value))
            return true;
    }
    return false;
}

void borne_find(struct borne *b, const struct http_head *head, bool in_path)
{
    b->key = slice_of(NULL, 0);
    if (head->authorization.data && take_authorization(b, head->authorization))
        return;
    if ((head->api_key.data && take(b, head->api_key)) ||
        (head->datadog_key.data && take(b, head->datadog_key)))
        return;
    if (in_path && !take(b, head->param))
        (void)take_parameter(b, head->query);
}
