/*
 * A descent down the keys of a scan's range, from its place on, through all that logs lie in: the
 * recent ones, the rows of an older logmill, and each segment. Each is a source; a source is looked
 * at no closer than is needed to know that another has the next log.
 */
#ifndef LOGMILL_STORE_SQLITE_DESCENT_H
#define LOGMILL_STORE_SQLITE_DESCENT_H

#include "store/sqlite/ahead.h"
#include "store/sqlite/internal.h"

enum source_kind { SOURCE_RECENT, SOURCE_OLD, SOURCE_SEGMENT };

enum source_state {
    SOURCE_FAR,  /* nothing of it was looked at yet */
    SOURCE_NEAR, /* a segment: the block `head` comes next, and is not open */
    SOURCE_AT,   /* it stands on a log: `bound` is its key (scan.c); or within a block (count.c) */
    SOURCE_END
};

struct source {
    enum source_kind kind;
    enum source_state state;
    struct log_key bound; /* no log that is left in it is above this */
    /* Recent logs: so many are left. A block: the row that it stands on. */
    size_t row;
    uint32_t from, to; /* of the block: its rows in the range of the descent */
    /* A segment: */
    struct catalog_segment *segment;
    uint64_t candidates;    /* a bit a block that it was made with: the filter may know a match */
    size_t blocks;          /* that are left, `head` being the last of them */
    struct block_head head; /* without its levels */
    struct ahead *ahead;    /* the next of its logs, if they were read ahead (ahead.h); or NULL */
};

struct descent {
    struct store_sqlite_reader *r;
    struct store_scan *scan;
    const struct block_plan *plan; /* NULL: all logs match */
    uint64_t plan_number;
    struct log_key low;   /* the lowest key of the range */
    struct log_key start; /* the place at its start: only what is below is looked at */
    bool reads_logs;      /* the texts will be asked for */
    bool begun;           /* the scan had a slice before */
    uint64_t damaged;     /* scan->damaged at the start, … */
    int64_t damaged_in[STORE_SCAN_DAMAGED]; /* … and scan->damaged_in */
    sqlite3_stmt *old; /* over the rows of an older logmill; NULL: there are none */
    struct source **sources;
    size_t len, capacity;
    size_t next_segment; /* the first that is not among the sources yet */
    struct errbuf *err;
};

/* Begins, in the call of `r` that is under way. The other functions fail as store_scan_next does.
 */
int descent_begin(struct descent *w, struct store_sqlite_reader *r, struct store_scan *scan,
                  bool reads_logs, struct errbuf *err) LM_MUST_CHECK;
void descent_end(struct descent *w);

/*
 * `top` is a source with the highest bound. Nothing that matches is above that: the place moves
 * down to it. False: it is there.
 */
bool descent_move_down(struct descent *w, const struct source *top);

/* ---- By the next log: the sources are a heap ---- */

/* The source with the highest bound, NULL if none is left. */
struct source *descent_top(struct descent *w);

/* Of all but the top: no log is above `*bound`. False if there are no others. */
bool descent_second(const struct descent *w, struct log_key *bound);

/* Looks closer at the top, which is not SOURCE_AT. */
int descent_refine(struct descent *w) LM_MUST_CHECK;

/*
 * The log that the top stands on, which is at SOURCE_AT; its texts live until the next call. Or
 * `*is_lost`: it is damaged, which is noted, and all below it in its block is left out.
 */
int descent_record(struct descent *w, struct record *record, bool *is_lost) LM_MUST_CHECK;

/* The top goes on: past its log, or past the block that it is near. */
int descent_advance(struct descent *w) LM_MUST_CHECK;
int descent_pass_block(struct descent *w) LM_MUST_CHECK;

/* ---- By ranges: the sources are in no order ---- */

/* How far up the next segment reaches that is not among the sources; false: there is none. */
bool descent_next_reach(const struct descent *w, struct log_key *key);

/* Adds the segments that reach up to `key`. */
void descent_reach(struct descent *w, const struct log_key *key);

/* The source with the highest bound, segments that begin there included; NULL: none is left. */
struct source *descent_highest(struct descent *w);

/* The rows of an older logmill: the next one. */
int descent_step_old(struct descent *w, struct source *s) LM_MUST_CHECK;

/* The key of the old log that comes `n` after the one that is next; the range's lowest if none. */
int descent_nth_old(struct descent *w, int64_t n, struct log_key *key) LM_MUST_CHECK;

/* A segment that is far: comes near; or goes on to its next block. Maybe SOURCE_END then. */
int descent_come_near(struct descent *w, struct source *s) LM_MUST_CHECK;
int descent_next_block(struct descent *w, struct source *s) LM_MUST_CHECK;

/* Whether the `index`-th block of the segment, which `s` is near, may hold logs that match. */
bool descent_may_hold(const struct descent *w, const struct source *s, size_t index,
                      const struct block_head *head);

/* Opens the block that `s` is near, or in, and has from and to filled. */
int descent_open(struct descent *w, struct source *s, struct open_block **block,
                 struct errbuf *err) LM_MUST_CHECK;

/* Its rows that match: block->rows. */
int descent_select(struct descent *w, struct source *s, struct open_block *block,
                   struct errbuf *err) LM_MUST_CHECK;

/*
 * `error`, with `detail`, is what came of a look into the block of `s`: 0 if that is damage, which
 * is noted in scan->damaged; else `error`.
 */
int descent_bear(struct descent *w, const struct source *s, int error,
                 const struct errbuf *detail) LM_MUST_CHECK;

/* Removes the sources that are at their end, or wholly below the range. */
void descent_sweep(struct descent *w);

/* The keys next to one. */
struct log_key descent_key_below(struct log_key key);
struct log_key descent_key_above(struct log_key key);

#endif
