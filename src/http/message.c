#include "http/message.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/client.h"
#include "http/head.h"

/* After the last span of a head come, at most, spaces and the empty line. */
enum { HEAD_END_SLACK = 4 };

void message_init(struct message *m, const struct message_limits *limits)
{
    *m = (struct message){.limits = limits};
    buffer_init(&m->head, limits->max_header_bytes + 65536 + HEAD_END_SLACK);
    buffer_init(&m->body_kept, limits->max_body_bytes + 1);
    buffer_init(&m->inflated, limits->max_body_bytes + 1);
    buffer_init(&m->decoded, limits->max_header_bytes + 65536);
}

void message_release(struct message *m)
{
    charge_release(&m->charge, m->limits->bodies);
    buffer_release(&m->head);
    buffer_release(&m->body_kept);
    buffer_release(&m->inflated);
    buffer_release(&m->decoded);
}

static void empty(struct buffer *b)
{
    if (b->capacity > MESSAGE_KEEP_BYTES)
        buffer_release(b);
    else
        buffer_clear(b);
}

void message_begin(struct message *m, llhttp_t *parser, uint64_t started_us)
{
    parser->data = m;
    m->started_us = started_us;
    m->stage = MESSAGE_LINE;
    m->base = m->piece = NULL;
    m->head_len = m->headers_len = m->extra = m->params_len = 0;
    m->target = m->version = (struct message_span){0, 0};
    m->in_value = m->expects_continue = m->has_body = m->keep_alive = m->http_1_0 = false;
    m->method = HTTP_GET;
    m->coding = INFLATE_IDENTITY;
    m->path = m->query = m->body = slice_of(NULL, 0);
    m->route = NULL;
    m->endpoint = NULL;
    m->from_trusted = m->from_extra = m->was_https = false;
    m->client = CLIENT_UNKNOWN;
    m->answer_headers = m->limits->options->answer_headers;
    m->refusal.status = 0;
    m->refusal.at_once = m->refusal.before_body = false;
    m->refusal.detail[0] = '\0';
}

void message_end(struct message *m)
{
    empty(&m->head);
    empty(&m->body_kept);
    empty(&m->inflated);
    empty(&m->decoded);
    charge_release(&m->charge, m->limits->bodies);
}

int message_refuse(struct message *m, unsigned status, const char *format, ...)
{
    if (m->refusal.status != 0)
        return HPE_USER;
    m->refusal.status = status;
    m->refusal.detail[0] = '\0';
    if (format != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(m->refusal.detail, sizeof(m->refusal.detail), format, args);
        va_end(args);
        for (char *p = m->refusal.detail; *p != '\0'; p++) { /* it may quote what was sent */
            if (*p < ' ' || *p > '~')
                *p = '?';
        }
    }
    return HPE_USER;
}

/* ---- The callbacks of llhttp: HPE_USER ends the parse with the refusal that was set ---- */

static int too_large_head(struct message *m)
{
    if (m->stage == MESSAGE_LINE)
        return message_refuse(m, 414, "the request line is larger than the %zu bytes allowed",
                              m->limits->max_header_bytes);
    return message_refuse(m, 431, "the headers are larger than the %zu bytes allowed",
                          m->limits->max_header_bytes);
}

/*
 * Lengthens `span` by what llhttp found at `at`, which follows it where the span is not new: a name
 * or value that a read has cut comes in several calls.
 */
static int extend(struct message *m, struct message_span *span, const char *at, size_t len)
{
    size_t offset = m->head.len + (size_t)(at - m->piece);
    if (offset + len > m->limits->max_header_bytes)
        return too_large_head(m);
    if (span->len == 0)
        span->offset = (uint32_t)offset;
    span->len = (uint32_t)(offset + len - span->offset);
    m->head_len = offset + len;
    return HPE_OK;
}

/* Trailers and chunk extensions are read and dropped, but not without end. */
static int drop_extra(struct message *m, size_t len)
{
    m->extra += len;
    if (m->extra > m->limits->max_header_bytes)
        return message_refuse(m, 431,
                              "trailers and chunk extensions are larger than the %zu bytes "
                              "allowed",
                              m->limits->max_header_bytes);
    return HPE_OK;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;
    return extend(m, &m->target, at, len);
}

/* Only the number: head_judge looks at the name before it. */
static int on_version(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;
    return extend(m, &m->version, at, len);
}

static int on_url_complete(llhttp_t *parser)
{
    struct message *m = parser->data;
    m->stage = MESSAGE_HEADERS;
    return HPE_OK;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;
    if (m->stage == MESSAGE_BODY)
        return drop_extra(m, len);
    if (m->headers_len == 0 || m->in_value) {
        if (m->headers_len == MESSAGE_HEADERS_MAX)
            return message_refuse(m, 431, "more than %d headers", MESSAGE_HEADERS_MAX);
        m->headers[m->headers_len++] = (struct message_header){{0, 0}, {0, 0}};
        m->in_value = false;
    }
    return extend(m, &m->headers[m->headers_len - 1].name, at, len);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;
    if (m->stage == MESSAGE_BODY)
        return drop_extra(m, len);
    m->in_value = true;
    return extend(m, &m->headers[m->headers_len - 1].value, at, len);
}

/* A header with an empty value has had no on_header_value. */
static int on_header_value_complete(llhttp_t *parser)
{
    struct message *m = parser->data;
    m->in_value = true;
    return HPE_OK;
}

/* A chunk that cannot be taken is refused by its size, not after all of it was read. */
static int on_chunk_header(llhttp_t *parser)
{
    struct message *m = parser->data;
    if (parser->content_length > m->limits->max_body_bytes - m->body.len)
        return message_refuse(m, 413, "the body is larger than the %zu bytes allowed",
                              m->limits->max_body_bytes);
    return HPE_OK;
}

static int on_extension(llhttp_t *parser, const char *at, size_t len)
{
    return drop_extra(parser->data, len);
}

/* Makes m->head hold all of the head up to the last span, where a part of it does already. */
static bool keep_head(struct message *m, size_t until)
{
    size_t missing = until > m->head.len ? until - m->head.len : 0;
    if (!charge_take(&m->charge, m->limits->bodies, missing))
        return false;
    buffer_append(&m->head, m->piece, missing);
    if (buffer_error(&m->head) != 0)
        return false; /* what was found so far stays where it is */
    m->base = m->head.data;
    return true;
}

static int refuse_for_room(struct message *m)
{
    m->refusal.at_once = true;
    return message_refuse(m, 503, NULL);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct message *m = parser->data;
    if (m->head.len > 0 && !keep_head(m, m->head_len))
        return refuse_for_room(m);
    if (m->head.len == 0)
        m->base = m->piece;
    parser->upgrade = 0; /* an Upgrade is not taken up (RFC 9110, 7.8), so it is ignored */
    m->stage = MESSAGE_BODY;
    head_judge(m, parser);
    return m->refusal.at_once ? -1 : HPE_OK;
}

/* Appends to body_kept, growing it by doubling and charging what it grows by. */
static int keep_body(struct message *m, const char *at, size_t len)
{
    struct buffer *kept = &m->body_kept;
    size_t need = kept->len + len;
    if (need > kept->capacity) {
        size_t capacity = kept->capacity * 2 > need ? kept->capacity * 2 : need;
        if (capacity > kept->ceiling)
            capacity = kept->ceiling;
        if (!charge_take(&m->charge, m->limits->bodies, capacity - kept->capacity) ||
            buffer_reserve(kept, capacity - kept->len) == NULL)
            return refuse_for_room(m);
    }
    buffer_append(kept, at, len);
    m->body = buffer_slice(kept);
    return HPE_OK;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;
    if (len > m->limits->max_body_bytes - m->body.len)
        return message_refuse(m, 413, "the body is larger than the %zu bytes allowed",
                              m->limits->max_body_bytes);
    if (m->refusal.status != 0) { /* read to be dropped: only its length counts */
        m->body.len += len;
        return HPE_OK;
    }
    if (m->body.len == 0) {
        m->body = slice_of(at, len);
        return HPE_OK;
    }
    if (m->body_kept.len == 0) {
        int error = keep_body(m, m->body.data, m->body.len);
        if (error != HPE_OK)
            return error;
    }
    return keep_body(m, at, len);
}

static int on_message_complete(llhttp_t *parser)
{
    struct message *m = parser->data;
    m->stage = MESSAGE_COMPLETE;
    m->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_url,
    .on_version = on_version,
    .on_url_complete = on_url_complete,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_message_complete = on_message_complete,
};

void message_parser_init(llhttp_t *parser)
{
    llhttp_init(parser, HTTP_REQUEST, &callbacks);
}

/* ---- Parsing ---- */

/* Copies what a next read would overwrite. */
static enum message_progress keep_piece(struct message *m, struct slice piece)
{
    if (m->stage < MESSAGE_BODY) {
        if (!keep_head(m, m->head.len + piece.len)) {
            refuse_for_room(m);
            return MESSAGE_IS_REFUSED;
        }
        if (m->head.len > m->limits->max_header_bytes + HEAD_END_SLACK) {
            too_large_head(m);
            return MESSAGE_IS_REFUSED;
        }
        return MESSAGE_WANTS_MORE;
    }
    bool fits = m->base == m->head.data || keep_head(m, m->head_len);
    head_locate(m);
    if (fits && m->refusal.status == 0 && m->body.len > 0 && m->body_kept.len == 0)
        fits = keep_body(m, m->body.data, m->body.len) == HPE_OK;
    if (fits)
        return MESSAGE_WANTS_MORE;
    refuse_for_room(m);
    return MESSAGE_IS_REFUSED;
}

/* What is not HTTP. A method we do not know is told apart from bytes that are no request at all. */
static void refuse_error(struct message *m, const llhttp_t *parser, enum llhttp_errno error,
                         struct slice piece)
{
    const char *first = m->head.len > 0 ? m->head.data : piece.data;
    bool letter = (*first >= 'A' && *first <= 'Z') || (*first >= 'a' && *first <= 'z');
    if (error == HPE_INVALID_METHOD && letter)
        message_refuse(m, 405, NULL);
    else
        message_refuse(m, 400, "invalid HTTP request: %s", llhttp_get_error_reason(parser));
}

enum message_progress message_parse(struct message *m, llhttp_t *parser, struct slice data,
                                    size_t *used)
{
    m->piece = data.data;
    enum llhttp_errno error = llhttp_execute(parser, data.data, data.len);
    *used = data.len;
    if (error == HPE_OK)
        return keep_piece(m, data);
    if (error == HPE_PAUSED) {
        *used = (size_t)(llhttp_get_error_pos(parser) - data.data);
        llhttp_resume(parser);
        return MESSAGE_IS_COMPLETE;
    }
    if (m->refusal.status == 0)
        refuse_error(m, parser, error, data);
    return MESSAGE_IS_REFUSED;
}

void message_finish(struct message *m, struct inflater *inflater)
{
    if (m->coding == INFLATE_IDENTITY || m->body.len == 0 || m->refusal.status != 0)
        return;
    struct inflate_output out = {.bytes = &m->inflated,
                                 .max_len = m->limits->max_body_bytes,
                                 .charge = &m->charge,
                                 .account = m->limits->bodies};
    struct errbuf err = ERRBUF_INIT;
    switch (inflate_run(inflater, m->coding, m->body, &out, &err)) {
    case 0:
        m->body = buffer_slice(&m->inflated);
        return;
    case LM_EDATA:
        message_refuse(m, 400, "%s", err.text);
        return;
    case LM_ETOOBIG:
        message_refuse(m, 413, "the body is larger than the %zu bytes allowed when inflated",
                       m->limits->max_body_bytes);
        return;
    default:
        message_refuse(m, 503, NULL);
    }
}

/* ---- Headers ---- */

struct slice message_header_value(const struct message *m, size_t index)
{
    struct slice value = message_text(m, m->headers[index].value);
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

struct slice message_header(const struct message *m, struct slice name)
{
    for (size_t i = 0; i < m->headers_len; i++) {
        if (m->headers[i].name.len == name.len &&
            slice_equal_ascii_nocase(message_text(m, m->headers[i].name), name))
            return message_header_value(m, i);
    }
    return slice_of(NULL, 0);
}
