/*
 * Bodies that are taken in lots (HTTP_ROUTE_LOTS): handed over while they come. The request of one
 * stands in line from its first lot on, as the last there, c->upload; its message stays the
 * connection's until it is complete. What comes while the handler has a lot gathers in the message.
 */
#ifndef LOGMILL_HTTP_LOTS_H
#define LOGMILL_HTTP_LOTS_H

#include "http/internal.h"

/* Nothing more may be read before the handler has taken the lot it has. */
bool lots_are_held(const struct connection *c);

/*
 * More of the message, which comes in lots, was read, and kept. False: it is refused, as its
 * refusal says.
 */
bool lots_read(struct connection *c);

/* The message of c->upload is complete. False: it is refused, for want of room. */
bool lots_end(struct connection *c);

/*
 * Hands over what has gathered, if the handler has no lot; or, if nothing more comes, tells it, and
 * answers the refusal of the message. Nothing if there is no upload.
 */
void lots_go_on(struct connection *c);

#endif
