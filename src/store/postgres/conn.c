/*
 * Every wait is a poll() with a bound: of the socket, or of the thread that connects, and of
 * wake_fd.
 */
#include "store/postgres/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"
#include "diag/diag.h"

enum {
    SERVER_VERSION_MIN = 150000,
    CANCEL_STACK_BYTES = 256 * 1024,
    CANCELS_MAX = 8, /* at once: a server that is silent answers none of them */
    PATIENCE_LOOK_MS = 1000,
    SQL_SIZE = 128,
};

void store_postgres_conn_init(struct store_postgres_conn *c,
                              const struct store_postgres_address *address)
{
    *c = (struct store_postgres_conn){
        .address = address, .silence_ms = address->silence_ms, .wake_fd = -1};
}

static const state_moves moves[STORE_POSTGRES_CONN_STATES] = {
    [STORE_POSTGRES_CLOSED] = STATE(STORE_POSTGRES_CONNECTING),
    [STORE_POSTGRES_CONNECTING] = STATE(STORE_POSTGRES_SETTING_UP) | STATE(STORE_POSTGRES_CLOSED),
    [STORE_POSTGRES_SETTING_UP] =
        STATE(STORE_POSTGRES_OPEN) | STATE(STORE_POSTGRES_ENDED) | STATE(STORE_POSTGRES_CLOSED),
    [STORE_POSTGRES_OPEN] = STATE(STORE_POSTGRES_ENDED) | STATE(STORE_POSTGRES_CLOSED),
    [STORE_POSTGRES_ENDED] = STATE(STORE_POSTGRES_CLOSED),
};

static void move(struct store_postgres_conn *c, enum store_postgres_conn_state to)
{
    CHECK(state_may_move(moves, c->state, to));
    c->state = to;
    CHECKED(store_postgres_conn_check(c));
}

/* libpq's own view, if it has one: what is broken is neither at rest nor at work. */
static bool libpq_agrees(const struct store_postgres_conn *c)
{
    bool waits = PQtransactionStatus(c->pg) == PQTRANS_ACTIVE;

    if (PQstatus(c->pg) != CONNECTION_OK || (waits && PQpipelineStatus(c->pg) != PQ_PIPELINE_OFF))
        return true;
    return (c->owed > 0) == waits;
}

void store_postgres_conn_check(const struct store_postgres_conn *c)
{
    CHECK(!c->attempt == (c->state != STORE_POSTGRES_CONNECTING));
    CHECK(!c->pg == !store_postgres_conn_is_open(c));
    CHECK(c->pg ? libpq_agrees(c) : c->owed == 0);
}

/* Forgets what there is of it. */
static void move_to_closed(struct store_postgres_conn *c)
{
    c->pg = NULL;
    c->attempt = NULL;
    c->owed = 0;
    if (c->state != STORE_POSTGRES_CLOSED)
        move(c, STORE_POSTGRES_CLOSED);
}

void store_postgres_conn_close(struct store_postgres_conn *c)
{
    CHECKED(store_postgres_conn_check(c));
    PQfinish(c->pg);
    store_postgres_connect_free(c->attempt);
    move_to_closed(c);
}

void store_postgres_conn_sent(struct store_postgres_conn *c, unsigned statements)
{
    c->owed += statements;
    CHECKED(store_postgres_conn_check(c));
}

bool store_postgres_conn_is_lost(const struct store_postgres_conn *c)
{
    return !c->pg || c->state == STORE_POSTGRES_ENDED || PQstatus(c->pg) != CONNECTION_OK;
}

/* ---- Failures ---- */

/* Makes one line of what may be several. */
static void set_text(struct errbuf *err, const char *text)
{
    char *out = err ? err->text : NULL;

    errbuf_set(err, "PostgreSQL: %s", text);
    for (const char *in = out; in; in++) {
        char c = (unsigned char)*in < ' ' && *in != '\0' ? ' ' : *in;

        if ((c == ' ' || c == '\0') && out > err->text && out[-1] == ' ')
            out--; /* several spaces become one, and the last ones none */
        *out++ = c;
        if (c == '\0')
            break;
    }
}

int store_postgres_conn_lost(struct store_postgres_conn *c, struct errbuf *err)
{
    c->sqlstate[0] = '\0';
    set_text(err, PQerrorMessage(c->pg));
    return LM_EUNAVAILABLE;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/*
 * Which failures are the data's own fault: data exceptions (22), constraints (23), a view's check
 * (44), limits such as jsonb's (54), and what a trigger raises. Not a unique key, which the writer
 * deals with, and not a row for which there is no partition: that comes without a constraint's
 * name, and is the schema's fault.
 */
static int code_of(const char *sqlstate, const char *constraint)
{
    if (strcmp(sqlstate, "23505") == 0 || (strcmp(sqlstate, "23514") == 0 && !constraint))
        return LM_EUNAVAILABLE;
    if (starts_with(sqlstate, "22") || starts_with(sqlstate, "23") || starts_with(sqlstate, "44") ||
        starts_with(sqlstate, "54") || strcmp(sqlstate, "P0001") == 0)
        return LM_EDATA;
    if (strcmp(sqlstate, "53100") == 0)
        return LM_EFULL;
    if (starts_with(sqlstate, "40") || strcmp(sqlstate, "55P03") == 0)
        return LM_EBUSY;
    if (strcmp(sqlstate, "57014") == 0)
        return LM_ETIMEOUT;
    return LM_EUNAVAILABLE;
}

int store_postgres_conn_judge(struct store_postgres_conn *c, const PGresult *result,
                              struct errbuf *err)
{
    ExecStatusType status = PQresultStatus(result);
    const char *sqlstate, *text, *severity;

    if (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE)
        return 0;
    sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!sqlstate || !text)
        return store_postgres_conn_lost(c, err);
    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0) &&
        c->state != STORE_POSTGRES_ENDED)
        move(c, STORE_POSTGRES_ENDED);
    memcpy(c->sqlstate, sqlstate, sizeof(c->sqlstate) - 1);
    /* Without its DETAIL, which quotes values: the logs of users are not for the diagnostics. */
    errbuf_set(err, "PostgreSQL: %s (SQLSTATE %s)", text, sqlstate);
    return code_of(c->sqlstate, PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
}

/* ---- Waiting ---- */

static void drain(int fd)
{
    char bytes[64];

    while (read(fd, bytes, sizeof(bytes)) > 0)
        continue;
}

/* Asks the server, by another connection, whether it works at what `c` has sent. */
static bool server_works(const struct store_postgres_conn *c)
{
    struct store_postgres_conn other;
    char sql[SQL_SIZE];
    int64_t n = 0;

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_stat_activity WHERE pid = %" PRId64 " AND state = 'active'",
             c->session);
    store_postgres_conn_init(&other, c->address);
    int error = store_postgres_conn_open(&other, NULL, NULL);
    if (!error)
        error = store_postgres_conn_number(&other, sql, &n, NULL);
    store_postgres_conn_close(&other);
    return !error && n > 0;
}

static int no_answer(struct store_postgres_conn *c, struct errbuf *err)
{
    c->sqlstate[0] = '\0';
    return errbuf_fail(err, LM_EUNAVAILABLE, "PostgreSQL: no answer within %u ms", c->silence_ms);
}

/*
 * With patience: whether the server, silent at `awaited` since `since_us`, may go on so. It was
 * asked last at `*asked_us`. If it has just come to an end, that may still be on its way.
 */
static int bear_silence(struct store_postgres_conn *c, struct pollfd awaited, uint64_t since_us,
                        uint64_t *asked_us, struct errbuf *err)
{
    if (!c->patience->goes_on(c->patience->ctx))
        return errbuf_fail(err, LM_ETIMEOUT, "cancelled");
    if (clock_monotonic_us() - *asked_us < (uint64_t)c->silence_ms * 1000)
        return 0;
    if (!server_works(c))
        return poll(&awaited, 1, PATIENCE_LOOK_MS) > 0 ? 0 : no_answer(c, err);
    *asked_us = clock_monotonic_us();
    diag(DIAG_INFO, "PostgreSQL still works at what it was asked for",
         DIAG_INT("silent_ms", (int64_t)(*asked_us - since_us) / 1000));
    return 0;
}

/* Waits until `fd` is ready for one of `events`, which goes to `*ready`. */
static int wait_for_fd(struct store_postgres_conn *c, int fd, short events, short *ready,
                       struct errbuf *err)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = c->wake_fd, .events = POLLIN}};
    uint64_t since_us = clock_monotonic_us(), asked_us = since_us;
    int wait_ms = (int)(c->patience ? PATIENCE_LOOK_MS : c->silence_ms);
    int n = 0;

    while (n <= 0) {
        if (c->stopped && atomic_load(c->stopped) == c->stopped_value)
            return errbuf_fail(err, LM_ETIMEOUT, "cancelled");
        n = poll(fds, c->wake_fd >= 0 ? 2 : 1, wait_ms);
        if (n > 0 || (n < 0 && errno == EINTR))
            continue;
        int error =
            c->patience ? bear_silence(c, fds[0], since_us, &asked_us, err) : no_answer(c, err);
        if (error)
            return error;
    }
    if (fds[1].revents != 0)
        drain(c->wake_fd);
    *ready = fds[0].revents;
    return 0;
}

/* Waits until the socket is ready for one of `events`; reads what is there. */
static int wait_for(struct store_postgres_conn *c, short events, struct errbuf *err)
{
    short ready;
    int error = wait_for_fd(c, PQsocket(c->pg), events, &ready, err);

    if (!error && (ready & ~POLLOUT) != 0 && PQconsumeInput(c->pg) == 0)
        return store_postgres_conn_lost(c, err);
    return error;
}

int store_postgres_conn_flush(struct store_postgres_conn *c, struct errbuf *err)
{
    int left;

    while ((left = PQflush(c->pg)) > 0) {
        int error = wait_for(c, POLLIN | POLLOUT, err);

        if (error)
            return error;
    }
    return left < 0 ? store_postgres_conn_lost(c, err) : 0;
}

int store_postgres_conn_next(struct store_postgres_conn *c, PGresult **result, struct errbuf *err)
{
    int error = store_postgres_conn_flush(c, err);

    *result = NULL;
    while (!error && PQisBusy(c->pg))
        error = wait_for(c, POLLIN, err);
    if (error)
        return error;
    *result = PQgetResult(c->pg);
    if (c->owed > 0 && (!*result || PQresultStatus(*result) == PGRES_PIPELINE_SYNC))
        c->owed--;
    CHECKED(store_postgres_conn_check(c));
    return 0;
}

int store_postgres_conn_poll(struct store_postgres_conn *c, bool *ready, struct errbuf *err)
{
    *ready = false;
    if (PQconsumeInput(c->pg) == 0)
        return store_postgres_conn_lost(c, err);
    *ready = !PQisBusy(c->pg);
    return 0;
}

int store_postgres_conn_finish(struct store_postgres_conn *c, PGresult **result, struct errbuf *err)
{
    PGresult *last = NULL;
    PGresult *next;
    int error, failure = 0;

    if (result)
        *result = NULL;
    while (!(error = store_postgres_conn_next(c, &next, err)) && next) {
        if (!failure)
            failure = store_postgres_conn_judge(c, next, err);
        PQclear(last);
        last = next;
    }
    if (!error)
        error = failure;
    if (!error && result)
        *result = last;
    else
        PQclear(last);
    return error;
}

int store_postgres_conn_exec(struct store_postgres_conn *c, const char *sql, PGresult **result,
                             struct errbuf *err)
{
    c->sqlstate[0] = '\0';
    if (result)
        *result = NULL;
    if (!PQsendQuery(c->pg, sql))
        return store_postgres_conn_lost(c, err);
    store_postgres_conn_sent(c, 1);
    return store_postgres_conn_finish(c, result, err);
}

/* Waits until a COPY of the query under way has begun. Otherwise all of its results are taken. */
static int expect_copy(struct store_postgres_conn *c, struct errbuf *err)
{
    PGresult *result;
    int error = store_postgres_conn_next(c, &result, err);

    if (error)
        return error;
    bool started = PQresultStatus(result) == PGRES_COPY_IN;
    error = store_postgres_conn_judge(c, result, err);
    PQclear(result);
    if (!started) {
        int failure = store_postgres_conn_finish(c, NULL, NULL);

        if (failure || !error)
            return failure ? failure : LM_EUNAVAILABLE;
    }
    return error;
}

int store_postgres_conn_copy(struct store_postgres_conn *c, const char *sql, struct errbuf *err)
{
    c->sqlstate[0] = '\0';
    if (!PQsendQuery(c->pg, sql))
        return store_postgres_conn_lost(c, err);
    store_postgres_conn_sent(c, 1);
    return expect_copy(c, err);
}

int store_postgres_conn_copy_next(struct store_postgres_conn *c, struct errbuf *err)
{
    PGresult *result;

    if (PQputCopyEnd(c->pg, NULL) != 1)
        return store_postgres_conn_lost(c, err);
    int error = store_postgres_conn_next(c, &result, err);
    if (error)
        return error;
    error = store_postgres_conn_judge(c, result, err);
    PQclear(result);
    if (error) {
        int failure = store_postgres_conn_finish(c, NULL, NULL);

        return failure == LM_EUNAVAILABLE ? failure : error;
    }
    return expect_copy(c, err);
}

int store_postgres_conn_number(struct store_postgres_conn *c, const char *sql, int64_t *number,
                               struct errbuf *err)
{
    PGresult *result;
    int error = store_postgres_conn_exec(c, sql, &result, err);

    *number = 0;
    if (!error && PQntuples(result) > 0)
        *number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return error;
}

int store_postgres_conn_be_patient(struct store_postgres_conn *c,
                                   const struct store_patience *patience, struct errbuf *err)
{
    /* Not PQbackendPID(), which may be a number of a pooler's. */
    int error = store_postgres_conn_number(c, "SELECT pg_backend_pid()", &c->session, err);

    if (!error)
        c->patience = patience;
    return error;
}

/* ---- Opening ---- */

static void ignore_notice(void *ctx, const PGresult *result)
{
}

static int check_server(struct store_postgres_conn *c, struct errbuf *err)
{
    const char *encoding = PQparameterStatus(c->pg, "server_encoding");
    int version = PQserverVersion(c->pg);

    if (version < SERVER_VERSION_MIN)
        return errbuf_fail(err, LM_EINVAL, "PostgreSQL %d is too old: %d or later is needed",
                           version / 10000, SERVER_VERSION_MIN / 10000);
    if (encoding && strcmp(encoding, "UTF8") != 0)
        return errbuf_fail(err, LM_EINVAL,
                           "the database \"%s\" has the encoding %s: only UTF8 can hold all logs",
                           PQdb(c->pg), encoding);
    return 0;
}

/* Waits for the attempt to connect, and takes what came of it. */
static int take_attempt(struct store_postgres_conn *c, struct errbuf *err)
{
    short ready = 0;

    while (!ready) {
        int error = wait_for_fd(c, store_postgres_connect_fd(c->attempt), POLLIN, &ready, err);

        if (error)
            return error;
    }
    c->pg = store_postgres_connect_take(c->attempt);
    store_postgres_connect_free(c->attempt);
    c->attempt = NULL;
    if (!c->pg) {
        move_to_closed(c);
        return errbuf_fail(err, LM_ENOMEM, "no memory to connect to PostgreSQL");
    }
    move(c, STORE_POSTGRES_SETTING_UP);
    if (PQstatus(c->pg) == CONNECTION_OK)
        return 0;
    int error = store_postgres_conn_lost(c, err);
    store_postgres_conn_close(c);
    return error;
}

/* A server that has something to say before it is asked says farewell. */
static bool has_ended(const struct store_postgres_conn *c)
{
    struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};

    return poll(&fd, 1, 0) != 0;
}

static int connect_to_server(struct store_postgres_conn *c, struct errbuf *err)
{
    /* What became of an attempt that somebody began a while ago says nothing of now. */
    if (c->state == STORE_POSTGRES_CONNECTING) {
        int error = take_attempt(c, err);

        if (c->state == STORE_POSTGRES_CONNECTING || (!error && !has_ended(c)))
            return error;
        store_postgres_conn_close(c);
    }
    c->attempt = store_postgres_connect_new(c->address);
    if (!c->attempt)
        return errbuf_fail(err, LM_ENOMEM, "no thread left to connect to PostgreSQL with");
    move(c, STORE_POSTGRES_CONNECTING);
    return take_attempt(c, err);
}

int store_postgres_conn_open(struct store_postgres_conn *c, const char *setup, struct errbuf *err)
{
    /* Ends what still runs for a client that is gone. Not every system's server can: no matter. */
    static const char notice_loss[] = "SET client_connection_check_interval = '5s'";
    int error;

    CHECKED(store_postgres_conn_check(c));
    if (store_postgres_conn_is_open(c))
        return 0;
    error = connect_to_server(c, err);
    if (error)
        return error;
    PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
    PQsetnonblocking(c->pg, 1);
    error = check_server(c, err);
    if (!error && setup)
        error = store_postgres_conn_exec(c, setup, NULL, err);
    if (error)
        goto fail;
    error = store_postgres_conn_exec(c, notice_loss, NULL, err);
    if (error && c->sqlstate[0] == '\0')
        goto fail;
    if (c->state == STORE_POSTGRES_SETTING_UP) /* and has not ended meanwhile */
        move(c, STORE_POSTGRES_OPEN);
    return 0;
fail:
    store_postgres_conn_close(c);
    return error;
}

/* ---- Giving up ---- */

static atomic_uint cancels; /* threads that send one */

static void *send_cancel(void *cancel)
{
    char text[256];

    PQcancel(cancel, text, sizeof(text));
    PQfreeCancel(cancel);
    atomic_fetch_sub(&cancels, 1);
    return NULL;
}

static bool start_cancel(PGcancel *cancel)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (atomic_fetch_add(&cancels, 1) >= CANCELS_MAX) {
        atomic_fetch_sub(&cancels, 1);
        return false;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, CANCEL_STACK_BYTES);
    bool started = pthread_create(&thread, &attributes, send_cancel, cancel) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        atomic_fetch_sub(&cancels, 1);
    return started;
}

/*
 * PQcancel connects to the server and may wait for minutes if that is dead, hence a thread of
 * its own. It may come late: the connection is closed, so it can hit no other statement. If it
 * cannot be sent, the server notices by itself that we are gone.
 */
void store_postgres_conn_abandon(struct store_postgres_conn *c)
{
    CHECKED(store_postgres_conn_check(c));
    if (!store_postgres_conn_is_open(c))
        return;
    PGcancel *cancel = PQgetCancel(c->pg);
    if (cancel && !start_cancel(cancel))
        PQfreeCancel(cancel);
    PQfinish(c->pg);
    move_to_closed(c);
}
