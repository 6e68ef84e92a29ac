#include "http/thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "http/connection.h"

enum {
    ACCEPT_MAX = 64,       /* at a time, so that those who are here are served too */
    ACCEPT_RETRY_MS = 100, /* after the process ran out of descriptors or memory */
    FREE_MESSAGES_MAX = 16,
    SCRATCH_MAX = 64 * 1024 /* the body of an error */
};

static ssize_t receive_bytes(int fd, void *data, size_t len)
{
    return recv(fd, data, len, 0);
}

static ssize_t send_bytes(int fd, const struct iovec *pieces, int pieces_len)
{
    if (pieces_len == 1)
        return send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                         .msg_iovlen = (size_t)pieces_len};
    return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* ---- What connections share ---- */

struct message *http_thread_take_message(struct http_thread *t)
{
    struct message *m = t->free_messages;
    if (m != NULL) {
        t->free_messages = m->next_free;
        t->free_messages_len--;
        return m;
    }
    m = xmalloc(sizeof(*m));
    message_init(m, &t->limits);
    return m;
}

void http_thread_give_message(struct http_thread *t, struct message *m)
{
    message_end(m);
    if (t->free_messages_len == FREE_MESSAGES_MAX) {
        message_release(m);
        free(m);
        return;
    }
    m->next_free = t->free_messages;
    t->free_messages = m;
    t->free_messages_len++;
}

/* ---- The end ---- */

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void stop_listening(struct http_thread *t)
{
    if (t->listen_fd < 0)
        return;
    close_handle((uv_handle_t *)&t->listener);
    close(t->listen_fd);
    t->listen_fd = -1;
}

static void close_handles(struct http_thread *t)
{
    stop_listening(t);
    close_handle((uv_handle_t *)&t->accept_retry);
    close_handle((uv_handle_t *)&t->tick);
    close_handle((uv_handle_t *)&t->grace);
    close_handle((uv_handle_t *)&t->check);
    close_handle((uv_handle_t *)&t->prepare);
    close_handle((uv_handle_t *)&t->stop);
}

/* Where a drain is over: no connections, no handler that owes an answer. The loop then runs out. */
static void maybe_finish(struct http_thread *t)
{
    if (!t->draining || t->finished || t->connections_len > 0 || t->requests_under_way > 0)
        return;
    t->finished = true;
    close_handles(t);
    if (t->shared->options.hooks.thread_stop != NULL)
        t->shared->options.hooks.thread_stop(t->context);
}

void http_thread_connection_closed(struct http_thread *t)
{
    if (t->connections_len == 0 && !t->finished)
        uv_timer_stop(&t->tick);
}

static void on_grace(uv_timer_t *timer)
{
    struct http_thread *t = timer->data;
    while (t->connections != NULL)
        connection_abort(t->connections);
}

/* ---- Rounds of the loop ---- */

static void send_dirty(struct http_thread *t)
{
    while (t->dirty != NULL) {
        struct connection *c = t->dirty;
        t->dirty = c->next_dirty;
        c->is_dirty = false;
        /* It may have been closed since, but is freed only at the end of the round. */
        connection_send(c);
    }
}

static void on_check(uv_check_t *check)
{
    struct http_thread *t = check->data;
    if (t->shared->options.hooks.thread_drained != NULL)
        t->shared->options.hooks.thread_drained(t->context);
    send_dirty(t);
    connection_relieve(t);
    maybe_finish(t);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct http_thread *t = prepare->data;
    send_dirty(t);
    maybe_finish(t);
}

static void on_tick(uv_timer_t *timer)
{
    struct http_thread *t = timer->data;
    uint64_t now = uv_now(&t->loop);
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++) {
        struct deadline *due;
        while ((due = timeouts_due(&t->timeouts, kind, now)) != NULL) {
            struct connection *c = kind == TIMEOUT_WRITE ? connection_of_write_deadline(due)
                                                         : connection_of_read_deadline(due);
            connection_timed_out(c, kind);
        }
    }
}

/* ---- Accepting ---- */

static void start_tick(struct http_thread *t)
{
    unsigned tick = timeouts_tick_ms(&t->timeouts);
    if (!uv_is_active((uv_handle_t *)&t->tick))
        uv_timer_start(&t->tick, on_tick, tick, tick);
}

/* Makes room for one more connection past max_connections. False: all have sent their request. */
static bool make_room_for_extra(struct http_thread *t)
{
    if (t->extra_len < HTTP_EXTRA_CONNECTIONS)
        return true;
    struct deadline *oldest = timeouts_first(&t->timeouts, TIMEOUT_EXTRA);
    if (oldest == NULL)
        return false;
    connection_abort(connection_of_read_deadline(oldest));
    return true;
}

/* Takes in one client: past max_connections, for what is reserved. */
static void welcome(struct http_thread *t, int fd, const struct sockaddr *address)
{
    static const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    http_count(&t->counters.accepted, 1);
    unsigned open =
        atomic_fetch_add_explicit(&t->shared->connections_open, 1, memory_order_relaxed);
    bool too_many = open >= t->shared->options.max_connections;
    struct connection *c = NULL;
    if (too_many && !make_room_for_extra(t))
        close(fd);
    else
        c = connection_new(t, fd, address, too_many);
    if (c == NULL || too_many)
        atomic_fetch_sub_explicit(&t->shared->connections_open, 1, memory_order_relaxed);
    if (c != NULL)
        start_tick(t);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_accept_retry(uv_timer_t *timer)
{
    struct http_thread *t = timer->data;
    if (t->listen_fd >= 0)
        uv_poll_start(&t->listener, UV_READABLE, on_acceptable);
}

static void accept_clients(struct http_thread *t, int max)
{
    for (int i = 0; i < max; i++) {
        struct sockaddr_storage storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        socklen_t len = sizeof(storage);
        int fd = accept4(t->listen_fd, address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(t, fd, address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The client stays in the backlog, so the socket stays readable: do not spin on it. */
            uv_poll_stop(&t->listener);
            uv_timer_start(&t->accept_retry, on_accept_retry, ACCEPT_RETRY_MS, 0);
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

int http_thread_listen(struct http_thread *t, struct errbuf *err)
{
    int error = uv_poll_start(&t->listener, UV_READABLE, on_acceptable);
    return error < 0 ? errbuf_fail(err, LM_EIO, "cannot accept: %s", uv_strerror(error)) : 0;
}

/* ---- Stopping ---- */

static void on_stop(uv_async_t *async)
{
    struct http_thread *t = async->data;
    if (t->draining)
        return;
    if (t->listen_fd >= 0)
        accept_clients(t, SOMAXCONN); /* closing the socket would reset who waits in its backlog */
    t->draining = true;
    stop_listening(t);
    struct connection *next;
    for (struct connection *c = t->connections; c != NULL; c = next) {
        next = c->next; /* draining one connection closes no other */
        connection_drain(c);
    }
    uv_timer_start(&t->grace, on_grace, atomic_load_explicit(&t->grace_ms, memory_order_relaxed),
                   0);
}

void http_thread_stop(struct http_thread *t, unsigned grace_ms)
{
    atomic_store_explicit(&t->grace_ms, grace_ms, memory_order_relaxed);
    uv_async_send(&t->stop);
}

/* ---- Beginning ---- */

static int init_handles(struct http_thread *t)
{
    int error;
    if ((error = uv_timer_init(&t->loop, &t->accept_retry)) < 0 ||
        (error = uv_timer_init(&t->loop, &t->tick)) < 0 ||
        (error = uv_timer_init(&t->loop, &t->grace)) < 0 ||
        (error = uv_check_init(&t->loop, &t->check)) < 0 ||
        (error = uv_prepare_init(&t->loop, &t->prepare)) < 0 ||
        (error = uv_async_init(&t->loop, &t->stop, on_stop)) < 0)
        return error;
    if (t->listen_fd >= 0 && (error = uv_poll_init(&t->loop, &t->listener, t->listen_fd)) < 0)
        return error;
    t->listener.data = t->accept_retry.data = t->tick.data = t->grace.data = t;
    t->check.data = t->prepare.data = t->stop.data = t;
    uv_check_start(&t->check, on_check);
    uv_prepare_start(&t->prepare, on_prepare);
    return 0;
}

struct http_thread *http_thread_new(struct http_shared *shared, unsigned index, int listen_fd,
                                    struct errbuf *err)
{
    const struct http_server_options *o = &shared->options;
    struct http_thread *t = xcalloc(1, sizeof(*t));
    t->shared = shared;
    t->index = index;
    t->listen_fd = listen_fd;
    t->io = (struct http_io){receive_bytes, send_bytes};
    t->limits = (struct message_limits){.max_header_bytes = o->max_header_bytes,
                                        .max_body_bytes = o->max_body_bytes,
                                        .bodies = o->bodies,
                                        .router = shared->router,
                                        .options = o};
    timeouts_init(&t->timeouts, (const unsigned[TIMEOUT_KINDS]){
                                    [TIMEOUT_IDLE] = o->idle_timeout_ms,
                                    [TIMEOUT_REQUEST] = o->request_timeout_ms,
                                    [TIMEOUT_WRITE] = o->write_timeout_ms,
                                    [TIMEOUT_LINGER] = CONNECTION_LINGER_MS,
                                    [TIMEOUT_EXTRA] = HTTP_EXTRA_MS,
                                });
    buffer_init(&t->scratch, SCRATCH_MAX);
    int error = uv_loop_init(&t->loop);
    if (error == 0)
        error = init_handles(t);
    if (error < 0) {
        errbuf_set(err, "cannot make an event loop: %s", uv_strerror(error));
        if (listen_fd >= 0)
            close(listen_fd);
        free(t); /* a loop that could not be made is not worth undoing: the start fails */
        return NULL;
    }
    t->inflater = inflater_new();
    return t;
}

void http_thread_free(struct http_thread *t)
{
    if (t == NULL)
        return;
    if (!t->finished) { /* it never ran; without waiting, for a hook that failed may leave handles
                         */
        close_handles(t);
        uv_run(&t->loop, UV_RUN_NOWAIT);
        uv_run(&t->loop, UV_RUN_NOWAIT);
    }
    uv_loop_close(&t->loop);
    while (t->free_messages != NULL) {
        struct message *m = t->free_messages;
        t->free_messages = m->next_free;
        message_release(m);
        free(m);
    }
    request_free_all(t);
    inflater_free(t->inflater);
    buffer_release(&t->scratch);
    free(t);
}
