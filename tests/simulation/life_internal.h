/*
 * A life while it is lived: what has happened so far (life.c), and what may come next (steps.c).
 * Internal to the simulation.
 */
#ifndef LOGMILL_SIMULATION_LIFE_INTERNAL_H
#define LOGMILL_SIMULATION_LIFE_INTERNAL_H

#include <stdbool.h>

#include "../unit/store/store_logs.h"
#include "../unit/store/store_model.h"
#include "base/error.h"
#include "life.h"
#include "store/sqlite/adapter.h"

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

enum {
    PROCESSES = 3,
    FOLLOWERS = 2,
    DOUBTS_MAX = 16,
    KEEPER_STEPS_MAX = 5000, /* a keeper that takes more never ends */
};

/* A process that has the store open, or not. */
struct process {
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_keeper *k;
};

/* A live tail: it is behind by what came after the `order`-th log. */
struct follower {
    struct store_position position;
    uint64_t order;
};

/* What was asked for and failed: the next start of all shows whether it was done. */
struct doubt {
    enum { DOUBT_APPEND, DOUBT_EXPIRE, DOUBT_ERASE, DOUBT_SHRINK } what;
    struct store_logs logs;
    int64_t before_us;
    struct log_matcher *erased;
    bool remembers;
};

struct life {
    struct dice dice;
    struct dice chance; /* of what the disk keeps: apart, so that telling changes nothing */
    const char *directory;
    struct store_sqlite_sizes sizes;
    struct process processes[PROCESSES];
    unsigned now;  /* the process that does something */
    unsigned many; /* processes there may be */
    bool faults;   /* there are some */
    bool armed;    /* something may fail in this step */
    bool leaps;    /* time leaps by hours and days */
    struct store_model model;
    struct store_logs logs; /* of this step */
    struct follower followers[FOLLOWERS];
    struct doubt doubts[DOUBTS_MAX];
    unsigned doubts_len;
    uint32_t next_id;
    bool tells;
    struct life_figures *figures;
    struct life_end *end;
};

/* What a query has handed out. */
struct present {
    struct store_logs logs; /* descending by key */
};

/* ---- life.c ---- */

void life_tell(const struct life *l, const char *format, ...) LM_PRINTF(2, 3);

/* LM_EDATA: something else came than the model says. */
int life_differs(struct life *l, const char *what, uint64_t came, uint64_t expected);

/* Opens what is not open, of the process that does something. */
int life_open(struct life *l);
void life_close(struct life *l, unsigned process);

/* Something may fail during what comes next; memory, too, if the model needs none meanwhile. */
void life_arm(struct life *l, bool memory);
void life_calm(struct life *l);

/*
 * What was called returned `error`, maybe since something failed. `changed`: nothing that was in
 * doubt can come back any more.
 */
int life_after(struct life *l, int error, bool changed);

/* What failed may have been done: to be filled. */
struct doubt *life_doubt(struct life *l);

/*
 * All that had the file open have ended, and the machine starts again: what was confirmed is there,
 * and of the rest each batch is there as a whole or not at all.
 */
int life_come_back(struct life *l, bool by_power);

int life_check_all(struct life *l);

/* A store_row_fn of a struct present. */
int life_take_present(const struct record *record, void *ctx);
const struct record *life_find_present(const struct present *p, const struct log_key *key);
bool life_same_texts(const struct record *a, const struct record *b);

/* ---- steps.c ---- */

/* Adds logs to l->logs: at the end of all that is there, as most logs come; or any. */
void steps_make_newest(struct life *l, size_t n);
void steps_make_any(struct life *l, size_t n);

int steps_take(struct life *l) LM_MUST_CHECK;

/* Something is read and compared, and nothing may fail. */
int steps_look(struct life *l) LM_MUST_CHECK;

#endif
