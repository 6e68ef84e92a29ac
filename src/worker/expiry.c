#include "worker/expiry.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "diag/diag.h"
#include "metrics/metrics.h"
#include "query/levels.h"

static const int64_t DAY_US = INT64_C(86400) * 1000000;

void expiry_init(struct expiry *e, unsigned days)
{
    *e = (struct expiry){.days = days, .before_us = INT64_MIN};
    pthread_mutex_init(&e->step, NULL);
}

void expiry_set_levels(struct expiry *e, const struct level_rules *rules)
{
    e->levels_len = rules->len;
    for (size_t i = 0; i < rules->len; i++)
        e->levels[i] = (struct expiry_level){
            .rule = rules->items[i], .done_us = TIMESTAMP_MIN_US, .late_us = INT64_MAX};
}

void expiry_release(struct expiry *e)
{
    for (size_t i = 0; i < e->levels_len; i++)
        log_matcher_unref(e->levels[i].matcher);
    pthread_mutex_destroy(&e->step);
}

unsigned expiry_wait_ms(const struct expiry *e, unsigned max_ms)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t next_us = atomic_load(&e->next_us);
    uint64_t tidy_us = atomic_load(&e->tidy_us);

    next_us = tidy_us < next_us ? tidy_us : next_us;
    if (now_us >= next_us)
        return 0;
    uint64_t wait_ms = (next_us - now_us) / 1000 + 1;
    return wait_ms < max_ms ? (unsigned)wait_ms : max_ms;
}

/* With e->step held. */
static void check(const struct expiry *e)
{
    int64_t before_us = atomic_load(&e->before_us);

    if (e->clock_kept_us)
        retention_clock_check(&e->clock);
    CHECK(e->days || before_us == INT64_MIN);
    CHECK(before_us == INT64_MIN || before_us == e->clock.time_us - e->days * DAY_US);
}

/* ---- The clock ---- */

static void tell_clock(enum retention_clock_news news, const struct expiry *e, int64_t wall_us)
{
    char says[TIMESTAMP_TEXT_LEN + 1] = {0};
    char believed[TIMESTAMP_TEXT_LEN + 1] = {0};

    if (news == RETENTION_CLOCK_AS_BEFORE)
        return;
    timestamp_format(wall_us, says);
    timestamp_format(e->clock.kept.believed_us, believed);
    if (news == RETENTION_CLOCK_BELIEVES)
        diag(DIAG_INFO, "the clock is believed again: RETENTION_DAYS goes by it",
             DIAG_STR("clock", says));
    else
        diag(DIAG_WARN,
             "the clock is more than a day off what it was: until it has run for 24 hours, "
             "RETENTION_DAYS goes by the earlier of both times",
             DIAG_STR("clock", says), DIAG_STR("believed", believed));
}

/* Reads the clock, and keeps what is known of it from time to time, and when that changes. */
static int advance_clock(struct expiry *e, struct store_writer *writer, uint64_t now_us,
                         struct errbuf *err)
{
    struct store_clock kept;
    int64_t wall_us;
    int error = store_clock_read(writer, &kept, &wall_us, err);

    if (error)
        return error;
    if (e->clock_kept_us == 0)
        e->clock.kept = kept;
    enum retention_clock_news news = retention_clock_advance(&e->clock, wall_us, now_us);
    tell_clock(news, e, wall_us);
    atomic_store(&e->before_us, e->days ? e->clock.time_us - e->days * DAY_US : INT64_MIN);
    unsigned keep_ms = e->clock.kept.claimed_us ? EXPIRY_KEEP_DOUBT_MS : EXPIRY_KEEP_CLOCK_MS;
    if (e->clock_kept_us && news == RETENTION_CLOCK_AS_BEFORE &&
        now_us - e->clock_kept_us < (uint64_t)keep_ms * 1000)
        return 0;
    e->clock_kept_us = now_us;
    return store_clock_write(writer, &e->clock.kept, err);
}

/* ---- Dead letters ---- */

static void tell_letters(struct expiry *e, const struct queue_letter_excess *found, uint64_t now_us)
{
    char oldest[TIMESTAMP_TEXT_LEN + 1] = {0};

    metrics_add(METRIC_LETTERS_DROPPED, found->dropped);
    if (e->letters_told_us && now_us - e->letters_told_us < (uint64_t)DAY_US)
        return;
    e->letters_told_us = now_us;
    timestamp_format(found->oldest_us, oldest);
    diag(DIAG_WARN,
         e->letters.drops
             ? "dead letters are past DEAD_LETTERS_DAYS or DEAD_LETTERS_MAX_BYTES: the oldest are "
               "dropped"
             : "dead letters are past DEAD_LETTERS_DAYS or DEAD_LETTERS_MAX_BYTES: see `logmill "
               "dead-letters`",
         DIAG_INT("bytes", (int64_t)found->bytes), DIAG_STR("oldest", oldest));
}

/* By the retention clock, too: one that is ahead drops nothing. */
static void look_at_letters(struct expiry *e, uint64_t now_us)
{
    struct queue_letter_limits limits = {
        .before_us = e->letters.days ? e->clock.time_us - e->letters.days * DAY_US : 0,
        .max_bytes = e->letters.max_bytes,
        .drops = e->letters.drops,
    };
    struct queue_letter_excess found;
    struct errbuf err = ERRBUF_INIT;

    if (!e->queue || now_us < e->letters_us)
        return;
    e->letters_us = now_us + (uint64_t)EXPIRY_LETTERS_MS * 1000;
    if (queue_dead_letters_trim(e->queue, &limits, &found, &err)) {
        diag(DIAG_WARN, "dead letters cannot be looked at now", DIAG_STR("reason", err.text));
        return;
    }
    if (found.is_over)
        tell_letters(e, &found, now_us);
    if (found.dropped > 0)
        e->letters_us = now_us; /* there may be more */
}

/* ---- Deleting ---- */

/*
 * Deletes at most `rows`, in short transactions; adds to `*deleted` how many. Where few are found
 * by much looking, time ends it, too: *more.
 */
static int delete_rows(struct expiry *e, struct store_writer *writer, size_t rows, size_t *deleted,
                       bool *more, struct errbuf *err)
{
    uint64_t until_us = clock_monotonic_us() + (uint64_t)EXPIRY_STEP_MS * 1000;
    size_t max, got;

    do {
        max = rows - *deleted < EXPIRY_TRANSACTION_ROWS ? rows - *deleted : EXPIRY_TRANSACTION_ROWS;
        got = 0;
        int error = store_expire(writer, atomic_load(&e->before_us), max, &got, more, err);

        metrics_add(METRIC_LOGS_EXPIRED, got);
        *deleted += got;
        if (error)
            return error;
    } while (*more && *deleted < rows && (got >= max || clock_monotonic_us() < until_us));
    return 0;
}

/* The oldest go while the store is too large; counts as deleting rows. */
static int shrink(struct expiry *e, struct store_writer *writer, size_t rows, size_t *deleted,
                  struct errbuf *err)
{
    size_t got;

    do {
        got = 0;
        int error = store_shrink(writer, e->max_bytes, &got, err);
        metrics_add(METRIC_LOGS_EXPIRED, got);
        *deleted += got;
        if (error)
            return error;
    } while (got > 0 && *deleted < rows);
    return 0;
}

/* ---- Levels ---- */

/*
 * The level by this name alone: a rule for `warn` says nothing of `warning`. No name of a level is
 * the end of another name for the same.
 */
static struct query *query_of_level(struct slice level)
{
    struct slice other = level_other_name(level);
    struct query_builder b;
    struct query *q;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_test(
        &b, &(struct query_node){.field = QUERY_LEVEL, .test = QUERY_EQUALS, .text = level});
    if (other.data) {
        query_builder_open(&b, QUERY_NOT);
        query_builder_test(
            &b, &(struct query_node){.field = QUERY_LEVEL, .test = QUERY_ENDS, .text = other});
        query_builder_close(&b);
    }
    query_builder_close(&b);
    return query_builder_finish(&b, &q) ? NULL : q;
}

/* Begins a scan of what is newly too old. False: nothing is. */
static bool begin_level(struct expiry *e, struct expiry_level *l)
{
    const int64_t moves_us = EXPIRY_LEVEL_MOVES_S * INT64_C(1000000);
    int64_t before_us = e->clock.time_us - l->rule.days * DAY_US;
    int64_t done_us = atomic_load(&l->done_us);
    int64_t until_us = before_us - (before_us % moves_us + moves_us) % moves_us;
    struct log_filter filter;

    until_us = until_us > done_us ? until_us : done_us;
    if (until_us == done_us && atomic_load(&l->late_us) >= done_us)
        return false;
    /* In this order: what is stored meanwhile is met by this scan, or noted for the next. */
    atomic_store(&l->done_us, until_us);
    int64_t late_us = atomic_exchange(&l->late_us, INT64_MAX);
    log_filter_init(&filter);
    filter.since_us = late_us < done_us ? late_us : done_us;
    filter.until_us = until_us;
    filter.query = query_of_level(l->rule.level);
    l->matcher = filter.query ? log_matcher_new(&filter) : NULL;
    query_unref(filter.query);
    if (!l->matcher) { /* all of it is tried again */
        atomic_store(&l->done_us, filter.since_us);
        return false;
    }
    store_scan_init(&l->scan, l->matcher, NULL, 0);
    return true;
}

static void end_level(struct expiry_level *l)
{
    log_matcher_unref(l->matcher);
    l->matcher = NULL;
}

/* Deletes at most `rows` logs in all; *more: time or number was not enough. */
static int delete_levels(struct expiry *e, struct store_writer *writer, size_t rows,
                         size_t *deleted, bool *more, struct errbuf *err)
{
    uint64_t until_us = clock_monotonic_us() + (uint64_t)EXPIRY_LEVEL_STEP_MS * 1000;
    int error = 0;

    *more = false;
    for (size_t i = 0; !error && i < e->levels_len; i++) {
        struct expiry_level *l = &e->levels[i];

        if (!l->matcher && !begin_level(e, l))
            continue;
        while (!error && !l->scan.done && *deleted < rows && clock_monotonic_us() < until_us) {
            const struct store_slice slice = {.rows = EXPIRY_TRANSACTION_ROWS,
                                              .until_us = until_us};
            size_t got = 0;

            error = store_erase(writer, &l->scan, &slice, false, &got, err);
            metrics_add(METRIC_LOGS_EXPIRED, got);
            *deleted += got;
        }
        if (l->scan.done)
            end_level(l);
        else
            *more = true;
    }
    return error;
}

/* These came though their level's time is over: the next scan begins with them. */
static void note_late(struct expiry *e, const struct record *r)
{
    for (size_t i = 0; i < e->levels_len; i++) {
        struct expiry_level *l = &e->levels[i];
        int64_t timestamp_us = r->key.timestamp_us;

        if (timestamp_us >= atomic_load(&l->done_us) || !text_equal_nocase(l->rule.level, r->level))
            continue;
        int64_t late_us = atomic_load(&l->late_us);
        while (timestamp_us < late_us &&
               !atomic_compare_exchange_weak(&l->late_us, &late_us, timestamp_us))
            continue;
    }
}

/* ---- Steps ---- */

/* The rows that a step may delete; what was stored before is counted for it, as far as it goes. */
static size_t take_rows(struct expiry *e)
{
    uint64_t stored = atomic_load(&e->stored);
    uint64_t taken = (EXPIRY_STEP_ROWS_MAX - EXPIRY_STEP_ROWS) / 2;

    taken = stored < taken ? stored : taken;
    atomic_fetch_sub(&e->stored, taken);
    return EXPIRY_STEP_ROWS + 2 * (size_t)taken;
}

/* Returns the milliseconds after which to look again; 0: there is more to delete now. */
static unsigned step(struct expiry *e, struct store_writer *writer, uint64_t now_us)
{
    struct errbuf err = ERRBUF_INIT;
    size_t rows = take_rows(e);
    size_t deleted = 0;
    bool more = false, more_of_levels = false;

    if (advance_clock(e, writer, now_us, &err) ||
        (e->days > 0 && delete_rows(e, writer, rows, &deleted, &more, &err)) ||
        (e->max_bytes > 0 && shrink(e, writer, rows, &deleted, &err)) ||
        (e->levels_len > 0 && delete_levels(e, writer, rows, &deleted, &more_of_levels, &err))) {
        diag(DIAG_WARN, "old logs could not be deleted now", DIAG_STR("reason", err.text));
        return EXPIRY_INTERVAL_MS;
    }
    if (deleted >= rows)
        return 0;
    atomic_store(&e->stored, 0);
    if (more || more_of_levels)
        return EXPIRY_PAUSE_MS;
    return deleted > 0 ? EXPIRY_INTERVAL_BUSY_MS : EXPIRY_INTERVAL_MS;
}

unsigned expiry_step(struct expiry *e, struct store_writer *writer, unsigned max_ms)
{
    unsigned wait_ms = expiry_wait_ms(e, max_ms);
    if (wait_ms > 0)
        return wait_ms;
    if (pthread_mutex_trylock(&e->step) != 0)
        return max_ms; /* the other thread sees to it */
    CHECKED(check(e));
    uint64_t now_us = clock_monotonic_us();
    if (now_us >= atomic_load(&e->next_us)) {
        atomic_store(&e->next_us, now_us + (uint64_t)step(e, writer, now_us) * 1000);
        look_at_letters(e, now_us);
    }
    if (now_us >= atomic_load(&e->tidy_us)) {
        unsigned tidy_ms = store_tidy(writer);

        atomic_store(&e->tidy_us,
                     now_us + (uint64_t)(tidy_ms ? tidy_ms : EXPIRY_INTERVAL_MS) * 1000);
    }
    CHECKED(check(e));
    pthread_mutex_unlock(&e->step);
    return expiry_wait_ms(e, max_ms);
}

/* There is something to delete: no need to wait for the next look. */
static void look_soon(struct expiry *e)
{
    uint64_t soon_us = clock_monotonic_us() + (uint64_t)EXPIRY_INTERVAL_BUSY_MS * 1000;
    uint64_t next_us = atomic_load(&e->next_us);

    while (soon_us < next_us && !atomic_compare_exchange_weak(&e->next_us, &next_us, soon_us))
        continue;
}

void expiry_note_stored(struct expiry *e, const struct record *records, size_t n)
{
    int64_t before_us = atomic_load(&e->before_us);
    int64_t oldest_us = INT64_MAX;
    size_t too_old = 0;

    atomic_fetch_add(&e->stored, n);
    for (size_t i = 0; i < n; i++) {
        int64_t timestamp_us = records[i].key.timestamp_us;

        too_old += timestamp_us < before_us;
        note_late(e, &records[i]);
        oldest_us = timestamp_us < oldest_us ? timestamp_us : oldest_us;
    }
    metrics_add(METRIC_LOGS_TOO_OLD, too_old);
    if (too_old > 0)
        look_soon(e);
    uint64_t times = notice_count(&e->too_old, too_old);
    if (times > 0) {
        char oldest[TIMESTAMP_TEXT_LEN + 1] = {0};

        timestamp_format(oldest_us, oldest);
        diag(DIAG_WARN, "logs came that are older than RETENTION_DAYS: they are deleted right away",
             DIAG_INT("logs", (int64_t)times), DIAG_STR("one_timestamp", oldest));
    }
}
