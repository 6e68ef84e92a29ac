/* A real server and real sockets: what needs threads, time or the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/http.h"

enum { LARGE_BYTES = 8 * 1024 * 1024, WAIT_S = 60 };

/* ---- The server under test ---- */

/* What one HTTP thread has: requests of /held, answered when `release` comes. */
struct context {
    uv_async_t release;
    struct http_request *held;
    unsigned drained;
};

static struct context *contexts[8];
static _Atomic unsigned held_len, contexts_len;
static char *large;

static void on_release(uv_async_t *async)
{
    struct context *ctx = async->data;

    while (ctx->held) {
        struct http_request *req = ctx->held;

        ctx->held = http_request_next(req);
        held_len--;
        http_respond(req,
                     &(struct http_response){.status = 201, .body = SLICE_LITERAL("released")});
    }
}

static void *thread_start(uv_loop_t *loop, unsigned index, void *arg, struct errbuf *err)
{
    struct context *ctx = calloc(1, sizeof(*ctx));

    uv_async_init(loop, &ctx->release, on_release);
    ctx->release.data = ctx;
    contexts[index] = ctx;
    contexts_len++;
    return ctx;
}

static void *thread_start_fails(uv_loop_t *loop, unsigned index, void *arg, struct errbuf *err)
{
    if (index == 0)
        return thread_start(loop, index, arg, err);
    errbuf_set(err, "no second thread today");
    return NULL;
}

static void thread_drained(void *thread)
{
    struct context *ctx = thread;

    ctx->drained++;
}

static void free_context(uv_handle_t *handle)
{
    free(handle->data);
    contexts_len--;
}

static void thread_stop(void *thread)
{
    struct context *ctx = thread;

    assert_null(ctx->held);
    uv_close((uv_handle_t *)&ctx->release, free_context);
}

static void release_held(void)
{
    for (unsigned i = 0; i < contexts_len; i++)
        uv_async_send(&contexts[i]->release);
}

static void handle_now(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 201, .body = http_request_body(req)});
}

static void handle_held(struct http_request *req, void *thread)
{
    struct context *ctx = thread;

    http_request_set_next(req, ctx->held);
    ctx->held = req;
    held_len++;
}

static void handle_large(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 200,
                                              .body = slice_of(large, LARGE_BYTES),
                                              .body_is_static = true});
}

static const struct http_route routes[] = {
    {"POST", "/now", handle_now, .flags = 0},
    {"POST", "/held", handle_held, .flags = 0},
    {"GET", "/large", handle_large, .flags = 0},
    {0},
};

static struct http_server *server;

static void start(struct http_server_options options)
{
    struct errbuf err = ERRBUF_INIT;

    options.routes = routes;
    if (!options.hooks.thread_start)
        options.hooks = (struct http_hooks){.thread_start = thread_start,
                                            .thread_drained = thread_drained,
                                            .thread_stop = thread_stop};
    server = http_server_new(&options, &err);
    if (!server)
        print_error("%s\n", err.text);
    assert_non_null(server);
}

static void stop(unsigned grace_ms)
{
    http_server_stop(server, grace_ms);
    struct http_stats stats;
    http_server_stats(server, &stats);
    assert_int_equal(stats.connections_open, 0);
    http_server_free(server);
    server = NULL;
    assert_int_equal(contexts_len, 0);
}

/* ---- A client ---- */

static int try_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial(void)
{
    int fd = try_connect();

    assert_true(fd >= 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* libuv may use io_uring for loops made on this thread: its completions interrupt a recv. */
static ssize_t receive(int fd, void *to, size_t len, int flags)
{
    ssize_t n;

    do
        n = recv(fd, to, len, flags);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Reads until `text` has come, or the server closes. True where it came. */
static bool hears(int fd, const char *text)
{
    static char got[65536];
    size_t len = 0;

    while (len < sizeof(got) - 1) {
        ssize_t n = receive(fd, got + len, sizeof(got) - 1 - len, 0);

        if (n <= 0)
            return false;
        len += (size_t)n;
        got[len] = '\0';
        if (strstr(got, text))
            return true;
    }
    return false;
}

/* The server closes, without resetting the connection, and says nothing more. */
static void assert_closes(int fd)
{
    char byte;

    assert_int_equal(receive(fd, &byte, 1, 0), 0);
    close(fd);
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void wait_for_held(unsigned n)
{
    for (int i = 0; i < 1000 * WAIT_S && held_len != n; i++)
        sleep_ms(1);
    assert_int_equal(held_len, n);
}

#define NOW "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
#define HELD "POST /held HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"

/* ---- Tests ---- */

static void test_every_thread_serves(void **state)
{
    start((struct http_server_options){.threads = 3});
    int fds[24];
    for (int i = 0; i < 24; i++) {
        fds[i] = dial();
        say(fds[i], i % 2 == 0 ? NOW : HELD);
    }
    wait_for_held(12);
    release_held();
    for (int i = 0; i < 24; i++)
        assert_true(hears(fds[i], i % 2 == 0 ? "\r\n\r\nbody" : "\r\n\r\nreleased"));
    struct http_stats stats;
    http_server_stats(server, &stats);
    assert_int_equal(stats.connections_accepted, 24);
    assert_int_equal(stats.connections_open, 24);
    assert_int_equal(stats.requests, 24);
    assert_int_equal(stats.responses[201], 24);
    assert_int_equal(stats.bytes_received, 12 * strlen(NOW) + 12 * strlen(HELD));
    for (int i = 0; i < 24; i++)
        close(fds[i]);
    stop(1000);
}

static void test_a_taken_port_is_refused(void **state)
{
    start((struct http_server_options){.threads = 2});
    struct errbuf err = ERRBUF_INIT;
    struct http_server_options options = {.port = http_server_port(server), .routes = routes};
    assert_null(http_server_new(&options, &err));
    assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1 port"));
    stop(0);
}

static void test_a_thread_that_cannot_start_stops_the_server(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct http_server_options options = {.threads = 3,
                                          .routes = routes,
                                          .hooks = {.thread_start = thread_start_fails,
                                                    .thread_drained = thread_drained,
                                                    .thread_stop = thread_stop}};

    assert_null(http_server_new(&options, &err));
    assert_string_equal(err.text, "no second thread today");
    assert_int_equal(contexts_len, 0);
}

static void test_the_idle_are_closed_in_silence(void **state)
{
    start((struct http_server_options){.idle_timeout_ms = 60});
    int fresh = dial(), used = dial();
    say(used, NOW);
    assert_true(hears(used, "\r\n\r\nbody"));
    assert_closes(fresh);
    assert_closes(used);
    stop(0);
}

static void test_who_waits_for_an_answer_is_not_idle(void **state)
{
    start((struct http_server_options){.idle_timeout_ms = 40});
    int fd = dial();
    say(fd, HELD);
    wait_for_held(1);
    sleep_ms(200);
    release_held();
    assert_true(hears(fd, "\r\n\r\nreleased"));
    close(fd);
    stop(0);
}

static void test_a_slow_request_gets_408(void **state)
{
    start((struct http_server_options){.request_timeout_ms = 100});
    int head = dial(), body = dial();
    say(head, "POST /now HTTP/1.1\r\nX: ");
    say(body, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    for (int i = 0; i < 4; i++) { /* a byte now and then does not help */
        sleep_ms(40);
        send(head, "T", 1, MSG_NOSIGNAL);
    }
    assert_true(hears(head, "HTTP/1.1 408 Request Timeout\r\n"));
    assert_true(hears(body, "HTTP/1.1 408 Request Timeout\r\n"));
    close(head);
    close(body);
    stop(0);
}

static void test_a_client_that_takes_nothing_is_closed(void **state)
{
    start((struct http_server_options){.write_timeout_ms = 100});
    int fd = dial();
    say(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    struct http_stats stats = {.connections_open = 1};
    for (int i = 0; i < 100 * WAIT_S && stats.connections_open > 0; i++) {
        sleep_ms(10);
        http_server_stats(server, &stats);
    }
    assert_int_equal(stats.connections_open, 0);
    close(fd);
    stop(0);
}

static void test_a_slow_reader_gets_all_of_it(void **state)
{
    start((struct http_server_options){.write_timeout_ms = 500});
    int fd = dial();
    say(fd, "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    static char block[512 * 1024];
    size_t len = 0;
    ssize_t n;
    while ((n = receive(fd, block, sizeof(block), 0)) > 0) {
        len += (size_t)n;
        if (len < 2 * sizeof(block))
            sleep_ms(50);
    }
    assert_int_equal(n, 0);
    assert_true(len > LARGE_BYTES && len < LARGE_BYTES + 512);
    close(fd);
    stop(0);
}

static void test_half_a_connection_is_still_answered(void **state)
{
    start((struct http_server_options){0});
    int fd = dial();
    say(fd, HELD NOW);
    shutdown(fd, SHUT_WR);
    wait_for_held(1);
    release_held();
    assert_true(hears(fd, "\r\n\r\nbody"));
    assert_closes(fd);
    stop(0);
}

static void test_a_client_gone_before_its_answer_is_forgotten(void **state)
{
    start((struct http_server_options){0});
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int polite = dial(), rude = dial();
    setsockopt(rude, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    say(polite, HELD);
    say(rude, HELD HELD);
    wait_for_held(3);
    close(polite);
    close(rude);
    sleep_ms(50);
    release_held();
    wait_for_held(0);
    int fd = dial();
    say(fd, NOW);
    assert_true(hears(fd, "\r\n\r\nbody"));
    close(fd);
    stop(1000);
}

static void test_who_sends_too_much_hears_why(void **state)
{
    start((struct http_server_options){.max_body_bytes = 1000});
    int fd = dial();
    static char block[1024 * 1024];
    say(fd, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n");
    for (int i = 0; i < 4; i++)
        send(fd, block, sizeof(block), MSG_NOSIGNAL);
    assert_true(hears(fd, "HTTP/1.1 413 Content Too Large\r\n"));
    shutdown(fd, SHUT_WR);
    ssize_t n;
    while ((n = receive(fd, block, sizeof(block), 0)) > 0)
        ;
    assert_int_equal(n, 0); /* not reset: that could have taken the answer with it */
    close(fd);
    stop(0);
}

static void test_too_many_connections_are_told_so(void **state)
{
    start((struct http_server_options){.max_connections = 2});
    int first = dial(), second = dial();
    say(first, NOW);
    assert_true(hears(first, "\r\n\r\nbody"));
    say(second, NOW);
    assert_true(hears(second, "\r\n\r\nbody"));
    int third = dial();
    say(third, NOW);
    assert_true(hears(third, "HTTP/1.1 503 Service Unavailable\r\n"));
    close(third);
    close(second);
    sleep_ms(50);
    int fourth = dial();
    say(fourth, NOW);
    assert_true(hears(fourth, "\r\n\r\nbody"));
    close(fourth);
    close(first);
    stop(0);
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void test_without_descriptors_it_waits_and_goes_on(void **state)
{
    start((struct http_server_options){.threads = 1});
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    int fd = dial();
    say(fd, NOW);
    assert_true(hears(fd, "\r\n\r\nbody"));
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* Descriptors are given out from the lowest, so those up to `client` are all in use. */
    struct rlimit few = {(rlim_t)client, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    double before = cpu_seconds();
    sleep_ms(400);
    double used = cpu_seconds() - before;
    say(client, NOW);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_true(used < 0.1);
    assert_true(hears(client, "\r\n\r\nbody"));
    close(client);
    close(fd);
    stop(0);
}

static void *stop_with_grace(void *arg)
{
    http_server_stop(server, 5000);
    return NULL;
}

static void test_a_stop_answers_what_has_begun(void **state)
{
    start((struct http_server_options){.threads = 1});
    int idle = dial(), begun = dial(), held = dial();
    say(idle, NOW);
    assert_true(hears(idle, "\r\n\r\nbody"));
    say(begun, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    say(held, HELD);
    wait_for_held(1);
    sleep_ms(20);
    pthread_t thread;
    pthread_create(&thread, NULL, stop_with_grace, NULL);
    assert_closes(idle);
    int refused = 0;
    for (int i = 0; i < 100 * WAIT_S && refused >= 0; i++) { /* until each thread has heard of it */
        refused = try_connect();
        if (refused >= 0)
            close(refused);
        sleep_ms(10);
    }
    assert_int_equal(refused, -1);
    say(begun, "dy");
    assert_true(hears(begun, "Connection: close\r\n"));
    release_held();
    assert_true(hears(held, "Connection: close\r\n"));
    pthread_join(thread, NULL);
    close(begun);
    close(held);
    stop(0);
}

static void test_a_stop_waits_no_longer_than_its_grace(void **state)
{
    start((struct http_server_options){0});
    int begun = dial();
    say(begun, "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    sleep_ms(20);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    stop(100);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec <= 2);
    close(begun);
}

static int set_up(void **state)
{
    large = malloc(LARGE_BYTES);
    memset(large, 'x', LARGE_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    free(large);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_thread_serves),
        cmocka_unit_test(test_a_taken_port_is_refused),
        cmocka_unit_test(test_a_thread_that_cannot_start_stops_the_server),
        cmocka_unit_test(test_the_idle_are_closed_in_silence),
        cmocka_unit_test(test_who_waits_for_an_answer_is_not_idle),
        cmocka_unit_test(test_a_slow_request_gets_408),
        cmocka_unit_test(test_a_client_that_takes_nothing_is_closed),
        cmocka_unit_test(test_a_slow_reader_gets_all_of_it),
        cmocka_unit_test(test_half_a_connection_is_still_answered),
        cmocka_unit_test(test_a_client_gone_before_its_answer_is_forgotten),
        cmocka_unit_test(test_who_sends_too_much_hears_why),
        cmocka_unit_test(test_too_many_connections_are_told_so),
        cmocka_unit_test(test_without_descriptors_it_waits_and_goes_on),
        cmocka_unit_test(test_a_stop_answers_what_has_begun),
        cmocka_unit_test(test_a_stop_waits_no_longer_than_its_grace),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
