/*
 * The partitions of the days. Which days of one writer's session are known to have theirs is
 * remembered, so that a batch costs no look at the catalogue.
 */
#ifndef LOGMILL_STORE_POSTGRES_DAYS_H
#define LOGMILL_STORE_POSTGRES_DAYS_H

#include "record/record.h"
#include "store/postgres/conn.h"

/*
 * Days that get a partition: from so many days back to so many ahead. Those ahead get theirs before
 * there are logs for them.
 */
#define STORE_POSTGRES_DAYS_BACK_TEXT "31"
enum {
    STORE_POSTGRES_DAYS_BACK = 31,
    STORE_POSTGRES_DAYS_AHEAD = 2,
    STORE_POSTGRES_DAYS_MAX = STORE_POSTGRES_DAYS_BACK + 1 + STORE_POSTGRES_DAYS_AHEAD,
};

/* For a lock on `logs` itself nobody waits longer, since whoever comes meanwhile waits, too. */
#define STORE_POSTGRES_DAYS_LOCK_TIMEOUT "300ms"

struct store_postgres_days {
    int64_t known[STORE_POSTGRES_DAYS_MAX]; /* a day, since 1970, is at its number modulo this */
    /* Shared by all writers. Monotonic: none is made before, since one could not be. */
    _Atomic uint64_t *retry_us;
};

/* Knows nothing yet. For a new session. */
void store_postgres_days_init(struct store_postgres_days *d, _Atomic uint64_t *retry_us);

/*
 * Makes the partitions that `records` and the next days need and that are not there. One that
 * cannot be made now (a diagnostic says why) stops nobody: its rows go to logs_default, and are
 * moved when it is made. Returns an error only if nothing can be stored by this connection.
 */
int store_postgres_days_ensure(struct store_postgres_days *d, struct store_postgres_conn *c,
                               const struct record *records, size_t n,
                               struct errbuf *err) LM_MUST_CHECK;

/*
 * Drops the partition of the oldest day that ended by `before_us`, if there is one, and tells how
 * many rows it had: *found and *rows. In its own transaction. If a long query is in the way, there
 * is none for now: then its rows can be deleted, which waits for nobody.
 */
int store_postgres_days_drop(struct store_postgres_conn *c, int64_t before_us, bool *found,
                             int64_t *rows, struct errbuf *err) LM_MUST_CHECK;

/*
 * While all partitions together take more than max_bytes: empties logs_past, if there is anything
 * in it, or drops the partition of the oldest day, in its own transaction; never today's, by the
 * server's clock, nor a later one. *rows: how many logs went, at least 1 if anything did; 0:
 * nothing is to go.
 */
int store_postgres_days_shrink(struct store_postgres_conn *c, uint64_t max_bytes, int64_t *rows,
                               struct errbuf *err) LM_MUST_CHECK;

#endif
