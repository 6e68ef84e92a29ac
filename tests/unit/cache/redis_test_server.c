#include "redis_test_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { START_MS = 120000, ARGUMENTS_MAX = 64 };

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Runs a program to its end; fails the test where it does not exit 0. */
static void run(const char *directory, char *const *command)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        if (chdir(directory) == 0)
            execvp(command[0], command);
        _exit(127);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s %s failed", command[0], command[1]);
}

/* A certificate authority (ca.pem) and a certificate of 127.0.0.1 (server.pem) in `directory`. */
static void make_certificates(const char *directory)
{
    char *const ca[] = {
        "openssl", "req",  "-x509",  "-newkey", "rsa:2048", "-nodes", "-keyout",
        "ca.key",  "-out", "ca.pem", "-days",   "2",        "-subj",  "/CN=logmill test authority",
        NULL};
    char *const request[] = {"openssl",    "req",  "-newkey",    "rsa:2048", "-nodes",    "-keyout",
                             "server.key", "-out", "server.csr", "-subj",    "/CN=redis", NULL};
    char *const sign[] = {"openssl",    "x509",   "-req",     "-in",    "server.csr",
                          "-CA",        "ca.pem", "-CAkey",   "ca.key", "-CAcreateserial",
                          "-days",      "2",      "-extfile", "names",  "-out",
                          "server.pem", NULL};
    char path[600];
    FILE *names;

    snprintf(path, sizeof(path), "%s/names", directory);
    names = fopen(path, "w");
    assert_non_null(names);
    fputs("subjectAltName=IP:127.0.0.1\n", names);
    fclose(names);
    run(directory, ca);
    run(directory, request);
    run(directory, sign);
}

/* In the child: becomes the server. */
static void become_server(struct redis_test_server *s)
{
    static const char *const programs[] = {"redis-server", "valkey-server"};
    char *arguments[ARGUMENTS_MAX] = {
        NULL, "--unixsocket", s->socket_path, "--dir",  s->directory, "--daemonize",
        "no", "--appendonly", "no",           "--save", "",           "--shutdown-timeout",
        "0",  "--port"};
    char port[12];
    int n = 14, log;
    char path[600];

    snprintf(port, sizeof(port), "%u", s->port);
    arguments[n++] = s->tls ? "0" : port;
    if (s->tls) {
        char *tls[] = {"--tls-port",         port,         "--tls-cert-file",    "server.pem",
                       "--tls-key-file",     "server.key", "--tls-ca-cert-file", "ca.pem",
                       "--tls-auth-clients", "no"};

        memcpy(arguments + n, tls, sizeof(tls));
        n += sizeof(tls) / sizeof(tls[0]);
    }
    for (size_t i = 0; s->arguments && s->arguments[i] && n < ARGUMENTS_MAX - 1; i++)
        arguments[n++] = (char *)s->arguments[i];
    snprintf(path, sizeof(path), "%s/log", s->directory);
    log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves no server behind */
    if (chdir(s->directory) == 0) {
        for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
            arguments[0] = (char *)programs[i];
            execvp(arguments[0], arguments);
        }
    }
    _exit(127);
}

static bool answers(struct redis_test_server *s)
{
    redisContext *c = redisConnectUnix(s->socket_path);
    redisReply *reply = c && !c->err ? redisCommand(c, "PING") : NULL;
    /* Anything but LOADING will do: a server with a password answers NOAUTH. */
    bool yes = reply && !(reply->type == REDIS_REPLY_ERROR && !strncmp(reply->str, "LOADING", 7));

    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return yes;
}

void redis_test_server_start(struct redis_test_server *s)
{
    uint64_t end = clock_monotonic_us() + START_MS * UINT64_C(1000);

    unlink(s->socket_path);
    s->pid = fork();
    if (s->pid == 0)
        become_server(s);
    assert_true(s->pid > 0);
    while (!answers(s)) {
        int status;

        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            fail_msg("neither redis-server nor valkey-server would start: see %s/log",
                     s->directory);
        }
        if (clock_monotonic_us() > end)
            fail_msg("the Redis server does not answer");
        usleep(5000);
    }
}

struct redis_test_server *redis_test_server_new_port(const char *const *arguments, bool tls)
{
    struct redis_test_server *s = xcalloc(1, sizeof(*s));

    s->directory = temp_directory_new();
    s->arguments = arguments;
    s->port = free_port();
    s->tls = tls;
    if (tls)
        make_certificates(s->directory);
    snprintf(s->socket_path, sizeof(s->socket_path), "%s/socket", s->directory);
    snprintf(s->url, sizeof(s->url), "unix://%s", s->socket_path);
    redis_test_server_start(s);
    return s;
}

struct redis_test_server *redis_test_server_new(const char *const *arguments)
{
    struct redis_test_server *s = xcalloc(1, sizeof(*s));

    s->directory = temp_directory_new();
    s->arguments = arguments;
    snprintf(s->socket_path, sizeof(s->socket_path), "%s/socket", s->directory);
    snprintf(s->url, sizeof(s->url), "unix://%s", s->socket_path);
    redis_test_server_start(s);
    return s;
}

void redis_test_server_kill(struct redis_test_server *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void redis_test_server_signal(struct redis_test_server *s, int signal)
{
    assert_int_equal(kill(s->pid, signal), 0);
}

void redis_test_server_free(struct redis_test_server *s)
{
    if (!s)
        return;
    redis_test_server_kill(s);
    temp_directory_free(s->directory);
    free(s);
}

redisReply *redis_test_server_ask(struct redis_test_server *s, const char *command)
{
    redisContext *c = redisConnectUnix(s->socket_path);
    redisReply *reply;

    assert_non_null(c);
    assert_int_equal(c->err, 0);
    reply = redisCommand(c, command);
    assert_non_null(reply);
    redisFree(c);
    return reply;
}

long long redis_test_server_do(struct redis_test_server *s, const char *command)
{
    redisReply *reply = redis_test_server_ask(s, command);
    long long value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 1;

    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", command, reply->str);
    freeReplyObject(reply);
    return value;
}
