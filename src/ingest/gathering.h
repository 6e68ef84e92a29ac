/*
 * Whether the open send should wait for more logs, where each send costs money and takes long
 * (queue_limits.gather_us). It waits from its first ticket on, so long as more tickets can be
 * expected, and no longer than that. So it does not wait
 *
 *   - if all who were about wait in it already: a client that sends its next log when it has the
 *     answer to the last is alone in it, so it goes at once, and clients of that kind go together
 *     when the last of them has come. Who is about is told by the most tickets that were open at a
 *     time, since the send before the last one;
 *   - if logs come so seldom that none is likely to come in that time;
 *   - if it is so large that a further ticket would make it cost more (queue_limits.gather_bytes).
 *
 * When clients have gone, one send waits for them in vain.
 *
 * Knows neither a clock nor a loop: who calls says what time it is (clock_monotonic_us).
 */
#ifndef LOGMILL_INGEST_GATHERING_H
#define LOGMILL_INGEST_GATHERING_H

#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"

enum {
    GATHERING_WEIGHT = 8,    /* of what was before, in the mean time between two tickets */
    GATHERING_PAUSE_MAX = 4, /* times the longest wait: no pause counts for more in it */
};

struct gathering {
    uint64_t longest_us;  /* 0: nothing ever waits */
    size_t bytes;         /* about so many cost as much as one */
    uint64_t since_us;    /* when the first ticket of the open send came */
    uint64_t last_us;     /* when the last one came; 0: none has */
    uint64_t interval_us; /* between two tickets, in the mean of the last few */
    size_t most;          /* tickets that were open at a time, since the last send */
    size_t most_before;   /* the same, up to that one */
};

/* The open send. */
struct gathering_open {
    size_t tickets; /* at least 1 */
    size_t bytes;
};

void gathering_init(struct gathering *g, const struct queue_limits *limits);

/* A ticket joined the open send; it is the `nth` in it, and `about` are open, it among them. */
void gathering_came(struct gathering *g, uint64_t now_us, size_t nth, size_t about);

/* The open send was closed. `about` tickets are open, those in it among them. */
void gathering_went(struct gathering *g, size_t about);

/* How long the open send should still wait; 0: it should go. */
uint64_t gathering_left_us(const struct gathering *g, uint64_t now_us, struct gathering_open open);

#endif
