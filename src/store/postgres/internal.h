/*
 * What the files of the PostgreSQL store share; nobody else includes it.
 *
 *   adapter.c    the store as a whole: what the port sees
 *   address.c    where to connect to
 *   conn.c       one connection
 *   connect.c    how it is made
 *   schema.c     the schema and its versions
 *   roles.c      roles to work by, made with the schema
 *   pooler.c     whether a pooler shares the session with others
 *   days.c       the partitions of the days
 *   counts.c     logs per minute and level, kept beside them
 *   keeper.c     the background work: folding counts, counting what is not counted yet
 *   indexes.c    making the indexes that the owner asks for
 *   indexed.c    which days have them, and whether they serve
 *   rows.c       rows in the binary form of COPY
 *   writer.c     appending and expiring
 *   erase.c      deleting by a filter
 *   statement.c  SQL with its values
 *   predicates.c trees as SQL
 *   reader.c     what all reading calls have in common, and cancelling
 *   windows.c    scans, cut into windows of time
 *   paces.c      how scans went on where they were left
 *   presence.c   where a level is at all
 *   pages.c      logs of scans, and single ones
 *   stats.c      counts of scans
 *   follow.c     logs in the order of storing
 */
#ifndef LOGMILL_STORE_POSTGRES_INTERNAL_H
#define LOGMILL_STORE_POSTGRES_INTERNAL_H

#include "store/postgres/conn.h"
#include "store/postgres/counts.h"
#include "store/postgres/days.h"
#include "store/postgres/indexed.h"
#include "store/postgres/indexes.h"
#include "store/postgres/paces.h"
#include "store/postgres/predicates.h"
#include "store/postgres/roles.h"
#include "store/postgres/session.h"
#include "store/postgres/statement.h"
#include "store/postgres/wire.h"
#include "store/store.h"

struct store_postgres {
    struct store base;
    struct store_postgres_address address;
    _Atomic uint64_t days_retry_us;            /* see days.h */
    unsigned indexes;                          /* that are to be made: see indexes.h */
    struct store_postgres_role writer, reader; /* to be made; the options' */
    struct store_postgres_paces paces;
};

int store_postgres_schema_migrate(struct store *base, const struct store_patience *patience,
                                  struct errbuf *err);

/*
 * Refuses a schema that is older than this program's, or newer and not compatible with it
 * (logmill_schema.compatible_since, see schema.c).
 */
int store_postgres_schema_check(struct store_postgres_conn *c, struct errbuf *err) LM_MUST_CHECK;

/*
 * LM_EINVAL if a pooler stands between that gives each transaction another session: what a
 * writer sets for its session, or keeps in it, would be lost or another's.
 */
int store_postgres_pooler_check(struct store_postgres_conn *c, struct errbuf *err) LM_MUST_CHECK;

struct store_postgres_eraser; /* erase.c; NULL: it has not erased yet */
void store_postgres_eraser_free(struct store_postgres_eraser *e);

struct store_postgres_writer {
    struct store_writer base;
    struct store_postgres *s;
    struct store_postgres_conn conn;
    struct store_postgres_days days;
    struct buffer rows;
    struct buffer numbers;
    struct buffer sql;
    struct store_postgres_counts counts;
    uint64_t planned_us;           /* when the end of an append was prepared; monotonic */
    uint64_t forgot_us;            /* when arrivals were last forgotten; monotonic; 0: not yet … */
    uint64_t forgot_tombstones_us; /* … and tombstones */
    bool has_old_tombstones;
    struct store_postgres_eraser *eraser;
};

/* Connects if need be. `*fresh` tells whether it was. */
int store_postgres_writer_begin(struct store_postgres_writer *w, bool *fresh,
                                struct errbuf *err) LM_MUST_CHECK;

/* After `error`: leaves the connection without a transaction, or closed. */
void store_postgres_writer_undo(struct store_postgres_writer *w, int error);

int store_postgres_erase(struct store_writer *base, struct store_scan *scan,
                         const struct store_slice *slice, bool remember, size_t *erased,
                         struct errbuf *err);

struct store_keeper *store_postgres_keeper_new(struct store *base, struct errbuf *err);
void store_postgres_keeper_free(struct store_keeper *base);
int store_postgres_keeper_step(struct store_keeper *base, bool at_once, unsigned *wait_ms,
                               struct errbuf *err);
int store_postgres_keeper_recount(struct store *base, struct errbuf *err);

struct store_writer *store_postgres_writer_new(struct store *base, struct errbuf *err);
void store_postgres_writer_free(struct store_writer *base);
int store_postgres_writer_append(struct store_writer *base, const struct record *records, size_t n,
                                 struct store_append_result *result, struct errbuf *err);
int store_postgres_writer_expire(struct store_writer *base, int64_t before_us, size_t max_rows,
                                 size_t *deleted, bool *more, struct errbuf *err);
int store_postgres_writer_shrink(struct store_writer *base, uint64_t max_bytes, size_t *deleted,
                                 struct errbuf *err);
int store_postgres_writer_clock_read(struct store_writer *base, struct store_clock *kept,
                                     int64_t *now_us, struct errbuf *err);
int store_postgres_writer_clock_write(struct store_writer *base, const struct store_clock *kept,
                                      struct errbuf *err);

/*
 * Appends `r` to `b` as a row of COPY's binary form: timestamp, id, level, message, attributes.
 * `numbers` is scratch space.
 */
void store_postgres_rows_append(struct buffer *b, const struct record *r, struct buffer *numbers);

/* The one row of `arrivals` for `records`: their timestamps and ids, as arrays. */
void store_postgres_rows_append_arrival(struct buffer *b, const struct record *records, size_t n);

/* What stands before the first row, and after the last. */
void store_postgres_rows_begin(struct buffer *b);
void store_postgres_rows_end(struct buffer *b);

/* What a reader does now; a cancel moves RUNNING to CANCELLED and nothing else. */
enum store_postgres_activity {
    STORE_POSTGRES_IDLE,
    STORE_POSTGRES_RUNNING,
    STORE_POSTGRES_CANCELLED
};

struct store_postgres_reader {
    struct store_reader base;
    struct store_postgres *s;
    struct store_postgres_conn conn;
    atomic_int activity;
    int wake[2];        /* a pipe: a byte ends a wait, which then looks at `activity` */
    bool handed_out;    /* the call under way has called its callback */
    char collation[96]; /* " COLLATE …" for what is compared without case, or empty */
    unsigned limit_ms;  /* what a statement may take; 0: as the role has it … */
    unsigned most_ms;   /* … or, if that has no limit, this; 0: as long as it wants */
    bool is_timed;      /* what statements take is told without the way to the server … */
    uint64_t took_us;   /* … here, added up */
    bool by_index;      /* it is not to read whole partitions */
    bool in_order;      /* it is to go through the logs by their keys, and sort nothing */
    bool has_indexes;   /* the owner made some that find logs by what is in them, such as GIN … */
    uint64_t looked_us; /* … when that was looked at; monotonic */
    struct store_postgres_indexed indexed; /* the days of which the keeper made some */
    bool is_served;                        /* the statement is of such days, and to use them */
    bool use_counts;                       /* it may, as far as this connection knows */
    struct store_postgres_statement statement;
    struct buffer attributes; /* of the row that is handed out */
};

struct store_reader *store_postgres_reader_new(struct store *base, struct errbuf *err);
void store_postgres_reader_free(struct store_reader *base);
void store_postgres_reader_cancel(struct store_reader *base);

/*
 * Runs one reading call with all around it: lets it be cancelled, connects, and does `work` again
 * on a new connection if the old one turns out to be lost before anything was handed out.
 */
typedef int store_postgres_work_fn(struct store_postgres_reader *r, void *work, struct errbuf *err);
int store_postgres_reader_call(struct store_postgres_reader *r, store_postgres_work_fn *fn,
                               void *work, struct errbuf *err) LM_MUST_CHECK;

/* Runs r->statement; calls `fn` for each row as it comes. */
typedef int store_postgres_row_fn(struct store_postgres_reader *r, const PGresult *row, void *ctx);
int store_postgres_reader_run(struct store_postgres_reader *r, store_postgres_row_fn *fn, void *ctx,
                              struct errbuf *err) LM_MUST_CHECK;

/* The same at once, when all rows are there: *rows, to be given to PQclear (NULL on failure). */
int store_postgres_reader_run_whole(struct store_postgres_reader *r, PGresult **rows,
                                    struct errbuf *err) LM_MUST_CHECK;

/*
 * True if the last statement failed since it took more than r->limit_ms, r->most_ms, or more than
 * the role may: the next one can be run. Not after a cancel.
 */
bool store_postgres_reader_ran_out(const struct store_postgres_reader *r);

/* True if the last one failed since there is no such table, or this role may not read it. */
bool store_postgres_reader_lacks_tables(const struct store_postgres_reader *r);

/* Binary values: of row `row`, and of a row that came alone. A key is in two columns. */
int64_t store_postgres_reader_int_at(const PGresult *rows, int row, int column);
struct slice store_postgres_reader_text_at(const PGresult *rows, int row, int column);
int64_t store_postgres_reader_int(const PGresult *row, int column);
struct slice store_postgres_reader_text(const PGresult *row, int column);
void store_postgres_reader_key(const PGresult *row, int column, struct log_key *key);

/* A slice of a scan, done window by window. */
struct store_postgres_windows {
    struct store_scan *scan;
    uint64_t until_us;   /* of the slice; 0: no end */
    bool begins_small;   /* what is looked for may be rare */
    bool is_stride;      /* the same */
    bool is_common;      /* the last window had logs that match */
    struct log_key from; /* the window: from here on, and before scan->before */
    bool cut;            /* the window was not gone through to its end, but down to the place */
    bool stop;           /* the slice is over */
};

/*
 * Appends " FROM logs WHERE …" to r->statement: the logs of the window that match, and maybe others
 * if store_postgres_must_match.
 */
void store_postgres_windows_add(struct store_postgres_reader *r,
                                const struct store_postgres_windows *w);

/* Whether SQL cannot tell all that is asked for: the plain matcher is to be asked about each row.
 */
static inline bool store_postgres_must_match(const struct store_scan *scan)
{
    const struct query *q = log_matcher_filter(scan->matcher)->query;

    return q && !store_postgres_predicates_are_exact(q);
}

/*
 * Goes through windows until the scan is done, the slice's time is over or `fn` sets w->stop.
 * `fn` does the work of one window, and is called again for a smaller one if
 * store_postgres_reader_ran_out; what it has done by then, it must have put into the place. It sets
 * w->cut if it moved the place itself: else the place is moved to w->from.
 */
typedef int store_postgres_window_fn(struct store_postgres_reader *r,
                                     struct store_postgres_windows *w, void *ctx,
                                     struct errbuf *err);
int store_postgres_windows_run(struct store_postgres_reader *r, struct store_postgres_windows *w,
                               store_postgres_window_fn *fn, void *ctx,
                               struct errbuf *err) LM_MUST_CHECK;

/* For the next window, after one that was for nothing: of sparse logs it is to have some. */
void store_postgres_windows_grow(struct store_scan *scan);

int store_postgres_scan_next(struct store_reader *base, struct store_scan *scan,
                             const struct store_slice *slice, store_row_fn *fn, void *ctx,
                             struct errbuf *err);
int store_postgres_scan_count(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, int64_t since_us, int64_t bucket_us,
                              store_count_fn *fn, void *ctx, struct errbuf *err);
/*
 * Appends "usable AS …, ", of a statement whose values $1 and $2 are the bounds of a range: one
 * row, `start`, down to where the counts are of use. Not where levels that are to be told apart
 * (by_level) are counted together, nor for who may not see all logs.
 */
void store_postgres_stats_add_usable(struct store_postgres_statement *st, bool by_level);

/*
 * Lowers w->scan->before to where, as the counts say, the newest log may be that has a level which
 * the filter lets through; *lowered: it did. Not for a filter that names no levels.
 */
int store_postgres_presence_lower(struct store_postgres_reader *r,
                                  const struct store_postgres_windows *w, bool *lowered,
                                  struct errbuf *err) LM_MUST_CHECK;

/* As scan_next, but of each log the key alone is asked for: its texts may be empty. */
int store_postgres_pages_keys(struct store_reader *base, struct store_scan *scan,
                              const struct store_slice *slice, store_row_fn *fn, void *ctx,
                              struct errbuf *err) LM_MUST_CHECK;
int store_postgres_pages_get(struct store_reader *base, const struct uuid *id, store_row_fn *fn,
                             void *ctx, struct errbuf *err);
/* Runs r->statement, whose columns are those of a log, and a number. */
typedef int store_postgres_numbered_fn(const struct record *record, int64_t number, void *ctx);
int store_postgres_pages_run_numbered(struct store_postgres_reader *r,
                                      store_postgres_numbered_fn *fn, void *ctx,
                                      struct errbuf *err) LM_MUST_CHECK;

int store_postgres_follow_end(struct store_reader *base, struct store_position *end,
                              struct errbuf *err);
int store_postgres_follow(struct store_reader *base, struct store_position *position, size_t max,
                          bool *lost, store_follow_fn *fn, void *ctx, struct errbuf *err);
int store_postgres_follow_erasures(struct store_reader *base, uint64_t *number, struct errbuf *err);

#endif
