/*
 * One client's connection: reads requests, has them handled, sends the answers in order.
 * Everything happens on its thread. See connection.c for its states.
 */
#ifndef LOGMILL_HTTP_CONNECTION_H
#define LOGMILL_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/socket.h>

#include <llhttp.h>

#include "base/buffer.h"
#include "http/http.h"
#include "net/charge.h"
#include "net/socket.h"

struct http_thread;
struct message;

enum {
    /* Answers given and not yet taken by the socket; past it no further request is begun. */
    CONNECTION_UNSENT_MAX = 256 * 1024,
    /* How long a client that was refused may take to read why (TIMEOUT_LINGER). */
    CONNECTION_LINGER_MS = 2000
};

struct connection {
    struct net_socket socket;
    struct http_thread *thread;
    uint64_t client; /* see http_request_client */
    llhttp_t parser;
    struct message *message; /* being read, or NULL between messages */

    struct http_request *first, *last; /* under way, in order of arrival */
    unsigned under_way;
    size_t unsent; /* bytes of answers given */
    size_t sent;   /* of the answer of `first` */

    bool alone;        /* the last of them is to be answered before the next is begun */
    size_t body_bytes; /* of all of them */
    unsigned watched;  /* of those under way: whose handlers want to know that the client goes */

    struct buffer input; /* read, but too many requests were under way to begin it */
    size_t input_at;     /* how much of it has been begun since */
    struct charge input_charge;

    bool reading_ended; /* no further request will be read */
    bool peer_ended;    /* the client has sent its last byte, … */
    bool input_ended;   /* … and we have read all before it */
    bool input_dropped; /* bytes of the client were or will be left unread: linger */
    bool lingering;     /* all is answered; reads and drops until the client closes */
    bool busy;          /* within run(), which sends at its end */
    bool is_trusted;    /* a trusted proxy */
    bool closed;
};

/*
 * Takes over `fd`, accepted and non-blocking, of a client at `address` (NULL: not known). NULL (and
 * `fd` closed) where the loop refuses it. `is_extra`: past max_connections.
 */
struct connection *connection_new(struct http_thread *t, int fd, const struct sockaddr *address,
                                  bool is_extra);

/* The socket is readable: reads once. */
void connection_readable(struct connection *c);

/* The client has sent its last byte, which we may not have read yet. */
void connection_hung_up(struct connection *c);

/* What the client sent, whole or in any pieces. */
void connection_receive(struct connection *c, const char *data, size_t len);

/* The client has sent its last byte; it may still read. */
void connection_receive_end(struct connection *c);

/* `req` of this connection has its answer. Sends it now or at the end of the round. */
void connection_answered(struct connection *c, struct http_request *req);

/* `req`, the last in line, will be answered without end: nothing more is read. */
void connection_end_reading(struct connection *c, struct http_request *req);

/* A request of this connection wants to know that the client goes: looks for that from now on. */
void connection_watch(struct connection *c);

/* `len` more bytes of `req`, a stream, wait to be sent; or 0, and it has ended. */
void connection_streamed(struct connection *c, size_t len);

/* Sends what is answered, and goes on reading if that was in the way. */
void connection_send(struct connection *c);

/* Begins no further request; closes at once where none is under way. */
void connection_drain(struct connection *c);

/* A deadline of `kind` has passed. */
void connection_timed_out(struct connection *c, enum timeout_kind kind);

/*
 * Where memory for answers runs short: cuts off the clients that do not take theirs (see
 * HTTP_RELIEF_PERCENT), until it does not. Not from within a function of a connection.
 */
void connection_relieve(struct http_thread *t);

/* Closes now. Requests whose handlers owe an answer are cut loose. */
void connection_abort(struct connection *c);

#endif
