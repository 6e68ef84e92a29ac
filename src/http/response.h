/*
 * Answers: their bytes, and the refusals that the server gives by itself, in their own words or in
 * the usual ones, which are the reason phrase of the status (http.h).
 */
#ifndef LOGMILL_HTTP_RESPONSE_H
#define LOGMILL_HTTP_RESPONSE_H

#include "http/internal.h"

/* Answers `req` as m->refusal says. */
void response_refuse(struct http_request *req, const struct message *m);

/* How the end of a body is known. */
enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_UNTIL_CLOSE };

/* Room that the head of `r`, an answer to `req`, needs at most, in bytes. */
size_t response_head_bytes_max(const struct http_request *req, const struct http_response *r);

/* Writes the head of `r` to `to`, which has room. Returns where it ends. */
char *response_put_head(char *to, const struct http_request *req, const struct http_response *r,
                        enum framing framing);

/* Makes `req` an interim "100 Continue" that is sent in its turn. */
void response_continue(struct http_request *req);

#endif
