/*
 * What the files of the embedded store share; nobody else includes it.
 *
 *   adapter.c  the store as a whole: what the port sees
 *   schema.c   the tables, step by step
 *   sizes.c    how much of all is taken at once
 *   segment.c  blocks in the tables: making, reading and changing them
 *   writer.c   appending and expiring (known, recent_store: what is in the file, what goes in)
 *   repeats.c  which logs of a batch are there already (key_table, block_keys: by their keys)
 *   seal.c     what is recent becomes blocks
 *   erase.c    deleting by a filter
 *   expire.c   deleting the oldest
 *   keeper.c   the background work: what is done when
 *   plan.c     which segments are to be compacted
 *   merging.c  which of them are just being
 *   compact.c  segments to colder ones
 *   takeover.c rows of an older logmill to segments
 *   info.c     what the file is made of
 *   verify.c   whether all of it is whole
 *   strays.c   what no segment has
 *   scrub.c    what deleted logs have left in the file
 *   reader.c   what all reading calls have in common, single logs, cancelling
 *   recent.c   the recent logs, as a reader keeps them
 *   catalog.c  all that a reader knows of its snapshot
 *   blocks.c   the blocks that a reader has open
 *   parts.c    blocks that helpers look into ahead
 *   ahead.c    some of the logs of a block, read at once
 *   descent.c  down the keys of all that logs lie in
 *   scan.c     scans
 *   count.c    counts
 *   batches.c  scans by columns
 *   heads.c    what heads of blocks tell of both
 *   summary.c  what whole segments have to say
 *   tallies.c  what blocks said to the last questions
 *   follow.c   logs in the order of storing
 */
#ifndef LOGMILL_STORE_SQLITE_INTERNAL_H
#define LOGMILL_STORE_SQLITE_INTERNAL_H

#include <stdatomic.h>

#include "sqlite/db.h"
#include "store/sqlite/blocks.h"
#include "store/sqlite/catalog.h"
#include "store/sqlite/merging.h"
#include "store/sqlite/sizes.h"
#include "store/sqlite/tallies.h"
#include "store/store.h"

struct sealer;
struct parts;

struct store_sqlite {
    struct store base;
    char *path;
    struct store_sqlite_sizes sizes; /* settled */
    struct sealer *sealer;           /* of all writers, and the keeper */
    /* Set by the keeper when it falls behind: */
    _Atomic unsigned append_pause_ms; /* before an append, or … */
    _Atomic bool is_overtaxed;        /* … none is taken for now */
    struct merging merging;           /* set by the keeper, too */
    struct tallies tallies;           /* of all readers */
};

/* The schema, for every connection to the file. */
struct sqlite_db_options store_sqlite_db_options(const struct store_sqlite *s, int cache_kib,
                                                 bool read_only);

/* LM_EBUSY: compaction is so far behind that no logs are taken for now. */
int store_sqlite_check_backlog(struct store_sqlite *s, struct errbuf *err) LM_MUST_CHECK;

struct store_writer *store_sqlite_writer_new(struct store *base, struct errbuf *err);
void store_sqlite_writer_free(struct store_writer *base);
int store_sqlite_writer_append(struct store_writer *base, const struct record *records, size_t n,
                               struct store_append_result *result, struct errbuf *err);
int store_sqlite_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                               size_t *deleted, bool *more, struct errbuf *err);
int store_sqlite_writer_shrink(struct store_writer *base, uint64_t max_bytes, size_t *deleted,
                               struct errbuf *err);
int store_sqlite_writer_erase(struct store_writer *base, struct store_scan *scan,
                              const struct store_slice *slice, bool remember, size_t *erased,
                              struct errbuf *err);
unsigned store_sqlite_writer_tidy(struct store_writer *base);
int store_sqlite_writer_clock_read(struct store_writer *base, struct store_clock *kept,
                                   int64_t *now_us, struct errbuf *err);
int store_sqlite_writer_clock_write(struct store_writer *base, const struct store_clock *kept,
                                    struct errbuf *err);

/* store/inspect.h */
int store_sqlite_info(struct store *base, struct store_info *info, struct errbuf *err);
int store_sqlite_verify(struct store *base, const struct store_verifier *v,
                        struct store_verified *all, struct errbuf *err);

/*
 * Deleting by a filter: a reader of the eraser's finds the keys of the next logs that match
 * (`*found`: any), and then they are erased, within a transaction of the caller on `db`.
 */
struct store_sqlite_eraser;
struct store_sqlite_eraser *store_sqlite_eraser_new(struct store_sqlite *s, struct errbuf *err);
void store_sqlite_eraser_free(struct store_sqlite_eraser *e); /* NULL does nothing */
int store_sqlite_eraser_find(struct store_sqlite_eraser *e, struct store_scan *scan,
                             const struct store_slice *slice, bool *found,
                             struct errbuf *err) LM_MUST_CHECK;
int store_sqlite_eraser_erase(struct store_sqlite_eraser *e, struct sqlite_db *db, bool remember,
                              size_t *erased, struct errbuf *err) LM_MUST_CHECK;

/*
 * Forgets some tombstones that no message can need any more, within a transaction of the caller on
 * `db`. Deleting does it, too.
 */
int store_sqlite_erase_forget(struct sqlite_db *db, int64_t now_us,
                              struct errbuf *err) LM_MUST_CHECK;

/* What a reader does now; a cancel moves RUNNING to CANCELLED and nothing else. */
enum store_sqlite_activity { STORE_SQLITE_IDLE, STORE_SQLITE_RUNNING, STORE_SQLITE_CANCELLED };

enum { STORE_SQLITE_PLANS = 4 }; /* of the last scans, that a reader keeps */

struct store_sqlite_plan {
    struct block_plan *plan; /* holds its matcher */
    const struct log_matcher *matcher;
    uint64_t number;
    uint64_t used; /* when it was last asked for */
};

struct store_sqlite_reader {
    struct store_reader base;
    struct store_sqlite *s;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next call */
    struct catalog catalog;
    struct blocks blocks;
    struct store_sqlite_plan plans[STORE_SQLITE_PLANS];
    uint64_t plans_asked;
    struct buffer filter_row;
    struct parts *parts; /* NULL: nobody has helped yet */
    _Atomic int activity;
    bool defers_cancel; /* a cancel waits until it is false */
};

struct store_reader *store_sqlite_reader_new(struct store *base, struct errbuf *err);
void store_sqlite_reader_free(struct store_reader *base);
int store_sqlite_reader_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                            void *ctx, struct errbuf *err);
void store_sqlite_reader_cancel(struct store_reader *base);

/*
 * Around each call, which is one snapshot: opens the file if need be, brings r->catalog up, and
 * lets the call be cancelled. `end` returns `error`; every statement is reset before.
 */
int store_sqlite_reader_begin(struct store_sqlite_reader *r, struct errbuf *err) LM_MUST_CHECK;
int store_sqlite_reader_end(struct store_sqlite_reader *r, int error);

/* Opens the file if need be. */
int store_sqlite_reader_open(struct store_sqlite_reader *r, struct errbuf *err) LM_MUST_CHECK;

/* LM_ETIMEOUT if the call under way is to end. */
int store_sqlite_reader_go_on(struct store_sqlite_reader *r, struct errbuf *err) LM_MUST_CHECK;

/*
 * The plan of the scan's matcher, which lives until the end of the call, and a number that no other
 * plan has or will have. NULL: every log matches.
 */
int store_sqlite_reader_plan(struct store_sqlite_reader *r, const struct store_scan *scan,
                             const struct block_plan **plan, uint64_t *number,
                             struct errbuf *err) LM_MUST_CHECK;

/*
 * What is asked of the rows that an older logmill left, for their tests, too. Of a range (from a
 * time on, before a key), newest first: all, and the key after so many. One log by id: within a
 * range of time, and within one before 1970, where ids do not tell the time.
 */
extern const char store_sqlite_old_records[];
extern const char store_sqlite_old_nth[];
extern const char store_sqlite_old_get[];
extern const char store_sqlite_old_get_early[];

/*
 * Steps a statement over the rows that an older logmill left, whose first columns are timestamp and
 * id: 0 with `*key`, LM_ENOTFOUND after the last row, LM_ETIMEOUT when cancelled, or another error.
 */
int store_sqlite_reader_step(struct store_sqlite_reader *r, sqlite3_stmt *stmt, struct log_key *key,
                             struct errbuf *err) LM_MUST_CHECK;

/* The whole row: columns timestamp, id, level, message, attributes. Views until the next step. */
void store_sqlite_reader_take(sqlite3_stmt *stmt, const struct log_key *key, struct record *record);

/* The log with `key`, wherever it is; LM_ENOTFOUND. Its texts live until the next call. */
int store_sqlite_reader_at_key(struct store_sqlite_reader *r, const struct log_key *key,
                               store_row_fn *fn, void *ctx, struct errbuf *err) LM_MUST_CHECK;

/*
 * Whether `error`, of a function that has just failed, says that what the file holds is wrong, and
 * not that it could not be read.
 */
bool store_sqlite_is_damage(struct sqlite_db *db, int error);

int store_sqlite_follow_end(struct store_reader *base, struct store_position *end,
                            struct errbuf *err);
int store_sqlite_follow(struct store_reader *base, struct store_position *position, size_t max,
                        bool *lost, store_follow_fn *fn, void *ctx, struct errbuf *err);
int store_sqlite_follow_erasures(struct store_reader *base, uint64_t *number, struct errbuf *err);

int store_sqlite_scan_next(struct store_reader *base, struct store_scan *scan,
                           const struct store_slice *slice, store_row_fn *fn, void *ctx,
                           struct errbuf *err);
int store_sqlite_scan_count(struct store_reader *base, struct store_scan *scan,
                            const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                            store_count_fn *fn, void *ctx, struct errbuf *err);
int store_sqlite_scan_batches(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, const struct log_fields *fields,
                              log_batch_fn *fn, void *ctx, struct errbuf *err);

int store_sqlite_scan_survey(struct store_reader *base, struct store_scan *scan,
                             const struct store_slice *slice, struct store_survey *survey,
                             struct errbuf *err);

#endif
