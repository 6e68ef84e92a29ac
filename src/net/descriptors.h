/* Messages with open descriptors over a local socket (SCM_RIGHTS, unix(7)). */
#ifndef LOGMILL_NET_DESCRIPTORS_H
#define LOGMILL_NET_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

enum { DESCRIPTORS_MAX = 253 }; /* of one message: the kernel's limit */

/*
 * Sends `len` bytes with `n` descriptors, which stay the caller's, to whom `fd` is connected.
 * Returns 0, or -1 with errno set.
 */
int descriptors_send(int fd, const void *data, size_t len, const int *fds, size_t n);

/*
 * Receives one message of up to `size` bytes; its descriptors, closed on exec, are the caller's.
 * `fds` has room for DESCRIPTORS_MAX. Returns its bytes; or -1 with errno set, EMSGSIZE if it was
 * longer, or some of its descriptors could not be taken: then it has none.
 */
ssize_t descriptors_receive(int fd, void *data, size_t size, int *fds, size_t *n);

#endif
