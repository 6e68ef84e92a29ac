/*
 * One round of a worker's thread:
 *
 *   expire ──► receive ──► parse ──► append ──► fill cache ──► settle
 *   some logs                │          │ LM_EDATA: halve, until the bad record stands alone
 *   that are old             │ reject   ▼
 *                            └────► dead letters
 *
 * Two threads share a lane if the queue has an order, or the store only one writer: while one
 * stores, the other receives and parses what comes next, and what was received first is stored
 * first. Otherwise each thread has its own.
 *
 * When the store cannot take the logs now, the messages go back to the queue and the thread waits,
 * longer each time, before it takes them again: it holds messages only while it works on them.
 */
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/state.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "message/reader.h"
#include "message/writer.h"
#include "metrics/metrics.h"
#include "worker/expiry.h"
#include "worker/notice.h"

enum {
    RECEIVE_WAIT_MS = 20000,
    CACHE_UPKEEP_MS = 500, /* between looks whether the cache is to be rebuilt */
    /*
     * Rounds of a lane begin at least this far apart, so that under load each transaction of the
     * store holds many logs; a log that comes after a pause is stored at once, and after so many
     * logs the next round need not wait.
     */
    ROUND_INTERVAL_MS = 20,
    ROUND_LOGS_MANY = 4096,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 5000,
    KEEPING_GOOD_MS = 30000, /* without a failure, until it is told that background work goes on */
    REASON_MAX = 256,        /* bytes of the reason of a dead letter */
    LANE_THREADS_MAX = 2,    /* one for each of its places */
};

/* A log that can never be stored. */
struct dead_log {
    struct slice item; /* JSON text, ours */
    size_t message;    /* of the delivery, that it came in */
    char reason[REASON_MAX];
};

/*
 * What is to be done about the next round of a lane.
 *
 *   AWAITS_STORE  No message is received: the store could not take logs, or has not answered yet,
 *                 and then its schema may be missing.
 *   READY         It may begin.
 *   IN_A_ROW      It keeps its distance: the round before found work, but not much.
 *
 *   AWAITS_STORE ──► READY ◄──► IN_A_ROW
 *        ▲             │           │
 *        └─────────────┴───────────┘
 */
enum lane_state { LANE_AWAITS_STORE, LANE_READY, LANE_IN_A_ROW, LANE_STATES };

static const state_moves lane_moves[LANE_STATES] = {
    [LANE_AWAITS_STORE] = STATE(LANE_READY),
    [LANE_READY] = STATE(LANE_IN_A_ROW) | STATE(LANE_AWAITS_STORE),
    [LANE_IN_A_ROW] = STATE(LANE_READY) | STATE(LANE_AWAITS_STORE),
};

/*
 * Two places that one thread at a time can be in. A thread holds `receiving` from before it
 * receives until it holds `storing`, so nobody overtakes it in between.
 */
struct lane {
    _Atomic enum lane_state state; /* lane_move: whoever stores moves it, and whoever receives */

    pthread_mutex_t receiving; /* guards the following, up to the next lock */
    uint64_t round_us;         /* when the last round began; monotonic */

    pthread_mutex_t storing;
    struct store_writer *writer;
    struct cache_client *cache; /* NULL if there is no cache */
};

struct worker_thread {
    struct worker *worker;
    struct lane *lane;
    pthread_t thread;
    struct queue_consumer *consumer;
    struct message_reader *reader;
    bool ours_alone; /* the queue's */

    struct dead_log *dead; /* noted in the delivery under way */
    size_t dead_len;
    size_t dead_capacity;

    struct record *records; /* of the delivery under way */
    size_t *origins;        /* the message that each of them came in */
    size_t records_len;
    size_t records_capacity;
    size_t message; /* the one that is being parsed, or that a record came in that is noted */

    unsigned backoff_ms;
};

/* Looks after the cache, whatever the other threads wait for. */
struct upkeep {
    bool running;
    pthread_t thread;
    struct cache_client *cache;
    struct store_reader *reader;
};

/* Does the store's background work, beside all others. */
struct keeping {
    bool running;
    pthread_t thread;
    struct store_keeper *keeper;
    bool failing;     /* a step failed, which has been told … */
    uint64_t good_us; /* … and since when none has; monotonic; 0: the last one has */
};

struct worker {
    struct worker_options options;
    struct upkeep upkeep;
    struct keeping keeping;
    struct notice conflicts;
    struct expiry expiry;
    struct lane *lanes;
    unsigned lanes_len;
    struct worker_thread *threads;
    unsigned threads_len;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;        /* under lock */
    uint64_t deadline_us; /* under lock: of draining, when stopping */
};

/* ---- States ---- */

/*
 * Moves the lane to `to` if it is in one of the states `from`; else another thread has meanwhile
 * moved it, and it stays there.
 */
static void lane_move(struct lane *lane, state_moves from, enum lane_state to)
{
    enum lane_state state = atomic_load(&lane->state);

    while (state_in(state, from)) {
        CHECK(state_may_move(lane_moves, state, to));
        if (atomic_compare_exchange_weak(&lane->state, &state, to))
            return;
    }
}

static void thread_check(const struct worker_thread *t)
{
    CHECK(t->records_len <= t->records_capacity);
    CHECK(t->dead_len <= t->dead_capacity);
    CHECK(t->backoff_ms >= BACKOFF_FIRST_MS && t->backoff_ms <= BACKOFF_MAX_MS);
    for (size_t i = 1; i < t->records_len; i++)
        CHECK(t->origins[i - 1] <= t->origins[i]);
}

/* ---- Waiting and stopping ---- */

static bool is_stopping(struct worker *w, bool *too_late)
{
    pthread_mutex_lock(&w->lock);
    bool stopping = w->stopping;
    *too_late = stopping && clock_monotonic_us() >= w->deadline_us;
    pthread_mutex_unlock(&w->lock);
    return stopping;
}

/* Sleeps for `us`, or until the worker is told to stop. */
static void pause_us(struct worker *w, uint64_t us)
{
    uint64_t until_us = clock_monotonic_us() + us;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping && monotonic_cond_wait(&w->stop, &w->lock, until_us))
        continue;
    pthread_mutex_unlock(&w->lock);
}

/* Waits before the next try: doubling, and never the same for two workers. */
static void back_off(struct worker_thread *t)
{
    unsigned ms = t->backoff_ms;

    t->backoff_ms = ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms * 2;
    pause_us(t->worker, (uint64_t)ms * 1000 / 2 + clock_monotonic_us() % (ms * 500 + 1));
}

/* ---- Parsing ---- */

static int collect_record(const struct record *r, void *ctx)
{
    struct worker_thread *t = ctx;

    size_t n = t->records_len + 1;

    if (n > t->records_capacity) {
        size_t capacity = t->records_capacity;

        t->origins = array_reserve(t->origins, &capacity, n, sizeof(*t->origins));
        t->records = array_reserve(t->records, &t->records_capacity, n, sizeof(*t->records));
    }
    t->origins[t->records_len] = t->message;
    t->records[t->records_len++] = *r;
    return 0;
}

/* Notes that `item` (JSON text, copied) is to go to the dead letters. */
static int note_dead(struct slice item, const char *reason, void *ctx)
{
    struct worker_thread *t = ctx;
    char *text = try_malloc(item.len ? item.len : 1);

    if (!text)
        return LM_ENOMEM;
    memcpy(text, item.data, item.len);
    t->dead = array_reserve(t->dead, &t->dead_capacity, t->dead_len + 1, sizeof(*t->dead));
    struct dead_log *dead = &t->dead[t->dead_len++];
    dead->item = slice_of(text, item.len);
    dead->message = t->message;
    snprintf(dead->reason, sizeof(dead->reason), "%.*s", REASON_MAX - 1, reason);
    return 0;
}

static void forget_dead(struct worker_thread *t)
{
    while (t->dead_len > 0)
        free((char *)t->dead[--t->dead_len].item.data);
}

/*
 * Parses those messages of `d` that are `redelivered`, or those that are not, into t->records, and
 * marks each as done or rejected. `reasons` has room for one of REASON_MAX bytes a message.
 * Returns 0, or an error that puts the delivery back.
 */
static int parse(struct worker_thread *t, struct queue_delivery *d, bool redelivered, char *reasons)
{
    t->records_len = 0;
    message_reader_reset(t->reader);
    for (size_t i = 0; i < d->count; i++) {
        struct queue_message *m = &d->messages[i];
        struct errbuf reason = ERRBUF_INIT;
        int error;

        if (m->redelivered != redelivered)
            continue;
        t->message = i;
        error = message_reader_read(
            t->reader,
            &(struct message_source){
                .body = m->body, .id = m->id, .sent_us = m->sent_us, .ours_alone = t->ours_alone},
            collect_record, note_dead, t, &reason);
        if (error == LM_EINVAL) {
            char *kept = reasons + i * REASON_MAX;

            snprintf(kept, REASON_MAX, "%.*s", REASON_MAX - 1, reason.text);
            m->reason = kept;
            m->outcome = QUEUE_REJECT;
        } else if (error) {
            return error;
        } else {
            m->outcome = QUEUE_ACKNOWLEDGE;
        }
    }
    return 0;
}

/* ---- Storing ---- */

static int note_dead_record(struct worker_thread *t, const struct record *r, const char *reason)
{
    struct batch text;

    t->message = t->origins[r - t->records];
    batch_init(&text, MESSAGE_V1, SIZE_MAX / 2); /* for people, whatever the queue is */
    int error = batch_append(&text, r);
    if (!error)
        error = note_dead(batch_finish(&text), reason, t);
    batch_release(&text);
    return error;
}

/* Logs whose (timestamp, id) another one had: they are told, since nobody will find them. */
static void tell_conflicts(struct worker_thread *t, const struct store_append_result *result)
{
    uint64_t times = notice_count(&t->worker->conflicts, result->conflicts);
    char id[UUID_TEXT_LEN + 1] = {0};
    char timestamp[TIMESTAMP_TEXT_LEN + 1] = {0};

    metrics_add(METRIC_LOGS_CONFLICTING, result->conflicts);
    if (times == 0)
        return;
    uuid_format(&result->conflict.id, id);
    timestamp_format(result->conflict.timestamp_us, timestamp);
    diag(DIAG_WARN, "logs were left out: others with their timestamp and id were there already",
         DIAG_INT("logs", (int64_t)times), DIAG_STR("one_timestamp", timestamp),
         DIAG_STR("one_id", id));
}

/* A batch in which logs come again that were erased must not bring them back there, either. */
static void fill_cache(struct cache_client *cache, const struct record *records, size_t n,
                       const struct store_append_result *result)
{
    struct errbuf ignored = ERRBUF_INIT;

    if (result->erased > 0)
        (void)!cache_forget(cache, &ignored); /* which then says itself that it lost something */
    else
        cache_fill(cache, records, n);
}

/*
 * Stores records[0..n), halving what the store refuses until the bad record stands alone, which is
 * noted as dead. What is there already is counted in `repeats`. Returns 0, or an error to be tried
 * again later.
 */
static int store(struct worker_thread *t, const struct record *records, size_t n,
                 enum metric_counter repeats)
{
    struct store_append_result result = {0};
    struct errbuf err = ERRBUF_INIT;
    uint64_t started_us = clock_monotonic_us();

    CHECKED(thread_check(t));
    CHECK(records >= t->records && records + n <= t->records + t->records_len);
    if (n == 0)
        return 0;
    int error = store_append(t->lane->writer, records, n, &result, &err);
    if (error == LM_EDATA) {
        if (n == 1)
            return note_dead_record(t, records, err.text);
        error = store(t, records, n / 2, repeats);
        return error ? error : store(t, records + n / 2, n - n / 2, repeats);
    }
    if (error) {
        lane_move(t->lane, STATE(LANE_READY) | STATE(LANE_IN_A_ROW), LANE_AWAITS_STORE);
        metrics_add(METRIC_STORE_FAILURES, 1);
        diag(DIAG_WARN, "the store cannot take logs now; they wait in the queue",
             DIAG_STR("reason", err.text), DIAG_INT("logs", (int64_t)n));
        return error;
    }
    metrics_observe(METRIC_STORE_US, clock_monotonic_us() - started_us);
    metrics_observe(METRIC_STORE_LOGS, n);
    metrics_add(METRIC_LOGS_STORED, result.stored);
    metrics_add(repeats, result.repeated);
    tell_conflicts(t, &result);
    expiry_note_stored(&t->worker->expiry, records, n);
    fill_cache(t->lane->cache, records, n, &result);
    if (t->worker->options.stored)
        t->worker->options.stored(t->worker->options.stored_ctx);
    return 0;
}

/*
 * Puts what was noted among the dead letters: last, when all that is good has been stored, so that
 * a store that is away does not make the same dead letters at every try. What cannot be put there
 * takes back its own message of `d`, and none else. Returns 0 or the last error.
 */
static int bury(struct worker_thread *t, struct queue_delivery *d)
{
    struct errbuf err = ERRBUF_INIT;
    bool away = false;
    int failed = 0;

    CHECKED(thread_check(t));
    for (size_t i = 0; i < t->dead_len; i++) {
        const struct dead_log *dead = &t->dead[i];

        CHECK(dead->message < d->count);
        int error = away ? failed : queue_dead_letter(t->consumer, dead->item, dead->reason, &err);

        if (error) {
            d->messages[dead->message].outcome = QUEUE_RETURN;
            away =
                error != LM_EINVAL && error != LM_ETOOBIG; /* else it is the letter's own fault */
            failed = error;
            continue;
        }
        metrics_add(METRIC_LOGS_DEAD, 1);
        diag(DIAG_WARN, "a log went to the dead letters", DIAG_STR("reason", dead->reason));
    }
    if (failed)
        diag(DIAG_ERROR, "dead letters could not be kept; their messages will come again",
             DIAG_STR("reason", err.text),
             DIAG_STR("one_of_them", t->dead[t->dead_len - 1].reason));
    return failed;
}

static void count_rejected(const struct queue_delivery *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->messages[i].outcome != QUEUE_REJECT)
            continue;
        metrics_add(METRIC_MESSAGES_REJECTED, 1);
        diag(DIAG_WARN, "a message cannot be understood",
             DIAG_STR("reason", d->messages[i].reason));
    }
}

static void return_all(struct queue_delivery *d)
{
    for (size_t i = 0; i < d->count; i++)
        d->messages[i].outcome = QUEUE_RETURN;
}

/*
 * Works on one delivery to its end, and lets others receive as soon as it stores. Returns 0 or an
 * error after which to wait.
 */
static int work(struct worker_thread *t, struct queue_delivery *d)
{
    struct errbuf err = ERRBUF_INIT;
    char *reasons = xmalloc(d->count * REASON_MAX);

    CHECKED(thread_check(t));
    metrics_add(METRIC_MESSAGES_RECEIVED, d->count);
    int error = parse(t, d, false, reasons);
    if (t->records_len >= ROUND_LOGS_MANY)
        lane_move(t->lane, STATE(LANE_IN_A_ROW), LANE_READY);
    pthread_mutex_lock(&t->lane->storing);
    pthread_mutex_unlock(&t->lane->receiving);
    if (!error && t->lane->state == LANE_AWAITS_STORE) /* since the thread before this one */
        error = LM_EUNAVAILABLE;
    if (!error)
        error = store(t, t->records, t->records_len, METRIC_LOGS_REPEATED);
    /* In a transaction of their own: what is new is stored faster if nothing is repeated. */
    if (!error)
        error = parse(t, d, true, reasons);
    if (!error)
        error = store(t, t->records, t->records_len, METRIC_LOGS_REDELIVERED);
    if (error)
        return_all(d);
    else
        error = bury(t, d);
    forget_dead(t);
    count_rejected(d);
    int settle_error = queue_settle(t->consumer, d, &err);
    pthread_mutex_unlock(&t->lane->storing);
    if (settle_error)
        diag(DIAG_WARN, "messages could not be acknowledged; they will come again",
             DIAG_STR("reason", err.text));
    free(reasons);
    return error ? error : settle_error;
}

/* ---- The thread ---- */

/* Deletes some old logs, if that is due. Returns how long a receive may wait. */
static unsigned expire(struct worker *w, struct lane *lane)
{
    unsigned wait_ms = expiry_wait_ms(&w->expiry, RECEIVE_WAIT_MS);

    if (wait_ms > 0)
        return wait_ms;
    pthread_mutex_lock(&lane->storing);
    wait_ms = expiry_step(&w->expiry, lane->writer, RECEIVE_WAIT_MS);
    pthread_mutex_unlock(&lane->storing);
    return wait_ms;
}

static bool goes_on(void *worker)
{
    bool too_late;

    return !is_stopping(worker, &too_late);
}

/*
 * Waits until the store answers and its schema is ready, at the start and after it has failed: no
 * message is taken meanwhile, since each time counts towards its way to the dead letters if the
 * queue counts deliveries. Returns false when told to stop.
 */
static bool wait_for_store(struct worker_thread *t)
{
    const struct store_patience patience = {.goes_on = goes_on, .ctx = t->worker};
    struct errbuf err = ERRBUF_INIT;
    bool too_late;
    int error;

    while ((error = store_migrate_patiently(t->worker->options.store, &patience, &err))) {
        diag(DIAG_WARN, "the store cannot be used now; logs wait in the queue",
             DIAG_STR("reason", err.text));
        /* What is too old goes meanwhile, or that would go on for longer than it need be. */
        while (error == LM_EBUSY && expire(t->worker, t->lane) == 0)
            if (is_stopping(t->worker, &too_late))
                return false;
        back_off(t);
        if (is_stopping(t->worker, &too_late))
            return false;
    }
    lane_move(t->lane, STATE(LANE_AWAITS_STORE), LANE_READY);
    return true;
}

static void keep_distance(struct worker *w, const struct lane *lane)
{
    uint64_t passed_us = clock_monotonic_us() - lane->round_us;

    if (lane->state == LANE_IN_A_ROW && passed_us < ROUND_INTERVAL_MS * 1000)
        pause_us(w, ROUND_INTERVAL_MS * 1000 - passed_us);
}

/*
 * Receives until something comes. Who waits in vain goes on, and lets no other thread of the lane
 * come in between: its consumer may be given what comes after a receive has ended (one of SQS is),
 * which would lie there while the other waits. Returns 0, with nothing received if it is to stop,
 * or an error. lane->receiving is held.
 */
static int receive(struct worker_thread *t, struct queue_delivery *delivery, bool *stopping,
                   struct errbuf *err)
{
    struct lane *lane = t->lane;
    bool too_late;
    int error;

    do {
        *stopping = lane->state == LANE_AWAITS_STORE && !wait_for_store(t);
        if (*stopping)
            return 0;
        keep_distance(t->worker, lane);
        *stopping = is_stopping(t->worker, &too_late);
        lane->round_us = clock_monotonic_us();
        unsigned wait_ms = *stopping ? 0 : expire(t->worker, lane);
        error = queue_receive(t->consumer, wait_ms, delivery, err);
        if (error || delivery->count > 0 || wait_ms == 0)
            lane_move(lane, STATE(LANE_READY), LANE_IN_A_ROW);
        else
            lane_move(lane, STATE(LANE_IN_A_ROW), LANE_READY);
    } while (!error && delivery->count == 0 && !*stopping);
    return error;
}

/* One round. Returns false after the last. */
static bool round_of(struct worker_thread *t)
{
    struct queue_delivery delivery = {0};
    struct errbuf err = ERRBUF_INIT;
    bool stopping, too_late;

    pthread_mutex_lock(&t->lane->receiving);
    int error = receive(t, &delivery, &stopping, &err);
    if (!error && delivery.count > 0) {
        error = work(t, &delivery);
    } else {
        pthread_mutex_unlock(&t->lane->receiving);
        if (!error)
            return false;
        diag(DIAG_WARN, "the queue cannot be read now", DIAG_STR("reason", err.text));
        back_off(t);
        return !stopping; /* then nothing is waited for any more, and trying on would be in vain */
    }
    if (error)
        back_off(t);
    else
        t->backoff_ms = BACKOFF_FIRST_MS;
    is_stopping(t->worker, &too_late);
    return !too_late;
}

static void *thread_main(void *arg)
{
    while (round_of(arg))
        continue;
    return NULL;
}

/* ---- Life ---- */

static void thread_release(struct worker_thread *t)
{
    queue_consumer_free(t->consumer);
    message_reader_free(t->reader);
    forget_dead(t);
    free(t->dead);
    free(t->records);
    free(t->origins);
}

static int thread_init(struct worker_thread *t, struct worker *w, struct lane *lane,
                       struct errbuf *err)
{
    t->worker = w;
    t->lane = lane;
    t->backoff_ms = BACKOFF_FIRST_MS;
    t->reader = message_reader_new();
    t->ours_alone = queue_limits(w->options.queue).ours_alone;
    t->consumer = queue_consumer_new(w->options.queue, err);
    if (!t->consumer)
        goto fail;
    if (pthread_create(&t->thread, NULL, thread_main, t)) {
        errbuf_set(err, "cannot start a worker thread");
        goto fail;
    }
    return 0;
fail:
    thread_release(t);
    return LM_EUNAVAILABLE;
}

static int lane_init(struct lane *lane, const struct worker_options *options, struct errbuf *err)
{
    lane->writer = store_writer_new(options->store, err);
    if (!lane->writer)
        return LM_EUNAVAILABLE;
    lane->cache = cache_client_new(options->cache, err);
    pthread_mutex_init(&lane->receiving, NULL);
    pthread_mutex_init(&lane->storing, NULL);
    return 0;
}

static void lane_release(struct lane *lane)
{
    store_writer_free(lane->writer);
    cache_client_free(lane->cache);
    pthread_mutex_destroy(&lane->receiving);
    pthread_mutex_destroy(&lane->storing);
}

static void *upkeep_main(void *arg)
{
    struct worker *w = arg;
    bool too_late;

    while (!is_stopping(w, &too_late)) {
        cache_maintain(w->upkeep.cache, w->upkeep.reader);
        pause_us(w, CACHE_UPKEEP_MS * 1000);
    }
    return NULL;
}

static int upkeep_init(struct worker *w, struct errbuf *err)
{
    struct upkeep *u = &w->upkeep;

    if (!w->options.cache)
        return 0;
    u->cache = cache_client_new(w->options.cache, err);
    u->reader = u->cache ? store_reader_new(w->options.store, err) : NULL;
    if (!u->reader)
        return LM_EUNAVAILABLE;
    if (pthread_create(&u->thread, NULL, upkeep_main, w))
        return errbuf_fail(err, LM_ENOMEM, "cannot start the thread that looks after the cache");
    u->running = true;
    return 0;
}

static void upkeep_release(struct upkeep *u)
{
    if (u->running)
        pthread_join(u->thread, NULL);
    store_reader_free(u->reader);
    cache_client_free(u->cache);
}

/*
 * A step that fails fails again for as long as, say, the disk is full, and others between may not:
 * that is told once, and that it goes on when none has failed for a while.
 */
static void tell_keeping(struct keeping *k, int error, const struct errbuf *err)
{
    uint64_t now_us = clock_monotonic_us();

    if (error) {
        if (!k->failing)
            diag(DIAG_WARN, "the store's background work cannot go on now",
                 DIAG_STR("reason", err->text));
        k->failing = true;
        k->good_us = 0;
    } else if (k->failing && k->good_us == 0) {
        k->good_us = now_us;
    } else if (k->failing && now_us - k->good_us >= (uint64_t)KEEPING_GOOD_MS * 1000) {
        diag(DIAG_INFO, "the store's background work goes on");
        k->failing = false;
    }
}

static void *keeping_main(void *arg)
{
    struct worker *w = arg;
    bool too_late;

    while (!is_stopping(w, &too_late)) {
        struct errbuf err = ERRBUF_INIT;
        unsigned wait_ms;
        int error = store_keeper_step(w->keeping.keeper, false, &wait_ms, &err);

        tell_keeping(&w->keeping, error, &err);
        pause_us(w, (uint64_t)wait_ms * 1000);
    }
    return NULL;
}

static int keeping_init(struct worker *w, struct errbuf *err)
{
    struct keeping *k = &w->keeping;

    k->keeper = store_keeper_new(w->options.store, err);
    if (!k->keeper)
        return LM_EUNAVAILABLE;
    if (pthread_create(&k->thread, NULL, keeping_main, w))
        return errbuf_fail(err, LM_ENOMEM, "cannot start the thread of the store's own work");
    k->running = true;
    return 0;
}

static void keeping_release(struct keeping *k)
{
    if (k->running)
        pthread_join(k->thread, NULL);
    store_keeper_free(k->keeper);
}

struct worker *worker_new(const struct worker_options *options, struct errbuf *err)
{
    struct worker *w = xcalloc(1, sizeof(*w));
    struct queue_limits limits = queue_limits(options->queue);
    unsigned threads = options->threads ? options->threads : WORKER_THREADS_DEFAULT;

    w->options = *options;
    expiry_init(&w->expiry, options->retention_days);
    w->expiry.max_bytes = options->retention_bytes;
    expiry_set_levels(&w->expiry, &options->retention_levels);
    w->expiry.queue = options->queue;
    w->expiry.letters = options->dead_letters;
    pthread_mutex_init(&w->lock, NULL);
    monotonic_cond_init(&w->stop);
    threads = threads < limits.max_consumers ? threads : limits.max_consumers;
    unsigned lanes = threads;
    if (limits.in_order || options->one_writer) {
        lanes = 1;
        threads = threads < LANE_THREADS_MAX ? threads : LANE_THREADS_MAX;
    }
    w->lanes = xcalloc(lanes, sizeof(*w->lanes));
    w->threads = xcalloc(threads, sizeof(*w->threads));
    for (; w->lanes_len < lanes; w->lanes_len++)
        if (lane_init(&w->lanes[w->lanes_len], options, err))
            goto fail;
    for (; w->threads_len < threads; w->threads_len++)
        if (thread_init(&w->threads[w->threads_len], w, &w->lanes[w->threads_len % lanes], err))
            goto fail;
    if (upkeep_init(w, err) || keeping_init(w, err))
        goto fail;
    return w;
fail:
    worker_free(w, 0);
    return NULL;
}

void worker_free(struct worker *w, unsigned drain_ms)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    w->deadline_us = clock_monotonic_us() + (uint64_t)drain_ms * 1000;
    pthread_cond_broadcast(&w->stop);
    pthread_mutex_unlock(&w->lock);
    queue_interrupt(w->options.queue);
    for (unsigned i = 0; i < w->threads_len; i++) {
        pthread_join(w->threads[i].thread, NULL);
        thread_release(&w->threads[i]);
    }
    for (unsigned i = 0; i < w->lanes_len; i++)
        lane_release(&w->lanes[i]);
    upkeep_release(&w->upkeep);
    keeping_release(&w->keeping);
    expiry_release(&w->expiry);
    pthread_cond_destroy(&w->stop);
    pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w->lanes);
    free(w);
}
