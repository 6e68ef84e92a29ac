/*
 * A socket for datagrams (UDP), whose format makes logs of each. What can be read at once is a
 * batch, which is kept until its logs are durable, and tried again if they could not be made so.
 * While batches hold DATAGRAMS_HELD_MAX, or there is no room for more, nothing is read: then the
 * kernel keeps what fits into its buffer, and drops the rest. All that is lost is counted: what the
 * kernel has dropped, and what was dropped here.
 *
 * All of it belongs to the receiver's thread.
 */
#ifndef LOGMILL_LISTEN_DATAGRAMS_H
#define LOGMILL_LISTEN_DATAGRAMS_H

#include "listen/internal.h"

enum {
    DATAGRAMS_AT_ONCE = 64,          /* read by one call of the kernel */
    DATAGRAMS_BATCH_BYTES = 1 << 20, /* read before others have their turn */
    DATAGRAMS_ROUNDS_MAX = 256,      /* calls before that: of what is no message nothing is kept */
    DATAGRAMS_HELD_MAX = 8 << 20,    /* bytes of the batches of one socket */
    DATAGRAM_BYTES_MAX = 64 << 10,   /* more than UDP has */
};

struct datagrams;

/*
 * Takes over `fd`, which is bound and does not block. NULL with `err` filled, and `fd` closed, if
 * the loop refuses it.
 */
struct datagrams *datagrams_new(struct listen_way *way, int fd, struct errbuf *err);

/* Begins to read. */
void datagrams_start(struct datagrams *d);

/* The loop drains: reads what is there, and closes the sockets when nothing is left. */
void datagrams_drain_all(struct receiver *r);

/* Gives the sockets to r->leaving, with what has not been read. */
void datagrams_leave_all(struct receiver *r);

/* Closes the sockets, and when the loop has let go of them, frees all. */
void datagrams_close_all(struct receiver *r);
void datagrams_free_all(struct receiver *r);

#endif
