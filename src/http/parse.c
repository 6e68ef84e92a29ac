#include "http/parse.h"

#include "http/head.h"

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
 * Lengthens `span` by what llhttp found at `at`, which follows it if the span is not new: a name
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

    message_move(m, MESSAGE_HEADERS);
    return HPE_OK;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;

    if (m->stage == MESSAGE_BODY)
        return drop_extra(m, len);
    if (m->stage == MESSAGE_HEADERS) {
        if (m->headers_len == MESSAGE_HEADERS_MAX)
            return message_refuse(m, 431, "more than %d headers", MESSAGE_HEADERS_MAX);
        m->headers[m->headers_len++] = (struct message_header){{0, 0}, {0, 0}};
        message_move(m, MESSAGE_NAME);
    }
    return extend(m, &m->headers[m->headers_len - 1].name, at, len);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;

    if (m->stage == MESSAGE_BODY)
        return drop_extra(m, len);
    message_move(m, MESSAGE_HEADERS);
    return extend(m, &m->headers[m->headers_len - 1].value, at, len);
}

/* A header with an empty value has had no on_header_value; trailers are no headers. */
static int on_header_value_complete(llhttp_t *parser)
{
    struct message *m = parser->data;

    if (m->stage == MESSAGE_NAME)
        message_move(m, MESSAGE_HEADERS);
    return HPE_OK;
}

/* A chunk that cannot be taken is refused by its size, not after all of it was read. */
static int on_chunk_header(llhttp_t *parser)
{
    struct message *m = parser->data;

    if (!m->in_lots && parser->content_length > m->max_body_bytes - m->body.len)
        return message_refuse_body(m);
    return HPE_OK;
}

static int on_extension(llhttp_t *parser, const char *at, size_t len)
{
    return drop_extra(parser->data, len);
}

/* Makes m->head hold all of the head up to the last span, if a part of it does already. */
static bool keep_head(struct message *m, size_t until)
{
    size_t missing = until > m->head.len ? until - m->head.len : 0;

    if (!charge_take(&m->charge, m->limits->bodies, missing))
        return false;
    buffer_append(&m->head, m->piece, missing);
    if (buffer_error(&m->head))
        return false; /* what was found so far stays where it is */
    m->base = m->head.data;
    return true;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct message *m = parser->data;

    if (m->head.len > 0 && !keep_head(m, m->head_len))
        return message_refuse_for_room(m, 0);
    if (m->head.len == 0)
        m->base = m->piece;
    parser->upgrade = 0; /* an Upgrade is not taken up (RFC 9110, 7.8), so it is ignored */
    message_move(m, MESSAGE_BODY);
    head_judge(m, parser);
    return m->refusal.when == REFUSE_AT_ONCE ? -1 : HPE_OK;
}

/* Makes body_kept twice as large, as far as it may be, and charges what it grows by. */
static int grow_body(struct message *m, size_t need)
{
    struct account *bodies = m->limits->bodies;
    struct buffer *kept = &m->body_kept;
    size_t capacity = kept->capacity * 2 > need ? kept->capacity * 2 : need;

    size_t most = (m->in_lots ? MESSAGE_LOT_MAX : m->max_body_bytes) + 1;

    if (bodies && most - kept->capacity > bodies->ceiling - m->charge.taken)
        most = kept->capacity + bodies->ceiling - m->charge.taken;
    if (capacity > most && need <= most)
        capacity = most;
    if (!charge_take(&m->charge, bodies, capacity - kept->capacity))
        return message_refuse_for_room(m, capacity - kept->capacity);
    return buffer_reserve(kept, capacity - kept->len) ? HPE_OK : message_refuse_for_room(m, 0);
}

static int keep_body(struct message *m, const char *at, size_t len)
{
    struct buffer *kept = &m->body_kept;
    size_t need = kept->len + len;

    if (need > kept->capacity) {
        int error = grow_body(m, need);

        if (error != HPE_OK)
            return error;
    }
    buffer_append(kept, at, len);
    m->body = buffer_slice(kept);
    return HPE_OK;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct message *m = parser->data;

    if (!m->in_lots && len > m->max_body_bytes - m->body.len)
        return message_refuse_body(m);
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

    message_move(m, MESSAGE_COMPLETE);
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

void parse_init(llhttp_t *parser)
{
    llhttp_init(parser, HTTP_REQUEST, &callbacks);
}

/* ---- Parsing ---- */

bool parse_keep_body(struct message *m)
{
    return m->refusal.status != 0 || m->body.len == 0 || m->body_kept.len > 0 ||
           keep_body(m, m->body.data, m->body.len) == HPE_OK;
}

/* Copies what a next read would overwrite. */
static enum parse_progress keep_piece(struct message *m, struct slice piece)
{
    if (m->stage < MESSAGE_BODY) {
        if (!keep_head(m, m->head.len + piece.len)) {
            message_refuse_for_room(m, 0);
            return PARSE_IS_REFUSED;
        }
        if (m->head.len > m->limits->max_header_bytes + MESSAGE_HEAD_SLACK) {
            too_large_head(m);
            return PARSE_IS_REFUSED;
        }
        return PARSE_WANTS_MORE;
    }
    bool fits = m->base == m->head.data || keep_head(m, m->head_len);
    head_locate(m);
    if (fits && parse_keep_body(m))
        return PARSE_WANTS_MORE;
    message_refuse_for_room(m, 0);
    return PARSE_IS_REFUSED;
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

enum parse_progress parse_run(struct message *m, llhttp_t *parser, struct slice data, size_t *used)
{
    m->piece = data.data;
    enum llhttp_errno error = llhttp_execute(parser, data.data, data.len);
    *used = data.len;
    if (error == HPE_OK)
        return keep_piece(m, data);
    if (error == HPE_PAUSED) {
        *used = (size_t)(llhttp_get_error_pos(parser) - data.data);
        llhttp_resume(parser);
        return PARSE_IS_COMPLETE;
    }
    if (m->refusal.status == 0)
        refuse_error(m, parser, error, data);
    return PARSE_IS_REFUSED;
}

void parse_finish(struct message *m, struct inflater *inflater)
{
    if (message_is_told_by_bytes(m))
        m->coding = inflate_coding_of_bytes(m->body);
    if (m->coding == INFLATE_IDENTITY || m->body.len == 0 || m->refusal.status != 0)
        return;
    struct inflate_output out = {.bytes = &m->inflated,
                                 .max_len = m->max_body_bytes,
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
        if (m->inflated.len > m->max_body_bytes)
            message_refuse(m, 413, "the body is larger than the %zu bytes allowed when inflated",
                           m->max_body_bytes);
        else
            message_refuse_for_room(m, SIZE_MAX);
        return;
    default:
        message_refuse(m, 503, NULL);
    }
}
