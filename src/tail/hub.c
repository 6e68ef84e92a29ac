#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "tail/tail.h"

/* ---- Recent batches ---- */

static void forget_oldest(struct tail_hub *hub, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hub->recent_size -= tail_batch_size(hub->recent[i]);
        tail_batch_unref(hub->recent[i]);
    }
    hub->recent_len -= n;
    memmove(hub->recent, hub->recent + n, hub->recent_len * sizeof(struct tail_batch *));
}

/* Takes over the reference. */
static void keep(struct tail_hub *hub, struct tail_batch *batch)
{
    if (hub->recent_len == TAIL_RECENT_BATCHES)
        forget_oldest(hub, 1);
    hub->recent[hub->recent_len++] = batch;
    hub->recent_size += tail_batch_size(batch);
    while (hub->recent_size > TAIL_RECENT_BYTES)
        forget_oldest(hub, 1);
}

/* ---- Batches that come ---- */

static void deliver(struct mail *mail)
{
    struct tail_hub *hub = (struct tail_hub *)((char *)mail - offsetof(struct tail_hub, mail));
    struct tail_batch *batch;
    struct tail *next;

    while ((batch = tail_feed_take(hub->feed, hub))) {
        for (struct tail *t = hub->tails; t; t = next) {
            next = tail_next(t); /* a tail that ends takes no other with it */
            tail_take(t, batch);
        }
        if (hub->tails && !batch->lost) {
            hub->has_position = true;
            hub->position = batch->end;
            keep(hub, batch);
        } else { /* the last of its tails has ended */
            tail_batch_unref(batch);
        }
    }
    for (struct tail *t = hub->tails; t; t = next) {
        next = tail_next(t);
        tail_advance(t);
    }
    tail_read_next(hub);
}

static void on_heartbeat(uv_timer_t *timer)
{
    struct tail_hub *hub = timer->data;
    struct tail *next;

    for (struct tail *t = hub->tails; t; t = next) {
        next = tail_next(t);
        tail_beat(t);
        tail_advance(t); /* where something had no room before */
    }
    tail_read_next(hub);
}

int tail_hub_init(struct tail_hub *hub, struct tail_feed *feed, struct read_scheduler *readers,
                  struct mailbox *box, uv_loop_t *loop, struct errbuf *err)
{
    int error = uv_timer_init(loop, &hub->heartbeat);

    if (error < 0)
        return errbuf_fail(err, LM_ENOMEM, "cannot make a timer: %s", uv_strerror(error));
    hub->feed = feed;
    hub->readers = readers;
    hub->box = box;
    for (size_t i = 0; i < TAIL_LINES; i++)
        hub->lines[i].last = &hub->lines[i].first;
    hub->mail.deliver = deliver;
    hub->heartbeat.data = hub;
    hub->feed_batches = xcalloc(TAIL_HUB_BATCHES, sizeof(struct tail_batch *));
    uv_timer_start(&hub->heartbeat, on_heartbeat, TAIL_HEARTBEAT_MS, TAIL_HEARTBEAT_MS);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct tail_hub *hub = handle->data;

    free(hub->feed_batches);
    hub->closed(hub);
}

/* Once a stop has been asked for and the last tail, with its job, is over. */
static void close_where_due(struct tail_hub *hub)
{
    if (hub->closed && !hub->tails && !uv_is_closing((uv_handle_t *)&hub->heartbeat))
        uv_close((uv_handle_t *)&hub->heartbeat, on_closed);
}

void tail_hub_emptied(struct tail_hub *hub)
{
    tail_feed_unsubscribe(hub->feed, hub);
    forget_oldest(hub, hub->recent_len);
    close_where_due(hub);
}

void tail_hub_close(struct tail_hub *hub, void (*closed)(struct tail_hub *hub))
{
    hub->closed = closed;
    close_where_due(hub);
}
