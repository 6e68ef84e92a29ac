/*
 * GET /logs with `around`: one log, with those that come before and after it, of the same values of
 * some fields if `same` names them. The older ones are a scan of the store; the newer ones are
 * found as newer.h has it, in turn with it. What is not there when the time is over is behind
 * `next` and `previous`.
 */
#ifndef LOGMILL_READ_AROUND_H
#define LOGMILL_READ_AROUND_H

#include <stdbool.h>

#include "read/request.h"

/* The parameter is there. */
bool read_around_is_asked(struct http_request *http);

/* Answers `http`, now or later. */
void read_around_get(const struct read_service *service, struct http_request *http);

#endif
