/*
 * Sockets that speak TLS (net/transport.h), as net/tls.h says. OpenSSL's part of one is made when
 * its client has sent something.
 */
#ifndef LOGMILL_NET_TLS_TRANSPORT_H
#define LOGMILL_NET_TLS_TRANSPORT_H

#include "net/tls.h"
#include "net/transport.h"

enum {
    TLS_SHAKE_BYTES = 48 << 10 /* of memory that a handshake takes, about: it is charged so much */
};

/* What net_listener.by is to be, for as long as `tls` lives. */
struct transport_source tls_transport(struct tls *tls);

#endif
