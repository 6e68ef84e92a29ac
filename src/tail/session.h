/*
 * One tail: one client's stream. It is at one of these:
 *   starting     a job finds its first place, or checks that the store can be read; the request is
 *                not answered yet, so that it can still be refused.
 *   catching up  it is ahead of or behind its hub. Each time that the socket has taken all, it goes
 *                on from its place: with the hub's recent batches, or with a job that reads the
 *                store, or that matches a recent batch on which its filter has no verdict.
 *   live         the hub's batches are written as they come. If the socket does not take them, or
 *                its filter has no verdict on one, the tail is catching up again.
 *   gone         its client has, or we have ended the stream, while its job runs: it is over when
 *                that is done.
 * Before and after these it is new (not in the hub's list yet) and over (to be freed).
 *
 * One that starts or catches up needs no job now, or waits for its turn (…_WAITS), or its job runs
 * on a thread of the readers (…_READS). The tails of a hub have their jobs in turn, one at a time
 * of each line (tail_line), so that whoever else reads waits for a few of them at most.
 *
 *   new               ──► starting
 *   starting          ──► its job waits; catching up (that is done: the stream begins); over
 *   … waits           ──► … reads; over
 *   … reads           ──► starting
 *   catching up       ──► its job waits; live; over
 *   … waits           ──► … reads; catching up (no job any more, or none to be had); live; over
 *   … reads           ──► catching up; gone
 *   live              ──► catching up; over
 *   gone              ──► over
 *
 * tail_move changes it, called by tail.c (the beginning), catch_up.c (waits, reads), live.c (live
 * and back) and session.c (the end).
 *
 * In all of them `place` is how far everything that matches was written, or told as missed. An
 * event that is larger than what a tail may have unsent is written in parts, each when the one
 * before has been taken; nothing else is written between them.
 *
 * Always true:
 *   - It is in its hub's list unless it is new or over; in a line if it waits; and served by that
 *     line if its job runs, be it gone itself. Nowhere else is it linked.
 *   - A live tail is not behind its hub's place, and in the middle of no event.
 */
#ifndef LOGMILL_TAIL_SESSION_H
#define LOGMILL_TAIL_SESSION_H

#include <stdbool.h>

#include "answers/answers.h"
#include "base/buffer.h"
#include "base/state.h"
#include "http/http.h"
#include "read/scheduler.h"
#include "tail/hub.h"

enum { TAIL_OUT_BYTES_MAX = 1 << 30 }; /* a ceiling because every buffer has one */

enum tail_state {
    TAIL_NEW,
    TAIL_STARTING,
    TAIL_STARTING_WAITS,
    TAIL_STARTING_READS,
    TAIL_CATCHING_UP,
    TAIL_CATCHING_UP_WAITS,
    TAIL_CATCHING_UP_READS,
    TAIL_LIVE,
    TAIL_GONE,
    TAIL_OVER, /* to be freed */
    TAIL_STATES
};

extern const state_moves tail_moves[TAIL_STATES];

struct tail_place {
    struct store_position position;
    size_t part;                   /* bytes of the next event that matches, … */
    struct store_position part_of; /* … which is this one, that were written */
};

/* Logs between a tail and its hub. */
struct tail_behind {
    size_t logs;
    size_t matching; /* of them */
    bool uncertain;  /* there are some that nobody has matched: `matching` is too low */
};

/* What a job does, and what came of it. */
struct tail_reading {
    struct tail_batch *batch; /* to be matched; NULL: read the store */
    struct tail_place to;
    size_t looked_at;
    uint64_t bytes; /* that were matched, … */
    uint64_t steps; /* … in so many */
    size_t found;
    bool lost;
    int error;
    struct errbuf detail;
};

struct tail {
    enum tail_state state;
    struct tail_hub *hub;
    struct tail *prev, *next;                 /* of the hub */
    struct tail_line *line;                   /* in which it waits, or that serves it; or NULL */
    struct tail *prev_in_line, *next_in_line; /* while it waits */
    struct http_request *req;
    struct grant *holder;       /* whose tail it is (access/places.h) */
    struct tail_filter *filter; /* NULL: takes all */
    struct tail_place place;
    bool has_place; /* Last-Event-ID gave it */
    bool joined;    /* it was live before: `behind` is complete */
    struct tail_behind behind;
    uint64_t behind_since_ms; /* as uv_now counts: when it was live last */
    size_t missed;            /* to be told when the socket has taken all, … */
    bool missed_at_most;      /* … and that it may be less */
    struct buffer out;        /* to be written; the job's while that runs */
    struct read_job job;
    struct tail_reading reading; /* the job's */
};

/* Changes the state, and links it into the lists that belong to it. */
void tail_move(struct tail *t, enum tail_state state);

/* Whether its stream has begun and goes on. */
bool tail_streams(const struct tail *t);

/* Whether it waits for a job. */
bool tail_waits(const struct tail *t);

/* Whether its job runs. */
bool tail_reads(const struct tail *t);

/* One of the hub, which is starting. */
struct tail *tail_new(struct tail_hub *hub, struct http_request *req);

/* At once. Its job does not run, and its request was answered or its stream is over. */
void tail_free(struct tail *t);

/* Answers why it cannot be, and frees it: before its stream has begun. */
void tail_refuse(struct tail *t, enum refusal why);

/* The stream is over: frees it now or when the job is done. */
void tail_let_go(struct tail *t);

/* Ends the stream, and lets go. */
void tail_end(struct tail *t);

/* Aborts if an invariant of one of the hub's tails, lines or lists does not hold. */
void tail_check(const struct tail *t);
void tail_check_all(const struct tail_hub *hub);

#endif
