/*
 * A pooler tells its clients process numbers of its own making, so one that is the server's means
 * that there is none. Behind a pooler there are two connections: if each client has a session
 * for itself, ours stays the same, and is never that of the other one, which meanwhile takes one by
 * beginning a transaction.
 */
#include "store/postgres/internal.h"

enum { ROUNDS = 3 }; /* a pooler may have several sessions to give, in turn */

static int session_of(struct store_postgres_conn *c, int64_t *pid, struct errbuf *err)
{
    return store_postgres_conn_number(c, "SELECT pg_backend_pid()", pid, err);
}

/* Asks for our session while `other` has one. */
static int probe(struct store_postgres_conn *c, struct store_postgres_conn *other, int64_t pid,
                 bool *shared, struct errbuf *err)
{
    int64_t other_pid, now_pid = pid;
    int error = store_postgres_conn_exec(other, "BEGIN", NULL, err);

    if (!error)
        error = session_of(other, &other_pid, err);
    *shared = !error && other_pid == pid;
    if (!error && !*shared) /* else ours might be waited for */
        error = session_of(c, &now_pid, err);
    *shared = *shared || now_pid != pid;
    return error ? error : store_postgres_conn_exec(other, "COMMIT", NULL, err);
}

int store_postgres_pooler_check(struct store_postgres_conn *c, struct errbuf *err)
{
    struct store_postgres_conn other;
    bool shared = false;
    int64_t pid;
    int error = session_of(c, &pid, err);

    if (error || pid == PQbackendPID(c->pg))
        return error;
    store_postgres_conn_init(&other, c->address);
    error = store_postgres_conn_open(&other, NULL, err);
    for (int i = 0; !error && !shared && i < ROUNDS; i++)
        error = probe(c, &other, pid, &shared, err);
    store_postgres_conn_close(&other);
    if (shared)
        return errbuf_fail(err, LM_EINVAL,
                           "PostgreSQL is behind a pooler that gives each transaction another "
                           "session (pgbouncer: pool_mode=transaction): allowed is session "
                           "pooling (pool_mode=session), or a direct connection");
    return error;
}
