/*
 * A transport with faults, over a plain socket: it takes and gives as little as it likes, says that
 * there is nothing where there is something, reads ahead, wants to write before it reads, and
 * breaks. What is above must not notice but for the break. For one socket at a time.
 */
#ifndef LOGMILL_TESTS_NET_FAULT_TRANSPORT_H
#define LOGMILL_TESTS_NET_FAULT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/transport.h"

struct fault_plan {
    uint32_t seed;    /* not 0; the same seed gives the same faults */
    unsigned pieces;  /* reads and writes take up to this many bytes; 0: any */
    bool hesitates;   /* EAGAIN, EINTR now and then */
    bool reads_ahead; /* `pending` is something */
    bool turns;       /* waits to write before it reads, now and then */
    unsigned
        fails_at; /* the call of read or write that fails, from 1 on, as all after it; 0: none */
    int error;    /* how */
};

/* For the next socket. */
void fault_transport_plan(const struct fault_plan *plan);

/* Whether `fails_at` was reached. */
bool fault_transport_has_failed(void);

extern const struct transport_ops fault_transport;

#endif
