/*
 * What GET /logs answers, found and written a piece at a time. A page of JSON usually is one piece.
 * All of it is one scan of the store, which goes on where the piece before has ended: no snapshot
 * stays open while a client takes what it was sent. What is stored meanwhile may or may not be in
 * it; nothing is in it twice.
 *
 * A piece is built in turns, on any thread, one at a time; nothing here knows who is answered.
 *
 * Always true: `out` ends, up to whole_len, with a whole log, or has none (rows is 0, whole_len
 * too); `last` is known once there was a log; a download has at most piece_logs in a piece, and no
 * end by time or bytes; nothing is read past the end.
 */
#ifndef LOGMILL_READ_PIECES_H
#define LOGMILL_READ_PIECES_H

#include "base/errbuf.h"
#include "read/list_format.h"
#include "read/params.h"
#include "read/projection.h"
#include "read/scheduler.h"

enum {
    LIST_PAGE_BYTES = LOG_PARAMS_BYTES_MAX,
    LIST_PIECE_BYTES = 256 * 1024, /* of an answer in pieces: so many, and one log, … */
    LIST_PIECE_LOGS = 2000,        /* … and of a download so many logs at most */
};

/* Where the answer ends, but for having all logs that match, or as many as were asked for. */
enum list_end {
    LIST_ENDS_LATE,     /* nowhere: a download, and a page by `offset`, whose client would skip what
                           is left out */
    LIST_ENDS_BY_TIME,  /* where its time is over, with `next` */
    LIST_ENDS_BY_BYTES, /* also at page_bytes: for who asks with `cursor`, `slice` or `bytes`, and
                           so knows of `next` */
};

struct pieces {
    /* What is asked for: the caller's, before pieces_open. */
    enum list_format format;
    enum list_end end;
    struct log_query query;   /* its slices point into the matcher from pieces_open on */
    uint64_t left;            /* logs that may still come */
    size_t page_bytes;        /* 0: LIST_PAGE_BYTES */
    bool explains;            /* a page tells what it cost, and so does not look in the cache */
    struct projection fields; /* of each log; the caller's to set, ours to release */
    struct buffer *out; /* where a piece is written: the caller's, who empties it in between */

    struct log_matcher *matcher;
    struct store_scan scan;
    struct block_explain explain;
    uint64_t damage_told; /* of scan.damaged */
    struct log_key start; /* where the scan began */
    bool looked;          /* in the cache, if there is one */
    const char *cached;   /* for X-Cache: "hit", "miss", "bypass"; NULL: there is no cache */
    bool any;             /* there was a log, in this piece or one before: `last` */
    struct log_key last;
    bool more;           /* a log was met that belongs to the next page */
    uint64_t full_us;    /* since when the page has been full; 0: it is not */
    uint64_t piece_logs; /* of a download, to read at a time */

    /* Of this piece: */
    uint64_t began_us;
    bool goes_on;            /* a piece with logs was sent before it, when … */
    struct log_key before;   /* … the scan was here, … */
    uint64_t damaged_before; /* … and had met so many damaged logs */
    size_t whole_len;        /* of `out`: up to the end of the last log */
    uint64_t rows;           /* in it */
    bool ended;              /* it is the last one */
    int row_error;           /* of writing a log */
    int error;               /* it is no answer */
};

/* Makes what the scan needs, and writes what comes before the first log. 0, LM_ENOMEM, LM_EBUSY. */
int pieces_open(struct pieces *p) LM_MUST_CHECK;
void pieces_release(struct pieces *p);

/* A piece begins. */
void pieces_begin(struct pieces *p);

/*
 * One turn. After READ_DONE `out` has the piece, and p->ended tells whether it is the last; or
 * p->error, with `err` filled if it is the store's.
 */
enum read_step pieces_turn(struct pieces *p, struct read_thread *thread,
                           const struct read_slice *slice, struct errbuf *err);

/*
 * Gives up a piece that is in no turn, be it whole or in error: a page ends where the one before it
 * did, with `next`, so that its client has what was sent and can ask for the rest. `out` then has
 * the page's end. Returns false, and the answer can only be broken off, if it is no page that may
 * end early, nothing was sent before, or it was given up already.
 */
bool pieces_end_early(struct pieces *p);

void pieces_check(const struct pieces *p);

/* Before `out` is emptied for the next piece: how many logs that will have. */
void pieces_measure(struct pieces *p);

#endif
