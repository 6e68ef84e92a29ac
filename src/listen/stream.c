#include "listen/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "listen/attempt.h"
#include "listen/leaving.h"
#include "listen/pause.h"
#include "net/socket.h"

enum {
    SPARE_OFFERS_MAX = 64,     /* kept for reuse */
    BYTES_KEPT_MAX = 64 << 10, /* of memory, whatever little is in it */
};

enum stream_state { STREAM_TAKING, STREAM_WAITING, STREAM_PAUSED, STREAM_OVER, STREAM_STATES };

static const state_moves stream_moves[STREAM_STATES] = {
    [STREAM_TAKING] = STATE(STREAM_WAITING) | STATE(STREAM_PAUSED) | STATE(STREAM_OVER),
    [STREAM_WAITING] = STATE(STREAM_TAKING) | STATE(STREAM_PAUSED),
    [STREAM_PAUSED] = STATE(STREAM_TAKING),
};

struct stream {
    struct net_socket socket;
    struct listen_way *way;
    enum stream_state state;
    bool has_socket; /* it is open */
    bool is_freed;   /* the loop has let go of it */
    bool is_over;    /* nothing comes any more */
    bool ends;       /* as the format has said */
    bool is_fresh;   /* there is something that the format has not been offered */
    bool has_waited;
    bool is_deaf;    /* it does not take what it is told, and is told no more */
    bool lacks_room; /* for what comes: not read for a moment */

    struct buffer bytes; /* that the format has not used */
    int64_t arrival_us;  /* of the last of them */
    struct offer *offer; /* NULL: none is under way */

    uint64_t bits[2];
    uint64_t number;
    alignas(max_align_t) char session[STREAM_SESSION_BYTES];

    struct buffer reply;
    size_t replied; /* bytes of it that were sent */
    struct pause pause;
};

/* What the format is asked, again and again until all of its logs are durable. */
struct offer {
    struct attempt attempt;
    struct stream *stream;
    struct offer *next_spare;
    struct stream_input in;
    struct stream_output out;
    struct errbuf why;
    struct buffer reply;
    alignas(max_align_t) char session[STREAM_SESSION_BYTES];
};

static struct stream *stream_of(struct net_socket *socket)
{
    return container_of(socket, struct stream, socket);
}

static struct receiver *receiver_of(const struct stream *s)
{
    return s->way->receiver;
}

static const struct stream_format *format_of(const struct stream *s)
{
    return s->way->way.stream;
}

/* Bytes of one message that may be kept: less than the format allows if memory is scarce. */
static size_t kept_max(const struct stream *s)
{
    size_t fair = receiver_of(s)->bodies->ceiling / 4;
    size_t most = format_of(s)->message_max;

    return most < fair ? most : fair;
}

static void move(struct stream *s, enum stream_state state)
{
    CHECK(state_may_move(stream_moves, s->state, state));
    s->state = state;
}

/* ---- Its end ---- */

static void free_if_done(struct stream *s)
{
    if (s->state != STREAM_OVER || !s->is_freed)
        return;
    buffer_release(&s->bytes);
    buffer_release(&s->reply);
    free(s);
}

static void close_socket(struct stream *s)
{
    if (!s->has_socket)
        return;
    s->has_socket = false;
    s->is_over = true;
    receiver_of(s)->orphans++;
    metrics_socket(s->way->way.protocol, METRIC_CONNECTIONS_OPEN, -1);
    net_socket_close(&s->socket);
}

static void offer_free(struct offer *o);

static void end(struct stream *s)
{
    close_socket(s);
    pause_cancel(&receiver_of(s)->pauses, &s->pause);
    receiver_of(s)->orphans--;
    move(s, STREAM_OVER);
    if (s->offer)
        offer_free(s->offer);
    buffer_release(&s->bytes);
    buffer_release(&s->reply);
    free_if_done(s);
}

/* ---- From bytes to logs ---- */

static void on_done(struct ingest_ticket *ticket, int error);

/* All that has come until now is offered. */
static struct offer *offer_new(struct stream *s)
{
    struct receiver *r = receiver_of(s);
    struct offer *o = r->spare;

    if (o) {
        r->spare = o->next_spare;
        r->spare_len--;
    } else {
        o = xmalloc(sizeof(*o));
    }
    *o = (struct offer){
        .attempt = {.ticket = {.done = on_done}, .protocol = s->way->way.protocol},
        .stream = s,
        .in = {.bytes = buffer_slice(&s->bytes),
               .is_over = s->is_over,
               .has_waited = s->has_waited,
               .arrival_us = s->arrival_us,
               .bits = {s->bits[0], s->bits[1]},
               .number = s->number},
    };
    buffer_init(&o->reply, STREAM_REPLY_MAX);
    o->reply.account = r->answers;
    s->is_fresh = false;
    s->offer = o;
    return o;
}

static void offer_free(struct offer *o)
{
    struct receiver *r = receiver_of(o->stream);

    o->stream->offer = NULL;
    buffer_release(&o->reply);
    if (r->spare_len == SPARE_OFFERS_MAX) {
        free(o);
        return;
    }
    o->next_spare = r->spare;
    r->spare = o;
    r->spare_len++;
}

void stream_free_spare(struct receiver *r)
{
    while (r->spare) {
        struct offer *next = r->spare->next_spare;

        free(r->spare);
        r->spare = next;
    }
}

/* Has the format read what is offered, and fills in the rest of the offer. */
static int read_offer(struct attempt *a)
{
    struct offer *o = container_of(a, struct offer, attempt);
    struct stream *s = o->stream;
    int error;

    buffer_clear(&o->reply);
    o->why = (struct errbuf)ERRBUF_INIT;
    o->out = (struct stream_output){.reply = &o->reply, .why = &o->why};
    memcpy(o->session, s->session, sizeof(s->session));
    o->in.bytes.data = s->bytes.data; /* it may have moved */
    error = format_of(s)->read(s->way->stream_memory, o->session, &o->in, attempt_add, a, &o->out);
    if (!error)
        error = buffer_error(&o->reply);
    CHECK(error || o->out.used <= o->in.bytes.len);
    return error;
}

/* Memory that only a large message needed goes back. */
static void shrink(struct stream *s)
{
    struct buffer fresh;

    if (s->bytes.len == 0)
        buffer_release(&s->bytes);
    if (s->bytes.capacity <= BYTES_KEPT_MAX || s->bytes.len > s->bytes.capacity / 4)
        return;
    buffer_init(&fresh, s->bytes.ceiling);
    fresh.account = s->bytes.account;
    buffer_append_slice(&fresh, buffer_slice(&s->bytes));
    if (buffer_error(&fresh)) {
        buffer_release(&fresh);
        return;
    }
    buffer_release(&s->bytes);
    s->bytes = fresh;
}

/* Others may be in need of what is held for messages that do not go on. */
static bool is_short(const struct receiver *r)
{
    return account_used(r->bodies) > r->bodies->ceiling / 4 * 3;
}

/*
 * What has come and is not whole is waited for: as a message that may be whole, or for its rest.
 * Where memory is short the former is not: a byte now and then would have it wait for ever.
 */
static void watch(struct stream *s, const struct stream_output *out, bool has_waited)
{
    bool waits = s->socket.read_deadline.kind == TIMEOUT_IDLE;

    if (s->bytes.len == 0)
        net_socket_set_deadline(&s->socket, TIMEOUT_NONE);
    else if (out->may_be_whole && !has_waited && is_short(receiver_of(s)))
        s->has_waited = s->is_fresh = true;
    else if (out->may_be_whole && !s->is_fresh)
        net_socket_set_deadline(&s->socket, TIMEOUT_REQUEST);
    else if (out->used > 0 || !waits) /* a byte now and then is no progress */
        net_socket_set_deadline(&s->socket, TIMEOUT_IDLE);
}

/* Those who come again at once would fill the disk with such lines. */
static void say_why(struct stream *s, const char *why)
{
    int64_t unsaid;

    if (diag_may_say(&receiver_of(s)->closed_lines, clock_monotonic_us(), &unsaid))
        diag(DIAG_WARN, "a connection is closed for what its client has sent",
             DIAG_STR("protocol", format_of(s)->name), DIAG_STR("reason", why),
             DIAG_INT("unsaid", unsaid));
}

/* Nothing more is taken of what has come. */
static void give_up(struct stream *s, const char *why)
{
    metrics_receive(s->way->way.protocol, METRIC_LEFT_OUT, 1);
    say_why(s, why);
    s->ends = true;
}

/* The offer has been used; its logs are durable. */
static void use(struct stream *s)
{
    struct offer *o = s->offer;
    const struct stream_output *out = &o->out;

    metrics_receive(s->way->way.protocol, METRIC_LEFT_OUT, out->counts.refused);
    if (out->counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, out->counts.nul_characters);
    if (out->ends && o->why.text[0])
        say_why(s, o->why.text);
    memcpy(s->session, o->session, sizeof(s->session));
    s->number += o->attempt.seen + out->counts.refused;
    s->ends |= out->ends;
    s->has_waited = false;
    s->pause.ms = 0;
    if (out->used == 0 && o->in.bytes.len >= kept_max(s) && !s->ends) {
        if (o->in.has_waited)
            give_up(s, "a message is larger than a quarter of what bodies may have of "
                       "MAX_INFLIGHT_BYTES");
        else
            s->has_waited = s->is_fresh = true;
    }
    buffer_consume(&s->bytes, out->used);
    shrink(s);
    if (s->has_socket)
        watch(s, out, o->in.has_waited);
    if (o->reply.len && !s->is_deaf) {
        struct buffer none = s->reply;

        s->reply = o->reply;
        o->reply = none;
        s->replied = 0;
    }
    offer_free(o);
}

static void go_on_with(struct stream *s, enum attempt_result result)
{
    switch (result) {
    case ATTEMPT_DONE:
        if (s->state == STREAM_WAITING)
            move(s, STREAM_TAKING);
        use(s);
        break;
    case ATTEMPT_AGAIN:
        move(s, STREAM_TAKING);
        break;
    case ATTEMPT_WAITS:
        move(s, STREAM_WAITING);
        break;
    case ATTEMPT_LATER:
        move(s, STREAM_PAUSED);
        pause_longer(&receiver_of(s)->pauses, &s->pause);
        break;
    }
}

/* Begins an offer, or goes on with it. */
static void take(struct stream *s)
{
    struct offer *o = s->offer ? s->offer : offer_new(s);

    go_on_with(s, attempt_begin(&o->attempt, receiver_of(s)->ingest, read_offer));
}

static void go_on(struct stream *s);

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct offer *o = container_of(ticket, struct offer, attempt.ticket);
    struct stream *s = o->stream;

    go_on_with(s, attempt_told(&o->attempt, error));
    go_on(s);
}

/* ---- The socket ---- */

/* Bytes that may still be read now. */
static size_t room(const struct stream *s)
{
    size_t most = kept_max(s) + STREAM_AHEAD_BYTES;

    if (s->offer && s->offer->in.bytes.len + STREAM_AHEAD_BYTES < most)
        most = s->offer->in.bytes.len + STREAM_AHEAD_BYTES;
    return s->bytes.len < most ? most - s->bytes.len : 0;
}

/* Another process is to go on with it. */
static bool leaves(const struct stream *s)
{
    return receiver_leaves(receiver_of(s)) && net_socket_may_leave(&s->socket);
}

static bool may_read(const struct stream *s)
{
    return s->has_socket && !leaves(s) && !s->is_over && !s->ends && !s->lacks_room &&
           s->reply.len == 0 && room(s) > 0;
}

static void come_to_end(struct stream *s)
{
    s->is_over = true;
    s->is_fresh |= s->bytes.len > 0;
}

/* No room for what has come: it stays in the kernel for a moment. */
static void wait_for_room(struct stream *s)
{
    buffer_truncate(&s->bytes, s->bytes.len); /* lifts the error */
    s->lacks_room = true;
    if (s->state != STREAM_PAUSED)
        pause_begin(&receiver_of(s)->pauses, &s->pause, PAUSE_MIN_MS);
}

/* How much can be read: of nothing, too, one byte is read, so as to learn of the end. */
static size_t readable_bytes(const struct stream *s)
{
    size_t most = room(s) < NET_READ_BYTES ? room(s) : NET_READ_BYTES;
    size_t n = net_socket_readable(&s->socket);

    return n < most ? n : most;
}

/* Reads once. False: nothing has come, or there is no room for it. */
static bool read_socket(struct stream *s)
{
    size_t n = readable_bytes(s);
    char *to = buffer_reserve(&s->bytes, n);
    ssize_t got;

    if (!to) {
        wait_for_room(s);
        return false;
    }
    got = net_socket_read(&s->socket, to, n);
    if (got < 0 && errno == EAGAIN) {
        if (s->bytes.len == 0)
            buffer_release(&s->bytes);
        return false;
    }
    if (got <= 0) {
        come_to_end(s);
        return true;
    }
    s->bytes.len += (size_t)got;
    s->arrival_us = clock_arrival_us();
    s->is_fresh = true;
    s->has_waited = false;
    if (s->socket.read_deadline.kind == TIMEOUT_REQUEST)
        net_socket_set_deadline(&s->socket, TIMEOUT_NONE);
    return true;
}

/* False: the client has not taken all. */
static bool send_reply(struct stream *s)
{
    struct iovec piece = {s->reply.data + s->replied, s->reply.len - s->replied};
    ssize_t n = s->has_socket ? net_socket_write(&s->socket, &piece, 1, piece.iov_len)
                              : (ssize_t)piece.iov_len;

    if (n < 0) {
        close_socket(s);
        n = (ssize_t)piece.iov_len;
    }
    s->replied += (size_t)n;
    if (s->replied < s->reply.len)
        return false;
    if (s->has_socket)
        net_socket_written(&s->socket);
    buffer_release(&s->reply);
    s->replied = 0;
    return true;
}

/* ---- From one process to the next ---- */

/* All that was read is durable, or belongs to a message that is not whole. */
static bool may_leave(const struct stream *s)
{
    return leaves(s) && s->state == STREAM_TAKING && !s->offer && s->reply.len == 0 &&
           s->has_socket && !s->is_over && !s->ends;
}

/* Gives the connection away as it is. `s` may be freed by it. */
static void leave(struct stream *s)
{
    int fd = fcntl(s->socket.transport.fd, F_DUPFD_CLOEXEC, 0);
    const struct stream_left left = {
        .has_waited = s->has_waited,
        .bits = {s->bits[0], s->bits[1]},
        .number = s->number,
        .arrival_us = s->arrival_us,
        .session = slice_of(s->session, format_of(s)->session_bytes),
        .bytes = buffer_slice(&s->bytes),
    };

    if (fd >= 0) {
        const char *name = metrics_protocol_label(s->way->way.protocol);
        struct given_socket *given = given_add(receiver_of(s)->leaving, fd, name, false);

        stream_left_write(&left, &given->state);
        if (buffer_error(&given->state))
            given->name[0] = '\0'; /* nobody could go on with it: it is closed */
    }
    end(s); /* which closes the other descriptor */
}

static bool has_news(const struct stream *s)
{
    return s->is_fresh && s->bytes.len > 0;
}

/* Does what can be done now. `s` may be freed by it. */
static void go_on(struct stream *s)
{
    struct receiver *r = receiver_of(s);
    int events = 0;

    for (;;) {
        if (s->reply.len && !send_reply(s))
            break;
        if (s->state == STREAM_TAKING && (s->offer || (has_news(s) && !s->ends)))
            take(s);
        else if (!net_loop_drains(&r->net) || !may_read(s))
            break;
        else if (!read_socket(s) && !s->lacks_room)
            come_to_end(s); /* it is not waited for what has not come by now */
    }
    if (s->state == STREAM_PAUSED && receiver_gives_up(r))
        return; /* resume ends it */
    if (s->state == STREAM_TAKING && s->reply.len == 0 && (s->is_over || s->ends)) {
        end(s);
        return;
    }
    if (may_leave(s)) {
        leave(s);
        return;
    }
    if (!s->has_socket)
        return;
    if (s->reply.len)
        events |= UV_WRITABLE;
    if (may_read(s))
        events |= UV_READABLE;
    net_socket_wait(&s->socket, events);
}

static void resume(struct pause *p)
{
    struct stream *s = container_of(p, struct stream, pause);

    s->lacks_room = false;
    if (s->state == STREAM_PAUSED) {
        move(s, STREAM_TAKING);
        if (receiver_gives_up(receiver_of(s))) {
            end(s);
            return;
        }
    }
    go_on(s);
}

/* ---- What the loop tells ---- */

/* NULL: the loop refuses it, and `fd` is closed. */
static struct stream *stream_open(struct listen_way *way, const struct transport_source *by, int fd)
{
    static const int on = 1, keepalive_s = STREAM_KEEPALIVE_S;
    struct receiver *r = way->receiver;
    struct stream *s = xcalloc(1, sizeof(*s));

    s->way = way;
    if (net_socket_open(&s->socket, &r->net, by, fd, false)) {
        free(s);
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
    if (getentropy(s->bits, sizeof(s->bits)) != 0)
        abort(); /* the kernel has no random numbers: ids would not be unique */
    s->has_socket = true;
    s->pause.resume = resume;
    buffer_init(&s->bytes, format_of(s)->message_max + STREAM_AHEAD_BYTES);
    s->bytes.account = r->bodies;
    buffer_init(&s->reply, STREAM_REPLY_MAX);
    s->reply.account = r->answers;
    metrics_socket(way->way.protocol, METRIC_CONNECTIONS_OPEN, 1);
    return s;
}

bool stream_new(struct listen_way *way, const struct transport_source *by, int fd)
{
    struct stream *s = stream_open(way, by, fd);

    if (!s)
        return false;
    if (format_of(s)->greet)
        format_of(s)->greet(way->stream_memory, s->session, &s->reply);
    s->ends = buffer_error(&s->reply);
    go_on(s);
    return true;
}

bool stream_adopt(struct listen_way *way, int fd, struct slice state)
{
    struct stream_left left;
    struct stream *s = stream_open(way, NULL, fd);

    if (!s)
        return false;
    if (stream_left_read(&left, state, format_of(s)->session_bytes)) {
        memcpy(s->session, left.session.data, left.session.len);
        memcpy(s->bits, left.bits, sizeof(s->bits));
        s->number = left.number;
        s->arrival_us = left.arrival_us;
        s->has_waited = left.has_waited;
        buffer_append_slice(&s->bytes, left.bytes);
        s->is_fresh = s->bytes.len > 0;
        s->ends = buffer_error(&s->bytes);
    } else {
        s->ends = true;
    }
    if (s->ends)
        diag(DIAG_WARN, "a connection of the process before cannot be gone on with",
             DIAG_STR("protocol", format_of(s)->name));
    go_on(s);
    return true;
}

void stream_readable(struct net_socket *socket)
{
    struct stream *s = stream_of(socket);

    if (may_read(s))
        read_socket(s);
    go_on(s);
}

void stream_turn(struct net_socket *socket)
{
    struct stream *s = stream_of(socket);

    if (s->has_socket)
        go_on(s);
}

void stream_timed_out(struct net_socket *socket, enum timeout_kind kind)
{
    struct stream *s = stream_of(socket);

    if (kind == TIMEOUT_WRITE) {
        s->is_deaf = true;
        net_socket_written(socket);
        buffer_release(&s->reply);
        s->replied = 0;
    } else if (kind == TIMEOUT_IDLE) {
        if (is_short(receiver_of(s)) && s->state == STREAM_TAKING) {
            give_up(s, "memory is short, and its message does not go on");
        } else {
            net_socket_set_deadline(socket, TIMEOUT_IDLE);
        }
    } else {
        net_socket_set_deadline(socket, TIMEOUT_NONE);
        s->has_waited = s->is_fresh = true;
    }
    go_on(s);
}

void stream_drain(struct net_socket *socket)
{
    go_on(stream_of(socket));
}

/* The connection has failed, or there is no time left: what has come by it is still read. */
void stream_abort(struct net_socket *socket)
{
    struct stream *s = stream_of(socket);

    while (may_read(s) && read_socket(s))
        ;
    close_socket(s);
    come_to_end(s);
    go_on(s);
}

void stream_free(struct net_socket *socket)
{
    struct stream *s = stream_of(socket);

    s->is_freed = true;
    free_if_done(s);
}
