/*
 * An upload of a journal (formats/journal.h), which is open for as long as its client runs: a lot
 * of it at a time is read and made durable, then the next is asked for (http_request_take_lots).
 * When it has ended, and all of it is durable, its client is answered 202.
 *
 * Each entry has a ticket of the ingest's own, so that one that the queue never takes is left out
 * alone. The queue is tried for UPLOAD_HOLD_MS; then, or without memory for an entry, or with what
 * is no journal, the client is refused as soon as all before that is durable: it ends, and sends
 * the same again, of which each entry is known by its cursor.
 *
 * An upload holds a lot, an entry that has not come whole, and the tickets of the lot's entries:
 * all are charged.
 */
#ifndef LOGMILL_API_UPLOAD_H
#define LOGMILL_API_UPLOAD_H

#include "base/ledger.h"
#include "http/http.h"
#include "ingest/ingest.h"

enum {
    UPLOAD_HOLD_MS = 5000,      /* that a queue which takes nothing is tried again */
    UPLOAD_SPARE_TICKETS = 1024 /* that an upload keeps for its next lot */
};

struct access;

/*
 * Takes `req`, whose first lot has come. `in`, `access` and `account`, for its entries, must
 * outlive it. What its key may send is asked for once, at its begin; all of it counts for what
 * comes next.
 */
void upload_take(struct http_request *req, struct ingest *in, struct access *access,
                 struct account *account);

#endif
