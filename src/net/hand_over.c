#include "net/hand_over.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/byte_order.h"
#include "base/clock.h"
#include "net/descriptors.h"
#include "net/given_table.h"

enum kind { HELLO = 1, WELCOME, REFUSED, GO, SOCKETS, HANDED, TAKEN, YOURS, CANCELLED };

enum { HEAD_BYTES = 12, TEXT_BYTES = HAND_OVER_MESSAGE - HEAD_BYTES };

struct message {
    enum kind kind;
    uint32_t number;
    char text[TEXT_BYTES]; /* ends with a NUL */
    int fds[DESCRIPTORS_MAX];
    size_t fds_len;
};

/* ---- The socket ---- */

struct place {
    struct sockaddr_un address;
    int directory; /* open while the address is used: a long path is gone to by its descriptor */
};

static void place_close(struct place *p)
{
    if (p->directory >= 0)
        close(p->directory);
}

static int place_find(struct place *p, const char *directory, const char *name, struct errbuf *err)
{
    size_t size = sizeof(p->address.sun_path);
    int len = snprintf(p->address.sun_path, size, "%s/%s", directory, name);

    p->address.sun_family = AF_UNIX;
    p->directory = -1;
    if (len > 0 && (size_t)len < size)
        return 0;
    p->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->directory < 0)
        return errbuf_fail(err, LM_EIO, "cannot open %s: %s", directory, strerror(errno));
    len = snprintf(p->address.sun_path, size, "/proc/self/fd/%d/%s", p->directory, name);
    if (len > 0 && (size_t)len < size)
        return 0;
    place_close(p);
    return errbuf_fail(err, LM_EINVAL, "the name of the socket in %s is too long", directory);
}

static int bind_and_listen(const struct place *p)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    unlink(p->address.sun_path);
    /* The mode of the descriptor is what the name gets. */
    if (fchmod(fd, 0600) == 0 &&
        bind(fd, (const struct sockaddr *)&p->address, sizeof(p->address)) == 0 &&
        chmod(p->address.sun_path, 0600) == 0 && listen(fd, 4) == 0)
        return fd;

    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int hand_over_listen(const char *directory, const char *name, struct errbuf *err)
{
    struct place place;

    if (place_find(&place, directory, name, err))
        return -1;

    int fd = bind_and_listen(&place);
    if (fd < 0)
        errbuf_set(err, "cannot make the socket %s in %s: %s", name, directory, strerror(errno));
    place_close(&place);
    return fd;
}

void hand_over_leave(int listening, const char *directory, const char *name)
{
    struct place place;

    close(listening);
    if (place_find(&place, directory, name, NULL))
        return;
    unlink(place.address.sun_path);
    place_close(&place);
}

/* ---- Messages ---- */

static int say_with(int peer, enum kind kind, uint32_t number, const char *text, const int *fds,
                    size_t fds_len, struct errbuf *err)
{
    char data[HAND_OVER_MESSAGE] = "lmho";

    byte_order_put32(byte_order_put16(byte_order_put16(data + 4, HAND_OVER_VERSION), kind), number);
    snprintf(data + HEAD_BYTES, TEXT_BYTES, "%s", text);
    if (descriptors_send(peer, data, sizeof(data), fds, fds_len) == 0)
        return 0;
    return errbuf_fail(err, errno == EPIPE || errno == ECONNRESET ? LM_ENOTFOUND : LM_EUNAVAILABLE,
                       "the other process cannot be told: %s", strerror(errno));
}

static int say(int peer, enum kind kind, uint32_t number, const char *text, struct errbuf *err)
{
    return say_with(peer, kind, number, text, NULL, 0, err);
}

static void close_all(struct message *m)
{
    while (m->fds_len > 0)
        close(m->fds[--m->fds_len]);
}

static int parse(struct message *m, const char *data, size_t len, struct errbuf *err)
{
    if (len != HAND_OVER_MESSAGE || memcmp(data, "lmho", 4) != 0)
        return errbuf_fail(err, LM_EINVAL, "the other process does not speak this protocol");

    uint32_t both = byte_order_get32(data + 4);
    if (both >> 16 != HAND_OVER_VERSION)
        return errbuf_fail(err, LM_EINVAL,
                           "the other process hands over by version %u, this one by %d: stop the "
                           "one, and start the other",
                           both >> 16, HAND_OVER_VERSION);
    m->kind = (enum kind)(both & 0xffff);
    m->number = byte_order_get32(data + 8);
    memcpy(m->text, data + HEAD_BYTES, TEXT_BYTES);
    m->text[TEXT_BYTES - 1] = '\0';
    return 0;
}

/* Waits until `fd` is readable. LM_ETIMEOUT, or LM_ESTOPPED if `interrupt` (-1: none) is before. */
static int wait_for(int fd, int interrupt, uint64_t until_us, struct errbuf *err)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = interrupt, .events = POLLIN}};

    for (;;) {
        uint64_t now = clock_monotonic_us();
        int left_ms = now < until_us ? (int)((until_us - now + 999) / 1000) : 0;
        int n = poll(polls, 2, left_ms);

        if (n > 0 && polls[1].revents)
            return errbuf_fail(err, LM_ESTOPPED, "this process was told to stop");
        if (n > 0)
            return 0;
        if (n == 0 && left_ms == 0)
            return errbuf_fail(err, LM_ETIMEOUT, "the other process takes too long");
        if (n < 0 && errno != EINTR)
            return errbuf_fail(err, LM_EIO, "cannot wait: %s", strerror(errno));
    }
}

/* LM_ENOTFOUND: the connection has ended. Descriptors of what is refused are closed. */
static int hear(int peer, struct message *m, int interrupt, uint64_t until_us, struct errbuf *err)
{
    char data[HAND_OVER_MESSAGE];
    int error = wait_for(peer, interrupt, until_us, err);

    m->fds_len = 0;
    if (error)
        return error;
    ssize_t n = descriptors_receive(peer, data, sizeof(data), m->fds, &m->fds_len);
    /* It has closed without reading all of ours; what it said before comes behind that error. */
    if (n < 0 && errno == ECONNRESET)
        n = descriptors_receive(peer, data, sizeof(data), m->fds, &m->fds_len);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return errbuf_fail(err, LM_ENOTFOUND, "the other process has ended");
    if (n < 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot hear the other process: %s",
                           strerror(errno));
    error = parse(m, data, (size_t)n, err);
    if (error)
        close_all(m);
    return error;
}

/* Hears `wanted`, which brings no descriptors. */
static int expect(int peer, enum kind wanted, struct message *m, int interrupt, uint64_t until_us,
                  struct errbuf *err)
{
    int error = hear(peer, m, interrupt, until_us, err);

    if (error)
        return error;
    close_all(m);
    if (m->kind == wanted)
        return 0;
    if (m->kind == REFUSED)
        return errbuf_fail(err, LM_EUNAVAILABLE, "the running process refuses: %s", m->text);
    return errbuf_fail(err, LM_EINVAL, "the other process does not keep to the protocol");
}

static uint64_t after(unsigned ms)
{
    return clock_monotonic_us() + (uint64_t)ms * 1000;
}

/* ---- The old one ---- */

static bool is_same_user(int peer)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && who.uid == geteuid();
}

/* LM_EINVAL: it is refused, which it has been told. */
static int greet(int peer, unsigned roles, struct message *m, int interrupt, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    int error;

    if (!is_same_user(peer)) {
        (void)!say(peer, REFUSED, 0, "it belongs to another user", NULL);
        return errbuf_fail(err, LM_EINVAL, "a process of another user asked to take over");
    }
    error = expect(peer, HELLO, m, interrupt, after(HAND_OVER_HELLO_MS), &reason);
    if (error == LM_EINVAL)
        (void)!say(peer, REFUSED, 0, reason.text, NULL);
    if (error)
        return errbuf_fail(err, error, "%s", reason.text);
    if (m->number == roles)
        return say(peer, WELCOME, 0, "", err);
    (void)!say(peer, REFUSED, 0, "it was started by another command (serve, api or worker)", NULL);
    return errbuf_fail(err, LM_EINVAL, "a process with another command asked to take over");
}

int hand_over_welcome(int listening, unsigned roles, int interrupt, unsigned limit_ms,
                      struct errbuf *err)
{
    struct message m;
    int peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

    if (peer < 0)
        return errbuf_fail(err, -1, "nobody is there any more");
    if (greet(peer, roles, &m, interrupt, err) == 0 &&
        expect(peer, GO, &m, interrupt, after(limit_ms), err) == 0)
        return peer;
    close(peer);
    return -1;
}

/* Nobody is waited for who does not read. */
static void limit_sends(int peer, unsigned limit_ms)
{
    const struct timeval limit = {.tv_sec = limit_ms / 1000,
                                  .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000};

    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int hand_over_send(int peer, const struct given *g, unsigned limit_ms, struct errbuf *err)
{
    int fds[DESCRIPTORS_MAX];
    size_t n = 0;
    uint32_t count = 0;
    int error = 0;
    int table = given_table_write(g, err);

    if (table < 0)
        return LM_EUNAVAILABLE;
    limit_sends(peer, limit_ms);
    fds[n++] = table;
    for (size_t i = 0; i < g->len && !error; i++) {
        if (g->sockets[i].fd < 0)
            continue;
        if (n == DESCRIPTORS_MAX) {
            error = say_with(peer, SOCKETS, 0, "", fds, n, err);
            n = 0;
        }
        fds[n++] = g->sockets[i].fd;
        count++;
    }
    if (!error)
        error = say_with(peer, SOCKETS, 0, "", fds, n, err);
    if (!error)
        error = say(peer, HANDED, count, "", err);
    close(table);
    return error;
}

int hand_over_finish(int peer, unsigned limit_ms, struct errbuf *err)
{
    struct message m;
    int error = expect(peer, TAKEN, &m, -1, after(limit_ms), err);

    if (!error) {
        (void)!say(peer, YOURS, 0, "", NULL); /* if it is dead by now, nothing can be mended */
        return 0;
    }
    if (error == LM_ENOTFOUND)
        return LM_EUNAVAILABLE;
    (void)!say(peer, CANCELLED, 0, "", NULL);
    error = LM_ETIMEOUT;
    for (uint64_t until = after(limit_ms); error == LM_ETIMEOUT && clock_monotonic_us() < until;)
        if (hear(peer, &m, -1, until, NULL) == LM_ENOTFOUND)
            error = LM_EUNAVAILABLE;
        else
            close_all(&m);
    return error;
}

/* ---- The new one ---- */

int hand_over_ask(const char *directory, const char *name, unsigned roles, unsigned limit_ms,
                  struct errbuf *err)
{
    struct place place;
    struct message m;
    int error = place_find(&place, directory, name, err);

    if (error)
        return access(directory, F_OK) ? LM_ENOTFOUND : LM_EUNAVAILABLE;
    int peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (peer < 0 ||
        connect(peer, (const struct sockaddr *)&place.address, sizeof(place.address)) < 0) {
        error = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR ? LM_ENOTFOUND
                                                                             : LM_EUNAVAILABLE;
        errbuf_set(err, "cannot reach the running process by %s in %s: %s", name, directory,
                   strerror(errno));
    }
    place_close(&place);
    if (!error && !is_same_user(peer))
        error = errbuf_fail(err, LM_EUNAVAILABLE, "the running process belongs to another user");
    if (!error && !(error = say(peer, HELLO, roles, "", err)))
        error = expect(peer, WELCOME, &m, -1, after(limit_ms), err);
    if (!error)
        return peer;
    if (peer >= 0)
        close(peer);
    return error == LM_ENOTFOUND ? error : LM_EUNAVAILABLE;
}

/* Adds what one message has brought. `table`: -1 until the first descriptor of all, which it is. */
static void add_sockets(struct given *g, struct message *m, int *table)
{
    for (size_t i = 0; i < m->fds_len; i++) {
        if (*table < 0)
            *table = m->fds[i];
        else
            given_add(g, m->fds[i], "", false);
    }
    m->fds_len = 0;
}

static int receive_all(int peer, struct given *g, int *table, uint64_t until_us, struct errbuf *err)
{
    struct message m;
    int error;

    while (!(error = hear(peer, &m, -1, until_us, err)) && m.kind == SOCKETS && g->len < GIVEN_MAX)
        add_sockets(g, &m, table);
    if (error)
        return error;
    close_all(&m);
    if (m.kind != HANDED || m.number != g->len || *table < 0)
        return errbuf_fail(err, LM_EUNAVAILABLE,
                           "the running process does not hand over as it should");
    return 0;
}

/* Moves what is in `from` to `g`. */
static void move_all(struct given *g, struct given *from)
{
    for (size_t i = 0; i < from->len; i++) {
        struct given_socket *s = &from->sockets[i];
        struct given_socket *added = given_add(g, s->fd, s->name, s->is_held);

        if (added)
            added->state = s->state;
        else
            buffer_release(&s->state);
        s->fd = -1;
        buffer_init(&s->state, 0);
    }
}

int hand_over_receive(int peer, struct given *g, unsigned limit_ms, struct errbuf *err)
{
    struct given own = {0};
    int table = -1;
    int error = say(peer, GO, 0, "", err);

    if (!error)
        error = receive_all(peer, &own, &table, after(limit_ms), err);
    if (!error)
        error = given_table_read(&own, table, err);
    if (!error)
        move_all(g, &own);
    if (table >= 0)
        close(table);
    given_release(&own);
    return !error || error == LM_ENOTFOUND ? error : LM_EUNAVAILABLE;
}

int hand_over_taken(int peer, unsigned limit_ms, struct errbuf *err)
{
    struct message m;
    int error;

    (void)!say(peer, TAKEN, 0, "",
               NULL); /* to one that has gone, too: it may have said so before */
    error = hear(peer, &m, -1, after(limit_ms), err);
    if (error == LM_ENOTFOUND)
        return 0; /* the old one is dead: nobody else reads them */
    if (!error)
        close_all(&m);
    if (!error && m.kind == YOURS)
        return 0;
    return errbuf_fail(err, LM_ETIMEOUT, "it took too long: the process that ran before goes on");
}
