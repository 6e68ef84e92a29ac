/*
 * The feed's thread. It is at one of these:
 *   resting    it has no place in the store: nobody has subscribed, or it could not be found since.
 *   following  it has a place. It reads on from it when it is woken, and from time to time, at most
 *              every PAUSE_MS, so that many small commits cost one look, and hands what came to
 *              every subscriber.
 *   stopping   it is to end; its call of the store is cancelled.
 *   ended      it asks nothing any more.
 * If the store cannot be read it tries again after RETRY_MS; a hub that has not been told a place
 * keeps its tails waiting meanwhile. If somebody has TAIL_SUBSCRIPTION_BATCHES to take, the feed
 * waits.
 *
 * If there is a cache, a second thread listens there, and wakes the first.
 */
#include "tail/feed.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/state.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "tail/filter.h"
#include "tail/judge.h"

enum {
    PAUSE_MS = 10,
    RETRY_MS = 500,
    CANCEL_MS = 10,                  /* between two cancels of a stop */
    LISTEN_MS = 250,                 /* how long a stop may have to wait for the listener */
    TELL_INTERVAL_US = 10 * 1000000, /* between two lines about an outage */
};

enum feed_state { FEED_RESTING, FEED_FOLLOWING, FEED_STOPPING, FEED_ENDED, FEED_STATES };

static const state_moves feed_moves[FEED_STATES] = {
    [FEED_RESTING] = STATE(FEED_FOLLOWING) | STATE(FEED_STOPPING),
    [FEED_FOLLOWING] = STATE(FEED_RESTING) | STATE(FEED_STOPPING),
    [FEED_STOPPING] = STATE(FEED_ENDED),
};

struct tail_feed {
    struct tail_feed_options options;
    pthread_t thread;
    pthread_t listener;
    struct cache_listener *ear; /* NULL: there is no cache */
    atomic_uint tails;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* woken, subscriptions or their batches, or the state have changed */
    enum feed_state state;
    struct tail_subscription *subscriptions;
    struct store_position position; /* while following: what the subscribers were told */
    struct tail_filters filters;    /* of all tails */
    bool is_behind;                 /* the thread's: the last look did not find all there was */
    bool woken;
    bool is_listening;           /* the listener hears of what is stored */
    uint64_t told_us;            /* the thread's: when an outage was last told */
    uint64_t erasures;           /* the thread's: the store's number of them, as last seen, … */
    uint64_t erasures_us;        /* … when */
    bool owes_forgetting;        /* the thread's: some were erased, and nobody was told yet */
    struct store_reader *reader; /* the thread's, but for cancels */
    atomic_bool active;          /* somebody has subscribed: only then it is worth to wake */
};

/* Called with the lock held. */
static void move(struct tail_feed *feed, enum feed_state state)
{
    CHECK(state_may_move(feed_moves, feed->state, state));
    feed->state = state;
    pthread_cond_broadcast(&feed->changed);
}

static bool is_stopping(const struct tail_feed *feed)
{
    return state_in(feed->state, STATE(FEED_STOPPING) | STATE(FEED_ENDED));
}

/* ---- Subscriptions ---- */

/* Called with the lock held; there is room. */
static void post(struct tail_subscription *s, struct tail_batch *batch)
{
    CHECK(s->len < TAIL_SUBSCRIPTION_BATCHES);
    tail_batch_ref(batch);
    s->batches[(s->first + s->len++) % TAIL_SUBSCRIPTION_BATCHES] = batch;
    if (s->posted)
        return;
    s->posted = true;
    mailbox_post(s->box, &s->mail);
}

/* Called with the lock held; there is one. */
static struct tail_batch *take_first(struct tail_subscription *s)
{
    struct tail_batch *batch = s->batches[s->first];

    s->first = (s->first + 1) % TAIL_SUBSCRIPTION_BATCHES;
    s->len--;
    return batch;
}

struct tail_batch *tail_feed_take(struct tail_feed *feed, struct tail_subscription *s)
{
    struct tail_batch *batch = NULL;

    pthread_mutex_lock(&feed->lock);
    if (s->len == 0) {
        s->posted = false;
    } else {
        batch = take_first(s);
        if (s->len == TAIL_SUBSCRIPTION_BATCHES - 1)
            pthread_cond_broadcast(&feed->changed);
    }
    pthread_mutex_unlock(&feed->lock);
    return batch;
}

bool tail_feed_subscribe(struct tail_feed *feed, struct tail_subscription *s,
                         struct store_position *position)
{
    pthread_mutex_lock(&feed->lock);
    s->next = feed->subscriptions;
    feed->subscriptions = s;
    /* What is posted from now on follows this. */
    bool has_position = feed->state == FEED_FOLLOWING;
    *position = feed->position;
    atomic_store(&feed->active, true);
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
    return has_position;
}

void tail_feed_unsubscribe(struct tail_feed *feed, struct tail_subscription *s)
{
    struct tail_subscription **at = &feed->subscriptions;

    pthread_mutex_lock(&feed->lock);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    while (s->len > 0)
        tail_batch_unref(take_first(s));
    atomic_store(&feed->active, !!feed->subscriptions);
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
}

bool tail_feed_admit(struct tail_feed *feed)
{
    if (atomic_fetch_add(&feed->tails, 1) < feed->options.max_tails)
        return true;
    atomic_fetch_sub(&feed->tails, 1);
    return false;
}

void tail_feed_dismiss(struct tail_feed *feed)
{
    atomic_fetch_sub(&feed->tails, 1);
}

unsigned tail_feed_max_tails(const struct tail_feed *feed)
{
    return feed->options.max_tails;
}

int tail_feed_use_filter(struct tail_feed *feed, const struct log_filter *f,
                         struct tail_filter **filter)
{
    *filter = NULL;
    if (f->since_us <= TIMESTAMP_MIN_US && f->until_us > TIMESTAMP_MAX_US &&
        !log_filter_has_predicates(f))
        return 0;

    struct log_matcher *matcher = log_matcher_new(f);

    if (!matcher)
        return LM_ENOMEM;
    pthread_mutex_lock(&feed->lock);
    *filter = tail_filters_use(&feed->filters, matcher);
    pthread_mutex_unlock(&feed->lock);
    return 0;
}

void tail_feed_drop_filter(struct tail_feed *feed, struct tail_filter *filter)
{
    if (!filter)
        return;
    pthread_mutex_lock(&feed->lock);
    tail_filters_leave(&feed->filters, filter);
    pthread_mutex_unlock(&feed->lock);
}

size_t tail_feed_unsent_max(const struct tail_feed *feed)
{
    unsigned tails = atomic_load_explicit(&feed->tails, memory_order_relaxed);
    size_t share = feed->options.unsent_bytes / (tails > 0 ? tails : 1);

    if (share > TAIL_UNSENT_MAX)
        return TAIL_UNSENT_MAX;
    return share > TAIL_UNSENT_MIN ? share : TAIL_UNSENT_MIN;
}

void tail_feed_wake(void *arg)
{
    struct tail_feed *feed = arg;

    if (!atomic_load_explicit(&feed->active, memory_order_relaxed))
        return;
    pthread_mutex_lock(&feed->lock);
    feed->woken = true;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->lock);
}

/* ---- The thread ---- */

/* Waits, with the lock held, until `ms` have passed or the feed is to do something else. */
static void wait_ms(struct tail_feed *feed, unsigned ms, bool until_woken)
{
    uint64_t until_us = clock_monotonic_us() + (uint64_t)ms * 1000;

    while (!is_stopping(feed) && feed->subscriptions && !(until_woken && feed->woken) &&
           monotonic_cond_wait(&feed->changed, &feed->lock, until_us))
        continue;
}

/* True if every subscriber has room for a batch. */
static bool all_have_room(const struct tail_feed *feed)
{
    for (const struct tail_subscription *s = feed->subscriptions; s; s = s->next)
        if (s->len == TAIL_SUBSCRIPTION_BATCHES)
            return false;
    return true;
}

/* Waits until there is something to do. Called with the lock held. False: to stop. */
static bool await(struct tail_feed *feed, bool more)
{
    bool is_told = feed->options.is_told || feed->is_listening;

    if (!more)
        wait_ms(feed, is_told ? TAIL_POLL_TOLD_MS : TAIL_POLL_MS, true);
    while (!is_stopping(feed) && (!feed->subscriptions || !all_have_room(feed))) {
        if (!feed->subscriptions && feed->state == FEED_FOLLOWING)
            move(feed, FEED_RESTING);
        pthread_cond_wait(&feed->changed, &feed->lock);
    }
    return !is_stopping(feed);
}

/* Reads on from `*position`. NULL if that failed; else a batch, which may be empty. */
static struct tail_batch *read_on(struct tail_feed *feed, bool has_position,
                                  struct store_position *position, struct errbuf *err)
{
    struct store_reader *reader = feed->reader;
    struct tail_batch *batch = tail_batch_new();
    struct store_position begin = *position;
    int error = has_position ? store_follow(reader, position, TAIL_BATCH_LOGS, &batch->lost,
                                            tail_batch_add, batch, err)
                             : store_follow_end(reader, position, err);

    if (error == LM_ESTOPPED) {
        *position = batch->end;
        error = 0;
    }
    if (error) {
        if (err->text[0] == '\0')
            errbuf_set(err, "%s", lm_error_text(error));
        tail_batch_unref(batch);
        return NULL;
    }
    batch->forgets = feed->owes_forgetting;
    batch->begin = has_position ? begin : *position;
    batch->end = *position;
    tail_batch_seal(batch);
    return batch;
}

/*
 * Whether logs were erased since the last time. To be asked before logs are read on: what is read
 * then and erased later is told by the next. Called without the lock.
 */
static int see_erasures(struct tail_feed *feed, bool had_position, struct errbuf *err)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t number;

    if (had_position && now_us - feed->erasures_us < (uint64_t)TAIL_ERASURES_MS * 1000)
        return 0;
    int error = store_erasures(feed->reader, &number, err);
    if (error)
        return error;
    feed->owes_forgetting |= had_position && number != feed->erasures;
    feed->erasures = number;
    feed->erasures_us = now_us;
    return 0;
}

/* If an outage lasts, it is said now and then. */
static void say_failed(struct tail_feed *feed, const struct errbuf *err)
{
    uint64_t now_us = clock_monotonic_us();

    if (feed->told_us && now_us - feed->told_us < TELL_INTERVAL_US)
        return;
    feed->told_us = now_us;
    diag(DIAG_WARN, "the live tail cannot read the store", DIAG_STR("reason", err->text));
}

/* Matches the batch against all filters. Called without the lock. */
static void judge(struct tail_feed *feed, struct tail_batch *batch)
{
    struct tail_filters filters;

    if (batch->len == 0)
        return;
    pthread_mutex_lock(&feed->lock);
    int error = tail_filters_copy(&feed->filters, &filters);
    pthread_mutex_unlock(&feed->lock);
    if (error) /* their tails match for themselves */
        return;
    tail_judge(batch, &filters, feed->is_behind ? TAIL_MATCH_STEPS_BUSY : TAIL_MATCH_STEPS);
}

static bool is_full(const struct tail_batch *batch)
{
    return batch->len >= TAIL_BATCH_LOGS || batch->bytes.len >= TAIL_BATCH_BYTES;
}

/* One look at the store. Called and returns with the lock held. True: there may be more. */
static bool look(struct tail_feed *feed)
{
    bool had_position = feed->state == FEED_FOLLOWING;
    struct store_position position = feed->position;
    struct errbuf err = ERRBUF_INIT;

    feed->woken = false;
    pthread_mutex_unlock(&feed->lock);
    struct tail_batch *batch = see_erasures(feed, had_position, &err)
                                   ? NULL
                                   : read_on(feed, had_position, &position, &err);
    if (batch)
        judge(feed, batch);
    else
        say_failed(feed, &err);
    pthread_mutex_lock(&feed->lock);
    if (!batch) {
        wait_ms(feed, RETRY_MS, false);
        return true;
    }
    bool moved = !had_position || store_position_compare(&position, &feed->position) != 0;
    if (moved || batch->forgets)
        for (struct tail_subscription *s = feed->subscriptions; s; s = s->next)
            post(s, batch);
    feed->owes_forgetting = false;
    if (feed->state == FEED_RESTING)
        move(feed, FEED_FOLLOWING);
    feed->position = position;
    feed->is_behind = is_full(batch);
    if (!feed->is_behind)
        wait_ms(feed, PAUSE_MS, false);
    tail_batch_unref(batch);
    return had_position && moved;
}

/* Called and returns with the lock held. False if there is no reader. */
static bool ensure_reader(struct tail_feed *feed)
{
    struct errbuf err = ERRBUF_INIT;

    if (feed->reader)
        return true;
    pthread_mutex_unlock(&feed->lock);
    struct store_reader *reader = store_reader_new(feed->options.store, &err);
    if (!reader)
        say_failed(feed, &err);
    pthread_mutex_lock(&feed->lock);
    feed->reader = reader;
    return reader;
}

static void *feed_main(void *arg)
{
    struct tail_feed *feed = arg;
    bool more = true;

    pthread_mutex_lock(&feed->lock);
    while (await(feed, more)) {
        if (ensure_reader(feed))
            more = look(feed);
        else
            wait_ms(feed, RETRY_MS, false);
    }
    move(feed, FEED_ENDED);
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

/* ---- The listener ---- */

/* Rests as the feed does. Called with the lock held. False: to stop. */
static bool await_subscriptions(struct tail_feed *feed)
{
    while (!is_stopping(feed) && !feed->subscriptions)
        pthread_cond_wait(&feed->changed, &feed->lock);
    return !is_stopping(feed);
}

static void *listener_main(void *arg)
{
    struct tail_feed *feed = arg;

    pthread_mutex_lock(&feed->lock);
    while (await_subscriptions(feed)) {
        pthread_mutex_unlock(&feed->lock);
        int error = cache_listener_wait(feed->ear, LISTEN_MS);
        if (!error)
            tail_feed_wake(feed);
        pthread_mutex_lock(&feed->lock);
        if (error == LM_ETIMEOUT)
            continue;
        feed->is_listening = !error;
        if (error)
            wait_ms(feed, RETRY_MS, false);
    }
    pthread_mutex_unlock(&feed->lock);
    return NULL;
}

/* ---- Life ---- */

static void release(struct tail_feed *feed)
{
    pthread_cond_destroy(&feed->changed);
    pthread_mutex_destroy(&feed->lock);
    cache_listener_free(feed->ear);
    tail_filters_release(&feed->filters);
    store_reader_free(feed->reader);
    free(feed);
}

static void stop(struct tail_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    move(feed, FEED_STOPPING);
    /* Again and again: one that comes just before a call has no effect on it. */
    while (feed->state != FEED_ENDED) {
        if (feed->reader)
            store_reader_cancel(feed->reader);
        monotonic_cond_wait(&feed->changed, &feed->lock,
                            clock_monotonic_us() + (uint64_t)CANCEL_MS * 1000);
    }
    pthread_mutex_unlock(&feed->lock);
    pthread_join(feed->thread, NULL);
}

struct tail_feed *tail_feed_new(const struct tail_feed_options *options, struct errbuf *err)
{
    struct tail_feed *feed = xcalloc(1, sizeof(*feed));

    feed->options = *options;
    feed->ear = cache_listener_new(options->cache);
    pthread_mutex_init(&feed->lock, NULL);
    monotonic_cond_init(&feed->changed);
    if (pthread_create(&feed->thread, NULL, feed_main, feed) != 0)
        goto fail;
    if (feed->ear && pthread_create(&feed->listener, NULL, listener_main, feed) != 0) {
        stop(feed);
        goto fail;
    }
    return feed;
fail:
    errbuf_set(err, "cannot start the live tail's threads");
    release(feed);
    return NULL;
}

void tail_feed_free(struct tail_feed *feed)
{
    if (!feed)
        return;
    stop(feed);
    if (feed->ear)
        pthread_join(feed->listener, NULL);
    release(feed);
}
