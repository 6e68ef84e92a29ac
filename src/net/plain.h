/* The transport of plain sockets. */
#ifndef LOGMILL_NET_PLAIN_H
#define LOGMILL_NET_PLAIN_H

#include "net/transport.h"

extern const struct transport_ops plain_transport;

#endif
