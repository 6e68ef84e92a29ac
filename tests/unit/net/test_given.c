#include "net/given.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "net/listen.h"

/* A socket bound to `host`, at any port, which listens if it is one of streams. */
static int bound(int type, const char *host, unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type, 0);

    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 1), 0);
    *port = listen_port(fd);
    return fd;
}

static size_t take(struct given *g, enum given_kind kind, const char *name, unsigned port,
                   int *first)
{
    bool is_held;
    int *fds;
    size_t n = given_take(
        g, &(struct given_wish){.kind = kind, .name = name, .host = "127.0.0.1", .port = port},
        &fds, &is_held);

    *first = n > 0 ? fds[0] : -1;
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    free(fds);
    return n;
}

static void sockets_are_found_by_name_before_address(void **state)
{
    struct given g = {0};
    unsigned port, other;
    int named = bound(SOCK_STREAM, "127.0.0.1", &port);
    int addressed = bound(SOCK_STREAM, "127.0.0.1", &other);
    int fd;

    given_add(&g, addressed, "logmill.socket", true);
    given_add(&g, named, "http", true);
    assert_int_equal(take(&g, GIVEN_LISTENS, "http", other, &fd), 1);
    assert_int_equal(fd, named);
    assert_int_equal(take(&g, GIVEN_LISTENS, "http", port, &fd), 0);
    assert_int_equal(take(&g, GIVEN_DATAGRAMS, "http", other, &fd), 0);
    assert_int_equal(take(&g, GIVEN_LISTENS, "http", other, &fd), 1);
    assert_int_equal(fd, addressed);
    assert_int_equal(given_check_taken(&g, NULL), 0);
    given_release(&g);
}

static void a_socket_at_all_addresses_is_that_of_each(void **state)
{
    struct given g = {0};
    unsigned port, elsewhere;
    int fd;

    given_add(&g, bound(SOCK_STREAM, "0.0.0.0", &port), "", false);
    given_add(&g, bound(SOCK_STREAM, "127.0.0.2", &elsewhere), "", false);
    assert_int_equal(take(&g, GIVEN_LISTENS, "http", elsewhere, &fd), 0);
    assert_int_equal(take(&g, GIVEN_LISTENS, "http", port, &fd), 1);
    given_release(&g);
}

static void what_no_setting_wants_is_named(void **state)
{
    struct given g = {0};
    struct errbuf err = ERRBUF_INIT;
    char address[64];
    unsigned port;

    given_add(&g, bound(SOCK_DGRAM, "127.0.0.1", &port), "sylog", true);
    snprintf(address, sizeof(address), "\"sylog\" (127.0.0.1:%u, UDP)", port);
    assert_int_equal(given_check_taken(&g, &err), LM_EINVAL);
    assert_non_null(strstr(err.text, address));
    given_release(&g);
    given_add(&g, open("/dev/null", O_RDONLY), "http", true);
    assert_int_equal(given_check_taken(&g, &err), LM_EINVAL);
    assert_non_null(strstr(err.text, "no IP address, neither TCP nor UDP"));
    given_release(&g);
}

static void set_variables(const char *pid, const char *fds, const char *names)
{
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", fds, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

/* In a child, whose descriptors from 3 on are `fds_len` sockets. Returns what `check` returns. */
static int in_child(int fds_len, const char *pid, const char *fds, const char *names,
                    int (*check)(struct given *g, int error))
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct given g = {0};
        char own[16];
        unsigned port;
        int sources[8];

        for (int i = 0; i < fds_len; i++)
            sources[i] = fcntl(bound(SOCK_STREAM, "127.0.0.1", &port), F_DUPFD, 100);
        for (int i = 0; i < fds_len; i++)
            dup2(sources[i], 3 + i);
        for (int fd = 3 + fds_len; fd < 100; fd++)
            close(fd);
        snprintf(own, sizeof(own), "%ld", (long)getpid());
        set_variables(pid ? pid : own, fds, names);
        int result = check(&g, given_from_environment(&g, NULL));
        if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
            result = 99;
        _exit(result);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int has_two(struct given *g, int error)
{
    if (error || g->len != 2 || strcmp(g->sockets[0].name, "http") != 0 ||
        strcmp(g->sockets[1].name, "syslog") != 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        int flags = fcntl(g->sockets[i].fd, F_GETFL);

        if (g->sockets[i].fd != 3 + i || g->sockets[i].kind != GIVEN_LISTENS ||
            !g->sockets[i].is_held || !(flags & O_NONBLOCK) ||
            !(fcntl(g->sockets[i].fd, F_GETFD) & FD_CLOEXEC))
            return 2;
    }
    return 0;
}

static int has_two_without_names(struct given *g, int error)
{
    return !error && g->len == 2 && !g->sockets[0].name[0] && !g->sockets[1].name[0] ? 0 : 1;
}

static int has_one_long_name(struct given *g, int error)
{
    return !error && g->len == 1 && strlen(g->sockets[0].name) == GIVEN_NAME_MAX ? 0 : 1;
}

static int has_none(struct given *g, int error)
{
    return !error && g->len == 0 ? 0 : 1;
}

static int is_wrong(struct given *g, int error)
{
    return error == LM_EINVAL ? 0 : 1;
}

static void the_environment_is_read_as_systemd_writes_it(void **state)
{
    char name[400];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(in_child(2, NULL, "2", "http:syslog", has_two), 0);
    assert_int_equal(in_child(2, NULL, "2", "", has_two_without_names), 0);
    assert_int_equal(in_child(2, NULL, "2", "::::", has_two_without_names), 0);
    assert_int_equal(in_child(1, NULL, "1", name, has_one_long_name), 0);
    assert_int_equal(in_child(2, NULL, "0", "http", has_none), 0);
    assert_int_equal(in_child(2, "1", "2", "http:syslog", has_none), 0);
    assert_int_equal(in_child(2, "", "2", "http:syslog", has_none), 0);
}

static void an_environment_that_cannot_be_true_is_refused(void **state)
{
    assert_int_equal(in_child(1, NULL, "2", "http:syslog", is_wrong), 0);
    assert_int_equal(in_child(1, NULL, "", "", is_wrong), 0);
    assert_int_equal(in_child(1, NULL, "-1", "", is_wrong), 0);
    assert_int_equal(in_child(1, NULL, "1x", "", is_wrong), 0);
    assert_int_equal(in_child(1, NULL, "99999999999", "", is_wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_found_by_name_before_address),
        cmocka_unit_test(a_socket_at_all_addresses_is_that_of_each),
        cmocka_unit_test(what_no_setting_wants_is_named),
        cmocka_unit_test(the_environment_is_read_as_systemd_writes_it),
        cmocka_unit_test(an_environment_that_cannot_be_true_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
