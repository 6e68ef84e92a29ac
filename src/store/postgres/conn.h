/*
 * A connection to PostgreSQL that never waits for ever and can be told to stop waiting, whatever it
 * waits for.
 *
 *   closed ──► connecting ──► setting up ──► open ──► ended
 *     ▲            │              │           │         │
 *     └────────────┴──────────────┴───────────┴─────────┘
 *
 * Between calls it is closed, open or ended; or it is connecting, if a call was told to stop:
 * the attempt goes on by itself. Setting up may end, too: the server says farewell at any time.
 *
 * Always true (store_postgres_conn_check):
 *   1. There is an attempt exactly while it connects.
 *   2. There is a connection of libpq's exactly from setting up on.
 *   3. Answers are owed exactly if libpq waits for some. Of what is not connected none are.
 *
 * Belongs to one thread.
 */
#ifndef LOGMILL_STORE_POSTGRES_CONN_H
#define LOGMILL_STORE_POSTGRES_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/errbuf.h"
#include "store/postgres/address.h"
#include "store/postgres/connect.h"
#include "store/store.h"

enum store_postgres_conn_state {
    STORE_POSTGRES_CLOSED,
    STORE_POSTGRES_CONNECTING, /* on a thread of its own */
    STORE_POSTGRES_SETTING_UP,
    STORE_POSTGRES_OPEN,
    STORE_POSTGRES_ENDED, /* the server said that it ends the session */
    STORE_POSTGRES_CONN_STATES
};

struct store_postgres_conn {
    const struct store_postgres_address *address;
    enum store_postgres_conn_state state;
    unsigned owed; /* statements that were sent and are not answered to the end */
    PGconn *pg;    /* in non-blocking mode */
    struct store_postgres_connect *attempt;
    unsigned silence_ms;       /* how long the server may say nothing */
    char sqlstate[6];          /* of the last failure; empty if it was not the server's */
    const atomic_int *stopped; /* if this is stopped_value, waits end with LM_ETIMEOUT */
    int stopped_value;         /* if `stopped` is NULL: of no meaning */
    int wake_fd;               /* readable when `stopped` may have changed; -1: none */
    const struct store_patience *patience; /* NULL: who is silent is gone; see _be_patient */
    int64_t session;                       /* with patience: the server's number of it */
};

/* A closed connection. */
void store_postgres_conn_init(struct store_postgres_conn *c,
                              const struct store_postgres_address *address);

/*
 * Connects, if `c` is closed, and runs `setup` (SQL; NULL: nothing). If it was told to stop
 * meanwhile, the next call goes on with the same attempt. Servers older than 15 and databases that
 * are not in UTF-8 are refused with LM_EINVAL.
 */
int store_postgres_conn_open(struct store_postgres_conn *c, const char *setup,
                             struct errbuf *err) LM_MUST_CHECK;
void store_postgres_conn_close(struct store_postgres_conn *c);

void store_postgres_conn_check(const struct store_postgres_conn *c);

/* Whether there is a connection, of use or not. */
static inline bool store_postgres_conn_is_open(const struct store_postgres_conn *c)
{
    return c->state >= STORE_POSTGRES_SETTING_UP;
}

/* Notes that statements were given to libpq, each of which will be answered: see _next. */
void store_postgres_conn_sent(struct store_postgres_conn *c, unsigned statements);

/*
 * From now on the server may be silent for any time as long as it works at what it was sent: after
 * silence_ms, and each such time later, it is asked for that by another connection. What cannot be
 * told from the connection itself: a host that is gone breaks that, but a server that is frozen
 * leaves it as it is, as does something in between that has forgotten it.
 */
int store_postgres_conn_be_patient(struct store_postgres_conn *c,
                                   const struct store_patience *patience,
                                   struct errbuf *err) LM_MUST_CHECK;

/* True if the connection is lost, so that a new one may fare better. */
bool store_postgres_conn_is_lost(const struct store_postgres_conn *c);

/*
 * Runs SQL to its end. If `result` is not NULL it gets the last statement's, to be given to
 * PQclear (NULL on failure).
 */
int store_postgres_conn_exec(struct store_postgres_conn *c, const char *sql, PGresult **result,
                             struct errbuf *err) LM_MUST_CHECK;

/* The same for one number: the first column of the first row, or 0 without a row. */
int store_postgres_conn_number(struct store_postgres_conn *c, const char *sql, int64_t *number,
                               struct errbuf *err) LM_MUST_CHECK;

/*
 * Waits for the next result of what was sent: *result, to be given to PQclear, or NULL after the
 * last one of a statement; that which ends a pipeline stands for such a NULL. A failure that the
 * server reports is a result, too: see _judge.
 */
int store_postgres_conn_next(struct store_postgres_conn *c, PGresult **result,
                             struct errbuf *err) LM_MUST_CHECK;

/* Waits for all results of what was sent; as _exec does. */
int store_postgres_conn_finish(struct store_postgres_conn *c, PGresult **result,
                               struct errbuf *err) LM_MUST_CHECK;

/* Looks, without waiting, whether all of the next result of what was sent is there: *ready. */
int store_postgres_conn_poll(struct store_postgres_conn *c, bool *ready,
                             struct errbuf *err) LM_MUST_CHECK;

/* Begins a COPY FROM STDIN, after which PQputCopyData may be called. */
int store_postgres_conn_copy(struct store_postgres_conn *c, const char *sql,
                             struct errbuf *err) LM_MUST_CHECK;

/*
 * Ends the COPY under way and waits for that which the same query begins next, after which
 * PQputCopyData may be called again.
 */
int store_postgres_conn_copy_next(struct store_postgres_conn *c, struct errbuf *err) LM_MUST_CHECK;

/* Waits until all that was given to libpq is sent. */
int store_postgres_conn_flush(struct store_postgres_conn *c, struct errbuf *err) LM_MUST_CHECK;

/*
 * 0 if `result` is a success. Else its text in `err`, its SQLSTATE in `c`, and
 * LM_EDATA      the data itself is refused
 * LM_EFULL      the server's disk is full
 * LM_EBUSY      a deadlock or a lock that could not be had: the same may succeed at once
 * LM_ETIMEOUT   the server ended the statement
 * LM_EUNAVAILABLE  all else
 */
int store_postgres_conn_judge(struct store_postgres_conn *c, const PGresult *result,
                              struct errbuf *err) LM_MUST_CHECK;

/* As _judge, for libpq's own failures: always LM_EUNAVAILABLE. */
int store_postgres_conn_lost(struct store_postgres_conn *c, struct errbuf *err);

/*
 * Ends the statement that runs on `c`, on the server too, and closes `c`: at once, whatever state
 * the server is in. An attempt to connect goes on.
 */
void store_postgres_conn_abandon(struct store_postgres_conn *c);

#endif
