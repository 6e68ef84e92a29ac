#include "tail/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

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
    size_t words = tail_batch_words(b);

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

    if (tail_filter_match(t->filter, log, r, &matches, &t->steps, NULL)) {
        t->given_up = true;
        return;
    }
    all->spent += t->steps - before;
    t->bytes += tail_event_bytes(r);
    if (matches) {
        t->count++;
        t->bits[at / TAIL_WORD_BITS] |= UINT64_C(1) << (at % TAIL_WORD_BITS);
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
        tail_filter_unref(t->filter);
        return;
    }
    v->filter = t->filter;
    v->count = t->count;
}

static void drop_references(struct tail_filters *filters)
{
    for (size_t i = 0; i < filters->len; i++)
        if (filters->slots[i])
            tail_filter_unref(filters->slots[i]);
}

void tail_judge(struct tail_batch *b, struct tail_filters *filters, uint64_t work)
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
        set_verdict(&b->verdicts[all.each[i].filter->slot], &all.each[i], tail_batch_words(b));
    release_trials(&all);
    tail_filters_release(filters);
    return;
drop:
    drop_references(filters);
    tail_filters_release(filters);
}
