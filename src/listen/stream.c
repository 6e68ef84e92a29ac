#include "listen/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "net/socket.h"

enum {
    SPARE_ROUNDS_MAX = 64,           /* kept for reuse */
    BYTES_KEPT_MAX = 64 << 10,       /* of memory, whatever little is in it */
    RESUME_MS = STREAM_PAUSE_MIN_MS, /* how often pauses are looked at */
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
    bool is_deaf; /* it does not take what it is told, and is told no more */

    struct buffer bytes; /* that the format has not used */
    int64_t arrival_us;  /* of the last of them */
    /* What the format is asked, again and again until all of its logs are durable. */
    struct stream_input offer;
    bool is_offered;
    size_t done;  /* logs of the offer that are durable, or were left out */
    size_t limit; /* of logs of one ticket; 0: none */

    uint64_t bits[2];
    uint64_t number;
    alignas(max_align_t) char session[STREAM_SESSION_BYTES];

    struct buffer reply;
    size_t replied; /* bytes of it that were sent */
    bool lacks_room;
    unsigned pause_ms;
    uint64_t resume_at_ms;
    bool is_listed; /* among those to be gone on with */
    struct stream *next_paused;
};

/* An offer on its way through format and ingest. */
struct stream_round {
    struct ingest_ticket ticket;
    struct stream *stream;
    struct stream_round *next_spare;
    struct stream_output out;
    struct errbuf why;
    struct buffer reply;
    size_t seen;     /* logs that the format has handed over */
    bool is_stopped; /* by us: there are more */
    bool is_too_big; /* the ingest has said so */
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

static void leave_list(struct stream *s)
{
    struct stream **link = &receiver_of(s)->paused;

    if (!s->is_listed)
        return;
    while (*link != s)
        link = &(*link)->next_paused;
    *link = s->next_paused;
    s->is_listed = false;
}

static void end(struct stream *s)
{
    close_socket(s);
    leave_list(s);
    receiver_of(s)->orphans--;
    move(s, STREAM_OVER);
    buffer_release(&s->bytes);
    buffer_release(&s->reply);
    free_if_done(s);
}

/* ---- Rounds ---- */

static void on_done(struct ingest_ticket *ticket, int error);

static struct stream_round *round_new(struct stream *s)
{
    struct receiver *r = receiver_of(s);
    struct stream_round *round = r->spare;

    if (round) {
        r->spare = round->next_spare;
        r->spare_len--;
    } else {
        round = xmalloc(sizeof(*round));
    }
    *round = (struct stream_round){.ticket = {.done = on_done}, .stream = s, .why = ERRBUF_INIT};
    buffer_init(&round->reply, STREAM_REPLY_MAX);
    round->reply.account = r->answers;
    return round;
}

static void round_free(struct stream_round *round)
{
    struct receiver *r = receiver_of(round->stream);

    buffer_release(&round->reply);
    if (r->spare_len == SPARE_ROUNDS_MAX) {
        free(round);
        return;
    }
    round->next_spare = r->spare;
    r->spare = round;
    r->spare_len++;
}

void stream_free_spare(struct receiver *r)
{
    while (r->spare) {
        struct stream_round *next = r->spare->next_spare;

        free(r->spare);
        r->spare = next;
    }
}

/* ---- Pauses ---- */

static void on_resume(uv_timer_t *timer)
{
    stream_resume_all(timer->data);
}

static void pause_for(struct stream *s, unsigned ms)
{
    struct receiver *r = receiver_of(s);

    s->resume_at_ms = uv_now(&r->net.uv) + ms;
    if (s->is_listed)
        return;
    s->is_listed = true;
    s->next_paused = r->paused;
    r->paused = s;
    if (!uv_is_active((uv_handle_t *)&r->resume))
        uv_timer_start(&r->resume, on_resume, RESUME_MS, RESUME_MS);
}

/* The offer comes again, later. */
static void try_later(struct stream *s)
{
    s->pause_ms = s->pause_ms * 2 > STREAM_PAUSE_MIN_MS ? s->pause_ms * 2 : STREAM_PAUSE_MIN_MS;
    if (s->pause_ms > STREAM_PAUSE_MAX_MS)
        s->pause_ms = STREAM_PAUSE_MAX_MS;
    move(s, STREAM_PAUSED);
    pause_for(s, s->pause_ms);
}

/* ---- From bytes to logs ---- */

static int add_record(const struct record *record, void *ctx)
{
    struct stream_round *round = ctx;
    struct stream *s = round->stream;

    if (round->seen++ < s->done)
        return 0;
    round->is_stopped =
        (s->limit && round->ticket.logs == s->limit) || round->ticket.bytes >= STREAM_TICKET_BYTES;
    if (round->is_stopped)
        return LM_ESTOPPED;

    int error = ingest_add(&round->ticket, record);

    round->is_too_big = error == LM_ETOOBIG;
    return error;
}

/* Has the format read the offer into an open ticket. As its read returns; out and the rest of the
 * round are filled. */
static int read_offer(struct stream *s, struct stream_round *round)
{
    const struct stream_format *format = format_of(s);
    int error;

    buffer_clear(&round->reply);
    round->why = (struct errbuf)ERRBUF_INIT;
    round->out = (struct stream_output){.reply = &round->reply, .why = &round->why};
    round->seen = 0;
    round->is_stopped = round->is_too_big = false;
    memcpy(round->session, s->session, sizeof(s->session));
    s->offer.bytes.data = s->bytes.data; /* it may have moved */
    ingest_open(receiver_of(s)->ingest, &round->ticket);
    error = format->read(s->way->stream_memory, round->session, &s->offer, add_record, round,
                         &round->out);
    if (!error)
        error = buffer_error(&round->reply);
    CHECK(error || round->out.used <= s->offer.bytes.len);
    return error;
}

/* The next log that is not durable can never be: it is counted as done. */
static void leave_out(struct stream *s)
{
    s->done++;
    s->limit = 0;
    metrics_receive(s->way->way.protocol, METRIC_LEFT_OUT, 1);
    diag(DIAG_WARN, "a log was left out: the queue takes none so large, or not what is in it",
         DIAG_STR("protocol", format_of(s)->name));
}

/* What the queue does not take together, or not for what is in it, is sent in parts. */
static void take_fewer(struct stream *s, size_t logs, size_t next)
{
    if (logs <= 1 && next == 0)
        leave_out(s);
    else
        s->limit = next;
}

/* The offer has been used; its logs are durable. */
static void use(struct stream *s, struct stream_round *round)
{
    const struct stream_output *out = &round->out;

    metrics_receive(s->way->way.protocol, METRIC_LEFT_OUT, out->counts.refused);
    if (out->counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, out->counts.nul_characters);
    if (out->ends && round->why.text[0])
        diag(DIAG_WARN, "a connection is closed for what its client has sent",
             DIAG_STR("protocol", format_of(s)->name), DIAG_STR("reason", round->why.text));
    memcpy(s->session, round->session, sizeof(s->session));
    s->number += round->seen + out->counts.refused;
    s->ends |= out->ends;
    s->is_offered = false;
    s->has_waited = false;
    s->done = s->limit = 0;
    s->pause_ms = 0;
    if (out->used == 0 && s->offer.bytes.len >= kept_max(s)) {
        s->ends |= s->offer.has_waited; /* it cannot be followed */
        s->has_waited = s->is_fresh = true;
    }
    buffer_consume(&s->bytes, out->used);
    if (s->bytes.len == 0)
        buffer_release(&s->bytes);
    if (s->has_socket && out->may_be_whole && s->bytes.len && !s->is_fresh)
        net_socket_set_deadline(&s->socket, TIMEOUT_REQUEST);
    if (round->reply.len && !s->is_deaf) {
        struct buffer none = s->reply;

        s->reply = round->reply;
        round->reply = none;
        s->replied = 0;
    }
    round_free(round);
}

/* Begins or repeats the offer: the stream then waits, is paused, or goes on taking. */
static void take(struct stream *s)
{
    struct stream_round *round = round_new(s);
    int error;

    if (!s->is_offered) {
        s->is_offered = true;
        s->is_fresh = false;
        s->offer = (struct stream_input){.bytes = buffer_slice(&s->bytes),
                                         .is_over = s->is_over,
                                         .has_waited = s->has_waited,
                                         .arrival_us = s->arrival_us,
                                         .bits = {s->bits[0], s->bits[1]},
                                         .number = s->number};
    }
    while ((error = read_offer(s, round)) && round->is_too_big) {
        size_t logs = round->ticket.logs;

        ingest_cancel(&round->ticket);
        take_fewer(s, logs, logs);
    }
    if (!error && round->ticket.logs == 0) {
        ingest_cancel(&round->ticket);
        use(s, round);
        return;
    }
    if (error == LM_ESTOPPED && round->is_stopped)
        error = 0;
    round->ticket.has_room = true; /* the reply has been written */
    if (!error)
        error = ingest_commit(&round->ticket);
    if (!error) {
        move(s, STREAM_WAITING);
        return;
    }
    ingest_cancel(&round->ticket);
    round_free(round);
    try_later(s);
}

static void go_on(struct stream *s);

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct stream_round *round = container_of(ticket, struct stream_round, ticket);
    struct stream *s = round->stream;

    if (!error) {
        metrics_receive(s->way->way.protocol, METRIC_TAKEN, ticket->logs);
        s->pause_ms = 0;
        move(s, STREAM_TAKING);
        if (round->is_stopped) {
            s->done += ticket->logs;
            s->limit *= 2;
            round_free(round);
        } else {
            use(s, round);
        }
    } else if (error == LM_EDATA || error == LM_ETOOBIG) {
        take_fewer(s, ticket->logs, ticket->logs / 2);
        move(s, STREAM_TAKING);
        round_free(round);
    } else {
        round_free(round);
        try_later(s);
    }
    go_on(s);
}

/* ---- The socket ---- */

/* Bytes that may still be read now. */
static size_t room(const struct stream *s)
{
    size_t most = kept_max(s) + STREAM_AHEAD_BYTES;

    if (s->is_offered && s->offer.bytes.len + STREAM_AHEAD_BYTES < most)
        most = s->offer.bytes.len + STREAM_AHEAD_BYTES;
    return s->bytes.len < most ? most - s->bytes.len : 0;
}

static bool may_read(const struct stream *s)
{
    return s->has_socket && !s->is_over && !s->ends && !s->lacks_room && s->reply.len == 0 &&
           room(s) > 0;
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
        pause_for(s, STREAM_PAUSE_MIN_MS);
}

/* How much can be read: of nothing, too, one byte is read, so as to learn of the end. */
static size_t readable_bytes(const struct stream *s)
{
    size_t most = room(s) < NET_READ_BYTES ? room(s) : NET_READ_BYTES;
    int n = 0;

    if (ioctl(s->socket.transport.fd, FIONREAD, &n) < 0 || n < 1)
        n = 1;
    return (size_t)n < most ? (size_t)n : most;
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

/* Does what can be done now. `s` may be freed by it. */
static void go_on(struct stream *s)
{
    struct receiver *r = receiver_of(s);
    int events = 0;

    for (;;) {
        if (s->reply.len && !send_reply(s))
            break;
        if (s->state == STREAM_TAKING && (s->is_offered || (s->is_fresh && s->bytes.len)))
            take(s);
        else if (!net_loop_drains(&r->net) || !may_read(s))
            break;
        else if (!read_socket(s) && !s->lacks_room)
            come_to_end(s); /* it is not waited for what has not come by now */
    }
    if (s->state == STREAM_PAUSED && receiver_gives_up(r))
        return; /* stream_resume_all ends it */
    if (s->state == STREAM_TAKING && s->reply.len == 0 && (s->is_over || s->ends)) {
        end(s);
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

static void resume(struct stream *s)
{
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

void stream_resume_all(struct receiver *r)
{
    uint64_t now = uv_now(&r->net.uv);
    struct stream *due = NULL, **link = &r->paused;

    while (*link) {
        struct stream *s = *link;

        if (s->resume_at_ms > now && !receiver_gives_up(r)) {
            link = &s->next_paused;
            continue;
        }
        *link = s->next_paused;
        s->is_listed = false;
        s->next_paused = due;
        due = s;
    }
    while (due) {
        struct stream *next = due->next_paused;

        resume(due);
        due = next;
    }
    if (!r->paused)
        uv_timer_stop(&r->resume);
    ingest_flush(r->ingest); /* no round of the loop follows before it sleeps */
}

/* ---- What the loop tells ---- */

bool stream_new(struct listen_way *way, int fd)
{
    static const int on = 1, keepalive_s = STREAM_KEEPALIVE_S;
    struct receiver *r = way->receiver;
    struct stream *s = xcalloc(1, sizeof(*s));

    s->way = way;
    if (net_socket_open(&s->socket, &r->net, fd, false)) {
        free(s);
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
    if (getentropy(s->bits, sizeof(s->bits)) != 0)
        abort(); /* the kernel has no random numbers: ids would not be unique */
    s->has_socket = true;
    buffer_init(&s->bytes, format_of(s)->message_max + STREAM_AHEAD_BYTES);
    s->bytes.account = r->bodies;
    buffer_init(&s->reply, STREAM_REPLY_MAX);
    s->reply.account = r->answers;
    metrics_socket(way->way.protocol, METRIC_CONNECTIONS_OPEN, 1);
    if (format_of(s)->greet)
        format_of(s)->greet(way->stream_memory, s->session, &s->reply);
    s->ends = buffer_error(&s->reply);
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
