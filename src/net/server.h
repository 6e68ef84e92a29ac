/*
 * Threads that serve one address or two: each has an event loop with a listening socket of its own
 * for each (SO_REUSEPORT) and its own clients. Sockets that were given (net/given.h) are shared:
 * where they are fewer than the threads, several loops accept from one, and the kernel wakes whom
 * it likes.
 */
#ifndef LOGMILL_NET_SERVER_H
#define LOGMILL_NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errbuf.h"
#include "net/given.h"
#include "net/loop.h"

struct net_server;

enum { NET_PLACES_MAX = 2 };

/* Where clients come. */
struct net_place {
    const char *host;
    unsigned port; /* 0: any free one */
    /*
     * Sockets that listen already, to be used in place of host and port. All of them are accepted
     * from. They stay the caller's, who may close them when the server has started.
     */
    const int *fds;
    size_t fds_len; /* 0: none */
    /* They are open elsewhere, too: clients that wait in their backlogs at a stop are left there.
     */
    bool fds_are_held;
    struct transport_source by; /* of these clients; ops NULL: as the loop says */
    const char *name; /* of the listening sockets when they are handed over; NULL: see there */
};

struct net_server_options {
    struct net_place places[NET_PLACES_MAX];
    size_t places_len;
    unsigned threads;
    const char *name; /* "http": its threads are http-0, http-1, … */
    /* Makes the loop of a thread (net_loop_init), without a listener, in what holds it. NULL with
     * `err` filled. */
    struct net_loop *(*loop_new)(void *ctx, unsigned index, struct errbuf *err);
    /* On the loop's thread, before it accepts. Returns 0, or an error with `err` filled. */
    int (*loop_start)(struct net_loop *l, struct errbuf *err);
    void (*loop_free)(struct net_loop *l); /* after it has ended, or if it never ran */
    void *ctx;
};

/* Binds, listens and starts the threads. NULL with `err` filled on failure. */
struct net_server *net_server_new(const struct net_server_options *options, struct errbuf *err);

/* The port that is listened on at place `index`. */
unsigned net_server_port(const struct net_server *s, size_t index);

/* The loop of thread `index`. */
struct net_loop *net_server_loop(struct net_server *s, unsigned index);

/* net_loop_stop for all, and joins the threads. Blocks; not from a loop's thread. */
void net_server_stop(struct net_server *s, unsigned grace_ms);

/*
 * As a stop, but what another process can go on with is added to `to`, as `name`, up to `max`
 * sockets there: the listening sockets (as the name of their place, if it has one), with the
 * clients that wait in their backlogs, and connections that the protocol lets go
 * (net_protocol.leaves). What is left drains. Blocks until they are out of the loops, no longer;
 * net_server_stop waits for the end.
 */
void net_server_hand_over(struct net_server *s, unsigned grace_ms, struct given *to,
                          const char *name, size_t max);

/* Takes in all connections of that name that are in `from` (net_protocol.adopt). */
void net_server_adopt(struct net_server *s, struct given *from, const char *name);

/* After net_server_stop. */
void net_server_free(struct net_server *s);

#endif
