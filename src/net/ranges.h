/*
 * Sets of network addresses, as in "10.0.0.0/8, ::1": addresses and ranges, IPv4 and IPv6.
 */
#ifndef LOGMILL_NET_RANGES_H
#define LOGMILL_NET_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/errbuf.h"

enum { RANGES_MAX = 64 };

struct range {
    uint8_t address[16]; /* of IPv4: as IPv6 maps it, ::ffff:a.b.c.d */
    unsigned bits;       /* that have to be the same, of 128 */
};

struct ranges {
    struct range ranges[RANGES_MAX];
    size_t len;
};

/*
 * Reads a list with commas or spaces between, or "none". Returns 0, or LM_EINVAL with `err` naming
 * what is neither an address nor a range, or LM_ETOOBIG past RANGES_MAX.
 */
int ranges_parse(struct ranges *r, const char *text, struct errbuf *err) LM_MUST_CHECK;

/* Whether `address` is in one of them. False for what is no IP address. */
bool ranges_have(const struct ranges *r, const struct sockaddr *address);

#endif
