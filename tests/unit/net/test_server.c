/* net/ without HTTP: a protocol of a few lines, which says back what it is told. */
#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "net/listen.h"
#include "net/socket.h"

enum { WAIT_MS = 20000, IDLE_MS = 200, FOREVER_MS = 60000 };

struct echo {
    struct net_socket socket;
    bool closed;
};

static struct net_shared shared;
static unsigned timeouts_ms[TIMEOUT_KINDS];
static _Atomic unsigned drained, aborted, freed, finished;

static struct echo *echo_of(struct net_socket *s)
{
    return container_of(s, struct echo, socket);
}

static bool take_in(struct net_loop *l, int fd, bool is_extra)
{
    struct echo *e = xcalloc(1, sizeof(*e));

    if (net_socket_open(&e->socket, l, NULL, fd, is_extra)) {
        free(e);
        return false;
    }
    net_socket_set_deadline(&e->socket, is_extra ? TIMEOUT_EXTRA : TIMEOUT_IDLE);
    net_socket_wait(&e->socket, UV_READABLE);
    return true;
}

static bool welcome(struct net_listener *from, int fd, const struct sockaddr *address,
                    bool is_extra)
{
    return take_in(from->loop, fd, is_extra);
}

static bool adopt(struct net_loop *l, const struct given_socket *s, const struct sockaddr *address,
                  bool is_extra)
{
    return take_in(l, s->fd, is_extra);
}

static void close_it(struct net_socket *s)
{
    if (echo_of(s)->closed)
        return;
    echo_of(s)->closed = true;
    net_socket_close(s);
}

static void readable(struct net_socket *s)
{
    char *data = s->loop->read_buffer;
    ssize_t n = net_socket_read(s, data, NET_READ_BYTES);
    struct iovec piece = {data, n > 0 ? (size_t)n : 0};

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || net_socket_write(s, &piece, 1, piece.iov_len) != n)
        close_it(s);
    else
        net_socket_set_deadline(s, TIMEOUT_IDLE);
}

static void turn(struct net_socket *s)
{
}

static void timed_out(struct net_socket *s, enum timeout_kind kind)
{
    close_it(s);
}

static void drain(struct net_socket *s)
{
    drained++;
}

static void abort_it(struct net_socket *s)
{
    aborted++;
    close_it(s);
}

static void free_it(struct net_socket *s)
{
    freed++;
    free(echo_of(s));
}

static void nothing(struct net_loop *l)
{
}

static bool owes_nothing(struct net_loop *l)
{
    return false;
}

static void on_finished(struct net_loop *l)
{
    finished++;
}

static const struct net_protocol echo_protocol = {.welcome = welcome,
                                                  .adopt = adopt,
                                                  .readable = readable,
                                                  .turn = turn,
                                                  .hung_up = turn,
                                                  .timed_out = timed_out,
                                                  .drain = drain,
                                                  .abort = abort_it,
                                                  .free = free_it,
                                                  .round = nothing,
                                                  .sent = nothing,
                                                  .owes = owes_nothing,
                                                  .finished = on_finished};

static struct net_loop *loop_new(void *ctx, unsigned index, struct errbuf *err)
{
    struct net_loop *l = xcalloc(1, sizeof(*l));

    if (!net_loop_init(l, &echo_protocol, &shared, timeouts_ms, -1, err))
        return l;
    free(l);
    return NULL;
}

static int loop_start(struct net_loop *l, struct errbuf *err)
{
    return 0;
}

static void loop_free(struct net_loop *l)
{
    if (l)
        net_loop_release(l);
    free(l);
}

static struct net_server *start(unsigned idle_ms, unsigned max_sockets)
{
    struct errbuf err = ERRBUF_INIT;
    struct net_server *s;

    for (int kind = 0; kind < TIMEOUT_KINDS; kind++)
        timeouts_ms[kind] = FOREVER_MS;
    timeouts_ms[TIMEOUT_IDLE] = idle_ms;
    shared.max_sockets = max_sockets;
    atomic_store(&shared.sockets_open, 0);
    drained = aborted = freed = finished = 0;
    s = net_server_new(&(struct net_server_options){.places = {{.host = "127.0.0.1"}},
                                                    .places_len = 1,
                                                    .threads = 2,
                                                    .name = "echo",
                                                    .loop_new = loop_new,
                                                    .loop_start = loop_start,
                                                    .loop_free = loop_free},
                       &err);
    assert_non_null(s);
    return s;
}

static int connect_to(const struct net_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)net_server_port(s, 0)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Bytes that come; 0: the server has closed. */
static ssize_t receive(int fd, char *to, size_t size)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    return recv(fd, to, size, 0);
}

static void assert_says_back(int fd, const char *text)
{
    char got[64];

    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    assert_int_equal(receive(fd, got, sizeof(got)), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void what_is_sent_comes_back_and_is_counted(void **state)
{
    struct net_server *s = start(FOREVER_MS, 100);
    uint64_t received = 0, accepted = 0;
    int fds[8];

    for (int i = 0; i < 8; i++)
        fds[i] = connect_to(s);
    for (int i = 0; i < 8; i++)
        assert_says_back(fds[i], "hello");
    for (unsigned i = 0; i < 2; i++) {
        received += net_server_loop(s, i)->counters.received;
        accepted += net_server_loop(s, i)->counters.accepted;
    }
    assert_int_equal(received, 8 * 5);
    assert_int_equal(accepted, 8);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    net_server_stop(s, WAIT_MS);
    assert_int_equal(freed, 8);
    assert_int_equal(aborted, 0);
    assert_int_equal(finished, 2);
    assert_int_equal(shared.sockets_open, 0);
    net_server_free(s);
}

static void who_is_idle_is_told_to_the_protocol(void **state)
{
    struct net_server *s = start(IDLE_MS, 100);
    int fd = connect_to(s);
    char got[8];

    assert_says_back(fd, "hello");
    assert_int_equal(receive(fd, got, sizeof(got)), 0);
    close(fd);
    net_server_stop(s, 0);
    net_server_free(s);
}

static void who_does_not_go_is_aborted_after_the_grace(void **state)
{
    struct net_server *s = start(FOREVER_MS, 100);
    int fd = connect_to(s);

    assert_says_back(fd, "hello");
    net_server_stop(s, 50);
    assert_int_equal(drained, 1);
    assert_int_equal(aborted, 1);
    assert_int_equal(freed, 1);
    close(fd);
    net_server_free(s);
}

static void of_extra_sockets_the_one_that_waited_longest_makes_room(void **state)
{
    struct net_server *s = start(FOREVER_MS, 0);
    int fds[2 * NET_EXTRA_SOCKETS + 1];

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        fds[i] = connect_to(s); /* more than two loops have places for */
    for (int i = 0; aborted == 0 && i < WAIT_MS; i++)
        usleep(1000);
    assert_true(aborted > 0);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close(fds[i]);
    net_server_stop(s, WAIT_MS);
    net_server_free(s);
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct net_server *s = start(FOREVER_MS, 100);
    unsigned port = net_server_port(s, 0);
    struct errbuf err = ERRBUF_INIT;
    int fd;

    assert_int_equal(listen_open("127.0.0.1", &port, &fd, 1, &err), LM_EBUSY);
    assert_int_equal(fd, -1);
    assert_true(listen_host_is_loopback("127.0.0.1"));
    assert_false(listen_host_is_loopback("0.0.0.0"));
    net_server_stop(s, 0);
    net_server_free(s);
}

static void sockets_that_were_given_are_shared_by_all_loops(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    unsigned port = 0;
    int fds[3], client;

    for (size_t given = 1; given <= 3; given += 2) { /* fewer than loops, and more */
        port = 0;
        assert_int_equal(listen_open("127.0.0.1", &port, fds, (unsigned)given, &err), 0);
        shared.max_sockets = 100;
        struct net_server *s = net_server_new(
            &(struct net_server_options){
                .places = {{.fds = fds, .fds_len = given, .fds_are_held = true}},
                .places_len = 1,
                .threads = 2,
                .name = "echo",
                .loop_new = loop_new,
                .loop_start = loop_start,
                .loop_free = loop_free},
            &err);
        assert_non_null(s);
        assert_int_equal(net_server_port(s, 0), port);
        for (int i = 0; i < 40; i++) { /* the kernel spreads them over all sockets of the port */
            client = connect_to(s);
            assert_says_back(client, "hello");
            close(client);
        }
        net_server_stop(s, 0);
        net_server_free(s);
        for (size_t i = 0; i < given; i++)
            close(fds[i]);
    }
}

/* So the stop is the first that the loop sees, before any client. */
static int stop_at_the_start(struct net_loop *l, struct errbuf *err)
{
    net_loop_stop(l, 0);
    return 0;
}

static void who_waits_in_a_backlog_is_left_there_if_others_have_it(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    for (int held = 0; held <= 1; held++) {
        unsigned port = 0;
        int fd;

        assert_int_equal(listen_open("127.0.0.1", &port, &fd, 1, &err), 0);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
        struct net_server *s = net_server_new(
            &(struct net_server_options){
                .places = {{.fds = &fd, .fds_len = 1, .fds_are_held = held}},
                .places_len = 1,
                .threads = 1,
                .name = "echo",
                .loop_new = loop_new,
                .loop_start = stop_at_the_start,
                .loop_free = loop_free},
            &err);
        assert_non_null(s);
        net_server_stop(s, 0);
        assert_int_equal(net_server_loop(s, 0)->counters.accepted, !held);
        net_server_free(s);
        close(client);
        close(fd);
    }
}

/* What leaves the loop when it begins to stop; -1: nothing did. */
static int left_fd;

static void leave_first(struct net_loop *l, void *ctx)
{
    left_fd = l->sockets ? net_socket_leave(l->sockets) : -1;
}

/* So the loop sees both at once: a process that is told to stop as soon as it has started. */
static int adopt_and_stop(struct net_loop *l, struct errbuf *err)
{
    const struct given_socket s = {.fd = left_fd, .kind = GIVEN_CONNECTION};

    net_loop_adopt(l, &s);
    net_loop_stop_after(l, 0, leave_first, NULL);
    return 0;
}

static void who_is_adopted_just_before_a_stop_goes_on_to_the_next(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct net_server *s;
    int ends[2];
    char got[8];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(send(ends[0], "hello", 5, 0), 5);
    left_fd = ends[1];
    shared.max_sockets = 100;
    s = net_server_new(&(struct net_server_options){.places = {{.host = "127.0.0.1"}},
                                                    .places_len = 1,
                                                    .threads = 1,
                                                    .name = "echo",
                                                    .loop_new = loop_new,
                                                    .loop_start = adopt_and_stop,
                                                    .loop_free = loop_free},
                       &err);
    assert_non_null(s);
    net_server_stop(s, 0);
    net_server_free(s);
    assert_true(left_fd >= 0);
    assert_int_equal(receive(left_fd, got, sizeof(got)), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(recv(ends[0], got, sizeof(got), 0),
                     -1); /* it was told nothing, no end either */
    assert_int_equal(errno, EAGAIN);
    close(left_fd);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_back_and_is_counted),
        cmocka_unit_test(who_is_idle_is_told_to_the_protocol),
        cmocka_unit_test(who_does_not_go_is_aborted_after_the_grace),
        cmocka_unit_test(of_extra_sockets_the_one_that_waited_longest_makes_room),
        cmocka_unit_test(a_port_that_is_taken_is_told),
        cmocka_unit_test(sockets_that_were_given_are_shared_by_all_loops),
        cmocka_unit_test(who_waits_in_a_backlog_is_left_there_if_others_have_it),
        cmocka_unit_test(who_is_adopted_just_before_a_stop_goes_on_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
