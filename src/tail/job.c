#include "tail/job.h"

#include "base/container_of.h"
#include "tail/events.h"

enum {
    JOB_LOGS = 1000,     /* that a job reads from the store at most, … */
    JOB_BYTES = 1 << 20, /* … or so many bytes and one log, … */
    JOB_STEPS = 5000000, /* … or what it has matched in about 5 ms */
};

static struct tail *tail_of(struct read_job *job)
{
    return container_of(job, struct tail, job);
}

/* ---- From the store ---- */

/* If the store no longer has the event that was written in part. */
static bool has_lost_thread(const struct tail_place *place, const struct store_position *position)
{
    return place->part > 0 && store_position_compare(&place->part_of, position) != 0;
}

struct follow {
    struct tail *tail;
    struct log_subject *log;
    struct buffer text; /* of one event */
};

/* A store_follow_fn. */
static int append_found(const struct record *record, const struct store_position *position,
                        void *ctx)
{
    struct follow *f = ctx;
    struct tail *t = f->tail;
    struct tail_reading *r = &t->reading;
    bool matches = true;
    int error = 0;

    if (t->filter) {
        log_subject_set(f->log, record);
        error = tail_filter_match(t->filter, f->log, record, &matches, &r->steps, &r->detail);
        if (error)
            return error;
    }
    if (matches && !error) {
        buffer_clear(&f->text);
        tail_append_event(&f->text, record, position);
        error = buffer_error(&f->text);
    }
    if (error)
        return errbuf_fail(&r->detail, error, "no memory for logs of the store");
    if (matches) {
        if (has_lost_thread(&r->to, position))
            return errbuf_fail(&r->detail, LM_ENOTFOUND, "a log was deleted while it was sent");
        if (!tail_events_append(t, buffer_slice(&f->text), position,
                                tail_feed_unsent_max(t->hub->feed), &r->to))
            return LM_ESTOPPED;
        r->found++;
    }
    r->to.position = *position;
    r->looked_at++;
    r->bytes += tail_event_bytes(record);
    return r->bytes >= JOB_BYTES || r->steps >= JOB_STEPS ? LM_ESTOPPED : 0;
}

static enum read_step work_follow(struct read_job *job, struct read_thread *thread,
                                  const struct read_slice *slice)
{
    struct tail *t = tail_of(job);
    struct tail_reading *r = &t->reading;
    struct follow f = {.tail = t, .log = log_subject_new()};
    struct store_position position = t->place.position;

    buffer_init(&f.text, TAIL_OUT_BYTES_MAX);
    r->error =
        store_follow(thread->reader, &position, JOB_LOGS, &r->lost, append_found, &f, &r->detail);
    if (r->error == LM_ESTOPPED)
        r->error = 0;
    else if (r->to.part == 0)
        r->to.position = position;
    else if (!r->error)
        r->error = errbuf_fail(&r->detail, LM_ENOTFOUND, "a log was deleted while it was sent");
    if (!r->error)
        r->error = buffer_error(&t->out);
    log_subject_free(f.log);
    buffer_release(&f.text);
    return READ_DONE;
}

static enum read_step work_start(struct read_job *job, struct read_thread *thread,
                                 const struct read_slice *slice)
{
    struct tail *t = tail_of(job);

    if (t->has_place)
        return work_follow(job, thread, slice);
    t->reading.error =
        store_follow_end(thread->reader, &t->reading.to.position, &t->reading.detail);
    return READ_DONE;
}

/* ---- From a batch ---- */

/* Has a job of its own, or a verdict, say whether an event matches. */
static int ask(struct tail *t, const struct tail_batch *b, const struct tail_verdict *v, size_t at,
               struct log_subject *log, bool *matches)
{
    if (v) {
        *matches = tail_verdict_has(v, at);
        return 0;
    }
    log_subject_set(log, &b->events[at].record);
    t->reading.bytes += tail_event_bytes(&b->events[at].record);
    return tail_filter_match(t->filter, log, &b->events[at].record, matches, &t->reading.steps,
                             &t->reading.detail);
}

int tail_job_append(struct tail *t, const struct tail_batch *b, struct log_subject *log)
{
    const struct tail_verdict *v = tail_batch_verdict(b, t->filter);
    struct tail_reading *r = &t->reading;
    size_t room = tail_feed_unsent_max(t->hub->feed);

    for (size_t i = 0; i < b->len; i++) {
        const struct tail_event *e = &b->events[i];
        bool matches;

        if (store_position_compare(&e->position, &r->to.position) <= 0)
            continue;
        if (r->steps >= JOB_STEPS)
            return LM_ESTOPPED;
        int error = ask(t, b, v, i, log, &matches);
        if (error)
            return error;
        if (matches && !tail_events_append(t, e->text, &e->position, room, &r->to))
            return LM_ESTOPPED;
        r->to.position = e->position;
        r->found += matches;
        r->looked_at++;
    }
    r->to.position = b->end;
    return 0;
}

static enum read_step work_match(struct read_job *job, struct read_thread *thread,
                                 const struct read_slice *slice)
{
    struct tail *t = tail_of(job);
    struct tail_reading *r = &t->reading;
    struct log_subject *log = log_subject_new();

    r->error = tail_job_append(t, r->batch, log);
    if (r->error == LM_ESTOPPED)
        r->error = 0;
    if (!r->error && buffer_error(&t->out))
        r->error = errbuf_fail(&r->detail, buffer_error(&t->out), "no memory for logs of a batch");
    if (t->filter)
        tail_filter_learn(t->filter, r->steps, r->bytes);
    log_subject_free(log);
    return READ_DONE;
}

/* ---- The job ---- */

void tail_job_begin(struct tail *t)
{
    struct tail_reading *r = &t->reading;

    r->to = t->place;
    r->found = r->looked_at = 0;
    r->bytes = r->steps = 0;
    r->error = 0;
    r->lost = false;
}

void tail_job_prepare(struct tail *t)
{
    const struct tail_recent *recent = &t->hub->recent;
    bool streams = tail_streams(t);
    size_t at = streams ? tail_recent_find(recent, &t->place.position) : recent->len;

    tail_job_begin(t);
    t->job.box = t->hub->subscription.box;
    t->job.lane = streams || t->has_place ? READ_SCAN : READ_POINT;
    t->job.goes_on = streams;
    if (at < recent->len) {
        t->job.work = work_match;
        t->reading.batch = recent->batches[at];
        tail_batch_ref(t->reading.batch);
    } else {
        t->job.work = streams ? work_follow : work_start;
    }
}

void tail_job_drop(struct tail *t)
{
    if (t->reading.batch)
        tail_batch_unref(t->reading.batch);
    t->reading.batch = NULL;
}
