/* http_request_set_errand: a handler that answers by what another says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness.h"

#define LATER                                                                                      \
    "POST /later?own=1 HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc"

static struct harness harness;
static struct buffer told; /* what errands were answered, a space behind each */
static unsigned errands_left;

static int set_up(void **state)
{
    harness_init(&harness);
    harness_connect(&harness);
    buffer_init(&told, 1000);
    errands_left = 0;
    return 0;
}

static int tear_down(void **state)
{
    buffer_release(&told);
    harness_disconnect(&harness);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    assert_int_equal(harness.thread->requests_under_way, 0);
    harness_release(&harness);
    return 0;
}

static void on_answered(struct http_request *req, const struct http_response *answer, void *ctx)
{
    void (*handler)(struct http_request *, void *) = *(http_handler *const *)ctx;

    buffer_appendf(&told, "%u:%.*s ", answer->status, SLICE_ARG(answer->body));
    if (errands_left > 0) {
        errands_left--;
        http_request_set_errand(req, &(struct http_errand){.query = SLICE_LITERAL("again=1"),
                                                           .param = SLICE_LITERAL("again"),
                                                           .answered = on_answered,
                                                           .ctx = ctx});
        handler(req, NULL);
        return;
    }
    http_respond(req, &(struct http_response){.status = 200, .body = SLICE_LITERAL("its own")});
}

/* Sends the request that waits on an errand to `handler`. */
static void send_on_errand(http_handler *const *handler)
{
    struct http_request *req = waiting;

    assert_non_null(req);
    waiting = NULL;
    http_request_set_errand(req, &(struct http_errand){.query = SLICE_LITERAL("a=1"),
                                                       .param = SLICE_LITERAL("x/y"),
                                                       .answered = on_answered,
                                                       .ctx = (void *)handler});
    (*handler)(req, NULL);
    harness_round(&harness);
}

static bool sent_has(const char *text)
{
    return sent.len > 0 && memmem(sent.data, sent.len, text, strlen(text));
}

static void assert_told(http_handler *handler, const char *wanted)
{
    buffer_clear(&told);
    buffer_clear(&sent);
    harness_feed(&harness, LATER, strlen(LATER));
    send_on_errand(&handler);
    buffer_append_char(&told, '\0');
    assert_string_equal(told.data, wanted);
    assert_true(sent_has("200 OK") && sent_has("its own"));
}

static void test_the_answer_is_for_who_has_sent_it(void **state)
{
    assert_told(handle_static, "200:static ");
    assert_false(sent_has("static"));
}

static void test_it_has_the_query_and_the_part_of_the_path_that_it_is_given(void **state)
{
    assert_told(handle_query, "200:a=1 ");
    assert_told(handle_item, "200:x/y ");
}

static void test_it_has_neither_headers_nor_a_body(void **state)
{
    assert_told(handle_echo, "200: ");
    assert_false(sent_has("a/b"));
}

static void test_a_body_that_is_handed_over_is_freed(void **state)
{
    assert_told(handle_buffer, "200:taken over ");
}

static void handle_refuse(struct http_request *req, void *thread)
{
    http_respond_error(req, 503, "no room");
}

static void test_a_refusal_is_its_answer_too(void **state)
{
    assert_told(handle_refuse, "503:{\"detail\":\"no room\"} ");
    assert_false(sent_has("503"));
}

static void test_one_errand_may_follow_another(void **state)
{
    errands_left = 2;
    assert_told(handle_query, "200:a=1 200:again=1 200:again=1 ");
}

static void test_an_errand_of_a_client_that_has_gone_ends_as_others_do(void **state)
{
    static http_handler *const handler = handle_query;

    harness_feed(&harness, LATER, strlen(LATER));
    connection_abort(harness.connection);
    harness_round(&harness);
    send_on_errand(&handler);
    assert_int_equal(told.len, strlen("200:a=1 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_the_answer_is_for_who_has_sent_it),
        TEST(test_it_has_the_query_and_the_part_of_the_path_that_it_is_given),
        TEST(test_it_has_neither_headers_nor_a_body),
        TEST(test_a_body_that_is_handed_over_is_freed),
        TEST(test_a_refusal_is_its_answer_too),
        TEST(test_one_errand_may_follow_another),
        TEST(test_an_errand_of_a_client_that_has_gone_ends_as_others_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
