/*
 * Who reads the store when. A few threads read it (and the cache), so that no event loop ever waits
 * for a disk or a database; this file says whose turn it is.
 *
 * A read is a *job*, and a job is done in *turns*: a thread calls its `work` with a slice of time,
 * and `work` returns that the job is done, or that there is more. Between two turns nothing is held
 * but what the job itself keeps; the next turn may be on another thread, with another reader of the
 * store. So what takes long never keeps the others waiting for more than a slice.
 *
 *   lanes     Point reads come before pages, pages before searches, those before scans. A job
 *             begins in the lane that it names, and has all turns but its first in that of the
 *             scans. So a page that is just read never waits for more than one turn of a search.
 *             After READ_SCAN_DUE turns of others a scan that waits has one, so that scans go on
 *             whatever comes.
 *   fairness  Within a lane the clients take turns, and the jobs of one client theirs.
 *   places    The first thread never takes scans, if there is more than one.
 *   helpers   Where cores are free, a turn of a scan may be helped by threads that take no jobs
 *             (store/helpers.h): as many as are left of `helpers` and one when each turn that runs
 *             has a thread, and none while a job waits that is not a scan.
 *   bounds    max_jobs at once, max_client_jobs of one client; one more is refused.
 *
 * A job has one *last turn*, in which slice.last is set: if its time is over (until_us), or its
 * client has gone (read_job_leave). Then what it has found is to be written down, and `work` is not
 * called again. A job that has had a turn has its last one before all others, so that an answer is
 * given in time and what nobody wants any more is out of the way at once. A job that has had none
 * stays in its line, since a client that has closed its side of the connection may still read: its
 * first turn is then also its last.
 *
 * A watchdog looks after what a slice cannot bound: a store that does not answer. It cancels the
 * call of a job (store_reader_cancel) that is READ_GRACE_MS past its time or whose client has gone,
 * but not before its turn has taken READ_GRACE_MS, and of any turn that takes longer than
 * `timeout_ms`: so a job that had to wait for its turn still finds something. A job that waits and
 * is READ_GRACE_MS past its time is finished without its last turn.
 *
 * Threads: a job is made, submitted, left and finished on its loop's thread, and worked on by one
 * of ours.
 */
#ifndef LOGMILL_READ_SCHEDULER_H
#define LOGMILL_READ_SCHEDULER_H

#include "cache/cache.h"
#include "net/mailbox.h"
#include "store/helpers.h"
#include "store/store.h"

struct read_scheduler;
struct read_client;

enum {
    READ_SLICE_MS = 5,    /* of a turn, about: a store may take a little longer */
    READ_SCAN_DUE = 8,    /* turns of others after which a thread takes a scan that waits */
    READ_GRACE_MS = 1000, /* see above */
    READ_THREADS_MAX = 64 /* read_options.threads */
};

enum read_lane {
    READ_POINT,  /* one log, one place: always short */
    READ_PAGE,   /* a few logs in a row: mostly short */
    READ_SEARCH, /* looks for logs that match: may be short */
    READ_SCAN,   /* what takes long */
    READ_LANES
};

/* What `work` returns. */
enum read_step { READ_DONE, READ_MORE };

/* What a job finds on its thread. */
struct read_thread {
    struct store_reader *reader;
    struct store_helpers *helpers; /* for scans; NULL: none */
    struct cache_client *cache;    /* NULL if there is no cache */
};

/* A turn. */
struct read_slice {
    uint64_t until_us; /* clock_monotonic_us: when it should be over; may be past already */
    bool last;         /* there is no other */
};

struct read_job;

/* One turn, on one of our threads; may block. */
typedef enum read_step read_work_fn(struct read_job *job, struct read_thread *thread,
                                    const struct read_slice *slice);

/* Embedded in the caller's own struct, which lives until `finish` has run. */
struct read_job {
    read_work_fn *work;
    /* Afterwards, once, on the loop's thread. */
    void (*finish)(struct read_job *job);
    struct mailbox *box; /* of the loop */
    enum read_lane lane; /* of the first turn */
    uint64_t client;     /* for fairness: the same number for all that one client asks */
    uint64_t until_us;   /* clock_monotonic_us: when the job should be done; 0: whatever it takes */
    bool goes_on;        /* a later part of an answer that has begun: it is never refused */

    /* For `finish`: no thread had time for the last turn. */
    bool unserved;

    /* The scheduler's, under its lock: */
    struct mail mail;
    struct read_client *owner; /* NULL: not submitted, or finished */
    struct read_job *next;     /* in its line */
    enum read_lane line;       /* in which it waits */
    bool runs;
    bool had_turn;
    bool ends;       /* its client has gone, or its time is over: the next turn is the last */
    uint64_t run_us; /* of all its turns */
};

struct read_options {
    struct store *store;
    struct cache *cache;
    unsigned threads;         /* 1 to READ_THREADS_MAX */
    unsigned helpers;         /* 0 to STORE_HELPERS_MAX (READ_HELPERS) */
    unsigned timeout_ms;      /* of one turn, past which its store call is cancelled */
    unsigned max_jobs;        /* waiting and being worked on (MAX_READS) */
    unsigned max_client_jobs; /* of them, one client's (MAX_READS_PER_CLIENT) */
};

/* NULL with `err` filled on failure. */
struct read_scheduler *read_scheduler_new(const struct read_options *options, struct errbuf *err);

/* When no job is waiting or being worked on. */
void read_scheduler_free(struct read_scheduler *s);

/* Before a stop: from now on every job's time is over in `timeout_ms` at the latest. */
void read_scheduler_hurry(struct read_scheduler *s, unsigned timeout_ms);

/*
 * Takes `job`, the caller's fields of which are set and the others zero or as `finish` left them.
 * Returns 0; or LM_EBUSY with the limit that is reached in `err`, and then the job is not taken.
 */
int read_job_submit(struct read_scheduler *s, struct read_job *job,
                    struct errbuf *err) LM_MUST_CHECK;

/* The client of `job`, which was submitted and has not been finished, has gone. */
void read_job_leave(struct read_scheduler *s, struct read_job *job);

struct read_counts {
    unsigned waiting[READ_LANES];
    unsigned running;
};

/* From any thread. */
void read_scheduler_counts(struct read_scheduler *s, struct read_counts *counts);

#endif
