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
 *   compact.c  segments to colder ones
 *   takeover.c rows of an older logmill to segments
 *   info.c     what the file is made of
 *   verify.c   whether all of it is whole
 *   reader.c   single logs, cancelling
 *   scan.c     scans: logs and counts
 *   follow.c   logs in the order of storing
 */
#ifndef LOGMILL_STORE_SQLITE_INTERNAL_H
#define LOGMILL_STORE_SQLITE_INTERNAL_H

#include <stdatomic.h>

#include "sqlite/db.h"
#include "store/sqlite/sizes.h"
#include "store/store.h"

struct store_sqlite {
    struct store base;
    char *path;
    struct store_sqlite_sizes sizes;  /* settled */
    _Atomic unsigned append_pause_ms; /* set by the keeper when it falls behind: before an append */
};

/* The schema, for every connection to the file. */
struct sqlite_db_options store_sqlite_db_options(const struct store_sqlite *s, int cache_kib,
                                                 bool read_only);

struct store_writer *store_sqlite_writer_new(struct store *base, struct errbuf *err);
void store_sqlite_writer_free(struct store_writer *base);
int store_sqlite_writer_append(struct store_writer *base, const struct record *records, size_t n,
                               struct store_append_result *result, struct errbuf *err);
int store_sqlite_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                               size_t *deleted, struct errbuf *err);
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

struct store_sqlite_reader {
    struct store_reader base;
    struct store_sqlite *s;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next call */
    /* Of all from a time on and before a key, newest first: */
    sqlite3_stmt *records; /* all */
    sqlite3_stmt *levels;  /* timestamp, id and level */
    sqlite3_stmt *nth_key; /* timestamp and id of the one after so many */
    sqlite3_stmt *get;
    sqlite3_stmt *get_early; /* from before 1970 */
    sqlite3_stmt *arrivals;
    sqlite3_stmt *arrivals_end;
    sqlite3_stmt *at_key;
    sqlite3_stmt *erasures;
    _Atomic int activity;
};

struct store_reader *store_sqlite_reader_new(struct store *base, struct errbuf *err);
void store_sqlite_reader_free(struct store_reader *base);
int store_sqlite_reader_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                            void *ctx, struct errbuf *err);
void store_sqlite_reader_cancel(struct store_reader *base);

/* Around each call: opens the file if need be, and lets it be cancelled. `end` returns `error`. */
int store_sqlite_reader_begin(struct store_sqlite_reader *r, struct errbuf *err) LM_MUST_CHECK;
int store_sqlite_reader_end(struct store_sqlite_reader *r, int error);

/*
 * Steps `stmt`: 0 with `*record` filled (views until the next step), LM_ENOTFOUND after the last
 * row, LM_ETIMEOUT when cancelled, or another error. Columns: timestamp, id, level, message,
 * attributes; a statement may have fewer.
 */
int store_sqlite_reader_step(struct store_sqlite_reader *r, sqlite3_stmt *stmt,
                             struct record *record, struct errbuf *err) LM_MUST_CHECK;

/* The two halves of it: the row, and then the key from its first two columns. */
int store_sqlite_reader_advance(struct store_sqlite_reader *r, sqlite3_stmt *stmt,
                                struct errbuf *err) LM_MUST_CHECK;
int store_sqlite_reader_key(struct store_sqlite_reader *r, sqlite3_stmt *stmt, struct log_key *key,
                            struct errbuf *err) LM_MUST_CHECK;

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

#endif
