/*
 * GET /logs/tail: logs as they are stored, as Server-Sent Events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 *   tail_batch.c  logs that were stored, ready to be sent
 *   tail_feed.c   one thread of the process: follows the store, hands batches to the hubs
 *   tail_filter.c what tails ask for, and which logs of a batch that is
 *   tail_hub.c    one for each HTTP thread: hands batches to its tails
 *   tail.c        one tail: one client's stream
 *
 * A tail has a place in the order in which logs were stored (store_follow), and the id of each
 * event is that place, so that Last-Event-ID goes on without a gap or a repeat. A live tail takes
 * what comes to its hub. One that comes back, or whose client did not take what was sent, goes on
 * at its own pace, from the batches that its hub still has or else the store, until it has caught
 * up; where it is behind by more than TAIL_BEHIND_MAX logs for TAIL_BEHIND_MS, it is told how many
 * it missed and goes on from now. So a client that is slow costs no memory, and nobody else's time.
 *
 * No log is matched on an event loop. The feed's thread matches each batch against each distinct
 * filter, within an amount of work; where that does not suffice for a filter, its tails catch up by
 * jobs that match for themselves.
 */
#ifndef LOGMILL_TAIL_TAIL_H
#define LOGMILL_TAIL_TAIL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "http/http.h"
#include "net/mailbox.h"
#include "query/matcher.h"
#include "read/scheduler.h"
#include "store/store.h"
#include "tail/feed.h"

enum {
    TAIL_UNSENT_MAX = 64 * 1024,     /* bytes of one tail that its socket has not taken, … */
    TAIL_UNSENT_MIN = 1024,          /* … or its share of tail_feed_options.unsent_bytes */
    TAIL_BEHIND_MAX = 10000,         /* logs that a tail may have to catch up with … */
    TAIL_BEHIND_MS = 5000,           /* … for so long */
    TAIL_HEARTBEAT_MS = 15000,       /* between two comments that keep the connection open */
    TAIL_RETRY_MS = 1000,            /* what clients are told to wait before they come back */
    TAIL_BATCH_LOGS = 1000,          /* that the feed takes from the store at a time, … */
    TAIL_BATCH_BYTES = 1 << 20,      /* … or so many bytes and one log */
    TAIL_RECENT_BATCHES = 64,        /* that a hub keeps for tails that are a little behind, … */
    TAIL_RECENT_BYTES = 8 << 20,     /* … and their bytes; hubs keep the same ones */
    TAIL_MATCH_STEPS = 30000000,     /* to match a batch against all filters: 60 ms at most, … */
    TAIL_MATCH_STEPS_BUSY = 5000000, /* … or 10 ms, where the next logs wait already */
};

/* ---- Filters ---- */

/*
 * Of all tails that ask for the same. The feed has a set of them, under its lock; batches hold
 * references.
 */
struct tail_filter {
    struct log_matcher *matcher;
    atomic_uint references; /* of the set, and of batches that have a verdict of it */
    unsigned tails;         /* under the feed's lock */
    size_t slot;            /* its number; another filter may have it later */
    _Atomic uint64_t cost;  /* steps that it took last for TAIL_COST_BYTES of logs */
};

enum {
    TAIL_COST_BYTES = 1024,
    TAIL_COST_EXPENSIVE = 1024, /* less is cheap; where it starts */
};

struct tail_filters {
    struct tail_filter **slots; /* NULL: free */
    size_t len;
};

/*
 * The filter of the set that is equal to `matcher`, the reference to which is taken over, with one
 * tail more; tail_filters_leave takes one off.
 */
struct tail_filter *tail_filters_use(struct tail_filters *set, struct log_matcher *matcher);
void tail_filters_leave(struct tail_filters *set, struct tail_filter *f);
void tail_filters_release(struct tail_filters *set); /* once no tail is left */

/* A copy with a reference to each, for tail_batch_judge. Returns 0 or LM_ENOMEM (`copy` empty). */
int tail_filters_copy(const struct tail_filters *set, struct tail_filters *copy) LM_MUST_CHECK;

/* It took `steps` for `bytes` of logs. */
void tail_filter_learn(struct tail_filter *f, uint64_t steps, uint64_t bytes);

/* What an event counts in these bytes. */
uint64_t tail_event_bytes(const struct record *r);

/* Time bounds included; as log_matcher_match_subject. `log` is set to `r`. */
int tail_filter_match(const struct tail_filter *f, struct log_subject *log, const struct record *r,
                      bool *matches, uint64_t *steps) LM_MUST_CHECK;

/* ---- Batches ---- */

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
/*
 * After that: finds the verdicts of `filters`, a copy, which is used up. They share `work` (steps
 * as log_matcher_match_subject counts them) equally; one that needs more, or memory that there is
 * not, has no verdict.
 */
void tail_batch_judge(struct tail_batch *b, struct tail_filters *filters, uint64_t work);
void tail_batch_drop_verdicts(struct tail_batch *b); /* a part of freeing it */
/* The verdict of a filter (NULL: of who takes all), or NULL where there is none. */
const struct tail_verdict *tail_batch_verdict(const struct tail_batch *b,
                                              const struct tail_filter *f);
/* True where event number `at` matches. */
bool tail_verdict_has(const struct tail_verdict *v, size_t at);
/* All the memory that it holds. */
size_t tail_batch_size(const struct tail_batch *b);
void tail_batch_ref(struct tail_batch *b);
void tail_batch_unref(struct tail_batch *b); /* from any thread; frees it with the last reference */

/* Appends the event of a log. */
void tail_append_event(struct buffer *b, const struct record *record,
                       const struct store_position *position);

/* ---- Hubs ---- */

struct tail;

/*
 * Tails that have jobs of the readers one at a time, in turn. Those whose filters are known to be
 * expensive have a line of their own, so that the others need not wait for them.
 */
enum { TAIL_LINE, TAIL_LINE_EXPENSIVE, TAIL_LINES };
struct tail_line {
    struct tail *first, **last;
    bool job_runs; /* of one of them */
};

/* On one HTTP thread; `feed_…` is the feed's, under its lock. */
struct tail_hub {
    struct tail_feed *feed;
    struct read_scheduler *readers;
    struct mailbox *box;
    uv_timer_t heartbeat;
    void (*closed)(struct tail_hub *hub);
    struct tail *tails; /* in a list */
    struct tail_line lines[TAIL_LINES];
    bool has_position; /* the feed has said where it is */
    struct store_position position;

    struct tail_batch *recent[TAIL_RECENT_BATCHES]; /* the last ones: each begins where one ended */
    size_t recent_len, recent_size;

    bool feed_subscribed;
    bool feed_posted; /* `mail` is on its way */
    struct mail mail;
    struct tail_hub *feed_next;
    struct tail_batch **feed_batches; /* TAIL_HUB_BATCHES of them, a ring */
    unsigned feed_first, feed_len;
};

enum { TAIL_HUB_BATCHES = 8 }; /* that wait for one HTTP thread; then the feed waits */

/* On the loop's thread. `readers` and `feed` must outlive it. Returns 0 or an error. */
int tail_hub_init(struct tail_hub *hub, struct tail_feed *feed, struct read_scheduler *readers,
                  struct mailbox *box, uv_loop_t *loop, struct errbuf *err) LM_MUST_CHECK;

/*
 * On the loop's thread, when every stream is over: closed(hub) comes when the last job of a tail is
 * done and the timer closed.
 */
void tail_hub_close(struct tail_hub *hub, void (*closed)(struct tail_hub *hub));

/* The last of its tails is gone. */
void tail_hub_emptied(struct tail_hub *hub);

/* What a hub asks of the feed: its batches from now on, and no more of them. */
void tail_feed_subscribe(struct tail_feed *feed, struct tail_hub *hub);
void tail_feed_unsubscribe(struct tail_feed *feed, struct tail_hub *hub);

/* The batch that has waited longest, to be unref'd, or NULL. */
struct tail_batch *tail_feed_take(struct tail_feed *feed, struct tail_hub *hub);

/* Counts one more tail; false where there are max_tails. And one less. */
bool tail_feed_admit(struct tail_feed *feed);
void tail_feed_dismiss(struct tail_feed *feed);
unsigned tail_feed_max_tails(const struct tail_feed *feed);

/*
 * The filter for a tail that asks for `f`, until tail_feed_drop_filter: `*filter` is NULL where all
 * logs match. Returns 0 or LM_ENOMEM. From any thread.
 */
int tail_feed_use_filter(struct tail_feed *feed, const struct log_filter *f,
                         struct tail_filter **filter) LM_MUST_CHECK;
void tail_feed_drop_filter(struct tail_feed *feed, struct tail_filter *filter); /* may be NULL */

/* Bytes that one tail may have unsent before it has to wait. From any thread. */
size_t tail_feed_unsent_max(const struct tail_feed *feed);

/* ---- Tails ---- */

/* Answers GET /logs/tail: takes over `req`. */
void tail_start(struct tail_hub *hub, struct http_request *req);

/* A batch has come to the hub; hub->position is still where it was before. */
void tail_take(struct tail *t, const struct tail_batch *batch);

/* After batches have come: goes on catching up, or joins in. */
void tail_advance(struct tail *t);

/* After that: has the next of those that want to read the store do so. May end a tail. */
void tail_read_next(struct tail_hub *hub);

void tail_beat(struct tail *t);

/* The next in the hub's list. */
struct tail *tail_next(const struct tail *t);

#endif
