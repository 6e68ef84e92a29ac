/* Asks a running logmill whether it is alive: `logmill health`, for the health checks of
 * containers. */
#ifndef LOGMILL_PROGRAM_HEALTH_H
#define LOGMILL_PROGRAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

enum { HEALTH_TIMEOUT_MS = 2000 }; /* for the whole answer */

/*
 * Succeeds if GET /health of the process that listens on `host` (as HOST has it; to connect to
 * 0.0.0.0 or :: is to connect to the loopback) and TCP port `port` answers 200 in time. Never
 * through a proxy. `is_tls`: by TLS; whose certificate it is is not asked, since it is this
 * machine's own process that is to be alive. Returns 0, LM_ETIMEOUT or LM_EUNAVAILABLE; waits.
 */
int health_ask(const char *host, uint64_t port, bool is_tls, struct errbuf *err) LM_MUST_CHECK;

#endif
