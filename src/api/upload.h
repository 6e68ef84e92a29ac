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

#include <uv.h>

#include "base/errbuf.h"
#include "base/ledger.h"
#include "http/http.h"
#include "ingest/ingest.h"

enum {
    UPLOAD_HOLD_MS = 5000,       /* that a queue which takes nothing is tried again */
    UPLOAD_SPARE_TICKETS = 1024, /* that an upload keeps for its next lot */
    UPLOAD_LOOK_MS = 250         /* between two looks at those that are open */
};

struct access;
struct upload;

/*
 * Those of a thread that are open. They are looked at every UPLOAD_LOOK_MS, while there are any:
 * one whose key no longer holds is ended, be it silent or not; the next lot of one that has brought
 * more than its key may send is asked for when that is paid off.
 */
struct uploads {
    uv_timer_t timer;
    struct upload *first;
    struct ingest *ingest;
    struct access *access;
    struct account *account; /* for their entries */
    void (*closed)(struct uploads *u);
};

/* On the loop's thread; ingest, access and account are set, and outlive it. Returns 0 or an error.
 */
int uploads_init(struct uploads *u, uv_loop_t *loop, struct errbuf *err) LM_MUST_CHECK;

/* When none is open any more: closes the handle, and calls closed(u). */
void uploads_close(struct uploads *u, void (*closed)(struct uploads *u));

/*
 * Takes `req`, whose first lot has come; or refuses it, if its key may send nothing now. All of it
 * counts for what comes next.
 */
void upload_take(struct uploads *all, struct http_request *req);

#endif
