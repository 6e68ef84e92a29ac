/*
 * One tail. It is at one of these:
 *   starting     a job finds its first place, or checks that the store can be read; the request is
 *                not answered yet, so that it can still be refused.
 *   catching up  `live` is false: it is ahead of or behind its hub. Each time that the socket has
 *                taken all, it goes on from its place: with the hub's recent batches, or with a job
 *                that reads the store.
 *   live         the hub's batches are written as they come. Where the socket does not take them,
 *                the tail is catching up again.
 * In all of them `position` is the place up to which everything that matches was written, or told
 * as missed. Once it was live, `behind` counts the logs that match between it and the hub's place;
 * one that comes back from long ago is never made to skip.
 *
 * The tails of a hub have their jobs one at a time, in turn, so that whoever else reads waits for
 * a few of them at most.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/log_params.h"
#include "api/tail.h"
#include "base/diag.h"
#include "base/xalloc.h"
#include "http/query_string.h"

enum {
    JOB_LOGS = 1000,
    OUT_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
};

struct tail {
    struct read_job job;
    struct tail_hub *hub;
    struct tail *prev, *next;
    struct http_request *req;
    struct query_string params; /* what the filter's slices point into */
    struct log_filter filter;
    struct store_position position;
    bool has_place; /* Last-Event-ID gave `position` */
    bool begun;     /* the stream has */
    bool live;
    bool joined;    /* it was live before: `behind` is exact */
    bool job_waits; /* for its turn, in the hub's line */
    struct tail *next_in_line;
    bool job_runs;
    bool gone; /* the client, or we have ended the stream: to be freed after the job */
    size_t behind;
    uint64_t behind_since_ms; /* as uv_now counts: when it was live last */
    size_t missed;            /* to be told when the socket has taken all */

    /* The job's: */
    struct buffer out;
    struct store_position read_to;
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
    tail_feed_dismiss(hub->feed);
    query_string_release(&t->params);
    buffer_release(&t->out);
    free(t);
    if (!hub->tails)
        tail_hub_emptied(hub);
}

static void leave_line(struct tail *t)
{
    struct tail_hub *hub = t->hub;
    struct tail **at = &hub->first_in_line;

    while (*at != t)
        at = &(*at)->next_in_line;
    *at = t->next_in_line;
    if (hub->last_in_line == &t->next_in_line)
        hub->last_in_line = at;
    t->job_waits = false;
}

/* The stream is over, or was: frees now or when the job is done. */
static void let_go(struct tail *t)
{
    t->gone = true;
    if (t->job_waits)
        leave_line(t);
    if (t->job_runs)
        read_job_leave(t->hub->readers, &t->job);
    else
        free_tail(t);
}

static void end(struct tail *t)
{
    http_stream_end(t->req);
    let_go(t);
}

/* ---- Writing ---- */

static bool matches(const struct tail *t, const struct record *r)
{
    return r->key.timestamp_us >= t->filter.since_us && r->key.timestamp_us < t->filter.until_us &&
           log_filter_match(&t->filter, r);
}

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
    buffer_appendf(&t->out, "id: %" PRIu64 "-%" PRIu64 "-%" PRIu32 "\n", t->position.transaction,
                   t->position.sequence, t->position.index);
}

/* Tells what was missed, once the socket has taken all. */
static void tell_missed(struct tail *t)
{
    if (t->missed == 0 || http_stream_unsent(t->req) > 0)
        return;
    buffer_append_string(&t->out, "event: missed\n");
    append_place(t);
    buffer_appendf(&t->out, "data: {\"missed\":%zu}\n\n", t->missed);
    if (write_out(t))
        t->missed = 0;
}

/* Before what t->out holds, which comes after the gap. False where that could not be written. */
static bool tell_lost(struct tail *t)
{
    struct buffer events = t->out;
    bool told;

    buffer_init(&t->out, OUT_BYTES_MAX);
    buffer_append_string(&t->out, "event: lost\n");
    if (events.len == 0) { /* else the first of them tells */
        t->position = t->read_to;
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
    if (!t->begun || t->gone || t->job_runs || http_stream_unsent(t->req) > 0)
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

static bool is_too_far_behind(const struct tail *t)
{
    return t->behind > TAIL_BEHIND_MAX && now_ms(t) - t->behind_since_ms > TAIL_BEHIND_MS;
}

/* Goes on from the hub's place, and says what was missed. */
static void skip_to(struct tail *t, const struct store_position *position)
{
    t->missed += t->behind;
    t->behind = 0;
    t->position = *position;
    t->live = true;
}

static void take_event(struct tail *t, const struct tail_event *e)
{
    if (store_position_compare(&e->position, &t->position) <= 0 || !matches(t, &e->record))
        return;
    if (t->live && t->missed == 0 &&
        http_stream_unsent(t->req) + t->out.len < tail_feed_unsent_max(t->hub->feed)) {
        buffer_append_slice(&t->out, e->text);
        t->position = e->position;
        return;
    }
    if (t->live && t->missed > 0) { /* until that is told, nothing may follow */
        t->missed++;
        t->position = e->position;
        return;
    }
    if (t->live)
        t->behind_since_ms = now_ms(t);
    t->live = false;
    t->behind += t->joined;
}

void tail_take(struct tail *t, const struct tail_batch *batch)
{
    struct store_position before = t->position;

    if (!t->begun || t->gone)
        return;
    if (batch->lost) { /* the client comes back, and is told by its first job */
        end(t);
        return;
    }
    for (size_t i = 0; i < batch->len; i++)
        take_event(t, &batch->events[i]);
    if (!t->job_runs && !write_out(t)) { /* the store will give it once more */
        t->position = before;
        t->behind_since_ms = now_ms(t);
        t->live = false;
        t->behind = 0;
        for (size_t i = 0; i < batch->len; i++)
            take_event(t, &batch->events[i]);
    }
    if (t->live && store_position_compare(&batch->end, &t->position) > 0)
        t->position = batch->end;
    if (!t->live && !t->job_runs && is_too_far_behind(t))
        skip_to(t, &batch->end);
}

/* ---- Catching up ---- */

static int append_found(const struct record *record, const struct store_position *position,
                        void *ctx)
{
    struct tail *t = ctx;

    t->read_to = *position;
    if (!matches(t, record))
        return 0;
    t->found++;
    tail_append_event(&t->out, record, position);
    if (buffer_error(&t->out))
        return errbuf_fail(&t->detail, LM_ENOMEM, "no memory for logs of the store");
    return t->out.len >= tail_feed_unsent_max(t->hub->feed) ? LM_ESTOPPED : 0;
}

static enum read_step work_follow(struct read_job *job, struct read_thread *thread,
                                  const struct read_slice *slice)
{
    struct tail *t = tail_of(job);
    struct store_position position = t->position;

    t->found = 0;
    t->error =
        store_follow(thread->reader, &position, JOB_LOGS, &t->lost, append_found, t, &t->detail);
    if (t->error == LM_ESTOPPED)
        t->error = 0;
    else
        t->read_to = position;
    return READ_DONE;
}

static enum read_step work_start(struct read_job *job, struct read_thread *thread,
                                 const struct read_slice *slice)
{
    struct tail *t = tail_of(job);

    if (t->has_place)
        return work_follow(job, thread, slice);
    t->error = store_follow_end(thread->reader, &t->read_to, &t->detail);
    return READ_DONE;
}

static bool begin(struct tail *t);
static void refuse_unavailable(struct tail *t, const char *detail);
static void finish(struct read_job *job);

void tail_read_next(struct tail_hub *hub)
{
    while (hub->first_in_line && !hub->job_runs) {
        struct tail *t = hub->first_in_line;
        struct errbuf busy = ERRBUF_INIT;

        hub->first_in_line = t->next_in_line;
        if (!hub->first_in_line)
            hub->last_in_line = &hub->first_in_line;
        t->job_waits = false;
        if (t->begun && (t->live || http_stream_unsent(t->req) > 0))
            continue; /* it was helped otherwise meanwhile */
        t->job.work = t->begun ? work_follow : work_start;
        t->job.finish = finish;
        t->job.box = hub->box;
        t->job.lane = t->has_place ? READ_SCAN : READ_POINT;
        t->job.client = http_request_client(t->req);
        t->job.goes_on = t->begun;
        t->lost = false;
        hub->job_runs = t->job_runs = read_job_submit(hub->readers, &t->job, &busy) == 0;
        if (!t->job_runs && !t->begun)
            refuse_unavailable(t, busy.text);
    }
}

static void stand_in_line(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (t->job_waits)
        return;
    t->job_waits = true;
    t->next_in_line = NULL;
    *hub->last_in_line = t;
    hub->last_in_line = &t->next_in_line;
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
    t->position = t->read_to;
    t->behind -= t->found < t->behind ? t->found : t->behind;
    if (is_too_far_behind(t) && store_position_compare(&t->position, &hub->position) < 0)
        skip_to(t, &hub->position);
    tail_advance(t);
}

static void finish(struct read_job *job)
{
    struct tail *t = tail_of(job);
    struct tail_hub *hub = t->hub;

    hub->job_runs = t->job_runs = false;
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
 * Appends from `b` what comes after `*place` and matches, as long as t->out has room, and moves
 * `*place`. Returns how many.
 */
static size_t append_from(struct tail *t, const struct tail_batch *b, struct store_position *place,
                          size_t room)
{
    size_t found = 0, i;

    for (i = 0; i < b->len && t->out.len < room; i++) {
        const struct tail_event *e = &b->events[i];

        if (store_position_compare(&e->position, place) <= 0)
            continue;
        *place = e->position;
        if (!matches(t, &e->record))
            continue;
        buffer_append_slice(&t->out, e->text);
        found++;
    }
    if (i == b->len)
        *place = b->end;
    return found;
}

/* Goes on with the hub's recent batches. False where they begin after the tail's place. */
static bool write_recent(struct tail *t)
{
    struct tail_hub *hub = t->hub;
    struct store_position place = t->position;
    size_t room = tail_feed_unsent_max(hub->feed);
    size_t found = 0, at = hub->recent_len;

    while (at > 0 && store_position_compare(&hub->recent[at - 1]->end, &place) > 0)
        at--;
    if (at == hub->recent_len || store_position_compare(&hub->recent[at]->begin, &place) > 0)
        return false;
    for (; at < hub->recent_len && t->out.len < room; at++)
        found += append_from(t, hub->recent[at], &place, room);
    if (write_out(t)) { /* else another try when there is something new */
        t->position = place;
        t->behind -= found < t->behind ? found : t->behind;
    }
    return true;
}

void tail_advance(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (!t->begun || t->gone || t->job_runs)
        return;
    tell_missed(t);
    if (t->live || !hub->has_position)
        return;
    if (store_position_compare(&hub->position, &t->position) > 0 &&
        http_stream_unsent(t->req) == 0 && !write_recent(t))
        stand_in_line(t);
    if (store_position_compare(&hub->position, &t->position) <= 0) {
        t->live = t->joined = true;
        t->behind = 0;
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

static void refuse_unavailable(struct tail *t, const char *detail)
{
    http_respond_error(t->req, 503, detail);
    free_tail(t);
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
        refuse_unavailable(t, "the store cannot be read now, try again later");
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
        t->position = t->read_to;
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
    struct buffer refusal;
    int error;

    if (query_string_parse(&t->params, http_request_query(req))) {
        http_respond_error(req, 400, "too many query parameters: at most 128");
        return false;
    }
    buffer_init(&refusal, OUT_BYTES_MAX);
    error = log_params_parse_tail(&t->params, last_id, &t->filter, &t->has_place, &t->position,
                                  &refusal);
    if (error == LM_EINVAL)
        http_respond(req, &(struct http_response){.status = 422, .body = buffer_slice(&refusal)});
    else if (error)
        http_respond_error(req, 503, "out of memory, try again later");
    buffer_release(&refusal);
    return error == 0;
}

void tail_start(struct tail_hub *hub, struct http_request *req)
{
    struct tail *t;
    char detail[96];

    if (!tail_feed_admit(hub->feed)) {
        snprintf(detail, sizeof(detail), "too many live tails: at most %u (MAX_TAILS)",
                 tail_feed_max_tails(hub->feed));
        http_respond_error(req, 503, detail);
        return;
    }
    t = xcalloc(1, sizeof(*t));
    t->hub = hub;
    t->req = req;
    buffer_init(&t->out, OUT_BYTES_MAX);
    link_tail(t);
    if (!read_params(t, req)) {
        free_tail(t);
        return;
    }
    stand_in_line(t);
    tail_read_next(hub);
}
