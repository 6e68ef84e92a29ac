#include "queue/queue.h"

int queue_send(struct queue *q, struct queue_send *send)
{
    return q->ops->send(q, send);
}

struct queue_limits queue_limits(const struct queue *q)
{
    return q->ops->limits(q);
}

int queue_check(struct queue *q, struct errbuf *err)
{
    return q->ops->check(q, err);
}

int queue_stats(struct queue *q, struct queue_stats *stats, struct errbuf *err)
{
    return q->ops->stats(q, stats, err);
}

struct queue_consumer *queue_consumer_new(struct queue *q, struct errbuf *err)
{
    return q->ops->consumer_new(q, err);
}

void queue_consumer_free(struct queue_consumer *c)
{
    if (c)
        c->ops->consumer_free(c);
}

int queue_receive(struct queue_consumer *c, unsigned wait_ms, struct queue_delivery *delivery,
                  struct errbuf *err)
{
    return c->ops->receive(c, wait_ms, delivery, err);
}

int queue_settle(struct queue_consumer *c, struct queue_delivery *delivery, struct errbuf *err)
{
    return c->ops->settle(c, delivery, err);
}

int queue_dead_letter(struct queue_consumer *c, struct slice body, const char *reason,
                      struct errbuf *err)
{
    return c->ops->dead_letter(c, body, reason, err);
}

void queue_interrupt(struct queue *q)
{
    q->ops->interrupt(q);
}

int queue_dead_letters_list(struct queue *q, queue_dead_letter_fn *fn, void *ctx,
                            struct errbuf *err)
{
    return q->ops->dead_letters_list(q, fn, ctx, err);
}

int queue_dead_letters_requeue(struct queue *q, const struct slice *ids, size_t ids_len,
                               uint64_t *moved, struct errbuf *err)
{
    return q->ops->dead_letters_requeue(q, ids, ids_len, moved, err);
}

int queue_dead_letters_trim(struct queue *q, const struct queue_letter_limits *limits,
                            struct queue_letter_excess *found, struct errbuf *err)
{
    *found = (struct queue_letter_excess){0};
    return q->ops->dead_letters_trim ? q->ops->dead_letters_trim(q, limits, found, err) : 0;
}

void queue_free(struct queue *q)
{
    if (q)
        q->ops->free(q);
}
