#include "net/given.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/option_value.h"
#include "net/listen.h"

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

/* ---- What a descriptor is ---- */

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

static bool is_ip(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET || address->ss_family == AF_INET6;
}

static enum given_kind kind_of(int fd, struct sockaddr_storage *address)
{
    socklen_t len = sizeof(*address);
    int type = option_of(fd, SO_TYPE);

    if (type < 0 || getsockname(fd, (struct sockaddr *)address, &len) < 0 || !is_ip(address))
        return GIVEN_OTHER;
    if (type == SOCK_DGRAM)
        return GIVEN_DATAGRAMS;
    if (type != SOCK_STREAM)
        return GIVEN_OTHER;
    return option_of(fd, SO_ACCEPTCONN) > 0 ? GIVEN_LISTENS : GIVEN_CONNECTION;
}

/* Loops that share a socket have descriptors of their own of it. */
static bool has_listener(const struct given *g, const struct stat *status)
{
    for (size_t i = 0; i < g->len; i++)
        if (g->sockets[i].fd >= 0 && g->sockets[i].kind == GIVEN_LISTENS &&
            g->sockets[i].device == status->st_dev && g->sockets[i].inode == status->st_ino)
            return true;
    return false;
}

struct given_socket *given_add(struct given *g, int fd, const char *name, bool is_held)
{
    struct given_socket *s;
    int flags = fcntl(fd, F_GETFL);
    struct sockaddr_storage address = {0};
    enum given_kind kind = kind_of(fd, &address);
    struct stat status = {0};

    if (fstat(fd, &status) == 0 && kind == GIVEN_LISTENS && has_listener(g, &status)) {
        close(fd);
        return NULL;
    }

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (flags >= 0)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    g->sockets = array_reserve(g->sockets, &g->capacity, g->len + 1, sizeof(*g->sockets));
    s = &g->sockets[g->len++];
    *s = (struct given_socket){.fd = fd,
                               .kind = kind,
                               .is_held = is_held,
                               .address = address,
                               .device = status.st_dev,
                               .inode = status.st_ino};
    snprintf(s->name, sizeof(s->name), "%s", name);
    buffer_init(&s->state, GIVEN_STATE_MAX);
    return s;
}

/* ---- The environment ---- */

/* The next of the names with colons between; "" if there are no more. */
static void next_name(const char **names, char name[GIVEN_NAME_MAX + 1])
{
    size_t len = strcspn(*names, ":");

    snprintf(name, GIVEN_NAME_MAX + 1, "%.*s", (int)(len < GIVEN_NAME_MAX ? len : GIVEN_NAME_MAX),
             *names);
    *names += len + ((*names)[len] == ':');
}

static int read_environment(struct given *g, const char *pid, const char *count, const char *names,
                            struct errbuf *err)
{
    uint64_t number = 0;

    if (!pid || !option_value_parse_number(pid, &number) || number != (uint64_t)getpid())
        return 0; /* meant for the one that started us */
    if (!count || !option_value_parse_number(count, &number) || number > GIVEN_MAX)
        return errbuf_fail(err, LM_EINVAL, "LISTEN_FDS: \"%s\" is not a number up to %d",
                           count ? count : "", GIVEN_MAX);
    for (uint64_t i = 0; i < number; i++) {
        int fd = FIRST_FD + (int)i;
        char name[GIVEN_NAME_MAX + 1] = "";

        if (fcntl(fd, F_GETFD) < 0)
            return errbuf_fail(err, LM_EINVAL, "LISTEN_FDS is %llu, but descriptor %d is not open",
                               (unsigned long long)number, fd);
        if (names)
            next_name(&names, name);
        given_add(g, fd, name, true);
    }
    return 0;
}

int given_from_environment(struct given *g, struct errbuf *err)
{
    int error = read_environment(g, getenv("LISTEN_PID"), getenv("LISTEN_FDS"),
                                 getenv("LISTEN_FDNAMES"), err);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return error;
}

/* ---- Taking ---- */

static unsigned port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

/* Any address of the machine. */
static bool is_wildcard(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr)
               : ((const struct sockaddr_in *)address)->sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool is_at(const struct given_socket *s, const struct sockaddr_storage *address,
                  unsigned port)
{
    return address->ss_family && (port == 0 || port_of(&s->address) == port) &&
           (is_wildcard(&s->address) || same_host(&s->address, address));
}

/* Of two looks the first is by name. */
static bool is_wished(const struct given_socket *s, const struct given_wish *wish,
                      const struct sockaddr_storage *address, bool by_name)
{
    if (s->fd < 0 || s->kind != wish->kind)
        return false;
    if (!by_name)
        return wish->port != 0 && is_at(s, address, wish->port);
    return strcmp(s->name, wish->name) == 0 && (s->is_held || is_at(s, address, wish->port));
}

static size_t take_all(struct given *g, const struct given_wish *wish,
                       const struct sockaddr_storage *address, bool by_name, int **fds,
                       bool *is_held)
{
    size_t n = 0, capacity = 0;

    for (size_t i = 0; i < g->len; i++) {
        struct given_socket *s = &g->sockets[i];

        if (!is_wished(s, wish, address, by_name))
            continue;
        *fds = array_reserve(*fds, &capacity, n + 1, sizeof(**fds));
        (*fds)[n] = s->fd;
        *is_held = s->is_held && (n == 0 || *is_held);
        n++;
        s->fd = -1;
    }
    return n;
}

size_t given_take(struct given *g, const struct given_wish *wish, int **fds, bool *is_held)
{
    struct sockaddr_storage address = {0};
    socklen_t len;
    size_t n;

    *fds = NULL;
    *is_held = false;
    if (g->len == 0)
        return 0;
    if (listen_resolve(wish->host, wish->port, &address, &len, NULL))
        address.ss_family = 0; /* who listens by itself will say so */
    n = take_all(g, wish, &address, true, fds, is_held);
    return n > 0 ? n : take_all(g, wish, &address, false, fds, is_held);
}

bool given_take_connection(struct given *g, const char *name, size_t *at, struct given_socket *s)
{
    while (*at < g->len) {
        struct given_socket *next = &g->sockets[(*at)++];

        if (next->fd < 0 || next->kind != GIVEN_CONNECTION || strcmp(next->name, name) != 0)
            continue;
        *s = *next;
        next->fd = -1;
        buffer_init(&next->state, 0);
        return true;
    }
    return false;
}

int given_take_other(struct given *g, const char *name)
{
    for (size_t i = 0; i < g->len; i++) {
        struct given_socket *at = &g->sockets[i];
        int fd = at->fd;

        if (fd < 0 || at->kind != GIVEN_OTHER || strcmp(at->name, name) != 0)
            continue;
        at->fd = -1;
        return fd;
    }
    return -1;
}

/* ---- What is left ---- */

void given_describe(const struct given_socket *s, char text[GIVEN_ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    bool is_v6 = s->address.ss_family == AF_INET6;
    const void *bytes = is_v6 ? (const void *)&((const struct sockaddr_in6 *)&s->address)->sin6_addr
                              : &((const struct sockaddr_in *)&s->address)->sin_addr;

    if (!is_ip(&s->address) || !inet_ntop(s->address.ss_family, bytes, host, sizeof(host)))
        snprintf(text, GIVEN_ADDRESS_TEXT, "no IP address");
    else
        snprintf(text, GIVEN_ADDRESS_TEXT, is_v6 ? "[%s]:%u" : "%s:%u", host, port_of(&s->address));
}

int given_check_taken(const struct given *g, struct errbuf *err)
{
    for (size_t i = 0; i < g->len; i++) {
        const struct given_socket *s = &g->sockets[i];
        char address[GIVEN_ADDRESS_TEXT];

        if (s->fd < 0 || !s->is_held || s->kind == GIVEN_CONNECTION)
            continue;
        given_describe(s, address);
        return errbuf_fail(err, LM_EINVAL,
                           "LISTEN_FDS: the socket \"%s\" (%s, %s) matches no setting: give it the "
                           "name of one (FileDescriptorName=http), or set HOST and PORT, or the "
                           "…_LISTEN that is meant, to its address",
                           s->name, address,
                           s->kind == GIVEN_LISTENS     ? "TCP"
                           : s->kind == GIVEN_DATAGRAMS ? "UDP"
                                                        : "neither TCP nor UDP");
    }
    return 0;
}

void given_release(struct given *g)
{
    for (size_t i = 0; i < g->len; i++) {
        if (g->sockets[i].fd >= 0)
            close(g->sockets[i].fd);
        buffer_release(&g->sockets[i].state);
    }
    free(g->sockets);
    *g = (struct given){0};
}
