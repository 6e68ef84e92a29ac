/*
 * A transport: how bytes arrive from a client and leave for it. Plain sockets are one
 * (net/plain.h), the tests' faults another, TLS will be a third. What is above it calls it by
 * net/socket.h, and does not know which it has.
 *
 * Each function is called on the loop's thread, for a socket that is open and does not block. None
 * may block, raise SIGPIPE, close the socket, or wait for the loop itself.
 */
#ifndef LOGMILL_NET_TRANSPORT_H
#define LOGMILL_NET_TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct transport_ops;

/* One socket's; at the beginning of what an implementation needs besides. */
struct transport {
    const struct transport_ops *ops;
    int fd;
};

struct transport_ops {
    /*
     * As recv: the bytes read, up to `len`, into `data`; 0: the client has sent its last one; -1
     * with errno: EAGAIN if there are none now, else the socket has failed. May read fewer than
     * there are. Must not say EAGAIN if `pending` says that there are bytes.
     */
    ssize_t (*read)(struct transport *t, void *data, size_t len);
    /*
     * As sendmsg: how many bytes of `pieces` it has taken, be it a part of one; -1 with errno:
     * EAGAIN if it takes none now. What it has taken it must send without being asked again.
     */
    ssize_t (*write)(struct transport *t, const struct iovec *pieces, int pieces_len);
    /*
     * Bytes that `read` would give though the socket does not tell: what was decrypted with those
     * read last. They are read before the loop sleeps.
     */
    size_t (*pending)(const struct transport *t);
    /*
     * What to wait for on the socket, so as to go on with `events` (UV_READABLE, UV_WRITABLE): the
     * same, but if reading needs a write first or the other way about. Must not wait for nothing
     * if `events` is something, and must leave UV_DISCONNECT as it is.
     */
    int (*wants)(const struct transport *t, int events);
};

#endif
