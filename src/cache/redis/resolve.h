/*
 * Names to addresses in bounded time: getaddrinfo() may block for many seconds if a name server
 * is away, so it runs on a thread of its own, and the caller waits no longer than it wants to. What
 * comes late is there for the next caller. Thread-safe.
 */
#ifndef LOGMILL_CACHE_REDIS_RESOLVE_H
#define LOGMILL_CACHE_REDIS_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/errbuf.h"

struct redis_resolve;

enum { REDIS_RESOLVE_ADDRESSES_MAX = 4 }; /* of one name that are tried */

struct redis_resolve_address {
    struct sockaddr_storage address;
    socklen_t len;
};

/* For one host and port. Looks nothing up yet. */
struct redis_resolve *redis_resolve_new(const char *host, unsigned port);

/* A lookup that is still under way ends by itself, later, without harm. NULL does nothing. */
void redis_resolve_free(struct redis_resolve *r);

/*
 * Looks the name up until the monotonic time `deadline_us`. Sets `*n`, 1 or more. Returns 0,
 * LM_ETIMEOUT or LM_EUNAVAILABLE, with the reason in `err`.
 */
int redis_resolve_lookup(struct redis_resolve *r, uint64_t deadline_us,
                         struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX],
                         size_t *n, struct errbuf *err) LM_MUST_CHECK;

#endif
