/*
 * The store port: where logs live and are read. Adapters: sqlite/ (a file), postgres/. A log's
 * identity is (timestamp, id), both to their last digit, and storing is idempotent by it: the first
 * record stored under a key stays.
 *
 * Threads: a writer or a reader serves one thread at a time; store_reader_cancel may be called from
 * any. All functions may block.
 */
#ifndef LOGMILL_STORE_STORE_H
#define LOGMILL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "block/explain.h"
#include "query/batch.h"
#include "query/matcher.h"
#include "record/record.h"
#include "store/position.h"

struct store;
struct store_writer;
struct store_keeper;
struct store_reader;

/*
 * Brings the schema to this program's version; safe when several processes do it at once. LM_EBUSY:
 * it has it, but takes no logs now, until its background work has come on (deleting is of use).
 */
int store_migrate(struct store *s, struct errbuf *err) LM_MUST_CHECK;

/* Asked about once a second while something takes long: false ends it, with LM_ETIMEOUT. */
struct store_patience {
    bool (*goes_on)(void *ctx);
    void *ctx;
};

/*
 * The same for steps that may take hours, such as an index of all logs: a database of its own that
 * is silent while it works at one is not taken for one that is gone.
 */
int store_migrate_patiently(struct store *s, const struct store_patience *patience,
                            struct errbuf *err) LM_MUST_CHECK;

void store_free(struct store *s);

/* ---- Writing ---- */

struct store_writer *store_writer_new(struct store *s, struct errbuf *err);
void store_writer_free(struct store_writer *w);

/* What became of the records of a call: the three numbers are those of all of them. */
struct store_append_result {
    size_t stored;           /* new */
    size_t repeated;         /* were there already, the same in all fields; or … */
    size_t erased;           /* … of these: were erased for good, and do not come back */
    size_t conflicts;        /* another log with this key was there already, and stays */
    struct log_key conflict; /* the key of one of those */
};

/*
 * Stores all of `records` in one durable transaction, or none. Returns 0; LM_EDATA if the store
 * refuses one of them because of the record itself (trying again is of no use: split, and find it);
 * any other error: the same call may succeed later, and the writer reconnects by itself.
 */
int store_append(struct store_writer *w, const struct record *records, size_t n,
                 struct store_append_result *result, struct errbuf *err) LM_MUST_CHECK;

/*
 * Deletes logs older than `before_us`, oldest first, at most about `max_rows`, or what a bounded
 * piece of work finds, in one short transaction. `*deleted` tells how many; `*more`: that there may
 * be others, though none were deleted now. The boundary may move up from call to call.
 */
int store_expire(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                 bool *more, struct errbuf *err) LM_MUST_CHECK;

/*
 * Deletes the oldest logs while all that is stored takes more than max_bytes on the disk, a bounded
 * piece in one short transaction: whole blocks of them, or days, whatever the store has. `*deleted`
 * tells how many; 0: it does not take more, or nothing is left that may go.
 */
int store_shrink(struct store_writer *w, uint64_t max_bytes, size_t *deleted,
                 struct errbuf *err) LM_MUST_CHECK;

/*
 * How long the keys of logs that were erased are remembered, so that a message which comes again
 * does not bring them back: longer than any queue keeps one (SQS: 14 days at most).
 */
enum { STORE_TOMBSTONE_DAYS = 15 };

struct store_scan;
struct store_slice;

/*
 * Deletes the logs that match, from the newest to the oldest, slice by slice as store_scan_next
 * hands them out: at most slice->rows in one short transaction, until slice->until_us. They are
 * hidden at once from all who read, of this process and others; the bytes go later. With `remember`
 * each counts as there already, should it come again. `*erased` tells how many there were in this
 * slice, which is durable when 0 is returned; after an error nothing has changed, the place
 * neither. The scan must skip nothing.
 */
int store_erase(struct store_writer *w, struct store_scan *scan, const struct store_slice *slice,
                bool remember, size_t *erased, struct errbuf *err) LM_MUST_CHECK;

/*
 * Gives a little of the disk back that deletions have left free, in a short transaction. Returns
 * the milliseconds after which to call again; 0: when something has been stored or deleted. Failing
 * is harmless: it is tried again later.
 */
unsigned store_tidy(struct store_writer *w);

/*
 * The clock by which the age of logs is told, and what worker/retention_clock.h knows of it, kept
 * with the data: all in microseconds since 1970, or of time. At first believed_us is the time at
 * which the schema was made, or of the newest log stored before it was.
 */
struct store_clock {
    int64_t believed_us; /* the time that was believed last; 0: not known */
    int64_t claimed_us;  /* another time that the clock claims, in doubt; 0: none */
    int64_t doubted_us;  /* for how long that was doubted */
};

/* `*now_us` is this machine's clock, or the database's own where that is elsewhere. */
int store_clock_read(struct store_writer *w, struct store_clock *kept, int64_t *now_us,
                     struct errbuf *err) LM_MUST_CHECK;
int store_clock_write(struct store_writer *w, const struct store_clock *kept,
                      struct errbuf *err) LM_MUST_CHECK;

/* ---- Background work ---- */

/*
 * What a store does besides, so that it stays small and fast, on a thread of its own and beside
 * writers and readers: compaction, taking over an older file. A store that has nothing of the kind
 * has a keeper that has nothing to do. Nothing is opened before the first step.
 */
struct store_keeper *store_keeper_new(struct store *s, struct errbuf *err);
void store_keeper_free(struct store_keeper *k); /* NULL does nothing */

enum { STORE_KEEPER_WAIT_MAX_MS = 10000 }; /* between two steps, at most */

/*
 * Does a little: some tens of milliseconds of work, the write lock held for less. *wait_ms: when to
 * call again, chosen so that it takes no more than a quarter of a core, unless too much waits to be
 * done. `at_once`: as fast as it can, all that can be done now: there is more, unless *wait_ms is
 * STORE_KEEPER_WAIT_MAX_MS, and not 0 only where somebody is in the way. Failing is harmless: the
 * same is tried again later; *wait_ms tells when.
 */
int store_keeper_step(struct store_keeper *k, bool at_once, unsigned *wait_ms,
                      struct errbuf *err) LM_MUST_CHECK;

/* ---- Reading ---- */

struct store_reader *store_reader_new(struct store *s, struct errbuf *err);
void store_reader_free(struct store_reader *r);

/* `record` lives until the call returns. Returns 0 to go on, or an error that ends the query. */
typedef int store_row_fn(const struct record *record, void *ctx);

/*
 * A scan goes through the logs of a range of time from the newest to the oldest ((timestamp, id)
 * descending), slice by slice. It is a plain value: between slices nothing is held, no snapshot, no
 * transaction, no statement; any reader of the store can go on with it, and it may be copied.
 * Whatever is stored and deleted between slices, a log that is there all the time is met once.
 */
enum { STORE_SCAN_DAMAGED = 8 }; /* of what was left out last, that a scan remembers */

struct store_scan {
    const struct log_matcher *matcher; /* outlives the scan; its filter has the range of time */
    struct log_key before; /* the place: every log at or after it has been looked at; moves down */
    uint64_t skip;         /* logs that match which are still to be left out; counted down */
    bool done;             /* nothing is left */
    int64_t window_us; /* an adapter's own: how much time it dares to look at at once; 0: unknown */
    uint64_t stride;   /* an adapter's own: the same in logs; 0: unknown */
    bool by_number;    /* an adapter's own: time does not divide them well */
    bool begun;        /* an adapter's own: there was a slice that moved the place */
    bool by_key;       /* an adapter's own: what indexes find is too much to look at at once */
    /*
     * So many logs, about, were left out, since the store cannot read them: it is damaged. When a
     * call has raised it, `err` says which, though the call may have succeeded.
     */
    uint64_t damaged;
    int64_t damaged_in[STORE_SCAN_DAMAGED]; /* an adapter's own: where; 0: nowhere */
    struct block_explain *explain; /* that grows by what the scan costs; NULL, as at first: none */
};

/* Starts at the upper bound of the range, or at `cursor` (NULL: none) if that is lower. */
void store_scan_init(struct store_scan *scan, const struct log_matcher *matcher,
                     const struct log_key *cursor, uint64_t offset);

struct store_helpers;

/* How much one call may do. */
struct store_slice {
    uint64_t rows; /* at most so many logs are handed out; at least 1. Counting and batches have no
                      such end */
    uint64_t until_us;             /* monotonic: time's end, which is passed by little; 0: no end */
    struct store_helpers *helpers; /* who may do parts of it (helpers.h); NULL: nobody */
};

/*
 * Goes on: hands out logs that match until there were slice->rows, the time is over, or the
 * callback says LM_ESTOPPED (its log counts as taken). 0: all of `scan` above scan->before has been
 * handed out, and more may come unless scan->done. Progress is certain: a call that returns 0 has
 * moved the place or is done, however little time it had. LM_ETIMEOUT if store_reader_cancel
 * ended it; the callback's error, or another. After an error, too, the place is valid: it is that
 * after the last log for which the callback returned 0, or below it.
 */
int store_scan_next(struct store_reader *r, struct store_scan *scan,
                    const struct store_slice *slice, store_row_fn *fn, void *ctx,
                    struct errbuf *err) LM_MUST_CHECK;

/*
 * One count: the logs of `level` (lower-cased) in bucket number `bucket`, which holds the times
 * [since_us + bucket * bucket_us, … + bucket_us). `level` lives until the call returns.
 */
typedef int store_count_fn(int64_t bucket, struct slice level, uint64_t count, void *ctx);

/*
 * A bucket's levels past the STORE_STATS_LEVELS_MAX-th, and those with longer names than
 * STORE_STATS_LEVEL_BYTES_MAX, are counted together as "other".
 */
enum { STORE_STATS_LEVELS_MAX = 64, STORE_STATS_LEVEL_BYTES_MAX = 1024 };

/*
 * Goes on in the same way, but counts, per bucket and level: the logs from scan->before after the
 * call up to scan->before before it. Within a call buckets ascend, and each pair comes once; empty
 * ones do not come. A bucket in which a slice ends comes in that slice and in the next: the caller
 * adds. A slice also ends when it has some megabytes of counts. After an error the place is where
 * it was, and what was handed out does not count.
 */
int store_scan_count(struct store_reader *r, struct store_scan *scan,
                     const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                     store_count_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

/*
 * Goes on in the same way as store_scan_next, with its slices, but hands out the fields of the logs
 * that match, in batches (query/batch.h). `fields` has to be the same for all calls on a scan. 0 or
 * LM_ETIMEOUT: what was handed out counts, and is all of `scan` above scan->before. After another
 * error, of the store or the callback, the scan is of no use; LM_ESTOPPED from that is such an
 * error. The scan must skip nothing.
 */
int store_scan_batches(struct store_reader *r, struct store_scan *scan,
                       const struct store_slice *slice, const struct log_fields *fields,
                       log_batch_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

/*
 * The same for which fields they have: adds the logs that match to a survey. `error` is the
 * survey's, if it is that which failed; then the scan is of no use, either.
 */
struct survey;
struct store_survey {
    struct survey *survey;
    int error;
};

int store_scan_survey(struct store_reader *r, struct store_scan *scan,
                      const struct store_slice *slice, struct store_survey *survey,
                      struct errbuf *err) LM_MUST_CHECK;

/*
 * A whole page at once, by a scan without an end of its time: as store_scan_next, LM_ESTOPPED too.
 * LM_EIO if logs that belong into it cannot be read.
 */
int store_query(struct store_reader *r, const struct log_query *query, store_row_fn *fn, void *ctx,
                struct errbuf *err) LM_MUST_CHECK;

/* The one log with `id`; LM_ENOTFOUND if there is none. */
int store_get(struct store_reader *r, const struct uuid *id, store_row_fn *fn, void *ctx,
              struct errbuf *err) LM_MUST_CHECK;

/* ---- Following ---- */

/*
 * How far back one can follow: logs that were stored longer ago may be forgotten in this order, as
 * are those before the newest STORE_FOLLOW_LOGS_MAX, or before as many transactions if a store
 * counts those. What was stored while the clock was wrong goes as soon as what came before it does.
 */
enum { STORE_FOLLOW_HORIZON_S = 3600, STORE_FOLLOW_LOGS_MAX = 50000000 };

/* The place of the last log that was stored. */
int store_follow_end(struct store_reader *r, struct store_position *end,
                     struct errbuf *err) LM_MUST_CHECK;

/* As store_row_fn; `position` is that of the record. */
typedef int store_follow_fn(const struct record *record, const struct store_position *position,
                            void *ctx);

/*
 * The logs that were stored after `*position`, each once, in the order in which they were, whoever
 * stored them: about `max` at most, and none of a transaction that is not yet known to come before
 * all later ones. `*position` is moved past them, also if one was deleted meanwhile; unmoved:
 * there are no more. `*lost` is set if logs after `*position` are past the horizon, or the store
 * knows no such place: it then went on from the first one that it knows.
 */
int store_follow(struct store_reader *r, struct store_position *position, size_t max, bool *lost,
                 store_follow_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

/*
 * `*number` is another one whenever logs have been erased (store_erase), by whomever: what was read
 * before, and is kept, may hold some of them. 0: none were yet.
 */
int store_erasures(struct store_reader *r, uint64_t *number, struct errbuf *err) LM_MUST_CHECK;

/*
 * Ends the call that is under way on `r`, if any, with LM_ETIMEOUT. From any thread. A cancel that
 * comes when nothing is under way has no effect on later calls.
 */
void store_reader_cancel(struct store_reader *r);

/* ---- For adapters ---- */

/* Sets scan->done if scan->before is the lower bound of the range, or below it. */
void store_scan_settle(struct store_scan *scan);

/* store_scan_batches of a store that has no way of its own. */
int store_scan_batches_by_rows(struct store_reader *r, struct store_scan *scan,
                               const struct store_slice *slice, const struct log_fields *fields,
                               log_batch_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

struct store_info;
struct store_verifier;
struct store_verified;

struct store_ops {
    int (*migrate)(struct store *s, const struct store_patience *patience,
                   struct errbuf *err); /* `patience` may be NULL: it has none */
    /* store/inspect.h; NULL: it has no such insides */
    int (*info)(struct store *s, struct store_info *info, struct errbuf *err);
    int (*verify)(struct store *s, const struct store_verifier *v, struct store_verified *all,
                  struct errbuf *err);
    int (*recount)(struct store *s, struct errbuf *err);
    void (*free)(struct store *s);
    struct store_writer *(*writer_new)(struct store *s, struct errbuf *err);
    void (*writer_free)(struct store_writer *w);
    int (*append)(struct store_writer *w, const struct record *records, size_t n,
                  struct store_append_result *result, struct errbuf *err);
    int (*expire)(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                  bool *more, struct errbuf *err);
    int (*shrink)(struct store_writer *w, uint64_t max_bytes, size_t *deleted, struct errbuf *err);
    int (*erase)(struct store_writer *w, struct store_scan *scan, const struct store_slice *slice,
                 bool remember, size_t *erased, struct errbuf *err);
    unsigned (*tidy)(struct store_writer *w); /* NULL: nothing to do */
    int (*clock_read)(struct store_writer *w, struct store_clock *kept, int64_t *now_us,
                      struct errbuf *err);
    int (*clock_write)(struct store_writer *w, const struct store_clock *kept, struct errbuf *err);
    /* All three NULL: there is no background work. */
    struct store_keeper *(*keeper_new)(struct store *s, struct errbuf *err);
    void (*keeper_free)(struct store_keeper *k);
    int (*keeper_step)(struct store_keeper *k, bool at_once, unsigned *wait_ms, struct errbuf *err);
    struct store_reader *(*reader_new)(struct store *s, struct errbuf *err);
    void (*reader_free)(struct store_reader *r);
    int (*scan_next)(struct store_reader *r, struct store_scan *scan,
                     const struct store_slice *slice, store_row_fn *fn, void *ctx,
                     struct errbuf *err);
    int (*scan_count)(struct store_reader *r, struct store_scan *scan,
                      const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                      store_count_fn *fn, void *ctx, struct errbuf *err);
    /* NULL: store_scan_batches_by_rows */
    int (*scan_batches)(struct store_reader *r, struct store_scan *scan,
                        const struct store_slice *slice, const struct log_fields *fields,
                        log_batch_fn *fn, void *ctx, struct errbuf *err);
    /* NULL: log by log */
    int (*scan_survey)(struct store_reader *r, struct store_scan *scan,
                       const struct store_slice *slice, struct store_survey *survey,
                       struct errbuf *err);
    int (*get)(struct store_reader *r, const struct uuid *id, store_row_fn *fn, void *ctx,
               struct errbuf *err);
    int (*follow_end)(struct store_reader *r, struct store_position *end, struct errbuf *err);
    int (*follow)(struct store_reader *r, struct store_position *position, size_t max, bool *lost,
                  store_follow_fn *fn, void *ctx, struct errbuf *err);
    int (*erasures)(struct store_reader *r, uint64_t *number, struct errbuf *err);
    void (*cancel)(struct store_reader *r);
};

/* The first member of every adapter's store, writer, keeper and reader. */
struct store {
    const struct store_ops *ops;
};
struct store_writer {
    const struct store_ops *ops;
};
struct store_keeper {
    const struct store_ops *ops;
};
struct store_reader {
    const struct store_ops *ops;
};

#endif
