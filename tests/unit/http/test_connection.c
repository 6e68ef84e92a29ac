/*
 * Golden cases for a connection: what is sent, and what comes back, in short. Each case is fed
 * whole and in pieces of every small size, to a socket that takes all and to one that takes little,
 * and must answer the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../aborts.h"
#include "harness.h"

static struct harness harness;

/* ---- Answers in short: "STATUS [header: value]… |body|\n" ---- */

static bool is_shown(const char *line, size_t len)
{
    static const char *const hidden[] = {"Server:", "Date:", "Content-Length:", "Content-Type:"};

    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (len >= strlen(hidden[i]) && memcmp(line, hidden[i], strlen(hidden[i])) == 0)
            return false;
    }
    return true;
}

#define INVALID_BODY "{\"detail\":\"invalid HTTP request: "

static void shorten(struct buffer *out, struct slice text)
{
    const char *at = text.data, *end = text.data + text.len;

    while (at < end) {
        size_t body_len = 0;

        buffer_append(out, at + strlen("HTTP/1.1 "), 3);
        at = (const char *)memmem(at, (size_t)(end - at), "\r\n", 2) + 2;
        while (memcmp(at, "\r\n", 2) != 0) {
            const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);

            assert_non_null(eol);
            if (memcmp(at, "Content-Length: ", 16) == 0)
                body_len = (size_t)atol(at + 16);
            else if (is_shown(at, (size_t)(eol - at)))
                buffer_appendf(out, " [%.*s]", (int)(eol - at), at);
            at = eol + 2;
        }
        at += 2;
        assert_true(body_len <= (size_t)(end - at));
        if (body_len > strlen(INVALID_BODY) && memcmp(at, INVALID_BODY, strlen(INVALID_BODY)) == 0)
            buffer_append_string(out, " |invalid HTTP request|"); /* the reason is llhttp's */
        else if (body_len > 0)
            buffer_appendf(out, " |%.*s|", (int)body_len, at);
        buffer_append_char(out, '\n');
        at += body_len;
    }
}

/* Feeds `input` in pieces of `piece` bytes and returns the answers in short; free it. */
static char *converse(struct slice input, size_t piece, size_t quota)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    harness_connect(&harness);
    send_quota = quota;
    for (size_t at = 0; at < input.len; at += piece) {
        size_t n = input.len - at < piece ? input.len - at : piece;

        if (!harness_feed(&harness, input.data + at, n))
            break;
    }
    harness_disconnect(&harness);
    shorten(&text, buffer_slice(&sent));
    buffer_append_char(&text, '\0');
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(harness.thread->requests_under_way, 0);
    return text.data;
}

static void expect_slice(struct slice input, const char *answers)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 5, 7, 16, 61, 128};

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        for (size_t quota = SIZE_MAX; quota > 0; quota = quota > 7 ? 7 : 0) {
            size_t piece = pieces[i] < input.len ? pieces[i] : input.len;
            char *got = converse(input, piece, quota);

            if (strcmp(got, answers) != 0)
                print_error("in pieces of %zu, taking %zu at a time:\n", piece, quota);
            assert_string_equal(got, answers);
            free(got);
        }
    }
}

static void expect(const char *input, const char *answers)
{
    expect_slice(slice_of_string(input), answers);
}

#define HOST "Host: h\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define POST(text, len) "POST /echo HTTP/1.1\r\n" HOST "Content-Length: " len "\r\n\r\n" text
#define CHUNKED(body) "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n" body
#define INVALID "400 [Connection: close] |invalid HTTP request|\n"
#define NOT_FOUND "404 |{\"detail\":\"Not Found\"}|\n"

/* ---- What works ---- */

static void test_answers_keep_the_order_of_requests(void **state)
{
    expect(POST("abc", "3") GET("/items/7") GET("/static") POST("", "0"),
           "200 |abc|\n200 |7|\n200 |static|\n200\n");
    expect("POST /later HTTP/1.1\r\n" HOST "\r\n" GET("/static"), "200 |0|\n200 |static|\n");
}

static void test_empty_lines_before_a_request_are_skipped(void **state)
{
    expect("\r\n\r\n" GET("/static") "\r\n" GET("/static"), "200 |static|\n200 |static|\n");
}

static void test_chunked_bodies_are_put_together(void **state)
{
    expect(CHUNKED("3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n") GET("/items/1"),
           "200 |abcdefg|\n200 |1|\n");
    expect(CHUNKED("0\r\n\r\n"), "200\n");
}

static void test_head_has_no_body(void **state)
{
    harness_connect(&harness);
    const char *request = "HEAD /static HTTP/1.1\r\n" HOST "\r\n";
    harness_feed(&harness, request, strlen(request));
    buffer_append_char(&sent, '\0');
    assert_non_null(strstr(sent.data, "Content-Length: 6\r\n"));
    assert_string_equal(strstr(sent.data, "\r\n\r\n"), "\r\n\r\n");
    harness_disconnect(&harness);
}

static void test_header_values_are_trimmed_and_found_without_case(void **state)
{
    expect("POST /echo HTTP/1.1\r\nhOST: h\r\nCONTENT-type:   a/b \t \r\n"
           "content-LENGTH: 1\r\n\r\nx",
           "200 [X-Type: a/b] |x|\n");
    expect("POST /echo HTTP/1.1\r\nHost:\r\nContent-Type:\r\nContent-Length: 1\r\n\r\nx",
           "200 [X-Type: ] |x|\n");
}

static void test_targets(void **state)
{
    expect(GET("/items?a=%41&b#c"), "200 |a=%41&b|\n");
    expect(GET("http://h:80/items?x") GET("http://h"), "200 |x|\n" NOT_FOUND);
    expect(GET("/items/a%2fb%"), "200 |a/b%|\n");
    expect(GET("/items/%2541"), "200 |%41|\n");
    expect("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", NOT_FOUND);
}

static void test_100_is_said_before_the_body_and_in_turn(void **state)
{
    const char *head = "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                       "Content-Length: 3\r\n\r\n";

    harness_connect(&harness);
    harness_feed(&harness, head, strlen(head));
    assert_true(slice_equal(buffer_slice(&sent), SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n")));
    buffer_clear(&sent);
    harness_feed(&harness, "abc", 3);
    assert_memory_equal(sent.data, "HTTP/1.1 200", 12);
    harness_disconnect(&harness);

    const char *later = "POST /later HTTP/1.1\r\n" HOST "\r\n";
    harness_connect(&harness);
    harness_feed(&harness, later, strlen(later));
    harness_feed(&harness, head, strlen(head));
    assert_int_equal(sent.len, 0); /* the answer before it has not been given */
    harness_answer_waiting();
    harness_round(&harness);
    assert_memory_equal(sent.data, "HTTP/1.1 200", 12);
    assert_memory_equal(sent.data + sent.len - 25, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    harness_disconnect(&harness);
}

static void test_100_is_not_said_once_the_body_has_begun(void **state)
{
    const char *all = "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                      "Content-Length: 3\r\n\r\na";

    harness_connect(&harness);
    harness_feed(&harness, all, strlen(all));
    harness_feed(&harness, "bc", 2);
    assert_memory_equal(sent.data, "HTTP/1.1 200", 12);
    harness_disconnect(&harness);
}

static void test_connection_close_and_http_1_0(void **state)
{
    expect("GET /static HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET("/static"),
           "200 [Connection: close] |static|\n");
    expect("GET /static HTTP/1.0\r\n\r\n" GET("/static"), "200 [Connection: close] |static|\n");
    expect("GET /static HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET("/static"),
           "200 [Connection: keep-alive] |static|\n200 |static|\n");
}

static void test_an_upgrade_is_ignored(void **state)
{
    expect("GET /static HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\n"
           "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" GET("/items/1"),
           "200 |static|\n200 |1|\n");
}

/* ---- Refusals after which the connection goes on ---- */

static void test_refused_requests_are_read_to_their_end(void **state)
{
    expect("POST /nope HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" GET("/static"),
           NOT_FOUND "200 |static|\n");
    expect("PUT /echo HTTP/1.1\r\n" HOST
           "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET("/static"),
           "405 [Allow: POST] |{\"detail\":\"Method Not Allowed\"}|\n200 |static|\n");
    expect("DELETE /items/1 HTTP/1.1\r\n" HOST "\r\n",
           "405 [Allow: GET, HEAD] |{\"detail\":\"Method Not Allowed\"}|\n");
    expect("POST /echo HTTP/1.1\r\n" HOST
           "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx" GET("/static"),
           "415 [Accept-Encoding: gzip, deflate, zstd] |{\"detail\":\"Content-Encoding \\\"br\\\" "
           "is not "
           "supported, allowed are: gzip, deflate, zstd\"}|\n200 |static|\n");
    expect("GET /static HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n" GET("/static"),
           "417 |{\"detail\":\"Expect: only 100-continue can be met\"}|\n200 |static|\n");
}

static void test_a_slash_too_many_or_too_few_is_redirected(void **state)
{
    expect(GET("/static/?a=b"), "307 [Location: http://h/static?a=b]\n");
    expect(GET("/slash"), "307 [Location: http://h/slash/]\n");
    expect("POST /echo// HTTP/1.0\r\n\r\n", "307 [Connection: close] [Location: /echo]\n");
    expect(GET("/"), NOT_FOUND);
}

static void test_gzip_and_zstd_bodies_are_inflated(void **state)
{
    static const char gzip[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: X-GZIP\r\n"
                               "Content-Length: 26\r\n\r\n"
                               "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57"
                               "\xc8\x00\x91\x00\x80\xb4\x1b\xdb\x0b\x00";

    /* The trailer says another length: corrupt. */
    expect_slice(slice_of(gzip, sizeof(gzip) - 1),
                 "400 |{\"detail\":\"the body is not valid gzip: incorrect data check\"}|\n");
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Encoding: zstd\r\nContent-Length: 4\r\n\r\n"
           "abcd" GET("/static"),
           "400 |{\"detail\":\"the body is not valid zstd: Unknown frame descriptor\"}|\n"
           "200 |static|\n");
    expect("POST /echo HTTP/1.1\r\n" HOST
           "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
           "200 |x|\n");
}

static void test_a_route_may_say_that_bodies_tell_their_coding(void **state)
{
    static const char zlib[] = "POST /told-by-bytes HTTP/1.1\r\n" HOST
                               "Content-Encoding: gzip,deflate\r\nContent-Length: 11\r\n\r\n"
                               "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27";

    expect_slice(slice_of(zlib, sizeof(zlib) - 1), "200 |abc|\n");
    expect("POST /told-by-bytes HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n"
           "Content-Length: 2\r\n\r\n{}" GET("/static"),
           "200 |{}|\n200 |static|\n");
}

static void test_a_route_may_undo_codings_itself(void **state)
{
    expect("POST /other-codings HTTP/1.1\r\n" HOST "Content-Encoding: snappy\r\n"
           "Content-Length: 2\r\n\r\nxy" GET("/static"),
           "200 |xy|\n200 |static|\n");
    expect("POST /other-codings HTTP/1.1\r\n" HOST "Content-Encoding: zstd\r\n"
           "Content-Length: 4\r\n\r\nabcd",
           "400 |{\"detail\":\"the body is not valid zstd: Unknown frame descriptor\"}|\n");
}

#define OWN "[X-Own: 1] [X-Two: 2] |own words|\n"

static void test_a_route_refuses_in_its_own_words(void **state)
{
    expect("POST /own HTTP/1.1\r\n" HOST
           "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx" GET("/static"),
           "415 " OWN "200 |static|\n");
    expect("POST /own HTTP/1.1\r\n" HOST
           "Content-Encoding: zstd\r\nContent-Length: 1\r\n\r\nx" GET("/static"),
           "400 " OWN "200 |static|\n");
    expect("POST /own HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n",
           "413 [Connection: close] " OWN);
    expect("POST /own HTTP/1.1\r\n" HOST "Expect: more\r\n\r\n" GET("/static"),
           "417 |{\"detail\":\"Expect: only 100-continue can be met\"}|\n200 |static|\n");
    expect("GET /own HTTP/1.1\r\n" HOST "\r\n",
           "405 [Allow: POST] |{\"detail\":\"Method Not Allowed\"}|\n");
}

/* The socket takes all, so the answer before it has left. */
static void test_a_reset_is_no_answer_and_the_end(void **state)
{
    static const char *const inputs[] = {
        GET("/static") "POST /reset HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx" GET("/items/1"),
        GET("/static") "POST /reset HTTP/1.1\r\n" HOST "\r\n",
    };

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        char *got = converse(slice_of_string(inputs[i]), 1, SIZE_MAX);

        assert_string_equal(got, "200 |static|\n");
        free(got);
        /* In one piece, that answer has not left yet. */
        got = converse(slice_of_string(inputs[i]), strlen(inputs[i]), SIZE_MAX);
        assert_string_equal(got, "");
        free(got);
    }
}

static void test_a_refusal_may_be_a_reset(void **state)
{
    struct account *bodies = ledger_account(&harness.ledger, LEDGER_BODIES);

    static const char begun[] = "POST /own HTTP/1.1\r\n" HOST "Content-Length: 500\r\n\r\nx";

    harness_connect(&harness);
    assert_true(account_take(bodies, bodies->ceiling));
    harness_feed(&harness, begun, strlen(begun));
    assert_null(harness.connection);
    assert_int_equal(sent.len, 0);
    account_give(bodies, bodies->ceiling);
    harness_disconnect(&harness);
    assert_int_equal(harness.thread->requests_under_way, 0);
    assert_int_equal(ledger_used(&harness.ledger), 0);
}

/* ---- Refusals that end the connection ---- */

static void test_request_smuggling_is_refused(void **state)
{
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
           "0\r\n\r\n",
           INVALID);
    expect("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
           "0\r\n\r\n",
           INVALID);
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
           INVALID);
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc", INVALID);
    expect("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "400 [Connection: close] |{\"detail\":\"Transfer-Encoding in HTTP/1.0\"}|\n");
    expect("POST /echo HTTP/1.1\r\n" HOST HOST "Content-Length: 0\r\n\r\n",
           "400 [Connection: close] |{\"detail\":\"more than one Host header\"}|\n");
    expect("GET /static HTTP/1.1\r\n\r\n",
           "400 [Connection: close] |{\"detail\":\"no Host header\"}|\n");
    static const char *const framings[] = {
        "Content-Length: 3, 3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 3 3\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length : 3\r\n",
        " Content-Length: 3\r\n",
        "X: a\r\n b\r\n",
        "X: a\nContent-Length: 3\r\n",
        "X: a\rContent-Length: 3\r\n",
        "X\r\n",
        ": x\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    };
    for (size_t i = 0; i < sizeof(framings) / sizeof(framings[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "POST /echo HTTP/1.1\r\n" HOST "%s\r\nabc", framings[i]);
        expect(text, INVALID);
    }
    static const char *const codings[] = {"xchunked", "gzip, chunked"};
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n",
                 codings[i]);
        expect(text, "501 [Connection: close] |{\"detail\":\"Transfer-Encoding: only chunked is "
                     "supported\"}|\n");
    }
    expect_slice(SLICE_LITERAL("GET /static HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), INVALID);
    expect("GET /static HTTP/1.1\r\nHost : h\r\n\r\n", INVALID);
    expect("GET /static HTTP/1.1\nHost: h\n\n", INVALID);
}

static void test_broken_chunks_are_refused(void **state)
{
    expect(CHUNKED("x\r\nabc\r\n"), INVALID);
    expect(CHUNKED("3\r\nabcd\r\n"), INVALID);
    expect(CHUNKED("fffffffffffffffff\r\n"), INVALID);
    expect(CHUNKED("3 \r\nabc\r\n"), INVALID);
}

static void test_what_is_not_a_request_is_refused(void **state)
{
    expect_slice(SLICE_LITERAL("\x16\x03\x01\x02\x00\x01\x00"), INVALID);
    expect("NEVER /static HTTP/1.1\r\n" HOST "\r\n",
           "405 [Connection: close] [Allow: POST, GET, HEAD] |{\"detail\":\"Method Not "
           "Allowed\"}|\n");
    expect("CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n",
           "400 [Connection: close] |{\"detail\":\"the request target is not a path\"}|\n");
    expect("GET /static HTTP/2.0\r\n" HOST "\r\n",
           "505 [Connection: close] |{\"detail\":\"only HTTP/1.1 and HTTP/1.0 are spoken "
           "here\"}|\n");
    expect(GET("/static") "GET /sta",
           "200 |static|\n400 [Connection: close] |{\"detail\":\"the request was cut short\"}|\n");
}

static void test_heads_are_bounded(void **state)
{
    char text[2048];
    char fill[1024];

    memset(fill, 'a', sizeof(fill));
    snprintf(text, sizeof(text), "GET /%.600s HTTP/1.1\r\n" HOST "\r\n", fill);
    expect(text, "414 [Connection: close] |{\"detail\":\"the request line is larger than the 512 "
                 "bytes allowed\"}|\n");
    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "X: %.600s\r\n\r\n", fill);
    const char *too_large = "431 [Connection: close] |{\"detail\":\"the headers are larger than "
                            "the 512 bytes allowed\"}|\n";
    expect(text, too_large);
    size_t len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 101; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "a:\r\n");
    snprintf(text + len, sizeof(text) - len, "\r\n");
    expect(text, "431 [Connection: close] |{\"detail\":\"more than 100 headers\"}|\n");
    snprintf(text, sizeof(text), CHUNKED("0\r\nX: %.600s\r\n\r\n"), fill);
    expect(text, "431 [Connection: close] |{\"detail\":\"trailers and chunk extensions are larger "
                 "than the 512 bytes allowed\"}|\n");
    snprintf(text, sizeof(text), CHUNKED("1;%.600s\r\na\r\n0\r\n\r\n"), fill);
    expect(text, "431 [Connection: close] |{\"detail\":\"trailers and chunk extensions are larger "
                 "than the 512 bytes allowed\"}|\n");
}

static void test_bodies_are_bounded(void **state)
{
    const char *too_large = "413 [Connection: close] |{\"detail\":\"the body is larger than the "
                            "1000 bytes allowed\"}|\n";
    char text[4096];
    char fill[1100];

    memset(fill, 'a', sizeof(fill));
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", too_large);
    expect("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
           too_large);
    snprintf(text, sizeof(text), CHUNKED("3e9\r\n%.1001s\r\n0\r\n\r\n"), fill);
    expect(text, too_large);
    snprintf(text, sizeof(text),
             "POST /no HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n%.1000s" GET("/static"),
             fill);
    expect(text, NOT_FOUND "200 |static|\n");
}

/* The answer to a body of `len` bytes that come in pieces, behind `head`; free it. */
static char *answer_to_large(const char *head, size_t len)
{
    static char body[HARNESS_BATCH_MAX];
    struct buffer input;

    memset(body, 'a', sizeof(body));
    buffer_init(&input, 1 << 20);
    buffer_append_string(&input, head);
    buffer_append(&input, body, len);
    char *answer = converse(buffer_slice(&input), 10000, SIZE_MAX);
    buffer_release(&input);
    return answer;
}

#define BATCH "POST /batch HTTP/1.1\r\n" HOST

static void expect_large(const char *head, size_t len, const char *answer)
{
    char *got = answer_to_large(head, len);

    assert_string_equal(got, answer);
    free(got);
}

static void test_a_route_may_take_larger_bodies(void **state)
{
    expect_large(BATCH "Content-Length: 100000\r\n\r\n", 100000, "200 |100000|\n");
    expect_large(BATCH "Content-Length: 131000\r\n\r\n", 131000, "200 |131000|\n");
    expect_large(BATCH "Content-Length: 200001\r\n\r\n", 0,
                 "413 [Connection: close] |{\"detail\":\"the body is larger than the 200000 bytes "
                 "allowed\"}|\n");
}

/* Another try would be of no use: 503 asks for one. */
static void test_a_body_that_could_never_be_held_is_too_large(void **state)
{
    const char *never = "413 [Connection: close] |{\"detail\":\"the body is larger than the 131072 "
                        "bytes held for all bodies\"}|\n";
    struct account *bodies = harness.shared.options.bodies;

    assert_int_equal(bodies->ceiling, 131072);
    expect_large(BATCH "Content-Length: 131073\r\n\r\n", 0, never);
    expect_large(BATCH "Transfer-Encoding: chunked\r\n\r\n249f0\r\n", 150000, never);
    assert_true(account_take(bodies, 60000));
    harness_connect(&harness);
    for (int i = 0; i < 13; i++)
        if (i == 0)
            harness_feed(&harness, BATCH "Content-Length: 120000\r\n\r\n",
                         strlen(BATCH "Content-Length: 120000\r\n\r\n"));
        else
            harness_feed(&harness, (char[10000]){0}, 10000);
    account_give(bodies, 60000);
    harness_disconnect(&harness);
    assert_ptr_equal(strstr(sent.data, "HTTP/1.1 503 "), sent.data);
}

/* ---- Order and room ---- */

static void test_deferred_answers_go_out_in_order(void **state)
{
    const char *three = "POST /later HTTP/1.1\r\n" HOST "\r\n"
                        "POST /later HTTP/1.1\r\n" HOST "\r\n" GET("/static");
    struct buffer text;

    buffer_init(&text, 4096);
    harness_connect(&harness);
    harness_feed(&harness, three, strlen(three));
    assert_int_equal(sent.len, 0);
    struct http_request *second = waiting, *first = http_request_next(waiting);
    waiting = NULL;
    http_respond(second, &(struct http_response){.status = 200, .body = SLICE_LITERAL("second")});
    harness_round(&harness);
    assert_int_equal(sent.len, 0);
    http_respond(first, &(struct http_response){.status = 200, .body = SLICE_LITERAL("first")});
    harness_round(&harness);
    shorten(&text, buffer_slice(&sent));
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, "200 |first|\n200 |second|\n200 |static|\n");
    buffer_release(&text);
    harness_disconnect(&harness);
}

static void test_no_more_than_the_pipeline_is_begun(void **state)
{
    const char *later = "POST /later HTTP/1.1\r\n" HOST "\r\n";
    struct buffer many;

    buffer_init(&many, 1 << 20);
    for (int i = 0; i < 3 * HTTP_PIPELINE_MAX; i++)
        buffer_append_string(&many, later);
    harness_connect(&harness);
    uint64_t before = harness.thread->counters.requests;
    harness_feed(&harness, many.data, many.len);
    assert_int_equal(harness.connection->under_way, HTTP_PIPELINE_MAX);
    assert_false(harness_reads(&harness));
    for (int i = 0; i < 3; i++) {
        harness_answer_waiting();
        harness_round(&harness);
    }
    assert_int_equal(harness.thread->counters.requests - before, 3 * HTTP_PIPELINE_MAX);
    assert_true(harness_reads(&harness));
    harness_disconnect(&harness);
    buffer_release(&many);
}

static void test_a_client_that_has_gone_costs_nothing(void **state)
{
    const char *later = "POST /later HTTP/1.1\r\n" HOST "\r\n";

    harness_connect(&harness);
    harness_feed(&harness, later, strlen(later));
    harness_feed(&harness, later, strlen(later));
    connection_abort(harness.connection);
    harness_round(&harness);
    assert_int_equal(harness.thread->requests_under_way, 2);
    harness_answer_waiting();
    assert_int_equal(harness.thread->requests_under_way, 0);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(sent.len, 0);
    close(harness.peer);
}

static void feed(const char *text)
{
    assert_true(harness_feed(&harness, text, strlen(text)));
}

static void test_behind_a_request_that_is_to_be_alone_nothing_is_begun(void **state)
{
    harness_connect(&harness);
    feed(GET("/static") GET("/alone") GET("/static") GET("/alone") GET("/alone"));
    assert_int_equal(harness.connection->under_way, 1);
    harness_answer_waiting();
    send_quota = 0;
    harness_round(&harness);
    assert_null(waiting); /* answered, but not yet taken */
    send_quota = SIZE_MAX;
    exchange_send(harness.connection);
    assert_non_null(waiting);
    assert_int_equal(harness.connection->under_way, 1);
    harness_disconnect(&harness);
}

/* However small the answers, what was made of the bodies may be held until they are given. */
static void test_bodies_under_way_are_bounded_on_a_connection(void **state)
{
    enum { BODY = 900 };
    static const char head[] = "POST /later HTTP/1.1\r\n" HOST "Content-Length: 900\r\n\r\n";
    char post[sizeof(head) - 1 + BODY];
    memcpy(post, head, sizeof(head) - 1);
    memset(post + sizeof(head) - 1, 'x', BODY);
    harness_connect(&harness);
    for (int i = 0; i * BODY < HARNESS_CONNECTION_BYTES; i++) {
        assert_true(harness_reads(&harness));
        harness_feed(&harness, post, sizeof(post));
    }
    assert_false(harness_reads(&harness));
    harness_answer_waiting();
    harness_round(&harness);
    assert_true(harness_reads(&harness));
    harness_disconnect(&harness);
}

/* What handlers keep of it until they answer is charged; its parameters may be 16 KiB. */
static void test_a_long_query_is_charged_while_its_request_is_under_way(void **state)
{
    struct account *answers = ledger_account(&harness.ledger, LEDGER_ANSWERS);
    char get[HTTP_QUERY_UNCHARGED_BYTES + 200];
    char name[HTTP_QUERY_UNCHARGED_BYTES + 2];

    memset(name, 'q', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    snprintf(get, sizeof(get), "GET /alone?%s HTTP/1.1\r\n" HOST "\r\n", name);
    harness.thread->limits.max_header_bytes = sizeof(get);
    harness_connect(&harness);
    feed(get);
    assert_int_equal(account_used(answers), HTTP_QUERY_COPIES * (sizeof(name) - 1));
    harness_answer_waiting();
    harness_round(&harness);
    assert_int_equal(account_used(answers), 0);
    assert_true(account_take(answers, answers->ceiling));
    feed(get);
    assert_null(waiting);
    assert_non_null(memmem(sent.data, sent.len, "HTTP/1.1 503 ", 13));
    account_give(answers, answers->ceiling);
    harness_disconnect(&harness);
    harness.thread->limits.max_header_bytes = HARNESS_HEADER_MAX;
}

static void test_a_buffer_as_body_is_taken_over_and_charged_until_it_is_sent(void **state)
{
    harness_connect(&harness);
    send_quota = 0;
    feed(GET("/buffer"));
    assert_true(account_used(ledger_account(&harness.ledger, LEDGER_ANSWERS)) > 0);
    send_quota = 7;
    for (int i = 0; i < 200; i++)
        exchange_send(harness.connection);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_non_null(memmem(sent.data, sent.len, "\r\n\r\ntaken over", 14));
    harness_disconnect(&harness);
}

static void test_whoever_watches_is_answered_while_answers_have_no_room(void **state)
{
    struct account *answers = ledger_account(&harness.ledger, LEDGER_ANSWERS);
    struct account *ops = ledger_account(&harness.ledger, LEDGER_OPS);

    assert_true(account_take(answers, answers->ceiling));
    harness_connect(&harness);
    feed(GET("/watched"));
    assert_non_null(memmem(sent.data, sent.len, "HTTP/1.1 200 ", 13));
    assert_true(account_take(ops, ops->floor));
    feed(GET("/watched"));
    assert_non_null(memmem(sent.data, sent.len, "HTTP/1.1 503 ", 13));
    harness_disconnect(&harness);
    account_give(ops, ops->floor);
    account_give(answers, answers->ceiling);
}

static bool is_cut_off(const char *request, struct account *short_one)
{
    harness_connect(&harness);
    send_quota = 0;
    feed(request);
    send_quota = SIZE_MAX;
    assert_true(account_take(short_one, short_one->ceiling - account_used(short_one)));
    exchange_relieve(harness.thread);
    assert_true(harness_reads(&harness)); /* it has not stalled yet */
    harness.thread->net.timeouts.after_ms[TIMEOUT_WRITE] += HTTP_STALL_MS;
    exchange_relieve(harness.thread);
    harness.thread->net.timeouts.after_ms[TIMEOUT_WRITE] -= HTTP_STALL_MS;
    harness_round(&harness);
    bool is = !harness.connection;
    if (!is)
        harness_disconnect(&harness);
    account_give(short_one, account_used(short_one));
    return is;
}

static void test_who_takes_nothing_is_cut_off_where_others_want_that_room(void **state)
{
    struct account *answers = ledger_account(&harness.ledger, LEDGER_ANSWERS);
    struct account *ops = ledger_account(&harness.ledger, LEDGER_OPS);

    assert_true(is_cut_off(GET("/buffer"), answers));
    assert_false(is_cut_off(GET("/watched"), answers));
    assert_true(is_cut_off(GET("/watched"), ops));
    assert_false(is_cut_off(GET("/buffer"), ops));
}

static void test_without_room_for_a_buffer_as_body_503(void **state)
{
    struct account *answers = ledger_account(&harness.ledger, LEDGER_ANSWERS);

    assert_true(account_take(answers, answers->ceiling));
    harness_connect(&harness);
    feed(GET("/buffer"));
    assert_non_null(memmem(sent.data, sent.len, "HTTP/1.1 503 ", 13));
    harness_disconnect(&harness);
    account_give(answers, answers->ceiling);
}

static void test_without_room_in_the_ledger_503(void **state)
{
    struct account *bodies = ledger_account(&harness.ledger, LEDGER_BODIES);

    assert_true(account_take(bodies, bodies->ceiling));
    harness_connect(&harness);
    const char *begun = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nab";
    harness_feed(&harness, begun, strlen(begun));
    struct buffer text;
    buffer_init(&text, 4096);
    shorten(&text, buffer_slice(&sent));
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, "503 [Connection: close] [Retry-After: 1] "
                                   "|{\"detail\":\"Service Unavailable\"}|\n");
    buffer_release(&text);
    harness_disconnect(&harness);
    account_give(bodies, bodies->ceiling);
}

static int set_up(void **state)
{
    harness_init(&harness);
    return 0;
}

static int tear_down(void **state)
{
    harness_release(&harness);
    return 0;
}

/* What the hook saw of the body: nothing may have been kept or charged when it is asked. */
static unsigned asked;
static size_t charged_when_asked, kept_when_asked;

static void admit_no_echo(const struct http_head *head, struct http_admission *admission, void *ctx)
{
    asked++;
    charged_when_asked = account_used(ledger_account(&harness.ledger, LEDGER_BODIES));
    kept_when_asked = harness.connection->message->body_kept.len;
    if (head->route && strcmp(head->route->path, "/echo") == 0)
        admission->status = 403;
}

static void test_a_head_is_admitted_before_a_byte_of_its_body_is_kept_or_charged(void **state)
{
    const char head[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n";
    struct account *bodies = ledger_account(&harness.ledger, LEDGER_BODIES);

    harness.shared.options.hooks.admit = admit_no_echo;
    asked = 0;
    harness_connect(&harness);
    feed("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf of it");
    assert_int_equal(asked, 1);
    assert_int_equal(charged_when_asked + kept_when_asked, 0);
    assert_true(account_used(bodies) > 0); /* it is let in: the head and what came of the body */
    harness_disconnect(&harness);

    harness_connect(&harness);
    char whole[sizeof(head) + 200];
    memset(whole, 'x', sizeof(whole));
    memcpy(whole, head, sizeof(head) - 1);
    assert_true(harness_feed(&harness, whole, sizeof(whole)));
    assert_int_equal(asked, 2);
    assert_int_equal(charged_when_asked + kept_when_asked, 0);
    assert_int_equal(account_used(bodies), 0); /* refused: nothing of the body ever was */
    assert_memory_equal(sent.data, "HTTP/1.1 403 ", 13);
    assert_int_equal(harness.connection->state, CONNECTION_LINGERING);
    harness_disconnect(&harness);
    harness.shared.options.hooks.admit = NULL;
}

/* Whom the hook has seen, and who of them was forgotten. */
static int people[8];
static unsigned came, forgotten;

static void admit_anybody(const struct http_head *head, struct http_admission *admission, void *ctx)
{
    admission->who = &people[came++];
    if (!head->route)
        admission->status = 401;
}

static void forget(void *who)
{
    *(int *)who += 1;
    forgotten++;
}

static void test_who_asks_is_known_until_the_answer_and_forgotten_once(void **state)
{
    const char *awaits = "POST /later HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                         "Content-Length: 3\r\n\r\n";

    harness.shared.options.hooks.admit = admit_anybody;
    harness.shared.options.hooks.forget = forget;
    harness_connect(&harness);
    feed(GET("/static") POST("abc", "3"));
    assert_int_equal(came, 2);
    assert_int_equal(forgotten, 2);

    /* 100 is said to a request, and is no answer to it: it has who asks to itself. */
    feed(awaits);
    assert_int_equal(forgotten, 2);
    feed("abc");
    assert_ptr_equal(http_request_who(waiting), &people[2]);
    harness_answer_waiting();
    harness_round(&harness);
    assert_int_equal(forgotten, 3);

    feed("GET /nowhere HTTP/1.1\r\n" HOST "\r\n"); /* refused */
    assert_int_equal(forgotten, 4);
    feed("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\na"); /* and goes */
    harness_disconnect(&harness);
    assert_int_equal(came, 5);
    assert_int_equal(forgotten, came);
    for (unsigned i = 0; i < came; i++)
        assert_int_equal(people[i], 1);
    harness.shared.options.hooks.admit = NULL;
    harness.shared.options.hooks.forget = NULL;
}

#ifdef LOGMILL_CHECKS

static void check(void *arg)
{
    connection_check(arg);
}

static void move_where_it_may_not(void *arg)
{
    connection_move(arg, *(enum connection_state *)(harness.shared.options.hooks.ctx));
}

/* Each is put right again: the connection goes on. */
#define ASSERT_TOLD(c, field, broken)                                                              \
    do {                                                                                           \
        struct connection kept = *(c);                                                             \
        (c)->field = broken;                                                                       \
        assert_true(aborts(check, c));                                                             \
        *(c) = kept;                                                                               \
        assert_false(aborts(check, c));                                                            \
    } while (0)

static void test_a_broken_connection_is_told(void **state)
{
    harness_connect(&harness);
    struct connection *c = harness.connection;
    struct connection other = *c;

    ASSERT_TOLD(c, state, CONNECTION_IN_MESSAGE);
    feed("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_int_equal(c->state, CONNECTION_BETWEEN);
    ASSERT_TOLD(c, under_way, 2);
    ASSERT_TOLD(c, unsent, 1);
    ASSERT_TOLD(c, sent, 1);
    ASSERT_TOLD(c, body_bytes, 0);
    ASSERT_TOLD(c, watched, 1);
    ASSERT_TOLD(c, last, NULL);
    ASSERT_TOLD(c, input_at, 1);
    c->first->connection = &other;
    assert_true(aborts(check, c));
    c->first->connection = c;
    ASSERT_TOLD(c, state, CONNECTION_IDLE);
    ASSERT_TOLD(c, state, CONNECTION_CLOSED);
    harness_disconnect(&harness);
}

static void test_a_move_that_is_not_in_the_table_is_told(void **state)
{
    static const enum connection_state never_from_idle[] = {
        CONNECTION_NEW, CONNECTION_BETWEEN, CONNECTION_PAUSED, CONNECTION_LINGERING};

    harness_connect(&harness);
    assert_int_equal(harness.connection->state, CONNECTION_IDLE);
    for (size_t i = 0; i < sizeof(never_from_idle) / sizeof(never_from_idle[0]); i++) {
        enum connection_state to = never_from_idle[i];

        harness.shared.options.hooks.ctx = &to;
        assert_true(aborts(move_where_it_may_not, harness.connection));
    }
    harness.shared.options.hooks.ctx = NULL;
    harness_disconnect(&harness);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_keep_the_order_of_requests),
        cmocka_unit_test(test_empty_lines_before_a_request_are_skipped),
        cmocka_unit_test(test_a_route_may_say_that_bodies_tell_their_coding),
        cmocka_unit_test(test_a_route_may_undo_codings_itself),
        cmocka_unit_test(test_a_route_refuses_in_its_own_words),
        cmocka_unit_test(test_a_reset_is_no_answer_and_the_end),
        cmocka_unit_test(test_a_refusal_may_be_a_reset),
        cmocka_unit_test(test_chunked_bodies_are_put_together),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_header_values_are_trimmed_and_found_without_case),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_100_is_said_before_the_body_and_in_turn),
        cmocka_unit_test(test_100_is_not_said_once_the_body_has_begun),
        cmocka_unit_test(test_connection_close_and_http_1_0),
        cmocka_unit_test(test_an_upgrade_is_ignored),
        cmocka_unit_test(test_refused_requests_are_read_to_their_end),
        cmocka_unit_test(test_a_slash_too_many_or_too_few_is_redirected),
        cmocka_unit_test(test_gzip_and_zstd_bodies_are_inflated),
        cmocka_unit_test(test_request_smuggling_is_refused),
        cmocka_unit_test(test_broken_chunks_are_refused),
        cmocka_unit_test(test_what_is_not_a_request_is_refused),
        cmocka_unit_test(test_heads_are_bounded),
        cmocka_unit_test(test_bodies_are_bounded),
        cmocka_unit_test(test_a_route_may_take_larger_bodies),
        cmocka_unit_test(test_a_body_that_could_never_be_held_is_too_large),
        cmocka_unit_test(test_deferred_answers_go_out_in_order),
        cmocka_unit_test(test_no_more_than_the_pipeline_is_begun),
        cmocka_unit_test(test_a_client_that_has_gone_costs_nothing),
        cmocka_unit_test(test_behind_a_request_that_is_to_be_alone_nothing_is_begun),
        cmocka_unit_test(test_bodies_under_way_are_bounded_on_a_connection),
        cmocka_unit_test(test_a_long_query_is_charged_while_its_request_is_under_way),
        cmocka_unit_test(test_a_buffer_as_body_is_taken_over_and_charged_until_it_is_sent),
        cmocka_unit_test(test_without_room_for_a_buffer_as_body_503),
        cmocka_unit_test(test_whoever_watches_is_answered_while_answers_have_no_room),
        cmocka_unit_test(test_who_takes_nothing_is_cut_off_where_others_want_that_room),
        cmocka_unit_test(test_without_room_in_the_ledger_503),
        cmocka_unit_test(test_a_head_is_admitted_before_a_byte_of_its_body_is_kept_or_charged),
        cmocka_unit_test(test_who_asks_is_known_until_the_answer_and_forgotten_once),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(test_a_broken_connection_is_told),
        cmocka_unit_test(test_a_move_that_is_not_in_the_table_is_told),
#endif
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
