/* Sockets that wait for clients. */
#ifndef LOGMILL_NET_LISTEN_H
#define LOGMILL_NET_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/errbuf.h"

/* Whether `host`, an address or a name, is an address of this machine that no other one reaches. */
bool listen_host_is_loopback(const char *host);

/* The same of the address that a socket is bound to. */
bool listen_fd_is_loopback(int fd);

/* The port that a socket is bound to; 0: none. */
unsigned listen_port(int fd);

/*
 * The address of host and port; of a name that has several, one of IPv4 if there is one. Returns 0,
 * or LM_EINVAL with `err` filled.
 */
int listen_resolve(const char *host, unsigned port, struct sockaddr_storage *address,
                   socklen_t *len, struct errbuf *err) LM_MUST_CHECK;

/*
 * Opens `fds_len` listening sockets on one address, among which the kernel spreads the clients.
 * `*port`: the port, or 0 for any free one, and gets the one that was taken. Returns 0; or, with
 * `err` filled, LM_EINVAL if there is no such host, LM_EBUSY if the port is taken, LM_EIO.
 * Those of `fds` that were opened are the caller's even then; the others are -1.
 */
int listen_open(const char *host, unsigned *port, int *fds, unsigned fds_len,
                struct errbuf *err) LM_MUST_CHECK;

/* The same for datagrams (UDP): one socket, which does not block. */
int listen_open_datagrams(const char *host, unsigned *port, int *fd,
                          struct errbuf *err) LM_MUST_CHECK;

/*
 * Asks the kernel to keep up to `bytes` of what has not been read, and returns how many it will: an
 * ordinary user gets no more than net.core.rmem_max.
 */
unsigned listen_set_receive_buffer(int fd, unsigned bytes);

/* How many datagrams the kernel has dropped since the socket was made, as it had no room for them
 * (sock_diag(7), SK_MEMINFO_DROPS); counts round at 2^32. */
unsigned listen_dropped(int fd);

#endif
