/*
 * GET /logs with order=oldest: the logs that come first after a place, as a page of JSON. They are
 * found as newer.h has it, since stores go from the newest to the oldest. A page ends early at its
 * bytes, and when its time is over; `next` then goes on.
 */
#ifndef LOGMILL_READ_OLDEST_H
#define LOGMILL_READ_OLDEST_H

#include <stdbool.h>

#include "read/request.h"

/* The parameter says so. */
bool read_oldest_is_asked(struct http_request *http);

/* Answers `http`, now or later. */
void read_oldest_get(const struct read_service *service, struct http_request *http);

#endif
