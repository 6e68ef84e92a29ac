/*
 * The dead letters of SQS where no emulator helps: more of them than these take in a reasonable
 * time, and queues that come and go. What else is promised of them is tested at real servers
 * (test_queue_sqs.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../aws/aws_server.h"
#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "queue/sqs/adapter.h"
#include "json/writer.h"

enum {
    TIMEOUT_MS = 300000, /* of what a busy machine does slowly */
    BATCH = 10,
    MANY = 20000,
    LARGE = 270, /* … of LARGE_BYTES: more than is held at once */
    LARGE_BYTES = 1 << 20,
};

/* Time passes when a case says so. */
static uint64_t skipped_us;

uint64_t __real_clock_monotonic_us(void);
uint64_t __wrap_clock_monotonic_us(void);

uint64_t __wrap_clock_monotonic_us(void)
{
    return __real_clock_monotonic_us() + skipped_us;
}

/* A queue whose dead letters can be received once. */
struct service {
    const char *name; /* of the dead-letter queue … */
    const char *gone; /* … and of one that was deleted */
    unsigned letters;
    char *body; /* of each */
    unsigned received;
    unsigned shown, deleted;
    unsigned sent;
    char sent_to[64]; /* the queue of the last one */
};

static void append_letter(struct service *s, struct buffer *answer)
{
    unsigned n = s->received++;

    buffer_appendf(answer, "{\"MessageId\":\"letter-%u\",\"ReceiptHandle\":\"handle-%u\",", n, n);
    buffer_append_string(answer, "\"Attributes\":{\"SentTimestamp\":\"1700000000000\"},\"Body\":");
    json_append_string(answer, slice_of_string(s->body));
    buffer_append_char(answer, '}');
}

static void receive(struct service *s, struct buffer *answer)
{
    buffer_append_string(answer, "{\"Messages\":[");
    for (int i = 0; i < BATCH && s->received < s->letters; i++) {
        if (i > 0)
            buffer_append_char(answer, ',');
        append_letter(s, answer);
    }
    buffer_append_string(answer, "]}");
}

static int answer(const char *action, yyjson_val *request, struct buffer *answer, void *ctx)
{
    struct service *s = ctx;
    unsigned entries = (unsigned)yyjson_arr_size(yyjson_obj_get(request, "Entries"));
    const char *url = aws_server_text(request, "QueueUrl");

    if (s->gone && strstr(url, s->gone)) {
        buffer_append_string(answer, "{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\"}");
        return 400;
    }
    if (strcmp(action, "GetQueueAttributes") == 0) {
        buffer_appendf(answer,
                       "{\"Attributes\":{\"QueueArn\":\"arn:aws:sqs:r:1:logs\","
                       "\"ApproximateNumberOfMessages\":\"%u\",\"RedrivePolicy\":"
                       "\"{\\\"deadLetterTargetArn\\\":\\\"arn:aws:sqs:r:1:%s\\\"}\"}}",
                       strstr(url, s->name) ? s->letters : 0, s->name);
    } else if (strcmp(action, "GetQueueUrl") == 0) {
        buffer_appendf(answer, "{\"QueueUrl\":\"http://sqs/1/%s\"}",
                       aws_server_text(request, "QueueName"));
    } else if (strcmp(action, "ReceiveMessage") == 0) {
        receive(s, answer);
    } else if (strcmp(action, "SendMessage") == 0) {
        assert_string_equal(aws_server_text(request, "MessageBody"), s->body);
        s->sent++;
        snprintf(s->sent_to, sizeof(s->sent_to), "%s", url);
        buffer_append_string(answer, "{\"MessageId\":\"sent\"}");
    } else {
        unsigned *done = strcmp(action, "DeleteMessageBatch") == 0 ? &s->deleted : &s->shown;

        *done += entries;
        buffer_append_string(answer, "{}");
    }
    return 200;
}

static struct queue *open_queue(void)
{
    struct queue_sqs_options options = {.queue_url = "http://sqs/1/logs",
                                        .timeout_ms = TIMEOUT_MS,
                                        .no_sender = true,
                                        .is_tool = true};
    struct errbuf err = ERRBUF_INIT;
    struct queue *q = queue_sqs_new(&options, &err);

    if (!q)
        fail_msg("cannot open the queue: %s", err.text);
    return q;
}

static char *text_of(size_t len)
{
    char *text = xcalloc(1, len + 1);

    memset(text, 'x', len);
    return text;
}

/* Sends the last of the letters again; the others are touched by nothing but a look. */
static void requeue_last(unsigned letters, size_t bytes)
{
    struct service s = {.name = "letters", .letters = letters, .body = text_of(bytes)};
    struct aws_server *server = aws_server_new(answer, &s);
    struct queue *q = open_queue();
    struct errbuf err = ERRBUF_INIT;
    uint64_t moved;
    char id[32];

    snprintf(id, sizeof(id), "letter-%u", letters - 1);
    if (queue_dead_letters_requeue(q, &(struct slice){id, strlen(id)}, 1, &moved, &err))
        fail_msg("%s", err.text);
    assert_int_equal(moved, 1);
    queue_free(q);
    aws_server_free(server);
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.deleted, 1);
    assert_int_equal(s.shown, letters - 1);
    free(s.body);
}

static void a_letter_is_found_among_many(void **state)
{
    requeue_last(MANY, 1);
}

static void a_letter_is_found_among_more_than_can_be_held(void **state)
{
    requeue_last(LARGE, LARGE_BYTES);
}

/* ---- A redrive policy that changes ---- */

/* A worker that has sent a dead letter to the queue "first", before the policy names "second". */
struct worker {
    struct service service;
    struct aws_server *server;
    struct queue *q;
    struct queue_consumer *c;
};

static void send_letter(struct worker *w, const char *to)
{
    struct errbuf err = ERRBUF_INIT;

    if (queue_dead_letter(w->c, SLICE_LITERAL("dead"), "why", &err))
        fail_msg("%s", err.text);
    assert_string_equal(w->service.sent_to, to);
}

static int start_worker(void **state)
{
    struct worker *w = xcalloc(1, sizeof(*w));

    w->service = (struct service){.name = "first", .body = "dead"};
    w->server = aws_server_new(answer, &w->service);
    w->q = open_queue();
    w->c = queue_consumer_new(w->q, NULL);
    assert_non_null(w->c);
    send_letter(w, "http://sqs/1/first");
    w->service.name = "second";
    *state = w;
    return 0;
}

static int stop_worker(void **state)
{
    struct worker *w = *state;

    queue_consumer_free(w->c);
    queue_free(w->q);
    aws_server_free(w->server);
    free(w);
    return 0;
}

static void another_dead_letter_queue_is_taken_once_the_old_one_is_gone(void **state)
{
    struct worker *w = *state;

    w->service.gone = "first";
    send_letter(w, "http://sqs/1/second");
}

static void another_dead_letter_queue_is_taken_once_its_letters_are_counted(void **state)
{
    struct worker *w = *state;
    struct queue_stats stats;

    w->service.letters = 7;
    assert_int_equal(queue_stats(w->q, &stats, NULL), 0);
    assert_int_equal(stats.dead_letters, 7);
    send_letter(w, "http://sqs/1/second");
}

static void another_dead_letter_queue_is_taken_after_a_minute(void **state)
{
    struct worker *w = *state;

    send_letter(w, "http://sqs/1/first");
    skipped_us += UINT64_C(60000000);
    send_letter(w, "http://sqs/1/second");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start_worker, stop_worker)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_found_among_many),
        cmocka_unit_test(a_letter_is_found_among_more_than_can_be_held),
        CASE(another_dead_letter_queue_is_taken_once_the_old_one_is_gone),
        CASE(another_dead_letter_queue_is_taken_once_its_letters_are_counted),
        CASE(another_dead_letter_queue_is_taken_after_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
