#include "http/response.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "http/connection.h"
#include "http/request.h"
#include "http/spare.h"
#include "json/writer.h"

enum {
    HEAD_BYTES_MAX = 256, /* a head without content type and further headers */
    CONTENT_TYPE_MAX = 48 /* of an answer that was reserved */
};

static_assert(HEAD_BYTES_MAX + CONTENT_TYPE_MAX + HTTP_ANSWER_HEADERS_MAX +
                      HTTP_RESERVED_HEADER_BYTES + HTTP_RESERVED_BODY_BYTES <=
                  RESPONSE_UNCHARGED_BYTES,
              "what http_reserve_answer promises");

/* Statuses with their reason phrases: RFC 9110, section 15, and RFC 6585. */
#define STATUSES(X)                                                                                \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(204, "No Content")                                                                           \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(411, "Length Required")                                                                      \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Entity")                                                                 \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(507, "Insufficient Storage")

/* The whole status line of a status, with its line end. */
static struct slice status_line(unsigned status, const char **reason)
{
    switch (status) {
#define STATUS_CASE(code, text)                                                                    \
    case code:                                                                                     \
        *reason = text;                                                                            \
        return SLICE_LITERAL("HTTP/1.1 " #code " " text "\r\n");
        STATUSES(STATUS_CASE)
#undef STATUS_CASE
    default:
        assert(!"a status that STATUSES does not have");
        *reason = "Internal Server Error";
        return SLICE_LITERAL("HTTP/1.1 500 Internal Server Error\r\n");
    }
}

static char *put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

#define PUT_LITERAL(to, text) put((to), (text), sizeof(text) - 1)

static char *put_size(char *to, size_t value)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[sizeof(digits) - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(to, digits + sizeof(digits) - n, n);
}

/* Server and Date, made once a second. */
static char *put_date_lines(char *to, struct http_thread *t)
{
    time_t now = time(NULL);

    if (now != t->date) {
        struct tm tm;

        gmtime_r(&now, &tm);
        t->date = now;
        t->date_lines_len = strftime(t->date_lines, sizeof(t->date_lines),
                                     "Server: logmill\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    }
    return put(to, t->date_lines, t->date_lines_len);
}

/* A header that could split the answer in two is left out: no client's bytes may do that. */
static bool is_safe(struct slice value)
{
    return !memchr(value.data, '\r', value.len) && !memchr(value.data, '\n', value.len);
}

static char *put_headers(char *to, const struct http_response *r)
{
    for (size_t i = 0; i < r->headers_len; i++) {
        const struct http_header *h = &r->headers[i];

        if (h->value.len > 0 && !is_safe(h->value))
            continue;
        to = put(to, h->name, strlen(h->name));
        to = PUT_LITERAL(to, ": ");
        if (h->value.len > 0)
            to = put(to, h->value.data, h->value.len);
        to = PUT_LITERAL(to, "\r\n");
    }
    return to;
}

static const char *content_type_of(const struct http_response *r)
{
    return r->content_type ? r->content_type : "application/json";
}

size_t response_head_bytes_max(const struct http_request *req, const struct http_response *r)
{
    size_t len = HEAD_BYTES_MAX + strlen(content_type_of(r)) + req->answer_headers.len;

    for (size_t i = 0; i < r->headers_len; i++)
        len += strlen(r->headers[i].name) + r->headers[i].value.len + 4;
    if (r->header_lines)
        len += strlen(r->header_lines);
    return len;
}

static bool has_content(const struct http_response *r)
{
    return r->status != 204 && r->status != 304;
}

static char *put_framing(char *to, const struct http_response *r, enum framing framing)
{
    if (r->body.len > 0 || framing != FRAMING_LENGTH) {
        to = PUT_LITERAL(to, "Content-Type: ");
        to = put(to, content_type_of(r), strlen(content_type_of(r)));
        to = PUT_LITERAL(to, "\r\n");
    }
    if (framing == FRAMING_CHUNKED)
        to = PUT_LITERAL(to, "Transfer-Encoding: chunked\r\n");
    if (framing == FRAMING_LENGTH) {
        to = PUT_LITERAL(to, "Content-Length: ");
        to = put_size(to, r->body.len);
        to = PUT_LITERAL(to, "\r\n");
    }
    return to;
}

char *response_put_head(char *to, const struct http_request *req, const struct http_response *r,
                        enum framing framing)
{
    const char *reason;
    struct slice line = status_line(r->status, &reason);

    to = put(to, line.data, line.len);
    to = put_date_lines(to, req->thread);
    if (has_content(r))
        to = put_framing(to, r, framing);
    if (req->closes)
        to = PUT_LITERAL(to, "Connection: close\r\n");
    else if (req->says_keep_alive)
        to = PUT_LITERAL(to, "Connection: keep-alive\r\n");
    if (req->answer_headers.len > 0)
        to = put(to, req->answer_headers.data, req->answer_headers.len);
    to = put_headers(to, r);
    if (r->header_lines)
        to = put(to, r->header_lines, strlen(r->header_lines));
    return PUT_LITERAL(to, "\r\n");
}

/* Writes head and body into req->answer, which has room. */
static void write_answer(struct http_request *req, const struct http_response *r)
{
    char *begin = req->answer.data;
    char *to = response_put_head(begin, req, r, FRAMING_LENGTH);

    if (has_content(r) && !req->head_only && r->body.len > 0) {
        if (r->body_is_static)
            req->static_body = r->body;
        else
            to = put(to, r->body.data, r->body.len);
    }
    req->answer.len = (size_t)(to - begin);
}

/* Makes r->body_buffer the request's. */
static bool take_body(struct http_request *req, struct http_response *r)
{
    struct buffer empty = {.ceiling = r->body_buffer->ceiling, .account = r->body_buffer->account};

    if (!buffer_charge(r->body_buffer, req->account))
        return false;
    req->body = *r->body_buffer;
    *r->body_buffer = empty;
    r->body = buffer_slice(&req->body);
    r->body_is_static = true;
    return true;
}

/* Room for the answer, charged if it is large. */
static bool reserve_answer(struct http_request *req, const struct http_response *r)
{
    bool copies = !r->body_is_static && !r->body_buffer && !req->head_only;
    size_t need = response_head_bytes_max(req, r) + (copies ? r->body.len : 0);

    if (need > RESPONSE_UNCHARGED_BYTES && !charge_take(&req->charge, req->account, need))
        return false;
    return buffer_reserve(&req->answer, need);
}

bool http_reserve_answer(struct http_request *req)
{
    return buffer_reserve(&req->answer, RESPONSE_UNCHARGED_BYTES);
}

static const struct http_header retry_after = {"Retry-After", {"1", 1}};

/* What is said if the answer itself found no room. */
static const struct http_response no_room = {
    .status = 503,
    .body = {"{\"detail\":\"Service Unavailable\"}", 32},
    .body_is_static = true,
    .headers = &retry_after,
    .headers_len = 1,
};

static void respond(struct http_request *req, const struct http_response *r)
{
    struct http_thread *t = req->thread;

    request_forget_gone(req);
    if (req->connection && req->connection->upload == req)
        connection_break_upload(req->connection);
    if (!req->connection) {
        net_count(&t->counters.responses[r->status], 1);
        spare_give_request(req);
        return;
    }
    if (!reserve_answer(req, r)) {
        buffer_release(&req->answer);
        r = &no_room;
        if (!buffer_reserve(&req->answer, response_head_bytes_max(req, r))) {
            connection_abort(req->connection);
            spare_give_request(req);
            return;
        }
    }
    net_count(&t->counters.responses[r->status], 1);
    write_answer(req, r);
    request_move(req, REQUEST_ANSWERED);
    connection_answered(req->connection, req);
}

/* The answer is for who has sent the request on an errand. */
static void end_errand(struct http_request *req, const struct http_response *r)
{
    struct http_errand errand = req->errand;
    struct http_response answer = *r;

    req->errand.answered = NULL;
    request_forget_gone(req);
    if (r->body_buffer)
        answer.body = buffer_slice(r->body_buffer);
    errand.answered(req, &answer, errand.ctx);
    if (r->body_buffer)
        buffer_release(r->body_buffer);
}

void http_respond(struct http_request *req, const struct http_response *r)
{
    assert(!request_is_answered(req));
    assert(r->headers_len <= HTTP_RESPONSE_HEADERS_MAX);
    if (req->errand.answered) {
        end_errand(req, r);
        return;
    }
    if (!r->body_buffer) {
        respond(req, r);
        return;
    }
    struct http_response taken = *r;
    bool fits = take_body(req, &taken);
    respond(req, fits ? &taken : &no_room);
    buffer_release(r->body_buffer); /* it is empty, but if there was no room */
}

void http_reset(struct http_request *req)
{
    struct connection *c = req->connection;

    assert(!request_is_answered(req));
    request_forget_gone(req);
    if (c) {
        const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

        setsockopt(c->socket.transport.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        connection_abort(c);
    }
    spare_give_request(req);
}

static void respond_detail(struct http_request *req, unsigned status, const char *detail,
                           const struct http_header *header)
{
    const char *reason;

    status_line(status, &reason);
    struct buffer *body = &req->thread->scratch;
    buffer_clear(body);
    buffer_append_string(body, "{\"detail\":");
    json_append_string(body, slice_of_string(detail ? detail : reason));
    buffer_append_char(body, '}');
    if (buffer_error(body)) {
        http_respond(req, &no_room);
        return;
    }
    http_respond(req, &(struct http_response){.status = status,
                                              .body = buffer_slice(body),
                                              .headers = header,
                                              .headers_len = header ? 1 : 0});
}

void http_respond_error(struct http_request *req, unsigned status, const char *detail)
{
    respond_detail(req, status, detail, status == 503 ? &retry_after : NULL);
}

/* ---- Refusals ---- */

/* As Starlette redirects: the same URL with its slash at the end put right. */
static void redirect(struct http_request *req, const struct message *m)
{
    struct buffer location;
    struct slice host = message_header(m, SLICE_LITERAL("host"));
    struct slice path = m->path;

    buffer_init(&location, path.len + m->query.len + host.len + 16);
    if (host.len > 0) {
        buffer_append_string(&location, m->is_https ? "https://" : "http://");
        buffer_append_slice(&location, host);
    }
    bool has_slash = path.data[path.len - 1] == '/';
    while (path.len > 1 && path.data[path.len - 1] == '/')
        path.len--;
    buffer_append_slice(&location, path);
    if (!has_slash)
        buffer_append_char(&location, '/');
    if (m->query.len > 0) {
        buffer_append_char(&location, '?');
        buffer_append_slice(&location, m->query);
    }
    struct http_header header = {"Location", buffer_slice(&location)};
    http_respond(
        req, buffer_error(&location)
                 ? &no_room
                 : &(struct http_response){.status = 307, .headers = &header, .headers_len = 1});
    buffer_release(&location);
}

void response_refuse(struct http_request *req, const struct message *m)
{
    const char *detail = m->refusal.detail[0] != '\0' ? m->refusal.detail : NULL;
    struct http_header header = {NULL, {NULL, 0}};
    char allow[ROUTER_ALLOW_SIZE];

    if (m->endpoint && m->endpoint->refuse &&
        m->endpoint->refuse(req, req->thread->context, m->refusal.status, detail))
        return;

    switch (m->refusal.status) {
    case 204:
        http_respond(req, &(struct http_response){.status = 204});
        return;
    case 307:
        redirect(req, m);
        return;
    case 405:
        header.name = "Allow";
        header.value = slice_of_string(router_allow_any(m->limits->router));
        if (m->route) {
            router_allow(m->limits->router, m->path, allow);
            header.value = slice_of_string(allow);
        }
        break;
    case 415:
        header = (struct http_header){"Accept-Encoding", SLICE_LITERAL(INFLATE_CODINGS)};
        break;
    case 503:
        header = retry_after;
        break;
    default:
        break;
    }
    respond_detail(req, m->refusal.status, detail, header.name ? &header : NULL);
}

void response_continue(struct http_request *req)
{
    request_move(req, REQUEST_ANSWERED);
    req->static_body = SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n");
    connection_answered(req->connection, req);
}
