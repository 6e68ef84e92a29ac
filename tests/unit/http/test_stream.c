/* Responses in pieces, over a connection without a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness.h"

static struct harness harness;

static int set_up(void **state)
{
    harness_init(&harness);
    harness_connect(&harness);
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

static void feed(const char *text)
{
    assert_true(harness_feed(&harness, text, strlen(text)));
}

static void write_piece(const char *text)
{
    assert_int_equal(http_stream_write(stream, slice_of_string(text)), 0);
}

static bool sent_has(const char *text)
{
    return sent.len > 0 && memmem(sent.data, sent.len, text, strlen(text));
}

static bool sent_ends_with(const char *text)
{
    size_t len = strlen(text);

    return sent.len >= len && memcmp(sent.data + sent.len - len, text, len) == 0;
}

/* ---- Framing ---- */

static void test_head_is_sent_before_any_piece(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(sent_has("HTTP/1.1 200 OK\r\n"));
    assert_true(sent_has("Content-Type: text/plain\r\n"));
    assert_true(sent_has("Transfer-Encoding: chunked\r\n"));
    assert_false(sent_has("Content-Length"));
    assert_true(sent_ends_with("\r\n\r\n"));
    http_stream_end(stream);
}

static void test_pieces_are_chunks_sent_at_the_end_of_the_round(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    write_piece("one");
    write_piece("0123456789abcdef");
    assert_int_equal(http_stream_unsent(stream), 8 + 22);
    harness_round(&harness);
    assert_true(sent_ends_with("\r\n\r\n3\r\none\r\n10\r\n0123456789abcdef\r\n"));
    assert_int_equal(http_stream_unsent(stream), 0);
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("cdef\r\n0\r\n\r\n"));
}

static void test_connection_goes_on_after_the_end(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\nGET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_false(sent_has("static")); /* its turn comes after the stream */
    write_piece("x");
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("static"));
    assert_non_null(harness.connection);
}

static void test_http_1_0_gets_bytes_until_the_connection_closes(void **state)
{
    feed("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_true(sent_has("Connection: close\r\n"));
    assert_false(sent_has("chunked"));
    write_piece("raw");
    harness_round(&harness);
    assert_true(sent_ends_with("\r\n\r\nraw"));
    assert_non_null(harness.connection);
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("\r\n\r\nraw"));
    assert_null(harness.connection);
}

static void test_head_request_wants_no_pieces(void **state)
{
    feed("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_null(stream);
    assert_true(sent_has("Transfer-Encoding: chunked\r\n"));
    feed("GET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(sent_ends_with("static"));
}

/* ---- Slow clients ---- */

static void test_drained_is_told_when_the_socket_has_taken_all(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    send_quota = 0;
    write_piece("slow");
    harness_round(&harness);
    assert_int_equal(stream_drained, 0);
    assert_int_equal(http_stream_unsent(stream), 9);
    send_quota = 4;
    exchange_send(harness.connection);
    assert_int_equal(stream_drained, 0);
    assert_int_equal(http_stream_unsent(stream), 5);
    send_quota = SIZE_MAX;
    exchange_send(harness.connection);
    assert_int_equal(stream_drained, 1);
    assert_true(sent_ends_with("4\r\nslow\r\n"));
    http_stream_end(stream);
}

static void test_what_waits_is_charged_and_refused_without_room(void **state)
{
    static char piece[10 * 1024];

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    send_quota = 0;
    int written = 0;
    while (http_stream_write(stream, slice_of(piece, sizeof(piece))) == 0)
        assert_true(++written < 100);
    size_t room = ledger_account(&harness.ledger, LEDGER_ANSWERS)->ceiling;
    assert_int_equal(written, room / sizeof(piece));
    send_quota = SIZE_MAX;
    exchange_send(harness.connection);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(http_stream_write(stream, slice_of(piece, sizeof(piece))), 0);
    http_stream_end(stream);
}

/* A stream whose client takes nothing, `stalled_ms` ago for the first time; then a round of the
 * loop while all answers together hold `percent` of what they may. True where it was cut off. */
static bool is_cut_off(unsigned percent, unsigned stalled_ms)
{
    struct account *answers = ledger_account(&harness.ledger, LEDGER_ANSWERS);
    bool cut;

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    send_quota = 0;
    write_piece("not taken");
    harness_round(&harness);
    harness.connection->socket.write_deadline.at_ms -= stalled_ms;
    size_t others = answers->ceiling / 100 * percent - account_used(answers);
    assert_true(account_take(answers, others));
    harness_round(&harness);
    cut = stream_closed == 1;
    account_give(answers, others);
    send_quota = SIZE_MAX;
    if (!cut) {
        http_stream_end(stream);
        return false;
    }
    close(harness.peer);
    harness_connect(&harness);
    return true;
}

/* Else a client that opens many and reads none would keep the answers of all others out. */
static void test_who_takes_nothing_makes_room_where_memory_is_short(void **state)
{
    assert_false(is_cut_off(HTTP_RELIEF_PERCENT - 1, 10 * HTTP_STALL_MS));
    assert_false(is_cut_off(HTTP_RELIEF_PERCENT + 1, HTTP_STALL_MS / 2));
    assert_true(is_cut_off(HTTP_RELIEF_PERCENT + 1, HTTP_STALL_MS));
}

/* A byte now and then is not enough to hold an answer for ever. */
static void test_the_deadline_moves_with_lots_not_with_bytes(void **state)
{
    static char piece[100 * 1024];

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    send_quota = 0;
    assert_int_equal(http_stream_write(stream, slice_of(piece, sizeof(piece))), 0);
    harness_round(&harness);
    uint64_t first = harness.connection->socket.write_deadline.at_ms;
    for (int i = 0; i < 10; i++) {
        usleep(2000);
        harness_round(&harness);
        send_quota = 100;
        exchange_send(harness.connection);
        assert_true(harness.connection->socket.write_deadline.at_ms == first);
    }
    send_quota = HTTP_WRITE_LOT_BYTES;
    exchange_send(harness.connection);
    assert_true(harness.connection->socket.write_deadline.at_ms > first);
    send_quota = SIZE_MAX;
    http_stream_end(stream);
}

static void test_a_long_stream_gives_back_what_has_left(void **state)
{
    static char piece[8 * 1024];

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 1000; i++) { /* always one piece behind */
        assert_int_equal(http_stream_write(stream, slice_of(piece, sizeof(piece))), 0);
        send_quota = http_stream_unsent(stream) - 1000;
        exchange_send(harness.connection);
        send_quota = 0;
        harness_round(&harness);
        assert_true(http_stream_unsent(stream) >= 1000);
        assert_true(stream->answer.capacity < 512 * 1024);
    }
    send_quota = SIZE_MAX;
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("\r\n0\r\n\r\n"));
}

/* ---- Ends that are not the handler's ---- */

static void test_closed_is_told_once_when_the_client_goes(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    send_quota = 0;
    write_piece("never read");
    connection_abort(harness.connection);
    assert_int_equal(stream_closed, 1);
    assert_null(stream);
    harness_round(&harness);
    assert_int_equal(stream_closed, 1);
}

static void test_last_call_when_the_client_has_sent_its_last_byte(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    exchange_receive_end(harness.connection);
    assert_int_equal(stream_last_calls, 1);
    write_piece("still read");
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("a\r\nstill read\r\n0\r\n\r\n"));
    assert_null(harness.connection);
}

static void test_last_call_when_the_server_stops(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    exchange_drain(harness.connection);
    assert_int_equal(stream_last_calls, 1);
    assert_int_equal(stream_closed, 0);
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("\r\n\r\n0\r\n\r\n"));
    assert_null(harness.connection);
}

static void test_a_stream_begun_during_a_stop_gets_its_last_call(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost:");
    harness.thread->net.state = NET_LOOP_DRAINING;
    exchange_drain(harness.connection);
    feed(" h\r\n\r\n");
    assert_int_equal(stream_last_calls, 1);
    http_stream_end(stream);
    harness.thread->net.state = NET_LOOP_SERVING;
}

/* The request came before the stop, and its handler answers after it. */
static void test_a_stream_begun_after_the_stop_gets_its_last_call(void **state)
{
    static const struct http_stream_hooks hooks = {.last_call = on_stream_last_call};

    feed("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    harness.thread->net.state = NET_LOOP_DRAINING;
    exchange_drain(harness.connection);
    stream_last_calls = 0;
    assert_true(http_stream_begin(waiting, &(struct http_response){.status = 200}, &hooks, NULL));
    harness_round(&harness);
    assert_true(stream_last_calls > 0);
    http_stream_end(waiting);
    waiting = NULL;
    harness_round(&harness);
    assert_null(harness.connection);
    harness.thread->net.state = NET_LOOP_SERVING;
}

/* What waits behind the stream is charged until its turn comes, whatever the stream does. */
static void test_a_stream_keeps_the_charges_of_requests_behind_it(void **state)
{
    static char piece[10 * 1024];

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"
         "GET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    size_t behind = ledger_used(&harness.ledger);
    assert_true(behind > 0);
    assert_int_equal(http_stream_write(stream, slice_of(piece, sizeof(piece))), 0);
    harness_round(&harness);
    assert_int_equal(ledger_used(&harness.ledger), behind);
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("static"));
}

static void test_no_memory_for_a_piece_sends_nothing_of_it(void **state)
{
    static char piece[10 * 1024];

    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    write_piece("before");
    stream->answer.ceiling = stream->answer.capacity;
    assert_int_equal(http_stream_write(stream, slice_of(piece, sizeof(piece))), LM_EBUSY);
    write_piece("after");
    harness_round(&harness);
    assert_true(sent_ends_with("6\r\nbefore\r\n5\r\nafter\r\n"));
    http_stream_end(stream);
}

/* What is pipelined behind it could only wait for ever, and hold memory while it does. */
static void test_an_endless_stream_is_the_last_answer_on_its_connection(void **state)
{
    feed("GET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    feed("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n"
         "GET /items?a HTTP/1.1\r\nHost: h\r\n\r\nGET /items?b HTTP/1.1\r\nHo");
    assert_true(sent_has("static"));
    assert_true(sent_has("Connection: close\r\n"));
    assert_int_equal(harness.connection->under_way, 1);
    assert_int_equal(harness.connection->input.capacity, 0);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    write_piece("event");
    harness_round(&harness);
    http_stream_end(stream);
    harness_round(&harness);
    assert_true(sent_ends_with("5\r\nevent\r\n0\r\n\r\n"));
    assert_false(sent_has("200 OK\r\n\r\na"));
}

/* As of a handler that first asks the store: what came behind it meanwhile was not begun. */
static void test_a_stream_that_begins_late_drops_what_waits_behind_it(void **state)
{
    static const struct http_stream_hooks hooks = {.is_endless = true};

    feed("GET /alone HTTP/1.1\r\nHost: h\r\n\r\nGET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(harness.connection->under_way, 1);
    assert_true(harness.connection->input.len > 0);
    struct http_request *req = waiting;
    waiting = NULL;
    assert_true(http_stream_begin(req, &(struct http_response){.status = 200}, &hooks, NULL));
    assert_int_equal(harness.connection->input.capacity, 0);
    http_stream_end(req);
    harness_round(&harness);
    assert_false(sent_has("static"));
    assert_true(sent_ends_with("0\r\n\r\n"));
}

static void test_head_of_an_endless_stream_leaves_the_connection_open(void **state)
{
    feed("HEAD /endless HTTP/1.1\r\nHost: h\r\n\r\nGET /static HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(sent_ends_with("static"));
}

static void test_abort_ends_without_the_last_chunk(void **state)
{
    feed("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    write_piece("half");
    harness_round(&harness);
    http_stream_abort(stream);
    assert_int_equal(stream_closed, 0);
    harness_round(&harness);
    assert_null(harness.connection);
    assert_true(sent_ends_with("4\r\nhalf\r\n"));
}

static void test_begin_after_the_client_has_gone_wants_nothing(void **state)
{
    static const struct http_stream_hooks hooks = {.drained = NULL};

    feed("POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    connection_abort(harness.connection);
    struct http_request *req = waiting;
    waiting = NULL;
    assert_false(http_stream_begin(req, &(struct http_response){.status = 200}, &hooks, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_head_is_sent_before_any_piece),
        TEST(test_pieces_are_chunks_sent_at_the_end_of_the_round),
        TEST(test_connection_goes_on_after_the_end),
        TEST(test_http_1_0_gets_bytes_until_the_connection_closes),
        TEST(test_head_request_wants_no_pieces),
        TEST(test_drained_is_told_when_the_socket_has_taken_all),
        TEST(test_what_waits_is_charged_and_refused_without_room),
        TEST(test_who_takes_nothing_makes_room_where_memory_is_short),
        TEST(test_the_deadline_moves_with_lots_not_with_bytes),
        TEST(test_a_long_stream_gives_back_what_has_left),
        TEST(test_closed_is_told_once_when_the_client_goes),
        TEST(test_last_call_when_the_client_has_sent_its_last_byte),
        TEST(test_last_call_when_the_server_stops),
        TEST(test_a_stream_begun_during_a_stop_gets_its_last_call),
        TEST(test_a_stream_begun_after_the_stop_gets_its_last_call),
        TEST(test_a_stream_keeps_the_charges_of_requests_behind_it),
        TEST(test_no_memory_for_a_piece_sends_nothing_of_it),
        TEST(test_an_endless_stream_is_the_last_answer_on_its_connection),
        TEST(test_a_stream_that_begins_late_drops_what_waits_behind_it),
        TEST(test_head_of_an_endless_stream_leaves_the_connection_open),
        TEST(test_abort_ends_without_the_last_chunk),
        TEST(test_begin_after_the_client_has_gone_wants_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
