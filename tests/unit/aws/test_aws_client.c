/* Calls of which something stays away: the answer, or memory. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "../cmocka_all.h"
#include "aws/client.h"
#include "aws_server.h"

enum { CALL_MS = 9000, BRIEF_MS = 500, AT_ONCE = 4 };

struct service {
    unsigned hangs; /* so many calls get no answer */
    unsigned calls;
    struct aws_server *server;
    struct aws_identity *identity;
    struct aws_client *client;
};

static int answer(const char *action, yyjson_val *request, struct buffer *answer, void *ctx)
{
    struct service *s = ctx;

    if (s->calls++ < s->hangs)
        return 0;
    buffer_append_string(answer, "{}");
    return 200;
}

static int start(void **state)
{
    struct service *s = calloc(1, sizeof(*s));

    s->server = aws_server_new(answer, s);
    s->identity = aws_identity_new(&(struct aws_identity_options){0}, NULL);
    assert_non_null(s->identity);
    s->client = aws_client_new(&(struct aws_client_options){.name = "SQS",
                                                            .service = "sqs",
                                                            .target = "AmazonSQS",
                                                            .url = aws_server_url(s->server),
                                                            .region = "eu-central-1",
                                                            .identity = s->identity,
                                                            .max_in_flight = AT_ONCE},
                               NULL);
    assert_non_null(s->client);
    *state = s;
    return 0;
}

static int stop(void **state)
{
    struct service *s = *state;

    aws_client_free(s->client);
    aws_identity_free(s->identity);
    aws_server_free(s->server);
    free(s);
    return 0;
}

static void a_call_is_made_again_where_no_byte_moves(void **state)
{
    struct service *s = *state;
    struct aws_call call = {
        .action = "Look", .body = SLICE_LITERAL("{\"a\":1}"), .timeout_ms = CALL_MS};
    struct errbuf err = ERRBUF_INIT;

    s->hangs = 1;
    if (aws_client_run(s->client, &call, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s->calls, 2);
    aws_call_release(&call);
}

static void a_call_that_hangs_is_made_again_over_a_new_connection(void **state)
{
    struct aws_call call = {
        .action = "Look", .body = SLICE_LITERAL("{\"a\":1}"), .timeout_ms = CALL_MS};
    struct aws_call calls[AT_ONCE] = {call, call, call, call};
    struct service *s = *state;
    struct errbuf err = ERRBUF_INIT;

    aws_client_run_all(s->client, calls, AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++)
        aws_call_release(&calls[i]);
    aws_server_hang(s->server);
    if (aws_client_run(s->client, &call, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s->calls, AT_ONCE + 1);
    aws_call_release(&call);
}

/* ---- No memory ---- */

static unsigned refusals; /* of libcurl's, that are to come */

CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    if (refusals == 0)
        return __real_curl_multi_add_handle(multi, easy);
    refusals--;
    return CURLM_OUT_OF_MEMORY;
}

static void a_call_for_which_there_is_no_memory_is_tried_again(void **state)
{
    struct service *s = *state;
    struct aws_call call = {
        .action = "Look", .body = SLICE_LITERAL("{\"a\":1}"), .timeout_ms = CALL_MS};
    struct errbuf err = ERRBUF_INIT;

    refusals = 2;
    if (aws_client_run(s->client, &call, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s->calls, 1);
    aws_call_release(&call);
}

static void a_call_for_which_there_is_never_memory_fails(void **state)
{
    struct service *s = *state;
    struct aws_call call = {
        .action = "Look", .body = SLICE_LITERAL("{\"a\":1}"), .timeout_ms = BRIEF_MS};
    struct errbuf err = ERRBUF_INIT;

    refusals = UINT_MAX;
    assert_int_equal(aws_client_run(s->client, &call, &err), LM_ENOMEM);
    assert_false(call.in_doubt);
    assert_non_null(strstr(err.text, "memory"));
    refusals = 0;
    assert_int_equal(s->calls, 0);
    aws_call_release(&call);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_call_is_made_again_where_no_byte_moves),
        CASE(a_call_that_hangs_is_made_again_over_a_new_connection),
        CASE(a_call_for_which_there_is_no_memory_is_tried_again),
        CASE(a_call_for_which_there_is_never_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
