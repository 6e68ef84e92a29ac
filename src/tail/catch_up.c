#include "tail/catch_up.h"

#include "tail/events.h"
#include "tail/job.h"
#include "tail/live.h"

/* Has the first of the line that still needs it have a job. */
static void serve_line(struct tail_line *line)
{
    while (line->first && !line->served) {
        struct tail *t = line->first;
        struct errbuf busy = ERRBUF_INIT;

        if (tail_streams(t) && http_stream_unsent(t->req) > 0) {
            tail_move(t, TAIL_CATCHING_UP); /* it was helped otherwise meanwhile */
            continue;
        }
        tail_job_prepare(t);
        if (!read_job_submit(t->hub->readers, &t->job, &busy)) {
            tail_move(t, tail_streams(t) ? TAIL_CATCHING_UP_READS : TAIL_STARTING_READS);
            continue;
        }
        tail_job_drop(t);
        if (tail_streams(t)) {
            tail_move(t, TAIL_CATCHING_UP);
        } else {
            answers_refuse_failed(t->req, 503, &busy);
            tail_free(t);
        }
    }
}

void tail_catch_up_serve(struct tail_hub *hub)
{
    for (size_t i = 0; i < TAIL_LINES; i++)
        serve_line(&hub->lines[i]);
}

/* What was read has been written. */
static void move_on(struct tail *t)
{
    const struct tail_reading *r = &t->reading;
    struct tail_behind *b = &t->behind;

    t->place = r->to;
    b->matching -= r->found < b->matching ? r->found : b->matching;
    b->logs -= r->looked_at < b->logs ? r->looked_at : b->logs;
}

void tail_catch_up_take(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (t->reading.error == LM_ETOOBIG)
        tail_events_tell_refused(t, &t->reading.detail);
    if (t->reading.error || (t->reading.lost && !tail_events_tell_lost(t))) {
        tail_end(t); /* the client comes back by itself */
        return;
    }
    if (!tail_events_write(t))
        return; /* no room: another try when there is something new */
    move_on(t);
    if (store_position_compare(&t->place.position, &hub->position) < 0)
        tail_live_skip_if_due(t, &hub->position);
    tail_catch_up_advance(t);
}

/*
 * Goes on with the hub's recent batches, as far as there are verdicts. False if it needs a job to
 * go on: one to match, or, if they begin after its place, one that reads the store.
 */
static bool write_recent(struct tail *t)
{
    const struct tail_recent *recent = &t->hub->recent;
    size_t at = tail_recent_find(recent, &t->place.position);
    int error = 0;

    if (at == recent->len)
        return false;
    tail_job_begin(t);
    while (!error && at < recent->len && tail_batch_verdict(recent->batches[at], t->filter))
        error = tail_job_append(t, recent->batches[at++], NULL);
    if (!tail_events_write(t))
        return true; /* another try when there is something new */
    move_on(t);
    return error || at == recent->len;
}

void tail_catch_up_advance(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (!tail_streams(t) || tail_reads(t))
        return;
    tail_events_tell_missed(t);
    if (t->state == TAIL_LIVE || !hub->has_position)
        return;
    if ((store_position_compare(&hub->position, &t->place.position) > 0 || t->place.part > 0) &&
        http_stream_unsent(t->req) == 0 && !write_recent(t) && !tail_waits(t))
        tail_move(t, TAIL_CATCHING_UP_WAITS);
    if (store_position_compare(&hub->position, &t->place.position) <= 0 && t->place.part == 0)
        tail_live_join(t);
}
