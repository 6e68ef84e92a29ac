/*
 * What a process and the next one do so that clients do not notice: the sockets that it was given
 * at its start, by a starter (LISTEN_FDS), from systemd's descriptor store, or by the logmill whose
 * place it takes (--take-over), and how the next one gets its own.
 *
 * The process that runs is found by the socket ROLE.next in DATA_DIR (net/hand_over.h). It hands
 * over the locks of the directory as well: an open file keeps its lock, so that no third process
 * can come in between, and both processes have them until one of them has gone.
 */
#ifndef LOGMILL_PROGRAM_RESTART_H
#define LOGMILL_PROGRAM_RESTART_H

#include "net/given.h"
#include "net/notify.h"
#include "program/config.h"

enum { RESTART_LOOK_MS = 1000 };

struct restart {
    const struct config *config;
    unsigned roles; /* of enum service_role */
    const char *place_name;
    struct given given;
    struct notify notify;
    int signals; /* readable when SIGTERM or SIGINT has come */
    int place;   /* where a successor finds this process; -1: nowhere */
    int peer;    /* whose place is being taken; -1: nobody's */
    bool is_restored;
    bool awaits_locks; /* the one before has died: its locks may take a moment */
};

/*
 * Blocks SIGTERM and SIGINT, and reads what the starter says. `place_name`: of the socket by which
 * a process of these roles is found. Before there are threads; restart_end ends it, whatever comes.
 * Returns 0, or an error with `err` filled.
 */
int restart_begin(struct restart *r, const struct config *config, unsigned roles,
                  const char *place_name, struct errbuf *err) LM_MUST_CHECK;

/*
 * With --take-over: has the process that runs, if there is one, hand over. Its sockets and locks
 * are in r->given then. Does nothing in a process that has been ready before, and goes on.
 */
int restart_take_over(struct restart *r, struct errbuf *err) LM_MUST_CHECK;

/* The lock of `role` in DATA_DIR, handed over or taken (data_dir_lock). */
int restart_lock(struct restart *r, const char *role, struct errbuf *err) LM_MUST_CHECK;

/*
 * All is open and started, but for connections: from here on the sockets are this process's alone.
 * Returns 0; or an error, with `err` filled, if the process before goes on with them.
 */
int restart_taken(struct restart *r, struct errbuf *err) LM_MUST_CHECK;

/* It serves, and others may come to take its place. */
void restart_ready(struct restart *r);

/*
 * Waits for a signal, of which it tells. Or for a process that takes over: returns the descriptor
 * of its connection, for restart_hand_over; -1: a signal. Meanwhile `look`, if it is not NULL, is
 * called every RESTART_LOOK_MS: for what is to be done now and then, and does not wait.
 */
int restart_wait(struct restart *r, void (*look)(void *ctx), void *ctx);

/*
 * Hands all that is in r->given, and the `locks` of api and worker (0: none), to the process `peer`
 * of restart_wait, and lets go of it; 0 then. The locks' descriptors stay the caller's, too. Or
 * LM_EUNAVAILABLE: it has ended, and r->given is still this process's own; or LM_ETIMEOUT: it
 * neither ends nor goes on.
 */
int restart_hand_over(struct restart *r, int peer, const int locks[2],
                      struct errbuf *err) LM_MUST_CHECK;

/* Whether clients wait for the next process, so that a stop is not to take long. */
bool restart_is_awaited(const struct restart *r);

/* Puts all that is in r->given into the descriptor store, and lets go of it. */
void restart_store(struct restart *r);

void restart_end(struct restart *r);

#endif
