/*
 * A client's socket (struct net_socket): reading, writing, waiting, time-outs. Everything happens
 * on the thread of its loop.
 */
#ifndef LOGMILL_NET_SOCKET_H
#define LOGMILL_NET_SOCKET_H

#include "net/loop.h"

/* A client that takes nothing has TIMEOUT_WRITE for each lot of this many bytes, or their rest. */
enum { NET_WRITE_LOT_BYTES = 64 * 1024 };

/*
 * `*s`, all zero, becomes the socket `fd` on the loop's list, which waits for nothing yet. `by`:
 * its transport; NULL, or its ops NULL: the loop's. Returns 0; or LM_EIO if the loop refuses it,
 * and `fd` is closed.
 *
 * Where the transport shakes hands, that goes on beneath: until it is over nothing is there to be
 * read, nothing is taken, and TIMEOUT_SHAKE runs, past which the socket is aborted, as it is if the
 * handshake fails. Then the protocol has its turn.
 */
int net_socket_open(struct net_socket *s, struct net_loop *l, const struct transport_source *by,
                    int fd, bool is_extra) LM_MUST_CHECK;

/* Takes it off the list and closes it; protocol->free comes later, never from within. */
void net_socket_close(struct net_socket *s);

/*
 * Takes it out of the loop without closing the connection, by net_protocol.abort; it must have
 * nothing unsent, and its transport must have no state (net_socket_may_leave). Returns a descriptor
 * of the connection, the caller's; -1: there is no room for it, and `s` is as it was.
 */
int net_socket_leave(struct net_socket *s);

/* Whether another process could read what comes by it. */
static inline bool net_socket_may_leave(const struct net_socket *s)
{
    return !transport_is_private(&s->transport);
}

/* Nothing will be sent any more: the client is told, and may still send. */
void net_socket_end(struct net_socket *s);

/* Whom the client has proven to be, by its certificate; NULL: it has not. Lives as long as `s`. */
const char *net_socket_peer(const struct net_socket *s);

/* Bytes that net_socket_read could give at once, about, and at least 1: how much room to make. */
size_t net_socket_readable(const struct net_socket *s);

/* Waits for `events` (UV_READABLE, UV_WRITABLE, UV_DISCONNECT) from now on. */
void net_socket_wait(struct net_socket *s, int events);

/* Has protocol->turn called at the end of the round, once. */
void net_socket_queue(struct net_socket *s);

/* As transport_ops.read; but what is not worth an end (EINTR, …) is EAGAIN. */
ssize_t net_socket_read(struct net_socket *s, void *data, size_t len);

/*
 * As transport_ops.write; but what is not worth an end is 0. `total`: the bytes of all pieces.
 * If they are not all taken, TIMEOUT_WRITE runs, anew with every lot taken, so that nobody can
 * hold what is sent by taking a byte now and then.
 */
ssize_t net_socket_write(struct net_socket *s, const struct iovec *pieces, int pieces_len,
                         size_t total);

/* All was taken: TIMEOUT_WRITE is lifted. */
void net_socket_written(struct net_socket *s);

/* What the client has to do, and until when; TIMEOUT_NONE: nothing. */
void net_socket_set_deadline(struct net_socket *s, enum timeout_kind kind);

#endif
