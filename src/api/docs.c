#include "api/docs.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "web/assets.h"

/*
 * The page may load its own scripts and styles and talk to its own origin, and nothing else;
 * Swagger UI has its icons as data: URLs.
 */
static const char content_security_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = slice_of(s.data + 1, s.len - 1);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* Cuts the part before the first `separator` off `*rest` and returns it, trimmed. */
static struct slice next_part(struct slice *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
    struct slice part = slice_of(rest->data, len);
    size_t taken = end != NULL ? len + 1 : len;
    *rest = slice_of(rest->data + taken, rest->len - taken);
    return trim(part);
}

/* "q=0", "q=0.0", …: not acceptable. */
static bool is_zero_weight(struct slice parameter)
{
    struct slice name = next_part(&parameter, '=');
    struct slice value = trim(parameter);
    if (!slice_equal_ascii_nocase(name, SLICE_LITERAL("q")) || value.len == 0)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] != '0' && value.data[i] != '.')
            return false;
    }
    return true;
}

bool docs_accepts_gzip(struct slice header)
{
    while (header.len > 0) {
        struct slice weights = next_part(&header, ',');
        struct slice coding = next_part(&weights, ';');
        if (slice_equal_ascii_nocase(coding, SLICE_LITERAL("gzip")) ||
            slice_equal_ascii_nocase(coding, SLICE_LITERAL("x-gzip")))
            return !is_zero_weight(next_part(&weights, ';'));
    }
    return false;
}

/* Compares weakly, as If-None-Match asks: with or without W/. */
bool docs_etag_matches(struct slice header, const char *etag)
{
    struct slice opaque = slice_of_string(etag + strlen("W/"));
    while (header.len > 0) {
        struct slice tag = next_part(&header, ',');
        if (slice_equal(tag, SLICE_LITERAL("*")))
            return true;
        if (tag.len > 2 && memcmp(tag.data, "W/", 2) == 0)
            tag = slice_of(tag.data + 2, tag.len - 2);
        if (slice_equal(tag, opaque))
            return true;
    }
    return false;
}

/* A client that takes no gzip is a rare one: inflating anew for each costs nothing that matters. */
static void respond_inflated(struct http_request *req, const struct web_asset *asset,
                             struct http_response *response)
{
    char *plain = try_malloc(asset->plain_len);
    if (plain == NULL || web_asset_inflate(asset, plain) != 0) {
        http_respond_error(req, 500, "Internal Server Error");
    } else {
        response->body = slice_of(plain, asset->plain_len);
        http_respond(req, response);
    }
    free(plain);
}

void docs_get(struct http_request *req, void *thread)
{
    (void)thread;
    const struct web_asset *asset = web_asset_find(http_request_path(req));
    if (asset == NULL) {
        http_respond_error(req, 404, "Not Found");
        return;
    }
    /* The file names carry no version, so browsers ask each time, and mostly get 304. */
    struct http_header headers[HTTP_RESPONSE_HEADERS_MAX] = {
        {"ETag", slice_of_string(asset->etag)},
        {"Cache-Control", SLICE_LITERAL("no-cache")},
        {"Vary", SLICE_LITERAL("Accept-Encoding")},
        {"Content-Security-Policy", SLICE_LITERAL(content_security_policy)},
        {"X-Content-Type-Options", SLICE_LITERAL("nosniff")},
    };
    struct http_response response = {
        .status = 200, .content_type = asset->content_type, .headers = headers, .headers_len = 5};

    if (docs_etag_matches(http_request_header(req, "If-None-Match"), asset->etag)) {
        response.status = 304;
        http_respond(req, &response);
    } else if (docs_accepts_gzip(http_request_header(req, "Accept-Encoding"))) {
        headers[response.headers_len++] =
            (struct http_header){"Content-Encoding", SLICE_LITERAL("gzip")};
        response.body = asset->gzip;
        response.body_is_static = true;
        http_respond(req, &response);
    } else {
        respond_inflated(req, asset, &response);
    }
}
