/*
 * What tails ask for. Tails that ask for the same share one filter, so that a batch is matched once
 * for all of them, by the feed's thread, where no event loop waits for it.
 *
 * The filters of a batch have equal shares of an amount of work, and one that needs more has no
 * verdict on that batch: its tails fall behind, and catch up by jobs of their own (tail.c). So an
 * expensive filter delays nobody else's logs.
 */
#include <stdlib.h>

#include "api/tail.h"
#include "base/xalloc.h"

enum {
    CALL_STEPS = 8, /* what it costs to ask at all */
    WORD_BITS = 64,
};

/* ---- Filters ---- */

static struct tail_filter *new_filter(struct log_matcher *matcher, size_t slot)
{
    struct tail_filter *f = xcalloc(1, sizeof(*f));

    f->matcher = matcher;
    f->slot = slot;
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

int tail_filter_match(const struct tail_filter *f, struct log_subject *log, const struct record *r,
                      bool *matches, uint64_t *steps)
{
    const struct log_filter *bounds = log_matcher_filter(f->matcher);

    *steps += CALL_STEPS;
    *matches = r->key.timestamp_us >= bounds->since_us && r->key.timestamp_us < bounds->until_us;
    return *matches ? log_matcher_match_subject(f->matcher, log, matches, steps) : 0;
}

/* ---- Verdicts ---- */

/* While a batch is matched: of one filter. */
struct trial {
    uint64_t steps;
    size_t count;
    bool given_up;
};

static size_t words_of(const struct tail_batch *b)
{
    return (b->len + WORD_BITS - 1) / WORD_BITS;
}

/* Asks every filter about the event `at`. */
static void try_event(const struct tail_batch *b, size_t at, const struct tail_filters *filters,
                      uint64_t share, struct log_subject *log, struct trial *trials, uint64_t *bits)
{
    const struct record *r = &b->events[at].record;

    log_subject_set(log, r);
    for (size_t i = 0; i < filters->len; i++) {
        struct trial *t = &trials[i];
        bool matches;

        if (!filters->slots[i] || t->given_up)
            continue;
        if (tail_filter_match(filters->slots[i], log, r, &matches, &t->steps) || t->steps > share) {
            t->given_up = true;
        } else if (matches) {
            t->count++;
            bits[i * words_of(b) + at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
        }
    }
}

/* Takes over the reference to `f`. */
static void set_verdict(struct tail_verdict *v, struct tail_filter *f, const struct trial *trial,
                        const uint64_t *bits, size_t words)
{
    *v = (struct tail_verdict){0};
    if (!f)
        return;
    if (!trial->given_up && trial->count > 0) {
        v->bits = try_malloc(words * sizeof(*bits));
        if (v->bits)
            memcpy(v->bits, bits, words * sizeof(*bits));
    }
    if (trial->given_up || (trial->count > 0 && !v->bits)) {
        unref(f);
        return;
    }
    v->filter = f;
    v->count = trial->count;
}

static size_t count_filters(const struct tail_filters *filters)
{
    size_t n = 0;

    for (size_t i = 0; i < filters->len; i++)
        n += filters->slots[i] != NULL;
    return n > 0 ? n : 1;
}

static void drop_references(struct tail_filters *filters)
{
    for (size_t i = 0; i < filters->len; i++)
        if (filters->slots[i])
            unref(filters->slots[i]);
    tail_filters_release(filters);
}

void tail_batch_judge(struct tail_batch *b, struct tail_filters *filters, uint64_t work)
{
    size_t n = filters->len;
    size_t words = words_of(b);
    struct trial *trials = try_malloc(n * sizeof(*trials) + 1);
    uint64_t *bits = try_malloc(n * words * sizeof(*bits) + 1);

    b->verdicts = n > 0 ? try_malloc(n * sizeof(*b->verdicts)) : NULL;
    if (!trials || !bits || !b->verdicts) {
        drop_references(filters);
    } else {
        struct log_subject *log = log_subject_new();
        uint64_t share = work / count_filters(filters);

        memset(trials, 0, n * sizeof(*trials));
        memset(bits, 0, n * words * sizeof(*bits));
        for (size_t at = 0; at < b->len; at++)
            try_event(b, at, filters, share, log, trials, bits);
        log_subject_free(log);
        for (size_t i = 0; i < n; i++)
            set_verdict(&b->verdicts[i], filters->slots[i], &trials[i], bits + i * words, words);
        b->verdicts_len = n;
        tail_filters_release(filters);
    }
    free(trials);
    free(bits);
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
