/*
 * Open sockets that another process has given to this one: listening sockets, sockets for
 * datagrams, connections of clients. They come from systemd or whoever speaks its protocol for that
 * (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), or from the logmill that ran before
 * (program/take_over.h).
 *
 * A set of them, from which each part of the program takes those that are its own: by their name,
 * which is "http" or that of another setting (FileDescriptorName= in a unit), or by the address
 * that they are bound to. Whoever made the set sees at its end what nobody has taken.
 *
 * Threads: one at a time. Memory that runs out ends the process.
 */
#ifndef LOGMILL_NET_GIVEN_H
#define LOGMILL_NET_GIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/errbuf.h"

enum {
    GIVEN_NAME_MAX = 255,   /* bytes: systemd's limit */
    GIVEN_MAX = 65536,      /* sockets; more than any service has */
    GIVEN_ADDRESS_TEXT = 64 /* "[2001:db8::1]:8000" and a NUL */
};

enum given_kind {
    GIVEN_LISTENS,    /* TCP, waits for clients */
    GIVEN_DATAGRAMS,  /* UDP */
    GIVEN_CONNECTION, /* TCP, of one client */
    GIVEN_OTHER       /* nothing that logmill speaks over, or no socket at all */
};

struct given_socket {
    int fd; /* -1: taken */
    enum given_kind kind;
    /* Whoever gave it has it open, too: clients that wait in its backlog wait there for the next
     * process, so this one need not take them in before it ends. */
    bool is_held;
    char name[GIVEN_NAME_MAX + 1];
    struct sockaddr_storage address; /* that it is bound to; ss_family 0: none */
};

/* All zero: an empty set. */
struct given {
    struct given_socket *sockets;
    size_t len, capacity;
};

/*
 * Adds what the environment says this process was started with, if it says so of this process, and
 * takes those variables out of the environment, so that no child believes them. Returns 0; or
 * LM_EINVAL with `err` filled if the variables contradict each other or descriptors are not open.
 * Before there are threads.
 */
int given_from_environment(struct given *g, struct errbuf *err) LM_MUST_CHECK;

/* Adds `fd`, which is the set's from now on: it becomes non-blocking and closed on exec. */
void given_add(struct given *g, int fd, const char *name, bool is_held);

/* Whether one of that kind and name, or one of that kind bound to host and port, is in the set. */
struct given_wish {
    enum given_kind kind;
    const char *name;
    const char *host; /* NULL: by the name alone */
    unsigned port;    /* 0: by the name alone */
};

/*
 * Takes out all sockets that are wished for, or if none has the name, those at the address: of the
 * same address, or of all addresses of the machine, and the same port. `*fds` (to be freed) are the
 * caller's. Returns how many; 0: `*fds` is NULL. `*is_held`, if there are any: of all of them.
 */
size_t given_take(struct given *g, const struct given_wish *wish, int **fds, bool *is_held);

/* "127.0.0.1:8000", "[::1]:8000"; what has no such address: "no IP address". */
void given_describe(const struct given_socket *s, char text[GIVEN_ADDRESS_TEXT]);

/* 0 if all listening sockets and those for datagrams have been taken; else LM_EINVAL, and `err`
 * names one that has not, and what to do. */
int given_check_taken(const struct given *g, struct errbuf *err) LM_MUST_CHECK;

/* Closes what nobody has taken, and frees. */
void given_release(struct given *g);

#endif
