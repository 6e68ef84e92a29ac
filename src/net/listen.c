#include "net/listen.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/ranges.h"

enum { BACKLOG = 4096 }; /* the kernel cuts it down to its own limit */

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

unsigned listen_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.v6 = {0}};
    socklen_t len = sizeof(address);

    if (getsockname(fd, &address.any, &len) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

int listen_resolve(const char *host, unsigned port, struct sockaddr_storage *address,
                   socklen_t *len, struct errbuf *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    const struct addrinfo *choice;
    char text[16];
    int error;

    snprintf(text, sizeof(text), "%u", port);
    error = getaddrinfo(host, text, &hints, &found);
    if (error || !found)
        return errbuf_fail(err, LM_EINVAL, "cannot resolve host \"%s\": %s", host,
                           gai_strerror(error));
    choice = found;
    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        if (a->ai_family == AF_INET) { /* of a name that has both, what most clients try */
            choice = a;
            break;
        }
    }
    memcpy(address, choice->ai_addr, choice->ai_addrlen);
    *len = choice->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    struct ranges loopback;

    return ranges_parse(&loopback, "127.0.0.0/8, ::1", NULL) == 0 &&
           ranges_have(&loopback, (const struct sockaddr *)address);
}

bool listen_host_is_loopback(const char *host)
{
    struct sockaddr_storage address = {0};
    socklen_t len = 0;

    return listen_resolve(host, 0, &address, &len, NULL) == 0 && is_loopback(&address);
}

bool listen_fd_is_loopback(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &len) == 0 && is_loopback(&address);
}

/* A socket bound to `address`; `shared`: with others that say so too. -1 with errno set. */
static int bind_socket(const struct sockaddr_storage *address, socklen_t len, int type, bool shared)
{
    static const int on = 1;
    int fd = socket(address->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -1;
    /* Of datagrams it would let another process take them away. */
    if ((type == SOCK_DGRAM || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)address, len) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/*
 * Sockets that share a port are shared with any process of the same user, so a second logmill would
 * start without a word and take half of the clients of the first: hence a socket that does not
 * share is bound first.
 */
int listen_open(const char *host, unsigned *port, int *fds, unsigned fds_len, struct errbuf *err)
{
    struct sockaddr_storage address = {0};
    socklen_t len = 0;
    int error, probe;

    for (unsigned i = 0; i < fds_len; i++)
        fds[i] = -1;
    error = listen_resolve(host, *port, &address, &len, err);
    if (error)
        return error;
    probe = bind_socket(&address, len, SOCK_STREAM, false);
    if (probe < 0)
        goto fail;
    *port = listen_port(probe);
    set_port(&address, *port);
    close(probe);
    for (unsigned i = 0; i < fds_len; i++) {
        fds[i] = bind_socket(&address, len, SOCK_STREAM, true);
        if (fds[i] < 0 || listen(fds[i], BACKLOG) < 0)
            goto fail;
    }
    return 0;

fail:
    return errbuf_fail(err, errno == EADDRINUSE ? LM_EBUSY : LM_EIO,
                       "cannot listen on %s port %u: %s", host, *port, strerror(errno));
}

int listen_open_datagrams(const char *host, unsigned *port, int *fd, struct errbuf *err)
{
    struct sockaddr_storage address = {0};
    socklen_t len = 0;
    int error = listen_resolve(host, *port, &address, &len, err);

    *fd = -1;
    if (error)
        return error;
    *fd = bind_socket(&address, len, SOCK_DGRAM, false);
    if (*fd < 0)
        return errbuf_fail(err, errno == EADDRINUSE ? LM_EBUSY : LM_EIO,
                           "cannot take datagrams on %s port %u: %s", host, *port, strerror(errno));
    *port = listen_port(*fd);
    return 0;
}

unsigned listen_set_receive_buffer(int fd, unsigned bytes)
{
    int wanted = (int)bytes, got = 0;
    socklen_t len = sizeof(got);

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len) < 0)
        return 0;
    return (unsigned)got / 2; /* the kernel tells what it takes for its own, too */
}

unsigned listen_dropped(int fd)
{
    uint32_t figures[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof(figures);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &len) < 0)
        return 0;
    return figures[SK_MEMINFO_DROPS];
}
