#include "http/message.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/state.h"
#include "http/client.h"

void message_init(struct message *m, const struct message_limits *limits)
{
    *m = (struct message){.limits = limits};
    buffer_init(&m->head, limits->max_header_bytes + 65536 + MESSAGE_HEAD_SLACK);
    size_t most =
        limits->max_batch_bytes > MESSAGE_LOT_MAX ? limits->max_batch_bytes : MESSAGE_LOT_MAX;
    buffer_init(&m->body_kept, most + 1);
    buffer_init(&m->inflated, limits->max_batch_bytes + 1);
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
    m->keep_alive = m->http_1_0 = false;
    m->body_state = MESSAGE_NO_BODY;
    m->method = HTTP_GET;
    m->coding = INFLATE_IDENTITY;
    m->path = m->query = m->body = slice_of(NULL, 0);
    m->route = NULL;
    m->endpoint = NULL;
    m->from_trusted = m->from_extra = m->is_https = false;
    m->certificate = NULL;
    m->holder = NULL;
    m->until_us = INT64_MAX;
    m->peer = CLIENT_UNKNOWN;
    m->in_lots = m->is_upload = false;
    m->client = CLIENT_UNKNOWN;
    m->answer_headers = m->limits->options->answer_headers;
    m->max_body_bytes = m->limits->max_body_bytes;
    m->refusal.status = 0;
    m->refusal.when = REFUSE_AFTER_BODY;
    m->refusal.detail[0] = '\0';
}

void message_end(struct message *m)
{
    empty(&m->head);
    empty(&m->body_kept);
    empty(&m->inflated);
    empty(&m->decoded);
    charge_release(&m->charge, m->limits->bodies);
    if (m->who)
        m->limits->options->hooks.forget(m->who);
    m->who = NULL;
}

void message_next_lot(struct message *m)
{
    empty(&m->body_kept);
    m->body = slice_of(NULL, 0);
    charge_keep(&m->charge, m->limits->bodies, m->head.len);
}

static const state_moves moves[MESSAGE_STAGES] = {
    [MESSAGE_LINE] = STATE(MESSAGE_HEADERS),
    [MESSAGE_HEADERS] = STATE(MESSAGE_HEADERS) | STATE(MESSAGE_NAME) | STATE(MESSAGE_BODY),
    [MESSAGE_NAME] = STATE(MESSAGE_HEADERS),
    [MESSAGE_BODY] = STATE(MESSAGE_COMPLETE),
};

bool message_may_move(const struct message *m, enum message_stage stage)
{
    return state_may_move(moves, m->stage, stage);
}

int message_refuse(struct message *m, unsigned status, const char *format, ...)
{
    if (m->refusal.status != 0)
        return HPE_USER;
    m->refusal.status = status;
    m->refusal.detail[0] = '\0';
    if (format) {
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

int message_refuse_body(struct message *m)
{
    return message_refuse(m, 413, "the body is larger than the %zu bytes allowed",
                          m->max_body_bytes);
}

int message_refuse_for_room(struct message *m, size_t bytes)
{
    struct account *bodies = m->limits->bodies;

    message_refuse_when(m, REFUSE_AT_ONCE);
    if (bodies && bytes > bodies->ceiling - m->charge.taken)
        return message_refuse(m, 413, "the body is larger than the %zu bytes held for all bodies",
                              bodies->ceiling);
    return message_refuse(m, 503, NULL);
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
