/*
 * The receiver of what comes by sockets of its own, beside HTTP: one thread, whose loop has all its
 * listeners and their clients (stream.h). Formats make logs of what they send (formats/stream.h),
 * which go to the queue by an ingest of the receiver's own.
 */
#ifndef LOGMILL_LISTEN_RECEIVER_H
#define LOGMILL_LISTEN_RECEIVER_H

#include "base/buffer.h"
#include "base/ledger.h"
#include "listen/way.h"
#include "net/given.h"
#include "net/transport.h"
#include "queue/queue.h"

struct receiver_options {
    struct queue *queue;
    struct ledger *ledger;
    const struct receiver_way *ways;
    size_t ways_len; /* up to RECEIVER_WAYS_MAX */
    /*
     * Sockets that are used in place of new ones: those that have the name of a protocol ("syslog",
     * "syslog-tls") or its address are taken out of it. NULL: none.
     */
    struct given *given;
    struct stream_setup setup;   /* its texts must outlive the receiver */
    unsigned max_streams;        /* open connections of all ways */
    unsigned udp_buffer_bytes;   /* that the kernel is asked to keep of each socket for UDP */
    unsigned write_timeout_ms;   /* in which a client has to take a reply */
    struct transport_source tls; /* of tls:// addresses; ops NULL: there are none */
    unsigned shake_timeout_ms;   /* of its handshakes */
    unsigned stalled_ms;         /* 0: STREAM_STALLED_MS */
};

struct receiver;

/* Starts to receive; queue and ledger must outlive it. NULL with `err` filled on failure. */
struct receiver *receiver_new(const struct receiver_options *options, struct errbuf *err);

/* Appends the addresses of way `index`, with the ports that were taken: "tcp://127.0.0.1:5514,…" */
void receiver_describe(const struct receiver *r, size_t index, struct buffer *text);

/*
 * From any thread, without waiting: it takes no new client, reads what the clients have sent until
 * now, and ends when that is durable, or after `grace_ms`.
 */
void receiver_stop(struct receiver *r, unsigned grace_ms);

/*
 * As a stop, but what another process can go on with is added to `to`, up to `max` sockets there,
 * as the names of the protocols: listening sockets, those of datagrams, and connections, when all
 * that was read of them is durable. Waits for the end; before receiver_stop.
 */
void receiver_hand_over(struct receiver *r, unsigned grace_ms, struct given *to, size_t max);

/* Goes on with the connections in `from` that another receiver has handed over. */
void receiver_adopt(struct receiver *r, struct given *from);

/* Stops, if that was not done, waits for the end, and frees. NULL does nothing. */
void receiver_free(struct receiver *r);

#endif
