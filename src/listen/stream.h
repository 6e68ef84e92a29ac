/*
 * One client's connection, whose format makes logs of its bytes. Nothing of what was read is lost
 * while the process lives: bytes are kept until their logs are durable, and are read again if they
 * could not be made so, after a pause that grows, with the same ids. Meanwhile the client is not
 * read from beyond STREAM_AHEAD_BYTES, so that it waits by itself; others do not.
 *
 *   taking ──► waiting ──► taking    logs of all bytes offered are durable: the reply is sent
 *     │           │                  (to taking, too, if there were no logs)
 *     │           ├──────► waiting   a part of them is; the format is asked for the others
 *     └───────────┴──────► paused    no room, or not durable; ──► taking
 *   taking ──► over                  nothing comes any more, and all is done
 *
 * All of it belongs to the receiver's thread.
 */
#ifndef LOGMILL_LISTEN_STREAM_H
#define LOGMILL_LISTEN_STREAM_H

#include "listen/internal.h"

enum {
    STREAM_AHEAD_BYTES = 256 << 10, /* read beyond what waits to be durable */
    STREAM_STALLED_MS = 30000,      /* after which a message that is not whole is given up, and its
                                       connection closed, if memory is short */
    STREAM_KEEPALIVE_S = 120, /* of silence, after which the kernel asks whether the peer lives */
    STREAM_REPLY_MAX = 64 << 20,
};

/* Takes over `fd` as net_protocol.welcome says; `by`: its transport. */
bool stream_new(struct listen_way *way, const struct transport_source *by, int fd);

/* The same for one that another process has left, as `state` says (leaving.h). */
bool stream_adopt(struct listen_way *way, int fd, struct slice state);

/* What the loop has to tell (net_protocol). */
void stream_readable(struct net_socket *socket);
void stream_turn(struct net_socket *socket);
void stream_timed_out(struct net_socket *socket, enum timeout_kind kind);
void stream_drain(struct net_socket *socket);
void stream_abort(struct net_socket *socket);
void stream_free(struct net_socket *socket);

/* Frees what is kept for reuse. */
void stream_free_spare(struct receiver *r);

#endif
