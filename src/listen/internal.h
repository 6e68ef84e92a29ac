/* What the files of this room share: the state of the receiver, all of its thread. */
#ifndef LOGMILL_LISTEN_INTERNAL_H
#define LOGMILL_LISTEN_INTERNAL_H

#include "diag/diag.h"
#include "ingest/hold.h"
#include "ingest/ingest.h"
#include "listen/pause.h"
#include "listen/way.h"
#include "net/given.h"
#include "net/loop.h"
#include "net/mailbox.h"

struct offer;
struct datagrams;
struct datagram_room;

/* A protocol, as the receiver has it. */
struct listen_way {
    struct receiver *receiver;
    struct receiver_way way;
    struct addresses addresses; /* with the ports that were taken */
    void *stream_memory, *datagram_memory;
    void *joiner; /* of datagrams, if the format has one */
    /* Its sockets were given, and their giver has them, too. */
    bool tcp_is_held, tls_is_held, udp_is_held;
    struct pause expiry; /* after which what waits in it is looked at */
};

struct receiver {
    struct net_loop net;
    struct net_shared shared;
    struct mailbox box;
    struct hold hold;
    struct ingest *ingest;
    struct account *bodies, *intake, *answers;
    struct listen_way ways[RECEIVER_WAYS_MAX];
    size_t ways_len;
    uv_thread_t thread;
    bool runs;
    bool is_stopped;
    bool has_ended;                   /* its thread was waited for */
    bool has_loop, has_box, has_hold; /* the loop with its timer, and so on */

    struct pauses pauses;
    size_t orphans; /* streams whose socket is closed, and whose logs are not durable yet */
    struct datagrams *datagrams; /* all, in a list */
    struct datagram_room *room;
    size_t datagrams_open, batches; /* whose logs are not durable yet */
    struct offer *spare;
    size_t spare_len;
    struct diag_seldom closed_lines; /* why connections are closed */

    struct given *leaving; /* where sockets go when it stops; NULL: nowhere */
    size_t leaving_max;    /* how many can be there */
};

/* Connections are not read to their end, but go to another process when they rest. */
static inline bool receiver_leaves(const struct receiver *r)
{
    return r->leaving && r->leaving->len < r->leaving_max;
}

/* Its time to end is over: what is not durable by now will not be. */
static inline bool receiver_gives_up(const struct receiver *r)
{
    return net_loop_drains(&r->net) && !uv_is_active((const uv_handle_t *)&r->net.grace);
}

#endif
