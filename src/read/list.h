/*
 * GET /logs: logs that match, newest first, as a page of JSON or as a download (NDJSON or CSV);
 * with order=oldest see read/oldest.h.
 *
 * A page may end before it has `limit` logs, and then has `next`: see enum list_end.
 *
 * What is large is not kept: a download, and a page of more than LIST_PIECE_BYTES that does not
 * end early, is sent in pieces; the next one is read when the client has taken the one before. If
 * the store fails in the middle, the connection is broken off, so that the client sees that it has
 * not got all.
 */
#ifndef LOGMILL_READ_LIST_H
#define LOGMILL_READ_LIST_H

#include "read/request.h"

/* Answers `http`, now or later. */
void read_list_get(const struct read_service *service, struct http_request *http);

#endif
