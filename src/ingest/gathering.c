#include "ingest/gathering.h"

void gathering_init(struct gathering *g, const struct queue_limits *limits)
{
    *g = (struct gathering){
        .longest_us = limits->gather_us,
        .bytes = limits->gather_bytes < limits->max_message_bytes ? limits->gather_bytes
                                                                  : limits->max_message_bytes,
        .interval_us = limits->gather_us,
    };
}

void gathering_came(struct gathering *g, uint64_t now_us, size_t nth, size_t about)
{
    uint64_t pause_us = now_us - g->last_us;
    uint64_t most_us = g->longest_us * GATHERING_PAUSE_MAX;

    if (nth == 1)
        g->since_us = now_us;
    if (about > g->most)
        g->most = about;
    if (pause_us > most_us)
        pause_us = most_us;
    if (g->last_us > 0)
        g->interval_us = (g->interval_us * (GATHERING_WEIGHT - 1) + pause_us) / GATHERING_WEIGHT;
    g->last_us = now_us;
}

void gathering_went(struct gathering *g, size_t about)
{
    g->most_before = g->most;
    g->most = about;
}

uint64_t gathering_left_us(const struct gathering *g, uint64_t now_us, struct gathering_open open)
{
    uint64_t end_us = g->since_us + g->longest_us;

    if (open.tickets >= g->most && open.tickets >= g->most_before)
        return 0;
    if (g->interval_us >= g->longest_us)
        return 0;
    if (open.bytes + open.bytes / open.tickets > g->bytes)
        return 0;
    return now_us < end_us ? end_us - now_us : 0;
}
