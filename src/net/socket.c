#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- Its life ---- */

static void set_write_deadline(struct net_socket *s, enum timeout_kind kind)
{
    timeouts_set(&s->loop->timeouts, &s->write_deadline, kind, uv_now(&s->loop->uv));
}

/* The handshake is over, or the socket is: what was charged for it is given back. */
static void stop_shaking(struct net_socket *s)
{
    if (s->shake_began && s->loop->shakes)
        account_give(s->loop->shakes, s->transport.ops->shake_bytes);
    s->is_shaking = s->shake_began = s->is_put_off = false;
    set_write_deadline(s, TIMEOUT_NONE);
}

int net_socket_open(struct net_socket *s, struct net_loop *l, const struct transport_source *by,
                    int fd, bool is_extra)
{
    const struct transport_source own = {.ops = l->transport};

    if (!by || !by->ops)
        by = &own;
    s->transport = (struct transport){.ops = by->ops, .fd = fd};
    if (by->ops->open && by->ops->open(&s->transport, by->ctx)) {
        close(fd);
        return LM_EIO;
    }
    if (uv_poll_init(&l->uv, &s->poll, fd) < 0) {
        if (by->ops->close)
            by->ops->close(&s->transport);
        close(fd);
        return LM_EIO;
    }
    s->loop = l;
    s->poll.data = s;
    s->is_extra = is_extra;
    s->read_deadline.kind = s->write_deadline.kind = TIMEOUT_NONE;
    s->next = l->sockets;
    if (s->next)
        s->next->prev = s;
    l->sockets = s;
    l->sockets_len++;
    l->extra_len += is_extra;
    s->is_shaking = transport_is_private(&s->transport);
    if (s->is_shaking)
        set_write_deadline(s, TIMEOUT_SHAKE);
    return 0;
}

/* It may have been queued since the last turns were given. */
static void leave_queue(struct net_socket *s)
{
    struct net_socket **link = &s->loop->queued;

    if (!s->is_queued)
        return;
    while (*link != s)
        link = &(*link)->next_queued;
    *link = s->next_queued;
}

static void on_closed(uv_handle_t *handle)
{
    struct net_socket *s = handle->data;
    struct net_loop *l = s->loop;

    leave_queue(s);
    l->protocol->free(s);
    if (l->sockets_len == 0 && l->state != NET_LOOP_FINISHED)
        uv_timer_stop(&l->tick);
}

void net_socket_close(struct net_socket *s)
{
    struct net_loop *l = s->loop;

    net_socket_set_deadline(s, TIMEOUT_NONE);
    stop_shaking(s);
    if (s->prev)
        s->prev->next = s->next;
    else
        l->sockets = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->events = s->polled = 0;
    uv_close((uv_handle_t *)&s->poll, on_closed); /* takes it out of the loop at once */
    if (s->transport.ops->close)
        s->transport.ops->close(&s->transport);
    close(s->transport.fd);
    l->sockets_len--;
    if (s->is_extra)
        l->extra_len--;
    else
        atomic_fetch_sub_explicit(&l->shared->sockets_open, 1, memory_order_relaxed);
}

int net_socket_leave(struct net_socket *s)
{
    int fd = fcntl(s->transport.fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0)
        s->loop->protocol->abort(s); /* which closes the other descriptor */
    return fd;
}

void net_socket_queue(struct net_socket *s)
{
    if (s->is_queued)
        return;
    s->is_queued = true;
    s->next_queued = s->loop->queued;
    s->loop->queued = s;
}

void net_socket_end(struct net_socket *s)
{
    if (s->transport.ops->end && !s->is_shaking)
        s->transport.ops->end(&s->transport);
    shutdown(s->transport.fd, SHUT_WR);
}

const char *net_socket_peer(const struct net_socket *s)
{
    return s->transport.ops->peer && !s->is_shaking ? s->transport.ops->peer(&s->transport) : NULL;
}

/* ---- Shaking hands ---- */

/* Each is charged from the first bytes of the client's on. False: there is no room now. */
static bool begin_shaking(struct net_socket *s)
{
    struct account *account = s->loop->shakes;

    if (s->shake_began)
        return true;
    s->shake_began = !account || account_take(account, s->transport.ops->shake_bytes);
    s->is_put_off = !s->shake_began;
    return s->shake_began;
}

/* The client has sent something of it, or takes something of it. */
static void go_on_shaking(struct net_socket *s)
{
    struct net_loop *l = s->loop;

    if (l->shakes_len == NET_SHAKES_A_ROUND)
        return; /* the poll tells of it again */
    l->shakes_len++;
    if (!begin_shaking(s)) {
        uv_poll_stop(&s->poll);
        s->polled = 0;
    } else if (s->transport.ops->shake(&s->transport) == 0) {
        net_count(&l->counters.shaken, 1);
        stop_shaking(s);
        net_socket_wait(s, s->events);
        if (net_loop_drains(l))
            l->protocol->drain(s);
        else
            net_socket_queue(s);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        net_socket_wait(s, s->events);
    } else {
        net_count(&l->counters.unshaken, 1);
        l->protocol->abort(s);
    }
}

/* ---- Waiting ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct net_socket *s = poll->data;
    const struct net_protocol *protocol = s->loop->protocol;

    if (status < 0) { /* the socket has failed */
        protocol->abort(s);
        return;
    }
    if (s->is_shaking) {
        go_on_shaking(s);
        return;
    }
    if (s->polled != s->events && (events & (UV_READABLE | UV_WRITABLE)))
        events |= s->events & (UV_READABLE | UV_WRITABLE); /* the transport waited in its own way */
    if (events & UV_DISCONNECT)
        protocol->hung_up(s);
    else if (events & UV_WRITABLE)
        protocol->turn(s);
    if (events & UV_READABLE & s->events)
        protocol->readable(s);
}

void net_socket_wait(struct net_socket *s, int events)
{
    bool is_shaking = s->is_shaking;
    int polled = s->transport.ops->wants(&s->transport, is_shaking ? UV_READABLE : events);

    s->events = events;
    s->is_put_off = false;
    if (!is_shaking && (events & UV_READABLE) && s->transport.ops->pending(&s->transport) > 0)
        net_socket_queue(s);
    if (polled == s->polled)
        return;
    s->polled = polled;
    if (polled == 0)
        uv_poll_stop(&s->poll);
    else
        uv_poll_start(&s->poll, polled, on_event);
}

void net_socket_set_deadline(struct net_socket *s, enum timeout_kind kind)
{
    timeouts_set(&s->loop->timeouts, &s->read_deadline, kind, uv_now(&s->loop->uv));
}

/* ---- Bytes ---- */

ssize_t net_socket_read(struct net_socket *s, void *data, size_t len)
{
    ssize_t n = -1;

    if (s->is_shaking)
        errno = EAGAIN;
    else
        n = s->transport.ops->read(&s->transport, data, len);
    if (n > 0)
        net_count(&s->loop->counters.received, (uint64_t)n);
    if (n < 0 && (errno == EWOULDBLOCK || errno == EINTR))
        errno = EAGAIN;
    return n;
}

size_t net_socket_readable(const struct net_socket *s)
{
    int n = 0;

    if (ioctl(s->transport.fd, FIONREAD, &n) < 0 || n < 0)
        n = 0;
    size_t all = (size_t)n + s->transport.ops->pending(&s->transport);
    return all > 0 ? all : 1;
}

/* The client has taken `n` bytes, and there were more. */
static void taken_in_part(struct net_socket *s, size_t n)
{
    s->lot_taken += n;
    if (s->write_deadline.kind == TIMEOUT_NONE || s->lot_taken >= NET_WRITE_LOT_BYTES) {
        set_write_deadline(s, TIMEOUT_WRITE);
        s->lot_taken = 0;
    }
}

ssize_t net_socket_write(struct net_socket *s, const struct iovec *pieces, int pieces_len,
                         size_t total)
{
    ssize_t n;

    if (s->is_shaking)
        return 0;
    do
        n = s->transport.ops->write(&s->transport, pieces, pieces_len);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
        return -1;
    if (n < 0)
        n = 0;
    net_count(&s->loop->counters.sent, (uint64_t)n);
    if ((size_t)n < total)
        taken_in_part(s, (size_t)n);
    return n;
}

void net_socket_written(struct net_socket *s)
{
    if (s->write_deadline.kind == TIMEOUT_WRITE)
        set_write_deadline(s, TIMEOUT_NONE);
}
