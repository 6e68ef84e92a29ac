/*
 * The happy path: the socket is readable, one read fills the thread's buffer, llhttp finds a whole
 * request in it, the handler answers, the answer goes out with one write; the connection holds no
 * memory but itself again. With pipelining, run() does that for all requests of a read and sends
 * their answers together. A handler may answer later: requests stand in line (`first` to `last`),
 * and what is answered at its front is sent at the end of that round of the loop.
 *
 * Reading is in one of these states:
 *   between messages  message == NULL. Idle where no request is under way (TIMEOUT_IDLE).
 *   in a message      message != NULL. TIMEOUT_REQUEST runs from its first byte.
 *   paused            HTTP_PIPELINE_MAX requests are under way, or max_connection_bytes of bodies,
 *                     or one that is to be alone, or CONNECTION_UNSENT_MAX bytes are unsent. The
 * socket is not read, so the client is slowed down by TCP; what was read already waits in `input`.
 * Only ever between messages. ended             reading_ended. After Connection: close, a refusal,
 * the client's end, a drain.
 *
 * Sending is idle or blocked: the socket takes no more (poll waits for UV_WRITABLE, TIMEOUT_WRITE
 * starts again with every lot taken, so that nobody holds an answer by taking a byte now and then).
 * Answers are kept where they are, in their requests.
 *
 * A stream (http_stream_begin) is answered from its beginning, and stays at the front of the line
 * until its end: what is written meanwhile is sent at the end of the round, and when the socket has
 * taken it all, the stream's handler is told. Where the socket is not read meanwhile, poll still
 * waits for UV_DISCONNECT, since a stream may have nothing to send by which we would notice; the
 * same holds while a handler wants to know that its client goes (http_request_on_gone).
 *
 * The end. Reading has ended and the last answer is sent: where the client may still be sending,
 * closing would reset the connection and could take the answer with it, so we shut down our side,
 * and read and drop until the client closes or TIMEOUT_LINGER passes. Otherwise close.
 * An error of the socket, or the client's silence beyond a time-out, closes at once. A request
 * whose handler has not answered is then cut loose (connection = NULL) and ends with its answer.
 *
 * Failure modes and their answers: what is not HTTP, too large, or too slow is answered
 * (message.c, head.c; 408 here) in its turn, as the last; without room in the ledger, 503.
 */
#include "http/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "http/client.h"
#include "http/message.h"
#include "http/request.h"
#include "http/response.h"
#include "http/thread.h"
#include "net/ranges.h"

enum {
    PIECES_MAX = 64, /* of one write: an answer is one or two */
    /* A stream's bytes that have left are let go in lots of this, or when all have. */
    STREAM_RELEASE_BYTES = 64 * 1024
};

static void settle(struct connection *c);

/* ---- Closing ---- */

static bool has_input(const struct connection *c)
{
    return c->input.len > 0;
}

static void drop_input(struct connection *c)
{
    buffer_release(&c->input);
    c->input_at = 0;
    charge_release(&c->input_charge, c->thread->shared->options.answers);
}

static void drop_message(struct connection *c)
{
    if (c->message != NULL)
        http_thread_give_message(c->thread, c->message);
    c->message = NULL;
}

static void close_now(struct connection *c)
{
    assert(!c->closed && c->first == NULL);
    c->closed = true;
    c->reading_ended = true;
    drop_message(c);
    drop_input(c);
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
    request_give(req);
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
    close_now(c);
}

/* All is answered and nothing more will be asked. */
static void finish(struct connection *c)
{
    if (!c->input_dropped || c->input_ended) {
        close_now(c);
        return;
    }
    if (!c->lingering) {
        c->lingering = true;
        drop_input(c);
        shutdown(c->socket.transport.fd, SHUT_WR);
        net_socket_set_deadline(&c->socket, TIMEOUT_LINGER);
    }
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
    request_give(req);
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

/* True where something is answered at the front of the line and not sent, be it a stream's end. */
static bool has_unsent(const struct connection *c)
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

/* Sends what is answered at the front of the line, as far as the socket takes it. */
static void flush(struct connection *c)
{
    while (has_unsent(c)) {
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

/*
 * Tells streams that nothing more will be asked, and handlers that their client has gone. The
 * hooks may answer, end or break off.
 */
static void last_call_for_all(struct connection *c)
{
    struct http_request *next;
    for (struct http_request *req = c->first; req != NULL && !c->closed; req = next) {
        next = req->next;
        if (req->streams && req->hooks->last_call != NULL)
            req->hooks->last_call(req->hooks_ctx);
        else if (c->peer_ended)
            request_tell_gone(req);
    }
}

/* ---- Requests ---- */

/*
 * Puts a new request for the message in line. Those behind another are charged: one for each
 * connection is bounded by max_connections, more is what a client can make us hold.
 */
static struct http_request *enqueue(struct connection *c)
{
    struct message *m = c->message;
    struct http_request *req = request_take(c->thread, c);
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

/* Answers the message, which is not complete, with its refusal, as the last on the connection. */
static void refuse(struct connection *c)
{
    struct http_request *req = enqueue(c);
    net_count(&c->thread->counters.requests, 1);
    c->reading_ended = true;
    c->input_dropped = true;
    req->closes = true;
    response_refuse(req, c->message);
    req->message = NULL;
    drop_message(c);
}

/* The message is complete: has it handled. */
static void dispatch(struct connection *c)
{
    struct http_thread *t = c->thread;
    struct message *m = c->message;
    message_finish(m, t->inflater);
    struct http_request *req = enqueue(c);
    if (m->query.len > HTTP_QUERY_UNCHARGED_BYTES &&
        !charge_take(&req->line_charge, t->shared->options.answers,
                     HTTP_QUERY_COPIES * m->query.len))
        message_refuse(m, 503, NULL);
    net_count(&t->counters.requests, 1);
    req->closes = !m->keep_alive || net_loop_drains(&t->net) || c->socket.is_extra;
    req->says_keep_alive = m->http_1_0 && !req->closes;
    if (req->closes)
        c->reading_ended = true;
    if (m->refusal.status != 0) {
        response_refuse(req, m);
    } else {
        c->body_bytes += req->body_len = m->body.len;
        c->alone = req->alone = (m->endpoint->flags & HTTP_ROUTE_ALONE) != 0;
        m->endpoint->handler(req, t->context);
    }
    /* `req` may be answered and gone by now, unless it is still in line: its message is ours. */
    if (c->last == req)
        req->message = NULL;
    drop_message(c);
}

/* The client waits for 100: the head is complete, the body has not begun, and it is the turn. */
static bool owes_continue(const struct connection *c)
{
    const struct message *m = c->message;
    return m != NULL && m->stage == MESSAGE_BODY && m->expects_continue && m->has_body &&
           m->body.len == 0 && m->refusal.status == 0 && c->first == NULL;
}

static void say_continue(struct connection *c)
{
    struct http_request *req = enqueue(c);
    c->message->expects_continue = false;
    req->message = NULL;
    c->busy = true;
    response_continue(req);
    flush(c);
    c->busy = false;
}

/* ---- Reading ---- */

static bool may_begin(const struct connection *c)
{
    return c->under_way < HTTP_PIPELINE_MAX && c->unsent <= CONNECTION_UNSENT_MAX && !c->alone &&
           c->body_bytes < c->thread->shared->options.max_connection_bytes;
}

/* Parses and dispatches as many requests as may be begun. Returns the bytes taken. */
static size_t consume(struct connection *c, const char *data, size_t len, uint64_t started_us)
{
    size_t at = 0;
    while (at < len && !c->reading_ended) {
        if (c->message == NULL) {
            if (data[at] == '\r' || data[at] == '\n') { /* RFC 9112, 2.2: before a request line */
                at++;
                continue;
            }
            if (!may_begin(c))
                break;
            c->message = http_thread_take_message(c->thread);
            message_begin(c->message, &c->parser, started_us);
            c->message->from_trusted = c->is_trusted;
            c->message->from_extra = c->socket.is_extra;
            if (c->socket.read_deadline.kind == TIMEOUT_REQUEST) /* that of the message before */
                net_socket_set_deadline(&c->socket, TIMEOUT_NONE);
        }
        size_t used;
        switch (message_parse(c->message, &c->parser, slice_of(data + at, len - at), &used)) {
        case MESSAGE_IS_COMPLETE:
            dispatch(c);
            break;
        case MESSAGE_IS_REFUSED:
            refuse(c);
            break;
        case MESSAGE_WANTS_MORE:
            break;
        }
        at += used;
    }
    return at;
}

/*
 * Consumes and sends in turns until all of `data` is taken or something is in the way.
 * Returns the bytes taken.
 */
static size_t run(struct connection *c, const char *data, size_t len)
{
    uint64_t started_us = clock_monotonic_us();
    size_t used = 0;
    c->busy = true;
    do {
        used += consume(c, data + used, len - used, started_us);
        flush(c);
    } while (used < len && !c->reading_ended && may_begin(c));
    c->busy = false;
    if (used < len && c->reading_ended)
        c->input_dropped = true;
    return used;
}

/* Keeps what could not be begun. Where there is no room for it, reading ends here. */
static void keep_input(struct connection *c, const char *data, size_t len)
{
    if (charge_take(&c->input_charge, c->thread->shared->options.answers, len)) {
        buffer_append(&c->input, data, len);
        if (buffer_error(&c->input) == 0)
            return;
    }
    drop_input(c);
    c->reading_ended = true;
    c->input_dropped = true;
}

/* Goes on with what was kept, if that may be begun now. */
static void resume(struct connection *c)
{
    while (has_input(c) && !c->reading_ended && may_begin(c)) {
        c->input_at += run(c, c->input.data + c->input_at, c->input.len - c->input_at);
        if (c->closed)
            return;
        if (c->input_at == c->input.len || c->reading_ended)
            drop_input(c);
    }
}

void connection_receive(struct connection *c, const char *data, size_t len)
{
    if (has_input(c)) {
        keep_input(c, data, len);
        resume(c);
    } else if (!c->lingering && !c->reading_ended) {
        size_t used = run(c, data, len);
        if (used < len && !c->reading_ended)
            keep_input(c, data + used, len - used);
    }
    settle(c);
}

void connection_receive_end(struct connection *c)
{
    c->peer_ended = c->input_ended = true;
    if (c->message != NULL) {
        c->message->refusal.status = 0;
        message_refuse(c->message, 400, "the request was cut short");
        refuse(c);
    }
    c->reading_ended = true;
    connection_send(c);
}

void connection_readable(struct connection *c)
{
    char *data = c->thread->net.read_buffer;
    ssize_t n = net_socket_read(&c->socket, data, NET_READ_BYTES);
    if (n > 0)
        connection_receive(c, data, (size_t)n);
    else if (n == 0)
        connection_receive_end(c);
    else if (errno != EAGAIN)
        connection_abort(c);
}

void connection_hung_up(struct connection *c)
{
    c->peer_ended = true;
    connection_send(c);
}

/* ---- After anything has happened ---- */

/* What the reading side waits for, and until when. */
static void settle_reading(struct connection *c)
{
    if (c->lingering || c->reading_ended) {
        if (!c->lingering)
            net_socket_set_deadline(&c->socket, TIMEOUT_NONE);
    } else if (c->socket.is_extra) { /* for its one request in all */
        if (c->socket.read_deadline.kind != TIMEOUT_EXTRA)
            net_socket_set_deadline(&c->socket, TIMEOUT_EXTRA);
    } else if (c->message != NULL) {
        if (c->socket.read_deadline.kind != TIMEOUT_REQUEST)
            net_socket_set_deadline(&c->socket, TIMEOUT_REQUEST);
    } else if (c->first == NULL && !has_input(c)) {
        net_socket_set_deadline(&c->socket, TIMEOUT_IDLE);
    } else {
        net_socket_set_deadline(&c->socket, TIMEOUT_NONE);
    }
}

/* Brings the poll and the deadlines in line with the state; ends the connection where it is over.
 */
static void settle(struct connection *c)
{
    /* Here, since a stream may begin long after its request: then, too, it is told. */
    if (net_loop_drains(&c->thread->net) || c->peer_ended)
        last_call_for_all(c);
    if (!c->closed && owes_continue(c))
        say_continue(c);
    if (!c->closed && c->reading_ended && c->first == NULL)
        finish(c);
    if (c->closed)
        return;
    settle_reading(c);
    bool reads = c->lingering
                     ? !c->input_ended
                     : !c->reading_ended && !has_input(c) && (c->message != NULL || may_begin(c));
    bool is_blind =
        !reads && !c->peer_ended && (c->watched > 0 || (c->first != NULL && c->first->streams));
    net_socket_wait(&c->socket, (reads ? UV_READABLE : 0) | (has_unsent(c) ? UV_WRITABLE : 0) |
                                    (is_blind ? UV_DISCONNECT : 0));
}

void connection_end_reading(struct connection *c, struct http_request *req)
{
    assert(c->last == req && req->alone);
    req->closes = true;
    c->reading_ended = true;
    if (c->busy) /* the request itself may lie in `input`: run() and resume() do the rest */
        return;
    c->input_dropped = c->input_dropped || has_input(c);
    drop_input(c);
}

void connection_watch(struct connection *c)
{
    bool is_blind = (c->socket.events & (UV_READABLE | UV_DISCONNECT)) == 0;
    if (is_blind && !c->busy)
        net_socket_queue(&c->socket); /* or run() settles it anyway */
}

void connection_send(struct connection *c)
{
    if (c->closed)
        return;
    flush(c);
    if (!c->closed)
        resume(c);
    settle(c);
}

void connection_drain(struct connection *c)
{
    if (c->closed || c->lingering)
        return;
    /* What the client had sent when the stop came has begun, though we have not seen it yet. */
    if (!c->reading_ended && c->message == NULL && (c->socket.events & UV_READABLE))
        connection_readable(c);
    if (c->closed)
        return;
    last_call_for_all(c);
    if (c->closed || c->message != NULL)
        return;
    c->reading_ended = true;
    c->input_dropped = c->input_dropped || has_input(c);
    drop_input(c);
    if (c->last != NULL && !c->last->answered)
        c->last->closes = true;
    settle(c);
}

void connection_timed_out(struct connection *c, enum timeout_kind kind)
{
    if (kind != TIMEOUT_REQUEST && kind != TIMEOUT_EXTRA) {
        connection_abort(c);
        return;
    }
    if (c->message == NULL) {
        c->message = http_thread_take_message(c->thread);
        message_begin(c->message, &c->parser, clock_monotonic_us());
    }
    c->message->refusal.status = 0; /* what it would have got, had it come */
    if (kind == TIMEOUT_EXTRA)
        message_refuse(c->message, 503, "too many connections: at most %u",
                       c->thread->shared->options.max_connections);
    else
        message_refuse(c->message, 408, "the request took too long to arrive");
    refuse(c);
    connection_send(c);
}

/* ---- Memory for answers ---- */

static bool is_short(const struct http_thread *t)
{
    struct account *answers = t->shared->options.answers;
    return answers != NULL && account_used(answers) > answers->ceiling / 100 * HTTP_RELIEF_PERCENT;
}

/* True where what the client does not take is charged to the answers: tails have their own. */
static bool holds_answer(const struct connection *c)
{
    return c->first != NULL && c->first->account == c->thread->shared->options.answers;
}

void connection_relieve(struct http_thread *t)
{
    if (!is_short(t))
        return;
    uint64_t now = uv_now(&t->net.uv);
    struct deadline *d = timeouts_first(&t->net.timeouts, TIMEOUT_WRITE);
    while (d != NULL && is_short(t)) {
        struct connection *c = container_of(d, struct connection, socket.write_deadline);
        if (now + t->net.timeouts.after_ms[TIMEOUT_WRITE] < d->at_ms + HTTP_STALL_MS)
            return; /* all others have been set later */
        d = timeouts_next(&t->net.timeouts, d);
        if (holds_answer(c))
            connection_abort(c);
    }
}

/* ---- Beginning ---- */

struct connection *connection_new(struct http_thread *t, int fd, const struct sockaddr *address,
                                  bool is_extra)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    c->thread = t;
    c->client = client_of_address(address);
    const struct ranges *trusted = t->shared->options.trusted_proxies;
    c->is_trusted = trusted != NULL && address != NULL && ranges_have(trusted, address);
    if (net_socket_open(&c->socket, &t->net, fd, is_extra) != 0) {
        free(c);
        return NULL;
    }
    buffer_init(&c->input, NET_READ_BYTES);
    message_parser_init(&c->parser);
    settle(c);
    return c;
}
