/*
 * Who a request is from, as a number, for fairness between clients: an IPv4 address, or the network
 * (/64) of an IPv6 address, since a client has all of that. Not an identity.
 */
#ifndef LOGMILL_HTTP_CLIENT_H
#define LOGMILL_HTTP_CLIENT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "net/ranges.h"

enum { CLIENT_UNKNOWN = 0 };

/* CLIENT_UNKNOWN for what is no IP address, and for NULL. */
uint64_t client_of_address(const struct sockaddr *address);

/*
 * The client that X-Forwarded-For names ("CLIENT, PROXY, PROXY"), as it came from a trusted proxy:
 * the last address that is not itself one of `trusted`, since whatever stands before it was said by
 * a stranger. The first one if all are trusted; CLIENT_UNKNOWN if the address in question is
 * none. An address may have a port, as some proxies write it.
 */
uint64_t client_of_chain(struct slice chain, const struct ranges *trusted);

#endif
