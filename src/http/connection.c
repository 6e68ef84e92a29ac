#include "http/connection.h"

#include <assert.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/state.h"
#include "http/client.h"
#include "http/message.h"
#include "http/request.h"
#include "http/spare.h"

enum {
    PIECES_MAX = 64, /* of one write: an answer is one or two */
    /* A stream's bytes that have left are let go in lots of this, or when all have. */
    STREAM_RELEASE_BYTES = 64 * 1024
};

/* ---- States ---- */

#define ENDS (STATE(CONNECTION_ENDED) | STATE(CONNECTION_CUT) | STATE(CONNECTION_CLOSED))

static const state_moves moves[CONNECTION_STATES] = {
    [CONNECTION_NEW] = STATE(CONNECTION_IDLE),
    /* To itself: it rests in it. */
    [CONNECTION_IDLE] = STATE(CONNECTION_IDLE) | STATE(CONNECTION_IN_MESSAGE) | ENDS,
    [CONNECTION_BETWEEN] = STATE(CONNECTION_BETWEEN) | STATE(CONNECTION_IDLE) |
                           STATE(CONNECTION_IN_MESSAGE) | STATE(CONNECTION_PAUSED) | ENDS,
    [CONNECTION_IN_MESSAGE] =
        STATE(CONNECTION_IN_MESSAGE) | STATE(CONNECTION_BETWEEN) | STATE(CONNECTION_HELD) | ENDS,
    [CONNECTION_HELD] =
        STATE(CONNECTION_HELD) | STATE(CONNECTION_IN_MESSAGE) | STATE(CONNECTION_BETWEEN) | ENDS,
    [CONNECTION_PAUSED] = STATE(CONNECTION_PAUSED) | STATE(CONNECTION_IDLE) |
                          STATE(CONNECTION_BETWEEN) | STATE(CONNECTION_IN_MESSAGE) | ENDS,
    [CONNECTION_ENDED] = STATE(CONNECTION_CUT) | STATE(CONNECTION_CLOSED),
    [CONNECTION_CUT] = STATE(CONNECTION_LINGERING) | STATE(CONNECTION_CLOSED),
    [CONNECTION_LINGERING] = STATE(CONNECTION_CLOSED),
};

/* How long the client may take to do what the state waits for. */
static const enum timeout_kind deadlines[CONNECTION_STATES] = {
    [CONNECTION_NEW] = TIMEOUT_NONE,         [CONNECTION_IDLE] = TIMEOUT_IDLE,
    [CONNECTION_BETWEEN] = TIMEOUT_NONE,     [CONNECTION_IN_MESSAGE] = TIMEOUT_REQUEST,
    [CONNECTION_HELD] = TIMEOUT_NONE,        [CONNECTION_PAUSED] = TIMEOUT_NONE,
    [CONNECTION_ENDED] = TIMEOUT_NONE,       [CONNECTION_CUT] = TIMEOUT_NONE,
    [CONNECTION_LINGERING] = TIMEOUT_LINGER, [CONNECTION_CLOSED] = TIMEOUT_NONE,
};

void connection_check(const struct connection *c)
{
    size_t unsent = 0, body_bytes = 0;
    unsigned under_way = 0, watched = 0;

    for (const struct http_request *req = c->first; req; req = req->next) {
        CHECK(req->connection == c);
        CHECK(req->next || req == c->last);
        CHECK(!req->next || !req->alone);
        if (request_is_answered(req))
            unsent += request_answer_len(req);
        body_bytes += req->body_len;
        watched += req->gone != NULL;
        under_way++;
    }
    CHECK(!c->first == !c->last);
    CHECK(c->under_way == under_way);
    CHECK(c->body_bytes == body_bytes);
    CHECK(c->watched == watched);
    CHECK(c->sent <= unsent && c->unsent == unsent - c->sent);
    CHECK(c->sent == 0 || (request_is_answered(c->first) &&
                           c->sent <= c->first->answer.len + c->first->static_body.len));
    CHECK(c->input_at <= c->input.len);
    CHECK(!connection_has_input(c) || !c->message || c->in_run || c->upload);
    CHECK(!c->upload || (c->upload == c->last && c->message && !request_is_answered(c->upload)));
    CHECK(c->state != CONNECTION_IDLE || (!c->message && !c->first && !connection_has_input(c)));
    CHECK(c->state != CONNECTION_IN_MESSAGE || c->message);
    CHECK(c->state != CONNECTION_HELD || c->upload);
    CHECK(c->state != CONNECTION_BETWEEN || !c->message || c->in_run);
    CHECK(c->state != CONNECTION_PAUSED || !c->message);
    CHECK(c->state != CONNECTION_CLOSED ||
          (!c->message && !c->first && !connection_has_input(c) && !c->holder));
}

/* An extra connection has its own deadline, once, for the one request that it may send. */
static void set_deadline(struct connection *c)
{
    bool is_extra = c->socket.is_extra && !connection_has_ended(c);
    enum timeout_kind kind = is_extra ? TIMEOUT_EXTRA : deadlines[c->state];

    if (kind == TIMEOUT_REQUEST && c->message->is_upload)
        kind = TIMEOUT_UPLOAD;
    if (kind != c->socket.read_deadline.kind || kind == TIMEOUT_IDLE || kind == TIMEOUT_UPLOAD)
        net_socket_set_deadline(&c->socket, kind);
}

void connection_move(struct connection *c, enum connection_state state)
{
    CHECK(state_may_move(moves, c->state, state));
    c->thread->lingering_len -= c->state == CONNECTION_LINGERING;
    c->thread->lingering_len += state == CONNECTION_LINGERING;
    c->state = state;
    if (state != CONNECTION_CLOSED) {
        bool settles = !c->in_run || connection_has_ended(c);

        /* Within run() a message may come and go at once; but what ran for the last one is over. */
        if (settles || c->socket.read_deadline.kind == TIMEOUT_REQUEST)
            set_deadline(c);
        return;
    }
    assert(!c->first);
    connection_drop_message(c);
    connection_drop_input(c);
    if (c->holder)
        c->thread->shared->options.hooks.left(c->holder);
    c->holder = NULL;
    net_socket_close(&c->socket);
}

void connection_end(struct connection *c, bool cut)
{
    if (cut && !state_in(c->state, STATE(CONNECTION_CUT) | STATE(CONNECTION_LINGERING) |
                                       STATE(CONNECTION_CLOSED)))
        connection_move(c, CONNECTION_CUT);
    else if (!connection_has_ended(c))
        connection_move(c, CONNECTION_ENDED);
}

void connection_drop_input(struct connection *c)
{
    buffer_release(&c->input);
    c->input_at = 0;
    charge_release(&c->input_charge, c->thread->shared->options.answers);
}

void connection_drop_message(struct connection *c)
{
    if (c->message && c->message->is_upload)
        atomic_fetch_sub(&c->thread->shared->uploads_open, 1);
    if (c->message)
        spare_give_message(c->thread, c->message);
    c->message = NULL;
}

/* ---- The line of requests ---- */

struct http_request *connection_enqueue(struct connection *c)
{
    struct message *m = c->message;
    struct http_request *req = spare_take_request(c->thread, c);

    req->message = m;
    if (m->endpoint && (m->endpoint->flags & HTTP_ROUTE_RESERVED) != 0)
        http_request_charge_to(req, c->thread->shared->options.reserved);
    req->started_us = m->started_us;
    req->head_only = m->method == HTTP_HEAD;
    req->http_1_0 = m->http_1_0;
    if (m->client != CLIENT_UNKNOWN)
        req->client = m->client;
    req->answer_headers = m->answer_headers;
    if (c->last)
        c->last->next = req;
    else
        c->first = req;
    c->last = req;
    if (c->under_way++ > 0 && !charge_take(&req->line_charge, c->thread->shared->options.answers,
                                           sizeof(*req) + RESPONSE_UNCHARGED_BYTES))
        message_refuse(m, 503, NULL);
    return req;
}

void connection_complete(struct connection *c, struct http_request *req)
{
    struct message *m = c->message;

    req->closes = !m->keep_alive || net_loop_drains(&c->thread->net) || c->socket.is_extra;
    req->says_keep_alive = m->http_1_0 && !req->closes;
    if (!connection_has_ended(c))
        connection_move(c, req->closes ? CONNECTION_ENDED : CONNECTION_BETWEEN);
}

/* Takes the first out of line, sent or not. */
static struct http_request *take_first(struct connection *c)
{
    struct http_request *req = c->first;

    c->first = req->next;
    if (!c->first)
        c->last = NULL;
    if (c->upload == req)
        c->upload = NULL;
    c->under_way--;
    c->body_bytes -= req->body_len;
    if (request_is_answered(req))
        c->unsent -= request_answer_len(req) - c->sent;
    c->sent = 0;
    if (req->gone)
        c->watched--;
    return req;
}

/* The connection of `req` is no more: its handler is told. */
static void cut_off(struct http_request *req)
{
    req->connection = NULL;
    if (req->lots && !req->has_lot) {
        request_lots_over(req);
        return;
    }
    if (!request_is_answered(req)) {
        request_tell_gone(req); /* which may answer it */
        return;
    }
    if (request_streams(req) && req->hooks->closed)
        req->hooks->closed(req->hooks_ctx);
    spare_give_request(req);
}

void connection_abort(struct connection *c)
{
    while (c->first) /* a hook may answer others of the line: they stay in it till then */
        cut_off(take_first(c));
    if (c->state != CONNECTION_CLOSED) /* as a hook may have done */
        connection_move(c, CONNECTION_CLOSED);
}

/* ---- Sending ---- */

/* Collects the unsent bytes of the answers at the front. */
static int gather(const struct connection *c, struct iovec pieces[PIECES_MAX], size_t *total)
{
    int n = 0;
    size_t skip = c->sent;

    *total = 0;
    for (const struct http_request *req = c->first;
         req && request_is_answered(req) && n < PIECES_MAX; req = req->next) {
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
        if (request_streams(req))
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
    c->sent += n;
    while (c->first && c->first->state == REQUEST_ANSWERED &&
           c->sent >= request_answer_len(c->first)) {
        size_t beyond = c->sent - request_answer_len(c->first);

        c->sent -= beyond;
        spare_give_request(take_first(c));
        c->sent = beyond;
    }
    if (c->first && request_streams(c->first))
        release_streamed(c);
}

bool connection_has_unsent(const struct connection *c)
{
    return c->first && request_is_answered(c->first) &&
           (!request_streams(c->first) || c->sent < c->first->answer.len);
}

/* A stream at the front of the line has nothing left to send: its handler may write more. */
static void tell_drained(struct connection *c)
{
    struct http_request *req = c->first;

    if (!req || req->state != REQUEST_TELLS)
        return;
    request_move(req, REQUEST_STREAMS);
    if (req->hooks->drained)
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
    if (!c->in_run)
        net_socket_queue(&c->socket);
}

void connection_streamed(struct connection *c, size_t len)
{
    c->unsent += len;
    net_socket_queue(
        &c->socket); /* within run(), too: it may be the end of its flush that has us written */
}

void connection_break_upload(struct connection *c)
{
    c->upload->lots = NULL;
    c->upload->closes = true;
    c->upload = NULL;
    connection_end(c, true);
    if (!c->in_lot) /* else it is still looked at */
        connection_drop_message(c);
}

void connection_end_reading(struct connection *c, struct http_request *req)
{
    assert(c->last == req && req->alone);
    req->closes = true;
    connection_end(c, !c->in_run && connection_has_input(c));
    if (!c->in_run) /* else the request itself may lie in `input`: run() and resume() do the rest */
        connection_drop_input(c);
}

void http_request_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx)
{
    struct connection *c = req->connection;

    assert(!request_is_answered(req));
    request_forget_gone(req);
    if (!gone)
        return;
    if (!c || c->peer != PEER_SENDS) {
        gone(ctx);
        return;
    }
    req->gone = gone;
    req->gone_ctx = ctx;
    c->watched++;
    bool is_blind = (c->socket.events & (UV_READABLE | UV_DISCONNECT)) == 0;
    if (is_blind && !c->in_run)
        net_socket_queue(&c->socket); /* or the exchange settles it anyway */
}
