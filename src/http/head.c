#include "http/head.h"

#include <string.h>

#include "http/client.h"
#include "net/loop.h"

/*
 * Splits the target into path and query. An absolute-form target ("http://host/path", RFC 9112,
 * 3.2.2) stands for its path. False if it is of neither form, nor "*".
 */
static bool split_target(struct slice target, struct slice *path, struct slice *query)
{
    if (target.len == 0)
        return false;
    const char *at = target.data;
    const char *end = at + target.len;
    if (*at != '/' && *at != '*') {
        const char *colon = memchr(at, ':', (size_t)(end - at));

        if (!colon || end - colon < 3 || memcmp(colon, "://", 3) != 0)
            return false;
        at = colon + 3;
        while (at < end && *at != '/' && *at != '?' && *at != '#')
            at++;
    }
    const char *fragment = memchr(at, '#', (size_t)(end - at));
    if (fragment)
        end = fragment;
    const char *mark = memchr(at, '?', (size_t)(end - at));
    const char *path_end = mark ? mark : end;
    *path = path_end > at ? slice_of(at, (size_t)(path_end - at)) : SLICE_LITERAL("/");
    *query = mark ? slice_of(mark + 1, (size_t)(end - mark - 1)) : slice_of(at, 0);
    return true;
}

static struct slice method_of(const struct message *m)
{
    return slice_of_string(llhttp_method_name(m->method));
}

void head_locate(struct message *m)
{
    if (!split_target(message_text(m, m->target), &m->path, &m->query)) {
        m->path = slice_of(NULL, 0);
        m->query = slice_of(NULL, 0);
    }
    if (m->route)
        m->route = router_find(m->limits->router, m->path, method_of(m), m->params, &m->params_len);
}

static void judge_coding(struct message *m, struct slice value)
{
    enum inflate_coding coding;
    bool is_known = inflate_coding_of(value, &coding) == 0;

    if (!is_known && m->endpoint && (m->endpoint->flags & HTTP_ROUTE_OTHER_CODINGS) != 0)
        return;
    if (is_known && m->coding == INFLATE_IDENTITY)
        m->coding = coding;
    else
        message_refuse(m, 415, "Content-Encoding \"%.*s\" is not supported, allowed are: %s",
                       value.len < 40 ? (int)value.len : 40, value.data, INFLATE_CODINGS);
}

static void judge_expect(struct message *m, struct slice value)
{
    if (slice_equal_ascii_nocase(value, SLICE_LITERAL("100-continue")))
        m->body_state = m->http_1_0 ? MESSAGE_NO_BODY : MESSAGE_BODY_AWAITS;
    else
        message_refuse(m, 417, "Expect: only 100-continue can be met");
}

/*
 * llhttp takes care of what a body's length may be; that a coding below chunked cannot be undone
 * here, and that HTTP/1.0 knows no codings at all (RFC 9112, 6.1), is left to us.
 */
static void judge_transfer_encoding(struct message *m, struct slice value, unsigned seen)
{
    if (m->http_1_0)
        message_refuse(m, 400, "Transfer-Encoding in HTTP/1.0");
    else if (seen > 1 || !slice_equal_ascii_nocase(value, SLICE_LITERAL("chunked")))
        message_refuse(m, 501, "Transfer-Encoding: only chunked is supported");
    else
        return;
    message_refuse_when(m, REFUSE_AT_ONCE);
}

/* The headers that are heeded before a handler sees the request. */
enum known {
    KNOWN_HOST,
    KNOWN_EXPECT,
    KNOWN_ORIGIN,
    KNOWN_ACCEPT,
    KNOWN_COOKIE,
    KNOWN_FETCH_SITE,
    KNOWN_FETCH_MODE,
    KNOWN_FETCH_DEST,
    KNOWN_CODING,
    KNOWN_TRANSFER,
    KNOWN_FORWARDED_FOR, /* the last line counts: a proxy adds its own at the end */
    KNOWN_FORWARDED_PROTO,
    KNOWN_ASKS_METHOD,
    KNOWN_AUTHORIZATION,
    KNOWN_API_KEY,
    KNOWN_DATADOG_KEY,
    KNOWN_REQUESTED_WITH,
    KNOWN_LEN,
    KNOWN_NONE = KNOWN_LEN
};

/* By length first: most headers are none of them, and cost one look. */
static enum known known_of(struct slice name)
{
#define IS(text, known)                                                                            \
    if (slice_equal_ascii_nocase(name, SLICE_LITERAL(text)))                                       \
    return known
    switch (name.len) {
    case 4:
        IS("host", KNOWN_HOST);
        break;
    case 6:
        IS("expect", KNOWN_EXPECT);
        IS("accept", KNOWN_ACCEPT);
        IS("cookie", KNOWN_COOKIE);
        IS("origin", KNOWN_ORIGIN);
        break;
    case 9:
        IS("x-api-key", KNOWN_API_KEY);
        break;
    case 10:
        IS("dd-api-key", KNOWN_DATADOG_KEY);
        break;
    case 13:
        IS("authorization", KNOWN_AUTHORIZATION);
        break;
    case 14:
        IS("sec-fetch-site", KNOWN_FETCH_SITE);
        IS("sec-fetch-mode", KNOWN_FETCH_MODE);
        IS("sec-fetch-dest", KNOWN_FETCH_DEST);
        break;
    case 15:
        IS("x-forwarded-for", KNOWN_FORWARDED_FOR);
        break;
    case 16:
        IS("content-encoding", KNOWN_CODING);
        IS("x-requested-with", KNOWN_REQUESTED_WITH);
        break;
    case 17:
        IS("transfer-encoding", KNOWN_TRANSFER);
        IS("x-forwarded-proto", KNOWN_FORWARDED_PROTO);
        break;
    case 29:
        IS("access-control-request-method", KNOWN_ASKS_METHOD);
        break;
    default:
        break;
    }
#undef IS
    return KNOWN_NONE;
}

/* What the known headers say: the first of each (but see above), and how many there are. */
struct known_headers {
    struct slice value[KNOWN_LEN]; /* data NULL: there is none */
    unsigned count[KNOWN_LEN];
};

/* Framing and Host are judged here: they come before anything else. */
static void find_known(struct message *m, struct known_headers *found)
{
    *found = (struct known_headers){0};
    for (size_t i = 0; i < m->headers_len; i++) {
        enum known known = known_of(message_text(m, m->headers[i].name));

        if (known == KNOWN_NONE)
            continue;
        struct slice value = message_header_value(m, i);
        if (found->count[known]++ == 0 || known == KNOWN_FORWARDED_FOR)
            found->value[known] = value;
        if (known == KNOWN_TRANSFER)
            judge_transfer_encoding(m, value, found->count[known]);
    }
    unsigned hosts = found->count[KNOWN_HOST];
    if (hosts > 1 || (hosts == 0 && !m->http_1_0)) {
        message_refuse(m, 400, hosts == 0 ? "no Host header" : "more than one Host header");
        message_refuse_when(m, REFUSE_AT_ONCE);
    }
}

/* The message comes from a trusted proxy: what it says of its own client. */
static void believe_proxy(struct message *m, const struct known_headers *found)
{
    struct slice scheme = found->value[KNOWN_FORWARDED_PROTO];

    if (scheme.data)
        m->is_https =
            slice_equal_ascii_nocase(slice_trim(slice_cut(&scheme, ',')), SLICE_LITERAL("https"));
    m->client =
        client_of_chain(found->value[KNOWN_FORWARDED_FOR], m->limits->options->trusted_proxies);
}

static void judge_content(struct message *m, const struct known_headers *found)
{
    if (found->count[KNOWN_EXPECT] + found->count[KNOWN_CODING] == 0)
        return;
    for (size_t i = 0; i < m->headers_len; i++) {
        enum known known = known_of(message_text(m, m->headers[i].name));

        if (known == KNOWN_EXPECT)
            judge_expect(m, message_header_value(m, i));
        else if (known == KNOWN_CODING && !message_is_told_by_bytes(m))
            judge_coding(m, message_header_value(m, i));
    }
}

/* Asks the hook. What it refuses is refused, whatever else is wrong with the request. */
static void judge_admission(struct message *m, const struct known_headers *found)
{
    const struct http_hooks *hooks = &m->limits->options->hooks;

    if (!hooks->admit)
        return;
    const struct http_head head = {
        .route = m->endpoint,
        .client = m->client != CLIENT_UNKNOWN ? m->client : m->peer,
        .is_https = m->is_https,
        .certificate = m->certificate,
        .is_get = m->method == HTTP_GET || m->method == HTTP_HEAD,
        .is_options = m->method == HTTP_OPTIONS,
        .query = m->query,
        .param = m->params_len > 0 ? m->params[0] : slice_of(NULL, 0),
        .host = found->value[KNOWN_HOST],
        .authorization = found->value[KNOWN_AUTHORIZATION],
        .api_key = found->value[KNOWN_API_KEY],
        .datadog_key = found->value[KNOWN_DATADOG_KEY],
        .cookie = found->value[KNOWN_COOKIE],
        .accept = found->value[KNOWN_ACCEPT],
        .requested_with = found->value[KNOWN_REQUESTED_WITH],
        .origin = found->value[KNOWN_ORIGIN],
        .fetch_site = found->value[KNOWN_FETCH_SITE],
        .fetch_mode = found->value[KNOWN_FETCH_MODE],
        .fetch_dest = found->value[KNOWN_FETCH_DEST],
        .asks_method = found->value[KNOWN_ASKS_METHOD],
        .holder = *m->holder,
    };
    struct http_admission admission = {.answer_headers = m->answer_headers,
                                       .max_body_bytes = SIZE_MAX,
                                       .until_us = INT64_MAX,
                                       .holder = *m->holder};
    hooks->admit(&head, &admission, hooks->ctx);
    m->answer_headers = admission.answer_headers;
    m->who = admission.who;
    m->until_us = admission.until_us;
    if (admission.max_body_bytes < m->max_body_bytes)
        m->max_body_bytes = admission.max_body_bytes;
    if (admission.holder != *m->holder && *m->holder)
        hooks->left(*m->holder);
    *m->holder = admission.holder;
    if (admission.status == 0)
        return;
    m->refusal.status = 0;
    message_refuse(m, admission.status, admission.detail ? "%s" : NULL, admission.detail);
    message_refuse_when(m, admission.closes ? REFUSE_AT_ONCE : REFUSE_BEFORE_BODY);
}

/* On a connection past max_connections only what is reserved is answered. */
static void judge_extra(struct message *m)
{
    if (m->endpoint && (m->endpoint->flags & HTTP_ROUTE_RESERVED) != 0)
        return;
    m->refusal.status = 0;
    message_refuse(m, 503, "too many connections: at most %u", m->limits->options->max_connections);
    message_refuse_when(m, REFUSE_BEFORE_BODY);
}

/* Whether the path would be a route with its slashes at the end gone, or with one there. */
static bool is_route_but_for_slash(const struct message *m)
{
    struct slice params[HTTP_PATH_PARAMS_MAX];
    size_t params_len;
    struct slice path = m->path;

    if (path.len < 2)
        return false;
    if (path.data[path.len - 1] == '/') {
        while (path.len > 1 && path.data[path.len - 1] == '/')
            path.len--;
        return router_find(m->limits->router, path, method_of(m), params, &params_len);
    }
    char with_slash[1024];
    if (path.len >= sizeof(with_slash))
        return false;
    memcpy(with_slash, path.data, path.len);
    with_slash[path.len] = '/';
    path = slice_of(with_slash, path.len + 1);
    return router_find(m->limits->router, path, method_of(m), params, &params_len);
}

static void judge_route(struct message *m)
{
    m->route = router_find(m->limits->router, m->path, method_of(m), m->params, &m->params_len);
    if (!m->route) {
        message_refuse(m, is_route_but_for_slash(m) ? 307 : 404, NULL);
        return;
    }
    m->endpoint = router_path_route(m->route, method_of(m));
    if (!m->endpoint)
        message_refuse(m, 405, NULL);
    else if ((m->endpoint->flags & HTTP_ROUTE_BATCH) != 0)
        m->max_body_bytes = m->limits->max_batch_bytes;
}

/* What comes within one read is not kept. */
static bool could_never_hold(const struct message *m, uint64_t body_len)
{
    const struct account *bodies = m->limits->bodies;

    return bodies && body_len > NET_READ_BYTES && body_len > bodies->ceiling - m->charge.taken;
}

static void judge_length(struct message *m, const llhttp_t *parser)
{
    bool chunked = (parser->flags & F_CHUNKED) != 0;
    bool has_body = chunked || parser->content_length > 0;
    bool expects = m->body_state == MESSAGE_BODY_AWAITS;

    if (!has_body)
        m->body_state = MESSAGE_NO_BODY;
    else if (!expects)
        m->body_state = MESSAGE_BODY_COMES;
    m->in_lots = has_body && m->refusal.status == 0 && m->endpoint &&
                 (m->endpoint->flags & HTTP_ROUTE_LOTS) != 0 && m->coding == INFLATE_IDENTITY;
    if (m->in_lots) {
        /* any length */
    } else if (!chunked && parser->content_length > m->max_body_bytes) {
        message_refuse_body(m);
        message_refuse_when(m, REFUSE_AT_ONCE);
    } else if (!chunked && could_never_hold(m, parser->content_length)) {
        message_refuse_for_room(m, parser->content_length);
    }
    /* Who waits for 100 may never send the body that we would have to read away. */
    bool waits = expects || m->refusal.status == 417 || m->refusal.when == REFUSE_BEFORE_BODY;
    if (m->refusal.status != 0 && waits && has_body)
        message_refuse_when(m, REFUSE_AT_ONCE);
}

/* llhttp also reads RTSP and ICE, whose requests look the same but for the protocol's name. */
static bool is_http(const struct message *m)
{
    const struct slice name = SLICE_LITERAL(" HTTP/");

    return m->version.offset > name.len &&
           memcmp(m->base + m->version.offset - name.len, name.data, name.len) == 0;
}

void head_judge(struct message *m, const llhttp_t *parser)
{
    m->method = parser->method;
    m->http_1_0 = parser->http_major == 1 && parser->http_minor == 0;
    if (parser->http_major != 1) {
        message_refuse(m, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
        message_refuse_when(m, REFUSE_AT_ONCE);
        return;
    }
    if (!is_http(m)) {
        message_refuse(m, 400, "the protocol is not HTTP");
        message_refuse_when(m, REFUSE_AT_ONCE);
        return;
    }
    if (m->method == HTTP_CONNECT ||
        !split_target(message_text(m, m->target), &m->path, &m->query)) {
        message_refuse(m, 400, "the request target is not a path");
        message_refuse_when(m, REFUSE_AT_ONCE);
        return;
    }
    struct known_headers found;
    find_known(m, &found);
    if (m->from_trusted)
        believe_proxy(m, &found);
    if (m->refusal.status == 0) {
        judge_route(m);
        judge_admission(m, &found);
        if (m->from_extra)
            judge_extra(m);
    }
    judge_content(m, &found);
    judge_length(m, parser);
}
