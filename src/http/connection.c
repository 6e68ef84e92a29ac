#include "http/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "http/client.h"
#include "http/message.h"
#include "http/request.h"
#include "http/spare.h"

enum {
    PIECES_MAX = 64, /* of one write: an answer is one or two */
    /* A stream's bytes that have left are let go in lots of this, or when all have. */
    STREAM_RELEASE_BYTES = 64 * 1024
};

/* ---- Closing ---- */

void connection_drop_input(struct connection *c)
{
    buffer_release(&c->input);
    c->input_at = 0;
    charge_release(&c->input_charge, c->thread->shared->options.answers);
}

void connection_drop_message(struct connection *c)
{
    if (c->message != NULL)
        spare_give_message(c->thread, c->message);
    c->message = NULL;
}

void connection_close(struct connection *c)
{
    assert(!c->closed && c->first == NULL);
    c->closed = true;
    c->reading_ended = true;
    connection_drop_message(c);
    connection_drop_input(c);
    net_socket_close(&c->socket);
}

/* The connection of `req` is no more: its handler is told. */
static void cut_off(struct http_request *req)
{
    if (!req->answered) {
        request_tell_gone(req); /* which may answer it */
        return;
    }
    if (req->streams && req->hooks->closed != NULL)
        req->hooks->closed(req->hooks_ctx);
    spare_give_request(req);
}

void connection_abort(struct connection *c)
{
    if (c->closed)
        return;
    while (c->first != NULL) { /* a hook may answer others of the line: they stay in it till then */
        struct http_request *req = c->first;
        c->first = req->next;
        req->connection = NULL;
        cut_off(req);
    }
    if (c->closed) /* by a hook */
        return;
    c->last = NULL;
    c->under_way = c->watched = 0;
    c->body_bytes = 0;
    c->unsent = c->sent = 0;
    connection_close(c);
}

/* ---- The line of requests ---- */

struct http_request *connection_enqueue(struct connection *c)
{
    struct message *m = c->message;
    struct http_request *req = spare_take_request(c->thread, c);
    req->message = m;
    req->started_us = m->started_us;
    req->head_only = m->method == HTTP_HEAD;
    req->http_1_0 = m->http_1_0;
    if (m->client != CLIENT_UNKNOWN)
        req->client = m->client;
    req->answer_headers = m->answer_headers;
    if (c->last != NULL)
        c->last->next = req;
    else
        c->first = req;
    c->last = req;
    if (c->under_way++ > 0 && !charge_take(&req->line_charge, c->thread->shared->options.answers,
                                           sizeof(*req) + RESPONSE_UNCHARGED_BYTES))
        message_refuse(m, 503, NULL);
    return req;
}

/* ---- Sending ---- */

static void pop_first(struct connection *c)
{
    struct http_request *req = c->first;
    c->first = req->next;
    if (c->first == NULL)
        c->last = NULL;
    c->under_way--;
    c->body_bytes -= req->body_len;
    c->alone = c->alone && !req->alone;
    c->sent = 0;
    spare_give_request(req);
}

/* Collects the unsent bytes of the answers at the front. */
static int gather(const struct connection *c, struct iovec pieces[PIECES_MAX], size_t *total)
{
    int n = 0;
    size_t skip = c->sent;
    *total = 0;
    for (const struct http_request *req = c->first; req != NULL && req->answered && n < PIECES_MAX;
         req = req->next) {
        const struct slice parts[2] = {buffer_slice(&req->answer), req->static_body};
        for (int i = 0; i < 2 && n < PIECES_MAX; i++) {
            if (parts[i].len <= skip) {
                skip -= parts[i].len;
                continue;
            }
            /* iovec is not const, send does not write */
            pieces[n].iov_base = (char *)(uintptr_t)parts[i].data + skip;
            pieces[n].iov_len = parts[i].len - skip;
            *total += pieces[n++].iov_len;
            skip = 0;
        }
        if (req->streams)
            break; /* more of it will come */
    }
    return n;
}

/* The first in line is a stream: lets go of its bytes that have left. */
static void release_streamed(struct connection *c)
{
    struct http_request *req = c->first;
    struct buffer *answer = &req->answer;
    charge_keep(&req->charge, req->account, answer->len - c->sent);
    if (c->sent == answer->len)
        buffer_release(answer);
    else if (c->sent >= STREAM_RELEASE_BYTES)
        buffer_consume(answer, c->sent);
    else
        return;
    c->sent = 0;
}

/* `n` more bytes have left: lets go of the answers that are wholly sent. */
static void account_sent(struct connection *c, size_t n)
{
    c->unsent -= n;
    n += c->sent;
    while (c->first != NULL && c->first->answered && !c->first->streams &&
           n >= request_answer_len(c->first)) {
        n -= request_answer_len(c->first);
        pop_first(c);
    }
    c->sent = n;
    if (c->first != NULL && c->first->streams)
        release_streamed(c);
}

bool connection_has_unsent(const struct connection *c)
{
    return c->first != NULL && c->first->answered &&
           (!c->first->streams || c->sent < c->first->answer.len);
}

/* A stream at the front of the line has nothing left to send: its handler may write more. */
static void tell_drained(struct connection *c)
{
    struct http_request *req = c->first;
    if (req == NULL || !req->tells_drained)
        return;
    req->tells_drained = false;
    if (req->hooks->drained != NULL)
        req->hooks->drained(req->hooks_ctx);
}

void connection_flush(struct connection *c)
{
    while (connection_has_unsent(c)) {
        struct iovec pieces[PIECES_MAX];
        size_t total;
        int n = gather(c, pieces, &total);
        if (n == 0) { /* a stream that ended when all of it had left */
            account_sent(c, 0);
            continue;
        }
        ssize_t sent = net_socket_write(&c->socket, pieces, n, total);
        if (sent < 0) {
            connection_abort(c);
            return;
        }
        if (sent > 0)
            account_sent(c, (size_t)sent);
        if ((size_t)sent < total)
            return;
    }
    net_socket_written(&c->socket);
    tell_drained(c);
}

void connection_answered(struct connection *c, struct http_request *req)
{
    c->unsent += request_answer_len(req);
    if (!c->busy)
        net_socket_queue(&c->socket);
}

void connection_streamed(struct connection *c, size_t len)
{
    c->unsent += len;
    net_socket_queue(
        &c->socket); /* within run(), too: it may be the end of its flush that has us written */
}

void connection_end_reading(struct connection *c, struct http_request *req)
{
    assert(c->last == req && req->alone);
    req->closes = true;
    c->reading_ended = true;
    if (c->busy) /* the request itself may lie in `input`: run() and resume() do the rest */
        return;
    c->input_dropped = c->input_dropped || connection_has_input(c);
    connection_drop_input(c);
}

void http_request_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx)
{
    struct connection *c = req->connection;
    assert(!req->answered);
    request_forget_gone(req);
    if (gone == NULL)
        return;
    if (c == NULL || c->peer_ended) {
        gone(ctx);
        return;
    }
    req->gone = gone;
    req->gone_ctx = ctx;
    c->watched++;
    bool is_blind = (c->socket.events & (UV_READABLE | UV_DISCONNECT)) == 0;
    if (is_blind && !c->busy)
        net_socket_queue(&c->socket); /* or the exchange settles it anyway */
}
