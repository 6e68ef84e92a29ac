/*
 * One connection to a Redis or Valkey server: TCP, TLS or a socket file. Every call ends by the
 * monotonic time `deadline_us` it is given, whatever the server does: hiredis reads the replies,
 * but the sockets are ours, since its own time-outs begin anew with each byte that comes.
 *
 *   closed ──► connecting ──► logging in ──► ready ──► listening
 *     ▲            │              │            │           │
 *     └────────────┴──────────────┴────────────┴───────────┘
 *
 * Between calls it is closed, ready or listening. Any call that fails has closed it, but for
 * redis_connection_wait.
 *
 * Always true (redis_connection_check):
 *   1. It has a socket exactly if it is not closed.
 *   2. It has a reader exactly from logging in on, and TLS from there on if the server wants it.
 *   3. Replies are owed only while logging in or ready: what is closed is owed none, and what comes
 *      to who listens answers nothing.
 *   4. A run_id is known only from logging in on.
 *
 * Belongs to one thread. SIGPIPE must be ignored if TLS is used.
 */
#ifndef LOGMILL_CACHE_REDIS_CONNECTION_H
#define LOGMILL_CACHE_REDIS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include <hiredis/hiredis.h>
#include <openssl/ssl.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "cache/redis/resolve.h"
#include "cache/redis/url.h"

enum { REDIS_RUN_ID_MAX = 64 };

/* What all connections to one server share. */
struct redis_server {
    struct redis_url url;
    struct redis_resolve *resolve; /* NULL for a socket file */
    SSL_CTX *tls;                  /* NULL if the URL asks for no TLS */
};

/*
 * `ca_file` names the certificates (PEM) that vouch for the server with rediss://; NULL: those the
 * system trusts. Returns 0 or LM_EINVAL with the reason in `err`; nothing is connected yet.
 */
int redis_server_init(struct redis_server *s, const char *url, const char *ca_file,
                      struct errbuf *err) LM_MUST_CHECK;
void redis_server_release(struct redis_server *s);

enum redis_connection_state {
    REDIS_CLOSED,
    REDIS_CONNECTING, /* the socket, then TLS */
    REDIS_LOGGING_IN,
    REDIS_READY,     /* for commands */
    REDIS_LISTENING, /* subscribed: for what is announced, and for nothing else */
    REDIS_CONNECTION_STATES
};

struct redis_connection {
    const struct redis_server *server;
    enum redis_connection_state state;
    size_t owed; /* replies to what was sent that have not come yet */
    int fd;
    SSL *ssl;
    redisReader *reader;
    /*
     * The server's run_id, which no other run of it and no replica has: empty if it has none or
     * does not tell. Lives as long as the connection.
     */
    char run_id[REDIS_RUN_ID_MAX + 1];
};

void redis_connection_init(struct redis_connection *c, const struct redis_server *server);
void redis_connection_release(struct redis_connection *c);

static inline bool redis_connection_is_open(const struct redis_connection *c)
{
    return c->state != REDIS_CLOSED;
}

void redis_connection_check(const struct redis_connection *c);

void redis_connection_close(struct redis_connection *c);

/*
 * Connects, logs in, chooses the database and learns the run_id. `c` must not be open.
 * Returns 0, LM_ETIMEOUT, LM_EUNAVAILABLE, or LM_EINVAL if the server refuses the login or the
 * database.
 */
int redis_connection_open(struct redis_connection *c, uint64_t deadline_us,
                          struct errbuf *err) LM_MUST_CHECK;

/*
 * Sends bytes: whole commands, as redis_command_… below write them, in one call or several; to all
 * of them there will be `replies` replies, each to be received before the next exchange. Returns 0,
 * LM_ETIMEOUT, or LM_EIO if the connection is broken (which is how a server's having closed it
 * is found).
 */
int redis_connection_send(struct redis_connection *c, struct slice bytes, size_t replies,
                          uint64_t deadline_us, struct errbuf *err) LM_MUST_CHECK;

/* Receives one reply, to be freed with freeReplyObject. Errors as above. */
int redis_connection_receive(struct redis_connection *c, redisReply **reply, uint64_t deadline_us,
                             struct errbuf *err) LM_MUST_CHECK;

/* After SUBSCRIBE was answered: from now on it listens. Nothing may be sent any more. */
void redis_connection_listen(struct redis_connection *c);

/* Waits until there is something to receive: 0, or LM_ETIMEOUT, which does not close. */
int redis_connection_wait(struct redis_connection *c, uint64_t deadline_us) LM_MUST_CHECK;

/* ---- Writing commands ---- */

/* Begins a command of `arguments` arguments, its name being the first; then each one of them. */
void redis_command_begin(struct buffer *b, size_t arguments);
void redis_command_add(struct buffer *b, struct slice argument);
void redis_command_add_u64(struct buffer *b, uint64_t argument);

#endif
