#include "net/notify.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/option_value.h"
#include "diag/diag.h"
#include "net/descriptors.h"
#include "net/given_table.h"

/* All that is stored has this name (FDNAME), so that one message forgets it. */
#define STORED "logmill-stored"

/* ---- Telling ---- */

void notify_init(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    const char *store = getenv("FDSTORE");
    size_t len = path ? strlen(path) : 0;
    uint64_t max = 0;

    *n = (struct notify){.address.sun_family = AF_UNIX};
    if (len >= 2 && len < sizeof(n->address.sun_path) && (path[0] == '/' || path[0] == '@')) {
        memcpy(n->address.sun_path, path, len);
        n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
        if (path[0] == '@') /* a name that is no file's */
            n->address.sun_path[0] = '\0';
        if (store && option_value_parse_number(store, &max))
            n->store_max = max < GIVEN_MAX ? (size_t)max : GIVEN_MAX;
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("FDSTORE");
}

/* A connected socket, or -1. */
static int reach(const struct notify *n)
{
    int fd = n->address_len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&n->address, n->address_len) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

void notify_say(const struct notify *n, const char *text)
{
    int fd = reach(n);

    if (fd < 0)
        return;
    if (descriptors_send(fd, text, strlen(text), NULL, 0))
        diag(DIAG_WARN, "the service manager cannot be told", DIAG_STR("reason", strerror(errno)));
    close(fd);
}

/* ---- The store ---- */

size_t notify_room(const struct notify *n)
{
    return n->store_max > 0 ? n->store_max - 1 : 0;
}

static int store_some(int to, const int *fds, size_t n)
{
    static const char text[] = "FDSTORE=1\nFDNAME=" STORED;

    return n > 0 ? descriptors_send(to, text, sizeof(text) - 1, fds, n) : 0;
}

static int store_all(int to, int table, const struct given *g)
{
    int fds[DESCRIPTORS_MAX] = {table};
    size_t n = 1;

    for (size_t i = 0; i < g->len; i++) {
        if (g->sockets[i].fd < 0 || g->sockets[i].is_held)
            continue;
        if (n == DESCRIPTORS_MAX) {
            if (store_some(to, fds, n))
                return -1;
            n = 0;
        }
        fds[n++] = g->sockets[i].fd;
    }
    return store_some(to, fds, n);
}

int notify_store(const struct notify *n, const struct given *g, struct errbuf *err)
{
    int table = given_table_write(g, err);
    int to;

    if (table < 0)
        return LM_EUNAVAILABLE;
    to = reach(n);
    int failed = to < 0 || store_all(to, table, g);
    if (failed)
        errbuf_set(err, "the service manager does not take sockets: %s", strerror(errno));
    if (to >= 0)
        close(to);
    close(table);
    return failed ? LM_EUNAVAILABLE : 0;
}

bool notify_unstore(struct given *g)
{
    struct errbuf err = ERRBUF_INIT;
    bool any = false;
    int table;

    for (size_t i = 0; i < g->len; i++) {
        if (strcmp(g->sockets[i].name, STORED) != 0)
            continue;
        any = true;
        g->sockets[i].is_held = false;
    }
    while ((table = given_take_other(g, STORED)) >= 0) {
        if (given_table_read(g, table, &err))
            diag(DIAG_WARN, "stored connections cannot be gone on with",
                 DIAG_STR("reason", err.text));
        close(table);
    }
    return any;
}

void notify_forget(const struct notify *n)
{
    notify_say(n, "FDSTOREREMOVE=1\nFDNAME=" STORED);
}
