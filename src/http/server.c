#include <stdlib.h>

#include "base/container_of.h"
#include "base/xalloc.h"
#include "http/http.h"
#include "http/router.h"
#include "http/thread.h"
#include "net/server.h"

struct http_server {
    struct http_shared shared;
    struct net_server *net;
};

static void fill_defaults(struct http_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field != 0 ? o->field : (value)
    DEFAULT(threads, 1);
    DEFAULT(max_connections, 10000);
    DEFAULT(max_body_bytes, 1024 * 1024);
    if (o->max_batch_bytes < o->max_body_bytes)
        o->max_batch_bytes = o->max_body_bytes;
    DEFAULT(max_header_bytes, 16 * 1024);
    DEFAULT(max_connection_bytes, 4 * 1024 * 1024);
    DEFAULT(shake_timeout_ms, 10000);
    DEFAULT(idle_timeout_ms, 75000);
    DEFAULT(request_timeout_ms, 30000);
    DEFAULT(upload_timeout_ms, 86400000);
    DEFAULT(write_timeout_ms, 30000);
#undef DEFAULT
    if (!o->host)
        o->host = "127.0.0.1";
}

static struct http_thread *thread_of(struct net_loop *l)
{
    return container_of(l, struct http_thread, net);
}

static struct net_loop *loop_new(void *ctx, unsigned index, struct errbuf *err)
{
    struct http_server *s = ctx;
    struct http_thread *t = http_thread_new(&s->shared, index, -1, err);

    return t ? &t->net : NULL;
}

static int loop_start(struct net_loop *l, struct errbuf *err)
{
    return http_thread_start(thread_of(l), err);
}

static void loop_free(struct net_loop *l)
{
    if (l)
        http_thread_free(thread_of(l));
}

struct http_server *http_server_new(const struct http_server_options *options, struct errbuf *err)
{
    struct errbuf own = ERRBUF_INIT;
    struct http_server *s = xcalloc(1, sizeof(*s));
    struct http_server_options *o = &s->shared.options;

    if (!err)
        err = &own;
    *o = *options;
    fill_defaults(o);
    s->shared.net.max_sockets = o->max_connections;
    s->shared.router = router_new(options->routes, err);
    if (!s->shared.router)
        goto fail;
    const struct net_place place = {.host = o->host,
                                    .port = o->port,
                                    .fds = o->fds,
                                    .fds_len = o->fds_len,
                                    .fds_are_held = o->fds_are_held,
                                    .by = o->by};
    s->net = net_server_new(&(struct net_server_options){.places = {place, o->also},
                                                         .places_len = o->also.host ? 2 : 1,
                                                         .threads = o->threads,
                                                         .name = "http",
                                                         .loop_new = loop_new,
                                                         .loop_start = loop_start,
                                                         .loop_free = loop_free,
                                                         .ctx = s},
                            err);
    if (!s->net)
        goto fail;
    return s;

fail:
    router_free(s->shared.router);
    free(s);
    return NULL;
}

unsigned http_server_port(const struct http_server *s)
{
    return net_server_port(s->net, 0);
}

unsigned http_server_also_port(const struct http_server *s)
{
    return net_server_port(s->net, 1);
}

/* Requests that are under way are not handed over, so what runs on has to be answered here. */
void http_server_hand_over(struct http_server *s, unsigned grace_ms, struct given *to,
                           const char *name, size_t max)
{
    net_server_hand_over(s->net, grace_ms, to, name, max);
}

void http_server_adopt(struct http_server *s, struct given *from, const char *name)
{
    net_server_adopt(s->net, from, name);
}

void http_server_stop(struct http_server *s, unsigned grace_ms)
{
    net_server_stop(s->net, grace_ms);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    net_server_free(s->net);
    router_free(s->shared.router);
    free(s);
}

/* ---- Figures ---- */

static uint64_t read_counter(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void http_server_stats(struct http_server *s, struct http_stats *stats)
{
    *stats = (struct http_stats){.connections_open = atomic_load_explicit(
                                     &s->shared.net.sockets_open, memory_order_relaxed)};
    for (unsigned i = 0; i < s->shared.options.threads; i++) {
        struct http_thread *t = thread_of(net_server_loop(s->net, i));

        stats->connections_accepted += read_counter(&t->net.counters.accepted);
        stats->bytes_received += read_counter(&t->net.counters.received);
        stats->bytes_sent += read_counter(&t->net.counters.sent);
        stats->handshakes_done += read_counter(&t->net.counters.shaken);
        stats->handshakes_failed += read_counter(&t->net.counters.unshaken);
        stats->handshakes_late += read_counter(&t->net.counters.late);
        stats->requests += read_counter(&t->counters.requests);
        for (int k = 0; k < HTTP_STATUS_END; k++)
            stats->responses[k] += read_counter(&t->counters.responses[k]);
    }
}
