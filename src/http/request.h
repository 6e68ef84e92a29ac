/*
 * One request under way: from the moment its message was complete (or refused) until its answer
 * has left. It holds the answer; the message only for as long as the handler runs, so a request
 * that waits is small. Recycled in its thread's free list, with the memory of its answer.
 */
#ifndef LOGMILL_HTTP_REQUEST_H
#define LOGMILL_HTTP_REQUEST_H

#include "http/internal.h"

/* Changes its state. */
void request_move(struct http_request *req, enum request_state state);

/* Who asked is the request's from now on, not its message's any more. */
void request_take_who(struct http_request *req, struct message *m);

/* Takes `gone` back: it is answered. */
void request_forget_gone(struct http_request *req);

/* Tells that the client has gone, if that is still wanted; `req` may be answered afterwards. */
void request_tell_gone(struct http_request *req);

/* The connection of `req` is no more, and nobody has a lot of it: its handler is told. */
void request_lots_over(struct http_request *req);

#endif
