/* What is always true of a consumer of SQS (queue/sqs/internal.h): what breaks it is seen. */
#include <stdlib.h>

#include "../aborts.h"
#include "../cmocka_all.h"
#include "base/xalloc.h"
#include "queue/sqs/internal.h"

#ifdef LOGMILL_CHECKS

/* A consumer without a queue: idle. */
static struct queue_sqs_consumer *new_consumer(void)
{
    struct queue_sqs_consumer *c = xcalloc(1, sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void take_messages(struct queue_sqs_consumer *c)
{
    c->count = 2;
    c->messages[0].body = SLICE_LITERAL("one");
    c->messages[1].body = SLICE_LITERAL("other");
    c->bytes = 8;
    c->docs_len = 1;
}

static void check(void *consumer)
{
    queue_sqs_consumer_check(consumer);
}

static void what_holds_passes(void **state)
{
    struct queue_sqs_consumer *c = new_consumer();

    assert_false(aborts(check, c));
    c->state = QUEUE_SQS_CONSUMER_POLLING;
    c->polls[0].state = QUEUE_SQS_POLL_FINISHED;
    assert_false(aborts(check, c));
    c->polls[0].state = QUEUE_SQS_POLL_IDLE;
    c->state = QUEUE_SQS_CONSUMER_WORKED_ON;
    take_messages(c);
    assert_false(aborts(check, c));
    free(c);
}

static void no_poll_is_under_way_behind_a_delivery(void **state)
{
    struct queue_sqs_consumer *c = new_consumer();

    c->state = QUEUE_SQS_CONSUMER_WORKED_ON;
    take_messages(c);
    c->polls[3].state = QUEUE_SQS_POLL_UNDER_WAY;
    assert_true(aborts(check, c));
    free(c);
}

static void no_message_stays_behind_when_it_is_settled(void **state)
{
    struct queue_sqs_consumer *c = new_consumer();

    take_messages(c);
    assert_true(aborts(check, c));
    c->state = QUEUE_SQS_CONSUMER_WORKED_ON;
    c->docs_len = 0;
    assert_true(aborts(check, c));
    free(c);
}

static void polling_has_a_poll(void **state)
{
    struct queue_sqs_consumer *c = new_consumer();

    c->state = QUEUE_SQS_CONSUMER_POLLING;
    assert_true(aborts(check, c));
    free(c);
}

static void all_bytes_count(void **state)
{
    struct queue_sqs_consumer *c = new_consumer();

    c->state = QUEUE_SQS_CONSUMER_WORKED_ON;
    take_messages(c);
    c->bytes++;
    assert_true(aborts(check, c));
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_passes),
        cmocka_unit_test(no_poll_is_under_way_behind_a_delivery),
        cmocka_unit_test(no_message_stays_behind_when_it_is_settled),
        cmocka_unit_test(polling_has_a_poll),
        cmocka_unit_test(all_bytes_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: checks are off */
}

#endif
