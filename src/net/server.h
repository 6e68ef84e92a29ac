/*
 * Threads that serve one address: each has an event loop with a listening socket of its own
 * (SO_REUSEPORT) and its own clients.
 */
#ifndef LOGMILL_NET_SERVER_H
#define LOGMILL_NET_SERVER_H

#include "base/errbuf.h"
#include "net/loop.h"

struct net_server;

struct net_server_options {
    const char *host;
    unsigned port; /* 0: any free one */
    unsigned threads;
    const char *name; /* "http": its threads are http-0, http-1, … */
    /* Makes the loop of a thread (net_loop_init) in what holds it. NULL with `err` filled. */
    struct net_loop *(*loop_new)(void *ctx, unsigned index, int listen_fd, struct errbuf *err);
    /* On the loop's thread, before it accepts. Returns 0, or an error with `err` filled. */
    int (*loop_start)(struct net_loop *l, struct errbuf *err);
    void (*loop_free)(struct net_loop *l); /* after it has ended, or if it never ran */
    void *ctx;
};

/* Binds, listens and starts the threads. NULL with `err` filled on failure. */
struct net_server *net_server_new(const struct net_server_options *options, struct errbuf *err);

/* The port that is listened on. */
unsigned net_server_port(const struct net_server *s);

/* The loop of thread `index`. */
struct net_loop *net_server_loop(struct net_server *s, unsigned index);

/* net_loop_stop for all, and joins the threads. Blocks; not from a loop's thread. */
void net_server_stop(struct net_server *s, unsigned grace_ms);

/* After net_server_stop. */
void net_server_free(struct net_server *s);

#endif
