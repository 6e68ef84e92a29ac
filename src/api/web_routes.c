#include "api/web_routes.h"

#include "answers/answers.h"
#include "api/internal.h"
#include "http/accept.h"
#include "web/assets.h"

/*
 * A page may load its own scripts and styles and talk to its own origin, and nothing else; icons
 * may be data: URLs. None of it inline, and no page of another origin may show it in a frame.
 */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/*
 * Our own page never makes markup of text, so the browser refuses it even if a fault of ours
 * tried to. Swagger UI, at /docs, could not live with that.
 */
static const char page_policy[] =
    POLICY "; require-trusted-types-for 'script'; trusted-types 'none'";
static const char docs_policy[] = POLICY;

/* What neither page needs; the page copies a log to the clipboard. */
static const char permissions_policy[] =
    "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), "
    "display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), screen-wake-lock=(), serial=(), usb=()";

static bool is_docs(const struct web_asset *asset)
{
    return strncmp(asset->path, "/docs", strlen("/docs")) == 0;
}

bool web_routes_accepts_gzip(struct slice header)
{
    struct accept_item item;

    while (accept_next(&header, &item))
        if (slice_equal_ascii_nocase(item.name, SLICE_LITERAL("gzip")) ||
            slice_equal_ascii_nocase(item.name, SLICE_LITERAL("x-gzip")))
            return item.weight > 0;
    return false;
}

/* Compares weakly, as If-None-Match asks: with or without W/. */
bool web_routes_etag_matches(struct slice header, const char *etag)
{
    struct slice opaque = slice_of_string(etag + strlen("W/"));

    while (header.len > 0) {
        struct slice tag = slice_trim(slice_cut(&header, ','));

        if (slice_equal(tag, SLICE_LITERAL("*")))
            return true;
        if (tag.len > 2 && memcmp(tag.data, "W/", 2) == 0)
            tag = slice_of(tag.data + 2, tag.len - 2);
        if (slice_equal(tag, opaque))
            return true;
    }
    return false;
}

static enum refusal refusal_of(int error)
{
    switch (error) {
    case LM_ENOMEM:
        return REFUSED_NO_MEMORY;
    case LM_EBUSY:
        return REFUSED_FILE_NO_ROOM;
    default:
        return REFUSED_FILE_BROKEN;
    }
}

static int inflate_into(struct buffer *plain, const struct web_asset *asset, struct account *reads)
{
    if (!buffer_charge(plain, reads))
        return LM_EBUSY;
    if (!buffer_reserve(plain, asset->plain_len))
        return buffer_error(plain);

    int error = web_asset_inflate(asset, plain->data);

    plain->len = error ? 0 : asset->plain_len;
    return error;
}

/* A client that takes no gzip is a rare one: inflating anew for each costs nothing that matters. */
static void respond_inflated(struct http_request *req, const struct web_asset *asset,
                             const struct http_response *response, struct account *reads)
{
    struct buffer plain;

    buffer_init(&plain, asset->plain_len);

    int error = inflate_into(&plain, asset, reads);

    if (error) {
        answers_refuse(req, refusal_of(error), 0);
    } else {
        struct http_response whole = *response;

        whole.body_buffer = &plain;
        http_respond(req, &whole);
    }
    buffer_release(&plain);
}

void web_routes_get(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    const struct web_asset *asset = web_asset_find(http_request_path(req));

    if (!asset) {
        answers_refuse(req, REFUSED_NOT_FOUND, 0);
        return;
    }

    /* If the name is always the same, browsers ask each time, and mostly get 304. */
    /* What GET / is depends on Accept (receive_routes.c). */
    bool is_root = strcmp(asset->path, "/") == 0;
    const char *caching = asset->is_hashed ? "public, max-age=31536000, immutable" : "no-cache";
    struct http_header headers[HTTP_RESPONSE_HEADERS_MAX] = {
        {"ETag", slice_of_string(asset->etag)},
        {"Cache-Control", slice_of_string(caching)},
        {"Vary",
         is_root ? SLICE_LITERAL("Accept, Accept-Encoding") : SLICE_LITERAL("Accept-Encoding")},
        {"Content-Security-Policy", slice_of_string(is_docs(asset) ? docs_policy : page_policy)},
        {"Referrer-Policy", SLICE_LITERAL("no-referrer")},
        {"Cross-Origin-Opener-Policy", SLICE_LITERAL("same-origin")},
        {"Permissions-Policy", SLICE_LITERAL(permissions_policy)},
    };
    struct http_response response = {
        .status = 200, .content_type = asset->content_type, .headers = headers, .headers_len = 7};

    if (web_routes_etag_matches(http_request_header(req, "If-None-Match"), asset->etag)) {
        response.status = 304;
        http_respond(req, &response);
    } else if (web_routes_accepts_gzip(http_request_header(req, "Accept-Encoding"))) {
        headers[response.headers_len++] =
            (struct http_header){"Content-Encoding", SLICE_LITERAL("gzip")};
        response.body = asset->gzip;
        response.body_is_static = true;
        http_respond(req, &response);
    } else {
        respond_inflated(req, asset, &response, ledger_account(t->api->ledger, LEDGER_READS));
    }
}
