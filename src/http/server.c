#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/http.h"
#include "http/router.h"
#include "http/thread.h"
#include "net/ranges.h"

enum { BACKLOG = 4096 }; /* the kernel cuts it down to its own limit */

/* One thread of a server, and how its start went. */
struct runner {
    struct http_thread *thread;
    uv_thread_t id;
    bool runs;
    uv_sem_t started;
    struct errbuf err; /* empty: it started */
};

struct http_server {
    struct http_shared shared;
    unsigned port;
    struct runner *runners;
    bool stopped;
};

static void fill_defaults(struct http_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field != 0 ? o->field : (value)
    DEFAULT(threads, 1);
    DEFAULT(max_connections, 10000);
    DEFAULT(max_body_bytes, 1024 * 1024);
    DEFAULT(max_header_bytes, 16 * 1024);
    DEFAULT(max_connection_bytes, 4 * 1024 * 1024);
    DEFAULT(idle_timeout_ms, 75000);
    DEFAULT(request_timeout_ms, 30000);
    DEFAULT(write_timeout_ms, 30000);
#undef DEFAULT
    if (o->host == NULL)
        o->host = "127.0.0.1";
}

/* ---- Sockets ---- */

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

static unsigned bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int resolve(const struct http_server_options *o, struct sockaddr_storage *address,
                   socklen_t *len, struct errbuf *err)
{
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof(port), "%u", o->port);
    int error = getaddrinfo(o->host, port, &hints, &found);
    if (error != 0 || found == NULL)
        return errbuf_fail(err, LM_EINVAL, "cannot resolve host \"%s\": %s", o->host,
                           gai_strerror(error));
    const struct addrinfo *choice = found;
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        if (a->ai_family == AF_INET) { /* of a name that has both, what most clients try */
            choice = a;
            break;
        }
    }
    memcpy(address, choice->ai_addr, choice->ai_addrlen);
    *len = choice->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

bool http_host_is_loopback(const char *host)
{
    struct http_server_options o = {.host = host};
    struct sockaddr_storage address = {0};
    socklen_t len = 0;
    struct ranges loopback;
    if (ranges_parse(&loopback, "127.0.0.0/8, ::1", NULL) != 0)
        return false;
    return resolve(&o, &address, &len, NULL) == 0 &&
           ranges_have(&loopback, (struct sockaddr *)&address);
}

/* A socket bound to `address`; `shared`: with others that say so too. -1 with errno set. */
static int bind_socket(const struct sockaddr_storage *address, socklen_t len, bool shared)
{
    static const int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)address, len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/*
 * Opens a listening socket for each thread. Sockets that share a port are shared with any process
 * of the same user, so a second logmill would start without a word and take half of the clients of
 * the first: hence a socket that does not share is bound first.
 */
static int open_sockets(struct http_server *s, int *fds, struct errbuf *err)
{
    const struct http_server_options *o = &s->shared.options;
    struct sockaddr_storage address = {0};
    socklen_t len = 0;
    int error = resolve(o, &address, &len, err);
    if (error != 0)
        return error;
    int probe = bind_socket(&address, len, false);
    if (probe < 0)
        goto fail;
    s->port = bound_port(probe);
    set_port(&address, s->port);
    close(probe);
    for (unsigned i = 0; i < o->threads; i++) {
        fds[i] = bind_socket(&address, len, true);
        if (fds[i] < 0 || listen(fds[i], BACKLOG) < 0)
            goto fail;
    }
    return 0;

fail:
    return errbuf_fail(err, errno == EADDRINUSE ? LM_EBUSY : LM_EIO,
                       "cannot listen on %s port %u: %s", o->host, o->port, strerror(errno));
}

/* ---- Threads ---- */

static void run_thread(void *arg)
{
    struct runner *r = arg;
    struct http_thread *t = r->thread;
    const struct http_hooks *hooks = &t->shared->options.hooks;
    char name[16];
    snprintf(name, sizeof(name), "http-%u", t->index);
    pthread_setname_np(pthread_self(), name);
    if (hooks->thread_start != NULL) {
        t->context = hooks->thread_start(&t->loop, t->index, hooks->ctx, &r->err);
        if (t->context == NULL && r->err.text[0] == '\0')
            errbuf_set(&r->err, "http thread %u did not start", t->index);
    }
    bool ok = r->err.text[0] == '\0' && http_thread_listen(t, &r->err) == 0;
    uv_sem_post(&r->started);
    if (ok)
        uv_run(&t->loop, UV_RUN_DEFAULT);
}

static int start_thread(struct runner *r, struct errbuf *err)
{
    if (uv_sem_init(&r->started, 0) != 0)
        return errbuf_fail(err, LM_ENOMEM, "cannot make a semaphore");
    int error = uv_thread_create(&r->id, run_thread, r);
    if (error == 0) {
        r->runs = true;
        uv_sem_wait(&r->started);
    }
    uv_sem_destroy(&r->started);
    if (error < 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread: %s", uv_strerror(error));
    if (r->err.text[0] == '\0')
        return 0;
    *err = r->err;
    uv_thread_join(&r->id); /* it has ended by itself */
    r->runs = false;
    return LM_EUNAVAILABLE;
}

static int start_threads(struct http_server *s, int *fds, struct errbuf *err)
{
    unsigned threads = s->shared.options.threads;
    for (unsigned i = 0; i < threads; i++) {
        int fd = fds[i];
        fds[i] = -1;
        s->runners[i].thread = http_thread_new(&s->shared, i, fd, err);
        if (s->runners[i].thread == NULL)
            return LM_EUNAVAILABLE;
    }
    for (unsigned i = 0; i < threads; i++) {
        int error = start_thread(&s->runners[i], err);
        if (error < 0)
            return error;
    }
    return 0;
}

struct http_server *http_server_new(const struct http_server_options *options, struct errbuf *err)
{
    struct errbuf own = ERRBUF_INIT;
    struct http_server *s = xcalloc(1, sizeof(*s));
    if (err == NULL)
        err = &own;
    s->shared.options = *options;
    fill_defaults(&s->shared.options);
    unsigned threads = s->shared.options.threads;
    s->runners = xcalloc(threads, sizeof(*s->runners));
    int *fds = xcalloc(threads, sizeof(*fds));
    for (unsigned i = 0; i < threads; i++)
        fds[i] = -1;
    s->shared.router = router_new(options->routes, err);
    if (s->shared.router == NULL)
        goto fail;
    if (open_sockets(s, fds, err) < 0)
        goto fail;
    if (start_threads(s, fds, err) < 0)
        goto fail;
    free(fds);
    return s;

fail:
    for (unsigned i = 0; i < threads; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(fds);
    http_server_stop(s, 0);
    http_server_free(s);
    return NULL;
}

unsigned http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_stop(struct http_server *s, unsigned grace_ms)
{
    if (s->stopped)
        return;
    s->stopped = true;
    for (unsigned i = 0; i < s->shared.options.threads; i++) {
        if (s->runners[i].runs)
            http_thread_stop(s->runners[i].thread, grace_ms);
    }
    for (unsigned i = 0; i < s->shared.options.threads; i++) {
        if (s->runners[i].runs)
            uv_thread_join(&s->runners[i].id);
        s->runners[i].runs = false;
    }
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    assert(s->stopped);
    for (unsigned i = 0; i < s->shared.options.threads; i++)
        http_thread_free(s->runners[i].thread);
    router_free(s->shared.router);
    free(s->runners);
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
                                     &s->shared.connections_open, memory_order_relaxed)};
    for (unsigned i = 0; i < s->shared.options.threads; i++) {
        struct http_counters *c = &s->runners[i].thread->counters;
        stats->connections_accepted += read_counter(&c->accepted);
        stats->requests += read_counter(&c->requests);
        stats->bytes_received += read_counter(&c->received);
        stats->bytes_sent += read_counter(&c->sent);
        for (int k = 0; k < HTTP_STATUS_END; k++)
            stats->responses[k] += read_counter(&c->responses[k]);
    }
}
