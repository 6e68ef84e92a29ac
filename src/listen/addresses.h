/*
 * Where a receiver listens, as its setting says: udp://HOST:PORT, tcp://HOST:PORT and
 * tls://HOST:PORT, with commas between. HOST is a name, an address of IPv4, or one of IPv6 in
 * brackets; a port of 0 takes any free one.
 */
#ifndef LOGMILL_LISTEN_ADDRESSES_H
#define LOGMILL_LISTEN_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errbuf.h"

enum {
    ADDRESSES_MAX = 16,       /* of one setting */
    ADDRESS_HOST_BYTES = 256, /* of a name (RFC 1035, 2.3.4) and its end */
};

struct address {
    bool is_udp;
    bool is_tls;                   /* TLS over TCP */
    char host[ADDRESS_HOST_BYTES]; /* without brackets */
    unsigned port;
};

struct addresses {
    struct address list[ADDRESSES_MAX];
    size_t len;
};

/*
 * Reads `text`. Returns 0; or LM_EINVAL with `err` naming what is none, and what is allowed.
 * `tcp_only`: udp:// is not.
 */
int addresses_parse(struct addresses *a, const char *text, bool tcp_only,
                    struct errbuf *err) LM_MUST_CHECK;

/* Whether any of them is tls://. */
bool addresses_have_tls(const struct addresses *a);

#endif
