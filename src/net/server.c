#include "net/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
    unsigned port;
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

static int start_threads(struct net_server *s, int *fds, struct errbuf *err)
{
    const struct net_server_options *o = &s->options;

    for (unsigned i = 0; i < o->threads; i++) {
        int fd = fds[i];

        fds[i] = -1;
        s->runners[i].server = s;
        s->runners[i].index = i;
        s->runners[i].loop = o->loop_new(o->ctx, i, fd, err);
        if (!s->runners[i].loop)
            return LM_EUNAVAILABLE;
        s->runners[i].loop->leaves_backlog = o->fds_are_held;
    }
    for (size_t i = o->threads, loop = 0; i < o->fds_len; i++) {
        int fd = fcntl(o->fds[i], F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
            return errbuf_fail(err, LM_EIO, "cannot share a socket: %s", strerror(errno));
        if (net_loop_add_listener(s->runners[loop].loop, fd, NULL, err))
            return LM_EUNAVAILABLE;
        loop = loop + 1 < o->threads ? loop + 1 : 0;
    }
    for (unsigned i = 0; i < o->threads; i++) {
        int error = start_thread(&s->runners[i], err);

        if (error)
            return error;
    }
    return 0;
}

/* The first of the sockets that were given for each loop. */
static int share_given(const struct net_server_options *o, int *fds, struct errbuf *err)
{
    for (unsigned i = 0; i < o->threads; i++)
        fds[i] = -1;
    for (unsigned i = 0; i < o->threads; i++) {
        fds[i] = fcntl(o->fds[i % o->fds_len], F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0)
            return errbuf_fail(err, LM_EIO, "cannot share a socket: %s", strerror(errno));
    }
    return 0;
}

static int open_sockets(struct net_server *s, int *fds, struct errbuf *err)
{
    const struct net_server_options *o = &s->options;

    if (o->fds_len == 0)
        return listen_open(o->host, &s->port, fds, o->threads, err);
    s->port = listen_port(o->fds[0]);
    return share_given(o, fds, err);
}

struct net_server *net_server_new(const struct net_server_options *options, struct errbuf *err)
{
    struct net_server *s = xcalloc(1, sizeof(*s));
    unsigned threads = options->threads;
    int *fds = xcalloc(threads, sizeof(*fds));
    int error;

    s->options = *options;
    s->port = options->port;
    s->runners = xcalloc(threads, sizeof(*s->runners));
    error = open_sockets(s, fds, err);
    if (!error)
        error = start_threads(s, fds, err);
    for (unsigned i = 0; i < threads; i++) {
        if (fds[i] >= 0)
            close(fds[i]); /* no loop has taken it */
    }
    free(fds);
    if (!error)
        return s;
    net_server_stop(s, 0);
    net_server_free(s);
    return NULL;
}

unsigned net_server_port(const struct net_server *s)
{
    return s->port;
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

    while ((fd = net_loop_take_listener(l)) >= 0)
        given_add(leaving->to, fd, leaving->name, l->leaves_backlog);
    for (struct net_socket *s = l->sockets; s && leaving->to->len < leaving->max; s = next) {
        next = s->next;
        fd = l->protocol->leaves && l->protocol->leaves(s) ? net_socket_leave(s) : -1;
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
