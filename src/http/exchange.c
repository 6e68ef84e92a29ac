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
 * (parse.c, head.c; 408 here) in its turn, as the last; without room in the ledger, 503.
 */
#include "http/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "http/client.h"
#include "http/connection.h"
#include "http/parse.h"
#include "http/request.h"
#include "http/response.h"
#include "http/spare.h"
#include "net/ranges.h"

static void settle(struct connection *c);

/* All is answered and nothing more will be asked. */
static void finish(struct connection *c)
{
    if (!c->input_dropped || c->input_ended) {
        connection_close(c);
        return;
    }
    if (!c->lingering) {
        c->lingering = true;
        connection_drop_input(c);
        shutdown(c->socket.transport.fd, SHUT_WR);
        net_socket_set_deadline(&c->socket, TIMEOUT_LINGER);
    }
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

/* Answers the message, which is not complete, with its refusal, as the last on the connection. */
static void refuse(struct connection *c)
{
    struct http_request *req = connection_enqueue(c);
    net_count(&c->thread->counters.requests, 1);
    c->reading_ended = true;
    c->input_dropped = true;
    req->closes = true;
    response_refuse(req, c->message);
    req->message = NULL;
    connection_drop_message(c);
}

/* The message is complete: has it handled. */
static void dispatch(struct connection *c)
{
    struct http_thread *t = c->thread;
    struct message *m = c->message;
    parse_finish(m, t->inflater);
    struct http_request *req = connection_enqueue(c);
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
    connection_drop_message(c);
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
    struct http_request *req = connection_enqueue(c);
    c->message->expects_continue = false;
    req->message = NULL;
    c->busy = true;
    response_continue(req);
    connection_flush(c);
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
            c->message = spare_take_message(c->thread);
            message_begin(c->message, &c->parser, started_us);
            c->message->from_trusted = c->is_trusted;
            c->message->from_extra = c->socket.is_extra;
            if (c->socket.read_deadline.kind == TIMEOUT_REQUEST) /* that of the message before */
                net_socket_set_deadline(&c->socket, TIMEOUT_NONE);
        }
        size_t used;
        switch (parse_run(c->message, &c->parser, slice_of(data + at, len - at), &used)) {
        case PARSE_IS_COMPLETE:
            dispatch(c);
            break;
        case PARSE_IS_REFUSED:
            refuse(c);
            break;
        case PARSE_WANTS_MORE:
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
        connection_flush(c);
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
    connection_drop_input(c);
    c->reading_ended = true;
    c->input_dropped = true;
}

/* Goes on with what was kept, if that may be begun now. */
static void resume(struct connection *c)
{
    while (connection_has_input(c) && !c->reading_ended && may_begin(c)) {
        c->input_at += run(c, c->input.data + c->input_at, c->input.len - c->input_at);
        if (c->closed)
            return;
        if (c->input_at == c->input.len || c->reading_ended)
            connection_drop_input(c);
    }
}

void exchange_receive(struct connection *c, const char *data, size_t len)
{
    if (connection_has_input(c)) {
        keep_input(c, data, len);
        resume(c);
    } else if (!c->lingering && !c->reading_ended) {
        size_t used = run(c, data, len);
        if (used < len && !c->reading_ended)
            keep_input(c, data + used, len - used);
    }
    settle(c);
}

void exchange_receive_end(struct connection *c)
{
    c->peer_ended = c->input_ended = true;
    if (c->message != NULL) {
        c->message->refusal.status = 0;
        message_refuse(c->message, 400, "the request was cut short");
        refuse(c);
    }
    c->reading_ended = true;
    exchange_send(c);
}

void exchange_readable(struct connection *c)
{
    char *data = c->thread->net.read_buffer;
    ssize_t n = net_socket_read(&c->socket, data, NET_READ_BYTES);
    if (n > 0)
        exchange_receive(c, data, (size_t)n);
    else if (n == 0)
        exchange_receive_end(c);
    else if (errno != EAGAIN)
        connection_abort(c);
}

void exchange_hung_up(struct connection *c)
{
    c->peer_ended = true;
    exchange_send(c);
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
    } else if (c->first == NULL && !connection_has_input(c)) {
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
    bool reads = c->lingering ? !c->input_ended
                              : !c->reading_ended && !connection_has_input(c) &&
                                    (c->message != NULL || may_begin(c));
    bool is_blind =
        !reads && !c->peer_ended && (c->watched > 0 || (c->first != NULL && c->first->streams));
    net_socket_wait(&c->socket, (reads ? UV_READABLE : 0) |
                                    (connection_has_unsent(c) ? UV_WRITABLE : 0) |
                                    (is_blind ? UV_DISCONNECT : 0));
}

void exchange_send(struct connection *c)
{
    if (c->closed)
        return;
    connection_flush(c);
    if (!c->closed)
        resume(c);
    settle(c);
}

void exchange_drain(struct connection *c)
{
    if (c->closed || c->lingering)
        return;
    /* What the client had sent when the stop came has begun, though we have not seen it yet. */
    if (!c->reading_ended && c->message == NULL && (c->socket.events & UV_READABLE))
        exchange_readable(c);
    if (c->closed)
        return;
    last_call_for_all(c);
    if (c->closed || c->message != NULL)
        return;
    c->reading_ended = true;
    c->input_dropped = c->input_dropped || connection_has_input(c);
    connection_drop_input(c);
    if (c->last != NULL && !c->last->answered)
        c->last->closes = true;
    settle(c);
}

void exchange_timed_out(struct connection *c, enum timeout_kind kind)
{
    if (kind != TIMEOUT_REQUEST && kind != TIMEOUT_EXTRA) {
        connection_abort(c);
        return;
    }
    if (c->message == NULL) {
        c->message = spare_take_message(c->thread);
        message_begin(c->message, &c->parser, clock_monotonic_us());
    }
    c->message->refusal.status = 0; /* what it would have got, had it come */
    if (kind == TIMEOUT_EXTRA)
        message_refuse(c->message, 503, "too many connections: at most %u",
                       c->thread->shared->options.max_connections);
    else
        message_refuse(c->message, 408, "the request took too long to arrive");
    refuse(c);
    exchange_send(c);
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

void exchange_relieve(struct http_thread *t)
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

struct connection *exchange_new(struct http_thread *t, int fd, const struct sockaddr *address,
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
    parse_init(&c->parser);
    settle(c);
    return c;
}
