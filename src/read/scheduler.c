/*
 * The lines: each lane has a ring of the clients that have jobs waiting in it, and each client a
 * line of jobs for each lane. Whose turn it is is the first job of the ring's first client, who
 * then goes to the ring's end.
 *
 * Always true, under the lock (scheduler_check):
 *   - A client is in a lane's ring if its line there is not empty, once, and in the table if it has
 *     a job, waiting or running.
 *   - A job is in a line (`owner` set, not `runs`), runs on one thread, or is not ours.
 *   - Each count is that of what it counts: a ring's jobs, a client's, those that run, and all.
 *   - Without parts of answers that have begun (`goes_on`) there are at most max_jobs, and at most
 *     max_client_jobs of a client.
 */
#include "read/scheduler.h"

#include <stdbool.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"

enum {
    WATCH_INTERVAL_MS = 50,
    CLIENT_SLOTS = 256, /* of the table of clients; a power of two */
};

static const uint64_t MS_US = 1000;

/* Jobs of one client that wait in one lane. */
struct line {
    struct read_job *first;
    struct read_job **last;        /* where the next one is linked */
    struct read_client *next_ring; /* the client after this one in the lane's ring */
};

struct read_client {
    uint64_t id;
    unsigned jobs;
    struct line lines[READ_LANES];
    struct read_client *next_slot;
};

struct ring {
    struct read_client *first;
    struct read_client *last;
    unsigned jobs;
};

struct reader {
    struct read_scheduler *scheduler;
    pthread_t thread;
    struct read_thread tools;
    bool takes_scans;
    pthread_cond_t wake; /* a job waits for it, or stopping */
    bool rests;
    unsigned passed_scan;   /* turns of others since a scan had one */
    struct read_job *job;   /* of the turn under way */
    uint64_t turn_began_us; /* of it */
};

struct read_scheduler {
    pthread_mutex_t lock;
    pthread_cond_t watch; /* there is something to watch while the watchdog rests, or stopping */
    struct ring rings[READ_LANES];
    struct read_client *clients[CLIENT_SLOTS];
    unsigned jobs;
    unsigned running;
    unsigned max_jobs;
    unsigned max_client_jobs;
    uint64_t timeout_us;
    uint64_t stop_us; /* when every job's time is over; 0: no stop is near */
    bool stopping;
    bool watchdog_rests; /* it need not be woken for every job */
    struct reader *readers;
    unsigned readers_len;
    struct store_helpers *helpers; /* NULL: none */
    unsigned helpers_len;
    pthread_t watchdog;
};

/* ---- Clients ---- */

static struct read_client **client_slot(struct read_scheduler *s, uint64_t id)
{
    uint64_t mixed = id * UINT64_C(0x9e3779b97f4a7c15);

    return &s->clients[mixed >> 56 & (CLIENT_SLOTS - 1)];
}

static struct read_client *find_client(struct read_scheduler *s, uint64_t id)
{
    struct read_client *c = *client_slot(s, id);

    while (c && c->id != id)
        c = c->next_slot;
    return c;
}

static struct read_client *add_client(struct read_scheduler *s, uint64_t id)
{
    struct read_client **slot = client_slot(s, id);
    struct read_client *c = xcalloc(1, sizeof(*c));

    c->id = id;
    for (unsigned i = 0; i < READ_LANES; i++)
        c->lines[i].last = &c->lines[i].first;
    c->next_slot = *slot;
    *slot = c;
    return c;
}

static void drop_client(struct read_scheduler *s, struct read_client *c)
{
    struct read_client **at = client_slot(s, c->id);

    while (*at != c)
        at = &(*at)->next_slot;
    *at = c->next_slot;
    free(c);
}

/* ---- Lines ---- */

static void enter_ring(struct ring *ring, enum read_lane lane, struct read_client *c)
{
    c->lines[lane].next_ring = NULL;
    if (ring->last)
        ring->last->lines[lane].next_ring = c;
    else
        ring->first = c;
    ring->last = c;
}

static void leave_ring(struct ring *ring, enum read_lane lane, struct read_client *c)
{
    struct read_client **at = &ring->first, *before = NULL;

    while (*at != c) {
        before = *at;
        at = &before->lines[lane].next_ring;
    }
    *at = c->lines[lane].next_ring;
    if (ring->last == c)
        ring->last = before;
}

static void enter_line(struct read_scheduler *s, struct read_job *job, enum read_lane lane)
{
    struct line *line = &job->owner->lines[lane];

    if (!line->first)
        enter_ring(&s->rings[lane], lane, job->owner);
    job->line = lane;
    job->next = NULL;
    *line->last = job;
    line->last = &job->next;
    s->rings[lane].jobs++;
}

static void leave_line(struct read_scheduler *s, struct read_job *job)
{
    struct line *line = &job->owner->lines[job->line];
    struct read_job **at = &line->first;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (line->last == &job->next)
        line->last = at;
    s->rings[job->line].jobs--;
    if (!line->first)
        leave_ring(&s->rings[job->line], job->line, job->owner);
}

/* Takes the job whose turn it is in `lane`, or NULL. */
static struct read_job *take_first(struct read_scheduler *s, enum read_lane lane)
{
    struct ring *ring = &s->rings[lane];
    struct read_client *c = ring->first;

    if (!c)
        return NULL;

    struct read_job *job = c->lines[lane].first;

    leave_line(s, job);
    if (c->lines[lane].first && c != ring->last) {
        leave_ring(ring, lane, c);
        enter_ring(ring, lane, c);
    }
    return job;
}

/* ---- Invariants ---- */

/* Jobs that wait or run, and those of them that may be refused. */
struct check_sums {
    unsigned jobs;
    unsigned refusable;
};

static void sum_job(struct check_sums *sums, const struct read_job *job)
{
    sums->jobs++;
    sums->refusable += !job->goes_on;
}

/* Returns how many jobs are in the line. */
static unsigned check_line(const struct read_client *c, enum read_lane lane,
                           struct check_sums *sums)
{
    const struct line *line = &c->lines[lane];
    struct read_job *const *last = &line->first;
    unsigned jobs = 0;

    for (const struct read_job *job = line->first; job; job = job->next) {
        CHECK(job->owner == c && job->client == c->id);
        CHECK(job->line == lane && !job->runs);
        sum_job(sums, job);
        last = &job->next;
        jobs++;
    }
    CHECK(line->last == last);
    return jobs;
}

static void check_ring(const struct ring *ring, enum read_lane lane)
{
    const struct read_client *last = NULL;
    struct check_sums ignored = {0};
    unsigned jobs = 0;

    for (const struct read_client *c = ring->first; c; c = c->lines[lane].next_ring) {
        unsigned waiting = check_line(c, lane, &ignored);

        CHECK(waiting > 0);
        jobs += waiting;
        CHECK(jobs <= ring->jobs); /* or it goes round */
        last = c;
    }
    CHECK(ring->last == last);
    CHECK(ring->jobs == jobs);
}

static void check_client(const struct read_scheduler *s, const struct read_client *c,
                         struct check_sums *all)
{
    struct check_sums own = {0};

    for (unsigned lane = 0; lane < READ_LANES; lane++)
        check_line(c, lane, &own);
    for (unsigned i = 0; i < s->readers_len; i++)
        if (s->readers[i].job && s->readers[i].job->owner == c)
            sum_job(&own, s->readers[i].job);
    CHECK(own.jobs > 0 && own.jobs == c->jobs);
    CHECK(own.refusable <= s->max_client_jobs);
    all->jobs += own.jobs;
    all->refusable += own.refusable;
}

static void scheduler_check(const struct read_scheduler *s)
{
    struct check_sums all = {0};
    unsigned waiting = 0;
    unsigned running = 0;

    for (unsigned lane = 0; lane < READ_LANES; lane++) {
        check_ring(&s->rings[lane], lane);
        waiting += s->rings[lane].jobs;
    }
    for (unsigned i = 0; i < s->readers_len; i++) {
        CHECK(!s->readers[i].job || s->readers[i].job->runs);
        running += s->readers[i].job ? 1 : 0;
    }
    for (unsigned i = 0; i < CLIENT_SLOTS; i++)
        for (const struct read_client *c = s->clients[i]; c; c = c->next_slot)
            check_client(s, c, &all);
    CHECK(s->running == running);
    CHECK(s->jobs == waiting + running);
    CHECK(s->jobs == all.jobs); /* each is some client's */
    CHECK(all.refusable <= s->max_jobs);
}

/* ---- Who is woken ---- */

/* Has a thread that rests look at the lines; first of those that take no scans. */
static void wake_one(struct read_scheduler *s, bool for_scan)
{
    for (unsigned i = 0; i < s->readers_len; i++) {
        struct reader *r = &s->readers[i];

        if (!r->rests || (for_scan && !r->takes_scans))
            continue;
        r->rests = false;
        pthread_cond_signal(&r->wake);
        return;
    }
}

/* How many helpers may work now. */
static void allow_helpers(struct read_scheduler *s)
{
    unsigned threads = s->helpers_len + 1; /* that may be busy before cores are */
    bool is_awaited = false;

    if (!s->helpers)
        return;
    for (unsigned lane = 0; lane < READ_LANES; lane++)
        is_awaited |= lane != READ_SCAN && s->rings[lane].jobs > 0;
    store_helpers_allow(s->helpers, is_awaited || s->running >= threads ? 0 : threads - s->running);
}

static void wake_watchdog(struct read_scheduler *s)
{
    if (s->watchdog_rests)
        pthread_cond_signal(&s->watch);
}

static void enqueue(struct read_scheduler *s, struct read_job *job, enum read_lane lane)
{
    enter_line(s, job, lane);
    allow_helpers(s);
    wake_one(s, lane == READ_SCAN);
    wake_watchdog(s);
}

/* ---- The life of a job ---- */

static void deliver(struct mail *mail)
{
    struct read_job *job = container_of(mail, struct read_job, mail);
    struct mailbox *box = job->box;

    job->finish(job);
    mailbox_arrived(box);
}

/* When the job's time is over; 0: whatever it takes. */
static uint64_t end_of(const struct read_scheduler *s, const struct read_job *job)
{
    if (job->until_us && (!s->stop_us || job->until_us < s->stop_us))
        return job->until_us;
    return s->stop_us;
}

/* The job is in no line and does not run. */
static void finish(struct read_scheduler *s, struct read_job *job)
{
    struct read_client *c = job->owner;

    job->owner = NULL;
    s->jobs--;
    if (--c->jobs == 0)
        drop_client(s, c);
    metrics_observe(METRIC_READ_US, job->run_us);
    job->mail.deliver = deliver;
    mailbox_post(job->box, &job->mail);
}

/* The next turn of a job that waits is its last. */
static void make_end(struct read_scheduler *s, struct read_job *job)
{
    if (job->ends)
        return;
    job->ends = true;
    if (!job->had_turn)
        return;
    leave_line(s, job);
    enqueue(s, job, READ_POINT);
}

static int check_bounds(const struct read_scheduler *s, const struct read_client *c,
                        struct errbuf *err)
{
    if (c && c->jobs >= s->max_client_jobs) {
        metrics_add(METRIC_READS_REFUSED_CLIENT, 1);
        return answers_fail(err, LM_EBUSY, REFUSED_READS_OF_CLIENT, s->max_client_jobs);
    }
    if (s->jobs >= s->max_jobs) {
        metrics_add(METRIC_READS_REFUSED_ALL, 1);
        return answers_fail(err, LM_EBUSY, REFUSED_READS, s->max_jobs);
    }
    return 0;
}

int read_job_submit(struct read_scheduler *s, struct read_job *job, struct errbuf *err)
{
    int error = 0;

    pthread_mutex_lock(&s->lock);
    CHECKED(scheduler_check(s));
    job->owner = find_client(s, job->client);
    if (!job->goes_on)
        error = check_bounds(s, job->owner, err);
    if (!error) {
        if (!job->owner)
            job->owner = add_client(s, job->client);
        job->owner->jobs++;
        s->jobs++;
        job->runs = job->ends = job->unserved = false;
        job->had_turn = job->goes_on;
        job->run_us = 0;
        enqueue(s, job, job->lane);
    }
    pthread_mutex_unlock(&s->lock);
    if (!error)
        mailbox_expect(job->box);
    return error;
}

void read_job_leave(struct read_scheduler *s, struct read_job *job)
{
    pthread_mutex_lock(&s->lock);
    CHECKED(scheduler_check(s));
    if (job->owner && !job->ends)
        metrics_add(METRIC_READS_LEFT, 1);
    if (job->owner && job->runs)
        job->ends = true;
    else if (job->owner)
        make_end(s, job);
    pthread_mutex_unlock(&s->lock);
}

/* ---- Threads ---- */

static struct read_job *take_job(struct reader *r)
{
    struct read_scheduler *s = r->scheduler;
    struct read_job *job = NULL;

    if (r->takes_scans && r->passed_scan >= READ_SCAN_DUE)
        job = take_first(s, READ_SCAN);
    for (unsigned lane = 0; !job && lane < READ_LANES; lane++)
        if (lane != READ_SCAN || r->takes_scans)
            job = take_first(s, lane);
    if (!job)
        return NULL;
    r->passed_scan = job->line == READ_SCAN ? 0 : r->passed_scan + 1;
    if (s->rings[READ_SCAN].jobs > 0)
        wake_one(s, true);
    return job;
}

/* Waits for a job; NULL: to stop. */
static struct read_job *await_job(struct reader *r)
{
    struct read_scheduler *s = r->scheduler;
    struct read_job *job;

    CHECKED(scheduler_check(s));
    while (!(job = take_job(r)) && !s->stopping) {
        r->rests = true;
        pthread_cond_wait(&r->wake, &s->lock);
        r->rests = false;
    }
    return job;
}

static struct read_slice begin_turn(struct reader *r, struct read_job *job)
{
    struct read_scheduler *s = r->scheduler;
    uint64_t now_us = clock_monotonic_us();
    uint64_t end_us = end_of(s, job);
    struct read_slice slice = {.until_us = now_us + READ_SLICE_MS * MS_US, .last = job->ends};

    if (end_us && end_us <= slice.until_us) {
        slice.until_us = end_us > now_us ? end_us : now_us;
        slice.last = true;
    }
    if (slice.last && job->had_turn)
        slice.until_us = now_us;
    r->job = job;
    r->turn_began_us = now_us;
    job->runs = true;
    s->running++;
    allow_helpers(s);
    return slice;
}

static void end_turn(struct reader *r, enum read_step step, bool was_last)
{
    struct read_scheduler *s = r->scheduler;
    struct read_job *job = r->job;
    uint64_t turn_us = clock_monotonic_us() - r->turn_began_us;

    metrics_observe(METRIC_READ_TURN_US, turn_us);
    s->running--;
    allow_helpers(s);
    r->job = NULL;
    job->runs = false;
    job->had_turn = true;
    job->run_us += turn_us;
    if (step == READ_DONE || was_last) {
        finish(s, job);
        return;
    }
    enter_line(s, job, job->ends ? READ_POINT : READ_SCAN);
    if (!r->takes_scans)
        wake_one(s, true);
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    struct read_scheduler *s = r->scheduler;
    struct read_job *job;

    pthread_mutex_lock(&s->lock);
    while ((job = await_job(r))) {
        struct read_slice slice = begin_turn(r, job);

        pthread_mutex_unlock(&s->lock);
        enum read_step step = job->work(job, &r->tools, &slice);
        pthread_mutex_lock(&s->lock);
        end_turn(r, step, slice.last);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- The watchdog ---- */

static bool overruns(const struct reader *r, uint64_t now_us)
{
    const struct read_scheduler *s = r->scheduler;
    uint64_t ran_us = now_us - r->turn_began_us;
    uint64_t end_us = end_of(s, r->job);

    if (ran_us <= READ_GRACE_MS * MS_US) /* which a turn has also if it had to wait for long */
        return ran_us > s->timeout_us;
    return ran_us > s->timeout_us || r->job->ends ||
           (end_us && now_us > end_us + READ_GRACE_MS * MS_US);
}

/* Under the lock, so that a cancel cannot hit the next job. */
static void cancel_overrunning(struct read_scheduler *s, uint64_t now_us)
{
    for (unsigned i = 0; i < s->readers_len; i++) {
        struct reader *r = &s->readers[i];

        if (r->job && overruns(r, now_us))
            store_reader_cancel(r->tools.reader);
    }
}

static void look_after(struct read_scheduler *s, struct read_job *job, uint64_t now_us)
{
    uint64_t end_us = end_of(s, job);

    if (!end_us || now_us < end_us)
        return;
    if (now_us > end_us + READ_GRACE_MS * MS_US) {
        leave_line(s, job);
        job->unserved = true;
        finish(s, job);
    } else {
        make_end(s, job);
    }
}

/* `client` may be freed. */
static void look_after_client(struct read_scheduler *s, struct read_client *client, uint64_t now_us)
{
    struct read_job *jobs[READ_LANES], *next;

    for (unsigned lane = 0; lane < READ_LANES; lane++)
        jobs[lane] = client->lines[lane].first;
    /* The last lane first: what it makes end stands in the first one afterwards. */
    for (unsigned lane = READ_LANES; lane-- > 0;)
        for (struct read_job *job = jobs[lane]; job; job = next) {
            next = job->next;
            look_after(s, job, now_us);
        }
}

static void look_after_waiting(struct read_scheduler *s, uint64_t now_us)
{
    for (unsigned i = 0; i < CLIENT_SLOTS; i++) {
        struct read_client *next;

        for (struct read_client *c = s->clients[i]; c; c = next) {
            next = c->next_slot;
            look_after_client(s, c, now_us);
        }
    }
}

static void *watchdog_main(void *arg)
{
    struct read_scheduler *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        CHECKED(scheduler_check(s));
        if (s->jobs == 0) {
            s->watchdog_rests = true;
            pthread_cond_wait(&s->watch, &s->lock);
            s->watchdog_rests = false;
            continue;
        }

        uint64_t until_us = clock_monotonic_us() + WATCH_INTERVAL_MS * MS_US;

        while (!s->stopping && monotonic_cond_wait(&s->watch, &s->lock, until_us))
            continue; /* woken for nothing: the interval goes on */
        cancel_overrunning(s, clock_monotonic_us());
        look_after_waiting(s, clock_monotonic_us());
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- Beginning and end ---- */

static int start_reader(struct read_scheduler *s, const struct read_options *options,
                        struct errbuf *err)
{
    struct reader *r = &s->readers[s->readers_len];

    r->scheduler = s;
    r->takes_scans = s->readers_len > 0 || options->threads == 1;
    r->tools.reader = store_reader_new(options->store, err);
    if (!r->tools.reader)
        return LM_EUNAVAILABLE;
    r->tools.helpers = s->helpers;
    r->tools.cache = cache_client_new(options->cache, err);
    pthread_cond_init(&r->wake, NULL);
    if (pthread_create(&r->thread, NULL, reader_main, r)) {
        pthread_cond_destroy(&r->wake);
        cache_client_free(r->tools.cache);
        store_reader_free(r->tools.reader);
        return errbuf_fail(err, LM_ENOMEM, "cannot start a reader thread");
    }
    pthread_mutex_lock(&s->lock);
    s->readers_len++;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static void stop_readers(struct read_scheduler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    for (unsigned i = 0; i < s->readers_len; i++)
        pthread_cond_signal(&s->readers[i].wake);
    pthread_cond_signal(&s->watch);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->readers_len; i++) {
        struct reader *r = &s->readers[i];

        pthread_join(r->thread, NULL);
        pthread_cond_destroy(&r->wake);
        cache_client_free(r->tools.cache);
        store_reader_free(r->tools.reader);
    }
}

static void release(struct read_scheduler *s)
{
    store_helpers_free(s->helpers);
    pthread_cond_destroy(&s->watch);
    pthread_mutex_destroy(&s->lock);
    free(s->readers);
    free(s);
}

struct read_scheduler *read_scheduler_new(const struct read_options *options, struct errbuf *err)
{
    struct read_scheduler *s = xcalloc(1, sizeof(*s));

    pthread_mutex_init(&s->lock, NULL);
    monotonic_cond_init(&s->watch);
    s->timeout_us = options->timeout_ms * MS_US;
    s->max_jobs = options->max_jobs;
    s->max_client_jobs = options->max_client_jobs;
    s->helpers_len = options->helpers;
    if (options->helpers > 0)
        s->helpers = store_helpers_new(options->store, options->helpers);
    s->readers = xcalloc(options->threads, sizeof(*s->readers));
    for (unsigned i = 0; i < options->threads; i++)
        if (start_reader(s, options, err))
            goto fail;
    if (pthread_create(&s->watchdog, NULL, watchdog_main, s)) {
        errbuf_set(err, "cannot start the readers' watchdog thread");
        goto fail;
    }
    return s;
fail:
    stop_readers(s);
    release(s);
    return NULL;
}

void read_scheduler_free(struct read_scheduler *s)
{
    if (!s)
        return;
    stop_readers(s);
    pthread_join(s->watchdog, NULL);
    release(s);
}

void read_scheduler_hurry(struct read_scheduler *s, unsigned timeout_ms)
{
    pthread_mutex_lock(&s->lock);
    s->stop_us = clock_monotonic_us() + timeout_ms * MS_US;
    pthread_mutex_unlock(&s->lock);
}

void read_scheduler_counts(struct read_scheduler *s, struct read_counts *counts)
{
    pthread_mutex_lock(&s->lock);
    CHECKED(scheduler_check(s));
    for (unsigned lane = 0; lane < READ_LANES; lane++)
        counts->waiting[lane] = s->rings[lane].jobs;
    counts->running = s->running;
    pthread_mutex_unlock(&s->lock);
}
