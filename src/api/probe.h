/*
 * A question about what lies below (can the queue take logs? does the store answer?) that may
 * block, asked on a thread of its own, so that neither an event loop nor a reader of the store ever
 * waits for it, and so that who asks can stop waiting: for GET /ready and /metrics.
 *
 * Who asks gets an answer that was looked for after it had asked; all who ask while a question is
 * under way share the next one.
 */
#ifndef LOGMILL_API_PROBE_H
#define LOGMILL_API_PROBE_H

#include <stdbool.h>

#include "net/mailbox.h"
#include "queue/queue.h"

struct probe;

struct probe_answer {
    int error; /* 0: all is well */
    struct errbuf detail;
    struct queue_stats stats; /* of a probe that asks for them */
};

struct probe_options {
    /* On the probe's thread; may block. Fills `answer`, which is zeroed. */
    void (*ask)(void *ctx, struct probe_answer *answer);
    /* Nobody waits for the `ask` under way any more; from any thread. May be NULL. */
    void (*give_up)(void *ctx);
    void *ctx;
};

/* Starts the thread. NULL with `err` filled on failure. */
struct probe *probe_new(const struct probe_options *options, struct errbuf *err);

/* When nobody waits. Waits for the question under way, which is given up. NULL does nothing. */
void probe_free(struct probe *p);

/* One who waits; embedded, and lives until `answered` has run or it was withdrawn. */
struct probe_wait {
    struct probe_answer answer;                /* for `answered` */
    void (*answered)(struct probe_wait *wait); /* on the loop's thread */
    void *ctx;                                 /* the caller's */
    struct mailbox *box;                       /* of the loop */

    struct mail mail; /* the probe's */
    struct probe_wait *next;
};

/* On the loop's thread. */
void probe_ask(struct probe *p, struct probe_wait *wait);

/* On the loop's thread: waits no longer. False if the answer is on its way: `answered` comes. */
bool probe_withdraw(struct probe *p, struct probe_wait *wait) LM_MUST_CHECK;

/* True if the question under way has not been answered for `us`. From any thread. */
bool probe_is_silent(struct probe *p, uint64_t us);

#endif
