#include "net/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "net/plain.h"

enum {
    ACCEPT_MAX = 64,      /* at a time, so that those who are here are served too */
    ACCEPT_RETRY_MS = 100 /* after the process ran out of descriptors or memory */
};

static const state_moves loop_moves[NET_LOOP_STATES] = {
    [NET_LOOP_SERVING] = STATE(NET_LOOP_DRAINING),
    [NET_LOOP_DRAINING] = STATE(NET_LOOP_FINISHED),
};

static void loop_move(struct net_loop *l, enum net_loop_state state)
{
    CHECK(state_may_move(loop_moves, l->state, state));
    l->state = state;
}

/* ---- The end ---- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void free_listener(uv_handle_t *handle)
{
    free(handle->data);
}

static void stop_listening(struct net_loop *l)
{
    while (l->listeners) {
        struct net_listener *listener = l->listeners;

        l->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, free_listener);
        close(listener->fd);
        listener->fd = -1;
    }
}

int net_loop_take_listener(struct net_loop *l)
{
    struct net_listener *listener = l->listeners;
    int fd;

    if (!listener)
        return -1;
    l->listeners = listener->next;
    fd = listener->fd;
    listener->fd = -1;
    uv_close((uv_handle_t *)&listener->poll, free_listener);
    return fd;
}

/* One that is to be taken in (net_loop_adopt). */
struct net_adopted {
    struct given_socket socket;
    struct net_adopted *next;
};

/* All that wait to be taken in, the last one first; with `no_more`, none will come after them. */
static struct net_adopted *take_adopted(struct net_loop *l, bool no_more)
{
    uv_mutex_lock(&l->adopt_lock);
    struct net_adopted *first = l->adopted;

    l->adopted = NULL;
    l->adopts_no_more |= no_more;
    uv_mutex_unlock(&l->adopt_lock);
    return first;
}

static void refuse_adopted(struct net_loop *l)
{
    struct net_adopted *next;

    for (struct net_adopted *a = take_adopted(l, true); a; a = next) {
        next = a->next;
        close(a->socket.fd);
        buffer_release(&a->socket.state);
        free(a);
    }
}

static void close_handles(struct net_loop *l)
{
    stop_listening(l);
    refuse_adopted(l);
    close_handle((uv_handle_t *)&l->adopt);
    close_handle((uv_handle_t *)&l->accept_retry);
    close_handle((uv_handle_t *)&l->tick);
    close_handle((uv_handle_t *)&l->grace);
    close_handle((uv_handle_t *)&l->check);
    close_handle((uv_handle_t *)&l->prepare);
    close_handle((uv_handle_t *)&l->stop);
}

/* If a drain is over: no sockets, nothing owed. The loop then runs out. */
static void maybe_finish(struct net_loop *l)
{
    if (l->state != NET_LOOP_DRAINING || l->sockets_len > 0 || l->protocol->owes(l))
        return;
    loop_move(l, NET_LOOP_FINISHED);
    close_handles(l);
    l->protocol->finished(l);
}

static void on_grace(uv_timer_t *timer)
{
    struct net_loop *l = timer->data;

    while (l->sockets)
        l->protocol->abort(l->sockets);
}

/* ---- Rounds of the loop ---- */

/* What the transport has read ahead is read now: the socket will not tell of it. */
static void read_pending(struct net_socket *s)
{
    if ((s->events & UV_READABLE) && s->transport.ops->pending(&s->transport) > 0)
        s->loop->protocol->readable(s);
}

static void give_turns(struct net_loop *l)
{
    while (l->queued) {
        struct net_socket *s = l->queued;

        l->queued = s->next_queued;
        s->is_queued = false;
        l->protocol->turn(s);
        read_pending(s);
    }
}

static void on_check(uv_check_t *check)
{
    struct net_loop *l = check->data;

    l->shakes_len = 0;
    l->protocol->round(l);
    give_turns(l);
    l->protocol->sent(l);
    maybe_finish(l);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct net_loop *l = prepare->data;

    give_turns(l);
    maybe_finish(l);
}

/* Some handshakes were put off for want of memory. */
static void go_on_shaking(struct net_loop *l)
{
    struct deadline *next;

    for (struct deadline *d = timeouts_first(&l->timeouts, TIMEOUT_SHAKE); d; d = next) {
        struct net_socket *s = container_of(d, struct net_socket, write_deadline);

        next = timeouts_next(&l->timeouts, d);
        if (s->is_put_off)
            l->protocol->turn(s); /* after which it waits for its poll again */
    }
}

static void tell_timed_out(struct net_loop *l, struct deadline *due, enum timeout_kind kind)
{
    bool writes = kind == TIMEOUT_WRITE || kind == TIMEOUT_SHAKE;
    struct net_socket *s = writes ? container_of(due, struct net_socket, write_deadline)
                                  : container_of(due, struct net_socket, read_deadline);

    if (kind == TIMEOUT_SHAKE) {
        net_count(&l->counters.late, 1);
        l->protocol->abort(s);
    } else {
        l->protocol->timed_out(s, kind);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct net_loop *l = timer->data;
    uint64_t now = uv_now(&l->uv);

    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        struct deadline *due;

        while ((due = timeouts_due(&l->timeouts, kind, now)))
            tell_timed_out(l, due, kind);
    }
    go_on_shaking(l);
}

/* ---- Accepting ---- */

static void start_tick(struct net_loop *l)
{
    unsigned tick = timeouts_tick_ms(&l->timeouts);

    if (!uv_is_active((uv_handle_t *)&l->tick))
        uv_timer_start(&l->tick, on_tick, tick, tick);
}

/* Makes room for one more socket past max_sockets. False: all have sent what they should. */
static bool make_room_for_extra(struct net_loop *l)
{
    struct deadline *oldest;

    if (l->extra_len < NET_EXTRA_SOCKETS)
        return true;
    oldest = timeouts_first(&l->timeouts, TIMEOUT_EXTRA);
    if (!oldest)
        return false;
    l->protocol->abort(container_of(oldest, struct net_socket, read_deadline));
    return true;
}

/* Takes in one client: past max_sockets, as an extra one. It comes `from` a listener, or as `s`. */
static void welcome(struct net_loop *l, struct net_listener *from, const struct given_socket *s,
                    int fd, const struct sockaddr *address)
{
    static const int on = 1;
    unsigned open = atomic_fetch_add_explicit(&l->shared->sockets_open, 1, memory_order_relaxed);
    bool too_many = open >= l->shared->max_sockets;
    bool is_in = false;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    net_count(&l->counters.accepted, 1);
    if (too_many && !make_room_for_extra(l))
        close(fd);
    else if (from)
        is_in = l->protocol->welcome(from, fd, address, too_many);
    else
        is_in = l->protocol->adopt(l, s, address, too_many);
    if (!is_in || too_many)
        atomic_fetch_sub_explicit(&l->shared->sockets_open, 1, memory_order_relaxed);
    if (is_in)
        start_tick(l);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_accept_retry(uv_timer_t *timer)
{
    struct net_loop *l = timer->data;

    for (struct net_listener *listener = l->listeners; listener; listener = listener->next)
        uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
}

static void accept_clients(struct net_listener *listener, int max)
{
    for (int i = 0; i < max; i++) {
        struct sockaddr_storage storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        socklen_t len = sizeof(storage);
        int fd = accept4(listener->fd, address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(listener->loop, listener, NULL, fd, address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The client stays in the backlog, so the socket stays readable: do not spin on it. */
            uv_poll_stop(&listener->poll);
            uv_timer_start(&listener->loop->accept_retry, on_accept_retry, ACCEPT_RETRY_MS, 0);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } /* else it is the client's connection that failed: the next */
    }
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    accept_clients(poll->data, ACCEPT_MAX);
}

int net_loop_listen(struct net_loop *l, struct errbuf *err)
{
    for (struct net_listener *listener = l->listeners; listener; listener = listener->next) {
        int error = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);

        if (error < 0)
            return errbuf_fail(err, LM_EIO, "cannot accept: %s", uv_strerror(error));
    }
    return 0;
}

/* ---- Taking in what another process has accepted ---- */

static void take_in_adopted(struct net_loop *l)
{
    struct net_adopted *next;

    for (struct net_adopted *a = take_adopted(l, false); a; a = next) {
        struct sockaddr_storage storage = {0};
        socklen_t len = sizeof(storage);

        next = a->next;
        if (l->protocol->adopt && !net_loop_drains(l) &&
            getpeername(a->socket.fd, (struct sockaddr *)&storage, &len) == 0)
            welcome(l, NULL, &a->socket, a->socket.fd, (struct sockaddr *)&storage);
        else
            close(a->socket.fd); /* it has gone, or will not be served any more */
        buffer_release(&a->socket.state);
        free(a);
    }
}

static void on_adopt(uv_async_t *async)
{
    take_in_adopted(async->data);
}

void net_loop_adopt(struct net_loop *l, const struct given_socket *s)
{
    struct net_adopted *a = xcalloc(1, sizeof(*a));

    a->socket = *s;
    uv_mutex_lock(&l->adopt_lock);
    bool is_refused = l->adopts_no_more;
    a->next = l->adopted;
    l->adopted = a;
    if (!is_refused)
        uv_async_send(&l->adopt);
    uv_mutex_unlock(&l->adopt_lock);
    if (is_refused)
        refuse_adopted(l);
}

/* ---- Stopping ---- */

static void start_grace(struct net_loop *l)
{
    unsigned grace_ms = atomic_load_explicit(&l->grace_ms, memory_order_relaxed);
    bool is_sooner = uv_timer_get_due_in(&l->grace) > grace_ms;

    if (is_sooner || !uv_is_active((uv_handle_t *)&l->grace))
        uv_timer_start(&l->grace, on_grace, grace_ms, 0);
}

static void on_stop(uv_async_t *async)
{
    struct net_loop *l = async->data;
    struct net_socket *next;

    if (net_loop_drains(l)) {
        if (l->state == NET_LOOP_DRAINING)
            start_grace(l);
        return;
    }
    /* They came before the stop, though libuv may tell of it first. */
    take_in_adopted(l);
    if (l->before_stop) {
        give_turns(l);
        l->before_stop(l, l->before_stop_ctx);
    }
    /* Closing the sockets would reset who waits in their backlogs. */
    for (struct net_listener *listener = l->listeners; listener; listener = listener->next) {
        if (!listener->is_held)
            accept_clients(listener, SOMAXCONN);
    }
    loop_move(l, NET_LOOP_DRAINING);
    stop_listening(l);
    for (struct net_socket *s = l->sockets; s; s = next) {
        next = s->next;
        if (!s->shake_began) /* else it is served for as long as there is time */
            l->protocol->drain(s);
    }
    start_grace(l);
}

void net_loop_stop_after(struct net_loop *l, unsigned grace_ms,
                         void (*first)(struct net_loop *l, void *ctx), void *ctx)
{
    l->before_stop = first; /* uv_async_send orders it before on_stop */
    l->before_stop_ctx = ctx;
    net_loop_stop(l, grace_ms);
}

void net_loop_stop(struct net_loop *l, unsigned grace_ms)
{
    atomic_store_explicit(&l->grace_ms, grace_ms, memory_order_relaxed);
    uv_async_send(&l->stop);
}

/* ---- Beginning ---- */

static int init_handles(struct net_loop *l)
{
    int error;

    if ((error = uv_timer_init(&l->uv, &l->accept_retry)) < 0 ||
        (error = uv_timer_init(&l->uv, &l->tick)) < 0 ||
        (error = uv_timer_init(&l->uv, &l->grace)) < 0 ||
        (error = uv_check_init(&l->uv, &l->check)) < 0 ||
        (error = uv_prepare_init(&l->uv, &l->prepare)) < 0 ||
        (error = uv_async_init(&l->uv, &l->stop, on_stop)) < 0 ||
        (error = uv_async_init(&l->uv, &l->adopt, on_adopt)) < 0 ||
        (error = uv_mutex_init(&l->adopt_lock)) < 0)
        return error;
    l->accept_retry.data = l->tick.data = l->grace.data = l;
    l->check.data = l->prepare.data = l->stop.data = l->adopt.data = l;
    uv_check_start(&l->check, on_check);
    uv_prepare_start(&l->prepare, on_prepare);
    return 0;
}

int net_loop_add_listener(struct net_loop *l, const struct net_listener *from, struct errbuf *err)
{
    struct net_listener *listener = xcalloc(1, sizeof(*listener));
    int error = uv_poll_init(&l->uv, &listener->poll, from->fd);

    if (error < 0) {
        free(listener);
        close(from->fd);
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot watch a socket: %s", uv_strerror(error));
    }
    listener->loop = l;
    listener->fd = from->fd;
    listener->ctx = from->ctx;
    listener->by = from->by;
    listener->is_held = from->is_held;
    listener->poll.data = listener;
    listener->next = l->listeners;
    l->listeners = listener;
    return 0;
}

int net_loop_init(struct net_loop *l, const struct net_protocol *protocol,
                  struct net_shared *shared, const unsigned timeouts_ms[TIMEOUT_KINDS],
                  int listen_fd, struct errbuf *err)
{
    int error = uv_loop_init(&l->uv);

    l->protocol = protocol;
    l->transport = &plain_transport;
    l->shared = shared;
    timeouts_init(&l->timeouts, timeouts_ms);
    if (!error)
        error = init_handles(l);
    if (!error)
        return listen_fd < 0
                   ? 0
                   : net_loop_add_listener(l, &(struct net_listener){.fd = listen_fd}, err);
    if (listen_fd >= 0)
        close(listen_fd);
    return errbuf_fail(err, LM_EUNAVAILABLE, "cannot make an event loop: %s", uv_strerror(error));
}

void net_loop_release(struct net_loop *l)
{
    /* It never ran; without waiting, for a hook that failed may leave handles. */
    if (l->state != NET_LOOP_FINISHED) {
        close_handles(l);
        uv_run(&l->uv, UV_RUN_NOWAIT);
        uv_run(&l->uv, UV_RUN_NOWAIT);
    }
    uv_loop_close(&l->uv);
    uv_mutex_destroy(&l->adopt_lock);
}
