#include "tail/live.h"

#include "tail/events.h"

static uint64_t now_ms(const struct tail *t)
{
    return uv_now(t->hub->heartbeat.loop);
}

static size_t behind_most(const struct tail_behind *b)
{
    return b->uncertain ? b->logs : b->matching;
}

static bool is_too_far_behind(const struct tail *t)
{
    return t->place.part == 0 && behind_most(&t->behind) > TAIL_BEHIND_MAX &&
           now_ms(t) - t->behind_since_ms > TAIL_BEHIND_MS;
}

static void fall_behind(struct tail *t)
{
    tail_move(t, TAIL_CATCHING_UP);
    t->behind_since_ms = now_ms(t);
    t->behind = (struct tail_behind){0};
}

void tail_live_join(struct tail *t)
{
    tail_move(t, TAIL_LIVE);
    t->joined = true;
    t->behind = (struct tail_behind){0};
}

void tail_live_skip_if_due(struct tail *t, const struct store_position *position)
{
    if (!is_too_far_behind(t))
        return;
    t->missed += behind_most(&t->behind);
    t->missed_at_most = t->missed_at_most || t->behind.uncertain;
    t->place.position = *position;
    tail_live_join(t);
}

static bool is_after(const struct tail_event *e, const struct store_position *position)
{
    return store_position_compare(&e->position, position) > 0;
}

/* Writes the events of a batch, or counts them as missed. Returns how many it got through. */
static size_t append_live(struct tail *t, const struct tail_batch *batch,
                          const struct tail_verdict *v)
{
    size_t room = tail_feed_unsent_max(t->hub->feed);
    size_t unsent = http_stream_unsent(t->req);

    for (size_t i = 0; v->count > 0 && i < batch->len; i++) {
        const struct tail_event *e = &batch->events[i];

        if (!tail_verdict_has(v, i) || !is_after(e, &t->place.position))
            continue;
        if (t->missed > 0) /* until that is told, nothing may follow */
            t->missed++;
        else if (unsent + t->out.len + e->text.len <= room)
            buffer_append_slice(&t->out, e->text);
        else
            return i;
        t->place.position = e->position;
    }
    return batch->len;
}

/* Counts the events of a batch from number `i` on. `v`: NULL if there is none. */
static void count_behind(struct tail *t, const struct tail_batch *batch,
                         const struct tail_verdict *v, size_t i)
{
    for (; t->joined && i < batch->len; i++) {
        if (!is_after(&batch->events[i], &t->place.position))
            continue;
        t->behind.logs++;
        t->behind.matching += v && tail_verdict_has(v, i);
        t->behind.uncertain = t->behind.uncertain || !v;
    }
}

/* A live tail's. Returns how many of its events are done with; fewer than all: it is behind. */
static size_t take_live(struct tail *t, const struct tail_batch *batch,
                        const struct tail_verdict *v)
{
    struct store_position before = t->place.position;
    size_t missed_before = t->missed;
    size_t done = v ? append_live(t, batch, v) : 0;

    if (!tail_events_write(t)) { /* it will come once more */
        t->place.position = before;
        t->missed = missed_before;
        done = 0;
    }
    if (done < batch->len)
        fall_behind(t);
    else if (store_position_compare(&batch->end, &t->place.position) > 0)
        t->place.position = batch->end;
    return done;
}

void tail_live_take(struct tail *t, const struct tail_batch *batch)
{
    const struct tail_verdict *v = tail_batch_verdict(batch, t->filter);
    size_t done = 0;

    if (!tail_streams(t))
        return;
    if (batch->lost) { /* the client comes back, and is told by its first job */
        tail_end(t);
        return;
    }
    if (t->state == TAIL_LIVE)
        done = take_live(t, batch, v);
    if (t->state == TAIL_LIVE)
        return;
    count_behind(t, batch, v, done);
    if (!tail_reads(t))
        tail_live_skip_if_due(t, &batch->end);
}
