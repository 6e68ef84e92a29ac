/*
 * The queue port: where logs are made durable before they are acknowledged, and from where workers
 * take them. Adapters: sqlite/adapter.h (a file), sqs/adapter.h (Amazon SQS). Delivery is at least
 * once; what is delivered twice is stored once, by (timestamp, id).
 *
 * Threads: queue_send may be called from any thread. A consumer belongs to one thread.
 * queue_interrupt, queue_stats and queue_check may be called from any thread.
 */
#ifndef LOGMILL_QUEUE_QUEUE_H
#define LOGMILL_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

struct queue;          /* one of an adapter's; the ops are below, for adapters */
struct queue_consumer; /* one thread's way of receiving */

/* ---- Sending ---- */

/*
 * One or more messages that are made durable together, all or none if the adapter can
 * (queue_limits.atomic_send). The caller owns it, and it and the messages must live until `done`.
 */
struct queue_send {
    const struct slice *messages; /* UTF-8 text, each at most queue_limits.max_message_bytes */
    size_t messages_len;          /* at least 1 */
    /*
     * Called exactly once, on a thread of the queue's: error 0 when all messages are durable,
     * otherwise one of these, and `detail` (lives until the call returns). Must not block.
     *   LM_EUNAVAILABLE, LM_ETIMEOUT   not known: it may be there, whole or in part. (The embedded
     *                                  queue says the first if another process keeps its file
     *                                  locked: then nothing of it is there.)
     *   LM_EDATA, LM_ETOOBIG           refused for what is in it: so it would be again
     *   LM_EBUSY                       not there: the queue holds all that it may
     *   LM_EFULL, LM_EIO, LM_ENOMEM,   not there: another time it may be taken. Its sender is told
     *   any other                      so, which is wrong in one case: a disk lets the embedded
     *                                  queue's commit fail and will not take it back either, and
     *                                  the process ends before the next one (sqlite/vfs.h).
     */
    void (*done)(struct queue_send *send, int error, const char *detail);
    void *ctx;               /* the caller's */
    struct queue_send *next; /* the adapter's */
};

/*
 * Never blocks. Returns 0; or LM_ESTOPPED if the queue is being closed, or was not opened for
 * sending: then nothing of it is there, and `done` is never called.
 */
int queue_send(struct queue *q, struct queue_send *send) LM_MUST_CHECK;

struct queue_limits {
    size_t max_message_bytes; /* of one message */
    unsigned send_slots;      /* sends that one thread with an ingest keeps under way */
    unsigned max_consumers;   /* consumers that may exist at once in this process */
    bool atomic_send;         /* several messages of one send: all or none, even in a crash */
    bool no_older_readers;    /* no older build reads it: messages may be of the newest version */
    bool ours_alone;          /* only logmill writes to it: what is in it was judged before */
    bool in_order;            /* receives give them in the order of sending, whoever receives */
    /* Each send costs money: logs may wait so long to share one. 0: it does not. */
    unsigned gather_us;
    size_t gather_bytes; /* a message of so many costs as much as a small one */
};

struct queue_limits queue_limits(const struct queue *q);

/* Can the queue take logs? Returns 0 or an error with `err` filled. May block; not for a loop. */
int queue_check(struct queue *q, struct errbuf *err) LM_MUST_CHECK;

struct queue_stats {
    uint64_t depth;        /* messages that wait or are being worked on */
    int64_t oldest_age_us; /* of the oldest of them; 0: there is none; negative: not known */
    uint64_t dead_letters;
};

/* May block; not for a loop. */
int queue_stats(struct queue *q, struct queue_stats *stats, struct errbuf *err) LM_MUST_CHECK;

/* ---- Receiving ---- */

enum queue_outcome {
    QUEUE_RETURN,      /* not worked on: deliver it again, soon */
    QUEUE_ACKNOWLEDGE, /* done: never again, unless a crash comes first */
    QUEUE_REJECT,      /* cannot be understood: to the dead letters, by the queue's own way */
};

struct queue_message {
    struct slice body;
    struct slice id;            /* the queue's name for it: the same at every delivery */
    int64_t sent_us;            /* wall clock at which it was sent */
    bool redelivered;           /* the queue knows that it delivered it before */
    enum queue_outcome outcome; /* set by the worker before queue_settle; QUEUE_RETURN at first */
    const char *reason;         /* why it is rejected; must live until queue_settle returns */
    uint64_t receipt;           /* the adapter's */
};

struct queue_delivery {
    struct queue_message *messages; /* owned by the consumer; live until queue_settle */
    size_t count;
};

struct queue_consumer *queue_consumer_new(struct queue *q, struct errbuf *err);
void queue_consumer_free(struct queue_consumer *c);

/*
 * Waits up to `wait_ms` for messages and takes what is there, bounded in number and bytes. The
 * order is that of sending, as far as the adapter has one. After a call in vain the next one is to
 * come soon: what the adapter is given meanwhile is held for this consumer.
 * Returns 0 (count may be 0: nothing came, or queue_interrupt) or an error to be tried again later.
 */
int queue_receive(struct queue_consumer *c, unsigned wait_ms, struct queue_delivery *delivery,
                  struct errbuf *err) LM_MUST_CHECK;

/*
 * Ends a delivery, message by message as their outcomes say. An error means that some messages may
 * be delivered again, never that one is lost.
 */
int queue_settle(struct queue_consumer *c, struct queue_delivery *delivery,
                 struct errbuf *err) LM_MUST_CHECK;

/*
 * Puts a message of its own among the dead letters: `body` is the text of a batch with the one
 * record that could not be stored. Durable when 0 is returned.
 */
int queue_dead_letter(struct queue_consumer *c, struct slice body, const char *reason,
                      struct errbuf *err) LM_MUST_CHECK;

/*
 * Makes queue_receive wait no longer: a call under way returns at once, and later ones take what is
 * there without waiting, so that a worker that stops can still empty the queue.
 */
void queue_interrupt(struct queue *q);

/* ---- Dead letters (for people; blocking) ---- */

struct queue_dead_letter {
    struct slice id; /* names it in queue_dead_letters_requeue */
    struct slice body;
    struct slice reason;
    int64_t died_us; /* wall clock */
};

/* Returns 0 to go on, anything else to stop. */
typedef int queue_dead_letter_fn(const struct queue_dead_letter *letter, void *ctx);

/*
 * Oldest first; nothing is consumed. Returns 0; LM_ETOOBIG if there may be more than `fn` was given
 * (of SQS, which has to be looked through as a whole); or another error.
 */
int queue_dead_letters_list(struct queue *q, queue_dead_letter_fn *fn, void *ctx,
                            struct errbuf *err) LM_MUST_CHECK;

/*
 * Sends dead letters again: the ones named by `ids`, or all if ids_len is 0. `*moved` tells how
 * many. LM_ENOTFOUND if an id names none, LM_ETOOBIG as above (the others are moved).
 */
int queue_dead_letters_requeue(struct queue *q, const struct slice *ids, size_t ids_len,
                               uint64_t *moved, struct errbuf *err) LM_MUST_CHECK;

/* Which dead letters are too many: 0 is no limit. */
struct queue_letter_limits {
    int64_t before_us;  /* those that died before it */
    uint64_t max_bytes; /* the oldest, past so many bytes of all */
    bool drops;         /* they are deleted, the oldest first */
};

struct queue_letter_excess {
    uint64_t bytes;    /* of all that there were */
    int64_t oldest_us; /* when the oldest died; 0: there is none */
    bool is_over;      /* there were too many */
    uint64_t dropped;  /* a bounded number at a time */
};

/*
 * Looks whether there are too many dead letters. May block. If the queue sees to that itself
 * (SQS does), it finds none.
 */
int queue_dead_letters_trim(struct queue *q, const struct queue_letter_limits *limits,
                            struct queue_letter_excess *found, struct errbuf *err) LM_MUST_CHECK;

/* Sends under way are finished (their `done` runs) before this returns. NULL does nothing. */
void queue_free(struct queue *q);

/* ---- For adapters ---- */

struct queue_ops {
    int (*send)(struct queue *q, struct queue_send *send);
    struct queue_limits (*limits)(const struct queue *q);
    int (*check)(struct queue *q, struct errbuf *err);
    int (*stats)(struct queue *q, struct queue_stats *stats, struct errbuf *err);
    struct queue_consumer *(*consumer_new)(struct queue *q, struct errbuf *err);
    void (*consumer_free)(struct queue_consumer *c);
    int (*receive)(struct queue_consumer *c, unsigned wait_ms, struct queue_delivery *delivery,
                   struct errbuf *err);
    int (*settle)(struct queue_consumer *c, struct queue_delivery *delivery, struct errbuf *err);
    int (*dead_letter)(struct queue_consumer *c, struct slice body, const char *reason,
                       struct errbuf *err);
    void (*interrupt)(struct queue *q);
    int (*dead_letters_list)(struct queue *q, queue_dead_letter_fn *fn, void *ctx,
                             struct errbuf *err);
    int (*dead_letters_requeue)(struct queue *q, const struct slice *ids, size_t ids_len,
                                uint64_t *moved, struct errbuf *err);
    int (*dead_letters_trim)(struct queue *q, const struct queue_letter_limits *limits,
                             struct queue_letter_excess *found,
                             struct errbuf *err); /* NULL: the queue sees to that itself */
    void (*free)(struct queue *q);
};

/* The first member of every adapter's queue and consumer. */
struct queue {
    const struct queue_ops *ops;
};
struct queue_consumer {
    const struct queue_ops *ops;
};

#endif
