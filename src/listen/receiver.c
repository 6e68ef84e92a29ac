#include "listen/receiver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "listen/datagrams.h"
#include "listen/pause.h"
#include "listen/stream.h"
#include "net/listen.h"

enum { NEVER_MS = 1 << 30, SOCKET_NAME_SIZE = 32 };

static struct receiver *receiver_of(struct net_loop *l)
{
    return container_of(l, struct receiver, net);
}

/* ---- What the loop asks ---- */

/* Past max_streams a client is refused: those who are here may be needed for hours. */
static bool welcome(struct net_listener *from, int fd, const struct sockaddr *address,
                    bool is_extra)
{
    struct listen_way *way = from->ctx;

    if (is_extra) {
        metrics_socket(way->way.protocol, METRIC_CONNECTIONS_REFUSED, 1);
        close(fd);
        return false;
    }
    return stream_new(way, &from->by, fd);
}

static bool adopt(struct net_loop *l, const struct given_socket *s, const struct sockaddr *address,
                  bool is_extra)
{
    struct receiver *r = receiver_of(l);

    for (size_t i = 0; i < r->ways_len && !is_extra; i++) {
        struct listen_way *way = &r->ways[i];

        if (strcmp(s->name, metrics_protocol_label(way->way.protocol)) == 0)
            return stream_adopt(way, s->fd, buffer_slice(&s->state));
    }
    close(s->fd);
    return false;
}

static void hung_up(struct net_socket *socket)
{
}

static void drained(struct net_loop *l)
{
    struct receiver *r = receiver_of(l);

    if (net_loop_drains(l))
        datagrams_drain_all(r);
    ingest_flush(r->ingest);
}

static bool hurries(struct pauses *all)
{
    return receiver_gives_up(container_of(all, struct receiver, pauses));
}

/* No round of the loop follows before it sleeps. */
static void resumed(struct pauses *all)
{
    ingest_flush(container_of(all, struct receiver, pauses)->ingest);
}

static void nothing(struct net_loop *l)
{
}

static bool owes(struct net_loop *l)
{
    struct receiver *r = receiver_of(l);

    return r->orphans > 0 || r->batches > 0 || r->datagrams_open > 0;
}

static void on_box_closed(struct mailbox *box)
{
}

static void on_hold_closed(struct hold *h)
{
}

static void close_handles(struct receiver *r)
{
    if (r->has_loop)
        pauses_close(&r->pauses);
    if (r->has_box)
        mailbox_close(&r->box, on_box_closed);
    if (r->has_hold)
        hold_close(&r->hold, on_hold_closed);
}

static void finished(struct net_loop *l)
{
    close_handles(receiver_of(l));
}

static const struct net_protocol protocol = {
    .welcome = welcome,
    .adopt = adopt,
    .readable = stream_readable,
    .turn = stream_turn,
    .hung_up = hung_up,
    .timed_out = stream_timed_out,
    .drain = stream_drain,
    .abort = stream_abort,
    .free = stream_free,
    .round = drained,
    .sent = nothing,
    .owes = owes,
    .finished = finished,
};

/* ---- Its beginning ---- */

static int use_datagrams(struct listen_way *w, int fd, unsigned buffer_bytes, struct errbuf *err)
{
    struct datagrams *d;
    unsigned got;

    got = listen_set_receive_buffer(fd, buffer_bytes);
    if (got < buffer_bytes)
        diag(DIAG_INFO, "the kernel keeps less of UDP than UDP_BUFFER_BYTES: net.core.rmem_max",
             DIAG_STR("protocol", metrics_protocol_label(w->way.protocol)),
             DIAG_INT("bytes", (int64_t)got));
    d = datagrams_new(w, fd, err);
    if (!d)
        return LM_EUNAVAILABLE;
    datagrams_start(d);
    return 0;
}

/* Whether the sockets of `a` are held by whoever has given them. */
static bool *held_flag(struct listen_way *w, const struct address *a)
{
    return a->is_udp ? &w->udp_is_held : a->is_tls ? &w->tls_is_held : &w->tcp_is_held;
}

/* The name of the sockets of one kind, as they are given and handed over. */
static void socket_name(const struct listen_way *w, bool is_tls, char name[SOCKET_NAME_SIZE])
{
    snprintf(name, SOCKET_NAME_SIZE, "%s%s", metrics_protocol_label(w->way.protocol),
             is_tls ? "-tls" : "");
}

static int use_socket(struct listen_way *w, const struct address *a, int fd,
                      const struct receiver_options *options, struct errbuf *err)
{
    const struct net_listener listener = {
        .fd = fd,
        .ctx = w,
        .by = a->is_tls ? options->tls : (struct transport_source){0},
        .is_held = *held_flag(w, a),
    };

    return a->is_udp ? use_datagrams(w, fd, options->udp_buffer_bytes, err)
                     : net_loop_add_listener(&w->receiver->net, &listener, err);
}

/* Uses what was given for an address. Returns how many sockets; or an error. */
static int use_given(struct listen_way *w, struct address *a,
                     const struct receiver_options *options, struct errbuf *err)
{
    char name[SOCKET_NAME_SIZE];
    const struct given_wish wish = {.kind = a->is_udp ? GIVEN_DATAGRAMS : GIVEN_LISTENS,
                                    .name = name,
                                    .host = a->host,
                                    .port = a->port};
    bool *is_held = held_flag(w, a);
    int *fds = NULL;

    socket_name(w, a->is_tls, name);
    size_t n = options->given ? given_take(options->given, &wish, &fds, is_held) : 0;
    int error = 0;

    if (n > 0)
        a->port = listen_port(fds[0]);
    for (size_t i = 0; i < n; i++) {
        if (error)
            close(fds[i]);
        else
            error = use_socket(w, a, fds[i], options, err);
    }
    free(fds);
    return error ? error : (int)n;
}

static int open_address(struct listen_way *w, struct address *a,
                        const struct receiver_options *options, struct errbuf *err)
{
    bool all_are_given = *held_flag(w, a);
    int fd, error;
    int given = all_are_given ? 0 : use_given(w, a, options, err);

    /* Whoever gives sockets by their name says by them where to listen. */
    if (given || all_are_given)
        return given < 0 ? given : 0;
    error = a->is_udp ? listen_open_datagrams(a->host, &a->port, &fd, err)
                      : listen_open(a->host, &a->port, &fd, 1, err);
    return error ? error : use_socket(w, a, fd, options, err);
}

static void *memory_of(const struct stream_format *format, const struct stream_setup *setup,
                       struct account *account)
{
    return format && format->memory_new ? format->memory_new(setup, account) : NULL;
}

static int open_way(struct receiver *r, const struct receiver_way *way,
                    const struct receiver_options *options, struct errbuf *err)
{
    struct listen_way *w = &r->ways[r->ways_len++];

    w->receiver = r;
    w->way = *way;
    w->addresses = *way->addresses;
    w->stream_memory = memory_of(way->stream, &options->setup, r->intake);
    w->datagram_memory = memory_of(way->datagram, &options->setup, r->intake);
    if (way->datagram && way->datagram->joiner)
        w->joiner = way->datagram->joiner->new(r->bodies);
    for (size_t i = 0; i < w->addresses.len; i++) {
        int error = open_address(w, &w->addresses.list[i], options, err);

        if (error)
            return error;
    }
    return 0;
}

static void close_way(struct listen_way *w)
{
    const struct receiver_way *way = &w->way;

    if (way->stream->memory_free)
        way->stream->memory_free(w->stream_memory);
    if (way->datagram && way->datagram->memory_free)
        way->datagram->memory_free(w->datagram_memory);
    if (way->datagram && way->datagram->joiner)
        way->datagram->joiner->free(w->joiner);
}

/* All that belongs to the loop, on which nothing runs yet. */
static int init(struct receiver *r, const struct receiver_options *options, struct errbuf *err)
{
    const unsigned timeouts_ms[TIMEOUT_KINDS] = {
        [TIMEOUT_IDLE] = options->stalled_ms ? options->stalled_ms : STREAM_STALLED_MS,
        [TIMEOUT_REQUEST] = STREAM_WAIT_MS,
        [TIMEOUT_WRITE] = options->write_timeout_ms,
        [TIMEOUT_LINGER] = NEVER_MS,
        [TIMEOUT_UPLOAD] = NEVER_MS,
        [TIMEOUT_EXTRA] = NEVER_MS,
        [TIMEOUT_SHAKE] = options->shake_timeout_ms ? options->shake_timeout_ms : NEVER_MS,
    };
    int error = net_loop_init(&r->net, &protocol, &r->shared, timeouts_ms, -1, err);

    if (error)
        return error;
    r->net.shakes = r->bodies;
    pauses_init(&r->pauses, &r->net.uv);
    r->pauses.hurries = hurries;
    r->pauses.resumed = resumed;
    r->has_loop = true;
    error = mailbox_init(&r->box, &r->net.uv, err);
    if (error)
        return error;
    r->has_box = true;
    error = hold_init(&r->hold, &r->net.uv, err);
    if (error)
        return error;
    r->has_hold = true;
    r->ingest = ingest_new(options->queue, r->intake, &r->box, &r->hold);
    for (size_t i = 0; i < options->ways_len; i++) {
        error = open_way(r, &options->ways[i], options, err);
        if (error)
            return error;
    }
    return net_loop_listen(&r->net, err);
}

static void run(void *arg)
{
    struct receiver *r = arg;

    pthread_setname_np(pthread_self(), "listen");
    uv_run(&r->net.uv, UV_RUN_DEFAULT);
}

struct receiver *receiver_new(const struct receiver_options *options, struct errbuf *err)
{
    struct receiver *r = xcalloc(1, sizeof(*r));

    CHECK(options->ways_len <= RECEIVER_WAYS_MAX);
    r->shared.max_sockets = options->max_streams;
    r->bodies = ledger_account(options->ledger, LEDGER_BODIES);
    r->intake = ledger_account(options->ledger, LEDGER_INTAKE);
    r->answers = ledger_account(options->ledger, LEDGER_ANSWERS);
    if (!init(r, options, err)) {
        int error = uv_thread_create(&r->thread, run, r);

        r->runs = !error;
        if (r->runs)
            return r;
        errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread: %s", uv_strerror(error));
    }
    receiver_free(r);
    return NULL;
}

void receiver_describe(const struct receiver *r, size_t index, struct buffer *text)
{
    const struct addresses *addresses = &r->ways[index].addresses;

    for (size_t i = 0; i < addresses->len; i++) {
        const struct address *a = &addresses->list[i];
        bool is_ipv6 = strchr(a->host, ':');

        buffer_appendf(text, "%s%s://%s%s%s:%u", i ? "," : "",
                       a->is_udp   ? "udp"
                       : a->is_tls ? "tls"
                                   : "tcp",
                       is_ipv6 ? "[" : "", a->host, is_ipv6 ? "]" : "", a->port);
    }
}

/* ---- From one process to the next ---- */

/* On its thread, before it stops. */
static void leave(struct net_loop *l, void *ctx)
{
    struct receiver *r = receiver_of(l);

    r->leaving = ctx;
    while (l->listeners) {
        const struct net_listener listener = *l->listeners;
        char name[SOCKET_NAME_SIZE];
        int fd = net_loop_take_listener(l);

        socket_name(listener.ctx, listener.by.ops, name);
        given_add(r->leaving, fd, name, listener.is_held);
    }
    datagrams_leave_all(r);
}

void receiver_hand_over(struct receiver *r, unsigned grace_ms, struct given *to, size_t max)
{
    r->leaving_max = max;
    r->is_stopped = r->has_ended = true;
    net_loop_stop_after(&r->net, grace_ms, leave, to);
    uv_thread_join(&r->thread);
}

void receiver_adopt(struct receiver *r, struct given *from)
{
    for (size_t i = 0; i < r->ways_len; i++) {
        const char *name = metrics_protocol_label(r->ways[i].way.protocol);
        struct given_socket taken;
        size_t at = 0;

        while (given_take_connection(from, name, &at, &taken))
            net_loop_adopt(&r->net, &taken);
    }
}

/* ---- Its end ---- */

void receiver_stop(struct receiver *r, unsigned grace_ms)
{
    if (!r->is_stopped)
        net_loop_stop(&r->net, grace_ms);
    r->is_stopped = true;
}

void receiver_free(struct receiver *r)
{
    if (!r)
        return;
    if (r->runs) {
        receiver_stop(r, 0);
        if (!r->has_ended)
            uv_thread_join(&r->thread);
    } else {
        datagrams_close_all(r);
        close_handles(r);
    }
    if (r->has_loop)
        net_loop_release(&r->net);
    datagrams_free_all(r);
    ingest_free(r->ingest);
    stream_free_spare(r);
    for (size_t i = 0; i < r->ways_len; i++)
        close_way(&r->ways[i]);
    free(r);
}
