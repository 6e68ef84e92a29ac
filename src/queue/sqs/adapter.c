#include "queue/sqs/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "queue/sqs/internal.h"

static int send_message(struct queue *base, struct queue_send *send)
{
    return queue_sqs_send_start((struct queue_sqs *)base, send);
}

static struct queue_limits limits(const struct queue *base)
{
    const struct queue_sqs *q = (const struct queue_sqs *)base;

    return (struct queue_limits){
        .max_message_bytes = q->max_message_bytes,
        .send_slots = QUEUE_SQS_SEND_SLOTS,
        .max_consumers = QUEUE_SQS_MAX_CONSUMERS,
        .atomic_send = false,
        .gather_us = q->gather_us,
        .gather_bytes = QUEUE_SQS_REQUEST_BYTES,
    };
}

static int check(struct queue *base, struct errbuf *err)
{
    struct queue_sqs *q = (struct queue_sqs *)base;
    struct queue_sqs_attributes attributes;
    int error = queue_sqs_attributes_read(q, q->url, &attributes, err);

    if (!error)
        queue_sqs_attributes_release(&attributes);
    return error;
}

/* SQS does not tell how old the oldest message is; its CloudWatch does. */
static int stats(struct queue *base, struct queue_stats *out, struct errbuf *err)
{
    struct queue_sqs *q = (struct queue_sqs *)base;
    struct queue_sqs_attributes attributes;

    *out = (struct queue_stats){.oldest_age_us = -1};
    int error = queue_sqs_attributes_read(q, q->url, &attributes, err);
    if (error)
        return error;
    out->depth = attributes.depth;
    error = queue_sqs_letters_count(q, attributes.letters_arn, &out->dead_letters, err);
    queue_sqs_attributes_release(&attributes);
    return error;
}

static void interrupt_receivers(struct queue *base)
{
    struct queue_sqs *q = (struct queue_sqs *)base;

    pthread_mutex_lock(&q->lock);
    q->interrupted = true;
    for (struct queue_sqs_consumer *c = q->consumers; c; c = c->next)
        queue_sqs_consumer_interrupt(c);
    pthread_mutex_unlock(&q->lock);
}

static void free_queue(struct queue *base)
{
    struct queue_sqs *q = (struct queue_sqs *)base;

    aws_client_free(q->sender);
    aws_client_free(q->client);
    aws_identity_free(q->identity);
    aws_endpoint_release(&q->endpoint);
    pthread_mutex_destroy(&q->lock);
    free(q->arn);
    queue_sqs_letters_place_release(&q->letters);
    free(q->url);
    free(q);
}

static const struct queue_ops ops = {
    .send = send_message,
    .limits = limits,
    .check = check,
    .stats = stats,
    .consumer_new = queue_sqs_consumer_new,
    .consumer_free = queue_sqs_consumer_free,
    .receive = queue_sqs_consumer_receive,
    .settle = queue_sqs_consumer_settle,
    .dead_letter = queue_sqs_letters_add,
    .interrupt = interrupt_receivers,
    .dead_letters_list = queue_sqs_letters_list,
    .dead_letters_requeue = queue_sqs_letters_requeue,
    .free = free_queue,
};

/* ---- Opening ---- */

static void init(struct queue_sqs *q, const struct queue_sqs_options *options)
{
    q->base.ops = &ops;
    q->url = xstrdup(options->queue_url);
    q->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : QUEUE_SQS_TIMEOUT_MS;
    q->max_message_bytes =
        options->max_message_bytes > 0 ? options->max_message_bytes : QUEUE_SQS_MAX_MESSAGE_BYTES;
    q->gather_us = options->gather_ms * 1000;
    q->poll_wait_s = options->poll_wait_s > 0 ? options->poll_wait_s : QUEUE_SQS_POLL_WAIT_S;
    q->progress = options->progress;
    q->progress_ctx = options->progress_ctx;
    pthread_mutex_init(&q->lock, NULL);
}

static struct aws_client *new_client(struct queue_sqs *q, unsigned max_in_flight,
                                     struct errbuf *err)
{
    return aws_client_new(&(struct aws_client_options){.name = "SQS",
                                                       .service = "sqs",
                                                       .target = "AmazonSQS",
                                                       .url = q->endpoint.url,
                                                       .region = q->endpoint.region,
                                                       .identity = q->identity,
                                                       .max_in_flight = max_in_flight},
                          err);
}

static int connect_service(struct queue_sqs *q, bool no_sender, struct errbuf *err)
{
    struct aws_identity_options identity = {0};
    int error = aws_endpoint_find(&q->endpoint, "AWS_ENDPOINT_URL_SQS", q->url, err);

    if (error)
        return error;
    identity.find.region = q->endpoint.region;
    if (!(q->identity = aws_identity_new(&identity, err)) ||
        !(q->client = new_client(q, QUEUE_SQS_CALLS_IN_FLIGHT, err)))
        return LM_EUNAVAILABLE;
    if (!no_sender && !(q->sender = new_client(q, QUEUE_SQS_SENDS_IN_FLIGHT, err)))
        return LM_EUNAVAILABLE;
    return 0;
}

static int read_queue(struct queue_sqs *q, struct errbuf *err)
{
    struct queue_sqs_attributes a;
    int error = queue_sqs_attributes_read(q, q->url, &a, err);

    if (error)
        return error;
    /* SQS itself always tells; servers like it, some of which stay with its older limit, may not.
     */
    size_t takes = a.max_message_bytes > 0 ? a.max_message_bytes : QUEUE_SQS_UNTOLD_MESSAGE_BYTES;
    if (takes < q->max_message_bytes)
        q->max_message_bytes = takes;
    q->visibility_s = a.visibility_s > 0 ? a.visibility_s : QUEUE_SQS_VISIBILITY_S;
    q->arn = a.arn;
    q->letters.arn = a.letters_arn;
    return 0;
}

/* Without it what nobody can work on comes again for as long as the queue keeps it. */
static void say_letters(const struct queue_sqs *q)
{
    if (!q->letters.arn)
        diag(DIAG_WARN,
             "the queue has no dead-letter queue: what cannot be stored comes again and "
             "again; give it a redrive policy",
             DIAG_STR("queue", q->url));
}

static bool is_fifo(const char *url)
{
    size_t len = strlen(url);

    return len > 5 && strcmp(url + len - 5, ".fifo") == 0;
}

struct queue *queue_sqs_new(const struct queue_sqs_options *options, struct errbuf *err)
{
    struct queue_sqs *q = xcalloc(1, sizeof(*q));

    init(q, options);
    if (is_fifo(q->url)) {
        errbuf_set(err, "%s is a FIFO queue: a standard queue is needed", q->url);
        goto fail;
    }
    if (connect_service(q, options->no_sender, err) || read_queue(q, err))
        goto fail;
    if (!options->is_tool)
        say_letters(q);
    return &q->base;

fail:
    free_queue(&q->base);
    return NULL;
}
