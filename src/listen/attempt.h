/*
 * Logs that are made durable from bytes which are kept until they are: tried again, and in parts if
 * the queue does not take them together (SQS: 256 KiB), for as long as it takes.
 *
 *   attempt_begin ──► ATTEMPT_WAITS ──► the ticket's done ──► attempt_told ──► all are durable
 *      ▲    └───────► ATTEMPT_LATER: the owner pauses ──┐         │   └──────► ATTEMPT_LATER
 *      └────────────────────────────────────────────────┴─────────┴──────────► ATTEMPT_AGAIN
 *
 * Each attempt reads all bytes again, which must give the same logs in the same order: those that
 * are durable are counted, and skipped. A log that the queue never takes by itself is left out.
 */
#ifndef LOGMILL_LISTEN_ATTEMPT_H
#define LOGMILL_LISTEN_ATTEMPT_H

#include "ingest/ingest.h"
#include "listen/way.h"

enum { ATTEMPT_BYTES_MAX = 4 << 20 }; /* of logs that are made durable together, about */

enum attempt_result {
    ATTEMPT_DONE,  /* all logs are durable, or there were none */
    ATTEMPT_WAITS, /* the ticket's done will be called */
    ATTEMPT_AGAIN, /* there are more: attempt_begin */
    ATTEMPT_LATER, /* the same after a pause */
};

/* All zero but for the ticket's done at first, and for new bytes. */
struct attempt {
    struct ingest_ticket ticket;
    enum metric_protocol protocol;
    size_t seen;     /* logs that were read this time */
    size_t done;     /* of all, those that are durable or were left out: the first ones */
    size_t limit;    /* of logs of the next ticket; 0: none */
    bool is_stopped; /* by us: there are more */
    bool is_too_big; /* the ingest has said so */
};

/*
 * Opens the ticket, and has `read` hand all logs to attempt_add with `a` as its context; it returns
 * 0, LM_ENOMEM, LM_EBUSY, or what attempt_add returned. Not ATTEMPT_AGAIN.
 */
enum attempt_result attempt_begin(struct attempt *a, struct ingest *in,
                                  int (*read)(struct attempt *a)) LM_MUST_CHECK;
int attempt_add(const struct record *record, void *attempt);

/* What becomes of it after the ticket's done(error). Not ATTEMPT_WAITS. */
enum attempt_result attempt_told(struct attempt *a, int error) LM_MUST_CHECK;

#endif
