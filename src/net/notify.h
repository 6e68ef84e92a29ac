/*
 * What systemd is told of this process, by the datagrams of sd_notify(3) to NOTIFY_SOCKET, and its
 * descriptor store, which keeps sockets open until the next start of the service gets them
 * (FileDescriptorStoreMax= in a unit; systemd 254 and later says so itself by FDSTORE, for others
 * the unit does).
 *
 * Nobody is waited for, and what cannot be told is not: a service runs without.
 */
#ifndef LOGMILL_NET_NOTIFY_H
#define LOGMILL_NET_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "net/given.h"

/* All zero: nobody listens. */
struct notify {
    struct sockaddr_un address;
    socklen_t address_len;
    size_t store_max; /* descriptors that the store takes; 0: there is none */
};

/* Reads NOTIFY_SOCKET and FDSTORE, and takes them out of the environment. Before there are threads.
 */
void notify_init(struct notify *n);

/* Tells "READY=1", say. */
void notify_say(const struct notify *n, const char *text);

/* How many sockets can be stored, besides their table. */
size_t notify_room(const struct notify *n);

/*
 * Has the store keep the sockets of `g`, but for those that are held anyway, with what their table
 * says. Returns 0, or LM_EUNAVAILABLE with `err` filled.
 */
int notify_store(const struct notify *n, const struct given *g, struct errbuf *err) LM_MUST_CHECK;

/*
 * Names those of `g` that come from the store as they were named when they went there. The
 * connections whose table did not come are closed. Returns whether there are any.
 */
bool notify_unstore(struct given *g);

/* The store need not keep them any more: the sockets of this process are others' no longer. */
void notify_forget(const struct notify *n);

#endif
