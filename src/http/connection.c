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
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
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

static uint64_t now_ms(const struct connection *c)
{
    return uv_now(&c->thread->loop);
}

static void set_read_deadline(struct connection *c, enum timeout_kind kind)
{
    timeouts_set(&c->thread->timeouts, &c->read_deadline, kind, now_ms(c));
}

static void set_write_deadline(struct connection *c, enum timeout_kind kind)
{
    timeouts_set(&c->thread->timeouts, &c->write_deadline, kind, now_ms(c));
}

/* ---- Closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct http_thread *t = c->thread;
    free(c);
    http_thread_connection_closed(t);
}

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
    struct http_thread *t = c->thread;
    assert(!c->closed && c->first == NULL);
    c->closed = true;
    c->reading_ended = true;
    drop_message(c);
    drop_input(c);
    set_read_deadline(c, TIMEOUT_NONE);
    set_write_deadline(c, TIMEOUT_NONE);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        t->connections = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    uv_close((uv_handle_t *)&c->poll, on_closed); /* takes the socket out of the loop at once */
    close(c->fd);
    t->connections_len--;
    if (c->is_extra)
        t->extra_len--;
    else
        atomic_fetch_sub_explicit(&t->shared->connections_open, 1, memory_order_relaxed);
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
        shutdown(c->fd, SHUT_WR);
        set_read_deadline(c, TIMEOUT_LINGER);
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
    http_count(&c->thread->counters.sent, n);
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
        ssize_t sent = c->thread->io.send(c->fd, pieces, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            connection_abort(c);
            return;
        }
        if (sent > 0)
            account_sent(c, (size_t)sent);
        if (sent < 0 || (size_t)sent < total) {
            c->lot_taken += sent > 0 ? (size_t)sent : 0;
            if (c->write_deadline.kind == TIMEOUT_NONE || c->lot_taken >= HTTP_WRITE_LOT_BYTES) {
                set_write_deadline(c, TIMEOUT_WRITE);
                c->lot_taken = 0;
            }
            return;
        }
    }
    if (c->write_deadline.kind != TIMEOUT_NONE)
        set_write_deadline(c, TIMEOUT_NONE);
    tell_drained(c);
}

/* Has connection_send called at the end of the round. */
static void mark_dirty(struct connection *c)
{
    struct http_thread *t = c->thread;
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->next_dirty = t->dirty;
    t->dirty = c;
}

void connection_answered(struct connection *c, struct http_request *req)
{
    c->unsent += request_answer_len(req);
    if (!c->busy)
        mark_dirty(c);
}

void connection_streamed(struct connection *c, size_t len)
{
    c->unsent += len;
    mark_dirty(c); /* within run(), too: it may be the end of its flush that has us written */
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
    http_count(&c->thread->counters.requests, 1);
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
    http_count(&t->counters.requests, 1);
    req->closes = !m->keep_alive || t->draining || c->is_extra;
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
            c->message->from_extra = c->is_extra;
            if (c->read_deadline.kind == TIMEOUT_REQUEST) /* that of the message before */
                set_read_deadline(c, TIMEOUT_NONE);
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
    http_count(&c->thread->counters.received, len);
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

static void on_readable(struct connection *c)
{
    struct http_thread *t = c->thread;
    ssize_t n = t->io.receive(c->fd, t->read_buffer, sizeof(t->read_buffer));
    if (n > 0)
        connection_receive(c, t->read_buffer, (size_t)n);
    else if (n == 0)
        connection_receive_end(c);
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        connection_abort(c);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct connection *c = poll->data;
    if (status < 0) { /* the socket has failed; receive or send will say so */
        connection_abort(c);
        return;
    }
    if (events & UV_DISCONNECT) {
        c->peer_ended = true;
        connection_send(c);
    } else if (events & UV_WRITABLE) {
        connection_send(c);
    }
    if ((events & UV_READABLE) && !c->closed && (c->events & UV_READABLE))
        on_readable(c);
}

/* ---- After anything has happened ---- */

static void wait_for(struct connection *c, int events)
{
    if (events == c->events)
        return;
    c->events = events;
    if (events == 0)
        uv_poll_stop(&c->poll);
    else
        uv_poll_start(&c->poll, events, on_event);
}

/* What the reading side waits for, and until when. */
static void settle_reading(struct connection *c)
{
    if (c->lingering || c->reading_ended) {
        if (!c->lingering)
            set_read_deadline(c, TIMEOUT_NONE);
    } else if (c->is_extra) { /* for its one request in all */
        if (c->read_deadline.kind != TIMEOUT_EXTRA)
            set_read_deadline(c, TIMEOUT_EXTRA);
    } else if (c->message != NULL) {
        if (c->read_deadline.kind != TIMEOUT_REQUEST)
            set_read_deadline(c, TIMEOUT_REQUEST);
    } else if (c->first == NULL && !has_input(c)) {
        set_read_deadline(c, TIMEOUT_IDLE);
    } else {
        set_read_deadline(c, TIMEOUT_NONE);
    }
}

/* Brings the poll and the deadlines in line with the state; ends the connection where it is over.
 */
static void settle(struct connection *c)
{
    /* Here, since a stream may begin long after its request: then, too, it is told. */
    if (c->thread->draining || c->peer_ended)
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
    wait_for(c, (reads ? UV_READABLE : 0) | (has_unsent(c) ? UV_WRITABLE : 0) |
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
    bool is_blind = (c->events & (UV_READABLE | UV_DISCONNECT)) == 0;
    if (is_blind && !c->busy)
        mark_dirty(c); /* or run() settles it anyway */
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
    if (!c->reading_ended && c->message == NULL && (c->events & UV_READABLE))
        on_readable(c);
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
    uint64_t now = uv_now(&t->loop);
    struct deadline *d = timeouts_first(&t->timeouts, TIMEOUT_WRITE);
    while (d != NULL && is_short(t)) {
        struct connection *c = connection_of_write_deadline(d);
        if (now + t->timeouts.after_ms[TIMEOUT_WRITE] < d->at_ms + HTTP_STALL_MS)
            return; /* all others have been set later */
        d = timeouts_next(&t->timeouts, d);
        if (holds_answer(c))
            connection_abort(c);
    }
}

/* ---- Beginning ---- */

struct connection *connection_of_read_deadline(struct deadline *d)
{
    return (struct connection *)((char *)d - offsetof(struct connection, read_deadline));
}

struct connection *connection_of_write_deadline(struct deadline *d)
{
    return (struct connection *)((char *)d - offsetof(struct connection, write_deadline));
}

struct connection *connection_new(struct http_thread *t, int fd, const struct sockaddr *address,
                                  bool is_extra)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    c->thread = t;
    c->fd = fd;
    c->client = client_of_address(address);
    c->is_extra = is_extra;
    const struct ranges *trusted = t->shared->options.trusted_proxies;
    c->is_trusted = trusted != NULL && address != NULL && ranges_have(trusted, address);
    c->read_deadline.kind = c->write_deadline.kind = TIMEOUT_NONE;
    if (uv_poll_init(&t->loop, &c->poll, fd) < 0) {
        close(fd);
        free(c);
        return NULL;
    }
    c->poll.data = c;
    buffer_init(&c->input, HTTP_READ_BYTES);
    message_parser_init(&c->parser);
    c->next = t->connections;
    if (c->next != NULL)
        c->next->prev = c;
    t->connections = c;
    t->connections_len++;
    t->extra_len += is_extra;
    settle(c);
    return c;
}
