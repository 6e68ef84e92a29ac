/*
 * One connection to a Redis or Valkey server: TCP, TLS or a socket file. Every call ends by the
 * monotonic time `deadline_us` it is given, whatever the server does: hiredis reads the replies,
 * but the sockets are ours, since its own time-outs begin anew with each byte that comes.
 *
 * Always true: `fd` is -1 exactly when it is not open. Any call that fails has closed it, but for
 * redis_connection_wait.
 * Belongs to one thread. SIGPIPE must be ignored where TLS is used.
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
    SSL_CTX *tls;                  /* NULL where the URL asks for no TLS */
};

/*
 * `ca_file` names the certificates (PEM) that vouch for the server with rediss://; NULL: those the
 * system trusts. Returns 0 or LM_EINVAL with the reason in `err`; nothing is connected yet.
 */
int redis_server_init(struct redis_server *s, const char *url, const char *ca_file,
                      struct errbuf *err) LM_MUST_CHECK;
void redis_server_release(struct redis_server *s);

struct redis_connection {
    const struct redis_server *server;
    int fd;
    SSL *ssl;
    redisReader *reader;
    /*
     * The server's run_id, which no other run of it and no replica has: empty where it has none or
     * does not tell. Lives as long as the connection.
     */
    char run_id[REDIS_RUN_ID_MAX + 1];
};

void redis_connection_init(struct redis_connection *c, const struct redis_server *server);
void redis_connection_release(struct redis_connection *c);

static inline bool redis_connection_is_open(const struct redis_connection *c)
{
    return c->fd >= 0;
}

void redis_connection_close(struct redis_connection *c);

/*
 * Connects, logs in, chooses the database and learns the run_id. `c` must not be open.
 * Returns 0, LM_ETIMEOUT, LM_EUNAVAILABLE, or LM_EINVAL where the server refuses the login or the
 * database.
 */
int redis_connection_open(struct redis_connection *c, uint64_t deadline_us,
                          struct errbuf *err) LM_MUST_CHECK;

/*
 * Sends bytes: whole commands, as redis_command_… below write them. Returns 0, LM_ETIMEOUT, or
 * LM_EIO where the connection is broken (which is how a server's having closed it is found).
 */
int redis_connection_send(struct redis_connection *c, struct slice bytes, uint64_t deadline_us,
                          struct errbuf *err) LM_MUST_CHECK;

/* Receives one reply, to be freed with freeReplyObject. Errors as above. */
int redis_connection_receive(struct redis_connection *c, redisReply **reply, uint64_t deadline_us,
                             struct errbuf *err) LM_MUST_CHECK;

/* Waits until there is something to receive: 0, or LM_ETIMEOUT, which does not close. */
int redis_connection_wait(struct redis_connection *c, uint64_t deadline_us) LM_MUST_CHECK;

/* ---- Writing commands ---- */

/* Begins a command of `arguments` arguments, its name being the first; then each one of them. */
void redis_command_begin(struct buffer *b, size_t arguments);
void redis_command_add(struct buffer *b, struct slice argument);
void redis_command_add_u64(struct buffer *b, uint64_t argument);

#endif
