/*
 * The SQS queue: what every queue promises, at a real server. LOGMILL_TEST_SQS_URL is the server's
 * address, and the environment has credentials and a region; tests/integration/sqs.test.ts sees to
 * it. LOGMILL_TEST_SQS_MANY: so many messages it takes in seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "aws/client.h"
#include "aws/identity.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "queue/sqs/adapter.h"
#include "queue_conformance.h"
#include "queue_test_support.h"
#include "json/writer.h"

enum {
    TIMEOUT_MS = 60000, /* not all emulators are fast */
    VISIBILITY_S = 6,   /* longer than a server takes for a few requests, on a slow machine */
    MAX_RECEIVES = 2,
    TEXT_MAX = 1024,
    WORK_MS = 9000, /* longer than the visibility timeout */
    LETTERS = 35,   /* more than SQS gives at once */
    TWICE_MAX = 10, /* messages there twice, since a slow answer made us send again */
};

static struct aws_identity *identity;
static struct aws_client *client;

/* A queue and its dead-letter queue. */
struct place {
    char url[TEXT_MAX];
    char letters_url[TEXT_MAX];
};

static const char *server(void)
{
    return getenv("LOGMILL_TEST_SQS_URL");
}

/* Makes a call and copies the text under `name` of the answer (of its object "Attributes" first).
 */
static void ask(const char *action, const char *body, const char *name, char out[TEXT_MAX])
{
    struct aws_call call = {.action = action, .body = slice_of_string(body), .timeout_ms = 10000};
    struct errbuf err = ERRBUF_INIT;
    yyjson_val *root, *value;

    if (aws_client_run(client, &call, &err))
        fail_msg("%s", err.text);
    yyjson_doc *doc = yyjson_read(call.answer.data, call.answer.len, 0);
    root = yyjson_doc_get_root(doc);
    value = yyjson_obj_get(yyjson_obj_get(root, "Attributes"), name);
    if (!value)
        value = yyjson_obj_get(root, name);
    if (out) {
        const char *text = yyjson_get_str(value);

        assert_non_null(text);
        snprintf(out, TEXT_MAX, "%s", text);
    }
    yyjson_doc_free(doc);
    aws_call_release(&call);
}

static void *create(void)
{
    static int number;
    struct place *p = xcalloc(1, sizeof(*p));
    char body[TEXT_MAX * 2];
    char arn[TEXT_MAX];

    number++;
    snprintf(body, sizeof(body), "{\"QueueName\":\"letters-%d-%d\"}", (int)getpid(), number);
    ask("CreateQueue", body, "QueueUrl", p->letters_url);
    snprintf(body, sizeof(body), "{\"QueueUrl\":\"%s\",\"AttributeNames\":[\"QueueArn\"]}",
             p->letters_url);
    ask("GetQueueAttributes", body, "QueueArn", arn);
    snprintf(body, sizeof(body),
             "{\"QueueName\":\"logs-%d-%d\",\"Attributes\":{\"VisibilityTimeout\":\"%d\","
             "\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":\\\"%s\\\","
             "\\\"maxReceiveCount\\\":%d}\"}}",
             (int)getpid(), number, VISIBILITY_S, arn, MAX_RECEIVES);
    ask("CreateQueue", body, "QueueUrl", p->url);
    return p;
}

static void destroy(void *place)
{
    struct place *p = place;
    char body[TEXT_MAX * 2];

    snprintf(body, sizeof(body), "{\"QueueUrl\":\"%s\"}", p->url);
    ask("DeleteQueue", body, NULL, NULL);
    snprintf(body, sizeof(body), "{\"QueueUrl\":\"%s\"}", p->letters_url);
    ask("DeleteQueue", body, NULL, NULL);
    free(p);
}

static struct queue *open_with(struct queue_sqs_options options, const char *url)
{
    struct errbuf err = ERRBUF_INIT;

    options.queue_url = url;
    options.timeout_ms = TIMEOUT_MS;
    struct queue *q = queue_sqs_new(&options, &err);
    if (!q)
        print_error("cannot open the queue: %s\n", err.text);
    return q;
}

static struct queue *open_place(void *place)
{
    return open_with((struct queue_sqs_options){0}, ((struct place *)place)->url);
}

static int set_up(void **state)
{
    *state = create();
    return 0;
}

static int tear_down(void **state)
{
    destroy(*state);
    return 0;
}

/* ---- What only this queue has ---- */

static void a_message_stays_hidden_however_long_the_work_takes(void **state)
{
    struct queue *q = open_place(*state);
    struct queue_consumer *one = queue_test_consumer(q);
    struct queue_consumer *other = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d, none;

    assert_int_equal(queue_test_send_text(q, "slow"), 0);
    queue_test_receive(one, &d);
    assert_int_equal(queue_receive(other, WORK_MS, &none, &err), 0);
    assert_int_equal(none.count, 0);
    queue_test_settle(one, &d, QUEUE_ACKNOWLEDGE);
    assert_int_equal(queue_receive(other, WORK_MS / 2, &none, &err), 0);
    assert_int_equal(none.count, 0);
    queue_consumer_free(one);
    queue_consumer_free(other);
    queue_free(q);
}

static void many_messages_make_one_delivery(void **state)
{
    struct queue *q = open_place(*state);
    struct slice messages[60];
    struct queue_consumer *c = queue_test_consumer(q);
    struct queue_delivery d;

    for (size_t i = 0; i < 60; i++)
        messages[i] = slice_of_string("one of many");
    assert_int_equal(queue_test_send(q, messages, 60), 0);
    queue_test_receive(c, &d);
    assert_in_range(d.count, 40, 60 + TWICE_MAX);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    queue_consumer_free(c);
    queue_free(q);
}

static void a_message_over_the_limit_fails_alone(void **state)
{
    struct queue *q = open_with((struct queue_sqs_options){.max_message_bytes = 100},
                                ((struct place *)*state)->url);
    char text[102];

    assert_int_equal(queue_limits(q).max_message_bytes, 100);
    memset(text, 'x', sizeof(text) - 1);
    text[101] = '\0';
    assert_int_equal(queue_test_send_text(q, text), LM_ETOOBIG);
    text[100] = '\0';
    assert_int_equal(queue_test_send_text(q, text), 0);
    queue_free(q);
}

static int count_letter(const struct queue_dead_letter *letter, void *ctx)
{
    ++*(int *)ctx;
    return 0;
}

static void all_of_many_dead_letters_are_listed_and_none_consumed(void **state)
{
    struct queue *q = open_place(*state);
    struct queue_consumer *c = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;

    for (int i = 0; i < LETTERS; i++)
        assert_int_equal(
            queue_dead_letter(c, SLICE_LITERAL("dead"), "\x01why\xff\xef\xbf\xbf", &err), 0);
    for (int round = 0; round < 2; round++) {
        int count = 0;

        assert_int_equal(queue_dead_letters_list(q, count_letter, &count, &err), 0);
        assert_int_equal(count, LETTERS);
    }
    queue_consumer_free(c);
    queue_free(q);
}

static void note_progress(uint64_t moved, uint64_t total, void *ctx)
{
    *(uint64_t *)ctx = moved;
}

static void requeueing_tells_its_progress(void **state)
{
    uint64_t told = 0;
    struct queue *q =
        open_with((struct queue_sqs_options){.progress = note_progress, .progress_ctx = &told},
                  ((struct place *)*state)->url);
    struct queue_consumer *c = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;
    uint64_t moved;

    for (int i = 0; i < LETTERS; i++)
        assert_int_equal(queue_dead_letter(c, SLICE_LITERAL("dead"), "why", &err), 0);
    assert_int_equal(queue_dead_letters_requeue(q, NULL, 0, &moved, &err), 0);
    assert_in_range(moved, LETTERS, LETTERS + TWICE_MAX);
    assert_int_equal(told, moved);
    assert_int_equal(queue_test_drain(c, (size_t)moved, 1000, NULL, NULL), moved);
    queue_consumer_free(c);
    queue_free(q);
}

static void a_missing_queue_is_named_in_one_line(void **state)
{
    struct queue_sqs_options options = {.queue_url = ((struct place *)*state)->url};
    char url[TEXT_MAX + 16];
    struct errbuf err = ERRBUF_INIT;

    snprintf(url, sizeof(url), "%s-missing", options.queue_url);
    options.queue_url = url;
    assert_null(queue_sqs_new(&options, &err));
    assert_non_null(strstr(err.text, "no such queue"));
    assert_null(strchr(err.text, '\n'));
    options.queue_url = "http://127.0.0.1/1/logs.fifo";
    assert_null(queue_sqs_new(&options, &err));
    assert_non_null(strstr(err.text, "FIFO"));
}

static void without_a_redrive_policy_dead_letters_have_no_place(void **state)
{
    struct queue *q =
        open_with((struct queue_sqs_options){0}, ((struct place *)*state)->letters_url);
    struct queue_consumer *c = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;

    assert_int_not_equal(queue_dead_letter(c, SLICE_LITERAL("dead"), "why", &err), 0);
    assert_non_null(strstr(err.text, "redrive policy"));
    assert_int_equal(queue_test_stats(q).dead_letters, 0);
    queue_consumer_free(c);
    queue_free(q);
}

static void a_queue_for_tools_sends_nothing(void **state)
{
    struct queue *q =
        open_with((struct queue_sqs_options){.no_sender = true}, ((struct place *)*state)->url);
    struct slice message = SLICE_LITERAL("x");
    struct queue_send send = {.messages = &message, .messages_len = 1};

    assert_int_equal(queue_send(q, &send), LM_ESTOPPED);
    queue_free(q);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const char *many = getenv("LOGMILL_TEST_SQS_MANY");
    const struct queue_conformance conformance = {
        .name = "queue_sqs",
        .create = create,
        .destroy = destroy,
        .open = open_place,
        .keeps_dead_letters = true,
        .rejects_in_time = true,
        .unordered = true,
        .tells_no_age = true,
        .many = many ? atoi(many) : 0,
    };
    const struct CMUnitTest cases[] = {
        CASE(a_message_stays_hidden_however_long_the_work_takes),
        CASE(many_messages_make_one_delivery),
        CASE(a_message_over_the_limit_fails_alone),
        CASE(all_of_many_dead_letters_are_listed_and_none_consumed),
        CASE(requeueing_tells_its_progress),
        CASE(a_missing_queue_is_named_in_one_line),
        CASE(without_a_redrive_policy_dead_letters_have_no_place),
        CASE(a_queue_for_tools_sends_nothing),
    };
    struct errbuf err = ERRBUF_INIT;
    struct aws_identity_options options = {0};

    if (!server()) {
        fprintf(stderr, "LOGMILL_TEST_SQS_URL is not set\n");
        return 1;
    }
    queue_test_may_repeat = true;
    identity = aws_identity_new(&options, &err);
    client = !identity ? NULL
                       : aws_client_new(&(struct aws_client_options){.name = "SQS",
                                                                     .service = "sqs",
                                                                     .target = "AmazonSQS",
                                                                     .url = server(),
                                                                     .region = getenv("AWS_REGION"),
                                                                     .identity = identity,
                                                                     .max_in_flight = 1},
                                        &err);
    if (!client) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = queue_conformance_run(&conformance);
    failed += cmocka_run_group_tests_name("queue_sqs alone", cases, NULL, NULL);
    aws_client_free(client);
    aws_identity_free(identity);
    return failed;
}
