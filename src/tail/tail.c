/*
 * One tail. It is at one of these:
 *   starting     a job finds its first place, or checks that the store can be read; the request is
 *                not answered yet, so that it can still be refused.
 *   catching up  `live` is false: it is ahead of or behind its hub. Each time that the socket has
 *                taken all, it goes on from its place: with the hub's recent batches, or with a job
 *                that reads the store, or that matches a recent batch on which its filter has no
 *                verdict.
 *   live         the hub's batches are written as they come. Where the socket does not take them,
 *                or its filter has no verdict on one, the tail is catching up again.
 * In all of them `place` is how far everything that matches was written, or told as missed. An
 * event that is larger than what a tail may have unsent is written in parts, each when the one
 * before has been taken; nothing else is written between them.
 *
 * Once it was live, `behind` counts what comes between it and the hub's place; one that comes back
 * from long ago is never made to skip.
 *
 * The tails of a hub have their jobs in turn, one at a time of each line (tail_line), so that
 * whoever else reads waits for a few of them at most.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/query_string.h"
#include "read/answer.h"
#include "read/params.h"
#include "tail/tail.h"

enum {
    JOB_LOGS = 1000,         /* that a job reads from the store at most, … */
    JOB_BYTES = 1 << 20,     /* … or so many bytes and one log, … */
    JOB_STEPS = 5000000,     /* … or what it has matched in about 5 ms */
    OUT_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
};

struct place {
    struct store_position position;
    size_t part;                   /* bytes of the next event that matches, … */
    struct store_position part_of; /* … which is this one, that were written */
};

/* Logs between a tail and its hub. */
struct behind {
    size_t logs;
    size_t matching; /* of them */
    bool uncertain;  /* there are some that nobody has matched: `matching` is too low */
};

struct tail {
    struct read_job job;
    struct tail_hub *hub;
    struct tail *prev, *next;
    struct http_request *req;
    struct tail_filter *filter; /* NULL: takes all */
    struct place place;
    bool has_place; /* Last-Event-ID gave it */
    bool begun;     /* the stream has */
    bool live;
    bool joined;            /* it was live before: `behind` is complete */
    struct tail_line *line; /* in which it waits, or its job is the one that runs; or NULL */
    struct tail *next_in_line;
    bool job_runs;
    bool gone; /* the client, or we have ended the stream: to be freed after the job */
    struct behind behind;
    uint64_t behind_since_ms; /* as uv_now counts: when it was live last */
    size_t missed;            /* to be told when the socket has taken all, … */
    bool missed_at_most;      /* … and that it may be less */

    /* The job's: */
    struct buffer out;
    struct tail_batch *batch; /* to be matched; NULL: read the store */
    struct place read_to;
    size_t looked_at;
    uint64_t bytes; /* that were matched, … */
    uint64_t steps; /* … in so many */
    size_t found;
    bool lost;
    int error;
    struct errbuf detail;
};

struct tail *tail_next(const struct tail *t)
{
    return t->next;
}

static struct tail *tail_of(struct read_job *job)
{
    return (struct tail *)((char *)job - offsetof(struct tail, job));
}

/* ---- Life ---- */

static void link_tail(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    t->next = hub->tails;
    if (t->next)
        t->next->prev = t;
    hub->tails = t;
    if (!t->next)
        tail_feed_subscribe(hub->feed, hub);
}

static void free_tail(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (t->prev)
        t->prev->next = t->next;
    else
        hub->tails = t->next;
    if (t->next)
        t->next->prev = t->prev;
    tail_feed_drop_filter(hub->feed, t->filter);
    tail_feed_dismiss(hub->feed);
    buffer_release(&t->out);
    free(t);
    if (!hub->tails)
        tail_hub_emptied(hub);
}

static void stand_in_line(struct tail *t)
{
    bool expensive = t->filter && atomic_load(&t->filter->cost) > TAIL_COST_EXPENSIVE;

    if (t->line)
        return;
    t->line = &t->hub->lines[expensive ? TAIL_LINE_EXPENSIVE : TAIL_LINE];
    t->next_in_line = NULL;
    *t->line->last = t;
    t->line->last = &t->next_in_line;
}

static void leave_line(struct tail *t)
{
    struct tail **at = &t->line->first;

    while (*at != t)
        at = &(*at)->next_in_line;
    *at = t->next_in_line;
    if (t->line->last == &t->next_in_line)
        t->line->last = at;
    t->line = NULL;
}

/* The stream is over, or was: frees now or when the job is done. */
static void let_go(struct tail *t)
{
    t->gone = true;
    if (t->job_runs) {
        read_job_leave(t->hub->readers, &t->job);
        return;
    }
    if (t->line)
        leave_line(t);
    free_tail(t);
}

static void end(struct tail *t)
{
    http_stream_end(t->req);
    let_go(t);
}

/* ---- Writing ---- */

/* Writes t->out and empties it. False where there was no memory, or no room in the byte budget. */
static bool write_out(struct tail *t)
{
    bool written = buffer_error(&t->out) == 0 &&
                   (t->out.len == 0 || http_stream_write(t->req, buffer_slice(&t->out)) == 0);

    buffer_release(&t->out);
    return written;
}

static void append_place(struct tail *t)
{
    const struct store_position *p = &t->place.position;

    buffer_appendf(&t->out, "id: %" PRIu64 "-%" PRIu64 "-%" PRIu32 "\n", p->transaction,
                   p->sequence, p->index);
}

/* Tells what was missed, once the socket has taken all. */
static void tell_missed(struct tail *t)
{
    if (t->missed == 0 || t->place.part > 0 || http_stream_unsent(t->req) > 0)
        return;
    buffer_append_string(&t->out, "event: missed\n");
    append_place(t);
    buffer_appendf(&t->out, "data: {\"missed\":%zu%s}\n\n", t->missed,
                   t->missed_at_most ? ",\"at_most\":true" : "");
    if (write_out(t)) {
        t->missed = 0;
        t->missed_at_most = false;
    }
}

/* Before what t->out holds, which comes after the gap. False where that could not be written. */
static bool tell_lost(struct tail *t)
{
    struct buffer events = t->out;
    bool told;

    buffer_init(&t->out, OUT_BYTES_MAX);
    buffer_append_string(&t->out, "event: lost\n");
    if (events.len == 0) { /* else the first of them tells */
        t->place = t->read_to;
        append_place(t);
    }
    buffer_append_string(&t->out, "data: {\"detail\":\"logs before this are too long ago to be "
                                  "followed: read them with GET /logs\"}\n\n");
    told = write_out(t);
    t->out = events;
    return told;
}

void tail_beat(struct tail *t)
{
    if (!t->begun || t->gone || t->job_runs || t->place.part > 0 || http_stream_unsent(t->req) > 0)
        return;
    buffer_append_string(&t->out, ": still here\n");
    append_place(t);
    buffer_append_string(&t->out, "\n");
    (void)write_out(t);
}

/* ---- Live ---- */

static uint64_t now_ms(const struct tail *t)
{
    return uv_now(t->hub->heartbeat.loop);
}

static size_t behind_most(const struct behind *b)
{
    return b->uncertain ? b->logs : b->matching;
}

static bool is_too_far_behind(const struct tail *t)
{
    return t->place.part == 0 && behind_most(&t->behind) > TAIL_BEHIND_MAX &&
           now_ms(t) - t->behind_since_ms > TAIL_BEHIND_MS;
}

/* Goes on from the hub's place, and says what was missed. */
static void skip_to(struct tail *t, const struct store_position *position)
{
    t->missed += behind_most(&t->behind);
    t->missed_at_most = t->missed_at_most || t->behind.uncertain;
    t->behind = (struct behind){0};
    t->place.position = *position;
    t->live = true;
}

static void fall_behind(struct tail *t)
{
    t->live = false;
    t->behind_since_ms = now_ms(t);
    t->behind = (struct behind){0};
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

/* Counts the events of a batch from number `i` on. `v`: NULL where there is none. */
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

    if (!write_out(t)) { /* it will come once more */
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

void tail_take(struct tail *t, const struct tail_batch *batch)
{
    const struct tail_verdict *v = tail_batch_verdict(batch, t->filter);
    size_t done = 0;

    if (!t->begun || t->gone)
        return;
    if (batch->lost) { /* the client comes back, and is told by its first job */
        end(t);
        return;
    }
    if (t->live)
        done = take_live(t, batch, v);
    if (!t->live)
        count_behind(t, batch, v, done);
    if (!t->live && !t->job_runs && is_too_far_behind(t))
        skip_to(t, &batch->end);
}

/* ---- Catching up ---- */

/*
 * Appends the event at `position`, or what there is room for of an event that has no room even
 * alone, and moves `*place`. True where that was all of it, false where t->out is full.
 */
static bool append_event(struct tail *t, struct slice text, const struct store_position *position,
                         size_t room, struct place *place)
{
    size_t left = text.len - place->part;

    if (t->out.len + left > room) {
        if (t->out.len > 0)
            return false;
        buffer_append(&t->out, text.data + place->part, room);
        place->part += room;
        place->part_of = *position;
        return false;
    }
    buffer_append(&t->out, text.data + place->part, left);
    *place = (struct place){.position = *position};
    return true;
}

/* Where the store no longer has the event that was written in part. */
static bool has_lost_thread(const struct place *place, const struct store_position *position)
{
    return place->part > 0 && store_position_compare(&place->part_of, position) != 0;
}

/* A store_follow_fn. */
struct follow {
    struct tail *tail;
    struct log_subject *log;
    struct buffer text; /* of one event */
};

static int append_found(const struct record *record, const struct store_position *position,
                        void *ctx)
{
    struct follow *f = ctx;
    struct tail *t = f->tail;
    bool matches = true;
    int error = 0;

    if (t->filter) {
        log_subject_set(f->log, record);
        error = tail_filter_match(t->filter, f->log, record, &matches, &t->steps);
    }
    if (matches && !error) {
        buffer_clear(&f->text);
        tail_append_event(&f->text, record, position);
        error = buffer_error(&f->text);
    }
    if (error)
        return errbuf_fail(&t->detail, error, "no memory for logs of the store");
    if (matches) {
        if (has_lost_thread(&t->read_to, position))
            return errbuf_fail(&t->detail, LM_ENOTFOUND, "a log was deleted while it was sent");
        if (!append_event(t, buffer_slice(&f->text), position, tail_feed_unsent_max(t->hub->feed),
                          &t->read_to))
            return LM_ESTOPPED;
        t->found++;
    }
    t->read_to.position = *position;
    t->looked_at++;
    t->bytes += tail_event_bytes(record);
    return t->bytes >= JOB_BYTES || t->steps >= JOB_STEPS ? LM_ESTOPPED : 0;
}

static enum read_step work_follow(struct read_job *job, struct read_thread *thread,
                                  const struct read_slice *slice)
{
    struct tail *t = tail_of(job);
    struct follow f = {.tail = t, .log = log_subject_new()};
    struct store_position position = t->place.position;

    buffer_init(&f.text, OUT_BYTES_MAX);
    t->error =
        store_follow(thread->reader, &position, JOB_LOGS, &t->lost, append_found, &f, &t->detail);
    if (t->error == LM_ESTOPPED)
        t->error = 0;
    else if (t->read_to.part == 0)
        t->read_to.position = position;
    else if (!t->error)
        t->error = errbuf_fail(&t->detail, LM_ENOTFOUND, "a log was deleted while it was sent");
    if (!t->error)
        t->error = buffer_error(&t->out);
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
    t->error = store_follow_end(thread->reader, &t->read_to.position, &t->detail);
    return READ_DONE;
}

/* Has a job of its own, or a verdict, say whether an event matches. */
static int ask(struct tail *t, const struct tail_batch *b, const struct tail_verdict *v, size_t at,
               struct log_subject *log, bool *matches)
{
    if (v) {
        *matches = tail_verdict_has(v, at);
        return 0;
    }
    log_subject_set(log, &b->events[at].record);
    t->bytes += tail_event_bytes(&b->events[at].record);
    return tail_filter_match(t->filter, log, &b->events[at].record, matches, &t->steps);
}

/*
 * Goes on with a batch from t->read_to, which it moves. `log`: for a filter without a verdict.
 * Returns 0 where it came to the batch's end, LM_ESTOPPED where t->out is full or that took its
 * time, or LM_ENOMEM.
 */
static int append_from(struct tail *t, const struct tail_batch *b, struct log_subject *log)
{
    const struct tail_verdict *v = tail_batch_verdict(b, t->filter);
    size_t room = tail_feed_unsent_max(t->hub->feed);

    for (size_t i = 0; i < b->len; i++) {
        const struct tail_event *e = &b->events[i];
        bool matches;

        if (!is_after(e, &t->read_to.position))
            continue;
        if (t->steps >= JOB_STEPS)
            return LM_ESTOPPED;
        int error = ask(t, b, v, i, log, &matches);
        if (error)
            return error;
        if (matches && !append_event(t, e->text, &e->position, room, &t->read_to))
            return LM_ESTOPPED;
        t->read_to.position = e->position;
        t->found += matches;
        t->looked_at++;
    }
    t->read_to.position = b->end;
    return 0;
}

static enum read_step work_match(struct read_job *job, struct read_thread *thread,
                                 const struct read_slice *slice)
{
    struct tail *t = tail_of(job);
    struct log_subject *log = log_subject_new();

    t->error = append_from(t, t->batch, log);
    if (t->error == LM_ESTOPPED)
        t->error = 0;
    if (!t->error)
        t->error = buffer_error(&t->out);
    if (t->error)
        errbuf_set(&t->detail, "no memory for logs of a batch");
    if (t->filter)
        tail_filter_learn(t->filter, t->steps, t->bytes);
    log_subject_free(log);
    return READ_DONE;
}

static bool begin(struct tail *t);
static void finish(struct read_job *job);

/* The first of the hub's recent batches that the tail needs; recent_len: they begin later. */
static size_t find_recent(const struct tail *t)
{
    const struct tail_hub *hub = t->hub;
    size_t at = hub->recent_len;

    while (at > 0 && store_position_compare(&hub->recent[at - 1]->end, &t->place.position) > 0)
        at--;
    if (at < hub->recent_len &&
        store_position_compare(&hub->recent[at]->begin, &t->place.position) > 0)
        return hub->recent_len;
    return at;
}

static void start_reading(struct tail *t)
{
    t->read_to = t->place;
    t->found = t->looked_at = 0;
    t->bytes = t->steps = 0;
    t->error = 0;
    t->lost = false;
}

/* Chooses what the next job does. */
static void prepare_job(struct tail *t)
{
    size_t at = t->begun ? find_recent(t) : t->hub->recent_len;

    start_reading(t);
    t->job.finish = finish;
    t->job.box = t->hub->box;
    t->job.lane = t->begun || t->has_place ? READ_SCAN : READ_POINT;
    t->job.goes_on = t->begun;
    if (at < t->hub->recent_len) {
        t->job.work = work_match;
        t->batch = t->hub->recent[at];
        tail_batch_ref(t->batch);
    } else {
        t->job.work = t->begun ? work_follow : work_start;
    }
}

static void drop_batch(struct tail *t)
{
    if (t->batch)
        tail_batch_unref(t->batch);
    t->batch = NULL;
}

/* Has the first of the line that still needs it have a job. */
static void serve_line(struct tail_line *line)
{
    while (line->first && !line->job_runs) {
        struct tail *t = line->first;
        struct errbuf busy = ERRBUF_INIT;

        line->first = t->next_in_line;
        if (!line->first)
            line->last = &line->first;
        t->line = NULL;
        if (t->begun && (t->live || http_stream_unsent(t->req) > 0))
            continue; /* it was helped otherwise meanwhile */
        prepare_job(t);
        if (read_job_submit(t->hub->readers, &t->job, &busy) == 0) {
            t->line = line;
            t->job_runs = line->job_runs = true;
            continue;
        }
        drop_batch(t);
        if (t->begun)
            continue;
        answers_refuse_failed(t->req, 503, &busy);
        free_tail(t);
    }
}

void tail_read_next(struct tail_hub *hub)
{
    for (size_t i = 0; i < TAIL_LINES; i++)
        serve_line(&hub->lines[i]);
}

/* What was read has been written. */
static void move_on(struct tail *t)
{
    struct behind *b = &t->behind;

    t->place = t->read_to;
    b->matching -= t->found < b->matching ? t->found : b->matching;
    b->logs -= t->looked_at < b->logs ? t->looked_at : b->logs;
}

/* Writes what the job has found. */
static void take_found(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (t->error || (t->lost && !tell_lost(t))) { /* the client comes back by itself */
        end(t);
        return;
    }
    if (!write_out(t))
        return; /* no room: another try when there is something new */
    move_on(t);
    if (is_too_far_behind(t) && store_position_compare(&t->place.position, &hub->position) < 0)
        skip_to(t, &hub->position);
    tail_advance(t);
}

static void finish(struct read_job *job)
{
    struct tail *t = tail_of(job);
    struct tail_hub *hub = t->hub;

    t->job_runs = t->line->job_runs = false;
    t->line = NULL;
    drop_batch(t);
    if (t->job.unserved)
        t->error = errbuf_fail(&t->detail, LM_ETIMEOUT, "no reader had time for it");
    if (t->error && !t->gone)
        diag(DIAG_WARN, "a live tail failed", DIAG_STR("reason", t->detail.text));
    if (t->gone)
        free_tail(t);
    else if (t->begun || begin(t))
        take_found(t);
    tail_read_next(hub);
}

/*
 * Goes on with the hub's recent batches, as far as there are verdicts. False where it needs a job
 * to go on: one to match, or, where they begin after its place, one that reads the store.
 */
static bool write_recent(struct tail *t)
{
    struct tail_hub *hub = t->hub;
    size_t at = find_recent(t);
    int error = 0;

    if (at == hub->recent_len)
        return false;
    start_reading(t);
    while (!error && at < hub->recent_len && tail_batch_verdict(hub->recent[at], t->filter))
        error = append_from(t, hub->recent[at++], NULL);
    if (!write_out(t))
        return true; /* another try when there is something new */
    move_on(t);
    return error || at == hub->recent_len;
}

void tail_advance(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (!t->begun || t->gone || t->job_runs)
        return;
    tell_missed(t);
    if (t->live || !hub->has_position)
        return;
    if ((store_position_compare(&hub->position, &t->place.position) > 0 || t->place.part > 0) &&
        http_stream_unsent(t->req) == 0 && !write_recent(t))
        stand_in_line(t);
    if (store_position_compare(&hub->position, &t->place.position) <= 0 && t->place.part == 0) {
        t->live = t->joined = true;
        t->behind = (struct behind){0};
    }
}

/* ---- The stream ---- */

static void on_drained(void *ctx)
{
    struct tail *t = ctx;

    tail_advance(t);
    tail_read_next(t->hub);
}

/* Who does not take what was sent must not hold up a stop: it comes back for the rest. */
static void on_last_call(void *ctx)
{
    struct tail *t = ctx;

    if (http_stream_unsent(t->req) == 0) {
        end(t);
        return;
    }
    http_stream_abort(t->req);
    let_go(t);
}

static void on_closed(void *ctx)
{
    let_go(ctx);
}

static void refuse(struct tail *t, enum refusal why)
{
    answers_refuse(t->req, why, 0);
    free_tail(t);
}

/* Before the stream has begun: a client that goes must not keep its place in the line. */
static void on_gone(void *ctx)
{
    struct tail *t = ctx;

    if (t->job_runs) {
        read_job_leave(t->hub->readers, &t->job);
        return;
    }
    leave_line(t);
    refuse(t, REFUSED_TAIL_LEFT);
}

/* Answers with the head of the stream; false where the tail is over, and freed. */
static bool begin(struct tail *t)
{
    static const struct http_stream_hooks hooks = {
        .is_endless = true, .drained = on_drained, .last_call = on_last_call, .closed = on_closed};
    static const struct http_header headers[] = {
        {"Cache-Control", {"no-store", 8}},
        {"X-Accel-Buffering", {"no", 2}}, /* nginx passes each event on at once */
    };
    const struct http_response head = {
        .status = 200, .content_type = "text/event-stream", .headers = headers, .headers_len = 2};
    struct buffer first;

    if (t->error) {
        refuse(t, REFUSED_STORE_FAILED);
        return false;
    }
    if (!http_stream_begin(t->req, &head, &hooks, t)) {
        free_tail(t);
        return false;
    }
    t->begun = true;
    first = t->out; /* of the job: after the head */
    buffer_init(&t->out, OUT_BYTES_MAX);
    buffer_appendf(&t->out, "retry: %d\n", TAIL_RETRY_MS);
    if (!t->has_place)
        t->place = t->read_to;
    append_place(t);
    buffer_append_string(&t->out, "\n");
    (void)write_out(t);
    t->out = first;
    return true;
}

/* Reads the parameters of `req` into `t`; false where they were answered. */
static bool read_params(struct tail *t, struct http_request *req)
{
    struct slice last_id = http_request_header(req, "last-event-id");
    struct query_string params;
    struct log_filter filter;
    struct buffer refusal;
    int error = query_string_parse(&params, http_request_query(req));

    buffer_init(&refusal, OUT_BYTES_MAX);
    if (!error)
        error = log_params_parse_tail(&params, last_id, &filter, &t->has_place, &t->place.position,
                                      &refusal);
    if (!error)
        error = tail_feed_use_filter(t->hub->feed, &filter, &t->filter);
    if (error)
        read_answer_refuse(req, error, buffer_slice(&refusal));
    buffer_release(&refusal);
    query_string_release(&params);
    return error == 0;
}

void tail_start(struct tail_hub *hub, struct http_request *req)
{
    struct tail *t;

    if (!tail_feed_admit(hub->feed)) {
        answers_refuse(req, REFUSED_TAILS, tail_feed_max_tails(hub->feed));
        return;
    }
    t = xcalloc(1, sizeof(*t));
    t->hub = hub;
    t->req = req;
    t->job.client = http_request_client(req);
    buffer_init(&t->out, OUT_BYTES_MAX);
    link_tail(t);
    if (!read_params(t, req)) {
        free_tail(t);
        return;
    }
    stand_in_line(t);
    http_request_on_gone(req, on_gone, t);
    tail_read_next(hub);
}
