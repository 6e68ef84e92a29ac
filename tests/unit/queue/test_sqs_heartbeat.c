/*
 * Messages stay hidden while they are worked on, though a server hangs, which no emulator does for
 * some calls alone.
 */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "../aws/aws_server.h"
#include "../cmocka_all.h"
#include "base/clock.h"
#include "queue/sqs/adapter.h"
#include "queue_test_support.h"

enum {
    VISIBILITY_S = 6,
    LONG_S = 43200, /* a visibility timeout of 12 hours: SQS's longest */
    TIMEOUT_MS = 3000,
    BATCH = 10,
    HANGS = 3,       /* heartbeats that get no answer */
    LOOK_US = 10000, /* how often it is looked whether one got an answer */
};

/* Time passes when a case says so, too. */
static _Atomic uint64_t skipped_us;

uint64_t __real_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void);

uint64_t __wrap_clock_monotonic_us(void)
{
    return __real_clock_monotonic_us() + skipped_us;
}

struct service {
    unsigned receives;
    _Atomic unsigned beats;
    unsigned deleted;
    uint64_t delivered_us;         /* monotonic, as is … */
    _Atomic uint64_t prolonged_us; /* … when the first heartbeat was answered; 0: not yet */
};

static int answer(const char *action, yyjson_val *request, struct buffer *answer, void *ctx)
{
    struct service *s = ctx;

    if (strcmp(action, "GetQueueAttributes") == 0) {
        buffer_appendf(answer, "{\"Attributes\":{\"VisibilityTimeout\":\"%d\"}}", VISIBILITY_S);
        return 200;
    }
    if (strcmp(action, "ReceiveMessage") == 0 && s->receives++ == 0) {
        s->delivered_us = clock_monotonic_us();
        buffer_append_string(answer, "{\"Messages\":[{\"MessageId\":\"id\",\"ReceiptHandle\":"
                                     "\"handle\",\"Body\":\"slow\"}]}");
        return 200;
    }
    if (strcmp(action, "ChangeMessageVisibilityBatch") == 0) {
        if (s->beats++ < HANGS)
            return 0;
        if (s->prolonged_us == 0)
            s->prolonged_us = clock_monotonic_us();
    }
    buffer_append_string(answer, "{}");
    return 200;
}

/* A full delivery, as SQS gives it where more may wait; then time passes until a heartbeat is due.
 */
static int answer_slowly(const char *action, yyjson_val *request, struct buffer *answer, void *ctx)
{
    struct service *s = ctx;

    if (strcmp(action, "ChangeMessageVisibilityBatch") == 0) {
        s->beats++;
        return 0;
    }
    if (strcmp(action, "GetQueueAttributes") == 0) {
        buffer_appendf(answer, "{\"Attributes\":{\"VisibilityTimeout\":\"%d\"}}", LONG_S);
    } else if (strcmp(action, "ReceiveMessage") == 0 && s->receives++ == 0) {
        buffer_append_string(answer, "{\"Messages\":[");
        for (int i = 0; i < BATCH; i++)
            buffer_appendf(answer,
                           "%s{\"MessageId\":\"id%d\",\"ReceiptHandle\":\"handle\","
                           "\"Body\":\"slow\"}",
                           i > 0 ? "," : "", i);
        buffer_append_string(answer, "]}");
    } else {
        if (strcmp(action, "ReceiveMessage") == 0 && s->receives == 2)
            skipped_us += (uint64_t)LONG_S * 1000000 / 2;
        if (strcmp(action, "DeleteMessageBatch") == 0)
            s->deleted += (unsigned)yyjson_arr_size(yyjson_obj_get(request, "Entries"));
        buffer_append_string(answer, "{}");
    }
    return 200;
}

/* Else this case takes hours. */
static void who_is_done_does_not_wait_for_a_heartbeat_that_hangs(void **state)
{
    struct service s = {0};
    struct aws_server *server = aws_server_new(answer_slowly, &s);
    struct queue_sqs_options options = {.queue_url = "http://sqs/1/logs",
                                        .timeout_ms = TIMEOUT_MS,
                                        .no_sender = true,
                                        .is_tool = true};
    struct queue *q = queue_sqs_new(&options, NULL);
    struct queue_delivery d;

    assert_non_null(q);
    struct queue_consumer *c = queue_test_consumer(q);
    queue_test_receive(c, &d);
    assert_int_equal(d.count, BATCH);
    while (s.beats == 0)
        usleep(LOOK_US);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    assert_int_equal(s.deleted, BATCH);
    queue_consumer_free(c);
    queue_free(q);
    aws_server_free(server);
}

static void a_message_stays_hidden_though_some_heartbeats_hang(void **state)
{
    struct service s = {0};
    struct aws_server *server = aws_server_new(answer, &s);
    struct queue_sqs_options options = {
        .queue_url = "http://sqs/1/logs", .no_sender = true, .is_tool = true};
    struct queue *q = queue_sqs_new(&options, NULL);
    struct queue_delivery d;

    assert_non_null(q);
    struct queue_consumer *c = queue_test_consumer(q);
    queue_test_receive(c, &d);
    while (s.prolonged_us == 0)
        usleep(LOOK_US);
    assert_true(s.prolonged_us < s.delivered_us + (uint64_t)VISIBILITY_S * 1000000);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    queue_consumer_free(c);
    queue_free(q);
    aws_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_stays_hidden_though_some_heartbeats_hang),
        cmocka_unit_test(who_is_done_does_not_wait_for_a_heartbeat_that_hangs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
