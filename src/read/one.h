/* GET /logs/{id}: one log. */
#ifndef LOGMILL_READ_ONE_H
#define LOGMILL_READ_ONE_H

#include "read/request.h"

/* Answers `http`, a request with the id as its first part of the path, now or later. */
void read_one_get(const struct read_service *service, struct http_request *http);

#endif
