/*
 * One thread's event loop: its listening sockets, its clients' sockets, and what they share, so
 * that a client at rest costs next to nothing: the buffer to read into, the deadlines. What is
 * spoken on the sockets is the protocol's matter, which is told of what happens by struct
 * net_protocol.
 *
 * A round of the loop: sockets are read (readable); then (uv_check) the hook `round`, then the
 * sockets that were queued since have their `turn`, once each. What timers queue has its turn
 * before the loop sleeps (uv_prepare).
 *
 * It is serving until net_loop_stop; then draining: it takes no new client, and each socket is told
 * to drain; and finished when the last socket is closed and the protocol owes nothing any more.
 */
#ifndef LOGMILL_NET_LOOP_H
#define LOGMILL_NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <uv.h>

#include "base/errbuf.h"
#include "base/ledger.h"
#include "net/given.h"
#include "net/timeouts.h"
#include "net/transport.h"

enum {
    NET_READ_BYTES = 64 * 1024, /* taken from one socket at a time */
    /*
     * Sockets past max_sockets that each loop takes besides, for who has to be let in still. When
     * one more comes, the one that has waited longest for what it should send (TIMEOUT_EXTRA) is
     * closed, so that nobody can hold these places.
     */
    NET_EXTRA_SOCKETS = 64,
    /*
     * Steps of handshakes in one round of a loop, some of which take a millisecond of work; further
     * ones have their turn when those who are in have had theirs.
     */
    NET_SHAKES_A_ROUND = 4
};

struct net_loop;
struct net_socket;

/* One listening socket of a loop. */
struct net_listener {
    struct net_loop *loop;
    int fd;                     /* -1: closed */
    void *ctx;                  /* the protocol's: whose clients come by it */
    struct transport_source by; /* of its clients; ops NULL: net_loop.transport */
    bool is_held;               /* others accept from it after us: its backlog is left to them */
    uv_poll_t poll;
    struct net_listener *next;
};

/* What is spoken. Called on the loop's thread; `s` may be closed by any of it. */
struct net_protocol {
    /*
     * Takes over `fd`, a client that `from` has accepted, non-blocking, at `address`, by
     * net_socket_open. False if it cannot; `fd` is then closed. `is_extra`: past max_sockets.
     */
    bool (*welcome)(struct net_listener *from, int fd, const struct sockaddr *address,
                    bool is_extra);
    /*
     * The same for a connection that another process has accepted; its name and state say what was
     * going on. NULL: there are none.
     */
    bool (*adopt)(struct net_loop *l, const struct given_socket *s, const struct sockaddr *address,
                  bool is_extra);
    /* Whether another process can go on with it, knowing nothing of it, from its next byte on.
     * NULL: none can. */
    bool (*leaves)(struct net_socket *s);
    void (*readable)(
        struct net_socket *s);          /* reads once, up to NET_READ_BYTES, by net_socket_read */
    void (*turn)(struct net_socket *s); /* it is writable, or was queued; maybe closed since */
    void (*hung_up)(struct net_socket *s); /* UV_DISCONNECT: the client has sent its last byte */
    void (*timed_out)(struct net_socket *s, enum timeout_kind kind);
    void (*drain)(struct net_socket *s); /* begins nothing new; may close `s`, but no other */
    void (*abort)(struct net_socket *s); /* closes at once */
    void (*free)(struct net_socket *s);  /* it is closed: frees what holds it */

    void (*round)(struct net_loop *l);    /* all that was readable has been read */
    void (*sent)(struct net_loop *l);     /* and all who were queued had their turn */
    bool (*owes)(struct net_loop *l);     /* it is not to finish yet, though all are closed */
    void (*finished)(struct net_loop *l); /* closes the handles that it has on the loop */
};

/* Written by the loop's thread alone, read by any. */
struct net_counters {
    _Atomic uint64_t accepted, received, sent; /* sockets; bytes */
    _Atomic uint64_t shaken, unshaken, late;   /* handshakes: done, failed, timed out */
};

static inline void net_count(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, value + n, memory_order_relaxed);
}

/* What the loops of a server share. */
struct net_shared {
    unsigned max_sockets; /* of all loops; more: NET_EXTRA_SOCKETS */
    _Atomic unsigned sockets_open;
};

/* One client's, within what the protocol keeps of it. Its functions are in net/socket.h. */
struct net_socket {
    struct net_loop *loop;
    struct net_socket *prev, *next; /* all of the loop */
    struct net_socket *next_queued;
    struct transport transport;
    uv_poll_t poll;
    int events;       /* what the protocol waits for; 0 once closed */
    int polled;       /* what the poll waits for: what the transport wants for that */
    bool is_shaking;  /* the transport's handshake is not over: nothing is read or written */
    bool shake_began; /* … and the client has sent something of it, for which it is charged; */
    bool is_put_off;  /* or there was no memory for that: it waits for the next tick */
    bool is_queued;
    bool is_extra;
    struct deadline read_deadline;
    struct deadline write_deadline; /* while it shakes hands: TIMEOUT_SHAKE */
    size_t lot_taken;               /* bytes since it was set */
};

enum net_loop_state { NET_LOOP_SERVING, NET_LOOP_DRAINING, NET_LOOP_FINISHED, NET_LOOP_STATES };

struct net_loop {
    const struct net_protocol *protocol;
    /* Of the sockets to come. net_loop_init chooses: plain_transport; tests put another here. */
    const struct transport_ops *transport;
    struct net_shared *shared;
    uv_loop_t uv;
    enum net_loop_state state;

    struct net_listener *listeners;
    uv_timer_t accept_retry;
    uv_timer_t tick; /* runs while there are sockets */
    uv_timer_t grace;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_async_t stop;
    uv_async_t adopt;
    uv_mutex_t adopt_lock;
    struct net_adopted *adopted; /* under adopt_lock: to be taken in */
    bool adopts_no_more;         /* under adopt_lock: it ends, or has ended */
    /* Of the stop that `stop` announces; NULL: nothing. */
    void (*before_stop)(struct net_loop *l, void *ctx);
    void *before_stop_ctx;
    _Atomic unsigned grace_ms; /* of the stop that `stop` announces */

    struct net_socket *sockets; /* all, in a list */
    unsigned sockets_len;
    unsigned extra_len;        /* of them, those past max_sockets */
    struct net_socket *queued; /* have their turn at the end of the round */
    struct timeouts timeouts;
    /* Handshakes are charged to it; NULL: they are not. Set before it runs. */
    struct account *shakes;
    unsigned shakes_len; /* steps of them in this round of the loop */
    struct net_counters counters;
    char read_buffer[NET_READ_BYTES];
};

/*
 * Makes the loop and its handles in `*l`, which is all zero. `listen_fd` (or -1: none) is the
 * loop's from now on, its first listener, whose ctx is NULL. Returns 0; or LM_EUNAVAILABLE with
 * `err` filled: the start has failed, `l` is not to be used, and what libuv holds of it is not
 * undone.
 */
int net_loop_init(struct net_loop *l, const struct net_protocol *protocol,
                  struct net_shared *shared, const unsigned timeouts_ms[TIMEOUT_KINDS],
                  int listen_fd, struct errbuf *err) LM_MUST_CHECK;

/*
 * Adds a listener: from->fd, which listens and does not block, is the loop's from now on; ctx, by
 * and is_held are as `from` says. On the loop's thread, before net_loop_listen. Returns 0; or
 * LM_EUNAVAILABLE with `err` filled, and the descriptor closed.
 */
int net_loop_add_listener(struct net_loop *l, const struct net_listener *from,
                          struct errbuf *err) LM_MUST_CHECK;

/* Starts to accept. On the loop's thread, or before it runs. */
int net_loop_listen(struct net_loop *l, struct errbuf *err) LM_MUST_CHECK;

static inline bool net_loop_drains(const struct net_loop *l)
{
    return l->state != NET_LOOP_SERVING;
}

/*
 * From any thread: has the loop stop accepting, drain for up to `grace_ms`, abort what is left,
 * and end. A second call can shorten that time.
 */
void net_loop_stop(struct net_loop *l, unsigned grace_ms);

/*
 * The same, but `first` is called on the loop's thread when it begins to stop, with all that it was
 * given to send sent as far as it goes: it may take out listeners (net_loop_take_listener) and
 * sockets (net_socket_leave). Only the first stop of a loop has it called.
 */
void net_loop_stop_after(struct net_loop *l, unsigned grace_ms,
                         void (*first)(struct net_loop *l, void *ctx), void *ctx);

/*
 * On the loop's thread: takes out the first listener (l->listeners). Returns its socket, the
 * caller's; -1: no more.
 */
int net_loop_take_listener(struct net_loop *l);

/*
 * From any thread: has the loop take in `s`, all of which is the loop's from now on, a client that
 * another process has accepted. A stop after that finds it among the sockets; a loop that drains
 * closes it.
 */
void net_loop_adopt(struct net_loop *l, const struct given_socket *s);

/* After the loop has ended, or if it never ran. */
void net_loop_release(struct net_loop *l);

#endif
