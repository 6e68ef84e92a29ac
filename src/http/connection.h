/*
 * One client's connection: its line of requests, their answers going out in order, and its end.
 * What is read and when is above it, in exchange.c. Its states are in internal.h, with their
 * moves. Everything happens on its thread.
 */
#ifndef LOGMILL_HTTP_CONNECTION_H
#define LOGMILL_HTTP_CONNECTION_H

#include "http/internal.h"

/* CHECKs what is always true of it: its counts, and what its state says. */
void connection_check(const struct connection *c);

/*
 * Changes its state, and with it how long the client may take. CONNECTION_CLOSED closes it: there
 * must be nothing in line any more.
 */
void connection_move(struct connection *c, enum connection_state state);

/* No further request is read. `cut`: bytes of the client are or will be left unread. */
void connection_end(struct connection *c, bool cut);

static inline bool connection_has_ended(const struct connection *c)
{
    return c->state >= CONNECTION_ENDED;
}

/* Input was read that could not be begun. */
static inline bool connection_has_input(const struct connection *c)
{
    return c->input.len > 0;
}

/* Input that was read and has not been begun is kept no longer. */
void connection_drop_input(struct connection *c);

/* The message that is being read is, too. */
void connection_drop_message(struct connection *c);

/*
 * Puts a new request for the message in line. Those behind another are charged: one for each
 * connection is bounded by max_connections, more is what a client can make us hold.
 */
struct http_request *connection_enqueue(struct connection *c);

/* The message of `req`, the last in line, is complete: whether another may follow. */
void connection_complete(struct connection *c, struct http_request *req);

/* `req` of this connection has its answer. Sends it now or at the end of the round. */
void connection_answered(struct connection *c, struct http_request *req);

/* `len` more bytes of `req`, a stream, wait to be sent; or 0, and it has ended. */
void connection_streamed(struct connection *c, size_t len);

/* c->upload is about to be answered before its body has ended: no more of it is read. */
void connection_break_upload(struct connection *c);

/* True if something is answered at the front of the line and not sent, be it a stream's end. */
bool connection_has_unsent(const struct connection *c);

/* Sends what is answered at the front of the line, as far as the socket takes it. */
void connection_flush(struct connection *c);

/* `req`, the last in line, will be answered without end: nothing more is read. */
void connection_end_reading(struct connection *c, struct http_request *req);

/* Closes now. Requests whose handlers owe an answer are cut loose. */
void connection_abort(struct connection *c);

#endif
