/*
 * The way of a log into the queue, for one thread with an event loop. It knows no protocol and no
 * format: the caller opens a ticket of its own, adds records to it, and is told once what became of
 * them.
 *
 *   ingest_open ──► ingest_add … ──► ingest_commit ──► done(error), once: error 0 is "durable"
 *                        └─────────► ingest_cancel      (done is not called)
 *
 * Records are appended to the open send. It goes to the queue when the loop has drained what was
 * readable and a slot for a send is free; while sends are in flight the next one grows (and a
 * moment longer, see hold.h; where each send costs money some more, see gathering.h). So a lone log
 * waits for nobody, and load makes sends large by itself (group commit). When the queue has
 * confirmed a send, or has not, every ticket in it is told. Where the queue refuses a send for what
 * is in it, its tickets are sent again in two halves, and so on, until the one to blame stands
 * alone.
 *
 * A send that the queue did not take, or of which nothing is known, is handed over again, the same
 * bytes with the same ids, every HOLD_WAKE_US, for those of its tickets that are patient; the
 * others are told. So long as it waits the others go on: the bytes of those that are held are the
 * account's, and at most a part of it (INGEST_HELD_SHARE).
 *
 * The states of a send:
 *
 *   spare ──► filling ──► ready ──► in flight ──► spare
 *                │          ▲            └──► held ──► ready
 *                ├──► held ──┘
 *                └───────────────────────────────► spare   (a half that found no memory)
 *
 * Always true (ingest_check): one send is the open one, and is filling; a ticket's records are all
 * in one send; a ticket is told once, after the send that holds its records has come back; the open
 * send has taken as many bytes from the account as its tickets' records are long.
 */
#ifndef LOGMILL_INGEST_INGEST_H
#define LOGMILL_INGEST_INGEST_H

#include <stdbool.h>

#include "base/ledger.h"
#include "ingest/hold.h"
#include "message/writer.h"
#include "metrics/metrics.h"
#include "net/mailbox.h"
#include "queue/queue.h"
#include "record/record.h"

struct ingest;

enum { INGEST_HELD_SHARE = 4 }; /* held are up to this part of what the account may hold */

/* How far a ticket is. */
enum ingest_stage {
    INGEST_NEW,     /* or told, or cancelled */
    INGEST_TAKING,  /* opened: records may be added */
    INGEST_WAITING, /* committed: `done` will be called */
    INGEST_STAGES
};

/* A point in the batches of a send, to which it can be cut back. */
struct ingest_mark {
    size_t batches;         /* those that hold something */
    struct batch_mark last; /* in the last of them */
};

/*
 * Logs that are made durable together, all or none. The caller's memory, zeroed at first, and from
 * ingest_commit until `done` to be left alone.
 */
struct ingest_ticket {
    /*
     * Called once, on the loop's thread, never from within a function of this header. `error` is 0
     * if the logs are durable; what queue_send.done (queue/queue.h) says; LM_ESTOPPED if the queue
     * took nothing any more; or LM_ENOMEM if the logs were to be sent again and there was no memory
     * for that. Which refusal that is to a client is the owner's matter: api/intake.c has it
     * for HTTP (refusal_of, a row of answers/answers.h for each). It may open other tickets.
     */
    void (*done)(struct ingest_ticket *t, int error);
    /*
     * The owner's duty: whatever it needs to tell the sender that the logs are durable has been
     * reserved. What is durable must not be told to be refused, for want of memory. Checked by
     * ingest_commit.
     */
    bool has_room;

    /*
     * How long, from ingest_commit on, a queue that does not take the logs is tried again before
     * `done` is told of that. 0: not at all.
     */
    unsigned patience_ms;

    /*
     * Or NULL. Where the account has no room for the logs: takes `bytes` of it in exchange for what
     * the owner holds elsewhere for the same logs, and that goes when they are taken. Returns false
     * if there is no room even so.
     */
    bool (*exchange)(struct ingest_ticket *t, struct account *account, size_t bytes);

    /* The ingest's: */
    enum ingest_stage stage;
    struct ingest *in;
    struct ingest_ticket *next; /* in its send, in the order of committing */
    struct ingest_mark begin;   /* of its records; they go on to where the next one's begin */
    uint64_t until_us;          /* clock_monotonic_us: the end of its patience */
    size_t logs;
    size_t bytes; /* of its records so far */
    size_t held;  /* taken from the account for them, until they are committed or taken back */
};

/* `box` and `hold` belong to the loop of the thread that will use it; all arguments must outlive
 * it. */
struct ingest *ingest_new(struct queue *queue, struct account *account, struct mailbox *box,
                          struct hold *hold);

/* When no ticket is open or waits. */
void ingest_free(struct ingest *in);

/*
 * Begins; nothing is taken yet. One at a time: until ingest_commit or ingest_cancel `t` is the only
 * ticket that `in` is called with, and ingest_flush is not called.
 */
void ingest_open(struct ingest *in, struct ingest_ticket *t);

/*
 * Adds a log; `r` is copied, and the account pays for it as the ticket grows. Returns 0; LM_ETOOBIG
 * if the queue does not take so much together (ingest_limits), or if the account could never hold
 * it (ingest_bytes_max); LM_EBUSY if it has no room now; or LM_ENOMEM. After an error the ticket is
 * to be cancelled.
 */
int ingest_add(struct ingest_ticket *t, const struct record *r) LM_MUST_CHECK;

/* Takes back what was added; `done` is not called. */
void ingest_cancel(struct ingest_ticket *t);

/*
 * The logs, at least one, join the open send; `done` comes later, once. Returns 0; or LM_ETOOBIG
 * if the account could never hold them, LM_EBUSY if it has no room for them now: then `t` is still
 * open, and to be cancelled.
 */
int ingest_commit(struct ingest_ticket *t) LM_MUST_CHECK;

/*
 * A log came by `protocol` that can never be stored, since the queue takes none so large, or not
 * what is in it, and whose sender is not to be refused for it: counts it, and says so on stderr,
 * not too often.
 */
void ingest_leave_out(struct ingest *in, enum metric_protocol protocol);

/* What the queue takes together: for words about LM_ETOOBIG. */
const struct queue_limits *ingest_limits(const struct ingest *in);

/* Bytes of logs that one ticket may have: no more than the account can hold if nobody else is
 * there. */
size_t ingest_bytes_max(const struct ingest *in);

/* Hands over what has gathered, as far as there are free slots. After each round of the loop. */
void ingest_flush(struct ingest *in);

/* Aborts if what is always true is not (base/check.h). */
void ingest_check(const struct ingest *in);

#endif
