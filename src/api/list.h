/*
 * GET /logs: logs that match, newest first, as a page of JSON or as a download (NDJSON, or CSV,
 * RFC 4180). All of them are one thing: a scan of the store, in turns (read/scheduler.h).
 *
 * A page may end before it has `limit` logs, and then has `next`: where its time is over (`slice`,
 * or QUERY_TIMEOUT), and, for who asks with `cursor` or `slice` and so knows of `next`, where it
 * has LIST_PAGE_BYTES. One with `offset` never does: who pages by numbers would skip what is left
 * out.
 *
 * What is large is not kept: a download, and a page of more than LIST_PIECE_BYTES that does not
 * end early, is sent in pieces; the next one is read when the client has taken the one before. What
 * is stored meanwhile may or may not be in it; nothing is in it twice. Where the store fails in the
 * middle, the connection is broken off, so that the client sees that it has not got all.
 *
 * What is built is charged to the reads' account (base/ledger.h).
 */
#ifndef LOGMILL_API_LIST_H
#define LOGMILL_API_LIST_H

#include "api/internal.h"
#include "http/query_string.h"

enum list_format { LIST_JSON, LIST_NDJSON, LIST_CSV };

enum {
    LIST_PAGE_BYTES = 8 << 20,
    LIST_PIECE_BYTES = 256 * 1024, /* of an answer in pieces: so many, and one log, … */
    LIST_PIECE_LOGS = 2000,        /* … and of a download so many logs at most */
};

/*
 * What the client asks for: by the parameter `format` (ndjson, csv or json), or else by its header
 * Accept (data NULL: none), RFC 9110, section 12.5.1: application/x-ndjson or text/csv where it
 * likes that better than application/json.
 */
enum list_format list_format(struct slice accept, const struct query_string *params);

#endif
