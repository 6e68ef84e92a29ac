/*
 * A transport: how bytes arrive from a client and leave for it. Plain sockets are one
 * (net/plain.h), TLS another (net/tls.h), the tests' faults a third. What is above it calls it by
 * net/socket.h, and does not know which it has.
 *
 * Each function is called on the loop's thread, for a socket that is open and does not block. None
 * may block, raise SIGPIPE, close the socket, or wait for the loop itself.
 */
#ifndef LOGMILL_NET_TRANSPORT_H
#define LOGMILL_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport_ops;

/* One socket's. Its address stays. */
struct transport {
    const struct transport_ops *ops;
    int fd;
    void *own; /* what the implementation needs besides */
};

/* What the sockets of a listener are carried by. */
struct transport_source {
    const struct transport_ops *ops;
    void *ctx; /* for transport_ops.open; must outlive its sockets */
};

struct transport_ops {
    /*
     * As recv: the bytes read, up to `len`, into `data`; 0: the client has sent its last one; -1
     * with errno: EAGAIN if there are none now, else the socket has failed. May read fewer than
     * there are. If it says EAGAIN, `pending` says that there are none, until the next read.
     */
    ssize_t (*read)(struct transport *t, void *data, size_t len);
    /*
     * As sendmsg: how many bytes of `pieces` it has taken, be it a part of one; -1 with errno:
     * EAGAIN if it takes none now. What it has taken it must send without being asked again.
     */
    ssize_t (*write)(struct transport *t, const struct iovec *pieces, int pieces_len);
    /*
     * Bytes that `read` may give though the socket does not tell, about: what came with those read
     * last. They are read before the loop sleeps.
     */
    size_t (*pending)(const struct transport *t);
    /*
     * What to wait for on the socket, so as to go on with `events` (UV_READABLE, UV_WRITABLE): the
     * same, but if reading needs a write first or the other way about. Must not wait for nothing
     * if `events` is something, and must leave UV_DISCONNECT as it is.
     */
    int (*wants)(const struct transport *t, int events);

    /* ---- All below may be NULL, together, where a socket carries bytes as soon as it is there
     * ---- */

    /* A new socket; `t->own` is NULL. Returns 0, or LM_EUNAVAILABLE. */
    int (*open)(struct transport *t, void *ctx);
    /*
     * Goes on with what has to be said before there are bytes. 0: it is over, and read and write
     * may be called; -1 with errno: EAGAIN if it waits, `wants` says for what; else it has failed.
     */
    int (*shake)(struct transport *t);
    /* Tells the client that nothing will be sent any more; the socket is shut down after it. */
    void (*end)(struct transport *t);
    /* The socket is about to be closed, whatever has become of it: frees `t->own`. */
    void (*close)(struct transport *t);
    /* Whom the client has proven to be; NULL: it has not. Lives until `close`. */
    const char *(*peer)(const struct transport *t);
    /* What one takes while it shakes hands, about: for the ledger. */
    size_t shake_bytes;
};

/* Nobody on the way can read what it carries. */
static inline bool transport_is_private(const struct transport *t)
{
    return t->ops->shake;
}

#endif
