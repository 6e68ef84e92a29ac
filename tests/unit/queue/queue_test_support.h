/* Sending and receiving in a few words, for the tests of queues. All failures fail the test. */
#ifndef LOGMILL_TESTS_QUEUE_TEST_SUPPORT_H
#define LOGMILL_TESTS_QUEUE_TEST_SUPPORT_H

#include "queue/queue.h"

/* Sends and waits for `done`; returns its error. */
int queue_test_send(struct queue *q, const struct slice *messages, size_t n);

/* The same for one message given as text. */
int queue_test_send_text(struct queue *q, const char *text);

/* A consumer. */
struct queue_consumer *queue_test_consumer(struct queue *q);

/* Receives until something comes, however long that takes. */
void queue_test_receive(struct queue_consumer *c, struct queue_delivery *d);

/* Settles with one outcome for all. */
void queue_test_settle(struct queue_consumer *c, struct queue_delivery *d,
                       enum queue_outcome outcome);

/*
 * The server may deliver a message twice, even if nothing goes wrong, as a busy moto does if two
 * receive at once: queue_test_drain counts each once.
 */
extern bool queue_test_may_repeat;

/*
 * Receives and acknowledges the `n` messages that are to come, however long that takes, and then
 * all that comes before nothing does for `quiet_ms` (0: does not look); returns the number of all.
 * Each one's body is given to `fn`, if that is not NULL.
 */
size_t queue_test_drain(struct queue_consumer *c, size_t n, unsigned quiet_ms,
                        void (*fn)(struct slice body, void *ctx), void *ctx);

/* The number that a body of digits spells. */
uint32_t queue_test_number(struct slice body);

struct queue_stats queue_test_stats(struct queue *q);

#endif
