#include "tail/hub.h"

static void on_closed(uv_handle_t *handle)
{
    struct tail_hub *hub = handle->data;

    hub->closed(hub);
}

/* Once a stop has been asked for and the last tail, with its job, is over. */
static void close_if_due(struct tail_hub *hub)
{
    if (hub->closed && !hub->tails && !uv_is_closing((uv_handle_t *)&hub->heartbeat))
        uv_close((uv_handle_t *)&hub->heartbeat, on_closed);
}

void tail_hub_fill(struct tail_hub *hub)
{
    hub->has_position = tail_feed_subscribe(hub->feed, &hub->subscription, &hub->position);
}

void tail_hub_empty(struct tail_hub *hub)
{
    tail_feed_unsubscribe(hub->feed, &hub->subscription);
    hub->has_position = false;
    tail_recent_forget(&hub->recent);
    close_if_due(hub);
}

void tail_hub_close(struct tail_hub *hub, void (*closed)(struct tail_hub *hub))
{
    hub->closed = closed;
    close_if_due(hub);
}
