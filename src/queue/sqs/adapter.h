/*
 * The queue as an Amazon SQS standard queue, or one of a server that speaks its JSON protocol. A
 * message is durable when SQS has answered its SendMessage. Messages come in no certain order, and
 * a send of several messages is not atomic. Credentials, region and endpoint:
 * aws/credentials_chain.h, aws/endpoint.h.
 *
 * Dead letters are those of the queue's own dead-letter queue (its redrive policy): rejected
 * messages get there when SQS has delivered them maxReceiveCount times, single records at once.
 */
#ifndef LOGMILL_QUEUE_SQS_ADAPTER_H
#define LOGMILL_QUEUE_SQS_ADAPTER_H

#include "queue/queue.h"

struct queue_sqs_options {
    const char *queue_url;
    size_t max_message_bytes; /* 0: 1 MiB; less where the queue takes less: see adapter.c */
    unsigned timeout_ms;      /* of a send, and of any other call; 0: 10 s */
    unsigned gather_ms;       /* queue_limits.gather_us */
    bool no_sender;           /* for tools and workers: queue_send is not to be used */
    bool is_tool;             /* for a command: says nothing of its own */

    /* Told from time to time during queue_dead_letters_requeue; may be NULL. */
    void (*progress)(uint64_t moved, uint64_t total, void *ctx);
    void *progress_ctx;

    unsigned poll_wait_s; /* for tests: of one ReceiveMessage; 0: 20 s, which is SQS's longest */
};

/*
 * Finds credentials, region and endpoint, and reads the queue's attributes (blocks, for timeout_ms
 * at most if the service is away). NULL with `err` filled on failure. Free with queue_free.
 */
struct queue *queue_sqs_new(const struct queue_sqs_options *options, struct errbuf *err);

#endif
