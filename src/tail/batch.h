/* Logs that were stored, ready to be sent, and which filters they match. */
#ifndef LOGMILL_TAIL_BATCH_H
#define LOGMILL_TAIL_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "store/store.h"
#include "tail/filter.h"

enum {
    TAIL_BATCH_LOGS = 1000,     /* that the feed takes from the store at a time, … */
    TAIL_BATCH_BYTES = 1 << 20, /* … or so many bytes and one log */
    TAIL_WORD_BITS = 64,        /* of tail_verdict.bits */
};

struct tail_event {
    struct store_position position;
    struct record record;
    struct slice text; /* the event as it is sent: "id: …\ndata: {…}\n\n" */
};

/* Which events of a batch match a filter. */
struct tail_verdict {
    struct tail_filter *filter; /* NULL: there is none */
    uint64_t *bits;             /* one an event; NULL: no event */
    size_t count;               /* of events that match */
    bool all;                   /* all do; there are no bits */
};

/* Immutable once it was handed out; shared by the hubs. */
struct tail_batch {
    atomic_uint references;
    struct store_position begin; /* where the feed was before it, */
    struct store_position end;   /* and after it */
    bool lost;                   /* logs before it are past the store's horizon */
    bool forgets;                /* some before it were erased: none may be kept for tails */
    struct buffer bytes;         /* what the events' slices point into */
    struct tail_event *events;
    size_t len;
    size_t capacity;
    struct tail_verdict *verdicts; /* by the slots of their filters */
    size_t verdicts_len;
};

struct tail_batch *tail_batch_new(void);
/* A store_follow_fn with the batch as `ctx`; LM_ESTOPPED once it is full, with the log in it. */
int tail_batch_add(const struct record *record, const struct store_position *position, void *ctx);
/* After the last one was added: makes the events' slices. */
void tail_batch_seal(struct tail_batch *b);
/* The words of 64 bits that a verdict's bits take. */
size_t tail_batch_words(const struct tail_batch *b);
/* The verdict of a filter (NULL: of who takes all), or NULL if there is none. */
const struct tail_verdict *tail_batch_verdict(const struct tail_batch *b,
                                              const struct tail_filter *f);
/* True if event number `at` matches. */
bool tail_verdict_has(const struct tail_verdict *v, size_t at);
/* All the memory that it holds. */
size_t tail_batch_size(const struct tail_batch *b);
void tail_batch_ref(struct tail_batch *b);
void tail_batch_unref(struct tail_batch *b); /* from any thread; frees it with the last reference */

/* Appends the field of an event that says where a tail is after it. */
void tail_append_id(struct buffer *b, const struct store_position *position);

/* Appends the event of a log. */
void tail_append_event(struct buffer *b, const struct record *record,
                       const struct store_position *position);

#endif
