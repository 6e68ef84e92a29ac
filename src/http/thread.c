#include "http/thread.h"

#include <stdlib.h>

#include "base/container_of.h"
#include "base/xalloc.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/spare.h"

enum { SCRATCH_MAX = 64 * 1024 }; /* the body of an error */

/* ---- What the loop asks ---- */

static struct http_thread *thread_of(struct net_loop *l)
{
    return container_of(l, struct http_thread, net);
}

static bool welcome(struct net_listener *from, int fd, const struct sockaddr *address,
                    bool is_extra)
{
    return exchange_new(thread_of(from->loop), &from->by, fd, address, is_extra);
}

/* It has no state: it waited for its next request. */
static bool adopt(struct net_loop *l, const struct given_socket *s, const struct sockaddr *address,
                  bool is_extra)
{
    return exchange_new(thread_of(l), NULL, s->fd, address, is_extra);
}

static void drained(struct net_loop *l)
{
    struct http_thread *t = thread_of(l);

    if (t->shared->options.hooks.thread_drained)
        t->shared->options.hooks.thread_drained(t->context);
}

static void relieve(struct net_loop *l)
{
    exchange_relieve(thread_of(l));
}

static bool owes_answers(struct net_loop *l)
{
    return thread_of(l)->requests_under_way > 0;
}

static void finished(struct net_loop *l)
{
    struct http_thread *t = thread_of(l);

    if (t->shared->options.hooks.thread_stop)
        t->shared->options.hooks.thread_stop(t->context);
}

static struct connection *connection_of(struct net_socket *s)
{
    return container_of(s, struct connection, socket);
}

static bool leaves(struct net_socket *s)
{
    return exchange_rests(connection_of(s));
}

static void readable(struct net_socket *s)
{
    exchange_readable(connection_of(s));
}

static void take_turn(struct net_socket *s)
{
    exchange_send(connection_of(s));
}

static void hung_up(struct net_socket *s)
{
    exchange_hung_up(connection_of(s));
}

static void timed_out(struct net_socket *s, enum timeout_kind kind)
{
    exchange_timed_out(connection_of(s), kind);
}

static void drain(struct net_socket *s)
{
    exchange_drain(connection_of(s));
}

static void abort_it(struct net_socket *s)
{
    connection_abort(connection_of(s));
}

static void free_it(struct net_socket *s)
{
    free(connection_of(s));
}

static const struct net_protocol protocol = {
    .welcome = welcome,
    .adopt = adopt,
    .leaves = leaves,
    .readable = readable,
    .turn = take_turn,
    .hung_up = hung_up,
    .timed_out = timed_out,
    .drain = drain,
    .abort = abort_it,
    .free = free_it,
    .round = drained,
    .sent = relieve,
    .owes = owes_answers,
    .finished = finished,
};

/* ---- Its life ---- */

struct http_thread *http_thread_new(struct http_shared *shared, unsigned index, int listen_fd,
                                    struct errbuf *err)
{
    const struct http_server_options *o = &shared->options;
    struct http_thread *t = xcalloc(1, sizeof(*t));
    const unsigned timeouts_ms[TIMEOUT_KINDS] = {
        [TIMEOUT_IDLE] = o->idle_timeout_ms,     [TIMEOUT_REQUEST] = o->request_timeout_ms,
        [TIMEOUT_UPLOAD] = o->upload_timeout_ms, [TIMEOUT_WRITE] = o->write_timeout_ms,
        [TIMEOUT_LINGER] = CONNECTION_LINGER_MS, [TIMEOUT_EXTRA] = HTTP_EXTRA_MS,
        [TIMEOUT_SHAKE] = o->shake_timeout_ms,
    };

    t->shared = shared;
    t->index = index;
    t->limits = (struct message_limits){.max_header_bytes = o->max_header_bytes,
                                        .max_body_bytes = o->max_body_bytes,
                                        .max_batch_bytes = o->max_batch_bytes,
                                        .bodies = o->bodies,
                                        .router = shared->router,
                                        .options = o};
    buffer_init(&t->scratch, SCRATCH_MAX);
    if (net_loop_init(&t->net, &protocol, &shared->net, timeouts_ms, listen_fd, err)) {
        free(t);
        return NULL;
    }
    t->net.shakes = o->bodies;
    t->inflater = inflater_new();
    return t;
}

int http_thread_start(struct http_thread *t, struct errbuf *err)
{
    const struct http_hooks *hooks = &t->shared->options.hooks;

    if (!hooks->thread_start)
        return 0;
    t->context = hooks->thread_start(&t->net.uv, t->index, hooks->ctx, err);
    if (err->text[0] != '\0')
        return LM_EUNAVAILABLE;
    if (!t->context)
        return errbuf_fail(err, LM_EUNAVAILABLE, "http thread %u did not start", t->index);
    return 0;
}

void http_thread_free(struct http_thread *t)
{
    if (!t)
        return;
    net_loop_release(&t->net);
    spare_free_all(t);
    inflater_free(t->inflater);
    buffer_release(&t->scratch);
    free(t);
}
