#include "net/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "net/listen.h"
#include "net/socket.h"

/* One thread of a server, and how its start went. */
struct runner {
    const struct net_server *server;
    unsigned index;
    struct net_loop *loop;
    uv_thread_t id;
    bool runs;
    uv_sem_t started;
    int error; /* 0: it started */
    struct errbuf err;
};

struct net_server {
    struct net_server_options options;
    unsigned ports[NET_PLACES_MAX];
    struct runner *runners;
    bool stopped;
};

static void run_thread(void *arg)
{
    struct runner *r = arg;
    const struct net_server_options *o = &r->server->options;
    char name[16];

    snprintf(name, sizeof(name), "%s-%u", o->name, r->index);
    pthread_setname_np(pthread_self(), name);
    r->error = o->loop_start(r->loop, &r->err);
    if (!r->error)
        r->error = net_loop_listen(r->loop, &r->err);
    int error = r->error; /* `*r` is the starter's once it is told */
    uv_sem_post(&r->started);
    if (!error)
        uv_run(&r->loop->uv, UV_RUN_DEFAULT);
}

static int start_thread(struct runner *r, struct errbuf *err)
{
    int error;

    if (uv_sem_init(&r->started, 0))
        return errbuf_fail(err, LM_ENOMEM, "cannot make a semaphore");
    error = uv_thread_create(&r->id, run_thread, r);
    if (!error) {
        r->runs = true;
        uv_sem_wait(&r->started);
    }
    uv_sem_destroy(&r->started);
    if (error)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread: %s", uv_strerror(error));
    if (!r->error)
        return 0;
    *err = r->err;
    uv_thread_join(&r->id); /* it has ended by itself */
    r->runs = false;
    return LM_EUNAVAILABLE;
}

static int listen_by(struct runner *r, const struct net_place *place, int fd, struct errbuf *err)
{
    return net_loop_add_listener(r->loop,
                                 &(struct net_listener){.fd = fd,
                                                        .ctx = (void *)(uintptr_t)place,
                                                        .by = place->by,
                                                        .is_held = place->fds_are_held},
                                 err);
}

/* The sockets that were given: some loops have several, or several loops have one. */
static int share_given(struct net_server *s, const struct net_place *place, struct errbuf *err)
{
    unsigned threads = s->options.threads;
    size_t n = place->fds_len > threads ? place->fds_len : threads;

    for (size_t i = 0, runner = 0; i < n; i++) {
        int fd = fcntl(place->fds[i % place->fds_len], F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
            return errbuf_fail(err, LM_EIO, "cannot share a socket: %s", strerror(errno));
        if (listen_by(&s->runners[runner], place, fd, err))
            return LM_EUNAVAILABLE;
        runner = runner + 1 < threads ? runner + 1 : 0;
    }
    return 0;
}

static int open_own(struct net_server *s, const struct net_place *place, unsigned *port,
                    struct errbuf *err)
{
    unsigned threads = s->options.threads;
    int *fds = xcalloc(threads, sizeof(*fds));
    int error = listen_open(place->host, port, fds, threads, err);

    for (unsigned i = 0; i < threads; i++) {
        if (!error)
            error = listen_by(&s->runners[i], place, fds[i], err);
        else if (fds[i] >= 0)
            close(fds[i]);
    }
    free(fds);
    return error;
}

static int open_place(struct net_server *s, size_t index, struct errbuf *err)
{
    const struct net_place *place = &s->options.places[index];

    s->ports[index] = place->fds_len > 0 ? listen_port(place->fds[0]) : place->port;
    return place->fds_len > 0 ? share_given(s, place, err)
                              : open_own(s, place, &s->ports[index], err);
}

static int start_threads(struct net_server *s, struct errbuf *err)
{
    const struct net_server_options *o = &s->options;

    for (unsigned i = 0; i < o->threads; i++) {
        s->runners[i].server = s;
        s->runners[i].index = i;
        s->runners[i].loop = o->loop_new(o->ctx, i, err);
        if (!s->runners[i].loop)
            return LM_EUNAVAILABLE;
    }
    for (size_t i = 0; i < o->places_len; i++) {
        int error = open_place(s, i, err);

        if (error)
            return error;
    }
    for (unsigned i = 0; i < o->threads; i++) {
        int error = start_thread(&s->runners[i], err);

        if (error)
            return error;
    }
    return 0;
}

struct net_server *net_server_new(const struct net_server_options *options, struct errbuf *err)
{
    struct net_server *s = xcalloc(1, sizeof(*s));

    s->options = *options;
    s->runners = xcalloc(options->threads, sizeof(*s->runners));
    if (!start_threads(s, err))
        return s;
    net_server_stop(s, 0);
    net_server_free(s);
    return NULL;
}

unsigned net_server_port(const struct net_server *s, size_t index)
{
    return s->ports[index];
}

struct net_loop *net_server_loop(struct net_server *s, unsigned index)
{
    return s->runners[index].loop;
}

/* What is handed over, while the loop on whose thread `leave` runs is waited for. */
struct leaving {
    struct given *to;
    const char *name;
    size_t max;
    uv_sem_t done;
};

/* On the loop's thread: what can go on elsewhere is taken out of the loop. */
static void leave(struct net_loop *l, void *ctx)
{
    struct leaving *leaving = ctx;
    struct net_socket *next;
    int fd;

    while (l->listeners) {
        const struct net_place *place = l->listeners->ctx;
        bool is_held = l->listeners->is_held;

        fd = net_loop_take_listener(l);
        given_add(leaving->to, fd, place->name ? place->name : leaving->name, is_held);
    }
    for (struct net_socket *s = l->sockets; s && leaving->to->len < leaving->max; s = next) {
        next = s->next;
        bool leaves = l->protocol->leaves && net_socket_may_leave(s) && l->protocol->leaves(s);
        fd = leaves ? net_socket_leave(s) : -1;
        if (fd >= 0)
            given_add(leaving->to, fd, leaving->name, false);
    }
    uv_sem_post(&leaving->done);
}

void net_server_hand_over(struct net_server *s, unsigned grace_ms, struct given *to,
                          const char *name, size_t max)
{
    struct leaving leaving = {.to = to, .name = name, .max = max};

    if (uv_sem_init(&leaving.done, 0))
        return;
    for (unsigned i = 0; i < s->options.threads; i++) {
        net_loop_stop_after(s->runners[i].loop, grace_ms, leave, &leaving);
        uv_sem_wait(&leaving.done);
    }
    uv_sem_destroy(&leaving.done);
}

void net_server_adopt(struct net_server *s, struct given *from, const char *name)
{
    struct given_socket taken;
    size_t at = 0;

    for (unsigned i = 0; given_take_connection(from, name, &at, &taken); i++)
        net_loop_adopt(s->runners[i % s->options.threads].loop, &taken);
}

void net_server_stop(struct net_server *s, unsigned grace_ms)
{
    if (s->stopped)
        return;
    s->stopped = true;
    for (unsigned i = 0; i < s->options.threads; i++) {
        if (s->runners[i].runs)
            net_loop_stop(s->runners[i].loop, grace_ms);
    }
    for (unsigned i = 0; i < s->options.threads; i++) {
        if (s->runners[i].runs)
            uv_thread_join(&s->runners[i].id);
        s->runners[i].runs = false;
    }
}

void net_server_free(struct net_server *s)
{
    if (!s)
        return;
    assert(s->stopped);
    for (unsigned i = 0; i < s->options.threads; i++)
        s->options.loop_free(s->runners[i].loop);
    free(s->runners);
    free(s);
}
