/*
 * Where a Redis or Valkey server is and who we are to it, from a URL:
 *
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]     TCP
 *   rediss://[[USER]:PASSWORD@]HOST[:PORT][/DB]    TLS, the server's certificate is verified
 *   unix://[[USER]:PASSWORD@]/PATH                 a socket file, database 0
 *
 * USER, PASSWORD and PATH may hold %XX. An IPv6 address stands in brackets.
 */
#ifndef LOGMILL_CACHE_REDIS_URL_H
#define LOGMILL_CACHE_REDIS_URL_H

#include <stdbool.h>

#include "base/errbuf.h"

enum { REDIS_URL_HOST_MAX = 256, REDIS_URL_PORT_DEFAULT = 6379, REDIS_URL_DB_MAX = 65535 };

struct redis_url {
    bool tls;
    char *path; /* of a socket file; NULL: host and port */
    char *host; /* without brackets */
    unsigned port;
    char *user;     /* NULL: none, the server's "default" */
    char *password; /* NULL: no login */
    unsigned db;
    char *name; /* for messages: host:port or the path; no secret in it */
};

/*
 * Parses `text`. Returns 0, or LM_EINVAL with what is wrong in `err`: no part of `text` is quoted
 * there, since a password may stand anywhere in a mistyped URL. `u` is to be released after 0 only.
 */
int redis_url_parse(const char *text, struct redis_url *u, struct errbuf *err) LM_MUST_CHECK;
void redis_url_release(struct redis_url *u);

#endif
