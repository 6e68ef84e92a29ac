/* http_request_on_gone: a handler that answers later is told that its client has gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "harness.h"
#include "net/ranges.h"

#define LATER "POST /later HTTP/1.1\r\nHost: h\r\n\r\n"
#define STATIC "GET /static HTTP/1.1\r\nHost: h\r\n\r\n"

static struct harness harness;
static unsigned told;        /* how often, all requests together */
static bool answers_at_once; /* when it is told */

static ssize_t receive(struct transport *t, void *data, size_t len)
{
    return recv(t->fd, data, len, 0);
}

static const struct transport_ops half_plain = {
    .read = receive, .write = fake_write, .pending = fake_pending, .wants = fake_wants};

static int set_up(void **state)
{
    harness_init(&harness);
    harness.thread->net.transport = &half_plain;
    harness_connect(&harness);
    told = 0;
    answers_at_once = false;
    return 0;
}

static int tear_down(void **state)
{
    harness_disconnect(&harness);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(harness.thread->requests_under_way, 0);
    harness_release(&harness);
    return 0;
}

static void on_gone(void *ctx)
{
    told++;
    if (answers_at_once)
        http_respond(ctx, &(struct http_response){.status = 200, .body = SLICE_LITERAL("partial")});
}

/* The client sends, and the loop runs until nothing more happens. */
static void send_text(const char *text)
{
    assert_int_equal(write(harness.peer, text, strlen(text)), strlen(text));
    harness_round(&harness);
    harness_round(&harness);
}

/* Has all that wait at /later told; returns how many they are. */
static unsigned watch_all(void)
{
    unsigned n = 0;

    for (struct http_request *req = waiting; req; req = http_request_next(req), n++)
        http_request_on_gone(req, on_gone, req);
    harness_round(&harness);
    return n;
}

static void half_close(void)
{
    assert_int_equal(shutdown(harness.peer, SHUT_WR), 0);
    harness_round(&harness);
    harness_round(&harness);
}

/* So that the server's side gets an error, as from RST: something it sent was not read. */
static void reset(void)
{
    close(harness.peer);
    harness.peer = dup(0);
    harness_round(&harness);
    harness_round(&harness);
}

static bool sent_has(const char *text)
{
    return sent.len > 0 && memmem(sent.data, sent.len, text, strlen(text));
}

static void test_told_once_when_the_client_closes(void **state)
{
    send_text(LATER);
    assert_int_equal(watch_all(), 1);
    assert_int_equal(told, 0);
    reset();
    assert_int_equal(told, 1);
    harness_round(&harness);
    harness_answer_waiting();
    assert_int_equal(told, 1);
}

static void test_a_client_that_half_closes_still_gets_its_answer(void **state)
{
    send_text(LATER);
    watch_all();
    half_close();
    assert_int_equal(told, 1);
    harness_answer_waiting();
    harness_round(&harness);
    assert_true(sent_has("200 OK"));
    assert_int_equal(told, 1);
    assert_null(harness.connection);
}

/* Nothing more is read after it, yet its end is noticed. */
static void test_told_after_connection_close(void **state)
{
    send_text("POST /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    watch_all();
    assert_false(harness_reads(&harness));
    half_close();
    assert_int_equal(told, 1);
    harness_answer_waiting();
    harness_round(&harness);
    assert_true(sent_has("200 OK"));
}

static void test_reset_is_told_after_connection_close(void **state)
{
    send_text("POST /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    watch_all();
    reset();
    assert_int_equal(told, 1);
}

static void test_all_under_way_are_told_each_once(void **state)
{
    send_text(LATER LATER LATER);
    assert_int_equal(watch_all(), 3);
    half_close();
    assert_int_equal(told, 3);
    reset();
    assert_int_equal(told, 3);
}

/* So many are under way that the socket is not read. */
static void test_told_behind_pipelined_requests_that_wait(void **state)
{
    for (int i = 0; i < HTTP_PIPELINE_MAX; i++)
        send_text(LATER);
    send_text(STATIC);
    assert_false(harness_reads(&harness));
    assert_int_equal(watch_all(), HTTP_PIPELINE_MAX);
    half_close();
    assert_int_equal(told, HTTP_PIPELINE_MAX);
    harness_answer_waiting();
    harness_round(&harness);
    harness_round(&harness);
    assert_true(sent_has("static")); /* what came before the end is answered, too */
    assert_null(harness.connection);
}

static void test_told_where_the_answers_before_it_are_not_taken(void **state)
{
    send_quota = 0;
    send_text(STATIC LATER);
    watch_all();
    half_close();
    assert_int_equal(told, 1);
    send_quota = SIZE_MAX;
}

static void test_the_handler_may_answer_when_it_is_told(void **state)
{
    answers_at_once = true;
    send_text(LATER LATER);
    watch_all();
    waiting = NULL;
    half_close();
    assert_int_equal(told, 2);
    assert_true(sent_has("partial"));
    assert_null(harness.connection);
}

static void test_the_handler_may_answer_when_the_connection_broke(void **state)
{
    answers_at_once = true;
    send_text(LATER LATER);
    watch_all();
    waiting = NULL;
    connection_abort(harness.connection);
    assert_int_equal(told, 2);
    assert_false(sent_has("partial"));
}

static void answer_both(void *ctx)
{
    told++;
    harness_answer_waiting();
}

static void test_one_that_is_told_may_answer_another_of_its_connection(void **state)
{
    send_text(LATER LATER);
    http_request_on_gone(waiting, on_gone, waiting);
    http_request_on_gone(http_request_next(waiting), answer_both, NULL);
    connection_abort(harness.connection);
    assert_int_equal(told, 1); /* the other was answered before its turn */
}

static void test_never_told_after_the_answer(void **state)
{
    send_quota = 0;
    send_text(LATER);
    watch_all();
    harness_answer_waiting();
    half_close();
    connection_abort(harness.connection);
    assert_int_equal(told, 0);
}

static void test_never_told_after_it_was_taken_back(void **state)
{
    send_text(LATER);
    watch_all();
    http_request_on_gone(waiting, NULL, NULL);
    half_close();
    assert_int_equal(told, 0);
}

static void test_told_at_once_where_the_client_has_gone_before(void **state)
{
    send_text(LATER);
    half_close();
    watch_all();
    assert_int_equal(told, 1);
    connection_abort(harness.connection);
    watch_all();
    assert_int_equal(told, 2);
}

/* A stream has hooks of its own. */
static void test_never_told_once_a_stream_has_begun(void **state)
{
    static const struct http_stream_hooks hooks = {.closed = on_stream_closed};
    struct http_request *req;

    stream_closed = 0;
    send_text(LATER);
    watch_all();
    req = waiting;
    waiting = NULL;
    assert_true(http_stream_begin(req, &(struct http_response){.status = 200}, &hooks, NULL));
    reset();
    connection_abort(harness.connection);
    assert_int_equal(told, 0);
    assert_int_equal(stream_closed, 1);
}

/* Refused in mid-request: the answers before the refusal must not be lost to a reset. */
static void test_what_a_client_that_left_sent_last_is_read_away_before_closing(void **state)
{
    send_text(LATER "no HTTP\r\n\r\n");
    watch_all();
    send_text("more of it");
    half_close();
    assert_int_equal(told, 1);
    harness_answer_waiting();
    harness_round(&harness);
    assert_true(sent_has("200 OK"));
    for (int i = 0; i < 5; i++)
        harness_round(&harness);
    char answer[64];
    assert_int_equal(recv(harness.peer, answer, sizeof(answer), 0), 0); /* an end, no reset */
    assert_null(harness.connection);
}

/* The client of a request that comes from `address` with the header lines `lines`. */
static uint64_t client_with(const char *address, const char *lines)
{
    char request[256];
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    uint64_t client;

    v4->sin_family = AF_INET;
    if (inet_pton(AF_INET, address, &v4->sin_addr) != 1) {
        v6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
    }
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    harness.shared.net.sockets_open++;
    struct connection *c =
        exchange_new(harness.thread, NULL, pair[0], (struct sockaddr *)&storage, false);
    snprintf(request, sizeof(request), "POST /later HTTP/1.1\r\nHost: h\r\n%s\r\n", lines);
    exchange_receive(c, request, strlen(request));
    client = http_request_client(waiting);
    connection_abort(c);
    assert_true(http_request_client(waiting) == client); /* also when the client has gone */
    harness_answer_waiting();
    close(pair[1]);
    return client;
}

static uint64_t client_at(const char *address)
{
    return client_with(address, "");
}

static void test_requests_of_one_address_have_one_client_number(void **state)
{
    uint64_t first = client_at("192.0.2.1");

    assert_true(client_at("192.0.2.1") == first);
    assert_true(client_at("::ffff:192.0.2.1") == first);
    assert_true(client_at("192.0.2.2") != first);
    assert_true(client_at("2001:db8:0:1::1") == client_at("2001:db8:0:1::2"));
    assert_true(client_at("2001:db8:0:1::1") != client_at("2001:db8:0:2::1"));
}

/* Else all users behind a balancer would be one client, and share what one may have. */
static void test_a_trusted_proxy_names_the_client(void **state)
{
    struct ranges trusted;
    struct errbuf err = ERRBUF_INIT;
    const char *line = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-For: 192.0.2.1\r\n";

    assert_int_equal(ranges_parse(&trusted, "10.0.0.1", &err), 0);
    harness.shared.options.trusted_proxies = &trusted;
    assert_true(client_with("10.0.0.1", line) == client_at("192.0.2.1"));
    assert_true(client_with("10.0.0.1", "X-Forwarded-For: unknown\r\n") == client_at("10.0.0.1"));
    assert_true(client_with("10.0.0.2", line) == client_at("10.0.0.2")); /* no proxy of ours */
    harness.shared.options.trusted_proxies = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_told_once_when_the_client_closes),
        TEST(test_a_client_that_half_closes_still_gets_its_answer),
        TEST(test_told_after_connection_close),
        TEST(test_reset_is_told_after_connection_close),
        TEST(test_all_under_way_are_told_each_once),
        TEST(test_told_behind_pipelined_requests_that_wait),
        TEST(test_told_where_the_answers_before_it_are_not_taken),
        TEST(test_the_handler_may_answer_when_it_is_told),
        TEST(test_the_handler_may_answer_when_the_connection_broke),
        TEST(test_one_that_is_told_may_answer_another_of_its_connection),
        TEST(test_never_told_after_the_answer),
        TEST(test_never_told_after_it_was_taken_back),
        TEST(test_told_at_once_where_the_client_has_gone_before),
        TEST(test_never_told_once_a_stream_has_begun),
        TEST(test_what_a_client_that_left_sent_last_is_read_away_before_closing),
        TEST(test_requests_of_one_address_have_one_client_number),
        TEST(test_a_trusted_proxy_names_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
