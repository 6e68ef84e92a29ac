/*
 * What a worker does for its store besides storing: gives disk back (store_tidy), and deletes logs
 * that are too old by RETENTION_DAYS or RETENTION_DAYS_BY_LEVEL, or the oldest past RETENTION_MB,
 * in small steps between the worker's rounds, so that no write waits long for it. For each log that
 * is stored it may delete two, so that it never falls behind, however fast logs come. By which
 * time: retention_clock.h.
 *
 * A level is gone through by a scan, from the newest of its logs that are too old to the oldest
 * that were not when the last scan began, or that came since. Its boundary moves on by
 * EXPIRY_LEVEL_MOVES_S at a time, so that blocks are not marked every few seconds.
 *
 * Always true, while `step` is not held: before_us is INT64_MIN, as it is where logs are kept for
 * ever, or `days` before the time of the clock.
 *
 * All threads of a worker share one; each function may be called from any. One that is in a step
 * keeps no other waiting.
 */
#ifndef LOGMILL_WORKER_EXPIRY_H
#define LOGMILL_WORKER_EXPIRY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/queue.h"
#include "store/store.h"
#include "worker/level_rules.h"
#include "worker/notice.h"
#include "worker/retention_clock.h"

enum {
    EXPIRY_STEP_ROWS = 1000,        /* rows of a step, and two for each stored since the last … */
    EXPIRY_STEP_ROWS_MAX = 80000,   /* … but no more than this; the rest comes with the next */
    EXPIRY_TRANSACTION_ROWS = 2000, /* rows of one transaction, of which a step may be several */
    EXPIRY_INTERVAL_MS = 10000,     /* between looks that find nothing … */
    EXPIRY_INTERVAL_BUSY_MS = 1000, /* … and after one that found all there was */
    EXPIRY_LEVEL_MOVES_S = 600,     /* steps of the boundaries of levels */
    EXPIRY_STEP_MS = 50,            /* that a step may take, but for its last transaction, … */
    EXPIRY_LEVEL_STEP_MS = 50,      /* … and look for logs of a level … */
    EXPIRY_PAUSE_MS = 200,          /* … and rests if it has not found all */
    EXPIRY_LETTERS_MS = 60000,      /* between looks at the dead letters */
    EXPIRY_KEEP_CLOCK_MS = 600000,  /* between times that the clock is kept with the data … */
    EXPIRY_KEEP_DOUBT_MS = 60000,   /* … and while it is doubted: a restart forgets what is not */
};

/* Past these, dead letters are told, once a day at most, and dropped if they are to be. */
struct expiry_letters {
    unsigned days;      /* 0: at any age */
    uint64_t max_bytes; /* 0: any number */
    bool drops;
};

/* How far a level has been gone through. */
struct expiry_level {
    struct level_rule rule;
    _Atomic int64_t done_us;     /* what is older is deleted … */
    _Atomic int64_t late_us;     /* … but for what came since: the oldest; INT64_MAX: none */
    struct log_matcher *matcher; /* of the scan under way; NULL: none */
    struct store_scan scan;
};

struct expiry {
    unsigned days;             /* 0: never */
    uint64_t max_bytes;        /* of the store; 0: no limit */
    _Atomic uint64_t next_us;  /* monotonic: when to look again for what is too old */
    _Atomic uint64_t tidy_us;  /* monotonic: when there may be disk to give back */
    _Atomic int64_t before_us; /* logs before it are deleted; INT64_MIN: none, or not known yet */
    _Atomic uint64_t stored;   /* logs for which two may still be deleted */
    struct notice too_old;

    pthread_mutex_t step; /* held by the thread that is in a step; guards what follows */
    struct expiry_level levels[LEVEL_RULES_MAX]; /* the atomic ones are any thread's */
    size_t levels_len;
    struct retention_clock clock;
    uint64_t clock_kept_us; /* monotonic; 0: not in this process */
    struct queue *queue;    /* NULL: no dead letters are looked at */
    struct expiry_letters letters;
    uint64_t letters_us;      /* monotonic: when to look at them again */
    uint64_t letters_told_us; /* monotonic: when they were told last; 0: not yet */
};

void expiry_init(struct expiry *e, unsigned days);
void expiry_release(struct expiry *e);

/* Before the first step: some levels have days of their own; the rules' texts outlive it. */
void expiry_set_levels(struct expiry *e, const struct level_rules *rules);

/* Milliseconds until a step is due, at most `max_ms`; 0: now. */
unsigned expiry_wait_ms(const struct expiry *e, unsigned max_ms);

/*
 * Deletes some old logs or gives some disk back, if that is due. Returns the milliseconds until
 * it is due again, at most `max_ms`; 0: there is more to do now.
 */
unsigned expiry_step(struct expiry *e, struct store_writer *writer, unsigned max_ms);

/* These records have been stored: counts them, and tells if some are too old to stay. */
void expiry_note_stored(struct expiry *e, const struct record *records, size_t n);

#endif
