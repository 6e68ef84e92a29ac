#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- Its life ---- */

int net_socket_open(struct net_socket *s, struct net_loop *l, int fd, bool is_extra)
{
    if (uv_poll_init(&l->uv, &s->poll, fd) < 0) {
        close(fd);
        return LM_EIO;
    }
    s->loop = l;
    s->transport = (struct transport){l->transport, fd};
    s->poll.data = s;
    s->is_extra = is_extra;
    s->read_deadline.kind = s->write_deadline.kind = TIMEOUT_NONE;
    s->next = l->sockets;
    if (s->next)
        s->next->prev = s;
    l->sockets = s;
    l->sockets_len++;
    l->extra_len += is_extra;
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
    net_socket_written(s);
    if (s->prev)
        s->prev->next = s->next;
    else
        l->sockets = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->events = s->polled = 0;
    uv_close((uv_handle_t *)&s->poll, on_closed); /* takes it out of the loop at once */
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

/* ---- Waiting ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct net_socket *s = poll->data;
    const struct net_protocol *protocol = s->loop->protocol;

    if (status < 0) { /* the socket has failed */
        protocol->abort(s);
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
    int polled = s->transport.ops->wants(&s->transport, events);

    s->events = events;
    if ((events & UV_READABLE) && s->transport.ops->pending(&s->transport) > 0)
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
    ssize_t n = s->transport.ops->read(&s->transport, data, len);

    if (n > 0)
        net_count(&s->loop->counters.received, (uint64_t)n);
    if (n < 0 && (errno == EWOULDBLOCK || errno == EINTR))
        errno = EAGAIN;
    return n;
}

static void set_write_deadline(struct net_socket *s, enum timeout_kind kind)
{
    timeouts_set(&s->loop->timeouts, &s->write_deadline, kind, uv_now(&s->loop->uv));
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
    if (s->write_deadline.kind != TIMEOUT_NONE)
        set_write_deadline(s, TIMEOUT_NONE);
}
