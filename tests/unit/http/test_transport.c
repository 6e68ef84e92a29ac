/* HTTP over transports: what the bytes come and leave by must not change what is said. */
#include "../cmocka_all.h"
#include "../net/fault_transport.h"
#include "harness.h"
#include "net/plain.h"

enum { ROUNDS_MAX = 200000, SEEDS = 40 };

static struct harness harness;

static struct buffer requests;
static struct buffer answers;

static void make_requests(void)
{
    char body[900];

    buffer_init(&requests, 1 << 20);
    for (unsigned i = 0; i < 20; i++) {
        size_t len = i * 47;

        memset(body, 'a' + (int)i, sizeof(body));
        buffer_appendf(&requests, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                       len);
        buffer_append(&requests, body, len);
        if (i % 5 == 0)
            buffer_append_string(&requests, "GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    buffer_append_string(&requests,
                         "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n");
    buffer_append_string(&requests, "GET /static HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

static int set_up(void **state)
{
    harness_init(&harness);
    make_requests();
    buffer_init(&answers, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    harness_release(&harness);
    buffer_release(&requests);
    buffer_release(&answers);
    return 0;
}

/* The second of an answer is not what is compared. */
static void blot_dates(struct buffer *b)
{
    char *end = b->data + b->len;

    for (char *at = b->data; at && (at = memmem(at, (size_t)(end - at), "\r\nDate: ", 8)); at += 8)
        memset(at + 8, '-', 29);
}

/* Sends `requests` and collects the answers in `answers`, until the server closes. */
static void talk(void)
{
    size_t at = 0;
    bool open = true;

    buffer_clear(&answers);
    harness_connect(&harness);
    for (int i = 0; i < ROUNDS_MAX && open; i++) {
        char piece[4096];
        ssize_t n = send(harness.peer, requests.data + at, requests.len - at, MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        harness_round(&harness);
        n = recv(harness.peer, piece, sizeof(piece), 0);
        if (n > 0)
            buffer_append(&answers, piece, (size_t)n);
        open = n > 0 || (n < 0 && errno == EAGAIN);
    }
    assert_false(open);
    close(harness.peer);
    harness_round(&harness);
    blot_dates(&answers);
}

static void assert_nothing_is_left(void)
{
    for (int i = 0; i < 10; i++)
        harness_round(&harness);
    assert_int_equal(harness.thread->requests_under_way, 0);
    assert_int_equal(harness.thread->net.sockets_len, 0);
    assert_int_equal(ledger_used(&harness.ledger), 0);
}

static void expect_plain(struct buffer *expected)
{
    harness.thread->net.transport = &plain_transport;
    talk();
    assert_nothing_is_left();
    *expected = answers;
    assert_non_null(memmem(expected->data, expected->len, "hello world", 11));
    buffer_init(&answers, 1 << 20);
    harness.thread->net.transport = &fault_transport;
}

static void the_answers_are_the_same_whatever_the_pieces(void **state)
{
    struct buffer expected;

    expect_plain(&expected);
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        fault_transport_plan(&(struct fault_plan){.seed = seed,
                                                  .pieces = seed % 4 == 0 ? 0 : 7 * seed,
                                                  .hesitates = seed % 2 == 0,
                                                  .reads_ahead = seed % 3 == 0,
                                                  .turns = seed % 5 == 0});
        talk();
        assert_int_equal(answers.len, expected.len);
        assert_memory_equal(answers.data, expected.data, expected.len);
        assert_nothing_is_left();
    }
    buffer_release(&expected);
}

static void a_transport_that_breaks_ends_the_connection_and_leaves_nothing(void **state)
{
    bool failed = true;

    harness.thread->net.transport = &fault_transport;
    for (unsigned n = 1; failed; n++) {
        fault_transport_plan(&(struct fault_plan){.seed = n,
                                                  .pieces = 400,
                                                  .hesitates = n % 2 == 0,
                                                  .reads_ahead = n % 3 == 0,
                                                  .fails_at = n,
                                                  .error = n % 2 == 0 ? ECONNRESET : EIO});
        talk();
        failed = fault_transport_has_failed();
        assert_nothing_is_left();
    }
}

static void what_was_read_ahead_is_not_forgotten_while_an_answer_is_awaited(void **state)
{
    const char text[] = "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                        "GET /alone HTTP/1.1\r\nHost: a\r\n\r\n"
                        "GET /static HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char piece[4096];
    size_t len = 0;

    harness.thread->net.transport = &fault_transport;
    fault_transport_plan(&(struct fault_plan){.seed = 1, .pieces = 90, .reads_ahead = true});
    harness_connect(&harness);
    assert_int_equal(send(harness.peer, text, strlen(text), 0), strlen(text));
    for (int i = 0; i < 20; i++)
        harness_round(&harness);
    assert_int_equal(harness.connection->under_way, 2); /* what is behind /alone is not begun */
    for (int i = 0; i < 20; i++) {
        ssize_t n;

        harness_answer_waiting();
        harness_round(&harness);
        n = recv(harness.peer, piece + len, sizeof(piece) - len, 0);
        if (n > 0)
            len += (size_t)n;
    }
    assert_non_null(memmem(piece, len, "static", 6));
    close(harness.peer);
    assert_nothing_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_answers_are_the_same_whatever_the_pieces),
        TEST(a_transport_that_breaks_ends_the_connection_and_leaves_nothing),
        TEST(what_was_read_ahead_is_not_forgotten_while_an_answer_is_awaited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
