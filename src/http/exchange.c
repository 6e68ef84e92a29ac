/*
 * The happy path: the socket is readable, one read fills the thread's buffer, llhttp finds a whole
 * request in it, the handler answers, the answer goes out with one write; the connection holds no
 * memory but itself again. With pipelining, run() does that for all requests of a read and sends
 * their answers together. A handler may answer later: requests stand in line (`first` to `last`),
 * and what is answered at its front is sent at the end of that round of the loop.
 *
 * Reading is in one of these states (enum connection_state):
 *   idle        Between messages, no request is under way. TIMEOUT_IDLE.
 *   between     Between messages.
 *   in message  TIMEOUT_REQUEST runs from its first byte; while its body is taken in lots (lots.h),
 *               TIMEOUT_UPLOAD from its latest.
 *   held        The lot that has gathered may not grow before the one before it is taken, or the
 *               last one waits for that. The socket is not read.
 *   paused      HTTP_PIPELINE_MAX requests are under way, or max_connection_bytes of bodies, or one
 *               that is to be alone, or CONNECTION_UNSENT_MAX bytes are unsent. The socket is not
 *               read, so the client is slowed down by TCP; what was read already waits in `input`.
 *               Only ever between messages.
 *   ended       After Connection: close, the client's end, a drain.
 *   cut         Likewise, if the client may be sending more; and after a refusal.
 *   lingering   All is answered.
 *   closed
 *
 * Sending is idle or blocked: the socket takes no more (poll waits for UV_WRITABLE, TIMEOUT_WRITE
 * starts again with every lot taken, so that nobody holds an answer by taking a byte now and then).
 * Answers are kept where they are, in their requests.
 *
 * A stream (http_stream_begin) is answered from its beginning, and stays at the front of the line
 * until its end: what is written meanwhile is sent at the end of the round, and when the socket has
 * taken it all, the stream's handler is told. If the socket is not read meanwhile, poll still
 * waits for UV_DISCONNECT, since a stream may have nothing to send by which we would notice; the
 * same holds while a handler wants to know that its client goes (http_request_on_gone).
 *
 * The end. Reading has ended and the last answer is sent: the connection is closed. But if it was
 * cut, closing would reset it and could take the answer with it, so we shut down our side, and
 * linger: we read and drop until the client closes or TIMEOUT_LINGER passes. Whoever is refused and
 * does not close takes places so: past CONNECTION_LINGERING_SHARE the oldest of them is closed.
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

#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "http/client.h"
#include "http/connection.h"
#include "http/lots.h"
#include "http/parse.h"
#include "http/request.h"
#include "http/response.h"
#include "http/spare.h"
#include "net/ranges.h"

static void settle(struct connection *c);

/* One more lingers: so that they do not take the places of others, the oldest has had its time. */
static void bound_lingering(struct http_thread *t)
{
    const struct http_server_options *o = &t->shared->options;

    if (t->lingering_len > o->max_connections / CONNECTION_LINGERING_SHARE / o->threads + 1)
        connection_abort(container_of(timeouts_first(&t->net.timeouts, TIMEOUT_LINGER),
                                      struct connection, socket.read_deadline));
}

/* All is answered and nothing more will be asked. */
static void finish(struct connection *c)
{
    if (c->state == CONNECTION_ENDED || c->peer == PEER_READ) {
        connection_move(c, CONNECTION_CLOSED);
    } else if (c->state == CONNECTION_CUT) {
        connection_move(c, CONNECTION_LINGERING);
        connection_drop_input(c);
        net_socket_end(&c->socket);
        bound_lingering(c->thread);
    }
}

/*
 * Tells streams that nothing more will be asked, and handlers that their client has gone. The
 * hooks may answer, end or break off.
 */
static void last_call_for_all(struct connection *c)
{
    struct http_request *next;

    for (struct http_request *req = c->first; req && c->state != CONNECTION_CLOSED; req = next) {
        next = req->next;
        if (request_streams(req) && req->hooks->last_call)
            req->hooks->last_call(req->hooks_ctx);
        else if (c->peer != PEER_SENDS)
            request_tell_gone(req);
    }
}

/* ---- Requests ---- */

/* Answers the message, which is not complete, with its refusal, as the last on the connection. */
static void refuse(struct connection *c)
{
    struct http_request *req = connection_enqueue(c);

    net_count(&c->thread->counters.requests, 1);
    connection_end(c, true);
    req->closes = true;
    response_refuse(req, c->message);
    if (c->last == req) /* else the connection is broken */
        req->message = NULL;
    connection_drop_message(c);
}

/* Nothing more of the message comes, as its refusal says; what came in lots is taken first. */
static void break_off(struct connection *c)
{
    if (!c->upload) {
        refuse(c);
        return;
    }
    if (c->upload->has_lot) /* what was not kept is gone with the read */
        c->message->body = buffer_slice(&c->message->body_kept);
    connection_end(c, true);
    lots_go_on(c);
}

/* The message is complete: has it handled. */
static void dispatch(struct connection *c)
{
    struct http_thread *t = c->thread;
    struct message *m = c->message;

    parse_finish(m, t->inflater);
    struct http_request *req = connection_enqueue(c);
    request_take_who(req, m);
    if (m->query.len > HTTP_QUERY_UNCHARGED_BYTES &&
        !charge_take(&req->line_charge, t->shared->options.answers,
                     HTTP_QUERY_COPIES * m->query.len))
        message_refuse(m, 503, NULL);
    net_count(&t->counters.requests, 1);
    connection_complete(c, req);
    if (m->refusal.status != 0) {
        response_refuse(req, m);
    } else {
        c->body_bytes += req->body_len = m->body.len;
        req->alone = (m->endpoint->flags & HTTP_ROUTE_ALONE) != 0;
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

    return m && m->stage == MESSAGE_BODY && m->body_state == MESSAGE_BODY_AWAITS &&
           m->body.len == 0 && m->refusal.status == 0 && !c->first;
}

static void say_continue(struct connection *c)
{
    struct http_request *req = connection_enqueue(c);

    c->message->body_state = MESSAGE_BODY_COMES;
    req->message = NULL;
    c->in_run = true;
    response_continue(req);
    connection_flush(c);
    c->in_run = false;
}

/* ---- Reading ---- */

static bool may_begin(const struct connection *c)
{
    return !c->upload && c->under_way < HTTP_PIPELINE_MAX && c->unsent <= CONNECTION_UNSENT_MAX &&
           !(c->last && c->last->alone) &&
           c->body_bytes < c->thread->shared->options.max_connection_bytes;
}

/* Parses and dispatches as many requests as may be begun. Returns the bytes taken. */
static size_t consume(struct connection *c, const char *data, size_t len, uint64_t started_us)
{
    size_t at = 0;

    while (at < len && !connection_has_ended(c) && !lots_are_held(c)) {
        if (!c->message) {
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
            c->message->is_https = transport_is_private(&c->socket.transport);
            c->message->peer = c->client;
            c->message->certificate = net_socket_peer(&c->socket);
            c->message->holder = &c->holder;
            connection_move(c, CONNECTION_IN_MESSAGE);
        }
        size_t used;
        switch (parse_run(c->message, &c->parser, slice_of(data + at, len - at), &used)) {
        case PARSE_IS_COMPLETE:
            if (!c->upload)
                dispatch(c);
            else if (!lots_end(c))
                break_off(c);
            break;
        case PARSE_IS_REFUSED:
            break_off(c);
            break;
        case PARSE_WANTS_MORE:
            if (c->message->in_lots && !lots_read(c))
                break_off(c);
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

    c->in_run = true;
    do {
        used += consume(c, data + used, len - used, started_us);
        connection_flush(c);
    } while (used < len && !connection_has_ended(c) && may_begin(c));
    c->in_run = false;
    if (used < len && connection_has_ended(c))
        connection_end(c, true);
    return used;
}

/* Keeps what could not be begun. If there is no room for it, reading ends here. */
static void keep_input(struct connection *c, const char *data, size_t len)
{
    if (charge_take(&c->input_charge, c->thread->shared->options.answers, len)) {
        buffer_append(&c->input, data, len);
        if (buffer_error(&c->input) == 0)
            return;
    }
    connection_drop_input(c);
    connection_end(c, true);
}

/* Goes on with what was kept, if that may be begun now. */
static void resume(struct connection *c)
{
    while (connection_has_input(c) && !connection_has_ended(c) && may_begin(c)) {
        size_t used = run(c, c->input.data + c->input_at, c->input.len - c->input_at);

        if (c->state == CONNECTION_CLOSED)
            return;
        c->input_at += used;
        if (c->input_at == c->input.len || connection_has_ended(c))
            connection_drop_input(c);
    }
}

void exchange_receive(struct connection *c, const char *data, size_t len)
{
    CHECKED(connection_check(c));
    if (connection_has_input(c)) {
        keep_input(c, data, len);
        resume(c);
    } else if (!connection_has_ended(c)) {
        size_t used = run(c, data, len);

        if (used < len && !connection_has_ended(c))
            keep_input(c, data + used, len - used);
    }
    settle(c);
}

void exchange_receive_end(struct connection *c)
{
    CHECKED(connection_check(c));
    c->peer = PEER_READ;
    if (c->message) {
        c->message->refusal.status = 0;
        message_refuse(c->message, 400, "the request was cut short");
        break_off(c);
    }
    connection_end(c, false);
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
    if (c->peer == PEER_SENDS)
        c->peer = PEER_ENDED;
    exchange_send(c);
}

/* ---- After anything has happened ---- */

/* The state of one that reads, now that it rests. */
static enum connection_state state_at_rest(const struct connection *c)
{
    if (c->message)
        return lots_are_held(c) ? CONNECTION_HELD : CONNECTION_IN_MESSAGE;
    if (connection_has_input(c) || !may_begin(c))
        return CONNECTION_PAUSED;
    return c->first ? CONNECTION_BETWEEN : CONNECTION_IDLE;
}

static bool reads(const struct connection *c)
{
    if (c->state == CONNECTION_LINGERING)
        return c->peer != PEER_READ;
    return state_in(c->state, STATE(CONNECTION_IDLE) | STATE(CONNECTION_BETWEEN) |
                                  STATE(CONNECTION_IN_MESSAGE));
}

/* Brings the poll and the deadlines in line with the state; ends the connection if it is over.
 */
static void settle(struct connection *c)
{
    /* Here, since a stream may begin long after its request: then, too, it is told. */
    if (net_loop_drains(&c->thread->net) || c->peer != PEER_SENDS)
        last_call_for_all(c);
    if (c->state != CONNECTION_CLOSED && owes_continue(c))
        say_continue(c);
    if (c->state != CONNECTION_CLOSED && connection_has_ended(c) && !c->first)
        finish(c);
    if (c->state == CONNECTION_CLOSED)
        return;
    if (!connection_has_ended(c))
        connection_move(c, state_at_rest(c));
    bool streams = c->first && request_streams(c->first);
    bool is_blind = !reads(c) && c->peer == PEER_SENDS && (c->watched > 0 || streams);
    net_socket_wait(&c->socket, (reads(c) ? UV_READABLE : 0) |
                                    (connection_has_unsent(c) ? UV_WRITABLE : 0) |
                                    (is_blind ? UV_DISCONNECT : 0));
    CHECKED(connection_check(c));
}

void exchange_send(struct connection *c)
{
    CHECKED(connection_check(c));
    if (c->state == CONNECTION_CLOSED)
        return;
    connection_flush(c);
    if (c->state != CONNECTION_CLOSED)
        lots_go_on(c);
    if (c->state != CONNECTION_CLOSED)
        resume(c);
    settle(c);
}

bool exchange_rests(const struct connection *c)
{
    return c->state == CONNECTION_IDLE && c->peer == PEER_SENDS && !c->socket.is_extra;
}

/* An upload may go on for hours: what has come of it is taken, and its client comes again. */
static void end_upload(struct connection *c)
{
    if (c->message->stage == MESSAGE_COMPLETE || connection_has_ended(c))
        return;
    message_refuse(c->message, 503, NULL);
    break_off(c);
    settle(c);
}

void exchange_drain(struct connection *c)
{
    CHECKED(connection_check(c));
    if (c->state == CONNECTION_CLOSED || c->state == CONNECTION_LINGERING)
        return;
    /* What the client had sent when the stop came has begun, though we have not seen it yet. */
    if (!connection_has_ended(c) && !c->message && (c->socket.events & UV_READABLE))
        exchange_readable(c);
    if (c->state == CONNECTION_CLOSED)
        return;
    last_call_for_all(c);
    if (c->state != CONNECTION_CLOSED && c->message && c->message->in_lots)
        end_upload(c);
    if (c->state == CONNECTION_CLOSED || c->message)
        return;
    connection_end(c, connection_has_input(c));
    connection_drop_input(c);
    if (c->last && !request_is_answered(c->last))
        c->last->closes = true;
    settle(c);
}

void exchange_timed_out(struct connection *c, enum timeout_kind kind)
{
    CHECKED(connection_check(c));
    if (kind != TIMEOUT_REQUEST && kind != TIMEOUT_EXTRA) {
        connection_abort(c);
        return;
    }
    if (!c->message) {
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

static bool is_short(struct account *a)
{
    return a && account_used(a) > a->ceiling / 100 * HTTP_RELIEF_PERCENT;
}

static bool has_short_account(const struct http_thread *t)
{
    return is_short(t->shared->options.answers) || is_short(t->shared->options.reserved);
}

/* True if others want the room of what the client does not take. That of tails is their own. */
static bool is_in_the_way(const struct connection *c)
{
    const struct http_server_options *options = &c->thread->shared->options;
    struct account *account = c->first ? c->first->account : NULL;

    return (account == options->answers || account == options->reserved) && is_short(account);
}

void exchange_relieve(struct http_thread *t)
{
    if (!has_short_account(t))
        return;
    uint64_t now = uv_now(&t->net.uv);
    struct deadline *d = timeouts_first(&t->net.timeouts, TIMEOUT_WRITE);
    while (d && has_short_account(t)) {
        struct connection *c = container_of(d, struct connection, socket.write_deadline);

        if (now + t->net.timeouts.after_ms[TIMEOUT_WRITE] < d->at_ms + HTTP_STALL_MS)
            return; /* all others have been set later */
        d = timeouts_next(&t->net.timeouts, d);
        if (is_in_the_way(c))
            connection_abort(c);
    }
}

/* ---- Beginning ---- */

struct connection *exchange_new(struct http_thread *t, const struct transport_source *by, int fd,
                                const struct sockaddr *address, bool is_extra)
{
    struct connection *c = xcalloc(1, sizeof(*c));

    c->thread = t;
    c->client = client_of_address(address);
    const struct ranges *trusted = t->shared->options.trusted_proxies;
    c->is_trusted = trusted && address && ranges_have(trusted, address);
    if (net_socket_open(&c->socket, &t->net, by, fd, is_extra)) {
        free(c);
        return NULL;
    }
    buffer_init(&c->input, NET_READ_BYTES);
    parse_init(&c->parser);
    settle(c);
    return c;
}
