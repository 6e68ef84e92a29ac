#include "store/sqlite/plan.h"

#include <stdlib.h>

#include "base/container_of.h"
#include "base/xalloc.h"
#include "store/store.h"

static const int64_t SECOND_US = 1000000;

/* A clock that jumps makes some of them strange: these are past it, too. */
static bool is_within(const struct segment *s, int64_t now_us, int64_t seconds)
{
    int64_t us = seconds * SECOND_US;

    return s->stored_us >= now_us - us && s->stored_us <= now_us + us;
}

bool plan_is_past_horizon(const struct segment *s, int64_t now_us)
{
    return !is_within(s, now_us, STORE_FOLLOW_HORIZON_S);
}

/* Segments whose numbers are kept are not mixed with others. */
static bool keeps(const struct segment *s, const struct plan_options *o)
{
    return s->last_sequence > 0 && !plan_is_past_horizon(s, o->now_us);
}

static uint64_t full_weight(const struct plan_options *o)
{
    return o->block_rows * o->segment_blocks;
}

/* By what of it fills a segment most: logs, blocks or bytes. */
static uint64_t weight(const struct segment *s, const struct plan_options *o)
{
    uint64_t rows = s->rows > s->erased ? s->rows - s->erased : 0;
    uint64_t by_blocks = (uint64_t)(s->blocks - s->gone - 1) * o->block_rows;
    uint64_t by_bytes = s->bytes * full_weight(o) / o->segment_bytes;

    rows = rows > by_blocks ? rows : by_blocks;
    return rows > by_bytes ? rows : by_bytes;
}

static void add(struct plan *plan, const struct segment *s)
{
    plan->sources[plan->len++] = *s;
}

/* ---- Erasing ---- */

static bool is_to_be_erased(const struct plan_segment *p, const struct plan_options *o)
{
    const struct segment *s = &p->segment;

    return s->erased > 0 &&
           (p->urgent || o->erases_all || s->erased * PLAN_ERASED_SHARE >= s->rows);
}

static bool choose_erased(const struct plan_options *o, const struct plan_segment *segments,
                          size_t n, struct plan *plan)
{
    for (size_t i = 0; i < n; i++) {
        if (segments[i].bad || !is_to_be_erased(&segments[i], o))
            continue;
        add(plan, &segments[i].segment);
        return true;
    }
    return false;
}

/* ---- Hot to cold ---- */

/* Whether hot segments of this run have waited long enough. */
static bool is_due(const struct plan_options *o, const struct plan *run, uint64_t sum)
{
    if (sum >= full_weight(o) || run->len == COMPACT_SOURCES_MAX)
        return true;
    if (o->takes_over && !keeps(&run->sources[0], o))
        return false; /* its neighbour is just being made */
    for (size_t i = 0; !o->at_rest && i < run->len; i++)
        if (!is_within(&run->sources[i], o->now_us, PLAN_HOT_AGE_S))
            return true;
    return o->at_rest;
}

/* A run of hot segments, no other between them; ends when it is a whole one. */
static bool choose_hot(const struct plan_options *o, const struct plan_segment *segments, size_t n,
                       struct plan *plan)
{
    uint64_t sum = 0;

    for (size_t i = 0; i <= n; i++) {
        const struct segment *s = i < n ? &segments[i].segment : NULL;
        bool goes_on = s && !s->cold && !segments[i].bad &&
                       (plan->len == 0 || keeps(s, o) == keeps(&plan->sources[0], o));

        if (plan->len > 0 && (!goes_on || sum >= full_weight(o)) && is_due(o, plan, sum))
            return true;
        if (!goes_on || plan->len == COMPACT_SOURCES_MAX) {
            plan->len = 0;
            sum = 0;
        }
        if (s && !s->cold && !segments[i].bad) {
            add(plan, s);
            sum += weight(s, o);
        }
    }
    plan->len = 0;
    return false;
}

/* ---- Merging ---- */

/* Whether merging list[from..to) pays: it makes PLAN_GROWTH of the heaviest. */
static bool choose_growing(const struct plan_options *o, const struct segment *const *list,
                           size_t n, struct plan *plan)
{
    for (size_t from = 0; from < n; from++) {
        uint64_t sum = 0, most = 0;

        for (size_t to = from; to < n && to - from < COMPACT_SOURCES_MAX; to++) {
            uint64_t w = weight(list[to], o);

            if (keeps(list[to], o) != keeps(list[from], o) || sum + w > full_weight(o))
                break;
            sum += w;
            most = w > most ? w : most;
            if (to == from || sum < PLAN_GROWTH * most)
                continue;
            for (size_t i = from; i <= to; i++)
                add(plan, list[i]);
            return true;
        }
    }
    return false;
}

static bool overlap(const struct segment *a, const struct segment *b)
{
    return log_key_compare(&a->first, &b->last) <= 0 && log_key_compare(&b->first, &a->last) <= 0;
}

static int by_weight(const void *a, const void *b, void *options)
{
    uint64_t wa = weight(*(const struct segment *const *)a, options);
    uint64_t wb = weight(*(const struct segment *const *)b, options);

    return wa < wb ? 1 : wa > wb ? -1 : 0;
}

static int by_first(const void *a, const void *b)
{
    return log_key_compare(&(*(const struct segment *const *)a)->first,
                           &(*(const struct segment *const *)b)->first);
}

/*
 * Splits list[0..n) into what lies side by side, the heaviest first, and what overlaps that: moves
 * these behind the others, and returns how many others there are.
 */
static size_t split_off_late(const struct plan_options *o, const struct segment **list, size_t n)
{
    const struct segment **late = xmalloc(n * sizeof(const struct segment *));
    size_t base = 0, late_len = 0;

    qsort_r(list, n, sizeof(const struct segment *), by_weight, (void *)o);
    for (size_t i = 0; i < n; i++) {
        bool is_late = false;

        for (size_t k = 0; k < base && !is_late; k++)
            is_late = overlap(list[k], list[i]);
        if (is_late)
            late[late_len++] = list[i];
        else
            list[base++] = list[i];
    }
    for (size_t i = 0; i < late_len; i++)
        list[base + i] = late[i];
    free(late);
    qsort(list + base, late_len, sizeof(const struct segment *), by_first);
    return base;
}

/* Adds those of list[0..n) that overlap `span`; false: they are too many. */
static bool add_overlapping(const struct plan_options *o, const struct segment *const *list,
                            size_t n, const struct segment *span, struct plan *plan, uint64_t *sum)
{
    for (size_t i = 0; i < n; i++) {
        if (!overlap(list[i], span))
            continue;
        if (plan->len == COMPACT_SOURCES_MAX || keeps(list[i], o) != keeps(span, o))
            return false;
        add(plan, list[i]);
        *sum += weight(list[i], o);
    }
    return true;
}

/* Makes `span` hold all that is planned. */
static void widen(struct segment *span, const struct plan *plan)
{
    for (size_t i = 0; i < plan->len; i++) {
        const struct segment *s = &plan->sources[i];

        if (log_key_compare(&s->first, &span->first) < 0)
            span->first = s->first;
        if (log_key_compare(&s->last, &span->last) > 0)
            span->last = s->last;
    }
}

/*
 * Of the late ones and the base that they overlap, the piece that pays: a late segment, those of
 * the base that it overlaps, and all late ones that overlap these. All of it or none, or what is
 * written would overlap the rest as before, and be written again and again.
 */
static bool choose_late(const struct plan_options *o, const struct segment *const *base,
                        size_t base_len, const struct segment *const *late, size_t late_len,
                        struct plan *plan)
{
    for (size_t i = 0; i < late_len; i++) {
        uint64_t of_base = 0, of_late = 0;
        struct segment span = *late[i];

        plan->len = 0;
        if (container_of(late[i], const struct plan_segment, segment)->alone)
            continue;
        if (!add_overlapping(o, base, base_len, &span, plan, &of_base) || plan->len == 0)
            continue;
        widen(&span, plan);
        if (add_overlapping(o, late, late_len, &span, plan, &of_late) &&
            of_late * PLAN_LATE_SHARE >= of_base) {
            plan->late = late[i]->number;
            return true;
        }
    }
    plan->len = 0;
    return false;
}

/* Segments that overlap each other, or a chain of them. */
static bool choose_in_cluster(const struct plan_options *o, const struct segment **list, size_t n,
                              struct plan *plan)
{
    size_t base = split_off_late(o, list, n);

    return choose_late(o, list, base, list + base, n - base, plan) ||
           choose_growing(o, list + base, n - base, plan);
}

/*
 * Goes through the cold ones: those that lie alone are gathered in `run` until something else comes
 * between them; those that overlap are a cluster.
 */
static bool choose_cold(const struct plan_options *o, const struct plan_segment *segments, size_t n,
                        struct plan *plan)
{
    const struct segment **run = xmalloc((n + 1) * sizeof(const struct segment *));
    const struct segment **cluster = xmalloc((n + 1) * sizeof(const struct segment *));
    size_t run_len = 0;
    bool found = false;

    for (size_t i = 0; !found && i < n;) {
        size_t cluster_len = 0;
        struct log_key last = segments[i].segment.last;
        bool ends_run = false;

        for (;
             i < n && (cluster_len == 0 || log_key_compare(&segments[i].segment.first, &last) <= 0);
             i++) {
            const struct plan_segment *p = &segments[i];

            if (log_key_compare(&p->segment.last, &last) > 0)
                last = p->segment.last;
            if (p->bad || !p->segment.cold) {
                ends_run = true;
                if (cluster_len == 0) {
                    i++;
                    break;
                }
                continue;
            }
            cluster[cluster_len++] = &p->segment;
        }
        if (cluster_len == 1 && !ends_run) {
            run[run_len++] = cluster[0];
            continue;
        }
        found = choose_growing(o, run, run_len, plan) ||
                (cluster_len > 1 && choose_in_cluster(o, cluster, cluster_len, plan));
        run_len = 0;
    }
    found = found || choose_growing(o, run, run_len, plan);
    free(run);
    free(cluster);
    return found;
}

void plan_choose(const struct plan_options *options, const struct plan_segment *segments, size_t n,
                 struct plan *plan)
{
    plan->len = 0;
    plan->late = 0;
    if (!choose_erased(options, segments, n, plan) && !choose_hot(options, segments, n, plan))
        (void)choose_cold(options, segments, n, plan);
    plan->drops_sequence = plan->len > 0;
    for (size_t i = 0; i < plan->len; i++)
        if (keeps(&plan->sources[i], options))
            plan->drops_sequence = false;
}
