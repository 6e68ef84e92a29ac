/* Both ends of a hand-over in one process, and peers that do not keep to it. */
#include "net/hand_over.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/byte_order.h"
#include "net/descriptors.h"
#include "net/given_table.h"

enum { LIMIT_MS = 20000, ROLES = 3, SOCKETS = 600 /* more than two messages have room for */ };

enum { HELLO = 1, WELCOME, REFUSED, GO, SOCKETS_ARE, HANDED, TAKEN, YOURS, CANCELLED };

static char *directory;
static int listening;

static int set_up(void **state)
{
    directory = temp_directory_new();
    listening = hand_over_listen(directory, "api.next", NULL);
    return listening < 0;
}

static int tear_down(void **state)
{
    close(listening);
    temp_directory_free(directory);
    return 0;
}

/* ---- The old one, on a thread ---- */

struct old {
    pthread_t thread;
    unsigned finish_ms;
    struct given given;
    int welcome; /* what hand_over_welcome returned */
    int sent, finished;
};

static void *be_old(void *arg)
{
    struct old *o = arg;
    struct pollfd wait = {.fd = listening, .events = POLLIN};

    o->sent = o->finished = -99;
    assert_int_equal(poll(&wait, 1, LIMIT_MS), 1);
    o->welcome = hand_over_welcome(listening, ROLES, -1, LIMIT_MS, NULL);
    if (o->welcome < 0)
        return NULL;
    o->sent = hand_over_send(o->welcome, &o->given, LIMIT_MS, NULL);
    if (!o->sent)
        o->finished = hand_over_finish(o->welcome, o->finish_ms, NULL);
    close(o->welcome);
    return NULL;
}

static void start_old(struct old *o, size_t sockets, unsigned finish_ms)
{
    *o = (struct old){.finish_ms = finish_ms};
    for (size_t i = 0; i < sockets; i++) {
        struct given_socket *s =
            given_add(&o->given, socket(AF_INET, SOCK_STREAM, 0), "syslog", false);

        buffer_append_u64(&s->state, i);
    }
    assert_int_equal(pthread_create(&o->thread, NULL, be_old, o), 0);
}

static void join_old(struct old *o)
{
    pthread_join(o->thread, NULL);
    given_release(&o->given);
}

/* ---- A peer that says what it likes ---- */

static int reach(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.next", directory);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, unsigned version, unsigned kind, unsigned number, const int *fds, size_t n)
{
    char data[HAND_OVER_MESSAGE] = "lmho";

    byte_order_put32(
        byte_order_put16(byte_order_put16(data + 4, (uint16_t)version), (uint16_t)kind), number);
    assert_int_equal(descriptors_send(fd, data, sizeof(data), fds, n), 0);
}

/* The kind of the next message, 0 at the end; its descriptors are closed. */
static unsigned hear(int fd, char text[HAND_OVER_MESSAGE])
{
    char data[HAND_OVER_MESSAGE];
    int fds[DESCRIPTORS_MAX];
    size_t n = 0;
    ssize_t len = descriptors_receive(fd, data, sizeof(data), fds, &n);

    while (n > 0)
        close(fds[--n]);
    if (len <= 0)
        return 0;
    memcpy(text, data + 12, HAND_OVER_MESSAGE - 12);
    return byte_order_get32(data + 4) & 0xffff;
}

/* ---- Tests ---- */

static void all_sockets_arrive_with_their_names_and_states(void **state)
{
    struct given got = {0};
    struct old old;
    char text[32];

    start_old(&old, SOCKETS, LIMIT_MS);
    int peer = hand_over_ask(directory, "api.next", ROLES, LIMIT_MS, NULL);
    assert_true(peer >= 0);
    assert_int_equal(hand_over_receive(peer, &got, LIMIT_MS, NULL), 0);
    assert_int_equal(got.len, SOCKETS);
    for (size_t i = 0; i < SOCKETS; i++) {
        snprintf(text, sizeof(text), "%zu", i);
        assert_string_equal(got.sockets[i].name, "syslog");
        assert_int_equal(got.sockets[i].state.len, strlen(text));
        assert_memory_equal(got.sockets[i].state.data, text, strlen(text));
    }
    assert_int_equal(hand_over_taken(peer, LIMIT_MS, NULL), 0);
    join_old(&old);
    assert_int_equal(old.finished, 0);
    close(peer);
    given_release(&got);
}

static void the_socket_is_its_users_alone(void **state)
{
    char file[PATH_MAX + 16];
    struct stat status;

    snprintf(file, sizeof(file), "%s/api.next", directory);
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void a_long_path_is_no_hindrance(void **state)
{
    char deep[PATH_MAX];
    int len = snprintf(deep, sizeof(deep), "%s/", directory);

    memset(deep + len, 'd', 150);
    deep[len + 150] = '\0';
    assert_int_equal(mkdir(deep, 0700), 0);
    int place = hand_over_listen(deep, "api.next", NULL);
    assert_true(place >= 0);
    assert_int_equal(hand_over_ask(deep, "worker.next", ROLES, LIMIT_MS, NULL), LM_ENOTFOUND);
    close(place);
    assert_int_equal(hand_over_ask(deep, "api.next", ROLES, LIMIT_MS, NULL), LM_ENOTFOUND);
}

static void nobody_there_is_told_apart(void **state)
{
    assert_int_equal(hand_over_ask(directory, "worker.next", ROLES, LIMIT_MS, NULL), LM_ENOTFOUND);
    assert_int_equal(hand_over_ask("/nowhere/at/all", "api.next", ROLES, LIMIT_MS, NULL),
                     LM_ENOTFOUND);
}

static void another_command_is_refused_and_told_why(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct old old;

    start_old(&old, 1, LIMIT_MS);
    assert_int_equal(hand_over_ask(directory, "api.next", ROLES + 1, LIMIT_MS, &err),
                     LM_EUNAVAILABLE);
    assert_non_null(strstr(err.text, "another command"));
    join_old(&old);
    assert_int_equal(old.welcome, -1);
}

static void peers_that_are_none_get_nothing(void **state)
{
    static const struct {
        unsigned version, kind;
        size_t len; /* of what is sent; 0: nothing, and the connection is closed */
    } cases[] = {{1, GO, 512}, {2, HELLO, 512}, {1, HELLO, 511}, {1, 77, 512}, {1, HELLO, 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char data[HAND_OVER_MESSAGE] = "lmho", text[HAND_OVER_MESSAGE];
        struct old old;

        start_old(&old, 1, LIMIT_MS);
        int peer = reach();
        byte_order_put32(byte_order_put16(byte_order_put16(data + 4, (uint16_t)cases[i].version),
                                          (uint16_t)cases[i].kind),
                         ROLES);
        if (cases[i].len > 0) {
            assert_int_equal(send(peer, data, cases[i].len, 0), cases[i].len);
            unsigned heard = hear(peer, text);
            assert_true(heard == REFUSED || heard == 0);
        }
        close(peer);
        join_old(&old);
        assert_int_equal(old.welcome, -1);
    }
}

static void a_peer_that_says_nothing_is_let_go(void **state)
{
    struct old old;
    int peer = reach();

    start_old(&old, 1, LIMIT_MS);
    join_old(&old); /* after HAND_OVER_HELLO_MS */
    assert_int_equal(old.welcome, -1);
    close(peer);
}

static void the_old_one_goes_on_if_the_new_one_ends_anywhere(void **state)
{
    for (int steps = 0; steps <= 3; steps++) {
        char text[HAND_OVER_MESSAGE];
        struct old old;

        start_old(&old, SOCKETS, LIMIT_MS);
        int peer = reach();
        say(peer, 1, HELLO, ROLES, NULL, 0);
        assert_int_equal(hear(peer, text), WELCOME);
        if (steps > 0)
            say(peer, 1, GO, 0, NULL, 0);
        if (steps > 1)
            assert_int_equal(hear(peer, text), SOCKETS_ARE);
        if (steps > 2)
            while (hear(peer, text) != HANDED)
                continue;
        close(peer);
        pthread_join(old.thread, NULL);
        if (steps == 0)
            assert_int_equal(old.welcome, -1);
        else
            assert_true(old.sent != 0 || old.finished == LM_EUNAVAILABLE);
        assert_int_equal(old.given.len, SOCKETS);
        for (size_t i = 0; i < SOCKETS; i++) /* it has them all still */
            assert_true(fcntl(old.given.sockets[i].fd, F_GETFD) >= 0);
        given_release(&old.given);
    }
}

static void who_takes_too_long_is_told_that_it_is_too_late(void **state)
{
    struct given got = {0};
    struct old old;

    start_old(&old, 3, 50);
    int peer = hand_over_ask(directory, "api.next", ROLES, LIMIT_MS, NULL);
    assert_int_equal(hand_over_receive(peer, &got, LIMIT_MS, NULL), 0);
    join_old(&old); /* it has waited, told, and waited for our end */
    assert_int_equal(old.finished, LM_ETIMEOUT);
    assert_int_equal(hand_over_taken(peer, LIMIT_MS, NULL), LM_ETIMEOUT);
    close(peer);
    given_release(&got);
}

static void an_old_one_that_dies_after_it_gave_all_leaves_them(void **state)
{
    struct given got = {0}, given = {0};
    int table, ends[2];

    given_add(&given, socket(AF_INET, SOCK_STREAM, 0), "http", false);
    table = given_table_write(&given, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    say(ends[0], 1, SOCKETS_ARE, 0, (int[]){table, given.sockets[0].fd}, 2);
    say(ends[0], 1, HANDED, 1, NULL, 0);
    assert_int_equal(hand_over_receive(ends[1], &got, LIMIT_MS, NULL), 0);
    assert_int_equal(got.len, 1);
    assert_string_equal(got.sockets[0].name, "http");
    close(ends[0]);
    assert_int_equal(hand_over_taken(ends[1], LIMIT_MS, NULL), 0);
    close(ends[1]);
    close(table);
    given_release(&given);
    given_release(&got);
}

static void what_an_old_one_sends_is_looked_at(void **state)
{
    struct given given = {0};
    int table;

    given_add(&given, socket(AF_INET, SOCK_STREAM, 0), "http", false);
    table = given_table_write(&given, NULL);
    for (int kind = 0; kind < 6; kind++) {
        struct given got = {0};
        int fd = given.sockets[0].fd;
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        if (kind == 0) /* dies before */
            close(ends[0]);
        if (kind == 1) /* the number is not that */
            say(ends[0], 1, SOCKETS_ARE, 0, (int[]){table, fd}, 2);
        if (kind == 2) /* no table */
            say(ends[0], 1, SOCKETS_ARE, 0, (int[]){fd, fd, fd}, 3);
        if (kind == 3) /* dies in the middle */
            say(ends[0], 1, SOCKETS_ARE, 0, (int[]){table, fd}, 2);
        if (kind == 4) /* another message, with descriptors */
            say(ends[0], 1, WELCOME, 0, (int[]){table, fd}, 2);
        if (kind == 5) /* another version */
            say(ends[0], 9, SOCKETS_ARE, 0, (int[]){table, fd}, 2);
        if (kind == 1 || kind == 2)
            say(ends[0], 1, HANDED, 2, NULL, 0);
        if (kind == 3)
            close(ends[0]);
        int error = hand_over_receive(ends[1], &got, LIMIT_MS, NULL);
        assert_int_equal(error, kind == 0 || kind == 3 ? LM_ENOTFOUND : LM_EUNAVAILABLE);
        assert_int_equal(got.len, 0);
        given_release(&got);
        close(ends[1]);
        if (kind != 0 && kind != 3)
            close(ends[0]);
    }
    close(table);
    given_release(&given);
}

int main(void)
{
#define BOTH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BOTH(all_sockets_arrive_with_their_names_and_states),
        BOTH(the_socket_is_its_users_alone),
        BOTH(a_long_path_is_no_hindrance),
        BOTH(nobody_there_is_told_apart),
        BOTH(another_command_is_refused_and_told_why),
        BOTH(peers_that_are_none_get_nothing),
        BOTH(a_peer_that_says_nothing_is_let_go),
        BOTH(the_old_one_goes_on_if_the_new_one_ends_anywhere),
        BOTH(who_takes_too_long_is_told_that_it_is_too_late),
        BOTH(an_old_one_that_dies_after_it_gave_all_leaves_them),
        BOTH(what_an_old_one_sends_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
