/*
 * What tails ask for. Tails that ask for the same share one filter, so that a batch is matched once
 * for all of them, by the feed's thread, where no event loop waits for it.
 *
 * A batch has an amount of work to spend: half of it from the first event on, and half evenly over
 * its bytes. Where it is spent, the filter that has taken the most is given up: it has no verdict
 * on the batch, and its tails fall behind and catch up by jobs of their own (tail.c). So an
 * expensive filter delays nobody else's logs. What was wasted on those given up is at most as much
 * again; then whoever comes last is given up, and last are those that were expensive before. (At
 * each event the amount is passed by one try at most, which costs six steps a byte.)
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "tail/tail.h"

enum {
    CALL_STEPS = 8,   /* what it costs to ask at all */
    EVENT_BYTES = 64, /* an event counts so many besides its texts */
    WORD_BITS = 64,
};

/* ---- Filters ---- */

static struct tail_filter *new_filter(struct log_matcher *matcher, size_t slot)
{
    struct tail_filter *f = xcalloc(1, sizeof(*f));

    f->matcher = matcher;
    f->slot = slot;
    atomic_init(&f->cost, TAIL_COST_EXPENSIVE);
    atomic_init(&f->references, 1);
    return f;
}

static void unref(struct tail_filter *f)
{
    if (atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel) > 1)
        return;
    log_matcher_unref(f->matcher);
    free(f);
}

struct tail_filter *tail_filters_use(struct tail_filters *set, struct log_matcher *matcher)
{
    size_t slot = set->len;

    for (size_t i = 0; i < set->len; i++) {
        struct tail_filter *f = set->slots[i];

        if (!f) {
            slot = i;
        } else if (log_matcher_equal(f->matcher, matcher)) {
            log_matcher_unref(matcher);
            f->tails++;
            return f;
        }
    }
    if (slot == set->len) {
        set->slots = xrealloc(set->slots, (set->len + 1) * sizeof(struct tail_filter *));
        set->len++;
    }
    set->slots[slot] = new_filter(matcher, slot);
    set->slots[slot]->tails = 1;
    return set->slots[slot];
}

void tail_filters_leave(struct tail_filters *set, struct tail_filter *f)
{
    if (--f->tails > 0)
        return;
    set->slots[f->slot] = NULL;
    while (set->len > 0 && !set->slots[set->len - 1])
        set->len--;
    unref(f);
}

void tail_filters_release(struct tail_filters *set)
{
    free(set->slots);
    *set = (struct tail_filters){0};
}

int tail_filters_copy(const struct tail_filters *set, struct tail_filters *copy)
{
    *copy = (struct tail_filters){0};
    if (set->len == 0)
        return 0;
    copy->slots = try_malloc(set->len * sizeof(struct tail_filter *));
    if (!copy->slots)
        return LM_ENOMEM;
    copy->len = set->len;
    for (size_t i = 0; i < set->len; i++) {
        copy->slots[i] = set->slots[i];
        if (copy->slots[i])
            atomic_fetch_add_explicit(&copy->slots[i]->references, 1, memory_order_relaxed);
    }
    return 0;
}

uint64_t tail_event_bytes(const struct record *r)
{
    return EVENT_BYTES + r->level.len + r->message.len + r->attributes.len;
}

void tail_filter_learn(struct tail_filter *f, uint64_t steps, uint64_t bytes)
{
    uint64_t before = atomic_load(&f->cost);
    uint64_t now = bytes > 0 ? steps * TAIL_COST_BYTES / bytes : 0;

    if (bytes > 0) /* what it cost before is forgotten little by little */
        atomic_store(&f->cost, now > before ? now : (7 * before + now) / 8);
}

int tail_filter_match(const struct tail_filter *f, struct log_subject *log, const struct record *r,
                      bool *matches, uint64_t *steps)
{
    const struct log_filter *bounds = log_matcher_filter(f->matcher);

    *steps += CALL_STEPS;
    *matches = r->key.timestamp_us >= bounds->since_us && r->key.timestamp_us < bounds->until_us;
    return *matches ? log_matcher_match_subject(f->matcher, log, matches, steps) : 0;
}

/* ---- Verdicts ---- */

/* One filter, while a batch is matched. */
struct trial {
    struct tail_filter *filter;
    uint64_t cost; /* of the filter before, then in this batch */
    uint64_t *bits;
    uint64_t steps;
    uint64_t bytes; /* of the events that it was asked about */
    size_t count;
    bool given_up;
};

struct trials {
    struct trial *each; /* the cheapest first */
    size_t len;
    uint64_t work;   /* steps that may be spent */
    uint64_t spent;  /* of them, by those that are not given up */
    uint64_t wasted; /* and by those that are */
    uint64_t *bits;  /* of all */
};

static size_t words_of(const struct tail_batch *b)
{
    return (b->len + WORD_BITS - 1) / WORD_BITS;
}

static int by_cost(const void *a, const void *b)
{
    uint64_t p = ((const struct trial *)a)->cost;
    uint64_t q = ((const struct trial *)b)->cost;

    return (p > q) - (p < q);
}

/* The cheapest first, by what is known of them and by this batch. */
static void sort_trials(struct trials *all)
{
    for (size_t i = 0; i < all->len; i++) {
        struct trial *t = &all->each[i];
        uint64_t now = t->bytes > 0 ? t->steps * TAIL_COST_BYTES / t->bytes : 0;

        t->cost = now > t->cost ? now : t->cost;
    }
    qsort(all->each, all->len, sizeof(*all->each), by_cost);
}

static void release_trials(struct trials *all)
{
    free(all->each);
    free(all->bits);
}

static int init_trials(struct trials *all, const struct tail_batch *b,
                       const struct tail_filters *filters)
{
    size_t words = words_of(b);

    *all = (struct trials){
        .each = try_malloc(filters->len * sizeof(*all->each)),
        .bits = try_malloc(filters->len * words * sizeof(*all->bits)),
    };
    if (!all->each || !all->bits) {
        release_trials(all);
        return LM_ENOMEM;
    }
    memset(all->bits, 0, filters->len * words * sizeof(*all->bits));
    for (size_t i = 0; i < filters->len; i++)
        if (filters->slots[i])
            all->each[all->len++] = (struct trial){.filter = filters->slots[i],
                                                   .cost = atomic_load(&filters->slots[i]->cost),
                                                   .bits = all->bits + i * words};
    sort_trials(all);
    return 0;
}

/* Gives up the filter that has taken the most, and takes its steps off the account. */
static void drop_costliest(struct trials *all)
{
    struct trial *most = NULL;

    for (size_t i = 0; i < all->len; i++) {
        struct trial *t = &all->each[i];

        if (!t->given_up && (!most || t->steps > most->steps))
            most = t;
    }
    if (!most)
        return;
    most->given_up = true;
    all->spent -= most->steps < all->spent ? most->steps : all->spent;
    all->wasted += most->steps;
}

/* Asks one filter about an event. */
static void try_one(struct trials *all, struct trial *t, const struct record *r, size_t at,
                    struct log_subject *log)
{
    uint64_t before = t->steps;
    bool matches;

    if (tail_filter_match(t->filter, log, r, &matches, &t->steps)) {
        t->given_up = true;
        return;
    }
    all->spent += t->steps - before;
    t->bytes += tail_event_bytes(r);
    if (matches) {
        t->count++;
        t->bits[at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
    }
}

/* Asks every filter about the event `at`, of which `allowed` steps are spent then at most. */
static void try_event(struct trials *all, const struct tail_batch *b, size_t at, uint64_t allowed,
                      struct log_subject *log)
{
    const struct record *r = &b->events[at].record;

    log_subject_set(log, r);
    for (size_t i = 0; i < all->len; i++) {
        struct trial *t = &all->each[i];

        if (!t->given_up)
            try_one(all, t, r, at, log);
        while (all->spent > allowed && all->wasted < all->work)
            drop_costliest(all);
        if (all->spent > allowed) { /* nothing is left: not even to see who is cheap */
            for (i++; i < all->len; i++)
                all->each[i].given_up = true;
            all->spent = allowed; /* the next event has its own, where the cheap come first again */
        }
    }
}

static void try_all(struct trials *all, const struct tail_batch *b)
{
    const double half = (double)all->work / 2;
    struct log_subject *log = log_subject_new();
    uint64_t bytes = 0;
    uint64_t done = 0;

    for (size_t i = 0; i < b->len; i++)
        bytes += tail_event_bytes(&b->events[i].record);
    for (size_t i = 0; i < b->len; i++) {
        done += tail_event_bytes(&b->events[i].record);
        try_event(all, b, i, (uint64_t)(half + half * (double)done / (double)bytes), log);
        if ((i & (i + 1)) == 0) /* after 1, 2, 4, 8, … */
            sort_trials(all);
    }
    log_subject_free(log);
}

/* Takes over the reference to the filter. */
static void set_verdict(struct tail_verdict *v, const struct trial *t, size_t words)
{
    tail_filter_learn(t->filter, t->steps, t->bytes);
    if (!t->given_up && t->count > 0) {
        v->bits = try_malloc(words * sizeof(*t->bits));
        if (v->bits)
            memcpy(v->bits, t->bits, words * sizeof(*t->bits));
    }
    if (t->given_up || (t->count > 0 && !v->bits)) {
        unref(t->filter);
        return;
    }
    v->filter = t->filter;
    v->count = t->count;
}

static void drop_references(struct tail_filters *filters)
{
    for (size_t i = 0; i < filters->len; i++)
        if (filters->slots[i])
            unref(filters->slots[i]);
}

void tail_batch_judge(struct tail_batch *b, struct tail_filters *filters, uint64_t work)
{
    struct trials all;

    if (filters->len == 0 || b->len == 0)
        goto drop;
    b->verdicts = try_malloc(filters->len * sizeof(*b->verdicts));
    if (!b->verdicts || init_trials(&all, b, filters))
        goto drop;
    b->verdicts_len = filters->len;
    memset(b->verdicts, 0, filters->len * sizeof(*b->verdicts));
    all.work = work;
    try_all(&all, b);
    for (size_t i = 0; i < all.len; i++)
        set_verdict(&b->verdicts[all.each[i].filter->slot], &all.each[i], words_of(b));
    release_trials(&all);
    tail_filters_release(filters);
    return;
drop:
    drop_references(filters);
    tail_filters_release(filters);
}

const struct tail_verdict *tail_batch_verdict(const struct tail_batch *b,
                                              const struct tail_filter *f)
{
    static const struct tail_verdict all = {.count = SIZE_MAX, .all = true};

    if (!f)
        return &all;
    const struct tail_verdict *v = f->slot < b->verdicts_len ? &b->verdicts[f->slot] : NULL;
    return v && v->filter == f ? v : NULL;
}

bool tail_verdict_has(const struct tail_verdict *v, size_t at)
{
    if (v->all)
        return true;
    return v->bits && v->bits[at / WORD_BITS] >> (at % WORD_BITS) & 1;
}

size_t tail_batch_size(const struct tail_batch *b)
{
    size_t size = sizeof(*b) + b->bytes.len + b->len * sizeof(*b->events) +
                  b->verdicts_len * sizeof(*b->verdicts);

    for (size_t i = 0; i < b->verdicts_len; i++)
        size += b->verdicts[i].bits ? words_of(b) * sizeof(uint64_t) : 0;
    return size;
}

void tail_batch_drop_verdicts(struct tail_batch *b)
{
    for (size_t i = 0; i < b->verdicts_len; i++) {
        if (b->verdicts[i].filter)
            unref(b->verdicts[i].filter);
        free(b->verdicts[i].bits);
    }
    free(b->verdicts);
}
