/*
 * A process that runs until it is told to stop, or until another one takes over from it
 * (program/restart.h): opens what its roles need, in order, starts them, and stops in the reverse
 * order.
 *
 *   start  metrics ─► store ─► locks ─► cache ─► queue ─► the store's schema ─► feed of tails
 *          ─► worker ─► receiver (what is not HTTP) ─► api
 *   hand over  worker ─► receiver and api give away their sockets ─► the other one starts ─► stop
 *   stop   receiver and api (no new logs) ─► worker (stores what is queued) ─► feed ─► queue ─►
 * cache ─► store ─► metrics ─► locks
 */
#ifndef LOGMILL_PROGRAM_SERVICE_H
#define LOGMILL_PROGRAM_SERVICE_H

#include "program/config.h"

enum service_role { SERVICE_API = 1, SERVICE_WORKER = 2 };

/*
 * Runs the roles (SERVICE_API, SERVICE_WORKER or both) until SIGTERM or SIGINT; a second signal
 * ends the process at once. Returns the exit status. Called from the main thread, before there are
 * others.
 */
int service_run(const struct config *config, unsigned roles);

#endif
