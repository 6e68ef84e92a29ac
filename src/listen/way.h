/* A protocol that comes by sockets of its own, and where it is listened for. */
#ifndef LOGMILL_LISTEN_WAY_H
#define LOGMILL_LISTEN_WAY_H

#include "formats/stream.h"
#include "listen/addresses.h"
#include "metrics/metrics.h"

enum { RECEIVER_WAYS_MAX = 4 };

struct receiver_way {
    const struct stream_format *stream;   /* of TCP */
    const struct stream_format *datagram; /* of UDP; NULL: it has none */
    enum metric_protocol protocol;
    const struct addresses *addresses;
};

#endif
