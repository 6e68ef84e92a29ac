/*
 * What a thread keeps for reuse, so that neither a message nor a request under way is allocated for
 * each request.
 */
#ifndef LOGMILL_HTTP_SPARE_H
#define LOGMILL_HTTP_SPARE_H

#include "http/internal.h"

/* A message for a connection to read into, and back. */
struct message *spare_take_message(struct http_thread *t);
void spare_give_message(struct http_thread *t, struct message *m);

/* A request of `c`, counted among those under way. */
struct http_request *spare_take_request(struct http_thread *t, struct connection *c);

/* Gives it back, with what it holds. */
void spare_give_request(struct http_request *req);

/* Frees all that is kept. */
void spare_free_all(struct http_thread *t);

#endif
