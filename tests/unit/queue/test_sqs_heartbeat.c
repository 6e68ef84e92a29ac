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
    HANGS = 3,       /* heartbeats that get no answer */
    LOOK_US = 10000, /* how often it is looked whether one got an answer */
};

struct service {
    unsigned receives, beats;
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
