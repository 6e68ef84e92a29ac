/*
 * Since `logs` may have thousands of partitions, and a statement locks and opens each that it might
 * need, a scan goes through windows of time: the newest two days first, then ever larger ones
 * before them. Where logs are looked for that may be rare, the first is a minute, so that what runs
 * out of its time, and is for nothing, is never much. Every statement names both bounds of its
 * window, and is planned with their values, so that the other partitions are left out before they
 * are locked.
 *
 * A statement gets a bounded time, after which the server ends it by itself (statement_timeout):
 * the connection stays, and what came before is kept. Since a day may hold any number of logs, what
 * was too much is then approached by number: a *stride* is the next so many logs of the window,
 * whose first key is found in the primary key alone. What one takes tells how long the next windows
 * may be. If time divides badly, since very many logs are of one moment, strides go on to the
 * end of the day, and grow and shrink with the time that they take; one of one log always succeeds.
 *
 * What comes of the windows is thus not one snapshot: logs that are stored meanwhile may or may not
 * be met.
 */
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "store/postgres/internal.h"

enum {
    WINDOW_FACTOR = 4,       /* each window is so much longer than the one after it … */
    GROWTHS_MAX = 3,         /* … and so often at once if that took next to nothing … */
    WINDOW_DAYS_MAX = 512,   /* … up to this, which bounds the locks of one statement … */
    WINDOWS_YEARS_MAX = 20,  /* … and what is older than this comes in one */
    PROBE_US = 10 * 1000000, /* the first window where there are indexes */
    WINDOW_US_MIN = 1000,    /* what takes longer than it may is no matter of time */

    STRIDE_FIRST = 1000,
    STRIDE_MAX = 4 << 20,
    STRIDE_FACTOR = 4,  /* growing */
    STRIDE_DIVISOR = 8, /* after one that ran out of time */

    /*
     * A statement costs a millisecond before it has read anything, and short ones have poor plans:
     * slices may be much shorter than this. But the first one of a scan is to tell soon whether it
     * is a short one.
     */
    GOAL_MS = 250,      /* what a statement should take */
    LIMIT_MS = 500,     /* what it may take, however late it is */
    FIRST_MS_MIN = 100, /* what the first may take, if the slice's time is less */
};

#define DAY_US (INT64_C(86400) * 1000000)
#define MINUTE_US (INT64_C(60) * 1000000)

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const struct log_key *place(const struct store_postgres_windows *w)
{
    return &w->scan->before;
}

/* Of the whole scan. */
static int64_t since_us(const struct store_postgres_windows *w)
{
    return max(log_matcher_filter(w->scan->matcher)->since_us, TIMESTAMP_MIN_US);
}

/* Windows that are no whole days of partitions are read by their index. */
static bool is_part_of_day(const struct store_postgres_windows *w)
{
    const struct store_scan *scan = w->scan;

    return scan->stride || (scan->window_us ? scan->window_us < DAY_US : w->begins_small);
}

static void settle(struct store_postgres_windows *w)
{
    const struct log_key lowest = {.timestamp_us = since_us(w)};

    if (log_key_compare(place(w), &lowest) <= 0)
        w->scan->done = true;
}

/* ---- Bounds ---- */

static bool is_first_id(const struct uuid *id)
{
    static const struct uuid first = {{0}};

    return memcmp(id, &first, sizeof(first)) == 0;
}

static void add_key(struct store_postgres_statement *st, const char *relation,
                    const struct log_key *key)
{
    store_postgres_statement_sql(st, relation);
    store_postgres_statement_time(st, key->timestamp_us);
    store_postgres_statement_sql(st, ", ");
    store_postgres_statement_id(st, &key->id);
    store_postgres_statement_sql(st, ")");
}

/* The keys alone would leave out no partitions. */
static void add_bounds(struct store_postgres_statement *st, const struct log_key *from,
                       const struct log_key *before)
{
    bool within = !is_first_id(&before->id); /* some logs of its microsecond come before it */

    store_postgres_statement_sql(st, " FROM logs WHERE \"timestamp\" >= ");
    store_postgres_statement_time(st, from->timestamp_us);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, before->timestamp_us + within);
    if (!is_first_id(&from->id))
        add_key(st, " AND (\"timestamp\", id) >= (", from);
    if (within)
        add_key(st, " AND (\"timestamp\", id) < (", before);
}

static int64_t day_of(int64_t us)
{
    return us / DAY_US - (us % DAY_US < 0);
}

/* The day of the newest log that may be in the window. */
static int64_t newest_day(const struct store_postgres_windows *w)
{
    return day_of(place(w)->timestamp_us - is_first_id(&place(w)->id));
}

/*
 * Whole days, and then the window in a form that no index serves: to the planner nothing is left
 * but the indexes for what is looked for.
 */
static void add_days(struct store_postgres_statement *st, const struct store_postgres_windows *w)
{
    store_postgres_statement_sql(st, " FROM logs WHERE \"timestamp\" >= ");
    store_postgres_statement_time(st, day_of(w->from.timestamp_us) * DAY_US);
    store_postgres_statement_sql(st, " AND \"timestamp\" < ");
    store_postgres_statement_time(st, (newest_day(w) + 1) * DAY_US);
    store_postgres_statement_sql(st, " AND (\"timestamp\" >= ");
    store_postgres_statement_time(st, w->from.timestamp_us);
    add_key(st, " AND (\"timestamp\", id) < (", place(w));
    store_postgres_statement_sql(st, ") IS TRUE");
}

void store_postgres_windows_add(struct store_postgres_reader *r,
                                const struct store_postgres_windows *w)
{
    const struct query *q = log_matcher_filter(w->scan->matcher)->query;

    if (r->is_served)
        add_days(&r->statement, w);
    else
        add_bounds(&r->statement, &w->from, place(w));
    if (!r->is_served && store_postgres_indexed_by_level(
                             &r->indexed, q, day_of(w->from.timestamp_us), newest_day(w)))
        store_postgres_statement_sql(&r->statement, " AND " STORE_POSTGRES_INDEX_LEVELS_CONDITION);

    if (q)
        store_postgres_predicates_add(
            &r->statement, q,
            &(struct store_postgres_predicates_form){r->collation, r->has_indexes || r->is_served});
}

/* How far back the first window goes, from now on. */
static int64_t first_us(const struct store_postgres_windows *w)
{
    return w->begins_small ? MINUTE_US : DAY_US;
}

/* Where the window below the place begins. */
static int64_t window_start(const struct store_postgres_windows *w)
{
    int64_t now_us = clock_wall_us();
    int64_t to_us = min(place(w)->timestamp_us, TIMESTAMP_MAX_US + 1);

    if (to_us < now_us - WINDOWS_YEARS_MAX * 365 * DAY_US)
        return since_us(w);
    int64_t from_us =
        w->scan->window_us ? to_us - w->scan->window_us : min(to_us, now_us) - first_us(w);
    if ((w->scan->window_us ? w->scan->window_us : first_us(w)) >= DAY_US)
        from_us -= from_us % DAY_US;
    return max(from_us, since_us(w));
}

/* ---- Days with indexes ---- */

/*
 * A window is of days whose indexes serve, or of others. What is common is found sooner in the
 * order of keys, where a page is full after a few logs: so a page uses them only if there was
 * nothing in the window before, the first of which is short. What they find of a day they find at
 * once, so the window is at least what is left of it.
 */
static void fit_to_indexes(struct store_postgres_reader *r, struct store_postgres_windows *w)
{
    const struct query *q = log_matcher_filter(w->scan->matcher)->query;
    struct store_scan *scan = w->scan;
    int64_t to = newest_day(w), day = to, least = day_of(w->from.timestamp_us);

    r->is_served = false;
    if (scan->by_key)
        return;
    if (!store_postgres_indexed_serve(&r->indexed, q, to)) {
        /* Not to go on into one that has some. */
        int64_t newest = store_postgres_indexed_newest(&r->indexed, to - 1);

        if (newest >= least && store_postgres_indexed_serve(&r->indexed, q, newest))
            w->from.timestamp_us = max(w->from.timestamp_us, (newest + 1) * DAY_US);
        return;
    }
    if (scan->stride || scan->skip > 0 || w->is_common)
        return;
    if (w->begins_small && !scan->window_us) {
        w->from.timestamp_us = max(w->from.timestamp_us, place(w)->timestamp_us - PROBE_US);
        return;
    }
    while (day > least && store_postgres_indexed_serve(&r->indexed, q, day - 1))
        day--;
    w->from.timestamp_us = max(day * DAY_US, since_us(w));
    if (scan->window_us)
        scan->window_us = max(scan->window_us, DAY_US);
    r->is_served = true;
}

/* ---- Strides ---- */

static int take_key(struct store_postgres_reader *r, const PGresult *row, void *ctx)
{
    struct store_postgres_windows *w = ctx;

    store_postgres_reader_key(row, 0, &w->from);
    w->is_stride = true;
    return 0;
}

/* Raises w->from so that the window has as many logs as a stride, if it has more. */
static int find_stride(struct store_postgres_reader *r, struct store_postgres_windows *w,
                       struct errbuf *err)
{
    struct store_postgres_statement *st = &r->statement;

    store_postgres_statement_begin(st, "SELECT \"timestamp\", id");
    add_bounds(st, &w->from, place(w));
    store_postgres_statement_sql(st, " ORDER BY \"timestamp\" DESC, id DESC LIMIT 1 OFFSET ");
    store_postgres_statement_number(st, (int64_t)w->scan->stride - 1);
    return store_postgres_reader_run(r, take_key, w, err);
}

/* ---- Time ---- */

/* What is left of the slice's. */
static int64_t left_ms(const struct store_postgres_windows *w)
{
    return ((int64_t)w->until_us - (int64_t)clock_monotonic_us()) / 1000;
}

static bool is_fresh(const struct store_scan *scan)
{
    return !scan->window_us && !scan->stride;
}

/*
 * However long a slice may take: a server that is slow is not to be taken for one that is gone,
 * while it could tell of smaller windows. 0: as long as it wants.
 */
static unsigned most_ms(const struct store_postgres_reader *r,
                        const struct store_postgres_windows *w)
{
    return w->scan->stride == 1 ? 0 : r->conn.silence_ms / 2;
}

/* What a statement of a slice with an end may take; 0: it has none. */
static unsigned limit_ms(const struct store_postgres_reader *r,
                         const struct store_postgres_windows *w)
{
    int64_t least = is_fresh(w->scan) ? FIRST_MS_MIN : LIMIT_MS;

    if (!w->until_us || w->scan->stride == 1)
        return 0;
    return (unsigned)min(max(left_ms(w), least), most_ms(r, w));
}

/* After a window that ran out of time. */
static void shrink(const struct store_postgres_windows *w)
{
    struct store_scan *scan = w->scan;

    if (scan->stride) {
        scan->stride = (uint64_t)max((int64_t)scan->stride / STRIDE_DIVISOR, 1);
        return;
    }
    scan->by_number = is_part_of_day(w); /* it was to take GOAL_MS, had they been spread evenly */
    if (scan->by_number)
        scan->window_us = DAY_US;
    scan->stride = STRIDE_FIRST;
}

static void adapt_to_stride(struct store_scan *scan, int64_t span_us, int64_t took_us)
{
    int64_t goal_us = GOAL_MS * 1000;
    int64_t factor = max(goal_us / max(took_us, 1), 1);

    if (!scan->by_number && span_us >= WINDOW_US_MIN) {
        scan->window_us = min(span_us, DAY_US) * factor;
        scan->stride = 0;
    } else if (factor >= STRIDE_FACTOR && scan->stride < STRIDE_MAX) {
        scan->stride *= STRIDE_FACTOR;
    } else if (took_us > goal_us && scan->stride > 1) {
        scan->stride /= 2;
    }
}

void store_postgres_windows_grow(struct store_scan *scan)
{
    if (scan->window_us < WINDOW_DAYS_MAX * DAY_US)
        scan->window_us *= WINDOW_FACTOR;
}

/* After a window that was gone through to its end at once: the next has WINDOW_FACTOR once … */
static void adapt_to_window(const struct store_postgres_windows *w, int64_t took_us)
{
    struct store_scan *scan = w->scan;

    scan->stride = 0;
    scan->by_number = false;
    if (!scan->window_us)
        scan->window_us = first_us(w);
    if (took_us > GOAL_MS * 1000)
        scan->window_us = max(scan->window_us / 2, 1);
    /* … or several times, as long as that is to take a fraction of what it may. */
    for (int n = 0; n < GROWTHS_MAX && took_us < GOAL_MS * 1000 / WINDOW_FACTOR; n++) {
        store_postgres_windows_grow(scan);
        took_us *= 2 * WINDOW_FACTOR;
    }
}

/* ---- A slice ---- */

static int go_on(struct store_postgres_reader *r, struct store_postgres_windows *w,
                 store_postgres_window_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_scan *scan = w->scan;
    int64_t before_us = scan->before.timestamp_us;
    int error = 0;

    w->from = (struct log_key){.timestamp_us = window_start(w)};
    w->is_stride = w->cut = false;
    fit_to_indexes(r, w);
    if (scan->explain)
        scan->explain->windows++;
    r->limit_ms = limit_ms(r, w);
    r->most_ms = most_ms(r, w);
    r->by_index = is_part_of_day(w);
    r->is_timed = !is_fresh(scan); /* most scans have but one window */
    r->took_us = 0;
    if (scan->stride)
        error = find_stride(r, w, err);
    if (!error)
        error = fn(r, w, ctx, err);
    r->limit_ms = r->most_ms = 0;
    bool was_served = r->is_served;
    r->by_index = r->is_served = r->is_timed = false;
    if (error && scan->stride != 1 && store_postgres_reader_ran_out(r)) {
        scan->by_key = scan->by_key || was_served;
        shrink(w);
        return 0;
    }
    if (error || w->cut)
        return error;
    scan->before = w->from;
    if (w->is_stride)
        adapt_to_stride(scan, before_us - w->from.timestamp_us, (int64_t)r->took_us);
    else
        adapt_to_window(w, (int64_t)r->took_us);
    return 0;
}

static bool is_over(const struct store_postgres_windows *w, const struct log_key *start)
{
    return w->until_us && log_key_compare(place(w), start) < 0 && left_ms(w) <= 0;
}

int store_postgres_windows_run(struct store_postgres_reader *r, struct store_postgres_windows *w,
                               store_postgres_window_fn *fn, void *ctx, struct errbuf *err)
{
    const struct log_key start = *place(w);
    int error = 0;

    settle(w);
    store_postgres_paces_take(&r->s->paces, w->scan);
    while (!error && !w->scan->done && !w->stop && !is_over(w, &start)) {
        error = go_on(r, w, fn, ctx, err);
        settle(w);
    }
    store_postgres_paces_keep(&r->s->paces, w->scan);
    return error;
}
