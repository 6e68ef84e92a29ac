/*
 * What goes on upon a connection: bytes become requests, which are handled and answered in turn.
 * The states of a connection: internal.h; how they follow from what happens is told in exchange.c.
 */
#ifndef LOGMILL_HTTP_EXCHANGE_H
#define LOGMILL_HTTP_EXCHANGE_H

#include <sys/socket.h>

#include "http/internal.h"

/*
 * Takes over `fd`, accepted and non-blocking, of a client at `address` (NULL: not known). NULL (and
 * `fd` closed) if the loop refuses it. `by`: its transport; NULL: the loop's. `is_extra`: past
 * max_connections.
 */
struct connection *exchange_new(struct http_thread *t, const struct transport_source *by, int fd,
                                const struct sockaddr *address, bool is_extra);

/* The socket is readable: reads once. */
void exchange_readable(struct connection *c);

/* What the client sent, whole or in any pieces. */
void exchange_receive(struct connection *c, const char *data, size_t len);

/* The client has sent its last byte; it may still read. */
void exchange_receive_end(struct connection *c);

/* The client has sent its last byte, which we may not have read yet. */
void exchange_hung_up(struct connection *c);

/* Sends what is answered, and goes on reading if that was in the way. */
void exchange_send(struct connection *c);

/* It waits for its next request, and nothing is under way: another process could go on with it. */
bool exchange_rests(const struct connection *c);

/* Begins no further request; closes at once if none is under way. */
void exchange_drain(struct connection *c);

/* A deadline of `kind` has passed. */
void exchange_timed_out(struct connection *c, enum timeout_kind kind);

/*
 * If memory for answers runs short: cuts off the clients that do not take theirs (see
 * HTTP_RELIEF_PERCENT), until it does not. Not from within a function of a connection.
 */
void exchange_relieve(struct http_thread *t);

#endif
