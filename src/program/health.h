/* Asks a running logmill whether it is alive: `logmill health`, for the health checks of
 * containers. */
#ifndef LOGMILL_PROGRAM_HEALTH_H
#define LOGMILL_PROGRAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

enum { HEALTH_TIMEOUT_MS = 2000 }; /* for the whole answer */

struct health {
    const char
        *host; /* as HOST has it: to connect to 0.0.0.0 or :: is to connect to the loopback */
    uint64_t port;
    bool is_tls; /* whose certificate it is is not asked: it is this machine's own process */
    bool needs_certificate; /* of its clients, by TLS */
};

/*
 * Succeeds if GET /health of the process at `h` answers 200 in time. Never through a proxy. One
 * that lets in no client without a certificate, of which we have none, is alive if it asks for one:
 * it reads and answers by then. Returns 0, LM_ETIMEOUT or LM_EUNAVAILABLE; waits.
 */
int health_ask(const struct health *h, struct errbuf *err) LM_MUST_CHECK;

#endif
