/* Bodies that are handed over in lots while they come, over a connection without a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness.h"

#define HEAD "POST /lots HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /static HTTP/1.1\r\nHost: h\r\n\r\n"

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
    assert_null(upload);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(harness.thread->requests_under_way, 0);
    assert_int_equal(harness.shared.uploads_open, 0);
    harness_release(&harness);
    return 0;
}

static void feed(const char *text)
{
    assert_true(harness_reads(&harness));
    assert_true(harness_feed(&harness, text, strlen(text)));
}

static bool sent_has(const char *text)
{
    return sent.len > 0 && memmem(sent.data, sent.len, text, strlen(text));
}

static void assert_came(const char *text)
{
    assert_int_equal(uploaded.len, strlen(text));
    assert_memory_equal(uploaded.data, text, uploaded.len);
}

/* Which must be open. */
static struct connection *connection(void)
{
    if (!harness.connection)
        abort();
    return harness.connection;
}

/* The handler wants the next lot. */
static void go_on(void)
{
    http_request_lot_done(upload);
    harness_round(&harness);
}

/* ---- Lots ---- */

static void test_a_body_within_one_read_is_whole(void **state)
{
    feed(HEAD "3\r\none\r\n0\r\n\r\n");
    assert_came("one");
    assert_true(upload_is_whole);
    answer_upload();
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 202 "));
    feed(NEXT);
    assert_true(sent_has("static"));
}

static void test_lots_come_before_the_body_ends(void **state)
{
    feed(HEAD);
    assert_null(upload);
    feed("3\r\none\r\n");
    assert_came("one");
    assert_false(upload_is_whole);
    feed("3\r\ntwo\r\n"); /* gathers: the first has not been taken */
    feed("5\r\nthree\r\n");
    assert_int_equal(upload_lots, 1);
    go_on();
    assert_int_equal(upload_lots, 2);
    assert_came("onetwothree");
    go_on();
    assert_int_equal(upload_lots, 2);
    feed("4\r\nfour\r\n");
    assert_int_equal(upload_lots, 3);
    feed("0\r\n\r\n");
    assert_false(upload_is_whole);
    go_on();
    assert_true(upload_is_whole);
    assert_int_equal(upload_lots, 4);
    assert_came("onetwothreefour");
    assert_int_equal(sent.len, 0);
    answer_upload();
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 202 "));
    assert_false(sent_has("Connection: close"));
    feed(NEXT);
    assert_true(sent_has("static"));
}

static void test_a_body_longer_than_any_limit_holds_one_lot(void **state)
{
    static char piece[50000];
    char head[200];
    size_t most = 0;

    upload_takes_at_once = true;
    memset(piece, 'x', sizeof(piece));
    snprintf(head, sizeof(head), "POST /lots HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
             100 * sizeof(piece));
    feed(head);
    for (int i = 0; i < 100; i++) {
        assert_true(harness_feed(&harness, piece, sizeof(piece)));
        if (ledger_used(&harness.ledger) > most)
            most = ledger_used(&harness.ledger);
    }
    assert_int_equal(uploaded.len, 100 * sizeof(piece));
    assert_true(upload_is_whole);
    assert_in_range(most, 0, 2 * sizeof(piece));
    answer_upload();
}

static void test_the_client_is_not_read_from_when_a_lot_has_gathered(void **state)
{
    static char chunk[6 + 60000 + 2];
    unsigned n = 0;

    ledger_init(&harness.ledger, 8 << 20);
    memset(chunk, 'y', sizeof(chunk));
    memcpy(chunk, "ea60\r\n", 6);
    memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
    feed(HEAD "1\r\nx\r\n");
    for (; harness_reads(&harness) && n < 20; n++)
        assert_true(harness_feed(&harness, chunk, sizeof(chunk)));
    assert_int_equal(n, HTTP_LOT_BYTES / 60000 + 1);
    assert_int_equal(uploaded.len, 1);
    go_on();
    assert_int_equal(uploaded.len, 1 + n * 60000);
    assert_true(harness_reads(&harness));
}

static void test_what_follows_waits_for_the_last_lot(void **state)
{
    feed(HEAD "1\r\nx\r\n");
    feed("1\r\ny\r\n0\r\n\r\n" NEXT);
    assert_false(harness_reads(&harness));
    assert_int_equal(upload_lots, 1);
    go_on();
    assert_came("xy");
    assert_true(upload_is_whole);
    answer_upload();
    harness_round(&harness);
    assert_true(sent_has("taken"));
    assert_true(sent_has("static"));
}

static void test_a_client_that_waits_for_100_gets_it_once(void **state)
{
    feed("POST /lots HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
         "Expect: 100-continue\r\n\r\n");
    assert_int_equal(sent.len, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
    feed("1\r\nx\r\n");
    go_on();
    harness_round(&harness);
    assert_int_equal(sent.len, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void test_a_coded_body_is_one(void **state)
{
    feed(
        "POST /lots HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n");
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 413 "));
    assert_null(upload);
}

/* ---- Ends before the end ---- */

static void test_a_client_that_is_cut_short_is_told_when_what_came_is_taken(void **state)
{
    feed(HEAD "3\r\none\r\n");
    feed("3\r\ntwo\r\n");
    exchange_receive_end(connection());
    assert_int_equal(upload_overs, 0);
    go_on();
    assert_came("onetwo");
    assert_int_equal(upload_overs, 0);
    go_on();
    assert_int_equal(upload_overs, 1);
    assert_true(sent_has("HTTP/1.1 400 "));
    harness_round(&harness);
    assert_null(harness.connection);
}

static void test_what_is_no_chunk_ends_it_when_what_came_is_taken(void **state)
{
    feed(HEAD "3\r\none\r\n");
    feed("3\r\ntwo\r\n");
    feed("nonsense\r\n");
    go_on();
    assert_int_equal(upload_overs, 0);
    go_on();
    assert_int_equal(upload_overs, 1);
    assert_true(sent_has("HTTP/1.1 400 "));
    assert_true(sent_has("Connection: close"));
}

static void test_a_stop_ends_it_when_what_came_is_taken(void **state)
{
    feed(HEAD "3\r\none\r\n");
    feed("3\r\ntwo\r\n");
    exchange_drain(connection());
    assert_false(harness_reads(&harness));
    go_on();
    assert_came("onetwo");
    assert_false(sent_has("HTTP/1.1"));
    go_on();
    assert_int_equal(upload_overs, 1);
    assert_true(sent_has("HTTP/1.1 503 "));
    assert_true(sent_has("Connection: close"));
}

static void test_a_stop_ends_a_silent_one_at_once(void **state)
{
    feed(HEAD);
    exchange_drain(connection());
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 503 "));
}

static void test_a_stop_leaves_one_that_has_ended_to_its_answer(void **state)
{
    feed(HEAD "1\r\nx\r\n");
    feed("0\r\n\r\n");
    exchange_drain(connection());
    go_on();
    assert_true(upload_is_whole);
    answer_upload();
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 202 "));
}

static void test_a_client_that_goes_is_told_when_the_lot_is_taken(void **state)
{
    feed(HEAD "1\r\nx\r\n");
    connection_abort(connection());
    assert_int_equal(upload_overs, 0);
    http_request_lot_done(upload);
    assert_int_equal(upload_overs, 1);
}

static void test_a_client_that_goes_between_lots_is_told_at_once(void **state)
{
    feed(HEAD "1\r\nx\r\n");
    go_on();
    connection_abort(connection());
    assert_int_equal(upload_overs, 1);
}

static void test_an_early_answer_is_the_last(void **state)
{
    feed(HEAD "1\r\nx\r\n");
    answer_upload();
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 202 "));
    assert_true(sent_has("Connection: close"));
    assert_int_equal(connection()->state, CONNECTION_LINGERING);
    assert_null(connection()->message);
}

static void test_without_room_for_a_lot_it_is_refused(void **state)
{
    static char piece[60000];

    feed("POST /lots HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n");
    for (int i = 0; i < 20 && harness_reads(&harness); i++)
        harness_feed(&harness, piece, sizeof(piece));
    go_on();
    go_on();
    assert_int_equal(upload_overs, 1);
    assert_true(sent_has("HTTP/1.1 503 ") || sent_has("HTTP/1.1 413 "));
}

/* ---- Limits ---- */

static void test_silence_is_for_the_time_out_of_uploads(void **state)
{
    feed("POST /lots HTTP/1.1\r\nHost: h\r\n");
    assert_int_equal(connection()->socket.read_deadline.kind, TIMEOUT_REQUEST);
    feed("Transfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(connection()->socket.read_deadline.kind, TIMEOUT_UPLOAD);
    feed("1\r\nx\r\n");
    feed("0\r\n\r\n");
    assert_int_equal(connection()->socket.read_deadline.kind, TIMEOUT_NONE);
    go_on();
    answer_upload();
    harness_round(&harness);
    assert_int_equal(connection()->socket.read_deadline.kind, TIMEOUT_IDLE);
    feed(HEAD "1\r\nx\r\n");
    go_on();
    exchange_timed_out(connection(), TIMEOUT_UPLOAD);
    assert_int_equal(upload_overs, 1);
}

static void test_a_part_of_the_connections_may_be_uploads(void **state)
{
    harness.shared.uploads_open = 100 / HTTP_UPLOADS_SHARE + 1;
    feed(HEAD);
    harness_round(&harness);
    assert_true(sent_has("HTTP/1.1 503 "));
    assert_true(sent_has("too many uploads: at most 26"));
    harness.shared.uploads_open -= 100 / HTTP_UPLOADS_SHARE + 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_a_body_within_one_read_is_whole),
        TEST(test_lots_come_before_the_body_ends),
        TEST(test_a_body_longer_than_any_limit_holds_one_lot),
        TEST(test_the_client_is_not_read_from_when_a_lot_has_gathered),
        TEST(test_what_follows_waits_for_the_last_lot),
        TEST(test_a_client_that_waits_for_100_gets_it_once),
        TEST(test_a_coded_body_is_one),
        TEST(test_a_client_that_is_cut_short_is_told_when_what_came_is_taken),
        TEST(test_what_is_no_chunk_ends_it_when_what_came_is_taken),
        TEST(test_a_stop_ends_it_when_what_came_is_taken),
        TEST(test_a_stop_ends_a_silent_one_at_once),
        TEST(test_a_stop_leaves_one_that_has_ended_to_its_answer),
        TEST(test_a_client_that_goes_is_told_when_the_lot_is_taken),
        TEST(test_a_client_that_goes_between_lots_is_told_at_once),
        TEST(test_an_early_answer_is_the_last),
        TEST(test_without_room_for_a_lot_it_is_refused),
        TEST(test_silence_is_for_the_time_out_of_uploads),
        TEST(test_a_part_of_the_connections_may_be_uploads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
