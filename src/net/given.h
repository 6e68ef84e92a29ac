/*
 * Open sockets that another process has given to this one: listening sockets, sockets for
 * datagrams, connections of clients. They come from systemd or whoever speaks its protocol for that
 * (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), or from the logmill that ran before
 * (net/hand_over.h), at once or by systemd's descriptor store (net/notify.h).
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
#include <stdint.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    GIVEN_NAME_MAX = 255,       /* bytes: systemd's limit */
    GIVEN_MAX = 1 << 20,        /* sockets: what a process may have open */
    GIVEN_STATE_MAX = 64 << 20, /* bytes of the state of one connection */
    GIVEN_ADDRESS_TEXT = 64     /* "[2001:db8::1]:8000" and a NUL */
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
    uint64_t device, inode;          /* as fstat(2) tells them: no other open one has both */
    struct buffer state; /* of a connection: what its next reader has to know; empty: nothing */
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

/*
 * Adds `fd`, which is the set's from now on: it becomes non-blocking and closed on exec. A
 * listening socket that is in the set already, as another descriptor, is closed instead, and NULL
 * returned. The result is good until the next call.
 */
struct given_socket *given_add(struct given *g, int fd, const char *name, bool is_held);

/* What given_take looks for. */
struct given_wish {
    enum given_kind kind;
    const char *name;
    const char *host;
    unsigned port; /* 0: any, with the name */
};

/*
 * Takes out all sockets that are wished for. Those that are held have the name, whatever their
 * address. Others have the name, and the address, which the settings may have changed since. If
 * there are none, those at the address alone. At the address: of the same host, or of all of the
 * machine, and of the same port.
 *
 * `*fds` (to be freed) are the caller's. Returns how many; 0: `*fds` is NULL. `*is_held`, if there
 * are any: of all of them.
 */
size_t given_take(struct given *g, const struct given_wish *wish, int **fds, bool *is_held);

/*
 * Takes out the next connection of that name, from place `*at` on, which is moved behind it; `*s`
 * is the caller's, its descriptor and its state. False: there is none any more.
 */
bool given_take_connection(struct given *g, const char *name, size_t *at, struct given_socket *s);

/* Takes out the descriptor of that name which is no socket, such as a lock; -1: none. */
int given_take_other(struct given *g, const char *name);

/* "127.0.0.1:8000", "[::1]:8000"; what has no such address: "no IP address". */
void given_describe(const struct given_socket *s, char text[GIVEN_ADDRESS_TEXT]);

/*
 * 0 if all that are held, but for connections, have been taken; else LM_EINVAL, and `err` names one
 * that has not, and what to do.
 */
int given_check_taken(const struct given *g, struct errbuf *err) LM_MUST_CHECK;

/* Closes what nobody has taken, and frees. */
void given_release(struct given *g);

#endif
